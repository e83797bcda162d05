"""Bit strings, most significant bit first, zero-padded to whole bytes; used by coders and raw packets alike.

A writer is the tuple `(at, acc, fill)`: bytes written, pending bits, and their number (below 8). A reader is
`(at, acc, fill)`: bytes taken, window, and bits left in the window. Beyond its end a reader sees zeros; the caller
checks `used` against the length.
"""

from model.codec.compiled import compiled

WINDOW = 48  # a reader refills its window to at least this many bits; no code word is longer


@compiled
def put(out, at, acc, fill, value, length):
    """Append `length` bits (at most 48) of `value`; bytes past the end of `out` are counted, not stored."""
    acc = (acc << length) | value
    fill += length
    while fill >= 8:
        fill -= 8
        if at < out.size:
            out[at] = (acc >> fill) & 0xFF
        at += 1
    return at, acc & ((1 << fill) - 1), fill


@compiled
def flush(out, at, acc, fill):
    """Pad to a whole byte; returns the bytes of the string, which is longer than `out` if it did not fit."""
    if fill > 0:
        if at < out.size:
            out[at] = (acc << (8 - fill)) & 0xFF
        at += 1
    return at


@compiled
def refill(data, at, acc, fill):
    """Take bytes until the window holds at least `WINDOW` bits."""
    while fill < WINDOW:
        acc = (acc << 8) | (data[at] if at < data.size else 0)
        at += 1
        fill += 8
    return at, acc, fill


@compiled
def take(acc, fill, length):
    """Remove `length` bits from the window: `(value, acc, fill)`."""
    fill -= length
    return acc >> fill, acc & ((1 << fill) - 1), fill


@compiled
def leading_zeros(acc, fill, most):
    """Zeros before the first one in the window, counted up to `most`."""
    zeros = 0
    while zeros < most and (acc >> (fill - 1 - zeros)) & 1 == 0:
        zeros += 1
    return zeros


@compiled
def used(data, at, acc, fill):
    """Bytes that a reader has begun, or -1 if it ran past the end or its padding is not zero."""
    begun = at - (fill >> 3)
    if begun > data.size or acc >> (fill & ~7) != 0:
        return -1
    return begun
