"""A packet described and sent: its bytes are those of `model.codec.packet.build`, however close packets come."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.describe import Describe
from hw.emit import BYTE_LAYOUT
from hw.emit_lanes import EmitLanes
from hw.links import links_words
from hw.load import Table, load_layout, pass_on
from hw.packet_lanes import RAW_WORD, lane_words
from hw.store import Store
from hw.turns import FLAGS, SLOTS, Kind
from hw.words import words_layout
from model.codec.packet import build, scan
from model.spec.config import CodecConfig
from model.spec.packet import MOST_LINKS, Links, lane_length_bytes
from tests.simulate import play

NAME, BANKS = 0x0123_4567_89AB_CDEF, 4
Row = dict[str, int]


class Sender(wiring.Component):
    """Descriptions, both stores and bytes, as in `hw.packet_lanes`; plain codes come as words."""

    def __init__(self, config: CodecConfig) -> None:
        self.config, self.words = config, lane_words(config)
        self.raw_words = -(-config.raw_bytes(config.packet_frames) // (RAW_WORD // 8))
        super().__init__(
            {
                "i": In(words_layout(config, self.words)),
                "advance": In(1),
                "load": In(load_layout(config.width, links_words(config))),
                "write": In(1),
                "word": In(RAW_WORD),
                "offset": In(range(self.raw_words + 1)),
                "o": Out(stream.Signature(BYTE_LAYOUT)),
                "release": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.describe = describe = Describe(self.config, self.words, BANKS)
        m.submodules.coded = coded = Store(self.words, BANKS, self.config.lanes)
        m.submodules.raw = raw = Store(self.raw_words, BANKS, word=RAW_WORD)
        m.submodules.emit = emit = EmitLanes(self.config)
        m.d.comb += [
            describe.i.eq(self.i),
            describe.advance.eq(self.advance),
            *pass_on(self.load, describe.load),
            coded.write.eq(self.i.write & self.advance),
            coded.word.eq(self.i.word),
            coded.lane.eq(self.i.token.lane),
            coded.offset.eq(self.i.offset),
            raw.write.eq(self.write),
            raw.word.eq(self.word),
            raw.offset.eq(self.offset),
            emit.there.eq(describe.there),
            describe.address.eq(emit.address),
            emit.data.eq(describe.data),
            coded.rewind.eq(emit.rewind_coded),
            coded.read_lane.eq(emit.read_lane),
            raw.rewind.eq(emit.rewind_raw),
            self.release.eq(emit.release),
        ]
        if self.config.links:
            m.d.comb += emit.load.eq(self.load)
        m.d.comb += [store.done.eq(describe.done) for store in (coded, raw)]
        m.d.comb += [part.release.eq(emit.release) for part in (describe, coded, raw)]
        wiring.connect(m, coded.o, emit.coded)
        wiring.connect(m, raw.o, emit.raw)
        wiring.connect(m, emit.o, wiring.flipped(self.o))
        return m


class Sent(NamedTuple):
    """A packet."""

    frames: int
    key: bool
    strings: Sequence[bytes]  # of lanes
    missed: Sequence[int] = ()  # frames before it that are not stored, as many as each token says


def flags(value: int) -> Row:
    return {f"i.token.flags.{name}": value >> bit & 1 for bit, name in enumerate(FLAGS.members)}


def tokens(config: CodecConfig, packet: Sent, plain: bytes) -> list[Row]:
    """Frames, the strings' words as late as can be, and ends, in as few tokens as `hw.turns` makes of them."""
    lanes, stride = config.lanes, SLOTS // config.lanes
    rows: list[Row] = []
    for n in range(packet.frames * config.channels):
        frame = n % config.channels == 0
        marks = {"first": n < lanes, "frame": frame, "key": packet.key and n == 0}
        row = {"i.token.sample": 1, "i.token.lane": n % lanes}
        rows.append(row | {f"i.token.flags.{name}": int(mark) for name, mark in marks.items()})
        rows += [{}] * (stride - 1)
        rows += [{}] * (SLOTS if frame and config.channels == lanes else 0)
    rows += [{}] * (-len(rows) % SLOTS + 2 * SLOTS)  # the rounds before the last one
    for lane, string in enumerate(packet.strings):
        words = [int.from_bytes(string[n : n + 4].ljust(4, b"\0"), "big") for n in range(0, len(string), 4)]
        end = {"i.token.lane": lane, "i.last": 1, "i.bytes": len(string), **flags(Kind.HALF)}
        last = {"i.write": 1, "i.offset": len(words) - 1, "i.word": words[-1]}
        places = [n for n in range(len(rows)) if n % SLOTS == lane * stride and n >= SLOTS]
        for offset, (word, place) in enumerate(zip(words[:-1], places, strict=False)):
            written = {"i.token.lane": lane, "i.write": 1, "i.offset": offset, "i.word": word}
            rows[place] = {**rows[place], **written}
        assert len(places) >= len(words) - 1
        rows += [end | last, *[{}] * (stride - 1)]
    rows += [{}] * SLOTS  # the round in which a packet becomes known
    for n in range(0, len(plain), 2):
        place = n // 2 % len(rows)
        rows[place] = {**rows[place], "write": 1, "word": int.from_bytes(plain[n : n + 2].ljust(2, b"\0"), "big")}
        rows[place]["offset"] = n // 2
    return [{**row, "advance": 1} for row in rows]


def law(config: CodecConfig, packet: Sent, plain: bytes, position: int) -> bytes:
    size = lane_length_bytes(len(plain))
    lengths = b"".join(len(string).to_bytes(size, "little") for string in packet.strings[:-1])
    payload, share = lengths + b"".join(packet.strings), -(-len(plain) // config.lanes)
    raw = len(payload) >= len(plain) or max(map(len, packet.strings)) > share
    name = NAME if packet.key else None
    return build(
        config, position, packet.frames, key=packet.key, raw=raw, payload=plain if raw else payload, parameter_set=name
    )


def loading(table: Table, values: Sequence[int]) -> list[Row]:
    words = [{"write": 1, "table": int(table), "address": n, "value": value} for n, value in enumerate(values)]
    return [{f"load.{name}": value for name, value in word.items()} for word in words]


def named(name: int = NAME) -> list[Row]:
    return loading(Table.NAME, [name >> 16 * n & 0xFFFF for n in range(4)])


def linked(links: Links, channels: int) -> list[Row]:
    """The table of `links`, if any channel has one."""
    values = [max(map(len, links), default=0)]
    for own in links or ((),) * channels:
        filled = (*own, *((0, 0),) * (MOST_LINKS - len(own)))
        values += [distance & 0xFF | (correlation & 0xFF) << 8 for distance, correlation in filled]
    return loading(Table.LINKS, values)


def sent(
    config: CodecConfig,
    packets: Sequence[Sent],
    ready: Sequence[int] = (1,),
    spread: int = 0,
    links: Links | None = None,
) -> None:
    """Play packets, with so many idle clocks after each, and compare; `links` for gates that know them."""
    random = np.random.default_rng(0)
    rows, expected, position, gates = named(), b"", 0, config
    if links is not None:
        rows += linked(links, config.channels)
        config = replace(config, links=links)
    for packet in packets:
        plain = random.bytes(config.raw_bytes(packet.frames))
        rows += [{"advance": 1, "i.token.code": count, **flags(Kind.FRAME)} for count in packet.missed]
        position += sum(packet.missed)
        rows += tokens(config, packet, plain) + [{}] * spread
        expected += law(config, packet, plain, position)
        position += packet.frames
    rows += [{}] * (spread or 3 * len(expected))
    rows = [{**row, "o.ready": flag} for row, flag in zip(rows, cycle(ready), strict=False)]
    seen = play(Sender(gates), rows, ["o.valid", "o.payload.data", "o.payload.last", "release"])
    taken = [row for row, word in zip(seen, rows, strict=True) if row["o.valid"] and word["o.ready"]]
    data = bytes(row["o.payload.data"] for row in taken)
    assert data == expected
    ends = [n + 1 for n, row in enumerate(taken) if row["o.payload.last"]]
    assert ends == [item.offset + item.size for item in scan(data)]
    assert sum(row["release"] for row in seen) == len(packets)


def strings(lanes: int, *sizes: int) -> list[bytes]:
    random = np.random.default_rng(sizes)
    return [random.bytes(sizes[lane % len(sizes)]) for lane in range(lanes)]


@pytest.mark.parametrize(("channels", "lanes"), [(4, 4), (4, 2), (4, 1), (2, 2), (1, 1)])
def test_the_shortest_packets_as_close_as_they_come(channels: int, lanes: int) -> None:
    """One frame each; the next begins with the first token after the end's rounds."""
    config = CodecConfig("calibrated", channels, 8, packet_frames=1, lanes=lanes)
    size = max(1, channels // lanes)
    packets = [Sent(1, n % 2 == 0, strings(lanes, size)) for n in range(BANKS - 1)]
    sent(config, packets)


@pytest.mark.parametrize("lanes", [1, 2, 4])
@pytest.mark.parametrize("ready", [(1,), (1, 0, 0, 1, 0)])
def test_bytes_of_packets(lanes: int, ready: Sequence[int]) -> None:
    """Key packets and others, whole and partial, lengths of one byte and of two, raw by the sum and by one lane."""
    config = CodecConfig("calibrated", 8, 10, packet_frames=30, lanes=lanes)  # 10 bytes a frame
    share = 300 // lanes
    packets = [
        Sent(30, True, strings(lanes, 20, 37, 1, 4)),
        Sent(30, False, strings(lanes, 8)),
        Sent(30, False, strings(lanes, share)),  # the sum is as long as the codes
        Sent(25, False, strings(lanes, 10, 3), missed=[1] * 7),  # 250 bytes
        Sent(26, True, strings(lanes, 10, 3)),  # 260
        Sent(30, False, strings(lanes, share + 1, 2)),
        Sent(1, True, strings(lanes, 1)),
        Sent(3, False, strings(lanes, 30 // lanes - 2), missed=(1023, 1, 255)),
        Sent(30, False, strings(lanes, share - 3)),
    ]
    sent(config, packets, ready, spread=400 * len(ready) // sum(ready))


def test_a_packet_that_is_given_up_leaves_nothing() -> None:
    """Broken off at every place, and the next one begins with the next slot of a frame."""
    config = CodecConfig("calibrated", 8, 10, packet_frames=4, lanes=4)
    packet, plain = Sent(4, True, strings(4, 9)), bytes(range(40))
    whole = tokens(config, packet, plain)
    rows, expected, position = named(), b"", 0
    for samples in range(1, 28, 3):
        begun = whole[: samples + -samples % SLOTS]
        rows += begun[:samples] + [{"advance": 1}] * (len(begun) - samples)
        position += -(-samples // 8)
        rows += whole + [{}] * 300
        expected += law(config, packet, plain, position)
        position += 4
    seen = play(Sender(config), [{**row, "o.ready": 1} for row in rows], ["o.valid", "o.payload.data"], 200)
    assert bytes(row["o.payload.data"] for row in seen if row["o.valid"]) == expected
