"""The bytes of a packet whose payload has lanes: header and its check, lane lengths, strings, CRC-32."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.emit import BYTE_LAYOUT, checker, header, send
from hw.pack import WORD
from model.spec import packet
from model.spec.config import CodecConfig


def lanes_descriptor(config: CodecConfig) -> data.StructLayout:
    """What is known of a stored packet: `wide` if a lane's length takes two bytes; `sizes` are the strings' bytes."""
    raw = config.raw_bytes(config.packet_frames)
    return data.StructLayout(
        {
            "position": 8 * next(f.bytes for f in packet.HEADER if f.name == "position"),
            "frames": range(config.packet_frames + 1),
            "length": range(raw + 1),
            "raw": 1,
            "key": 1,
            "wide": 1,
            "sizes": data.ArrayLayout(range(raw // config.lanes + 2), config.lanes),
        }
    )


class EmitLanes(wiring.Component):
    """Bytes of the oldest stored packet.

    Parameters
    ----------
    config : CodecConfig
        A packet has less than 65536 bytes in raw form.

    Members
    -------
    i : In, stream of `lanes_descriptor`
        The stored packets in order; taken when a packet has left the store.
    parameter_set : In, 64
    coded : In, stream of unsigned(32)
        Words of the lane `read_lane`.
    raw : In, stream of unsigned(16)
    rewind_coded, rewind_raw, read_lane : Out
        Begin to read a store, or the next lane of it.
    o : Out, stream of `hw.emit.BYTE_LAYOUT`

    Latency
    -------
    1 clock from a packet at `i` to its first byte at `o`.

    Throughput
    ----------
    One byte a clock, as long as the store has words.

    Model
    -----
    `model.codec.packet.build`
    """

    LATENCY = 1

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(lanes_descriptor(config))),
                "parameter_set": In(8 * packet.PARAMETER_SET.bytes),
                "coded": In(stream.Signature(WORD)),
                "raw": In(stream.Signature(WORD // 2)),
                "rewind_coded": Out(1),
                "rewind_raw": Out(1),
                "read_lane": Out(range(config.lanes)),
                "o": Out(stream.Signature(BYTE_LAYOUT)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.header_check = header_check = checker(packet.HEADER_CHECK)
        m.submodules.packet_check = packet_check = checker(packet.PACKET_CHECK)
        config, descriptor = self.config, self.i.payload

        byte, valid, last = Signal(8), Signal(), Signal()
        step = send(m, self.o, byte, valid, last)
        m.d.comb += [header_check.data.eq(byte), packet_check.data.eq(byte), packet_check.valid.eq(step)]

        fields = header(config, descriptor)
        fields += [self.parameter_set.word_select(n, 8) for n in range(packet.PARAMETER_SET.bytes)]
        lengths = Array(self._lengths(descriptor))
        index = Signal(range(max(len(fields), len(lengths))))
        left, lane = Signal(range(config.raw_bytes(config.packet_frames) + 1)), Signal(range(config.lanes))
        m.d.comb += self.read_lane.eq(lane)
        with m.If(step):
            m.d.sync += index.eq(index + 1)
        with m.FSM():
            with m.State("HEADER"):
                m.d.comb += [valid.eq(self.i.valid), byte.eq(Array(fields)[index]), header_check.valid.eq(step)]
                m.d.sync += [lane.eq(0), left.eq(Mux(descriptor.raw, descriptor.length, descriptor.sizes[0]))]
                size = Mux(descriptor.key, len(fields), packet.HEADER_BYTES)
                with m.If(step & (index == 0)):
                    m.d.comb += [self.rewind_coded.eq(~descriptor.raw), self.rewind_raw.eq(descriptor.raw)]
                with m.If(step & (index == size - 1)):
                    m.next = "HEADER CHECK"
            with m.State("HEADER CHECK"):
                m.d.comb += [valid.eq(1), byte.eq(header_check.crc)]
                with m.If(step):
                    m.d.comb += header_check.start.eq(1)
                    m.d.sync += index.eq(0)
                    m.next = "PAYLOAD"
                    if config.lanes > 1:
                        with m.If(~descriptor.raw):
                            m.next = "LENGTHS"
            if config.lanes > 1:
                with m.State("LENGTHS"):
                    m.d.comb += [valid.eq(1), byte.eq(lengths[index])]
                    with m.If(step & ~descriptor.wide):
                        m.d.sync += index.eq(index + 2)
                    with m.If(step & (index == Mux(descriptor.wide, len(lengths) - 1, len(lengths) - 2))):
                        m.d.sync += index.eq(0)
                        m.next = "PAYLOAD"
            self._payload(m, step, valid, byte, index, left, lane)
            with m.State("PACKET CHECK"):
                m.d.comb += [
                    valid.eq(1),
                    packet_check.valid.eq(0),
                    byte.eq(packet_check.crc.word_select(index[:2], 8)),
                    last.eq(index == packet.PACKET_CHECK_BYTES - 1),
                ]
                with m.If(step & last):
                    m.d.comb += [packet_check.start.eq(1), self.i.ready.eq(1)]
                    m.d.sync += index.eq(0)
                    m.next = "HEADER"
        return m

    def _payload(
        self, m: Module, step: Signal, valid: Signal, byte: Signal, index: Signal, left: Signal, lane: Signal
    ) -> None:
        """The states in which a store's words are sent, lane after lane."""
        config, descriptor = self.config, self.i.payload
        next_lane = Signal(range(config.lanes + 1))
        sizes = Array(descriptor.sizes[n] for n in range(config.lanes))
        m.d.comb += next_lane.eq(lane + 1)
        with m.State("PAYLOAD"):
            words = Mux(descriptor.raw, self.raw.payload << (WORD // 2), self.coded.payload)
            m.d.comb += [
                valid.eq(Mux(descriptor.raw, self.raw.valid, self.coded.valid)),
                byte.eq(words.word_select((~index)[:2], 8)),
                self.coded.ready.eq(step & ~descriptor.raw & (index[:2] == 3)),
                self.raw.ready.eq(step & descriptor.raw & index[0]),
            ]
            with m.If(step):
                m.d.sync += left.eq(left - 1)
                with m.If(descriptor.raw & index[0]):
                    m.d.sync += index.eq(0)
                with m.If(left == 1):
                    m.d.sync += [index.eq(0), lane.eq(next_lane), left.eq(sizes[next_lane[: len(lane)]])]
                    with m.If(descriptor.raw | (next_lane == config.lanes)):
                        m.next = "PACKET CHECK"
                    with m.Else():
                        m.next = "NEXT LANE"
        with m.State("NEXT LANE"):
            m.d.comb += self.rewind_coded.eq(1)
            m.next = "PAYLOAD"

    @staticmethod
    def _lengths(descriptor: Any) -> list[Value]:
        """Two bytes a lane but the last, the lower one first."""
        sizes = [Cat(descriptor.sizes[n], Const(0, 16))[:16] for n in range(len(descriptor.sizes) - 1)]
        return [size.word_select(half, 8) for size in sizes for half in range(2)] or [Const(0, 8)]
