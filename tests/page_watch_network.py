"""What of BITSTREAM.md's sections 5 and 6 a stream of `spikey` or `full` reaches, watched in the second decoder."""

from collections.abc import Sequence
from unittest import mock

from tests import page_calibrated, page_decoder, page_full, page_network, page_spikey
from tests.page_reader import Reader
from tests.page_sets import PageSet

EVENTS = {
    "adaptive Rice code",
    "another distribution",
    "cell at its end",
    "code below is nearer",
    "code above is nearer",
    "escape of a Huffman code",
    "escape of a Rice code",
    "fixed Rice code",
    "four partners",
    "Huffman code",
    "Huffman code of another table",
    "input at its end",
    "latent at its end",
    "node at its end",
    "output at its end",
    "p at its end",
    "partner before",
    "partner behind",
    "partner has ended",
    "raw packet",
    "scale of another octave",
    "skip path",
}


def watch(data: bytes, ends: list[int] | None, sets: dict[bytes, PageSet]) -> set[str]:
    """Decode a stream; give what it reached."""
    seen: set[str] = set()

    def note(event: str, reached: object) -> None:
        assert event in EVENTS
        if reached:
            seen.add(event)

    class Memory(page_network.Memory):
        """Looks whether a number has come to an end of its range."""

        def take(self, sources: list[int], exponent: int, contexts: list[int]) -> None:
            super().take(sources, exponent, contexts)
            note("latent at its end", self.network.most in map(abs, self.latent))
            note("cell at its end", any(2047 in map(abs, cells) for _, cells in self.kept))
            note("node at its end", any(values[-1] in (self.limit, -self.limit - 1) for values in self.nodes if values))
            note("skip path", any(self.skipped))

        def expect(self, partners: Sequence[tuple[list[int], int]]) -> list[int]:
            out = super().expect(partners)
            note("output at its end", 8191 in map(abs, out))
            note("four partners", len(partners) == 4)
            return out

        def run(self, layers: list[page_network.Layer], first: int, x: list[int]) -> list[int]:
            note("input at its end", first == 0 and self.network.most in map(abs, x))
            return super().run(layers, first, x)

    class Channel(page_spikey.Channel):
        """Looks at code words."""

        def expected(self, out: int) -> tuple[int, bool]:
            p, above = super().expected(out)
            note("code above is nearer" if above else "code below is nearer", True)
            note("p at its end", p in (0, (1 << self.width) - 1))
            return p, above

        def rice(self, reader: Reader) -> int:
            before, u = reader.at, super().rice(reader)
            note("fixed Rice code" if self.tables.coder < page_spikey.ADAPTIVE else "adaptive Rice code", True)
            note("escape of a Rice code", reader.at - before == page_spikey.MOST_ZEROS + self.width)
            return u

        def huffman(self, reader: Reader) -> int:
            b = self.mean.bit_length()
            table, low = self.tables.choices[4 * b + (8 * self.mean >> b) % 4]
            u = super().huffman(reader)
            note("Huffman code", True)
            note("Huffman code of another table", table)
            note("escape of a Huffman code", u >> low not in self.tables.words[table].values())
            return u

    class Full(page_full.Full):
        """Looks at what the network chooses."""

        def corrected(self, channel: page_calibrated.Channel, out: list[int]) -> page_calibrated.Channel:
            coded = super().corrected(channel, out)
            note("another distribution", coded.g != channel.g)
            note("scale of another octave", coded.o != channel.o)
            return coded

        def take(self, payload: bytes, raw: bool, present: list[list[int]]) -> list[dict[int, int]]:
            look(self.links, raw, present)
            return super().take(payload, raw, present)

    class Spikey(page_spikey.Spikey):
        """Looks at how packets are put together."""

        def take(self, payload: bytes, raw: bool, present: list[list[int]]) -> list[dict[int, int]]:
            look(self.shape.links, raw, present)
            return super().take(payload, raw, present)

    def look(links: Sequence[Sequence[tuple[int, int]]], raw: bool, present: list[list[int]]) -> None:
        note("raw packet", raw)
        for c, own in enumerate(links):
            for distance, _ in own:
                note("partner before" if distance > 0 else "partner behind", True)
                note("partner has ended", any(c in row and c - distance not in row for row in present))

    with (
        mock.patch.object(page_spikey, "Memory", Memory),
        mock.patch.object(page_full, "Memory", Memory),
        mock.patch.object(page_spikey, "Channel", Channel),
        mock.patch.object(page_decoder, "Full", Full),
        mock.patch.object(page_decoder, "Spikey", Spikey),
    ):
        page_decoder.decode_stream(data, ends, sets)
    return seen
