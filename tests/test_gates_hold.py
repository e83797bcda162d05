"""`Hold` in gates, between `frame` and a pretended array that takes its time: all tokens come out, with outputs."""

import random
from typing import Any, NamedTuple

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from hw.arithmetic import delayed
from hw.frame import Frame, frame_layout
from hw.geometry import Geometry
from hw.hold import Hold, latency
from hw.marks import MARKS
from hw.network import get_latency
from model.spec.config import CodecConfig

FRONT = 6  # clocks from `frame` to `hold`
KINDS = tuple(MARKS.members)
SILENT = {"restart", "key"}  # they tell something of others
PARTS = ("bank", "core", "slot")
Place = tuple[int, int, int]  # bank, core, slot


class Token(NamedTuple):
    """One as it leaves `frame` or `hold`."""

    code: int
    channel: int
    marks: frozenset[str]

    @property
    def bare(self) -> bool:
        """A frame time that is not stored."""
        return self.marks - SILENT == {"frame"}


class Frames:
    """What tokens mean: whole frames, and which frame a sample belongs to."""

    def __init__(self, channels: int, tokens: list[Token]) -> None:
        self.whole: list[list[Token]] = []
        self.frame_of: list[int | None] = []  # of each token, the number of its whole frame
        open_: list[int] = []
        for n, token in enumerate(tokens):
            self.frame_of.append(None)
            if "abort" in token.marks:
                open_ = []
            if "sample" in token.marks:
                assert token.channel == len(open_)
                open_.append(n)
            if len(open_) == channels:
                for place in open_:
                    self.frame_of[place] = len(self.whole)
                self.whole.append([tokens[place] for place in open_])
                open_ = []


def answer(samples: list[int], channel: int) -> int:
    """What the pretended array makes of a frame: any sample of another frame changes it."""
    return hash((tuple(samples), channel)) & 0x1FFF


class PretendedArray:
    """Banks of samples and outputs; what is not to be read is -1."""

    def __init__(self, bench: "Bench") -> None:
        self.bench = bench
        self.samples: dict[Place, int] = {}
        self.outputs: dict[Place, int] = {}
        self.keys: list[int] = []
        self.left = 0
        self.bank = 0
        self.told = [-1] * (get_latency(bench.geometry) - 1)

    def clock(self, ctx: Any, seen: dict[str, int]) -> None:
        """From what was seen in a clock, the inputs in the next one."""
        hold, channels, geometry = self.bench.hold, self.bench.config.channels, self.bench.geometry
        self.told.append(self.outputs.get((seen["get_bank"], seen["get_core"], seen["get_slot"]), -1))
        if seen["valid"] and seen["sample"]:
            self.samples[seen["place_bank"], seen["place_core"], seen["place_slot"]] = seen["code"]
        if self.left:
            assert not seen["start"]
            self.left -= 1
            if not self.left:
                places = [(self.bank, *divmod(channel, geometry.slots)) for channel in range(channels)]
                row = [self.samples[place] for place in places]
                self.outputs.update({place: answer(row, channel) for channel, place in enumerate(places)})
        elif seen["start"]:
            self.keys.append(seen["key"])
            self.bank, self.left = seen["bank"], self.bench.time()
            self.outputs = {place: value for place, value in self.outputs.items() if place[0] != self.bank}
        ctx.set(hold.busy, int(self.left > 0))
        ctx.set(hold.done, int(self.left == 1))
        ctx.set(hold.outputs[0], self.told.pop(0))


class Bench:
    """`frame`, a delay and `hold`, with random inputs for so many clocks, and then none."""

    def __init__(self, config: CodecConfig, geometry: Geometry, seed: int, slow: int, frame_clocks: int = 0) -> None:
        self.config, self.geometry, self.slow = config, geometry, slow
        self.random = random.Random(seed)
        m = Module()
        m.submodules.frame = self.frame = Frame(config, 1, frame_clocks)
        m.submodules.hold = self.hold = Hold(config, geometry, frame_layout(config))
        valid, payload = self.frame.o.valid, self.frame.o.payload
        marks = payload.marks
        m.d.comb += self.hold.ahead.eq(valid & marks.sample & (payload.channel == config.channels - 1))
        self.room = Signal()
        m.d.comb += self.frame.room.eq(self.room & self.hold.counted)
        for _ in range(FRONT):
            valid, payload = delayed(m, valid), delayed(m, payload)
        m.d.comb += [self.hold.i.valid.eq(valid), self.hold.i.payload.eq(payload), self.frame.full.eq(self.hold.full)]
        self.array = PretendedArray(self)
        self.came: list[Token] = []
        self.left: list[tuple[Token, int]] = []
        self.clocks: dict[str, list[int]] = {"valid": [], "left": [], "start": [], "done": []}
        self.overruns = self.breaks = 0
        self.simulator = Simulator(m)

    def time(self) -> int:
        """Clocks that the array takes for a frame: mostly few, at times many."""
        return self.random.choice([1, 2, 5, self.slow, self.random.randint(1, self.slow)])

    def token(self, view: Any) -> Token:
        return Token(view.code, view.channel, frozenset(kind for kind in KINDS if getattr(view.marks, kind)))

    def run(self, inputs: Any, rest: int) -> None:
        """Play `inputs`, a mapping of values for each clock, then `rest` clocks of nothing."""
        frame, hold = self.frame, self.hold
        names = {"start": hold.start, "key": hold.key, "bank": hold.bank, "valid": hold.i.valid}
        names |= {"sample": hold.i.payload.marks.sample, "code": hold.i.payload.code}
        names |= {f"{kind}_{part}": getattr(getattr(hold, kind), part) for kind in ("place", "get") for part in PARTS}
        ports = {"valid": frame.i.valid, "mark": frame.i.payload.mark, "code": frame.i.payload.code}
        ports |= {"enable": frame.enable, "room": self.room, "pause": hold.pause}

        async def play(ctx: Any) -> None:
            now: dict[str, int] = {}
            quiet = 0
            for clock, word in enumerate([*inputs, *[{}] * rest]):
                for name, port in ports.items():
                    value = word.get(name, int(name in ("enable", "room")))
                    if now.get(name) != value:
                        ctx.set(port, value)
                        now[name] = value
                if ctx.get(frame.o.valid):
                    token = self.token(ctx.get(frame.o.payload))
                    self.came += [token] if token.marks - SILENT else []
                seen = {name: ctx.get(port) for name, port in names.items()}
                if ctx.get(hold.o.valid):
                    left = ctx.get(hold.o.payload)
                    self.left.append((self.token(left.token), left.outputs[0]))
                    self.clocks["left"].append(clock)
                quiet = quiet + 1 if word.get("pause") else 0
                assert quiet <= latency(self.geometry) or not ctx.get(hold.o.valid)
                for name in ("start", "valid"):
                    self.clocks[name] += [clock] if seen[name] else []
                if ctx.get(hold.done):
                    self.clocks["done"].append(clock)
                await ctx.tick()
                self.array.clock(ctx, seen)
            self.overruns, self.breaks = ctx.get(frame.overruns), ctx.get(frame.short_frames)

        self.simulator.add_clock(1e-6)
        self.simulator.add_testbench(play)
        self.simulator.run()

    def check(self) -> None:
        """Every token came out once, in its order, with the outputs of its own frame."""
        plain = Token(0, 0, frozenset({"frame"}))
        came = [plain if token.bare else token for token in self.came]
        assert [plain if token.bare else token for token, _ in self.left] == came[: len(self.left)]
        assert came[len(self.left) :] in ([], [plain])  # a missing frame's, still on its way
        frames = Frames(self.config.channels, self.came)
        assert self.array.keys == [int("restart" in row[0].marks) for row in frames.whole]
        for token, frame, (_, found) in zip(self.came, frames.frame_of, self.left, strict=False):
            if frame is not None:
                assert found == answer([one.code for one in frames.whole[frame]], token.channel)


def some_inputs(seed: int, channels: int, clocks: int, slow: int) -> list[dict[str, int]]:
    """Frames at a sample a clock or slowly, some of them cut short, some too long, pauses; `enable` falls at times."""
    rng, found = random.Random(seed), list[dict[str, int]]()
    serial = 0
    while len(found) < clocks:
        gap, rest, enable = rng.choice([0, 0, 1, 3]), rng.choice([0, slow // 2, slow]), int(rng.random() < 0.97)
        for _ in range(rng.randint(1, 8)):
            length = rng.choice([channels] * 4 + [rng.randint(1, channels + 1)])
            for n in range(length):
                serial += 1
                word = {"valid": 1, "mark": int(n == 0), "code": serial & 0x3FF, "enable": enable}
                found += [word, *({"enable": enable} for _ in range(gap))]
            found += [{"enable": enable} for _ in range(rest)]
    room = pause = 1
    for word in found:
        room = room if rng.random() < 0.98 else int(rng.random() < 0.8)
        pause = pause if rng.random() < 0.96 else int(rng.random() < 0.2)
        word |= {"room": room, "pause": pause}
    whole = [{"valid": 1, "mark": int(n == 0), "code": n} for n in range(channels)]
    return [*found, *[{}] * 200, *whole, *[{"enable": 0}]]  # no frame is left half


CASES = {
    "a channel": (1, Geometry(cores=1, slots=1), 3, 0, 12),
    "two channels, two cores": (2, Geometry(cores=2, slots=1), 2, 0, 20),
    "three channels, marks overdue": (3, Geometry(cores=2, slots=2), 4, 60, 30),
    "seven channels": (7, Geometry(cores=3, slots=3), 3, 90, 50),
    "packets of a frame": (4, Geometry(cores=1, slots=4), 1, 0, 25),
}


@pytest.mark.parametrize("case", CASES)
def test_every_token_meets_the_outputs_of_its_frame(case: str) -> None:
    channels, geometry, packet, frame_clocks, slow = CASES[case]
    config = CodecConfig("spikey", channels, 10, packet_frames=packet, key_interval=2)
    bench = Bench(config, geometry, channels, slow, frame_clocks)
    bench.run(some_inputs(channels, channels, 5500, slow), 600)
    bench.check()

    # All that can happen did.
    frames = Frames(channels, bench.came)
    broken = sum("sample" in token.marks for token in bench.came) - channels * len(frames.whole)
    assert len(frames.whole) > 50 and bench.overruns > 3 and sum(token.bare for token, _ in bench.left) > 5
    met = {token.marks & {"abort", "close", "sample"} for token in bench.came}
    must = {"close sample": True, "abort": packet > 1, "abort sample": channels > 1}
    assert {frozenset(kinds.split()) for kinds, happens in must.items() if happens} <= met
    assert (broken > 3) == (channels > 1)


def test_frames_that_find_no_room_are_counted_in_any_case() -> None:
    """A frame mark in every clock, and an array that is busy for far longer than there is room for them."""
    slow = 1300
    bench = Bench(CodecConfig("spikey", 1, 10, packet_frames=2, key_interval=2), Geometry(slots=1), 1, slow)
    bench.time = lambda: slow  # type: ignore[method-assign]
    bench.run([{"valid": 1, "mark": 1, "code": n & 0x3FF} for n in range(3 * slow)], 3 * slow + 300)
    bench.check()
    assert sum(token.bare for token in bench.came) > 2 * slow


def test_latency() -> None:
    """From a frame's last token to the array's start; from its end to the frame's first token, and to a next start."""
    config, geometry = CodecConfig("spikey", 3, 10, packet_frames=4), Geometry(slots=3)
    bench = Bench(config, geometry, 0, 20)
    words = [{"valid": 1, "mark": int(n == 0), "code": n} for n in range(3)]
    bench.run([*words, *[{}] * 60, *words, *words, *[{}] * 60], 60)
    bench.check()
    clocks = bench.clocks
    assert [start - clocks["valid"][3 * n + 2] for n, start in enumerate(clocks["start"][:2])] == [Hold.BEFORE] * 2
    assert clocks["done"][1] > clocks["valid"][8]  # the third frame waits for the array
    assert clocks["start"][2] - clocks["done"][1] == Hold.BETWEEN
    assert [clocks["left"][3 * n] - done for n, done in enumerate(clocks["done"])] == [latency(geometry)] * 3
    assert [clocks["left"][3 * n + 2] - clocks["left"][3 * n] for n in range(3)] == [2] * 3
