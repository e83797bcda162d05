"""Profile `tiny`: `delta -> rice`, one channel after the other, and back."""

import numpy as np

from model.codec import bits, delta, rice
from model.codec.compiled import compiled


@compiled
def restart(last, mean, width):
    """Every channel's state at a key packet."""
    for channel in range(last.size):
        last[channel] = delta.restart(width)
        mean[channel] = rice.restart(width)


@compiled
def encode(frames, first, ends, width, last, mean, out):
    """Code one packet into `out`; returns the bytes of its coded form, which is cut where `out` ends.

    Parameters
    ----------
    frames : ndarray of uint16, shape (frames, channels)
    first : int
        Frames of the stream before this packet; with `ends` it tells which channels have ended.
    ends : ndarray of int64, shape (channels,)
        Frames after which a channel has no more samples.
    width : int
    last, mean : ndarray of int64, shape (channels,)
        State of `delta` and `rice`, updated.
    out : ndarray of uint8
    """
    at = acc = fill = 0
    for frame in range(frames.shape[0]):
        for channel in range(frames.shape[1]):
            if first + frame < ends[channel]:
                code = np.int64(frames[frame, channel])
                residual = delta.residual(code, last[channel], width)
                last[channel] = code
                folded = rice.fold(residual)
                k = rice.parameter(mean[channel], width)
                mean[channel] = rice.adapt(mean[channel], folded)
                value, length = rice.code_word(folded, k, width)
                at, acc, fill = bits.put(out, at, acc, fill, value, length)
    return bits.flush(out, at, acc, fill)


@compiled
def decode(payload, first, ends, width, last, mean, frames):
    """The inverse of `encode`: fills `frames`; returns the bytes that it used, or -1 if no encoder wrote this."""
    at = acc = fill = 0
    for frame in range(frames.shape[0]):
        for channel in range(frames.shape[1]):
            if first + frame < ends[channel]:
                at, acc, fill = bits.refill(payload, at, acc, fill)
                k = rice.parameter(mean[channel], width)
                zeros = bits.leading_zeros(acc, fill, rice.ESCAPE_ZEROS)
                if zeros == rice.ESCAPE_ZEROS:
                    folded, acc, fill = bits.take(acc, fill, zeros + width)
                else:
                    tail, acc, fill = bits.take(acc, fill, zeros + 1 + k)
                    folded = (zeros << k) | (tail & ((1 << k) - 1))
                    if folded >> width != 0:
                        return -1
                mean[channel] = rice.adapt(mean[channel], folded)
                code = delta.code(rice.unfold(folded), last[channel], width)
                last[channel] = code
                frames[frame, channel] = code
    return bits.used(payload, at, acc, fill)


class Tiny:
    """The chain of profile `tiny`.

    Parameters
    ----------
    width : int
    ends : ndarray of int64, shape (channels,)
    """

    def __init__(self, width: int, ends: np.ndarray) -> None:
        self._width, self._ends = width, ends
        self._last, self._mean = np.zeros(len(ends), np.int64), np.zeros(len(ends), np.int64)
        self._out = np.zeros(0, np.uint8)

    def restart(self) -> None:
        """Set every channel's state as at a key packet."""
        restart(self._last, self._mean, self._width)

    def encode(self, frames: np.ndarray, first: int, limit: int) -> bytes | None:
        """The coded form of a packet if it has less than `limit` bytes, or None; see `model.codec.chain.Chain`."""
        if self._out.size < limit:
            self._out = np.zeros(limit, np.uint8)
        size = encode(frames, first, self._ends, self._width, self._last, self._mean, self._out[:limit])
        return self._out[:size].tobytes() if size < limit else None

    def decode(self, payload: np.ndarray, frames: np.ndarray, first: int, limit: int) -> bool:
        """Fill `frames` from a coded form; False if no encoder wrote it."""
        used = decode(payload, first, self._ends, self._width, self._last, self._mean, frames)
        return used == payload.size
