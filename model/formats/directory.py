"""The directory of a container: which streams it holds, and how each original file is put together from them.

Layout of a container (`varint`: LEB128, unsigned)::

    "SPK" | version 1 (u8) | varint: 2 * directory bytes + compressed | directory | CRC-32 of all before (u32)
    | packets of stream 0 | packets of stream 1 | ...

    directory, deflated (zlib) where that is smaller:
        varint number of streams
        per stream: mapping (u8, `Mapping.to_byte`) | varint frames | varint bytes of packets (not of a lone stream)
                    | varint index entries | per entry: varint frames, varint bytes since the last entry
                    | varint number of files | the files
        per file:   flags (u8) | the fields that the flags announce | CRC-32 of the original (u32)
        then until the end: embedded parameter sets: varint length | bytes

u32 is little-endian. Flags announce, in this order: 1 name, 2 frames (else the stream's), 4 head (else canonical), 8
tail (else empty), 16 rate, 32 channels, 64 bits. Where rate, channels or bits are absent, those of the file before
hold; before the first file stand 0 Hz, 1 channel, 16 bits. Name, head and tail are: varint length | bytes; the rest
are varints. An index entry points at a key packet. A file's channels follow those of the file before it in the
stream; its samples end after its own number of frames.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from model.formats import wav
from model.formats.codes import Mapping
from model.formats.errors import FormatError
from model.spec.parameters import ParameterSet

MAGIC: Final = b"SPK"
VERSION: Final = 1
INDEX_BYTES: Final = 1 << 20  # least distance of index entries, in bytes of packets

_NAME, _FRAMES, _HEAD, _TAIL, _RATE, _CHANNELS, _BITS = (1 << i for i in range(7))


@dataclass(frozen=True)
class FileEntry:
    """One original file.

    Parameters
    ----------
    name : str
        Relative POSIX path; empty if the container's own name carries it.
    stream, first_channel, channels : int
        Where its channels are.
    frames, rate, bits : int
        As in `model.formats.wav.Wav`.
    mapping : Mapping
        That of its stream.
    head, tail : bytes
        The file before and behind its samples.
    crc : int
        CRC-32 of the whole file.
    """

    name: str
    stream: int
    first_channel: int
    channels: int
    frames: int
    rate: int
    bits: int
    mapping: Mapping
    head: bytes
    tail: bytes
    crc: int

    @property
    def dtype(self) -> np.dtype:
        """How its samples are stored."""
        return wav.sample_type(self.bits)

    @property
    def data_bytes(self) -> int:
        """Bytes of its samples."""
        return self.frames * self.channels * self.dtype.itemsize

    @property
    def size(self) -> int:
        """Bytes of the original."""
        return len(self.head) + self.data_bytes + len(self.tail)


@dataclass(frozen=True)
class StreamEntry:
    """Channels sampled together.

    Parameters
    ----------
    mapping : Mapping
    frames : int
        Frames of its longest file.
    offset, size : int
        Where its packets are in the container, in bytes.
    index : tuple of (int, int)
        Frame and byte (from `offset`) of key packets at which it can be entered; its begin is not listed.
    files : tuple of int
        Numbers of its files, in the order of their channels.
    ends : tuple of int
        Frames after which each channel has ended.
    rate : int
        Frames a second.
    """

    mapping: Mapping
    frames: int
    offset: int
    size: int
    index: tuple[tuple[int, int], ...]
    files: tuple[int, ...]
    ends: tuple[int, ...]
    rate: int

    @property
    def channels(self) -> int:
        """Channels of all its files."""
        return len(self.ends)


@dataclass(frozen=True)
class Directory:
    """All that stands before the packets.

    Parameters
    ----------
    streams : tuple of StreamEntry
    files : tuple of FileEntry
    parameter_sets : tuple of ParameterSet
        Embedded ones.
    size : int
        Bytes of all this in the container, magic and CRC-32 included.
    end : int
        Bytes that the container should have.
    """

    streams: tuple[StreamEntry, ...]
    files: tuple[FileEntry, ...]
    parameter_sets: tuple[ParameterSet, ...]
    size: int
    end: int


def varint(value: int) -> bytes:
    """LEB128 of `value >= 0`."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class Reader:
    """Takes fields from the front of `data`; `IndexError` where it ends too early."""

    def __init__(self, data: bytes | memoryview, at: int = 0) -> None:
        self.data = data
        self.at = at

    def varint(self) -> int:
        """LEB128, at most 63 bits."""
        value = 0
        for shift in range(0, 63, 7):
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise IndexError("a number of more than 63 bits")

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size > len(self.data) - self.at:
            raise IndexError("ends too early")
        self.at += size
        return bytes(self.data[self.at - size : self.at])


def _blob(data: bytes) -> bytes:
    return varint(len(data)) + data


def _file_bytes(file: FileEntry, frames: int, before: tuple[int, int, int]) -> bytes:
    optional = {
        _NAME: (file.name != "", _blob(file.name.encode("utf-8", "surrogateescape"))),
        _FRAMES: (file.frames != frames, varint(file.frames)),
        _HEAD: (
            file.head != wav.canonical_head(file.rate, file.channels, file.bits, file.data_bytes),
            _blob(file.head),
        ),
        _TAIL: (file.tail != b"", _blob(file.tail)),
        _RATE: (file.rate != before[0], varint(file.rate)),
        _CHANNELS: (file.channels != before[1], varint(file.channels)),
        _BITS: (file.bits != before[2], varint(file.bits)),
    }
    flags = sum(flag for flag, (present, _) in optional.items() if present)
    fields = b"".join(data for present, data in optional.values() if present)
    return bytes((flags,)) + fields + struct.pack("<I", file.crc)


def write(streams: Sequence[StreamEntry], files: Sequence[FileEntry], parameter_sets: Sequence[ParameterSet]) -> bytes:
    """All that stands before the packets of `streams`, whose offsets do not matter."""
    out = bytearray(varint(len(streams)))
    before = (0, 1, 16)
    for stream in streams:
        out += bytes((stream.mapping.to_byte(),)) + varint(stream.frames)
        out += varint(stream.size) if len(streams) > 1 else b""
        out += varint(len(stream.index))
        last = (0, 0)
        for entry in stream.index:
            out += varint(entry[0] - last[0]) + varint(entry[1] - last[1])
            last = entry
        out += varint(len(stream.files))
        for index in stream.files:
            file = files[index]
            out += _file_bytes(file, stream.frames, before)
            before = (file.rate, file.channels, file.bits)
    for parameters in parameter_sets:
        out += _blob(parameters.to_bytes())
    deflated = zlib.compress(out, 9)
    body = min(bytes(out), deflated, key=len)
    head = MAGIC + bytes((VERSION,)) + varint(2 * len(body) + (len(body) < len(out))) + body
    return head + struct.pack("<I", zlib.crc32(head))


def _read_file(
    reader: Reader, number: int, first: int, stream: tuple[Mapping, int], before: tuple[int, int, int]
) -> FileEntry:
    flags = reader.take(1)[0]
    name = reader.take(reader.varint()).decode("utf-8", "surrogateescape") if flags & _NAME else ""
    frames = reader.varint() if flags & _FRAMES else stream[1]
    head = reader.take(reader.varint()) if flags & _HEAD else None
    tail = reader.take(reader.varint()) if flags & _TAIL else b""
    rate = reader.varint() if flags & _RATE else before[0]
    channels = reader.varint() if flags & _CHANNELS else before[1]
    bits = reader.varint() if flags & _BITS else before[2]
    crc = struct.unpack("<I", reader.take(4))[0]
    if (
        not 1 <= rate < 1 << 32
        or not 1 <= channels < 1 << 16
        or not 8 <= bits <= 16
        or frames > stream[1]
        or flags >> 7
    ):
        raise ValueError("a file's fields are out of range")
    if head is None:
        head = wav.canonical_head(rate, channels, bits, frames * channels * wav.sample_type(bits).itemsize)
    return FileEntry(name, number, first, channels, frames, rate, bits, stream[0], head, tail, crc)


def _read_streams(reader: Reader, start: int, end: int) -> tuple[list[StreamEntry], list[FileEntry]]:
    """Streams whose packets begin at byte `start` of a container of `end` bytes, which may have been cut short."""
    streams: list[StreamEntry] = []
    files: list[FileEntry] = []
    before = (0, 1, 16)
    number_of = reader.varint()
    if number_of == 0:
        raise ValueError("it has no stream")
    for number in range(number_of):
        mapping, frames = Mapping.from_byte(reader.take(1)[0]), reader.varint()
        size = reader.varint() if number_of > 1 else end - start
        index: list[tuple[int, int]] = []
        for _ in range(reader.varint()):
            last = index[-1] if index else (0, 0)
            index.append((last[0] + reader.varint(), last[1] + reader.varint()))
        own: list[int] = []
        ends: list[int] = []
        for _ in range(reader.varint()):
            file = _read_file(reader, number, len(ends), (mapping, frames), before)
            own.append(len(files))
            files.append(file)
            ends += [file.frames] * file.channels
            before = (file.rate, file.channels, file.bits)
        if not ends:
            raise ValueError("a stream has no file")
        streams.append(StreamEntry(mapping, frames, start, size, tuple(index), tuple(own), tuple(ends), before[0]))
        start += size
    return streams, files


def read(path: Path, data: memoryview) -> Directory:
    """The directory of the container `data`, the content of `path`.

    Raises
    ------
    FormatError
        If it is not a container, of another version, or its directory is damaged.
    """
    if bytes(data[:3]) != MAGIC:
        raise FormatError(f"{path}: magic: not a container of spikey; give a file made by spikey compress")
    if len(data) > 3 and data[3] != VERSION:
        raise FormatError(
            f"{path}: version: {data[3]}, this release reads {VERSION}; get a newer one, or the file is damaged"
        )
    reader = Reader(data, 4)
    damaged = f"{path}: directory: damaged, so no file can be restored from it; fetch the container again"
    try:
        length = reader.varint()
        body = reader.take(length >> 1)
        check = struct.unpack("<I", reader.take(4))[0]
    except IndexError:
        raise FormatError(damaged) from None
    if check != zlib.crc32(data[: reader.at - 4]):
        raise FormatError(damaged)
    try:
        fields = Reader(zlib.decompress(body) if length & 1 else body)
        streams, files = _read_streams(fields, reader.at, len(data))
        sets = []
        while fields.at < len(fields.data):
            sets.append(ParameterSet.from_bytes(fields.take(fields.varint())))
    except (ValueError, IndexError, struct.error, zlib.error) as error:
        raise FormatError(
            f"{path}: directory: {error}; the program that wrote it is at fault, compress again"
        ) from None
    return Directory(tuple(streams), tuple(files), tuple(sets), reader.at, streams[-1].offset + streams[-1].size)
