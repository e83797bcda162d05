"""The residual of a channel's peer, an earlier channel of the same frame: the peer's part of `model.codec.lms`."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import round_half_up, saturate
from hw.load import Table, load_layout
from hw.memory import table
from hw.number import Number
from model.spec import packet
from model.spec.calibrate import CENTRE_FRACTION, EDGE_FRACTION, edge_format
from model.spec.config import CodecConfig
from model.spec.lms import difference_format

PEER_BITS = packet.MAX_PEER.bit_length()
FALL = EDGE_FRACTION - CENTRE_FRACTION


def knows_peers(config: CodecConfig) -> bool:
    """Whether gates are built for peers; in a profile with links a channel's peer is the first of its partners that
    stands before it.
    """
    return bool(config.peers or config.links)


class Peer(wiring.Component):
    """Residuals of this frame, and where each channel's peer stands.

    Parameters
    ----------
    config : CodecConfig
        With links, the channel before can be the peer as well, if samples come at least `SPACING` clocks apart.

    Members
    -------
    read, read_frame : In
        The next channel comes, or channel 0.
    data : Out
        The residual of its peer one clock later, in `model.spec.lms.difference_format(width)`; 0 if it has none.
    write, write_frame, missed : In
        What the prediction of the next channel, or of channel 0, missed, in the fractions of edges.
    load : In, `hw.load.load_layout`
        How many channels before it each channel's peer stands.

    A peer must have been written before it is read: `DEPTH` of `hw.lms` says when, and peers at least as many channels
    before as there are lanes see to that. With links, that of the channel before is taken as it is written, in the
    clock in which `data` is needed, or remembered until then.

    Model
    -----
    `model.codec.lms.residual`; `residuals` of `model.codec.calibrated.encode`
    """

    SPACING = 2

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        number = Number(difference_format(config.width))
        strobes = dict.fromkeys(("read", "read_frame", "write", "write_frame"), In(1))
        super().__init__(
            {
                **strobes,
                "data": Out(number),
                "missed": In(signed(edge_format(config.width).width + 2)),
                "load": In(load_layout(config.width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        channels = self.config.channels
        form = difference_format(self.config.width)
        m.submodules.residuals = residuals = table(form.width, channels)
        m.submodules.peers = peers = table(PEER_BITS, channels)
        keep, recall = residuals.write_port(), residuals.read_port()
        load, ask = peers.write_port(), peers.read_port()
        m.d.comb += [
            load.en.eq(self.load.write & (self.load.table == Table.PEERS)),
            load.addr.eq(self.load.address),
            load.data.eq(self.load.value),
        ]

        # While a channel is read, the next one's peer is looked up; channel 0 has none.
        read, write = Signal(range(channels + 1)), Signal(range(channels + 1))
        now, distance, has = Signal(range(channels + 1)), Signal(PEER_BITS), Signal()
        m.d.comb += [
            now.eq(Mux(self.read_frame, 0, read)),
            distance.eq(Mux(self.read_frame, 0, ask.data)),
            ask.addr.eq(now + 1),
            ask.en.eq(self.read),
            recall.addr.eq(now - distance),
        ]
        with m.If(self.read):
            m.d.sync += [read.eq(now + 1), has.eq(distance != 0)]

        m.d.comb += [
            keep.en.eq(self.write),
            keep.addr.eq(Mux(self.write_frame, 0, write)),
            keep.data.eq(saturate(round_half_up(self.missed, FALL), -form.maximum, form.maximum)),
        ]
        with m.If(self.write):
            m.d.sync += write.eq(keep.addr + 1)

        distant = Mux(has, recall.data, 0)
        if self.config.links:
            near, newest = Signal(), Signal(Number(form))
            with m.If(self.read):
                m.d.sync += near.eq(distance == 1)
            with m.If(self.write):
                m.d.sync += newest.eq(keep.data)
            m.d.comb += self.data.eq(Mux(near, Mux(self.write, keep.data, newest), distant))
        else:
            m.d.comb += self.data.eq(distant)
        return m
