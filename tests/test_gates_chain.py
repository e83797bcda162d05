"""The whole compressor of profile `calibrated` in gates: its bytes are the codec's, its parameter sets are whole."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from amaranth.hdl import Array, Module, Mux, Signal

from hw.calibrated import Calibrated
from hw.emit_lanes import EmitLanes
from hw.frame import COUNTERS
from hw.full import Full
from hw.loader import CHECK_WORDS, Loader
from hw.turns import SLOTS
from model.codec.compressor import Compressor, encode
from model.spec import shipped
from model.spec.calibrated import image, pack, unpack
from model.spec.config import CodecConfig, ConfigError
from model.spec.operating import PIPELINE_CLOCKS
from model.spec.parameters import ParameterSet
from tests.simulate import play
from tests.streams import packets_of
from tests.test_gates_calibrated import hard_codes, shared_codes, some_peers

SET, LATTICE = (shipped.default("calibrated", lattice=lattice) for lattice in (False, True))
WIDTH = 8  # loads three times as fast as 10
TABLES = unpack(SET, WIDTH)
OTHER = pack(replace(TABLES, start=TABLES.start + 40), WIDTH, even=True)
STRANGE = pack(replace(TABLES, shifts=TABLES.shifts + 1), WIDTH, even=True)
OUT = ["o.valid", "o.payload.data", "loaded", *COUNTERS]
Word = dict[str, int]


class QuickLoader(Loader):
    """Takes a word a clock, whatever is in use, and checks none: nothing takes a simulator as long as loading."""

    WORD_CLOCKS = 1

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        ends = np.cumsum([*self.sizes.values()]).tolist()
        at, number, base = Signal(16), Signal(16), Signal(16)
        table = sum((number >= end for end in ends), start=number[:0])
        came = self.i.payload
        m.d.comb += [
            self.i.ready.eq(1),
            number.eq(Mux(came.first, 0, at)),
            base.eq(Array([0, *ends])[table]),
            self.load.write.eq(self.i.valid & (number < ends[-1])),
            self.load.table.eq(Array(self.sizes)[table]),
            self.load.address.eq(number - base),
            self.load.value.eq(came.value),
        ]
        with m.If(self.i.valid):
            m.d.sync += [at.eq(number + 1), self.loaded.eq(number == ends[-1] + CHECK_WORDS - 1)]
        return m


def loading(
    parameters: ParameterSet,
    width: int = WIDTH,
    peers: Sequence[int] | None = None,
    clocks: int = QuickLoader.WORD_CLOCKS,
) -> list[Word]:
    """A set, and peers for gates that know them, a word in so many clocks."""
    words = []
    for number, value in enumerate(image(parameters, width, peers)):
        word = {"parameters.payload.value": int(value), "parameters.payload.first": int(number == 0)}
        words += [{"parameters.valid": 1, **word}] + [{}] * (clocks - 1)
    return words


def frame_of(row: Iterable[int], spacing: Iterable[int]) -> Iterator[Word]:
    """A frame, or its begin, with so many clocks for each sample."""
    for channel, (code, clocks) in enumerate(zip(row, spacing, strict=False)):
        yield {"i.valid": 1, "i.payload.code": int(code), "i.payload.mark": int(channel == 0), "enable": 1}
        yield from [{"enable": 1}] * (clocks - 1)


def frames_of(codes: np.ndarray, lanes: int, pause: int) -> Iterator[Word]:
    """Samples as fast as lanes take them, `pause` idle clocks after each frame."""
    for row in codes.tolist():
        yield from frame_of(row, [SLOTS // lanes] * len(row))
        yield from [{"enable": 1}] * pause


def quiet_codes(frames: int, channels: int, seed: int, width: int = WIDTH) -> np.ndarray:
    random, top = np.random.default_rng(seed), (1 << width) - 1
    walk = np.cumsum(random.normal(0, 1, (frames, channels)), axis=0) + random.normal(0, 4, (frames, channels))
    return np.clip(walk + top // 2, 0, top).astype(np.uint16)


def run(
    config: CodecConfig,
    words: list[Word],
    idle: int,
    banks: int = 2,
    frame_clocks: int = 0,
    loader: type[Loader] = QuickLoader,
) -> tuple[bytes, list[Word]]:
    core = Calibrated(config, banks, frame_clocks)
    with patch("hw.calibrated.Loader", loader):
        seen = play(core, [{**word, "o.ready": 1} for word in words] + [{"o.ready": 1}] * idle, OUT)
    return bytes(row["o.payload.data"] for row in seen if row["o.valid"]), seen


@pytest.mark.parametrize(
    ("channels", "width", "lanes", "packet_frames", "hard"),
    [
        (8, 10, 4, 12, False),
        (8, 8, 2, 9, True),
        (8, 8, 1, 10, False),
        (4, 8, 4, 25, False),
        (1, 8, 1, 16, False),
    ],
)
def test_bytes_are_the_codecs(channels: int, width: int, lanes: int, packet_frames: int, hard: bool) -> None:
    config = CodecConfig("calibrated", channels, width, packet_frames, 3, lanes)
    frames, parameters = 5 * packet_frames + 2, LATTICE if width == 10 else SET
    codes = quiet_codes(frames, channels, lanes, width)
    if hard:
        codes = hard_codes(max(frames, 80), channels, width)[:frames].astype(np.uint16)
    pause = max(6, packet_frames) + (channels * 2 if hard else 0)
    data, seen = run(config, [*loading(parameters, width), *frames_of(codes, lanes, pause)], 1500)
    assert data == encode(codes, config, parameters=parameters)
    assert not any(seen[-1][name] for name in COUNTERS)
    raw = [packet.raw for packet in packets_of(data)]
    assert len(raw) == 6 and any(raw[:-1]) == hard


def with_peer_weight(weight: int) -> ParameterSet:
    """The set with this start weight of peers' residuals."""
    return pack(replace(TABLES, weights=np.array([*TABLES.weights[:-1], weight])), WIDTH, even=True)


@pytest.mark.parametrize(
    ("channels", "lanes", "weight", "frames"), [(5, 1, 1000, 60), (6, 2, -1000, 60), (8, 4, -990, 40), (40, 4, 990, 20)]
)
def test_bytes_with_peers(channels: int, lanes: int, weight: int, frames: int) -> None:
    config = CodecConfig("calibrated", channels, WIDTH, 10, 3, lanes, some_peers(channels, lanes))
    codes, parameters = shared_codes(frames, channels, WIDTH).astype(np.uint16), with_peer_weight(weight)
    words = [*loading(parameters, peers=config.peers), *frames_of(codes, lanes, 12)]
    data, seen = run(config, words, 800, banks=4)
    assert data == encode(codes, config, parameters=parameters)
    assert data != encode(codes, replace(config, peers=()), parameters=parameters)
    assert not any(seen[-1][name] for name in COUNTERS)


def test_peers_come_with_every_set() -> None:
    """None, some and others, one after the other: with none, no header bears a table of them."""
    channels, lanes = 8, 2
    config = CodecConfig("calibrated", channels, WIDTH, 4, 2, lanes, some_peers(channels, lanes))
    tables = [(0,) * channels, config.peers, (0, 0, 0, 3, 0, 5, 2, 7), (0,) * channels]
    codes = shared_codes(9 * len(tables), channels, WIDTH).astype(np.uint16)
    words, expected = [], b""
    for number, peers in enumerate(tables):
        begin, parameters = 9 * number, with_peer_weight(300 * number - 200)
        own = codes[begin : begin + 9]
        words += [*loading(parameters, peers=peers), *frames_of(own, lanes, 12), *[{}] * 400]
        law = replace(config, peers=peers if any(peers) else ())
        expected += encode(own, law, parameters=parameters, position=begin)
    data, seen = run(config, words, 0)
    assert data == expected
    assert not any(seen[-1][name] for name in COUNTERS)


@pytest.mark.parametrize(("channels", "lanes", "packet_frames"), [(4, 4, 3), (2, 2, 5), (8, 4, 1)])
def test_samples_come_when_they_like(channels: int, lanes: int, packet_frames: int) -> None:
    """Late in their frame, and at once; while an end or what follows it goes through, and long after; in twos."""
    config = CodecConfig("calibrated", channels, WIDTH, packet_frames, 3, lanes)
    random = np.random.default_rng(channels * lanes)
    codes = quiet_codes(24 * packet_frames, channels, 6)
    words = loading(SET)
    for number, row in enumerate(codes):
        words += frame_of(row, np.where(random.random(channels) < 0.6, 1, random.integers(1, 14, channels)))
        if number % 2:
            words += [{"enable": 1}] * int(random.integers(0, 30))
    data, seen = run(config, words, 4000, banks=64)
    assert seen[-1]["overruns"] == seen[-1]["dropped_packets"] == 0
    assert data == encode(codes, config, parameters=SET)


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_latency(lanes: int) -> None:
    """Of a packet that comes with no slot to spare, and of one in any turn."""
    config, codes = CodecConfig("calibrated", 8, WIDTH, 2, 3, lanes), quiet_codes(10, 8, 5)
    words, found = loading(SET), []
    for number in range(5):
        words += frames_of(codes[2 * number : 2 * number + 2], lanes, 0)
        words += [{"enable": 1}] * (150 + number)
    _, seen = run(config, words, 0)
    sent = [clock for clock, word in enumerate(words) if "i.valid" in word]
    for last in sent[15::16]:
        found.append(next(n for n in range(last, len(seen)) if seen[n]["o.valid"]) - last)
    assert max(found) <= Calibrated.LATENCY
    assert max(found) == {1: 45, 2: 43, 4: 42}[lanes]
    filled_up = SLOTS  # short frames
    assert max(found) + filled_up + EmitLanes.PAUSE * lanes <= PIPELINE_CLOCKS


@pytest.mark.parametrize("lanes", [1])
def test_a_burst_waits_in_the_queue(lanes: int) -> None:
    """As much as the queue holds, a sample every clock, with the end of a packet in it."""
    config, codes = CodecConfig("calibrated", 8, WIDTH, 4, 3, lanes), quiet_codes(48, 8, 7)
    words = loading(SET)
    for burst in np.split(codes, 8):
        words += [word for word in frames_of(burst, 4, 0)] + [{"enable": 1}] * 300
    data, seen = run(config, words, 1000)
    assert not any(seen[-1][name] for name in COUNTERS)
    assert data == encode(codes, config, parameters=SET)


def kept_packets(data: bytes, codes: np.ndarray, config: CodecConfig) -> int:
    """How many packets of the law there are; the others are lost whole, and nothing else is there."""
    grid = range(0, len(codes), config.packet_frames)
    there = {packet.position for packet in packets_of(data)}
    assert there <= set(grid)
    drops = {index for index, position in enumerate(grid) if position not in there}
    assert data == encode(codes, config, parameters=SET, drops=drops)
    return len(there)


@pytest.mark.parametrize(
    ("channels", "lanes", "packet_frames", "overruns"), [(8, 1, 6, True), (8, 1, 2, False), (8, 4, 1, False)]
)
def test_haste_drops_packets_whole(channels: int, lanes: int, packet_frames: int, overruns: bool) -> None:
    """A sample every clock without an end: no room in the queue, or no bank that is free."""
    config = CodecConfig("calibrated", channels, WIDTH, packet_frames, 3, lanes)
    codes = quiet_codes(1280 // channels, channels, 5)
    data, seen = run(config, [*loading(SET), *frames_of(codes, 4, 0)], 2000)
    end = seen[-1]
    kept = kept_packets(data, codes, config)
    assert 0 < kept == -(-len(codes) // packet_frames) - end["dropped_packets"]
    assert (end["overruns"] > 0) == overruns


@pytest.mark.parametrize(("channels", "lanes", "packet_frames"), [(1, 1, 4)])
def test_frames_are_numbered_in_any_haste(channels: int, lanes: int, packet_frames: int) -> None:
    """While the queue is full of samples, frames come that are not stored; what follows them is in its place."""
    config = CodecConfig("calibrated", channels, WIDTH, packet_frames, 3, lanes)
    codes = quiet_codes(400, channels, 5)
    slow = slice(364, None)
    words = [*loading(SET), *frames_of(codes[: slow.start], 4, 0)]
    for row in codes[slow]:
        words += [*frame_of(row, [8] * channels), *[{"enable": 1}] * 60]
    data, seen = run(config, words, 1000, banks=64)
    assert seen[-1]["overruns"] > 0
    assert kept_packets(data, codes, config) >= (400 - slow.start) // packet_frames - 1


class Recording:
    """Words, and what the law says of them."""

    def __init__(self, config: CodecConfig, seed: int) -> None:
        self.config, self.seed = config, seed
        self.words: list[Word] = loading(SET)
        self.expected = b""
        self._drops: set[int] = set()
        self._law = Compressor(config, parameters=SET, drops=self._drops)
        self._packets = 0

    def _frames(self, count: int) -> np.ndarray:
        self.seed += 1
        return quiet_codes(count, self.config.channels, self.seed)

    def packet(
        self, *, frames: int | None = None, broken_at: int | None = None, samples: int = 0, pause: int = 6
    ) -> None:
        """A packet; the frame `broken_at` is short, after `samples`, and the next one comes at once."""
        codes = self._frames(frames or self.config.packet_frames)
        for number, row in enumerate(codes):
            short = number == broken_at
            self.words += frame_of(row[: samples if short else None], [SLOTS // self.config.lanes] * len(row))
            self.words += [{"enable": 1}] * (0 if short else pause)
        if broken_at is not None:
            self._drops.add(self._packets)
        self._packets += 1
        self.expected += b"".join(self._law.push(codes))

    def stop(self, frames: int = 0, clocks: int = 60) -> None:
        """Recording stops; so many frames pass."""
        self.words += [{}] * clocks
        for row in self._frames(frames):
            self.words += [{**word, "enable": 0} for word in frame_of(row, [1] * len(row))]
        self.words += [{}] * clocks
        self.expected += b"".join(self._law.close())
        self._law.pause(frames)


@pytest.mark.parametrize(("channels", "lanes", "packet_frames"), [(4, 4, 2), (4, 2, 3)])
def test_events(channels: int, lanes: int, packet_frames: int) -> None:
    """Frames break at every place, after an end and before one; recording stops with a packet begun, then goes on."""
    found = Recording(CodecConfig("calibrated", channels, WIDTH, packet_frames, 3, lanes), channels)
    for samples in range(1, channels):
        for at in {0, packet_frames - 1}:
            found.packet(pause=12)
            found.packet(broken_at=at, samples=samples)
            found.packet(pause=40)
    for frames in range(1, packet_frames):
        found.packet(frames=frames)
        found.stop(frames=frames, clocks=1)
        found.packet(pause=30)
        found.stop(frames=200 // channels, clocks=3)
    found.packet()
    data, seen = run(found.config, found.words, 3000, banks=64)
    assert data == found.expected
    broken = 2 * (channels - 1) if packet_frames > 1 else channels - 1
    assert (seen[-1]["short_frames"], seen[-1]["dropped_packets"], seen[-1]["overruns"]) == (broken, broken, 0)


def test_missing_frames() -> None:
    """None is stored of their packets, and what follows is in its place."""
    config = CodecConfig("calibrated", 8, WIDTH, 3, 3, 4)
    codes, clocks, missing = quiet_codes(40, 8, 4), 40, {4, 9, 10, 11, 12, 20, 29}
    words = loading(SET)
    for number, row in enumerate(codes):
        words += [{"enable": 1}] * clocks if number in missing else [*frame_of(row, [2] * 7 + [clocks - 14])]
    data, seen = run(config, words, 500, banks=8, frame_clocks=clocks)
    assert seen[len(words) - 1]["missing_frames"] == len(missing)
    lost = {number // 3 for number in missing}
    assert kept_packets(data, codes, config) == 14 - len(lost) == 14 - seen[len(words) - 1]["dropped_packets"]


def test_a_lane_that_outgrows_its_codes_makes_its_packet_raw() -> None:
    """All lanes together would be smaller than the codes: there is no room for the one."""
    config = CodecConfig("calibrated", 8, WIDTH, 20, 3, 4)
    codes = np.full((60, 8), 125, np.uint16)
    codes[20:40, ::4] = np.random.default_rng(0).integers(0, 256, (20, 2))
    data, _ = run(config, [*loading(SET), *frames_of(codes, 4, 20)], 1500)
    assert [packet.raw for packet in packets_of(data)] == [False, True, False]
    assert data == encode(codes, config, parameters=SET)


@pytest.mark.parametrize("late", [0, 3])
def test_no_frame_begins_while_a_set_comes(late: int) -> None:
    """The first word comes with a frame or after it, with a set loaded, and recording enabled; frames are numbered."""
    config, period = CodecConfig("calibrated", 4, WIDTH, 50, 3, 4), 40
    codes = quiet_codes(250, 4, 3)
    samples = list(frames_of(codes, 4, period - 4))
    before = [*loading(SET, clocks=Loader.WORD_CLOCKS), *[{}] * 60]
    other = loading(OTHER, clocks=Loader.WORD_CLOCKS + 5)  # a word waits while a frame is numbered
    words = [{}] * late + other[:1] + [{}] * 100 + other[1:]
    both = [{**sample, **word} for sample, word in zip(samples, words, strict=False)]
    data, seen = run(config, [*before, *both, *samples[len(both) :]], 600, loader=Loader)
    loaded = [row["loaded"] for row in seen[len(before) :]]
    first = -(-loaded.index(1, loaded.index(0)) // period)  # the frame that begins when the set is whole
    expected = encode(codes[: int(late > 0)], config, parameters=SET)
    assert data == expected + encode(codes[first:], config, parameters=OTHER, position=first)


def test_a_set_waits_until_packets_of_the_one_before_have_left() -> None:
    """While the host takes nothing: the stored packet will leave with the name of the set that coded it."""
    config, codes = CodecConfig("calibrated", 4, WIDTH, 5, 3, 4), quiet_codes(5, 4, 6)
    record = [*loading(SET, clocks=Loader.WORD_CLOCKS), *[{}] * 30, *frames_of(codes, 4, 8), *[{}] * 120]
    stalled = [*record, loading(OTHER)[0], *[{}] * 200]
    with patch("hw.calibrated.Loader", Loader):
        seen = play(Calibrated(config), [*stalled, *[{"o.ready": 1}] * 200], [*OUT, "o.payload.last"])
    assert all(row["loaded"] for row in seen[len(record) : len(stalled)]) and not seen[-1]["loaded"]
    sent = seen[len(stalled) :]
    assert bytes(row["o.payload.data"] for row in sent if row["o.valid"]) == encode(codes, config, parameters=SET)


def test_nothing_is_recorded_without_a_whole_set() -> None:
    """None yet, one with a wrong word, one for gates with other shifts."""
    config = CodecConfig("calibrated", 4, WIDTH, 5, 3, 4)
    samples = list(frames_of(quiet_codes(10, 4, 1), 4, 8))
    damaged, strange = (loading(parameters, clocks=Loader.WORD_CLOCKS) for parameters in (SET, STRANGE))
    damaged[40 * Loader.WORD_CLOCKS]["parameters.payload.value"] ^= 4
    data, seen = run(config, [*samples, *damaged, *samples, *strange, *samples], 300, loader=Loader)
    assert data == b"" and not any(row["loaded"] for row in seen)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (CodecConfig("calibrated", 4, 12, 5), "12 bits"),
        (CodecConfig("calibrated", 6, 10, 5, lanes=4), "channels: 6 are not shared evenly by 4 lanes"),
        (CodecConfig("calibrated", 1024, 10, 60, lanes=4), "packet_frames: 60"),
        (
            CodecConfig("calibrated", 4, 10, 5, lanes=2, peers=(0, 1, 0, 0)),
            "peers: that of channel 1 .* too near for 2 lanes",
        ),
        (
            CodecConfig("calibrated", 8, 10, 5, lanes=4, peers=(0, 0, 0, 0, 4, 4, 3, 7)),
            "peers: that of channel 6 stands 3 before it, which is too near for 4 lanes; give 4 or more",
        ),
        (CodecConfig("tiny", 2, 10, 5), "profile 'tiny'"),
        (CodecConfig("full", 4, 12, 5), "12 bits"),
        (CodecConfig("full", 6, 10, 5, lanes=4), "channels: 6 are not shared evenly by 4 lanes"),
        (CodecConfig("full", 1024, 10, 60, lanes=4), "packet_frames: 60"),
    ],
)
def test_what_is_not_built_is_refused(config: CodecConfig, words: str) -> None:
    chain = Full if config.profile == "full" else Calibrated
    with pytest.raises(ConfigError, match=words):
        chain(config)
