"""Stage `calibrate`: what a code says of the converter's input; formats in `model.spec.calibrate`."""

import numpy as np

from model.codec.arithmetic import round_half_up
from model.codec.compiled import compiled
from model.spec.calibrate import CENTRE_FRACTION, EDGE_FRACTION

CENTRE_FALL = EDGE_FRACTION - CENTRE_FRACTION


@compiled
def centre(edges, code, limit):
    """The middle of a code, `Rounding.HALF_UP` and `Overflow.SATURATE` to `limit - 1`: half the sum of its edges."""
    return min(round_half_up(edges[code] + edges[code + 1], CENTRE_FALL + 1), limit - 1)


def nearest_codes(edges: np.ndarray) -> np.ndarray:
    """The code that holds the middle of each place one even code wide, int64, shape (2**width,); for decoders."""
    places = len(edges) - 1
    middles = ((2 * np.arange(places, dtype=np.int64) + 1 - places) << EDGE_FRACTION) >> 1
    return np.clip(np.searchsorted(edges, middles, "right") - 1, 0, places - 1)
