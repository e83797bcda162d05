"""Stage `range`: the probability of a code, and the interval of its lane's coder; the law is `model.codec.range`.

What narrows the interval goes to `hw.words`, which makes strings of it.
"""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.arithmetic import bit_length, delayed
from hw.load import Table, load_layout
from hw.memory import table
from hw.multiplier import Multiplier
from hw.scale import scale_layout
from model.spec import range as spec
from model.spec.config import CodecConfig

ONES = (1 << spec.INTERVAL_BITS) - 1
TOP = 1 << (spec.INTERVAL_BITS - 1)
WHOLE = 2 * spec.HALF
INDEX_BITS = (spec.POINTS - 1).bit_length()
END = spec.POINTS << spec.POSITION_FRACTION
WHOLE_FALL = spec.PROBABILITY_BITS - spec.ESCAPE.bit_length() + 1  # R * 65528 >> 16 is R less R / 2**13, rounded up

# What a sample does to its lane's string: add `below`, move up by `bits`; if `plain`, its code follows as it is.
PART = data.StructLayout({"below": spec.INTERVAL_BITS, "bits": range(spec.INTERVAL_BITS), "plain": 1})


class Range(wiring.Component):
    """Probabilities and intervals.

    Parameters
    ----------
    config : CodecConfig
        Its channels are a multiple of its lanes.
    shapes : int
        Distributions, of which each sample says its own. They are loaded one after the other.

    Members
    -------
    advance : In
        A token comes: what this block remembers moves on.
    i : In, stream of `hw.scale.scale_layout`, always ready
    o : Out, `PART`
        Nothing for a token that is no sample.
    load : In, `hw.load.load_layout`
        Points of each `F`.

    Latency
    -------
    `LATENCY` clocks. A lane's interval comes round after `hw.turns.SLOTS` clocks: it is remembered nowhere else than
    on its way.

    Throughput
    ----------
    One sample a clock. Four multipliers.

    Model
    -----
    `model.codec.range`: `cumulative`, `bound`, `encode`
    """

    LATENCY = 6

    def __init__(self, config: CodecConfig, shapes: int = 1) -> None:
        self.config = config
        self.shapes = shapes
        super().__init__(
            {
                "advance": In(1, init=1),
                "i": In(stream.Signature(scale_layout(config, shapes), always_ready=True)),
                "o": Out(PART),
                "load": In(load_layout(config.width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        flags_3, cumulative = self._probabilities(m)

        # Clock 4: the lane's interval, whole at a packet's begin, times both.
        interval, round_ = Signal(spec.INTERVAL_BITS), Signal(spec.INTERVAL_BITS)
        m.d.comb += interval.eq(Mux(flags_3.first, ONES, round_))
        bounds = [self._multiply(m, f"bound_{n}", interval, value) for n, value in enumerate(cumulative)]
        interval_4, flags_4 = delayed(m, interval), delayed(m, flags_3)

        # Clock 5: the code's part of it, or the escape's. What is no sample leaves it as it is.
        below, above = (bound[spec.PROBABILITY_BITS :] for bound in bounds)
        escape, none = Signal(range((ONES >> WHOLE_FALL) + 2)), Signal()
        m.d.comb += [escape.eq((interval_4 + ((1 << WHOLE_FALL) - 1)) >> WHOLE_FALL), none.eq(below == above)]
        size, plain, moves = Signal(spec.INTERVAL_BITS), Signal(), Signal()
        begin, begins = Signal(spec.INTERVAL_BITS), flags_4.sample & ~flags_4.opening
        m.d.sync += [
            size.eq(Mux(flags_4.sample, Mux(none, escape, above - below), interval_4)),
            begin.eq(Mux(begins, Mux(none, interval_4 - escape, below), 0)),
            plain.eq(flags_4.sample & (flags_4.opening | none)),
            moves.eq(begins),
        ]

        # Clock 6: by how much the interval is made large again.
        out = self.o
        bits = Signal(range(spec.INTERVAL_BITS))
        m.d.comb += bits.eq(spec.INTERVAL_BITS - bit_length(m, size))
        m.d.sync += [out.below.eq(begin), out.bits.eq(Mux(moves, bits, 0)), out.plain.eq(plain)]

        # Clock 7: it is, and comes round to clock 4 with the lane's next token.
        m.d.sync += round_.eq(Mux(out.plain, TOP, delayed(m, size) << out.bits))
        return m

    def _multiply(self, m: Module, name: str, a: Value, b: Value) -> Signal:
        m.submodules[name] = product = Multiplier(a.shape(), b.shape())
        m.d.comb += [product.advance.eq(self.advance), product.a.eq(a), product.b.eq(b)]
        return product.o

    def _points(self, m: Module) -> Memory:
        """The points of each `F`, each with the rise to the next; a word is written when the next point comes."""
        word = data.StructLayout({"point": spec.POINT.width, "rise": spec.POINT.width})
        m.submodules.points = points = table(word, self.shapes * spec.POINTS)
        write, before = points.write_port(), Signal(spec.POINT.width)
        loading = self.load.write & (self.load.table == Table.POINTS)
        point_before = Mux(self.load.address[:INDEX_BITS] == 0, 0, before)
        with m.If(loading):
            m.d.sync += before.eq(self.load.value)
        m.d.comb += [
            write.en.eq(loading),
            write.addr.eq(self.load.address),
            write.data.point.eq(point_before),
            write.data.rise.eq(self.load.value - point_before),
        ]
        return points

    def _probabilities(self, m: Module) -> tuple[Any, list[Signal]]:
        """Clocks 1 to 3: what else is known of a sample, and the cumulative probabilities of its edges."""
        points = self._points(m)

        # Clock 1: the points around a position are read.
        came = self.i.payload
        known = data.StructLayout(
            dict.fromkeys(("sample", "first", "opening", "least", "greatest", "lower_negative", "upper_negative"), 1)
        )
        flags_1 = Signal(known)
        m.d.sync += [flags_1.sample.eq(self.i.valid), flags_1.first.eq(came.first & self.i.valid)]
        m.d.sync += [getattr(flags_1, name).eq(getattr(came, name)) for name in ("opening", "least", "greatest")]
        m.d.sync += [flags_1.lower_negative.eq(came.lower.negative), flags_1.upper_negative.eq(came.upper.negative)]
        reads, parts = [], []
        for position in (came.lower, came.upper):
            far = position.magnitude >= END
            read = points.read_port()
            index = Mux(far, spec.POINTS - 1, position.magnitude >> spec.POSITION_FRACTION)
            m.d.comb += read.addr.eq(Cat(index[:INDEX_BITS], came.curve) if self.shapes > 1 else index)
            part = Signal(spec.POSITION_FRACTION + 1)
            m.d.sync += part.eq(Mux(far, 1 << spec.POSITION_FRACTION, position.magnitude[: spec.POSITION_FRACTION]))
            reads.append(read)
            parts.append(part)

        # Clock 2: the product of the interpolation.
        products = [
            self._multiply(m, f"rise_{n}", read.data.rise, part)
            for n, (read, part) in enumerate(zip(reads, parts, strict=True))
        ]
        points_2 = [delayed(m, read.data.point) for read in reads]
        flags_2 = delayed(m, flags_1)

        # Clock 3: cumulative probabilities; the outermost codes take all that lies beyond.
        cumulative = []
        edges = (
            (flags_2.lower_negative, flags_2.least, 0),
            (flags_2.upper_negative, flags_2.greatest, WHOLE),
        )
        for (negative, outermost, limit), product, point in zip(edges, products, points_2, strict=True):
            above = Signal(spec.POINT.width)
            m.d.comb += above.eq(point + (product >> spec.POSITION_FRACTION))
            value = Signal(spec.PROBABILITY_BITS)
            m.d.sync += value.eq(Mux(outermost, limit, Mux(negative, spec.HALF - above, spec.HALF + above)))
            cumulative.append(value)
        return delayed(m, flags_2), cumulative
