"""How probable recordings are under a model of converter and signal, and which way each code edge would better it.

The model is that of profile `calibrated`, without its rounding: see `lms`, `scale` and `range` in `model.spec`. With
prediction `mu` and scale `s`, code `c` has the probability

    P(c) = (1 - escape) * (F((edge[c + 1] - mu) / s) - F((edge[c] - mu) / s)) + escape / codes

An edge acts on the probability of the two codes beside it, and, as it moves the centres of both, on all later
predictions and scales. A gradient that leaves the second part out leads astray: edges then drift without end. So each
recording is run forwards, then backwards (the adjoint of predictor and scale); only the weights' adaptation, which
is made of signs, is taken as given. The Fisher information, which sets no more than the length of a step, counts what a
code's own edges and those of the code before it do.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from model.codec.compiled import compiled
from model.spec import lms, scale
from model.spec import range as range_spec

ESCAPE: Final = range_spec.ESCAPE / (1 << range_spec.INTERVAL_BITS)
POINTS: Final = range_spec.POINTS
PER_SCALE: Final = 1 << range_spec.POINT_SPACING_BITS  # points of F in a scale
WEIGHT_STEP: Final = 2.0**-lms.WEIGHT.fraction
WEIGHT_LIMIT: Final = lms.WEIGHT.maximum * WEIGHT_STEP
DECAY: Final = 2.0**-scale.DECAY_SHIFT
FARTHEST: Final = 16.0  # scales; a residual beyond counts as this
LN2: Final = float(np.log(2))

# What the way forwards leaves of each sample for the way back: derivatives of its log likelihood by `mu` and by the
# scale's logarithm, the residual's sign over the scale, the residual in scales, whether it is below FARTHEST, whether
# `slow` moved freely, the prediction, the scale's logarithm, and the weights.
_BY_MU, _BY_LOG, _SLOPE, _DISTANCE, _NEAR, _FREE, _MU, _LOG, _WEIGHTS = range(9)


@dataclass(frozen=True, eq=False)
class Model:
    """All that the probability of a code depends on.

    Parameters
    ----------
    edges : ndarray of float64, shape (codes + 1,)
        In widths of an even code, rising.
    points : ndarray of float64, shape (POINTS + 1,)
        `F - 1/2` from 0 scales above the prediction on, in steps of `1 / PER_SCALE`; from 0 to 1/2.
    shifts : ndarray of int64, shape (features,)
        Of the predictor's features, as in `model.spec.lms`.
    weights : ndarray of float64, shape (features,)
        At the start of a recording.
    rates : ndarray of float64, shape (2,)
        What the fast and the slow part of the scale's logarithm move by, in octaves, for each scale that a residual is
        longer than one.
    start : float
        The scale's logarithm at the start of a recording, in octaves above an even code.
    """

    edges: np.ndarray
    points: np.ndarray
    shifts: np.ndarray
    weights: np.ndarray
    rates: np.ndarray
    start: float

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest logarithm that the scale can have, in octaves."""
        width = (len(self.edges) - 2).bit_length()
        return float(scale.LEAST_OCTAVE), scale.LEAST_OCTAVE + scale.greatest_index(width) / scale.OCTAVE


@dataclass(frozen=True, eq=False)
class Evidence:
    """What recordings say of a model.

    Parameters
    ----------
    bits : ndarray of float64, shape (recordings,)
        Code length of each recording, its first sample left out.
    score : ndarray of float64, shape (codes + 1,)
        Derivative of the log likelihood (natural) by each edge.
    information : ndarray of float64, shape (codes + 1, codes + 1)
        Empirical Fisher information of the edges.
    mass : ndarray of float64, shape (POINTS,)
        Samples expected between the points of `F`, both sides together.
    weights : ndarray of float64, shape (features,)
        At the end of a recording, mean.
    start : float
        The scale's logarithm, mean over all samples.
    """

    bits: np.ndarray
    score: np.ndarray
    information: np.ndarray
    mass: np.ndarray
    weights: np.ndarray
    start: float


@compiled
def _distribution(x, points):
    """`F(x) - 1/2` and its derivative."""
    place = abs(x) * PER_SCALE
    if place >= POINTS:
        return np.sign(x) * 0.5, 0.0
    k = int(place)
    slope = points[k + 1] - points[k]
    return np.sign(x) * (points[k] + slope * (place - k)), slope * PER_SCALE


@compiled
def _spread(begin, end, points, share, mass):
    """Add a sample that lies from `begin` to `end` (scales, not below 0) to `mass`, divided as the density is."""
    place, stop = begin * PER_SCALE, min(end * PER_SCALE, float(POINTS))
    while place < stop:
        k = int(place)
        mass[k] += share * (points[k + 1] - points[k]) * (min(stop, k + 1.0) - place)
        place = k + 1.0


@compiled
def _account(code, last, mu, log_scale, edges, points, sums, row):
    """Add what a code says directly to `sums`, its derivatives by `mu` and `log_scale` to `row`; its code length."""
    score, information, mass = sums
    top = edges.size - 2
    inverse = np.exp2(-log_scale)
    lower, upper = (edges[code] - mu) * inverse, (edges[code + 1] - mu) * inverse
    below, slope_below = _distribution(lower, points)
    above, slope_above = _distribution(upper, points)
    if code == 0:
        below, slope_below = -0.5, 0.0
    if code == top:
        above, slope_above = 0.5, 0.0
    p = (1 - ESCAPE) * (above - below) + ESCAPE / (top + 1)
    share = (1 - ESCAPE) / p
    by_lower, by_upper = -slope_below * share, slope_above * share  # by edges in scales
    row[_BY_MU] = -(by_lower + by_upper) * inverse
    row[_BY_LOG] = -LN2 * (by_lower * lower + by_upper * upper)
    score[code] += by_lower * inverse
    score[code + 1] += by_upper * inverse
    at = (code, code + 1, last, last + 1)
    by = (by_lower * inverse, by_upper * inverse, row[_BY_MU] / 2, row[_BY_MU] / 2)
    for i in range(4):
        for j in range(4):
            information[at[i], at[j]] += by[i] * by[j]
    if 0 < code < top:
        _spread(max(lower, 0.0), upper, points, share, mass)
        _spread(max(-upper, 0.0), -lower, points, share, mass)
    return -np.log2(p)


@compiled
def _adapt(weights, averages, shifts, value, centre, direction):
    """Move weights against the error's `direction`, then let the features follow from `value` to `centre`."""
    before = former = value
    for i in range(shifts.size):
        average = averages[i]
        moved = weights[i] + WEIGHT_STEP * direction * np.sign(before - average)
        weights[i] = min(max(moved, -WEIGHT_LIMIT), WEIGHT_LIMIT)
        averages[i] = average + (centre - average) * 0.5 ** shifts[i] if shifts[i] > 0 else former
        before = former = average


@compiled
def _forwards(codes, model, bounds, sums, trace, weights):
    """Run over one recording; its code length, and the sum of the scale's logarithms.

    Adds to `sums` what the samples say directly; leaves in `trace` what `_backwards` needs, in `weights` the last ones.
    """
    edges, points, shifts, start_weights, rates, start = model
    least, greatest = bounds
    last = np.int64(codes[0])
    value = (edges[last] + edges[last + 1]) / 2
    averages = np.full(shifts.size, value)
    weights[:] = start_weights
    fast, slow, bits, logs = 0.0, start, 0.0, 0.0
    for t in range(1, codes.size):
        code, row = np.int64(codes[t]), trace[t]
        mu, before = value, value
        for i in range(shifts.size):
            mu += weights[i] * (before - averages[i])
            before = averages[i]
        log_scale = min(max(fast + slow, least), greatest)
        bits += _account(code, last, mu, log_scale, edges, points, sums, row)
        logs += log_scale

        centre = (edges[code] + edges[code + 1]) / 2
        inverse = np.exp2(-log_scale)
        distance, direction = abs(centre - mu) * inverse, np.sign(centre - mu)
        excess = min(distance, FARTHEST) - 1
        fast += rates[0] * excess - DECAY * fast
        slow += rates[1] * excess
        row[_SLOPE], row[_DISTANCE] = direction * inverse, distance
        row[_NEAR] = 1.0 if distance < FARTHEST else 0.0
        row[_FREE] = 1.0 if least < slow < greatest else 0.0
        row[_MU], row[_LOG] = mu, log_scale
        row[_WEIGHTS : _WEIGHTS + shifts.size] = weights
        slow = min(max(slow, least), greatest)
        _adapt(weights, averages, shifts, value, centre, direction)
        value, last = centre, code
    return bits, logs


@compiled
def _backwards(codes, shifts, rates, trace, score):
    """Add to `score` what the centre of each code does to the samples behind it."""
    features = shifts.size
    by_averages, weights = np.zeros(features + 1), np.zeros(features + 1)
    by_mu = by_fast = by_slow = 0.0
    for t in range(codes.size - 1, -1, -1):
        by_centre = by_mu * (1 + weights[0])
        if t > 0 and shifts[0] == 0:
            by_centre += by_averages[0]
        for i in range(features):
            kept = (1 - 0.5 ** shifts[i]) * by_averages[i]  # nothing of a tap
            if i + 1 < features and shifts[i + 1] == 0:
                kept += by_averages[i + 1]
            by_averages[i] = kept + (weights[i + 1] - weights[i]) * by_mu
            if t == 0:
                by_centre += by_averages[i]  # averages begin at the first value
            elif shifts[i] > 0:
                by_centre += 0.5 ** shifts[i] * by_averages[i]
        if t > 0:
            row = trace[t]
            by_slow *= row[_FREE]
            by_distance = (rates[0] * by_fast + rates[1] * by_slow) * row[_NEAR]
            by_centre += row[_SLOPE] * by_distance
            by_mu = row[_BY_MU] - row[_SLOPE] * by_distance
            by_log = row[_BY_LOG] - LN2 * row[_DISTANCE] * by_distance
            by_fast = by_log + (1 - DECAY) * by_fast
            by_slow += by_log
            weights[:features] = row[_WEIGHTS : _WEIGHTS + features]
        code = np.int64(codes[t])
        score[code] += by_centre / 2
        score[code + 1] += by_centre / 2


@compiled
def _run(codes, starts, model, bounds, sums, bits, weights):
    """Run over recordings that lie one behind the other; the sum of all the scale's logarithms."""
    score, shifts, rates = sums[0], model[2], model[4]
    longest = 0
    for number in range(bits.size):
        longest = max(longest, starts[number + 1] - starts[number])
    trace = np.zeros((longest, _WEIGHTS + shifts.size))
    logs = 0.0
    for number in range(bits.size):
        one = codes[starts[number] : starts[number + 1]]
        bits[number], log_sum = _forwards(one, model, bounds, sums, trace, weights[number])
        _backwards(one, shifts, rates, trace, score)
        logs += log_sum
    return logs


def _parts(model: Model) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]:
    return model.edges, model.points, model.shifts, model.weights, model.rates, model.start


def _sums(model: Model) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    edges = len(model.edges)
    return np.zeros(edges), np.zeros((edges, edges)), np.zeros(POINTS)


def _of_some(model: Model, recordings: Sequence[np.ndarray]) -> Evidence:
    """What some of the recordings say; `weights` are those of each, `start` is a sum."""
    starts, sums = np.cumsum([0, *map(len, recordings)]), _sums(model)
    bits, weights = np.zeros(len(recordings)), np.zeros((len(recordings), len(model.shifts)))
    logs = _run(np.concatenate(recordings), starts, _parts(model), model.bounds, sums, bits, weights)
    return Evidence(bits, *sums, weights, logs)


def evidence(model: Model, recordings: Sequence[np.ndarray]) -> Evidence:
    """What recordings say of `model`, in two threads; the same to the bit wherever it runs.

    Parameters
    ----------
    model : Model
    recordings : sequence of ndarray of uint16, shape (frames,)
        The codes of one channel each, 2 or more.
    """
    ends = np.cumsum([len(one) for one in recordings])
    middle = int(np.searchsorted(ends, ends[-1] / 2))
    halves = [half for half in (recordings[:middle], recordings[middle:]) if half]
    with ThreadPoolExecutor(len(halves)) as pool:
        found = list(pool.map(partial(_of_some, model), halves))
    return Evidence(
        np.concatenate([one.bits for one in found]),
        np.sum([one.score for one in found], axis=0),
        np.sum([one.information for one in found], axis=0),
        np.sum([one.mass for one in found], axis=0),
        np.concatenate([one.weights for one in found]).mean(axis=0),
        sum(one.start for one in found) / int(ends[-1] - len(recordings)),
    )


def track(model: Model, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Prediction and scale of each sample of a recording but the first, in code widths.

    Parameters
    ----------
    model : Model
    codes : ndarray of uint16, shape (frames,)
    """
    features = len(model.shifts)
    trace = np.zeros((len(codes), _WEIGHTS + features))
    _forwards(codes, _parts(model), model.bounds, _sums(model), trace, np.zeros(features))
    return trace[1:, _MU], np.exp2(trace[1:, _LOG])
