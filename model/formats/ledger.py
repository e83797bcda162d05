"""What a container's bytes are spent on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from model.codec import raw
from model.codec.packet import Packet, Shape
from model.spec import packet as spec


@dataclass
class Ledger:
    """Bytes of a container by purpose (they add up to the file's size) and its packets by kind.

    Parameters
    ----------
    container : int
        Magic, version, directory with embedded parameter sets, and its CRC-32.
    packet_headers, header_checks, packet_checks : int
        Fixed fields of headers, the header checks, and the packets' CRC-32s.
    parameter_set_names, peer_tables : int
        What else stands in key packets: sets' names, and tables of peers or links.
    lane_lengths : int
        Lengths of lanes at the front of coded payloads.
    payload_coded, payload_raw : int
        Payloads of coded packets, without lane lengths, and of packets stored raw.
    damaged : int
        Bytes that belong to no intact packet.
    packets, key_packets, raw_packets : int
        Counts.
    """

    container: int = 0
    packet_headers: int = 0
    parameter_set_names: int = 0
    peer_tables: int = 0
    header_checks: int = 0
    packet_checks: int = 0
    lane_lengths: int = 0
    payload_coded: int = 0
    payload_raw: int = 0
    damaged: int = 0
    packets: int = field(default=0, metadata={"count": True})
    key_packets: int = field(default=0, metadata={"count": True})
    raw_packets: int = field(default=0, metadata={"count": True})

    @property
    def total(self) -> int:
        """All bytes: the size of the container."""
        return sum(getattr(self, f.name) for f in fields(self) if not f.metadata)

    def __add__(self, other: "Ledger") -> "Ledger":
        return Ledger(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def enter(self, packet: Packet, lane_lengths: int = 0) -> None:
        """Add a packet, of which so many bytes are lengths of lanes."""
        payload = len(packet.payload)
        fixed = spec.HEADER_BYTES + (spec.KEY_HEADER_BYTES if packet.shape else 0)
        name = spec.PARAMETER_SET.bytes if packet.shape and packet.shape.parameter_set is not None else 0
        self.packets += 1
        self.key_packets += packet.shape is not None
        self.raw_packets += packet.raw
        self.packet_headers += fixed
        self.parameter_set_names += name
        if packet.shape:
            self.peer_tables += len(packet.shape.peers) * spec.PEER.bytes + spec.links_bytes(packet.shape.links)
        self.header_checks += spec.HEADER_CHECK_BYTES
        self.packet_checks += spec.PACKET_CHECK_BYTES
        self.lane_lengths += lane_lengths
        self.payload_raw += payload if packet.raw else 0
        self.payload_coded += 0 if packet.raw else payload - lane_lengths


def lane_lengths(packet: Packet, shape: Shape, first: int, ends: Sequence[int]) -> int:
    """Bytes of a coded packet that are lengths of lanes: one for each lane that has samples, but the last.

    Parameters
    ----------
    packet : Packet
    shape : Shape
        Of its stream.
    first : int
        Frames of the stream before it.
    ends : sequence of int
        Frames after which each channel has ended.
    """
    if packet.raw or shape.lanes == 1:
        return 0
    lanes = sum(any(end > first for end in ends[lane :: shape.lanes]) for lane in range(shape.lanes))
    return (lanes - 1) * spec.lane_length_bytes(raw.size(packet.frames, first, np.array(ends), shape.width))
