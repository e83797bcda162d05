"""Strings of bits from the range coder's tokens: carries are settled, words of 32 bits go to the store.

The law is `shift`, `_complete` and `finish` of `model.codec.range`. Every lane has a string of its own; they share the
gates in turn. A packet's end is three tokens of each lane, `ROUND`, `HELD` and `HALF`.
"""

from enum import IntEnum
from typing import Any, NamedTuple

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed
from model.spec import range as spec
from model.spec.config import CodecConfig

WORD = spec.WORD_BITS
WINDOW = spec.INTERVAL_BITS
ONES = (1 << WORD) - 1


class Kind(IntEnum):
    """What a token does."""

    SAMPLE = 0  # add `below`, move up by `bits`; if `plain`, the code follows
    ROUND = 1  # end the string at the least multiple of half an interval
    HELD = 2  # let go of the words that wait for a carry
    HALF = 3  # and of half a word of the store


def token_layout(config: CodecConfig) -> data.StructLayout:
    """A token; `first` is its lane's first in a packet."""
    return data.StructLayout(
        {
            "kind": Kind,
            "first": 1,
            "lane": range(config.lanes),
            "below": WINDOW,
            "bits": range(WINDOW),
            "plain": 1,
            "code": config.width,
        }
    )


def most_words(config: CodecConfig) -> int:
    """Words of 16 bits that a lane can make of a packet, if every sample is an escape."""
    samples = config.packet_frames * config.channels // config.lanes
    return samples * (WINDOW + config.width) // WORD + 3


def words_layout(config: CodecConfig) -> data.StructLayout:
    """A word of a lane's string, its earlier half uppermost; with `last`, the bytes that the string has."""
    return data.StructLayout(
        {"lane": range(config.lanes), "word": 2 * WORD, "write": 1, "last": 1, "bytes": range(2 * most_words(config))}
    )


class _Tail(NamedTuple):
    """The end of a lane's string: `pending` bits below the word `held`, of which `count` are missing to a word."""

    pending: Signal
    count: Signal
    held: Signal
    none: Signal  # no word is held yet


class Words(wiring.Component):
    """Lanes' strings.

    Parameters
    ----------
    config : CodecConfig

    Members
    -------
    i : In, stream of `token_layout`, always ready
    o : Out, stream of `words_layout`, always ready

    Latency
    -------
    `LATENCY` clocks from the token that completes a word. A lane may return after `DEPTH` clocks.

    Throughput
    ----------
    One token a clock.

    Model
    -----
    `model.codec.range`: `encode`, `encode_plain`, `finish`
    """

    LATENCY = 5
    DEPTH = 2

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(token_layout(config), always_ready=True)),
                "o": Out(stream.Signature(words_layout(config), always_ready=True)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._combine(m, *self._append_all(m, *self._move(m)))
        return m

    def _move(self, m: Module) -> tuple[Signal, Any, Signal, Signal, Signal, Signal]:
        """Clocks 1 and 2: a token becomes bits of its lane's string, in two parts, each with a carry above it."""
        width, lanes = self.config.width, range(self.config.lanes)
        token = self.i.payload

        # Clock 1: what the token adds to the interval's lower end.
        lows = Array(Signal(WINDOW, name=f"low_{n}") for n in lanes)
        low = Mux(token.first, 0, lows[token.lane])
        rounded = Mux(token.kind == Kind.ROUND, (1 << (WINDOW - 1)) - 1, token.below)
        total = Signal(WINDOW + 1)
        m.d.sync += total.eq(low + Mux((token.kind == Kind.SAMPLE) | (token.kind == Kind.ROUND), rounded, 0))
        valid_1, token_1 = delayed(m, self.i.valid), delayed(m, token)

        # Clock 2: it moves up; what passes the window goes to the string, the carry uppermost.
        sample, round_1 = token_1.kind == Kind.SAMPLE, token_1.kind == Kind.ROUND
        wide, wider = Signal(2 * WINDOW + 1), Signal(WINDOW + 1 + width)
        rest = Mux(round_1, 0, wide[:WINDOW])
        m.d.comb += [
            wide.eq(total << Mux(round_1, 1, token_1.bits)),
            wider.eq((rest + (token_1.code << (WINDOW - 1 - width))) << width),
        ]
        with m.If(valid_1 & (sample | round_1)):
            m.d.sync += lows[token_1.lane].eq(Mux(sample & token_1.plain, wider[:WINDOW], rest))
        field, more = Signal(WINDOW + 1), Signal(width + 1)
        bits, more_bits = Signal(range(WINDOW)), Signal(range(width + 1))
        m.d.sync += [
            field.eq(wide[WINDOW:]),
            bits.eq(Mux(round_1, 1, Mux(sample, token_1.bits, 0))),
            more.eq(wider[WINDOW:]),
            more_bits.eq(Mux(sample & token_1.plain, width, 0)),
        ]
        with m.If(~sample & ~round_1):
            m.d.sync += field.eq(0)
        with m.If(~(sample & token_1.plain)):
            m.d.sync += more.eq(0)
        valid_2, token_2 = delayed(m, valid_1), delayed(m, token_1)
        return valid_2, token_2, field, bits, more, more_bits

    def _append_all(
        self, m: Module, valid_2: Signal, token_2: Any, field: Signal, bits: Signal, more: Signal, more_bits: Signal
    ) -> tuple[Signal, Any, list[tuple[Signal, Signal]], Value]:
        """Clocks 3 and 4: the bits are appended; a token lets at most two words go, and the string's size is known."""
        lanes = range(self.config.lanes)

        # Clock 3: the string takes the first bits.
        tails = [self._tail(f"lane_{n}") for n in lanes]
        tail = self._tail("tail")
        for signal, each in zip(tail, zip(*tails, strict=True), strict=True):
            m.d.comb += signal.eq(Array(each)[token_2.lane])
        with m.If(token_2.first):
            m.d.comb += [tail.pending.eq(0), tail.count.eq(WORD), tail.none.eq(1)]
        after, put, word, _ = self._append(m, tail, field, bits, "first")
        tail_3 = _Tail(*(delayed(m, signal) for signal in after))
        put_3, word_3 = delayed(m, put & valid_2), delayed(m, word)
        completed, count_before = delayed(m, bits >= tail.count), delayed(m, tail.count)
        special_before = delayed(m, self._special(tail, field, bits))
        more_3, more_bits_3, valid_3, token_3 = (delayed(m, v) for v in (more, more_bits, valid_2, token_2))

        # Clock 4: and the others; what ends a string fills its last word with zeros.
        ending = token_3.kind == Kind.ROUND
        filling = Mux(ending, Mux(completed, 0, tail_3.count), more_bits_3)
        last, put_more, word_more, special = self._append(m, tail_3, more_3, filling, "second")
        words = Array(Signal(range(most_words(self.config)), name=f"words_{n}") for n in lanes)
        words_now = Signal.like(words[0])
        m.d.comb += words_now.eq(Mux(token_3.first, 0, words[token_3.lane]) + put_3 + (put_more & valid_3))
        for n, lane in enumerate(tails):
            with m.If(valid_3 & (token_3.lane == n)):
                m.d.sync += [signal.eq(value) for signal, value in zip(lane, last, strict=True)]
                m.d.sync += words[n].eq(words_now)
        used = Signal(range(WORD + 3))
        m.d.comb += used.eq(WORD + 1 - count_before + Mux(completed, special_before, special))
        sizes = Array(Signal(range(2 * most_words(self.config)), name=f"bytes_{n}") for n in lanes)
        with m.If(valid_3 & ending):
            m.d.sync += sizes[token_3.lane].eq((words_now << 1) + ((used + 7) >> 3))
        letting = token_3.kind == Kind.HELD
        first, second = Signal(WORD), Signal(WORD)
        has_first, has_second = Signal(), Signal()
        m.d.sync += [
            has_first.eq(valid_3 & (put_3 | letting)),
            first.eq(Mux(letting, tail_3.held, word_3)),
            has_second.eq(valid_3 & (put_more | letting)),
            second.eq(Mux(letting, (tail_3.pending << tail_3.count)[:WORD], word_more)),
        ]
        valid_4, token_4 = delayed(m, valid_3), delayed(m, token_3)
        return valid_4, token_4, [(has_first, first), (has_second, second)], sizes[token_4.lane]

    def _combine(
        self, m: Module, valid_4: Signal, token_4: Any, words: list[tuple[Signal, Signal]], size: Value
    ) -> None:
        """Clock 5: words of 32 bits."""
        lanes = range(self.config.lanes)
        (has_first, first), (has_second, second) = words
        halves = Array(Signal(WORD, name=f"half_{n}") for n in lanes)
        waits = Array(Signal(name=f"waits_{n}") for n in lanes)
        waiting, half = Signal(), Signal(WORD)
        m.d.comb += [waiting.eq(waits[token_4.lane] & ~token_4.first), half.eq(halves[token_4.lane])]
        closing = token_4.kind == Kind.HALF
        earlier = Mux(waiting, half, Mux(has_first, first, second))
        later = Mux(waiting, Mux(has_first, first, second), second)
        number = Signal(range(4))
        m.d.comb += number.eq(waiting + has_first + has_second)
        with m.If(valid_4):
            m.d.sync += [
                halves[token_4.lane].eq(Mux(number == 1, earlier, second)),
                waits[token_4.lane].eq(number[0] & ~closing),
            ]
        out = self.o.payload
        m.d.sync += [
            self.o.valid.eq(valid_4 & (number[1] | closing)),
            out.lane.eq(token_4.lane),
            out.write.eq(number != 0),
            out.word.eq(Cat(Mux(closing, 0, later), earlier)),
            out.last.eq(closing),
            out.bytes.eq(size),
        ]

    def _tail(self, name: str) -> _Tail:
        return _Tail(
            Signal(WORD + 1, name=f"{name}_pending"),
            Signal(range(WORD + 1), name=f"{name}_count"),
            Signal(WORD, name=f"{name}_held"),
            Signal(name=f"{name}_none"),
        )

    @staticmethod
    def _whole(tail: _Tail, field: Value, bits: Value) -> tuple[Value, Value]:
        """All bits below the held word, and how many of them pass the word that `bits` complete."""
        return (tail.pending << bits) + field, (bits - tail.count)[:4]

    def _special(self, tail: _Tail, field: Value, bits: Value) -> Value:
        """A carry makes the held word all ones."""
        whole, over = self._whole(tail, field, bits)
        carry = (whole >> over)[WORD]
        return (bits >= tail.count) & ~tail.none & (tail.held == ONES - 1) & carry

    def _append(
        self, m: Module, tail: _Tail, field: Value, bits: Value, name: str
    ) -> tuple[_Tail, Value, Value, Value]:
        """The string's end after `bits` further bits, at most as many as a word has; whether a word leaves, and which.

        `_complete` of the law. The last value tells whether the carry made the held word all ones.
        """
        after = self._tail(f"{name}_after")
        whole, over = Signal(2 * WORD + 2, name=f"{name}_whole"), Signal(4, name=f"{name}_over")
        word, put, leaves = Signal(WORD + 1, name=f"{name}_word"), Signal(name=f"{name}_put"), Signal(WORD)
        special = self._special(tail, field, bits)
        below = Signal(WORD, name=f"{name}_below")
        m.d.comb += [
            whole.eq(self._whole(tail, field, bits)[0]),
            over.eq(self._whole(tail, field, bits)[1]),
            word.eq(whole >> over),
            below.eq(whole & ~(Const((1 << WORD) - 1, WORD) << over)),
            leaves.eq(tail.held + word[WORD]),  # no carry if it is all ones
            after.none.eq(tail.none),
            after.held.eq(tail.held),
            after.pending.eq(whole),
            after.count.eq(tail.count - bits),
        ]
        with m.If(bits >= tail.count):
            m.d.comb += [put.eq(~tail.none), after.none.eq(0)]
            with m.If(special):
                m.d.comb += [
                    after.held.eq(word[1:WORD]),
                    after.pending.eq(below | (word[0] << over)),
                    after.count.eq(WORD - 1 - over),
                ]
            with m.Else():
                m.d.comb += [
                    after.held.eq(word),
                    after.pending.eq(below),
                    after.count.eq(Mux(word[:WORD] == ONES, WORD - 1, WORD) - over),
                ]
        return after, put, leaves, special
