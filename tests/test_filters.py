"""Streaming filter banks: pywavelets' coefficients at interior positions, exact sums, the law's integers."""

import numpy as np
import pytest
import pywt

from model.codec import wavelet as law
from model.spec.wavelet import FIRST_FILTER, MAGNITUDE, MAX_LAG, RESIDUAL, SIGNAL, TAP, node_format
from model.training import filters
from model.training.bank import Bank, join, run, values

NAMES = ("dmey", "db1", "db2", "db3", "db4", "sym2", "coif1", "bior1.3", "rbio1.3", "haar")
ONE = 1 << TAP.fraction
LEVELS = 4


def recording(frames: int = 3000, seed: int = 0) -> np.ndarray:
    """Node `SIGNAL` of 10-bit codes that wander."""
    rng = np.random.default_rng(seed)
    codes = np.clip(np.rint(512 + np.cumsum(rng.normal(0, 8, frames)) * 0.7 + rng.normal(0, 9, frames)), 0, 1023)
    return 16 * (codes - codes[0]).astype(np.int64)


def ahead(name: str, level: int, detail: bool) -> int:
    """Samples by which a node answers sooner than pywavelets' filters, as newest taps were cut."""
    (_, low), (_, high) = filters.pair(name)
    return (high if detail else low) * (1 << (level - 1)) + low * ((1 << (level - 1)) - 1)


def bounds(name: str, greatest: float, levels: int) -> list[tuple[float, float]]:
    """How far nodes may lie from exact details and approximations, from roundings and taps' errors alone."""
    (low, low_cut), (high, high_cut) = filters.pair(name)
    exact_low, exact_high = filters.decomposition(name)

    def error(taps: np.ndarray, cut: int, exact: np.ndarray) -> float:
        return float(np.abs(np.pad(taps / ONE, (cut, len(exact) - cut - len(taps))) - exact).sum())

    found, before = [], 0.0
    for _ in range(levels):
        detail, approximation = (
            0.5 + before * np.abs(taps).sum() / ONE + greatest * error(taps, cut, exact)
            for taps, cut, exact in ((high, high_cut, exact_high), (low, low_cut, exact_low))
        )
        found.append((detail, approximation))
        before, greatest = approximation, greatest * np.abs(exact_low).sum()
    return found


@pytest.mark.parametrize("name", NAMES)
def test_nodes_are_the_coefficients_of_pywavelets(name: str) -> None:
    signal = recording()
    bank = filters.wavelet(name, LEVELS)
    nodes = run(bank, signal)
    approximation = signal.astype(np.float64)
    length = pywt.Wavelet(name).dec_len
    for level, limits in enumerate(bounds(name, float(np.abs(signal).max()), LEVELS), 1):
        approximation, detail = pywt.dwt(approximation, name, "zero")
        places = np.arange(length, (len(signal) >> level))
        for exact, limit, number in ((detail, limits[0], 0), (approximation, limits[1], 1)):
            at = (places + 1 << level) - 1 - ahead(name, level, number == 0)
            found = nodes[FIRST_FILTER + 2 * (level - 1) + number, at]
            error = found - exact[places] / 2 ** (level / 2)
            assert np.abs(error).max() <= limit
            assert np.std(error) < 0.03 * np.std(found)  # nothing is off by a sample


@pytest.mark.parametrize("name", ["haar", "sym2"])
def test_every_sample_has_the_coefficients_of_the_undecimated_transform(name: str) -> None:
    signal = recording(1024)
    nodes = run(filters.wavelet(name, 2), signal)
    (_, second), (_, first) = pywt.swt(signal.astype(np.float64), name, 2)
    inner = np.arange(100, 900)
    for node, exact in ((nodes[3], first / 2**0.5), (nodes[5], second / 2)):
        errors = [np.abs(node[inner + lag] - exact[inner]).max() for lag in range(-20, 21)]  # pywavelets is centred
        assert min(errors) < 2
        assert np.sort(errors)[1] > 50  # at one lag alone


def test_haar_is_exact() -> None:
    low, exact = recording() << 3, []
    nodes = run(filters.wavelet("haar", 3), low, width=16)
    for level in range(3):
        past = np.concatenate([np.zeros(1 << level, np.int64), low[: -1 << level]])
        exact += [(past - low) // 2, (past + low) // 2]
        low = exact[-1]
    assert (nodes[FIRST_FILTER:] == exact).all()


@pytest.mark.parametrize("name", [*NAMES, "db14", "db19"])
def test_sums_are_exact_and_no_end_is_zero(name: str) -> None:
    (low, _), (high, _) = filters.pair(name)
    assert (low.sum(), high.sum()) == (ONE, 0)
    assert all(taps[0] and taps[-1] for taps in (low, high))
    for exact, (taps, cut) in zip(filters.decomposition(name), filters.pair(name), strict=True):
        assert np.abs(taps - exact[cut : cut + len(taps)] * ONE).max() < 1  # corrected where rounding left most
    constant = run(filters.wavelet(name, LEVELS), np.full(2000, 4801))
    assert set(constant[FIRST_FILTER::2, -1]) == {0}
    assert set(constant[FIRST_FILTER + 1 :: 2, -1]) == {4801}


def test_what_shortening_costs() -> None:
    low, high = filters.shortening("dmey")
    assert (low.length, low.newest, low.oldest) == (62, 17, 16)
    assert (high.length, high.newest, high.oldest) == (62, 16, 17)
    for one in (low, high):
        assert 0.002 < one.loss < 0.0025
        assert 0.003 < one.deviation < 0.004
    assert filters.shortening("haar")[1] == filters.Shortening(2, 0, 0, pytest.approx(0, abs=1e-9), pytest.approx(0))
    _, high = filters.shortening("bior1.3")
    assert (high.length, high.newest, high.oldest) == (6, 2, 2)  # zeros of pywavelets: nothing is lost
    assert high.loss < 1e-9


def test_features_of_a_wavelet() -> None:
    bank = filters.wavelet("db2", 2, lags=2)
    assert bank.rows == ((0, 1, 4), (0, 1, 4), (4, 2, 4), (4, 2, 4))
    assert bank.features == ((3, 0, 0), (3, 1, 0), (5, 0, 0), (5, 2, 0), (6, 0, 1))
    assert filters.wavelet("db2", 1, source=RESIDUAL).features == ((3, 0, 0), (4, 0, 0))
    assert filters.identity(3).features == ((0, 1, 1), (0, 2, 1))
    assert filters.identity(2, MAGNITUDE).features == ((2, 0, 0), (2, 1, 0))


def test_joined_banks_answer_as_they_do_alone() -> None:
    signal, residual = recording(), np.diff(recording(), prepend=0)
    banks = [
        filters.identity(4),
        filters.wavelet("sym2", 3),
        filters.gaussian(scales=(2,), source=RESIDUAL),
        filters.identity(3, MAGNITUDE),
        filters.fourier(3, 16),
    ]
    alone = [values(bank, run(bank, signal, residual)) for bank in banks]
    bank = join(banks)
    assert (values(bank, run(bank, signal, residual)) == np.concatenate(alone)).all()
    assert all(np.ptp(one) > 0 for one in np.concatenate(alone))
    assert (alone[3][0] == np.abs(residual)).all()
    assert join([filters.identity(2)]).rows == join([]).rows == ()


def test_causal_and_zero_at_the_start() -> None:
    signal = recording(400)
    bank = join([filters.wavelet("dmey", 3, lags=2), filters.gaussian(), filters.fourier(4, 32)])
    whole = run(bank, signal)
    assert (whole[:, :250] == run(bank, signal[:250])).all()
    late = np.concatenate([np.zeros(100, np.int64), signal])
    assert (run(bank, late)[:, 100:] == whole).all()
    assert not run(bank, late)[:, :100].any()
    assert values(bank, run(bank, signal[:1])).shape == (len(bank.features), 1)


def test_saturates_at_the_node_and_rounds_half_up() -> None:
    kind = node_format(8)
    bank = Bank(((0, 1, 1),), np.array([TAP.maximum]), ((3, 0, 0),))
    assert run(bank, np.array([kind.maximum, kind.minimum, 10]), width=8)[3].tolist() == [
        kind.maximum,
        kind.minimum,
        20,
    ]
    half = Bank(((0, 1, 1),), np.array([512]), ((3, 0, 0),))
    assert run(half, np.array([3, -3, 1, -1]))[3].tolist() == [2, -1, 1, 0]
    lowest = run(filters.identity(1, MAGNITUDE), np.zeros(1, np.int64), np.array([kind.minimum]), width=8)
    assert lowest[MAGNITUDE, 0] == kind.maximum


def test_the_reference_is_the_law() -> None:
    signal, residual = recording(300), np.diff(recording(300), prepend=0)
    bank = join([filters.wavelet("coif1", 3), filters.gaussian(scales=(1, 3), source=MAGNITUDE), filters.identity(5)])
    expected = run(bank, signal, residual)
    rows, features = np.array(bank.rows), np.array(bank.features)
    rings, length = law.rings(rows, features)
    history = np.zeros((1, length), np.int64)
    for age, (u, e) in enumerate(zip(signal, residual, strict=True)):
        for node, value in ((SIGNAL, u), (RESIDUAL, e), (MAGNITUDE, abs(e))):
            law.store(history, rings, 0, node, age, value)
        law.filter_all(history, rings, rows, bank.taps, 0, age, node_format(10).maximum)
        found = [law.read(history, rings, 0, node, age, 0) for node in range(bank.nodes)]
        assert found == expected[:, age].tolist()


@pytest.mark.parametrize("scale", [1, 2, 5, 8])
def test_cgau1_is_sampled_from_its_function(scale: int) -> None:
    real, imaginary = filters.gaussian("cgau1", (scale,)).filters
    assert (real.sum(), imaginary.sum()) == (0, 0)
    found = np.zeros(max(len(real), len(imaginary)), np.complex128)
    found[: len(real)] += real
    found[: len(imaginary)] += 1j * imaginary
    age = (np.arange(len(found)) - np.argmax(np.abs(imaginary))) / scale
    size = sum(np.hypot(1, 2 * x / scale) * np.exp(-((x / scale) ** 2)) for x in range(-5 * scale, 5 * scale + 1))
    # the conjugate of d/dx exp(-i x) exp(-x**2), x = -age
    exact = (1j + 2 * age) * np.exp(-1j * age - age**2) * (filters.GAIN * ONE / size)
    distance = np.abs(found - exact)
    assert np.linalg.norm(distance) < 0.02 * np.linalg.norm(exact)
    psi, x = pywt.ContinuousWavelet("cgau1").wavefun(level=10)
    same = np.conj(np.interp(-age, x, psi))
    assert np.abs(same / np.abs(same).max() - exact / np.abs(exact).max()).max() < 0.01


def test_a_real_wavelet_has_one_filter_a_scale() -> None:
    bank = filters.gaussian("gaus2", (2, 4), source=RESIDUAL)
    assert [row[:2] for row in bank.rows] == [(RESIDUAL, 1)] * 2
    assert all(taps.sum() == 0 and (taps == taps[::-1]).mean() > 0.8 for taps in bank.filters)


def test_the_parts_of_cgau1_stay_in_phase() -> None:
    signal = np.rint(4000 * np.cos(2 * np.pi * np.arange(2000) / 12)).astype(np.int64)
    real, imaginary = run(filters.gaussian("cgau1", (8,)), signal)[FIRST_FILTER:, 500:]
    magnitude = np.hypot(real, imaginary)
    assert np.ptp(magnitude) < 0.08 * magnitude.mean()  # all but analytic: a sine has constant magnitude
    assert magnitude.mean() > 500


@pytest.mark.parametrize("window", [16, 63, 195])
def test_fourier_bins_are_those_of_numpy(window: int) -> None:
    signal = recording(1200)
    bank = filters.fourier(4, window)
    nodes = run(bank, signal)[FIRST_FILTER:]
    taper = filters.taper(window)
    assert taper[-1] == 1 and (np.diff(taper) > 0).all()
    windows = np.lib.stride_tricks.sliding_window_view(signal, window) * taper
    spectrum, weight = np.fft.rfft(windows, axis=1), np.fft.rfft(taper)
    for number in range(1, 5):
        exact = spectrum[:, number] - spectrum[:, 0] * weight[number] / weight[0]
        wave = np.exp(-2j * np.pi * number * np.arange(window) / window)
        exact *= filters.GAIN / np.abs(taper * (wave - weight[number] / weight[0])).sum()
        for found, part in zip(nodes[2 * number - 2 : 2 * number], (exact.real, exact.imag), strict=True):
            assert np.sqrt(np.mean((found[window - 1 :] - part) ** 2)) < 0.05 * np.sqrt(np.mean(part**2))
    assert all(taps.sum() == 0 and np.abs(taps).sum() < 2 * ONE for taps in bank.filters)


def test_trained_taps_are_rounded_and_saturated() -> None:
    bank = filters.cnn(np.array([[0.5, -3.0, 3.0], [0.25 / ONE, 0.5 / ONE, -0.5 / ONE]]), [1, 4])
    assert bank.taps.tolist() == [512, TAP.minimum, TAP.maximum, 0, 1, 0]
    assert bank.rows == ((0, 1, 3), (0, 4, 3))
    assert bank.features == ((3, 0, 0), (4, 0, 0))


ONE_ROW = ((0, 1, 1),)
ONE_TAP = np.array([ONE])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Bank(((3, 1, 1),), ONE_TAP, ()), r"rows\[0\]: source 3"),
        (lambda: Bank(((0, 0, 1),), ONE_TAP, ()), r"rows\[0\]: dilation 0"),
        (lambda: Bank(((0, MAX_LAG + 1, 2),), np.array([1, 1]), ()), f"at most {MAX_LAG}"),
        (lambda: Bank(ONE_ROW, np.array([1, 2]), ()), "taps: int64 of shape"),
        (lambda: Bank(ONE_ROW, np.array([TAP.maximum + 1]), ()), "taps: beyond"),
        (lambda: Bank(ONE_ROW, ONE_TAP, ((4, 0, 0),)), r"features\[0\]"),
        (lambda: Bank(ONE_ROW, ONE_TAP, ((3, MAX_LAG + 1, 0),)), r"features\[0\]"),
        (lambda: filters.identity(1), "samples: 1; give at least 2"),
        (lambda: filters.identity(5, 3), "source: 3"),
        (lambda: filters.wavelet("db99", 1), "'db99' is unknown"),
        (lambda: filters.wavelet("cgau1", 1), "'cgau1' is unknown"),
        (lambda: filters.wavelet("haar", 0), "levels: 0"),
        (lambda: filters.wavelet("haar", 13), f"at most {MAX_LAG}"),
        (lambda: filters.gaussian("dmey"), "'dmey' is unknown"),
        (lambda: filters.gaussian(scales=()), "scales: none"),
        (lambda: filters.fourier(8, 16), "bins: 8"),
        (lambda: filters.cnn(np.array([[np.nan]]), [1]), "taps: shape"),
        (lambda: filters.cnn(np.ones((2, 3)), [1]), "dilations: 1 for 2"),
        (lambda: run(filters.identity(2), np.array([0.5])), "node 0: float64"),
        (lambda: run(filters.identity(2), np.array([1 << 15])), "node 0: a value is beyond s16.4"),
        (lambda: run(filters.identity(2, RESIDUAL), np.array([0])), "residual: the bank reads it"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()
