"""Sweeps: they try what is asked for, go on where they were interrupted, and never look at what is held out."""

from pathlib import Path
from typing import Any

import pytest
from experiments import small, train_and_test

from model.spec.config import ConfigError
from model.training import sweep as sweeps
from model.training.experiment import Experiment, apply, load
from model.training.sweep import Swept, sweep, write
from model.training.train import Progress

SEARCH = {
    "training.learning_rate": {"low": 0.001, "high": 0.1, "log": True},
    "projector.hidden": {"choices": [[4], [6, 3], []]},
    "features.0.samples": {"low": 2, "high": 5},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings to learn from; there are none held out, so that a look at them fails."""
    folder = train_and_test(tmp_path_factory.mktemp("data"), seconds=0.1)
    for path in (folder / "test").iterdir():
        path.unlink()
    return folder


def searching(data: Path, folder: Path, **changes: Any) -> Experiment:
    merged = {"search": SEARCH, "training": {"epochs": 2, "quantise_epochs": 1}, **changes}
    return small(folder, data={"directory": str(data)}, **merged)


def test_the_best_is_an_experiment_that_extends_the_original(data: Path, tmp_path: Path) -> None:
    experiment = searching(data, tmp_path)
    ends: list[tuple[int, float]] = []
    found = sweep(experiment, tmp_path / "deep" / "trials", trials=4, progress=lambda *end: ends.append(end))
    assert [number for number, _ in ends] == [1, 2, 3, 4]
    assert min(bits for _, bits in ends) == ends[-1][1] == found.bits
    assert found.values.keys() == SEARCH.keys()
    write(experiment, found, tmp_path / "best.yaml")
    (best,) = load(tmp_path / "best.yaml").values()
    wanted = apply(experiment, found.values)
    assert best.model_dump(exclude={"name", "description"}) == wanted.model_dump(exclude={"name", "description"})
    assert best.name == "small_best"
    assert "extends: _small" in (tmp_path / "best.yaml").read_text()


def test_its_value_is_that_of_training_so(data: Path, tmp_path: Path) -> None:
    found = sweep(searching(data, tmp_path), tmp_path / "trials", trials=2)
    seen: list[Progress] = []
    sweeps.learn(found.best, tmp_path / "run", progress=seen.append)
    assert found.bits == seen[-1].bits
    assert seen[-1].quantised


def test_a_resumed_sweep_tries_what_an_uninterrupted_one_does(data: Path, tmp_path: Path) -> None:
    experiment = searching(data, tmp_path)
    whole = sweep(experiment, tmp_path / "whole", trials=4)

    def interrupt(ended: int, best: float) -> None:
        if ended == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(experiment, tmp_path / "trials", trials=4, progress=interrupt)
    ends: list[int] = []
    again = sweep(experiment, tmp_path / "trials", trials=4, progress=lambda ended, best: ends.append(ended))
    assert ends == [3, 4]
    assert (again.values, again.bits, again.trials) == (whole.values, whole.bits, 4)
    assert sweep(experiment, tmp_path / "trials", trials=4).trials == 4


def test_what_is_not_possible_is_given_up(data: Path, tmp_path: Path) -> None:
    search = {"window": {"low": 4, "high": 16}, "features.0.samples": {"low": 2, "high": 4}}
    features = [{"kind": "identity", "samples": 4}]
    experiment = searching(data, tmp_path, window=4, features=features, search=search)
    assert sweep(experiment, tmp_path / "trials", trials=2).pruned == 0
    refused = [{"kind": "identity", "samples": 3}, {"kind": "wavelet", "wavelet": "haar", "levels": 2}]
    both = {"features.1.levels": {"choices": [2, 3]}, "window": {"choices": [8, 4]}}
    experiment = searching(data, tmp_path, window=8, features=refused, search=both)
    found = sweep(experiment, tmp_path / "others", trials=8)
    assert 0 < found.pruned < found.trials == 8  # 3 levels do not fit a window of 4
    assert found.values != {"features.1.levels": 3, "window": 4}


def test_a_hopeless_trial_is_given_up_early(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    epochs: list[int] = []

    class Fake:
        best_bits = 5.0

    def learn(experiment: Experiment, folder: Path, *, progress: Any, found: Any) -> Fake:
        worse = len(epochs) >= sweeps.STARTED
        epochs.append(0)
        for epoch in range(1, 11):
            epochs[-1] = epoch
            progress(Progress(epoch, 10, 9.0 if worse else 5.0, True))
        return Fake()

    monkeypatch.setattr(sweeps, "learn", learn)
    experiment = searching(data, tmp_path, training={"epochs": 10})
    assert sweep(experiment, tmp_path / "trials", trials=7).pruned == 2
    assert epochs[:5] == [10] * 5
    assert max(epochs[5:]) < 5


def test_processes_share_the_trials(data: Path, tmp_path: Path) -> None:
    found = sweep(searching(data, tmp_path), tmp_path / "trials", trials=3, jobs=2)
    assert isinstance(found, Swept) and found.trials == 3


def test_what_cannot_be_swept_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="small: search: is empty; name fields"):
        sweep(searching(data, tmp_path, search={}), tmp_path / "trials", trials=1)
    sweep(searching(data, tmp_path), tmp_path / "trials", trials=1)
    with pytest.raises(ConfigError, match="trials: is of another search; remove it, or give another --storage"):
        sweep(searching(data, tmp_path, training={"epochs": 3}), tmp_path / "trials", trials=2)
    with pytest.raises(ConfigError, match="no WAV files there"):
        sweep(searching(tmp_path / "none", tmp_path), tmp_path / "third", trials=1)
