"""Files that are mapped into memory, and files that appear whole or not at all."""

import contextlib
import mmap
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from model.formats.errors import FormatError


def mapped(path: Path) -> memoryview:
    """The content of a file, read from disk as it is touched; raises `FormatError` if it cannot be read."""
    try:
        with open(path, "rb") as file:
            # An empty file cannot be mapped.
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b"")
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror}; give another file") from None


def part(path: Path) -> Path:
    """A fresh name beside `path` for a file that is being written."""
    return path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")


def check_target(path: Path, *, overwrite: bool) -> None:
    """Refuse to write `path` over a file (unless `overwrite`), over a folder, or into a folder that is not there."""
    if path.is_dir():
        raise FormatError(f"{path}: is a folder; give the name of a file")
    if path.exists() and not overwrite:
        raise FormatError(f"{path}: exists; give --force to replace it")
    if not path.parent.is_dir():
        raise FormatError(f"{path}: its folder does not exist; create {path.parent}")


@contextlib.contextmanager
def replacing(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Open a file beside `path`; it takes its place when the block ends, and vanishes if the block fails."""
    check_target(path, overwrite=overwrite)
    beside = part(path)
    try:
        with open(beside, "xb") as file:
            yield file
        check_target(path, overwrite=overwrite)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
