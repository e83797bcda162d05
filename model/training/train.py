"""Training of the golden model: an experiment in, a network and its parameter set out.

Every epoch sees every channel once, a random segment of it. First the network learns in float; the last
`quantise_epochs` run with the law's integers, rounded on the way forward only. What early stopping looks at is a tenth
of the training recordings, so that what is held out says nothing until the end. All that is random follows from the
seed and the epoch: a run that was interrupted and resumed ends as one that was not.
"""

import math
import pickle
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from model.formats import disk
from model.spec.config import ConfigError
from model.training import traces
from model.training.batches import Targets, batch_of, code_lengths
from model.training.code_length import CodeLength
from model.training.experiment import Experiment
from model.training.network import Batch, Golden
from model.training.traces import Recordings, Trace

PARTS: Final = ("train", "test")
VALIDATION: Final = 10  # every so manieth training stream decides when to stop
VALIDATION_FRAMES: Final = 1 << 14  # of each
INITIAL_BATCHES: Final = 24  # that training's begin is fitted to
FARTHEST: Final = 8.0  # scales that a sample's error counts for there, at most
CHECKPOINT: Final = "checkpoint.pt"
BURN_IN: Final = 64  # frames before a segment that an LSTM finds its state in


class Progress(NamedTuple):
    """How far a run is: `bits` a sample on the recordings that decide when to stop."""

    epoch: int
    epochs: int
    bits: float
    quantised: bool


@dataclass(frozen=True, eq=False)
class Trained:
    """What a run leaves.

    Parameters
    ----------
    experiment : Experiment
    golden : Golden
        With the integers' weights.
    code_length : CodeLength
    train, test : Recordings
        What it learned from, and what was held out.
    float_bits, quantised_bits : float
        Ideal code length on what was held out, bits a sample.
    epochs : int
    seconds : float
    """

    experiment: Experiment
    golden: Golden
    code_length: CodeLength
    train: Recordings
    test: Recordings
    float_bits: float
    quantised_bits: float
    epochs: int
    seconds: float


def what_counts(experiment: Experiment) -> dict[str, Any]:
    """The fields of an experiment that its weights depend on."""
    found = experiment.model_dump(mode="json", exclude={"description", "output", "search"})
    return {**found, "training": {k: v for k, v in found["training"].items() if k not in ("threads", "device")}}


def device_of(experiment: Experiment) -> torch.device:
    """Where an experiment is computed.

    Raises
    ------
    ConfigError
        If it asks for a GPU and there is none.
    """
    wanted = experiment.training.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"{experiment.name}: training.device: no GPU was found; give cpu or auto")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def recordings(experiment: Experiment, scratch: Path, parts: Sequence[str] = PARTS) -> list[Recordings]:
    """What to learn from, `train`, and what is held out, `test`.

    Parameters
    ----------
    experiment : Experiment
    scratch : Path
        A folder for synthetic recordings, where there are no others.
    parts : sequence of str
        Those wanted, of `PARTS`.

    Raises
    ------
    ConfigError
        If there are none, or they do not fit the experiment.
    FormatError
        If one cannot be read.
    """
    data = experiment.data

    def load(split: str | None) -> Recordings:
        paths = traces.folder(data.directory, split, scratch)
        found = traces.load(
            paths,
            profile=experiment.profile,
            most=experiment.middleout.peers,
            files=data.files,
            parameters=data.parameters,
        )
        if found.mapping.width != data.width:
            raise ConfigError(
                f"{experiment.name}: data.width: {data.width}, but the recordings have codes of {found.mapping.width} "
                f"bits; give {found.mapping.width}"
            )
        return found

    if data.split == "folders":
        return [load(part) for part in parts]
    whole = load(None)
    return [traces.cut(whole, data.split_ratio, head=part == "train") for part in parts]


class Run:
    """The state of a run, from one epoch to the next.

    Parameters
    ----------
    experiment : Experiment
    train : Recordings
    """

    def __init__(self, experiment: Experiment, train: Recordings) -> None:
        if not experiment.predictor.delta_shift:
            raise ConfigError(
                f"{experiment.name}: predictor.delta_shift: false cannot be trained, as features are counted from the "
                "newest sample; give true"
            )
        self.experiment, self.device, self.train = experiment, device_of(experiment), train
        self.golden = Golden(experiment)
        self.golden.check()
        self.golden.to(self.device)
        torch.backends.cudnn.allow_tf32 = False  # a GPU's filters would keep 10 bits of a node
        self.length = CodeLength(
            experiment.data.width,
            self.train.tables,
            experiment.outputs.shapes,
            squared=experiment.loss == "squared_error",
        ).to(self.device)
        own = experiment.training
        self.parameters = [p for p in (*self.golden.parameters(), *self.length.parameters()) if p.requires_grad]
        self.optimiser = torch.optim.Adam(self.parameters, own.learning_rate, weight_decay=own.weight_decay)
        streams = self.train.traces
        self.watched = streams[VALIDATION // 2 :: VALIDATION] or streams[:1]
        self.learned = [s for n, s in enumerate(streams) if n % VALIDATION != VALIDATION // 2] or streams
        self.epoch, self.quantised, self.stale = 0, False, 0
        self._initialise()
        self.best_bits, self.best = math.inf, self.weights()
        self.float_best: dict[str, Any] = self.best

    def _initialise(self) -> None:
        """Begin with the linear predictor of least squares."""
        found = []
        for streams, starts in self._batches(self.experiment.training.epochs + 1)[:INITIAL_BATCHES]:
            batch, targets = self._batch(streams, starts)
            errors, units = self.length.errors(*targets)
            found.append((batch, errors.clamp(-FARTHEST, FARTHEST), units))
        self.golden.initialise(found)

    def weights(self) -> dict[str, Any]:
        """A copy of all that is learned, for `take`."""
        copied = {key: value.detach().clone() for key, value in self.golden.state_dict().items()}
        length = {key: value.detach().clone() for key, value in self.length.state_dict().items()}
        return {"golden": copied, "length": length, "formats": self.golden.formats()}

    def take(self, weights: dict[str, Any]) -> None:
        """Take over weights and formats."""
        self.golden.load_state_dict(weights["golden"])
        self.length.load_state_dict(weights["length"])
        self.golden.restore_formats(weights["formats"])

    def _batches(self, epoch: int) -> list[tuple[list[Trace], list[int]]]:
        """The batches of an epoch: streams, and where their segments begin."""
        own = self.experiment.training
        rng = np.random.default_rng([own.seed, epoch])
        found = []
        for streams in traces.batches(self.learned, own.batch_size, rng.permutation(len(self.learned)).tolist()):
            starts = [int(rng.integers(1, max(2, s.frames - own.segment))) for s in streams]
            found.append((streams, starts))
        return found

    def _batch(self, streams: list[Trace], starts: list[int]) -> tuple[Batch, Targets]:
        frames = min(self.experiment.training.segment, *(stream.frames - 1 for stream in streams))
        context = self.golden.context + 1 + (BURN_IN if self.golden.remembers else 0)
        return batch_of(streams, starts, frames, context, self.experiment.middleout.peers, device=self.device)

    def learn(self) -> None:
        """One epoch."""
        own = self.experiment.training
        found = self._batches(self.epoch)
        for number, (streams, starts) in enumerate(found):
            if own.schedule == "cosine":
                done = (self.epoch + number / len(found)) / own.epochs
                for group in self.optimiser.param_groups:
                    group["lr"] = own.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
            batch, targets = self._batch(streams, starts)
            y = self.golden(batch, exact=self.quantised)[:, -targets.codes.shape[1] :]
            loss = self.length.loss(*targets, y, exact=self.quantised)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            if own.clip is not None:
                torch.nn.utils.clip_grad_norm_(self.parameters, own.clip)
            self.optimiser.step()
        self.epoch += 1

    def settle(self) -> None:
        """From here on in integers, from the best weights in float."""
        self.take(self.best)
        self.float_best = self.best
        if not self.golden.windowed:
            self.golden.settle([self._batch(*found)[0] for found in self._batches(self.experiment.training.epochs)[:4]])
            self.quantised = True
        self.best_bits, self.best, self.stale = math.inf, self.weights(), 0

    def watch(self) -> float:
        """Bits a sample on the streams that decide when to stop; keeps the best weights."""
        bits, samples, most = 0.0, 0, self.experiment.middleout.peers
        with torch.no_grad():
            for stream in self.watched:
                frames = min(VALIDATION_FRAMES, stream.frames - 1)
                batch, targets = batch_of([stream], [1], frames, 1, most, device=self.device)
                y = self.golden(batch, exact=self.quantised)[:, -frames:]
                bits += float(self.length(*targets, y, exact=self.quantised).sum())
                samples += targets.codes.numel()
        found = bits / samples
        if found < self.best_bits:
            self.best_bits, self.best, self.stale = found, self.weights(), 0
        else:
            self.stale += 1
        return found

    def state(self) -> dict[str, Any]:
        """All that `restore` needs."""
        names = ("epoch", "quantised", "stale", "best_bits", "best", "float_best")
        found = {name: getattr(self, name) for name in names}
        return {
            **found,
            "weights": self.weights(),
            "optimiser": self.optimiser.state_dict(),
            "experiment": what_counts(self.experiment),
        }

    def restore(self, path: Path) -> None:
        """Go on where a checkpoint was written."""
        try:
            found = torch.load(path, map_location=self.device, weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError):
            raise ConfigError(f"{path}: is no checkpoint, or damaged; remove it, or train without --resume") from None
        if found["experiment"] != what_counts(self.experiment):
            raise ConfigError(f"{path}: is of another configuration; remove it, or train without --resume")
        for name in ("epoch", "quantised", "stale", "best_bits", "best", "float_best"):
            setattr(self, name, found[name])
        self.take(found["weights"])
        self.optimiser.load_state_dict(found["optimiser"])


def learn(
    experiment: Experiment,
    folder: Path,
    *,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
    found: Recordings | None = None,
) -> Run:
    """Learn from the training recordings, without a look at what is held out.

    Parameters
    ----------
    experiment, folder, resume, progress
        As of `train`.
    found : Recordings, optional
        What to learn from; read if not given.

    Returns
    -------
    Run
        At its end, with the best weights and, in `best_bits`, their bits a sample on the recordings that decide.

    Raises
    ------
    ConfigError
        As of `train`.
    """
    own = experiment.training
    if own.threads is not None:
        torch.set_num_threads(own.threads)
    run = Run(experiment, found or recordings(experiment, folder / "recordings", ["train"])[0])
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / CHECKPOINT
    if resume and checkpoint.is_file():
        run.restore(checkpoint)
    last_float = own.epochs - own.quantise_epochs
    with _log(experiment, folder) as log:
        while run.epoch < own.epochs:
            stop = own.patience is not None and run.stale >= own.patience
            if stop and (run.quantised or not own.quantise_epochs):
                break
            if not run.quantised and (stop or run.epoch >= last_float) and own.quantise_epochs:
                if run.golden.windowed:
                    break
                run.settle()
                run.epoch = max(run.epoch, last_float)
            run.learn()
            if run.epoch % own.eval_freq == 0 or run.epoch in (last_float, own.epochs):
                bits = run.watch()
                if log is not None:
                    log.add_scalar("bits/quantised" if run.quantised else "bits/float", bits, run.epoch)
                with disk.replacing(checkpoint, overwrite=True) as out:
                    torch.save(run.state(), out)
                if progress is not None:
                    progress(Progress(run.epoch, own.epochs, bits, run.quantised))
    return run


def train(
    experiment: Experiment,
    folder: Path,
    *,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
    found: Sequence[Recordings] | None = None,
) -> Trained:
    """Train an experiment.

    Parameters
    ----------
    experiment : Experiment
    folder : Path
        Gets `CHECKPOINT` after every evaluation, and the logs of TensorBoard.
    resume : bool
        Go on from the checkpoint, if there is one.
    progress : callable, optional
        Called after every evaluation; what it raises ends the run, whose checkpoint stays.
    found : (Recordings, Recordings), optional
        As `recordings` gives; read if not given.

    Raises
    ------
    ConfigError
        If the configuration is not possible, or the checkpoint is of another one.
    """
    began = time.monotonic()
    learned_from, held = (found or recordings(experiment, folder / "recordings"))[:2]
    run = learn(experiment, folder, resume=resume, progress=progress, found=learned_from)
    if not run.quantised:
        run.settle()
    best = run.best if math.isfinite(run.best_bits) else run.weights()
    run.take(run.float_best)
    float_bits = code_lengths(run.golden, run.length, held.traces, exact=False, device=run.device)
    run.take(best)
    quantised_bits = math.nan
    if not run.golden.windowed:
        quantised_bits = code_lengths(run.golden, run.length, held.traces, exact=True, device=run.device)
    seconds = time.monotonic() - began
    return Trained(
        experiment,
        run.golden.cpu(),
        run.length.cpu(),
        learned_from,
        held,
        float_bits,
        quantised_bits,
        run.epoch,
        seconds,
    )


def _log(experiment: Experiment, folder: Path) -> AbstractContextManager[Any]:
    """TensorBoard's writer, if the experiment wants one."""
    if not experiment.output.tensorboard:
        return nullcontext()
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  # loads tensorboard

    return SummaryWriter(str(folder))
