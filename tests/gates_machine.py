"""Microcode of the array for networks, run clock by clock in plain integers: a second opinion on programs.

Written from what `hw.mac`, `hw.sequencer` and `hw.geometry` say of words and their timing. Where gates would read what
has not landed, or lose what waits in a line, `AssertionError` is raised.
"""

from collections.abc import Sequence
from typing import Any

from hw.geometry import WEIGHT_BITS, WIDE_BITS, Floor, Geometry, Load, Source, Via
from hw.mac import LATENCY, RESULT_LATENCY
from hw.microcode import Program
from model.spec.packet import Links
from model.spec.wavelet import UNIT_BITS
from tests.gates_network import Sample

Word = dict[str, int]


def decode(layout: Any, words: Sequence[int]) -> list[Word]:
    """Members of words of microcode, as unsigned numbers but for the bias."""
    found = []
    for word in words:
        fields = {name: word >> field.offset & ((1 << field.width) - 1) for name, field in layout}
        if "bias" in fields:
            fields["bias"] = signed(fields["bias"], 32)
        found.append(fields)
    return found


def signed(bits: int, width: int) -> int:
    return bits - (bits >> (width - 1) << width)


def mask(size: int) -> int:
    return (1 << size) - 1


def limited(value: int, ones: int, floor: int = Floor.SYMMETRIC) -> int:
    greatest = (1 << ones) - 1
    return min(
        max(value, {Floor.ZERO: 0, Floor.SYMMETRIC: -greatest, Floor.FULL: -greatest - 1}[Floor(floor)]), greatest
    )


class Core:
    """Memory, sums, gain and pointer of one core."""

    def __init__(self, geometry: Geometry, constants: Any) -> None:
        self.memory = {(f, s): int(value) for f, row in enumerate(constants) for s, value in enumerate(row)}
        self.landing: dict[tuple[int, int], int] = {}  # the last clock in which a word is still on its way
        self.sums = [0] * geometry.multipliers
        self.gain = 0
        self.pointers: list[tuple[int, int]] = []  # (clock from which it is there, pointer)

    def read(self, clock: int, field: int, slot: int) -> int:
        assert self.landing.get((field, slot), -1) < clock, f"clock {clock}: field {field} of slot {slot} is on its way"
        return self.memory.get((field, slot), 0)

    def pointer(self, clock: int) -> int:
        since, value = self.pointers[-1]
        assert since <= clock, f"clock {clock}: the pointer is on its way"
        return value


class Machine:
    """An array with a program.

    Parameters
    ----------
    program : Program
    links : Links
    channels : int
    words : pair of list of int, optional
        In place of the program's own.
    """

    def __init__(
        self, program: Program, channels: int, links: Links = (), words: tuple[list[int], list[int]] | None = None
    ) -> None:
        self.geometry, self.channels = program.geometry, channels
        steps, results = words or program.words()
        self.steps, self.results = decode(self.geometry.step, steps), decode(self.geometry.result, results)
        constants = program.constants(links, channels)
        self.cores = [Core(self.geometry, part) for part in constants]
        self.frame = self.age = 0
        self.free = 0  # the first clock in which results may be complete: the line is empty
        self.written: dict[tuple[int, int], tuple[int, int]] = {}  # of a place, the frame and pass of its last write

    def run(self, samples: Sequence[Sample], key: bool) -> tuple[list[list[int]], int]:
        """A frame; its outputs and the clocks that it takes."""
        self.frame, self.age = self.frame + 1, 0 if key else self.age + 1
        self.outputs = [[0] * self.geometry.outputs for _ in samples]
        self.free, clock, begin, number = 0, 0, 0, 0
        for core in self.cores:
            core.landing = {}
            core.pointers = [(since - (1 << 40), value) for since, value in core.pointers]
        while True:
            for slot in range(self.geometry.slots):
                at = begin
                while True:
                    self._step(clock, self.steps[at], slot, samples, number)
                    clock, at = clock + 1, at + 1
                    if self.steps[at - 1]["end"]:
                        break
            last, begin, number = self.steps[at - 1], at, number + 1
            clock += self.geometry.drain if last["wait"] else 0
            if last["stop"]:
                break
        assert all(landing < clock for core in self.cores for landing in core.landing.values())
        return self.outputs, clock

    def _step(self, clock: int, step: Word, slot: int, samples: Sequence[Sample], number: int) -> None:
        counts = set()
        for n, core in enumerate(self.cores):
            channel = n * self.geometry.slots + slot
            there = channel < len(samples)
            sample = samples[channel] if there else Sample(0, 0, 0, (0,) * self.geometry.contexts)
            word = self._operand(clock, core, step, slot, sample, number)
            bits = [step["weights"] >> (WEIGHT_BITS * k) for k in range(len(core.sums))]
            weights = [signed(part & mask(WEIGHT_BITS), WEIGHT_BITS) for part in bits]
            if step["wide"]:
                weights[0] = signed(step["weights"] & mask(WIDE_BITS), WIDE_BITS)
            if step["gain"]:
                weights[0] = core.gain
            core.sums = [old + weight * word for old, weight in zip(core.sums, weights, strict=True)]
            if step["load"] == Load.GAIN:
                core.gain = word
            if step["last"]:
                counts.add(self._finish(clock, core, step, slot, channel if there else -1, number))
                core.sums = [0] * len(weights)
        if step["last"]:
            assert clock >= self.free, f"clock {clock}: results meet those before them"
            (count,) = counts
            self.free = clock + count

    def _operand(self, clock: int, core: Core, step: Word, slot: int, sample: Sample, number: int) -> int:
        source = step["source"]
        others = {Source.SIGNAL: sample.signal, Source.RESIDUAL: sample.residual}
        others |= {Source.MAGNITUDE: abs(sample.residual), Source.FIRST_CONTEXT: sample.contexts[0]}
        others |= {Source.SECOND_CONTEXT: sample.contexts[-1]}
        if source in others:
            assert not step["load"] and not step["via"]
            return others[Source(source)]
        field = step["base"] | (self.frame - step["lag"]) & mask(step["size"])
        if step["via"] == Via.PARTNER:
            pointer, bits = core.pointer(clock), self.geometry.slot_bits
            slot, field = pointer & mask(bits), field ^ (pointer >> bits & 1)
            assert self.written.get((field, slot)) != (self.frame, number), "a partner's word of the same pass"
        elif step["via"] == Via.LOOKUP:
            address = (field << self.geometry.slot_bits | slot) & ~0xFF | core.pointer(clock) & 0xFF
            field, slot = address >> self.geometry.slot_bits, address & mask(self.geometry.slot_bits)
        word = core.read(clock, field, slot)
        if step["load"] == Load.POINTER:
            core.pointers = [(clock + 2, word)]
        word = 0 if step["lag"] + step["late"] > self.age else word
        if source == Source.MEMORY:
            return word
        far = word - (sample.signal if source == Source.RELATIVE else 0)
        return limited(((far << UNIT_BITS) + (1 << sample.exponent >> 1)) >> sample.exponent, step["ones"])

    def _finish(self, clock: int, core: Core, step: Word, slot: int, channel: int, number: int) -> int:
        """Results of the sums that are complete; how many."""
        for count, result in enumerate(self.results[step["result"] :], 1):
            total = core.sums[count - 1] + result["bias"]
            assert -(1 << 31) <= total < 1 << 31, f"clock {clock}: a sum of more than 32 bits"
            value = limited(total >> result["shift"], result["ones"], result["floor"])
            if result["output"] and channel >= 0:
                self.outputs[channel][result["output"] - 1] = value
            if not result["output"]:
                place = result["base"] | self.frame & mask(result["size"]), slot
                core.memory[place] = value
                core.landing[place] = clock + LATENCY + RESULT_LATENCY + count - 1
                self.written[place] = self.frame, number
            if not result["more"]:
                core.sums = [0] * len(core.sums)
                return count
        raise AssertionError("results without an end")


def check_fields(program: Program) -> None:
    """Rings neither overlap each other nor what is loaded; every step reads one of them, or a word that is loaded."""
    geometry = program.geometry
    steps, results = (
        decode(layout, words) for layout, words in zip((geometry.step, geometry.result), program.words(), strict=True)
    )
    rings = {(r["base"], r["size"]) for r in results[: _used(program)] if not r["output"]}
    places = [field for base, size in rings for field in range(base, base + (1 << size))]
    assert len(places) == len(set(places)) and all(base & mask(size) == 0 for base, size in rings)
    assert all(geometry.loaded <= field < min(geometry.fields, program.fields) for field in places)
    assert max(places) == program.fields - 1
    for step in steps[: sum(map(len, program.passes))]:
        if step["source"] > Source.RELATIVE or step == steps[-1]:
            continue
        idle = not step["load"] and not step["weights"] and not step["gain"]
        if (step["base"], step["size"]) in rings:
            assert step["lag"] < 1 << step["size"]
        else:
            assert idle or (step["base"] < geometry.loaded and step["size"] == step["lag"] == 0)


def _used(program: Program) -> int:
    return sum(len(step.results) for steps in program.passes for step in steps)
