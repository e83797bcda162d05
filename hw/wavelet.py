"""Front of stage `wavelet`: a channel's signal, and the running mean of differences that it is measured in.

The law is `model.codec.wavelet`, as `model.codec.spikey.follow` uses it. Filters and features are the network array's.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import bit_length, delayed
from hw.frame import frame_layout
from hw.load import Table, load_layout
from hw.marks import MARKS
from hw.memory import ChannelRam
from hw.number import Number
from model.spec.config import CodecConfig
from model.spec.numbers import Format
from model.spec.wavelet import (
    FRACTION,
    LEVEL_FRACTION,
    LEVEL_SHIFT,
    MANTISSA_BITS,
    MANTISSA_CENTRE,
    level_format,
    node_format,
)

MANTISSA = Format(MANTISSA_BITS + 1, signed=True)  # 0 to 127, less the centre


def exponent_format(width: int) -> Format:
    """Format of the bits of the mean difference, in units of a node."""
    return Format((level_format(width).width - LEVEL_FRACTION).bit_length())


def wavelet_layout(config: CodecConfig) -> data.StructLayout:
    """A sample with its channel's state before and after it."""
    width = config.width
    return data.StructLayout(
        {
            "code": Number(Format(width)),
            "channel": range(config.channels),
            "marks": MARKS,
            "origin": Number(Format(width)),
            "last": Number(Format(width + 1, signed=True)),  # the signal before, in codes; 0 at a restart
            "before": Number(exponent_format(width)),  # the exponent before; of no meaning at a restart
            "signal": Number(node_format(width)),
            "exponent": Number(exponent_format(width)),
            "mantissa": Number(MANTISSA),
        }
    )


class Wavelet(wiring.Component):
    """Signal, exponent and mantissa of a sample; origin, last code, level and exponent are kept in RAM.

    Parameters
    ----------
    config : CodecConfig

    Members
    -------
    i : In, stream of `frame_layout`, always ready
    o : Out, stream of `wavelet_layout`, always ready
    load : In, `hw.load.load_layout`
        The level at a key packet; while it comes, no sample may.

    Latency
    -------
    `LATENCY` clocks; what comes out is not registered. A channel may return after `DEPTH` clocks: its state is written
    in the last of them.

    Throughput
    ----------
    One sample a clock.

    Model
    -----
    `model.codec.wavelet`: `follow_level`, `exponent`, `mantissa`
    """

    LATENCY = 2
    DEPTH = 3

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(config), always_ready=True)),
                "o": Out(stream.Signature(wavelet_layout(config), always_ready=True)),
                "load": In(load_layout(config.width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, width = self.config, self.config.width
        level_number, exponent_number = Number(level_format(width)), Number(exponent_format(width))
        code_number = Number(Format(width))
        state = data.StructLayout(
            {"origin": code_number, "code": code_number, "level": level_number, "exponent": exponent_number}
        )
        m.submodules.state = ram = ChannelRam(config.channels, state)
        opening = Signal(level_number)
        with m.If(self.load.write & (self.load.table == Table.LEVEL)):
            m.d.sync += opening.eq(self.load.value)

        # Clock 1: the state is read.
        valid, sample, restart = delayed(m, self.i.valid), delayed(m, self.i.payload), Signal()
        m.d.comb += [ram.read.eq(self.i.payload.channel), restart.eq(sample.marks.restart)]

        # Clock 2: the level falls, and follows the difference to the last code; neither at a restart. Differences are
        # whole steps of the level, so only the fall is rounded.
        level, fallen, difference = Signal(level_number), Signal(level_number), Signal(width + 1)
        steps = FRACTION + LEVEL_FRACTION - LEVEL_SHIFT
        m.d.comb += [
            difference.eq(sample.code - ram.data.code),
            fallen.eq(fall(ram.data.level)),
        ]
        negative = difference[-1]
        magnitude = difference[:-1] ^ negative.replicate(width)  # and one more if negative
        followed = (Cat(1, fallen[steps:]) + Cat(negative, magnitude))[1:]
        m.d.sync += level.eq(Mux(restart, opening, Cat(fallen[:steps], followed)))
        now, valid_2, before = delayed(m, sample), delayed(m, valid), delayed(m, ram.data.exponent)
        origin = delayed(m, Mux(restart, sample.code, ram.data.origin))
        last = delayed(m, Mux(restart, sample.code, ram.data.code))

        # The state is written, and what is left is derived from it.
        exponent = Signal(exponent_number)
        m.d.comb += exponent.eq(bit_length(m, level[LEVEL_FRACTION:]))
        m.d.comb += [
            ram.write.eq(now.channel),
            ram.value.origin.eq(origin),
            ram.value.code.eq(now.code),
            ram.value.level.eq(level),
            ram.value.exponent.eq(exponent),
            ram.enable.eq(valid_2 & now.marks.sample),
        ]
        out = self.o.payload
        m.d.comb += [getattr(out, name).eq(getattr(now, name)) for name in ("code", "channel", "marks")]
        m.d.comb += [
            self.o.valid.eq(valid_2),
            out.origin.eq(origin),
            out.last.eq(last - origin),
            out.before.eq(before),
            out.signal.eq((now.code - origin) << FRACTION),
            out.exponent.eq(exponent),
            out.mantissa.eq(mantissa(level, exponent)),
        ]
        return m


def fall(level: Value) -> Value:
    """The level of a channel that stands still: `level + round_half_up(-level, LEVEL_SHIFT)`, with one adder."""
    stays = ~(level[LEVEL_SHIFT - 1] & level[: LEVEL_SHIFT - 1].any())
    return (Cat(1, level) + Cat(stays, ~level[LEVEL_SHIFT:], Const(-1, LEVEL_SHIFT)))[1 : 1 + len(level)]


def mantissa(level: Value, exponent: Value) -> Value:
    """Where the level stands between two powers of two, less the centre."""
    leading = Cat(Const(0, MANTISSA_BITS), level[LEVEL_FRACTION:]) >> exponent
    return leading[:MANTISSA_BITS] - MANTISSA_CENTRE
