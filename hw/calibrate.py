"""Stage `calibrate`: from a code to its edges and centre in the calibrated domain; the law is `model.codec.calibrate`.

It also tells how long ago the last key packet began, for the stages that move faster then.
"""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.arithmetic import round_half_up
from hw.frame import frame_layout
from hw.load import Table, load_layout
from hw.marks import MARKS
from hw.memory import SinglePortRam
from hw.number import Number
from model.spec.calibrate import CENTRE_FRACTION, EDGE_FRACTION, GREATEST_STEP, centre_format, edge_format
from model.spec.config import CodecConfig
from model.spec.lms import QUICK_FRAMES
from model.spec.numbers import Format
from model.spec.scale import GEARS

PACE = data.StructLayout({"opening": 1, "quick": 1, "gear": range(max(gear for _, gear in GEARS) + 1)})


def upper_format(width: int) -> Format:
    """Format of a code's upper edge: that of the last code may lie one above the format of edges."""
    return Format(width + EDGE_FRACTION + 1, EDGE_FRACTION, signed=True)


def calibrate_layout(config: CodecConfig) -> data.StructLayout:
    """A sample with its place in the calibrated domain."""
    return data.StructLayout(
        {
            "code": Number(Format(config.width)),
            "lower": Number(edge_format(config.width)),
            "upper": Number(upper_format(config.width)),
            "value": Number(centre_format(config.width)),
            "pace": PACE,
            "channel": range(config.channels),
            "marks": MARKS,
        }
    )


class Calibrate(wiring.Component):
    """The table of edges: a word of single-port RAM and 8 bits of block RAM a code.

    Parameters
    ----------
    config : CodecConfig

    Members
    -------
    i : In, stream of `hw.frame.frame_layout`, always ready
    o : Out, stream of `calibrate_layout`, always ready
    load : In, `hw.load.load_layout`
        Edges; while a word comes, no sample may.

    Latency
    -------
    2 clocks.

    Throughput
    ----------
    One sample a clock.

    Model
    -----
    `model.codec.calibrate.centre`
    """

    LATENCY = 2
    DEPTH = 1

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(config), always_ready=True)),
                "o": Out(stream.Signature(calibrate_layout(config), always_ready=True)),
                "load": In(load_layout(config.width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = self.config.width
        codes = 1 << width
        edge_number = Number(edge_format(width))
        m.submodules.edges = edges = SinglePortRam(codes, edge_number.as_shape().width)
        m.submodules.steps = steps = Memory(shape=range(GREATEST_STEP + 1), depth=codes, init=[])
        write_step, read_step = steps.write_port(), steps.read_port()

        # Edge n is stored as such for code n, and as the step from edge n - 1 for code n - 1.
        word, before = self.load, Signal(edge_number)
        writing = word.write & (word.table == Table.EDGES)
        with m.If(writing):
            m.d.sync += before.eq(word.value)
        m.d.comb += [
            edges.enable.eq(writing | self.i.valid),
            edges.write.eq(writing),
            edges.address.eq(Mux(writing, word.address[:width], self.i.payload.code)),
            edges.value.eq(word.value),
            write_step.en.eq(writing),
            write_step.addr.eq(word.address - 1),
            write_step.data.eq(word.value.as_signed() - before),
            read_step.addr.eq(self.i.payload.code),
        ]
        # Edge 2**width has no room in the first memory, where its address is that of edge 0.
        with m.If(word.address[width]):
            m.d.comb += edges.enable.eq(self.i.valid)

        # Frames since the last key packet began.
        age, age_now, marks = Signal(range(QUICK_FRAMES + 1)), Signal(range(QUICK_FRAMES + 1)), self.i.payload.marks
        m.d.comb += age_now.eq(age)
        with m.If(marks.open & marks.key):
            m.d.comb += age_now.eq(0)
        with m.Elif(marks.frame & (age != QUICK_FRAMES)):
            m.d.comb += age_now.eq(age + 1)
        with m.If(self.i.valid):
            m.d.sync += age.eq(age_now)

        valid, sample, pace = Signal(), Signal(frame_layout(self.config)), Signal(PACE)
        (first_frames, first_gear), (second_frames, second_gear) = GEARS
        m.d.sync += [
            valid.eq(self.i.valid),
            sample.eq(self.i.payload),
            pace.opening.eq(age_now == 0),
            pace.quick.eq(age_now < QUICK_FRAMES),
            pace.gear.eq(Mux(age_now < first_frames, first_gear, Mux(age_now < second_frames, second_gear, 0))),
        ]

        lower, total = Signal(edge_number), Signal(width + EDGE_FRACTION + 2)
        centre = round_half_up(total.as_signed(), EDGE_FRACTION - CENTRE_FRACTION + 1)
        greatest = centre_format(width).maximum
        out = self.o.payload
        m.d.comb += [lower.eq(edges.data), total.eq((lower << 1) + read_step.data)]
        m.d.sync += [
            self.o.valid.eq(valid),
            out.code.eq(sample.code),
            out.lower.eq(lower),
            out.upper.eq(lower + read_step.data),
            out.value.eq(Mux(centre > greatest, greatest, centre)),
            out.pace.eq(pace),
            out.channel.eq(sample.channel),
            out.marks.eq(sample.marks),
        ]
        return m
