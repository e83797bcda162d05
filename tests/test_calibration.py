"""Calibration: edges are found, even converters recognised, codes that are hardly seen stay near even."""

from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from fitted import WIDTH, calibration, recordings

from model.formats import codes as formats_codes
from model.formats import wav
from model.recordings import find
from model.recordings.synthetic import converter_edges
from model.training import edges as code_edges
from model.training.calibration import CalibrationError, fit
from model.training.likelihood import PER_SCALE, POINTS, Model, evidence, track

OFTEN = 1000  # samples of a code that tell its width
SLOW = pytest.mark.slow


@pytest.mark.parametrize("width", [8, WIDTH, pytest.param(10, marks=SLOW), pytest.param(12, marks=SLOW)])
def test_edges_of_a_known_converter_are_found(width: int) -> None:
    found = calibration(width)
    assert not found.even
    assert found.gain > 0.02
    assert found.gain > 10 * found.gain_error
    true = np.log(np.diff(converter_edges(width, np.random.default_rng(0))))  # of codes 1 to the last but one
    error = np.log(np.diff(found.model.edges))[1:-1] - true
    often = found.counts[1:-1] > OFTEN
    assert often.sum() >= 20
    assert true[often].std() > 0.19
    assert error[often].std() < 0.035
    assert abs(error[often].mean()) < 0.03


@pytest.mark.parametrize("width", [8, pytest.param(10, marks=SLOW)])
def test_an_even_converter_is_recognised(width: int) -> None:
    found = calibration(width, even=True)
    assert found.even
    assert "even within their errors" in found.verdict
    assert (found.model.edges == np.arange((1 << width) + 1) - (1 << (width - 1))).all()


def test_equal_recordings_give_equal_calibrations() -> None:
    again = fit(recordings(8), 8)
    assert (again.model.edges == calibration(8).model.edges).all()
    assert (again.model.points == calibration(8).model.points).all()
    assert again.verdict == calibration(8).verdict


def test_a_table_saves_what_it_promises() -> None:
    found = calibration()
    assert "the table saves" in found.verdict
    samples = sum(map(len, recordings()))
    bits = evidence(found.model, recordings()).bits.sum()
    even = replace(found.model, edges=code_edges.from_widths(np.ones(1 << WIDTH)))
    saved = (evidence(even, recordings()).bits.sum() - bits) / samples
    assert saved == pytest.approx(found.gain, abs=0.005)
    assert bits / samples == pytest.approx(found.bits, abs=0.03)


def test_a_table_loses_by_chance_half_a_natural_unit_for_each_code_in_use() -> None:
    counts = np.zeros(256, np.int64)
    counts[100:140] = 1000
    assert replace(calibration(8), counts=counts).chance == pytest.approx(40 * 0.5 * np.log2(np.e) / 40_000)


def test_codes_seen_rarely_or_never_stay_near_even() -> None:
    found = calibration()
    widths = np.diff(found.model.edges)
    unseen = found.counts == 0
    assert unseen.sum() > 300
    assert np.abs(np.log(widths[unseen])).max() < 0.5
    rare = (found.counts > 0) & (found.counts < 5)
    assert rare.sum() > 5
    assert np.abs(np.log(widths[rare])).max() < 1.5


def test_a_code_that_the_converter_skips_becomes_narrow_but_keeps_a_width() -> None:
    skipped = int(np.median(np.concatenate(recordings(8))))
    found = fit([np.where(codes == skipped, skipped + 1, codes) for codes in recordings(8)], 8)
    widths = np.diff(found.model.edges)
    assert 0 < widths[skipped] < 0.03
    assert widths[skipped + 1] > 1.3
    assert (np.diff(found.model.edges) > 0).all()


def test_edges_span_full_scale_around_mid_scale() -> None:
    assert calibration().model.edges[0] == -256
    assert calibration().model.edges[-1] == pytest.approx(256)


def test_the_distribution_of_normal_noise_is_normal() -> None:
    random = np.random.default_rng(0)
    noise = [np.rint(128 + 12 * random.standard_normal(40_000)).astype(np.uint16) for _ in range(4)]
    model = fit(noise, 8).model
    sigma = np.sqrt(2 / np.pi)  # of mean distance 1
    normal = [NormalDist().cdf(at / PER_SCALE * sigma) - 0.5 for at in range(POINTS + 1)]
    assert np.abs(model.points - normal).max() < 0.01
    assert 2**model.start == pytest.approx(12 * sigma, rel=0.1)
    mu, scale = track(model, noise[0])
    assert len(mu) == len(scale) == 39_999
    assert mu[1000:].std() < 6  # the weights have learned that the past says nothing
    assert np.abs(np.log2(scale[1000:]) - model.start).max() < 1


@pytest.mark.parametrize("shifts", [(3,), (2, 4), (0, 0, 5, 0)], ids=str)
def test_the_score_is_the_derivative_of_the_code_length(shifts: tuple[int, ...]) -> None:
    random = np.random.default_rng(1)
    walk = 128 + np.cumsum(random.normal(0, 3, 1500)) * 0.4 + random.normal(0, 4, 1500)
    recordings = [np.clip(part, 0, 255).astype(np.uint16) for part in (walk[:900], walk[900:])]
    model = Model(
        edges=code_edges.from_widths(np.exp(random.normal(0, 0.2, 256))),
        points=np.append(0.5 - np.exp(-np.arange(POINTS) / PER_SCALE) / 2, 0.5),
        shifts=np.array(shifts),
        weights=np.full(len(shifts), -0.2),
        rates=np.array([0.03, 0.01]),
        start=1.5,
    )
    score = evidence(model, recordings).score
    move = 1e-7  # so short that no sign flips and no edge meets a point of F
    for edge in np.flatnonzero(np.abs(score) > 1):
        ahead, behind = (np.eye(257)[edge] * sign * move for sign in (1, -1))
        lengths = [evidence(replace(model, edges=model.edges + by), recordings).bits.sum() for by in (ahead, behind)]
        slope = (lengths[1] - lengths[0]) * np.log(2) / (2 * move)
        assert score[edge] == pytest.approx(slope, rel=1e-3, abs=2e-2)


def test_information_is_that_of_the_shown_edges() -> None:
    found = evidence(calibration().model, recordings()[:2])
    assert np.allclose(found.information, found.information.T)
    assert found.information.sum() == pytest.approx(0, abs=1e-6 * np.trace(found.information))  # all edges together
    assert found.mass.sum() == pytest.approx(sum(len(codes) - 1 for codes in recordings()[:2]), rel=1e-3)


def test_density_finds_widths_under_a_curved_density() -> None:
    random = np.random.default_rng(2)
    widths = np.exp(random.normal(0, 0.3, 256))
    edges = code_edges.from_widths(widths)
    cumulative = np.array([NormalDist(3, 25).cdf(edge) for edge in edges])
    found = np.diff(code_edges.by_density(1e6 * np.diff(cumulative), 4))
    near = slice(90, 170)
    error = np.log(found[near]) - np.log(np.diff(edges)[near])
    assert error.std() < 0.12


@pytest.mark.parametrize(
    ("given", "width", "message"),
    [
        ([np.zeros(20_000, np.uint16)], 7, "width: 7 bits; give 8 to 12"),
        ([np.zeros(20_000, np.uint16)], 13, "width: 13 bits; give 8 to 12"),
        ([], 10, "recordings: 0 samples in all; give at least"),
        ([np.zeros(9_000, np.uint16)], 10, "recordings: 9000 samples in all; give at least"),
        ([np.zeros(20_000, np.uint16), np.zeros(3, np.uint16)], 10, "recording 1: 3 samples; give at least"),
        ([np.full(20_000, 1024, np.uint16)], 10, "recording 0: codes 1024 to 1024 are not of 10 bits"),
        ([np.full(20_000, -1, np.int16)], 10, "recording 0: codes -1 to -1 are not of 10 bits"),
        ([np.zeros((20_000, 2), np.uint16)], 10, "recording 0: 2 dimensions of uint16; give codes in one"),
        ([np.full(20_000, 700, np.uint16)], 10, "recordings: 1 different codes; give at least"),
        ([np.zeros(20_000)], 10, "recording 0: 1 dimensions of float64; give codes in one"),
    ],
)
def test_bad_input_is_refused_in_one_line(given: list[np.ndarray], width: int, message: str) -> None:
    with pytest.raises(CalibrationError) as caught:
        fit(given, width)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    plot = pytest.importorskip("model.training.calibration_plot")
    plot.draw(calibration(), recordings()[0], tmp_path / "calibration.svg")
    text = (tmp_path / "calibration.svg").read_text()
    assert text.count("<path") > 64


@pytest.mark.slow
@pytest.mark.skipif(not find("train"), reason="real recordings not found")
def test_the_converter_of_real_recordings_is_uneven() -> None:
    real = [formats_codes.LATTICE_MAPPING.to_codes(wav.read(path).samples.reshape(-1)) for path in find("train")[:6]]
    halves = [fit(real[at::2], 10) for at in (0, 1)]
    often = np.minimum(halves[0].counts, halves[1].counts) > 2000
    widths = [np.log(np.diff(half.model.edges))[often] for half in halves]
    assert all(half.gain > 0.07 for half in halves)
    assert often.sum() > 30
    assert np.corrcoef(widths)[0, 1] > 0.99
