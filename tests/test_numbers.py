"""Formats know their range, their spelling and their limits."""

import pytest

from model.spec.numbers import Format


@pytest.mark.parametrize("width", range(1, 13))
@pytest.mark.parametrize("signed", [False, True])
def test_the_range_holds_every_pattern_once(width: int, signed: bool) -> None:
    form = Format(width, 0, signed)
    values = range(form.minimum, form.maximum + 1)
    assert len({v % 2**width for v in values}) == len(values) == 2**width
    assert (form.minimum < 0) == signed


def test_spelling() -> None:
    assert str(Format(15, 5)) == "u15.5"
    assert str(Format(8, 7, signed=True)) == "s8.7"


def test_equality_is_of_all_three() -> None:
    assert Format(8, 2) == Format(8, 2)
    assert len({Format(8, 2), Format(8, 3), Format(9, 2), Format(8, 2, True)}) == 4


@pytest.mark.parametrize(
    ("width", "fraction", "word"), [(0, 0, "width"), (65, 0, "width"), (8, -1, "fraction"), (8, 9, "fraction")]
)
def test_out_of_range_is_refused(width: int, fraction: int, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Format(width, fraction)
