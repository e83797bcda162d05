"""What every board's design has in common: its clock, its stores, its rates, and what it refuses."""

import dataclasses

import numpy as np
import pytest

from hw.boards import icebreaker, ulx3s
from hw.boards.banks import banks, block_rams, fitting, shortened
from hw.boards.top import Top
from model.codec.compressor import encode
from model.spec.config import CodecConfig, ConfigError
from model.spec.operating import DEFAULT_RATE, live
from model.spec.shipped import default

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # of those that refuse

ICEBREAKER, ULX3S = icebreaker.BOARD, ulx3s.BOARD
FASTEST = ICEBREAKER.clocks[-1]


@pytest.mark.parametrize(
    ("profile", "channels", "mhz", "lanes"),
    [
        ("tiny", 1, 20.25, 1),
        ("tiny", 1024, 20.25, 1),
        ("calibrated", 16, 6, 1),
        ("calibrated", 256, 6, 4),
        ("calibrated", 304, 6, 4),
        ("calibrated", 305, 12, 2),
        ("calibrated", 512, 12, 4),
        ("calibrated", 1024, 20.25, 4),
    ],
)
def test_the_default_clock_is_the_slowest_that_carries_the_samples(
    profile: str, channels: int, mhz: float, lanes: int
) -> None:
    clock = ICEBREAKER.clock(None, profile, channels, DEFAULT_RATE)
    assert clock.mhz == mhz
    assert live(profile, channels, 10, DEFAULT_RATE, clock.hz).lanes == lanes
    assert ULX3S.clock(None, profile, channels, DEFAULT_RATE).mhz == 25
    assert ULX3S.clock(None, "spikey", channels, DEFAULT_RATE).mhz == 50
    assert ICEBREAKER.clock(None, "full", channels, DEFAULT_RATE).mhz == 20.25


def test_packets_are_as_long_as_the_device_has_room_for() -> None:
    config = live("calibrated", 1024, 10, DEFAULT_RATE, 75_000_000)
    assert fitting(config) < 2
    less = shortened(config, ULX3S.room)
    assert fitting(less) >= 2 and less.packet_frames < config.packet_frames
    longer = dataclasses.replace(less, packet_frames=less.packet_frames + 1)
    assert fitting(longer) < 2 and less.key_interval * less.packet_frames <= config.key_interval * config.packet_frames
    array = CodecConfig("spikey", 1024, 10, 12)
    left = ULX3S.room.without(ULX3S.room.block_rams - 50)
    less = shortened(array, left)
    assert block_rams(less, left) <= 50 < block_rams(array, left) and 1 < less.packet_frames < 12
    few = dataclasses.replace(array, channels=16)
    assert block_rams(few, ICEBREAKER.room) == 3  # its packets are in single-port RAMs
    assert shortened(array, ULX3S.room.without(ULX3S.room.block_rams)).packet_frames == 1


@pytest.mark.parametrize(
    ("mhz", "profile", "channels", "rate", "message"),
    [
        (
            None,
            "tiny",
            1024,
            20000,
            r"1024 at 20000 Hz are more than a sample a clock of 20\.25 MHz; give at most 1012",
        ),
        (None, "calibrated", 1024, 20000, r"1024 at 20000 Hz .* 20\.25 MHz; give at most 1002"),
        (6.0, "calibrated", 305, 19531, "305 at 19531 Hz are more than a sample a clock of 6 MHz; give at most 304"),
        (20.0, "tiny", 1, 1, r"clock: 20 MHz is none of icebreaker's; give one of 6, 12, 20\.25"),
    ],
)
def test_a_clock_that_is_too_slow_or_not_there_is_refused(
    mhz: float | None, profile: str, channels: int, rate: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        ICEBREAKER.clock(mhz, profile, channels, rate)


def test_a_sample_wider_than_the_pins_is_refused() -> None:
    config = CodecConfig(channels=16, width=12, packet_frames=2)
    with pytest.raises(ConfigError, match="width: 12 bits exceed the 10 ADC pins; give at most 10"):
        Top(ICEBREAKER, FASTEST, config, source="pmod", output="pmod", rate=DEFAULT_RATE)


def test_packets_that_do_not_fit_are_refused() -> None:
    assert banks(CodecConfig(channels=256, packet_frames=64), DEFAULT_RATE, FASTEST.hz) == 2
    with pytest.raises(ConfigError, match="channels: two packets of 256 channels exceed the board's memory"):
        banks(CodecConfig(channels=256, packet_frames=65), DEFAULT_RATE, FASTEST.hz)
    # In lanes 10 bits take five eighths of a word of 16, or five sixteenths of one of 32.
    assert banks(CodecConfig("calibrated", 256, packet_frames=51, lanes=4), DEFAULT_RATE, FASTEST.hz) == 2
    with pytest.raises(ConfigError, match="channels: two packets of 256 channels exceed the board's memory"):
        banks(CodecConfig("calibrated", 256, packet_frames=52, lanes=4), DEFAULT_RATE, FASTEST.hz)


@pytest.mark.parametrize(
    ("profile", "channels", "expected"),
    [("tiny", 16, 8), ("tiny", 256, 8), ("tiny", 1024, 2), ("calibrated", 16, 8), ("calibrated", 1024, 2)],
)
def test_no_more_banks_than_keep_the_latency(profile: str, channels: int, expected: int) -> None:
    assert banks(live(profile, channels, 10), DEFAULT_RATE, FASTEST.hz) == expected


@pytest.mark.parametrize(
    ("profile", "frames", "lanes"), [("tiny", 64, 1), ("calibrated", 51, 4), ("calibrated", 51, 1)]
)
def test_the_longest_packets_fit_the_four_single_port_rams(profile: str, frames: int, lanes: int) -> None:
    config = CodecConfig(profile, 256, packet_frames=frames, lanes=lanes)
    top = Top(ICEBREAKER, FASTEST, config, source="pattern", output="pmod", rate=DEFAULT_RATE)
    assert top.banks == 2
    assert ICEBREAKER.platform().prepare(top, "top").files["top.il"].count("cell \\SB_SPRAM256KA") == 4


@pytest.mark.parametrize("profile", ["tiny", "calibrated"])
@pytest.mark.parametrize("channels", [1, 16, 256, 1024])
def test_the_uart_carries_every_packet(profile: str, channels: int) -> None:
    clock = ICEBREAKER.clock(None, profile, channels, DEFAULT_RATE)
    config = live(profile, channels, 10, DEFAULT_RATE, clock.hz)
    codes = np.random.default_rng(0).integers(0, 1024, (config.packet_frames, channels), np.uint16)
    parameters = default(profile) if profile == "calibrated" else None
    size = len(encode(codes, config, parameters=parameters))
    top = Top(ICEBREAKER, clock, config, source="pattern", output="uart", rate=DEFAULT_RATE)
    assert size * top.rate / config.packet_frames * 10 < clock.hz / top.divisor
    assert 0 < top.rate <= DEFAULT_RATE
    other = Top(ICEBREAKER, clock, config, source="pattern", output="pmod", rate=DEFAULT_RATE)
    assert other.rate == DEFAULT_RATE


def test_samples_too_fast_for_the_core_are_refused() -> None:
    config = CodecConfig("calibrated", 2, packet_frames=10, lanes=1)
    with pytest.raises(ConfigError, match=r"rate: 2 channels at 2600000 Hz leave less than the [0-9]+ clocks"):
        Top(ICEBREAKER, FASTEST, config, source="pmod", output="pmod", rate=2_600_000)


def test_frames_too_slow_for_the_lead_in_are_refused() -> None:
    clock = ICEBREAKER.clocks[0]
    config = CodecConfig("calibrated", 16, packet_frames=1, lanes=1)
    Top(ICEBREAKER, clock, config, source="pmod", output="pmod", rate=10)
    with pytest.raises(ConfigError, match="rate: 5 Hz are too slow for recording to end before a parameter set comes"):
        Top(ICEBREAKER, clock, config, source="pmod", output="pmod", rate=5)
