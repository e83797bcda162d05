"""Stage `packet` for coders in lanes: strings and plain codes are stored, then forwarded in the smaller form."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed
from hw.emit import BYTE_LAYOUT
from hw.emit_lanes import EmitLanes, lanes_descriptor
from hw.pack import WORD, PackBits
from hw.range import range_layout
from hw.store import Store
from hw.turns import Turns
from hw.words import Words
from model.spec import packet as spec
from model.spec.config import CodecConfig

RAW_WORD = 16  # bits of the plain codes' memory


def lane_raw_bytes(config: CodecConfig) -> int:
    """Bytes of one lane's codes in a full packet: no string that is sent is longer."""
    return -(-config.packet_frames * config.channels // config.lanes * config.width // 8)


class PacketLanes(wiring.Component):
    """Store, then forward.

    Parameters
    ----------
    config : CodecConfig
        Its channels are a multiple of its lanes.
    banks : int
        Packets that can be stored at a time, a power of two, at least 2.

    Members
    -------
    i : In, stream of `hw.range.range_layout`, always ready
    o : Out, stream of `hw.emit.BYTE_LAYOUT`
    room : Out
        A bank is free.
    take : In
        One is taken.
    parameter_set : In, 64
        The name of the set that is loaded.
    hurried : Out
        A packet closes for whose strings samples came too fast: it is sent raw, whatever the codec would do.

    Model
    -----
    `model.codec.calibrated.Calibrated.encode`, `model.codec.raw`, `model.codec.packet.build`
    """

    def __init__(self, config: CodecConfig, banks: int) -> None:
        self.config = config
        self.banks = banks
        super().__init__(
            {
                "i": In(stream.Signature(range_layout(config), always_ready=True)),
                "o": Out(stream.Signature(BYTE_LAYOUT)),
                "room": Out(1),
                "take": In(1),
                "parameter_set": In(8 * spec.PARAMETER_SET.bytes),
                "hurried": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, lanes = self.config, range(self.config.lanes)
        m.submodules.turns = turns = Turns(config)
        m.submodules.words = words = Words(config)
        m.submodules.plain = plain = PackBits(config.width, RAW_WORD)
        coded_words = -(-lane_raw_bytes(config) // (WORD // 8))
        raw_words = -(-config.raw_bytes(config.packet_frames) // (RAW_WORD // 8))
        m.submodules.coded = coded = Store(coded_words, self.banks, config.lanes, WORD)
        m.submodules.raw = raw = Store(raw_words, self.banks, word=RAW_WORD)
        m.submodules.emit = emit = EmitLanes(config)
        descriptor = lanes_descriptor(config)
        m.submodules.queue = queue = SyncFIFOBuffered(width=descriptor.size, depth=self.banks)

        # Plain codes are stored as they come; strings when they have been made.
        came, marks = self.i.payload, self.i.payload.marks
        for name in ("sample", "open", "close", "abort"):
            m.d.comb += getattr(plain, name).eq(self.i.valid & getattr(marks, name))
        m.d.comb += [plain.value.eq(came.code), plain.length.eq(config.width)]
        for name in ("write", "word", "done", "discard"):
            m.d.comb += getattr(raw, name).eq(getattr(plain, name))
        m.d.comb += [turns.i.valid.eq(self.i.valid), turns.i.payload.eq(came)]
        hurried = Signal()
        m.d.sync += hurried.eq((hurried & ~(self.i.valid & marks.open)) | turns.lost | (self.i.valid & came.hasty))
        turn = turns.o.payload
        m.d.comb += [
            words.i.valid.eq(turns.o.valid & (turn.marks.sample | (turn.token.kind != 0))),
            words.i.payload.eq(turn.token),
        ]
        discard, done = turns.o.valid & turn.marks.abort, turns.o.valid & turn.ended
        for _ in range(Words.LATENCY):
            discard, done = delayed(m, discard), delayed(m, done)
        word = words.o.payload
        m.d.comb += [
            coded.write.eq(words.o.valid & word.write),
            coded.word.eq(word.word),
            coded.lane.eq(word.lane),
            coded.discard.eq(discard),
            coded.done.eq(done),
        ]

        sizes = [Signal(len(word.bytes), name=f"size_{lane}") for lane in lanes]
        for lane, size in zip(lanes, sizes, strict=True):
            with m.If(words.o.valid & word.last & (word.lane == lane)):
                m.d.sync += size.eq(word.bytes)
        self._describe(m, sizes, delayed(m, done), hurried, queue)

        free = Signal(range(self.banks + 1), init=self.banks)
        forwarded = emit.i.valid & emit.i.ready
        m.d.sync += free.eq(free - self.take + forwarded + (self.i.valid & marks.abort))
        m.d.comb += [
            self.room.eq(free != 0),
            emit.i.payload.eq(queue.r_data),
            emit.i.valid.eq(queue.r_rdy),
            emit.parameter_set.eq(self.parameter_set),
            queue.r_en.eq(emit.i.ready),
            coded.rewind.eq(emit.rewind_coded),
            coded.read_lane.eq(emit.read_lane),
            raw.rewind.eq(emit.rewind_raw),
            coded.release.eq(forwarded),
            raw.release.eq(forwarded),
        ]
        wiring.connect(m, coded.o, emit.coded)
        wiring.connect(m, raw.o, emit.raw)
        wiring.connect(m, emit.o, wiring.flipped(self.o))
        return m

    def _describe(
        self, m: Module, sizes: list[Signal], ended: Signal, hurried: Signal, queue: SyncFIFOBuffered
    ) -> None:
        """Number frames; when a packet's strings are complete, queue what is known of it.

        Further packets may close while the strings of one end: what is known of each waits in a queue.
        """
        config, marks = self.config, self.i.payload.marks
        number, key, position = Signal(32), Signal(), Signal(32)
        frames, frames_now = Signal(range(config.packet_frames + 1)), Signal(range(config.packet_frames + 1))
        m.d.comb += frames_now.eq(Mux(marks.open, 0, frames) + marks.frame)
        with m.If(self.i.valid):
            m.d.sync += frames.eq(frames_now)
            with m.If(marks.frame):
                m.d.sync += number.eq(number + 1)
            with m.If(marks.open):
                m.d.sync += [position.eq(number), key.eq(marks.key)]
        known = data.StructLayout({"position": 32, "frames": frames.shape(), "key": 1, "hurried": 1})
        m.submodules.closed = waiting = SyncFIFOBuffered(width=known.size, depth=self.banks)
        ends, closed, closing = Signal(known), Signal(known), Signal()
        m.d.sync += closing.eq(self.i.valid & marks.close)
        m.d.comb += [
            ends.position.eq(position),
            ends.frames.eq(frames),
            ends.key.eq(key),
            ends.hurried.eq(hurried),
            waiting.w_data.eq(ends),
            waiting.w_en.eq(closing),
            closed.eq(waiting.r_data),
            self.hurried.eq(closing & hurried),
        ]

        # Clock 1: bytes of the codes as they are, of all and of a lane's.
        shape = range(config.raw_bytes(config.packet_frames) + 1)
        plain, share, total = Signal(shape), Signal(shape), Signal(range(config.lanes << len(sizes[0])))
        longest = Signal.like(sizes[0])
        m.d.sync += [
            plain.eq((closed.frames * (config.channels * config.width) + 7) >> 3),
            share.eq((closed.frames * (config.channels // config.lanes * config.width) + 7) >> 3),
            total.eq(sum(sizes)),
            longest.eq(_greatest(sizes)),
        ]
        ended_1 = delayed(m, ended)

        # Clock 2: the smaller form.
        coded, raw = Signal(len(total) + 1), Signal()
        length_bytes = Mux(plain < 1 << 8, 1, 2) if config.lanes > 1 else 0
        m.d.comb += [
            coded.eq(total + length_bytes * (config.lanes - 1)),
            raw.eq((coded >= plain) | (longest > share) | closed.hurried),
        ]
        descriptor = Signal(lanes_descriptor(config))
        m.d.sync += [
            descriptor.position.eq(closed.position),
            descriptor.frames.eq(closed.frames),
            descriptor.key.eq(closed.key),
            descriptor.raw.eq(raw),
            descriptor.length.eq(Mux(raw, plain, coded)),
            descriptor.wide.eq(plain >= 1 << 8),
            Cat(descriptor.sizes).eq(Cat(size[: len(descriptor.sizes[0])] for size in sizes)),
        ]
        m.d.comb += [
            waiting.r_en.eq(ended_1),
            queue.w_data.eq(descriptor),
            queue.w_en.eq(delayed(m, ended_1)),
        ]


def _greatest(values: list[Signal]) -> Any:
    greatest: Any = values[0]
    for value in values[1:]:
        greatest = Mux(value > greatest, value, greatest)
    return greatest
