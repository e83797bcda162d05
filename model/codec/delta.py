"""Stage `delta`: a sample is predicted by the channel's last one.

State of a channel: `last`, its last code, `width` bits; `2**(width - 1)` at a key packet. The residual wraps
(`Overflow.WRAP`) into `width` signed bits, so every sample has one and decoding wraps back.
"""

from model.codec.arithmetic import wrap_signed
from model.codec.compiled import compiled


@compiled
def restart(width):
    """`last` at a key packet: the middle of the code's range."""
    return 1 << (width - 1)


@compiled
def residual(code, last, width):
    """Residual of `code`, signed `width` bits."""
    return wrap_signed(code - last, width)


@compiled
def code(residual, last, width):
    """The code that has this residual: the inverse of `residual`."""
    return (last + residual) & ((1 << width) - 1)
