"""From what was typed to recordings and outputs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from model.formats.container import Source
    from model.spec.parameters import ParameterSet

SUFFIX = ".spk"


def one_of(argument: Path | None, option: Path | None, name: str) -> Path:
    """The input, given as an argument or as `--input_file`, but not as both."""
    if (argument is None) == (option is None):
        raise click.UsageError(f"give one input, as {name} or with --input_file")
    return argument or option  # type: ignore[return-value]  # one of them is there


def find(path: Path) -> list[Source]:
    """The recording at `path`, without a name, or all WAV files below the folder, with their relative names.

    Raises
    ------
    FormatError
        If there is nothing, or the folder has no WAV file.
    """
    from model.formats import disk
    from model.formats.container import FormatError, Source
    from model.recordings import wav_files

    disk.check_source(path)
    if not path.exists():
        raise FormatError(f"{path}: does not exist; give a WAV file or a folder of them")
    if not path.is_dir():
        return [Source(path, "")]
    found = wav_files(path)
    if not found:
        raise FormatError(f"{path}: has no WAV file; give a folder with *.wav in it or below it")
    return [Source(p, p.relative_to(path).as_posix()) for p in found]


def check_file(path: Path) -> None:
    """Refuse an input that is not there or no regular file; raises `FormatError`."""
    from model.formats import disk
    from model.formats.errors import FormatError

    disk.check_source(path)
    if not path.is_file():
        raise FormatError(f"{path}: is not a file; give a file made by spikey compress")


def parameter_sets(paths: Iterable[Path]) -> list[ParameterSet]:
    """Parameter sets from their files.

    Raises
    ------
    FormatError
        If one is not there.
    ConfigError
        If one is no parameter set, or damaged.
    """
    from model.formats import disk
    from model.formats.errors import FormatError
    from model.spec import shipped
    from model.spec.parameters import load

    found = []
    for path in paths:
        if not path.exists() and str(path) in shipped.names():
            found.append(shipped.named(str(path)))
            continue
        disk.check_source(path)
        if not path.is_file():
            raise FormatError(f"{path}: is not a file; give a parameter set, *.spkp, or {', '.join(shipped.names())}")
        found.append(load(path))
    return found


def container_of(path: Path) -> Path:
    """The default name of the container of `path`.

    Raises
    ------
    FormatError
        If `path` has no name to add to.
    """
    from model.formats.errors import FormatError

    named = path.resolve() if path.name in ("", "..") else path
    if not named.name:
        raise FormatError(f"{path}: has no name to add '{SUFFIX}' to; say with -o where the container goes")
    return named.with_name(named.name + SUFFIX)


def refuse_to_replace(out: Path, inputs: list[Path]) -> None:
    """Refuse an output that is one of the inputs, even with --force."""
    from model.formats.container import FormatError

    for path in inputs:
        if out.exists() and out.samefile(path):
            raise FormatError(f"{out}: is the input itself; give another name with -o")
