"""Stage `wavelet`: rings, filters, normalised features, and the running mean of differences, also at their ends."""

import numpy as np
import pytest
from networks import some_bank

from model.codec import wavelet
from model.spec.network import ACTIVATIONS
from model.spec.wavelet import FIRST_FILTER, LEVEL_FRACTION, SIGNAL, TAP, level_format, node_format

WIDTHS = range(8, 17)


@pytest.mark.parametrize("lag", [0, 1, 2, 3, 4, 7, 8, 4095])
def test_a_ring_holds_the_longest_lag_and_nothing_older_than_the_key_packet(lag: int) -> None:
    rings, length = wavelet.rings(np.zeros((0, 3), np.int64), np.array([(SIGNAL, lag, 0)]))
    history = np.zeros((2, length), np.int32)
    size = rings[SIGNAL, 1] + 1
    assert size > lag and size & (size - 1) == 0 and size <= max(2 * lag, 1)
    for age in range(3 * lag + 5):
        wavelet.store(history, rings, 1, SIGNAL, age, 100 + age)
        assert wavelet.read(history, rings, 1, SIGNAL, age, lag) == (100 + age - lag if age >= lag else 0)
    assert not history[0].any()


@pytest.mark.parametrize("width", [8, 16])
def test_filters_saturate_at_the_ends_of_a_node(width: int) -> None:
    """The longest filter, with the greatest taps, over the greatest values of a node."""
    form, count = node_format(width), 4096
    bank, features = np.array([(SIGNAL, 1, count), (3, 1, 1)]), np.array([(3, 0, 0)])
    for tap, value in ((TAP.maximum, form.maximum), (TAP.minimum, form.maximum), (TAP.minimum, form.minimum)):
        taps = np.array([tap] * count + [1 << TAP.fraction])
        rings, length = wavelet.rings(bank, features)
        history = np.zeros((1, length), np.int32)
        for age in range(count):
            wavelet.store(history, rings, 0, SIGNAL, age, value)
        wavelet.filter_all(history, rings, bank, taps, 0, count - 1, form.maximum)
        expected = min(max((tap * value * count + 512) >> 10, form.minimum), form.maximum)
        assert wavelet.read(history, rings, 0, FIRST_FILTER, count - 1, 0) == expected
        assert expected in (form.minimum, form.maximum)
        assert wavelet.read(history, rings, 0, FIRST_FILTER + 1, count - 1, 0) == expected


@pytest.mark.parametrize("bits", ACTIVATIONS)
def test_features_are_values_over_the_scale(bits: int) -> None:
    random, limit, width = np.random.default_rng(bits), (1 << bits - 1) - 1, 16
    most = node_format(width).maximum
    bank, _, features = some_bank(random, 1, features=30)
    rings, length = wavelet.rings(bank, features)
    found, ends = np.zeros(len(features), np.int32), set()
    for exponent in range(21):
        history = random.integers(-most - 1, most + 1, (1, length)) >> max(0, int(random.integers(18)))
        wavelet.gather(history.astype(np.int32), rings, features, 0, 100, exponent, limit, found)
        newest = history[0, rings[SIGNAL, 0] + (100 & rings[SIGNAL, 1])]
        for value, (node, lag, relative) in zip(found.tolist(), features.tolist(), strict=True):
            past = history[0, rings[node, 0] + ((100 - lag) & rings[node, 1])] - relative * newest
            exact = (int(past) * 64 + (1 << exponent)) // (1 << exponent + 1)  # halves go up
            assert value == min(max(exact, -limit), limit)
            ends.add(value)
    assert {-limit, limit} <= ends


@pytest.mark.parametrize("width", WIDTHS)
def test_the_level_stays_in_its_format_and_never_falls_to_nothing(width: int) -> None:
    top, level = ((1 << width) - 1) << 4, 1 << LEVEL_FRACTION
    for _ in range(3000):
        level = wavelet.follow_level(level, top)
        assert level <= level_format(width).maximum
    assert level >> LEVEL_FRACTION > 0.99 * top
    assert wavelet.exponent(level) == width + 4
    for _ in range(4000):
        level = wavelet.follow_level(level, 0)
    assert wavelet.exponent(level) == 2


def test_least_levels_keep_an_exponent() -> None:
    for level in range(1 << LEVEL_FRACTION, 1 << 12):
        for difference in (0, 1, 16):
            assert wavelet.exponent(wavelet.follow_level(level, difference)) >= 1
        mantissa = wavelet.mantissa(level, wavelet.exponent(level))
        assert -32 <= mantissa <= 31
        assert mantissa == (level >> 5) * 128 // (1 << wavelet.exponent(level)) - 96


def test_the_sign_of_a_difference_does_not_matter() -> None:
    assert wavelet.follow_level(5000, -300) == wavelet.follow_level(5000, 300) == 5000 + (4600 + 64 >> 7)
