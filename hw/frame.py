"""Stage `frame`: frames are checked, numbered and cut into packets; the law is `model.codec.frame`.

The source of samples cannot be stalled, so this stage decides what becomes of them:

- A packet is `packet_frames` frame times. If no bank is free at its first frame, it is dropped whole.
- A broken frame drops the packet that it is in, whole: a *short* one (the next mark came early), a *missing* one (no
  mark for one and a half frame times, then for every further one), an *overrun* (a channel returned within `depth`
  clocks, or there was no room for the sample). Short and missing frames count as a frame time each, so that positions
  stay true.
- The next packet that is stored after a dropped one is a key packet.
- Samples after a complete frame that carry no mark are *long*: ignored, counted once, nothing is lost.
- A frame is recorded if `enable` is high with its mark. As soon as `enable` is low with no frame in progress, the
  packet is closed with the frames that it has; the next recorded frame begins a key packet. Frames that are not
  recorded are numbered too.
"""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.marks import MARKS
from hw.number import Number
from model.spec.config import CodecConfig
from model.spec.numbers import Format

COUNTER_BITS = 16
COUNTERS = ("dropped_packets", "short_frames", "long_frames", "missing_frames", "overruns")


def input_layout(config: CodecConfig) -> data.StructLayout:
    """A sample as it comes: its code, and the mark on the first sample of a frame."""
    return data.StructLayout({"code": Number(Format(config.width)), "mark": 1})


def frame_layout(config: CodecConfig) -> data.StructLayout:
    """A sample in its place."""
    return data.StructLayout({"code": Number(Format(config.width)), "channel": range(config.channels), "marks": MARKS})


class Frame(wiring.Component):
    """Frames in step, packets opened and closed.

    Parameters
    ----------
    config : CodecConfig
    depth : int
        Clocks after which a channel may return; 1 if what follows sees to that itself.
    frame_clocks : int
        Clocks of a frame time, for the detection of missing frames; 0 turns it off.

    Members
    -------
    i : In, stream of `input_layout`, always ready
    o : Out, stream of `frame_layout`, always ready
    enable : In
    full : In
        What follows has no room for a sample that comes now.
    room : In
        A bank is free.
    take : Out
        A bank is taken, in the clock in which the packet's first sample comes.
    busy : Out
        A packet is being recorded.
    dropped_packets, short_frames, long_frames, missing_frames, overruns : Out, u16, saturating

    Latency
    -------
    `LATENCY` clocks.

    Throughput
    ----------
    One sample a clock.

    Model
    -----
    `model.codec.frame.Framer`
    """

    LATENCY = 2

    def __init__(self, config: CodecConfig, depth: int, frame_clocks: int = 0) -> None:
        self.config = config
        self.depth = depth
        self.frame_clocks = frame_clocks
        super().__init__(
            {
                "i": In(stream.Signature(input_layout(config), always_ready=True)),
                "o": Out(stream.Signature(frame_layout(config), always_ready=True)),
                "enable": In(1),
                "full": In(1),
                "room": In(1),
                "take": Out(1),
                "busy": Out(1),
                **{name: Out(COUNTER_BITS) for name in COUNTERS},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        last = self.config.channels - 1
        room, open_, key = Signal(), Signal(), Signal()
        m.d.comb += [room.eq(self.room), self.take.eq(open_)]

        # The sample waits a clock, so that `enable` is known in the clock after it as well.
        valid, first, enable = Signal(), Signal(), Signal()
        code = Signal(self.config.width)
        m.d.sync += [valid.eq(self.i.valid), first.eq(self.i.valid & self.i.payload.mark)]
        m.d.sync += [code.eq(self.i.payload.code), enable.eq(self.enable)]

        # A frame begins with a mark, or with the time at which a mark is missed.
        seen, inside, surplus = Signal(), Signal(), Signal()
        channel, channel_now = Signal(range(last + 1)), Signal(range(last + 1))
        missing = self._missing(m, first, seen)
        begin, used, complete, long = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            begin.eq(first | missing),
            used.eq(first | (valid & inside & ~missing)),
            channel_now.eq(Mux(first, 0, channel)),
            complete.eq(used & (channel_now == last)),
            long.eq(valid & ~used & ~missing & seen & ~surplus),
        ]
        inside_next = Signal()
        m.d.comb += inside_next.eq(Mux(used, ~complete, inside & ~begin))
        m.d.sync += inside.eq(inside_next)
        with m.If(begin):
            m.d.sync += [seen.eq(1), surplus.eq(0)]
        with m.Elif(long):
            m.d.sync += surplus.eq(1)
        with m.If(used):
            m.d.sync += channel.eq(channel_now + 1)
        overrun = self._overrun(m, used)

        # A packet in progress is discarded if its frame breaks; a new one starts when none has frames left.
        left, left_now = Signal(range(self.config.packet_frames)), Signal(range(self.config.packet_frames))
        stored, stored_now = Signal(), Signal()
        start, abort, close, stop = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            abort.eq(stored & ((begin & (inside | missing)) | overrun)),
            start.eq(begin & enable & (left == 0)),
            open_.eq(start & room & ~missing & ~overrun),
            left_now.eq(Mux(start, self.config.packet_frames - 1, left - begin)),
            stored_now.eq(Mux(start, open_, stored & ~abort)),
            # `self.enable` is one clock ahead: recording stops as soon as no frame is in progress.
            stop.eq((~self.enable & ~inside_next) | (begin & ~enable)),
            close.eq(stored_now & ((complete & (left_now == 0)) | stop)),
        ]
        m.d.comb += self.busy.eq(stored_now)
        m.d.sync += [stored.eq(stored_now & ~close), left.eq(Mux(stop, 0, left_now))]

        # The first packet of a recording is a key packet, every key_interval-th, and the next one after a loss.
        since, rekey = Signal(range(self.config.key_interval)), Signal()
        restart, restart_now = Signal(), Signal()
        m.d.comb += [key.eq((since == 0) | rekey | abort), restart_now.eq(Mux(begin, open_ & key, restart))]
        m.d.sync += restart.eq(restart_now)
        with m.If(start):
            m.d.sync += since.eq(Mux(since == self.config.key_interval - 1, 0, since + 1))
        with m.If(stop):
            m.d.sync += since.eq(0)
        with m.If(start | abort):
            m.d.sync += rekey.eq(~open_)

        marks = self.o.payload.marks
        m.d.sync += [
            self.o.valid.eq(used | begin | close | abort),
            self.o.payload.code.eq(code),
            self.o.payload.channel.eq(channel_now),
            marks.sample.eq(used & stored_now),
            marks.restart.eq(restart_now),
            marks.abort.eq(abort),
            marks.open.eq(open_),
            marks.key.eq(key),
            marks.frame.eq(begin),
            marks.close.eq(close),
        ]
        self._count(m, self.dropped_packets, abort, start & ~open_)
        self._count(m, self.short_frames, begin & inside)
        self._count(m, self.long_frames, long)
        self._count(m, self.missing_frames, missing)
        self._count(m, self.overruns, overrun)
        return m

    def _missing(self, m: Module, first: Value, seen: Value) -> Signal:
        """A mark is overdue: one and a half frame times after the last, then after each further one."""
        missing = Signal()
        if self.frame_clocks:
            timer = Signal(range(self.frame_clocks * 2))
            m.d.comb += missing.eq(seen & ~first & (timer == self.frame_clocks + self.frame_clocks // 2 - 1))
            m.d.sync += timer.eq(timer + 1)
            with m.If(first):
                m.d.sync += timer.eq(0)
            with m.Elif(missing):
                m.d.sync += timer.eq(self.frame_clocks // 2)
        return missing

    def _overrun(self, m: Module, used: Value) -> Signal:
        """There is no room for this sample, or its channel was here less than `depth` clocks ago; that is impossible
        with `depth` channels or more.
        """
        overrun, channels = Signal(), self.config.channels
        m.d.comb += overrun.eq(used & self.full)
        if channels < self.depth:
            history = Signal(self.depth - 1)
            m.d.sync += history.eq(Cat(used, history))
            m.d.comb += overrun.eq(used & (self.full | (sum(history[n] for n in range(self.depth - 1)) >= channels)))
        return overrun

    @staticmethod
    def _count(m: Module, counter: Signal, *events: Value) -> None:
        """Add the events to a saturating counter."""
        if len(events) == 1:
            m.d.sync += counter.eq(counter + (events[0] & ~counter.all()))
            return
        total = Signal(COUNTER_BITS + 1)
        m.d.comb += total.eq(sum(events, start=counter))
        m.d.sync += counter.eq(Mux(total[-1], (1 << COUNTER_BITS) - 1, total))
