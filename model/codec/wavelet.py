"""Stage `wavelet`: a causal filter bank over each channel's past; formulas and formats in `model.spec.wavelet`.

State of a channel: a row of `history`, in which each node has a ring of a power of two of samples from `rings[node, 0]`
on; `rings[node, 1]` is its size less one. A sample at `age`, frames since the key packet's begin, stands at
`age & mask`; what is older than the key packet is 0.
"""

import numpy as np

from model.codec.arithmetic import bit_length, round_half_up, saturate
from model.codec.compiled import compiled
from model.spec import wavelet as spec
from model.spec.network import longest_lags

SIGNAL, RESIDUAL, MAGNITUDE = spec.SIGNAL, spec.RESIDUAL, spec.MAGNITUDE
FIRST_FILTER = spec.FIRST_FILTER
TAP_FRACTION = spec.TAP.fraction
LEVEL_FRACTION, LEVEL_SHIFT = spec.LEVEL_FRACTION, spec.LEVEL_SHIFT
MANTISSA_BITS, MANTISSA_CENTRE = spec.MANTISSA_BITS, spec.MANTISSA_CENTRE
UNIT_BITS = spec.UNIT_BITS


@compiled
def store(history, rings, channel, node, age, value):
    """Take a node's newest value into its history."""
    history[channel, rings[node, 0] + (age & rings[node, 1])] = value


@compiled
def read(history, rings, channel, node, age, lag):
    """A node's value `lag` frames ago."""
    return np.int64(history[channel, rings[node, 0] + ((age - lag) & rings[node, 1])])


@compiled
def filter_all(history, rings, bank, taps, channel, age, limit):
    """Every filter's newest value: `Rounding.HALF_UP`, `Overflow.SATURATE` to -limit - 1 ... limit."""
    at = 0
    for j in range(bank.shape[0]):
        source, dilation, count = bank[j, 0], bank[j, 1], bank[j, 2]
        begin, mask = rings[source, 0], rings[source, 1]
        total = np.int64(0)
        for k in range(count):
            total += taps[at + k] * np.int64(history[channel, begin + ((age - k * dilation) & mask)])
        at += count
        value = saturate(round_half_up(total, TAP_FRACTION), -limit - 1, limit)
        store(history, rings, channel, FIRST_FILTER + j, age, value)


@compiled
def gather(history, rings, features, channel, age, exponent, limit, inputs):
    """All features into `inputs`: `UNIT` for `2**exponent`, `Rounding.HALF_UP`, saturated at `limit` either way."""
    newest = read(history, rings, channel, SIGNAL, age, 0)
    fall = exponent - UNIT_BITS
    for i in range(features.shape[0]):
        value = read(history, rings, channel, features[i, 0], age, features[i, 1]) - newest * features[i, 2]
        value = round_half_up(value, fall) if fall > 0 else value << -fall
        inputs[i] = saturate(value, -limit, limit)


@compiled
def follow_level(level, difference):
    """The running mean of absolute differences after one more: moves by 1/128 of the way, `Rounding.HALF_UP`."""
    return level + round_half_up((abs(difference) << LEVEL_FRACTION) - level, LEVEL_SHIFT)


@compiled
def exponent(level):
    """The bits of the mean difference, in units of a node."""
    return bit_length(level >> LEVEL_FRACTION)


@compiled
def mantissa(level, exponent):
    """Where the mean difference stands between two powers of two, as an input of the network: -32 to 31."""
    return ((level >> LEVEL_FRACTION) << MANTISSA_BITS >> exponent) - MANTISSA_CENTRE


def rings(bank: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, int]:
    """Where each node's ring stands in a row of `history`, int64, shape (nodes, 2), and the row's length.

    Parameters
    ----------
    bank, features : ndarray of int64, shape (..., 3)
        As in `model.spec.network.Network`.
    """
    longest = longest_lags(bank, features)
    sizes = np.array([1 << int(lag).bit_length() for lag in longest], np.int64)
    return np.stack([np.cumsum(sizes) - sizes, sizes - 1], axis=1), int(sizes.sum())
