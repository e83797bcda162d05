"""Recordings that drive the range coder into its corners, and what they reach.

A `Guide` writes a recording sample by sample. It keeps the state of every channel and the coder of every lane as the
page of the bit stream has them, so that it knows which part of the interval each code would take, and chooses.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle

import numpy as np

from model.codec.packet import Packet
from model.spec import packet as spec
from model.spec.calibrated import unpack
from model.spec.config import CodecConfig
from model.spec.parameters import ParameterSet
from tests.page_encoder import WHOLE, Channel, Coder, Q, predict, scale_index

WORDS = (0, 1, 0xFFFF, 0x8000)  # that a carry goes behind: over ones, into the last bit, making ones, halfway
CARRIES = {"ones", "overlap", "overlap carries", "carry", "carry makes ones"}
ENDS = {f"at the end: {event}" for event in CARRIES - {"ones"}}
PARTS = {"escape", "escape of the fewest units", "part of almost all"}
SIZES = {
    "coded form as large as the raw one",
    "coded form of one byte less",
    "lane as long as its share",
    "lane of one byte more",
    "part of one unit",
    "string of one byte",
    "string of escapes alone",
}


class Lane:
    """A lane's coder, and the codes that its next sample may have."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.coder = Coder()
        self.left = 0  # samples of this packet that are not plain and have not been coded

    def look(self, channel: Channel) -> None:
        """Make the parts of the interval that the codes of `channel` would take now."""
        mu = predict(channel.last, channel.differences, channel.weights, 0, channel.width)
        index = scale_index(channel.fast, channel.slow, channel.width)
        distances = np.array(channel.edges) - mu
        places, parts = np.divmod(np.minimum(np.abs(distances) * Q[index % 16] >> index // 16 + 3, 2048), 64)
        points = np.array([*channel.points, channel.points[-1]])
        above = points[places] + ((points[places + 1] - points[places]) * parts >> 6)
        shares = WHOLE // 2 + np.where(distances < 0, -above, above)
        shares[0], shares[-1] = 0, WHOLE
        self.lows = (self.coder.size * shares >> 16).tolist()

    def part(self, code: int) -> tuple[int, int]:
        """Begin and end of a code's part, that of the escape if it has none of its own."""
        begin, end = self.lows[code], self.lows[code + 1]
        return (begin, end) if end > begin else (self.coder.size * WHOLE >> 16, self.coder.size)

    def at(self, place: int) -> int:
        """The code whose part holds a place, the last one if it lies in the escape's."""
        return min(bisect_right(self.lows, place) - 1, len(self.lows) - 2)


Policy = Callable[[Lane], Iterator[int]]


def quiet(lane: Lane) -> Iterator[int]:
    """Codes as they are expected: anywhere in the middle of the interval."""
    while True:
        yield lane.at(int(lane.coder.size * lane.rng.uniform(0.2, 0.8)))


def certain(lane: Lane) -> Iterator[int]:
    """The most probable code."""
    while True:
        yield int(np.argmax(np.diff(lane.lows)))


def rare(lane: Lane) -> Iterator[int]:
    """Codes that have no part of the interval, or the least."""
    while True:
        sizes = np.diff(lane.lows)
        yield int(lane.rng.choice(np.flatnonzero(sizes == sizes.min())))


def near(lane: Lane) -> Iterator[int]:
    """The least probable code that is no escape."""
    while True:
        sizes = np.diff(lane.lows)
        yield int(lane.rng.choice(np.flatnonzero(sizes == sizes[sizes > 0].min())))


def carrying(lane: Lane) -> Iterator[int]:
    """Stay just below a number of which a word is one of `WORDS`, with zeros behind it; then pass it, or end there."""
    ordinary = quiet(lane)
    for word in cycle(lane.rng.permutation(WORDS).tolist()):
        coder = lane.coder
        for _ in range(int(lane.rng.integers(3))):
            yield next(ordinary)
        while not (
            coder.doubled == coder.begin and coder.new_bits == 16 and 0 < (word - coder.low) % 65536 < coder.size
        ):
            yield next(ordinary)
        goal = (word - coder.low) % 65536
        for _ in range(int(lane.rng.choice([1, 2, 5, 12, 400]))):
            code = lane.at(goal - 1)
            begin, end = lane.part(code)
            if not begin < goal < end:
                break
            before = coder.doubled
            yield code
            goal = (goal - begin) << (coder.doubled - before)
        yield min(lane.at(goal) + 1, len(lane.lows) - 2)


def spending(size: int) -> Policy:
    """A policy whose string has `size` bytes, as nearly as codes allow."""

    def choose(lane: Lane) -> Iterator[int]:
        while True:
            wanted = (8 * size - 4 - lane.coder.doubled) / max(lane.left, 1)
            sizes = np.diff(lane.lows)
            off = np.abs(15 - np.log2(sizes, where=sizes > 0, out=np.full(len(sizes), -15.0)) - wanted)
            yield int(lane.rng.choice(np.flatnonzero(off == off.min())))

    return choose


class Guide:
    """Writes a recording packet by packet, none of which may be lost.

    Parameters
    ----------
    config : CodecConfig
        Of at most 10 bits, without peers.
    parameters : ParameterSet
    rng : numpy.random.Generator
    """

    def __init__(self, config: CodecConfig, parameters: ParameterSet, rng: np.random.Generator) -> None:
        self.config, self.rng = config, rng
        self.reached: Counter[str] = Counter()
        self.strings: list[list[bytes]] = []  # of every packet
        self._tables = unpack(parameters, config.width)
        self._frames: list[list[int]] = []
        self._channels: list[Channel] = []

    @property
    def frames(self) -> np.ndarray:
        """Codes, uint16, shape (frames, channels)."""
        return np.array(self._frames, np.uint16)

    def packet(self, *policies: Policy) -> None:
        """Write a packet; lanes take the policies in turn."""
        config, lanes = self.config, [Lane(self.rng) for _ in range(self.config.lanes)]
        if len(self.strings) % config.key_interval == 0:
            self._channels = [Channel(config.width, self._tables) for _ in range(config.channels)]
        fresh = self._channels[0].age == 0
        for lane in lanes:
            lane.left = (config.packet_frames - fresh) * config.channels // config.lanes
        choices = [policies[n % len(policies)](lane) for n, lane in enumerate(lanes)]
        escapes = [0] * config.lanes
        for _ in range(config.packet_frames):
            row = []
            for number, channel in enumerate(self._channels):
                lane = lanes[number % config.lanes]
                if channel.age:
                    lane.look(channel)
                    code = next(choices[number % config.lanes])
                    escapes[number % config.lanes] += self._sample(lane, code)
                    lane.left -= 1
                else:
                    code = int(self.rng.integers(1 << config.width))
                channel.code(code, 0, lane.coder)
                row.append(code)
            self._frames.append(row)
        self._end(lanes, escapes, fresh)

    def _note(self, event: str, reached: object) -> None:
        if reached:
            self.reached[event] += 1

    def _sample(self, lane: Lane, code: int) -> bool:
        """Whether a code is an escape."""
        begin, end = lane.part(code)
        escape = lane.lows[code] == lane.lows[code + 1]
        self._note("escape", escape)
        self._note("escape of the fewest units", escape and end - begin == 4)
        self._note("part of one unit", end - begin == 1)
        self._note("part of almost all", end - begin >= lane.coder.size * (WHOLE - 8) >> 16)
        return escape

    def _end(self, lanes: list[Lane], escapes: list[int], fresh: bool) -> None:
        config = self.config
        samples = config.packet_frames * config.channels
        strings = [lane.coder.finish() for lane in lanes]
        raw, share = config.raw_bytes(config.packet_frames), -(-samples // config.lanes * config.width // 8)
        total = sum(map(len, strings)) + spec.lane_length_bytes(raw) * (config.lanes - 1)
        longest = max(map(len, strings))
        self.strings.append(strings)
        self._note("coded form as large as the raw one", total == raw and longest <= share)
        self._note("coded form of one byte less", total == raw - 1 and longest <= share)
        self._note("lane as long as its share", total < raw and longest == share)
        self._note("lane of one byte more", total < raw and longest == share + 1)
        self._note("string of one byte", total < raw and min(map(len, strings)) == 1)
        plain = fresh * config.channels // config.lanes
        self._note("string of escapes alone", max(escapes) == samples // config.lanes - plain)
        if total < raw and longest <= share:
            self.reached.update(event for lane in lanes for event in lane.coder.events)

    def payload(self, index: int) -> bytes:
        """The coded form of a packet."""
        size = spec.lane_length_bytes(self.config.raw_bytes(self.config.packet_frames))
        strings = self.strings[index]
        return b"".join([*(len(string).to_bytes(size, "little") for string in strings[:-1]), *strings])

    def compare(self, packets: list[Packet]) -> None:
        """Demand that packets which are not raw hold these strings: what was reached was reached in the gates."""
        assert len(packets) == len(self.strings)
        for index, packet in enumerate(packets):
            if not packet.raw:
                assert bytes(packet.payload) == self.payload(index), f"packet {index} holds other strings"
