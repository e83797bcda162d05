"""Banks of words in a single-port memory: packets are written, and read when they are complete."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.memory import SinglePortRam
from hw.pack import WORD


def ceil_power(n: int) -> int:
    """The least power of two that is at least `n`."""
    return 1 << (n - 1).bit_length()


def append(m: Module, packer: Any, store: "Store") -> None:
    """Let a packer (`hw.pack`) fill the banks of a store, each from its beginning on."""
    count, now = Signal(range(store.words + 1)), Signal(range(store.words + 1))
    m.d.comb += [
        now.eq(Mux(packer.discard, 0, count)),
        store.write.eq(packer.write),
        store.word.eq(packer.word),
        store.offset.eq(now),
        store.done.eq(packer.done),
    ]
    m.d.sync += count.eq(Mux(packer.done, 0, now + (packer.write & (now != store.words))))


class Store(wiring.Component):
    """A ring of banks, each as long as the longest packet.

    Writing comes first: the source of samples cannot wait, the reader can. Words at `words`, beyond a bank's end, are
    not written (such a packet leaves in its other form).

    Parameters
    ----------
    words : int
        Words of a bank's lane that can be written; the next power of two lies between lane and lane.
    banks : int
        A power of two, at least 2.
    lanes : int
        Parts of a bank that are written and read by themselves, a power of two.
    word : int
        Bits of a word.

    Members
    -------
    write, word, lane, offset : In
        Write a word of a lane into the bank that is being written.
    done : In
        Go to the next bank, after the word of this clock.
    rewind, read_lane : In
        Read a lane of the oldest bank from its beginning.
    release : In
        Free the oldest bank.
    o : Out, stream of unsigned(`word`)
        Its words, until `release`.

    Throughput
    ----------
    A word a clock written. Two words are kept ready, so that a reader that takes one every second clock, as bytes of
    8-bit codes need it, does not wait although every other clock is a write.
    """

    def __init__(self, words: int, banks: int, lanes: int = 1, word: int = WORD) -> None:
        if banks < 2 or banks & (banks - 1):
            raise ValueError(f"banks: {banks}; give a power of two, at least 2")
        self.words = words
        self.banks = banks
        self.lanes = lanes
        self.bits = word
        super().__init__(
            {
                "write": In(1),
                "word": In(word),
                "lane": In(range(lanes)),
                "offset": In(range(words + 1)),
                "done": In(1),
                "rewind": In(1),
                "read_lane": In(range(lanes)),
                "release": In(1),
                "o": Out(stream.Signature(word)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.ram = ram = SinglePortRam(ceil_power(self.words) * self.lanes * self.banks, self.bits)

        bank, writing = Signal(range(self.banks)), Signal()
        m.d.comb += writing.eq(self.write & (self.offset != self.words))
        with m.If(self.done):
            m.d.sync += bank.eq(bank + 1)

        # The word at `o`, the one behind it, and the one that is being fetched are at most two.
        oldest, at = Signal(range(self.banks)), Signal(range(ceil_power(self.words)))
        active, fetching, fetched = Signal(), Signal(), Signal()
        behind, waiting = Signal(self.bits), Signal()
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
            if self.lanes > 1:  # words of the lane before may be on their way
                m.d.sync += [self.o.valid.eq(0), waiting.eq(0), fetched.eq(0)]
        with m.If(self.release):
            m.d.sync += [active.eq(0), fetched.eq(0), waiting.eq(0), self.o.valid.eq(0), oldest.eq(oldest + 1)]

        lane_bits = (self.lanes - 1).bit_length()
        written, read = self.lane[:lane_bits], self.read_lane[:lane_bits]
        m.d.comb += [
            ram.enable.eq(writing | fetching),
            ram.write.eq(writing),
            ram.value.eq(self.word),
            ram.address.eq(Mux(writing, Cat(self.offset[: len(at)], written, bank), Cat(at, read, oldest))),
        ]
        return m
