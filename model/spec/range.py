"""Formats of the stage `range`: the probability of a code from the distribution `F`, and the range coder's interval.

`F` is symmetric and known at `POINTS` stored points of its upper half; between them it is interpolated. The coder's
interval has 16 bits and is renormalised bit by bit. Its lowest `ESCAPE` units are the escape, after which the code
follows as it is; so every code has a code word, however improbable. Words of 16 bits leave the coder; after one of all
ones the next has only 15 new bits, and its uppermost bit takes the carry: no carry runs further than one word.
"""

from typing import Final

from model.spec.numbers import Format

POINTS: Final = 32  # stored: F at 1/4, 1/2, ... 8 scales above the prediction
POINT_SPACING_BITS: Final = 2  # 2**-2 scales from point to point
POSITION_FRACTION: Final = 6  # bits of a position between two points
PROBABILITY_BITS: Final = 16
HALF: Final = 1 << (PROBABILITY_BITS - 1)
POINT: Final = Format(PROBABILITY_BITS, PROBABILITY_BITS)  # F - 1/2, at most 1/2
INTERVAL_BITS: Final = 16
ESCAPE_BITS: Final = 3
ESCAPE: Final = 1 << ESCAPE_BITS
WORD_BITS: Final = 16
