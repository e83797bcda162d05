"""Narrowings with a name, in gates: the same functions as `model.codec.arithmetic`, same names, same results."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value


def round_half_up(x: Value, shift: int) -> Value:
    """`floor(x / 2**shift + 1/2)` for `shift >= 1`: `Rounding.HALF_UP`. Costs an adder."""
    return (x + (1 << (shift - 1))) >> shift


def wrap_signed(x: Value, width: int) -> Value:
    """`x` modulo `2**width`, as two's complement: `Overflow.WRAP`. Costs nothing."""
    return x[:width].as_signed()


def saturate(x: Value, low: int, high: int) -> Value:
    """The nearest of `low ... high`: `Overflow.SATURATE`."""
    return Mux(x < low, Const(low), Mux(x > high, Const(high), x))


def sign(x: Value) -> Value:
    """-1, 0 or 1, in two signed bits."""
    negative = (x < 0) if x.shape().signed else Const(0, 1)
    return Cat(x != 0, negative).as_signed()


def delayed(m: Module, value: Any) -> Any:
    """A value, or a view of a structure, a clock later."""
    register = Signal.like(value, name="delayed")
    m.d.sync += register.eq(value)
    return register


def multiply(m: Module, a: Value, b: Value) -> Signal:
    """The product, registered: one hard multiplier where the target has them, with its output register inside."""
    product = Signal(Value.cast(a * b).shape(), reset_less=True, name="product")
    m.d.sync += product.eq(a * b)
    return product


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
