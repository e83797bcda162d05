"""What the chains of profiles `spikey` and `full` have in common: the array between what comes in and what is coded."""

from abc import abstractmethod
from typing import Any, ClassVar, Final

from amaranth.hdl import Module
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.emit import BYTE_LAYOUT
from hw.frame import COUNTER_BITS, COUNTERS, Frame, input_layout
from hw.geometry import Geometry
from hw.hold import Hold
from hw.load import Table
from hw.loader import WORD_LAYOUT, Loader
from hw.network import Network
from hw.neural import NO_CODES, Shape, default_geometry, program_of
from hw.number import connect
from model.spec import shipped
from model.spec.config import CodecConfig, ConfigError

MOST_CHANNELS: Final = 1024


class NeuralChain(wiring.Component):
    """Samples in, packets out.

    Parameters
    ----------
    config : CodecConfig
        Of the chain's profile, up to 10 bits wide, at most 1024 channels. With links, the core is built for whichever
        are loaded with the parameter set, between channels that the same core of the array serves.
    banks : int
        Packets that can be stored at a time, a power of two, at least 2.
    frame_clocks : int
        Clocks of a frame time, for the detection of missing frames; 0 turns it off.
    geometry : Geometry, optional
        Of the array. Default: `hw.neural.default_geometry`.
    codes : (tables, symbols)
        Room for Huffman codes, in profile `spikey`; (0, 0): it has a Rice code.
    clocks : int
        Of the longest program that it will be loaded with; 0: of the shipped set's.

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
        Images of parameter sets (`hw.neural.image`). Recording stops when one comes; nothing is recorded without a
        whole one.
    loaded : Out
        A whole set is loaded.
    dropped_packets, short_frames, long_frames, missing_frames, overruns : Out, u16, saturating

    Latency
    -------
    `latency` clocks at most from a packet's last sample to its first byte, if the array has ended the frame before and
    nothing is being sent.

    Throughput
    ----------
    A frame in `frame_least` clocks.

    Model
    -----
    `model.codec.compressor.Compressor`
    """

    PROFILE: ClassVar[str]

    def __init__(
        self,
        config: CodecConfig,
        banks: int = 2,
        frame_clocks: int = 0,
        geometry: Geometry | None = None,
        codes: Shape = NO_CODES,
        clocks: int = 0,
    ) -> None:
        if config.profile != self.PROFILE or config.width > 10 or config.channels > MOST_CHANNELS:
            raise ConfigError(
                f"channels: {config.channels} of {config.width} bits of profile '{config.profile}' are not built; "
                f"give up to {MOST_CHANNELS} of '{self.PROFILE}', of at most 10 bits"
            )
        self.config = config
        self.geometry = geometry or default_geometry(config)
        if self.geometry.slots * self.geometry.cores < config.channels:
            raise ConfigError(
                f"channels: the array serves {self.geometry.slots * self.geometry.cores}, not {config.channels}; "
                "give it more cores or slots"
            )
        self.codes = codes
        self.banks = banks
        self.frame_clocks = frame_clocks
        default = shipped.default(config.profile)
        self.clocks = clocks or program_of(default, config.width, self.geometry, config.links).clocks
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

    @property
    @abstractmethod
    def frame_least(self) -> int:
        """Clocks of a frame, at least."""

    @property
    @abstractmethod
    def latency(self) -> int:
        """Clocks from a packet's last sample to its first byte, at most."""

    @property
    def spacing(self) -> int:
        """Fewest clocks from one sample to the next."""
        return -(-self.frame_least // self.config.channels)

    def _begin(self, m: Module, front: Any, token: data.StructLayout) -> tuple[Frame, Hold, Network]:
        """What stands before the coder: frames, `front`, the array, and what holds a `token` for each sample."""
        config, geometry = self.config, self.geometry
        m.submodules.frame = frame = Frame(config, front.DEPTH, self.frame_clocks)
        m.submodules.front = front
        m.submodules.hold = hold = Hold(config, geometry, token)
        m.submodules.network = network = Network(geometry, config.width)
        connect(m, wiring.flipped(self.i), frame.i)
        connect(m, frame.o, front.i)
        came, marks = frame.o.payload, frame.o.payload.marks
        m.d.comb += [
            hold.i.valid.eq(front.o.valid),
            network.put.write.eq(front.o.valid & front.o.payload.marks.sample),
            network.put.place.eq(hold.place),
            hold.ahead.eq(frame.o.valid & marks.sample & (came.channel == config.channels - 1)),
            *(getattr(hold.i.payload, name).eq(getattr(front.o.payload, name)) for name in token.members),
            *(getattr(network, name).eq(getattr(hold, name)) for name in ("start", "key", "bank", "get")),
            *(getattr(hold, name).eq(getattr(network, name)) for name in ("busy", "done", "outputs")),
            *(getattr(self, name).eq(getattr(frame, name)) for name in COUNTERS),
        ]
        return frame, hold, network

    def _end(
        self,
        m: Module,
        frame: Frame,
        hold: Hold,
        network: Network,
        packet: Any,
        tables: dict[Table, int],
        fixed: dict[Table, Any],
        idle: Any,
    ) -> Loader:
        """The packet's way out, and the loader: tables are written when no packet is recorded or on its way, and
        `idle`. A bank is taken with a packet's first sample, and free when it has left.
        """
        m.submodules.loader = loader = Loader(self.config, tables, fixed)
        connect(m, packet.o, wiring.flipped(self.o))
        m.d.comb += [
            frame.room.eq(packet.room & hold.counted),
            packet.take.eq(frame.take),
            loader.i.valid.eq(self.parameters.valid),
            loader.i.payload.eq(self.parameters.payload),
            self.parameters.ready.eq(loader.i.ready),
            loader.idle.eq(~frame.busy & ~network.busy & idle),
            frame.enable.eq(self.enable & loader.loaded & ~loader.waits & ~self.parameters.valid),
            self.loaded.eq(loader.loaded),
        ]
        return loader
