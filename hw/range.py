"""Stage `range`: the probability of a code, and the interval of its lane's coder; the law is `model.codec.range`.

What narrows the interval leaves as a token for `hw.words`, which makes strings of it.
"""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.arithmetic import bit_length, delayed, multiply
from hw.load import Table, load_layout
from hw.marks import MARKS
from hw.number import Number
from hw.scale import scale_layout
from model.spec import range as spec
from model.spec.config import CodecConfig
from model.spec.numbers import Format

ONES = (1 << spec.INTERVAL_BITS) - 1
TOP = 1 << (spec.INTERVAL_BITS - 1)
WHOLE = 2 * spec.HALF
END = spec.POINTS << spec.POSITION_FRACTION
WHOLE_FALL = spec.PROBABILITY_BITS - spec.ESCAPE.bit_length() + 1  # R * 65528 >> 16 is R less R / 2**13, rounded up


def range_layout(config: CodecConfig) -> data.StructLayout:
    """What a sample does to its lane's string: add `below`, move up by `bits`; if `plain`, `code` follows as it is.

    A `hasty` one came before the lane's interval was known, and is wrong.
    """
    return data.StructLayout(
        {
            "code": Number(Format(config.width)),
            "below": spec.INTERVAL_BITS,
            "bits": range(spec.INTERVAL_BITS),
            "plain": 1,
            "hasty": 1,
            "lane": range(config.lanes),
            "marks": MARKS,
        }
    )


class Range(wiring.Component):
    """Probabilities and intervals.

    Parameters
    ----------
    config : CodecConfig
        Its channels are a multiple of its lanes.

    Members
    -------
    i : In, stream of `hw.scale.scale_layout`, always ready
    o : Out, stream of `range_layout`, always ready
    load : In, `hw.load.load_layout`
        Points of `F`.

    Latency
    -------
    `LATENCY` clocks. A lane may return after `DEPTH` clocks.

    Throughput
    ----------
    One sample a clock, but a lane's only every `DEPTH` clocks: earlier ones are `hasty`. Four multipliers.

    Model
    -----
    `model.codec.range`: `cumulative`, `bound`, `encode`
    """

    LATENCY = 6
    DEPTH = 3

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(scale_layout(config), always_ready=True)),
                "o": Out(stream.Signature(range_layout(config), always_ready=True)),
                "load": In(load_layout(config.width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        valid_3, token_3, cumulative = self._probabilities(m)

        # Clock 4: the lane's interval, whole at a packet's begin, times both.
        lanes = config.lanes
        lane_3 = token_3.channel[: lanes.bit_length() - 1] if lanes > 1 else Signal(1)
        intervals = Array(Signal(spec.INTERVAL_BITS, name=f"interval_{n}") for n in range(lanes))
        fresh, fresh_now = Signal(lanes), Signal(lanes)
        marks = token_3.marks
        interval = Signal(spec.INTERVAL_BITS)
        m.d.comb += [
            fresh_now.eq(Mux(valid_3 & marks.open, (1 << lanes) - 1, fresh)),
            interval.eq(Mux(fresh_now.bit_select(lane_3, 1), ONES, intervals[lane_3])),
        ]
        m.d.sync += fresh.eq(fresh_now & ~((valid_3 & marks.sample) << lane_3))
        bounds = [multiply(m, interval, value) for value in cumulative]
        interval_4, lane_4 = Signal(spec.INTERVAL_BITS), Signal(range(lanes))
        m.d.sync += [interval_4.eq(interval), lane_4.eq(lane_3)]
        valid_4, token_4 = delayed(m, valid_3), delayed(m, token_3)

        # Clock 5: the code's part of it, or the escape's.
        below, above = (bound[spec.PROBABILITY_BITS :] for bound in bounds)
        escape = Signal(range((ONES >> WHOLE_FALL) + 2))
        none = Signal()
        m.d.comb += [escape.eq((interval_4 + ((1 << WHOLE_FALL) - 1)) >> WHOLE_FALL), none.eq(below == above)]
        size, begin, plain = Signal(spec.INTERVAL_BITS), Signal(spec.INTERVAL_BITS), Signal()
        m.d.sync += [
            size.eq(Mux(none, escape, above - below)),
            begin.eq(Mux(token_4.opening, 0, Mux(none, interval_4 - escape, below))),
            plain.eq(token_4.opening | none),
        ]
        lane_5, valid_5, token_5 = delayed(m, lane_4), delayed(m, valid_4), delayed(m, token_4)
        ahead = ((valid_4 & token_4.marks.sample, lane_4), (valid_5 & token_5.marks.sample, lane_5))
        hasty = Signal()
        m.d.comb += hasty.eq(marks.sample & Cat(there & (lane == lane_3) for there, lane in ahead).any())

        # Clock 6: the interval is made large again.
        bits = Signal(range(spec.INTERVAL_BITS))
        m.d.comb += bits.eq(spec.INTERVAL_BITS - bit_length(m, size))
        with m.If(valid_5 & token_5.marks.sample):
            m.d.sync += intervals[lane_5].eq(Mux(plain, TOP, size << bits))
        out = self.o.payload
        m.d.sync += [
            self.o.valid.eq(valid_5),
            out.code.eq(token_5.code),
            out.below.eq(begin),
            out.bits.eq(Mux(token_5.opening, 0, bits)),
            out.plain.eq(plain),
            out.hasty.eq(delayed(m, delayed(m, hasty))),
            out.lane.eq(lane_5),
            out.marks.eq(token_5.marks),
        ]
        return m

    def _points(self, m: Module) -> Memory:
        """The points of `F`, each with the rise to the next; a word is written when the next point comes."""
        word = data.StructLayout({"point": spec.POINT.width, "rise": spec.POINT.width})
        m.submodules.points = points = Memory(shape=word, depth=spec.POINTS, init=[])
        write, before = points.write_port(), Signal(spec.POINT.width)
        loading = self.load.write & (self.load.table == Table.POINTS)
        point_before = Mux(self.load.address == 0, 0, before)
        with m.If(loading):
            m.d.sync += before.eq(self.load.value)
        m.d.comb += [
            write.en.eq(loading),
            write.addr.eq(self.load.address),
            write.data.point.eq(point_before),
            write.data.rise.eq(self.load.value - point_before),
        ]
        return points

    def _probabilities(self, m: Module) -> tuple[Signal, Any, list[Signal]]:
        """Clocks 1 to 3: a sample with the cumulative probabilities of its edges."""
        top = (1 << self.config.width) - 1
        points = self._points(m)

        # Clock 1: the points around a position are read.
        came = self.i.payload
        valid_1, token_1 = delayed(m, self.i.valid), delayed(m, came)
        reads, parts = [], []
        for position in (came.lower, came.upper):
            far = position.magnitude >= END
            read = points.read_port()
            m.d.comb += read.addr.eq(Mux(far, spec.POINTS - 1, position.magnitude >> spec.POSITION_FRACTION))
            part = Signal(spec.POSITION_FRACTION + 1)
            m.d.sync += part.eq(Mux(far, 1 << spec.POSITION_FRACTION, position.magnitude[: spec.POSITION_FRACTION]))
            reads.append(read)
            parts.append(part)

        # Clock 2: the product of the interpolation.
        products = [multiply(m, read.data.rise, part) for read, part in zip(reads, parts, strict=True)]
        points_2 = [delayed(m, read.data.point) for read in reads]
        valid_2, token_2 = delayed(m, valid_1), delayed(m, token_1)

        # Clock 3: cumulative probabilities; the outermost codes take all that lies beyond.
        cumulative = []
        edges = (
            (token_2.lower, token_2.code == 0, 0),
            (token_2.upper, token_2.code == top, WHOLE),
        )
        for (position, outermost, limit), product, point in zip(edges, products, points_2, strict=True):
            above = Signal(spec.POINT.width)
            m.d.comb += above.eq(point + (product >> spec.POSITION_FRACTION))
            value = Signal(spec.PROBABILITY_BITS)
            m.d.sync += value.eq(Mux(outermost, limit, Mux(position.negative, spec.HALF - above, spec.HALF + above)))
            cumulative.append(value)
        valid_3, token_3 = delayed(m, valid_2), delayed(m, token_2)
        return valid_3, token_3, cumulative
