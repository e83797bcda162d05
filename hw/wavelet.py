"""Front of stage `wavelet`: a channel's signal, and the running mean of differences that it is measured in.

The law is `model.codec.wavelet`, as `model.codec.spikey.follow` uses it. Filters and features are the network array's.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import bit_length, delayed, round_half_up
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
            "last": Number(node_format(width)),  # the signal before; 0 at a restart
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
    `LATENCY` clocks. A channel may return after `DEPTH` clocks: its state is written in the last of them.

    Throughput
    ----------
    One sample a clock.

    Model
    -----
    `model.codec.wavelet`: `follow_level`, `exponent`, `mantissa`
    """

    LATENCY = 6
    DEPTH = 6

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
        token = data.StructLayout({**frame_layout(config).members, "origin": code_number, "last": code_number})
        valid, sample = delayed(m, self.i.valid), delayed(m, self.i.payload)
        m.d.comb += ram.read.eq(self.i.payload.channel)

        # Clock 2: the difference to the last code, and how far the level falls without one; neither at a restart.
        now, restart = Signal(token), sample.marks.restart
        m.d.comb += [getattr(now, name).eq(getattr(sample, name)) for name in frame_layout(config).members]
        m.d.comb += [
            now.origin.eq(Mux(restart, sample.code, ram.data.origin)),
            now.last.eq(Mux(restart, sample.code, ram.data.code)),
        ]
        difference, level, fall = Signal(range(-(1 << width) + 1, 1 << width)), Signal(level_number), Signal()
        m.d.sync += [
            difference.eq(now.code - now.last),
            level.eq(Mux(restart, opening, ram.data.level)),
            fall.eq(~restart),
        ]
        valid_2, now_2, before_2 = delayed(m, valid), delayed(m, now), delayed(m, ram.data.exponent)

        # Clock 3: its magnitude. Differences are whole steps of the level, so only the fall is rounded.
        magnitude, fallen = Signal(width), Signal(level_number)
        m.d.sync += [
            magnitude.eq(Mux(difference < 0, -difference, difference)),
            fallen.eq(level + Mux(fall, round_half_up(-level, LEVEL_SHIFT), 0)),
        ]
        valid_3, now_3, before_3 = delayed(m, valid_2), delayed(m, now_2), delayed(m, before_2)

        # Clock 4: the level follows.
        level_4 = Signal(level_number)
        m.d.sync += level_4.eq(fallen + (magnitude << (FRACTION + LEVEL_FRACTION - LEVEL_SHIFT)))
        valid_4, now_4, before_4 = delayed(m, valid_3), delayed(m, now_3), delayed(m, before_3)

        # Clock 5: its exponent.
        exponent = Signal(exponent_number)
        m.d.sync += exponent.eq(bit_length(m, level_4[LEVEL_FRACTION:]))
        level_5, valid_5, now_5, before_5 = (delayed(m, x) for x in (level_4, valid_4, now_4, before_4))

        # Clock 6: the state is written, and what is left is derived from it.
        m.d.comb += [
            ram.write.eq(now_5.channel),
            ram.value.origin.eq(now_5.origin),
            ram.value.code.eq(now_5.code),
            ram.value.level.eq(level_5),
            ram.value.exponent.eq(exponent),
            ram.enable.eq(valid_5 & now_5.marks.sample),
        ]
        out = self.o.payload
        m.d.sync += [getattr(out, name).eq(getattr(now_5, name)) for name in ("code", "channel", "marks", "origin")]
        m.d.sync += [
            self.o.valid.eq(valid_5),
            out.last.eq((now_5.last - now_5.origin) << FRACTION),
            out.before.eq(before_5),
            out.signal.eq((now_5.code - now_5.origin) << FRACTION),
            out.exponent.eq(exponent),
            out.mantissa.eq(mantissa(level_5, exponent)),
        ]
        return m


def mantissa(level: Value, exponent: Value) -> Value:
    """Where the level stands between two powers of two, less the centre."""
    leading = Cat(Const(0, MANTISSA_BITS), level[LEVEL_FRACTION:]) >> exponent
    return leading[:MANTISSA_BITS] - MANTISSA_CENTRE
