"""The table of links of a key packet's header, as it is loaded with the parameter set and sent byte by byte."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.load import VALUE_BITS, Table, load_layout
from hw.memory import table
from model.spec.config import CodecConfig
from model.spec.packet import MOST_LINKS


def links_words(config: CodecConfig) -> int:
    """Words of `Table.LINKS`; 0 in gates that know no links."""
    return 1 + config.channels * MOST_LINKS if config.links else 0


class Links(wiring.Component):
    """Links of all channels, in a memory.

    Parameters
    ----------
    config : CodecConfig
        It is built for whichever links are loaded.

    Members
    -------
    load : In, `hw.load.load_layout` with `links_words`
    there : Out
        Some channel has one.
    byte : Out, 8
        The byte of the table that is to be sent next; the first one follows the last.
    step : In
        It goes.
    last : Out
        It is the last one.

    The memory is read in every clock, but nothing is sent while a table is written.

    Model
    -----
    `_links_table` of `model.codec.packet`
    """

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        super().__init__(
            {
                "load": In(load_layout(config.width, links_words(config))),
                "there": Out(1),
                "byte": Out(8),
                "step": In(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        channels = self.config.channels
        m.submodules.memory = memory = table(VALUE_BITS, channels * MOST_LINKS)
        write, read = memory.write_port(), memory.read_port()
        most = Signal(range(MOST_LINKS + 1))
        ours = self.load.write & (self.load.table == Table.LINKS)
        with m.If(ours & (self.load.address == 0)):
            m.d.sync += most.eq(self.load.value)
        m.d.comb += [
            write.en.eq(ours & (self.load.address != 0)),
            write.addr.eq(self.load.address - 1),
            write.data.eq(self.load.value),
        ]

        # The number of links comes first; then both bytes of each, the next of which is read meanwhile.
        begun, upper = Signal(), Signal()
        link, channel = Signal(range(MOST_LINKS)), Signal(range(channels))
        link_next, channel_next = Signal.like(link), Signal.like(channel)
        m.d.comb += [link_next.eq(link), channel_next.eq(channel), read.addr.eq(Cat(link_next, channel_next))]
        m.d.sync += [link.eq(link_next), channel.eq(channel_next)]
        ends = upper & (link == most - 1)
        m.d.comb += [
            self.there.eq(most != 0),
            self.last.eq(ends & (channel == channels - 1)),
            self.byte.eq(Mux(begun, read.data.word_select(upper, 8), most)),
        ]
        with m.If(self.step):
            m.d.sync += [begun.eq(~self.last), upper.eq(begun & ~upper)]
            with m.If(ends):
                m.d.comb += [link_next.eq(0), channel_next.eq(Mux(self.last, 0, channel + 1))]
            with m.Elif(upper):
                m.d.comb += link_next.eq(link + 1)
        return m


def send_links(m: Module, links: Links, step: Value, valid: Signal, byte: Signal, checked: Signal) -> None:
    """The state of an emitter in which the table is sent; the header's check follows."""
    with m.State("LINKS"):
        m.d.comb += [valid.eq(1), byte.eq(links.byte), checked.eq(step), links.step.eq(step)]
        with m.If(step & links.last):
            m.next = "HEADER CHECK"
