"""What is known of stored packets, as the fields of their headers: a block RAM that `hw.emit_lanes` reads bytes of.

A packet is known when its strings have ended; it is written down then, and where it begins, when it begins. Both is
done while tokens that bear no sample pass, so that one port is enough.
"""

from enum import IntEnum
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.load import Table, load_layout
from hw.memory import table
from hw.turns import Kind, is_kind
from hw.words import words_layout
from model.spec import packet as spec
from model.spec.config import CodecConfig

WORD = 16
POSITION_BITS = 8 * next(f.bytes for f in spec.HEADER if f.name == "position")


class Word(IntEnum):
    """Words of 16 bits that describe a packet."""

    FLAGS = 0  # the header's flags; in the upper byte, whether lanes' lengths take two bytes
    FRAMES = 1
    LENGTH = 2
    POSITION = 4  # and 5
    SIZES = 8  # of the lanes' strings
    NAME = 12  # four, in bank 0 only: the parameter set


PACKET_WORDS = 16


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
        The name of the parameter set.
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
        number = Signal(POSITION_BITS, init=-1)
        frames, key, raw_bits = Signal(range(config.packet_frames + 1)), Signal(), Signal(range(self._raw_bits + 1))
        total, too_long = Signal(range(config.lanes * 4 * (self.words + 1))), Signal()
        framed = token.sample & token.flags.frame
        opens = framed & token.flags.first
        with m.If(self.advance & (framed | is_kind(token, Kind.FRAME))):
            m.d.sync += number.eq(number + 1)
        with m.If(self.advance & framed):
            m.d.sync += [
                frames.eq(Mux(opens, 0, frames) + 1),
                raw_bits.eq(Mux(opens, 0, raw_bits) + config.channels * config.width),
            ]
        with m.If(self.advance & opens):
            m.d.sync += [key.eq(token.flags.key), total.eq(0), too_long.eq(0)]

        # A string longer than its codes are, or than there is room for, makes the packet raw; and so do all together.
        plain, share = ((raw_bits >> shift) + 7 >> 3 for shift in (0, config.lanes.bit_length() - 1))
        beyond = self.i.write & (self.i.offset == self.words)
        with m.If(self.advance & self.i.last):
            m.d.sync += total.eq(total + self.i.bytes)
        with m.If(self.advance & (beyond | (self.i.last & (self.i.bytes > share)))):
            m.d.sync += too_long.eq(1)
        wide, raw = Signal(), Signal()
        length = Signal(len(total) + 1)
        m.d.comb += [
            wide.eq(plain >= 1 << 8),
            length.eq(total + (Mux(wide, 2, 1) if config.lanes > 1 else 0) * (config.lanes - 1)),
            raw.eq((length >= plain) | too_long),
        ]

        # Written in turns: sizes with the tokens that end strings, the rest right behind, positions when packets begin.
        m.d.comb += [write.addr.eq(Cat(Word.SIZES | token.lane, bank)), write.data.eq(self.i.bytes)]
        with m.If(self.advance & self.i.last):
            m.d.comb += write.en.eq(1)
        with m.FSM():
            with m.State("RECORD"):
                with m.If(self.advance & opens):
                    m.next = "POSITION"
                with m.Elif(self.advance & self.i.last & (token.lane == config.lanes - 1)):
                    m.next = "FLAGS"
            self._write(m, write, bank, "POSITION", Word.POSITION, number[:WORD], "POSITION, UPPER HALF")
            self._write(m, write, bank, "POSITION, UPPER HALF", Word.POSITION | 1, number[WORD:], "RECORD")
            flags = Mux(key, spec.FLAG_KEY, 0) | Mux(raw, spec.FLAG_RAW, 0)
            self._write(m, write, bank, "FLAGS", Word.FLAGS, flags | (wide << 8), "FRAMES")
            self._write(m, write, bank, "FRAMES", Word.FRAMES, frames, "LENGTH")
            self._write(m, write, bank, "LENGTH", Word.LENGTH, Mux(raw, plain, length), "DONE")
            with m.State("DONE"):
                m.d.comb += self.done.eq(1)
                m.next = "RECORD"

        with m.If(self.load.write & (self.load.table == Table.NAME)):
            m.d.comb += [
                write.en.eq(1),
                write.addr.eq(Word.NAME | self.load.address[:2]),
                write.data.eq(self.load.value),
            ]
        return m

    @property
    def _raw_bits(self) -> int:
        return self.config.packet_frames * self.config.channels * self.config.width

    @staticmethod
    def _write(m: Module, port: Any, bank: Signal, state: str, word: int, value: Any, following: str) -> None:
        with m.State(state):
            m.d.comb += [port.en.eq(1), port.addr.eq(Cat(Const(word, 4), bank)), port.data.eq(value)]
            m.next = following
