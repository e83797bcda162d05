"""Stage `scale`: how large residuals are at present, and where a code's edges stand in that measure.

The law is `model.codec.scale`, and `position` of `model.codec.range`.
"""

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed, multiply, round_half_up, saturate
from hw.calibrate import calibrate_layout
from hw.lms import lms_layout
from hw.load import Table, load_layout
from hw.marks import MARKS
from hw.memory import ChannelRam
from hw.number import Number
from model.spec import range as range_spec
from model.spec import scale as spec
from model.spec.calibrate import EDGE_FRACTION
from model.spec.config import CodecConfig
from model.spec.numbers import Format

# A code is at most 16 scales wide: where its edges lie on both sides of the prediction, both positions are exact; where
# they lie on one side, farther ones tell the step table no more.
FARTHEST = spec.STEPS * (2 << range_spec.POSITION_FRACTION) - 1
FALL = EDGE_FRACTION + spec.RECIPROCAL_BITS + spec.LEAST_OCTAVE - range_spec.POINT_SPACING_BITS
FALL -= range_spec.POSITION_FRACTION  # of a product, in the lowest octave
POSITION = data.StructLayout({"magnitude": range(FARTHEST + 1), "negative": 1})


def scale_layout(config: CodecConfig) -> data.StructLayout:
    """A sample with the positions of its edges, all that the coder needs to know of it."""
    return data.StructLayout(
        {
            "code": Number(Format(config.width)),
            "lower": POSITION,
            "upper": POSITION,
            "opening": 1,
            "channel": range(config.channels),
            "marks": MARKS,
        }
    )


class Scale(wiring.Component):
    """Positions of edges, and the running scale that they are measured in.

    Parameters
    ----------
    config : CodecConfig
        Of at most 10 bits: no lower bits are coded evenly.

    Members
    -------
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

    LATENCY = 4
    DEPTH = 6

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        super().__init__(
            {
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
        m.submodules.state = ram = ChannelRam(config.channels, state)
        start = Signal(slow_number)
        with m.If(self.load.write & (self.load.table == Table.START)):
            m.d.sync += start.eq(self.load.value)

        # Clock 1: the state is read, distances from the prediction are taken.
        sample = data.StructLayout(
            {name: shape for name, shape in scale_layout(config).members.items() if name in KEPT}
        )
        came = self.i.payload
        pace_1 = Signal(calibrate_layout(config).members["pace"])
        valid_1, sample_1 = Signal(), Signal(sample)
        m.d.comb += ram.read.eq(came.channel)
        m.d.sync += [valid_1.eq(self.i.valid), pace_1.eq(came.pace), sample_1.opening.eq(came.pace.opening)]
        m.d.sync += [getattr(sample_1, name).eq(getattr(came, name)) for name in KEPT if name != "opening"]
        distances = [self._distance(m, edge - came.mu) for edge in (came.lower, came.upper)]

        # Clock 2: the scale.
        now, index = Signal(state), Signal(range(greatest + 1))
        m.d.comb += now.eq(ram.data)
        with m.If(sample_1.opening):
            m.d.comb += [now.fast.eq(0), now.slow.eq(start)]
        total = Signal(range(-(1 << spec.FAST.width), 2 * slow_number.form.maximum))
        m.d.comb += [
            total.eq(now.fast + now.slow),
            index.eq(saturate(round_half_up(total, spec.LOG_FRACTION), 0, greatest)),
        ]
        octave_bits = spec.OCTAVE.bit_length() - 1
        octave, reciprocal = Signal(len(index) - octave_bits), Signal(spec.RECIPROCAL_BITS + 1)
        valid_2, sample_2, pace_2, now_2 = Signal(), Signal(sample), Signal.like(pace_1), Signal(state)
        m.d.sync += [
            octave.eq(index >> octave_bits),
            reciprocal.eq(Array(Const(int(r)) for r in spec.reciprocals())[index[:octave_bits]]),
            valid_2.eq(valid_1),
            sample_2.eq(sample_1),
            pace_2.eq(pace_1),
            now_2.eq(now),
        ]
        distances = [(delayed(m, magnitude), delayed(m, negative)) for magnitude, negative in distances]

        # Clock 3: products.
        products = [(multiply(m, magnitude, reciprocal), delayed(m, negative)) for magnitude, negative in distances]
        octave_3, valid_3, sample_3 = delayed(m, octave), delayed(m, valid_2), delayed(m, sample_2)
        pace_3, now_3 = delayed(m, pace_2), delayed(m, now_2)

        # Clock 4: positions.
        out = self.o.payload
        for position, (product, negative) in zip((out.lower, out.upper), products, strict=True):
            fallen = Signal(len(product) - FALL)
            m.d.comb += fallen.eq(product[FALL:] >> octave_3)
            m.d.sync += [
                position.magnitude.eq(Mux(fallen > FARTHEST, FARTHEST, fallen)),
                position.negative.eq(negative),
            ]
        m.d.sync += self.o.valid.eq(valid_3)
        m.d.sync += [getattr(out, name).eq(getattr(sample_3, name)) for name in KEPT]
        pace_4, now_4 = delayed(m, pace_3), delayed(m, now_3)

        # Clock 5: how far off the sample was, in quarters of the scale; its steps are read.
        m.submodules.steps = steps = Memory(shape=2 * spec.STEP.width, depth=spec.STEPS, init=[])
        write, read = steps.write_port(), steps.read_port()
        m.d.comb += [
            write.en.eq(self.load.write & (self.load.table == Table.STEPS)),
            write.addr.eq(self.load.address),
            write.data.eq(self.load.value),
            read.addr.eq(entry(out.lower, out.upper)),
        ]
        valid_5, channel_5 = delayed(m, self.o.valid & out.marks.sample), delayed(m, out.channel)
        opening_5, pace_5, now_5 = delayed(m, out.opening), delayed(m, pace_4), delayed(m, now_4)

        # Clock 6: the state follows.
        number = Number(spec.STEP)
        fast_step, slow_step = Signal(number), Signal(number)
        m.d.comb += [fast_step.eq(read.data[: spec.STEP.width]), slow_step.eq(read.data[spec.STEP.width :])]
        fast = now_5.fast - round_half_up(now_5.fast, spec.DECAY_SHIFT) + fast_step
        slow = now_5.slow + (slow_step << pace_5.gear)
        m.d.comb += [
            ram.write.eq(channel_5),
            ram.enable.eq(valid_5),
            ram.value.fast.eq(Mux(opening_5, 0, saturate(fast, -spec.FAST.maximum, spec.FAST.maximum))),
            ram.value.slow.eq(Mux(opening_5, now_5.slow, saturate(slow, 0, greatest << spec.LOG_FRACTION))),
        ]
        return m

    @staticmethod
    def _distance(m: Module, difference: Value) -> tuple[Signal, Signal]:
        """Magnitude and sign of a distance, registered."""
        magnitude, negative = Signal(len(difference) - 1), Signal()
        m.d.sync += [magnitude.eq(Mux(difference < 0, -difference, difference)), negative.eq(difference < 0)]
        return magnitude, negative


KEPT = ("code", "opening", "channel", "marks")  # of a sample, on its way through


def entry(lower: Any, upper: Any) -> Value:
    """The entry of the step table for a code between two positions."""
    total = sum(Mux(p.negative, -p.magnitude, p.magnitude) for p in (lower, upper))
    quarters = Mux(total < 0, -total, total) >> (range_spec.POSITION_FRACTION + 1)
    return Mux(quarters > spec.STEPS - 1, spec.STEPS - 1, quarters)[: (spec.STEPS - 1).bit_length()]
