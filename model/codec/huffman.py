"""Stage `huffman`: folded residuals by canonical Huffman codes; formats in `model.spec.huffman`."""

from typing import NamedTuple

import numpy as np

from model.codec.arithmetic import bit_length
from model.codec.compiled import compiled
from model.spec import huffman as spec

STEPS_BITS = spec.LEVEL_STEPS_BITS
MAX_LENGTH = spec.MAX_LENGTH
FIRST, COUNT, RANK = range(3)  # columns of `Codes.words_of`


class Codes(NamedTuple):
    """All tables' codes, for the compiled functions.

    Parameters
    ----------
    lengths, words : ndarray of int64, shape (tables, symbols)
        Of each symbol's code word.
    words_of : ndarray of int64, shape (tables, MAX_LENGTH + 1, 3)
        Of the words of a length: the first, their number, and the rank of the first one's symbol.
    symbols : ndarray of int64, shape (tables, symbols)
        By rank, the order of their words.
    """

    lengths: np.ndarray
    words: np.ndarray
    words_of: np.ndarray
    symbols: np.ndarray


@compiled
def level(mean):
    """Four for each bit of `mean`, and the two bits behind its first one: four even steps an octave; 0 for 0."""
    bits = bit_length(mean)
    return (bits << STEPS_BITS) + ((mean << (STEPS_BITS + 1) >> bits) & ((1 << STEPS_BITS) - 1))


@compiled
def code_word(folded, choice, width, lengths, words):
    """`(value, length)` of what stands for `folded` by `choice`, (table, low bits)."""
    table, low = choice[0], choice[1]
    escape, symbol = lengths.shape[1] - 1, folded >> low
    if symbol < escape and lengths[table, symbol] > 0:
        return (words[table, symbol] << low) | (folded & ((1 << low) - 1)), lengths[table, symbol] + low
    return (words[table, escape] << width) | folded, lengths[table, escape] + width


@compiled
def find(window, fill, table, words_of, symbols):
    """`(symbol, length)` of the code word that the `fill` bits of `window` begin with."""
    length, place = 0, np.int64(-1)
    while place < 0:
        length += 1
        past = (window >> (fill - length)) - words_of[table, length, FIRST]
        if past < words_of[table, length, COUNT]:
            place = past + words_of[table, length, RANK]
    return symbols[table, place], length


def codes(lengths: np.ndarray) -> Codes:
    """The codes of these lengths; raises `ConfigError` if there are none such.

    Parameters
    ----------
    lengths : ndarray of int64, shape (tables, symbols)
    """
    words_of = np.zeros((len(lengths), MAX_LENGTH + 1, 3), np.int64)
    symbols = np.zeros_like(lengths)
    words = np.stack([spec.code_words(row) for row in lengths])
    for table, row in enumerate(lengths):
        ranked = sorted(np.flatnonzero(row).tolist(), key=lambda symbol: (row[symbol], symbol))
        symbols[table, : len(ranked)] = ranked
        for length in range(1, MAX_LENGTH + 1):
            own = [rank for rank, symbol in enumerate(ranked) if row[symbol] == length]
            if own:
                words_of[table, length] = words[table, ranked[own[0]]], len(own), own[0]
    return Codes(lengths, words, words_of, symbols)
