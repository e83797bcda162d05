"""Spikey on files: compressed into containers, decoded, and compared with the originals byte for byte."""

import dataclasses
import filecmp
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from model.bench.figures import Figures, MismatchError, Result
from model.formats import wav
from model.formats.container import Container, Ledger, Source, pack
from model.recordings import Mode
from model.recordings import group as group_recordings
from model.spec.config import find_profile

ONE_KEY_PACKET: Final = {"key_interval": 1 << 32}  # no stream is long enough for a second one
Progress = Callable[[int], None]
T = TypeVar("T")


def compare(
    container: Container,
    originals: Mapping[str, Path],
    scratch: Path,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> float:
    """Restore a container and compare every file with its original, byte for byte.

    Parameters
    ----------
    container : Container
    originals : mapping of str to Path
        The original of every name in the container.
    scratch : Path
        A folder; what is restored goes into a temporary one in it.
    jobs, progress
        As in `Container.unpack`.

    Returns
    -------
    float
        Seconds that restoring took.

    Raises
    ------
    MismatchError
        Naming the first file that differs, or a name that only one side has.
    DamagedError
        If the container does not decode.
    """
    names = {file.name for file in container.files}
    if strays := names ^ originals.keys():
        where = container.path if min(strays) in names else "the originals"
        raise MismatchError(f"{container.path}: name '{min(strays)}': only in {where}; compare with the same files")
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        begin = time.perf_counter()
        report = container.unpack(Path(folder), jobs=jobs, progress=progress)
        seconds = time.perf_counter() - begin
        for file, restored in zip(container.files, report.files, strict=True):
            if not filecmp.cmp(originals[file.name], restored, shallow=False):
                raise MismatchError(f"{container.path}: what it restores differs from {originals[file.name]}")
    return seconds


def measure(
    name: str,
    groups: Sequence[Sequence[Source]],
    profile: str,
    scratch: Path,
    *,
    live: bool = False,
    jobs: int = 1,
    options: Mapping[str, int] | None = None,
) -> Result:
    """Compress `groups` into one container, decode it, compare, and count; nothing stays in the folder `scratch`."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        out, single = Path(folder, "whole.spk"), Path(folder, "single.spk")
        begin = time.perf_counter()
        pack(groups, out, profile=profile, live=live, jobs=jobs, options=options)
        encode_seconds = time.perf_counter() - begin
        container = Container.open(out)
        originals = {source.name: source.path for members in groups for source in members}
        decode_seconds = compare(container, originals, Path(folder), jobs=jobs)
        ledger = container.ledger()
        pack(groups, single, profile=profile, live=live, jobs=jobs, options={**(options or {}), **ONE_KEY_PACKET})
        restarts = _payload(ledger) - _payload(Container.open(single).ledger())
        return Result(name, Figures.of(container), encode_seconds, decode_seconds, profile, ledger, restarts)


def _payload(ledger: Ledger) -> int:
    return ledger.payload_coded + ledger.payload_raw


def warm_up(profile: str, scratch: Path) -> None:
    """Have everything compiled before the clock runs: a quiet second, and noise that is stored raw."""
    random = np.random.default_rng(0)
    samples = np.concatenate([random.integers(-9, 9, 30000), random.integers(-(1 << 15), 1 << 15, 30000)])
    path = scratch / "warm-up.wav"
    path.write_bytes(wav.to_bytes(samples.astype(np.int16), 19531))
    measure("warm-up", [[Source(path, "")]], profile, scratch)
    path.unlink()


def bench(
    sources: Sequence[Source],
    profile: str,
    *,
    live: bool = False,
    group: Mode | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> tuple[list[Result], Result | None]:
    """Measure every file as a container of its own and, with `group`, all files as one.

    Parameters
    ----------
    sources : sequence of Source
    profile : str
    live : bool
    group : {'none', 'auto', 'all'}, optional
        How files are put together in the one container; without it there is none.
    jobs : int
        Streams of the one container that are worked on together.
    progress : callable, optional
        Called with 1 after every file.

    Returns
    -------
    files : list of Result
    grouped : Result or None
    """
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        warm_up(profile, scratch)
        results = []
        for source in sources:
            alone = dataclasses.replace(source, name="")
            results.append(measure(source.name, [[alone]], profile, scratch, live=live))
            if progress:
                progress(1)
        grouped = None
        if group is not None:
            groups = grouped_sources(sources, group, find_profile(profile).links)
            grouped = measure(f"one container, group {group}", groups, profile, scratch, live=live, jobs=jobs)
    return results, grouped


def grouped_sources(sources: Sequence[Source], mode: Mode, most: int = 0) -> list[list[Source]]:
    """`sources` in groups of simultaneous recordings, with their partners; parameters: `model.recordings.group`."""
    by_path = {source.path: source for source in sources}
    groups = []
    for stream in group_recordings(list(by_path), mode, most):
        peers, links = _shares(stream.peers, len(stream.paths)), _shares(stream.links, len(stream.paths))
        groups.append(
            [
                dataclasses.replace(by_path[path], peers=peers[number], links=links[number])
                for number, path in enumerate(stream.paths)
            ]
        )
    return groups


def _shares(values: tuple[T, ...], files: int) -> list[tuple[T, ...]]:
    """Values of all channels of so many files, file by file."""
    own = len(values) // files
    return [values[number * own : (number + 1) * own] for number in range(files)]
