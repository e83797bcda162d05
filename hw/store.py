"""Banks of 32-bit words in a single-port memory: packets are written, and read when they are complete."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.memory import SinglePortRam
from hw.pack import WORD


def ceil_power(n: int) -> int:
    """The least power of two that is at least `n`."""
    return 1 << (n - 1).bit_length()


class Store(wiring.Component):
    """A ring of banks, each as long as the longest packet.

    Writing comes first: the source of samples cannot wait, the reader can. Words beyond a bank's end are
    not written (such a packet leaves in its other form).

    Parameters
    ----------
    words : int
        Words of a bank that can be written; the next power of two lies between bank and bank.
    banks : int
        A power of two, at least 2.

    Members
    -------
    write, word : In
        Append a word to the bank that is being written.
    done, discard : In
        Go to the next bank, after the word of this clock; begin this one anew, before it.
    rewind : In
        Read the oldest bank from its beginning.
    release : In
        Free the oldest bank.
    o : Out, stream of unsigned(32)
        Its words, until `release`.

    Throughput
    ----------
    A word a clock written. Two words are kept ready, so that a reader that takes one every second clock, as bytes of
    8-bit codes need it, does not wait although every other clock is a write.
    """

    def __init__(self, words: int, banks: int) -> None:
        if banks < 2 or banks & (banks - 1):
            raise ValueError(f"banks: {banks}; give a power of two, at least 2")
        self.words = words
        self.banks = banks
        super().__init__(
            {
                "write": In(1),
                "word": In(WORD),
                "done": In(1),
                "discard": In(1),
                "rewind": In(1),
                "release": In(1),
                "o": Out(stream.Signature(WORD)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.ram = ram = SinglePortRam(ceil_power(self.words) * self.banks, WORD)

        bank, offset, offset_now = (
            Signal(range(self.banks)),
            Signal(range(self.words + 1)),
            Signal(range(self.words + 1)),
        )
        writing = Signal()
        m.d.comb += [
            offset_now.eq(Mux(self.discard, 0, offset)),
            writing.eq(self.write & (offset_now != self.words)),
        ]
        m.d.sync += offset.eq(Mux(self.done, 0, offset_now + writing))
        with m.If(self.done):
            m.d.sync += bank.eq(bank + 1)

        # The word at `o`, the one behind it, and the one that is being fetched are at most two.
        oldest, at = Signal(range(self.banks)), Signal(range(ceil_power(self.words)))
        active, fetching, fetched = Signal(), Signal(), Signal()
        behind, waiting = Signal(WORD), Signal()
        taken = self.o.valid & self.o.ready
        m.d.comb += fetching.eq(active & ~writing & (self.o.valid + waiting + fetched - taken < 2))
        m.d.sync += fetched.eq(fetching)
        with m.If(fetching):
            m.d.sync += at.eq(at + 1)
        with m.If(~self.o.valid | taken):
            m.d.sync += [
                self.o.payload.eq(Mux(waiting, behind, ram.data)),
                self.o.valid.eq(waiting | fetched),
                waiting.eq(waiting & fetched),
                behind.eq(ram.data),
            ]
        with m.Elif(fetched):
            m.d.sync += [behind.eq(ram.data), waiting.eq(1)]
        with m.If(self.rewind):
            m.d.sync += [at.eq(0), active.eq(1)]
        with m.If(self.release):
            m.d.sync += [active.eq(0), fetched.eq(0), waiting.eq(0), self.o.valid.eq(0), oldest.eq(oldest + 1)]

        m.d.comb += [
            ram.enable.eq(writing | fetching),
            ram.write.eq(writing),
            ram.value.eq(self.word),
            ram.address.eq(Mux(writing, Cat(offset_now[: len(at)], bank), Cat(at, oldest))),
        ]
        return m
