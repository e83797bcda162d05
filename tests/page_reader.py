"""What all profiles of the second decoder need: reading bits, bytes and tables, what the packets of a stream share."""

import math
from typing import NamedTuple


class Shape(NamedTuple):
    """What all packets of a stream share; `peers` and `links` are empty if there are none."""

    profile: int
    channels: int
    width: int
    lanes: int
    parameter_set: bytes
    peers: tuple[int, ...] = ()
    links: tuple[tuple[tuple[int, int], ...], ...] = ()


def require(condition: object, reason: str) -> None:
    """Refuse what does not agree with the page."""
    if not condition:
        raise ValueError(reason)


class Reader:
    """Reader of bits (most significant first) and of bytes."""

    def __init__(self, data: bytes) -> None:
        """Start at the first bit."""
        self.data, self.at = data, 0

    def bits(self, count: int) -> int:
        """Take a number of `count` bits."""
        begin, self.at = self.at, self.at + count
        require(self.at <= 8 * len(self.data), "cut off")
        return (int.from_bytes(self.data[begin // 8 : -(-self.at // 8)], "big") >> -self.at % 8) & ((1 << count) - 1)

    def octets(self, count: int) -> bytes:
        """Take whole bytes."""
        return self.bits(8 * count).to_bytes(count, "big")

    def number(self, count: int) -> int:
        """Take a number of `count` bytes."""
        return int.from_bytes(self.octets(count), "little")

    def varint(self) -> int:
        """Take a varint."""
        more, value = self.bits(1), self.bits(7)
        return value + (self.varint() << 7) if more else value

    def finish(self) -> None:
        """Refuse more than zero bits up to a whole byte."""
        rest = 8 * len(self.data) - self.at
        require(rest < 8 and not self.bits(rest), "payload does not end with its last code")


class Table(NamedTuple):
    """A table of a set: bits, fraction bits, signed, dimensions; sizes; values, the last dimension fastest."""

    form: tuple[int, ...]
    sizes: tuple[int, ...]
    values: list[int]

    def rows(self) -> list[list[int]]:
        """Give the rows of a table of two dimensions."""
        count, size = self.sizes
        return [self.values[at * size : (at + 1) * size] for at in range(count)]


def read_table(reader: Reader) -> tuple[str, Table]:
    """Read a table and its name."""
    name = reader.octets(reader.number(1)).decode("ascii")
    form = (bits, _, signed, dimensions) = tuple(reader.number(1) for _ in range(4))
    sizes = tuple(reader.number(4) for _ in range(dimensions))
    size, whole = -(-bits // 8), reader.octets(math.prod(sizes) * -(-bits // 8))
    values = [int.from_bytes(whole[at : at + size], "little", signed=bool(signed)) for at in range(0, len(whole), size)]
    least = -(1 << bits - 1) if signed else 0
    require(all(least <= value < least + (1 << bits) for value in values), f"format of table {name}")
    return name, Table(form, sizes, values)


def check_formats(tables: dict[str, Table], formats: dict[str, tuple[int | None, int, int, int]]) -> None:
    """Refuse tables that do not have these names, bits (if they are given), fraction bits, sign and dimensions."""
    require(tables.keys() == formats.keys(), "tables of a parameter set")
    for name, expected in formats.items():
        found = tables[name].form
        require(found[1:] == expected[1:] and expected[0] in (None, found[0]), f"format of table {name}")
