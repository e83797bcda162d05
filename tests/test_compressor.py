"""The chain of all stages: `decode(encode(x)) == x`, whatever is coded, dropped, ended or lost on the way."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from streams import lost_frames, noise, packets_of, streams

from model.codec.compressor import Compressor, encode
from model.codec.decompressor import Decompressor, Gap, blocks, decode
from model.codec.packet import Packet, StreamError, build
from model.spec import packet as spec
from model.spec import shipped
from model.spec.config import CodecConfig, ConfigError
from model.spec.profiles import PROFILES

every_profile = pytest.mark.parametrize("profile", PROFILES)


def overhead(packet: Packet, config: CodecConfig) -> int:
    """Bytes of a packet that are not payload."""
    named, peers, links = PROFILES[config.profile].parameterised, len(config.peers), spec.links_bytes(config.links)
    return spec.overhead_bytes(key=packet.shape is not None, parameter_set=named, peers=peers, links=links)


@every_profile
@given(st.data(), st.integers(0, 2**34), st.sampled_from([1, 3]))
@settings(deadline=None, derandomize=True, max_examples=300)
def test_round_trip(profile: str, data: st.DataObject, position: int, jobs: int) -> None:
    frames, config = data.draw(streams(profile))
    coded = encode(frames, config, position=position)
    assert encode(frames, config, position=position, jobs=jobs) == coded
    decoded = decode(coded, frames=len(frames), jobs=jobs)
    np.testing.assert_array_equal(decoded.frames, frames, strict=True)
    assert (decoded.gaps, decoded.damage, decoded.origin) == ([], [], position % 2**32)
    shape = decoded.shape
    assert (shape.profile, shape.channels, shape.width) == (config.profile, config.channels, config.width)
    assert (shape.lanes, shape.peers, shape.links) == (config.lanes, config.peers, config.links)


@every_profile
@given(st.data())
@settings(deadline=None, derandomize=True)
def test_ended_channels_cost_nothing_and_come_back_as_zeros(profile: str, data: st.DataObject) -> None:
    frames, config = data.draw(streams(profile))
    ends = np.array(
        data.draw(st.lists(st.integers(0, len(frames)), min_size=config.channels, max_size=config.channels))
    )
    decoded = decode(encode(frames, config, ends=ends), frames=len(frames), ends=ends)
    recorded = np.arange(len(frames))[:, None] < ends
    np.testing.assert_array_equal(decoded.frames, np.where(recorded, frames, 0))
    rubbish = np.where(recorded, frames, (1 << config.width) - 1 - frames)
    assert encode(rubbish.astype(np.uint16), config, ends=ends, jobs=2) == encode(frames, config, ends=ends)


@every_profile
@given(st.data(), st.sets(st.integers(0, 20)))
@settings(deadline=None, derandomize=True)
def test_dropped_packets_are_gaps_and_nothing_else_is_lost(profile: str, data: st.DataObject, drops: set[int]) -> None:
    frames, config = data.draw(streams(profile))
    expected = np.isin(np.arange(len(frames)) // config.packet_frames, list(drops))
    assume(not expected.all())
    coded = encode(frames, config, drops=drops)
    decoded = decode(coded, frames=len(frames), origin=0)
    np.testing.assert_array_equal(lost_frames(decoded), expected)
    np.testing.assert_array_equal(decoded.frames[~expected], frames[~expected])
    rubbish = np.where(expected[:, None], 0, frames).astype(np.uint16)
    assert encode(rubbish, config, drops=drops, jobs=2) == coded


@every_profile
@given(st.data())
@settings(deadline=None, derandomize=True)
def test_a_packet_lost_on_the_way_costs_up_to_the_next_key_packet(profile: str, data: st.DataObject) -> None:
    frames, config = data.draw(streams(profile))
    packets = packets_of(coded := encode(frames, config))
    lost = data.draw(st.integers(0, len(packets) - 1))
    damaged = bytearray(coded)
    damaged[packets[lost].offset + data.draw(st.integers(0, packets[lost].size - 1))] ^= data.draw(st.integers(1, 255))
    expected = np.zeros(len(frames), bool)
    for index, packet in enumerate(packets[lost:], lost):
        if index > lost and packet.shape is not None:
            break
        expected[packet.position : packet.position + packet.frames] = True
    if expected.all():
        with pytest.raises(StreamError, match="no intact key packet"):
            decode(bytes(damaged))
        return
    decoded = decode(bytes(damaged), frames=len(frames), origin=0)
    assert sum(item.size for item in decoded.damage) == packets[lost].size
    np.testing.assert_array_equal(lost_frames(decoded), expected)
    np.testing.assert_array_equal(decoded.frames[~expected], frames[~expected])


@every_profile
@given(st.data())
@settings(deadline=None, derandomize=True)
def test_nothing_grows_by_more_than_its_headers(profile: str, data: st.DataObject) -> None:
    frames, config = data.draw(streams(profile))
    packets = packets_of(encode(frames, config))
    for packet in packets:
        assert len(packet.payload) <= config.raw_bytes(packet.frames)
        assert packet.raw == (len(packet.payload) == config.raw_bytes(packet.frames))
        assert packet.size == len(packet.payload) + overhead(packet, config)
    assert sum(packet.frames for packet in packets) == len(frames)


@every_profile
@given(st.data())
@settings(deadline=None, derandomize=True)
def test_however_frames_arrive_the_bytes_are_the_same(profile: str, data: st.DataObject) -> None:
    frames, config = data.draw(streams(profile))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(frames)), max_size=6)))
    compressor = Compressor(config)
    parts = [packet for part in np.split(frames, cuts) for packet in compressor.push(part)]
    assert b"".join([*parts, *compressor.close()]) == encode(frames, config)


@every_profile
@pytest.mark.parametrize("width", range(8, 17))
def test_noise_is_stored_raw_and_the_next_packet_is_decoded_after_it(profile: str, width: int) -> None:
    config = CodecConfig(profile, channels=2, width=width, packet_frames=50, key_interval=9)
    frames = noise(150, config)
    random = np.random.default_rng(width)
    frames[50:100] = random.integers(0, (1 << width) - 1, (50, 2), np.uint16, endpoint=True)
    packets = packets_of(data := encode(frames, config))
    assert [p.raw for p in packets] == [False, True, False]
    assert [p.shape is not None for p in packets] == [True, False, False]
    text = "".join(f"{code:0{width}b}" for code in frames[50:100].ravel().tolist())
    padded = text + "0" * (-len(text) % 8)
    assert bytes(packets[1].payload) == int(padded, 2).to_bytes(len(padded) // 8, "big")
    np.testing.assert_array_equal(decode(data).frames, frames)


@every_profile
def test_gaps_say_why(profile: str) -> None:
    config = CodecConfig(profile, channels=1, packet_frames=10, key_interval=4)
    frames = noise(80, config)
    packets = packets_of(data := encode(frames, config))
    damaged = data[: packets[1].offset] + data[packets[2].offset : packets[7].offset]
    decoded = decode(damaged, frames=80)
    assert decoded.gaps == [Gap(10, 30, "its packet is lost"), Gap(70, 10, "its packet is lost")]
    entered = Decompressor()
    first = [b for b in blocks(data[packets[1].offset :], entered)]
    assert entered.origin == 40 and len(first) == 4 and entered.gaps == []


@every_profile
def test_a_pause_is_a_gap_between_key_packets(profile: str) -> None:
    config = CodecConfig(profile, channels=2, packet_frames=10, key_interval=8)
    frames = noise(45, config)
    compressor = Compressor(config)
    data = b"".join([*compressor.push(frames[:15]), *compressor.close()])
    compressor.pause(7)
    data += b"".join([*compressor.push(frames[22:]), *compressor.close()])
    assert [(p.position, p.frames, p.shape is not None) for p in packets_of(data)] == [
        (0, 10, True), (10, 5, False), (22, 10, True), (32, 10, False), (42, 3, False),
    ]  # fmt: skip
    decoded = decode(data, frames=45)
    assert [(g.start, g.frames) for g in decoded.gaps] == [(15, 7)]
    np.testing.assert_array_equal(np.delete(decoded.frames, np.s_[15:22], 0), np.delete(frames, np.s_[15:22], 0))


@every_profile
def test_a_stream_is_entered_at_any_key_packet(profile: str) -> None:
    config = CodecConfig(profile, channels=2, packet_frames=10, key_interval=3)
    frames = noise(100, config)
    for packet in packets_of(data := encode(frames, config)):
        if packet.shape is not None:
            decoded = decode(data[packet.offset :])
            assert decoded.origin == packet.position
            np.testing.assert_array_equal(decoded.frames, frames[packet.position :])


@every_profile
def test_positions_wrap_around(profile: str) -> None:
    config = CodecConfig(profile, channels=1, packet_frames=10, key_interval=2)
    frames = noise(60, config)
    decoded = decode(encode(frames, config, position=(1 << 32) - 25), frames=60)
    assert decoded.gaps == [] and decoded.origin == (1 << 32) - 25
    np.testing.assert_array_equal(decoded.frames, frames)


@pytest.mark.parametrize(
    ("frames", "word"),
    [
        (np.zeros((4, 3), np.uint16), r"give \(frames, 2\)"),
        (np.zeros(4, np.uint16), r"give \(frames, 2\)"),
        (np.full((4, 2), 1024, np.uint16), "does not fit 10 bits"),
        (np.full((4, 2), -1, np.int16), "does not fit 10 bits"),
    ],
)
def test_frames_that_do_not_fit_are_refused(frames: np.ndarray, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        encode(frames, CodecConfig(channels=2))


def test_ends_must_be_one_a_channel() -> None:
    with pytest.raises(ConfigError, match="ends: "):
        encode(np.zeros((4, 2), np.uint16), CodecConfig(channels=2), ends=np.array([1]))


@every_profile
def test_streams_that_contradict_themselves_are_refused(profile: str) -> None:
    config = CodecConfig(profile, channels=1, packet_frames=10)
    data = encode(noise(20, config), config)
    first = packets_of(data)[0].size
    other = CodecConfig(profile, channels=1, width=11, packet_frames=10)
    with pytest.raises(StreamError, match="the stream changes"):
        decode(data + encode(noise(10, other), other, position=20))
    with pytest.raises(StreamError, match="out of order"):
        decode(data[first:] + data[:first])
    with pytest.raises(StreamError, match="no intact key packet"):
        decode(b"no stream at all")


@every_profile
@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("change", ["padding", "long", "short"])
def test_a_payload_that_does_not_end_where_it_should_is_refused(profile: str, raw: bool, change: str) -> None:
    config = CodecConfig(profile, channels=1, packet_frames=3)
    named = shipped.default(profile).identifier if PROFILES[profile].parameterised else None
    frames = np.array([[1000], [3], [700]] if raw else [[512]] * 3, np.uint16)
    (packet,) = packets_of(encode(frames, config))
    payload = bytes(packet.payload)
    assert packet.raw == raw and payload[-1] & 3 == 0
    changed = {"padding": payload[:-1] + bytes([payload[-1] | 1]), "long": payload + b"\0", "short": payload[:-1]}[
        change
    ]
    with pytest.raises(StreamError, match="packet at byte 0: its payload does not decode"):
        decode(build(config, 0, 3, key=True, raw=raw, payload=changed, parameter_set=named))
    good = build(config, 0, 3, key=True, raw=raw, payload=payload, parameter_set=named)
    assert (decode(good).frames == frames).all()
