"""Words of 32 bits from code words and from plain codes: what the packet's two memories store."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import mask, rotate_left
from model.spec.rice import MAX_CODE_BITS

WORD = 32

MARKS_IN = {"sample": In(1), "open": In(1), "close": In(1), "abort": In(1)}


def words_out(word: int = WORD) -> dict[str, Any]:
    """Words of a packet on their way to its store."""
    return {"write": Out(1), "word": Out(word), "done": Out(1), "discard": Out(1)}


class PackBits(wiring.Component):
    """Code words end to end, most significant bit first.

    Parameters
    ----------
    width : int
        Bits of `value`.
    word : int
        Bits of a word, a power of two, at least `width`.

    Members
    -------
    sample, open, close, abort : In
        Marks of this clock; those of one clock happen in the order abort, open, sample, close.
    value, length : In
        A code word: `value` in a field of `length` bits, less than a word's: a clock completes at most one word.
    write, word : Out
        A completed word; the last one of a packet is padded with zeros.
    done, discard : Out
        The words so far are a packet; are to be forgotten. With `discard` a write belongs to the next packet.

    Latency
    -------
    3 clocks from the code word that completes a word; 4 clocks from `close` to `done`.

    Throughput
    ----------
    One code word a clock.
    """

    def __init__(self, width: int, word: int = WORD) -> None:
        self.width = width
        self.bits = word
        members = {**MARKS_IN, "value": In(width), "length": In(range(min(word, MAX_CODE_BITS + 1)))}
        super().__init__({**members, **words_out(word)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        marks = Cat(self.sample, self.open, self.close, self.abort)

        place = (self.bits - 1).bit_length()

        # Clock 1: where the code word ends, in bits from the start of the word under construction.
        fill, end = Signal(range(self.bits)), Signal(range(2 * self.bits))
        marks_1, value_1, end_1 = Signal.like(marks), Signal(self.width), Signal.like(end)
        length = Mux(self.sample, self.length, 0)
        m.d.comb += end.eq(Mux(self.open, 0, fill) + length)
        m.d.sync += [fill.eq(end[:place]), marks_1.eq(marks), value_1.eq(self.value), end_1.eq(end)]

        # Clock 2: turn the value to its place; what passes the word's end comes round to its beginning.
        marks_2, turned_2, end_2 = Signal.like(marks), Signal(self.bits), Signal.like(end)
        turned = rotate_left(Cat(value_1, Signal(self.bits - self.width)), (-end_1)[:place])
        m.d.sync += [marks_2.eq(marks_1), turned_2.eq(Mux(marks_1[0], turned, 0)), end_2.eq(end_1)]

        # Clock 3: complete the word, or keep it. What is left at the end of a packet is written a clock later,
        # when nothing else can be: the next packet's first code word completes none.
        sample, open_, close, abort = marks_2
        pending, tail, kept, over = (Signal(self.bits) for _ in range(4))
        complete, has_tail, finishing = Signal(), Signal(), Signal()
        m.d.comb += [
            kept.eq(Mux(open_, 0, pending)),
            complete.eq(sample & end_2[place]),
            over.eq(Mux(complete, mask(end_2[:place], self.bits), 0)),
        ]
        left = Mux(complete, 0, kept) | (turned_2 & Mux(complete, over, (1 << self.bits) - 1))
        m.d.sync += [
            pending.eq(left),
            tail.eq(left),
            has_tail.eq(close & (end_2[:place] != 0)),
            finishing.eq(close),
            self.write.eq(complete | has_tail),
            self.word.eq(Mux(has_tail, tail, kept | (turned_2 & ~over))),
            self.done.eq(finishing),
            self.discard.eq(abort),
        ]
        return m


class PackPairs(wiring.Component):
    """Plain codes, two to a word, the earlier one in the upper half; one or two zeros behind a packet's last code.

    The zeros are what a packet stored raw is padded with. Members, order and latencies are those of `PackBits`,
    with `code` in place of `value` and `length`.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__({**MARKS_IN, "code": In(width), **words_out()})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        half, half_now = Signal(), Signal()
        pending, finishing, tail = Signal(self.width), Signal(), Signal(self.width)
        m.d.comb += half_now.eq(half & ~self.open)
        complete = self.sample & half_now
        odd = Signal()  # a code waits for its partner
        m.d.comb += odd.eq(self.sample ^ half_now)
        with m.If(self.sample):
            m.d.sync += pending.eq(self.code)
        earlier, later = Signal(WORD // 2), Signal(WORD // 2)
        m.d.comb += [earlier.eq(Mux(finishing, tail, pending)), later.eq(Mux(finishing, 0, self.code))]
        m.d.sync += [
            half.eq(odd & ~self.close),
            finishing.eq(self.close),
            tail.eq(Mux(odd, Mux(self.sample, self.code, pending), 0)),
            self.write.eq(complete | finishing),
            self.word.eq(Cat(later, earlier)),
            self.done.eq(finishing),
            self.discard.eq(self.abort),
        ]
        return m
