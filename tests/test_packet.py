"""Stage `packet`: the bytes of a packet, and finding intact ones in anything."""

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.codec import packet
from model.codec.packet import Damage, Packet, Shape, StreamError, build, parse, scan
from model.spec import packet as spec
from model.spec.config import CodecConfig

CONFIG = CodecConfig(channels=300, width=12, packet_frames=20)


def resealed(data: bytes, header: int) -> bytes:
    """`data` with both checks made right again; the header check stands at `header`."""
    head = data[:header] + bytes([packet.header_check(data[:header])])
    body = head + data[header + 1 : -4]
    return body + struct.pack("<I", zlib.crc32(body))


def test_checks_are_the_published_ones() -> None:
    assert packet.header_check(b"123456789") == 0xDF  # CRC-8/AUTOSAR
    assert packet.packet_check(b"123456789") == 0xCBF43926  # CRC-32/ISO-HDLC


def test_bytes_of_a_plain_packet() -> None:
    data = build(CONFIG, 0x1_0403_0201, 0x0605, key=False, raw=True, payload=b"payload")
    head = bytes.fromhex("539d 02 01020304 0506 070000")
    assert data[:12] == head
    assert data[12] == packet.header_check(head)
    assert data[13:20] == b"payload"
    assert data[20:] == struct.pack("<I", zlib.crc32(data[:20]))
    assert len(data) == spec.overhead_bytes(key=False) + 7


def test_bytes_of_a_key_packet() -> None:
    data = build(CONFIG, 7, 20, key=True, raw=False, payload=b"")
    assert data[:16] == bytes.fromhex("539d 01 07000000 1400 000000 10 2b01 0b")
    assert len(data) == spec.overhead_bytes(key=True) == 21


@pytest.mark.parametrize("key", [False, True])
@pytest.mark.parametrize("raw", [False, True])
def test_parse_reads_what_build_wrote(key: bool, raw: bool) -> None:
    data = build(CONFIG, 1 << 33 | 99, 17, key=key, raw=raw, payload=bytes(range(40)))
    found = parse(memoryview(b"..." + data + b"..."), 3)
    assert found is not None
    shape = Shape("tiny", 300, 12, 1, None) if key else None
    assert (found.offset, found.size, found.position, found.frames) == (3, len(data), 99, 17)
    assert (found.raw, found.shape, bytes(found.payload)) == (raw, shape, bytes(range(40)))


@pytest.mark.parametrize("key", [False, True])
def test_every_flipped_bit_and_every_truncation_is_noticed(key: bool) -> None:
    data = build(CONFIG, 12345, 20, key=key, raw=False, payload=b"\x00\xffSpikey\x53")
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        assert not [p for p in scan(bytes(damaged)) if isinstance(p, Packet)]
    for length in range(len(data)):
        assert list(scan(data[:length])) == ([Damage(0, length)] if length else [])


def test_packets_are_found_between_damage() -> None:
    a, b, c = (build(CONFIG, i, 20, key=i == 0, raw=False, payload=bytes([0x53, 0x9D] * 5)) for i in range(3))
    items = list(scan(b"S\x9d" + a + b[:-1] + c + b"S"))
    sizes = [2, len(a), len(b) - 1, len(c), 1]
    assert [item.size for item in items] == sizes
    assert [item.offset for item in items] == [sum(sizes[:i]) for i in range(5)]
    assert [isinstance(item, Packet) for item in items] == [False, True, False, True, False]


@given(st.lists(st.one_of(st.binary(max_size=30), st.integers(0, 3)), max_size=8))
@settings(deadline=None, derandomize=True)
def test_every_byte_belongs_to_one_item(parts: list[bytes | int]) -> None:
    whole = [build(CONFIG, i, 20, key=i % 2 == 0, raw=False, payload=bytes([83, 157, i])) for i in range(4)]
    data = b"".join(part if isinstance(part, bytes) else whole[part] for part in parts)
    items = list(scan(data))
    at = 0
    for item in items:
        assert item.offset == at and item.size > 0
        at += item.size
    assert at == len(data)
    assert sum(isinstance(i, Packet) for i in items) == sum(isinstance(p, int) for p in parts)


@pytest.mark.parametrize(
    ("at", "value", "word"),
    [
        (12, 2 << 4, "format version 2"),
        (12, 1 << 4 | 15, "profile number 15"),
        (15, 11 | 1 << 7, "peers"),
        (15, 11 | 1 << 4, "2 lanes"),
        (15, 11 | 1 << 6, "parameter set"),
    ],
)
def test_what_this_release_does_not_know_is_refused_by_name(at: int, value: int, word: str) -> None:
    data = bytearray(build(CONFIG, 0, 20, key=True, raw=False, payload=b"12345678"))
    data[at] = value
    header = 16
    if value & spec.SHAPE_PARAMETER_SET and at == 15:
        data[header:header] = bytes(8)
        header += 8
    if value & spec.SHAPE_PEERS and at == 15:
        data[header:header] = bytes(CONFIG.channels)
        header += CONFIG.channels
    with pytest.raises(StreamError, match=word):
        list(scan(resealed(bytes(data), header)))


def test_peers_that_no_channel_has_are_refused() -> None:
    config = CodecConfig("calibrated", 3, 12, peers=(0, 0, 2))
    data = bytearray(build(config, 0, 20, key=True, raw=False, payload=b"1", parameter_set=7))
    assert len(list(scan(bytes(data)))) == 1
    data[26] = 0
    with pytest.raises(StreamError, match="none has one"):
        list(scan(resealed(bytes(data), 27)))


@pytest.mark.parametrize(("at", "value"), [(2, 0x04), (2, 0x80), (7, 0)])
def test_reserved_flags_and_empty_packets_are_not_packets(at: int, value: int) -> None:
    data = bytearray(build(CONFIG, 0, 20, key=False, raw=False, payload=b"12"))
    assert len(list(scan(resealed(bytes(data), 12)))) == 1
    data[at] = value
    assert list(scan(resealed(bytes(data), 12))) == [Damage(0, len(data))]
