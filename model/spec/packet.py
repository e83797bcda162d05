"""The packet: its fields, flags and checks, as tables that codec and hardware both read.

All multi-byte fields are little-endian; `BITSTREAM.md` is the same in prose.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple


@dataclass(frozen=True)
class Field:
    """One header field: `name`, and its size in `bytes`, least significant byte first."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Crc:
    """A cyclic redundancy check in the parameters of the Williams model (those of `amaranth.lib.crc`)."""

    crc_width: int
    polynomial: int
    initial_crc: int
    reflect_input: bool
    reflect_output: bool
    xor_output: int


VERSION: Final = 1
SYNC: Final = 0x9D53  # on the wire 0x53 0x9d: "S", then a byte that ASCII text never has

HEADER: Final = (
    Field("sync", 2),
    Field("flags", 1),
    Field("position", 4),  # frame number of the first frame, modulo 2**32
    Field("frames", 2),
    Field("length", 3),  # payload bytes
)
KEY_HEADER: Final = (
    Field("identity", 1),  # version << 4 | profile number
    Field("channels", 2),  # number of channels - 1
    Field("shape", 1),  # width - 1 | log2(lanes) << 4 | has parameter set << 6 | has peers or links << 7
)
PARAMETER_SET: Final = Field("parameter_set", 8)
PEER: Final = Field("peer", 1)  # of each channel: how many channels before it its peer stands; 0: it has none
MAX_PEER: Final = (1 << 8 * PEER.bytes) - 1
LINKS: Final = Field("links", 1)  # the most partners that a channel has, then so many links of each channel
LINK: Final = (Field("distance", 1), Field("correlation", 1))  # both signed; 0, 0 behind a channel's last one
MOST_LINKS: Final = 4
MAX_DISTANCE: Final = 127
MAX_CORRELATION: Final = 127
CORRELATION_BITS: Final = 7  # behind the point


FLAG_KEY: Final = 1 << 0
FLAG_RAW: Final = 1 << 1
FLAGS_RESERVED: Final = 0xFC

SHAPE_PARAMETER_SET: Final = 1 << 6
SHAPE_PEERS: Final = 1 << 7  # peers or links, whichever the profile may have

HEADER_CHECK: Final = Crc(8, 0x2F, 0xFF, False, False, 0xFF)  # CRC-8/AUTOSAR
PACKET_CHECK: Final = Crc(32, 0x04C11DB7, 0xFFFFFFFF, True, True, 0xFFFFFFFF)  # CRC-32/ISO-HDLC (zlib's)

HEADER_BYTES: Final = sum(f.bytes for f in HEADER)
KEY_HEADER_BYTES: Final = sum(f.bytes for f in KEY_HEADER)
LINK_BYTES: Final = sum(f.bytes for f in LINK)
HEADER_CHECK_BYTES: Final = HEADER_CHECK.crc_width // 8
PACKET_CHECK_BYTES: Final = PACKET_CHECK.crc_width // 8

MAX_FRAMES: Final = (1 << 16) - 1
MAX_LENGTH: Final = (1 << 24) - 1
MAX_CHANNELS: Final = 1 << 16


class Link(NamedTuple):
    """One partner of a channel, whose samples tell something of the channel's own.

    Parameters
    ----------
    distance : int
        How many channels before it in the frame the partner stands; negative: behind it. Never 0, at most
        `MAX_DISTANCE` either way.
    correlation : int
        In units of `2**-CORRELATION_BITS`. Never 0, at most `MAX_CORRELATION` either way.
    """

    distance: int
    correlation: int


Links = tuple[tuple[Link, ...], ...]  # those of each channel, at most `MOST_LINKS`


def _link_fault(link: Link, channel: int, channels: int) -> str | None:
    """What is wrong with a link of one channel."""
    distance, correlation = link
    if distance == 0:
        return f"channel {channel} is its own partner; leave that out"
    if abs(distance) > MAX_DISTANCE or not 0 <= channel - distance < channels:
        least, most = max(-MAX_DISTANCE, channel + 1 - channels), min(channel, MAX_DISTANCE)
        return f"channel {channel} has a partner {distance} channels before it; give {least} to {most}"
    if not 0 < abs(correlation) <= MAX_CORRELATION:
        limits = f"give -{MAX_CORRELATION} to {MAX_CORRELATION}, but not 0"
        return f"channel {channel} has a partner of correlation {correlation}; {limits}"
    return None


def links_fault(links: Sequence[Sequence[Link]], channels: int) -> str | None:
    """What is wrong with a table of links of a stream of so many channels, in words; None if it is right."""
    if len(links) != channels:
        return f"{len(links)} values for {channels} channels; give one each, or none"
    if not any(links):
        return "no channel has one; leave them out"
    for channel, own in enumerate(links):
        if len(own) > MOST_LINKS:
            return f"channel {channel} has {len(own)}; give at most {MOST_LINKS}"
        fault = next(filter(None, (_link_fault(link, channel, channels) for link in own)), None)
        if fault is None and len({link.distance for link in own}) < len(own):
            fault = f"channel {channel} has a partner twice; give each once"
        if fault is not None:
            return fault
    return None


def identity(profile_number: int) -> int:
    """Value of the field `identity`."""
    return VERSION << 4 | profile_number


def shape(width: int, lanes: int, *, parameter_set: bool = False, peers: bool = False) -> int:
    """Value of the field `shape`."""
    named = (SHAPE_PARAMETER_SET if parameter_set else 0) | (SHAPE_PEERS if peers else 0)
    return (width - 1) | (lanes.bit_length() - 1) << 4 | named


def links_bytes(links: Sequence[Sequence[Link]]) -> int:
    """Bytes of the table of `links`; 0 if there are none."""
    return LINKS.bytes + len(links) * max(map(len, links)) * LINK_BYTES if links else 0


def header_bytes(*, key: bool, parameter_set: bool = False, peers: int = 0, links: int = 0) -> int:
    """Bytes before the payload, the header check included.

    Parameters
    ----------
    key, parameter_set : bool
        Whether it is a key packet, and names a parameter set.
    peers : int
        The number of channels if they have any.
    links : int
        What `links_bytes` gives.
    """
    extra = KEY_HEADER_BYTES + (PARAMETER_SET.bytes if parameter_set else 0) + peers * PEER.bytes + links
    return HEADER_BYTES + (extra if key else 0) + HEADER_CHECK_BYTES


def overhead_bytes(*, key: bool, parameter_set: bool = False, peers: int = 0, links: int = 0) -> int:
    """Bytes of a packet that are not payload; parameters as in `header_bytes`."""
    return header_bytes(key=key, parameter_set=parameter_set, peers=peers, links=links) + PACKET_CHECK_BYTES


def raw_bytes(frames: int, channels: int, width: int) -> int:
    """Bytes of whole frames stored raw; in a packet, at most `MAX_LENGTH`."""
    return (frames * channels * width + 7) // 8


def lane_length_bytes(raw_bytes: int) -> int:
    """Bytes of one lane's length in a packet that would be `raw_bytes` long if it were stored raw."""
    return (raw_bytes.bit_length() + 7) // 8
