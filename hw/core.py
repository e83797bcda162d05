"""The core as others see it: AXI4-Stream names at its edge, so that it drops into any design."""

from typing import Any, Final

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.calibrated import Calibrated
from hw.compressor import Compressor
from hw.frame import COUNTER_BITS, COUNTERS
from hw.full import Full
from hw.neural_chain import NeuralChain
from hw.spikey import Spikey
from hw.turns import END_ROUNDS, SLOTS
from model.spec.config import CodecConfig, find_profile

Chain = Compressor | Calibrated | NeuralChain
CHAINS: Final[dict[str, type[Chain]]] = {"tiny": Compressor, "calibrated": Calibrated, "spikey": Spikey, "full": Full}


def chain_of(profile: str) -> type[Chain]:
    """The chain of a profile; raises `ConfigError` if there is none of that name."""
    return CHAINS[find_profile(profile).name]


class Core(wiring.Component):
    """A profile's chain with flat ports.

    Parameters
    ----------
    config : CodecConfig
    banks : int
    frame_clocks : int
        As in `Compressor`.
    more
        For the chain of the profile, such as the `geometry` of `hw.neural_chain.NeuralChain`.

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
    p_axis_tdata : In, 16
    p_axis_tuser : In
        The first word of an image of a parameter set, `model.spec.calibrated.image` or `hw.neural.image`.
    p_axis_tvalid : In
    p_axis_tready : Out
    loaded : Out
        These five in profiles with a parameter set only: see `hw.calibrated.Calibrated`, `hw.neural_chain.NeuralChain`.
    """

    def __init__(self, config: CodecConfig, *, banks: int = 2, frame_clocks: int = 0, **more: Any) -> None:
        self.config = config
        self.compressor: Chain = chain_of(config.profile)(config, banks, frame_clocks, **more)
        self.parameterised = find_profile(config.profile).parameterised
        parameters: dict[str, Any] = {
            "p_axis_tdata": In(16),
            "p_axis_tuser": In(1),
            "p_axis_tvalid": In(1),
            "p_axis_tready": Out(1),
            "loaded": Out(1),
        }
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
                **(parameters if self.parameterised else {}),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from the acceptance of a packet's last sample to its first byte, if nothing is being sent."""
        return self.compressor.latency if isinstance(self.compressor, NeuralChain) else self.compressor.LATENCY

    @property
    def depth(self) -> int:
        """Clocks after which a channel may return; behind a queue, the next one."""
        return 1 if self.parameterised else self.compressor.DEPTH

    @property
    def spacing(self) -> int:
        """Fewest clocks from one sample to the next."""
        return self.compressor.spacing

    @property
    def frame_least(self) -> int:
        """Clocks of a frame, at least."""
        chain = self.compressor
        return chain.frame_least if isinstance(chain, NeuralChain) else chain.spacing * self.config.channels

    @property
    def packet_clocks(self) -> int:
        """Clocks that a packet's end takes from the samples."""
        return END_ROUNDS * SLOTS if isinstance(self.compressor, Calibrated) else 0

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
        if not isinstance(core, Compressor):
            m.d.comb += [
                core.parameters.payload.value.eq(self.p_axis_tdata),
                core.parameters.payload.first.eq(self.p_axis_tuser),
                core.parameters.valid.eq(self.p_axis_tvalid),
                self.p_axis_tready.eq(core.parameters.ready),
                self.loaded.eq(core.loaded),
            ]
        return m
