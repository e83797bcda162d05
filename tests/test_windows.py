"""The published, windowed features against pywavelets and numpy, and against the streaming banks."""

import numpy as np
import pytest
import pywt
from test_filters import recording

from model.spec.wavelet import FIRST_FILTER
from model.training import filters, windows
from model.training.bank import run

NAMES = ("db1", "sym2", "coif1", "haar", "bior1.3", "rbio1.3", "dmey")
TIMES = np.array([0, 3, 62, 200, 201, 202, 511, 1999])


def behind(signal: np.ndarray, time: int, window: int) -> np.ndarray:
    """The window that ends at `time`, 0 before the recording."""
    return np.concatenate([np.zeros(window), signal])[time + 1 : time + 1 + window]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", ["symmetric", "periodization", "zero"])
def test_all_coefficients_are_those_of_pywavelets(name: str, mode: str) -> None:
    signal, window = recording(), 195
    matrix = windows.wavelet_matrix(name, window, every=True, mode=mode)
    found = windows.transform(matrix, signal, TIMES)
    for row, time in zip(found, TIMES, strict=True):
        exact = np.concatenate(pywt.wavedec(behind(signal, int(time), window), name, mode))
        np.testing.assert_allclose(row, exact, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("window", [128, 195, 1953])
def test_the_newest_coefficients_need_no_sample_beyond_the_window(name: str, window: int) -> None:
    levels = windows.most_levels(name, window)
    matrix = windows.wavelet_matrix(name, window)
    rng = np.random.default_rng(1)
    signal = rng.normal(size=window + (4 << levels))  # goes on
    long = pywt.wavedec(signal, name, "zero", levels)
    exact = [long[-level][(window >> level) - 1] for level in range(1, levels + 1)]
    np.testing.assert_allclose(matrix @ signal[:window], [*exact, long[0][(window >> levels) - 1]], atol=1e-9)


def test_windows_before_the_begin_hold_zeros_and_blocks_join() -> None:
    signal = recording(9000)
    matrix = np.zeros((2, 5))
    matrix[0, -1] = matrix[1, 0] = 1
    found = windows.transform(matrix, signal)
    assert (found[:, 0] == signal).all()
    assert (found[4:, 1] == signal[:-4]).all()
    assert not found[:4, 1].any()


@pytest.mark.parametrize("window", [64, 195])
def test_fourier_is_that_of_numpy(window: int) -> None:
    signal = recording()
    found = windows.transform(windows.fourier_matrix(window), signal, TIMES)
    for row, time in zip(found, TIMES, strict=True):
        exact = np.fft.rfft(behind(signal, int(time), window))
        np.testing.assert_allclose(row, np.concatenate([exact.real, exact.imag]), atol=1e-6)


def test_cgau1_is_that_of_pywavelets() -> None:
    signal, window, scales = recording(), 195, (1, 4, 16)
    newest = windows.transform(windows.gaussian_matrix(scales, window), signal, TIMES)
    every = windows.transform(windows.gaussian_matrix(scales, window, every=True), signal, TIMES)
    for row, all_of_it, time in zip(newest, every, TIMES, strict=True):
        exact, _ = pywt.cwt(behind(signal, int(time), window), scales, "cgau1")
        np.testing.assert_allclose(all_of_it, np.concatenate([exact.real.ravel(), exact.imag.ravel()]), atol=1e-6)
        last = np.array([exact[n, window - 1 - 5 * scale] for n, scale in enumerate(scales)])
        np.testing.assert_allclose(row, np.concatenate([last.real, last.imag]), atol=1e-6)


def test_streaming_cgau1_is_the_windowed_one_later() -> None:
    signal, scale = recording(), 8
    bank = filters.gaussian("cgau1", (scale,))
    nodes = run(bank, signal)[FIRST_FILTER:]
    exact = windows.transform(windows.gaussian_matrix((scale,), 195), signal)
    lag = 5 * scale - int(np.argmax(np.abs(bank.filters[1])))  # centres
    for node, part in zip(nodes, exact.T, strict=True):
        assert np.corrcoef(node[300 - lag : -lag], part[300:])[0, 1] > 0.99


@pytest.mark.parametrize("name", NAMES)
def test_streaming_is_windowed_but_for_rounding(name: str) -> None:
    signal, window = recording(6000), 195
    found = windows.difference(name, signal, window)
    levels = windows.most_levels(name, window)
    assert [one.level for one in found] == [*range(1, levels + 1), 0]
    for one in found:
        assert one.lag == window % (1 << (one.level or levels))
        assert one.greatest < 10
        assert one.rounding < 0.05
        assert one.boundary > 0.05  # a guess is something else
        assert one.unexplained < 1e-6  # but of samples that the network sees


def test_a_haar_window_of_whole_blocks_guesses_nothing() -> None:
    for one in windows.difference("haar", recording(2048), 256, 3):
        assert one.lag == 0
        assert one.boundary == one.rounding < 1e-9


def test_what_the_network_does_not_see_stays_unexplained() -> None:
    signal = recording(6000)
    few, many = (windows.difference("sym2", signal, 195, samples=samples) for samples in (2, 195))
    assert max(one.unexplained for one in few) > 0.1
    assert max(one.unexplained for one in many) < 1e-6


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="20 is too short for 'dmey'"):
        windows.wavelet_matrix("dmey", 20)
    with pytest.raises(ValueError, match="levels: 2; give 1 to 1"):
        windows.wavelet_matrix("dmey", 195, 2)
    with pytest.raises(ValueError, match="give at least 161 for these scales"):
        windows.gaussian_matrix((1, 16), 160)
    with pytest.raises(ValueError, match="at least two windows, 390"):
        windows.difference("haar", recording(300), 195)
