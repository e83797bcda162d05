"""What carries a parameter set's tables into the stages: one word a clock, each stage taking those that are its own."""

from enum import IntEnum
from typing import Any, Final

from amaranth.lib import data

from model.spec.packet import PARAMETER_SET

VALUE_BITS = 16
NAME_WORDS: Final = 8 * PARAMETER_SET.bytes // VALUE_BITS
LEAST_WORDS: Final = 1 << 10  # a word for each channel that a core can have


class Table(IntEnum):
    """Where a word goes; within a table, words come in the order of their addresses."""

    EDGES = 0  # 2**width + 1 words
    POINTS = 1  # 32 words, at 0 ... 31: G[1] ... G[32]
    STEPS = 2  # 64 words: the step of `fast` in the lower byte, that of `slow` in the upper
    WEIGHTS = 3  # a word a feature
    START = 4  # one word
    NAME = 5  # of the set: four words
    SHIFTS = 6  # a word a feature: those that the gates are built for, or the set is refused
    PEERS = 7  # a word a channel, in gates that know peers
    LINKS = 8  # in gates that know links: the most partners of a channel, then `MOST_LINKS` words a channel
    PROGRAM = 9  # of the array
    RESULTS = 10
    CONSTANTS = 11
    LEVEL = 12  # one word: the level at a key packet
    CODER = 13  # one word: `coder` of the set
    CHOICES = 14  # a word a level: the table in the lower byte, low bits in the upper
    CODES = 15  # two words a symbol: the lower half of its code word; the rest, and its length in the upper byte
    GEOMETRY = 16  # a word a size of the array that the program is made for, or the set is refused


def load_layout(width: int, longest: int = 0) -> data.StructLayout:
    """One word of a table, of which the `longest` may have more words than there are edges, or channels."""
    words = max((1 << width) + 1, LEAST_WORDS, longest)
    return data.StructLayout({"write": 1, "table": Table, "address": range(words), "value": VALUE_BITS})


def pass_on(word: Any, to: Any) -> list[Any]:
    """What connects two words of `load_layout`, the second perhaps with less address than the first, as its tables
    need no more.
    """
    return [getattr(to, name).eq(getattr(word, name)) for name in ("write", "table", "address", "value")]
