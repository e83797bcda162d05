"""The decoder: packets go back through the profile's chain of stages, the mirror of `compressor.py`."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from model.codec import chain, raw
from model.codec.compressor import FOREVER
from model.codec.packet import Damage, Packet, Shape, StreamError, scan
from model.spec import packet as spec
from model.spec import shipped
from model.spec.config import MIN_WIDTH, ConfigError
from model.spec.parameters import ParameterSet

BATCH_SAMPLES = 1 << 22  # for each thread, planned at least before threads decode them together
MOST_SAMPLES = 1 << 25  # for each thread, planned at most: bounds memory

Find = Callable[[int], ParameterSet | None]


class MissingParametersError(StreamError):
    """A stream whose parameter set is not known; the message names it."""


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


class _Task(NamedTuple):
    """A packet that can be decoded: where its frames go, and whether it restarts the chain."""

    packet: Packet
    block: Block


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
    find : callable, optional
        Gives the parameter set of an identifier, or None if it has none; the shipped sets are always known.
    tolerant : bool
        Take a packet whose payload no encoder wrote for lost, with those that need it, instead of refusing the stream:
        where bytes of a container were moved, packets of another stream may stand in this one. `suspect` then tells
        that there was one: those before it may have decoded to wrong codes.
    """

    def __init__(
        self,
        *,
        origin: int | None = None,
        ends: np.ndarray | None = None,
        start: int = 0,
        find: Find | None = None,
        tolerant: bool = False,
    ) -> None:
        self.shape: Shape | None = None
        self.origin = origin
        self.gaps: list[Gap] = []
        self.next = start  # the frame that should come now
        self.suspect = False
        self._ends = ends
        self._find = find
        self._new_chain: Callable[[], chain.Chain]
        self._chain: chain.Chain
        self._tolerant = tolerant
        self._synchronised = False
        self._sound = True  # no packet since the last key packet failed to decode
        self._lost = "its packet is lost"

    def push(self, packet: Packet) -> Block | None:
        """Decode one packet; None if it needs an earlier one that is lost.

        Raises
        ------
        StreamError
            If the packet contradicts the stream or does not decode, or its parameter set is not known.
        """
        task = self._plan(packet)
        if task is None:
            return None
        failed = self._run(self._chain, [task], self._sound)
        self._settle(failed, task)
        return None if failed else task.block

    def push_all(self, items: Iterable[Packet | Damage], *, jobs: int = 1) -> Iterator[Block | Damage]:
        """Decode packets; damage passes through. With `jobs` threads, which work from key packet to key packet.

        Raises
        ------
        StreamError
            As `push`.
        """
        if jobs == 1:
            for item in items:
                block = self.push(item) if isinstance(item, Packet) else item
                if block is not None:
                    yield block
            return
        with ThreadPoolExecutor(jobs) as pool:
            batch: list[_Task | Damage] = []
            samples = runs = 0
            for item in items:
                task = self._plan(item) if isinstance(item, Packet) else item
                if task is None:
                    continue
                if isinstance(task, _Task):
                    key = task.packet.shape is not None
                    enough = key and runs >= jobs and samples >= jobs * BATCH_SAMPLES
                    if enough or samples >= jobs * MOST_SAMPLES:
                        yield from self._together(pool, batch)
                        batch, samples, runs = [], 0, 0
                    samples += task.block.frames.size
                    runs += key
                batch.append(task)
            yield from self._together(pool, batch)

    def _together(self, pool: ThreadPoolExecutor, batch: list[_Task | Damage]) -> Iterator[Block | Damage]:
        links: list[chain.Chain] = []
        runs: list[list[_Task]] = []
        for task in batch:
            if isinstance(task, _Task):
                if not runs or task.packet.shape is not None:
                    links.append(self._new_chain() if runs else self._chain)
                    runs.append([])
                runs[-1].append(task)
        if runs:
            sound = [self._sound, *[True] * (len(runs) - 1)]
            failed = [task for found in pool.map(self._run, links, runs, sound) for task in found]
            self._chain = links[-1]
            self._settle(failed, runs[-1][-1])
            absent = {id(task) for task in failed}
            batch = [task for task in batch if id(task) not in absent]
        for task in batch:
            yield task.block if isinstance(task, _Task) else task

    def _run(self, link: chain.Chain, tasks: list[_Task], sound: bool) -> list[_Task]:
        """Decode packets that follow each other; gives those that failed, or need one that did."""
        failed = []
        for task in tasks:
            sound = (sound or task.packet.shape is not None) and self._decode(link, task)
            if not sound:
                failed.append(task)
        return failed

    def _settle(self, failed: list[_Task], last: _Task) -> None:
        """Turn packets that failed into gaps; `last` is the last one that was tried."""
        self._sound = not failed or failed[-1] is not last
        if not failed:
            return
        if not self._tolerant:
            offset = failed[0].packet.offset
            raise StreamError(f"packet at byte {offset}: its payload does not decode; the encoder is at fault")
        self.suspect = True
        lost = [Gap(task.block.start, task.packet.frames, "its payload does not decode") for task in failed]
        found, self.gaps = sorted([*self.gaps, *lost], key=lambda gap: gap.start), []
        for gap in found:
            self._add_gap(gap)

    def _plan(self, packet: Packet) -> _Task | None:
        """Settle where the packet's frames stand, without decoding them."""
        if packet.shape is not None:
            self._enter(packet.shape)
        if self.shape is None:
            return None
        if spec.raw_bytes(packet.frames, self.shape.channels, self.shape.width) > spec.MAX_LENGTH:
            raise StreamError(
                f"packet at byte {packet.offset}: {packet.frames} frames of {self.shape.channels} channels, more than "
                "a packet holds; the encoder is at fault"
            )
        if self.origin is None:
            self.origin = packet.position
        start = self.next + ((packet.position - self.origin - self.next) & 0xFFFFFFFF)
        if start - self.next >= 1 << 31:
            raise StreamError(f"packet at byte {packet.offset}: its frames came before; the stream is out of order")
        if start > self.next:
            self._gap(start - self.next, self._lost)
            self._synchronised = False
        if packet.shape is None and not self._synchronised:
            self._gap(packet.frames, "waits for a key packet")
            return None
        self._synchronised = True
        self.next = start + packet.frames
        return _Task(packet, Block(start, np.zeros((packet.frames, self.shape.channels), np.uint16)))

    def _decode(self, link: chain.Chain, task: _Task) -> bool:
        """Fill the block of a packet; False if no encoder wrote its payload."""
        packet, (start, frames) = task
        width, ends = self._width, self._stream_ends
        if packet.shape is not None:
            link.restart()
        payload = np.frombuffer(packet.payload, np.uint8)
        limit = raw.size(packet.frames, start, ends, width)
        if packet.raw:
            good = raw.decode(payload, start, ends, width, frames) == payload.size == limit
            if good:
                link.encode(frames, start, limit)  # state moves on as if they had been coded
            return good
        return link.decode(payload, frames, start, limit)

    def finish(self, frames: int) -> None:
        """Say how many frames the stream has; what is missing at its end becomes a gap."""
        if self.next < frames:
            self._gap(frames - self.next, self._lost)

    def _enter(self, shape: Shape) -> None:
        if self.shape is None:
            if shape.width < MIN_WIDTH:
                raise StreamError(f"packet: samples of {shape.width} bits; this release reads {MIN_WIDTH} to 16")
            ends = np.full(shape.channels, FOREVER) if self._ends is None else np.asarray(self._ends, np.int64)
            if len(ends) != shape.channels:
                raise StreamError(f"packet: {shape.channels} channels where {len(ends)} were expected")
            config = shape.config(1, 1)
            try:
                self._new_chain = chain.factory(config, self._parameters(shape), ends)
            except ConfigError as error:
                raise StreamError(f"packet: {error}") from None
            self._chain = self._new_chain()
            self.shape, self._width, self._stream_ends = shape, shape.width, ends
        elif shape != self.shape:
            raise StreamError(f"packet: the stream changes from ({self.shape}) to ({shape}); split it there")

    def _parameters(self, shape: Shape) -> ParameterSet | None:
        if shape.parameter_set is None:
            return None
        found = self._find(shape.parameter_set) if self._find else None
        found = found or shipped.find(shape.parameter_set)
        if found is None:
            raise MissingParametersError(
                f"packet: needs the parameter set {shape.parameter_set:016x}, which is not known here; "
                "give its file with --parameters"
            )
        return found

    def _gap(self, frames: int, reason: str) -> None:
        self._add_gap(Gap(self.next, frames, reason))
        self.next += frames

    def _add_gap(self, gap: Gap) -> None:
        """Add a gap behind all others, or to the last one if it ends where this one begins."""
        last = self.gaps[-1] if self.gaps else None
        if last and last.start + last.frames == gap.start:
            self.gaps[-1] = Gap(last.start, last.frames + gap.frames, last.reason)
        else:
            self.gaps.append(gap)


def blocks(data: bytes | memoryview, decompressor: Decompressor, *, jobs: int = 1) -> Iterator[Block | Damage]:
    """Decode a stream block by block; gaps gather in `decompressor.gaps`."""
    return decompressor.push_all(scan(data), jobs=jobs)


def decode(
    data: bytes | memoryview,
    *,
    frames: int | None = None,
    ends: np.ndarray | None = None,
    origin: int | None = None,
    find: Find | None = None,
    jobs: int = 1,
) -> Decoded:
    """Decode a whole stream.

    Parameters
    ----------
    data : bytes
    frames : int, optional
        Frames that the stream should have; missing ones become a gap. Default: as many as there are packets for.
    ends, origin, find
        As in `Decompressor`.
    jobs : int
        Threads that decode together, from key packet to key packet.

    Raises
    ------
    StreamError
        If no key packet is intact, or the stream contradicts itself.
    """
    decompressor = Decompressor(origin=origin, ends=ends, find=find)
    found: list[Block] = []
    damage: list[Damage] = []
    for item in blocks(data, decompressor, jobs=jobs):
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
