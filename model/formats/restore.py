"""Putting original files together from the frames of their stream, with their CRC-32 kept on the way."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model.formats.directory import FileEntry


class Restorer:
    """Builds one original, on disk if it is given a `path`, else only its CRC-32.

    The file is opened for each block anew: a stream may have more channels than a process may have open files.
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

    def frames(self, start: int, codes: np.ndarray) -> None:
        """Add the stream's `codes`, shape (frames, channels of the stream), that begin at frame `start`."""
        entry = self.entry
        count = max(0, min(len(codes), entry.frames - start))
        own = codes[:count, entry.first_channel : entry.first_channel + entry.channels]
        self._write(entry.mapping.to_samples(own, entry.dtype).tobytes())

    def close(self) -> bool:
        """Add what stands behind the samples; tells whether the file is the original."""
        self._write(self.entry.tail)
        return self.crc == self.entry.crc


class StreamRestorer:
    """Feeds the files of one stream; frames that are missing are filled with the code at mid-scale."""

    FILL_FRAMES = 1 << 14

    def __init__(self, files: Sequence[Restorer], channels: int) -> None:
        self.files = files
        self.channels = channels
        self.middle = files[0].entry.mapping.middle
        self.next = 0

    def push(self, start: int, codes: np.ndarray) -> None:
        """Add `codes`, shape (frames, channels), that begin at frame `start`."""
        self.fill(start)
        for file in self.files:
            file.frames(start, codes)
        self.next = start + len(codes)

    def fill(self, stop: int) -> None:
        """Fill what is missing before frame `stop`."""
        while self.next < stop:
            count = min(self.FILL_FRAMES, stop - self.next)
            codes = np.full((count, self.channels), self.middle, np.uint16)
            for file in self.files:
                file.frames(self.next, codes)
            self.next += count
