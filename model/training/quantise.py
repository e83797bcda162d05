"""From a calibration to the integers of a parameter set.

Edges, start weights and start scale are rounded. The steps of the scale become tables of small integers; what rounding
them does to the scale is taken up by the distribution `F`, which is fitted once more, to the positions that the integer
stages themselves arrive at. That run also tells what the integers cost in code length.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from model.codec import calibrate, calibrated, lms
from model.codec import range as coding
from model.codec.compiled import compiled
from model.spec import calibrate as calibrate_spec
from model.spec import lms as lms_spec
from model.spec import range as range_spec
from model.spec import scale as scale_spec
from model.spec.calibrated import Tables, pack
from model.spec.parameters import ParameterSet
from model.training.calibration import Calibration
from model.training.likelihood import PER_SCALE, POINTS

PASSES: Final = 3  # of the distribution
ENTRIES_PER_SCALE: Final = 4
NEUTRALS: Final = np.linspace(0.5, 1.5, 129)  # scales
LOG_UNITS: Final = scale_spec.OCTAVE << scale_spec.LOG_FRACTION  # in an octave
ESCAPE_BITS: Final = float(range_spec.INTERVAL_BITS - np.log2(range_spec.ESCAPE))
POSITIONS: Final = 1 << range_spec.POSITION_FRACTION  # from a point of F to the next


@dataclass(frozen=True, eq=False)
class Quantised:
    """The integers of a calibration.

    Parameters
    ----------
    parameters : ParameterSet
    bits : float
        Bits a sample that the recordings take by the integer stages' probabilities; no coder, no packets.
    """

    parameters: ParameterSet
    bits: float


def _rounded(values: np.ndarray | float) -> np.ndarray:
    return np.floor(np.asarray(values) + 0.5).astype(np.int64)


def quantise_edges(edges: np.ndarray, width: int) -> np.ndarray:
    """Edges in `model.spec.calibrate.edge_format(width)`, int64, rising by 1 to `GREATEST_STEP` a code."""
    form = calibrate_spec.edge_format(width)
    wanted, rank = _rounded(np.ldexp(edges, form.fraction)), np.arange(len(edges))
    steps = np.clip(np.diff(wanted), 1, calibrate_spec.GREATEST_STEP)
    found = np.concatenate([[0], np.cumsum(steps)])
    found += wanted[len(edges) // 2] - found[len(edges) // 2]
    return np.clip(found, form.minimum + rank, form.maximum - rank[::-1])


def quantise_steps(rates: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The scale's step tables, int64, shape (2, STEPS): what a residual longer than one scale adds to its logarithm.

    Rounded steps that do not cancel would move the scale away from the residuals' mean distance. So the distance that
    adds nothing is not quite one scale, but the one where a table's steps best cancel under `F`.

    Parameters
    ----------
    rates : ndarray of float64, shape (2,)
    points : ndarray of float64, shape (POINTS + 1,)
        As in `model.training.likelihood.Model`.
    """
    distance = (np.arange(scale_spec.STEPS) + 0.5) / ENTRIES_PER_SCALE
    at = np.arange(POINTS + 1) / PER_SCALE * ENTRIES_PER_SCALE
    share = np.diff(np.interp(np.arange(scale_spec.STEPS + 1), at, points))
    limit = scale_spec.STEP.maximum
    rows = []
    for rate in rates * LOG_UNITS:
        tried = [np.clip(_rounded(rate * (distance - neutral)), -limit, limit) for neutral in NEUTRALS]
        rows.append(min(tried, key=lambda row: abs(row @ share)))
    return np.array(rows)


def quantise_points(points: np.ndarray) -> np.ndarray:
    """`F - 1/2` in `model.spec.range.POINT`, the last being `HALF`; int64, shape (POINTS + 1,)."""
    return _rounded(points * 2 * range_spec.HALF)


def quantise(calibration: Calibration, recordings: Sequence[np.ndarray]) -> Quantised:
    """The parameter set of `calibration`; with even widths it serves converters of every width.

    Parameters
    ----------
    calibration : Calibration
    recordings : sequence of ndarray of uint16, shape (frames,)
        What it was fitted to.
    """
    model, width = calibration.model, calibration.width
    limit = lms_spec.WEIGHT.maximum
    weights = np.clip(_rounded(np.ldexp(model.weights, lms_spec.WEIGHT.fraction)), -limit, limit)
    greatest = scale_spec.greatest_index(width) << scale_spec.LOG_FRACTION
    start = int(np.clip(_rounded((model.start - scale_spec.LEAST_OCTAVE) * LOG_UNITS), 0, greatest))
    edges = calibrate_spec.even_edges(width) if calibration.even else quantise_edges(model.edges, width)
    points = quantise_points(model.points)
    tables = Tables(
        edges, model.shifts, np.append(weights, 0), start, quantise_steps(model.rates, model.points), points
    )
    for _ in range(PASSES):
        mass, _ = _run_all(tables, recordings, width)
        total = np.concatenate([[0.0], np.cumsum(mass + 1)])
        tables = replace(tables, points=quantise_points(total / (2 * total[-1])))
    _, bits = _run_all(tables, recordings, width)
    return Quantised(pack(tables, width, even=calibration.even), bits)


def _run_all(tables: Tables, recordings: Sequence[np.ndarray], width: int) -> tuple[np.ndarray, float]:
    """Samples between the points of `F`, expected, and bits a sample."""
    integers = tables.edges, tables.shifts, tables.steps, np.append(tables.points, tables.points[-1])
    limits = (
        calibrate_spec.edge_format(width).maximum + 1,
        calibrate_spec.centre_format(width).maximum + 1,
        lms_spec.difference_format(width).maximum,
        scale_spec.greatest_index(width),
    )
    mass, bits = np.zeros(POINTS), 0.0
    state = np.zeros((1, 4 + 2 * len(tables.shifts)), np.int64)
    for codes in recordings:
        calibrated.restart(state, tables.weights, tables.start)
        bits += width + _run(codes, state, integers, scale_spec.reciprocals(), limits, ESCAPE_BITS + width, mass)
    return mass, bits / sum(map(len, recordings))


@compiled
def spread(begin, end, points, whole, mass):
    """Divide a sample that lies between two positions, not below 0, among the pieces of `F`, as the density is."""
    stop = min(end, POINTS * POSITIONS)
    while begin < stop:
        k = begin // POSITIONS
        until = min(stop, (k + 1) * POSITIONS)
        mass[k] += (points[k + 1] - points[k]) * (until - begin) / (POSITIONS * whole)
        begin = until


@compiled
def _run(codes, state, tables, reciprocals, limits, escape_bits, mass):
    """Take a recording through the integer stages; its code length without the first sample. Adds to `mass`."""
    edges, _, _, points = tables
    edge_limit, centre_limit, _, index_limit = limits
    top = edges.size - 2
    state[0, lms.LAST] = calibrate.centre(edges, np.int64(codes[0]), centre_limit)
    bits = 0.0
    for age in range(1, codes.size):
        code = np.int64(codes[age])
        mu, octave, reciprocal = calibrated.predict(state, 0, 0, reciprocals, edge_limit, index_limit)
        lower = coding.position(edges[code] - mu, reciprocal, octave)
        upper = coding.position(edges[code + 1] - mu, reciprocal, octave)
        below = coding.cumulative(lower, points) if code > 0 else 0
        above = coding.cumulative(upper, points) if code < top else coding.WHOLE
        if above > below:
            bits += range_spec.PROBABILITY_BITS - np.log2(float(above - below))
            if 0 < code < top:
                spread(max(lower, 0), upper, points, above - below, mass)
                spread(max(-upper, 0), -lower, points, above - below, mass)
        else:
            bits += escape_bits
        value = calibrate.centre(edges, code, centre_limit)
        calibrated.follow(state, 0, 0, value, mu, lower, upper, age, tables, limits)
    return bits
