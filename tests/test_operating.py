"""Both operating points keep what they promise, for every shape."""

import dataclasses

import numpy as np
import pytest

from model.codec.compressor import encode
from model.codec.packet import scan
from model.spec import operating, packet
from model.spec.config import CodecConfig, ConfigError
from model.spec.packet import Link
from model.spec.profiles import PROFILES

SHAPES = [(1, 10), (2, 16), (3, 8), (64, 10), (256, 10), (256, 16), (1024, 10)]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("channels", "width"), SHAPES)
@pytest.mark.parametrize("rate", [1, 19531, 30000])
def test_archive_has_key_packets_a_second_or_two_to_the_eighteenth_samples_apart(
    profile: str, channels: int, width: int, rate: int
) -> None:
    config = operating.archive(profile, channels, width, rate)
    assert (config.profile, config.channels, config.width) == (profile, channels, width)
    assert config.packet_frames == 1 or config.packet_frames * channels <= operating.ARCHIVE_PACKET_SAMPLES
    frames = config.packet_frames * config.key_interval
    wanted = max(1.05 * rate, operating.ARCHIVE_KEY_SAMPLES / channels)
    assert 0.7 <= frames / wanted <= 1.4 or config.packet_frames == 1


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("channels", "width"), SHAPES)
def test_live_is_the_longest_packet_below_a_millisecond(profile: str, channels: int, width: int) -> None:
    config = operating.live(profile, channels, width)
    assert operating.worst_latency(config) < operating.LIVE_LATENCY
    longer = CodecConfig(profile, channels, width, config.packet_frames + 1, config.key_interval, config.lanes)
    assert operating.worst_latency(longer) >= operating.LIVE_LATENCY
    seconds = config.packet_frames * config.key_interval / operating.DEFAULT_RATE
    assert 0.5 < seconds * PROFILES[profile].live_keys <= 1


@pytest.mark.parametrize(("channels", "lanes"), [(1, 1), (256, 1), (512, 2), (1024, 4)])
def test_live_has_as_many_lanes_as_the_gates_need(channels: int, lanes: int) -> None:
    config = operating.live("calibrated", channels, 10)
    clocks_a_sample = operating.LINK_BYTES / (channels * operating.DEFAULT_RATE)
    assert config.lanes == lanes and lanes * clocks_a_sample >= operating.CODER_CLOCKS
    assert lanes == 1 or lanes / 2 * clocks_a_sample < operating.CODER_CLOCKS


def test_worst_latency_counts_fill_drain_and_pipeline() -> None:
    config = CodecConfig("tiny", channels=8, width=10, packet_frames=10)
    drained = (12 + 4 + 1 + 100 + 4) / 1_000_000
    pipeline = operating.PIPELINE_CLOCKS / 1_000_000
    assert operating.worst_latency(config, 1000, 1_000_000) == pytest.approx(0.010 + drained + pipeline, rel=1e-12)


def test_worst_latency_counts_the_parameter_set_and_the_peers() -> None:
    alone = CodecConfig("calibrated", channels=8, width=10, packet_frames=10, lanes=2)
    helped = dataclasses.replace(alone, peers=(0, 1) * 4)
    for config, more in ((alone, 8), (helped, 8 + 8)):
        clocks = 12 + 4 + more + 1 + 100 + 4 + operating.PIPELINE_CLOCKS
        assert operating.worst_latency(config, 1000, 1_000_000) == pytest.approx(0.010 + clocks / 1e6, rel=1e-12)


@pytest.mark.parametrize("profile", ["spikey", "full"])
def test_worst_latency_counts_the_arrays_frames_and_words_that_are_written_meanwhile(profile: str) -> None:
    links = ((), (Link(1, 9), Link(-1, 9))) + ((Link(2, 9),),) * 6
    for partners, more in (((), 8), (links, 8 + 1 + 8 * 2 * 2)):
        config = CodecConfig(profile, channels=8, width=10, packet_frames=10, links=partners)
        clocks = 12 + 4 + more + 1 + 100 + 4 + 25 + operating.PIPELINE_CLOCKS
        expected = 0.010 + 0.002 + clocks / 1e6
        assert operating.worst_latency(config, 1000, 1_000_000) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("channels", "width"), [(1, 10), (256, 10), (256, 16), (1024, 10)])
@pytest.mark.parametrize("loud", [False, True])
def test_no_live_packet_is_longer_than_the_latency_counts_on(
    profile: str, channels: int, width: int, loud: bool
) -> None:
    config = operating.live(profile, channels, width)
    random, top = np.random.default_rng(channels), (1 << width) - 1
    shape = 3 * config.packet_frames, channels
    quiet = random.normal(1 << (width - 1), 6, shape).astype(np.uint16)
    frames = random.integers(0, top, shape, np.uint16, endpoint=True) if loud else quiet
    named = PROFILES[profile].parameterised
    most = packet.overhead_bytes(key=True, parameter_set=named) + config.raw_bytes(config.packet_frames)
    sizes = [item.size for item in scan(encode(frames, config))]
    assert len(sizes) == 3 and (max(sizes) == most) == loud
    waits = config.packet_frames + operating.ARRAY_FRAMES * operating.has_array(profile)
    assert waits / operating.DEFAULT_RATE + max(sizes) / operating.LINK_BYTES < operating.LIVE_LATENCY


def test_packets_queue_where_draining_takes_longer_than_filling() -> None:
    config = CodecConfig("tiny", channels=8, width=10, packet_frames=10)
    link = 10_000  # 1.25 clocks a sample: words that are written hold reading up
    for banks in (2, 8):
        drained = (12 + 4 + 1 + 100 + 4 + (banks - 1) * 25 + operating.PIPELINE_CLOCKS) / link
        assert drained > 0.010
        assert operating.worst_latency(config, 1000, link, banks) == pytest.approx(banks * drained, rel=1e-12)


def test_what_cannot_be_live_is_refused() -> None:
    with pytest.raises(ConfigError, match="live: 4 channels at 500 Hz cannot stay below 1 ms; a frame alone"):
        operating.live("tiny", 4, 10, rate=500)
    with pytest.raises(ConfigError, match="live: 4 channels at 3000 Hz cannot stay below 1 ms; a frame alone"):
        operating.live("spikey", 4, 10, rate=3000)
    assert operating.live("spikey", 4, 10, rate=4000).packet_frames == 1
    with pytest.raises(ConfigError, match="cannot stay below 1 ms; use fewer channels"):
        operating.live("tiny", 4096, 16, link=1_000_000)
