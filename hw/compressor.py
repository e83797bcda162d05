"""The compressor: `frame -> delta -> rice -> packet`, the chain that `model/codec/tiny.py` computes."""

from typing import Any, ClassVar

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.delta import Delta
from hw.emit import BYTE_LAYOUT
from hw.frame import COUNTER_BITS, COUNTERS, Frame, input_layout
from hw.number import connect
from hw.packet import Packet
from hw.rice import Rice
from model.spec.config import CodecConfig, ConfigError


class Compressor(wiring.Component):
    """Samples in, packets out.

    Parameters
    ----------
    config : CodecConfig
        Of profile `tiny`, with at most 1024 channels.
    banks : int
        Packets that can be stored at a time, a power of two, at least 2.
    frame_clocks : int
        Clocks of a frame time, for the detection of missing frames; 0 turns it off.

    Raises
    ------
    ConfigError
        If there is no such core.

    Members
    -------
    i : In, stream of `hw.frame.input_layout`, always ready
    o : Out, stream of `hw.emit.BYTE_LAYOUT`
    enable : In
    dropped_packets, short_frames, long_frames, missing_frames, overruns : Out, u16, saturating

    Latency
    -------
    `LATENCY` clocks from a packet's last sample to its first byte, if nothing is being sent.

    Throughput
    ----------
    One sample a clock; a channel may return after `DEPTH` clocks.

    Model
    -----
    `model.codec.compressor.Compressor`
    """

    STAGES: ClassVar = {"frame": Frame, "delta": Delta, "rice": Rice, "packet": Packet}
    LATENCY = Frame.LATENCY + Delta.LATENCY + Rice.LATENCY + Packet.LATENCY
    DEPTH = max(Delta.DEPTH, Rice.DEPTH)

    def __init__(self, config: CodecConfig, banks: int = 2, frame_clocks: int = 0) -> None:
        if config.profile != "tiny" or config.channels > 1024:
            raise ConfigError(
                f"channels: {config.channels} of profile '{config.profile}' are not built; give up to 1024 of 'tiny'"
            )
        if frame_clocks and frame_clocks < max(config.channels, self.DEPTH):
            raise ConfigError(
                f"frame_clocks: {frame_clocks} are too few for a frame; give 0, or at least "
                f"{max(config.channels, self.DEPTH)}"
            )
        self.config = config
        self.spacing = -(-self.DEPTH // config.channels)
        self.banks = banks
        self.frame_clocks = frame_clocks
        super().__init__(
            {
                "i": In(stream.Signature(input_layout(config), always_ready=True)),
                "o": Out(stream.Signature(BYTE_LAYOUT)),
                "enable": In(1),
                **{name: Out(COUNTER_BITS) for name in COUNTERS},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.frame = frame = self.STAGES["frame"](self.config, self.DEPTH, self.frame_clocks)
        m.submodules.delta = delta = self.STAGES["delta"](self.config)
        m.submodules.rice = rice = self.STAGES["rice"](self.config)
        m.submodules.packet = packet = self.STAGES["packet"](self.config, self.banks)

        connect(m, wiring.flipped(self.i), frame.i)
        connect(m, frame.o, delta.i)
        connect(m, delta.o, rice.i)
        connect(m, rice.o, packet.i)
        connect(m, packet.o, wiring.flipped(self.o))

        m.d.comb += [frame.enable.eq(self.enable), frame.room.eq(packet.room), packet.take.eq(frame.take)]
        m.d.comb += [getattr(self, name).eq(getattr(frame, name)) for name in COUNTERS]
        return m
