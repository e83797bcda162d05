"""`python -m hw.image`: what a board is sent to load a parameter set."""

import os
import sys
from pathlib import Path
from typing import Final

import click

from hw.boards.image import message
from hw.lms import SHIFTS
from model.spec import calibrated, shipped
from model.spec.config import MIN_WIDTH, CodecConfig, ConfigError
from model.spec.parameters import ParameterSet, load

DEFAULT: Final = "calibrated-even"
MOST_WIDTH: Final = 10  # of the core
HELP: Final = """Write the bytes that load a parameter set into a board.

SET is a file, as `spikey calibrate` writes it, or the name of a shipped set; by default calibrated-even, which fits
every converter. Send them to the board's UART, and wait two seconds before the next ones:

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


def of(parameters: ParameterSet, width: int, peers: tuple[int, ...] | None = None) -> bytes:
    """The bytes to send; raises `ConfigError` if the set is not one for the board's core at `width`."""
    shifts = tuple(calibrated.unpack(parameters, width).shifts.tolist())
    if shifts != SHIFTS:
        raise ConfigError(
            f"parameter table 'shifts': {shifts}; the boards' core is built for {SHIFTS}, give such a set"
        )
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
@click.argument("name", metavar="[SET]", default=DEFAULT)
@click.option(
    "--width", type=click.IntRange(MIN_WIDTH, MOST_WIDTH), default=10, show_default=True, help="Bits of a sample."
)
@click.option(
    "--peers",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="For a core with peers: a file with a number a channel, how many channels before it its peer stands, or 0.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write.")
def main(name: str, width: int, peers: Path | None, out: Path) -> None:
    """Write the file."""
    parameters = find(name)
    write(out, of(parameters, width, None if peers is None else read_peers(peers)))
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
