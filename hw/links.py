"""The set's name and the table of links of a key packet's header, as they are loaded and sent byte by byte."""

from typing import Any, Final

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.load import NAME_WORDS, VALUE_BITS, Table, load_layout
from hw.memory import table
from model.spec.config import CodecConfig
from model.spec.packet import MOST_LINKS

LINK_BITS: Final = (MOST_LINKS - 1).bit_length()  # words of a channel, as many as those of a name


def links_words(config: CodecConfig) -> int:
    """Words of `Table.LINKS`; 0 in gates that know no links."""
    return 1 + config.channels * MOST_LINKS if config.links else 0


class Links(wiring.Component):
    """Links of all channels, and perhaps the set's name before them, in a memory.

    Parameters
    ----------
    config : CodecConfig
        With links, it is built for whichever are loaded.
    named : bool
        Whether it sends the name, too.

    Members
    -------
    load : In, `hw.load.load_layout` with `links_words`
    there : Out
        Some channel has one.
    byte : Out, 8
        The byte that is to be sent next; the first one follows the last.
    step : In
        It goes.
    last : Out
        It is the last one.

    The memory is read in every clock, but nothing is sent while a table is written.

    Throughput
    ----------
    A byte a clock.

    Model
    -----
    `_links_table` of `model.codec.packet`
    """

    def __init__(self, config: CodecConfig, named: bool = False) -> None:
        self.config = config
        self.named = named
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
        channels = self.config.channels if self.config.links else 0
        home = channels if self.named else 0  # the name stands behind all links, as if of one more channel
        m.submodules.memory = memory = table(VALUE_BITS, (channels + self.named) * MOST_LINKS)
        write, read = memory.write_port(), memory.read_port()
        most = Signal(range(MOST_LINKS + 1))
        m.d.comb += [write.addr.eq(self.load.address - 1), write.data.eq(self.load.value)]
        if channels:
            ours = self.load.write & (self.load.table == Table.LINKS)
            m.d.comb += write.en.eq(ours & (self.load.address != 0))
            with m.If(ours & (self.load.address == 0)):
                m.d.sync += most.eq(self.load.value)
        if self.named:
            with m.If(self.load.write & (self.load.table == Table.NAME)):
                m.d.comb += [
                    write.en.eq(1),
                    write.addr.eq(Cat(self.load.address[:LINK_BITS], Const(home, range(home + 1)))),
                ]

        # The number of links comes first; then both bytes of each, the next of which is read meanwhile.
        naming, begun, upper = Signal(init=self.named), Signal(), Signal()
        link, channel = Signal(range(MOST_LINKS)), Signal(range(channels + 1), init=home)
        link_next, channel_next, word = Signal.like(link), Signal.like(channel), Signal(VALUE_BITS)
        m.d.comb += [link_next.eq(link), channel_next.eq(channel), read.addr.eq(Cat(link_next, channel_next))]
        m.d.sync += [link.eq(link_next), channel.eq(channel_next)]
        lower, final, whole, ends, last = Signal(), Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            self.there.eq(most != 0),
            lower.eq((naming | begun) & ~upper),
            final.eq(link == Mux(naming, NAME_WORDS, most) - 1),
            whole.eq(final & Mux(naming, ~self.there, channel == channels - 1)),
            self.last.eq(upper & last),
            self.byte.eq(Mux(naming | begun, word.word_select(upper, 8), most)),
        ]
        with m.If(Mux(self.step, ~lower, ~upper)):
            m.d.sync += word.eq(read.data)
        with m.If(self.step):
            m.d.sync += [begun.eq(~naming & ~self.last), upper.eq(lower)]
            with m.If(lower):
                m.d.comb += link_next.eq(Mux(final, 0, link + 1))
                m.d.sync += [ends.eq(final), last.eq(whole)]
                with m.If(final):
                    m.d.comb += channel_next.eq(Mux(whole, home, Mux(naming, 0, channel + 1)))
            with m.If(upper & ends):
                m.d.sync += naming.eq(self.last & self.named)
        return m


def send_links(m: Module, links: Links, step: Value, valid: Signal, byte: Signal, checked: Signal) -> None:
    """The state of an emitter in which the table is sent; the header's check follows."""
    with m.State("LINKS"):
        m.d.comb += [valid.eq(1), byte.eq(links.byte), checked.eq(step), links.step.eq(step)]
        with m.If(step & links.last):
            m.next = "HEADER CHECK"
