"""Between what comes in and what is coded: tokens wait until the array for networks has the outputs of their frame.

A frame that is complete is a *job*: its samples are in a bank of the array, which works on one frame while the next one
comes in, and on no other. Of a frame that broke, the tokens wait for nothing: its packet is given up. So before each
job stand as many broken frames as have begun since the job before.
"""

from typing import Any, Final

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed
from hw.geometry import Geometry
from hw.marks import MARKS
from hw.memory import Queue
from hw.network import Network, Places, place_layout
from model.spec.config import CodecConfig
from model.spec.network import OUTPUT

FRAMES: Final = 3  # that wait: one comes in, one is worked on, one is coded
RESERVED: Final = 16  # of the queue: for samples on their way, and for frames that are not stored
JOBS: Final = 4
BANKS: Final = 2  # of the array, for samples and for outputs


def held_layout(token: data.StructLayout, geometry: Geometry) -> data.StructLayout:
    """A token, and the outputs of its channel if it is a sample."""
    return data.StructLayout({"token": token, "outputs": data.ArrayLayout(signed(OUTPUT.width), geometry.outputs)})


def queue_depth(config: CodecConfig) -> int:
    """Tokens that wait, at most."""
    return 1 << (FRAMES * config.channels + 2 * RESERVED - 1).bit_length()


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
        Take no more tokens out; those on their way, at most `PAUSE`, still come.
    o : Out, stream of `held_layout`, always ready
    idle : Out
        No token waits, and the array does not work.

    Latency
    -------
    `BEFORE` clocks from a frame's last token to the array's `start`, `LATENCY` from its `done` to the frame's first
    token, `BETWEEN` from one frame's `done` to the next one's `start`.

    Throughput
    ----------
    A token a clock. A frame in the time that the array takes for one.
    """

    BEFORE = 2
    BETWEEN = 1
    LATENCY = Network.GET_LATENCY + 2
    PAUSE = Network.GET_LATENCY + 2

    def __init__(self, config: CodecConfig, geometry: Geometry, token: data.StructLayout) -> None:
        self.config = config
        self.geometry = geometry
        self.token = token
        super().__init__(
            {
                "i": In(stream.Signature(token, always_ready=True)),
                **dict.fromkeys(("ahead", "busy", "done", "pause"), In(1)),
                **dict.fromkeys(("full", "counted", "start", "key", "bank", "idle"), Out(1)),
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
        m.submodules.queue = queue = Queue(self.token, depth)

        # Frame times that are not stored are counted, and stored as one token when there is room.
        missed, missed_now, stored = Signal(self.config.width), Signal(self.config.width), Signal()
        others = data.StructLayout(dict.fromkeys(MARKS.members, 1))
        plain = Signal(others)
        m.d.comb += [
            stored.eq(self.i.valid & (marks.sample | marks.abort | marks.open | marks.close)),
            missed_now.eq(missed + (self.i.valid & marks.frame & ~stored)),
            queue.push.eq(stored | ((missed_now != 0) & (queue.level < depth - 1))),
            queue.value.eq(came),
            plain.frame.eq(1),
            self.counted.eq(missed == 0),
        ]
        with m.If(~stored):
            m.d.comb += [queue.value.marks.eq(plain), queue.value.code.eq(missed_now)]
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

        crowded, read, take = Signal(), Signal(), Signal()
        m.d.comb += crowded.eq(queue.level > depth - RESERVED)
        ready, skipped = self._jobs(m, complete, broken, take, depth)
        self._work(m, complete, marks.restart, read, crowded)
        m.d.comb += read.eq(self._release(m, queue, ready, skipped, take))
        return m

    def _jobs(self, m: Module, complete: Signal, broken: Signal, take: Signal, depth: int) -> tuple[Signal, Signal]:
        """The list of jobs whose frames are in the queue, and of broken frames between them; `take` takes the first.

        Returns whether its outputs are there, or it broke.
        """
        # Broken frames since the last job, and of each job whose frame is still in the queue, those before it.
        counter = range(depth + 1)
        loose = Signal(counter)
        jobs = [Signal(counter, name=f"broken_{n}") for n in range(JOBS)]
        level, done = (
            Signal(range(JOBS + 1)),
            Signal(range(JOBS + 1)),
        )  # jobs in the list, and how many of them are done
        ready, skipped = Signal(), Signal()
        m.d.comb += [
            skipped.eq(Mux(level != 0, jobs[0] != 0, loose != 0)),
            ready.eq((level != 0) & (jobs[0] == 0) & (done != 0)),
        ]
        shift, skip = Signal(), Signal()
        m.d.comb += [shift.eq(take & ready), skip.eq(take & skipped)]
        loose_now = loose - (skip & (level == 0))
        m.d.sync += loose.eq(Mux(complete, 0, loose_now) + broken)
        first = jobs[0] - (skip & (level != 0))
        after = [Mux(shift, b, a) for a, b in zip([first, *jobs[1:]], [*jobs[1:], 0], strict=True)]
        place = level - shift
        for n, job in enumerate(jobs):
            m.d.sync += job.eq(Mux(complete & (place == n), loose_now, after[n]))
        m.d.sync += [level.eq(place + complete), done.eq(done - shift + self.done)]

        return ready, skipped

    def _work(self, m: Module, complete: Signal, key: Value, read: Signal, crowded: Signal) -> None:
        """The array begins when it has ended the frame before, and a bank for outputs is free; `read` frees one."""
        m.submodules.keys = keys = Queue(1, JOBS)
        unread, waiting, work = Signal(range(JOBS + 1)), Signal(range(JOBS + 1)), Signal()
        m.d.comb += [
            keys.push.eq(complete),
            keys.value.eq(key),
            self.start.eq(keys.there & ~self.busy & (unread < BANKS)),
            keys.pop.eq(self.start),
            self.key.eq(keys.data),
            self.bank.eq(work),
        ]
        m.d.sync += [unread.eq(unread + self.done - read), work.eq(work ^ self.start)]

        # Both banks of samples are taken: one is worked on, the other one waits.
        m.d.sync += waiting.eq(waiting + self.ahead - self.done)
        m.d.comb += self.full.eq((waiting + self.ahead >= BANKS) | crowded)

    def _release(self, m: Module, queue: Queue, ready: Signal, skipped: Signal, take: Signal) -> Value:
        """Tokens leave the queue, and meet their outputs; returns when the last ones of a frame are read."""
        head, marks = queue.data, queue.data.marks
        begins, may, bare = Signal(), Signal(), Signal()
        rest = Signal(self.config.width)  # frame times of a token that are still to be said
        more = Signal()
        m.d.comb += [
            begins.eq(marks.sample & marks.frame),
            bare.eq(~(marks.sample | marks.abort | marks.open | marks.close)),
            more.eq(bare & (rest + 1 != head.code)),
            may.eq(queue.there & ~self.pause & (~begins | ready | skipped)),
            queue.pop.eq(may & ~more),
            take.eq(may & begins),
        ]
        with m.If(may):
            m.d.sync += rest.eq(Mux(more, rest + 1, 0))

        # Outputs are read from the bank of the job that is taken.
        bank, bank_now, whole, whole_now = Signal(init=1), Signal(), Signal(), Signal()
        m.d.comb += [bank_now.eq(bank ^ (take & ready)), whole_now.eq(Mux(take, ready, whole))]
        m.d.sync += [bank.eq(bank_now), whole.eq(whole_now)]
        m.submodules.places = places = Places(self.geometry)
        m.d.comb += [places.begin.eq(begins), places.step.eq(may & marks.sample)]
        m.d.sync += [self.get.bank.eq(bank_now), self.get.core.eq(places.core), self.get.slot.eq(places.slot)]
        valid, token = may, head
        for _ in range(1 + Network.GET_LATENCY):
            valid, token = delayed(m, valid), delayed(m, token)
        m.d.comb += [self.o.valid.eq(valid), self.o.payload.token.eq(token), self.o.payload.outputs.eq(self.outputs)]
        m.d.comb += self.idle.eq(~queue.there & ~queue.waits & ~self.busy & self.counted & ~valid)
        return may & marks.sample & whole_now & (head.channel == self.config.channels - 1)
