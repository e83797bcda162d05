"""Formats of the stage `calibrate`: the converter's code edges in the calibrated domain.

Code `c` stands for the inputs from `edge[c]` to `edge[c + 1]`; an even converter has edges one code apart, code
`2**(width - 1)` beginning at 0. The parameter set holds the table, or an empty one for even edges at any width.
"""

from typing import Final

import numpy as np

from model.spec.numbers import Format

EDGE_FRACTION: Final = 6
CENTRE_FRACTION: Final = 2
GREATEST_STEP: Final = 255  # from edge to edge: almost 4 codes, in 8 bits of RAM
MAX_TABLE_WIDTH: Final = 12  # a wider converter has even edges: 2**width words of table would not be silicon


def edge_format(width: int) -> Format:
    """Format of edges and predictions: half of full scale either way of 0."""
    return Format(width + EDGE_FRACTION, EDGE_FRACTION, signed=True)


def centre_format(width: int) -> Format:
    """Format of a code's centre, the value that a sample has for the predictor."""
    return Format(width + CENTRE_FRACTION, CENTRE_FRACTION, signed=True)


def even_edges(width: int) -> np.ndarray:
    """Edges of an even converter, int64, shape (2**width + 1,); the last lies one above `edge_format(width)`."""
    return (np.arange((1 << width) + 1, dtype=np.int64) - (1 << (width - 1))) << EDGE_FRACTION
