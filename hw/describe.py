"""What is known of stored packets, as the fields of their headers: a block RAM that `hw.emit_lanes` reads bytes of.

A packet is known when its strings have ended: it is written down in the round behind, and where it begins behind its
first token. Nothing else is written in those clocks, so that one port is enough.
"""

from enum import IntEnum
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.load import Table, load_layout
from hw.memory import table
from hw.peer import PEER_BITS
from hw.turns import Kind, is_kind
from hw.words import words_layout
from model.spec import packet as spec
from model.spec.config import CodecConfig

WORD = 16
POSITION_BITS = 8 * next(f.bytes for f in spec.HEADER if f.name == "position")


class Word(IntEnum):
    """Words of 16 bits that describe a packet."""

    FLAGS = 0  # the header's flags, and `FLAG_WIDE`
    FRAMES = 1
    LENGTH = 2
    POSITION = 4  # and 5
    SIZES = 8  # of the lanes' strings
    NAME = 12  # four, in bank 0 only: the parameter set


PACKET_WORDS = 16
FLAG_WIDE = 1 << 8  # lanes' lengths take two bytes


class Describe(wiring.Component):
    """Descriptions of packets.

    Parameters
    ----------
    config : CodecConfig
    words : int
        As of `hw.words.Words`.
    banks : int
        Packets that can be stored at a time.

    Members
    -------
    i : In, `hw.words.words_layout`
    advance : In
        There is a token at `i`.
    load : In, `hw.load.load_layout`
        The name of the parameter set, and peers.
    done : Out
        Another packet is known.
    release : In
        The oldest one is to be forgotten.
    there : Out
        There is one.
    address : In
        A `Word` of the oldest packet.
    data : Out, 16
        It, one clock later.
    peered : Out
        Some channel has a peer.
    channel, peer : In, Out
        How many channels before it a channel's peer stands, one clock later.

    Latency
    -------
    `LATENCY` clocks from a packet's last token to `there`.

    Model
    -----
    `model.codec.calibrated.Calibrated.encode`, `model.codec.raw`
    """

    LATENCY = 5

    def __init__(self, config: CodecConfig, words: int, banks: int) -> None:
        self.config = config
        self.words = words
        self.banks = banks
        super().__init__(
            {
                "i": In(words_layout(config, words)),
                "advance": In(1),
                "load": In(load_layout(config.width)),
                "done": Out(1),
                "release": In(1),
                "there": Out(1),
                "address": In(range(PACKET_WORDS)),
                "data": Out(WORD),
                "peered": Out(1),
                "channel": In(range(config.channels + 1)),
                "peer": Out(PEER_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, token = self.config, self.i.token
        m.submodules.memory = memory = table(WORD, self.banks * PACKET_WORDS)
        write, read = memory.write_port(), memory.read_port()

        bank, oldest, stored = Signal(range(self.banks)), Signal(range(self.banks)), Signal(range(self.banks + 1))
        m.d.sync += [bank.eq(bank + self.done), oldest.eq(oldest + self.release)]
        m.d.sync += stored.eq(stored + self.done - self.release)
        m.d.comb += [
            self.there.eq(stored != 0),
            read.addr.eq(Cat(self.address, Mux(self.address >= Word.NAME, 0, oldest))),
            self.data.eq(read.data),
        ]

        # Frames are numbered, stored or not; `number` is that of the last one, and where the packet began with it.
        number, frames, key = Signal(POSITION_BITS, init=-1), Signal(range(config.packet_frames + 1)), Signal()
        framed, opens = Signal(), Signal()
        m.d.comb += [
            framed.eq(self.advance & token.sample & token.flags.frame),
            opens.eq(framed & token.flags.first),
        ]
        with m.If(framed | (self.advance & is_kind(token, Kind.FRAME))):
            m.d.sync += number.eq(number + Mux(token.sample, 1, token.code))
        with m.If(framed):
            m.d.sync += frames.eq(Mux(opens, 0, frames) + 1)
        with m.If(opens):
            m.d.sync += key.eq(token.flags.key)
        length, raw, wide = self._measure(m, framed, opens)

        # Written in turns: sizes with the tokens that end strings, the rest right behind, positions when packets begin.
        ends = self.advance & self.i.last
        m.d.comb += [write.addr.eq(Cat(Word.SIZES | token.lane, bank)), write.data.eq(self.i.bytes), write.en.eq(ends)]
        with m.FSM():
            with m.State("RECORD"):
                with m.If(opens):
                    m.next = "POSITION"
                with m.Elif(ends & (token.lane == config.lanes - 1)):
                    m.next = "FLAGS"
            flags = Mux(key, spec.FLAG_KEY, 0) | Mux(raw, spec.FLAG_RAW, 0) | Mux(wide, FLAG_WIDE, 0)
            for state, word, value, following in (
                ("POSITION", Word.POSITION, number[:WORD], "POSITION, UPPER HALF"),
                ("POSITION, UPPER HALF", Word.POSITION + 1, number[WORD:], "RECORD"),
                ("FLAGS", Word.FLAGS, flags, "FRAMES"),
                ("FRAMES", Word.FRAMES, frames, "LENGTH"),
                ("LENGTH", Word.LENGTH, length, "DONE"),
            ):
                with m.State(state):
                    m.d.comb += [write.addr.eq(Cat(Const(word, 4), bank)), write.data.eq(value), write.en.eq(1)]
                    m.next = following
            with m.State("DONE"):
                m.d.comb += self.done.eq(1)
                m.next = "RECORD"

        with m.If(self.load.write & (self.load.table == Table.NAME)):
            address = Word.NAME | self.load.address[:2]
            m.d.comb += [write.addr.eq(address), write.data.eq(self.load.value), write.en.eq(1)]
        if config.peers:
            self._peers(m)
        return m

    def _measure(self, m: Module, framed: Value, opens: Value) -> tuple[Value, Value, Value]:
        """Bytes of the payload, whether it is raw, and whether its lanes' lengths take two bytes."""
        config = self.config
        bits = config.channels * config.width
        raw_bits = Signal(range(config.packet_frames * bits + 1))
        total, too_long = Signal(range(config.lanes * 4 * (self.words + 1))), Signal()
        plain, share = ((raw_bits >> shift) + 7 >> 3 for shift in (0, config.lanes.bit_length() - 1))
        with m.If(framed):
            m.d.sync += raw_bits.eq(Mux(opens, 0, raw_bits) + bits)
        with m.If(opens):
            m.d.sync += [total.eq(0), too_long.eq(0)]

        # A string longer than its codes are, or than there is room for, makes the packet raw; and so do all together.
        ends = self.advance & self.i.last
        with m.If(ends):
            m.d.sync += total.eq(total + self.i.bytes)
        beyond = self.advance & self.i.write & (self.i.offset == self.words)
        with m.If(beyond | (ends & (self.i.bytes > share))):
            m.d.sync += too_long.eq(1)
        length, raw, wide = Signal(len(total) + 1), Signal(), Signal()
        m.d.comb += [
            wide.eq(plain >= 1 << 8),
            length.eq(total + (Mux(wide, 2, 1) if config.lanes > 1 else 0) * (config.lanes - 1)),
            raw.eq((length >= plain) | too_long),
        ]
        return Mux(raw, plain, length), raw, wide

    def _peers(self, m: Module) -> None:
        m.submodules.peers = peers = table(PEER_BITS, self.config.channels)
        write, read = peers.write_port(), peers.read_port()
        m.d.comb += [
            write.en.eq(self.load.write & (self.load.table == Table.PEERS)),
            write.addr.eq(self.load.address),
            write.data.eq(self.load.value),
            read.addr.eq(self.channel),
            self.peer.eq(read.data),
        ]
        with m.If(write.en):
            m.d.sync += self.peered.eq((self.peered & (write.addr != 0)) | (write.data != 0))
