"""Front of profile `full`: what the network takes of a sample, and what is known of it before the network speaks.

It is `calibrate -> lms -> scale`, which follow the recording alone, and `observe` of `model.codec.full`.
"""

from collections.abc import Sequence
from typing import Any, Final

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import round_half_up
from hw.calibrate import STEP, Calibrate
from hw.frame import frame_layout
from hw.lms import SHIFTS, Lms
from hw.load import load_layout
from hw.memory import DelayLine, StateRam
from hw.number import Number, connect
from hw.peer import Peer
from hw.positions import OCTAVE_BITS, scale_index
from hw.scale import Scale, followed_layout, logarithm
from model.spec import scale as scale_spec
from model.spec import wavelet as spec
from model.spec.calibrate import CENTRE_FRACTION, EDGE_FRACTION, centre_format, edge_format
from model.spec.config import CodecConfig
from model.spec.numbers import Format

EXPONENT: Final = Format(4)
CONTEXT: Final = Format(8, 0, signed=True)
EXPONENT_OFFSET: Final = spec.FRACTION + scale_spec.LEAST_OCTAVE + 1  # from a scale's octave to bits of a node
CONTEXT_RISE: Final = spec.UNIT_BITS + 1 - OCTAVE_BITS
NODE_RISE: Final = spec.FRACTION - CENTRE_FRACTION
NODE_FALL: Final = EDGE_FRACTION - spec.FRACTION
PASSED: Final = ("mu", "lower", "step", "least", "greatest")


def inputs_layout(config: CodecConfig) -> data.StructLayout:
    """What the network takes of a sample: nodes 0 and 1, the features' exponent, and the inputs behind them, which are
    the scale's mantissa and its fast part.
    """
    node = Number(spec.node_format(config.width))
    contexts = {"mantissa": Number(CONTEXT), "fast": Number(CONTEXT)}
    return data.StructLayout({"signal": node, "residual": node, "exponent": Number(EXPONENT), **contexts})


def total_format(config: CodecConfig) -> Format:
    """Format of the scale's logarithm, the sum of its parts."""
    return Format(scale_spec.slow_format(config.width).width + 2, scale_spec.LOG_FRACTION, signed=True)


def prior_layout(config: CodecConfig) -> data.StructLayout:
    """What `lms` and `scale` expected of a sample, and where its code lies: all that the coder needs to know of it, but
    for the network's outputs.
    """
    edge = Number(edge_format(config.width))
    return data.StructLayout(
        {
            "mu": edge,
            "lower": edge,
            "step": STEP,
            "total": Number(total_format(config)),  # the scale's logarithm
            "octave": unsigned((scale_spec.greatest_index(config.width) >> OCTAVE_BITS).bit_length()),
            "least": 1,  # code 0
            "greatest": 1,  # the last code
            "opening": 1,  # it is coded as it is
        }
    )


def observe_layout(config: CodecConfig) -> data.StructLayout:
    """A sample in its place, with all that is known of it."""
    more = {"inputs": inputs_layout(config), "prior": prior_layout(config)}
    return data.StructLayout({**frame_layout(config).members, **more})


class Observe(wiring.Component):
    """All that is known of a sample before the network has its outputs.

    Parameters
    ----------
    config : CodecConfig
        Of profile `full`, at most 10 bits wide. With links, it is built for whichever peers are loaded.
    shifts : sequence of int
        Rates of the predictor's features, those of the parameter set.

    Members
    -------
    i : In, stream of `hw.frame.frame_layout`, always ready
        A channel may return after `DEPTH` clocks. With links, samples come at least `SPACING` clocks apart.
    full : Out
        A sample that comes to `frame` now would come too soon.
    o : Out, stream of `observe_layout`, always ready
        All that came, in order; of what is no sample, `inputs` and `prior` are of no use.
    busy : Out
        Something that came before this clock has not left.
    load : In, `hw.load.load_layout`
        Edges, steps, start weights and scale, and peers: of each channel the first of its partners that stands before
        it. While a word comes, nothing may be `busy`.

    Latency
    -------
    `LATENCY` clocks.

    Throughput
    ----------
    One sample a clock; with links, one in `SPACING`.

    Model
    -----
    `model.codec.full.observe`, before `filter_all`; `model.codec.calibrated`: `predict`, `follow`
    """

    SPACING = Peer.SPACING
    DEPTH = max(Lms.DEPTH, Scale.DEPTH)
    PREDICTED = Calibrate.LATENCY + Lms.LATENCY  # clocks until the prediction and its error are known
    LATENCY = PREDICTED + Scale.FOLLOWED + 2

    def __init__(self, config: CodecConfig, shifts: Sequence[int] = SHIFTS) -> None:
        self.config = config
        self.shifts = tuple(shifts)
        super().__init__(
            {
                "i": In(stream.Signature(frame_layout(config), always_ready=True)),
                "o": Out(stream.Signature(observe_layout(config), always_ready=True)),
                "full": Out(1),
                "busy": Out(1),
                "load": In(load_layout(config.width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, came = self.config, self.i.payload
        m.submodules.calibrate = calibrate = Calibrate(config)
        m.submodules.lms = lms = Lms(config, self.shifts)
        m.submodules.scale = scale = Scale(config)
        for stage in (calibrate, lms, scale):
            m.d.comb += stage.load.eq(self.load)
        m.d.comb += [
            calibrate.i.valid.eq(self.i.valid & came.marks.sample),
            calibrate.i.payload.code.eq(came.code),
            calibrate.i.payload.frame.eq(came.marks.frame),
            calibrate.i.payload.key.eq(came.marks.open & came.marks.key),
            scale.ahead.eq(lms.ahead),
        ]
        connect(m, calibrate.o, lms.i)
        connect(m, lms.o, scale.i)

        # As soon as the prediction is known: nodes 0 and 1. Neither needs to be saturated: values and predictions lie
        # within half of full scale either way, their differences within full scale, and a node has twice that.
        found, missed = lms.o.payload, lms.missed
        m.submodules.origins = origins = StateRam(config.channels, Number(centre_format(config.width)))
        origin = Mux(found.pace.opening, missed.value, origins.data)
        m.d.comb += [
            origins.read.eq(lms.ahead.valid),
            origins.read_frame.eq(lms.ahead.frame),
            origins.write.eq(lms.o.valid),
            origins.write_frame.eq(found.frame),
            origins.value.eq(origin),
        ]
        node = Number(spec.node_format(config.width))
        kept = {name: prior_layout(config).members[name] for name in (*PASSED, "opening")}
        early = data.StructLayout({**kept, "signal": node, "residual": node})
        m.submodules.early = line = DelayLine(early, Scale.FOLLOWED + 1)
        m.d.comb += [getattr(line.i, name).eq(getattr(found, name)) for name in PASSED]
        m.d.comb += [
            line.i.opening.eq(found.pace.opening),
            line.i.signal.eq((missed.value - origin) << NODE_RISE),
            line.i.residual.eq(Mux(found.pace.opening, 0, round_half_up(missed.error, NODE_FALL))),
        ]

        # As soon as the scale has followed: exponent and contexts.
        place = data.StructLayout({"valid": 1, "sample": frame_layout(config)})
        m.submodules.places = places = DelayLine(place, self.LATENCY - 1)
        m.d.comb += [places.i.valid.eq(self.i.valid), places.i.sample.eq(came)]
        followed = Signal(followed_layout(config))
        m.d.sync += followed.eq(scale.followed)
        before = logarithm(followed.before)
        index = Signal(range(scale_spec.greatest_index(config.width) + 1))
        m.d.comb += index.eq(scale_index(logarithm(followed.after), config))
        out = self.o.payload
        m.d.sync += self.o.valid.eq(places.o.valid)
        m.d.sync += [getattr(out, name).eq(getattr(places.o.sample, name)) for name in frame_layout(config).members]
        m.d.sync += [getattr(out.prior, name).eq(getattr(line.o, name)) for name in kept]
        m.d.sync += [
            out.prior.total.eq(before),
            out.prior.octave.eq(scale_index(before, config)[OCTAVE_BITS:]),
            out.inputs.signal.eq(line.o.signal),
            out.inputs.residual.eq(line.o.residual),
            out.inputs.exponent.eq(index[OCTAVE_BITS:] + EXPONENT_OFFSET),
            out.inputs.mantissa.eq((index[:OCTAVE_BITS] - (scale_spec.OCTAVE >> 1)) << CONTEXT_RISE),
            out.inputs.fast.eq(followed.after.fast),
        ]

        # A sample is here a clock after `frame` judged it, when the next one may be judged.
        m.d.comb += self.full.eq(calibrate.i.valid if config.links else 0)
        left = Signal(range(self.LATENCY + 1))
        m.d.comb += self.busy.eq(left != 0)
        with m.If(self.i.valid):
            m.d.sync += left.eq(self.LATENCY)
        with m.Elif(self.busy):
            m.d.sync += left.eq(left - 1)
        return m
