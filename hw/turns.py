"""Tokens of the range coder in the order in which the strings are made: a packet's end takes turns of its own.

The source of samples cannot wait, so tokens queue while a packet ends, and the queue drains in the clocks between
samples.
"""

from typing import Any, Final

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from hw.marks import MARKS
from hw.range import range_layout
from hw.words import Kind, token_layout
from model.spec.config import CodecConfig

CADENCE: Final = 4  # clocks from a token of a lane to its next, at least
END_TURNS: Final = 3 * CADENCE  # of a packet's end
DEPTH: Final = 16
RESERVED: Final = 3  # for tokens with marks: an end, an abort and a begin may follow each other


def turn_layout(config: CodecConfig) -> data.StructLayout:
    """A token, and the marks of the sample that it comes from; `sample` tells whether there is a token."""
    return data.StructLayout({"token": token_layout(config), "marks": MARKS, "ended": 1})


class Turns(wiring.Component):
    """A queue of tokens, with the ends of packets put in.

    Parameters
    ----------
    config : CodecConfig

    Members
    -------
    i : In, stream of `hw.range.range_layout`, always ready
    o : Out, stream of `turn_layout`, always ready
        `ended` comes with a packet's last token.
    lost : Out
        The queue has no room for this token: it is lost, but never one with a mark.

    Latency
    -------
    2 clocks, if nothing waits.

    Throughput
    ----------
    A token of a lane every `CADENCE` clocks, less `END_TURNS` clocks a packet.
    """

    LATENCY = 2

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(range_layout(config), always_ready=True)),
                "o": Out(stream.Signature(turn_layout(config), always_ready=True)),
                "lost": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes = self.config.lanes
        came = self.i.payload
        marks = came.marks
        marked = marks.open | marks.close | marks.abort
        m.submodules.queue = queue = SyncFIFOBuffered(width=range_layout(self.config).size, depth=DEPTH)
        next_ = Signal(range_layout(self.config))
        m.d.comb += [
            queue.w_data.eq(came.as_value()),
            queue.w_en.eq(self.i.valid & ~self.lost),
            self.lost.eq(self.i.valid & ~marked & (queue.w_level >= DEPTH - RESERVED)),
            next_.eq(queue.r_data),
        ]

        # One token after the other, with a pause where lanes are few; then, if the packet ends with it, its end.
        pause, turn, ending = Signal(range(CADENCE)), Signal(range(END_TURNS)), Signal()
        take = Signal()
        m.d.comb += [take.eq(queue.r_rdy & ~ending & (pause == 0)), queue.r_en.eq(take)]
        with m.If(pause != 0):
            m.d.sync += pause.eq(pause - 1)
        with m.If(take):
            m.d.sync += [pause.eq(CADENCE // lanes - 1), ending.eq(next_.marks.close)]
        with m.If(ending & (pause == 0)):
            m.d.sync += turn.eq(turn + 1)
            with m.If(turn == END_TURNS - 1):
                m.d.sync += [ending.eq(0), turn.eq(0)]

        # A lane's first token in a packet.
        begun, begun_now = Signal(lanes), Signal(lanes)
        m.d.comb += begun_now.eq(Mux(next_.marks.open, 0, begun))
        with m.If(take):
            m.d.sync += begun.eq(begun_now | (next_.marks.sample << next_.lane))
        closing, lane = Signal(), Signal(range(CADENCE))
        m.d.comb += [closing.eq(ending & (pause == 0) & (lane < lanes)), lane.eq(turn % CADENCE)]
        out, token = self.o.payload, self.o.payload.token
        m.d.sync += [
            self.o.valid.eq(take | closing),
            out.ended.eq(closing & (turn == END_TURNS - CADENCE + lanes - 1)),
            out.marks.eq(Mux(closing, 0, next_.marks)),
            token.kind.eq(Mux(closing, 1 + turn // CADENCE, Kind.SAMPLE)),
            token.first.eq(~closing & ~begun_now.bit_select(next_.lane, 1)),
            token.lane.eq(Mux(closing, lane, next_.lane)),
            token.below.eq(next_.below),
            token.bits.eq(next_.bits),
            token.plain.eq(next_.plain),
            token.code.eq(next_.code),
        ]
        return m
