"""Samples in turns: every lane's sample in its slot, and at a packet's end the tokens that finish the lanes' strings.

Everything behind this stage moves on only when a token leaves it (`advance`), so that nothing there switches while
nothing comes, and all that is said of clocks there is said of tokens. A token's slot is its number modulo `SLOTS`;
lane n has slot `n * SLOTS / lanes`. So whatever a lane leaves behind comes round, `SLOTS` tokens later, where its next
token needs it. Slots that no sample fills are empty tokens.

The source of samples cannot wait. They queue while a packet ends.
"""

from enum import IntEnum
from typing import Any, Final

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.frame import frame_layout
from hw.memory import Queue
from hw.number import Number
from model.spec.config import CodecConfig
from model.spec.numbers import Format

SLOTS: Final = 4
END_ROUNDS: Final = 4  # of slots, at a packet's end: one for each kind of token, and one for what is then known of it
DEPTH: Final = 64  # of the queue
WAITED: Final = 4  # tokens on their way for which there is always room
RESERVED: Final = 2  # of the queue, besides: for frames that are not stored


FLAGS: Final = data.StructLayout({"first": 1, "frame": 1, "key": 1})


class Kind(IntEnum):
    """What a token does that is no sample."""

    NONE = 0
    ROUND = 1  # ends its lane's string at the least multiple of half an interval
    HELD = 2  # lets go of the words that wait for a carry
    HALF = 3  # and of half a word of the store
    FRAME = 4  # frame times have begun that are not stored, as many as `code` says


def sample_layout(config: CodecConfig) -> data.StructLayout:
    """A sample of a packet that is stored.

    `first` is its lane's first in the packet. With `frame` a frame begins, with `key` as well the first one of a key
    packet.
    """
    return data.StructLayout({"code": Number(Format(config.width)), "first": 1, "frame": 1, "key": 1})


def token_layout(config: CodecConfig) -> data.StructLayout:
    """A sample with its lane, or, in place of its flags, a `Kind`.

    `live` tells that the slot is a lane's; with `SLOTS` lanes all are.
    """
    live = {"live": 1} if config.lanes < SLOTS else {}
    return data.StructLayout({"sample": 1, "flags": FLAGS, "lane": range(config.lanes), **live, "code": config.width})


def come_round(m: Module, value: Any, token: Any, *, lanes: int, behind: int) -> Any:
    """What a token leaves behind, for the lane's next token.

    Parameters
    ----------
    m : Module
    value : Value or View
        As it leaves its stage together with `token`.
    token : View of `token_layout`
    lanes : int
    behind : int
        How many clocks this stage lies behind the one that needs it, less than `SLOTS`.

    Returns
    -------
    Value or View
        In the clock in which the lane's next token is in the stage that needs it.
    """
    for _ in range(-(-(SLOTS - behind) * lanes // SLOTS)):
        register = Signal.like(value, name="comes_round")
        with m.If(1 if lanes == SLOTS else token.live):
            m.d.sync += register.eq(value)
        value = register
    return value


def is_kind(token: Any, kind: Kind) -> Value:
    """Whether a token is of this kind."""
    return ~token.sample & (token.flags.as_value() == kind)


def turns_layout(config: CodecConfig, extra: Any = None) -> data.StructLayout:
    """A sample in its place, with what else is to be known of it, if anything is."""
    return data.StructLayout({**frame_layout(config).members, **({} if extra is None else {"extra": extra})})


class Turns(wiring.Component):
    """A queue of samples, dealt out in slots.

    Parameters
    ----------
    config : CodecConfig
        Its channels are a multiple of its lanes.
    depth : int
        Tokens after which a channel may return.
    flush : int
        Tokens, empty if need be, that follow a packet's end: as many as it takes to move on all the way.
    extra : ShapeLike, optional
        Of what goes with a sample through the queue.
    waited : int
        Tokens that may be on their way when it is full.

    Members
    -------
    i : In, stream of `turns_layout`, always ready
        A source that can wait lets nothing more go while `full`; `waited` more tokens may be on their way then.
    full : Out
        A sample that comes to `frame` now would find no room.
    counted : Out
        All frame times that are not stored are in the queue, or have gone: a packet may begin.
    advance : Out
        There is a token: all that is behind moves on with the end of this clock.
    o : Out, stream of `sample_layout`, always ready
    extra : Out
        Of the sample at `o`, if there is any.
    token : Out, `token_layout`
        The same, and what is not a sample.
    busy : Out
        Something waits here, or the last packet's end has not moved on all the way.

    Latency
    -------
    `LATENCY` clocks, if nothing waits and the slot is the sample's.

    Throughput
    ----------
    A sample of a lane every `SLOTS` clocks, less `END_ROUNDS * SLOTS` clocks a packet.
    """

    LATENCY = 3

    def __init__(self, config: CodecConfig, depth: int, flush: int, extra: Any = None, waited: int = WAITED) -> None:
        self.config = config
        self.depth = depth
        self.flush = flush
        self.waited = waited
        self.own = {} if extra is None else {"extra": extra}
        super().__init__(
            {
                "i": In(stream.Signature(turns_layout(config, extra), always_ready=True)),
                "full": Out(1),
                "counted": Out(1),
                "advance": Out(1),
                "o": Out(stream.Signature(sample_layout(config), always_ready=True)),
                "token": Out(token_layout(config)),
                "busy": Out(1),
                **{name: Out(shape) for name, shape in self.own.items()},
            }
        )

    @staticmethod
    def frame_slots(config: CodecConfig, depth: int) -> int:
        """Tokens of a frame: a multiple of `SLOTS`, at least `depth`."""
        tokens = max(config.channels * SLOTS // config.lanes, depth)
        return -(-tokens // SLOTS) * SLOTS

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, lanes = self.config, self.config.lanes
        stride = SLOTS // lanes
        frame_slots = self.frame_slots(config, self.depth)
        cycle = frame_slots if frame_slots > config.channels * stride else SLOTS  # short frames are filled up

        entry = data.StructLayout(
            {"code": config.width, **dict.fromkeys(("sample", "frame", "open", "key", "close"), 1), **self.own}
        )
        m.submodules.queue = queue = Queue(entry, DEPTH)
        came, marks, head = self.i.payload, self.i.payload.marks, queue.data
        # A frame time that is not stored waits for room, and others with it. Those of a full queue are few: it takes a
        # sample's slots to make room again.
        missed, missed_now, stored = Signal(config.width), Signal(config.width), Signal()
        m.d.comb += [
            missed_now.eq(missed + (self.i.valid & marks.frame & ~marks.sample)),
            stored.eq(self.i.valid & (marks.sample | marks.close)),
            queue.push.eq(stored | ((missed_now != 0) & (queue.level < DEPTH - 1))),
            queue.value.code.eq(Mux(stored, came.code, missed_now)),
            queue.value.sample.eq(stored & marks.sample),
            queue.value.frame.eq(Mux(stored, marks.frame & marks.sample, 1)),
            self.counted.eq(missed == 0),
            *(queue.value[name].eq(came[name]) for name in self.own),
        ]
        full = queue.level >= DEPTH - RESERVED - self.waited
        m.d.comb += [getattr(queue.value, name).eq(stored & getattr(marks, name)) for name in ("open", "key", "close")]
        m.d.sync += [missed.eq(Mux(queue.push & ~stored, 0, missed_now)), self.full.eq(full)]

        # The head of the queue waits for its slot; then, if the packet ends with it, the end takes its rounds.
        slot, round_, ending = Signal(range(cycle)), Signal(range(END_ROUNDS)), Signal()
        lane, last_slot = Signal(range(lanes)), Signal()
        lane_next = Signal(range(lanes))
        fits, sample, frame, close = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            lane.eq(slot[: (SLOTS - 1).bit_length()] // stride),
            last_slot.eq(slot % SLOTS == SLOTS - 1),
            fits.eq(slot == Mux(head.frame, 0, lane_next * stride)),
            sample.eq(queue.there & ~ending & head.sample & fits),
            frame.eq(queue.there & ~ending & ~head.sample & head.frame),
            close.eq(queue.there & ~ending & ~head.sample & ~head.frame),
            queue.pop.eq(sample | frame | close),
        ]
        closing, end_turn = Signal(), Signal()  # rounds begin with slot 0
        m.d.comb += end_turn.eq(ending & (closing | (slot % SLOTS == 0)))
        with m.If(queue.pop):
            m.d.sync += ending.eq(head.close)
        with m.If(end_turn):
            m.d.sync += closing.eq(1)
            with m.If(last_slot):
                m.d.sync += round_.eq(round_ + 1)
                with m.If(round_ == END_ROUNDS - 1):
                    m.d.sync += [round_.eq(0), closing.eq(0), ending.eq(0)]

        step, flushing = Signal(), Signal(range(self.flush + 1))
        m.d.comb += [
            step.eq((queue.there & ~close) | ending | (flushing != 0)),
            self.busy.eq(self.i.valid | (missed != 0) | queue.there | queue.waits | ending | (flushing != 0)),
        ]
        m.d.sync += self.advance.eq(step)
        with m.If(ending):
            m.d.sync += flushing.eq(self.flush)
        with m.Elif(step & (flushing != 0)):
            m.d.sync += flushing.eq(flushing - 1)

        # The first token of each lane in a packet.
        opening, first, token = Signal(), Signal(), self.token
        m.d.comb += first.eq(head.open | opening)
        with m.If(sample):
            m.d.sync += [opening.eq(first & (lane != lanes - 1)), lane_next.eq(lane + 1)]

        with m.If(step):
            m.d.sync += [
                slot.eq(Mux(slot == cycle - 1, 0, slot + 1)),
                token.sample.eq(sample),
                token.lane.eq(lane),
                *([token.live.eq(slot % stride == 0)] if lanes < SLOTS else []),
                token.code.eq(head.code),
                token.flags.eq(Mux(frame, Kind.FRAME, Kind.NONE)),
                *(getattr(self, name).eq(head[name]) for name in self.own),
            ]
            with m.If(sample):
                m.d.sync += [
                    token.flags.first.eq(first),
                    token.flags.frame.eq(head.frame),
                    token.flags.key.eq(head.open & head.key),
                ]
            with m.Elif(end_turn & (slot % stride == 0) & (round_ != END_ROUNDS - 1)):
                m.d.sync += token.flags.eq(Kind.ROUND + round_)
        with m.Else():
            m.d.sync += [token.sample.eq(0), token.flags.eq(Kind.NONE)]
        m.d.comb += [self.o.valid.eq(token.sample), self.o.payload.code.eq(token.code)]
        m.d.comb += [getattr(self.o.payload, name).eq(getattr(token.flags, name)) for name in FLAGS.members]
        return m
