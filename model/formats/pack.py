"""Writing a container: recordings in, streams of packets and their directory out."""

import contextlib
import dataclasses
import shutil
import tempfile
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from model.codec.compressor import Compressor
from model.codec.packet import parse
from model.formats import codes, directory, disk, names, wav
from model.formats.directory import FileEntry, StreamEntry
from model.formats.errors import FormatError
from model.spec import operating
from model.spec.config import CodecConfig, ConfigError
from model.spec.parameters import ParameterSet

CHUNK_SAMPLES: Final = 1 << 20  # read and pushed together: bounds memory
_SPOOL_BYTES: Final = 4 << 20  # of a stream's packets kept in memory before they go to disk


@dataclass(frozen=True)
class Source:
    """A recording to pack: where it is, and its `name` in the container ('' if the container's name carries it)."""

    path: Path
    name: str


@dataclass(frozen=True)
class _Recording:
    """What a first look at a file tells; its samples stay on disk."""

    path: Path
    entry: FileEntry  # without its place in a stream

    def frames(self, start: int, stop: int) -> np.ndarray:
        """Samples, shape (up to stop - start, channels)."""
        entry = self.entry
        stop = min(stop, entry.frames)
        count = max(0, stop - start) * entry.channels
        offset = len(entry.head) + start * entry.channels * entry.dtype.itemsize
        found = np.fromfile(self.path, entry.dtype, count, offset=offset) if count else np.zeros(0, entry.dtype)
        if len(found) != count:
            raise FormatError(f"{self.path}: data: became shorter while it was read; compress it again")
        return found.reshape(-1, entry.channels)


def _look(source: Source) -> _Recording:
    found = wav.read(source.path)
    crc = zlib.crc32(found.head)
    flat = found.samples.reshape(-1)
    for start in range(0, flat.size, CHUNK_SAMPLES):
        crc = zlib.crc32(flat[start : start + CHUNK_SAMPLES].tobytes(), crc)
    crc = zlib.crc32(found.tail, crc)
    mapping = codes.recognise(found.samples)
    frames, channels = found.samples.shape
    return _Recording(
        source.path,
        FileEntry(source.name, 0, 0, channels, frames, found.rate, found.bits, mapping, found.head, found.tail, crc),
    )


def _streams(group: Sequence[_Recording]) -> Iterator[list[_Recording]]:
    """Split a group into streams of one rate and one kind of mapping, and give each stream one mapping."""
    alike: dict[tuple[int, str], list[_Recording]] = {}
    for recording in group:
        alike.setdefault((recording.entry.rate, recording.entry.mapping.kind), []).append(recording)
    for members in alike.values():
        mapping = codes.join(m.entry.mapping for m in members)
        yield [dataclasses.replace(m, entry=dataclasses.replace(m.entry, mapping=mapping)) for m in members]


def configure(
    profile: str, channels: int, width: int, rate: int, *, live: bool = False, options: Mapping[str, Any] | None = None
) -> CodecConfig:
    """The configuration of a stream: an operating point, with `options` (fields of `CodecConfig`) over it.

    Raises
    ------
    ConfigError
        If the result is not possible, or `options` names an unknown field or one that the recordings fix.
    """
    base = (operating.live if live else operating.archive)(profile, channels, width, rate)
    for field in ("profile", "channels", "width"):
        if options and field in options:
            raise ConfigError(f"{field}: follows from the recordings and the profile; leave it out")
    return CodecConfig.from_mapping({**dataclasses.asdict(base), **(options or {})})


def _compress(
    members: Sequence[_Recording], config: CodecConfig, out: IO[bytes], progress: Callable[[int], None] | None
) -> StreamEntry:
    """Write the packets of one stream to `out`; the entry has neither offset nor numbers of files yet."""
    mapping, rate = members[0].entry.mapping, members[0].entry.rate
    frames = max(m.entry.frames for m in members)
    ends = tuple(m.entry.frames for m in members for _ in range(m.entry.channels))
    compressor = Compressor(config, ends=np.array(ends))
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

    step = max(1, CHUNK_SAMPLES // config.channels)
    for start in range(0, frames, step):
        stop = min(start + step, frames)
        block = np.zeros((stop - start, config.channels), np.uint16)
        first = done = 0
        for member in members:
            found = mapping.to_codes(member.frames(start, stop))
            block[: len(found), first : first + member.entry.channels] = found
            first += member.entry.channels
            done += found.size
        write(compressor.push(block))
        if progress:
            progress(done)
    write(compressor.close())
    return StreamEntry(mapping, frames, 0, size, tuple(index), (), ends, rate)


def _spool(
    streams: Sequence[Sequence[_Recording]],
    configs: Sequence[CodecConfig],
    folder: Path,
    jobs: int,
    progress: Callable[[int], None] | None,
) -> Generator[tuple[StreamEntry, IO[bytes]], None, None]:
    """Compress streams on `jobs` threads; yields them in order, only a few ahead of the reader."""

    def work(number: int) -> tuple[StreamEntry, IO[bytes]]:
        with contextlib.ExitStack() as unless_done:
            file = unless_done.enter_context(tempfile.SpooledTemporaryFile(_SPOOL_BYTES, dir=str(folder)))
            entry = _compress(streams[number], configs[number], file, progress)
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
    profile: str = "tiny",
    live: bool = False,
    overwrite: bool = False,
    jobs: int = 1,
    options: Mapping[str, Any] | None = None,
    parameter_sets: Sequence[ParameterSet] = (),
    progress: Callable[[int], None] | None = None,
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
        Streams compressed at the same time; the bytes do not depend on it.
    options : mapping, optional
        Fields of `CodecConfig` to override: `packet_frames`, `key_interval`, `lanes`.
    parameter_sets : sequence of ParameterSet
        Sets to embed.
    progress : callable, optional
        Called with the number of further samples done, from any of the threads.

    Raises
    ------
    FormatError
        If a recording cannot be read, a name is not allowed, or `out` cannot be written.
    ConfigError
        If the profile or the options are not possible.
    """
    sources = [source for group in groups for source in group]
    if not sources:
        raise FormatError(f"{out}: input: nothing to compress; give at least one recording")
    if len(sources) > 1 or sources[0].name:
        names.check(out, (source.name for source in sources))
    disk.check_target(out, overwrite=overwrite)
    streams = [stream for group in groups for stream in _streams([_look(source) for source in group])]
    configs = []
    for stream in streams:
        first, channels = stream[0].entry, sum(m.entry.channels for m in stream)
        configs.append(configure(profile, channels, first.mapping.width, first.rate, live=live, options=options))
    entries: list[StreamEntry] = []
    files: list[FileEntry] = []
    with tempfile.TemporaryFile(dir=out.parent) as packets:
        with contextlib.closing(_spool(streams, configs, out.parent, jobs, progress)) as done:
            for members, (entry, spool) in zip(streams, done, strict=True):
                with spool:
                    spool.seek(0)
                    shutil.copyfileobj(spool, packets)
                numbers = range(len(files), len(files) + len(members))
                files += [member.entry for member in members]
                entries.append(dataclasses.replace(entry, files=tuple(numbers)))
        packets.seek(0)
        with disk.replacing(out, overwrite=overwrite) as file:
            file.write(directory.write(entries, files, parameter_sets))
            shutil.copyfileobj(packets, file)
