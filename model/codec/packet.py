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
from model.spec.packet import Link
from model.spec.profiles import Profile, profile_by_number


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
    links: spec.Links = ()

    def __str__(self) -> str:
        named = "" if self.parameter_set is None else f", parameter set {self.parameter_set:016x}"
        paired = f", {sum(map(bool, self.peers))} peers" if self.peers else ""
        linked = f", {sum(map(len, self.links))} links" if self.links else ""
        form = f"profile {self.profile}, channels {self.channels}, width {self.width}, lanes {self.lanes}"
        return form + named + paired + linked

    def config(self, packet_frames: int, key_interval: int) -> CodecConfig:
        """The configuration of its stream, if packets have so many frames and key packets stand so far apart."""
        return CodecConfig(
            self.profile, self.channels, self.width, packet_frames, key_interval, self.lanes, self.peers, self.links
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


def _links_table(links: spec.Links) -> bytes:
    """The table of `links`; those of a channel that has less than another are filled up with zeros."""
    if not links:
        return b""
    most = max(map(len, links))
    entries = (link for own in links for link in (*own, *((0, 0),) * (most - len(own))))
    return bytes((most, *(value & 0xFF for link in entries for value in link)))


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
        named, peers = parameter_set is not None, bool(config.peers or config.links)
        shape = spec.shape(config.width, config.lanes, parameter_set=named, peers=peers)
        head += _KEY_HEADER.pack(spec.identity(find_profile(config.profile).number), config.channels - 1, shape)
        head += b"" if parameter_set is None else parameter_set.to_bytes(spec.PARAMETER_SET.bytes, "little")
        head += bytes(config.peers) + _links_table(config.links)
    head += bytes((header_check(head),))
    body = head + payload
    return body + _PACKET_CHECK.pack(packet_check(body))


class _Key(NamedTuple):
    """What stands in a key packet behind the fields that all packets have; `links` is their table as it stands."""

    identity: int
    channels: int
    shape: int
    parameter_set: int | None
    peers: tuple[int, ...]
    links: memoryview


def _key(data: memoryview, at: int) -> tuple[_Key, int] | None:
    """What stands from `at` on, and the byte behind it; None if it is cut off. Its checks are still to be done."""
    if at + spec.KEY_HEADER_BYTES >= len(data):
        return None
    identity, channels, shape = _KEY_HEADER.unpack_from(data, at)
    channels += 1
    at += spec.KEY_HEADER_BYTES
    parameter_set, links = None, data[:0]
    peers: tuple[int, ...] = ()
    if shape & spec.SHAPE_PARAMETER_SET:
        parameter_set = int.from_bytes(data[at : at + spec.PARAMETER_SET.bytes], "little")
        at += spec.PARAMETER_SET.bytes
    if shape & spec.SHAPE_PEERS:
        profile = profile_by_number(identity & 15)
        if profile is None or not profile.links:
            peers = tuple(data[at : at + channels])
            at += channels
        elif at < len(data):
            links = data[at : at + spec.LINKS.bytes + channels * data[at] * spec.LINK_BYTES]
            at += spec.LINKS.bytes + channels * data[at] * spec.LINK_BYTES
        else:
            return None
    return _Key(identity, channels, shape, parameter_set, peers, links), at


def _check_peers(key: _Key, profile: Profile) -> None:
    """Refuse peers that no encoder writes."""
    if key.peers and not profile.peers:
        raise StreamError(f"packet: peers in profile '{profile.name}'; get a newer release")
    if key.peers and not any(key.peers):
        raise StreamError("packet: says that channels have peers, but none has one; the encoder is at fault")
    if any(distance > channel for channel, distance in enumerate(key.peers)):
        raise StreamError("packet: a channel's peer stands before the first channel; the encoder is at fault")


def _links(key: _Key, profile: Profile) -> spec.Links:
    """The links of all channels, without the zeros behind them; refuses what no encoder writes."""
    if not key.links:
        return ()
    most, values = key.links[0], struct.unpack(f"{len(key.links) - 1}b", key.links[1:])
    if not 1 <= most <= profile.links:
        raise StreamError(
            f"packet: links: room for {most} a channel, not 1 to {profile.links}; the encoder is at fault"
        )
    size, found = most * spec.LINK_BYTES, []
    for channel in range(key.channels):
        own = values[channel * size : (channel + 1) * size]
        links = [Link(*own[at : at + spec.LINK_BYTES]) for at in range(0, size, spec.LINK_BYTES)]
        while links and links[-1] == (0, 0):
            links.pop()
        found.append(tuple(links))
    fault = spec.links_fault(found, key.channels)
    if fault is None and max(map(len, found)) < most:
        fault = f"room for {most} a channel, but none has so many"
    if fault is not None:
        raise StreamError(f"packet: links: {fault.partition(';')[0]}; the encoder is at fault")
    return tuple(found)


def _shape(key: _Key) -> Shape:
    version, profile = key.identity >> 4, profile_by_number(key.identity & 15)
    if version != spec.VERSION:
        raise StreamError(
            f"packet: format version {version}; this release reads version {spec.VERSION}, get a newer one"
        )
    if profile is None:
        raise StreamError(f"packet: profile number {key.identity & 15} is not known; get a newer release")
    _check_peers(key, profile)
    if profile.parameterised != (key.parameter_set is not None):
        raise StreamError(f"packet: profile '{profile.name}' and its parameter set do not fit; the encoder is at fault")
    lanes = 1 << (key.shape >> 4 & 3)
    if lanes not in profile.lanes:
        raise StreamError(f"packet: profile '{profile.name}' has no form with {lanes} lanes; get a newer release")
    return Shape(
        profile.name, key.channels, (key.shape & 15) + 1, lanes, key.parameter_set, key.peers, _links(key, profile)
    )


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
    found = _key(data, fixed) if flags & spec.FLAG_KEY else (None, fixed)
    if found is None:
        return None
    key, start = found
    end = start + spec.HEADER_CHECK_BYTES + (length_high << 16 | length)
    if flags & spec.FLAGS_RESERVED or frames == 0 or end + spec.PACKET_CHECK_BYTES > len(data):
        return None
    (check,) = _PACKET_CHECK.unpack_from(data, end)
    if header_check(bytes(data[offset:start])) != data[start] or packet_check(data[offset:end]) != check:
        return None
    size = end + spec.PACKET_CHECK_BYTES - offset
    payload = data[start + spec.HEADER_CHECK_BYTES : end]
    return Packet(offset, size, position, frames, bool(flags & spec.FLAG_RAW), _shape(key) if key else None, payload)


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
