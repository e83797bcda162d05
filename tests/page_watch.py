"""What of BITSTREAM.md's section 4 a stream of `calibrated` reaches, watched in the second decoder."""

from unittest import mock

from tests import page_calibrated, page_decoder
from tests.page_calibrated import MIDDLE, ONES
from tests.page_sets import PageSet

EVENTS = {
    "age over 512",
    "carry",
    "carry behind a word FFFF",
    "carry makes a word FFFF",
    "difference at its least",
    "difference at its most",
    "escape",
    "fast at its least",
    "fast at its most",
    "greatest code",
    "index at 0",
    "index at I",
    "k at 63",
    "lane left out",
    "least code",
    "lower bits",
    "mu at its least",
    "mu at its most",
    "peer",
    "peer has ended",
    "raw key packet",
    "raw packet",
    "residual at its least",
    "residual at its most",
    "slow at 0",
    "slow at its most",
    "value at its most",
    "weight at its least",
    "weight at its most",
    "weight of the peer at its least",
    "weight of the peer at its most",
    "word FFFF",
}


def watch(data: bytes, ends: list[int] | None, sets: dict[bytes, PageSet]) -> set[str]:
    """Decode a stream; give what it reached."""
    seen: set[str] = set()

    def note(event: str, reached: object) -> None:
        assert event in EVENTS
        if reached:
            seen.add(event)

    class Coder(page_calibrated.Coder):
        """Compares every word with what the codes had made of it when its last bit left the interval."""

        def double(self, times: int) -> None:
            low, behind = self.value - self.rest, self.doublings + self.fraction
            for number, start in enumerate(self.starts):
                if self.doublings < start + 16 <= self.doublings + times:
                    self.compare(number, low >> (behind - start))
            super().double(times)

        def compare(self, number: int, then: int) -> None:
            word, overlaps = self.words[number], number > 0 and self.words[number - 1] == ONES
            mask = ONES >> overlaps
            note("word FFFF", word == ONES == then & ONES)
            note("carry", word & mask != then & mask)
            note("carry makes a word FFFF", word == ONES == (then & ONES) + 1)
            note("carry behind a word FFFF", overlaps and word > mask)

        def narrow(self, below: int, above: int) -> None:
            note("escape", below == (self.size * 2 * MIDDLE) >> 16)
            super().narrow(below, above)

    class Channel(page_calibrated.Channel):
        """Looks whether a number has come to an end of its range."""

        def predict(self, peer: int) -> None:
            super().predict(peer)
            index, m = 16 * self.o + page_calibrated.Q.index(self.q), 1 << self.width + 5
            self.bounds("mu", [self.mu], 1 - m, m - 1)
            note("index at 0", index == 0)
            note("index at I", index == self.greatest)

        def follow(self, code: int, peer: int, age: int) -> None:
            begin = code >> self.even << self.even
            middle = self.pos(self.edge(begin)) + self.pos(self.edge(begin + (1 << self.even)))
            note("lower bits", self.even)
            super().follow(code, peer, age)
            m = (1 << self.width - 1) - 1
            self.bounds("weight", self.w, -1023, 1023)
            self.bounds("weight of the peer", [self.w_peer], -1023, 1023)
            self.bounds("difference", self.d, -m, m)
            self.bounds("residual", [self.r], -m, m)
            self.bounds("fast", [self.fast], -127, 127)
            note("slow at 0", self.slow == 0)
            note("slow at its most", self.slow == 16 * self.greatest)
            note("k at 63", abs(middle) >> 7 > 63)
            note("age over 512", age > 512)
            note("peer", peer)
            note("least code", code == 0)
            note("greatest code", code == (1 << self.width) - 1)

        def value(self, code: int) -> int:
            value = super().value(code)
            note("value at its most", value == (1 << self.width + 1) - 1)
            return value

        def bounds(self, name: str, numbers: list[int], least: int, most: int) -> None:
            note(f"{name} at its least", least in numbers)
            note(f"{name} at its most", most in numbers)

    class Calibrated(page_calibrated.Calibrated):
        """Looks at how packets are put together."""

        def take(self, payload: bytes, raw: bool, present: list[list[int]]) -> list[dict[int, int]]:
            lanes = {c % self.shape.lanes for row in present for c in row}
            note("raw packet", raw and self.age)
            note("raw key packet", raw and not self.age)
            note("lane left out", not raw and len(lanes) < min(self.shape.lanes, self.shape.channels))
            for c, peer in enumerate(self.shape.peers):
                note("peer has ended", peer and any(c in row and c - peer not in row for row in present))
            return super().take(payload, raw, present)

    with (
        mock.patch.object(page_calibrated, "Coder", Coder),
        mock.patch.object(page_calibrated, "Channel", Channel),
        mock.patch.object(page_decoder, "Calibrated", Calibrated),
    ):
        page_decoder.decode_stream(data, ends, sets)
    return seen
