"""Files that are mapped into memory, and files that appear whole or not at all."""

import contextlib
import mmap
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from model.formats.errors import FormatError


def check_source(path: Path) -> None:
    """Refuse an input that is there but neither a file nor a folder: a pipe would wait, a device never ends."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise FormatError(f"{path}: is no regular file; give a file")


def mapped(path: Path) -> memoryview:
    """The content of a file, read from disk as it is touched; raises `FormatError` if it cannot be read."""
    try:
        check_source(path)
        with open(path, "rb") as file:
            # An empty file cannot be mapped.
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b"")
    except OSError as error:
        raise FormatError(f"{path}: cannot be read: {error.strerror}; give another file") from None


def part(path: Path) -> Path:
    """A fresh name beside `path` for a file that is being written."""
    return path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")


def check_folder(folder: Path, *, create: bool = False) -> None:
    """Refuse a folder that is a file, cannot be written, or is not there (unless it is to be created)."""
    found = next(p for p in (folder, *folder.parents) if p.exists())
    if not found.is_dir():
        raise FormatError(f"{found}: is a file; give a folder")
    if found != folder and not create:
        raise FormatError(f"{folder}: this folder does not exist; create it")
    try:
        tempfile.TemporaryFile(dir=found).close()
    except OSError as error:
        raise FormatError(f"{found}: cannot be written: {error.strerror}; give another folder") from None


def check_target(path: Path, *, overwrite: bool) -> None:
    """Refuse to write `path` over a file (unless `overwrite`), over anything else, or where `check_folder` refuses."""
    if path.is_dir():
        raise FormatError(f"{path}: is a folder; give the name of a file")
    if path.exists() and not path.is_file():
        raise FormatError(f"{path}: is no regular file; give another name")
    if path.exists() and not overwrite:
        raise FormatError(f"{path}: exists; give --force to replace it")
    check_folder(path.parent)


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
