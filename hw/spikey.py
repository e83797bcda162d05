"""The compressor of profile `spikey`: `frame -> wavelet -> network -> rice` or `huffman` `-> packet`.

It is the chain that `model/codec/spikey.py` computes.
"""

from typing import Any, Final

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.emit import BYTE_LAYOUT
from hw.expect import Expect
from hw.frame import COUNTER_BITS, COUNTERS, Frame, input_layout
from hw.geometry import Geometry
from hw.hold import Hold
from hw.huffman import Huffman
from hw.load import Table, pass_on
from hw.loader import WORD_LAYOUT, Loader
from hw.network import Network
from hw.neural import NO_CODES, Shape, default_geometry, geometry_words, program_of, table_sizes
from hw.number import connect
from hw.packet import Packet
from hw.rice import Rice
from hw.wavelet import Wavelet, wavelet_layout
from model.spec import shipped
from model.spec.config import CodecConfig, ConfigError

MOST_CHANNELS: Final = 1024
SETTLED: Final = 32  # clocks in which what has left `hold` reaches the store


class Spikey(wiring.Component):
    """Samples in, packets out.

    Parameters
    ----------
    config : CodecConfig
        Of profile `spikey`, up to 10 bits wide, at most 1024 channels. With links, the core is built for whichever are
        loaded with the parameter set, between channels that the same core of the array serves.
    banks : int
        Packets that can be stored at a time, a power of two, at least 2.
    frame_clocks : int
        Clocks of a frame time, for the detection of missing frames; 0 turns it off.
    geometry : Geometry, optional
        Of the array. Default: `hw.neural.default_geometry`.
    codes : (tables, symbols)
        Room for Huffman codes; (0, 0): a Rice code.
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
    `latency` clocks from a packet's last sample to its first byte, if the array has ended the frame before and nothing
    is being sent.

    Throughput
    ----------
    A frame in the clocks of the program, or in two clocks less than a sample a clock takes.

    Model
    -----
    `model.codec.compressor.Compressor`
    """

    def __init__(
        self,
        config: CodecConfig,
        banks: int = 2,
        frame_clocks: int = 0,
        geometry: Geometry | None = None,
        codes: Shape = NO_CODES,
        clocks: int = 0,
    ) -> None:
        if config.profile != "spikey" or config.width > 10 or config.channels > MOST_CHANNELS:
            raise ConfigError(
                f"channels: {config.channels} of {config.width} bits of profile '{config.profile}' are not built; "
                f"give up to {MOST_CHANNELS} of 'spikey', of at most 10 bits"
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
    def frame_least(self) -> int:
        """Clocks of a frame, at least: those of the array, and those between two of its frames."""
        return max(self.clocks + Hold.BETWEEN, Wavelet.DEPTH)

    @property
    def spacing(self) -> int:
        """Fewest clocks from one sample to the next."""
        return -(-self.frame_least // self.config.channels)

    @property
    def latency(self) -> int:
        """Clocks from a packet's last sample to its first byte."""
        coder = Huffman.LATENCY if self.codes[0] else Rice.LATENCY
        before = Frame.LATENCY + Wavelet.LATENCY + Hold.BEFORE + self.clocks
        return before + Hold.LATENCY + self.config.channels + Expect.LATENCY + coder + Packet.LATENCY

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, geometry = self.config, self.geometry
        m.submodules.frame = frame = Frame(config, Wavelet.DEPTH, self.frame_clocks)
        m.submodules.wavelet = wavelet = Wavelet(config)
        m.submodules.hold = hold = Hold(config, geometry, wavelet_layout(config))
        m.submodules.network = network = Network(geometry, config.width)
        m.submodules.expect = expect = Expect(config)
        coder: Rice | Huffman = Huffman(config, *self.codes) if self.codes[0] else Rice(config, parameterised=True)
        m.submodules.coder = coder
        m.submodules.packet = packet = Packet(config, self.banks, huffman=bool(self.codes[0]))
        tables = table_sizes(config, geometry, self.codes)
        fixed = {Table.GEOMETRY: geometry_words(geometry, self.codes)}
        m.submodules.loader = loader = Loader(config, tables, fixed)

        connect(m, wiring.flipped(self.i), frame.i)
        connect(m, frame.o, wavelet.i)
        connect(m, wavelet.o, hold.i)
        connect(m, expect.o, coder.i)
        connect(m, coder.o, packet.i)
        connect(m, packet.o, wiring.flipped(self.o))

        # To the array, and back behind `hold`.
        came, put = wavelet.o.payload, network.put
        marks = frame.o.payload.marks
        m.d.comb += [
            put.write.eq(wavelet.o.valid & came.marks.sample),
            put.place.eq(hold.place),
            put.sample.signal.eq(came.signal),
            put.sample.exponent.eq(came.exponent),
            put.sample.contexts[0].eq(came.mantissa),
            hold.ahead.eq(frame.o.valid & marks.sample & (frame.o.payload.channel == config.channels - 1)),
            *(getattr(network, name).eq(getattr(hold, name)) for name in ("start", "key", "bank", "get")),
            *(getattr(hold, name).eq(getattr(network, name)) for name in ("busy", "done", "outputs")),
        ]
        left, held = expect.i.payload, hold.o.payload.token
        m.d.comb += [
            expect.i.valid.eq(hold.o.valid),
            left.output.eq(hold.o.payload.outputs[0]),
            left.exponent.eq(held.before),
            *(getattr(left, name).eq(getattr(held, name)) for name in ("code", "origin", "last", "channel", "marks")),
        ]

        m.d.comb += [
            frame.full.eq(hold.full),
            frame.room.eq(packet.room & hold.counted),
            packet.take.eq(frame.take),
            *(getattr(self, name).eq(getattr(frame, name)) for name in COUNTERS),
        ]
        self._load(m, frame, hold, packet, loader)
        for part in (wavelet, network, coder, packet):
            m.d.comb += pass_on(loader.load, part.load)
        return m

    def _load(self, m: Module, frame: Frame, hold: Hold, packet: Packet, loader: Loader) -> None:
        """Tables are written when nothing is on its way, and the packet that bears the set's name has left."""
        settled, moves = Signal(range(SETTLED), init=SETTLED - 1), Signal()
        m.d.comb += moves.eq(frame.busy | frame.o.valid | ~hold.idle)
        m.d.sync += settled.eq(0)
        with m.If(~moves):
            m.d.sync += settled.eq(settled + (settled != SETTLED - 1))
        m.d.comb += [
            loader.i.valid.eq(self.parameters.valid),
            loader.i.payload.eq(self.parameters.payload),
            self.parameters.ready.eq(loader.i.ready),
            loader.idle.eq(~moves & (settled == SETTLED - 1) & packet.empty),
            frame.enable.eq(self.enable & loader.loaded & ~loader.waits & ~self.parameters.valid),
            self.loaded.eq(loader.loaded),
        ]
