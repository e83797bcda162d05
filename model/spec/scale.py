"""Formats of the stage `scale`: how large residuals are at present, as a logarithm in two parts.

The scale is `2**(index / 16 - 2)` codes, with `index` the rounded sum of `slow`, which only follows, and `fast`, which
also decays to 0. Both move by steps that depend on how far the sample was off, in quarters of the scale: the score of
the scale's logarithm, about proportional to `|z| - 1`, as two rows of a table of 64 entries.
"""

from typing import Final

import numpy as np

from model.spec.numbers import Format

OCTAVE: Final = 16  # indices an octave
LEAST_OCTAVE: Final = -2  # index 0 is 1/4 code
LOG_FRACTION: Final = 4  # bits of `fast` and `slow` below one index
DECAY_SHIFT: Final = 4
FAST: Final = Format(8, LOG_FRACTION, signed=True)  # saturates symmetrically
STEPS: Final = 64  # entries of the step table: distances from 0 to 16 scales, in quarters
STEP: Final = Format(8, LOG_FRACTION, signed=True)
RECIPROCAL_BITS: Final = 7
GEARS: Final = ((32, 3), (128, 2))  # until so many frames after a key packet's begin, `slow` moves 2**so much as far


def greatest_index(width: int) -> int:
    """The greatest index: just below a sixteenth of full scale."""
    return OCTAVE * (width - 4 - LEAST_OCTAVE) - 1


def slow_format(width: int) -> Format:
    """Format of `slow`, which lies from 0 to `greatest_index(width)`."""
    greatest = greatest_index(width) << LOG_FRACTION
    return Format(greatest.bit_length(), LOG_FRACTION)


def reciprocals() -> np.ndarray:
    """`2**7 * 2**(-m / 16)`, rounded: reciprocals of the scales of one octave, int64, shape (16,)."""
    return np.array([round((1 << RECIPROCAL_BITS) * 2 ** (-m / OCTAVE)) for m in range(OCTAVE)], np.int64)
