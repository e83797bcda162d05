"""Stage `calibrate`: what a code says of the converter's input; formats in `model.spec.calibrate`."""

import numpy as np

from model.codec.compiled import compiled
from model.spec.calibrate import EDGE_FRACTION


@compiled
def centre(edges, code):
    """The middle of a code in the calibrated domain, `Rounding.FLOOR`: half the sum of its two edges."""
    return (edges[code] + edges[code + 1]) >> 1


def nearest_codes(edges: np.ndarray) -> np.ndarray:
    """The code that holds the middle of each place one even code wide, int64, shape (2**width,)."""
    places = len(edges) - 1
    middles = ((2 * np.arange(places, dtype=np.int64) + 1 - places) << EDGE_FRACTION) >> 1
    return np.clip(np.searchsorted(edges, middles, "right") - 1, 0, places - 1)
