"""Stage `correct`: what the network makes of prediction and scale; the law is `correct` of `model.codec.full`."""

from typing import Any, Final

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed, round_half_up, saturate
from hw.number import Number
from hw.observe import EXPONENT_OFFSET, NODE_FALL, prior_layout
from hw.positions import Positions, scale_index
from hw.scale import PASSED, scale_layout
from hw.turns import sample_layout
from model.spec.calibrate import edge_format
from model.spec.config import CodecConfig
from model.spec.network import OUTPUT
from model.spec.scale import greatest_index

MEAN_FALL: Final = OUTPUT.fraction - NODE_FALL - EXPONENT_OFFSET  # of the mean at octave 0


def outlook_layout(config: CodecConfig) -> data.StructLayout:
    """What is known of a sample before its code: without the network, and the network's outputs in their order."""
    outputs = data.StructLayout(dict.fromkeys(("mean", "scale", "curve"), Number(OUTPUT)))
    return data.StructLayout({"prior": prior_layout(config), "outputs": outputs})


class Correct(wiring.Component):
    """Prediction and scale corrected, positions of the code's edges, and its distribution.

    Parameters
    ----------
    config : CodecConfig
        Of at most 10 bits.
    shapes : int
        Distributions.

    Members
    -------
    advance : In
        A token comes: what this block remembers moves on.
    i : In, stream of `hw.turns.sample_layout`, always ready
    outlook : In, `outlook_layout`
        Of the sample at `i`.
    o : Out, stream of `hw.scale.scale_layout`, always ready

    Latency
    -------
    `LATENCY` clocks.

    Throughput
    ----------
    One sample a clock. Two multipliers.

    Model
    -----
    `model.codec.full.correct`; `model.codec.lanes.positions`
    """

    LATENCY = 2 + Positions.LATENCY

    def __init__(self, config: CodecConfig, shapes: int = 1) -> None:
        self.config = config
        self.shapes = shapes
        super().__init__(
            {
                "advance": In(1, init=1),
                "i": In(stream.Signature(sample_layout(config), always_ready=True)),
                "outlook": In(outlook_layout(config)),
                "o": Out(stream.Signature(scale_layout(config, shapes), always_ready=True)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, number = self.config, edge_format(self.config.width)
        prior, outputs = self.outlook.prior, self.outlook.outputs

        # Clock 1: the mean in the fractions of edges; the scale's logarithm.
        rise = delayed(m, round_half_up(outputs.mean << prior.octave, MEAN_FALL))
        total, prior_1 = delayed(m, prior.total + outputs.scale), delayed(m, prior)

        # Clock 2: both, as they can be.
        m.submodules.positions = positions = Positions(config)
        mu, index = Signal(Number(number)), Signal(range(greatest_index(config.width) + 1))
        m.d.sync += [
            mu.eq(saturate(prior_1.mu + rise, -number.maximum, number.maximum)),
            index.eq(scale_index(total, config)),
        ]
        prior_2 = delayed(m, prior_1)
        m.d.comb += [
            positions.advance.eq(self.advance),
            positions.i.lower.eq(prior_2.lower),
            positions.i.step.eq(prior_2.step),
            positions.i.mu.eq(mu),
            positions.i.index.eq(index),
        ]

        # Clocks 3 to 5: positions. What else there is goes with them.
        layout = data.StructLayout({"valid": 1, **dict.fromkeys((*PASSED, "opening"), 1)})
        if self.shapes > 1:
            layout = data.StructLayout({**layout.members, "curve": range(self.shapes)})
        flags = Signal(layout)
        m.d.comb += [flags.valid.eq(self.i.valid), flags.first.eq(self.i.payload.first)]
        m.d.comb += [getattr(flags, name).eq(getattr(prior, name)) for name in ("least", "greatest", "opening")]
        if self.shapes > 1:
            m.d.comb += flags.curve.eq(saturate(round_half_up(outputs.curve, OUTPUT.fraction), 0, self.shapes - 1))
        for _ in range(self.LATENCY):
            flags = delayed(m, flags)
        out = self.o.payload
        m.d.comb += [self.o.valid.eq(flags.valid), out.lower.eq(positions.o.lower), out.upper.eq(positions.o.upper)]
        m.d.comb += [getattr(out, name).eq(getattr(flags, name)) for name in layout.members if name != "valid"]
        return m
