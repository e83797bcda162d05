"""Narrowings with a name, in gates: the same functions as `model.codec.arithmetic`, same names, same results."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value


def round_half_up(x: Value, shift: int) -> Value:
    """`floor(x / 2**shift + 1/2)` for `shift >= 1`: `Rounding.HALF_UP`. Costs an adder."""
    return (x + (1 << (shift - 1))) >> shift


def wrap_signed(x: Value, width: int) -> Value:
    """`x` modulo `2**width`, as two's complement: `Overflow.WRAP`. Costs nothing."""
    return x[:width].as_signed()


def saturate(x: Value, low: int, high: int) -> Value:
    """The nearest of `low ... high`: `Overflow.SATURATE`. `low` is 0, `-high` or `-high - 1`.

    A look at the bits that do not fit is enough, if `high` is all ones; otherwise it takes a comparator.
    """
    bits = high.bit_length()
    whole = high + 1 == 1 << bits
    if low not in (0, -high, -high - 1) or (low and not whole):
        raise ValueError(f"limits of {low} and {high} are not built; give a low one of 0")
    negative = x[-1] if x.shape().signed else Const(0, 1)
    beyond = x[bits:]
    over = ~negative & (beyond.any() if whole else beyond.any() | (x[:bits] > high))
    if low == 0:
        return Mux(negative, 0, Mux(over, high, x[:bits]))
    under = negative & ~beyond.all()
    if low == -high:
        under |= negative & ~x[:bits].any()
    return Mux(under, Const(low, Shape(bits + 1, signed=True)), Mux(over, high, x[: bits + 1].as_signed()))


def sign(x: Value) -> Value:
    """-1, 0 or 1, in two signed bits."""
    negative = (x < 0) if x.shape().signed else Const(0, 1)
    return Cat(x != 0, negative).as_signed()


def delayed(m: Module, value: Any, *, reset: bool = True) -> Any:
    """A value, or a view of a structure, a clock later; its register may do without `reset`."""
    register = Signal.like(value, name="delayed", reset_less=not reset)
    m.d.sync += register.eq(value)
    return register


def bit_length(m: Module, x: Value) -> Signal:
    """Bits needed for unsigned `x`: 0 for 0, else `floor(log2(x)) + 1`. A priority chain."""
    out = Signal(range(len(x) + 1), name="bit_length")
    for position in range(len(x)):
        with m.If(x[position]):
            m.d.comb += out.eq(position + 1)
    return out


def rotate_left(x: Value, amount: Value) -> Value:
    """`x` rotated by `amount`, a logarithmic shifter; the width of `x` is a power of two, 2**len(amount)."""
    for level in range(len(amount)):
        x = Mux(amount[level], x.rotate_left(1 << level), x)
    return x


def mask(length: Value, width: int) -> Value:
    """`width` bits of which the uppermost `length` are ones."""
    return Cat(length > (width - 1 - position) for position in range(width))
