"""Stage `packet`: packets are stored in both their forms, then forwarded in the smaller one; the law is
`model.codec.packet` and `model.codec.raw`.
"""

from typing import Any

from amaranth.hdl import Array, Module, Mux, Shape, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed
from hw.emit import BYTE_LAYOUT, Emit, descriptor_layout
from hw.links import links_words
from hw.load import load_layout
from hw.memory import table
from hw.pack import PackBits, PackPairs
from hw.rice import rice_layout
from hw.store import Store, append
from model.spec.config import CodecConfig, ConfigError, find_profile
from model.spec.huffman import MAX_LENGTH
from model.spec.rice import MAX_CODE_BITS


def bank_words(config: CodecConfig) -> tuple[int, int]:
    """Words of a bank for the coded and for the raw form of a packet.

    A coded form longer than the raw one is never sent. The raw form takes two codes a word, and one more of zeros where
    its last byte has room for bits of a further code.
    """
    samples = config.channels * config.packet_frames
    padded = samples % 2 == 0 and samples * config.width % 8 != 0
    return -(-config.raw_bytes(config.packet_frames) // 4), -(-samples // 2) + int(padded)


class Packet(wiring.Component):
    """Store, then forward.

    Parameters
    ----------
    config : CodecConfig
    banks : int
        Packets that can be stored at a time, a power of two, at least 2.
    huffman : bool
        Whether code words are of the stage `huffman`, too.

    Raises
    ------
    ConfigError
        If a code word of that stage can be longer than any of `rice`.

    Members
    -------
    i : In, stream of `rice_layout`, always ready
    o : Out, stream of `BYTE_LAYOUT`
    room : Out
        A bank is free.
    take : In
        One is taken.
    empty : Out
        None is taken or stored.
    load : In, `hw.load.load_layout` with `hw.links.links_words`, in profiles with a parameter set
        Its name, and links in gates that know them, while `empty`.

    Latency
    -------
    `LATENCY` clocks from a packet's last sample to its first byte, if nothing is being sent.

    Throughput
    ----------
    One sample a clock in, one byte a clock out.

    Model
    -----
    `model.codec.packet.build`
    """

    LATENCY = 4 + Emit.LATENCY

    def __init__(self, config: CodecConfig, banks: int, huffman: bool = False) -> None:
        if huffman and MAX_LENGTH + config.width > MAX_CODE_BITS:
            most = MAX_CODE_BITS - MAX_LENGTH
            raise ConfigError(f"width: {config.width}; with Huffman codes at most {most} bits are built, give those")
        self.config = config
        self.banks = banks
        self.layout = rice_layout(config, huffman)
        self.parameterised = find_profile(config.profile).parameterised
        super().__init__(
            {
                "i": In(stream.Signature(self.layout, always_ready=True)),
                "o": Out(stream.Signature(BYTE_LAYOUT)),
                "room": Out(1),
                "take": In(1),
                "empty": Out(1),
                **({"load": In(load_layout(config.width, links_words(config)))} if self.parameterised else {}),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        coded_words, raw_words = bank_words(self.config)
        m.submodules.bits = bits = PackBits(Shape.cast(self.layout.members["value"]).width)
        m.submodules.pairs = pairs = PackPairs(self.config.width)
        m.submodules.coded = coded = Store(coded_words, self.banks)
        m.submodules.raw = raw = Store(raw_words, self.banks)
        m.submodules.emit = emit = Emit(self.config)
        if self.parameterised:
            self._list(m, emit.i)
        else:
            self._queue(m, emit.i)

        token, marks = self.i.payload, self.i.payload.marks
        for packer, store in ((bits, coded), (pairs, raw)):
            for name in ("sample", "open", "close", "abort"):
                m.d.comb += getattr(packer, name).eq(self.i.valid & getattr(marks, name))
            append(m, packer, store)
        m.d.comb += [bits.value.eq(token.value), bits.length.eq(token.length), pairs.code.eq(token.code)]

        free = Signal(range(self.banks + 1), init=self.banks)
        forwarded = emit.i.valid & emit.i.ready
        m.d.sync += free.eq(free - self.take + forwarded + (self.i.valid & marks.abort))
        m.d.comb += [
            self.room.eq(free != 0),
            self.empty.eq(free == self.banks),
            coded.rewind.eq(emit.rewind_coded),
            raw.rewind.eq(emit.rewind_raw),
            coded.release.eq(forwarded),
            raw.release.eq(forwarded),
        ]
        if self.parameterised:
            m.d.comb += emit.load.eq(self.load)
        wiring.connect(m, coded.o, emit.coded)
        wiring.connect(m, raw.o, emit.raw)
        wiring.connect(m, emit.o, wiring.flipped(self.o))
        return m

    def _queue(self, m: Module, o: Any) -> None:
        """Descriptors of stored packets, in a queue."""
        layout = descriptor_layout(self.config)
        m.submodules.queue = queue = SyncFIFOBuffered(width=layout.as_shape().width, depth=self.banks)
        number, position = Signal(32), Signal(32)  # of the next frame, and of the packet's first
        found, closed = self._describe(m, number)
        with m.If(self.i.valid & self.i.payload.marks.open):
            m.d.sync += position.eq(number)
        descriptor, ready = Signal(layout), Signal()
        m.d.sync += [ready.eq(closed), descriptor.position.eq(position)]
        m.d.sync += [getattr(descriptor, name).eq(value) for name, value in found.items()]
        m.d.comb += [queue.w_data.eq(descriptor), queue.w_en.eq(ready)]
        m.d.comb += [o.payload.eq(queue.r_data), o.valid.eq(queue.r_rdy), queue.r_en.eq(o.ready)]

    def _list(self, m: Module, o: Any) -> None:
        """The same with a place for each bank: positions in a memory, the rest in registers.

        A position is read in every clock, and not needed until long after it was written.
        """
        number, layout, marks = Signal(32), descriptor_layout(self.config), self.i.payload.marks
        found, closed = self._describe(m, number)
        begun, ended, oldest = (Signal(range(self.banks)) for _ in range(3))
        m.submodules.positions = positions = table(len(number), self.banks)
        write, read = positions.write_port(), positions.read_port()
        m.d.comb += [
            write.addr.eq(begun),
            write.data.eq(number),
            write.en.eq(self.i.valid & marks.open),
            read.addr.eq(oldest),
            o.payload.position.eq(read.data),
        ]
        m.d.sync += begun.eq(begun + (self.i.valid & marks.close))
        for name, value in found.items():
            places = Array(Signal(layout[name].shape, name=f"{name}_{n}") for n in range(self.banks))
            with m.If(closed):
                m.d.sync += places[ended].eq(value)
            m.d.comb += getattr(o.payload, name).eq(places[oldest])

        # A packet's last word is stored some clocks after it closed.
        stored, taken = Signal(range(self.banks + 1)), o.valid & o.ready
        ready = delayed(m, delayed(m, closed))
        m.d.comb += o.valid.eq(stored != 0)
        m.d.sync += [ended.eq(ended + closed), oldest.eq(oldest + taken), stored.eq(stored + ready - taken)]

    def _describe(self, m: Module, number: Signal) -> tuple[dict[str, Value], Signal]:
        """Number frames, and measure both forms of a packet; what is known of it but its position, when it closed."""
        config, marks = self.config, self.i.payload.marks
        samples = config.channels * config.packet_frames
        frames, frames_now = Signal(range(config.packet_frames + 1)), Signal(range(config.packet_frames + 1))
        key = Signal()
        with m.If(self.i.valid & marks.frame):
            m.d.sync += number.eq(number + 1)
        with m.If(self.i.valid & marks.open):
            m.d.sync += key.eq(marks.key)

        coded, coded_now = Signal(range(samples * MAX_CODE_BITS + 1)), Signal(range(samples * MAX_CODE_BITS + 1))
        plain, plain_now = Signal(range(samples * config.width + 1)), Signal(range(samples * config.width + 1))
        m.d.comb += [
            frames_now.eq(Mux(marks.open, 0, frames) + marks.frame),
            coded_now.eq(Mux(marks.open, 0, coded) + Mux(marks.sample, self.i.payload.length, 0)),
            plain_now.eq(Mux(marks.open, 0, plain) + Mux(marks.sample, config.width, 0)),
        ]
        with m.If(self.i.valid):
            m.d.sync += [frames.eq(frames_now), coded.eq(coded_now), plain.eq(plain_now)]

        closed = Signal()
        m.d.sync += closed.eq(self.i.valid & marks.close)
        coded_bytes, plain_bytes = (coded + 7) >> 3, (plain + 7) >> 3
        raw = coded_bytes >= plain_bytes
        return {"frames": frames, "key": key, "raw": raw, "length": Mux(raw, plain_bytes, coded_bytes)}, closed
