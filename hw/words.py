"""Strings of bits from what the range coder says of each token: carries are settled, words of 32 bits go to the store.

The law is `shift`, `_complete` and `finish` of `model.codec.range`. Every lane has a string of its own, whose end goes
round with the lane's tokens. A packet's end is three tokens of each lane, `ROUND`, `HELD` and `HALF`.
"""

from typing import Any, NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed
from hw.range import PART
from hw.turns import Kind, come_round, is_kind, token_layout
from model.spec import range as spec
from model.spec.config import CodecConfig

WORD = spec.WORD_BITS
WINDOW = spec.INTERVAL_BITS
ONES = (1 << WORD) - 1


def words_layout(config: CodecConfig, words: int) -> data.StructLayout:
    """What a token does: perhaps it writes a word of its lane's string, the earlier half uppermost.

    With `last` the string ends, with this word or, without `write`, before it; it has `bytes`.
    """
    return data.StructLayout(
        {
            "token": token_layout(config),
            "offset": range(words + 1),
            "word": 2 * WORD,
            "write": 1,
            "last": 1,
            "bytes": range(4 * (words + 1)),
        }
    )


def begins(token: Any) -> Value:
    """Whether a token is its lane's first in a packet."""
    return token.sample & token.flags.first


class _Tail(NamedTuple):
    """The end of a string: the word `held`, and behind it `fill` bits of `pending`, with the `carry` that they made."""

    pending: Signal  # the first bit uppermost, zeros behind the last one
    fill: Signal
    carry: Signal
    held: Signal
    none: Signal  # no word is held yet


class Words(wiring.Component):
    """Lanes' strings.

    Parameters
    ----------
    config : CodecConfig
    words : int
        Words of 32 bits that the store has room for in a lane; of a longer string, what goes beyond has this `offset`.

    Members
    -------
    i : In, `token_layout`
    part : In, `hw.range.PART`
        What the token's sample does.
    o : Out, `words_layout`

    Latency
    -------
    `LATENCY` clocks from the token that completes a word.

    Throughput
    ----------
    One token a clock.

    Model
    -----
    `model.codec.range`: `encode`, `encode_plain`, `finish`
    """

    LATENCY = 5

    def __init__(self, config: CodecConfig, words: int) -> None:
        self.config = config
        self.words = words
        super().__init__({"i": In(token_layout(config)), "part": In(PART), "o": Out(words_layout(config, words))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._combine(m, *self._append_all(m, *self._move(m)))
        return m

    def _move(self, m: Module) -> tuple[Any, Signal, Signal, Signal, Signal]:
        """Clocks 1 and 2: bits of the lane's string, in two parts, each with a carry above it.

        Returns the token, the first part and its number of bits, the second part and whether there is one.
        """
        width = self.config.width
        token, part = self.i, self.part

        # Clock 1: what the token adds to the interval's lower end.
        low, total = Signal(WINDOW), Signal(WINDOW + 1)
        ends = is_kind(token, Kind.ROUND)
        rounding = Const((1 << (WINDOW - 1)) - 1, WINDOW)
        m.d.sync += total.eq(Mux(begins(token), 0, low) + Mux(ends, rounding, part.below))
        bits_1, plain_1 = delayed(m, Mux(ends, 1, part.bits)), delayed(m, part.plain)
        token_1 = delayed(m, token)

        # Clock 2: it moves up; what passes the window goes to the string, the carry uppermost.
        moved, filled = Signal(WINDOW), Signal(WINDOW + 1)
        m.d.comb += [
            moved.eq((total << bits_1)[:WINDOW]),
            filled.eq(moved + (Mux(plain_1, token_1.code, 0) << (WINDOW - 1 - width))),
        ]
        field, more = Signal(WINDOW + 1), Signal(width + 1)
        passes = Cat(WINDOW - 1 - n < bits_1 for n in range(WINDOW))
        rest = Mux(plain_1, filled[: WINDOW - width] << width, filled[:WINDOW])
        m.d.sync += [
            field.eq(total & Cat(passes, 1)),
            more.eq(Mux(plain_1, filled[WINDOW - width :], 0)),
        ]
        bits_2, plain_2, token_2 = delayed(m, bits_1), delayed(m, plain_1), delayed(m, token_1)
        m.d.comb += low.eq(come_round(m, rest, token_1, lanes=self.config.lanes, behind=1))
        return token_2, field, bits_2, more, plain_2

    def _append_all(
        self, m: Module, token_2: Any, field: Signal, bits: Signal, more: Signal, plain: Signal
    ) -> tuple[Any, list[tuple[Signal, Signal]], Signal]:
        """Clocks 3 and 4: the bits are appended; a token lets at most two words go.

        Returns the token, the words, and how many bytes of the words held are the string's when it ends.
        """
        width = self.config.width

        # Clock 3: the string takes the first bits.
        tail, before = self._tail("tail"), self._tail("before")
        m.d.comb += [signal.eq(value) for signal, value in zip(tail, before, strict=True)]
        with m.If(begins(token_2)):
            m.d.comb += [tail.pending.eq(0), tail.fill.eq(0), tail.carry.eq(0), tail.none.eq(1)]
        end = Signal(range(2 * WORD))
        m.d.comb += end.eq(tail.fill + bits)
        after, put, word, special = self._append(m, tail, field, end, end[4], "first")
        tail_3 = _Tail(*(delayed(m, signal) for signal in after))
        put_3, word_3, full_3 = delayed(m, put), delayed(m, word), delayed(m, end[4])
        # Bits of a string that ends, behind its held word: those before, and one, and one if a carry made ones of it.
        used_3 = delayed(m, tail.fill + 1)
        special_3 = delayed(m, special)
        more_3, plain_3, token_3 = delayed(m, more), delayed(m, plain), delayed(m, token_2)

        # Clock 4: and the others; what ends a string fills its last word with zeros.
        rounds = is_kind(token_3, Kind.ROUND)
        end_3 = Signal(range(2 * WORD))
        m.d.comb += end_3.eq(tail_3.fill + Mux(plain_3, width, 0))
        fills = rounds & ~full_3
        field_3 = Cat(Const(0, WORD - width), more_3)
        complete = fills | end_3[4]
        last, put_more, word_more, special_more = self._append(m, tail_3, field_3, end_3, complete, "second")
        for signal, value in zip(before, last, strict=True):
            m.d.comb += signal.eq(come_round(m, value, token_3, lanes=self.config.lanes, behind=1))
        used = Signal(range(WORD + 3))
        m.d.comb += used.eq(used_3 + (special_3 | (fills & special_more)))
        lets_go = is_kind(token_3, Kind.HELD)
        first, second, has_first, has_second = Signal(WORD), Signal(WORD), Signal(), Signal()
        m.d.sync += [
            has_first.eq(put_3 | lets_go),
            first.eq(Mux(lets_go, tail_3.held, word_3)),
            has_second.eq(put_more | lets_go),
            second.eq(Mux(lets_go, tail_3.pending, word_more)),
        ]
        bytes_ = Signal(range(4))
        m.d.sync += bytes_.eq((used + 7) >> 3)
        return delayed(m, token_3), [(has_first, first), (has_second, second)], bytes_

    def _combine(self, m: Module, token_4: Any, words: list[tuple[Signal, Signal]], bytes_: Signal) -> None:
        """Clock 5: words of 32 bits, and their places."""
        (has_first, first), (has_second, second) = words
        state = data.StructLayout({"half": WORD, "waits": 1, "offset": range(self.words + 1), "bytes": bytes_.shape()})
        now, after = Signal(state), Signal(state)
        m.d.comb += now.eq(come_round(m, after, token_4, lanes=self.config.lanes, behind=0))
        with m.If(begins(token_4)):
            m.d.comb += [now.waits.eq(0), now.offset.eq(0)]
        last = is_kind(token_4, Kind.HALF)
        earlier = Mux(now.waits, now.half, Mux(has_first, first, second))
        later = Mux(now.waits & has_first, first, second)
        number = Signal(range(4))
        m.d.comb += [
            number.eq(now.waits + has_first + has_second),
            after.half.eq(Mux(number == 1, earlier, second)),
            after.waits.eq(number[0]),
            after.offset.eq(now.offset + (number[1] & (now.offset != self.words))),
            after.bytes.eq(Mux(is_kind(token_4, Kind.ROUND), bytes_, now.bytes)),
        ]
        # A string that ends has two words held and pending, of which only `bytes` count.
        out = self.o
        m.d.sync += [
            out.offset.eq(now.offset),
            out.word.eq(Cat(Mux(last, 0, later), earlier)),
            out.write.eq(number[1] | (last & now.waits)),
            out.last.eq(last),
            out.bytes.eq((now.offset << 2) + Mux(now.waits, 2, 0) + now.bytes - 4),
            out.token.eq(token_4),
        ]

    @staticmethod
    def _tail(name: str) -> _Tail:
        return _Tail(
            Signal(WORD, name=f"{name}_pending"),
            Signal(range(WORD), name=f"{name}_fill"),
            Signal(name=f"{name}_carry"),
            Signal(WORD, name=f"{name}_held"),
            Signal(name=f"{name}_none"),
        )

    def _append(
        self, m: Module, tail: _Tail, field: Value, end: Value, complete: Value, name: str
    ) -> tuple[_Tail, Signal, Signal, Signal]:
        """The string's end with `field` behind it, a carry and bits of which the first is uppermost.

        `_complete` of the law. Returns also whether a word leaves, which, and whether the carry made ones of the held
        word, so that the next one has a bit less.
        """
        after = self._tail(f"{name}_after")
        put, leaves, special = Signal(name=f"{name}_put"), Signal(WORD), Signal(name=f"{name}_special")
        placed, total = Signal(2 * WORD + 1, name=f"{name}_placed"), Signal(WORD + 1, name=f"{name}_total")
        m.d.comb += [
            placed.eq(Cat(Const(0, WORD), field) >> tail.fill),
            total.eq(Cat(tail.pending, tail.carry) + placed[WORD:]),
        ]
        word, carry, beyond = total[:WORD], total[WORD], placed[:WORD]
        ones = Signal(name=f"{name}_ones")
        m.d.comb += [
            special.eq(complete & ~tail.none & (tail.held == ONES - 1) & carry),
            ones.eq(word == ONES),
            put.eq(complete & ~tail.none),
            leaves.eq(tail.held + carry),
            after.none.eq(tail.none & ~complete),
            after.carry.eq(carry & ~complete),
        ]
        with m.If(complete):
            m.d.comb += [
                after.held.eq(Mux(special, word >> 1, word)),
                after.fill.eq(end + (special | ones)),
                after.pending.eq(Mux(special | ones, beyond >> 1, beyond) | ((special & word[0]) << (WORD - 1))),
            ]
        with m.Else():
            m.d.comb += [after.held.eq(tail.held), after.fill.eq(end), after.pending.eq(word)]
        return after, put, leaves, special
