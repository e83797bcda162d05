"""Training: it learns, goes on where it was interrupted as if it had not been, and its bytes decode."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from experiments import FULL, small, train_and_test

from model.formats import wav
from model.spec.config import ConfigError
from model.training import result as results
from model.training.evaluate import evaluate
from model.training.experiment import Experiment
from model.training.export import parameter_set
from model.training.train import Progress, Trained, learn, recordings, train


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic recordings in folders `train` and `test`."""
    return train_and_test(tmp_path_factory.mktemp("data"))


def on(place: Path, folder: Path, **changes: Any) -> Experiment:
    own = changes.pop("data", {})
    return small(folder, **changes, data={"directory": str(place), **own})


def weights(trained: Trained) -> dict[str, torch.Tensor]:
    return {**trained.golden.state_dict(), **trained.code_length.state_dict()}


def equal(one: Trained, other: Trained) -> bool:
    return all(torch.equal(value, weights(other)[key]) for key, value in weights(one).items())


def test_it_learns(data: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    training = {"epochs": 30, "quantise_epochs": 10, "eval_freq": 2, "segment": 1024}
    experiment = on(data, tmp_path, training=training, predictor={"skip": False})  # the skip path begins well
    found = train(experiment, tmp_path / "run", progress=seen.append)
    assert [one.epoch for one in seen] == list(range(2, 31, 2))
    assert [one.quantised for one in seen] == [epoch > 20 for epoch in range(2, 31, 2)]
    assert abs(found.quantised_bits - found.float_bits) < 0.2
    still = {"epochs": 2, "learning_rate": 1e-9}
    idle: list[Progress] = []
    untrained = train(
        on(data, tmp_path, training=still, predictor={"skip": False}), tmp_path / "not", progress=idle.append
    )
    assert seen[9].bits < idle[0].bits - 0.03  # of noise there is little to be learned
    assert found.quantised_bits < untrained.float_bits - 0.03


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("stop", [1, 2, 3])
@pytest.mark.parametrize("more", [{}, {**FULL, "middleout": {"form": "residual", "peers": 1}}], ids=["spikey", "full"])
def test_a_resumed_run_ends_as_an_uninterrupted_one(
    data: Path, tmp_path: Path, stop: int, more: dict[str, Any]
) -> None:
    experiment = on(data, tmp_path, **more)
    whole = train(experiment, tmp_path / "whole")

    def interrupt(progress: Progress) -> None:
        if progress.epoch == stop:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(experiment, tmp_path / "run", progress=interrupt)
    seen: list[Progress] = []
    again = train(experiment, tmp_path / "run", resume=True, progress=seen.append)
    assert [one.epoch for one in seen] == list(range(stop + 1, 5))
    assert equal(again, whole)
    assert (again.float_bits, again.quantised_bits) == (whole.float_bits, whole.quantised_bits)


def test_what_is_random_follows_from_the_seed(data: Path, tmp_path: Path) -> None:
    one, same, other = (
        train(on(data, tmp_path, training={"seed": seed, "epochs": 2}), tmp_path / str(number))
        for number, seed in enumerate((3, 3, 4))
    )
    assert equal(one, same)
    assert not equal(one, other)


def test_it_stops_early_without_a_gain(data: Path, tmp_path: Path) -> None:
    training = {"epochs": 60, "quantise_epochs": 20, "patience": 2, "learning_rate": 1e-9}
    seen: list[Progress] = []
    found = train(on(data, tmp_path, training=training), tmp_path / "run", progress=seen.append)
    assert found.epochs < 55
    assert [one.quantised for one in seen].count(False) < 10


def test_a_checkpoint_of_another_configuration_is_refused(data: Path, tmp_path: Path) -> None:
    train(on(data, tmp_path, training={"epochs": 2}), tmp_path / "run")
    with pytest.raises(ConfigError, match=r"checkpoint\.pt: is of another configuration; remove it, or train without"):
        train(on(data, tmp_path, training={"epochs": 3}), tmp_path / "run", resume=True)
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"no such thing")
    with pytest.raises(ConfigError, match="is no checkpoint, or damaged"):
        train(on(data, tmp_path, training={"epochs": 3}), tmp_path / "run", resume=True)


def test_a_network_that_ignores_a_field_is_refused(data: Path, tmp_path: Path) -> None:
    experiment = on(data, tmp_path, predictor={"delta_shift": False})
    with pytest.raises(ConfigError, match=r"predictor\.delta_shift: false cannot be trained"):
        train(experiment, tmp_path / "run")


def test_a_width_that_the_recordings_do_not_have_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.width: 12, but the recordings have codes of 10 bits; give 10"):
        train(on(data, tmp_path, data={"width": 12}), tmp_path / "run")


def test_wide_codes_can_be_learned(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-(1 << 13), 1 << 13, (600, 1)) << 2
    samples[0] = 4 * -(1 << 13)  # all 14 bits are needed
    wav.write_wav(tmp_path / "one.wav", samples.astype(np.int16), 20000)
    found = train(on(tmp_path, tmp_path, data={"split": "time", "width": 14}), tmp_path / "run")
    assert found.quantised_bits > 13


def test_the_chain_beside_is_of_calibrated(data: Path, tmp_path: Path) -> None:
    for parameters, problem in (("none.spkp", "no such file"), ("spikey", "is for profile 'spikey'")):
        experiment = on(data, tmp_path, **FULL, data={"parameters": parameters})
        with pytest.raises(ConfigError, match=rf"^{parameters}: data\.parameters: {problem}; give .*calibrated-even"):
            train(experiment, tmp_path / "run")


def test_what_is_held_out_is_not_read_to_learn(data: Path, tmp_path: Path) -> None:
    only = tmp_path / "only"
    only.mkdir()
    (only / "train").symlink_to(data / "train")
    assert learn(on(only, tmp_path), tmp_path / "run").best_bits > 0
    with pytest.raises(ConfigError, match=r"test: data\.directory: no WAV files there"):
        train(on(only, tmp_path), tmp_path / "run")


def test_a_split_in_time_learns_from_the_begin_alone(data: Path, tmp_path: Path) -> None:
    experiment = on(data, tmp_path, data={"split": "time", "split_ratio": 0.75})
    train_part, test_part = recordings(experiment, tmp_path)
    (whole,) = recordings(on(data, tmp_path), tmp_path, ["train"])
    longest = whole.traces[0].frames
    assert {stream.frames for stream in train_part.traces} == {int(longest * 0.75)}
    assert {stream.frames for stream in test_part.traces} == {longest - int(longest * 0.75)}
    assert all((stream.signal[:, 0] == 0).all() for stream in test_part.traces)  # as at a key packet


CODED: dict[str, dict[str, Any]] = {
    "rice": {"coder": {"kind": "rice"}},
    "rice of k": {"coder": {"kind": "rice", "k": 3}},
    "huffman": {"coder": {"kind": "huffman"}},
    "binomial": {"coder": {"kind": "binomial"}, "data": {"split": "time"}},
    "arithmetic": {"coder": {"kind": "arithmetic"}, "loss": "squared_error"},
    "bzip2": {"coder": {"kind": "bzip2"}, "data": {"split": "time"}},
    "identity": {"coder": {"kind": "identity"}},
    "range": {**FULL, "middleout": {"form": "mean", "peers": 2}, "data": {"split": "time"}},
}


@pytest.mark.parametrize("name", CODED)
def test_bytes_are_decoded_and_near_the_code_length(data: Path, tmp_path: Path, name: str) -> None:
    experiment = on(data, tmp_path, **CODED[name])
    found = train(experiment, tmp_path / "run")
    size = evaluate(found, parameter_set(found), tmp_path)
    assert size.samples == sum(stream.codes.size for stream in found.test.traces)
    assert size.wav_bytes == 2 * size.samples + 44 * sum(len(stream.paths) for stream in found.test.traces)
    if name == "identity":
        assert 10 <= size.bits_per_sample < 10.1
        return
    assert found.quantised_bits - 0.2 < size.bits_per_sample < found.quantised_bits + 1.5
    assert size.ratio_wav == pytest.approx(16 / size.bits_per_sample, rel=0.05)


def test_the_windowed_form_has_no_bytes(data: Path, tmp_path: Path) -> None:
    experiment = on(data, tmp_path, feature_form="windowed")
    found = results.run(experiment, tmp_path / "run")
    assert (found.size, found.quantised_bits, found.parameter_set) == (None, None, None)
    assert results.read(tmp_path / "run" / results.RESULT) == found
