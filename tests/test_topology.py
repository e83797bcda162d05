"""Topology: partners are found at the lag at which they help, and chance is not taken for one."""

from pathlib import Path

import numpy as np
import pytest

from model.formats import wav
from model.recordings import grouping, synthesise, topology
from model.recordings.grouping import Stream, group
from model.recordings.topology import LAGS, MOST_LAG, Partner, find_partners, links_of, quantised
from model.spec.config import CodecConfig
from model.spec.packet import MAX_DISTANCE, Link

FRAMES = 8000


def write(folder: Path, name: str, samples: np.ndarray) -> Path:
    path = folder / name
    wav.write_wav(path, samples.round().astype(np.int16), 19531)
    return path


def delayed(samples: np.ndarray, frames: int) -> np.ndarray:
    return np.concatenate([np.zeros(frames), samples[: len(samples) - frames]])


def explicit(series: np.ndarray) -> np.ndarray:
    """What `residual_correlations` promises, with every prediction from samples themselves."""
    order, residuals = topology.ORDER, []
    for x in series:
        past = [x[order - lag : len(x) - lag] for lag in range(1, order + 1)]
        inputs = np.column_stack([*past, np.ones(len(x) - order)])
        residuals.append(x[order:] - inputs @ np.linalg.lstsq(inputs, x[order:], rcond=None)[0])
    found, power = [], np.sqrt((np.array(residuals) ** 2).sum(axis=1))
    for lag in LAGS:
        early = [np.roll(np.pad(r, (0, MOST_LAG)), lag) for r in residuals]
        products = np.pad(residuals, ((0, 0), (0, MOST_LAG))) @ np.transpose(early)
        found.append(products / np.outer(power, power))
    return np.array(found)


@pytest.mark.parametrize("block", [1 << 21, 100, 1])
def test_correlations_are_those_of_residuals(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(topology, "_BLOCK_SAMPLES", block)
    series = np.random.default_rng(1).normal(1, 30, (5, 400)).cumsum(axis=1)
    series[1] += delayed(series[0], 2)
    series[2] -= 0.5 * series[0]
    found = topology.residual_correlations(lambda start, stop: series[:, start:stop], 400)
    assert np.allclose(found, explicit(series), rtol=0, atol=1e-6)
    assert np.allclose(found, found[::-1].transpose(0, 2, 1), rtol=0, atol=1e-12)
    series[4] = 7 + 0.1 * np.arange(400)
    found = topology.residual_correlations(lambda start, stop: series[:, start:stop], 400)
    assert np.allclose(np.diag(found[MOST_LAG]), [1, 1, 1, 1, 0]) and not found[:, 4].any() and not found[:, :, 4].any()


def test_pairs_are_each_others_partners(tmp_path: Path) -> None:
    paths = synthesise(tmp_path, channels=10, seconds=2, seed=11)
    order = [3, 8, 0, 5, 2, 9, 1, 4, 7, 6]
    found = group([paths[n] for n in order], "auto", 4)
    assert [[paths.index(p) for p in s.paths] for s in found] == [[3, 2], [8, 9], [0, 1], [5, 4], [7, 6]]
    for stream in found:
        ((ahead,), (behind,)) = stream.links
        assert (ahead.distance, behind.distance, stream.peers) == (-1, 1, (0, 1))
        assert 4 <= ahead.correlation == behind.correlation < 100
    (whole,) = group([paths[n] for n in order], "all", 4)
    assert [[link.distance for link in own] for own in whole.links] == [[-4]] * 4 + [[4]] * 4 + [[-1], [1]]
    assert CodecConfig("spikey", 10, links=whole.links).links == whole.links
    assert all(stream.links == () for stream in group(paths, "auto"))


def test_channels_that_share_nothing_have_no_links(tmp_path: Path) -> None:
    paths = synthesise(tmp_path, channels=12, seconds=2, seed=12, pairs=False)
    assert group(paths, "all", 4) == [Stream(tuple(paths))]


def test_chance_that_looks_like_a_partner_is_none(tmp_path: Path) -> None:
    """Hum of nearly one frequency in all channels: differences correlate by chance, residuals do not."""
    random, channels = np.random.default_rng(3), 12
    hum = random.normal(0, 1, (FRAMES, channels))
    for t in range(2, FRAMES):
        hum[t] += 1.9 * hum[t - 1] - 0.985 * hum[t - 2]
    path = write(tmp_path, "hum.wav", 100 * hum)
    by_differences = np.abs(grouping.channel_correlations([path], channels, FRAMES, 0, channels))
    np.fill_diagonal(by_differences, 0)
    assert by_differences.max() > 2 * topology.threshold(FRAMES)
    (stream,) = group([path], "auto", 4)
    assert stream.links == () and any(stream.peers)


def test_a_partner_that_leads_is_linked_and_one_that_follows_is_only_reported(tmp_path: Path) -> None:
    """The second channel repeats the first two frames later, inverted; the third goes with it."""
    random = np.random.default_rng(4).normal(0, 1000, (FRAMES, 3))
    late = -delayed(random[:, 0], 2)
    path = write(tmp_path, "a.wav", np.stack([random[:, 0], late + random[:, 1] / 9, late + random[:, 2]], axis=1))
    first, second, third = find_partners([path], 3, FRAMES, range(3))
    assert [(partner.distance, partner.lag) for partner in first] == [(-1, -2), (-2, -2)]
    assert [(partner.distance, partner.lag) for partner in second] == [(1, 2), (-1, 0)]
    assert all(len(partner.correlations) == len(LAGS) for partner in first + second + third)
    (stream,) = group([path], "auto", 2)
    assert [[link.distance for link in own] for own in stream.links] == [[], [1, -1], [2, 1]]
    assert stream.links[1][0].correlation == -127 and stream.links[1][1].correlation == 90


def test_the_strongest_partners_are_linked_and_the_nearest_of_equal_ones() -> None:
    def partner(distance: int, *helpful: float, late: float = 0.0) -> Partner:
        return Partner(distance, (0.0, late, 0.0, *helpful, *(0.0,) * (MOST_LAG + 1 - len(helpful))))

    partners = [partner(-1, 0.2), partner(1, late=0.9), partner(2, -0.5), partner(-3, 0.0, 0.0, 0.5), partner(9, 0.049)]
    assert links_of(partners, 10000, 4) == (Link(2, -64), Link(-3, 64), Link(-1, 26))
    assert links_of(partners[::-1], 10000, 2) == (Link(2, -64), Link(-3, 64))
    assert links_of(partners, 15000, 4)[-1] == Link(9, 6), "more frames, less chance"
    assert links_of(partners, 9, 4) == links_of([], 10000, 4) == ()


def test_correlations_are_quantised_and_never_0() -> None:
    steps = {0.5: 64, -0.5: -64, 1.0: 127, -1.0: -127, 0.003: 1, -0.003: -1, 0.0273: 3, -0.995: -127}
    assert {r: quantised(r) for r in steps} == steps


def test_recordings_of_another_length_are_no_partners(tmp_path: Path) -> None:
    random = np.random.default_rng(5).normal(0, 1000, FRAMES)
    paths = [write(tmp_path, f"{n}.wav", random[: FRAMES - n % 2]) for n in range(5)]
    (stream,) = group(paths, "all", 4)
    assert stream.links == (
        (Link(-2, 127), Link(-4, 127)),
        (Link(-2, 127),),
        (Link(2, 127), Link(-2, 127)),
        (Link(2, 127),),
        (Link(2, 127), Link(4, 127)),
    )
    assert group(paths[:2], "all", 4)[0].links == ()
    r = topology.correlation_matrix(paths)
    assert (np.isnan(r) == ((np.arange(5)[:, None] + np.arange(5)) % 2 == 1)).all()
    assert np.allclose(r[~np.isnan(r)], 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("window", [512, 100])
def test_partners_stand_at_most_127_channels_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int, window: int
) -> None:
    monkeypatch.setattr(topology, "_WINDOW", window)
    series = np.random.default_rng(6).normal(0, 1000, (3700, 300))
    series[:, 0] = series[:, 127] = series[:, 255]
    series[:, 299] = -series[:, 171]
    series[:, 201] = series[:, 200]
    paths = [write(tmp_path, f"{n:03}.wav", series[:, n : n + channels]) for n in range(0, 300, channels)]
    (stream,) = group(paths, "all", 4)
    assert {channel: own for channel, own in enumerate(stream.links) if own} == {
        0: (Link(-MAX_DISTANCE, 127),),
        127: (Link(MAX_DISTANCE, 127),),
        200: (Link(-1, 127),),
        201: (Link(1, 127),),
    }


@pytest.mark.parametrize("frames", [0, 1, 2, 5])
def test_short_and_silent_recordings_have_no_links(tmp_path: Path, frames: int) -> None:
    paths = [write(tmp_path, f"{n}.wav", np.zeros(frames)) for n in range(3)]
    paths += [write(tmp_path, f"ramp{n}.wav", 3.0 * np.arange(frames)) for n in range(2)]
    assert group(paths, "all", 4) == [Stream(tuple(paths))]


def test_the_matrix_is_that_of_all_channels(tmp_path: Path) -> None:
    random = np.random.default_rng(7).normal(0, 1000, (FRAMES, 4))
    random[:, 3] += delayed(random[:, 0], 1)
    paths = [write(tmp_path, f"{n}.wav", random[:, 2 * n : 2 * n + 2]) for n in range(2)]
    r = {lag: topology.correlation_matrix(paths, lag) for lag in LAGS}
    assert r[1].shape == (4, 4) and 0.69 < r[1][3, 0] < 0.73
    assert np.allclose(np.diag(r[0]), 1) and all(np.allclose(r[lag], r[-lag].T) for lag in LAGS)
    r[1][3, 0] = r[-1][0, 3] = 0
    np.fill_diagonal(r[0], 0)
    assert all(np.abs(found).max() < topology.threshold(FRAMES) for found in r.values())
