"""Sweeps: an experiment with many values of the fields in its `search`, by Optuna, on several processes.

What is minimised is the code length on the recordings that decide when to stop; what is held out is not read. Trials
stand in a journal, a file that several processes append to and from which a sweep goes on. What a trial tries follows
from the seed, its number and the trials that had ended: with one process a sweep that was interrupted between trials
tries what one that was not would have. A trial that was interrupted is given up, and another one takes its place.
"""

import json
import math
import multiprocessing
import os
import signal
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import optuna
import torch
import yaml
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from model.formats import disk
from model.spec.config import ConfigError
from model.training.experiment import Experiment, apply
from model.training.schema import Search
from model.training.train import Progress, learn, recordings, what_counts

STARTED: Final = 5  # trials that are not pruned, to know what is usual
ENDED: Final = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class Swept:
    """What a sweep found.

    Parameters
    ----------
    best : Experiment
        With the best values; its name is that of the original and `_best`.
    values : dict of str to value
        The best ones, by dotted names.
    bits : float
        Bits a sample with these, on the recordings that decide when to stop.
    trials, pruned : int
        Ended in all; of them, those given up early or not possible.
    """

    best: Experiment
    values: dict[str, Any]
    bits: float
    trials: int
    pruned: int


class _Seeded(BaseSampler):
    """Optuna's usual sampler, seeded anew for each value."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        own = TPESampler(seed=zlib.crc32(f"{self._seed} {trial.number} {param_name}".encode()))
        return own.sample_independent(study, trial, param_name, param_distribution)


def _open(experiment: Experiment, storage: Path) -> Study:
    epochs = experiment.training.epochs
    try:
        study = optuna.create_study(
            study_name=experiment.name,
            storage=JournalStorage(JournalFileBackend(str(storage))),
            sampler=_Seeded(experiment.training.seed),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTED, n_warmup_steps=epochs // 5),
            load_if_exists=True,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"{storage}: is no journal of a sweep, or damaged; give another --storage") from None
    own = {**what_counts(experiment), "search": experiment.model_dump(mode="json")["search"]}
    if study.user_attrs.setdefault("experiment", own) != own:
        raise ConfigError(f"{storage}: is of another search; remove it, or give another --storage")
    study.set_user_attr("experiment", own)
    return study


def _suggest(trial: Trial, field: str, search: Search) -> Any:
    if search.choices is not None:
        texts = [json.dumps(choice) for choice in search.choices]
        return json.loads(trial.suggest_categorical(field, texts))
    assert search.low is not None and search.high is not None
    if search.whole:
        return trial.suggest_int(field, int(search.low), int(search.high), step=int(search.step or 1), log=search.log)
    return trial.suggest_float(field, search.low, search.high, step=search.step, log=search.log)


class _Worker:
    """What tries values, one trial after the other, in a process of its own or not."""

    def __init__(self, experiment: Experiment, storage: Path, threads: int | None) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # what ends a trial is said once, by whoever ran it
        if threads is not None:
            torch.set_num_threads(threads)
        self.experiment, self.study = experiment, _open(experiment, storage)
        self._folder = tempfile.TemporaryDirectory()
        self._found: tuple[str, Any] = ("", None)

    def _recordings(self, experiment: Experiment) -> Any:
        """Recordings to learn from, read anew only if that would give others."""
        key = f"{experiment.data!r} {experiment.profile} {experiment.middleout.peers}"
        if self._found[0] != key:
            self._found = key, recordings(experiment, Path(self._folder.name, "recordings"), ["train"])[0]
        return self._found[1]

    def check(self) -> None:
        """Refuse an experiment that is not possible even as it is."""
        self._recordings(self.experiment)

    def _objective(self, trial: Trial) -> float:
        def report(progress: Progress) -> None:
            trial.report(progress.bits, progress.epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        values = {field: _suggest(trial, field, search) for field, search in self.experiment.search.items()}
        try:
            own = apply(self.experiment, values)
            with tempfile.TemporaryDirectory() as folder:
                bits = learn(own, Path(folder), progress=report, found=self._recordings(own)).best_bits
        except ConfigError as error:
            trial.set_user_attr("refused", str(error))
            raise optuna.TrialPruned from None
        if not math.isfinite(bits):
            raise optuna.TrialPruned
        return bits

    def try_one(self) -> None:
        """One trial."""
        self.study.optimize(self._objective, n_trials=1)


_worker: list[_Worker] = []  # of this process


def _begin(experiment: Experiment, storage: Path, threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    _worker.append(_Worker(experiment, storage, threads))


def _try_one(_: int) -> None:
    _worker[0].try_one()


def _in_turn(worker: _Worker, experiment: Experiment, storage: Path, missing: int, jobs: int) -> Iterator[None]:
    """Ends of trials, as they come."""
    if jobs == 1:
        for _ in range(missing):
            worker.try_one()
            yield
        return
    threads = max(1, (os.cpu_count() or 1) // jobs)
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(jobs, max(1, missing)), _begin, (experiment, storage, threads)) as pool:
        yield from pool.imap_unordered(_try_one, range(missing))


def sweep(
    experiment: Experiment,
    storage: Path,
    *,
    trials: int,
    jobs: int = 1,
    progress: Callable[[int, float], None] | None = None,
) -> Swept:
    """Try values of the fields in an experiment's `search`.

    Parameters
    ----------
    experiment : Experiment
    storage : Path
        The journal; if it is there, the sweep goes on with its trials.
    trials : int
        That are to have ended in all, those in the journal among them.
    jobs : int
        Processes.
    progress : callable, optional
        Called with the number of trials that have ended, and the best code length so far, infinite if there is none.

    Raises
    ------
    ConfigError
        If there is nothing to search, the journal is not of this search, or no trial could be learned to its end.
    FormatError
        If the journal cannot be written.
    """
    if not experiment.search:
        raise ConfigError(f"{experiment.name}: search: is empty; name fields and what to try, see published.yaml")
    disk.check_folder(storage.parent, create=True)
    storage.parent.mkdir(parents=True, exist_ok=True)
    disk.check_target(storage, overwrite=True)
    worker = _Worker(experiment, storage, None)
    worker.check()
    study = worker.study
    for trial in study.get_trials(states=[TrialState.RUNNING]):  # of a sweep that was interrupted
        study.tell(trial.number, state=TrialState.FAIL)
    ended = len(study.get_trials(states=ENDED))
    for _ in _in_turn(worker, experiment, storage, trials - ended, jobs):
        if progress is not None:
            found = [trial.value for trial in study.get_trials(states=[TrialState.COMPLETE])]
            progress(len(study.get_trials(states=ENDED)), min((v for v in found if v is not None), default=math.inf))
    return _swept(experiment, study, storage)


def _swept(experiment: Experiment, study: Study, storage: Path) -> Swept:
    ended = study.get_trials(states=ENDED)
    complete = [trial for trial in ended if trial.state == TrialState.COMPLETE]
    if not complete:
        reasons = [trial.user_attrs["refused"] for trial in ended if "refused" in trial.user_attrs]
        why = f"the last one says: {reasons[-1]}" if reasons else "all were given up early"
        raise ConfigError(f"{storage}: no trial ended well; {why}")
    best = min(complete, key=lambda trial: trial.value if trial.value is not None else math.inf)
    assert best.value is not None
    values = {
        field: json.loads(best.params[field]) if search.choices is not None else best.params[field]
        for field, search in experiment.search.items()
    }
    found = apply(experiment, values).model_copy(update={"name": f"{experiment.name}_best"})
    return Swept(found, values, best.value, len(ended), len(ended) - len(complete))


def _difference(below: Any, above: Any) -> Any:
    """What must be merged over `below` to get `above`, as files of experiments merge."""
    if not isinstance(below, dict) or not isinstance(above, dict) or below.get("kind") != above.get("kind"):
        return above
    changed = [key for key in above if key not in below or below[key] != above[key]]
    kind = {"kind": above["kind"]} if "kind" in above and changed else {}
    return {**kind, **{key: _difference(below.get(key), above[key]) for key in changed}}


def write(experiment: Experiment, swept: Swept, path: Path) -> None:
    """Write a file with the best experiment, which extends the original."""
    idle = {"name", "description", "search"}
    below = experiment.model_dump(mode="json", exclude=idle)
    above = swept.best.model_dump(mode="json", exclude=idle)
    about = f"The best of {swept.trials} trials: {swept.bits:.4f} bits a sample where it is decided when to stop"
    found = {
        f"_{experiment.name}": below,
        swept.best.name: {"extends": f"_{experiment.name}", "description": about, **_difference(below, above)},
    }
    with disk.replacing(path, overwrite=True) as out:
        out.write(yaml.safe_dump(found, sort_keys=False, width=120).encode())
