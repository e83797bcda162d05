"""Memories in gates: states by channel, queue, delay, banks with lanes."""

from collections import deque
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import EnableInserter, Module, ResetInserter, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.memory import DelayLine, Queue, StateRam
from hw.store import Store
from tests.simulate import play


class Delayed(wiring.Component):
    """A delay line that moves on with `advance`, and is reset."""

    def __init__(self, clocks: int) -> None:
        self.clocks = clocks
        super().__init__({"advance": In(1), "reset": In(1), "i": In(8), "o": Out(8)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        line = DelayLine(unsigned(8), self.clocks)
        m.submodules.line = ResetInserter(self.reset)(EnableInserter(self.advance)(line))
        m.d.comb += [line.i.eq(self.i), self.o.eq(line.o)]
        return m


@pytest.mark.parametrize("clocks", [2, 3, 8, 14])
@pytest.mark.parametrize("share", [1.0, 0.4])
def test_delay_line(clocks: int, share: float) -> None:
    random = np.random.default_rng(clocks)
    steps = random.random(300) < share
    rows = [{"advance": int(step), "i": int(random.integers(1, 256))} for step in steps]
    seen = [row["o"] for row, step in zip(play(Delayed(clocks), rows, ["o"]), steps, strict=True) if step]
    came = [row["i"] for row in rows if row["advance"]]
    assert seen[clocks:] == came[:-clocks] and not any(seen[:clocks])


def test_a_reset_empties_a_delay_line() -> None:
    clocks = 14
    rows = [{"advance": 1, "i": 200 + n} for n in range(37)] + [{"advance": 1, "reset": 1, "i": 7}] * 2
    rows += [{"advance": 1, "i": n + 1} for n in range(40)]
    seen = [row["o"] for row in play(Delayed(clocks), rows, ["o"])]
    assert seen[39:] == [0] * clocks + [n + 1 for n in range(40 - clocks)]


def test_state_ram() -> None:
    """Channels in the order of a frame, broken frames among them; written some clocks after they were read."""
    random, depth, channels = np.random.default_rng(1), 5, 6
    memory: dict[int, int] = {}
    rows: list[dict[str, int]] = []
    expected: dict[int, int] = {}
    under_way: deque[tuple[int, int, int]] = deque()  # clock, channel, state to write
    channel = channels
    for clock in range(900):
        row: dict[str, int] = {}
        if under_way and under_way[0][0] == clock:
            _, at, value = under_way.popleft()
            row |= {"write": 1, "write_frame": int(at == 0), "value": value}
            memory[at] = value
        begin = channel >= channels or random.random() < 0.1
        at = 0 if begin else channel
        if random.random() < 0.8 and all(other != at for _, other, _ in under_way) and "write" not in row:
            row |= {"read": 1, "read_frame": int(begin)}
            if at in memory:
                expected[clock + 1] = memory[at]
            under_way.append((clock + depth, at, int(random.integers(0, 1 << 12))))
            channel = at + 1
        rows.append(row)
    seen = play(StateRam(channels, unsigned(12)), rows, ["data"], 1)
    assert {clock: seen[clock]["data"] for clock in expected} == expected
    assert len(expected) > 300


@pytest.mark.parametrize("pushes", [0.2, 0.5, 0.9])
def test_queue(pushes: float) -> None:
    """First in, first out, whatever comes and goes; no more than `depth` wait behind the head."""
    random, depth = np.random.default_rng(3), 8
    wishes = random.random((600, 2)) < [pushes, 0.5]
    waiting: deque[int] = deque()
    head: int | None = None
    outputs = ["there", "data", "waits", "level"]
    rows: list[dict[str, int]] = []
    expected: list[tuple[int, int | None, int, int]] = []
    for push, pop in wishes.tolist():
        expected.append((int(head is not None), head, int(bool(waiting)), len(waiting)))
        row = {"push": int(push), "value": int(random.integers(0, 256)), "pop": int(pop and head is not None)}
        rows.append(row)
        come = [row["value"]] if push and len(waiting) < depth else []
        if waiting and (head is None or row["pop"]):
            head = waiting.popleft()
        elif row["pop"]:
            head = None
        waiting += come
    seen = play(Queue(unsigned(8), depth), rows, outputs)
    got = [(row["there"], row["data"] if row["there"] else None, row["waits"], row["level"]) for row in seen]
    assert got == expected
    assert (max(row["level"] for row in seen) == depth) == (pushes > 0.2)


@pytest.mark.parametrize(("lanes", "busy"), [(4, 0.0), (4, 0.6), (2, 0.6)])
def test_store_with_lanes(lanes: int, busy: float) -> None:
    """Lanes are written in turns, and read one after the other while the next bank is being written."""
    random, words, banks = np.random.default_rng(lanes), 5, 4
    packets = [
        [random.integers(1, 1 << 32, random.integers(0, words + 1)).tolist() for _ in range(lanes)] for _ in range(9)
    ]
    patience = 6 * words  # clocks in which a lane is read
    taken: list[tuple[int, list[int]]] = []  # begin of a lane's turn at the output, and what is to come

    def writes(packet: list[list[int]]) -> list[dict[str, int]]:
        order = random.permutation([lane for lane, string in enumerate(packet) for _ in string])
        rest = [list(enumerate(string)) for string in packet]
        found: list[dict[str, int]] = []
        for lane in order.tolist():
            found += [{}] * int(random.random() > busy)
            offset, word = rest[lane].pop(0)
            found.append({"write": 1, "lane": lane, "offset": offset, "word": word})
        found.append({"write": 1, "lane": 0, "offset": words, "word": 99})  # beyond: not written
        return [*found, {"done": 1}]

    rows = writes(packets[0])
    for packet, after in zip(packets, [*packets[1:], None], strict=True):
        reads: list[dict[str, int]] = []
        for lane, string in enumerate(packet):
            taken.append((len(rows) + len(reads), string))
            reads += [{"rewind": 1, "read_lane": lane}, *[{"o.ready": 1, "read_lane": lane}] * patience]
        reads[-1] = {**reads[-1], "release": 1}
        following = writes(after) if after else []
        assert len(following) <= len(reads)
        following += [{}] * (len(reads) - len(following))
        rows += [{**read, **write} for read, write in zip(reads, following, strict=True)]
    seen = play(Store(words, banks, lanes), rows, ["o.valid", "o.payload"])
    for begin, string in taken:
        got = [seen[n]["o.payload"] for n in range(begin + 1, begin + patience + 1) if seen[n]["o.valid"]]
        assert got[: len(string)] == string
