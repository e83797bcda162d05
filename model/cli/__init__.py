"""The `spikey` command. Whatever is heavy is imported when a command runs, so that `--help` is quick."""

import io
import os
import sys
from collections.abc import Sequence

import click

from model import __version__
from model.cli.calibrate import calibrate
from model.cli.convert import compress, decompress
from model.cli.inspect import info, verify
from model.cli.measure import bench, synth
from model.cli.train import sweep, train

BAD_INPUT, USAGE, INTERRUPTED = 1, 2, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="spikey")
def spikey() -> None:
    """Compress neural recordings without loss, to the bytes that the hardware makes."""


for _command in (compress, decompress, info, verify, calibrate, train, sweep, synth, bench):
    spikey.add_command(_command)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and say what went wrong in one line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files may hold any byte
    try:
        return int(spikey.main(arguments, prog_name="spikey", standalone_mode=False) or 0)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains when it ends
        return BAD_INPUT
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()  # the help, not a line
        return error.exit_code
    except (click.ClickException, click.Abort, OSError, ValueError) as error:
        message, code = _explain(error)
        click.echo(f"spikey: error: {' '.join(message.split())}", err=True)
        return code


def _explain(error: Exception) -> tuple[str, int]:
    """One line and the exit code; an error that is no fault of the input is raised again."""
    match error:
        case click.UsageError():
            return error.format_message(), USAGE
        case click.ClickException():
            return error.format_message(), BAD_INPUT
        case click.Abort():
            return str(error) or "interrupted; nothing is left half-written", INTERRUPTED
        case OSError():
            names = " to ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
            return f"{names + ': ' if names else ''}{error.strerror or error}", BAD_INPUT
        case _ if type(error).__module__.startswith("model."):
            return str(error), BAD_INPUT
        case _:
            raise error


def main() -> None:
    """Entry point of the command."""
    sys.exit(run())
