"""Formats of the stage `range`: the probability of a code from the distribution `F`, and the range coder's interval.

`F` is symmetric and known at `POINTS` stored points of its upper half; between them it is interpolated. The coder's
interval has 16 bits and is renormalised bit by bit. The codes share all of it but its uppermost `ESCAPE` 65536ths: the
escape, after which the code follows as it is. So every code has a code word, however improbable. Words of 16 bits leave
the coder; after one of all ones the next has only 15 new bits, and its uppermost bit takes the carry: no carry runs
further than one word.

Where the scale is so great that single codes would have too few units, codes of equal upper bits share one part, and
the lower bits follow, evenly: one bit for each octave of the scale above `FINE_OCTAVES`. Up to 10 bits there are none.
"""

from typing import Final

from model.spec.numbers import Format

POINTS: Final = 32  # stored: F at 1/4, 1/2, ... 8 scales above the prediction
POINT_SPACING_BITS: Final = 2  # 2**-2 scales from point to point
POSITION_FRACTION: Final = 6  # bits of a position between two points
PROBABILITY_BITS: Final = 16
ESCAPE: Final = 8  # of 2**PROBABILITY_BITS
HALF: Final = ((1 << PROBABILITY_BITS) - ESCAPE) // 2  # F at the prediction
POINT: Final = Format(PROBABILITY_BITS - 1, PROBABILITY_BITS - 1)  # F - HALF, at most HALF
INTERVAL_BITS: Final = 16
WORD_BITS: Final = 16
FINE_OCTAVES: Final = 8  # below 2**6 codes of scale
