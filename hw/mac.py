"""A core of the array for networks: a memory, multipliers for one word of it, and what makes results of their sums."""

from functools import partial
from itertools import pairwise
from typing import Any, Final

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed
from hw.geometry import (
    CONTEXT,
    EXPONENT_BITS,
    POINTER_BITS,
    SUM,
    WEIGHT_BITS,
    WIDE_BITS,
    WORD,
    Floor,
    Geometry,
    Load,
    Source,
    Via,
)
from hw.memory import table
from hw.multiplier import Multiplier
from model.spec.network import OUTPUT
from model.spec.wavelet import UNIT_BITS

# A reset would have to reach every core in a clock. They need none: nothing is read before it is written, and the
# sequencer begins with nothing valid.
later: Final = partial(delayed, reset=False)
BARE: Final = {"reset_less": True}

FACTOR: Final = 4  # clocks from a step at `step` to its coefficients at `factor`
LATENCY: Final = FACTOR + 2  # clocks from a step at `step` to its sums
RESULT_LATENCY: Final = 3  # from a result at `result` to the clock in which it is written


def sample_layout(geometry: Geometry) -> data.StructLayout:
    """What a network is told of a channel's sample."""
    residual = {"residual": WORD} if geometry.residuals else {}
    contexts = data.ArrayLayout(CONTEXT, geometry.contexts)
    return data.StructLayout({"signal": WORD, **residual, "exponent": EXPONENT_BITS, "contexts": contexts})


def control_layout(geometry: Geometry) -> data.StructLayout:
    """What a step reads, with the field and its slot."""
    members = {name: geometry.step[name].shape for name in ("source", "via", "load", "ones")}
    return data.StructLayout(
        {"field": geometry.field_bits, "slot": geometry.slot_bits, "zero": 1, "bank": 1, **members}
    )


def factor_layout(geometry: Geometry) -> data.StructLayout:
    """What a step multiplies by."""
    members = {name: geometry.step[name].shape for name in ("wide", "gain", "last", "weights")}
    return data.StructLayout({"valid": 1, **members})


def drain_layout(geometry: Geometry) -> data.StructLayout:
    """A result of the next multiplier's sum: `take` begins with the first one."""
    result = geometry.result
    members = {name: result[name].shape for name in ("bias", "shift", "ones", "floor", "output")}
    place = {"field": geometry.field_bits, "slot": geometry.slot_bits, "bank": 1}
    return data.StructLayout({"valid": 1, **place, **members})


class Mac(wiring.Component):
    """One core.

    Parameters
    ----------
    geometry : hw.geometry.Geometry

    Members
    -------
    step : In, `control_layout`
        A step a clock; one that does nothing loads nothing.
    factor : In, `factor_layout`
        The same step `FACTOR` clocks later. Sums begin with the first `valid` one, or behind one that is `last`.
    drain : In, `drain_layout`
        Results: the first `LATENCY` clocks behind the step that is `last`, then one a clock.
    put : In
        Write a sample into `bank` and `slot` of those that have come in.
    get : In
        Outputs of `bank` and `slot` to be read.
    outputs : Out
        They, one clock later, in `model.spec.network.OUTPUT`.
    load : In
        Write a word of memory; only while nothing else happens.

    Latency
    -------
    A result can be read by a step `LATENCY + RESULT_LATENCY + 1` clocks behind the one that was `last`, that of the
    next multiplier a clock later.

    Throughput
    ----------
    A step a clock; `multipliers` multiply-adds.

    Model
    -----
    `model.codec.network`: `weigh`, `dense`, `lstm`, `mix`; `model.codec.wavelet`: `filter_all`, `gather`
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        slot = geometry.slot_bits
        super().__init__(
            {
                "step": In(control_layout(geometry)),
                "factor": In(factor_layout(geometry)),
                "drain": In(drain_layout(geometry)),
                "put": In(data.StructLayout({"write": 1, "bank": 1, "slot": slot, "sample": sample_layout(geometry)})),
                "get": In(data.StructLayout({"bank": 1, "slot": slot})),
                "outputs": Out(data.ArrayLayout(signed(OUTPUT.width), geometry.outputs)),
                "load": In(
                    data.StructLayout({"write": 1, "address": range(geometry.depth), "value": unsigned(WORD.width)})
                ),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        operand, gain = self._read(m, platform)
        self._results(m, self._multiply(m, operand, gain))
        return m

    def _read(self, m: Module, platform: Any) -> tuple[Signal, Signal]:
        """Clocks 1 to 4: the word, normalised if it is a feature; gain and pointer."""
        geometry, step = self.geometry, self.step
        m.submodules.memory = self.memory = table(WORD, geometry.depth)
        # On ECP5 block RAMs run short before all else.
        small = {"ram_style": "distributed"} if getattr(platform, "device", "").startswith("LFE5") else {}
        samples = Memory(shape=sample_layout(geometry), depth=2 << geometry.slot_bits, init=[], attrs=small)
        m.submodules.samples = samples
        read, newest = self.memory.read_port(), samples.read_port()
        put = samples.write_port()
        m.d.comb += [
            put.addr.eq(Cat(self.put.slot, self.put.bank)),
            put.data.eq(self.put.sample),
            put.en.eq(self.put.write),
            newest.addr.eq(Cat(step.slot, step.bank)),
        ]

        # Clock 1: the word is read.
        pointer = Signal(max(POINTER_BITS, geometry.slot_bits + 1), **BARE)
        address, slot_bits = Cat(step.slot, step.field), geometry.slot_bits
        other_frame = pointer[slot_bits] ^ step.field[0]
        partner = Cat(pointer[:slot_bits], other_frame, step.field[1:])
        lookup = Cat(pointer[:POINTER_BITS], address[POINTER_BITS:])
        with m.Switch(step.via):
            with m.Case(Via.PARTNER):
                m.d.comb += read.addr.eq(partner)
            with m.Case(Via.LOOKUP):
                m.d.comb += read.addr.eq(lookup)
            with m.Default():
                m.d.comb += read.addr.eq(address)
        step_1 = later(m, step)

        # Clock 2: what is multiplied, and for a feature its distance from the newest sample.
        sample, memory_word = newest.data, Signal(WORD)
        word, far = Signal(WORD), Signal(signed(WORD.width + 1), **BARE)
        m.d.comb += [memory_word.eq(Mux(step_1.zero, 0, read.data)), word.eq(memory_word)]
        with m.If(step_1.load == Load.POINTER):
            m.d.sync += pointer.eq(read.data)
        others: dict[Source, Value] = {Source.SIGNAL: sample.signal, Source.FIRST_CONTEXT: sample.contexts[0]}
        if geometry.residuals:
            residual = sample.residual
            others |= {Source.RESIDUAL: residual, Source.MAGNITUDE: Mux(residual < 0, -residual, residual)}
        if geometry.contexts > 1:
            others[Source.SECOND_CONTEXT] = sample.contexts[1]
        with m.Switch(step_1.source):
            for source, value in others.items():
                with m.Case(source):
                    m.d.comb += word.eq(value)
        m.d.sync += far.eq(memory_word - Mux(step_1.source == Source.RELATIVE, sample.signal, 0))
        word_2, exponent_2, step_2 = later(m, word), later(m, sample.exponent), later(m, step_1)

        # Clock 3: half a unit is added, for rounding.
        total = Signal(signed(WORD.width + 2 + UNIT_BITS), **BARE)
        m.d.sync += total.eq((far << UNIT_BITS) + (Const(1, 1 << 4) << exponent_2 >> 1))
        word_3, exponent_3, step_3 = later(m, word_2), later(m, exponent_2), later(m, step_2)

        # Clock 4: it is shifted and saturated.
        shifted, operand = Signal(total.shape()), Signal(WORD, **BARE)
        m.d.comb += shifted.eq(total >> exponent_3)
        feature = limited(m, shifted, step_3.ones)
        normal = (step_3.source == Source.FEATURE) | (step_3.source == Source.RELATIVE)
        m.d.sync += operand.eq(Mux(normal, feature, word_3))

        gain = Signal(WORD, **BARE)
        with m.If(later(m, step_3.load) == Load.GAIN):
            m.d.sync += gain.eq(operand)
        return operand, gain

    def _multiply(self, m: Module, operand: Signal, gain: Signal) -> list[Signal]:
        """Clocks 5 and 6: products, and their sums; returned as they will be after clock 6."""
        control, weights = self.factor, self.factor.weights
        clear = later(m, control.last | ~control.valid)
        out = []
        for n in range(self.geometry.multipliers):
            own = weights[n * WEIGHT_BITS : (n + 1) * WEIGHT_BITS].as_signed()
            coefficient = Signal(signed(WEIGHT_BITS), name=f"coefficient_{n}")
            if n == 0:
                coefficient = Signal(signed(WIDE_BITS), name="coefficient_0")
                m.d.comb += coefficient.eq(
                    Mux(control.gain, gain, Mux(control.wide, weights[:WIDE_BITS].as_signed(), own))
                )
            else:
                m.d.comb += coefficient.eq(own)
            product = Multiplier(WORD, coefficient.shape())
            m.submodules[f"product_{n}"] = product
            total, now = Signal(SUM, name=f"sum_{n}", **BARE), Signal(SUM, name=f"sum_{n}_now")
            m.d.comb += [
                product.a.eq(operand),
                product.b.eq(coefficient),
                now.eq(total + product.o),
            ]
            m.d.sync += total.eq(Mux(clear, 0, now))
            out.append(now)
        return out

    def _results(self, m: Module, sums: list[Signal]) -> None:
        """Sums wait in a line; one after the other is made a result and written."""
        geometry, drain = self.geometry, self.drain
        line = [Signal(SUM, name=f"line_{n}", **BARE) for n in range(len(sums))]
        with m.If(later(m, self.factor.last)):
            m.d.sync += [place.eq(now) for place, now in zip(line, sums, strict=True)]
        with m.Else():
            m.d.sync += [place.eq(after) for place, after in pairwise(line)]

        # Clock 1: bias. Clock 2: shift. Clock 3: saturated; then written.
        total, shifted, value = Signal(SUM, **BARE), Signal(SUM, **BARE), Signal(WORD, **BARE)
        drain_1 = later(m, drain)
        drain_2 = later(m, drain_1)
        m.d.sync += [
            total.eq(line[0] + drain.bias),
            shifted.eq(total >> drain_1.shift),
            value.eq(limited(m, shifted, drain_2.ones, drain_2.floor == Floor.ZERO, drain_2.floor == Floor.FULL)),
        ]
        drain_3 = later(m, drain_2)

        write, loading = self.memory.write_port(), self.load.write
        m.d.comb += [
            write.addr.eq(Mux(loading, self.load.address, Cat(drain_3.slot, drain_3.field))),
            write.data.eq(Mux(loading, self.load.value.as_signed(), value)),
            write.en.eq(loading | (drain_3.valid & (drain_3.output == 0))),
        ]
        for n in range(geometry.outputs):
            m.submodules[f"output_{n}"] = found = table(signed(OUTPUT.width), 2 << geometry.slot_bits)
            keep, recall = found.write_port(), found.read_port()
            m.d.comb += [
                keep.addr.eq(Cat(drain_3.slot, drain_3.bank)),
                keep.data.eq(value),
                keep.en.eq(drain_3.valid & (drain_3.output == n + 1)),
                recall.addr.eq(Cat(self.get.slot, self.get.bank)),
                self.outputs[n].eq(recall.data),
            ]


def limited(m: Module, value: Value, ones: Value, zero: Any = 0, full: Any = 0) -> Value:
    """A value saturated: at most `2**ones - 1`, at least as much below 0, or one more if `full`, or 0 if `zero`."""
    zero, full = Value.cast(zero)[0], Value.cast(full)[0]
    below = Signal(WORD.width - 1, name="below")  # bits of values that are in range
    m.d.comb += below.eq(Cat(ones > n for n in range(WORD.width - 1)))
    negative, within = value[-1], value[: WORD.width - 1]
    beyond = (value[:-1] ^ negative.replicate(len(value) - 1)) & ~Cat(below, Const(0, len(value) - WORD.width))
    least = Cat(~full, (~below)[1:], 1)
    under = negative & (beyond.any() | (~full & ~(within & below).any()))
    inside = Mux(negative & zero, 0, Mux(under, least, value[: WORD.width]))
    return Mux(~negative & beyond.any(), below, inside)[: WORD.width].as_signed()
