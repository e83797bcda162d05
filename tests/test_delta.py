"""Stage `delta`: the residual wraps, and decoding wraps back."""

import pytest

from model.codec import delta


def test_every_pair_of_8_bit_codes() -> None:
    for last in range(256):
        for code in range(256):
            residual = delta.residual(code, last, 8)
            assert -128 <= residual <= 127
            assert (residual - (code - last)) % 256 == 0
            assert delta.code(residual, last, 8) == code


@pytest.mark.parametrize("width", range(9, 17))
def test_every_code_at_the_edges(width: int) -> None:
    top = (1 << width) - 1
    half = 1 << (width - 1)
    for last in (0, 1, half - 1, half, half + 1, top - 1, top):
        for code in (*range(0, top + 1, 7), half - 1, half, half + 1, top):
            residual = delta.residual(code, last, width)
            assert -half <= residual < half
            assert delta.code(residual, last, width) == code


def test_small_steps_are_themselves_and_a_full_swing_is_one() -> None:
    assert delta.residual(515, 512, 10) == 3
    assert delta.residual(512, 515, 10) == -3
    assert delta.residual(0, 1023, 10) == 1
    assert delta.residual(1023, 0, 10) == -1


@pytest.mark.parametrize("width", range(8, 17))
def test_restart_is_the_middle(width: int) -> None:
    assert delta.restart(width) * 2 == 1 << width
