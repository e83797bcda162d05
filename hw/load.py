"""What carries a parameter set's tables into the stages: one word a clock, each stage taking those that are its own."""

from enum import IntEnum

from amaranth.lib import data

VALUE_BITS = 16


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


def load_layout(width: int) -> data.StructLayout:
    """One word of a table."""
    return data.StructLayout({"write": 1, "table": Table, "address": range((1 << width) + 1), "value": VALUE_BITS})
