"""Reads the microcode of the array for networks: a step a clock for all cores, slot after slot, pass after pass."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed
from hw.geometry import Geometry, Load
from hw.load import VALUE_BITS
from hw.mac import LATENCY, control_layout, drain_layout
from hw.memory import table


def parts(width: int) -> int:
    """Words of 16 bits that a word of microcode is loaded by."""
    return -(-width // VALUE_BITS)


class Microcode(wiring.Component):
    """A memory of wide words, which is written 16 bits at a time, the lowest first.

    Parameters
    ----------
    depth, width : int

    Members
    -------
    address, enable : In
    data : Out
        The word, one clock later.
    write, value : In
        The next part; with `begin`, the first one of the first word.
    """

    def __init__(self, depth: int, width: int) -> None:
        self.depth, self.width = depth, width
        self.parts = parts(width)
        super().__init__(
            {
                "address": In(range(depth)),
                "enable": In(1, init=1),
                "data": Out(width),
                "begin": In(1),
                "write": In(1),
                "value": In(VALUE_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = table(self.width, self.depth)
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [read.addr.eq(self.address), read.en.eq(self.enable), self.data.eq(read.data)]

        waiting = Signal(max(1, (self.parts - 1) * VALUE_BITS))  # parts before this one, the first lowest
        part, at = Signal(range(self.parts)), Signal(range(self.depth + 1))
        last = (part == self.parts - 1) & ~self.begin if self.parts > 1 else 1
        at_now = Mux(self.begin, 0, at)
        m.d.comb += [
            write.addr.eq(at_now),
            write.data.eq(Cat(waiting, self.value) if self.parts > 1 else self.value),
            write.en.eq(self.write & last),
        ]
        with m.If(self.write):
            m.d.sync += [
                at.eq(at_now + last),
                part.eq(Mux(last, 0, Mux(self.begin, 0, part) + 1)),
                waiting.eq(Cat(waiting, self.value)[VALUE_BITS:]),
            ]
        return m


class Sequencer(wiring.Component):
    """Steps and results for all cores.

    Parameters
    ----------
    geometry : hw.geometry.Geometry

    Members
    -------
    start : In
        Run the program; only while it does not run.
    key : In
        With it: it is the first frame of a key packet.
    bank : In
        With it: where this frame's samples are, and its outputs go.
    done : Out
        All results of the program are written.
    step : Out, `hw.mac.control_layout`
    drain : Out, `hw.mac.drain_layout`
    steps, results : In
        A part of a word of microcode to be written; `begin` with the first one.

    Latency
    -------
    As many clocks from `start` to `done` as `hw.microcode.Program.clocks` says.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        part = data.StructLayout({"write": 1, "begin": 1, "value": VALUE_BITS})
        super().__init__(
            {
                **dict.fromkeys(("start", "key", "bank"), In(1)),
                "done": Out(1),
                "step": Out(control_layout(geometry)),
                "drain": Out(drain_layout(geometry)),
                "steps": In(part),
                "results": In(part),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        geometry, form = self.geometry, self.geometry.step
        m.submodules.steps = steps = Microcode(geometry.steps, form.size)
        m.submodules.results = results = Microcode(geometry.results, geometry.result.size)
        for memory, port in ((steps, self.steps), (results, self.results)):
            m.d.comb += [memory.write.eq(port.write), memory.begin.eq(port.begin), memory.value.eq(port.value)]

        # The frame's number places the newest words of the rings; words older than the key packet are taken as 0.
        frame, age, bank = Signal(geometry.field_bits), Signal(geometry.field_bits), Signal()
        with m.If(self.start):
            m.d.sync += [frame.eq(frame + 1), bank.eq(self.bank), age.eq(Mux(age.all(), age, age + 1))]
            with m.If(self.key):
                m.d.sync += age.eq(0)

        word, at, begin = Signal(form), Signal(range(geometry.steps)), Signal(range(geometry.steps))
        slot, following, left = Signal(geometry.slot_bits), Signal(range(geometry.steps)), Signal(range(geometry.drain))
        valid, last_slot = Signal(), Signal()
        m.d.comb += [
            word.eq(steps.data),
            last_slot.eq(slot == geometry.slots - 1),
            following.eq(Mux(word.end & ~last_slot, begin, at + 1)),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += steps.address.eq(0)
                m.d.sync += [at.eq(0), begin.eq(0), slot.eq(0)]
                with m.If(self.start):
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += [valid.eq(1), steps.address.eq(following)]
                m.d.sync += [at.eq(following), left.eq(geometry.drain - 1)]
                with m.If(word.end):
                    m.d.sync += slot.eq(Mux(last_slot, 0, slot + 1))
                    with m.If(last_slot):
                        m.d.sync += begin.eq(following)
                        with m.If(word.stop):
                            m.next = "STOP"
                        with m.Elif(word.wait):
                            m.next = "WAIT"
            for state in ("WAIT", "STOP"):
                with m.State(state):
                    m.d.comb += steps.enable.eq(0)
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        if state == "STOP":
                            m.d.comb += self.done.eq(1)
                        m.next = "RUN" if state == "WAIT" else "IDLE"

        # The step with its field goes to the cores.
        ring = Signal(geometry.field_bits)
        m.d.comb += ring.eq((frame - word.lag) & Cat(word.size > n for n in range(geometry.field_bits)))
        out = Signal(control_layout(geometry))
        for name in ("source", "via", "ones", "wide", "gain", "first", "weights"):
            m.d.sync += getattr(out, name).eq(getattr(word, name))
        m.d.sync += [
            out.field.eq(word.base | ring),
            out.slot.eq(slot),
            out.zero.eq((word.lag + word.late) > age),
            out.bank.eq(bank),
            out.load.eq(Mux(valid, word.load, Load.NOTHING)),
            out.last.eq(valid & word.last),
        ]
        m.d.comb += self.step.eq(out)
        self._drain(m, results, delayed(m, word.result), out, frame, bank)
        return m

    def _drain(self, m: Module, results: Microcode, result: Signal, step: Any, frame: Signal, bank: Signal) -> None:
        """Results, from when the sums are complete."""
        geometry = self.geometry
        begin = data.StructLayout({"last": 1, "result": range(geometry.results), "slot": geometry.slot_bits})
        complete = Signal(begin)
        m.d.comb += [complete.last.eq(step.last), complete.result.eq(result), complete.slot.eq(step.slot)]
        for _ in range(LATENCY - 1):
            complete = delayed(m, complete)
        valid, at, slot = Signal(), Signal(range(geometry.results)), Signal(geometry.slot_bits)
        word = Signal(geometry.result)
        m.d.comb += [word.eq(results.data), results.address.eq(Mux(complete.last, complete.result, at + 1))]
        m.d.sync += [at.eq(results.address), valid.eq(complete.last | (valid & word.more))]
        with m.If(complete.last):
            m.d.sync += slot.eq(complete.slot)
        out = self.drain
        m.d.comb += [
            out.valid.eq(valid),
            out.field.eq(word.base | (frame & Cat(word.size > n for n in range(geometry.field_bits)))),
            out.slot.eq(slot),
            out.bank.eq(bank),
            *(getattr(out, name).eq(getattr(word, name)) for name in ("bias", "shift", "ones", "floor", "output")),
        ]
