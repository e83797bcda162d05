"""Stage `scale`: how large residuals are at present, and where a code's edges stand in that measure.

The law is `model.codec.scale`, and `position` of `model.codec.range`.
"""

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed, round_half_up, saturate
from hw.lms import AHEAD, lms_layout
from hw.load import Table, load_layout
from hw.memory import StateRam, table
from hw.multiplier import Multiplier
from hw.number import Number
from model.spec import range as range_spec
from model.spec import scale as spec
from model.spec.calibrate import EDGE_FRACTION
from model.spec.config import CodecConfig

# A code is at most 16 scales wide: where its edges lie on both sides of the prediction, both positions are exact; where
# they lie on one side, farther ones tell the step table no more.
FARTHEST = spec.STEPS * (2 << range_spec.POSITION_FRACTION) - 1
OCTAVE_BITS = spec.OCTAVE.bit_length() - 1
FALL = EDGE_FRACTION + spec.RECIPROCAL_BITS + spec.LEAST_OCTAVE - range_spec.POINT_SPACING_BITS
FALL -= range_spec.POSITION_FRACTION  # of a product, in the lowest octave
POSITION = data.StructLayout({"magnitude": range(FARTHEST + 1), "negative": 1})
EDGES = ("lower", "upper")
PASSED = ("least", "greatest", "first")


def scale_layout(config: CodecConfig) -> data.StructLayout:
    """A sample with the positions of its edges, all that the coder needs to know of it."""
    return data.StructLayout({"lower": POSITION, "upper": POSITION, "opening": 1, **dict.fromkeys(PASSED, 1)})


class Scale(wiring.Component):
    """Positions of edges, and the running scale that they are measured in.

    Parameters
    ----------
    config : CodecConfig
        Of at most 10 bits: no lower bits are coded evenly.

    Members
    -------
    advance : In
        A token comes: what this block remembers moves on.
    ahead : In
        `valid` and `frame` of the sample after that at `i`.
    i : In, stream of `hw.lms.lms_layout`, always ready
    o : Out, stream of `scale_layout`, always ready
    load : In, `hw.load.load_layout`
        Steps, and the start scale.

    Latency
    -------
    `LATENCY` clocks. A channel may return after `DEPTH` clocks: its state is written in the last of them.

    Throughput
    ----------
    One sample a clock. Two multipliers.

    Model
    -----
    `model.codec.scale`: `index`, `adapt`; `model.codec.range.position`
    """

    LATENCY = 3
    DEPTH = 6

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        super().__init__(
            {
                "advance": In(1, init=1),
                "ahead": In(AHEAD),
                "i": In(stream.Signature(lms_layout(config), always_ready=True)),
                "o": Out(stream.Signature(scale_layout(config), always_ready=True)),
                "load": In(load_layout(config.width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, greatest = self.config, spec.greatest_index(self.config.width)
        slow_number, fast_number = Number(spec.slow_format(config.width)), Number(spec.FAST)
        state = data.StructLayout({"fast": fast_number, "slow": slow_number})
        m.submodules.state = ram = StateRam(config.channels, state)
        start = Signal(slow_number)
        with m.If(self.load.write & (self.load.table == Table.START)):
            m.d.sync += start.eq(self.load.value)

        # Clock 0, the one before the sample comes: the state is read.
        m.d.comb += [ram.read.eq(self.ahead.valid), ram.read_frame.eq(self.ahead.frame)]

        # Clock 1: the scale, and distances from the prediction.
        came, now, index = self.i.payload, Signal(state), Signal(range(greatest + 1))
        m.d.comb += now.eq(ram.data)
        with m.If(came.pace.opening):
            m.d.comb += [now.fast.eq(0), now.slow.eq(start)]
        total = Signal(range(-(1 << spec.FAST.width), 2 * slow_number.form.maximum))
        m.d.comb += [
            total.eq(now.fast + now.slow),
            index.eq(saturate(round_half_up(total, spec.LOG_FRACTION), 0, greatest)),
        ]
        # The reciprocal bears the octave as well: as large as the scale is small.
        octaves = (greatest >> OCTAVE_BITS) + 1
        octave, mantissa = index[OCTAVE_BITS:], Array(Const(int(r)) for r in spec.reciprocals())[index[:OCTAVE_BITS]]
        reciprocal = Signal(spec.RECIPROCAL_BITS + octaves)
        m.d.sync += reciprocal.eq(mantissa << (octaves - 1 - octave)[: len(octave)])
        lower = came.lower - came.mu
        distances = [self._distance(m, distance, len(came.mu)) for distance in (lower, lower + came.step)]
        flags = data.StructLayout({"valid": 1, "frame": 1, "opening": 1, **dict.fromkeys(PASSED, 1)})
        flags_1, gear_1 = Signal(flags), delayed(m, came.pace.gear)
        m.d.sync += [flags_1.valid.eq(self.i.valid), flags_1.opening.eq(came.pace.opening)]
        m.d.sync += [getattr(flags_1, name).eq(getattr(came, name)) for name in ("frame", *PASSED)]
        now_1 = delayed(m, now)

        # Clock 2: products.
        products = []
        for edge, (magnitude, negative) in zip(EDGES, distances, strict=True):
            m.submodules[edge] = product = Multiplier(magnitude.shape(), reciprocal.shape())
            m.d.comb += [product.advance.eq(self.advance), product.a.eq(magnitude), product.b.eq(reciprocal)]
            products.append((product.o, delayed(m, negative)))
        flags_2, gear_2, now_2 = delayed(m, flags_1), delayed(m, gear_1), delayed(m, now_1)

        # Clock 3: positions.
        out = self.o.payload
        for edge, (product, negative) in zip(EDGES, products, strict=True):
            position = getattr(out, edge)
            m.d.sync += [
                position.magnitude.eq(saturate(product[FALL + octaves - 1 :], 0, FARTHEST)),
                position.negative.eq(negative),
            ]
        flags_3, gear_3, now_3 = delayed(m, flags_2), delayed(m, gear_2), delayed(m, now_2)
        m.d.comb += self.o.valid.eq(flags_3.valid)
        m.d.comb += [getattr(out, name).eq(getattr(flags_3, name)) for name in ("opening", *PASSED)]

        # Clock 4, in which the positions are known outside: how far off the sample was, in quarters of the scale; its
        # steps are read.
        m.submodules.steps = steps = table(2 * spec.STEP.width, spec.STEPS)
        write, read = steps.write_port(), steps.read_port()
        m.d.comb += [
            write.en.eq(self.load.write & (self.load.table == Table.STEPS)),
            write.addr.eq(self.load.address),
            write.data.eq(self.load.value),
            read.addr.eq(entry(out.lower, out.upper)),
        ]
        valid_4, frame_4, opening_4 = delayed(m, flags_3.valid), delayed(m, flags_3.frame), delayed(m, flags_3.opening)
        gear_4, now_4 = delayed(m, gear_3), delayed(m, now_3)

        # Clock 5: the state follows.
        number = Number(spec.STEP)
        fast_step, slow_step = Signal(number), Signal(number)
        m.d.comb += [fast_step.eq(read.data[: spec.STEP.width]), slow_step.eq(read.data[spec.STEP.width :])]
        fast = now_4.fast - round_half_up(now_4.fast, spec.DECAY_SHIFT) + fast_step
        slow = now_4.slow + (slow_step << gear_4)
        m.d.comb += [
            ram.write.eq(valid_4),
            ram.write_frame.eq(frame_4),
            ram.value.fast.eq(Mux(opening_4, 0, saturate(fast, -spec.FAST.maximum, spec.FAST.maximum))),
            ram.value.slow.eq(Mux(opening_4, now_4.slow, saturate(slow, 0, greatest << spec.LOG_FRACTION))),
        ]
        return m

    @staticmethod
    def _distance(m: Module, difference: Value, bits: int) -> tuple[Signal, Signal]:
        """Magnitude and sign of a distance, registered; no edge is farther off than all ones."""
        magnitude, negative = Signal(bits), Signal()
        m.d.sync += [magnitude.eq(Mux(difference < 0, -difference, difference)), negative.eq(difference < 0)]
        return magnitude, negative


def entry(lower: Any, upper: Any) -> Value:
    """The entry of the step table for a code between two positions."""
    total = sum(Mux(p.negative, -p.magnitude, p.magnitude) for p in (lower, upper))
    quarters = Mux(total < 0, -total, total) >> (range_spec.POSITION_FRACTION + 1)
    return Mux(quarters > spec.STEPS - 1, spec.STEPS - 1, quarters)[: (spec.STEPS - 1).bit_length()]
