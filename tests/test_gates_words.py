"""Strings in gates, of all lanes together, against those of plain addition: carries of every kind, every ending."""

import pytest

from hw.turns import FLAGS, SLOTS, Kind
from hw.words import Words
from model.spec.config import CodecConfig
from tests.simulate import play
from tests.test_range_coder import Part, Script

WIDTH = 10
SEEDS = (98, 206, 218, 737, 1049, 1315, 1901, *range(41))  # the first make words of ones by a carry
FIELDS = ("offset", "word", "write", "last", "bytes")
OUT = ["o.token.lane", *(f"o.{name}" for name in FIELDS)]
MOST_WORDS = 40


class Narrow(Script):
    """Steps that gates of 10 bits know."""

    def plain(self, code: int, width: int) -> None:
        super().plain(code & ((1 << WIDTH) - 1), WIDTH)

    def even(self, number: int, bits: int) -> None:
        self.part(0, 1)


def script(seed: int) -> Narrow:
    """Steps of all kinds, or a string that stays just below one with certain bits in it, and then passes it or ends."""
    found = Narrow(seed)
    found.any(found.number(1, 9))
    if seed % 3:
        word, goal = (0, 1, 0xFFFF, 0x8000)[seed % 4], 0
        while not 0 < goal < found.coder.size:
            found.any(3)
            found.to_word()
            goal = (word - found.coder.low) % 65536
        goal = found.around(goal, 1 + seed % 12, 2 + seed % 13)
        if seed % 3 == 1:
            found.part(goal, found.number(goal + 1, found.coder.size))
    if seed % 2:
        found.any(found.number(0, 40))
    return found


def end(kind: Kind, lane: int) -> dict[str, int]:
    """A token of a packet's end."""
    return {"i.lane": lane, **{f"i.flags.{name}": int(kind) >> bit & 1 for bit, name in enumerate(FLAGS.members)}}


def tokens(found: Narrow, lane: int) -> list[dict[str, int]]:
    """A lane's tokens: a step each, or an escape with its code behind it."""
    words: list[dict[str, int]] = []
    for step in found.steps:
        escape = words[-1] if len(words) % 3 and not words[-1].get("part.plain") else None
        if isinstance(step, Part):
            moved = {"part.below": step.below, "part.bits": 16 - (step.above - step.below).bit_length()}
            words.append({"i.sample": 1, "i.flags.first": int(not words), "i.lane": lane, **moved})
            continue
        if escape is None:
            escape = {"i.sample": 1, "i.flags.first": int(not words), "i.lane": lane}
            words.append(escape)
        escape |= {"part.plain": 1, "i.code": step.code}
    return words


def in_slots(row: list[dict[str, int]]) -> list[dict[str, int]]:
    """A token of each lane, in its slot; none is one, too."""
    live = {"i.live": 1} if len(row) < SLOTS else {}
    return [word for token in row for word in [token | live, *[{}] * (SLOTS // len(row) - 1)]]


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_strings(lanes: int) -> None:
    words: list[dict[str, int]] = []
    expected: list[list[bytes]] = []
    events: set[str] = set()
    for packet in range(48 // lanes + 12):
        found = [script(SEEDS[(packet * lanes + lane) % len(SEEDS)]) for lane in range(lanes)]
        columns = [tokens(each, lane) for lane, each in enumerate(found)]
        for row in range(max(map(len, columns))):
            words += in_slots([column[row] if row < len(column) else {} for column in columns])
        for kind in (Kind.ROUND, Kind.HELD, Kind.HALF):
            words += in_slots([end(kind, lane) for lane in range(lanes)])
        expected.append([each.coder.finish() for each in found])
        events |= {event for each in found for event in each.coder.events}
    turns = ["overlap", "overlap carries", "carry", "carry makes ones"]
    assert events >= {*turns, *(f"at the end: {turn}" for turn in turns)}
    got: list[list[bytes]] = [[]]
    strings = [bytearray() for _ in range(lanes)]
    config = CodecConfig("calibrated", 4 * lanes, WIDTH, packet_frames=100, lanes=lanes)
    for row in play(Words(config, MOST_WORDS), words, OUT, idle=Words.LATENCY + 1):
        lane, offset, word, write, last, size = (row[name] for name in OUT)
        if write:
            assert offset == len(strings[lane]) // 4
            strings[lane] += word.to_bytes(4, "big")
        if last:
            got[-1].append(bytes(strings[lane][:size]))
            strings[lane].clear()
            if lane == lanes - 1:
                got.append([])
    assert got[:-1] == expected


@pytest.mark.parametrize("codes", [9, 12, 13, 16, 40])
def test_what_the_store_has_no_room_for_says_so(codes: int) -> None:
    """Ten bits a code, and room for four words."""
    config, room = CodecConfig("calibrated", 4, WIDTH, packet_frames=100), 4
    plain = [{"i.sample": 1, "i.flags.first": int(n == 0), "part.plain": 1, "i.code": n} for n in range(codes)]
    ends = [end(kind, 0) for kind in (Kind.ROUND, Kind.HELD, Kind.HALF)]
    words = [word for row in plain + ends for word in in_slots([row])]
    seen = play(Words(config, room), words, OUT, Words.LATENCY + 1)
    size = -(-(WIDTH * codes + 2) // 8)  # what ends a string is that of half the interval, whose first bit is 0
    written = [row["o.offset"] for row in seen if row["o.write"]]
    assert written == [min(n, room) for n in range(len(written))]
    assert -(-size // 4) <= len(written) <= -(-(size + 3) // 4)  # of the last one nothing may be the string's
    ended = [row["o.bytes"] for row in seen if row["o.last"]]
    assert len(ended) == 1 and (len(written) > room or ended == [size])
