"""The compressor of profile `full`: `frame -> calibrate -> lms -> scale -> wavelet -> network -> range -> packet`.

It is the chain that `model/codec/full.py` computes. Stages up to `scale` follow the recording alone and stand before
the array for networks, in `hw.observe`; what the network makes of their prediction stands behind it, in `hw.correct`.
"""

from typing import Any

from amaranth.hdl import EnableInserter, Module, Signal
from amaranth.lib import data

from hw.correct import Correct, outlook_layout
from hw.frame import Frame
from hw.hold import Hold, latency
from hw.lms import SHIFTS
from hw.load import Table, pass_on
from hw.memory import DelayLine
from hw.neural import full_sizes, geometry_words
from hw.neural_chain import NeuralChain
from hw.number import connect
from hw.observe import Observe, observe_layout
from hw.packet_lanes import PacketLanes, check_lanes
from hw.range import Range
from hw.turns import END_ROUNDS, SLOTS, Turns, token_layout
from model.spec.config import CodecConfig
from model.spec.full import SHAPES

HELD = ("code", "channel", "marks", "prior")
FLUSH = 24  # tokens from `turns` to the last use of one, and some more


class Full(NeuralChain):
    """Samples in, packets out; parameters, members and the rest as those of `hw.neural_chain.NeuralChain`.

    Its channels are a multiple of its lanes.
    """

    PROFILE = "full"

    def __init__(self, config: CodecConfig, *others: Any, **more: Any) -> None:
        check_lanes(config)
        super().__init__(config, *others, **more)

    @property
    def _frame_slots(self) -> int:
        return Turns.frame_slots(self.config, 1)

    @property
    def frame_least(self) -> int:
        samples = self.config.channels * (Observe.SPACING if self.config.links else 1)
        coded = self._frame_slots + END_ROUNDS * SLOTS
        return max(self.clocks + Hold.BETWEEN, coded, samples, Observe.DEPTH)

    @property
    def latency(self) -> int:
        before = Frame.LATENCY + Observe.LATENCY + Hold.BEFORE + self.clocks + latency(self.geometry)
        coded = SLOTS + self._frame_slots + Turns.LATENCY + Correct.LATENCY + Range.LATENCY
        return before + coded + END_ROUNDS * SLOTS + PacketLanes.LATENCY

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        observe, layout = Observe(config, SHIFTS), observe_layout(config)
        token = data.StructLayout({name: layout[name].shape for name in HELD})
        frame, hold, network = self._begin(m, observe, token)
        outlook = outlook_layout(config)
        m.submodules.turns = turns = Turns(config, 1, FLUSH, extra=outlook, waited=latency(self.geometry))
        m.submodules.packet = packet = PacketLanes(config, self.banks)

        # What is behind `turns` moves on with a token.
        advance = Signal()
        correct, range_ = Correct(config, SHAPES), Range(config, SHAPES)
        beside = DelayLine(token_layout(config), correct.LATENCY + range_.LATENCY)
        for name, stage in (("correct", correct), ("range", range_), ("beside", beside)):
            m.submodules[name] = EnableInserter(advance)(stage)
        connect(m, turns.o, correct.i)
        connect(m, correct.o, range_.i)

        came, told = observe.o.payload.inputs, network.put.sample
        left, held = turns.i.payload, hold.o.payload
        named = ("code", "channel", "marks")
        m.d.comb += [
            frame.full.eq(hold.full | observe.full),
            told.signal.eq(came.signal),
            told.residual.eq(came.residual),
            told.exponent.eq(came.exponent),
            told.contexts[0].eq(came.mantissa),
            told.contexts[1].eq(came.fast),
            hold.pause.eq(turns.full),
            turns.i.valid.eq(hold.o.valid),
            packet.codes.valid.eq(hold.o.valid),
            *(getattr(to, name).eq(getattr(held.token, name)) for to in (left, packet.codes.payload) for name in named),
            left.extra.prior.eq(held.token.prior),
            left.extra.outputs.as_value().eq(held.outputs.as_value()),
            correct.outlook.eq(turns.extra),
            beside.i.eq(turns.token),
            packet.token.eq(beside.o),
            packet.part.eq(range_.o),
        ]

        tables = full_sizes(config, self.geometry, len(SHIFTS))
        fixed = {Table.GEOMETRY: geometry_words(config, self.geometry), Table.SHIFTS: SHIFTS}
        idle = packet.unused & ~observe.busy & ~turns.busy
        loader = self._end(m, frame, hold, network, packet, tables, fixed, idle)
        m.d.comb += [advance.eq(turns.advance | loader.load.write), packet.advance.eq(advance)]
        m.d.comb += [stage.advance.eq(advance) for stage in (correct, range_)]
        for part in (observe, network, range_, packet):
            m.d.comb += pass_on(loader.load, part.load)
        return m
