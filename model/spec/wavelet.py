"""Formats of the stage `wavelet`: a causal bank of FIR filters over a channel's past, and the features taken from it.

Node 0 is the signal, from the key packet's first sample on and relative to it; nodes 1 and 2 are the residual of the
stage `lms` and its magnitude, where a profile has that stage. Each filter makes a further node from a node before it:

    node[t] = sum_k tap[k] * source[t - k * dilation],   rounded half up, saturated; 0 before the key packet

A cascade with doubling dilations is an undecimated ("a trous") wavelet decomposition. A feature is a node at some lag,
less the newest sample if it is relative. Features are normalised by a power of two near the channel's scale, so that
one network serves quiet and loud channels: what is `2**exponent` in a node is `UNIT` as an input of the network.
"""

from typing import Final

from model.spec.numbers import Format

FRACTION: Final = 4  # bits of a node below one code
TAP: Final = Format(12, 10, signed=True)
SIGNAL: Final = 0
RESIDUAL: Final = 1
MAGNITUDE: Final = 2
FIRST_FILTER: Final = 3  # its node; filter j gives node FIRST_FILTER + j
MAX_LAG: Final = 4095
UNIT_BITS: Final = 5
UNIT: Final = 1 << UNIT_BITS
MANTISSA_BITS: Final = 7
MANTISSA_CENTRE: Final = 96
LEVEL_SHIFT: Final = 7  # rate of the running mean of absolute differences, where that is the scale
LEVEL_FRACTION: Final = 5  # its bits below those of a node


def node_format(width: int) -> Format:
    """Format of every node: four times full scale."""
    return Format(width + 2 + FRACTION, FRACTION, signed=True)


def level_format(width: int) -> Format:
    """Format of the running mean of absolute differences of the signal's samples."""
    return Format(width + FRACTION + LEVEL_FRACTION, FRACTION + LEVEL_FRACTION)
