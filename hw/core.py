"""The core as others see it: AXI4-Stream names at its edge, so that it drops into any design."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.compressor import Compressor
from hw.frame import COUNTER_BITS, COUNTERS
from model.spec.config import CodecConfig


class Core(wiring.Component):
    """`Compressor` with flat ports.

    Parameters
    ----------
    config : CodecConfig
    banks : int
    frame_clocks : int
        As in `Compressor`.

    Members
    -------
    enable : In
    s_axis_tdata : In, 16
        A sample's code, in the low `config.width` bits.
    s_axis_tuser : In
        Mark: the first sample of a frame.
    s_axis_tvalid : In
    s_axis_tready : Out
        Constantly high: the source of samples cannot be stalled.
    m_axis_tdata : Out, 8
    m_axis_tlast : Out
        The last byte of a packet.
    m_axis_tvalid : Out
    m_axis_tready : In
    dropped_packets, short_frames, long_frames, missing_frames, overruns : Out, u16, saturating
    """

    DEPTH = Compressor.DEPTH
    CLOCKS_PER_SAMPLE = 1  # a sample is accepted in every clock, for ever

    def __init__(self, config: CodecConfig, *, banks: int = 2, frame_clocks: int = 0) -> None:
        self.config = config
        self.compressor = Compressor(config, banks, frame_clocks)
        super().__init__(
            {
                "enable": In(1),
                "s_axis_tdata": In(16),
                "s_axis_tuser": In(1),
                "s_axis_tvalid": In(1),
                "s_axis_tready": Out(1),
                "m_axis_tdata": Out(8),
                "m_axis_tlast": Out(1),
                "m_axis_tvalid": Out(1),
                "m_axis_tready": In(1),
                **{name: Out(COUNTER_BITS) for name in COUNTERS},
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from the acceptance of a packet's last sample to its first byte, if nothing is being sent."""
        return self.compressor.LATENCY

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.compressor = core = self.compressor
        m.d.comb += [
            core.enable.eq(self.enable),
            core.i.payload.code.eq(self.s_axis_tdata[: self.config.width]),
            core.i.payload.mark.eq(self.s_axis_tuser),
            core.i.valid.eq(self.s_axis_tvalid),
            self.s_axis_tready.eq(1),
            self.m_axis_tdata.eq(core.o.payload.data),
            self.m_axis_tlast.eq(core.o.payload.last),
            self.m_axis_tvalid.eq(core.o.valid),
            core.o.ready.eq(self.m_axis_tready),
        ]
        m.d.comb += [getattr(self, name).eq(getattr(core, name)) for name in COUNTERS]
        return m
