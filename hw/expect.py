"""What stands behind the network: the code that its output says is next, and the residual.

The law is `predict` and `fold` of `model.codec.spikey`.
"""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed, saturate, wrap_signed
from hw.delta import delta_layout
from hw.marks import MARKS
from hw.number import Number
from hw.wavelet import exponent_format
from model.spec.config import CodecConfig
from model.spec.network import OUTPUT
from model.spec.numbers import Format
from model.spec.wavelet import FRACTION, node_format

CARRIED = ("code", "channel", "marks")


def expect_layout(config: CodecConfig) -> data.StructLayout:
    """A sample, its channel's state before it, and the network's output for it.

    With `marks.restart`, `origin`, `last`, `exponent` and `output` are of no meaning.
    """
    width = config.width
    return data.StructLayout(
        {
            "code": Number(Format(width)),
            "origin": Number(Format(width)),
            "last": Number(Format(width + 1, signed=True)),  # in codes
            "exponent": Number(exponent_format(width)),
            "output": Number(OUTPUT),
            "channel": range(config.channels),
            "marks": MARKS,
        }
    )


class Expect(wiring.Component):
    """Residual against the expected code; it keeps nothing of a channel.

    Parameters
    ----------
    config : CodecConfig

    Members
    -------
    i : In, stream of `expect_layout`, always ready
    o : Out, stream of `delta_layout`, always ready
        `residual` is positive for codes on the side on which they are nearer.

    Latency
    -------
    `LATENCY` clocks; what comes out is not registered.

    Throughput
    ----------
    One sample a clock.

    Model
    -----
    `model.codec.spikey`: `predict` behind the network, and `fold` but for folding
    """

    LATENCY = 2

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(expect_layout(config), always_ready=True)),
                "o": Out(stream.Signature(delta_layout(config), always_ready=True)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width, limit = self.config.width, node_format(self.config.width).maximum
        token = data.StructLayout({name: expect_layout(self.config)[name].shape for name in CARRIED})
        tokens, valids = [Signal(token, name="token_0")], [self.i.valid]
        m.d.comb += [getattr(tokens[0], name).eq(getattr(self.i.payload, name)) for name in CARRIED]
        for _ in range(self.LATENCY):
            tokens.append(delayed(m, tokens[-1]))
            valids.append(delayed(m, valids[-1]))

        # Clock 1: the output in units of a node.
        scaled = delayed(m, self.i.payload.output << self.i.payload.exponent)
        last, origin = delayed(m, self.i.payload.last), delayed(m, self.i.payload.origin)

        # Clock 2: from where the signal was, and from the origin; then the nearest code. Codes above it are nearer than
        # those below unless it was rounded up. Both roundings are carries into the sums.
        moved = plus(last << FRACTION, scaled[OUTPUT.fraction :].as_signed(), scaled[OUTPUT.fraction - 1])
        node, restart = saturate(moved, -limit - 1, limit), tokens[1].marks.restart
        rounded = plus(origin, node[FRACTION:].as_signed(), node[FRACTION - 1])
        under, over = rounded[-1], ~rounded[-1] & rounded[width:].any()
        expected, upwards = Signal(width), Signal()
        m.d.sync += [
            expected.eq(Mux(restart, 1 << (width - 1), saturate(rounded, 0, (1 << width) - 1))),
            upwards.eq(~restart & (over | (~under & ~node[FRACTION - 1]))),
        ]

        # Then the residual, which is not registered.
        code = tokens[2].code
        difference = Mux(upwards, expected, code) - Mux(upwards, code, expected)
        m.d.comb += [getattr(self.o.payload, name).eq(getattr(tokens[2], name)) for name in CARRIED]
        m.d.comb += [self.o.valid.eq(valids[2]), self.o.payload.residual.eq(wrap_signed(difference, width))]
        return m


def plus(a: Value, b: Value, carry: Value) -> Value:
    """`a + b + carry`, with one adder."""
    return (Cat(1, a).as_signed() if a.shape().signed else Cat(1, a)) + Cat(carry, b).as_signed() >> 1
