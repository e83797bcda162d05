"""The bytes of a packet: header and its check, payload, CRC-32."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import crc, data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.links import Links, links_words, send_links
from hw.load import load_layout
from hw.pack import WORD
from model.spec import packet
from model.spec.config import CodecConfig, find_profile

BYTE_LAYOUT = data.StructLayout({"data": 8, "last": 1})


def descriptor_layout(config: CodecConfig) -> data.StructLayout:
    """What is known of a stored packet."""
    return data.StructLayout(
        {
            "position": 8 * next(f.bytes for f in packet.HEADER if f.name == "position"),
            "frames": range(config.packet_frames + 1),
            "length": range(config.raw_bytes(config.packet_frames) + 1),
            "raw": 1,
            "key": 1,
        }
    )


def header(config: CodecConfig, descriptor: Any, linked: Value) -> list[Value]:
    """The bytes of a header, those of a key packet last; the set's name, links and its check not included."""
    profile = find_profile(config.profile)
    shape = packet.shape(config.width, config.lanes, parameter_set=profile.parameterised)
    fields = {
        "sync": Const(packet.SYNC, 16),
        "flags": Mux(descriptor.key, packet.FLAG_KEY, 0) | Mux(descriptor.raw, packet.FLAG_RAW, 0),
        "position": descriptor.position,
        "frames": descriptor.frames,
        "length": descriptor.length,
        "identity": Const(packet.identity(profile.number), 8),
        "channels": Const(config.channels - 1, 16),
        "shape": Const(shape, 8) | Mux(linked, packet.SHAPE_PEERS, 0) if config.links else Const(shape, 8),
    }
    out = []
    for field in (*packet.HEADER, *packet.KEY_HEADER):
        value = fields[field.name] | Const(0, 8 * field.bytes)
        out += [value[8 * n : 8 * n + 8] for n in range(field.bytes)]
    return out


def checker(check: packet.Crc) -> crc.Processor:
    """The processor of a check, a byte a clock."""
    return crc.Processor(crc.Algorithm(**vars(check))(data_width=8))


def send(m: Module, o: Any, byte: Signal, valid: Signal, last: Signal) -> Signal:
    """Put bytes through an output register into the stream `o`; tells when one goes."""
    step = Signal(name="step")
    m.d.comb += step.eq(valid & (~o.valid | o.ready))
    with m.If(step):
        m.d.sync += [o.payload.data.eq(byte), o.payload.last.eq(last), o.valid.eq(1)]
    with m.Elif(o.ready):
        m.d.sync += o.valid.eq(0)
    return step


class Emit(wiring.Component):
    """Bytes of the oldest stored packet.

    Parameters
    ----------
    config : CodecConfig

    Members
    -------
    i : In, stream of `descriptor_layout`
        The stored packets in order; taken when a packet has left the store.
    load : In, `hw.load.load_layout` with `hw.links.links_words`, in profiles with a parameter set
        Its name, and links in gates that know them; nothing is sent meanwhile.
    coded, raw : In, streams of unsigned(32)
        Words of the two stores: bits end to end, and codes in pairs.
    rewind_coded, rewind_raw : Out
        Begin to read a store.
    o : Out, stream of `BYTE_LAYOUT`

    Latency
    -------
    1 clock from a packet at `i` to its first byte at `o`.

    Throughput
    ----------
    One byte a clock, as long as the store is not being written in every clock.

    Model
    -----
    `model.codec.packet.build`
    """

    LATENCY = 1

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        self.parameterised = find_profile(config.profile).parameterised
        words = stream.Signature(WORD)
        super().__init__(
            {
                "i": In(stream.Signature(descriptor_layout(config))),
                "coded": In(words),
                "raw": In(words),
                "rewind_coded": Out(1),
                "rewind_raw": Out(1),
                "o": Out(stream.Signature(BYTE_LAYOUT)),
                **({"load": In(load_layout(config.width, links_words(config)))} if self.parameterised else {}),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.header_check = header_check = checker(packet.HEADER_CHECK)
        m.submodules.packet_check = packet_check = checker(packet.PACKET_CHECK)
        m.submodules.serialise = serialise = Serialise(self.config.width)
        descriptor = self.i.payload
        m.d.comb += serialise.raw.eq(descriptor.raw)
        with m.If(descriptor.raw):
            wiring.connect(m, wiring.flipped(self.raw), serialise.i)
        with m.Else():
            wiring.connect(m, wiring.flipped(self.coded), serialise.i)

        byte, valid, last = Signal(8), Signal(), Signal()
        step = send(m, self.o, byte, valid, last)

        fields, links = self._header(m)
        index = Signal(range(len(fields) + 1))
        left = Signal.like(descriptor.length)
        m.d.comb += [
            header_check.data.eq(byte),
            packet_check.data.eq(byte),
            packet_check.valid.eq(step),
        ]
        with m.If(step):
            m.d.sync += index.eq(index + 1)
        with m.FSM():
            with m.State("HEADER"):
                m.d.comb += [valid.eq(self.i.valid), byte.eq(fields[index]), header_check.valid.eq(step)]
                m.d.sync += left.eq(descriptor.length)
                size = Mux(descriptor.key, len(fields), packet.HEADER_BYTES)
                with m.If(step & (index == 0)):
                    m.d.comb += [self.rewind_coded.eq(~descriptor.raw), self.rewind_raw.eq(descriptor.raw)]
                with m.If(step & (index == size - 1)):
                    m.next = "HEADER CHECK"
                    if links is not None:
                        with m.If(descriptor.key):
                            m.next = "LINKS"
            if links is not None:
                send_links(m, links, step, valid, byte, header_check.valid)
            with m.State("HEADER CHECK"):
                m.d.comb += [valid.eq(1), byte.eq(header_check.crc)]
                with m.If(step):
                    m.d.comb += header_check.start.eq(1)
                    m.next = "PAYLOAD"
            with m.State("PAYLOAD"):
                m.d.comb += [valid.eq(serialise.o.valid), byte.eq(serialise.o.payload), serialise.o.ready.eq(step)]
                with m.If(step):
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 1):
                        m.d.sync += index.eq(0)
                        m.next = "PACKET CHECK"
            with m.State("PACKET CHECK"):
                m.d.comb += [
                    valid.eq(1),
                    packet_check.valid.eq(0),
                    byte.eq(packet_check.crc.word_select(index[:2], 8)),
                    last.eq(index == packet.PACKET_CHECK_BYTES - 1),
                ]
                with m.If(step & last):
                    m.d.comb += [packet_check.start.eq(1), self.i.ready.eq(1), serialise.clear.eq(1)]
                    m.d.sync += index.eq(0)
                    m.next = "HEADER"
        return m

    def _header(self, m: Module) -> tuple[Array, Links | None]:
        """The header's bytes, and what sends the set's name and links behind them."""
        links, linked = None, Const(0)
        if self.parameterised:
            m.submodules.links = links = Links(self.config, named=True)
            m.d.comb += links.load.eq(self.load)
            linked = links.there
        return Array(header(self.config, self.i.payload, linked)), links


class Serialise(wiring.Component):
    """Bytes, most significant bit first, from words: of bits end to end, or of two codes.

    Parameters
    ----------
    width : int
        Bits of a code, 8 to 16.

    Members
    -------
    raw : In
        Words hold two codes, of which the low `width` bits of each half count.
    clear : In
        Forget what is left of a packet.
    i : In, stream of unsigned(32)
    o : Out, stream of unsigned(8)

    Throughput
    ----------
    One byte a clock.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(
            {
                "raw": In(1),
                "clear": In(1),
                "i": In(stream.Signature(WORD)),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        half = Signal()  # the lower half is next
        chunk = Signal(16)
        bits, fill, taken = Signal(23), Signal(range(24)), Signal(range(24))  # the low `fill` of `bits` wait
        m.d.comb += [
            chunk.eq(Mux(half, self.i.payload[:16], self.i.payload[16:])),
            self.o.valid.eq(fill >= 8),
            self.o.payload.eq((bits >> Mux(self.o.valid, fill - 8, 0)[:4])[:8]),
            taken.eq(fill - Mux(self.o.valid & self.o.ready, 8, 0)),
        ]
        load = self.i.valid & (taken < 8)
        m.d.comb += self.i.ready.eq(load & half)
        m.d.sync += fill.eq(taken)
        with m.If(load):
            m.d.sync += [
                half.eq(~half),
                bits.eq(Mux(self.raw, Cat(chunk[: self.width], bits), Cat(chunk, bits))),
                fill.eq(taken + Mux(self.raw, self.width, 16)),
            ]
        with m.If(self.clear):
            m.d.sync += [half.eq(0), fill.eq(0)]
        return m
