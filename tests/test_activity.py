"""Counting of switching activity, on designs of which every toggle is known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw import power
from hw.multiplier import Multiplier
from hw.netlist import Cell, Netlist
from verif import toolchain
from verif.activity import Watched
from verif.cells import ICE40, Cells
from verif.gates import FLIP_FLOP, Gates
from verif.play import reduced, stimulus


class Count(wiring.Component):
    """A counter of `width` bits."""

    def __init__(self, width: int) -> None:
        super().__init__({"o": Out(width)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.sync += self.o.eq(self.o + 1)
        return m


class Shift(wiring.Component):
    """A shift register, and a memory that is written with its end."""

    def __init__(self, length: int) -> None:
        self.length = length
        super().__init__({"i": In(1), "write": In(1), "at": In(8), "o": Out(length), "data": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.sync += self.o.eq((self.o << 1) | self.i)
        m.submodules.memory = memory = Memory(shape=1, depth=256, init=[])
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.addr.eq(self.at),
            write.data.eq(self.o[-1]),
            write.en.eq(self.write),
            read.addr.eq(self.at),
            self.data.eq(read.data),
        ]
        return m


class Product(wiring.Component):
    """The product of two inputs, in a hard multiplier."""

    def __init__(self) -> None:
        super().__init__({"a": In(16), "b": In(16), "o": Out(32)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.multiplier = multiplier = Multiplier(16, 16)
        m.d.comb += [multiplier.a.eq(self.a), multiplier.b.eq(self.b), self.o.eq(multiplier.o)]
        return m


class Busy(wiring.Component):
    """What the busy point of the model was measured on: two counters of 8 bits, multiplied, beside one of 24 bits."""

    def __init__(self) -> None:
        super().__init__({"o": Out(1), "product": Out(16)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        counter, a, b = Signal(24), Signal(8), Signal(8)
        m.d.sync += [counter.eq(counter + 1), a.eq(a + 3), b.eq(b + 5)]
        m.d.comb += [self.o.eq(counter[-1]), self.product.eq(a * b)]
        return m


def watched(design: wiring.Component, *gathered: str, cells: Cells = ICE40) -> Watched:
    netlist = rtlil.convert(design, name=toolchain.TOP, platform=cells.platform, emit_src=False)
    found = Watched(netlist, cells, gathered)
    found.play(stimulus(found.netlist, 2, rst=1), count=False)
    return found


def test_a_counter() -> None:
    found = watched(Count(10), "o")
    assert (found.play(stimulus(found.netlist, 2048)) == np.arange(2048) % 1024).all()
    activity = found.activity
    assert activity.clocks == 2048
    for place, bit in enumerate(found.netlist.outputs["o"]):
        assert isinstance(bit, int)
        assert activity.ones[bit] == 0.5
        assert activity.toggles[bit] == (2047 >> place) / 2048
    assert len(power.cell_outputs(found.netlist)) == 10


def test_a_shift_register_and_a_memory() -> None:
    rng = np.random.default_rng(3)
    clocks, length = 3000, 8
    data, write, at = rng.integers(0, 2, clocks), rng.random(clocks) < 0.3, rng.integers(0, 256, clocks)
    found = watched(Shift(length), "o", "data")
    outputs = found.play(stimulus(found.netlist, clocks, i=data, write=write, at=at))
    activity = found.activity
    for place, bit in enumerate(found.netlist.outputs["o"]):
        values = np.concatenate([np.zeros(place + 1, int), data])[:clocks]
        assert (outputs >> np.uint64(place) & np.uint64(1) == values).all()
        assert activity.toggles[bit] * clocks == np.abs(np.diff(values)).sum()
        assert round(activity.ones[bit] * clocks) == values.sum()
    memory, expected = np.zeros(256, int), np.zeros(clocks + 1, int)
    last = outputs >> np.uint64(length - 1) & np.uint64(1)
    for clock in range(clocks):
        expected[clock + 1] = memory[at[clock]]
        if write[clock]:
            memory[at[clock]] = last[clock]
    assert (outputs >> np.uint64(length) == expected[:-1]).all() and expected.any()
    (block, single) = power.memories(found.netlist, activity)
    assert (block.blocks, single.blocks) == (1, 0)
    assert block.reads == 1 and round(block.writes * clocks) == write.sum()


def test_a_multiplier_counts_once_a_clock() -> None:
    rng = np.random.default_rng(4)
    found = watched(Product(), "o")
    a, b = (np.repeat(rng.integers(1, 1 << 16, 500), 4) for _ in range(2))
    outputs = found.play(stimulus(found.netlist, 2000, a=a, b=b))
    assert (outputs[1:] == (a * b)[:-1].astype(np.uint64)).all()
    (multiplier,) = found.netlist.of("SB_MAC16")
    assert found.activity.together[multiplier.name] == 500 / 2000


def test_the_busy_point_of_the_model() -> None:
    # Optimised no more than gives about as many cells as were measured.
    plain = replace(ICE40, synthesis=f"synth_ice40 -device u -abc9 -top {toolchain.TOP}")
    found = watched(Busy(), cells=plain)
    found.play(stimulus(found.netlist, 1 << 16))
    outputs = power.cell_outputs(found.netlist)
    more, toggles = len(outputs) - 24, sum(found.activity.toggles[bit] for bit in outputs) - 2
    assert abs(more - (208 - 28)) < 20, "other cells than those that were measured"
    assert round(toggles / more, 2) == round(power.BUSY.toggles, 2)


def test_what_cannot_be_played_is_refused() -> None:
    found = watched(Count(3))
    with pytest.raises(ValueError, match="no clock was counted"):
        _ = found.activity
    with pytest.raises(ValueError, match="enable: no input of that name"):
        stimulus(found.netlist, 1, enable=1)
    with pytest.raises(ValueError, match="66 of outputs"):
        reduced(found.text, ["o"] * 22, [])


def test_two_clocks_are_refused() -> None:
    def flip_flop(clock: int, output: int) -> Cell:
        return Cell(f"f{output}", FLIP_FLOP, {}, {"C": [clock], "D": [2]}, {"Q": [output]})

    Gates(Netlist({"clk": [3]}, {}, [flip_flop(3, 5), flip_flop(3, 6)]), {})
    with pytest.raises(ValueError, match="2 clocks"):
        Gates(Netlist({"clk": [3]}, {}, [flip_flop(3, 5), flip_flop(4, 6)]), {})
