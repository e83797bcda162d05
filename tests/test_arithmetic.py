"""Every narrowing against plain integer division, exhaustively up to 12 bits and at the edges of wider formats."""

import pytest

from model.codec import arithmetic

WIDE = sorted({sign * (1 << n) + d for n in (0, 15, 16, 21, 31, 32, 47) for d in (-1, 0, 1) for sign in (-1, 1)})
NARROW = range(-(1 << 11), 1 << 11)


def cases(values: range) -> list[int]:
    return [*values, *WIDE]


@pytest.mark.parametrize("shift", range(13))
def test_floor_shift(shift: int) -> None:
    for x in cases(NARROW):
        assert arithmetic.floor_shift(x, shift) == x // 2**shift


@pytest.mark.parametrize("shift", range(1, 13))
def test_round_half_up(shift: int) -> None:
    for x in cases(NARROW):
        assert arithmetic.round_half_up(x, shift) == (2 * x + 2**shift) // 2 ** (shift + 1)


def test_halves_go_up_whatever_their_sign() -> None:
    assert [arithmetic.round_half_up(x, 1) for x in (-5, -3, -1, 1, 3, 5)] == [-2, -1, 0, 1, 2, 3]


@pytest.mark.parametrize("width", [1, 2, 8, 10, 12, 16])
def test_wrap_signed(width: int) -> None:
    low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
    for x in cases(range(-(1 << 12), 1 << 12)):
        wrapped = arithmetic.wrap_signed(x, width)
        assert low <= wrapped <= high
        assert (wrapped - x) % 2**width == 0


@pytest.mark.parametrize(("low", "high"), [(0, 0), (-128, 127), (0, 1023), (-(1 << 31), (1 << 31) - 1)])
def test_saturate(low: int, high: int) -> None:
    for x in cases(NARROW):
        assert arithmetic.saturate(x, low, high) == sorted((low, x, high))[1]


def test_bit_length() -> None:
    for x in (*range(1 << 12), *(w for w in WIDE if w >= 0)):
        assert arithmetic.bit_length(x) == x.bit_length()
