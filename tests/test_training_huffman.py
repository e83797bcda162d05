"""Tables of Huffman codes: no complete code is shorter, every level has a fitting one, also those never seen."""

import heapq
import itertools
import math

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.codec import huffman, rice
from model.spec import huffman as spec
from model.training import huffman as training
from model.training.huffman import SYMBOLS, TABLES, adaptive_huffman, binomial_huffman, huffman_lengths, mean_of_level

LISTS = st.lists(st.integers(0, 10_000), min_size=2, max_size=80)


def least_cost(weights: list[float]) -> float:
    """What Huffman's own algorithm reaches, words being as long as they like."""
    heap, cost = list(weights), 0.0
    heapq.heapify(heap)
    while len(heap) > 1:
        both = heapq.heappop(heap) + heapq.heappop(heap)
        cost += both
        heapq.heappush(heap, both)
    return cost


def laplace(scale: float, count: int, seed: int = 0) -> np.ndarray:
    """Folded residuals, int64."""
    values = np.rint(np.random.default_rng(seed).laplace(0, scale, count)).astype(np.int64)
    return np.where(values >= 0, 2 * values, -2 * values - 1)


@numba.njit
def _law_bits(folded, width, choices, lengths, words):
    by_huffman, by_rice, mean = 0, 0, rice.restart(width)
    for value in folded:
        by_huffman += huffman.code_word(value, choices[huffman.level(mean)], width, lengths, words)[1]
        by_rice += rice.code_word(value, rice.parameter(mean, width), width)[1]
        mean = rice.adapt(mean, value)
    return by_huffman, by_rice


def law_bits(folded: np.ndarray, choices: np.ndarray, lengths: np.ndarray) -> tuple[float, float]:
    """Bits a residual of 12 bits by the law's Huffman code with these tables, and by its adaptive Rice code."""
    by_huffman, by_rice = _law_bits(folded, 12, choices, lengths, huffman.codes(lengths).words)
    return by_huffman / len(folded), by_rice / len(folded)


@given(counts=LISTS)
def test_no_complete_code_is_shorter(counts: list[int]) -> None:
    lengths = huffman_lengths(np.array(counts))
    spec.code_words(lengths)  # complete
    weights = np.array(counts) + 1
    assert lengths.min() > 0 and lengths.dtype == np.int64
    assert weights @ lengths == least_cost(weights.tolist())
    shares = weights / weights.sum()
    entropy = -(shares * np.log2(shares)).sum()
    assert entropy - 1e-9 <= shares @ lengths < entropy + 1


def test_powers_of_two_reach_the_entropy() -> None:
    shares = 0.5 ** np.array([1, 2, 3, 4, 5, 6, 7, 8, 8])
    assert huffman_lengths(shares * 256 - 1).tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 8]
    assert huffman_lengths(shares[::-1] * 256 - 1).tolist() == [8, 8, 7, 6, 5, 4, 3, 2, 1]
    assert huffman_lengths(np.zeros(64)).tolist() == [6] * 64


@pytest.mark.parametrize("limit", [3, 4, 5])
def test_no_complete_code_within_the_limit_is_shorter(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(training, "MAX_LENGTH", limit)
    random, longer = np.random.default_rng(limit), 0
    for _ in range(40):
        counts = np.sort(np.floor(np.exp(random.uniform(0, 9, random.integers(2, 8)))))[::-1]
        found = [
            lengths
            for lengths in itertools.combinations_with_replacement(range(1, limit + 1), len(counts))
            if sum(0.5**length for length in lengths) == 1
        ]
        best = min((counts + 1) @ np.array(lengths) for lengths in found)
        assert (counts + 1) @ huffman_lengths(counts) == best
        longer += best > least_cost((counts + 1).tolist())
    assert longer > 0  # the limit was felt


def test_words_are_no_longer_than_allowed() -> None:
    counts = [1.0, 1.0]
    while len(counts) < 40:
        counts.append(counts[-1] + counts[-2])
    lengths = huffman_lengths(np.array(counts) - 1)
    spec.code_words(lengths)
    assert lengths.max() == spec.MAX_LENGTH == 20
    assert np.array(counts) @ lengths < 1.001 * least_cost(counts)


@pytest.mark.parametrize("symbols", [0, 1])
def test_one_symbol_is_no_code(symbols: int) -> None:
    with pytest.raises(ValueError, match=rf"counts: {symbols} symbols; give 2 to 1048576"):
        huffman_lengths(np.ones(symbols))


def test_the_mean_of_a_level_lies_in_it() -> None:
    levels = [level for level in range(4, spec.LEVELS) if level >= 12 or level % (4 >> (2 - level // 4 + 1)) == 0]
    for level in levels:
        raw = mean_of_level(np.array(level)) * 32
        assert huffman.level(int(raw)) == level or raw < 4
    assert (np.diff(mean_of_level(np.arange(spec.LEVELS))) > 0).all()


def check(choices: np.ndarray, lengths: np.ndarray, most: int) -> None:
    """Tables that the law takes, none of them idle."""
    assert choices.shape == (spec.LEVELS, 2) and lengths.shape[1] == SYMBOLS and len(lengths) <= most
    assert choices.dtype == lengths.dtype == np.int64
    assert sorted(set(choices[:, 0].tolist())) == list(range(len(lengths)))
    assert choices[:, 1].min() >= 0 and choices[:, 1].max() <= 16
    assert lengths.min() > 0 and spec.LENGTH.minimum <= lengths.max() <= spec.LENGTH.maximum
    for row in lengths:
        spec.code_words(row)


def geometric_loss(choices: np.ndarray, lengths: np.ndarray, level: int) -> float:
    """Bits a residual above the entropy of a geometric distribution with a level's mean, cut at 16 bits."""
    folded = np.arange(1 << 16)
    mean = mean_of_level(np.array(level))
    shares = (mean / (1 + mean)) ** folded
    shares /= shares.sum()
    entropy = -(shares[shares > 0] * np.log2(shares[shares > 0])).sum()
    table, low = choices[level]
    symbol = folded >> low
    escaped = symbol >= SYMBOLS - 1
    bits = np.where(escaped, lengths[table, -1] + 16, lengths[table, np.minimum(symbol, SYMBOLS - 1)] + low)
    return float(shares @ bits - entropy)


@pytest.mark.parametrize("seen", [(), (0.4, 4.0, 4.5, 5.0, 30.0)], ids=["none", "some"])
def test_levels_never_seen_have_fitting_codes(seen: tuple[float, ...]) -> None:
    choices, lengths = adaptive_huffman([laplace(scale, 60_000) for scale in seen])
    check(choices, lengths, TABLES)
    for level in range(20, 79):  # means of 1/2 to 2**14
        assert 0 <= geometric_loss(choices, lengths, level) < 0.15, level
    for level in range(20):
        assert lengths[choices[level, 0]][0] == 1 and choices[level, 1] == 0


@pytest.mark.parametrize(("tables", "most", "least_gain"), [(4, 0.09, 0.0), (8, 0.08, 0.01), (24, 0.065, 0.025)])
def test_tables_fitted_to_some_residuals_serve_others(tables: int, most: float, least_gain: float) -> None:
    scales = np.exp(np.linspace(0, 4, 24))
    choices, lengths = adaptive_huffman([laplace(scale, 20_000, 1) for scale in scales], tables)
    check(choices, lengths, tables)
    folded = [laplace(scale, 20_000, 2) for scale in scales]
    loss, against_rice = [], []
    for own in folded:
        counts = np.bincount(own)
        shares = counts[counts > 0] / len(own)
        bits, by_rice = law_bits(own, choices, lengths)
        loss.append(bits + (shares * np.log2(shares)).sum())
        against_rice.append(bits - by_rice)
    assert min(loss) > 0 and np.mean(loss) < most
    assert np.mean(against_rice) < -least_gain


def test_codes_fit_the_shape_of_what_was_seen() -> None:
    random = np.random.default_rng(3)
    folded = random.choice([0, 1, 6, 7], p=[0.16, 0.09, 0.25, 0.5], size=200_000)
    choices, lengths = adaptive_huffman([folded])
    level = int(huffman.level(int(32 * folded.mean())))
    assert choices[level, 1] == 0 and lengths[choices[level, 0], [0, 1, 6, 7]].tolist() == [3, 4, 2, 1]


def test_the_running_mean_is_the_laws() -> None:
    folded = laplace(5, 3000)
    histogram = np.zeros((spec.LEVELS, 1 + folded.max()), np.int64)
    training._count(folded, rice.restart(10), histogram)
    expected, mean = np.zeros_like(histogram), 16 * 32
    for value in folded.tolist():
        bits = mean.bit_length()
        expected[4 * bits + (8 * mean // 2**bits) % 4, value] += 1
        mean += (2 * (32 * value - mean) + 64) // 128
    assert np.array_equal(histogram, expected) and np.count_nonzero(histogram.sum(1)) > 3


@pytest.mark.parametrize(
    ("folded", "tables", "says"),
    [
        ([], 3, "tables: 3; give 4 to 40"),
        ([], 41, "tables: 41; give"),
        ([np.array([0, -1])], 24, "folded: a value"),
        ([np.array([1 << 16])], 24, "folded: a value"),
    ],
)
def test_what_gives_no_tables_is_refused(folded: list[np.ndarray], tables: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        adaptive_huffman(folded, tables)


@pytest.mark.parametrize("deviation", [0.6, 3.0, 8.0, 60.0])
def test_binomial_codes_are_near_the_entropy_of_a_normal_distribution(deviation: float) -> None:
    choices, lengths = binomial_huffman(deviation)
    assert not choices.any() and choices.shape == (spec.LEVELS, 2) and len(lengths) == 1
    spec.code_words(lengths[0])
    values = np.rint(np.random.default_rng(0).normal(0, deviation, 200_000)).astype(np.int64)
    counts = np.bincount(values - values.min())
    shares = counts[counts > 0] / len(values)
    bits, _ = law_bits(np.where(values >= 0, 2 * values, -2 * values - 1), choices, lengths)
    loss = bits + (shares * np.log2(shares)).sum()
    assert 0 <= loss < (0.05 if deviation > 1 else 0.2)
    reach = (lengths.shape[1] - 2) // 2
    assert reach == math.ceil(4 * deviation)


def test_binomial_codes_have_bounds() -> None:
    for deviation in (1e-3, 1e3, 1e9):
        lengths = binomial_huffman(deviation)[1]
        spec.code_words(lengths[0])
        assert lengths.shape == (1, 4 if deviation < 1 else 1024)
    assert binomial_huffman(1e-3)[1][0, 0] == 1
    assert binomial_huffman(1e9)[1][0, -1] == 1  # nearly all escape
    for wrong in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=r"deviation: .* give the residuals' standard deviation"):
            binomial_huffman(wrong)
