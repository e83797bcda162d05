"""Tables of the law's Huffman codes: adaptive ones, fitted to recordings, and the published static one.

Measured, in bits a sample, on every sixth training recording with the tables of the others, without key packets;
residuals of delta (and of a linear prediction of order 7): adaptive Rice 4.732 (4.692), these tables 4.656 (4.618), the
entropy of a residual given its level 4.616 (4.576). A Huffman code of 1024 symbols for each level reaches no more than
4.659 (4.620). With 32 symbols instead of 64 4.666, with 128 4.656; with `FIRST_SHARED` 36 4.660, 32 4.674.
Eight tables, 2560 bits of memory, lose less than 0.001 there, four 0.04; more serve recordings of other loudness.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from model.codec import huffman, rice
from model.codec.compiled import compiled
from model.spec import huffman as spec
from model.spec.huffman import LEVELS, MAX_LENGTH
from model.spec.rice import MEAN_FRACTION
from model.spec.spikey import REFERENCE_WIDTH

TABLES: Final = 24
SYMBOLS: Final = 64  # of a table; with `TABLES`, 24 * 64 lengths of 5 bits are 7680 bits of memory
LOW_BITS: Final = 11  # numbers of low bits to choose from: with 10, 64 symbols hold all 16 bits
FIRST_SHARED: Final = 40  # level of a mean of 16: above, the search begins with the tables of the octave below
PRIOR: Final = 1024  # residuals of a geometric distribution that every level is given besides those seen
ROUNDS: Final = 50  # of the search, at most
REACH: Final = 4  # standard deviations that a binomial code has words for
MOST_SYMBOLS: Final = 1024  # of a binomial code
_STEPS: Final = 1 << spec.LEVEL_STEPS_BITS  # levels in an octave
_FINE: Final = 2.0**40  # beside it, the one added to every count is nothing


def huffman_lengths(counts: np.ndarray) -> np.ndarray:
    """Lengths of the best complete prefix code of which no word is longer than `MAX_LENGTH`, by package merge.

    Every symbol has a word: each is counted once more than it was. Of equal counts the first has the shorter word.
    Source: Larmore and Hirschberg, A fast algorithm for optimal length-limited Huffman codes, 1990.

    Parameters
    ----------
    counts : ndarray, shape (symbols,)
        How often each symbol occurs, integers or not; the escape's is the last.

    Returns
    -------
    ndarray of int64, shape (symbols,)

    Raises
    ------
    ValueError
        If there are not 2 to `2**MAX_LENGTH` symbols.
    """
    if not 2 <= len(counts) <= 1 << MAX_LENGTH:
        raise ValueError(f"counts: {len(counts)} symbols; give 2 to {1 << MAX_LENGTH}, the escape one of them")
    wanted = np.asarray(counts, np.float64) + 1
    order = np.argsort(-wanted, kind="stable")[::-1]
    leaves = wanted[order]
    weights, rows = leaves, [np.ones(len(leaves), bool)]  # rows: is it a leaf, or a package of two?
    for _ in range(MAX_LENGTH - 1):
        joined = np.concatenate([leaves, weights[: len(weights) // 2 * 2].reshape(-1, 2).sum(1)])
        rank = np.argsort(joined, kind="stable")
        weights = joined[rank]
        rows.append(rank < len(leaves))
    lengths, taken = np.zeros(len(leaves), np.int64), 2 * len(leaves) - 2
    for row in reversed(rows):
        own = int(row[:taken].sum())
        lengths[order[:own]] += 1
        taken = 2 * (taken - own)
    return lengths


def mean_of_level(level: np.ndarray) -> np.ndarray:
    """The mean of folded residuals in the middle of a level of `model.codec.huffman.level`; float64."""
    return (_STEPS + level % _STEPS + 0.5) / (2 * _STEPS) * 2.0 ** (level // _STEPS - MEAN_FRACTION)


@compiled
def _count(folded, mean, histogram):
    """Add to `histogram`, shape (LEVELS, values), a recording that begins with the running mean `mean`."""
    for value in folded:
        histogram[huffman.level(mean), value] += 1
        mean = rice.adapt(mean, value)


def _symbol_counts(folded: Sequence[np.ndarray]) -> np.ndarray:
    """Symbols seen or to be expected at each level by each number of low bits; (LEVELS, LOW_BITS, SYMBOLS)."""
    size = 1 + max((int(u.max()) for u in folded if len(u)), default=0)
    histogram = np.zeros((LEVELS, size), np.int64)
    for recording in folded:
        _count(recording, rice.restart(REFERENCE_WIDTH), histogram)
    begins = np.arange(SYMBOLS) << np.arange(LOW_BITS)[:, None]
    below = np.concatenate([np.zeros((LEVELS, 1)), np.cumsum(histogram, axis=1)], axis=1)
    ends = np.append(begins[:, 1:], np.full((LOW_BITS, 1), size), axis=1)
    seen = below[:, np.minimum(ends, size)] - below[:, np.minimum(begins, size)]
    mean = mean_of_level(np.arange(LEVELS))[:, None, None]
    beyond = np.append((mean / (1 + mean)) ** begins, np.zeros((LEVELS, LOW_BITS, 1)), axis=2)
    return seen - PRIOR * np.diff(beyond, axis=2)


def adaptive_huffman(folded: Sequence[np.ndarray], tables: int = TABLES) -> tuple[np.ndarray, np.ndarray]:
    """Tables of the law's Huffman codes, by Lloyd's algorithm: codes of tables, then the best choice of each level.

    It begins with a table for each of the `tables` levels below `FIRST_SHARED`, and for those above with the tables of
    the octave below and one more low bit, as distributions of another scale have the same shape. Levels that were
    never seen choose by geometric distributions of their mean. A code word costs what it costs at 16 bits.

    Parameters
    ----------
    folded : sequence of ndarray of int64, shape (frames,)
        Folded residuals, a recording each; the running mean begins as at 10 bits.
    tables : int
        At most; 4 to 40.

    Returns
    -------
    choices : ndarray of int64, shape (LEVELS, 2)
        Table and low bits.
    lengths : ndarray of int64, shape (tables, SYMBOLS)

    Raises
    ------
    ValueError
        If `tables` is out of range, or a value is no folded residual of at most 16 bits.
    """
    level = np.arange(LEVELS)
    if not _STEPS <= tables <= FIRST_SHARED:
        raise ValueError(f"tables: {tables}; give {_STEPS} to {FIRST_SHARED}")
    if any(len(u) and not 0 <= u.min() <= u.max() < 1 << 16 for u in folded):
        raise ValueError("folded: a value is not one of 16 bits; give folded residuals, 0 to 65535")
    counts = _symbol_counts(folded)
    low = np.clip((level - FIRST_SHARED) // _STEPS + 1, 0, LOW_BITS - 1)
    table = np.clip(level - _STEPS * low - (FIRST_SHARED - tables), 0, tables - 1)
    low_bits = np.repeat(np.arange(LOW_BITS)[:, None], SYMBOLS, axis=1)
    low_bits[:, -1] = 16  # the escape's
    for _ in range(ROUNDS):
        kept = [counts[table == t, low[table == t]].sum(0) for t in np.unique(table)]
        lengths = np.stack([huffman_lengths(row) for row in kept])
        costs = np.einsum("lks,tks->ltk", counts, (lengths[:, None] + low_bits).astype(np.float64))
        before, (table, low) = (table, low), np.divmod(costs.reshape(LEVELS, -1).argmin(1), LOW_BITS)
        if np.array_equal(before, (table, low)):
            break
    used, table = np.unique(table, return_inverse=True)
    return np.stack([table, low], axis=1).astype(np.int64), lengths[used]


def binomial_huffman(deviation: float) -> tuple[np.ndarray, np.ndarray]:
    """The published static code: Huffman words of a normal distribution, one table for all levels, no low bits.

    Residuals beyond `REACH` deviations, or beyond `MOST_SYMBOLS` symbols, take the escape.

    Parameters
    ----------
    deviation : float
        Standard deviation of the residuals, in codes.

    Returns
    -------
    choices, lengths
        As those of `adaptive_huffman`, with one table.

    Raises
    ------
    ValueError
        If the deviation is not a number above 0.
    """
    if not 0 < deviation < math.inf:
        raise ValueError(f"deviation: {deviation}; give the residuals' standard deviation, a number above 0")
    reach = math.ceil(min(REACH * deviation, MOST_SYMBOLS / 2 - 1))
    edges = np.arange(reach + 2) - 0.5
    beyond = np.array([math.erfc(edge / deviation / math.sqrt(2)) / 2 for edge in edges])
    shares = -np.diff(beyond)  # of residuals 0, 1, ... reach; those of -1, -2, ... are equal
    folded = np.append(np.repeat(shares, 2)[1:], 2 * beyond[-1])
    return np.zeros((LEVELS, 2), np.int64), huffman_lengths(folded * _FINE)[None]
