"""From a calibration to a parameter set: formats hold, little is lost, and the codec takes what comes out."""

from dataclasses import replace

import numpy as np
import pytest
from fitted import WIDTH, calibration, quantised, recordings

from model.codec.compressor import encode
from model.codec.decompressor import decode
from model.spec import range as range_spec
from model.spec.calibrate import EDGE_FRACTION, GREATEST_STEP, edge_format, even_edges
from model.spec.calibrated import unpack
from model.spec.config import CodecConfig
from model.spec.parameters import ParameterSet
from model.training.likelihood import POINTS, evidence
from model.training.quantise import LOG_UNITS, quantise, quantise_edges, quantise_steps


def test_integers_lose_little() -> None:
    samples = sum(map(len, recordings()))
    bits = (evidence(calibration().model, recordings()).bits.sum() + WIDTH * len(recordings())) / samples
    assert quantised().bits == pytest.approx(bits, rel=0.002)


def test_bytes_are_what_was_promised() -> None:
    frames, parameters = np.stack(recordings(), axis=1), quantised().parameters
    config = CodecConfig("calibrated", channels=frames.shape[1], width=WIDTH, packet_frames=len(frames))
    stream = encode(frames, config, parameters=parameters)
    assert (decode(stream, find=lambda _: parameters).frames == frames).all()
    assert 8 * len(stream) / frames.size == pytest.approx(quantised().bits, rel=0.003)


def test_tables_keep_the_calibration() -> None:
    model, tables = calibration().model, unpack(ParameterSet.from_bytes(quantised().parameters.to_bytes()), WIDTH)
    assert np.abs(np.ldexp(tables.edges, -EDGE_FRACTION) - model.edges)[:-1].max() <= 2 * 0.5**EDGE_FRACTION
    assert (tables.shifts == model.shifts).all()
    assert np.abs(np.ldexp(tables.weights[:-1], -10) - model.weights).max() <= 2**-11
    assert tables.weights[-1] == 0
    assert np.abs(tables.points / (2 * range_spec.HALF) - model.points).max() < 0.02
    assert tables.points[-1] == range_spec.HALF


def test_even_widths_give_a_set_for_every_width() -> None:
    even = quantise(replace(calibration(), even=True), recordings()[:2]).parameters
    for width in (8, 10, 16):
        assert (unpack(even, width).edges == even_edges(width)).all()


def test_edges_that_meet_are_parted_and_stay_in_their_format() -> None:
    form = edge_format(8)
    widths = np.random.default_rng(0).uniform(0.2, 1.8, 256)
    widths[60:80], widths[200] = 0, 7
    edges = np.cumsum(np.concatenate([[-131.0], widths]))
    found = quantise_edges(edges, 8)
    steps = np.diff(found)
    assert steps.min() == 1
    assert steps.max() == steps[200] == GREATEST_STEP
    assert form.minimum <= found[0]
    assert found[-1] <= form.maximum
    assert (steps[60:80] == 1).all()
    kept = np.r_[20:60, 80:200, 201:240]
    assert np.abs(steps[kept] - np.ldexp(widths[kept], form.fraction)).max() <= 1


def test_steps_rise_with_the_distance_cancel_and_saturate() -> None:
    points = calibration().model.points
    steps = quantise_steps(np.array([4.0, 0.01, 0.002]), points)
    assert (np.diff(steps, axis=1) >= 0).all()
    assert (steps[:, 0] < 0).all()
    assert steps[0, -1] == 127
    assert steps[1, -1] == pytest.approx(0.01 * LOG_UNITS * (63.5 / 4 - 1), abs=1.5)
    assert np.abs(steps[1:, :POINTS] @ np.diff(points)).max() < 0.05
