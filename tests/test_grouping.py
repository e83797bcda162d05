"""Grouping: recordings of one instant are found, and others are left alone."""

from pathlib import Path

import numpy as np
import pytest

from model.formats import wav
from model.recordings import grouping, synthesise
from model.recordings.grouping import group


def write(folder: Path, name: str, samples: np.ndarray, rate: int = 19531) -> Path:
    path = folder / name
    wav.write_wav(path, samples.round().astype(np.int16), rate)
    return path


def test_pairs_are_found_in_any_order(tmp_path: Path) -> None:
    paths = synthesise(tmp_path, channels=10, seconds=2, seed=11)
    order = [3, 8, 0, 5, 2, 9, 1, 4, 7, 6]
    found = group([paths[n] for n in order], "auto")
    assert [[paths.index(p) for p in g] for g in found] == [[3, 2], [8, 9], [0, 1], [5, 4], [7, 6]]


def test_channels_that_share_nothing_stay_alone(tmp_path: Path) -> None:
    paths = synthesise(tmp_path, channels=12, seconds=2, seed=12, pairs=False)
    assert group(paths, "auto") == [[p] for p in paths]


def test_modes_none_and_all(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    a = write(tmp_path, "a.wav", rng.normal(0, 100, 1000))
    b = write(tmp_path, "b.wav", rng.normal(0, 100, 900))
    stereo = write(tmp_path, "c.wav", rng.normal(0, 100, (1000, 2)))
    slow = write(tmp_path, "d.wav", rng.normal(0, 100, 1000), 8000)
    e = write(tmp_path, "e.wav", rng.normal(0, 100, 1000))
    paths = [a, b, stereo, slow, e]
    assert group(paths, "none") == [[p] for p in paths]
    assert group(paths, "all") == [[a, b, e], [stereo], [slow]]


def test_only_equal_format_and_length_go_together(tmp_path: Path) -> None:
    same = np.random.default_rng(2).normal(0, 100, 20000)
    a = write(tmp_path, "a.wav", same)
    longer = write(tmp_path, "longer.wav", np.append(same, 0))
    slow = write(tmp_path, "slow.wav", same, 8000)
    b = write(tmp_path, "b.wav", same)
    inverted = write(tmp_path, "inverted.wav", -same)
    stereo = write(tmp_path, "stereo.wav", np.stack([same, same], axis=1))
    found = group([a, longer, slow, b, inverted, stereo], "auto")
    assert found == [[a, b, inverted], [longer], [slow], [stereo]]


def test_a_chain_is_one_group(tmp_path: Path) -> None:
    """Neighbouring electrodes share noise, those further apart do not: all of them were recorded together."""
    sources = np.random.default_rng(3).normal(0, 100, (20000, 5))
    paths = [write(tmp_path, f"{n}.wav", sources[:, n] + sources[:, n + 1]) for n in range(4)]
    assert abs(grouping.correlations(paths, 20000)[0, 2]) < grouping.threshold(20000)
    assert group(paths, "auto") == [paths]


@pytest.mark.parametrize("block", [1 << 22, 1000])
def test_correlations_are_numpys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(grouping, "_BLOCK_SAMPLES", block)
    samples = np.cumsum(np.random.default_rng(4).integers(-9, 10, (3000, 4)), axis=0)
    samples[:, 3] += samples[:, 0]
    paths = [write(tmp_path, f"{n}.wav", samples[:, n]) for n in range(4)]
    expected = np.corrcoef(np.diff(samples, axis=0).T)
    assert np.allclose(grouping.correlations(paths, 3000), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("frames", [0, 1, 2, 5])
def test_short_and_silent_recordings_stay_alone(tmp_path: Path, frames: int) -> None:
    paths = [write(tmp_path, f"{n}.wav", np.zeros(frames)) for n in range(3)]
    paths += [write(tmp_path, f"ramp{n}.wav", np.arange(frames) ** 2) for n in range(2)]
    assert group(paths, "auto") == [[p] for p in paths]


def test_the_threshold_of_short_recordings_is_chance() -> None:
    assert grouping.threshold(98687) == 0.025
    assert grouping.threshold(3600) == 0.1
    assert grouping.threshold(0) > 1
