"""Putting original files together from the frames of their stream, with their CRC-32 kept on the way."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from model.formats.codes import CHUNK
from model.formats.directory import FileEntry


class Restorer:
    """Builds one original, on disk if it is given a `path`, else only its CRC-32.

    The file is opened for each piece anew: a stream may have more channels than a process may have open files.
    """

    def __init__(self, entry: FileEntry, path: Path | None) -> None:
        self.entry = entry
        self.path = path
        self.crc = 0
        if path is not None:
            path.touch(exist_ok=False)
        self._write(entry.head)

    def _write(self, data: bytes) -> None:
        self.crc = zlib.crc32(data, self.crc)
        if self.path is not None:
            with open(self.path, "ab") as file:
                file.write(data)

    def frames(self, start: int, codes: np.ndarray) -> int:
        """Add the stream's `codes`, shape (frames, channels of the stream), that begin at frame `start`.

        Returns
        -------
        int
            Samples that are the file's.
        """
        entry = self.entry
        count = max(0, min(len(codes), entry.frames - start))
        own = codes[:count, entry.first_channel : entry.first_channel + entry.channels]
        self._write(entry.mapping.to_samples(own, entry.dtype).tobytes())
        return own.size

    def close(self) -> bool:
        """Add what stands behind the samples; tells whether the file is the original."""
        self._write(self.entry.tail)
        return self.crc == self.entry.crc


class StreamRestorer:
    """Feeds the files of one stream; frames that are missing are filled with the code at mid-scale.

    Codes gather in one buffer until it is full: to open every file for every packet would take longer than decoding.

    Parameters
    ----------
    files : sequence of Restorer
    channels : int
        Those of the stream.
    progress : callable, optional
        Called with the number of further samples that went to the files.
    """

    def __init__(self, files: Sequence[Restorer], channels: int, progress: Callable[[int], None] | None = None) -> None:
        self.files = files
        self.progress = progress
        self.middle = files[0].entry.mapping.middle
        self.next = 0
        self._written = 0  # frames that went to the files; those from here to `next` are in the buffer
        self._buffer = np.empty((max(1, CHUNK // channels), channels), np.uint16)

    def push(self, start: int, codes: np.ndarray) -> None:
        """Add `codes`, shape (frames, channels), that begin at frame `start`."""
        self.fill(start)
        for room in self._rooms(start + len(codes)):
            at = self.next - start
            room[:] = codes[at : at + len(room)]

    def fill(self, stop: int) -> None:
        """Fill what is missing before frame `stop`."""
        for room in self._rooms(stop):
            room[:] = self.middle

    def finish(self, stop: int) -> None:
        """Fill what is missing before frame `stop`, the last one, and give the files what is still in the buffer."""
        self.fill(stop)
        self._flush()

    def _rooms(self, stop: int) -> Iterator[np.ndarray]:
        """Room in the buffer for the frames up to `stop`, piece by piece; `next` moves on when a piece was filled."""
        while self.next < stop:
            begin = self.next - self._written
            room = self._buffer[begin : begin + stop - self.next]
            yield room
            self.next += len(room)
            if self.next - self._written == len(self._buffer):
                self._flush()

    def _flush(self) -> None:
        codes = self._buffer[: self.next - self._written]
        done = sum(file.frames(self._written, codes) for file in self.files)
        self._written = self.next
        if self.progress:
            self.progress(done)
