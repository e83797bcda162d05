"""Stage `delta`: a sample is predicted by the channel's last one; the law is `model.codec.delta`."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import wrap_signed
from hw.frame import frame_layout
from hw.marks import MARKS
from hw.memory import ChannelRam
from hw.number import Number
from model.spec.config import CodecConfig
from model.spec.numbers import Format


def delta_layout(config: CodecConfig) -> data.StructLayout:
    """A sample with its residual."""
    return data.StructLayout(
        {
            "code": Number(Format(config.width)),
            "residual": Number(Format(config.width, signed=True)),
            "channel": range(config.channels),
            "marks": MARKS,
        }
    )


class Delta(wiring.Component):
    """Residual against the channel's last code, which is kept in RAM: `width` bits a channel.

    Parameters
    ----------
    config : CodecConfig

    Members
    -------
    i : In, stream of `frame_layout`, always ready
    o : Out, stream of `delta_layout`, always ready

    Latency
    -------
    2 clocks. A channel may return after 2 clocks: its code is written in the clock after its last was read.

    Throughput
    ----------
    One sample a clock.

    Model
    -----
    `model.codec.delta.residual`
    """

    LATENCY = 2
    DEPTH = 2

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(config), always_ready=True)),
                "o": Out(stream.Signature(delta_layout(config), always_ready=True)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = self.config.width
        m.submodules.last = last = ChannelRam(self.config.channels, Number(Format(width)))

        valid, sample = Signal(), Signal(frame_layout(self.config))
        m.d.comb += last.read.eq(self.i.payload.channel)
        m.d.sync += [valid.eq(self.i.valid), sample.eq(self.i.payload)]

        prediction = Signal(width)
        m.d.comb += [
            prediction.eq(Mux(sample.marks.restart, 1 << (width - 1), last.data)),
            last.write.eq(sample.channel),
            last.value.eq(sample.code),
            last.enable.eq(valid & sample.marks.sample),
        ]
        m.d.sync += [
            self.o.valid.eq(valid),
            self.o.payload.code.eq(sample.code),
            self.o.payload.residual.eq(wrap_signed(sample.code - prediction, width)),
            self.o.payload.channel.eq(sample.channel),
            self.o.payload.marks.eq(sample.marks),
        ]
        return m
