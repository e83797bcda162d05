"""Compression figures: how many bytes, how fast, and what the bytes are spent on.

Every figure counts all samples and all bytes that were written, and only what was decoded and compared with the
original is counted at all. Rooms: `figures` (one row of a table), `files` (spikey on files), `others` (FLAC, WavPack
and xz on the same files), `stream` (many channels side by side).
"""

from model.bench.figures import Figures, MismatchError, Result, Row, total
from model.bench.files import Progress, bench, compare, grouped_sources, measure, warm_up

__all__ = [
    "Figures",
    "MismatchError",
    "Progress",
    "Result",
    "Row",
    "bench",
    "compare",
    "grouped_sources",
    "measure",
    "total",
    "warm_up",
]
