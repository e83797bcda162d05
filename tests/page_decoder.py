"""A second decoder, written from BITSTREAM.md alone, for testing that page and the codec; slow and plain."""

import struct
import sys
import zlib
from collections.abc import Iterator
from typing import NamedTuple

SYNC = b"\x53\x9d"
KEY, RAW = 1, 2  # bits of a packet's flags
PLAIN, KEYED, NAMED = 12, 16, 24  # bytes of a header, less its check: plain, key packet, with a parameter set
NAMES_SET = 0x40  # bit of a key packet's shape
VERSION_AND_PROFILE = 0x10
WIDTHS = range(8, 17)
MOST_ZEROS = 15
WRAP = 1 << 32
LATTICE, LATTICE_WIDTH = 0xFF, 10
BYTE = 8


class Shape(NamedTuple):
    """What all packets of a stream share."""

    channels: int
    width: int


class Packet(NamedTuple):
    """An intact packet; `shape` is None if it is no key packet, `end` is the byte after it."""

    raw: bool
    position: int
    frames: int
    shape: Shape | None
    payload: bytes
    end: int


class Stream(NamedTuple):
    """A decoded stream; a code that is not there (in a gap, of a channel that has ended) is 0."""

    shape: Shape
    origin: int
    codes: list[list[int]]
    gaps: list[list[int]]
    damage: list[list[int]]


class File(NamedTuple):
    """A file as the directory of a container describes it; `head` is None if it is the canonical one."""

    name: str
    frames: int
    head: bytes | None
    tail: bytes
    rate: int
    channels: int
    bits: int
    check: int


def require(condition: object, reason: str) -> None:
    """Refuse what does not agree with the page."""
    if not condition:
        raise ValueError(reason)


class Reader:
    """Reader of bits (most significant first) and of bytes."""

    def __init__(self, data: bytes) -> None:
        """Start at the first bit."""
        self.data, self.at = data, 0

    def bits(self, count: int) -> int:
        """Take a number of `count` bits."""
        begin, self.at = self.at, self.at + count
        require(self.at <= 8 * len(self.data), "cut off")
        return (int.from_bytes(self.data[begin // 8 : -(-self.at // 8)], "big") >> -self.at % 8) & ((1 << count) - 1)

    def octets(self, count: int) -> bytes:
        """Take whole bytes."""
        return self.bits(8 * count).to_bytes(count, "big")

    def number(self, count: int) -> int:
        """Take a number of `count` bytes."""
        return int.from_bytes(self.octets(count), "little")

    def varint(self) -> int:
        """Take a varint."""
        more, value = self.bits(1), self.bits(7)
        return value + (self.varint() << 7) if more else value


class Channel:
    """State of a channel."""

    def __init__(self, width: int) -> None:
        """Start as a key packet does."""
        self.width = width
        self.last = self.mean = 1 << (width - 1)

    def take(self, reader: Reader, raw: bool) -> int:
        """Take the channel's next code."""
        size = 1 << self.width
        if raw:
            code = reader.bits(self.width)
            e = (code - self.last + size // 2) % size - size // 2
            u = 2 * e if e >= 0 else -2 * e - 1
        else:
            k = min(((self.mean + (self.mean >> 4)) >> 6).bit_length(), self.width - 1)
            zeros = 0
            while zeros < MOST_ZEROS and not reader.bits(1):
                zeros += 1
            u = (zeros << k) + reader.bits(k) if zeros < MOST_ZEROS else reader.bits(self.width)
            require(u < size, "code word out of range")
            code = (self.last + (-(u + 1) // 2 if u % 2 else u // 2)) % size
        self.mean += (32 * u - self.mean + 32) >> 6
        self.last = code
        return code


def crc8(data: bytes) -> int:
    """Compute CRC-8/AUTOSAR."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ (0x12F if crc & 0x80 else 0)
    return crc ^ 0xFF


def read_packet(data: bytes, at: int) -> Packet | None:
    """Read the packet at a byte; None if no intact one begins there, ValueError if it must be refused."""
    if data[at : at + 2] != SYNC or len(data) < at + KEYED:
        return None
    flags, position, frames = struct.unpack_from("<BIH", data, at + 2)
    if flags > KEY | RAW or not frames:
        return None
    size = PLAIN
    if flags & KEY:
        size = NAMED if data[at + KEYED - 1] & NAMES_SET else KEYED
    begin = at + size + 1
    end = begin + int.from_bytes(data[at + 9 : at + 12], "little")
    if end + 4 > len(data) or crc8(data[at : begin - 1]) != data[begin - 1]:
        return None
    if zlib.crc32(data[at:end]) != int.from_bytes(data[end : end + 4], "little"):
        return None
    shape = None
    if flags & KEY:
        identity, channels, bits = struct.unpack_from("<BHB", data, at + PLAIN)
        require(identity == VERSION_AND_PROFILE and bits + 1 in WIDTHS, "version, profile or shape of a packet")
        shape = Shape(channels + 1, bits + 1)
    return Packet(bool(flags & RAW), position, frames, shape, data[begin:end], end + 4)


def read_packets(data: bytes) -> tuple[list[Packet], list[list[int]]]:
    """Find all intact packets and the damage between them: offset and size."""
    packets: list[Packet] = []
    damage: list[list[int]] = []
    at = good = 0
    while at < len(data):
        packet = read_packet(data, at)
        if packet:
            packets.append(packet)
            damage += [[good, at - good]] if good < at else []
            good = packet.end
        at = packet.end if packet else at + 1
    return packets, damage + ([[good, at - good]] if good < at else [])


def decode_stream(data: bytes, ends: list[int] | None = None) -> Stream:
    """Decode the packets of a stream; `ends` has the frames of each channel, where channels end early."""
    packets, damage = read_packets(data)
    shapes = [packet.shape for packet in packets if packet.shape]
    require(len(set(shapes)) == 1, "not one shape in the stream")
    require(ends is None or len(ends) == shapes[0].channels, "not as many ends as channels")
    while not packets[0].shape:
        del packets[0]
    stream = Stream(shapes[0], packets[0].position, [], [], damage)
    limits = ends or [sys.maxsize] * stream.shape.channels
    state: list[Channel] = []
    for packet in packets:
        at = len(stream.codes)
        lost = (packet.position - stream.origin - at) % WRAP
        require(lost < WRAP // 2, "position goes back")
        if packet.shape or lost:
            state = [Channel(packet.shape.width) for _ in range(packet.shape.channels)] if packet.shape else []
        lost += 0 if state else packet.frames
        if lost and stream.gaps and sum(stream.gaps[-1]) == at:
            stream.gaps[-1][1] += lost
        elif lost:
            stream.gaps.append([at, lost])
        stream.codes.extend([0] * stream.shape.channels for _ in range(lost))
        reader = Reader(packet.payload)
        for number in range(at + lost, at + lost + packet.frames if state else 0):
            pairs = zip(state, limits, strict=True)
            stream.codes.append([c.take(reader, packet.raw) if number < end else 0 for c, end in pairs])
        rest = 8 * len(packet.payload) - reader.at
        require(not state or (rest < BYTE and not reader.bits(rest)), "payload does not end with its last code")
    return stream


def read_file(reader: Reader, frames: int, before: File) -> File:
    """Read a file's entry in the directory."""
    flags = reader.number(1)
    name, own_frames, head, tail, rate, channels, bits, unknown = (flags >> bit & 1 for bit in range(8))
    require(not unknown, "flags of a file")
    return File(
        name=reader.octets(reader.varint()).decode() if name else "",
        frames=reader.varint() if own_frames else frames,
        head=reader.octets(reader.varint()) if head else None,
        tail=reader.octets(reader.varint()) if tail else b"",
        rate=reader.varint() if rate else before.rate,
        channels=reader.varint() if channels else before.channels,
        bits=reader.varint() if bits else before.bits,
        check=reader.number(4),
    )


def restore_file(file: File, mapping: int, codes: list[list[int]]) -> bytes:
    """Restore a file from the codes of its own channels."""
    size = 1 if file.bits == BYTE else 2
    body = bytearray()
    for code in (code for row in codes[: file.frames] for code in row):
        if mapping == LATTICE:
            scaled = code * 65535 - 32768 * 1023  # 1023 times the exact value
            sample = scaled // 1023 if scaled >= 0 else -(-scaled // 1023)
        else:
            sample = (code - (1 << ((mapping >> 4) + 7))) << (mapping & 15)
        body += (sample + (128 if size == 1 else 0)).to_bytes(size, "little", signed=size > 1)
    n, most, f = len(body), WRAP - 1, file.channels * size
    head = struct.pack("<4sI8sIH", b"RIFF", min(36 + n + n % 2, most), b"WAVEfmt ", 16, 1)
    head += struct.pack("<HIIHH", file.channels, file.rate, file.rate * f % WRAP, f, file.bits)
    head += struct.pack("<4sI", b"data", min(n, most))
    whole = (head if file.head is None else file.head) + body + file.tail
    require(zlib.crc32(whole) == file.check, "check of a file")
    return whole


def restore_stream(data: bytes, mapping: int, index: list[list[int]], files: list[File]) -> Iterator[bytes]:
    """Yield the original files of one stream."""
    codes: list[list[int]] = []
    if data:
        shape, origin, codes, gaps, damage = decode_stream(data, [f.frames for f in files for _ in range(f.channels)])
        require(shape.width == (LATTICE_WIDTH if mapping == LATTICE else (mapping >> 4) + 8), "width of a stream")
        require(not (origin or gaps or damage), "stream not whole")
    require(len(codes) == max((file.frames for file in files), default=0), "frames of a stream")
    for frame, offset in index:
        packet = read_packet(data, offset)
        require(packet and packet.shape and packet.position == frame % WRAP, "index names no key packet")
    first = 0
    for file in files:
        yield restore_file(file, mapping, [row[first : first + file.channels] for row in codes])
        first += file.channels


def restore(container: bytes) -> list[tuple[str, bytes]]:
    """Restore the files of a container: name, original bytes."""
    outer = Reader(container)
    require(outer.octets(4) == b"SPK\x01", "no container of version 1")
    size = outer.varint()
    directory = outer.octets(size >> 1)
    require(zlib.crc32(container[: outer.at // 8]) == outer.number(4), "check of the directory")
    reader = Reader(zlib.decompress(directory) if size & 1 else directory)
    begin = outer.at // 8
    restored: list[tuple[str, bytes]] = []
    file = File("", 0, None, b"", 0, 1, 16, 0)
    streams = reader.varint()
    for _ in range(streams):
        mapping, frames = reader.number(1), reader.varint()
        end = begin + reader.varint() if streams > 1 else len(container)
        require(end <= len(container), "container cut off")
        index = [[0, 0]]
        for _ in range(reader.varint()):
            index.append([index[-1][0] + reader.varint(), index[-1][1] + reader.varint()])
        files = [file := read_file(reader, frames, file) for _ in range(reader.varint())]
        contents = restore_stream(container[begin:end], mapping, index[1:], files)
        restored += zip((file.name for file in files), contents, strict=True)
        begin = end
    return restored
