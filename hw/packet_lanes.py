"""Stage `packet` for coders in lanes: strings and plain codes are stored, then forwarded in the smaller form."""

from typing import Any, Final

from amaranth.hdl import EnableInserter, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.describe import Describe
from hw.emit import BYTE_LAYOUT
from hw.emit_lanes import EmitLanes
from hw.frame import frame_layout
from hw.links import links_words
from hw.load import load_layout, pass_on
from hw.pack import WORD, PackBits
from hw.range import PART
from hw.store import Store, append
from hw.turns import token_layout
from hw.words import Words
from model.spec.config import CodecConfig, ConfigError

RAW_WORD = 16  # bits of the plain codes' memory
MOST_RAW_BYTES: Final = (1 << 16) - 1


def lane_words(config: CodecConfig) -> int:
    """Words of 32 bits of the longest string that is sent, which is as long as its codes; its end is padded."""
    lane_bytes = -(-config.packet_frames * config.channels // config.lanes * config.width // 8)
    return -(-lane_bytes // (WORD // 8)) + 1


def check_lanes(config: CodecConfig) -> None:
    """Raise `ConfigError` if packets are none for gates with lanes."""
    if config.channels % config.lanes:
        raise ConfigError(
            f"channels: {config.channels} are not shared evenly by {config.lanes} lanes; "
            f"give a multiple of {config.lanes}"
        )
    if config.raw_bytes(config.packet_frames) > MOST_RAW_BYTES:
        raise ConfigError(f"packet_frames: {config.packet_frames} frames are too long for the store; give fewer")


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
    codes : In, stream of `hw.frame.frame_layout`, always ready
        Samples as they come.
    advance : In
        There is a token.
    token, part : In, `hw.turns.token_layout` and `hw.range.PART`
        The same samples, and ends of packets, as they are coded.
    load : In, `hw.load.load_layout` with `hw.links.links_words`
        The name of the parameter set, and peers or links.
    o : Out, stream of `BYTE_LAYOUT`
    room : Out
        A bank is free.
    take : In
        One is taken.
    empty : Out
        No packet is stored whole.
    unused : Out
        None is taken or stored.

    Latency
    -------
    `LATENCY` clocks from a packet's last token to its first byte, if nothing is being sent.

    Model
    -----
    `model.codec.calibrated.Calibrated.encode`, `model.codec.raw`, `model.codec.packet.build`
    """

    LATENCY = Words.LATENCY + Describe.LATENCY + EmitLanes.LATENCY

    def __init__(self, config: CodecConfig, banks: int) -> None:
        self.config = config
        self.banks = banks
        super().__init__(
            {
                "codes": In(stream.Signature(frame_layout(config), always_ready=True)),
                "advance": In(1),
                "token": In(token_layout(config)),
                "part": In(PART),
                "load": In(load_layout(config.width, links_words(config))),
                "o": Out(stream.Signature(BYTE_LAYOUT)),
                "room": Out(1),
                "take": In(1),
                "empty": Out(1),
                "unused": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, banks = self.config, self.banks
        words, raw_words = lane_words(config), -(-config.raw_bytes(config.packet_frames) // (RAW_WORD // 8))
        strings = Words(config, words)
        m.submodules.words = EnableInserter(self.advance)(strings)
        m.submodules.describe = describe = Describe(config, words, banks)
        m.submodules.plain = plain = PackBits(config.width, RAW_WORD)
        m.submodules.coded = coded = Store(words, banks, config.lanes, WORD)
        m.submodules.raw = raw = Store(raw_words, banks, word=RAW_WORD)
        m.submodules.emit = emit = EmitLanes(config)

        # Plain codes are stored as they come; strings when they have been made.
        came, marks = self.codes.payload, self.codes.payload.marks
        for name in ("sample", "open", "close", "abort"):
            m.d.comb += getattr(plain, name).eq(self.codes.valid & getattr(marks, name))
        m.d.comb += [plain.value.eq(came.code), plain.length.eq(config.width)]
        append(m, plain, raw)
        word = strings.o
        m.d.comb += [
            strings.i.eq(self.token),
            strings.part.eq(self.part),
            coded.write.eq(word.write & self.advance),
            coded.word.eq(word.word),
            coded.lane.eq(word.token.lane),
            coded.offset.eq(word.offset),
            coded.done.eq(describe.done),
            describe.i.eq(word),
            describe.advance.eq(self.advance),
            *pass_on(self.load, describe.load),
        ]
        if config.links:
            m.d.comb += emit.load.eq(self.load)

        free = Signal(range(banks + 1), init=banks)
        m.d.sync += free.eq(free - self.take + emit.release + (self.codes.valid & marks.abort))
        m.d.comb += [
            self.room.eq(free != 0),
            emit.there.eq(describe.there),
            self.empty.eq(~describe.there),
            self.unused.eq(free == banks),
            describe.address.eq(emit.address),
            emit.data.eq(describe.data),
            emit.peered.eq(describe.peered),
            describe.channel.eq(emit.channel),
            emit.peer.eq(describe.peer),
            coded.rewind.eq(emit.rewind_coded),
            coded.read_lane.eq(emit.read_lane),
            raw.rewind.eq(emit.rewind_raw),
        ]
        m.d.comb += [part.release.eq(emit.release) for part in (describe, coded, raw)]
        wiring.connect(m, coded.o, emit.coded)
        wiring.connect(m, raw.o, emit.raw)
        wiring.connect(m, emit.o, wiring.flipped(self.o))
        return m
