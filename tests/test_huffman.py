"""Stage `huffman`: canonical codes, levels, and tables that are refused."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import code_lengths

from model.codec import bits, huffman
from model.spec import huffman as spec
from model.spec import rice
from model.spec.config import ConfigError

INCOMPLETE = {
    "none": [0, 0],
    "one symbol": [0, 1],
    "room left": [1, 2, 3],
    "too many": [1, 1, 1],
    "too many short ones": [1, 1, 2, 2],
    "too long": [*range(1, 22), 21],
}


def words(lengths: np.ndarray) -> list[str]:
    """The code words as text, "" for a symbol without one."""
    found = spec.code_words(lengths).tolist()
    return [f"{word:0{n}b}" if n else "" for word, n in zip(found, lengths.tolist(), strict=True)]


@given(st.integers(0, 2**32), st.integers(2, 40), st.integers(0, 5), st.booleans())
@settings(deadline=None, derandomize=True, max_examples=200)
def test_words_are_canonical_and_free_of_prefixes(seed: int, symbols: int, unused: int, sort: bool) -> None:
    lengths = code_lengths(np.random.default_rng(seed), symbols, unused, sort=sort)
    found = [(len(word), symbol, word) for symbol, word in enumerate(words(lengths)) if word]
    assert len(found) == symbols
    ordered = [word for _, _, word in sorted(found)]
    assert ordered == sorted(ordered), "shorter words, and of those the words of earlier symbols, have smaller values"
    assert not any(later.startswith(word) for word, later in itertools.pairwise(ordered))
    assert sum(2.0 ** -len(word) for word in ordered) == 1


def test_a_known_code() -> None:
    assert words(np.array([2, 0, 3, 1, 3])) == ["10", "", "110", "0", "111"]


@given(st.integers(0, 2**32), st.integers(2, 300), st.integers(8, 16))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_every_residual_comes_back_from_its_word(seed: int, symbols: int, width: int) -> None:
    random = np.random.default_rng(seed)
    own = huffman.codes(np.stack([code_lengths(random, symbols, 3) for _ in range(2)]))
    escape = own.lengths.shape[1] - 1
    top = (1 << width) - 1
    for folded in {0, 1, min(escape - 1, top), min(escape, top), top, *random.integers(0, top, 20).tolist()}:
        table, low = int(random.integers(2)), int(random.integers(17))
        value, length = huffman.code_word(folded, np.array([table, low]), width, own.lengths, own.words)
        assert value >> length == 0 and length <= spec.MAX_LENGTH + max(width, low) <= bits.WINDOW
        window = value << (bits.WINDOW - length) | int(random.integers(1 << (bits.WINDOW - length)))
        symbol, taken = huffman.find(window, bits.WINDOW, table, own.words_of, own.symbols)
        rest = value & ((1 << (length - taken)) - 1)
        plain = folded >> low < escape and own.lengths[table, folded >> low] > 0
        assert (symbol != escape) == plain
        assert ((symbol << low) | rest if plain else rest) == folded
        assert length - taken == (low if plain else width)


@given(st.integers(0, 2**32), st.integers(2, 200), st.integers(0, 2**bits.WINDOW - 1))
@settings(deadline=None, derandomize=True, max_examples=300)
def test_any_bits_begin_with_a_word(seed: int, symbols: int, window: int) -> None:
    lengths = code_lengths(np.random.default_rng(seed), symbols, 2)
    own = huffman.codes(lengths[None])
    for some in (window, 0, (1 << bits.WINDOW) - 1):
        symbol, length = huffman.find(some, bits.WINDOW, 0, own.words_of, own.symbols)
        assert f"{some:0{bits.WINDOW}b}".startswith(words(lengths)[symbol]) and length == lengths[symbol] > 0


def test_the_longest_words() -> None:
    lengths = np.array([*range(1, spec.MAX_LENGTH + 1), spec.MAX_LENGTH])
    own = huffman.codes(lengths[None])
    ones = (1 << bits.WINDOW) - 1
    assert huffman.find(ones, bits.WINDOW, 0, own.words_of, own.symbols) == (spec.MAX_LENGTH, spec.MAX_LENGTH)
    assert huffman.find(ones ^ (1 << 28), bits.WINDOW, 0, own.words_of, own.symbols) == (19, spec.MAX_LENGTH)


@pytest.mark.parametrize("lengths", INCOMPLETE.values(), ids=INCOMPLETE)
def test_lengths_of_no_complete_code_are_refused(lengths: list[int]) -> None:
    with pytest.raises(ConfigError, match="'huffman': lengths of no complete code"):
        spec.code_words(np.array(lengths, np.int64))


@pytest.mark.parametrize("width", [8, 10, 16])
def test_levels_rise_four_times_an_octave_and_have_room(width: int) -> None:
    means = np.arange(rice.mean_format(width).maximum + 1)
    levels = np.array([huffman.level(mean) for mean in means[: 1 << 15]] + [huffman.level(means[-1])])
    assert (np.diff(levels) >= 0).all() and levels[-1] < spec.LEVELS
    assert (levels[0], levels[1], levels[2], levels[3]) == (0, 4, 8, 10)
    for mean in range(4, len(levels) - 1):
        octave, rest = mean.bit_length() - 1, mean - (1 << mean.bit_length() - 1)
        assert levels[mean] == 4 * (octave + 1) + 4 * rest // (1 << octave)
    assert huffman.level(rice.mean_format(16).maximum) == spec.LEVELS - 1
