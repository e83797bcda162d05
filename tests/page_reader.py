"""What both profiles of the second decoder need: reading bits and bytes, what the packets of a stream share."""

from typing import NamedTuple


class Shape(NamedTuple):
    """What all packets of a stream share; `peers` is empty if there are none."""

    profile: int
    channels: int
    width: int
    lanes: int
    parameter_set: bytes
    peers: tuple[int, ...]


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
