"""Reads the microcode of the array for networks: a step a clock for all cores, slot after slot, pass after pass."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed
from hw.geometry import Geometry, Load
from hw.load import VALUE_BITS
from hw.mac import FACTOR, control_layout, drain_layout, factor_layout
from hw.memory import table


def parts(width: int) -> int:
    """Words of 16 bits that a word of microcode is loaded by."""
    return -(-width // VALUE_BITS)


class Microcode(wiring.Component):
    """A memory of wide words, which is written 16 bits at a time, the lowest first, and read in two parts.

    Parameters
    ----------
    depth, width : int
    late : int
        Bits, the uppermost, that are read by an address of their own.

    Members
    -------
    address, enable : In
    data : Out
        The word, one clock later; its late bits are those of `late_address`.
    write, value : In
        The next part; with `begin`, the first one of the first word.
    """

    def __init__(self, depth: int, width: int, late: int = 0) -> None:
        self.depth, self.width, self.late = depth, width, late
        super().__init__(
            {
                "address": In(range(depth)),
                "late_address": In(range(depth)),
                "enable": In(1, init=1),
                "data": Out(width),
                "begin": In(1),
                "write": In(1),
                "value": In(VALUE_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        number = parts(self.width)
        part, at = Signal(range(number)), Signal(range(self.depth + 1))
        part_now, at_now = Mux(self.begin, 0, part), Mux(self.begin, 0, at)
        last = part_now == number - 1
        with m.If(self.write):
            m.d.sync += [at.eq(at_now + last), part.eq(Mux(last, 0, part_now + 1))]

        # A memory for each part that is loaded, and two for the one in which late bits begin.
        split = self.width - self.late
        for n in range(number):
            begin, end = n * VALUE_BITS, min((n + 1) * VALUE_BITS, self.width)
            for kind, low, high, address, enable in (
                ("early", begin, min(end, split), self.address, self.enable),
                ("late", max(begin, split), end, self.late_address, 1),
            ):
                if low >= high:
                    continue
                m.submodules[f"{kind}_{n}"] = memory = table(high - low, self.depth)
                write, read = memory.write_port(), memory.read_port()
                m.d.comb += [
                    write.addr.eq(at_now),
                    write.data.eq(self.value[low - begin :]),
                    write.en.eq(self.write & (part_now == n)),
                    read.addr.eq(address),
                    read.en.eq(enable),
                    self.data[low:high].eq(read.data),
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
    factor : Out, `hw.mac.factor_layout`
    drain : Out, `hw.mac.drain_layout`
    steps, results : In
        A part of a word of microcode to be written; `begin` with the first one.

    Latency
    -------
    As many clocks from `start` to `done` as `hw.microcode.Program.clocks` says.

    Throughput
    ----------
    A step a clock, but for passes that wait.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        part = data.StructLayout({"write": 1, "begin": 1, "value": VALUE_BITS})
        super().__init__(
            {
                **dict.fromkeys(("start", "key", "bank"), In(1)),
                "done": Out(1),
                "step": Out(control_layout(geometry)),
                "factor": Out(factor_layout(geometry)),
                "drain": Out(drain_layout(geometry)),
                "steps": In(part),
                "results": In(part),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        geometry, form = self.geometry, self.geometry.step
        m.submodules.steps = steps = Microcode(geometry.steps, form.size, geometry.late_bits)
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

        self._issue(m, word, slot, valid, frame, age, bank)
        late = self._factor(m, steps, word, at, slot, valid)
        self._drain(m, results, delayed(m, self.factor.last), late, frame, bank)
        return m

    def _issue(
        self, m: Module, word: Any, slot: Signal, valid: Signal, frame: Signal, age: Signal, bank: Signal
    ) -> None:
        """The step with its field goes to the cores."""
        geometry = self.geometry
        ring = Signal(geometry.field_bits)
        m.d.comb += ring.eq((frame - word.lag) & Cat(word.size > n for n in range(geometry.field_bits)))
        out = Signal(control_layout(geometry))
        for name in ("source", "via", "ones"):
            m.d.sync += getattr(out, name).eq(getattr(word, name))
        m.d.sync += [
            out.field.eq(word.base | ring),
            out.slot.eq(slot),
            out.zero.eq((word.lag + word.late) > age),
            out.bank.eq(bank),
            out.load.eq(Mux(valid, word.load, Load.NOTHING)),
        ]
        m.d.comb += self.step.eq(out)

    def _factor(self, m: Module, steps: Microcode, word: Any, at: Signal, slot: Signal, valid: Signal) -> Any:
        """What the cores need for the multiplication is read when they do.

        Returns where the results of a sum begin that is complete, and its slot.
        """
        geometry = self.geometry
        late = Signal(data.StructLayout({"at": range(geometry.steps), "slot": geometry.slot_bits, "valid": 1}))
        m.d.comb += [late.at.eq(at), late.slot.eq(slot), late.valid.eq(valid)]
        for _ in range(FACTOR - 1):
            late = delayed(m, late)
        m.d.comb += steps.late_address.eq(late.at)
        late = delayed(m, late)
        factor = self.factor
        m.d.sync += [getattr(factor, name).eq(getattr(word, name)) for name in ("wide", "gain", "weights")]
        m.d.sync += [factor.last.eq(late.valid & word.last), factor.valid.eq(late.valid)]
        complete = Signal(data.StructLayout({"result": range(geometry.results), "slot": geometry.slot_bits}))
        m.d.sync += [complete.result.eq(word.result), complete.slot.eq(late.slot)]
        return delayed(m, complete)

    def _drain(self, m: Module, results: Microcode, last: Signal, complete: Any, frame: Signal, bank: Signal) -> None:
        """Results, from the clock on in which the sums are complete."""
        geometry = self.geometry
        valid, at, slot = Signal(), Signal(range(geometry.results)), Signal(geometry.slot_bits)
        word = Signal(geometry.result)
        m.d.comb += [word.eq(results.data), results.address.eq(Mux(last, complete.result, at + 1))]
        m.d.sync += [at.eq(results.address), valid.eq(last | (valid & word.more))]
        with m.If(last):
            m.d.sync += slot.eq(complete.slot)
        out = self.drain
        m.d.comb += [
            out.valid.eq(valid),
            out.field.eq(word.base | (frame & Cat(word.size > n for n in range(geometry.field_bits)))),
            out.slot.eq(slot),
            out.bank.eq(bank),
            *(getattr(out, name).eq(getattr(word, name)) for name in ("bias", "shift", "ones", "floor", "output")),
        ]
