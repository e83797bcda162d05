"""Stage `packet`: a header with its check, a payload, a CRC-32; found again after damage.

Fields and flags: `model.spec.packet`; the prose: `model/spec/BITSTREAM.md`.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from model.spec import packet as spec
from model.spec.config import CodecConfig, find_profile
from model.spec.profiles import profile_by_number


class StreamError(ValueError):
    """A stream that this release cannot decode, for the reason that the message gives."""


def crc_table(crc: spec.Crc) -> tuple[int, ...]:
    """Byte-wise table of an unreflected CRC of 8 bits."""
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = ((value << 1) ^ (crc.polynomial if value & 0x80 else 0)) & 0xFF
        table.append(value)
    return tuple(table)


_HEADER_TABLE = crc_table(spec.HEADER_CHECK)
SEARCH_BYTES = 1 << 12
_SYNC = spec.SYNC.to_bytes(2, "little")
_HEADER = struct.Struct("<HBIHHB")  # `model.spec.packet.HEADER`, its length in two parts
_KEY_HEADER = struct.Struct("<BHB")
_PACKET_CHECK = struct.Struct("<I")


def header_check(data: bytes) -> int:
    """`model.spec.packet.HEADER_CHECK` over `data`."""
    crc = spec.HEADER_CHECK.initial_crc
    for byte in data:
        crc = _HEADER_TABLE[crc ^ byte]
    return crc ^ spec.HEADER_CHECK.xor_output


def packet_check(data: bytes | memoryview) -> int:
    """`model.spec.packet.PACKET_CHECK` over `data`."""
    return zlib.crc32(data)


@dataclass(frozen=True)
class Shape:
    """What a key packet says of its stream."""

    profile: str
    channels: int
    width: int
    lanes: int
    parameter_set: int | None
    peers: tuple[int, ...] = ()

    def __str__(self) -> str:
        named = "" if self.parameter_set is None else f", parameter set {self.parameter_set:016x}"
        paired = f", {sum(map(bool, self.peers))} peers" if self.peers else ""
        return (
            f"profile {self.profile}, channels {self.channels}, width {self.width}, lanes {self.lanes}{named}{paired}"
        )


class Packet(NamedTuple):
    """One intact packet; a tuple, because a live stream has thousands a second.

    Parameters
    ----------
    offset, size : int
        Where it stands, in bytes.
    position : int
        Number of its first frame, modulo 2**32.
    frames : int
    raw : bool
        Payload is the plain codes.
    shape : Shape or None
        Of key packets only.
    payload : memoryview
    """

    offset: int
    size: int
    position: int
    frames: int
    raw: bool
    shape: Shape | None
    payload: memoryview


@dataclass(frozen=True)
class Damage:
    """Bytes that belong to no intact packet."""

    offset: int
    size: int


def build(
    config: CodecConfig,
    position: int,
    frames: int,
    *,
    key: bool,
    raw: bool,
    payload: bytes,
    parameter_set: int | None = None,
) -> bytes:
    """The bytes of one packet; a key packet of a parameterised profile names its `parameter_set`."""
    flags = (spec.FLAG_KEY if key else 0) | (spec.FLAG_RAW if raw else 0)
    length = len(payload)
    head = _HEADER.pack(spec.SYNC, flags, position & 0xFFFFFFFF, frames, length & 0xFFFF, length >> 16)
    if key:
        named, peers = parameter_set is not None, bool(config.peers)
        shape = spec.shape(config.width, config.lanes, parameter_set=named, peers=peers)
        head += _KEY_HEADER.pack(spec.identity(find_profile(config.profile).number), config.channels - 1, shape)
        head += b"" if parameter_set is None else parameter_set.to_bytes(spec.PARAMETER_SET.bytes, "little")
        head += bytes(config.peers)
    head += bytes((header_check(head),))
    body = head + payload
    return body + _PACKET_CHECK.pack(packet_check(body))


def _shape(fields: tuple[int, ...], parameter_set: int | None, peers: tuple[int, ...]) -> Shape:
    identity, channels, shape = fields
    version, profile = identity >> 4, profile_by_number(identity & 15)
    if version != spec.VERSION:
        raise StreamError(
            f"packet: format version {version}; this release reads version {spec.VERSION}, get a newer one"
        )
    if profile is None:
        raise StreamError(f"packet: profile number {identity & 15} is not known; get a newer release")
    if peers and not profile.peers:
        raise StreamError(f"packet: peers in profile '{profile.name}'; get a newer release")
    if peers and not any(peers):
        raise StreamError("packet: says that channels have peers, but none has one; the encoder is at fault")
    if any(distance > channel for channel, distance in enumerate(peers)):
        raise StreamError("packet: a channel's peer stands before the first channel; the encoder is at fault")
    if profile.parameterised != (parameter_set is not None):
        raise StreamError(f"packet: profile '{profile.name}' and its parameter set do not fit; the encoder is at fault")
    lanes = 1 << (shape >> 4 & 3)
    if lanes not in profile.lanes:
        raise StreamError(f"packet: profile '{profile.name}' has no form with {lanes} lanes; get a newer release")
    return Shape(profile.name, channels + 1, (shape & 15) + 1, lanes, parameter_set, peers)


def parse(data: memoryview, offset: int) -> Packet | None:
    """The intact packet at `offset`, or None.

    Raises
    ------
    StreamError
        If the packet is intact but from a release or profile that is not known here.
    """
    fixed = offset + spec.HEADER_BYTES
    if fixed >= len(data):
        return None
    sync, flags, position, frames, length, length_high = _HEADER.unpack_from(data, offset)
    if sync != spec.SYNC:
        return None
    start, fields, parameter_set = fixed, None, None
    peers: tuple[int, ...] = ()
    if flags & spec.FLAG_KEY:
        if fixed + spec.KEY_HEADER_BYTES >= len(data):
            return None
        fields = _KEY_HEADER.unpack_from(data, fixed)
        start += spec.KEY_HEADER_BYTES
        if fields[2] & spec.SHAPE_PARAMETER_SET:
            parameter_set = int.from_bytes(data[start : start + spec.PARAMETER_SET.bytes], "little")
            start += spec.PARAMETER_SET.bytes
        if fields[2] & spec.SHAPE_PEERS:
            peers = tuple(data[start : start + fields[1] + 1])
            start += len(peers)
    end = start + spec.HEADER_CHECK_BYTES + (length_high << 16 | length)
    if flags & spec.FLAGS_RESERVED or frames == 0 or end + spec.PACKET_CHECK_BYTES > len(data):
        return None
    (check,) = _PACKET_CHECK.unpack_from(data, end)
    if header_check(bytes(data[offset:start])) != data[start] or packet_check(data[offset:end]) != check:
        return None
    shape = _shape(fields, parameter_set, peers) if fields else None
    size = end + spec.PACKET_CHECK_BYTES - offset
    payload = data[start + spec.HEADER_CHECK_BYTES : end]
    return Packet(offset, size, position, frames, bool(flags & spec.FLAG_RAW), shape, payload)


def _find_sync(view: memoryview, at: int) -> int:
    """Where the next sync stands, from `at` on, or the length; looks at one piece after the other."""
    while at < len(view):
        found = bytes(view[at : at + SEARCH_BYTES]).find(_SYNC)
        if found >= 0:
            return at + found
        at += SEARCH_BYTES - len(_SYNC) + 1
    return len(view)


def scan(data: bytes | memoryview) -> Iterator[Packet | Damage]:
    """The packets of a stream in order, and the damage between them; every byte belongs to one of them."""
    view = memoryview(data)
    at = good = 0
    while at < len(view):
        found = parse(view, at)
        if found is not None:
            if at > good:
                yield Damage(good, at - good)
            yield found
            at = good = at + found.size
        else:
            at = _find_sync(view, at + 1)
    if good < len(view):
        yield Damage(good, len(view) - good)
