"""Codes as they are, one bit string: the form of a packet that coding would not make smaller."""

from model.codec import bits
from model.codec.compiled import compiled


@compiled
def encode(frames, first, ends, width, out):
    """Store one packet's codes; returns the bytes. The parameters are those of `model.codec.tiny.encode`."""
    at = acc = fill = 0
    for frame in range(frames.shape[0]):
        for channel in range(frames.shape[1]):
            if first + frame < ends[channel]:
                at, acc, fill = bits.put(out, at, acc, fill, int(frames[frame, channel]), width)
    return bits.flush(out, at, acc, fill)


@compiled
def decode(payload, first, ends, width, frames):
    """The inverse of `encode`: fills `frames`; returns the bytes that it used, or -1 if no encoder wrote this."""
    at = acc = fill = 0
    for frame in range(frames.shape[0]):
        for channel in range(frames.shape[1]):
            if first + frame < ends[channel]:
                at, acc, fill = bits.refill(payload, at, acc, fill)
                code, acc, fill = bits.take(acc, fill, width)
                frames[frame, channel] = code
    return bits.used(payload, at, acc, fill)


@compiled
def size(frames, first, ends, width):
    """Bytes that `encode` would give."""
    samples = 0
    for channel in range(ends.size):
        samples += min(frames, max(0, ends[channel] - first))
    return (samples * width + 7) // 8
