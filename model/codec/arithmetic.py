"""Narrowings with a name, on int64 scalars inside compiled loops; `hw.arithmetic` is the same in gates."""

from numba.core import types
from numba.extending import intrinsic

from model.codec.compiled import compiled


@compiled
def floor_shift(x, shift):
    """`floor(x / 2**shift)`: `Rounding.FLOOR`."""
    return x >> shift


@compiled
def round_half_up(x, shift):
    """`floor(x / 2**shift + 1/2)` for `shift >= 1`: `Rounding.HALF_UP`."""
    return (x + (1 << (shift - 1))) >> shift


@compiled
def wrap_signed(x, width):
    """`x` modulo `2**width`, as two's complement: `Overflow.WRAP`."""
    half = 1 << (width - 1)
    return ((x + half) & ((1 << width) - 1)) - half


@compiled
def saturate(x, low, high):
    """The nearest of `low ... high`: `Overflow.SATURATE`."""
    return low if x < low else (high if x > high else x)


@compiled
def bit_length(x):
    """Bits needed for `x >= 0`: 0 for 0, else `floor(log2(x)) + 1`."""
    return 64 - _leading_zeros(x)  # type: ignore[call-arg]  # mypy does not see what the decorator makes


@compiled
def sign(x):
    """-1, 0 or 1."""
    return (x > 0) - (x < 0)


@intrinsic
def _leading_zeros(_context, x):
    """Zeros before the first one of a 64-bit integer: one instruction."""

    def generate(context, builder, _signature, arguments):
        return builder.ctlz(arguments[0], context.get_constant(types.boolean, False))

    return types.int64(types.int64), generate
