"""Formats of the stage `huffman`: canonical Huffman codes of folded residuals, one of several tables at a time.

The running mean of folded residuals, that of the stage `rice`, chooses a table and a number of low bits: `level` counts
four even steps in each octave of it, and `choices[level]` is (table, low bits). The residual without its
low bits is a symbol, and the low bits follow as they are. The last symbol of a table is its escape: then follows the
whole folded residual, in as many bits as a code has. One table for all levels is a static Huffman code.
"""

from typing import Final

import numpy as np

from model.spec.config import ConfigError
from model.spec.numbers import Format

LEVEL_STEPS_BITS: Final = 2  # steps of a level in an octave, as a power of two
LEVELS: Final = 88  # a mean of 16 + 5 bits has levels below 88
MAX_LENGTH: Final = 20  # bits of a code word
LENGTH: Final = Format(5)  # 0: the symbol has no code word
CHOICE: Final = Format(8)


def code_words(lengths: np.ndarray) -> np.ndarray:
    """The canonical code: words of equal length in the order of symbols, shorter ones first; int64, as `lengths`.

    Parameters
    ----------
    lengths : ndarray of int64, shape (symbols,)

    Raises
    ------
    ConfigError
        If no complete prefix code has these lengths.
    """
    used = lengths[lengths > 0]
    if not len(used) or used.max() > MAX_LENGTH or (1 << (MAX_LENGTH - used)).sum() != 1 << MAX_LENGTH:
        raise ConfigError("parameter table 'huffman': lengths of no complete code; the program that wrote it erred")
    words = np.zeros(len(lengths), np.int64)
    word = last = 0
    for symbol in sorted(np.flatnonzero(lengths), key=lambda s: (lengths[s], s)):
        word <<= int(lengths[symbol]) - last
        last = int(lengths[symbol])
        words[symbol] = word
        word += 1
    return words
