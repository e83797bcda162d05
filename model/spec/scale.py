"""Formats of the stage `scale`: how large residuals are at present, from a fast and a slow average of their magnitude.

    s = (5 * fast + 11 * slow) / 16,  taken to 4 significant bits: 8 steps an octave

The position of an edge in `F` is its distance from the prediction over `s`, by a reciprocal of 9 bits and a shift.
"""

from typing import Final

import numpy as np

from model.spec.numbers import Format

SCALE_FRACTION: Final = 8
FAST_SHIFT: Final = 4
SLOW_SHIFT: Final = 8
FAST_PART: Final = 5  # of 16
STEP_BITS: Final = 3  # 2**3 steps an octave
LEAST_SCALE: Final = 1 << (SCALE_FRACTION - 2)  # 1/4 code
RECIPROCAL_BITS: Final = 9


def average_format(width: int) -> Format:
    """Format of both averages; they saturate at an eighth of full scale."""
    return Format(width - 3 + SCALE_FRACTION, SCALE_FRACTION)


def greatest_scale(width: int) -> int:
    """The greatest `s`: a sixteenth of full scale, in units of `2**-SCALE_FRACTION`."""
    return (1 << (width - 4 + SCALE_FRACTION)) - 1


def reciprocals() -> np.ndarray:
    """`2**9 * 8 / (8 + m + 1/2)`, rounded: reciprocals of the middles of the 8 steps of an octave, int64, shape (8,)."""
    steps = 1 << STEP_BITS
    return np.array([round((steps << RECIPROCAL_BITS) * 2 / (2 * (steps + m) + 1)) for m in range(steps)], np.int64)
