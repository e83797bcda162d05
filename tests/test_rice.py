"""Stage `rice`: folding, the mean, and every kind of code word against a decoder of strings."""

import itertools

import pytest

from model.codec import rice
from model.spec import rice as spec


def read_word(word: str, k: int, width: int) -> int:
    """The folded residual that a code word, as a string of bits, stands for."""
    zeros = len(word) - len(word.lstrip("0"))
    if zeros >= 15:
        assert len(word) == 15 + width
        return int(word[15:], 2)
    assert len(word) == zeros + 1 + k
    return zeros * 2**k + int("0" + word[zeros + 1 :], 2)


def test_fold_numbers_all_residuals_without_a_hole() -> None:
    residuals = range(-(1 << 15), 1 << 15)
    folded = [rice.fold(e) for e in residuals]
    assert sorted(folded) == list(range(1 << 16))
    assert [rice.unfold(u) for u in folded] == list(residuals)
    assert [rice.fold(e) for e in (0, -1, 1, -2, 2)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("width", range(8, 17))
def test_code_words_read_back(width: int) -> None:
    top = (1 << width) - 1
    step = 1 if width <= 10 else 37
    escaped = plain = 0
    for k in range(width):
        last_plain = (spec.ESCAPE_ZEROS << k) - 1
        edges = {u for u in (0, last_plain, last_plain + 1, top) if u <= top}
        for folded in edges | set(range(0, top + 1, step)):
            value, length = rice.code_word(folded, k, width)
            assert 0 <= value < 1 << width
            assert length <= spec.MAX_CODE_BITS
            assert read_word(f"{value:0{length}b}", k, width) == folded
            assert (length == spec.ESCAPE_ZEROS + width) == (folded > last_plain)
            escaped += folded > last_plain
            plain += folded <= last_plain
    assert escaped > 100 and plain > 100


@pytest.mark.parametrize("k", [0, 3, 9])
def test_no_code_word_begins_another(k: int) -> None:
    words = sorted(f"{v:0{n}b}" for v, n in (rice.code_word(u, k, 10) for u in range(1024)))
    assert len(set(words)) == 1024
    assert not any(b.startswith(a) for a, b in itertools.pairwise(words))


@pytest.mark.parametrize("width", range(8, 17))
def test_the_mean_never_leaves_its_format(width: int) -> None:
    form, top = spec.mean_format(width), (1 << width) - 1
    for mean in {*range(0, form.maximum + 1, 1 if width < 11 else 61), form.maximum - 31, form.maximum}:
        for folded in (0, 1, mean >> spec.MEAN_FRACTION, top - 1, top):
            if mean <= top << spec.MEAN_FRACTION:
                assert 0 <= rice.adapt(mean, folded) <= top << spec.MEAN_FRACTION <= form.maximum


def test_the_mean_moves_a_64th_of_the_way_and_halves_go_up() -> None:
    assert rice.adapt(32 * 100, 100) == 3200
    assert rice.adapt(0, 1) == (2 * 32 + 64) // 128 == 1
    assert rice.adapt(3200, 0) == 3200 - 50
    for mean in range(0, 1024 * 32, 13):
        for folded in (0, 5, 511, 1023):
            assert rice.adapt(mean, folded) == mean + (2 * (32 * folded - mean) + 64) // 128


@pytest.mark.parametrize("width", range(8, 17))
def test_the_parameter_is_the_length_of_seventeen_32nds_of_the_mean(width: int) -> None:
    ks = set()
    for mean in range(0, ((1 << width) - 1) * 32 + 1, 1 if width == 8 else 23):
        k = rice.parameter(mean, width)
        assert k == min((mean * 17 // 16 // 64).bit_length(), width - 1)
        ks.add(k)
    assert ks == set(range(width))


@pytest.mark.parametrize("width", range(8, 17))
def test_restart_is_a_mean_of_its_format(width: int) -> None:
    assert rice.restart(width) == 32 * 2 ** (width - 6) <= spec.mean_format(width).maximum
