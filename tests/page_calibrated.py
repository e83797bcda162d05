"""Profile `calibrated` of the second decoder, written from BITSTREAM.md alone (sections 4, 7, 10); slow and plain."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from tests.page_reader import Reader, Shape, Table, check_formats, require

PROFILE = 1
MIDDLE = 32764  # of the cumulative probability, in 65536ths; the last 8 are the escape's
ONES = 0xFFFF  # the word that the next one overlaps
POINT = 1 << 15  # R after codes as they are; the weight of the last bit of a string
Q = (128, 123, 117, 112, 108, 103, 99, 95, 91, 87, 83, 79, 76, 73, 70, 67)
MORE_THAN_LEAST = "string names more than the least number"
FORMATS = {  # bits, fraction bits, signed, dimensions; of `edges` the bits depend on the width
    "edges": (None, 6, 1, 1),
    "points": (15, 15, 0, 1),
    "shifts": (4, 0, 0, 1),
    "start": (11, 4, 0, 0),
    "steps": (8, 4, 1, 2),
    "weights": (11, 10, 1, 1),
}


class Tables(NamedTuple):
    """What a parameter set holds; `edges` is empty if it serves every width."""

    edges: list[int]
    points: list[int]
    shifts: list[int]
    start: int
    steps: list[list[int]]
    weights: list[int]

    def serves(self, width: int) -> bool:
        """Whether the set is for codes of a width."""
        return not self.edges or len(self.edges) == (1 << width) + 1


def calibrated_set(tables: dict[str, Table]) -> Tables:
    """Take a parameter set of `calibrated` from its tables."""
    check_formats(tables, FORMATS)
    edges, points, shifts, start, steps, weights = (tables[name].values for name in FORMATS)
    if edges:
        width = tables["edges"].form[0] - 6
        require(8 <= width <= 12 and len(edges) == (1 << width) + 1, "width of edges")
    require(all(0 < b - a < 256 for a, b in pairwise(edges)), "edges rise by 1 to 255")
    require(len(points) == 32 and points == sorted(points) and points[-1] <= MIDDLE, "points")
    require(1 <= len(shifts) <= 16 and len(weights) == len(shifts) + 1, "features")
    require(tables["steps"].sizes == (2, 64) and min(steps) > -128 and min(weights) > -1024, "steps or weights")
    return Tables(edges, points, shifts, start[0], [steps[:64], steps[64:]], weights)


def rnd(x: int, n: int) -> int:
    """Divide by 2^n, rounded."""
    return (x + (1 << n - 1)) >> n if n else x


def sat(x: int, least: int, most: int) -> int:
    """Saturate."""
    return max(least, min(x, most))


def sign(x: int) -> int:
    """Give -1, 0 or 1."""
    return (x > 0) - (x < 0)


class Coder:
    """The decoder of one lane's string: V' is `rest` / 2^`fraction`."""

    def __init__(self, string: bytes) -> None:
        """Add up the words of a string."""
        even = string + bytes(len(string) % 2)
        self.words = [int.from_bytes(even[at : at + 2], "big") for at in range(0, len(even), 2)]
        self.starts = [0]  # per word, the number of V's bits before its first one
        self.value = 0
        for before, word in pairwise([0, *self.words]):
            shift = 15 if before == ONES else 16
            self.starts.append(self.starts[-1] + shift)
            self.value = (self.value << shift) + word
        self.starts = [start - 16 for start in self.starts[1:]]
        self.length, self.size, self.doublings = len(string), 65535, 0
        self.fraction = self.starts[-1] if string else 0
        self.rest = self.value

    def x(self) -> int:
        """Give the place in V'."""
        return self.rest >> self.fraction if self.fraction > 0 else self.rest << -self.fraction

    def double(self, times: int) -> None:
        """Double V'; beyond the end of the string stand zeros."""
        self.doublings += times
        self.fraction -= times
        if self.fraction < 0:
            self.rest <<= -self.fraction
            self.value <<= -self.fraction
            self.fraction = 0

    def narrow(self, below: int, above: int) -> None:
        """Take off a part."""
        self.rest -= below << self.fraction
        self.size = above - below
        while self.size < POINT:
            self.size *= 2
            self.double(1)

    def as_it_is(self, width: int) -> int:
        """Take a code as it is."""
        self.size, code = POINT, 0
        for n in (width - 8, 8):
            p = self.x() >> (15 - n)
            self.rest -= p << (15 - n) << self.fraction
            self.double(n)
            code = (code << n) + p
        require(code < 1 << width, "code above the greatest")
        return code

    def code(self, width: int, even: int, low: Callable[[int, int], int]) -> int:
        """Take a code of which `even` bits are coded evenly; `low` gives where its part in an interval begins."""
        x, size = self.x(), self.size
        require(x < size, "beyond the interval")
        codes = low(1 << width, size)
        if x >= codes:
            self.narrow(codes, size)
            return self.as_it_is(width)
        code, beyond = 0, 1 << width - even
        while beyond - code > 1:
            middle = (code + beyond) // 2
            code, beyond = (middle, beyond) if low(middle << even, size) <= x else (code, middle)
        self.narrow(low(code << even, size), low(beyond << even, size))
        return (code << even) + (self.lower_bits(even) if even else 0)

    def lower_bits(self, count: int) -> int:
        """Take bits that are coded evenly."""
        part = self.size >> count
        number = self.x() // part
        require(number < 1 << count, "beyond the parts")
        self.narrow(number * part, (number + 1) * part)
        return number

    def finish(self) -> None:
        """Refuse a string that does not end as an encoder ends it."""
        require(not self.value % (POINT << self.fraction), "bits behind the last code")
        require(self.x() < POINT, MORE_THAN_LEAST)
        require(self.words, "empty string")
        word = max(number for number, start in enumerate(self.starts) if start <= self.doublings)
        if word and self.doublings == self.starts[word] and self.starts[word] - self.starts[word - 1] == 15:
            word -= 1  # two bits have this weight: the first counts
        end = 2 * word + (self.doublings - self.starts[word]) // 8 + 1
        require(self.length == end, "string does not end with its last code")


class Channel:
    """State of a channel."""

    def __init__(self, width: int, tables: Tables) -> None:
        """Start as a key packet does."""
        self.width, self.tables = width, tables
        self.greatest = 16 * (width - 2) - 1
        self.last = self.fast = self.r = self.mu = self.q = self.o = self.even = 0
        self.d = [0] * len(tables.shifts)
        *self.w, self.w_peer = tables.weights
        self.slow = sat(tables.start + (width - 10) * 256, 0, 16 * self.greatest)
        self.g = [0, *tables.points, tables.points[-1]]

    def edge(self, code: int) -> int:
        """Give the lower edge of a code's bin."""
        return self.tables.edges[code] if self.tables.edges else (code - (1 << self.width - 1)) * 64

    def value(self, code: int) -> int:
        """Give the middle of a code's bin."""
        return min(rnd(self.edge(code) + self.edge(code + 1), 5), (1 << self.width + 1) - 1)

    def predict(self, peer: int) -> None:
        """Compute mu, q and o."""
        m = 1 << self.width + 5
        total = self.w_peer * peer + sum(w * d for w, d in zip(self.w, self.d, strict=True))
        self.mu = sat(16 * self.last + rnd(total, 6), 1 - m, m - 1)
        index = sat(rnd(self.fast + self.slow, 4), 0, self.greatest)
        self.o, self.q = index >> 4, Q[index & 15]
        self.even = max(self.o - 8, 0)

    def pos(self, x: int) -> int:
        """Give the position of an input."""
        size = (abs(x - self.mu) * self.q) >> (self.o + 3)
        return -size if x < self.mu else size

    def low(self, code: int, size: int) -> int:
        """Give where the part of a code begins."""
        if code == 0:
            return 0
        if code == 1 << self.width:
            return (size * 2 * MIDDLE) >> 16
        pos = self.pos(self.edge(code))
        a = min(abs(pos), 2048)
        j = a >> 6
        g = self.g[j] + (((self.g[j + 1] - self.g[j]) * (a & 63)) >> 6)
        return (size * (MIDDLE + (g if pos >= 0 else -g))) >> 16

    def follow(self, code: int, peer: int, age: int) -> None:
        """Update the state after a code."""
        value, m = self.value(code), (1 << self.width - 1) - 1
        e = 16 * value - self.mu
        self.r = sat(rnd(e, 4), -m, m)
        u = sign(e) * (4 if age < 512 else 1)
        self.w_peer = sat(self.w_peer + u * sign(peer), -1023, 1023)
        t = p = value - self.last
        for i, (d, shift) in enumerate(zip(self.d, self.tables.shifts, strict=True)):
            self.w[i] = sat(self.w[i] + u * sign(d), -1023, 1023)
            t += d
            v = rnd(t, shift) if shift else d
            self.d[i] = sat(d + p - v, -m, m)
            p = v
        begin = code >> self.even << self.even
        k = min(abs(self.pos(self.edge(begin)) + self.pos(self.edge(begin + (1 << self.even)))) >> 7, 63)
        y = 8 if age < 32 else 4 if age < 128 else 1
        self.fast = sat(self.fast - rnd(self.fast, 4) + self.tables.steps[0][k], -127, 127)
        self.slow = sat(self.slow + self.tables.steps[1][k] * y, 0, 16 * self.greatest)
        self.last = value


class Calibrated:
    """State of a stream of `calibrated` from a key packet on."""

    def __init__(self, shape: Shape, tables: Tables) -> None:
        """Start as a key packet does."""
        self.shape, self.age = shape, 0
        self.channels = [Channel(shape.width, tables) for _ in range(shape.channels)]

    def lanes(self, payload: bytes, present: list[list[int]]) -> dict[int, Coder]:
        """Cut a payload into the strings of its lanes."""
        reader = Reader(payload)
        lanes = sorted({c % self.shape.lanes for row in present for c in row})
        raw = -(-self.shape.width * sum(map(len, present)) // 8)
        size = -(-raw.bit_length() // 8)
        lengths = [reader.number(size) for _ in lanes[1:]]
        strings = [reader.octets(length) for length in lengths]
        strings.append(payload[reader.at // 8 :])
        require(lanes or not payload, "payload without a code")
        return {lane: Coder(string) for lane, string in zip(lanes, strings, strict=False)}

    def take(self, payload: bytes, raw: bool, present: list[list[int]]) -> list[dict[int, int]]:
        """Take the codes of a packet: of each frame, those of the channels that are present in it."""
        reader = Reader(payload)
        lanes = {} if raw else self.lanes(payload, present)
        rows: list[dict[int, int]] = []
        for numbers in present:
            rows.append({})
            for c in numbers:
                before = self.shape.peers[c] if self.shape.peers else 0
                peer = self.channels[c - before].r if before and c - before in rows[-1] else 0
                rows[-1][c] = self.code(c, peer, reader if raw else lanes[c % self.shape.lanes])
            self.age += 1
        if raw:
            reader.finish()
        for coder in lanes.values():
            coder.finish()
        return rows

    def code(self, number: int, peer: int, source: Reader | Coder) -> int:
        """Take the next code of a channel and update its state."""
        channel, width = self.channels[number], self.shape.width
        if self.age:
            channel.predict(peer)
        if isinstance(source, Reader):
            code = source.bits(width)
        else:
            code = source.code(width, channel.even, channel.low) if self.age else source.as_it_is(width)
        if self.age:
            channel.follow(code, peer, self.age)
        else:
            channel.last, channel.r = channel.value(code), 0
        return code
