"""Samples in turns: every lane's in its slot, ends of packets, frames that are not stored, and what moves on."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Out

from hw.arithmetic import delayed
from hw.turns import DEPTH, END_ROUNDS, RESERVED, SLOTS, WAITED, Kind, Turns
from model.spec.config import CodecConfig
from tests.simulate import play

FLUSH, RETURN = 24, 6
MARKS = ("sample", "open", "key", "frame", "close")
TOKEN = ("sample", "lane", "code", "flags.first", "flags.frame", "flags.key")
OUT = ["advance", "full", "counted", "busy", "o.valid", "o.payload.code", *(f"token.{name}" for name in TOKEN)]
Row = dict[str, int]


def entry(code: int = 0, **marks: int) -> Row:
    return {"i.valid": 1, "i.payload.code": code, **{f"i.payload.marks.{name}": value for name, value in marks.items()}}


def packet(channels: int, frames: int, *, key: bool = False, begin: int = 0) -> Iterator[Row]:
    """Samples of a packet; their codes count."""
    for n in range(frames * channels):
        opens, last = n == 0, n == frames * channels - 1
        yield entry(
            begin + n, sample=1, frame=int(n % channels == 0), open=int(opens), key=int(opens and key), close=int(last)
        )


def seen_by(config: CodecConfig, rows: list[Row], idle: int = 120) -> list[Row]:
    return play(Turns(config, RETURN, FLUSH), rows, OUT, idle)


def kind(row: Row) -> Kind:
    """What a token does that is no sample."""
    return Kind(row["token.flags.first"] | row["token.flags.frame"] << 1 | row["token.flags.key"] << 2)


def frames_told(rows: list[Row]) -> list[int]:
    """How many frame times each token says that are not stored."""
    moved = [row for row in rows if row["advance"] and not row["token.sample"]]
    return [row["token.code"] for row in moved if kind(row) is Kind.FRAME]


@pytest.mark.parametrize(("channels", "lanes"), [(8, 4), (8, 2), (8, 1), (4, 4), (2, 2), (1, 1), (4, 2), (3, 1)])
@pytest.mark.parametrize("haste", [1.0, 0.7, 0.15])
def test_packets(channels: int, lanes: int, haste: float) -> None:
    """Samples leave in order, each in its lane's slot, no channel too early; then three tokens a lane, and a round."""
    config = CodecConfig("calibrated", channels, 8, 50, 3, lanes)
    random, frames = np.random.default_rng(channels), (3, 1, 4, 1, 1, 2)
    rate = haste * channels / Turns.frame_slots(config, RETURN) if haste < 1 else 1.0
    rows: list[Row] = []
    for number, count in enumerate(frames):
        for row in packet(channels, count, key=number % 2 == 0, begin=sum(frames[:number]) * channels):
            rows += [row, *[{}] * int(random.geometric(rate) - 1)]
            if len(rows) % 45 > 40 and haste == 1:
                rows += [{}] * 45  # less than what fills the queue
        rows += [{}] * (40 if haste == 1 else 0)
    tokens = [row for row in seen_by(config, rows) if row["advance"]]
    samples = [(n, row) for n, row in enumerate(tokens) if row["token.sample"]]
    assert [row["token.code"] for _, row in samples] == list(range(sum(frames) * channels))
    assert all(row["token.lane"] == row["token.code"] % channels % lanes for _, row in samples)
    assert all(n % SLOTS == row["token.lane"] * SLOTS // lanes for n, row in samples)
    places = [n for n, _ in samples]
    assert all(late - early >= RETURN for early, late in zip(places, places[channels:], strict=False))
    assert all(row["o.valid"] == row["token.sample"] for row in tokens)
    ends = [(n, kind(row), row["token.lane"]) for n, row in enumerate(tokens) if not row["token.sample"] and kind(row)]
    assert [(k, lane) for _, k, lane in ends] == [
        (k, lane) for _ in frames for k in (Kind.ROUND, Kind.HELD, Kind.HALF) for lane in range(lanes)
    ]
    assert all(n % SLOTS == lane * SLOTS // lanes for n, _, lane in ends)
    begin = 0
    for number, count in enumerate(frames):
        own = samples[begin : begin + count * channels]
        begin += count * channels
        turn = ends[3 * lanes * number : 3 * lanes * (number + 1)]
        assert own[-1][0] < turn[0][0] and turn[-1][0] - turn[0][0] == 2 * SLOTS + (lanes - 1) * SLOTS // lanes
        after = places[begin] if begin < len(places) else len(tokens)
        assert after >= turn[0][0] + END_ROUNDS * SLOTS
        assert [row["token.flags.first"] for _, row in own] == [1] * lanes + [0] * (len(own) - lanes)
        assert [row["token.flags.frame"] for _, row in own] == ([1] + [0] * (channels - 1)) * count
        assert [row["token.flags.key"] for _, row in own] == [int(number % 2 == 0)] + [0] * (len(own) - 1)


def test_a_frame_at_once_moves_on_without_a_clock_between() -> None:
    """Nothing waits: the first token is there after `LATENCY` clocks, and nothing moves on before."""
    config = CodecConfig("calibrated", 8, 8, 50, 3, 4)
    seen = seen_by(config, list(packet(8, 2)), 4 * SLOTS + FLUSH + 10)
    advance = [row["advance"] for row in seen]
    count = 16 + END_ROUNDS * SLOTS + FLUSH
    assert advance == [0] * Turns.LATENCY + [1] * count + [0] * (len(seen) - count - Turns.LATENCY)
    busy = [row["busy"] for row in seen]
    before = Turns.LATENCY - 1
    assert busy == [1] * (before + count) + [0] * (len(seen) - before - count)


def test_what_is_not_stored_moves_on_as_frames_only() -> None:
    """Frames between packets, one after the other, and one with every entry that bears no sample."""
    config = CodecConfig("calibrated", 4, 8, 50, 3, 4)
    rows = [
        entry(frame=1),
        {},
        entry(frame=1),
        entry(frame=1),
        *packet(4, 1),
        entry(frame=1),
        *[{}] * 60,
        entry(frame=1),
    ]
    rows += [entry(), entry(sample=0, close=0)]  # nothing
    seen = seen_by(config, rows)
    kinds = [kind(row) for row in seen if row["advance"] and not row["token.sample"]]
    told = [found for found in kinds if found != Kind.NONE]
    end = [k for k in (Kind.ROUND, Kind.HELD, Kind.HALF) for _ in range(4)]
    assert told == [Kind.FRAME] * 3 + end + [Kind.FRAME] * 2
    assert frames_told(seen) == [1] * 5 and all(row["counted"] for row in seen)


@pytest.mark.parametrize("lanes", [1, 2, 4])
@pytest.mark.parametrize("clocks", range(12))
def test_an_end_without_a_sample(lanes: int, clocks: int) -> None:
    """Recording stops some clocks after the last sample, and a packet begins at once."""
    config = CodecConfig("calibrated", 8, 8, 50, 3, lanes)
    first, second = list(packet(8, 2)), list(packet(8, 1))
    del first[-1]["i.payload.marks.close"]
    rows = [*first, *[{}] * clocks, entry(close=1), *second]
    tokens = [row for row in seen_by(config, rows, 200) if row["advance"]]
    what = [kind(row) if not row["token.sample"] else row["token.code"] for row in tokens]
    told = [found for found in what if found is not Kind.NONE]
    end = [k for k in (Kind.ROUND, Kind.HELD, Kind.HALF) for _ in range(lanes)]
    assert told == [*range(16), *end, *range(8), *end]
    places = [n for n, row in enumerate(tokens) if row["token.sample"]]
    assert all(n % SLOTS == tokens[n]["token.lane"] * SLOTS // lanes for n in places)


def test_a_full_queue_says_so_in_time() -> None:
    """What is on its way, and then no more, finds room: nothing that bears a sample is lost."""
    config, frames = CodecConfig("calibrated", 8, 8, 50, 3, 1), 40
    rows: list[Row] = []
    for n in range(8 * frames):
        rows.append(entry(n % 256, sample=1, frame=int(n % 8 == 0), open=int(n == 0)))
    full = [row["full"] for row in seen_by(config, rows, 0)]
    first = full.index(1)
    assert DEPTH - RESERVED - WAITED < first * (SLOTS - 1) // SLOTS < DEPTH
    rows = rows[: first + WAITED]
    seen = seen_by(config, rows, 8 * DEPTH)
    codes = [row["token.code"] for row in seen if row["advance"] and row["token.sample"]]
    assert codes == [n % 256 for n in range(len(rows))]
    assert not seen[-1]["full"] and not seen[-1]["busy"]


@pytest.mark.parametrize("frames", [1, 40, 200])
def test_no_frame_is_lost_while_the_queue_is_full(frames: int) -> None:
    """Frames that are not stored, one a clock, behind more samples than there is room for: they wait, and count."""
    config = CodecConfig("calibrated", 8, 8, 50, 3, 1)
    samples = list(packet(8, 12))  # a sample leaves every fourth clock
    seen = seen_by(config, [*samples, *[entry(frame=1)] * frames], 800)
    assert sum(frames_told(seen)) == frames
    counted = [row["counted"] for row in seen]
    begin = counted.index(0)  # none waits before there is one, nor for good
    assert begin == len(samples) + 1 and counted[-1]
    assert [row["counted"] for row in seen if row["advance"] and kind(row) is Kind.FRAME and not row["token.sample"]]


class Waiting(wiring.Component):
    """A source of tokens, each with its number, that stops as late as it may."""

    def __init__(self, config: CodecConfig, rows: list[Row]) -> None:
        self.config, self.rows = config, rows
        names = {"advance": 1, "counted": 1, "sample": 1, "kind": 3, "code": config.width, "extra": 16}
        super().__init__({name: Out(width) for name, width in names.items()})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.turns = turns = Turns(self.config, 1, FLUSH, unsigned(16))
        layout = turns.i.signature.members["payload"].shape
        values = [
            {
                "code": row["i.payload.code"],
                "extra": n,
                "marks": {name: row.get(f"i.payload.marks.{name}", 0) for name in MARKS},
            }
            for n, row in enumerate(self.rows)
        ]
        m.submodules.memory = memory = Memory(shape=layout, depth=len(values), init=values)
        read = memory.read_port()
        may, at = Signal(), Signal(range(len(values) + 1))
        m.d.comb += [may.eq(~turns.full & (at != len(values))), read.addr.eq(at)]
        m.d.sync += at.eq(at + may)
        there, payload = delayed(m, may), read.data
        for _ in range(WAITED - 1):
            there, payload = delayed(m, there), delayed(m, payload)
        m.d.comb += [turns.i.valid.eq(there), turns.i.payload.eq(payload)]
        token = turns.token
        m.d.comb += [
            self.advance.eq(turns.advance),
            self.counted.eq(turns.counted),
            self.sample.eq(token.sample),
            self.kind.eq(token.flags.as_value()),
            self.code.eq(token.code),
            self.extra.eq(turns.extra),
        ]
        return m


@pytest.mark.parametrize(("channels", "lanes"), [(8, 1), (8, 2), (8, 4), (3, 1)])
def test_a_source_that_waits_loses_nothing(channels: int, lanes: int) -> None:
    """Packets, ends without a sample, and frames that are not stored, at once: all leave in order."""
    config, random = CodecConfig("calibrated", channels, 8, 50, 3, lanes), np.random.default_rng(channels + lanes)
    rows: list[Row] = []
    for _ in range(9):
        found = list(packet(channels, int(random.integers(1, 6))))
        if random.random() < 0.5:
            del found[-1]["i.payload.marks.close"]
            found.append(entry(close=1))
        rows += [*found, *[entry(frame=1)] * int(random.choice([0, 1, 70]))]
    samples = [n for n, row in enumerate(rows) if row.get("i.payload.marks.sample")]
    names = ["advance", "counted", "sample", "kind", "code", "extra"]
    seen = play(Waiting(config, rows), [{}] * (6 * len(rows) * SLOTS // lanes + 300), names)
    moved = [row for row in seen if row["advance"]]
    assert [row["extra"] for row in moved if row["sample"]] == samples
    assert [row["code"] for row in moved if row["sample"]] == [rows[n]["i.payload.code"] for n in samples]
    # Where frames stand that are not stored, and where packets end.
    order: list[int] = []
    for row in moved:
        if row["sample"] or row["kind"] == Kind.ROUND:
            order += [-1] if row["sample"] else ([0] if order[-1] != 0 else [])
        elif row["kind"] == Kind.FRAME:
            order += [1] * row["code"]
    told: list[int] = []
    for row in rows:
        marks = {name: row.get(f"i.payload.marks.{name}", 0) for name in MARKS}
        told += [-1] * marks["sample"] + [0] * marks["close"] + [1] * (marks["frame"] and not marks["sample"])
    assert order == told and seen[-1]["counted"]
