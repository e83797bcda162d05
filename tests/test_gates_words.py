"""Strings in gates, of all lanes together, against those of plain addition: carries of every kind, every ending."""

import pytest

from hw.turns import Turns
from hw.words import Kind, Words
from model.spec.config import CodecConfig
from tests.simulate import play
from tests.test_range_coder import Part, Script

WIDTH = 10
SEEDS = (98, 206, 218, 737, 1049, 1315, 1901, *range(41))  # the first make words of ones by a carry
OUT = [f"o.payload.{name}" for name in ("lane", "word", "write", "last", "bytes")]


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


def token(**fields: int) -> dict[str, int]:
    return {"i.valid": 1, **{f"i.payload.{name}": value for name, value in fields.items()}}


def tokens(found: Narrow, lane: int) -> list[dict[str, int]]:
    """A lane's tokens: a step each."""
    words = []
    for number, step in enumerate(found.steps):
        fields = {"first": int(number == 0), "lane": lane}
        if isinstance(step, Part):
            fields |= {"below": step.below, "bits": 16 - (step.above - step.below).bit_length()}
        else:
            fields |= {"plain": 1, "code": step.code}
        words.append(token(**fields))
    return words


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_strings(lanes: int) -> None:
    words: list[dict[str, int]] = []
    expected: list[list[bytes]] = []
    events: set[str] = set()
    for packet in range(48 // lanes + 12):
        found = [script(SEEDS[(packet * lanes + lane) % len(SEEDS)]) for lane in range(lanes)]
        columns = [tokens(each, lane) for lane, each in enumerate(found)]
        for row in range(max(map(len, columns))):
            words += [column[row] if row < len(column) else {} for column in columns] + [{}] * (4 - lanes)
        for kind in (Kind.ROUND, Kind.HELD, Kind.HALF):
            words += [token(kind=int(kind), lane=lane) for lane in range(lanes)] + [{}] * (4 - lanes)
        expected.append([each.coder.finish() for each in found])
        events |= {event for each in found for event in each.coder.events}
    turns = ["overlap", "overlap carries", "carry", "carry makes ones"]
    assert events >= {*turns, *(f"at the end: {turn}" for turn in turns)}
    got: list[list[bytes]] = [[]]
    strings = [bytearray() for _ in range(lanes)]
    config = CodecConfig("calibrated", 4 * lanes, WIDTH, packet_frames=100, lanes=lanes)
    for row in play(Words(config), words, ["o.valid", *OUT], idle=Words.LATENCY + 1):
        lane, word, write, last, size = (row[name] for name in OUT)
        if row["o.valid"] and write:
            strings[lane] += word.to_bytes(4, "big")
        if row["o.valid"] and last:
            got[-1].append(bytes(strings[lane][:size]))
            strings[lane].clear()
            if lane == lanes - 1:
                got.append([])
    assert got[:-1] == expected


@pytest.mark.parametrize("tokens_before", [12, 13, 14, 29, 30, 31])
def test_a_full_queue_loses_samples_but_no_marks(tokens_before: int) -> None:
    config = CodecConfig("calibrated", 4, WIDTH, packet_frames=100, lanes=1)
    words = [{"i.valid": 1, "i.payload.marks.sample": 1} for _ in range(tokens_before + 1)]
    words[0]["i.payload.marks.open"] = words[-1]["i.payload.marks.close"] = 1
    outputs = ["lost", "o.valid", "o.payload.ended", "o.payload.marks.open", "o.payload.marks.sample"]
    seen = play(Turns(config), words, outputs, idle=120)
    lost = sum(row["lost"] for row in seen)
    assert [sum(row["o.valid"] & row[name] for row in seen) for name in outputs[2:]] == [1, 1, len(words) - lost]
    assert (lost > 0) == (tokens_before > 17)
