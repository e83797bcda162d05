"""The compressor of profile `spikey`: `frame -> wavelet -> network -> rice` or `huffman` `-> packet`.

It is the chain that `model/codec/spikey.py` computes.
"""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import data

from hw.expect import Expect
from hw.frame import Frame
from hw.hold import Hold, latency
from hw.huffman import Huffman
from hw.load import Table, pass_on
from hw.neural import geometry_words, spikey_sizes
from hw.neural_chain import NeuralChain
from hw.number import connect
from hw.packet import Packet
from hw.rice import Rice
from hw.wavelet import Wavelet, wavelet_layout

HELD = ("code", "channel", "marks", "origin", "last", "before")


class Spikey(NeuralChain):
    """Samples in, packets out; parameters, members and the rest as those of `hw.neural_chain.NeuralChain`."""

    PROFILE = "spikey"

    @property
    def frame_least(self) -> int:
        return max(self.clocks + Hold.BETWEEN, Wavelet.DEPTH, self.config.channels)

    @property
    def latency(self) -> int:
        coder = Huffman.LATENCY if self.codes[0] else Rice.LATENCY
        before = Frame.LATENCY + Wavelet.LATENCY + Hold.BEFORE + self.clocks
        return before + latency(self.geometry) + self.config.channels - 1 + Expect.LATENCY + coder + Packet.LATENCY

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        wavelet, layout = Wavelet(config), wavelet_layout(config)
        token = data.StructLayout({name: layout[name].shape for name in HELD})
        frame, hold, network = self._begin(m, wavelet, token)
        m.submodules.expect = expect = Expect(config)
        coder: Rice | Huffman = Huffman(config, *self.codes) if self.codes[0] else Rice(config, parameterised=True)
        m.submodules.coder = coder
        m.submodules.packet = packet = Packet(config, self.banks, huffman=bool(self.codes[0]))
        connect(m, expect.o, coder.i)
        connect(m, coder.o, packet.i)

        came, told = wavelet.o.payload, network.put.sample
        asked, held = expect.i.payload, hold.o.payload.token
        m.d.comb += [
            frame.full.eq(hold.full),
            told.signal.eq(came.signal),
            told.exponent.eq(came.exponent),
            told.contexts[0].eq(came.mantissa),
            expect.i.valid.eq(hold.o.valid),
            asked.output.eq(hold.o.payload.outputs[0]),
            asked.exponent.eq(held.before),
            *(getattr(asked, name).eq(getattr(held, name)) for name in HELD if name != "before"),
        ]

        tables = spikey_sizes(config, self.geometry, self.codes)
        fixed = {Table.GEOMETRY: geometry_words(config, self.geometry, self.codes)}
        loader = self._end(m, frame, hold, network, packet, tables, fixed, packet.empty)
        for part in (wavelet, network, coder, packet):
            m.d.comb += pass_on(loader.load, part.load)
        return m
