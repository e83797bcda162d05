"""The decoder: `packet -> rice -> delta -> frame`, the mirror of `compressor.py`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from model.codec import bits, delta, rice
from model.codec.compiled import compiled
from model.codec.compressor import restart_tiny
from model.codec.packet import Damage, Packet, Shape, StreamError, scan
from model.spec.config import MIN_WIDTH


@compiled
def decode_tiny(payload, first, ends, width, last, mean, frames):
    """The inverse of `encode_tiny`: fills `frames`; returns the bytes that it used, or -1 if no encoder wrote this."""
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
    return _used(payload, at, acc, fill)


@compiled
def decode_raw(payload, first, ends, width, last, mean, frames):
    """The inverse of `encode_raw`; state moves as if the codes had been coded."""
    at = acc = fill = 0
    for frame in range(frames.shape[0]):
        for channel in range(frames.shape[1]):
            if first + frame < ends[channel]:
                at, acc, fill = bits.refill(payload, at, acc, fill)
                code, acc, fill = bits.take(acc, fill, width)
                folded = rice.fold(delta.residual(code, last[channel], width))
                mean[channel] = rice.adapt(mean[channel], folded)
                last[channel] = code
                frames[frame, channel] = code
    return _used(payload, at, acc, fill)


@compiled
def _used(payload, at, acc, fill):
    """Bytes that a reader has begun, or -1 if it ran past the end or its padding is not zero."""
    used = at - (fill >> 3)
    if used > payload.size or acc >> (fill & ~7) != 0:
        return -1
    return used


@dataclass(frozen=True)
class Gap:
    """Frames that are missing, and why."""

    start: int
    frames: int
    reason: str


class Block(NamedTuple):
    """Frames decoded from one packet: `start` counts from the stream's first frame; `frames` are codes, uint16."""

    start: int
    frames: np.ndarray


@dataclass
class Decoded:
    """A whole stream.

    Parameters
    ----------
    shape : Shape
    origin : int
        Position of frame 0.
    frames : ndarray of uint16, shape (frames, channels)
        Frames in gaps are zero.
    gaps : list of Gap
    damage : list of Damage
    """

    shape: Shape
    origin: int
    frames: np.ndarray
    gaps: list[Gap] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)


class Decompressor:
    """Turns intact packets back into frames.

    Parameters
    ----------
    origin : int, optional
        Position of the stream's frame 0; by default that of the first packet that can be decoded.
    ends : array of int, shape (channels,), optional
        As given to the encoder.
    start : int
        Frames of the stream before the first packet that will be pushed: where a file is entered.
    """

    def __init__(self, *, origin: int | None = None, ends: np.ndarray | None = None, start: int = 0) -> None:
        self.shape: Shape | None = None
        self.origin = origin
        self.gaps: list[Gap] = []
        self.next = start  # the frame that should come now
        self._ends = ends
        self._synchronised = False
        self._lost = "its packet is lost"

    def push(self, packet: Packet) -> Block | None:
        """Decode one packet; None if it needs an earlier one that is lost.

        Raises
        ------
        StreamError
            If the packet contradicts the stream.
        """
        if packet.shape is not None:
            self._enter(packet.shape)
        if self.shape is None:
            return None
        if self.origin is None:
            self.origin = packet.position
        start = self.next + ((packet.position - self.origin - self.next) & 0xFFFFFFFF)
        if start - self.next >= 1 << 31:
            raise StreamError(f"packet at byte {packet.offset}: its frames came before; the stream is out of order")
        if start > self.next:
            self._gap(start - self.next, self._lost)
            self._synchronised = False
        if packet.shape is not None:
            restart_tiny(self._last, self._mean, self.shape.width)
        elif not self._synchronised:
            self._gap(packet.frames, "waits for a key packet")
            return None
        self._synchronised = True
        frames = np.zeros((packet.frames, self.shape.channels), np.uint16)
        payload = np.frombuffer(packet.payload, np.uint8)
        decode = decode_raw if packet.raw else decode_tiny
        used = decode(payload, start, self._stream_ends, self.shape.width, self._last, self._mean, frames)
        if used != len(payload):
            raise StreamError(f"packet at byte {packet.offset}: its payload does not decode; the encoder is at fault")
        self.next = start + packet.frames
        return Block(start, frames)

    def finish(self, frames: int) -> None:
        """Say how many frames the stream has; what is missing at its end becomes a gap."""
        if self.next < frames:
            self._gap(frames - self.next, self._lost)

    def _enter(self, shape: Shape) -> None:
        if self.shape is None:
            if shape.width < MIN_WIDTH:
                raise StreamError(f"packet: samples of {shape.width} bits; this release reads {MIN_WIDTH} to 16")
            self.shape = shape
            forever = np.full(shape.channels, np.iinfo(np.int64).max)
            self._stream_ends = forever if self._ends is None else np.asarray(self._ends, np.int64)
            if len(self._stream_ends) != shape.channels:
                raise StreamError(f"packet: {shape.channels} channels where {len(self._stream_ends)} were expected")
            self._last = np.zeros(shape.channels, np.int64)
            self._mean = np.zeros(shape.channels, np.int64)
        elif shape != self.shape:
            raise StreamError(f"packet: the stream changes from {self.shape} to {shape}; split it there")

    def _gap(self, frames: int, reason: str) -> None:
        previous = self.gaps[-1] if self.gaps else None
        if previous and previous.start + previous.frames == self.next:
            self.gaps[-1] = Gap(previous.start, previous.frames + frames, previous.reason)
        else:
            self.gaps.append(Gap(self.next, frames, reason))
        self.next += frames


def blocks(data: bytes | memoryview, decompressor: Decompressor) -> Iterator[Block | Damage]:
    """Decode a stream block by block; gaps gather in `decompressor.gaps`."""
    for item in scan(data):
        if isinstance(item, Damage):
            yield item
        else:
            block = decompressor.push(item)
            if block is not None:
                yield block


def decode(
    data: bytes | memoryview,
    *,
    frames: int | None = None,
    ends: np.ndarray | None = None,
    origin: int | None = None,
) -> Decoded:
    """Decode a whole stream.

    Parameters
    ----------
    data : bytes
    frames : int, optional
        Frames that the stream should have; missing ones become a gap. Default: as many as there are packets for.
    ends, origin
        As in `Decompressor`.

    Raises
    ------
    StreamError
        If no key packet is intact, or the stream contradicts itself.
    """
    decompressor = Decompressor(origin=origin, ends=ends)
    found: list[Block] = []
    damage: list[Damage] = []
    for item in blocks(data, decompressor):
        if isinstance(item, Damage):
            damage.append(item)
        else:
            found.append(item)
    if decompressor.shape is None or decompressor.origin is None:
        raise StreamError("stream: no intact key packet; this is not a stream, or all of it is damaged")
    if frames is not None:
        decompressor.finish(frames)
    total = max(decompressor.next, frames or 0)
    out = np.zeros((total, decompressor.shape.channels), np.uint16)
    for block in found:
        out[block.start : block.start + len(block.frames)] = block.frames
    return Decoded(decompressor.shape, decompressor.origin, out, decompressor.gaps, damage)
