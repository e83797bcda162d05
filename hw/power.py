"""Power of a netlist of iCE40UP5K cells: a model from a third party's measurements, scaled by counted activity.

The measurements are those that tinyVision.ai published (github.com/tinyvision-ai-inc/ice40_power): currents of the core
supply, on Lattice's breakout board. They give what a clocked device draws, a cell of a counter, a cell of a multiplier
built of cells, and a hard multiplier. What a cell draws is taken as proportional to how often its output toggles, and
the two designs disagree on the factor: a counter's cells draw 0.17 uA/MHz for a toggle a clock, those of busy
arithmetic 0.49, because there glitches, which are not counted here, come with every toggle. So there is a range.

- low: every toggle costs what it costs in the counter;
- high: every toggle costs what it costs in the busy arithmetic;
- middle: a cell's current lies on the line through both designs, at the mean activity of the cells, within the range.

A hard multiplier draws its full current in the clocks in which its output changes (low, middle), or in all (high).
Memories are not in the measurements, nor is anything outside of the core: pins, oscillator, PLL.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np

from hw.netlist import Activity, Netlist

METHOD: Final = "model from third-party measurements, activity of the synthesised netlist"
VOLTS: Final = 1.2
STATIC_UA: Final = 86.0  # blank design
CLOCK_UA_PER_MHZ: Final = 44.0  # a small design, clocked
MULTIPLIER_UA_PER_MHZ: Final = 19.0  # two counters multiplied, all clocks


@dataclass(frozen=True)
class Point:
    """What a cell of a measured design draws, in uA/MHz, and how often its output toggles, a clock."""

    cell_ua_per_mhz: float
    toggles: float


COUNTER: Final = Point(0.012, 2 / 28)  # counters of 28 bits: known without simulation
# 8-bit counters that add 3 and 5, their product in cells: what the product and they add to a 24-bit counter. The
# toggles are those of such a design, synthesised and simulated; a test holds the number to it.
BUSY: Final = Point(0.16, 0.325)


@dataclass(frozen=True)
class Range:
    """An estimate with its bounds."""

    low: float
    middle: float
    high: float

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.middle + other.middle, self.high + other.high)

    def __mul__(self, factor: float) -> "Range":
        return Range(self.low * factor, self.middle * factor, self.high * factor)


@dataclass(frozen=True)
class Memories:
    """Memory blocks of a kind.

    Parameters
    ----------
    kind : str
    blocks : int
    reads, writes : float
        Blocks that are read, written, in a clock; the mean.
    """

    kind: str
    blocks: int
    reads: float
    writes: float


@dataclass(frozen=True)
class Estimate:
    """Power of the core supply without memories, in mW.

    Parameters
    ----------
    cells : int
        Logic cells before placement.
    flip_flops, multipliers : int
    toggles : float
        Of a cell's output a clock, the mean.
    multiplying : float
        Multipliers whose output changes in a clock, the mean.
    static, clock : float
    logic, hard : Range
        Logic cells and multipliers.
    """

    cells: int
    flip_flops: int
    multipliers: int
    toggles: float
    multiplying: float
    static: float
    clock: float
    logic: Range
    hard: Range

    @property
    def total(self) -> Range:
        """All of it."""
        base = self.static + self.clock
        return Range(base, base, base) + self.logic + self.hard


def cell_outputs(netlist: Netlist) -> list[int]:
    """The nets that leave logic cells, one a cell: a LUT whose only load is a flip-flop shares the cell with it."""
    loads = Counter(
        bit
        for bits in [*netlist.outputs.values(), *(bits for cell in netlist.cells for bits in cell.inputs.values())]
        for bit in bits
    )
    flip_flops = netlist.of("SB_DFF")
    inside = {bit for cell in flip_flops for bit in cell.inputs["D"] if loads[bit] == 1}
    luts = [bit for cell in netlist.of("SB_LUT4") for bit in cell.driven if bit not in inside]
    return luts + [bit for cell in flip_flops for bit in cell.driven]


def cell_current(toggles: float) -> Range:
    """What a logic cell draws, in uA/MHz, by its output's toggles a clock."""
    low, high = (point.cell_ua_per_mhz / point.toggles * toggles for point in (COUNTER, BUSY))
    slope = (BUSY.cell_ua_per_mhz - COUNTER.cell_ua_per_mhz) / (BUSY.toggles - COUNTER.toggles)
    line = COUNTER.cell_ua_per_mhz + slope * (toggles - COUNTER.toggles)
    return Range(low, float(np.clip(line, low, high)), high)


def estimate(netlist: Netlist, activity: Activity, clock_mhz: float) -> Estimate:
    """Power of a netlist of iCE40 cells at that clock."""
    outputs = cell_outputs(netlist)
    multipliers = netlist.of("SB_MAC16")
    multiplying = sum(activity.together[cell.name] for cell in multipliers)
    toggles = activity.mean(outputs)
    mw_per_ua = VOLTS / 1e3
    each = MULTIPLIER_UA_PER_MHZ * clock_mhz * mw_per_ua
    return Estimate(
        cells=len(outputs),
        flip_flops=len(netlist.of("SB_DFF")),
        multipliers=len(multipliers),
        toggles=toggles,
        multiplying=multiplying,
        static=STATIC_UA * mw_per_ua,
        clock=CLOCK_UA_PER_MHZ * clock_mhz * mw_per_ua,
        logic=cell_current(toggles) * (len(outputs) * clock_mhz * mw_per_ua),
        hard=Range(each * multiplying, each * multiplying, each * len(multipliers)),
    )


def memories(netlist: Netlist, activity: Activity) -> list[Memories]:
    """Block RAMs and single-port RAMs, and how often they are used."""

    def shares(cell_type: str, *ports: str) -> list[float]:
        # The smallest share is exact where all enables but one are constant, as here.
        return [min(activity.high(cell.inputs[port][0]) for port in ports) for cell in netlist.of(cell_type)]

    block, single = "SB_RAM40_4K", "SB_SPRAM256KA"
    # A write enable is given with a chip select only (`hw.memory.SinglePortRam`).
    selected, writing = sum(shares(single, "CHIPSELECT")), sum(shares(single, "WREN"))
    reading, written = sum(shares(block, "RE", "RCLKE")), sum(shares(block, "WE", "WCLKE"))
    return [
        Memories("block RAM", len(netlist.of(block)), reading, written),
        Memories("single-port RAM", len(netlist.of(single)), selected - writing, writing),
    ]
