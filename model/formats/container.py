"""The `.spk` container: streams of packets that restore every original file byte for byte.

Its layout is told in `directory.py`; `pack` writes one, `Container` reads it.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.codec.decompressor import Block, Decompressor, Gap, MissingParametersError
from model.codec.packet import Damage, Packet, Shape, StreamError, scan
from model.formats import directory, disk, names, threads
from model.formats.capture import is_stream, read_stream
from model.formats.directory import FileEntry, StreamEntry
from model.formats.errors import DamagedError, FormatError
from model.formats.ledger import Ledger, lane_lengths
from model.formats.pack import pack
from model.formats.plan import Source
from model.formats.report import ByteRange, FileGap, Report
from model.formats.restore import Restorer, StreamRestorer
from model.spec import packet as spec
from model.spec.config import CodecConfig
from model.spec.parameters import ParameterSet

__all__ = [
    "ByteRange",
    "Container",
    "DamagedError",
    "FileEntry",
    "FileGap",
    "FormatError",
    "Ledger",
    "Report",
    "Source",
    "StreamEntry",
    "is_stream",
    "pack",
    "read_stream",
]

_NOT_ORIGINAL = "its CRC-32 is not the original's"


@dataclass(frozen=True, eq=False)
class Container:
    """An open container.

    Parameters
    ----------
    path : Path
    directory : Directory
    parameter_sets : dict of int to ParameterSet
        Embedded ones and those given to `open`, by identifier.
    """

    path: Path
    directory: directory.Directory
    parameter_sets: dict[int, ParameterSet]
    _data: memoryview

    @classmethod
    def open(cls, path: Path, parameter_sets: Sequence[ParameterSet] = ()) -> "Container":
        """Read the directory; packets stay on disk.

        Raises
        ------
        FormatError
            If the file cannot be read, is not a container, or its directory is damaged.
        """
        data = disk.mapped(path)
        found = directory.read(path, data)
        return cls(path, found, {p.identifier: p for p in (*parameter_sets, *found.parameter_sets)}, data)

    @property
    def streams(self) -> list[StreamEntry]:
        """The streams, in the order of their packets."""
        return list(self.directory.streams)

    @property
    def files(self) -> list[FileEntry]:
        """The original files, stream by stream."""
        return list(self.directory.files)

    def file_name(self, file: FileEntry) -> str:
        """Its name, or one made from the container's if that carries it."""
        stem = self.path.name.removesuffix(".spk")
        return file.name or (stem if stem.lower().endswith(".wav") else f"{stem}.wav")

    def _packets(self, stream: StreamEntry, offset: int = 0) -> memoryview:
        return self._data[stream.offset + offset : stream.offset + stream.size]

    def config(self, stream: int) -> CodecConfig | None:
        """The configuration as the packets show it, or None if the stream has no intact key packet.

        Packets after the first key packet tell its interval; in a stream that has no second one, all count.
        """
        first: Packet | None = None
        interval = 0
        for item in scan(self._packets(self.streams[stream])):
            if isinstance(item, Damage):
                continue
            if first is not None and item.shape is not None:
                break
            if first is None and item.shape is not None:
                first = item
            interval += first is not None
        if first is None or first.shape is None:
            return None
        return first.shape.config(first.frames, interval)

    def shape(self, stream: int) -> Shape | None:
        """What the stream's first intact key packet says, or None if there is none."""
        packets = (item for item in scan(self._packets(self.streams[stream])) if isinstance(item, Packet))
        return next((packet.shape for packet in packets if packet.shape is not None), None)

    def _scan(self, stream: StreamEntry, frame: int = 0, offset: int = 0) -> Iterator[tuple[int, Packet] | Damage]:
        """Packets from byte `offset` of the stream, where `frame` should begin, each with its first frame.

        What contradicts the directory is damage; its offset counts from the start of the container. Where bytes were
        removed or inserted, packets of another stream may stand here that nothing tells from this one's: in a container
        of the wrong size only packets count that follow each other without a hole.
        """
        complete, trusted = len(self._data) == self.directory.end, True
        form, shape = (stream.mapping.width, stream.channels), None
        for item in scan(self._packets(stream, offset)):
            if isinstance(item, Packet):
                start = frame + ((item.position - frame) & 0xFFFFFFFF)
                trusted = trusted and (complete or start == frame)
                own = item.shape is None or (
                    (item.shape.width, item.shape.channels) == form and shape in (None, item.shape)
                )
                fits = spec.raw_bytes(item.frames, stream.channels, stream.mapping.width) <= spec.MAX_LENGTH
                if trusted and own and fits and start + item.frames <= stream.frames:
                    frame, shape = start + item.frames, item.shape or shape
                    yield start, item
                    continue
            trusted = trusted and complete
            yield Damage(item.offset + stream.offset + offset, item.size)

    def _blocks(
        self, stream: StreamEntry, decoder: Decompressor, offset: int = 0, jobs: int = 1
    ) -> Iterator[Block | Damage]:
        """Decode from byte `offset` of the stream; offsets of damage count from the start of the container."""
        found = self._scan(stream, decoder.next, offset)
        items = (item if isinstance(item, Damage) else item[1] for item in found)
        try:
            yield from decoder.push_all(items, jobs=jobs)
        except MissingParametersError as error:
            raise FormatError(f"{self.path}: {error}") from None
        except StreamError as error:
            raise FormatError(f"{self.path}: {error}; compress the originals again") from None

    def _decoder(self, stream: StreamEntry, start: int = 0) -> Decompressor:
        find = self.parameter_sets.get
        return Decompressor(origin=0, ends=np.array(stream.ends), start=start, find=find, tolerant=True)

    def _decode(
        self,
        stream: StreamEntry,
        paths: Sequence[Path | None],
        jobs: int,
        progress: Callable[[int], None] | None,
        *,
        fill: bool,
    ) -> tuple[list[FileGap], list[ByteRange]]:
        """Restore the files of `stream` to `paths`; what is missing, and where the container is damaged.

        Without `fill`, files that a hole is in are left as they are where it begins: nobody asked for them, and a
        directory can claim more frames than a disk holds.
        """
        restorers = [Restorer(self.directory.files[n], path) for n, path in zip(stream.files, paths, strict=True)]
        sink = StreamRestorer(restorers, stream.channels, progress)
        decoder = self._decoder(stream)
        damage: list[ByteRange] = []
        whole = True
        for item in self._blocks(stream, decoder, jobs=jobs):
            if isinstance(item, Damage):
                damage.append(ByteRange(item.offset, item.size))
                continue
            whole = whole and item.start == sink.next
            if fill or whole:
                sink.push(item.start, item.frames)
        decoder.finish(stream.frames)
        sink.finish(stream.frames if fill else sink.next)
        gaps: list[FileGap] = []
        for restorer in restorers:
            missing = list(self._file_gaps(restorer.entry, decoder.gaps))
            if not restorer.close() and (not missing or decoder.suspect):
                entry = restorer.entry
                missing = [FileGap(self.file_name(entry), 0, entry.frames, entry.rate, _NOT_ORIGINAL)]
            gaps += missing
        return gaps, damage

    def _file_gaps(self, file: FileEntry, gaps: Sequence[Gap]) -> Iterator[FileGap]:
        for gap in gaps:
            if gap.start < file.frames:
                frames = min(gap.frames, file.frames - gap.start)
                yield FileGap(self.file_name(file), gap.start, frames, file.rate, gap.reason)

    def _decode_all(
        self, paths: Sequence[Path | None], jobs: int, progress: Callable[[int], None] | None, *, fill: bool = False
    ) -> tuple[list[FileGap], list[ByteRange]]:
        streams = self.directory.streams
        shares, budget = threads.shares([sum(stream.ends) for stream in streams], jobs), threads.Budget(jobs)

        def work(stream: StreamEntry, share: int) -> tuple[list[FileGap], list[ByteRange]]:
            with budget.take(share):
                return self._decode(stream, [paths[n] for n in stream.files], share, progress, fill=fill)

        with ThreadPoolExecutor(jobs) as pool:
            results = list(pool.map(work, streams, shares))
        damage = [hurt for _, damage in results for hurt in damage]
        if len(self._data) > self.directory.end:
            damage.append(ByteRange(self.directory.end, len(self._data) - self.directory.end))
        return [gap for gaps, _ in results for gap in gaps], damage

    def _report(self, names: Sequence[str], found: tuple[list[FileGap], list[ByteRange]]) -> Report:
        samples = sum(file.frames * file.channels for file in self.files)
        return Report(tuple(names), samples, tuple(found[0]), tuple(found[1]))

    def verify(self, *, jobs: int = 1, progress: Callable[[int], None] | None = None) -> Report:
        """Decode everything and compare with the CRC-32 of every original; writes nothing.

        Parameters
        ----------
        jobs : int
            Threads: streams are decoded side by side, a large one on several.
        progress : callable, optional
            Called with the number of further samples done, from any of the threads.

        Raises
        ------
        FormatError
            If the packets contradict the directory, or a parameter set is not known.
        """
        found = self._decode_all([None] * len(self.files), jobs, progress)
        return self._report([self.file_name(file) for file in self.files], found)

    def targets(self, target: Path) -> list[Path]:
        """Where `unpack` writes the originals.

        A container that holds one file without a name restores it as `target`, or in `target` if that is a folder,
        named after the container; any other restores its files in the folder `target`.

        Raises
        ------
        FormatError
            If a name would leave the folder `target`, or two files would meet.
        """
        if len(self.files) == 1 and not self.files[0].name:
            return [target / self.file_name(self.files[0]) if target.is_dir() else target]
        names.check(self.path, (file.name for file in self.files))
        return [target / file.name for file in self.files]

    def unpack(
        self,
        target: Path,
        *,
        overwrite: bool = False,
        recover: bool = False,
        jobs: int = 1,
        progress: Callable[[int], None] | None = None,
    ) -> Report:
        """Restore the originals; no file appears before all of them are complete.

        Parameters
        ----------
        target : Path
            See `targets`.
        overwrite : bool
            Replace files that exist.
        recover : bool
            Write what can be decoded of a damaged container. Samples that are missing become mid-scale (code
            `2**(width - 1)`); the report names them.
        jobs, progress
            As in `verify`.

        Raises
        ------
        DamagedError
            If the container is damaged and `recover` is false; nothing is written.
        FormatError
            If a file exists, a name is not allowed, the packets contradict the directory, or a parameter set is not
            known.
        """
        paths = self.targets(target)
        for path in paths:
            if path.exists():
                disk.check_target(path, overwrite=overwrite)
            blocked = next(p for p in path.parents if p.exists())
            if not blocked.is_dir():
                raise FormatError(f"{path}: {blocked} is not a folder; give another one")
        holder = target if target.is_dir() else target.parent
        if not holder.is_dir():
            raise FormatError(f"{target}: its folder does not exist; create {holder}")
        disk.check_folder(holder)
        work = disk.part(holder / "spikey")
        work.mkdir()
        try:
            parts = [work / str(n) for n in range(len(paths))]
            found = self._decode_all(parts, jobs, progress, fill=recover)
            report = self._report([str(path) for path in paths], found)
            if not report.ok and not recover:
                raise DamagedError(f"{self.path}: {report}; give --recover to restore the rest", report)
            for path, file in zip(paths, parts, strict=True):
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, path)
        finally:
            shutil.rmtree(work)
        return report

    def read(self, file: int, start: int, stop: int) -> np.ndarray:
        """Samples of frames `start` to `stop` of one file, without decoding what lies before the nearest key packet.

        Parameters
        ----------
        file : int
            Number in `files`.
        start, stop : int
            0 <= start <= stop <= frames of the file.

        Returns
        -------
        ndarray of int16, or of uint8 where the file has 8 bits, shape (stop - start, channels)

        Raises
        ------
        FormatError
            If the range is not within the file, or damage took a part of it.
        """
        entry = self.files[file]
        name = self.file_name(entry)
        if not 0 <= start <= stop <= entry.frames:
            raise FormatError(
                f"{self.path}: frames {start} to {stop} of {name}: give a range within 0 to {entry.frames}"
            )
        stream = self.directory.streams[entry.stream]
        out = np.zeros((stop - start, entry.channels), np.uint16)
        frame, offset = self._entry_point(stream, start)
        decoder = self._decoder(stream, frame)
        for item in self._blocks(stream, decoder, offset):
            if isinstance(item, Block):
                first, last = max(start, item.start), min(stop, item.start + len(item.frames))
                if first < last:
                    rows = item.frames[first - item.start : last - item.start]
                    out[first - start : last - start] = rows[:, entry.first_channel :][:, : entry.channels]
            if decoder.next >= stop:
                break
        decoder.finish(stop)
        for gap in self._file_gaps(entry, decoder.gaps):
            if gap.start < stop and gap.start + gap.frames > start:
                raise FormatError(f"{self.path}: {gap}; read another range, or recover the file")
        return entry.mapping.to_samples(out, entry.dtype)

    def _entry_point(self, stream: StreamEntry, start: int) -> tuple[int, int]:
        """Frame and byte of the last intact key packet at or before frame `start`, found from the index by headers."""
        frame, offset = max((e for e in stream.index if e[0] <= start), default=(0, 0))
        best = frame, offset
        for item in self._scan(stream, frame, offset):
            if isinstance(item, Damage):
                continue
            first, packet = item
            if first > start:
                break
            if packet.shape is not None:
                best = first, offset + packet.offset
        return best

    def missing_frames(self, stream: int) -> int:
        """Frames of a stream that no intact packet holds."""
        entry = self.directory.streams[stream]
        found = (item[1].frames for item in self._scan(entry) if not isinstance(item, Damage))
        return max(0, entry.frames - sum(found))

    def ledger(self) -> Ledger:
        """What the bytes of the container are spent on."""
        beyond = max(0, len(self._data) - self.directory.end)
        ledger = Ledger(container=self.directory.size, damaged=beyond)
        for stream in self.directory.streams:
            shape, first = None, 0
            for item in scan(self._packets(stream)):
                if isinstance(item, Damage):
                    ledger.damaged += item.size
                    continue
                shape = item.shape or shape
                first += (item.position - first) & 0xFFFFFFFF
                ledger.enter(item, lane_lengths(item, shape, first, stream.ends) if shape else 0)
        return ledger
