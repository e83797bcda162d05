"""The compressor of profile `calibrated`: `frame -> calibrate -> lms -> scale -> range -> packet`.

It is the chain that `model/codec/calibrated.py` computes.
"""

from collections.abc import Sequence
from typing import Any, Final

from amaranth.hdl import EnableInserter, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.calibrate import Calibrate
from hw.emit import BYTE_LAYOUT
from hw.frame import COUNTER_BITS, COUNTERS, Frame, input_layout
from hw.lms import SHIFTS, Lms
from hw.load import NAME_WORDS, Table, pass_on
from hw.loader import WORD_LAYOUT, Loader
from hw.memory import DelayLine
from hw.number import connect
from hw.packet_lanes import PacketLanes, check_lanes
from hw.range import Range
from hw.scale import Scale
from hw.turns import Turns, token_layout
from model.spec import range as range_spec
from model.spec import scale as scale_spec
from model.spec.config import CodecConfig, ConfigError

STAGES: Final = ("calibrate", "lms", "scale", "range")
MOST_CHANNELS: Final = 1024


def tables(config: CodecConfig, features: int) -> dict[Table, int]:
    """Words of each table of `model.spec.calibrated.image`, in its order."""
    return {
        Table.EDGES: (1 << config.width) + 1,
        Table.POINTS: range_spec.POINTS,
        Table.STEPS: scale_spec.STEPS,
        Table.WEIGHTS: features + bool(config.peers),
        Table.START: 1,
        Table.NAME: NAME_WORDS,
        Table.SHIFTS: features,
        **({Table.PEERS: config.channels} if config.peers else {}),
    }


class Calibrated(wiring.Component):
    """Samples in, packets out.

    Parameters
    ----------
    config : CodecConfig
        Of profile `calibrated`, up to 10 bits wide; at most 1024 channels, a multiple of the lanes; a packet has less
        than 65536 bytes in raw form. With peers, the core is built for whichever are loaded with the parameter set, at
        least as many channels before as there are lanes.
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
        Images of parameter sets. Recording stops when one comes; nothing is recorded without a whole one.
    loaded : Out
        A whole set is loaded.
    dropped_packets, short_frames, long_frames, missing_frames, overruns : Out, u16, saturating

    Latency
    -------
    `LATENCY` clocks at most from a packet's last sample to its first byte, if nothing is being sent and there are more
    channels than lanes; else 4 more, for short frames are filled up.

    Throughput
    ----------
    A sample of a lane every `hw.turns.SLOTS` clocks, less as many times `hw.turns.END_ROUNDS` a packet.

    Model
    -----
    `model.codec.compressor.Compressor`
    """

    DEPTH = max(Lms.DEPTH, Scale.DEPTH)
    LATENCY = 45
    FLUSH = 24  # tokens from `turns` to the last use of one, and some more

    def __init__(
        self, config: CodecConfig, banks: int = 2, frame_clocks: int = 0, shifts: Sequence[int] = SHIFTS
    ) -> None:
        if config.profile != "calibrated" or config.width > 10 or config.channels > MOST_CHANNELS:
            raise ConfigError(
                f"channels: {config.channels} of {config.width} bits of profile '{config.profile}' are not built; "
                f"give up to {MOST_CHANNELS} of 'calibrated', of at most 10 bits"
            )
        near = [channel for channel, distance in enumerate(config.peers) if 0 < distance < config.lanes]
        if near:
            raise ConfigError(
                f"peers: that of channel {near[0]} stands {config.peers[near[0]]} before it, which is too near for "
                f"{config.lanes} lanes; give {config.lanes} or more, or fewer lanes"
            )
        check_lanes(config)
        self.config = config
        self.spacing = -(-Turns.frame_slots(config, self.DEPTH) // config.channels)
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
                **{name: Out(COUNTER_BITS) for name in COUNTERS},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        calibrate, lms, scale, range_ = Calibrate(config), Lms(config, self.shifts), Scale(config), Range(config)
        beside = DelayLine(token_layout(config), sum(stage.LATENCY for stage in (calibrate, lms, scale, range_)))
        m.submodules.frame = frame = Frame(config, 1, self.frame_clocks)
        m.submodules.turns = turns = Turns(config, self.DEPTH, self.FLUSH)
        m.submodules.packet = packet = PacketLanes(config, self.banks)
        m.submodules.loader = loader = Loader(config, tables(config, len(self.shifts)), {Table.SHIFTS: self.shifts})

        # What is behind `turns` moves on with a token, and when a table is written.
        advance = Signal()
        m.d.comb += [advance.eq(turns.advance | loader.load.write), packet.advance.eq(advance)]
        stages: tuple[Calibrate | Lms | Scale | Range, ...] = (calibrate, lms, scale, range_)
        for name, stage in zip(STAGES, stages, strict=True):
            m.submodules[name] = EnableInserter(advance)(stage)
            m.d.comb += [stage.advance.eq(advance), *pass_on(loader.load, stage.load)]
        m.submodules.beside = EnableInserter(advance)(beside)

        connect(m, wiring.flipped(self.i), frame.i)
        connect(m, frame.o, turns.i)
        connect(m, turns.o, calibrate.i)
        connect(m, calibrate.o, lms.i)
        connect(m, lms.o, scale.i)
        connect(m, scale.o, range_.i)
        connect(m, packet.o, wiring.flipped(self.o))
        m.d.comb += [
            packet.codes.valid.eq(frame.o.valid),
            packet.codes.payload.eq(frame.o.payload),
            scale.ahead.eq(lms.ahead),
            beside.i.eq(turns.token),
            packet.token.eq(beside.o),
            packet.part.eq(range_.o),
            *pass_on(loader.load, packet.load),
            frame.full.eq(turns.full),
            frame.room.eq(packet.room & turns.counted),
            packet.take.eq(frame.take),
        ]
        m.d.comb += [getattr(self, name).eq(getattr(frame, name)) for name in COUNTERS]

        # Tables are written when the last sample that reads them has gone through, and the packet that bears the set's
        # name has left.
        m.d.comb += [
            loader.i.valid.eq(self.parameters.valid),
            loader.i.payload.eq(self.parameters.payload),
            self.parameters.ready.eq(loader.i.ready),
            loader.idle.eq(~frame.busy & ~turns.busy & packet.empty),
            frame.enable.eq(self.enable & loader.loaded & ~loader.waits & ~self.parameters.valid),
            self.loaded.eq(loader.loaded),
        ]
        return m
