"""`python -m hw.image`: what a board is sent to load a parameter set."""

import dataclasses
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import click

from hw import neural
from hw.array import neighbours
from hw.boards.image import message
from hw.geometry import Geometry
from hw.hold import Hold
from hw.lms import SHIFTS
from hw.microcode import Program
from hw.neural import Shape
from model.spec import calibrated, full, shipped
from model.spec.config import MIN_WIDTH, CodecConfig, ConfigError
from model.spec.operating import has_array
from model.spec.packet import Link, Links
from model.spec.parameters import ParameterSet, load

DEFAULT: Final = "calibrated-even"
REPORTS: Final = ("report.json", "spikey_core.json")  # of a build for a board, and of Verilog
DEFAULT_WIDTH: Final = 10
MOST_WIDTH: Final = 10  # of the core
HELP: Final = """Write the bytes that load a parameter set into a board.

SET is a file, as `spikey calibrate` writes it, or the name of a shipped set; by default calibrated-even, which fits
every converter, or the shipped set that the build was made for. Profiles with a network need the build that the board
runs:

\b
    python -m hw.image spikey --build build/ulx3s-spikey-256-links --links links.txt --out image.bin

The file of links has a line for each channel: for each of its partners how many channels before it the partner stands
(negative: behind it) and their correlation in 128ths, as in "1 90 -1 75"; or 0, or nothing, for a channel without one.
Partners must be served by the same core: channels c and d if c // N = d // N, N being the build's channels of a core.

Send them to the board's UART, and wait two seconds before the next ones:

\b
    stty -F /dev/ttyUSB1 1000000 raw -echo
    cat image.bin > /dev/ttyUSB1

Recording pauses meanwhile. The red light goes out when the set is loaded.
"""


def find(name: str, option: str = "SET") -> ParameterSet:
    """The set in the file `name`, or the shipped one of that name; raises `ConfigError`."""
    names = shipped.names()
    if name in names:
        return shipped.named(name)
    if not Path(name).is_file():
        raise ConfigError(f"{option}: '{name}' is no file; give a parameter set, *.spkp, or one of {', '.join(names)}")
    return load(Path(name))


def read_peers(path: Path) -> tuple[int, ...]:
    """Peers from a file: for each channel a number, as in `CodecConfig`; raises `ConfigError` if they cannot be."""
    try:
        peers = tuple(map(int, path.read_text().split()))
    except ValueError:
        raise ConfigError(f"--peers: '{path}' has something else than whole numbers; give one a channel") from None
    if any(peers):
        CodecConfig(calibrated.PROFILE, len(peers), peers=peers)
    return peers


@dataclass(frozen=True)
class Build:
    """What a set is made ready for: gates with an array for networks.

    Parameters
    ----------
    config : CodecConfig
    geometry : Geometry
    codes : (tables, symbols)
    set : str
        Name of the set that it was made for.
    frame_clocks : int
        Clocks of a frame.
    """

    config: CodecConfig
    geometry: Geometry
    codes: Shape
    set: str
    frame_clocks: int

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a build's folder or report; raises `ConfigError` if it is none, or has no array."""
        found = [path / name for name in REPORTS if (path / name).is_file()] if path.is_dir() else [path]
        if not found:
            raise ConfigError(f"--build: '{path}' has no {' or '.join(REPORTS)}; give a folder that hw.build made")
        try:
            document = json.loads(found[0].read_text())
            shape, array = document["configuration"], document["array"]
            if array is None:
                raise ConfigError(
                    f"--build: '{path}' is of profile '{shape['profile']}', without a network; leave it out"
                )
            sizes = {field.name: array[field.name] for field in dataclasses.fields(Geometry)}
            geometry = Geometry(**sizes)
            names = ("profile", "channels", "width", "packet_frames", "key_interval", "lanes")
            config = CodecConfig(**{name: shape[name] for name in names})
            if shape["links"]:
                config = dataclasses.replace(config, links=neighbours(config.channels, geometry.slots))
            clocks = int(shape["frame_clocks"]) or int(array["clocks"]) + Hold.BETWEEN
            tables, symbols = map(int, array["codes"])
            called = str(array["set"])
        except ConfigError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            what = f"has no {error}" if isinstance(error, KeyError) else "cannot be read"
            raise ConfigError(f"--build: '{found[0]}' {what}; give one that hw.build wrote") from None
        return cls(config, geometry, (tables, symbols), called, clocks)

    def program(self, parameters: ParameterSet, links: Links) -> Program:
        """The program of a set; raises `ConfigError` if it does not fit the array."""
        return neural.program_of(parameters, self.config.width, self.geometry, links)

    def image(self, parameters: ParameterSet, links: Links) -> bytes:
        """The bytes to send; raises `ConfigError` if set or links do not fit."""
        config = self.config
        if parameters.profile != config.profile:
            raise ConfigError(
                f"SET: it is of profile '{parameters.profile}', the build is of '{config.profile}'; give one of that"
            )
        if parameters.profile == full.PROFILE:
            check_shifts(full.unpack(parameters, config.width).calibrated.shifts.tolist())
        words = neural.image(parameters, config, self.geometry, links, self.codes)
        clocks = self.program(parameters, links).clocks + Hold.BETWEEN
        if clocks > self.frame_clocks:
            raise ConfigError(
                f"SET: with these links it takes {clocks} clocks a frame, the build has {self.frame_clocks}; "
                "give a smaller set or fewer partners"
            )
        return message(words)


def read_links(path: Path, config: CodecConfig) -> Links:
    """Links from a file, a line for each channel; raises `ConfigError` if they cannot be."""
    links = []
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError:
        raise ConfigError(f"--links: '{path}' is no text; give a line for each channel") from None
    for number, line in enumerate(lines):
        try:
            values = [] if line.split() in ([], ["0"]) else list(map(int, line.split()))
        except ValueError:
            raise ConfigError(f"--links: '{path}', line {number + 1}: has something else than whole numbers") from None
        if len(values) % 2:
            raise ConfigError(f"--links: '{path}', line {number + 1}: give pairs of distance and correlation, or 0")
        links.append(tuple(map(Link, values[::2], values[1::2])))
    if len(links) != config.channels:
        raise ConfigError(
            f"--links: '{path}' has {len(links)} lines, the build {config.channels} channels; give each one"
        )
    return dataclasses.replace(config, links=tuple(links)).links if any(links) else ()


def check_shifts(shifts: list[int]) -> None:
    """Raise `ConfigError` if the boards' cores are not built for these."""
    if tuple(shifts) != SHIFTS:
        raise ConfigError(
            f"parameter table 'shifts': {tuple(shifts)}; the boards' core is built for {SHIFTS}, give such a set"
        )


def of(parameters: ParameterSet, width: int, peers: tuple[int, ...] | None = None) -> bytes:
    """The bytes to send; raises `ConfigError` if the set is not one for the board's core at `width`."""
    if has_array(parameters.profile):
        raise ConfigError(f"--build: profile '{parameters.profile}' needs it; give the build that the board runs")
    check_shifts(calibrated.unpack(parameters, width).shifts.tolist())
    return message(calibrated.image(parameters, width, peers))


def write(out: Path, content: bytes) -> None:
    """Write the whole file, or none."""
    new = out.with_name(f".{out.name}.{os.getpid()}.new")
    try:
        new.write_bytes(content)
        new.rename(out)
    finally:
        new.unlink(missing_ok=True)


@click.command(name="hw.image", help=HELP)
@click.argument("name", metavar="[SET]", required=False)
@click.option(
    "--width", type=click.IntRange(MIN_WIDTH, MOST_WIDTH), help="Bits of a sample. Default: 10, or the build's."
)
@click.option(
    "--peers",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="For a core with peers: a file with a number a channel, how many channels before it its peer stands, or 0.",
)
@click.option(
    "--build",
    type=click.Path(path_type=Path, exists=True),
    help="Folder or report of the build, for profiles with a network.",
)
@click.option(
    "--links",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="For a core with links: a file with each channel's partners, see above.",
)
@click.option("--listing", is_flag=True, help="Print the microcode as well, a line for each step.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write.")
def main(
    name: str | None,
    width: int | None,
    peers: Path | None,
    build: Path | None,
    links: Path | None,
    listing: bool,
    out: Path,
) -> None:
    """Write the file."""
    if build is None:
        if links is not None:
            raise ConfigError("--links: they need --build, the build that the board runs")
        if listing:
            raise ConfigError("--listing: it needs --build, the build that the board runs")
        parameters, width = find(name or DEFAULT), width or DEFAULT_WIDTH
        content = of(parameters, width, None if peers is None else read_peers(peers))
    else:
        for option, value in {"width": width, "peers": peers}.items():
            if value is not None:
                raise ConfigError(f"--{option}: is not for a build with a network; leave it out")
        made = Build.read(build)
        parameters, width = find(name or made.set), made.config.width
        partners = () if links is None else read_links(links, made.config)
        if partners and not neural.usable(partners, neural.network_of(parameters, width)):
            raise ConfigError("--links: the set's network knows no partners; leave them out")
        content = made.image(parameters, partners)
        if listing:
            click.echo(made.program(parameters, partners).listing(), nl=False)
    write(out, content)
    click.echo(f"{out} written: parameter set {parameters.identifier:016x} at {width} bits")


def run(arguments: list[str] | None = None) -> int:
    """Run the command; every error is one line on standard error and a nonzero exit code."""
    try:
        main.main(arguments, prog_name="python -m hw.image", standalone_mode=False)
    except click.ClickException as error:
        reason = error.format_message()
    except (ConfigError, OSError) as error:
        reason = str(error)
    except (click.Abort, KeyboardInterrupt):
        reason = "interrupted; nothing was written"
    else:
        return 0
    print(f"hw.image: error: {' '.join(reason.split())}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(run())
