"""Grouping: recordings of one instant are found, and others are left alone."""

from pathlib import Path

import numpy as np
import pytest

from model.formats import wav
from model.recordings import grouping, synthesise
from model.recordings.grouping import Mode, Stream, group
from model.spec.packet import MAX_PEER


def write(folder: Path, name: str, samples: np.ndarray, rate: int = 19531) -> Path:
    path = folder / name
    wav.write_wav(path, samples.round().astype(np.int16), rate)
    return path


def paths_of(paths: list[Path], mode: Mode) -> list[list[Path]]:
    return [list(stream.paths) for stream in group(paths, mode)]


def test_pairs_are_found_in_any_order(tmp_path: Path) -> None:
    paths = synthesise(tmp_path, channels=10, seconds=2, seed=11)
    order = [3, 8, 0, 5, 2, 9, 1, 4, 7, 6]
    found = group([paths[n] for n in order], "auto")
    assert [[paths.index(p) for p in s.paths] for s in found] == [[3, 2], [8, 9], [0, 1], [5, 4], [7, 6]]
    assert [s.peers for s in found] == [(0, 1)] * 5
    (whole,) = group([paths[n] for n in order], "all")
    assert whole.peers == (0, 0, 0, 0, 4, 4, 4, 4, 0, 1)


def test_channels_that_share_nothing_stay_alone(tmp_path: Path) -> None:
    paths = synthesise(tmp_path, channels=12, seconds=2, seed=12, pairs=False)
    assert group(paths, "auto") == [Stream((p,)) for p in paths]


def test_modes_none_and_all(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    a = write(tmp_path, "a.wav", rng.normal(0, 100, 1000))
    b = write(tmp_path, "b.wav", rng.normal(0, 100, 900))
    stereo = write(tmp_path, "c.wav", rng.normal(0, 100, (1000, 2)))
    slow = write(tmp_path, "d.wav", rng.normal(0, 100, 1000), 8000)
    e = write(tmp_path, "e.wav", rng.normal(0, 100, 1000))
    paths = [a, b, stereo, slow, e]
    assert group(paths, "none") == [Stream((p,)) for p in paths]
    assert group(paths, "all") == [Stream((a, b, e)), Stream((stereo,)), Stream((slow,))]


def test_only_equal_format_and_length_go_together(tmp_path: Path) -> None:
    same = np.random.default_rng(2).normal(0, 100, 20000)
    a = write(tmp_path, "a.wav", same)
    longer = write(tmp_path, "longer.wav", np.append(same, 0))
    slow = write(tmp_path, "slow.wav", same, 8000)
    b = write(tmp_path, "b.wav", same)
    inverted = write(tmp_path, "inverted.wav", -same)
    stereo = write(tmp_path, "stereo.wav", np.stack([same, same], axis=1))
    paths = [a, longer, slow, b, inverted, stereo]
    assert paths_of(paths, "auto") == [[a, b, inverted], [longer], [slow], [stereo]]
    assert [s.peers for s in group(paths, "auto")] == [(0, 1, 2), (), (), (0, 1)]
    whole, *_ = group(paths, "all")
    assert whole == Stream((a, longer, b, inverted), (0, 0, 2, 3)), "a recording of another length is no peer"
    assert all(stream.peers == () for stream in group(paths, "none"))


def test_a_chain_is_one_group(tmp_path: Path) -> None:
    """Neighbouring electrodes share noise, those further apart do not: all of them were recorded together."""
    sources = np.random.default_rng(3).normal(0, 100, (20000, 5))
    paths = [write(tmp_path, f"{n}.wav", sources[:, n] + sources[:, n + 1]) for n in range(4)]
    assert abs(grouping.correlations(paths, 1, 20000)[0, 2]) < grouping.threshold(20000)
    assert group(paths, "auto") == [Stream(tuple(paths), (0, 1, 1, 1))]


def test_the_peer_is_the_one_that_tells_most(tmp_path: Path) -> None:
    sources = np.random.default_rng(5).normal(0, 100, (20000, 4))
    mixed = sources @ np.array([[1, 0.3, 0.3, 0.9], [0, 1, 0.8, 0.3], [0, 0, 0.4, 0], [0, 0, 0, 0.4]])
    paths = [write(tmp_path, f"{n}.wav", mixed[:, n]) for n in range(4)]
    assert group(paths, "auto")[0].peers == (0, 1, 1, 3)
    assert group(paths[::-1], "auto")[0].peers == (0, 1, 1, 3)
    stereo = [write(tmp_path, f"s{n}.wav", mixed[:, [n, n + 1]]) for n in (0, 2)]
    assert group(stereo, "auto") == [Stream(tuple(stereo), (0, 1, 1, 3))]
    assert group([one := write(tmp_path, "all.wav", mixed)], "auto") == [Stream((one,), (0, 1, 1, 3))]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_peer_is_at_most_255_channels_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int) -> None:
    """A stream of 600 channels, the last 340 of which repeat the first, too far away but for two."""
    sources = np.random.default_rng(6).normal(0, 1000, (5000, 600))
    sources[:, 260:] = sources[:, :340]
    paths = [write(tmp_path, f"{n:03}.wav", sources[:, n : n + channels]) for n in range(0, 600, channels)]
    assert group(paths, "all")[0].peers == ()
    sources[:, 300] = sources[:, 300 - MAX_PEER]
    sources[:, 511] = -sources[:, 256]
    for n in (300, 511):
        first = n - n % channels
        write(tmp_path, f"{first:03}x.wav", sources[:, first : first + channels]).replace(paths[first // channels])
    (found,) = group(paths, "all")
    assert {n: peer for n, peer in enumerate(found.peers) if peer} == {300: 255, 305: 5, 511: 255, 516: 5}
    monkeypatch.setattr(grouping, "MAX_PEER", 254)
    assert {n: peer for n, peer in enumerate(group(paths, "all")[0].peers) if peer} == {305: 5, 516: 5}


@pytest.mark.parametrize("block", [1 << 22, 1000])
def test_correlations_are_numpys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(grouping, "_BLOCK_SAMPLES", block)
    samples = np.cumsum(np.random.default_rng(4).integers(-9, 10, (3000, 4)), axis=0)
    samples[:, 3] += samples[:, 0]
    paths = [write(tmp_path, f"{n}.wav", samples[:, n]) for n in range(4)]
    expected = np.corrcoef(np.diff(samples, axis=0).T)
    stereo = [write(tmp_path, f"s{n}.wav", samples[:, n : n + 2]) for n in (0, 2)]
    for first, last in ((0, 4), (1, 4), (1, 3), (2, 4), (3, 4)):
        for files, channels in ((paths, 1), (stereo, 2)):
            found = grouping.channel_correlations(files, channels, 3000, first, last)
            assert np.allclose(found, expected[first:last, first:last], rtol=0, atol=1e-12)
    summed = np.corrcoef(np.diff(samples[:, [0, 2]] + samples[:, [1, 3]], axis=0).T)
    assert np.allclose(grouping.correlations(stereo, 2, 3000), summed, rtol=0, atol=1e-12)
    assert np.allclose(grouping.correlations(paths, 1, 3000), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("frames", [0, 1, 2, 5])
def test_short_and_silent_recordings_stay_alone(tmp_path: Path, frames: int) -> None:
    paths = [write(tmp_path, f"{n}.wav", np.zeros(frames)) for n in range(3)]
    paths += [write(tmp_path, f"ramp{n}.wav", np.arange(frames) ** 2) for n in range(2)]
    assert group(paths, "auto") == [Stream((p,)) for p in paths]


def test_the_threshold_of_short_recordings_is_chance() -> None:
    assert grouping.threshold(98687) == 0.025
    assert grouping.threshold(3600) == 0.1
    assert grouping.threshold(0) > 1
