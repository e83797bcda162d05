"""The bytes of a packet whose payload has lanes: header and its check, lane lengths, strings, CRC-32."""

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.describe import FLAG_WIDE, PACKET_WORDS, Word
from hw.describe import WORD as FIELD_WORD
from hw.emit import BYTE_LAYOUT, checker, send
from hw.links import Links, links_words, send_links
from hw.load import load_layout
from hw.pack import WORD
from hw.peer import PEER_BITS
from model.spec import packet
from model.spec.config import CodecConfig, find_profile


class EmitLanes(wiring.Component):
    """Bytes of the oldest stored packet.

    Parameters
    ----------
    config : CodecConfig
        A packet has less than 65536 bytes in raw form.

    Members
    -------
    there : In
        There is a packet.
    address, data : Out, In
        The words that describe it, of `hw.describe`.
    peered, channel, peer : In, Out, In
        Peers, of `hw.describe`.
    release : Out
        It has left.
    coded : In, stream of unsigned(32)
        Words of the lane `read_lane`.
    raw : In, stream of unsigned(16)
    rewind_coded, rewind_raw, read_lane : Out
        Begin to read a store, or the next lane of it.
    load : In, `hw.load.load_layout` with `hw.links.links_words`, in gates that know links
    o : Out, stream of `hw.emit.BYTE_LAYOUT`

    Latency
    -------
    1 clock from `there` to the first byte at `o`.

    Throughput
    ----------
    One byte a clock, as long as the store has words, less `PAUSE` clocks before each lane.

    Model
    -----
    `model.codec.packet.build`
    """

    LATENCY = 1
    PAUSE = 4

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        super().__init__(
            {
                "there": In(1),
                "address": Out(range(PACKET_WORDS)),
                "data": In(FIELD_WORD),
                "peered": In(1),
                "channel": Out(range(config.channels + 1)),
                "peer": In(PEER_BITS),
                "release": Out(1),
                "coded": In(stream.Signature(WORD)),
                "raw": In(stream.Signature(WORD // 2)),
                "rewind_coded": Out(1),
                "rewind_raw": Out(1),
                "read_lane": Out(range(config.lanes)),
                "o": Out(stream.Signature(BYTE_LAYOUT)),
                **({"load": In(load_layout(config.width, links_words(config)))} if config.links else {}),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.header_check = header_check = checker(packet.HEADER_CHECK)
        m.submodules.packet_check = packet_check = checker(packet.PACKET_CHECK)
        lanes = self.config.lanes
        more, links = self._more(m)

        byte, valid, last = Signal(8), Signal(), Signal()
        step = send(m, self.o, byte, valid, last)
        m.d.comb += [header_check.data.eq(byte), packet_check.data.eq(byte), packet_check.valid.eq(step)]

        # The word that the next clock needs is addressed in this one.
        header = self._header()
        index, index_next = Signal(range(len(header))), Signal(range(len(header)))
        m.d.comb += index_next.eq(index + step)
        m.d.sync += index.eq(index_next)
        stored, constants, words, halves = (Array(column) for column in zip(*header, strict=True))
        raw, key, wide = Signal(), Signal(), Signal()
        lane = Signal(range(lanes))
        m.d.comb += [self.read_lane.eq(lane), self.address.eq(words[index_next])]
        with m.FSM():
            with m.State("HEADER"):
                field = self.data.word_select(halves[index], 8)
                m.d.comb += [
                    valid.eq(self.there),
                    byte.eq(Mux(stored[index], field, constants[index])),
                    header_check.valid.eq(step),
                ]
                with m.If(index == FLAGS_AT):
                    m.d.sync += [
                        key.eq((self.data & packet.FLAG_KEY) != 0),
                        raw.eq((self.data & packet.FLAG_RAW) != 0),
                        wide.eq((self.data & FLAG_WIDE) != 0),
                    ]
                with m.If(step & (index == Mux(key, len(header), packet.HEADER_BYTES) - 1)):
                    m.next = "HEADER CHECK"
                    for state, there in more.items():
                        with m.If(key & there):
                            m.next = state
                for there in more.values():
                    with m.If(there & (index == SHAPE_AT)):
                        m.d.comb += byte.eq(constants[index] | packet.SHAPE_PEERS)
            if self.config.peers:
                self._peers(m, step, valid, byte, header_check.valid)
            if links is not None:
                send_links(m, links, step, valid, byte, header_check.valid)
            with m.State("HEADER CHECK"):
                m.d.comb += [valid.eq(1), byte.eq(header_check.crc), header_check.start.eq(step)]
                m.d.comb += [index_next.eq(0), self.address.eq(Word.SIZES)]
                m.d.sync += lane.eq(0)
                with m.If(step):
                    m.next = "LENGTH OF LANE"
                    if lanes > 1:
                        with m.If(~raw):
                            m.next = "LENGTHS"
            if lanes > 1:
                self._lengths(m, step, valid, byte, index, index_next, wide)
            self._payload(m, step, valid, byte, index, index_next, raw, lane)
            with m.State("PACKET CHECK"):
                m.d.comb += [
                    valid.eq(1),
                    packet_check.valid.eq(0),
                    byte.eq(packet_check.crc.word_select(index[:2], 8)),
                    last.eq(index == packet.PACKET_CHECK_BYTES - 1),
                ]
                with m.If(step & last):
                    m.d.comb += [packet_check.start.eq(1), self.release.eq(1), index_next.eq(0)]
                    m.next = "HEADER"
        return m

    def _more(self, m: Module) -> tuple[dict[str, Value], Links | None]:
        """States that may follow the header, each with what says so, and what sends links."""
        more: dict[str, Value] = {"PEERS": self.peered} if self.config.peers else {}
        if not self.config.links:
            return more, None
        m.submodules.links = links = Links(self.config)
        m.d.comb += links.load.eq(self.load)
        return {**more, "LINKS": links.there}, links

    def _peers(self, m: Module, step: Value, valid: Signal, byte: Signal, checked: Signal) -> None:
        """The state in which peers are sent; the next one is asked for."""
        channel = Signal(range(self.config.channels + 1))
        m.d.sync += channel.eq(self.channel)
        with m.State("PEERS"):
            m.d.comb += [valid.eq(1), byte.eq(self.peer), checked.eq(step), self.channel.eq(channel + step)]
            with m.If(step & (channel == self.config.channels - 1)):
                m.next = "HEADER CHECK"

    def _lengths(
        self, m: Module, step: Value, valid: Signal, byte: Signal, index: Signal, index_next: Signal, wide: Signal
    ) -> None:
        """The state in which lengths of all strings but the last are sent."""
        with m.State("LENGTHS"):
            m.d.comb += [
                valid.eq(1),
                byte.eq(self.data.word_select(index[0], 8)),
                index_next.eq(index + Mux(wide, step, step << 1)),
                self.address.eq(Word.SIZES | index_next[1:]),
            ]
            with m.If(step & (index[1:] == self.config.lanes - 2) & (index[0] | ~wide)):
                m.next = "LENGTH OF LANE"

    def _payload(
        self,
        m: Module,
        step: Value,
        valid: Signal,
        byte: Signal,
        index: Signal,
        index_next: Signal,
        raw: Signal,
        lane: Signal,
    ) -> None:
        """The states in which a store's words are sent, lane after lane."""
        left, lanes = Signal(FIELD_WORD), self.config.lanes
        with m.State("LENGTH OF LANE"):
            m.d.comb += [
                self.address.eq(Mux(raw, Word.LENGTH, Word.SIZES | lane)),
                self.rewind_coded.eq(~raw),
                self.rewind_raw.eq(raw),
                index_next.eq(0),
            ]
            m.next = "LANE"
        with m.State("LANE"):
            m.d.sync += left.eq(self.data)
            m.next = "PAYLOAD"
        with m.State("PAYLOAD"):
            words_ = Mux(raw, self.raw.payload << (WORD // 2), self.coded.payload)
            m.d.comb += [
                valid.eq(Mux(raw, self.raw.valid, self.coded.valid)),
                byte.eq(words_.word_select((~index)[:2], 8)),
                self.coded.ready.eq(step & ~raw & (index[:2] == 3)),
                self.raw.ready.eq(step & raw & index[0]),
            ]
            with m.If(raw):
                m.d.comb += index_next.eq(index[0] ^ step)
            with m.If(step):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 1):
                    m.d.comb += index_next.eq(0)
                    m.d.sync += lane.eq(lane + 1)
                    m.next = "LENGTH OF LANE"
                    with m.If(raw | (lane == lanes - 1)):
                        m.next = "PACKET CHECK"

    def _header(self) -> list[tuple[Const, Const, Const, Const]]:
        """For each byte: whether it is stored, what it is if not, and in which word and half of it."""
        config, profile = self.config, find_profile(self.config.profile)
        constants = {
            "sync": packet.SYNC,
            "identity": packet.identity(profile.number),
            "channels": config.channels - 1,
            "shape": packet.shape(config.width, config.lanes, parameter_set=profile.parameterised),
        }
        places = {
            "flags": Word.FLAGS,
            "position": Word.POSITION,
            "frames": Word.FRAMES,
            "length": Word.LENGTH,
            "parameter_set": Word.NAME,
        }
        rows = []
        for field in (*packet.HEADER, *packet.KEY_HEADER, packet.PARAMETER_SET):
            for n in range(field.bytes):
                stored = field.name in places and (field.name, n) != ("length", 2)  # less than 65536
                word = places[field.name] + n // 2 if stored else 0
                constant = 0 if stored or field.name == "length" else constants[field.name] >> 8 * n & 0xFF
                rows.append((Const(stored, 1), Const(constant, 8), Const(word, 4), Const(n % 2, 1)))
        return rows


def _place(name: str) -> int:
    """Where a field of the header begins."""
    fields = (*packet.HEADER, *packet.KEY_HEADER)
    return sum(field.bytes for field in fields[: [field.name for field in fields].index(name)])


FLAGS_AT, SHAPE_AT = _place("flags"), _place("shape")
