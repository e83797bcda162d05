"""The compressor of profile `calibrated`: `frame -> calibrate -> lms -> scale -> range -> packet`.

It is the chain that `model/codec/calibrated.py` computes.
"""

from collections.abc import Sequence
from typing import Any, Final

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.calibrate import Calibrate
from hw.emit import BYTE_LAYOUT
from hw.frame import COUNTER_BITS, COUNTERS, Frame, input_layout
from hw.lms import SHIFTS, Lms
from hw.loader import WORD_LAYOUT, Loader
from hw.number import connect
from hw.packet_lanes import PacketLanes
from hw.range import Range
from hw.scale import Scale
from hw.turns import CADENCE
from model.spec.config import CodecConfig, ConfigError

MOST_CHANNELS: Final = 1024
MOST_RAW_BYTES: Final = (1 << 16) - 1


class Calibrated(wiring.Component):
    """Samples in, packets out.

    Parameters
    ----------
    config : CodecConfig
        Of profile `calibrated`, up to 10 bits wide, without peers; at most 1024 channels, a multiple of the lanes; a
        packet has less than 65536 bytes in raw form.
    banks : int
        Packets that can be stored at a time, a power of two, at least 2.
    frame_clocks : int
        Clocks of a frame time, for the detection of missing frames; 0 turns it off.
    shifts : sequence of int
        Rates of the predictor's features, those of the parameter set.

    Raises
    ------
    ConfigError
        If there is no such core.

    Members
    -------
    i : In, stream of `hw.frame.input_layout`, always ready
    o : Out, stream of `hw.emit.BYTE_LAYOUT`
    enable : In
    parameters : In, stream of `hw.loader.WORD_LAYOUT`
        Images of parameter sets; taken while nothing is recorded. Nothing is without a set, nor while one comes.
    loaded : Out
        A whole set is loaded.
    dropped_packets, short_frames, long_frames, missing_frames, overruns : Out, u16, saturating
    hurried_packets : Out, u16, saturating
        Packets sent raw because samples came faster than their lanes could take them.

    Latency
    -------
    `LATENCY` clocks at most from a packet's last sample to its first byte, if nothing is being sent; one less with two
    lanes.

    Throughput
    ----------
    `lanes` samples every four clocks, less 12 clocks a packet; a channel may return after `DEPTH` clocks.

    Model
    -----
    `model.codec.compressor.Compressor`
    """

    DEPTH = max(Lms.DEPTH, Scale.DEPTH)
    LATENCY = 44
    FLUSH = 32  # clocks from a sample to the last reading of a table for it, and some more

    def __init__(
        self, config: CodecConfig, banks: int = 2, frame_clocks: int = 0, shifts: Sequence[int] = SHIFTS
    ) -> None:
        if config.profile != "calibrated" or config.width > 10 or config.peers or config.channels > MOST_CHANNELS:
            raise ConfigError(
                f"channels: {config.channels} of {config.width} bits of profile '{config.profile}' are not built; "
                f"give up to {MOST_CHANNELS} of 'calibrated', of at most 10 bits and without peers"
            )
        if config.channels % config.lanes:
            raise ConfigError(f"lanes: {config.lanes} do not share {config.channels} channels evenly; give 1")
        if config.raw_bytes(config.packet_frames) > MOST_RAW_BYTES:
            raise ConfigError(f"packet_frames: {config.packet_frames} frames are too long for the store; give fewer")
        self.config = config
        self.spacing = max(CADENCE // config.lanes, -(-self.DEPTH // config.channels))
        self.banks = banks
        self.frame_clocks = frame_clocks
        self.shifts = tuple(shifts)
        super().__init__(
            {
                "i": In(stream.Signature(input_layout(config), always_ready=True)),
                "o": Out(stream.Signature(BYTE_LAYOUT)),
                "enable": In(1),
                "parameters": In(stream.Signature(WORD_LAYOUT)),
                "loaded": Out(1),
                **{name: Out(COUNTER_BITS) for name in (*COUNTERS, "hurried_packets")},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.frame = frame = Frame(config, self.DEPTH, self.frame_clocks)
        m.submodules.calibrate = calibrate = Calibrate(config)
        m.submodules.lms = lms = Lms(config, self.shifts)
        m.submodules.scale = scale = Scale(config)
        m.submodules.range = range_ = Range(config)
        m.submodules.packet = packet = PacketLanes(config, self.banks)

        connect(m, wiring.flipped(self.i), frame.i)
        connect(m, frame.o, calibrate.i)
        connect(m, calibrate.o, lms.i)
        connect(m, lms.o, scale.i)
        connect(m, scale.o, range_.i)
        connect(m, range_.o, packet.i)
        connect(m, packet.o, wiring.flipped(self.o))

        # Tables are written when the last sample that reads them has gone through.
        m.submodules.loader = loader = Loader(config, len(self.shifts))
        idle = Signal(range(self.FLUSH + 1), init=self.FLUSH)
        with m.If(frame.busy):
            m.d.sync += idle.eq(0)
        with m.Elif(idle != self.FLUSH):
            m.d.sync += idle.eq(idle + 1)
        m.d.comb += [
            self.parameters.ready.eq((idle == self.FLUSH) & ~frame.busy),
            loader.i.valid.eq(self.parameters.valid & self.parameters.ready),
            loader.i.payload.eq(self.parameters.payload),
            frame.enable.eq(self.enable & loader.loaded & ~self.parameters.valid),
            packet.parameter_set.eq(loader.parameter_set),
            self.loaded.eq(loader.loaded),
        ]
        with m.If(packet.hurried & (self.hurried_packets != (1 << COUNTER_BITS) - 1)):
            m.d.sync += self.hurried_packets.eq(self.hurried_packets + 1)
        m.d.comb += [stage.load.eq(loader.load) for stage in (calibrate, lms, scale, range_)]
        m.d.comb += [frame.room.eq(packet.room), packet.take.eq(frame.take)]
        m.d.comb += [getattr(self, name).eq(getattr(frame, name)) for name in COUNTERS]
        return m
