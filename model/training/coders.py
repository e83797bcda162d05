"""Entropy coders of prediction errors, on arrays: those of the published design that the law lacks.

A residual is a prediction error modulo `2**width`, -2**(width - 1) to 2**(width - 1) - 1; folded as in
`model.spec.rice`. Rice and Huffman codes are the law's own; what is left is arithmetic coding with fixed frequencies,
bzip2, and the errors as they are. `Coder` is what they have in common; none of their strings is part of a stream.
"""

import bz2
from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np

from model.codec import range as coding
from model.codec.compiled import compiled

_SHARES_BITS: Final = coding.PROBABILITY_BITS - 1  # a share has two units at least: no interval is too small for it
_WEIGHTS: Final = np.array([0] + [(16 + (b & 15)) << (b >> 4) for b in range(1, 256)])  # that a byte stands for


class Coder(Protocol):
    """Residuals to bytes and back, without loss."""

    def encode(self, residuals: np.ndarray, width: int) -> bytes:
        """The bytes of `residuals`, integers of `width` bits, 8 to 16; shape (count,). `ValueError` if they are not."""
        ...

    def decode(self, data: bytes, count: int, width: int) -> np.ndarray:
        """The inverse of `encode`, int64, shape (count,); `ValueError` if it did not write `data`."""
        ...


def _blank(count: int, width: int) -> np.ndarray:
    if count < 0 or not 8 <= width <= 16:
        raise ValueError(f"count, width: {count} residuals of {width} bits; give 0 or more, of 8 to 16 bits")
    return np.zeros(count, np.int64)


def _fold(residuals: np.ndarray, width: int) -> np.ndarray:
    _blank(0, width)
    half = 1 << (width - 1)
    if residuals.ndim != 1 or residuals.dtype.kind not in "iu":
        raise ValueError(f"residuals: {residuals.dtype} of shape {residuals.shape}; give integers, one dimension")
    if len(residuals) and not -half <= residuals.min() <= residuals.max() < half:
        raise ValueError(f"residuals: {residuals.min()} to {residuals.max()}; wrap them to {width} bits")
    wide = residuals.astype(np.int64)
    return np.where(wide >= 0, 2 * wide, -2 * wide - 1)


def _unfold(folded: np.ndarray) -> np.ndarray:
    return np.where(folded & 1, -((folded + 1) >> 1), folded >> 1)


def _wrap(values: np.ndarray, width: int) -> np.ndarray:
    half = 1 << (width - 1)
    return ((values + half) & ((1 << width) - 1)) - half


def _check(whole: bool, name: str, data: bytes, count: int, width: int) -> None:
    if not whole:
        raise ValueError(
            f"{name}: data: {len(data)} bytes do not hold {count} residuals of {width} bits; "
            "cut short or damaged, give all that was encoded"
        )


@compiled
def _put_shares(folded, width, low_bits, ends, out):
    """Symbols, and bits behind them, by the law's range coder; the bytes.

    `ends`, shape (symbols + 1,), are the bounds of the symbols' shares; the last symbol is the escape.
    """
    escape = ends.size - 2
    low, interval, count, held = coding.start()
    at = 0
    for number in range(folded.size):
        symbol = min(folded[number] >> low_bits, escape)
        below = coding.bound(ends[symbol], interval)
        above = coding.bound(ends[symbol + 1], interval)
        low, interval, count, held, at = coding.encode(low, count, held, out, at, below, above)
        rest = width if symbol == escape else low_bits
        for shift, size in ((min(rest, 8), max(rest - 8, 0)), (0, min(rest, 8))):
            part = (folded[number] >> shift) & ((1 << size) - 1)
            low, interval, count, held, at = coding.encode_even(low, interval, count, held, out, at, part, size)
    return coding.finish(low, count, held, out, at)


@compiled
def _take_shares(data, width, low_bits, ends, folded):
    """The inverse of `_put_shares`: fills `folded`; whether `data` holds just that."""
    escape, end, interval = ends.size - 2, data.size, coding.ONES
    value, ahead, last, at = coding.open_reader(data, 0, end)
    for number in range(folded.size):
        place = value >> ahead
        if place >= interval:
            return False
        symbol, beyond = 0, escape + 1
        while beyond - symbol > 1:
            middle = (symbol + beyond) >> 1
            if coding.bound(ends[middle], interval) <= place:
                symbol = middle
            else:
                beyond = middle
        below = coding.bound(ends[symbol], interval)
        value, interval, ahead = coding.take(value, ahead, below, coding.bound(ends[symbol + 1], interval))
        value, ahead, last, at = coding.refill(value, ahead, last, data, at, end)
        found, rest = (0, width) if symbol == escape else (symbol, low_bits)
        for size in (max(rest - 8, 0), min(rest, 8)):
            value, interval, ahead, last, at, part = coding.take_even(value, interval, ahead, last, data, at, end, size)
            if part >> size != 0:
                return False
            found = (found << size) | part
        if found >> width != 0:
            return False
        folded[number] = found
    return coding.finished(value, ahead, at, data, 0, end)


def _bits(counts: np.ndarray, total: int) -> np.ndarray:
    return counts * np.log2(total / np.maximum(counts, 1))


def _frequencies(folded: np.ndarray, width: int) -> tuple[int, np.ndarray]:
    """Low bits, and weights of the symbols and the escape, as bytes: so many of each that all takes least."""
    found = []
    for low_bits in range(width - 7):
        counts = np.bincount(folded >> low_bits)[:255]
        rest = len(folded) - np.append(0, np.cumsum(counts))
        own = np.append(0, np.cumsum(_bits(counts, len(folded)) + low_bits * counts))
        cost = own + _bits(rest, len(folded)) + width * rest + 8 * np.arange(len(rest))
        symbols = int(cost.argmin())
        found.append((cost[symbols], low_bits, np.append(counts[:symbols], rest[symbols])))
    _, low_bits, sent = min(found, key=lambda one: one[:2])
    nearest = np.searchsorted(_WEIGHTS[1:], sent * (_WEIGHTS[-1] / sent.max()), "right")
    return low_bits, np.where(sent > 0, np.maximum(nearest, 1), 0).astype(np.uint8)


def _ends(weights: np.ndarray) -> np.ndarray:
    """Upper bounds of the symbols' shares, of `PROBABILITY_BITS`, with 0 before the first; int64."""
    weight = _WEIGHTS[weights]
    used = weight > 0
    shares = used + weight * ((1 << _SHARES_BITS) - used.sum()) // weight.sum()
    shares[weight.argmax()] += (1 << _SHARES_BITS) - shares.sum()
    return np.append(0, np.cumsum(2 * shares))


class Arithmetic:
    """Fixed frequencies and the law's range coder.

    A byte for the number of low bits, 0 to 8; a byte n; n + 1 bytes for the frequencies of symbols 0 to n - 1, which
    are folded residuals without their low bits, and of the escape: byte b > 0 is a weight of
    `(16 + b % 16) * 2**(b // 16)`, byte 0 is none. Then the string, with the low bits behind each symbol, and the
    whole folded residual behind an escape.
    """

    def encode(self, residuals: np.ndarray, width: int) -> bytes:
        """As of `Coder`."""
        folded = _fold(residuals, width)
        if not len(folded):
            return b""
        low_bits, weights = _frequencies(folded, width)
        out = np.zeros(5 * len(folded) + coding.SPARE_BYTES, np.uint8)
        size = _put_shares(folded, width, low_bits, _ends(weights), out)
        return bytes([low_bits, len(weights) - 1]) + weights.tobytes() + out[:size].tobytes()

    def decode(self, data: bytes, count: int, width: int) -> np.ndarray:
        """As of `Coder`."""
        folded, begin = _blank(count, width), 3 + data[1] if len(data) > 1 else 2
        weights = np.frombuffer(data[2:begin], np.uint8)
        whole = len(data) > begin and data[0] <= 8 and bool(weights.any()) if count else not data
        if whole and count:
            string = np.frombuffer(data[begin:], np.uint8)
            whole = bool(_take_shares(string, width, data[0], _ends(weights), folded))
        _check(whole, "arithmetic", data, count, width)
        return _unfold(folded)


class Bzip2:
    """bzip2 of one signed byte a residual; -128 stands for one beyond 127, which follows behind them all, in int16."""

    def encode(self, residuals: np.ndarray, width: int) -> bytes:
        """As of `Coder`."""
        _fold(residuals, width)
        far = np.abs(residuals.astype(np.int64)) > 127
        return bz2.compress(
            np.where(far, -128, residuals).astype("i1").tobytes() + residuals[far].astype("<i2").tobytes()
        )

    def decode(self, data: bytes, count: int, width: int) -> np.ndarray:
        """As of `Coder`."""
        _blank(count, width)
        reader = bz2.BZ2Decompressor()
        try:
            plain = reader.decompress(data, 3 * count + 1)
            plain += b"" if reader.eof else reader.decompress(b"", 1)
        except (OSError, ValueError, EOFError):
            plain = b""
        residuals = np.frombuffer(plain[:count], "i1").astype(np.int64)
        far = residuals == -128
        whole = reader.eof and not reader.unused_data and len(plain) == count + 2 * int(far.sum())
        _check(whole, "bzip2", data, count, width)
        residuals[far] = np.frombuffer(plain[count:], "<i2")
        _check(bool((_wrap(residuals, width) == residuals).all()), "bzip2", data, count, width)
        return residuals


class Identity:
    """The residuals as they are, `width` bits each, most significant bit first, zeros up to a byte."""

    def encode(self, residuals: np.ndarray, width: int) -> bytes:
        """As of `Coder`."""
        _fold(residuals, width)
        words = residuals.astype(">i2").view(np.uint8).reshape(-1, 2)
        return np.packbits(np.unpackbits(words, axis=1)[:, 16 - width :]).tobytes()

    def decode(self, data: bytes, count: int, width: int) -> np.ndarray:
        """As of `Coder`."""
        _blank(count, width)
        found = np.unpackbits(np.frombuffer(data, np.uint8))
        whole = len(data) == -(-count * width // 8) and not found[count * width :].any()
        _check(whole, "identity", data, count, width)
        words = np.pad(found[: count * width].reshape(count, width), ((0, 0), (16 - width, 0)))
        return _wrap(np.packbits(words).view(">u2").astype(np.int64), width)


CODERS: Final[Mapping[str, Coder]] = {
    "arithmetic": Arithmetic(),
    "bzip2": Bzip2(),
    "identity": Identity(),
}
"""By the names of `model.training.schema_network.Coder`; its other kinds are the law's."""
