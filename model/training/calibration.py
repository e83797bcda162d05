"""Calibration of a converter from recordings: code edges by maximum likelihood, and what belongs to them.

The distribution `F` follows by expectation maximisation, which is exact for an `F` of straight pieces; start weights
and start scale are those that recordings arrive at; the rates of the scale are searched. Whether the converter is even
at all is decided where it counts: by code length, on the last quarter of each recording, which the fits compared do
not see.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from model.spec.calibrate import MAX_TABLE_WIDTH
from model.training import edges as code_edges
from model.training.likelihood import LN2, PER_SCALE, POINTS, Model, evidence

LEAST_WIDTH: Final = 8
LEAST_SAMPLES: Final = 10_000
LEAST_CODES: Final = 16  # that differ
LEAST_LENGTH: Final = 16  # samples of a recording
FEATURES: Final = (2, 4)  # shifts of the predictor's averages
RATES: Final = (1 / 64, 3 / 512)  # octaves: where the search begins, small multiples of what integers can hold
RATE_FACTOR: Final = 1.5
RATE_GAIN: Final = 0.0005  # bits a sample that another rate must save: they hardly differ, and these round well
FARTHEST_RATE: Final = 2.0  # times those: beyond, a single odd recording decides
RATE_SAMPLES: Final = 12_000_000  # enough to tell rates apart
WARM_UP: Final = 3  # passes for all but the edges
MOST_STEPS: Final = 12
FIRST_STEP: Final = 0.7  # the most by which the logarithm of a width moves
SHORTER: Final = 0.8  # from step to step: codes that are hardly ever seen come to rest
ENOUGH: Final = 5e-6  # natural units a sample: a step that promises less is the last
REACH: Final = 0.4  # of a recording's standard deviation: over so much the input's density is all but linear
PIECE: Final = 1 << 14  # held-out samples judged together
ROUNDS: Final = 30  # about as often does a fit report its progress
ERRORS: Final = 3.0  # standard errors that the gain of unequal widths must exceed
LEAST_GAIN: Final = 0.001  # bits a sample; a table that saves less is not worth its memory


class CalibrationError(ValueError):
    """Recordings that no calibration can be fitted to; the message names the fault and the mend."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """A converter and its recordings' statistics.

    Parameters
    ----------
    width : int
        Bits of the converter.
    model : Model
        Edges are even if `even`; their mean width is 1, mid-scale is 0.
    even : bool
        Whether the converter's widths are even as far as the recordings can tell.
    gain, gain_error : float
        Bits a sample that unequal widths save on held-out samples, and the standard error.
    bits : float
        Bits a sample of the held-out samples, with `model`'s edges.
    counts : ndarray of int64, shape (2**width,)
        How often each code was seen.
    """

    width: int
    model: Model
    even: bool
    gain: float
    gain_error: float
    bits: float
    counts: np.ndarray

    @property
    def chance(self) -> float:
        """Bits a sample that a table loses by chance: half a natural unit for each code in use, over all samples."""
        return float(np.count_nonzero(self.counts) / (2 * LN2 * self.counts.sum()))

    @property
    def verdict(self) -> str:
        """What was decided on the converter's widths, and by which figures."""
        figures = f"{self.gain:.4f} +- {self.gain_error:.4f} bit a sample on held-out samples"
        if self.even:
            return f"the code widths are even within their errors: a table would save {figures}"
        return f"the code widths differ: the table saves {figures}"


def _checked(recordings: Iterable[np.ndarray], width: int) -> list[np.ndarray]:
    if not LEAST_WIDTH <= width <= MAX_TABLE_WIDTH:
        raise CalibrationError(f"width: {width} bits; give {LEAST_WIDTH} to {MAX_TABLE_WIDTH}, wider codes are even")
    checked = []
    for number, codes in enumerate(recordings):
        if codes.ndim != 1 or codes.dtype.kind not in "iu":
            raise CalibrationError(f"recording {number}: {codes.ndim} dimensions of {codes.dtype}; give codes in one")
        if codes.size < LEAST_LENGTH:
            raise CalibrationError(
                f"recording {number}: {codes.size} samples; give at least {LEAST_LENGTH} or leave it"
            )
        if codes.min() < 0 or int(codes.max()) >> width:
            raise CalibrationError(f"recording {number}: codes {codes.min()} to {codes.max()} are not of {width} bits")
        checked.append(codes.astype(np.uint16))
    if sum(map(len, checked)) < LEAST_SAMPLES:
        raise CalibrationError(f"recordings: {sum(map(len, checked))} samples in all; give at least {LEAST_SAMPLES}")
    return checked


def _counted(recordings: Sequence[np.ndarray], width: int) -> np.ndarray:
    """How often each code was seen."""
    counts = np.sum([np.bincount(codes, minlength=1 << width) for codes in recordings], axis=0)
    if np.count_nonzero(counts) < LEAST_CODES:
        raise CalibrationError(f"recordings: {np.count_nonzero(counts)} different codes; give at least {LEAST_CODES}")
    return counts


def _samples(recordings: Sequence[np.ndarray]) -> int:
    return sum(len(codes) - 1 for codes in recordings)


def _distribution(mass: np.ndarray) -> np.ndarray:
    """Points of `F - 1/2` from the samples between them; one more each, so that none is impossible."""
    points = np.concatenate([[0.0], np.cumsum(mass + 1)])
    return points / (2 * points[-1])


def _first(recordings: Sequence[np.ndarray], width: int, features: Sequence[int]) -> Model:
    """A model of an even converter to begin with."""
    moves = np.median([np.abs(np.diff(codes.astype(np.int32))).mean() for codes in recordings])
    model = Model(
        edges=code_edges.from_widths(np.ones(1 << width)),
        points=_distribution(_samples(recordings) * np.exp(-np.arange(POINTS) / PER_SCALE)),
        shifts=np.array(features, np.int64),
        weights=np.zeros(len(features)),
        rates=np.array(RATES),
        start=0.0,
    )
    return replace(model, start=float(np.clip(np.log2(max(moves, 1e-9)), *model.bounds)))


def _pass(model: Model, recordings: Sequence[np.ndarray], longest: float = 0.0) -> tuple[Model, float, float]:
    """A better model; how many bits a sample the one given has, and what a step of the edges promises a sample."""
    found, samples = evidence(model, recordings), _samples(recordings)
    better = replace(model, points=_distribution(found.mass), weights=found.weights, start=found.start)
    gain = 0.0
    if longest:
        edges, gain = code_edges.step(model.edges, found, longest)
        better = replace(better, edges=edges)
    return better, float(found.bits.sum()) / samples, gain / samples


def _with_rates(model: Model, recordings: Sequence[np.ndarray], progress: Callable[[str], None]) -> Model:
    """The model with the best rates of the scale, found by steps of RATE_FACTOR on some of the recordings."""
    part = recordings[:: 1 + _samples(recordings) // RATE_SAMPLES]
    samples = _samples(part)

    def bits(rates: np.ndarray) -> float:
        found = float(evidence(replace(model, rates=rates), part).bits.sum())
        progress(f"rates {rates[0]:.4f} and {rates[1]:.4f}: {found / samples:.5f} bit a sample")
        return found

    rates, least = model.rates, bits(model.rates)
    for which in (0, 1):
        for factor in (RATE_FACTOR, 1 / RATE_FACTOR):
            while True:
                tried = rates.copy()
                tried[which] *= factor
                found = bits(tried)
                if (
                    found > least - RATE_GAIN * samples
                    or not 1 / FARTHEST_RATE < tried[which] / RATES[which] < FARTHEST_RATE
                ):
                    break
                rates, least = tried, found
    return replace(model, rates=rates)


def _with_edges(
    model: Model, recordings: Sequence[np.ndarray], steps: int, longest: float, progress: Callable[[str], None]
) -> Model:
    """The model with the most probable edges and what belongs to them."""
    for number in range(steps):
        model, bits, gain = _pass(model, recordings, longest * SHORTER**number)
        progress(f"edges, step {number + 1}: {bits:.5f} bit a sample")
        if gain < ENOUGH:
            break
    return _pass(model, recordings)[0]


def fit(
    recordings: Iterable[np.ndarray],
    width: int,
    *,
    features: Sequence[int] = FEATURES,
    progress: Callable[[str], None] = lambda _: None,
) -> Calibration:
    """Calibrate the converter that made `recordings`; equal recordings give equal calibrations.

    Parameters
    ----------
    recordings : iterable of integer ndarray, shape (frames,)
        Codes of one channel each, all of the same converter.
    width : int
        Bits of the converter, 8 to 12.
    features : sequence of int
        Shifts of the predictor's features, as in `model.spec.lms`.
    progress : callable
        Called with a line of text about `ROUNDS` times.

    Raises
    ------
    CalibrationError
        If `width` is out of range, or recordings are too few, too short, or hold other than codes of `width` bits.
    """
    known = _checked(recordings, width)
    counts = _counted(known, width)
    seen = [codes[: len(codes) * 3 // 4] for codes in known]
    held = [codes[at : at + PIECE] for codes in known for at in range(len(codes) * 3 // 4, len(codes) - 1, PIECE)]

    even = _first(seen, width, features)
    for _ in range(WARM_UP):
        even, bits, _ = _pass(even, seen)
        progress(f"warming up: {bits:.5f} bit a sample")
    even = _with_rates(even, seen, progress)
    even, bits, _ = _pass(even, seen)
    progress(f"even widths: {bits:.5f} bit a sample")
    reach = max(1, round(REACH * float(np.median([codes.std() for codes in seen]))))
    table = replace(even, edges=code_edges.by_density(counts.astype(np.float64), reach))
    table = _with_edges(table, seen, MOST_STEPS, FIRST_STEP, progress)

    lengths = np.array([len(codes) - 1 for codes in held])
    bits_even, bits_table = evidence(even, held).bits, evidence(table, held).bits
    saved = bits_even - bits_table
    gain = float(saved.sum() / lengths.sum())
    error = float(np.sqrt(((saved - gain * lengths) ** 2).sum()) / lengths.sum())
    is_even = gain < max(ERRORS * error, LEAST_GAIN)
    progress(f"held-out samples: unequal widths save {gain:.4f} +- {error:.4f} bit a sample")

    if is_even:
        model = _pass(even, known)[0]
    else:
        model = _with_edges(_with_rates(table, known, progress), known, 3, FIRST_STEP * SHORTER**MOST_STEPS, progress)
    bits_held = float((bits_even if is_even else bits_table).sum() / lengths.sum())
    return Calibration(width, model, is_even, gain, error, bits_held, counts)
