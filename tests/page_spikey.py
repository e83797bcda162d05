"""Profile `spikey` of the second decoder, written from BITSTREAM.md alone (sections 5, 7, 10); slow and plain."""

from typing import NamedTuple

from tests import page_network
from tests.page_calibrated import rnd, sat
from tests.page_network import Memory, Network
from tests.page_reader import Reader, Shape, Table, check_formats, require

PROFILE = 2
MOST_ZEROS = 15
ADAPTIVE, HUFFMAN = 16, 17
LEVELS, MOST_LENGTH, MOST_LOW = 88, 20, 16
FORMATS: dict[str, tuple[int | None, int, int, int]] = {
    **page_network.FORMATS,
    "choices": (8, 0, 0, 2),
    "coder": (5, 0, 0, 0),
    "huffman": (5, 0, 0, 2),
    "level": (19, 9, 0, 0),
}


class Tables(NamedTuple):
    """What a parameter set holds; a table of code words gives symbols by (length, word)."""

    network: Network
    level: int
    coder: int
    choices: list[list[int]]
    words: list[dict[tuple[int, int], int]]
    escape: int

    def serves(self, _width: int) -> bool:
        """Whether the set is for codes of a width."""
        return True


def words_of(lengths: list[int]) -> dict[tuple[int, int], int]:
    """Give the symbols of a table by the lengths and values of their words."""
    require(max(lengths) <= MOST_LENGTH and lengths[-1], "length of a code word")
    require(sum(1 << MOST_LENGTH - n for n in lengths if n) == 1 << MOST_LENGTH, "code that is not complete")
    found: dict[tuple[int, int], int] = {}
    word, before = -1, 0
    for length, symbol in sorted((n, s) for s, n in enumerate(lengths) if n):
        word = (word + 1) << length - before if found else 0
        found[length, word] = symbol
        before = length
    return found


def spikey_set(tables: dict[str, Table]) -> Tables:
    """Take a parameter set of `spikey` from its tables."""
    check_formats(tables, FORMATS)
    coder = tables["coder"].values[0]
    require(coder <= HUFFMAN, "coder")
    words: list[dict[tuple[int, int], int]] = []
    choices = tables["choices"].rows()
    if coder == HUFFMAN:
        require(tables["choices"].sizes == (LEVELS, 2) and all(tables["huffman"].sizes), "sizes of choices or huffman")
        words = [words_of(row) for row in tables["huffman"].rows()]
        require(all(table < len(words) and low <= MOST_LOW for table, low in choices), "choices")
    else:
        require(tables["choices"].sizes == (0, 2) and tables["huffman"].sizes == (0, 0), "codes without need")
    own = {name: tables[name] for name in page_network.FORMATS}
    network = page_network.read_network(own, outputs=1, contexts=1)
    return Tables(network, tables["level"].values[0], coder, choices, words, tables["huffman"].sizes[1] - 1)


class Channel:
    """State of a channel."""

    def __init__(self, width: int, tables: Tables) -> None:
        """Start as a key packet does."""
        self.width, self.tables = width, tables
        self.mean = 1 << (width - 1)
        self.level = max(tables.level * (1 << width) // 1024, 32)
        self.origin = self.last = self.exponent = 0
        self.memory = Memory(tables.network, width)

    def expected(self, out: int) -> tuple[int, bool]:
        """Give p, and whether the code above is as near as the one below."""
        most = self.memory.limit
        mu = sat(self.last + rnd(out << self.exponent, 8), -most - 1, most) + 16 * self.origin
        p = sat(rnd(mu, 4), 0, (1 << self.width) - 1)
        return p, mu >= 16 * p

    def take(self, reader: Reader, raw: bool, p: int, above: bool) -> int:
        """Take the channel's next code."""
        size = 1 << self.width
        if raw:
            code = reader.bits(self.width)
            e = ((p - code if above else code - p) + size // 2) % size - size // 2
            u = 2 * e if e >= 0 else -2 * e - 1
        else:
            u = self.huffman(reader) if self.tables.coder == HUFFMAN else self.rice(reader)
            require(u < size, "code word out of range")
            e = -(u + 1) // 2 if u % 2 else u // 2
            code = (p - e if above else p + e) % size
        self.mean += (32 * u - self.mean + 32) >> 6
        return code

    def rice(self, reader: Reader) -> int:
        """Take a code word of a Rice code."""
        k = self.tables.coder
        if k == ADAPTIVE:
            k = ((self.mean + (self.mean >> 4)) >> 6).bit_length()
        k = min(k, self.width - 1)
        zeros = 0
        while zeros < MOST_ZEROS and not reader.bits(1):
            zeros += 1
        return (zeros << k) + reader.bits(k) if zeros < MOST_ZEROS else reader.bits(self.width)

    def huffman(self, reader: Reader) -> int:
        """Take a code word of a Huffman code."""
        b = self.mean.bit_length()
        table, low = self.tables.choices[4 * b + (8 * self.mean >> b) % 4]
        length = word = 0
        while (length, word) not in self.tables.words[table]:
            length, word = length + 1, 2 * word + reader.bits(1)
        symbol = self.tables.words[table][length, word]
        return reader.bits(self.width) if symbol == self.tables.escape else (symbol << low) + reader.bits(low)

    def follow(self, code: int, age: int) -> None:
        """Update the state after a code."""
        self.origin = self.origin if age else code
        x = 16 * (code - self.origin)
        self.level += rnd(32 * abs(x - self.last) - self.level, 7) if age else 0
        self.exponent, self.last = (self.level >> 5).bit_length(), x
        self.memory.take([x], self.exponent, [((self.level >> 5) * 128 >> self.exponent) - 96])


class Spikey:
    """State of a stream of `spikey` from a key packet on."""

    def __init__(self, shape: Shape, tables: Tables) -> None:
        """Start as a key packet does."""
        self.shape, self.age = shape, 0
        self.channels = [Channel(shape.width, tables) for _ in range(shape.channels)]

    def take(self, payload: bytes, raw: bool, present: list[list[int]]) -> list[dict[int, int]]:
        """Take the codes of a packet: of each frame, those of the channels that are present in it."""
        reader = Reader(payload)
        rows: list[dict[int, int]] = []
        for numbers in present:
            rows.append({})
            for c in numbers:
                channel = self.channels[c]
                p, above = 1 << self.shape.width - 1, False
                if self.age:
                    links = self.shape.links[c] if self.shape.links else ()
                    (out,) = channel.memory.expect([(self.channels[c - d].memory.latent, r) for d, r in links])
                    p, above = channel.expected(out)
                rows[-1][c] = channel.take(reader, raw, p, above)
                channel.follow(rows[-1][c], self.age)
            self.age += 1
        reader.finish()
        return rows
