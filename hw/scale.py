"""Stage `scale`: how large residuals are at present, and where a code's edges stand in that measure.

The law is `model.codec.scale`.
"""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed, round_half_up, saturate
from hw.lms import AHEAD, lms_layout
from hw.load import Table, load_layout
from hw.memory import StateRam, table
from hw.number import Number
from hw.positions import POSITION, Positions, scale_index
from model.spec import range as range_spec
from model.spec import scale as spec
from model.spec.config import CodecConfig

PASSED = ("least", "greatest", "first")


def scale_layout(config: CodecConfig, shapes: int = 1) -> data.StructLayout:
    """A sample with the positions of its edges, and, of several distributions, its own: all that the coder needs to
    know of it.
    """
    fields = {"lower": POSITION, "upper": POSITION, "opening": 1, **dict.fromkeys(PASSED, 1)}
    return data.StructLayout({**fields, **({"curve": range(shapes)} if shapes > 1 else {})})


def state_layout(config: CodecConfig) -> data.StructLayout:
    """State of a channel."""
    return data.StructLayout({"fast": Number(spec.FAST), "slow": Number(spec.slow_format(config.width))})


def followed_layout(config: CodecConfig) -> data.StructLayout:
    """A channel's state before a sample, and as the sample leaves it."""
    return data.StructLayout({"before": state_layout(config), "after": state_layout(config)})


def logarithm(state: Any) -> Value:
    """The scale's logarithm, both parts of it."""
    return state.fast + state.slow


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
    followed : Out, `followed_layout`
        Of the sample at `i`, `FOLLOWED` clocks later.
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
    `model.codec.scale`: `index`, `adapt`
    """

    LATENCY = Positions.LATENCY
    DEPTH = 6
    FOLLOWED = 4

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        super().__init__(
            {
                "advance": In(1, init=1),
                "ahead": In(AHEAD),
                "i": In(stream.Signature(lms_layout(config), always_ready=True)),
                "o": Out(stream.Signature(scale_layout(config), always_ready=True)),
                "followed": Out(followed_layout(config)),
                "load": In(load_layout(config.width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, greatest = self.config, spec.greatest_index(self.config.width)
        state = state_layout(config)
        m.submodules.state = ram = StateRam(config.channels, state)
        start = Signal(state.members["slow"])
        with m.If(self.load.write & (self.load.table == Table.START)):
            m.d.sync += start.eq(self.load.value)

        # Clock 0, the one before the sample comes: the state is read.
        m.d.comb += [ram.read.eq(self.ahead.valid), ram.read_frame.eq(self.ahead.frame)]

        # Clocks 1 to 3: the scale, and positions in it.
        came, now = self.i.payload, Signal(state)
        m.d.comb += now.eq(ram.data)
        with m.If(came.pace.opening):
            m.d.comb += [now.fast.eq(0), now.slow.eq(start)]
        m.submodules.positions = positions = Positions(config)
        m.d.comb += positions.advance.eq(self.advance)
        m.d.comb += [getattr(positions.i, name).eq(getattr(came, name)) for name in ("lower", "step", "mu")]
        m.d.comb += positions.i.index.eq(scale_index(logarithm(now), config))
        flags = data.StructLayout({"valid": 1, "frame": 1, "opening": 1, **dict.fromkeys(PASSED, 1)})
        flags_1, gear_1 = Signal(flags), delayed(m, came.pace.gear)
        m.d.sync += [flags_1.valid.eq(self.i.valid), flags_1.opening.eq(came.pace.opening)]
        m.d.sync += [getattr(flags_1, name).eq(getattr(came, name)) for name in ("frame", *PASSED)]
        now_1 = delayed(m, now)
        flags_2, gear_2, now_2 = delayed(m, flags_1), delayed(m, gear_1), delayed(m, now_1)
        flags_3, gear_3, now_3 = delayed(m, flags_2), delayed(m, gear_2), delayed(m, now_2)
        out = self.o.payload
        m.d.comb += [self.o.valid.eq(flags_3.valid), out.lower.eq(positions.o.lower), out.upper.eq(positions.o.upper)]
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
            self.followed.before.eq(now_4),
            self.followed.after.eq(ram.value),
        ]
        return m


def entry(lower: Any, upper: Any) -> Value:
    """The entry of the step table for a code between two positions."""
    total = sum(Mux(p.negative, -p.magnitude, p.magnitude) for p in (lower, upper))
    quarters = Mux(total < 0, -total, total) >> (range_spec.POSITION_FRACTION + 1)
    return Mux(quarters > spec.STEPS - 1, spec.STEPS - 1, quarters)[: (spec.STEPS - 1).bit_length()]
