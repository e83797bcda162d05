"""Between what comes in and what is coded: tokens wait until the array for networks has the outputs of their frame.

A frame that is complete is a *job*: its samples are in a bank of the array, which works on one frame while the next one
comes in, and on no other. Of a frame that broke, the tokens wait for nothing: its packet is given up.
"""

from typing import Any, Final

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed
from hw.geometry import Geometry
from hw.marks import MARKS
from hw.memory import Queue, table
from hw.network import Places, get_latency, place_layout
from model.spec.config import CodecConfig
from model.spec.network import OUTPUT

FRAMES: Final = 3  # that wait: one comes in, one is worked on, one is coded
RESERVED: Final = 24  # of the queue: for samples on their way to it, or from it, and for frames that are not stored
JOBS: Final = 4
BANKS: Final = 2  # of the array, for samples and for outputs
MISSED_BITS: Final = 13  # a frame mark in every clock while two programs run

# What decides when a token leaves: frame times that are not stored, if it is `bare`; else what its marks say.
HEAD: Final = data.StructLayout({"missed": MISSED_BITS, "bare": 1, "sample": 1, "begins": 1})


def held_layout(token: data.StructLayout, geometry: Geometry) -> data.StructLayout:
    """A token, and the outputs of its channel if it is a sample."""
    return data.StructLayout({"token": token, "outputs": data.ArrayLayout(signed(OUTPUT.width), geometry.outputs)})


def queue_depth(config: CodecConfig) -> int:
    """Tokens that wait, at most."""
    return 1 << (FRAMES * config.channels + 2 * RESERVED - 1).bit_length()


def latency(geometry: Geometry) -> int:
    """Clocks from the array's `done` to the frame's first token."""
    return get_latency(geometry) + 2


class Hold(wiring.Component):
    """A queue of tokens, and the order of the array's work.

    Parameters
    ----------
    config : CodecConfig
    geometry : hw.geometry.Geometry
    token : StructLayout
        Has fields `channel`, `code` and `marks`.

    Members
    -------
    i : In, stream of `token`, always ready
    ahead : In
        The last sample of a frame is on its way to `i`.
    full : Out
        A sample that came now would find no room.
    counted : Out
        All frame times that are not stored are in the queue, or have gone: a packet may begin.
    place : Out, `hw.network.place_layout`
        Where the array keeps the sample that is at `i`.
    start, key, bank, get : Out
    busy, done, outputs : In
        Those of the array.
    pause : In
        Take no more tokens out; those on their way, at most `latency` of the geometry, still come.
    o : Out, stream of `held_layout`, always ready

    Latency
    -------
    `BEFORE` clocks from a frame's last token to the array's `start`, `latency` from its `done` to the frame's first
    token, `BETWEEN` from one frame's `done` to the next one's `start`.

    Throughput
    ----------
    A token a clock. A frame in the time that the array takes for one.
    """

    BEFORE = 1
    BETWEEN = 1

    def __init__(self, config: CodecConfig, geometry: Geometry, token: data.StructLayout) -> None:
        self.config = config
        self.geometry = geometry
        self.token = token
        super().__init__(
            {
                "i": In(stream.Signature(token, always_ready=True)),
                **dict.fromkeys(("ahead", "busy", "done", "pause"), In(1)),
                **dict.fromkeys(("full", "counted", "start", "key", "bank"), Out(1)),
                "place": Out(place_layout(geometry)),
                "get": Out(place_layout(geometry)),
                "outputs": In(data.ArrayLayout(signed(OUTPUT.width), geometry.outputs)),
                "o": Out(stream.Signature(held_layout(token, geometry), always_ready=True)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        last = self.config.channels - 1
        came, marks = self.i.payload, self.i.payload.marks
        depth = queue_depth(self.config)
        m.submodules.queue = queue = Queue(HEAD, depth)
        m.submodules.tokens = tokens = table(self.token, depth)
        crowded, read, take = Signal(), Signal(), Signal()
        m.d.comb += crowded.eq(queue.level > depth - RESERVED)

        # Frame times that are not stored are counted, and stored as one token when there is room.
        missed, missed_now, stored = Signal(MISSED_BITS), Signal(MISSED_BITS), Signal()
        plain, write, head = Signal(MARKS), tokens.write_port(), queue.value
        m.d.comb += [
            stored.eq(self.i.valid & (marks.sample | marks.abort | marks.open | marks.close)),
            missed_now.eq(missed + (self.i.valid & marks.frame & ~stored)),
            queue.push.eq(stored | ((missed_now != 0) & ~crowded)),
            head.missed.eq(missed_now),
            head.bare.eq(~stored),
            head.sample.eq(marks.sample & stored),
            head.begins.eq(marks.sample & marks.frame),
            plain.frame.eq(1),
            write.addr.eq(queue.place),
            write.data.eq(came),
            write.en.eq(queue.push),
            self.counted.eq(missed == 0),
        ]
        with m.If(~stored):
            m.d.comb += write.data.marks.eq(plain)
        m.d.sync += missed.eq(Mux(queue.push & ~stored, 0, missed_now))

        # A frame is complete with its last sample; one that has begun and is not, when its packet is given up.
        sample, complete, partial, broken = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            sample.eq(self.i.valid & marks.sample),
            complete.eq(sample & (came.channel == last)),
            broken.eq(self.i.valid & marks.abort & partial),
        ]
        with m.If(sample):
            m.d.sync += partial.eq(~complete)
        with m.Elif(broken):
            m.d.sync += partial.eq(0)
        bank = Signal()
        m.submodules.put = put = Places(self.geometry)
        m.d.comb += [put.begin.eq(came.channel == 0), put.step.eq(sample)]
        m.d.comb += [self.place.bank.eq(bank), self.place.core.eq(put.core), self.place.slot.eq(put.slot)]
        m.d.sync += bank.eq(bank ^ complete)

        ready, skipped = self._ends(m, complete, broken, take, depth)
        self._work(m, complete, bank, marks.restart, read, crowded)
        m.d.comb += read.eq(self._release(m, queue, tokens, ready, skipped, take))
        return m

    def _ends(self, m: Module, complete: Signal, broken: Signal, take: Signal, depth: int) -> tuple[Value, Value]:
        """How frames that are in the queue have ended, in their order; `take` takes the first.

        Returns whether its outputs are there, or it broke.
        """
        m.submodules.ends = ends = Queue(1, depth)
        done, ready, skipped = Signal(range(JOBS + 1)), Signal(), Signal()  # jobs that are done, and not taken
        m.d.comb += [
            ends.push.eq(complete | broken),
            ends.value.eq(complete),
            ends.pop.eq(take & ends.there),
            ready.eq(ends.there & ends.data & (done != 0)),
            skipped.eq(ends.there & ~ends.data),
        ]
        m.d.sync += done.eq(done - (take & ready) + self.done)
        return ready, skipped

    def _work(self, m: Module, complete: Signal, bank: Signal, key: Value, read: Signal, crowded: Signal) -> None:
        """The array begins when it has ended the frame before, and a bank for outputs is free; `read` frees one."""
        keys = Signal(BANKS)  # of the frame in each bank for samples
        ready, unread, waiting, work = (
            Signal(range(BANKS + 1)),
            Signal(range(JOBS + 1)),
            Signal(range(JOBS + 1)),
            Signal(),
        )
        with m.If(complete):
            m.d.sync += keys.bit_select(bank, 1).eq(key)
        m.d.comb += [
            self.start.eq((ready != 0) & ~self.busy & (unread < BANKS)),
            self.key.eq(keys.bit_select(work, 1)),
            self.bank.eq(work),
        ]
        m.d.sync += [ready.eq(ready + complete - self.start), work.eq(work ^ self.start)]
        m.d.sync += unread.eq(unread + self.done - read)

        # Both banks of samples are taken: one is worked on, the other one waits.
        m.d.sync += waiting.eq(waiting + self.ahead - self.done)
        m.d.comb += self.full.eq((waiting + self.ahead >= BANKS) | crowded)

    def _release(self, m: Module, queue: Queue, tokens: Memory, ready: Value, skipped: Value, take: Signal) -> Value:
        """Tokens leave the queue, and meet their outputs; returns when the last ones of a frame are read."""
        head, may, more = queue.data, Signal(), Signal()
        rest = Signal(MISSED_BITS)  # frame times of a token that are still to be said
        m.d.comb += [
            more.eq(head.bare & (rest + 1 != head.missed)),
            may.eq(queue.there & ~self.pause & (~head.begins | ready | skipped)),
            queue.pop.eq(may & ~more),
            take.eq(may & head.begins),
        ]
        with m.If(may):
            m.d.sync += rest.eq(Mux(more, rest + 1, 0))

        # Outputs are read from the bank of the job that is taken.
        bank, bank_now, whole, whole_now = Signal(init=1), Signal(), Signal(), Signal()
        m.d.comb += [bank_now.eq(bank ^ (take & ready)), whole_now.eq(Mux(take, ready, whole))]
        m.d.sync += [bank.eq(bank_now), whole.eq(whole_now)]
        m.submodules.places = places = Places(self.geometry)
        m.d.comb += [places.begin.eq(head.begins), places.step.eq(may & head.sample)]
        m.d.sync += [self.get.bank.eq(bank_now), self.get.core.eq(places.core), self.get.slot.eq(places.slot)]

        # The token itself is read as late as they are, which leaves `RESERVED` words ahead of those that are written.
        valid, step, recall = may, queue.pop, tokens.read_port()
        for _ in range(get_latency(self.geometry)):
            valid, step = delayed(m, valid), delayed(m, step)
        at = Signal(range(queue.depth))
        m.d.sync += [at.eq(at + step), self.o.valid.eq(valid)]
        m.d.comb += [
            recall.addr.eq(at),
            self.o.payload.token.eq(recall.data),
            self.o.payload.outputs.eq(self.outputs),
        ]
        core, slot = divmod(self.config.channels - 1, self.geometry.slots)
        return may & head.sample & whole_now & (places.core == core) & (places.slot == slot)
