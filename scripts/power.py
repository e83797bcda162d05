"""Power of the cores: on iCE40UP5K by a model, on standard cells by OpenSTA; both with activity counted in simulation.

    python -m scripts.power [DIR] [--profile NAME] [--channels N] [--clock MHZ] [--liberty FILE]
        [--json FILE] [--page FILE]

Without a choice, all of `BUILDS`. Each build is synthesised twice, to cells of iCE40UP5K and to those of a Liberty
file; both netlists are simulated with recordings laid side by side, frames coming as often as in real time, and the
bytes that leave are compared with the codec's. What the figures are, and are not, stands in `docs/power.md`.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from amaranth.back import rtlil

from hw import asic, power
from hw.array import neighbours
from hw.geometry import Geometry
from hw.tools import ToolError
from model.bench import stream
from model.codec.compressor import encode
from model.formats.codes import LATTICE_WIDTH
from model.recordings import default_recordings, wav_files
from model.spec import operating
from scripts.document import show
from verif import toolchain
from verif.activity import Watched
from verif.cells import ICE40, Cells, library
from verif.design import Design
from verif.play import stimulus

SKIPPED: Final = 30  # frames before counting begins
COUNTED: Final = 60  # frames that count
RESET: Final = 4  # clocks
OUTPUTS: Final = ("m_axis_tdata", "m_axis_tvalid")
LOADING: Final = ("p_axis_tready", "loaded")  # more of them, of a core that takes a parameter set
PATIENCE: Final = 100  # clocks that a word of a set may have to wait
GATES: Final = "OpenSTA, pre-layout, activity of the mapped netlist"


class PowerError(ValueError):
    """A simulation whose bytes are not the codec's: nothing can be said of its activity."""


@dataclass(frozen=True)
class Build:
    """A core at an operating point, with a clock in Hz; of a neural profile, its array and the set that it runs."""

    profile: str
    channels: int
    clock: int
    rate: int = operating.DEFAULT_RATE
    geometry: Geometry | None = None
    shipped: str = ""

    @property
    def name(self) -> str:
        """How tables call it."""
        return f"`{self.shipped or self.profile}`, {self.channels} channels, {self.clock / 1e6:g} MHz"

    @property
    def on_ice40(self) -> bool:
        """Whether it is a build for iCE40UP5K."""
        return self.clock <= operating.LINK_BYTES

    @property
    def design(self) -> Design:
        """Its design: live, the link as fast as the clock; channels of a neural profile are linked."""
        links = neighbours(self.channels, self.geometry.slots) if self.geometry else ()
        config = operating.live(self.profile, self.channels, LATTICE_WIDTH, self.rate, self.clock, links=links)
        return Design(config, geometry=self.geometry, named=self.shipped)

    @property
    def frame_clocks(self) -> int:
        """Clocks from frame to frame."""
        return self.clock // self.rate

    def nanojoules(self, milliwatts: float) -> float:
        """Energy of a sample."""
        return milliwatts * 1e6 / (self.channels * self.rate)


BUILDS: Final = (
    *(
        Build(profile, channels, clock)
        for profile in ("calibrated", "tiny")
        for channels, clock in ((1024, operating.LINK_BYTES), (256, 6_000_000))
    ),
    Build("spikey", 11, operating.LINK_BYTES, geometry=Geometry(4, 1, 11, 128, 128, 64, 16), shipped="spikey-slim"),
    Build("spikey", 16, 62_500_000, geometry=Geometry(4, 1, 16, 256, 256, 64, 4)),
    Build("full", 8, 50_000_000, geometry=Geometry(8, 1, 8, 1024, 256, 128, 4, 3, 2, residuals=True)),
)


def bit(outputs: np.ndarray, place: int) -> np.ndarray:
    """A bit of gathered outputs."""
    return (outputs >> np.uint64(place)) & np.uint64(1) == 1


def prepare(watched: Watched, design: Design) -> None:
    """Reset the core, and load its parameter set; raises `PowerError` if it does not take it."""
    netlist = watched.netlist
    watched.play(stimulus(netlist, RESET, rst=1), count=False)
    if design.parameters is None:
        return
    ready, loaded = 9, 10
    for number, value in enumerate(design.image(design.parameters).tolist()):
        offer = stimulus(netlist, 1, p_axis_tdata=value, p_axis_tvalid=1, p_axis_tuser=number == 0)
        if not any(bit(watched.play(offer, count=False), ready)[0] for _ in range(PATIENCE)):
            raise PowerError(f"the netlist does not take word {number} of the parameter set")
    if not bit(watched.play(stimulus(netlist, PATIENCE), count=False), loaded)[-1]:
        raise PowerError("the netlist refuses the parameter set")


def words(watched: Watched, design: Design, codes: np.ndarray, frame_clocks: int) -> np.ndarray:
    """Words that offer frames, samples back to back from each frame's beginning.

    Between samples `tdata` keeps its value: a converter's output does not move without reason.
    """
    netlist = watched.netlist
    frames, channels = codes.shape
    if channels * design.spacing > frame_clocks:
        raise PowerError(f"--clock: {frame_clocks} clocks a frame are too few for {channels} channels; give more MHz")
    at = np.arange(frame_clocks)
    channel = np.minimum(at // design.spacing, channels - 1)
    valid = (at % design.spacing == 0) & (at < channels * design.spacing)
    return stimulus(
        netlist,
        frames * frame_clocks,
        enable=1,
        m_axis_tready=1,
        s_axis_tdata=codes[:, channel].ravel(),
        s_axis_tvalid=np.tile(valid, frames),
        s_axis_tuser=np.tile(valid & (at == 0), frames),
    )


def handed(outputs: np.ndarray) -> bytes:
    """Bytes that left, from `OUTPUTS`."""
    return outputs[bit(outputs, 8)].astype(np.uint8).tobytes()


def watch(build: Build, cells: Cells, codes: np.ndarray) -> Watched:
    """The synthesised build after `codes` have gone through it.

    Raises
    ------
    PowerError
        If its bytes are not the codec's.
    """
    design = build.design
    outputs = (*OUTPUTS, *(LOADING if design.parameters is not None else ()))
    netlist = rtlil.convert(design.core(), name=toolchain.TOP, platform=cells.platform, emit_src=False)
    watched = Watched(netlist, cells, outputs)
    prepare(watched, design)
    offered = words(watched, design, codes, build.frame_clocks)
    begin = SKIPPED * build.frame_clocks
    got = [watched.play(offered[:begin], count=False), watched.play(offered[begin:])]
    got.append(watched.play(stimulus(watched.netlist, design.drain_clocks, m_axis_tready=1), count=False))
    expected = encode(codes, design.config, parameters=design.parameters)
    if handed(np.concatenate(got)) != expected:
        raise PowerError(f"{build.name}: {cells.name}: the netlist's bytes are not the codec's")
    return watched


def measure(build: Build, codes: np.ndarray, liberty: Path) -> dict[str, Any]:
    """All figures of a build."""
    found: dict[str, Any] = {}
    mhz, cells = build.clock / 1e6, library(liberty)
    if build.on_ice40:
        on_ice40 = watch(build, ICE40, codes)
        found["ice40"] = power.estimate(on_ice40.netlist, on_ice40.activity, mhz)
        found["ice40_memories"] = power.memories(on_ice40.netlist, on_ice40.activity)
    on_cells = watch(build, cells, codes)
    with tempfile.TemporaryDirectory() as work:
        mapped = asic.analyse(
            on_cells.text,
            on_cells.activity,
            cells.files[asic.LIBRARY],
            Path(work),
            top=toolchain.TOP,
            clock_mhz=mhz,
        )
    return {**found, "asic": mapped}


ICE40_COLUMNS: Final = (
    "mW",
    "cells",
    "toggles",
    "static",
    "clock",
    "logic",
    "multipliers",
    "low",
    "middle",
    "high",
    "nJ a sample",
)
ASIC_COLUMNS: Final = (
    "",
    "cells",
    "flip-flops",
    "area, mm2",
    "longest path, ns",
    "MHz",
    "toggles",
)
POWER_COLUMNS: Final = (
    "mW",
    "internal",
    "switching",
    "clock pins",
    "leakage",
    "total",
    "nJ a sample",
)
TABLES: Final = (
    "iCE40UP5K",
    "iCE40UP5K memories",
    "standard cells",
    "standard cells power",
    "standard cells memories",
)
BLOCK_COLUMNS: Final = ("memory", "blocks", "reads a clock", "writes a clock")
MEMORY_COLUMNS: Final = ("memory", "words x bits", "reads a clock", "writes a clock")


def ice40_row(build: Build, found: power.Estimate) -> tuple[object, ...]:
    """A row of the table of iCE40UP5K."""
    total = found.total
    parts = [found.static, found.clock, found.logic.middle, found.hard.middle, total.low, total.middle, total.high]
    energy = f"{build.nanojoules(total.low):.2f} to {build.nanojoules(total.high):.2f}"
    return build.name, found.cells, f"{found.toggles:.3f}", *(f"{part:.2f}" for part in parts), energy


def asic_rows(build: Build, found: asic.Result) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """The rows of both tables of standard cells."""
    timing, watts = found.timing, found.power
    size = (found.cells, found.flip_flops, f"{found.area / 1e6:.3f}")
    speed = (f"{timing.ns:.2f}", f"{timing.mhz:.1f}", f"{found.toggles:.3f}")
    parts = [watts.internal, watts.switching, watts.clock_pins, watts.leakage, watts.total]
    energy = f"{build.nanojoules(watts.total * 1e3):.3f}"
    return (build.name, *size, *speed), (build.name, *(f"{part * 1e3:.3g}" for part in parts), energy)


def report(found: dict[Build, dict[str, Any]], library_name: str, source: str, page: Path | None) -> None:
    """Print the tables, and write them into the page."""
    blocks = [
        (f"{build.name}: {memory.kind}", memory.blocks, f"{memory.reads:.2f}", f"{memory.writes:.2f}")
        for build, one in found.items()
        for memory in one.get("ice40_memories", ())
    ]
    outside = [
        (
            f"{build.name}: {memory.name}",
            f"{memory.words} x {memory.width}",
            f"{memory.reads:.2f}",
            f"{memory.writes:.2f}",
        )
        for build, one in found.items()
        for memory in one["asic"].memories
    ]
    pairs = [asic_rows(build, one["asic"]) for build, one in found.items()]
    tables = [
        (
            f"{power.METHOD}, without memories; {source}",
            ICE40_COLUMNS,
            [ice40_row(build, one["ice40"]) for build, one in found.items() if "ice40" in one],
        ),
        (f"how often blocks are used, all together; {source}", BLOCK_COLUMNS, blocks),
        (f"{library_name}, pre-layout, without memories", ASIC_COLUMNS, [row for row, _ in pairs]),
        (f"{library_name}, {GATES}; without memories and wires; {source}", POWER_COLUMNS, [row for _, row in pairs]),
        (f"outside of the cells, how often they are used; {source}", MEMORY_COLUMNS, outside),
    ]
    for name, (method, columns, rows) in zip(TABLES, tables, strict=True):
        show(f"{name}: {method}", columns, rows, page)


def document(found: dict[Build, dict[str, Any]], library_name: str, source: str) -> dict[str, Any]:
    """Every figure, for a JSON file."""
    builds = []
    for build, one in found.items():
        mapped = one["asic"]
        figures: dict[str, Any] = {**dataclasses.asdict(build), "name": build.name}
        if "ice40" in one:
            figures["ice40"] = {
                "method": power.METHOD,
                **dataclasses.asdict(one["ice40"]),
                "total_mw": dataclasses.asdict(one["ice40"].total),
                "memories_not_in_total": [dataclasses.asdict(memory) for memory in one["ice40_memories"]],
            }
        figures["asic"] = {
            "method": GATES,
            "library": library_name,
            **dataclasses.asdict(mapped),
            "total_w": mapped.power.total,
            "nanojoules_per_sample": build.nanojoules(mapped.power.total * 1e3),
        }
        builds.append(figures)
    return {"recordings": source, "skipped_frames": SKIPPED, "counted_frames": COUNTED, "builds": builds}


def chosen_builds(chosen: argparse.Namespace) -> Sequence[Build]:
    """The builds that the options name."""
    builds = [
        build
        for build in BUILDS
        if chosen.profile in (None, build.profile) and chosen.channels in (None, build.channels)
    ]
    if chosen.clock is None and builds:
        return builds
    profiles = dict.fromkeys(build.profile for build in BUILDS if chosen.profile in (None, build.profile))
    if not profiles:
        raise PowerError(f"--profile: '{chosen.profile}'; give one of {', '.join({b.profile: 0 for b in BUILDS})}")
    if chosen.clock is None or chosen.channels is None:
        raise PowerError("--channels, --clock: give both for a build that is not among the usual ones")
    return [Build(profile, chosen.channels, round(chosen.clock * 1e6)) for profile in profiles]


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="default: the recordings for tests, else synthetic ones")
    parser.add_argument("--profile", help="default: all")
    parser.add_argument("--channels", type=int, help="default: all of the usual builds")
    parser.add_argument("--clock", type=float, metavar="MHZ", help="default: that of the usual builds")
    parser.add_argument("--liberty", type=Path, metavar="FILE", help="default: the open 180 nm library osu018")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="write the tables of all builds into this page as well"
    )
    chosen = parser.parse_args(arguments)
    if chosen.page and (chosen.profile or chosen.channels or chosen.clock):
        parser.error("--page: takes all builds; leave out --profile, --channels and --clock")
    warnings.filterwarnings("ignore", ".*created but never used")  # cores that are only asked about
    try:
        builds, liberty = chosen_builds(chosen), asic.find_library(chosen.liberty)
        asic.find_sta()
        with tempfile.TemporaryDirectory() as folder:
            paths = wav_files(chosen.folder) if chosen.folder else default_recordings(Path(folder, "synthetic"), "test")
            if not paths:
                sys.exit(f"{chosen.folder}: has no WAV file; give a folder with *.wav in it or below it")
            found = {}
            for build in builds:
                frames = stream.lay_side_by_side(paths, build.channels).frames[: SKIPPED + COUNTED]
                found[build] = measure(build, frames, liberty)
        source = f"{len(paths)} recordings, {COUNTED} frames after {SKIPPED}"
        report(found, liberty.stem, source, chosen.page)
        if chosen.json:
            chosen.json.write_text(json.dumps(document(found, liberty.stem, source), indent=2) + "\n")
    except (ValueError, ToolError, toolchain.ToolError, OSError) as error:
        sys.exit(f"power: error: {error}")


if __name__ == "__main__":
    main()
