"""Stage `rice`: adaptive Rice code with a bounded escape; the law is `model.codec.rice`."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import bit_length, round_half_up
from hw.delta import delta_layout
from hw.marks import MARKS
from hw.memory import ChannelRam
from hw.number import Number
from model.spec.config import CodecConfig
from model.spec.numbers import Format
from model.spec.rice import ESCAPE_ZEROS, MAX_CODE_BITS, MEAN_FRACTION, MEAN_SHIFT, initial_mean, mean_format


def rice_layout(config: CodecConfig) -> data.StructLayout:
    """A sample with its code word: `value` written in `length` bits."""
    return data.StructLayout(
        {
            "code": Number(Format(config.width)),
            "value": Number(Format(config.width)),
            "length": range(MAX_CODE_BITS + 1),
            "marks": MARKS,
        }
    )


class Rice(wiring.Component):
    """Code word of a residual; the running mean that chooses `k` is kept in RAM: `width + 5` bits a channel.

    Parameters
    ----------
    config : CodecConfig

    Members
    -------
    i : In, stream of `delta_layout`, always ready
    o : Out, stream of `rice_layout`, always ready

    Latency
    -------
    3 clocks. A channel may return after 3 clocks: its mean is written two clocks after it was read.

    Throughput
    ----------
    One sample a clock.

    Model
    -----
    `model.codec.rice`: `fold`, `parameter`, `adapt`, `code_word`
    """

    LATENCY = 3
    DEPTH = 3

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(delta_layout(config), always_ready=True)),
                "o": Out(stream.Signature(rice_layout(config), always_ready=True)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = self.config.width
        mean_number = Number(mean_format(width))
        m.submodules.mean = mean = ChannelRam(self.config.channels, mean_number)

        # Clock 1: fold, while the mean is read.
        valid, residual = Signal(), Signal(delta_layout(self.config))
        folded = Signal(width)
        m.d.comb += mean.read.eq(self.i.payload.channel)
        m.d.sync += [
            valid.eq(self.i.valid),
            residual.eq(self.i.payload),
            folded.eq(fold(self.i.payload.residual)),
        ]

        # Clock 2: choose the parameter, adapt the mean.
        mean_now = Signal(mean_number)
        m.d.comb += mean_now.eq(Mux(residual.marks.restart, initial_mean(width), mean.data))
        coded, k, unary = Signal.like(valid), Signal(range(width)), Signal(width)
        code, value, marks = Signal(width), Signal(width), Signal(MARKS)
        m.d.sync += [
            coded.eq(valid),
            code.eq(residual.code),
            value.eq(folded),
            marks.eq(residual.marks),
            k.eq(parameter(m, mean_now, width)),
            mean.write.eq(residual.channel),
            mean.value.eq(adapt(mean_now, folded)),
            mean.enable.eq(valid & residual.marks.sample),
        ]

        # Clock 3: the code word.
        ones = Signal(width)  # the low k bits
        escape = Signal()
        m.d.comb += [
            unary.eq(value >> k),
            ones.eq(Cat(k > position for position in range(width))),
            escape.eq(unary >= ESCAPE_ZEROS),
        ]
        m.d.sync += [
            self.o.valid.eq(coded),
            self.o.payload.code.eq(code),
            self.o.payload.value.eq(Mux(escape, value, (value & ones) | (Cat(1, ones) & ~ones))),
            self.o.payload.length.eq(Mux(escape, ESCAPE_ZEROS + width, unary[:4] + 1 + k)),
            self.o.payload.marks.eq(marks),
        ]
        return m


def fold(residual: Value) -> Value:
    """0, -1, 1, -2, ... to 0, 1, 2, 3, ..."""
    negative = residual[-1]
    return Cat(negative, residual[:-1] ^ negative.replicate(len(residual) - 1))


def parameter(m: Module, mean: Value, width: int) -> Value:
    """`k` for this mean."""
    scaled = Signal(range(((mean_format(width).maximum * 17) >> (MEAN_FRACTION + 5)) + 1))
    m.d.comb += scaled.eq((mean + (mean >> 4)) >> (MEAN_FRACTION + 1))
    length = bit_length(m, scaled)
    return Mux(length > width - 1, width - 1, length)


def adapt(mean: Value, folded: Value) -> Value:
    """The mean after `folded`."""
    return mean + round_half_up((folded << MEAN_FRACTION) - mean, MEAN_SHIFT)
