"""A second decoder, written from BITSTREAM.md alone, for testing that page and the codec; slow and plain."""

import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests import page_calibrated, page_full, page_spikey
from tests.page_calibrated import PROFILE as CALIBRATED
from tests.page_calibrated import Calibrated
from tests.page_full import PROFILE as FULL
from tests.page_full import Full
from tests.page_reader import Reader, Shape, require
from tests.page_sets import PageSet, named_sets
from tests.page_spikey import PROFILE as SPIKEY
from tests.page_spikey import Spikey

SYNC = b"\x53\x9d"
KEY, RAW = 1, 2  # bits of a packet's flags
PLAIN, KEYED = 12, 16  # bytes of a header, less its check and what only some key packets have
NAMES_SET, HAS_PEERS = 0x40, 0x80  # bits of a key packet's shape; peers or links
LINKED = (SPIKEY, FULL)
MOST_LINKS, LEAST = 4, -128
VERSION, TINY = 1, 0
MOST_LANES = 4
LEAST_WIDTH = 8
MOST_BYTES = (1 << 24) - 1
MOST_ZEROS = 15
WRAP = 1 << 32
LATTICE, LATTICE_WIDTH = 0xFF, 10
BYTE = 8
PARAMETERS = Path(__file__).parents[1] / "model" / "spec" / "parameters"
RELEASED = named_sets(path.read_bytes() for path in sorted(PARAMETERS.glob("*.spkp")))


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


class Tiny:
    """State of a stream of `tiny` from a key packet on."""

    def __init__(self, shape: Shape) -> None:
        """Start as a key packet does."""
        self.channels = [Channel(shape.width) for _ in range(shape.channels)]

    def take(self, payload: bytes, raw: bool, present: list[list[int]]) -> list[dict[int, int]]:
        """Take the codes of a packet: of each frame, those of the channels that are present in it."""
        reader = Reader(payload)
        rows = [{c: self.channels[c].take(reader, raw) for c in numbers} for numbers in present]
        reader.finish()
        return rows


def crc8(data: bytes) -> int:
    """Compute CRC-8/AUTOSAR."""
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1) ^ (0x12F if crc & 0x80 else 0)
    return crc ^ 0xFF


def read_shape(head: bytes) -> Shape:
    """Read what only key packets have, `identity` and on; refuse what is not known."""
    identity, channels, bits = struct.unpack_from("<BHB", head)
    version, profile = divmod(identity, 16)
    width, lanes = (bits & 15) + 1, 1 << (bits >> 4 & 3)
    own = 8 if bits & NAMES_SET else 0
    require(version == VERSION and profile in (TINY, CALIBRATED, *LINKED), "version or profile of a packet")
    require(width >= LEAST_WIDTH and lanes <= MOST_LANES, "width or lanes of a packet")
    require(profile != TINY or bits < 16, "shape of a packet of tiny")
    require(profile != SPIKEY or lanes == 1, "lanes of a packet of spikey")
    require(profile == TINY or own, "no parameter set is named")
    shape, more = Shape(profile, channels + 1, width, lanes, head[4 : 4 + own]), head[4 + own :]
    if profile in LINKED:
        return shape._replace(links=read_links(more, channels + 1) if more else ())
    require(all(peer <= c for c, peer in enumerate(more)), "peer before channel 0")
    require(not bits & HAS_PEERS or any(more), "no channel has a peer")
    return shape._replace(peers=tuple(more))


def read_links(data: bytes, channels: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Read the links of every channel: distance and correlation of each partner."""
    most, numbers = data[0], struct.unpack(f"{len(data) - 1}b", data[1:])
    require(1 <= most <= MOST_LINKS, "most links")
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    found = []
    for c in range(channels):
        own = pairs[c * most : (c + 1) * most]
        count = most - next((n for n, pair in enumerate(reversed(own)) if pair != (0, 0)), most)
        links = tuple(own[:count])
        for distance, correlation in links:
            require(distance and correlation and LEAST not in (distance, correlation), "distance or correlation")
            require(0 <= c - distance < channels, "partner that is no channel")
        require(len({distance for distance, _ in links}) == count, "partner named twice")
        found.append(links)
    require(max(map(len, found)) == most, "more room for links than needed")
    return tuple(found)


def read_packet(data: bytes, at: int) -> Packet | None:
    """Read the packet at a byte; None if no intact one begins there, ValueError if it must be refused."""
    if data[at : at + 2] != SYNC or len(data) < at + KEYED:
        return None
    flags, position, frames = struct.unpack_from("<BIH", data, at + 2)
    if flags > KEY | RAW or not frames:
        return None
    size = PLAIN
    if flags & KEY:
        identity, channels, bits = struct.unpack_from("<BHB", data, at + PLAIN)
        size = KEYED + (8 if bits & NAMES_SET else 0)
        if bits & HAS_PEERS:
            linked = identity % 16 in LINKED
            size += 1 + 2 * (channels + 1) * sum(data[at + size : at + size + 1]) if linked else channels + 1
    begin = at + size + 1
    end = begin + int.from_bytes(data[at + 9 : at + 12], "little")
    if end + 4 > len(data) or crc8(data[at : begin - 1]) != data[begin - 1]:
        return None
    if zlib.crc32(data[at:end]) != int.from_bytes(data[end : end + 4], "little"):
        return None
    shape = read_shape(data[at + PLAIN : begin - 1]) if flags & KEY else None
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


def begin_state(shape: Shape, sets: dict[bytes, PageSet]) -> Tiny | Calibrated | Spikey:
    """Give the state at the start of a key packet."""
    if shape.profile == TINY:
        return Tiny(shape)
    require(shape.parameter_set in sets, "parameter set is not known")
    tables = sets[shape.parameter_set]
    require(tables.serves(shape.width), "parameter set is for another width")
    if isinstance(tables, page_spikey.Tables) and shape.profile == SPIKEY:
        return Spikey(shape, tables)
    if isinstance(tables, page_full.Tables) and shape.profile == FULL:
        return Full(shape, tables)
    if isinstance(tables, page_calibrated.Tables) and shape.profile == CALIBRATED:
        return Calibrated(shape, tables)
    raise ValueError("parameter set is for another profile")


def decode_stream(data: bytes, ends: list[int] | None = None, sets: dict[bytes, PageSet] | None = None) -> Stream:
    """Decode the packets of a stream; `ends` has the frames of each channel, where channels end early."""
    sets = RELEASED if sets is None else sets
    packets, damage = read_packets(data)
    shapes = [packet.shape for packet in packets if packet.shape]
    require(len(set(shapes)) == 1, "not one shape in the stream")
    require(ends is None or len(ends) == shapes[0].channels, "not as many ends as channels")
    while not packets[0].shape:
        del packets[0]
    stream = Stream(shapes[0], packets[0].position, [], [], damage)
    limits = ends or [sys.maxsize] * stream.shape.channels
    state: Tiny | Calibrated | Spikey | None = None
    for packet in packets:
        require(packet.frames * shapes[0].channels * shapes[0].width <= 8 * MOST_BYTES, "more than a packet holds")
        at = len(stream.codes)
        lost = (packet.position - stream.origin - at) % WRAP
        require(lost < WRAP // 2, "position goes back")
        if packet.shape or lost:
            state = begin_state(packet.shape, sets) if packet.shape else None
        lost += 0 if state else packet.frames
        if lost and stream.gaps and sum(stream.gaps[-1]) == at:
            stream.gaps[-1][1] += lost
        elif lost:
            stream.gaps.append([at, lost])
        every = range(stream.shape.channels)
        stream.codes.extend([0 for _ in every] for _ in range(lost))
        if state:
            numbers = range(len(stream.codes), len(stream.codes) + packet.frames)
            present = [[c for c in every if number < limits[c]] for number in numbers]
            stream.codes.extend(
                [row.get(c, 0) for c in every] for row in state.take(packet.payload, packet.raw, present)
            )
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


def restore_stream(
    data: bytes, mapping: int, index: list[list[int]], files: list[File], sets: dict[bytes, PageSet]
) -> Iterator[bytes]:
    """Yield the original files of one stream."""
    codes: list[list[int]] = []
    if data:
        shape, origin, codes, gaps, damage = decode_stream(
            data, [f.frames for f in files for _ in range(f.channels)], sets
        )
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
    streams: list[tuple[bytes, int, list[list[int]], list[File]]] = []
    file = File("", 0, None, b"", 0, 1, 16, 0)
    count = reader.varint()
    for _ in range(count):
        mapping, frames = reader.number(1), reader.varint()
        end = begin + reader.varint() if count > 1 else len(container)
        require(end <= len(container), "container cut off")
        index = [[0, 0]]
        for _ in range(reader.varint()):
            index.append([index[-1][0] + reader.varint(), index[-1][1] + reader.varint()])
        files = [file := read_file(reader, frames, file) for _ in range(reader.varint())]
        streams.append((container[begin:end], mapping, index[1:], files))
        begin = end
    require(begin == len(container), "bytes behind the last stream")
    embedded: list[bytes] = []
    while reader.at < BYTE * len(reader.data):
        embedded.append(reader.octets(reader.varint()))
    sets = RELEASED | named_sets(embedded)
    restored: list[tuple[str, bytes]] = []
    for stream in streams:
        restored += zip((file.name for file in stream[3]), restore_stream(*stream, sets), strict=True)
    return restored
