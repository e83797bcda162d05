"""What turns a design into cells whose nets can be watched: those of iCE40, and those of a Liberty library."""

from dataclasses import dataclass
from pathlib import Path

from hw import asic
from hw.ice40 import Ice40
from verif.toolchain import TOP


class Up5k:
    """Stands for the device where a component asks for one: multipliers and single-port RAMs are its own."""

    device = "iCE40UP5K"


RAM = Path(__file__).with_name("ice40_ram.v")


@dataclass(frozen=True)
class Cells:
    """How a design becomes cells, and what these do.

    Parameters
    ----------
    name : str
        Begins the names of folders.
    synthesis : str
        Yosys commands from RTLIL to a flat module of cells.
    behaviour : str
        Yosys commands that read what the cells do, for simulation.
    files : dict of str to str
        Text files that both need, by name.
    platform : Up5k, optional
        What the design is elaborated for.
    """

    name: str
    synthesis: str
    behaviour: str
    files: dict[str, str]
    platform: Up5k | None = None


ICE40 = Cells(
    "power-ice40",
    f"{Ice40.SYNTHESIS} -top {TOP}",
    f"read_verilog -defer -D ICE40_U +/ice40/cells_sim.v; read_verilog {RAM.name}",
    {RAM.name: RAM.read_text()},
    Up5k(),
)


def library(path: Path) -> Cells:
    """The flow onto the cells of a Liberty file."""
    return Cells(
        "power-asic",
        asic.mapping(TOP),
        f"read_liberty -ignore_miss_func {asic.LIBRARY}",
        {asic.LIBRARY: path.read_text(), asic.CONSTRAINTS: asic.LOAD},
    )
