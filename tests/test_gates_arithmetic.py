"""`hw.arithmetic`, the law's functions in gates, exhaustively; `hw.number`: formats that differ do not connect."""

import pytest
from amaranth.hdl import Module, Shape, Signal, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw import arithmetic as gates
from hw.number import Number, connect
from model.codec import arithmetic as law
from model.spec.numbers import Format
from tests.simulate import evaluate


@pytest.mark.parametrize("shift", [1, 2, 6, 9])
def test_round_half_up(shift: int) -> None:
    xs = range(-(1 << 11), 1 << 11)
    got = evaluate(lambda m, x: gates.round_half_up(x, shift), {"x": signed(12)}, ({"x": x} for x in xs))
    assert got == [law.round_half_up(x, shift) for x in xs]


@pytest.mark.parametrize("width", [1, 8, 11, 12])
def test_wrap_signed(width: int) -> None:
    xs = range(-(1 << 11), 1 << 11)
    got = evaluate(lambda m, x: gates.wrap_signed(x, width), {"x": signed(12)}, ({"x": x} for x in xs))
    assert got == [law.wrap_signed(x, width) for x in xs]


@pytest.mark.parametrize("form", [signed(12), unsigned(12)])
@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 900), (0, 1), (0, 1023), (-1023, 1023), (-1024, 1023), (-1, 1), (-2, 1), (-2047, 2047), (-2048, 2047)],
)
def test_saturate(low: int, high: int, form: Shape) -> None:
    xs = range(-(1 << 11), 1 << 11) if form.signed else range(1 << 12)
    got = evaluate(lambda m, x: gates.saturate(x, low, high), {"x": form}, ({"x": x} for x in xs))
    assert got == [law.saturate(x, low, high) for x in xs]


@pytest.mark.parametrize(("low", "high"), [(-5, 900), (1, 7), (-900, 900), (-9, 7)])
def test_limits_that_take_two_comparators_are_refused(low: int, high: int) -> None:
    with pytest.raises(ValueError, match=f"limits of {low} and {high}"):
        gates.saturate(Signal(12), low, high)


def test_bit_length() -> None:
    got = evaluate(gates.bit_length, {"x": unsigned(12)}, ({"x": x} for x in range(1 << 12)))
    assert got == [law.bit_length(x) for x in range(1 << 12)]


def test_rotate_left() -> None:
    rows = [{"x": 1 << bit | 5, "n": n} for bit in range(32) for n in range(32)]
    got = evaluate(lambda m, x, n: gates.rotate_left(x, n), {"x": unsigned(32), "n": unsigned(5)}, rows)
    assert got == [(r["x"] << r["n"] | r["x"] >> (32 - r["n"])) & 0xFFFFFFFF for r in rows]


def test_mask() -> None:
    got = evaluate(lambda m, n: gates.mask(n, 32), {"n": unsigned(6)}, ({"n": n} for n in range(33)))
    assert got == [((1 << n) - 1) << (32 - n) for n in range(33)]


@pytest.mark.parametrize("form", [Format(10), Format(15, 5), Format(10, signed=True), Format(10, 3)])
def test_only_equal_formats_connect(form: Format) -> None:
    class Source(wiring.Component):
        o: Out(stream.Signature(Number(Format(10))))

    class Sink(wiring.Component):
        def __init__(self) -> None:
            super().__init__({"i": In(stream.Signature(Number(form)))})

    if form == Format(10):
        connect(Module(), Source().o, Sink().i)
    else:
        with pytest.raises(TypeError, match="formats"):
            connect(Module(), Source().o, Sink().i)


def test_a_constant_fits_its_format() -> None:
    assert Number(Format(4, signed=True)).const(-8).value == -8
    with pytest.raises(ValueError, match="does not fit"):
        Number(Format(4, signed=True)).const(8)
