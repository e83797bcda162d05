"""Stage `calibrate`: from a code to its edges and centre in the calibrated domain; the law is `model.codec.calibrate`.

It also tells how long ago the last key packet began, for the stages that move faster then.
"""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import round_half_up
from hw.load import Table, load_layout
from hw.memory import SinglePortRam, table
from hw.number import Number
from hw.turns import sample_layout
from model.spec.calibrate import CENTRE_FRACTION, EDGE_FRACTION, GREATEST_STEP, centre_format, edge_format
from model.spec.config import CodecConfig
from model.spec.lms import QUICK_FRAMES
from model.spec.scale import GEARS

PASSED = ("least", "greatest", "first", "frame")
PACE = data.StructLayout({"opening": 1, "quick": 1, "gear": range(max(gear for _, gear in GEARS) + 1)})


STEP = range(GREATEST_STEP + 1)  # from a code's lower edge to its upper one


def calibrate_layout(config: CodecConfig) -> data.StructLayout:
    """A sample's place in the calibrated domain; what else is to know of it: `hw.turns.sample_layout`."""
    return data.StructLayout(
        {
            "lower": Number(edge_format(config.width)),
            "step": STEP,
            "value": Number(centre_format(config.width)),
            "pace": PACE,
            "least": 1,  # code 0
            "greatest": 1,  # the last code
            "first": 1,
            "frame": 1,
        }
    )


class Calibrate(wiring.Component):
    """The table of edges: a word of single-port RAM and 8 bits of block RAM a code.

    Parameters
    ----------
    config : CodecConfig

    Members
    -------
    advance : In
        A token comes: what this block remembers moves on.
    i : In, stream of `hw.turns.sample_layout`, always ready
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

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        super().__init__(
            {
                "advance": In(1, init=1),
                "i": In(stream.Signature(sample_layout(config), always_ready=True)),
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
        m.submodules.steps = steps = table(STEP, codes)
        write_step, read_step = steps.write_port(), steps.read_port()

        # Edge n is stored as such for code n, and as the step from edge n - 1 for code n - 1.
        word, before = self.load, Signal(edge_number)
        writing = word.write & (word.table == Table.EDGES)
        with m.If(writing):
            m.d.sync += before.eq(word.value)
        m.d.comb += [
            edges.enable.eq(writing | (self.i.valid & self.advance)),
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
            m.d.comb += edges.enable.eq(0)

        # Frames since the last key packet began.
        age, age_now, sample = Signal(range(QUICK_FRAMES + 1)), Signal(range(QUICK_FRAMES + 1)), self.i.payload
        m.d.comb += age_now.eq(age)
        with m.If(sample.key):
            m.d.comb += age_now.eq(0)
        with m.Elif(sample.frame & (age != QUICK_FRAMES)):
            m.d.comb += age_now.eq(age + 1)
        with m.If(self.i.valid):
            m.d.sync += age.eq(age_now)

        valid, known, pace = Signal(), Signal(data.StructLayout(dict.fromkeys(PASSED, 1))), Signal(PACE)
        (first_frames, first_gear), (second_frames, second_gear) = GEARS
        m.d.sync += [
            valid.eq(self.i.valid),
            known.first.eq(sample.first),
            known.frame.eq(sample.frame),
            known.least.eq(sample.code == 0),
            known.greatest.eq(sample.code == codes - 1),
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
            out.lower.eq(lower),
            out.step.eq(read_step.data),
            out.value.eq(Mux(centre > greatest, greatest, centre)),
            out.pace.eq(pace),
        ]
        m.d.sync += [getattr(out, name).eq(getattr(known, name)) for name in PASSED]
        return m
