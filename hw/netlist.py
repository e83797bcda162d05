"""Netlists as Yosys writes them in JSON: cells and the nets between them, and how often each net switches."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

Bit = int | str  # a net of one bit; a string is a constant

MEMORY: Final = "$mem_v2"


@dataclass(frozen=True)
class Cell:
    """A cell and the nets at its pins.

    Parameters
    ----------
    name, type : str
    parameters : dict
        As Yosys gives them: numbers as strings of binary digits.
    inputs, outputs : dict of str to list of Bit
        Nets at each port, the lowest bit first.
    """

    name: str
    type: str
    parameters: dict[str, str]
    inputs: dict[str, list[Bit]]
    outputs: dict[str, list[Bit]]

    def number(self, parameter: str) -> int:
        """The value of a parameter."""
        return int(self.parameters[parameter], 2)

    @property
    def driven(self) -> Iterator[int]:
        """Nets that it drives."""
        return (bit for bits in self.outputs.values() for bit in bits if isinstance(bit, int))


@dataclass(frozen=True)
class Netlist:
    """A flat module.

    Parameters
    ----------
    inputs, outputs : dict of str to list of Bit
        Its ports.
    cells : list of Cell
    """

    inputs: dict[str, list[Bit]]
    outputs: dict[str, list[Bit]]
    cells: list[Cell]

    def of(self, *types: str) -> list[Cell]:
        """Cells whose type begins with one of `types`."""
        return [cell for cell in self.cells if cell.type.startswith(types)]


@dataclass(frozen=True)
class Activity:
    """What the nets of a netlist did while it was simulated.

    Parameters
    ----------
    clocks : int
        Counted.
    toggles : dict of int to float
        Net -> changes of its settled value a clock, 0 to 1: a clock that toggles twice a period is not among them.
    ones : dict of int to float
        Net -> share of the clocks in which it is high.
    together : dict of str to float
        Cell of many outputs -> share of the clocks in which any of them changes.
    """

    clocks: int
    toggles: dict[int, float]
    ones: dict[int, float]
    together: dict[str, float]

    def mean(self, bits: list[int]) -> float:
        """Toggles a clock of a net, the mean of `bits`; 0 if there are none."""
        return sum(self.toggles[bit] for bit in bits) / len(bits) if bits else 0.0

    def high(self, bit: Bit) -> float:
        """Share of the clocks in which a net or a constant is high."""
        return self.ones[bit] if isinstance(bit, int) else float(bit == "1")


def module(text: str, top: str) -> dict[str, Any]:
    """The module `top` of what `write_json` wrote, without notes on its sources (`$scopeinfo`)."""
    found: dict[str, Any] = json.loads(text)["modules"][top]
    found["cells"] = {name: cell for name, cell in found["cells"].items() if cell["type"] != "$scopeinfo"}
    return found


def parse(text: str, top: str) -> Netlist:
    """Read a netlist that `write_json` wrote; ports of its cells must be known to Yosys."""
    found = module(text, top)
    sides = {
        side: {name: port["bits"] for name, port in found["ports"].items() if port["direction"] == side}
        for side in ("input", "output")
    }
    cells = []
    for name, cell in found["cells"].items():
        pins: dict[str, dict[str, list[Bit]]] = {"input": {}, "output": {}}
        for port, bits in cell["connections"].items():
            pins[cell["port_directions"][port]][port] = bits
        cells.append(Cell(name, cell["type"], cell["parameters"], pins["input"], pins["output"]))
    return Netlist(sides["input"], sides["output"], cells)
