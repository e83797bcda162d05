"""Section 4 of BITSTREAM.md, the other way: stages and coder of `calibrated` in plain, unbounded integers; slow.

What a lane's coder has added up is one number here, however long, so that carries are those of ordinary addition.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np

from model.spec.calibrated import Tables

Q = (128, 123, 117, 112, 108, 103, 99, 95, 91, 87, 83, 79, 76, 73, 70, 67)
MOST_FAST, MOST_WEIGHT = 127, 1023
WHOLE = 65536 - 8  # of 65536ths: what the codes share; the others are the escape's
ONES = 0xFFFF


def rnd(x: int, n: int) -> int:
    """Halves go up."""
    return (2 * x + 2**n) // 2 ** (n + 1)


def sat(x: int, a: int, b: int) -> int:
    return max(a, min(x, b))


def sign(x: int) -> int:
    return 1 if x > 0 else -1 if x < 0 else 0


def greatest(width: int) -> int:
    """The greatest index of a scale."""
    return 16 * (width - 2) - 1


def most_slow(width: int) -> int:
    return 16 * greatest(width)


def scale_index(fast: int, slow: int, width: int) -> int:
    return sat(rnd(fast + slow, 4), 0, greatest(width))


def even_bits(index: int) -> int:
    """Lower bits of a code that are coded evenly."""
    return max(index // 16 - 8, 0)


def position(x: int, mu: int, index: int) -> int:
    magnitude = abs(x - mu) * Q[index % 16] // 2 ** (index // 16 + 3)
    return -magnitude if x < mu else magnitude


def cumulative(pos: int, points: list[int]) -> int:
    """`F` in 65536ths, up to `WHOLE`; `points` are `G[0]` to `G[32]`."""
    j, part = divmod(min(abs(pos), 2048), 64)
    table = [*points, points[-1]]
    g = table[j] + (table[j + 1] - table[j]) * part // 64
    return WHOLE // 2 - g if pos < 0 else WHOLE // 2 + g


def lower_end(code: int, edges: list[int], points: list[int], mu: int, index: int, size: int) -> int:
    """`low(c)` in an interval of `size`."""
    share = cumulative(position(edges[code], mu, index), points)
    return size * (0 if code == 0 else WHOLE if code == len(edges) - 1 else share) // 65536


def centre(code: int, edges: list[int], width: int) -> int:
    return min(rnd(edges[code] + edges[code + 1], 5), 2 ** (width + 1) - 1)


def predict(last: int, differences: list[int], weights: list[int], peer: int, width: int) -> int:
    products = sum(w * d for w, d in zip(weights, [*differences, peer], strict=True))
    return sat(16 * last + rnd(products, 6), 1 - 2 ** (width + 5), 2 ** (width + 5) - 1)


def follow(differences: list[int], shifts: list[int], step: int, width: int) -> list[int]:
    """New differences after a value `step` above the one before."""
    m = 2 ** (width - 1) - 1
    total = before = step
    new = []
    for d, shift in zip(differences, shifts, strict=True):
        total += d
        v = rnd(total, shift) if shift else d
        new.append(sat(d + before - v, -m, m))
        before = v
    return new


def turn(weights: list[int], differences: list[int], peer: int, u: int) -> list[int]:
    """New weights."""
    return [sat(w + u * sign(d), -MOST_WEIGHT, MOST_WEIGHT) for w, d in zip(weights, [*differences, peer], strict=True)]


@dataclass
class Channel:
    """State of a channel."""

    width: int
    tables: Tables
    age: int = 0
    last: int = 0
    r: int = 0
    fast: int = 0
    differences: list[int] = field(init=False)
    weights: list[int] = field(init=False)
    slow: int = field(init=False)

    def __post_init__(self) -> None:
        self.edges, self.points = self.tables.edges.tolist(), self.tables.points.tolist()
        self.shifts, self.steps = self.tables.shifts.tolist(), self.tables.steps.tolist()
        self.differences, self.weights = [0] * len(self.shifts), self.tables.weights.tolist()
        self.slow = self.tables.start

    def code(self, code: int, peer: int, coder: "Coder") -> None:
        """Code a sample; the state follows."""
        width, edges = self.width, self.edges
        value = centre(code, edges, width)
        if self.age == 0:
            coder.plain(code, width)
        else:
            mu = predict(self.last, self.differences, self.weights, peer, width)
            index = scale_index(self.fast, self.slow, width)
            h = even_bits(index)
            b = code >> h << h
            d = b + 2**h
            low, high = (lower_end(c, edges, self.points, mu, index, coder.size) for c in (b, d))
            if high > low:
                coder.part(low, high)
                if h:
                    coder.even(code - b, h)
            else:
                coder.part(coder.size * WHOLE // 65536, coder.size)
                coder.plain(code, width)
            m = 2 ** (width - 1) - 1
            self.r = sat(rnd(16 * value - mu, 4), -m, m)
            u = sign(16 * value - mu) * (4 if self.age < 512 else 1)
            self.weights = turn(self.weights, self.differences, peer, u)
            self.differences = follow(self.differences, self.shifts, value - self.last, width)
            off = sum(position(edges[c], mu, index) for c in (b, d))
            k = min(abs(off) // 128, 63)
            gear = 8 if self.age < 32 else 4 if self.age < 128 else 1
            self.fast = sat(self.fast - rnd(self.fast, 4) + self.steps[0][k], -MOST_FAST, MOST_FAST)
            self.slow = sat(self.slow + self.steps[1][k] * gear, 0, most_slow(width))
        self.last = value
        self.age += 1


class Coder:
    """A lane's coder. `low` is V, times 2**`doubled`; `events` says which turns its words have taken."""

    def __init__(self) -> None:
        self.low, self.size, self.doubled = 0, 0xFFFF, 0
        self.words: list[int] = []
        self.begin = 0  # of the word that is not complete: the bits of V before it
        self.total = 0  # what the words add up to, in units of their last bit
        self.events: set[str] = set()

    @property
    def new_bits(self) -> int:
        """Bits of V in the word that is not complete."""
        return 15 if self.words and self.words[-1] == ONES else 16

    def part(self, below: int, above: int) -> None:
        """Code the part from `below` up to, not including, `above`."""
        assert 0 <= below < above <= self.size
        self.low += below
        self.size = above - below
        while self.size < 32768:
            self.size *= 2
            self._double()

    def even(self, number: int, bits: int) -> None:
        """Code the lower bits of a code."""
        share = self.size >> bits
        self.part(number * share, (number + 1) * share)

    def plain(self, code: int, width: int) -> None:
        """Code `width` bits as they are."""
        self.size = 32768
        for number, bits in ((code // 256, width - 8), (code % 256, 8)):
            self.low += number << (15 - bits)
            for _ in range(bits):
                self._double()

    def _double(self) -> None:
        self.low *= 2
        self.doubled += 1
        if self.doubled == self.begin + self.new_bits:
            self._complete()

    def _complete(self) -> None:
        new = self.low // 65536 - (self.total << self.new_bits)
        self.begin = self.doubled
        if self.new_bits == 15:
            self.events |= {"overlap carries"} if new > 0x7FFF else {"overlap"}
        elif new > ONES:
            self.words[-1] += 1
            new -= 65536
            self.events.add("carry")
            if self.words[-1] == ONES:
                new >>= 1
                self.begin -= 1
                self.events.add("carry makes ones")
        self.events |= {"ones"} if new == ONES else set()
        self.words.append(new)
        self.total = self.low // 65536 >> (self.doubled - self.begin)

    def finish(self) -> bytes:
        """The string."""
        self.low = -(-self.low // 32768) * 32768
        end, before = self.doubled, self.events
        self.events = set()
        while self.begin <= end:
            self._double()
        self._double_to_the_next_word()
        self.events = before | {f"at the end: {event}" for event in self.events}
        return string_to(self.words, end)

    def _double_to_the_next_word(self) -> None:
        words = len(self.words)
        while len(self.words) == words:
            self._double()


def string_to(words: list[int], bit: int) -> bytes:
    """The bytes of `words` up to the one that holds the bit of V of this number, the first being 0."""
    begin = 0
    for at in range(len(words)):
        stuffed = 1 if at and words[at - 1] == ONES else 0
        if bit < begin + 16 - stuffed:
            data = b"".join(w.to_bytes(2, "big") for w in words)
            end = 2 * at + (bit - begin + stuffed) // 8 + 1
            assert not any(data[end:]) and data[end - 1] % 2 ** (7 - (bit - begin + stuffed) % 8) == 0
            return data[:end]
        begin += 16 - stuffed
    raise AssertionError("words too few")


def value_of(string: bytes) -> tuple[int, int]:
    """V of a string: a number, and how many of its bits stand behind the point."""
    words = np.frombuffer(string + bytes(-len(string) % 2), ">u2").tolist()
    value, behind = words[0], 0
    for before, word in itertools.pairwise(words):
        bits = 15 if before == ONES else 16
        value, behind = (value << bits) + word, behind + bits
    return value, behind
