"""Filter banks of the stage `wavelet` from names: what a channel's past looks like to the network, in integers.

Node `3 + j` of a bank is a causal filter of an earlier node, its taps `dilation` samples apart:

    node[3 + j][t] = saturate(round_half_up(sum_k tap[k] * node[source][t - k * dilation] / 2**10))

The published design decomposes a window of the past anew for every sample. A bank is its streaming form: the same
coefficients, each computed once, when its last sample arrives, as the undecimated transform ("a trous") has them.
`model.training.windows` has the windowed form and measures the difference.

Taps are rounded to `TAP`; those that become 0 at either end are cut. Cutting the newest ones makes a filter answer
sooner. Where the sum of the taps matters (1 of lowpass, 0 of what must not see a constant), the tap that rounding moved
farthest the other way moves by one step, until the sum is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pywt

from model.spec.wavelet import FIRST_FILTER, MAGNITUDE, RESIDUAL, SIGNAL, TAP
from model.training.bank import Bank

ONE: Final = 1 << TAP.fraction
GAIN: Final = 1.875  # sum of a Gaussian's or Fourier bin's magnitudes: below 2, the node's headroom, when rounded too
_WAVEFUN_LEVEL: Final = 14  # 2**14 points of a continuous wavelet


@dataclass(frozen=True)
class Shortening:
    """What rounding and cutting did to a filter.

    Parameters
    ----------
    length : int
        Taps that pywavelets gives, its zeros included.
    newest, oldest : int
        Taps cut at either end.
    loss : float
        Distance from the exact filter, by its length (L2).
    deviation : float
        Greatest change of the frequency response, where a lowpass has 1 at frequency 0.
    """

    length: int
    newest: int
    oldest: int
    loss: float
    deviation: float


def _check(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"filters: {name}: {value}; give at least {least}")


def _source(source: int) -> None:
    if source not in (SIGNAL, RESIDUAL, MAGNITUDE):
        raise ValueError(f"filters: source: {source}; give {SIGNAL} (signal), {RESIDUAL} (residual) or {MAGNITUDE}")


def _trim(taps: np.ndarray) -> slice:
    """Where the taps between the first and the last that are not 0 stand."""
    kept = np.flatnonzero(taps)
    if not len(kept):
        raise ValueError("filters: taps: all round to 0; give larger ones")
    return slice(int(kept[0]), int(kept[-1]) + 1)


def _round(exact: np.ndarray, total: int | None = None) -> tuple[np.ndarray, int]:
    """Taps of `TAP`, cut, their sum made `total` if it is given; and how many of the newest were cut."""
    scaled = exact * ONE
    taps = np.clip(np.floor(scaled + 0.5), TAP.minimum, TAP.maximum).astype(np.int64)
    kept = _trim(taps)
    taps, scaled, first = taps[kept], scaled[kept], kept.start
    while total is not None and (missing := total - int(taps.sum())):
        step = 1 if missing > 0 else -1
        taps[np.argmax(step * (scaled - taps))] += step
    kept = _trim(taps)
    return taps[kept], first + kept.start


def _bank(
    rows: Sequence[tuple[int, int]], filters: Sequence[np.ndarray], features: Sequence[tuple[int, int, int]]
) -> Bank:
    """A bank of rows (source, dilation) and their filters."""
    counted = [(source, dilation, len(taps)) for (source, dilation), taps in zip(rows, filters, strict=True)]
    return Bank(tuple(counted), np.concatenate(filters), tuple(features))


def identity(samples: int, source: int = SIGNAL) -> Bank:
    """The last samples of a source themselves; of `SIGNAL`, as differences to the newest, which is none of them.

    Parameters
    ----------
    samples : int
        The newest included; of `SIGNAL` at least 2.
    source : int
    """
    _source(source)
    relative = int(source == SIGNAL)
    _check("samples", samples, 1 + relative)
    return Bank((), np.zeros(0, np.int64), tuple((source, lag, relative) for lag in range(relative, samples)))


def decomposition(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Lowpass and highpass that decompose, as pywavelets has them but divided by sqrt(2): the lowpass sums to 1.

    Parameters
    ----------
    name : str
        A discrete wavelet of pywavelets: 'dmey', 'haar', 'db1', 'sym2', 'coif1', 'bior1.3', 'rbio1.3' ...

    Raises
    ------
    ValueError
        If there is no such wavelet.
    """
    if name not in pywt.wavelist(kind="discrete"):
        raise ValueError(f"filters: wavelet: '{name}' is unknown; give one such as dmey, haar, db2, sym2, coif1")
    found = pywt.Wavelet(name)
    return np.array(found.dec_lo) / 2**0.5, np.array(found.dec_hi) / 2**0.5


def pair(name: str) -> tuple[tuple[np.ndarray, int], tuple[np.ndarray, int]]:
    """Integer lowpass, summing to 1024, and highpass, summing to 0; each with how many of its newest taps were cut."""
    low, high = decomposition(name)
    return _round(low, ONE), _round(high, 0)


def shortening(name: str) -> tuple[Shortening, Shortening]:
    """What rounding and cutting did to a wavelet's lowpass and highpass."""
    found = []
    for exact, (taps, newest) in zip(decomposition(name), pair(name), strict=True):
        oldest = len(exact) - newest - len(taps)
        error = np.pad(taps / ONE, (newest, oldest)) - exact
        loss = float(np.linalg.norm(error) / np.linalg.norm(exact))
        found.append(Shortening(len(exact), newest, oldest, loss, float(np.abs(np.fft.rfft(error, 1 << 14)).max())))
    return found[0], found[1]


def wavelet(name: str, levels: int, lags: int = 1, source: int = SIGNAL) -> Bank:
    """A causal undecimated wavelet transform: each level splits the lowpass of the one before.

    A coefficient of pywavelets' decomposition at `level` is `2**(level / 2)` times the node's value.

    Parameters
    ----------
    name : str
        As in `decomposition`.
    levels : int
        A level's dilation is `2**(level - 1)`.
    lags : int
        Values of each detail that are features, a dilation apart. Of the last approximation the newest is one,
        relative to the newest sample if `source` is `SIGNAL`.
    source : int
    """
    _source(source)
    _check("levels", levels, 1)
    _check("lags", lags, 1)
    (low, _), (high, _) = pair(name)
    rows, features, node = [], [], source
    for level in range(levels):
        rows += [(node, 1 << level)] * 2
        detail, node = FIRST_FILTER + 2 * level, FIRST_FILTER + 2 * level + 1
        features += [(detail, lag << level, 0) for lag in range(lags)]
    return _bank(rows, [high, low] * levels, [*features, (node, 0, int(source == SIGNAL))])


def gaussian(name: str = "cgau1", scales: Sequence[int] = (1, 2, 4, 8), source: int = SIGNAL) -> Bank:
    """A derivative of a Gaussian, which has no filter bank: sampled at whole samples, its conjugate for complex ones.

    With `b` the last whole sample of its support on the newest side, tap `k` is `conj(psi((b - k) / scale))` times
    what makes the magnitudes sum to `GAIN`; taps sum to 0. A complex wavelet gives two filters a scale, real and
    imaginary part, cut alike, so that they stay in phase.

    Parameters
    ----------
    name : str
        'cgau1' to 'cgau8', or 'gaus1' to 'gaus8', which are real.
    scales : sequence of int
        In samples, each at least 1.
    source : int
    """
    _source(source)
    if name not in pywt.wavelist("cgau") + pywt.wavelist("gaus"):
        raise ValueError(f"filters: wavelet: '{name}' is unknown; give cgau1 to cgau8 or gaus1 to gaus8")
    if not scales:
        raise ValueError("filters: scales: none; give at least one")
    psi, x = pywt.ContinuousWavelet(name).wavefun(level=_WAVEFUN_LEVEL)
    filters = []
    for scale in scales:
        _check("scale", scale, 1)
        reach = int(scale * min(-x[0], x[-1]))
        filters += _parts(np.conj(np.interp(np.arange(reach, -reach - 1, -1) / scale, x, psi)))
    features = [(FIRST_FILTER + number, 0, 0) for number in range(len(filters))]
    return _bank([(source, 1)] * len(filters), filters, features)


def _parts(exact: np.ndarray) -> list[np.ndarray]:
    """Real and, if there is one, imaginary part of a filter scaled to `GAIN`, each summing to 0 and cut alike."""
    scaled = exact * (GAIN / np.abs(exact).sum())
    parts = [scaled.real, scaled.imag] if np.iscomplexobj(scaled) else [scaled]
    rounded = [_round(part, 0) for part in parts]
    newest = min(cut for _, cut in rounded)
    return [np.pad(taps, (cut - newest, 0)) for taps, cut in rounded]


def taper(window: int) -> np.ndarray:
    """Weights of the last samples, oldest first, that decay with age: `cos(pi * age / (2 * window))**2`.

    Parameters
    ----------
    window : int

    Returns
    -------
    ndarray of float64, shape (window,)
    """
    return np.cos(np.pi * np.arange(window - 1, -1, -1) / (2 * window)) ** 2


def fourier(bins: int, window: int, source: int = SIGNAL) -> Bank:
    """Real and imaginary part of the damped discrete Fourier transform of the last samples.

    Bin `b` is `numpy.fft.rfft(taper(window) * x)[b]`, less as much of bin 0 as makes it blind to a constant, times
    what makes the magnitudes of its taps sum to `GAIN`.

    Parameters
    ----------
    bins : int
        1 to `bins`; bin `b` is `b / window` of the sampling rate. Below half of `window`.
    window : int
        Samples: at least 4.
    source : int
    """
    _source(source)
    _check("window", window, 4)
    _check("bins", bins, 1)
    if 2 * bins >= window:
        raise ValueError(f"filters: bins: {bins}; give less than half of window, {window}")
    weights = taper(window)
    filters = []
    for number in range(1, bins + 1):
        wave = np.exp(-2j * np.pi * number * np.arange(window) / window)
        exact = weights * (wave - (weights @ wave) / weights.sum())
        filters += _parts(exact[::-1])
    features = [(FIRST_FILTER + place, 0, 0) for place in range(len(filters))]
    return _bank([(source, 1)] * len(filters), filters, features)


def cnn(taps: np.ndarray, dilations: Sequence[int], source: int = SIGNAL) -> Bank:
    """Trained filters, rounded half up to `TAP`, saturated, not cut.

    Parameters
    ----------
    taps : ndarray of float, shape (filters, taps)
        The first of each weighs the newest sample.
    dilations : sequence of int
        One each filter.
    source : int
    """
    _source(source)
    if taps.ndim != 2 or not taps.size or not np.isfinite(taps).all():
        raise ValueError(f"filters: taps: shape {taps.shape}; give finite numbers of shape (filters, taps)")
    if len(dilations) != len(taps):
        raise ValueError(f"filters: dilations: {len(dilations)} for {len(taps)} filters; give one each")
    rounded = np.clip(np.floor(taps * ONE + 0.5), TAP.minimum, TAP.maximum).astype(np.int64)
    features = [(FIRST_FILTER + number, 0, 0) for number in range(len(taps))]
    return _bank([(source, dilation) for dilation in dilations], list(rounded), features)
