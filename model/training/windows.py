"""The published form of the features: a window of the past is transformed anew for every sample, in floating point.

A transform of a window is linear, so it is a matrix, made by transforming each unit window, and a recording's features
are its windows times that matrix. `difference` compares them with the streaming form in `model.training.filters`:

- A coefficient of level `l` that needs no sample beyond the window ends `window mod 2**l` samples before the newest
  (decimation counts from the window's begin). It is what the streaming node was so long ago, but for rounding.
- The last coefficients of a window continue it by guessing, as `MODE` says, from the same few newest samples. No node
  equals these, but they are linear in those samples, as a network's first layer is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pywt

from model.spec.wavelet import FIRST_FILTER
from model.training.bank import join, run, values
from model.training.filters import decomposition, identity, pair, wavelet

MODE: Final = "symmetric"  # pywavelets' own choice: the window is continued by its mirror image
_BLOCK: Final = 4096  # windows in memory together
_MOST_TIMES: Final = 20_000  # windows that `difference` looks at


def most_levels(name: str, window: int) -> int:
    """Levels of a wavelet that a window of so many samples has.

    Raises
    ------
    ValueError
        If there is no such wavelet, or the window is too short for one level.
    """
    found = pywt.dwt_max_level(window, len(decomposition(name)[0]))
    if found < 1:
        raise ValueError(f"windows: window: {window} is too short for '{name}'; give at least twice its taps")
    return found


def wavelet_matrix(
    name: str, window: int, levels: int | None = None, *, every: bool = False, mode: str = MODE
) -> np.ndarray:
    """What `pywt.wavedec` makes of a window.

    Parameters
    ----------
    name : str
    window : int
        Samples.
    levels : int, optional
        At most, and if not given, `most_levels`.
    every : bool
        All coefficients, in the order of `pywt.wavedec`: approximation, then details from the coarsest. If false, only
        the newest of each level that needs no sample beyond the window: details 1 to `levels`, then the approximation.
    mode : str
        How the window is continued at its ends: a mode of pywavelets. It matters for `every` alone.

    Returns
    -------
    ndarray of float64, shape (coefficients, window)

    Raises
    ------
    ValueError
        If the window is too short.
    """
    most = most_levels(name, window)
    levels = most if levels is None else levels
    if not 1 <= levels <= most:
        raise ValueError(f"windows: levels: {levels}; give 1 to {most} for '{name}' and a window of {window}")
    if every:
        return np.concatenate(pywt.wavedec(np.eye(window), name, mode, levels, axis=0))
    approximation, *details = pywt.wavedec(np.eye(window), name, "symmetric", levels, axis=0)
    found = [detail[(window >> level) - 1] for level, detail in enumerate(details[::-1], 1)]
    return np.array([*found, approximation[(window >> levels) - 1]])


def fourier_matrix(window: int) -> np.ndarray:
    """What `numpy.fft.rfft` makes of a window, oldest sample first.

    Returns
    -------
    ndarray of float64, shape (2 * (window // 2 + 1), window)
        Real parts, then imaginary parts.
    """
    found = np.fft.rfft(np.eye(window), axis=0)
    return np.concatenate([found.real, found.imag])


def gaussian_matrix(
    scales: Sequence[int], window: int, name: str = "cgau1", *, every: bool = False, precision: int = 12
) -> np.ndarray:
    """What `pywt.cwt` makes of a window that is followed by zeros.

    Parameters
    ----------
    scales : sequence of int
        In samples.
    window : int
    name : str
        A complex wavelet.
    every : bool
        Coefficients at all samples of the window, scale by scale. If false, of each scale the newest whose support
        ends with the window.
    precision : int
        The wavelet is taken at `2**precision` points.

    Returns
    -------
    ndarray of float64, shape (2 * coefficients, window)
        Real parts, then imaginary parts.

    Raises
    ------
    ValueError
        If the window is shorter than a wavelet's support.
    """
    upper = pywt.ContinuousWavelet(name).upper_bound
    if window < 2 * upper * max(scales) + 1:
        raise ValueError(
            f"windows: window: {window}; give at least {int(2 * upper * max(scales)) + 1} for these scales"
        )
    impulse = np.zeros(2 * window - 1)
    impulse[window - 1] = 1
    responses, _ = pywt.cwt(impulse, scales, name, precision=precision)
    found = []
    for scale, response in zip(scales, responses, strict=True):
        places = np.arange(window) if every else np.array([window - 1 - int(upper * scale)])
        found.append(response[window - 1 + places[:, None] - np.arange(window)])
    joined = np.concatenate(found)
    return np.concatenate([joined.real, joined.imag])


def transform(matrix: np.ndarray, signal: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
    """A matrix times the windows that end at some samples; before a recording's begin they hold 0.

    Parameters
    ----------
    matrix : ndarray of float64, shape (features, window)
    signal : ndarray, shape (frames,)
    times : ndarray of int, shape (times,), optional
        All frames if not given.

    Returns
    -------
    ndarray of float64, shape (times, features)
    """
    window = matrix.shape[1]
    times = np.arange(len(signal)) if times is None else times
    padded = np.concatenate([np.zeros(window - 1), signal])
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)
    found = np.empty((len(times), len(matrix)))
    for start in range(0, len(times), _BLOCK):
        found[start : start + _BLOCK] = windows[times[start : start + _BLOCK]] @ matrix.T
    return found


@dataclass(frozen=True)
class Difference:
    """How far a level's streaming node is from the windowed coefficients, scaled to the node.

    Shares are RMS by the RMS of the newest coefficient that needs no sample beyond the window; of an approximation, by
    that of its distance from the newest sample, which is what a bank makes a feature of.

    Parameters
    ----------
    level : int
        From 1; 0 for the last approximation.
    lag : int
        Samples before the newest at which the newest coefficient of the window ends that needs none beyond it.
    greatest : float
        Greatest distance of that coefficient from the node at `lag`, in 1/16 codes.
    rounding : float
        That distance, as a share.
    boundary : float
        Distance of the window's last coefficient, which guesses, from the newest value of the node, as a share.
    unexplained : float
        What no linear map of the bank's newest features and of some newest samples explains of it, as a share.
    """

    level: int
    lag: int
    greatest: float
    rounding: float
    boundary: float
    unexplained: float


def _rms(found: np.ndarray) -> float:
    return float(np.sqrt(np.mean(found**2)))


def difference(
    name: str, signal: np.ndarray, window: int, levels: int | None = None, samples: int = 195
) -> tuple[Difference, ...]:
    """Compare the streaming bank with the windowed form, over windows that a recording fills.

    Parameters
    ----------
    name : str
    signal : ndarray of int, shape (frames,)
        1/16 codes of 10 bits, relative to the first.
    window : int
    levels : int, optional
        As in `wavelet_matrix`.
    samples : int
        The newest, which stand beside the bank where `Difference.unexplained` asks what a network could know.

    Returns
    -------
    tuple of Difference
        Details from level 1, then the approximation.

    Raises
    ------
    ValueError
        If the window is too short, or the recording shorter than two windows.
    """
    if len(signal) < 2 * window:
        raise ValueError(f"windows: signal: {len(signal)} samples; give at least two windows, {2 * window}")
    levels = most_levels(name, window) if levels is None else levels
    step = -(-(len(signal) - window) // _MOST_TIMES)
    times = np.arange(window - 1 + step, len(signal), step)
    newest = transform(wavelet_matrix(name, window, levels), signal, times)
    ends = np.cumsum([len(part) for part in pywt.wavedec(np.zeros(window), name, MODE, levels)]) - 1
    matrix = wavelet_matrix(name, window, levels, every=True)
    last = transform(matrix[[*ends[:0:-1], ends[0]]], signal, times)
    bank = wavelet(name, levels)
    nodes = run(bank, signal)
    features = values(join([bank, identity(samples)]), nodes)
    known = np.column_stack([features[:, times].T, signal[times], np.ones(len(times))]).astype(np.float64)
    left = last - known @ np.linalg.lstsq(known, last, rcond=None)[0]
    (_, low_cut), (_, high_cut) = pair(name)
    found = []
    for column in range(levels + 1):
        approximation = column == levels
        level = levels if approximation else column + 1
        dilation = 1 << (level - 1)
        ahead = (low_cut if approximation else high_cut) * dilation + low_cut * (dilation - 1)  # by taps cut
        node = nodes[FIRST_FILTER + 2 * (level - 1) + approximation]
        lag, gain = window % (2 * dilation), 2 ** (level / 2)
        exact = newest[:, column] / gain
        distance = node[times - lag - ahead] - exact
        shares = (distance, node[times] - last[:, column] / gain, left[:, column] / gain)
        scale = _rms(exact - signal[times] * approximation)
        found.append(
            Difference(
                0 if approximation else level, lag, float(np.abs(distance).max()), *(_rms(x) / scale for x in shares)
            )
        )
    return tuple(found)
