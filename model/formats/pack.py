"""Writing a container: recordings in, streams of packets and their directory out."""

import contextlib
import dataclasses
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from model.codec.compressor import Compressor
from model.codec.packet import parse
from model.formats import DEFAULT_PROFILE, directory, disk, names, threads
from model.formats.directory import FileEntry, StreamEntry
from model.formats.errors import FormatError
from model.formats.plan import CHUNK_SAMPLES, Plan, Source, plan
from model.spec import shipped
from model.spec.config import CodecConfig
from model.spec.parameters import ParameterSet

PUSH_SAMPLES: Final = 1 << 25  # for each thread, pushed together at most: bounds memory
_SPOOL_BYTES: Final = 4 << 20  # of a stream's packets kept in memory before they go to disk

Progress = Callable[[int], None]


def push_frames(config: CodecConfig, jobs: int) -> int:
    """Frames to push together, so that `jobs` threads have a run from key packet to key packet each."""
    chunk = max(1, CHUNK_SAMPLES // config.channels)
    if jobs == 1:
        return chunk
    period = config.packet_frames * config.key_interval
    return min(jobs * max(1, chunk // period) * period, max(1, jobs * PUSH_SAMPLES // config.channels))


def _codes(stream: Plan, start: int, stop: int) -> np.ndarray:
    """Codes of all members, uint16, shape (stop - start, channels); 0 where a channel has ended."""
    block = np.zeros((stop - start, stream.config.channels), np.uint16)
    chunk = max(1, CHUNK_SAMPLES // stream.config.channels)
    for at in range(start, stop, chunk):
        first = 0
        for member in stream.members:
            found = stream.mapping.to_codes(member.frames(at, min(at + chunk, stop)))
            block[at - start : at - start + len(found), first : first + member.entry.channels] = found
            first += member.entry.channels
    return block


def _compress(stream: Plan, out: IO[bytes], jobs: int, progress: Progress | None) -> StreamEntry:
    """Write the packets of one stream to `out`; the entry has neither offset nor numbers of files yet."""
    ends = np.array(stream.ends)
    compressor = Compressor(stream.config, parameters=stream.parameters, ends=ends, jobs=jobs)
    index: list[tuple[int, int]] = []
    size = position = 0

    def write(packets: Iterator[bytes]) -> None:
        nonlocal size, position
        for data in packets:
            found = parse(memoryview(data), 0)
            if found is None:
                raise AssertionError("the codec made a packet that it cannot read")
            if found.shape is not None and size - (index[-1][1] if index else 0) >= directory.INDEX_BYTES:
                index.append((position, size))
            out.write(data)
            size += len(data)
            position += found.frames

    step = push_frames(stream.config, jobs)
    for start in range(0, stream.frames, step):
        stop = min(start + step, stream.frames)
        write(compressor.push(_codes(stream, start, stop)))
        if progress:
            progress(int(np.clip(ends - start, 0, stop - start).sum()))
    write(compressor.close())
    return StreamEntry(stream.mapping, stream.frames, 0, size, tuple(index), (), stream.ends, stream.rate)


def _spool(
    streams: Sequence[Plan], folder: Path, jobs: int, progress: Progress | None
) -> Generator[tuple[StreamEntry, IO[bytes]], None, None]:
    """Compress streams on `jobs` threads; yields them in order, only a few ahead of the reader."""
    shares, budget = threads.shares([stream.samples for stream in streams], jobs), threads.Budget(jobs)

    def work(number: int) -> tuple[StreamEntry, IO[bytes]]:
        with contextlib.ExitStack() as unless_done:
            file = unless_done.enter_context(tempfile.SpooledTemporaryFile(_SPOOL_BYTES, dir=str(folder)))
            with budget.take(shares[number]):
                entry = _compress(streams[number], file, shares[number], progress)
            unless_done.pop_all()  # the reader closes it
            return entry, file

    with ThreadPoolExecutor(jobs) as pool:
        ahead: deque[Future[tuple[StreamEntry, IO[bytes]]]] = deque()
        try:
            for number in range(len(streams)):
                ahead.append(pool.submit(work, number))
                if len(ahead) > jobs:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def pack(
    groups: Sequence[Sequence[Source]],
    out: Path,
    *,
    profile: str = DEFAULT_PROFILE,
    live: bool = False,
    overwrite: bool = False,
    jobs: int = 1,
    options: Mapping[str, Any] | None = None,
    parameters: ParameterSet | None = None,
    embed: bool = True,
    progress: Progress | None = None,
) -> None:
    """Compress recordings into the container `out`, which appears whole or not at all.

    Parameters
    ----------
    groups : sequence of sequences of Source
        Each group becomes a stream; it is split where rates differ, or where a recording on the 10-bit lattice meets
        one that is not.
    out : Path
    profile : str
    live : bool
        Short packets for a link, instead of long ones for files.
    overwrite : bool
        Replace `out` if it exists.
    jobs : int
        Threads: streams are compressed side by side, a large one on several; the bytes do not depend on it.
    options : mapping, optional
        Fields of `CodecConfig` to override: `packet_frames`, `key_interval`, `lanes`.
    parameters : ParameterSet, optional
        For all streams of a parameterised profile, which must have its code width. Default: the shipped set for the
        codes of each stream.
    embed : bool
        Put `parameters` into the container, unless they are shipped; else reading needs them again.
    progress : callable, optional
        Called with the number of further samples done, from any of the threads.

    Raises
    ------
    FormatError
        If a recording cannot be read, a name is not allowed, or `out` cannot be written.
    ConfigError
        If profile, options or peers are not possible, or the parameter set does not fit a recording.
    """
    sources = [source for group in groups for source in group]
    if not sources:
        raise FormatError(f"{out}: input: nothing to compress; give at least one recording")
    if len(sources) > 1 or sources[0].name:
        names.check(out, (source.name for source in sources))
    disk.check_target(out, overwrite=overwrite)
    streams = plan(groups, profile=profile, live=live, options=options, parameters=parameters)
    own = parameters is not None and embed and shipped.find(parameters.identifier) is None
    entries: list[StreamEntry] = []
    files: list[FileEntry] = []
    with tempfile.TemporaryFile(dir=out.parent) as packets:
        with contextlib.closing(_spool(streams, out.parent, jobs, progress)) as done:
            for stream, (entry, spool) in zip(streams, done, strict=True):
                with spool:
                    spool.seek(0)
                    shutil.copyfileobj(spool, packets)
                numbers = range(len(files), len(files) + len(stream.members))
                files += [member.entry for member in stream.members]
                entries.append(dataclasses.replace(entry, files=tuple(numbers)))
        packets.seek(0)
        with disk.replacing(out, overwrite=overwrite) as file:
            file.write(directory.write(entries, files, [parameters] if own and parameters else []))
            shutil.copyfileobj(packets, file)
