"""What a build measured: read from the tools' reports, written as `report.json` and as a table.

Figures are flat names (`logic_cells`, `fmax_mhz`, ...): `hw/budgets.json` sets limits by the same names.
"""

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from hw.array import Array
from model.spec.operating import DEFAULT_RATE

FLIP_FLOP: Final = "SB_DFF"  # how the names of all flip-flop cells of iCE40 begin
CLOCK_TOLERANCE: Final = 1e-3  # nextpnr keeps clock periods in whole picoseconds


class ReportError(ValueError):
    """A tool's report that cannot be understood; the message names the file and the field."""


@dataclass(frozen=True)
class Usage:
    """How much of a resource is used, and how much there is."""

    used: int
    available: int


@dataclass(frozen=True)
class Timing:
    """Speed of one place-and-route run.

    Parameters
    ----------
    seed : int
    nextpnr_mhz : float
    icetime_mhz : float or None
        None where icetime was not run.
    nextpnr_path, icetime_path : str or None
        The critical paths in a line: where from, where to, how many logic levels.
    multiplier_mhz : float or None
        Of the slowest path into a multiplier, with a multiplication at its end: icetime counts from the register behind
        it only. None where there is no multiplier, or the flow knows its delay.
    """

    seed: int
    nextpnr_mhz: float
    icetime_mhz: float | None
    nextpnr_path: str
    icetime_path: str | None
    multiplier_mhz: float | None = None

    @property
    def fmax_mhz(self) -> float:
        """The smallest: nextpnr-ice40 does not know the delays of multipliers and large memories."""
        known = (self.nextpnr_mhz, self.icetime_mhz, self.multiplier_mhz)
        return min(mhz for mhz in known if mhz is not None)


@dataclass
class Report:
    """One build's figures; frequencies are in MHz.

    `clock_setting` says how the clock is made, `fmax_judges` which tools judged the speed, `fmax_verified` whether they
    know the delays of all hard blocks. `latency_clocks` are from a packet's last sample to its first byte,
    `worst_latency_us` from its first sample to its last byte at most, `model.spec.operating.worst_latency`.
    """

    board: str
    device: str
    configuration: Mapping[str, Any]
    usage: Mapping[str, Usage]
    timings: Sequence[Timing]
    clock_mhz: float
    clock_setting: str
    fmax_judges: str
    fmax_verified: bool
    clocks_per_sample: int
    latency_clocks: int
    worst_latency_us: float
    clocks_per_frame: int
    tools: Mapping[str, str]
    clocks_per_packet: int = 0
    array: Array | None = None
    bitstream: Mapping[str, Any] | None = None
    violations: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def fmax_mhz(self) -> float:
        """The worst of all seeds."""
        return min(timing.fmax_mhz for timing in self.timings)

    @property
    def realtime_channels(self) -> int:
        """Channels of 19 531 Hz that such a core takes at the board's clock, or at its fastest if that is slower.

        With an array for networks, no more than it is built for.
        """
        frame = min(self.fmax_mhz, self.clock_mhz) * 1e6 / DEFAULT_RATE
        if self.array is not None:
            channels = self.configuration["channels"]
            if self.clocks_per_frame <= frame:
                return int(channels)
            return min(self.array.channels(frame), int(channels * frame / self.clocks_per_frame))
        return int((frame - self.clocks_per_packet / self.configuration["packet_frames"]) / self.clocks_per_sample)

    @property
    def latency_us(self) -> float:
        """`latency_clocks` at the board's clock."""
        return round(self.latency_clocks / self.clock_mhz, 1)

    def figures(self) -> dict[str, float]:
        """The figures that a budget can limit."""
        return {
            **{name: usage.used for name, usage in self.usage.items()},
            "fmax_mhz": self.fmax_mhz,
            "clocks_per_sample": self.clocks_per_sample,
            "clocks_per_frame": self.clocks_per_frame,
            "realtime_channels": self.realtime_channels,
            "latency_clocks": self.latency_clocks,
            "latency_us": self.latency_us,
            "worst_latency_us": self.worst_latency_us,
        }

    def to_json(self) -> str:
        """The content of `report.json`."""
        document = {
            "board": self.board,
            "device": self.device,
            "configuration": dict(self.configuration),
            "passed": not self.violations,
            "violations": self.violations,
            "warnings": self.warnings,
            **{name: vars(usage) for name, usage in self.usage.items()},
            "fmax_mhz": self.fmax_mhz,
            "fmax_verified": self.fmax_verified,
            "fmax_judges": self.fmax_judges,
            "clock_mhz": self.clock_mhz,
            "clock_setting": self.clock_setting,
            "array": self.array and self.array.describe(),
            "clocks_per_sample": self.clocks_per_sample,
            "clocks_per_frame": self.clocks_per_frame,
            "realtime_channels": self.realtime_channels,
            "latency_clocks": self.latency_clocks,
            "latency_us": self.latency_us,
            "worst_latency_us": self.worst_latency_us,
            "seeds": [{**vars(timing), "fmax_mhz": timing.fmax_mhz} for timing in self.timings],
            "bitstream": self.bitstream,
            "tools": dict(self.tools),
        }
        return json.dumps(document, indent=2) + "\n"

    def to_table(self) -> str:
        """The same for people."""
        shape = self.configuration
        table = Table(title=f"{self.board}: {shape['profile']}, {shape['channels']} channels of {shape['width']} bits")
        table.add_column("figure")
        table.add_column("value", justify="right")
        table.add_column("of", justify="right")
        for name, usage in self.usage.items():
            table.add_row(name.replace("_", " "), str(usage.used), str(usage.available))
        table.add_section()
        for timing in self.timings:
            icetime = "" if timing.icetime_mhz is None else f", icetime {timing.icetime_mhz:.2f}"
            into = "" if timing.multiplier_mhz is None else f", multipliers {timing.multiplier_mhz:.2f}"
            table.add_row(f"seed {timing.seed}", f"nextpnr {timing.nextpnr_mhz:.2f}{icetime}{into}", "MHz")
        table.add_row("worst Fmax", f"{self.fmax_mhz:.2f}" + ("" if self.fmax_verified else ", unverified"), "MHz")
        table.add_row("judged by", self.fmax_judges, "")
        table.add_row("clock", f"{self.clock_mhz:.2f}", "MHz")
        table.add_row("clock from", self.clock_setting, "")
        table.add_section()
        if self.array is not None:
            for name, value, unit in self.array.rows():
                table.add_row(name, value, unit)
            table.add_section()
        table.add_row("clocks per sample", str(self.clocks_per_sample), "")
        table.add_row("clocks per frame", str(self.clocks_per_frame), "at least")
        table.add_row("real-time channels", str(self.realtime_channels), f"at {DEFAULT_RATE} Hz")
        table.add_row("latency", f"{self.latency_clocks} clocks, {self.latency_us:g}", "us")
        table.add_row("worst latency of a sample", f"{self.worst_latency_us:g}", "us")
        text = io.StringIO()
        Console(file=text, width=100).print(table)
        for kind, lines in (("warning", self.warnings), ("over budget", self.violations)):
            text.writelines(f"{kind}: {line}\n" for line in lines)
        return text.getvalue()


def _at(document: Any, file: str, *keys: str) -> Any:
    for depth, key in enumerate(keys):
        if not isinstance(document, Mapping) or key not in document:
            raise ReportError(f"{file}: has no '{'.'.join(keys[: depth + 1])}'; is the tool's version the pinned one?")
        document = document[key]
    return document


def _load(file: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ReportError(f"{file}: is not JSON ({error}); build again") from None


def parse_utilisation(file: str, text: str, resources: Mapping[str, str]) -> dict[str, Usage]:
    """Usage of `resources` (figure -> nextpnr's name) from nextpnr's JSON report `text`; `file` is for messages."""
    found = _at(_load(file, text), file, "utilization")
    usage = {}
    for name, resource in resources.items():
        entry = _at(found, file, resource)
        usage[name] = Usage(_at(entry, file, "used"), _at(entry, file, "available"))
    return usage


def parse_flip_flops(file: str, text: str) -> int:
    """Flip-flops from the JSON of yosys' `stat`; those within the pins are not counted."""
    cells = _at(_load(file, text), file, "design", "num_cells_by_type")
    return sum(number for name, number in cells.items() if name.startswith(FLIP_FLOP))


def parse_nextpnr_timing(
    file: str, text: str, clock_mhz: float, reference_mhz: float | None = None
) -> tuple[float, str]:
    """Fmax (rounded down to 0.01 MHz, as precise as icetime) and critical path from nextpnr's JSON report.

    A clock at `reference_mhz` is what the core's is divided from, and must be fast enough for that only.

    Raises
    ------
    ReportError
        If a clock was not constrained to `clock_mhz`: the placer would have aimed at something else. If the reference
        is too fast for its divider.
    """
    document = _load(file, text)
    clocks = _at(document, file, "fmax")
    slowest: tuple[float, str] | None = None
    for name in clocks:
        constraint, achieved = (_at(clocks, file, name, key) for key in ("constraint", "achieved"))
        if reference_mhz is not None and _near(constraint, reference_mhz):
            if achieved < constraint:
                raise ReportError(f"{file}: clock '{name}' reaches {achieved:.3f} MHz of {reference_mhz} MHz")
        elif _near(constraint, clock_mhz):
            slowest = min(slowest or (achieved, name), (achieved, name))
        else:
            raise ReportError(f"{file}: clock '{name}' is constrained to {constraint:.3f} MHz, not to {clock_mhz} MHz")
    if slowest is None:
        raise ReportError(f"{file}: 'fmax' names no clock; the design has no registers")
    achieved, name = slowest
    for path in _at(document, file, "critical_paths"):
        if {path["from"].split()[-1], path["to"].split()[-1]} == {name}:  # "posedge clk", "negedge clk"
            steps = path["path"]
            levels = sum(step["type"] == "logic" for step in steps)
            line = f"{steps[0]['from']['cell']} -> {steps[-1]['to']['cell']}, {levels} logic levels"
            return int(achieved * 100) / 100, line
    raise ReportError(f"{file}: 'critical_paths' has none for clock '{name}'")


def _near(mhz: float, wanted: float) -> bool:
    return abs(mhz - wanted) <= wanted * CLOCK_TOLERANCE


def parse_latest_arrival(file: str, text: str, suffix: str) -> float | None:
    """When the last signal arrives at a cell whose name ends so, in ns, from nextpnr's detailed report `text`.

    None if there is no such cell.
    """
    nets = _at(_load(file, text), file, "detailed_net_timings")
    endpoints = (endpoint for net in nets for endpoint in net["endpoints"])
    return max((max(e["delay"]) for e in endpoints if e["cell"].endswith(suffix)), default=None)


def parse_icetime(file: str, text: str) -> tuple[float, str]:
    """Fmax and critical path from icetime's report."""
    total = re.search(r"^Total path delay: [\d.]+ ns \(([\d.]+) MHz\)$", text, re.M)
    levels = re.search(r"^Total number of logic levels: (\d+)$", text, re.M)
    nets = re.findall(r"^ *[\d.]+ ns net_\d+ \((.*)\)$", text, re.M)
    if not total or not levels or not nets:
        raise ReportError(f"{file}: no 'Total path delay', 'logic levels' or nets in it; is icetime's version another?")
    return float(total[1]), f"{nets[0]} -> {nets[-1]}, {levels[1]} logic levels"
