"""Stage `packet`: the bytes of a packet, and finding intact ones in anything."""

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import links as some_links
from streams import packets_of

from model.codec import packet
from model.codec.packet import Damage, Packet, Shape, StreamError, build, parse, scan
from model.spec import packet as spec
from model.spec.config import CodecConfig
from model.spec.packet import Link

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


LINKED = CodecConfig("spikey", 3, 10, links=((), (Link(1, 64), Link(-1, -127)), (Link(2, -1),)))


def with_table(table: bytes, config: CodecConfig = LINKED) -> bytes:
    """A key packet of `config` with this table instead of its own, and its checks right."""
    data = build(config, 0, 20, key=True, raw=False, payload=b"payload", parameter_set=7)
    head = data[:24] + table
    return resealed(head + bytes(1 + len(b"payload") + 4), len(head))


def test_bytes_of_a_table_of_links() -> None:
    data = build(LINKED, 0, 20, key=True, raw=False, payload=b"", parameter_set=7)
    assert data[12:16] == bytes((0x12, 2, 0, 9 | 0xC0))
    assert data[24:37] == bytes.fromhex("02 0000 0000 0140 ff81 02ff 0000")
    assert len(data) == spec.overhead_bytes(key=True, parameter_set=True, links=13) == 37 + 1 + 4
    assert spec.links_bytes(LINKED.links) == 13 and spec.links_bytes(()) == 0
    assert len(build(LINKED, 0, 20, key=False, raw=False, payload=b"")) == spec.overhead_bytes(key=False, links=13)
    shape = Shape("spikey", 3, 10, 1, 7, (), LINKED.links)
    (found,) = packets_of(data)
    assert found.shape == shape and str(shape).endswith(", 3 links")
    assert shape.config(20, 4) == CodecConfig("spikey", 3, 10, 20, 4, links=LINKED.links)


@given(st.data(), st.integers(2, 300), st.sampled_from(["spikey", "full"]))
@settings(deadline=None, derandomize=True, max_examples=50)
def test_links_are_read_as_they_were_written(data: st.DataObject, channels: int, profile: str) -> None:
    config = CodecConfig(profile, channels, links=data.draw(some_links(channels)))
    coded = build(config, 5, 6, key=True, raw=True, payload=b"12", parameter_set=1)
    (found,) = scan(coded)
    assert isinstance(found, Packet) and found.shape is not None and bytes(found.payload) == b"12"
    assert found.shape.config(config.packet_frames, 1) == config
    for cut in range(0, len(coded), 1 + len(coded) // 50):
        assert list(scan(coded[:cut])) == ([Damage(0, cut)] if cut else [])


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ("00", "room for 0 a channel, not 1 to 4"),
        ("05" + "0140" * 15, "room for 5 a channel, not 1 to 4"),
        ("01 0000 0000 0000", "no channel has one"),
        ("02 0000 0000 0140 0000 0240 0000", "room for 2 a channel, but none has so many"),
        ("02 0000 0000 0000 0140 0240 0140", "channel 1 is its own partner"),  # the first is left out
        ("01 0000 0040 0000", "channel 1 is its own partner"),
        ("01 0000 0100 0000", "channel 1 has a partner of correlation 0"),
        ("01 0000 0180 0000", "channel 1 has a partner of correlation -128"),
        ("01 0000 8001 0000", "channel 1 has a partner -128 channels before it"),
        ("01 0000 0201 0000", "channel 1 has a partner 2 channels before it"),
        ("01 0000 fe01 0000", "channel 1 has a partner -2 channels before it"),
        ("02 0000 0000 0140 0120 0000 0000", "channel 1 has a partner twice"),
    ],
)
def test_links_that_no_encoder_writes_are_refused(table: str, fault: str) -> None:
    assert isinstance(next(scan(with_table(bytes.fromhex("01 0000 0140 0000")))), Packet)
    with pytest.raises(StreamError, match=f"packet: links: {fault}; the encoder is at fault"):
        list(scan(with_table(bytes.fromhex(table))))


@pytest.mark.parametrize("table", ["", "01", "01 0000 0140 00", "04" + "0140" * 11, "ff"])
def test_a_table_of_links_that_is_cut_off_is_damage(table: str) -> None:
    head = build(LINKED, 0, 20, key=True, raw=False, payload=b"", parameter_set=7)[:24]
    data = head + bytes.fromhex(table)
    assert list(scan(data)) == [Damage(0, len(data))]


def test_a_profile_has_peers_or_links_and_not_the_others() -> None:
    """The same flag means either; a table of bytes is read as the profile says."""
    data = bytearray(with_table(bytes.fromhex("00 01 00"), CodecConfig("calibrated", 3, 10, peers=(0, 1, 0))))
    assert isinstance(next(scan(bytes(data))), Packet)
    data[12] = 0x12
    with pytest.raises(StreamError, match="room for 0 a channel"):
        list(scan(resealed(bytes(data[:25] + data[27:]), 25)))


@pytest.mark.parametrize(("at", "value"), [(2, 0x04), (2, 0x80), (7, 0)])
def test_reserved_flags_and_empty_packets_are_not_packets(at: int, value: int) -> None:
    data = bytearray(build(CONFIG, 0, 20, key=False, raw=False, payload=b"12"))
    assert len(list(scan(resealed(bytes(data), 12)))) == 1
    data[at] = value
    assert list(scan(resealed(bytes(data), 12))) == [Damage(0, len(data))]
