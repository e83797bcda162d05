"""A configuration is valid or refused with the field and the mend."""

import dataclasses

import pytest

from model.spec import packet
from model.spec.config import CodecConfig, ConfigError, find_profile, nearest
from model.spec.packet import Link
from model.spec.profiles import PROFILES, profile_by_number


def test_defaults_are_valid_and_round_trip() -> None:
    config = CodecConfig()
    assert CodecConfig.from_mapping(dataclasses.asdict(config)) == config


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("channels", 0),
        ("channels", 65537),
        ("channels", 1.0),
        ("channels", True),
        ("channels", "4"),
        ("width", 7),
        ("width", 17),
        ("packet_frames", 0),
        ("packet_frames", 65536),
        ("key_interval", 0),
        ("lanes", 3),
        ("profile", "tyni"),
    ],
)
def test_a_bad_value_names_its_field(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{field}: "):
        CodecConfig.from_mapping({field: value})


@pytest.mark.parametrize(
    ("field", "low", "high"), [("width", 8, 16), ("channels", 1, 65536), ("key_interval", 1, 1 << 32)]
)
def test_the_limits_themselves_are_valid(field: str, low: int, high: int) -> None:
    for value in (low, high):
        assert getattr(CodecConfig.from_mapping({field: value, "packet_frames": 1}), field) == value


def test_peers_that_no_channel_has_are_refused() -> None:
    with pytest.raises(ConfigError, match="peers: no channel has one"):
        CodecConfig("calibrated", 2, peers=(0, 0))


LINKS = ((Link(-2, 127),), (), (Link(2, 127), Link(1, -1)))


def test_links_are_valid_where_the_profile_has_them() -> None:
    config = CodecConfig("full", 3, lanes=4, links=LINKS)
    assert CodecConfig.from_mapping(dataclasses.asdict(config)) == config
    assert config.links == LINKS and isinstance(config.links[0][0], Link)
    for profile in ("tiny", "calibrated"):
        with pytest.raises(ConfigError, match=f"^links: profile '{profile}' has none; leave them out$"):
            CodecConfig(profile, 3, links=LINKS)


def test_links_reach_127_channels_either_way() -> None:
    far = {0: (Link(-127, 1),), 127: (Link(127, 127), Link(-127, -127)), 254: (Link(127, -1),)}
    links = tuple(far.get(channel, ()) for channel in range(300))
    assert CodecConfig("spikey", 300, links=links).links is links
    for distance in (128, -128):
        links = tuple((Link(distance, 1),) if channel == 150 else () for channel in range(300))
        with pytest.raises(
            ConfigError, match=f"channel 150 has a partner {distance} channels before it; give -127 to 127"
        ):
            CodecConfig("spikey", 300, links=links)


@pytest.mark.parametrize(
    ("links", "fault"),
    [
        (LINKS[:2], "2 values for 3 channels; give one each"),
        (((), (), ()), "no channel has one; leave them out"),
        (((), (Link(0, 1),), ()), "channel 1 is its own partner"),
        (((), (Link(2, 1),), ()), "channel 1 has a partner 2 channels before it; give -1 to 1"),
        (((), (Link(-2, 1),), ()), "channel 1 has a partner -2 channels before it; give -1 to 1"),
        (((), (), (Link(1, 1), Link(2, 0))), "channel 2 has a partner of correlation 0; give -127 to 127, but not 0"),
        (((), (), (Link(1, 128),)), "channel 2 has a partner of correlation 128"),
        (((), (), (Link(1, -128),)), "channel 2 has a partner of correlation -128"),
        (((), (), (Link(1, 1), Link(2, 1), Link(1, 2))), "channel 2 has a partner twice; give each once"),
        (((), (), (Link(1, 1),) * 5), "channel 2 has 5; give at most 4"),
    ],
)
def test_wrong_links_are_refused(links: packet.Links, fault: str) -> None:
    with pytest.raises(ConfigError, match=f"^links: {fault}"):
        CodecConfig("spikey", 3, links=links)


def test_unknown_key_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"chanels: .*did you mean 'channels'"):
        CodecConfig.from_mapping({"chanels": 3})


def test_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'tiny'"):
        find_profile("tyni")


def test_nearest_lists_all_when_nothing_is_near() -> None:
    assert nearest("zzzz", ["tiny", "full"]) == "known are: full, tiny"


def test_a_packet_that_cannot_be_stored_raw_is_refused_at_its_limit() -> None:
    most = packet.MAX_LENGTH * 8 // (1024 * 10)
    assert CodecConfig(channels=1024, packet_frames=most).raw_bytes(most) <= packet.MAX_LENGTH
    with pytest.raises(ConfigError, match=f"give at most {most}$"):
        CodecConfig(channels=1024, packet_frames=most + 1)


@pytest.mark.parametrize("channels", [1, 3, 256])
@pytest.mark.parametrize("width", range(8, 17))
@pytest.mark.parametrize("frames", [0, 1, 7, 20])
def test_raw_bytes(channels: int, width: int, frames: int) -> None:
    assert CodecConfig(channels=channels, width=width).raw_bytes(frames) == -(-frames * channels * width // 8)


def test_profile_numbers_are_unique_and_found() -> None:
    for name, profile in PROFILES.items():
        assert profile.name == name
        assert profile_by_number(profile.number) is profile
    assert len({p.number for p in PROFILES.values()}) == len(PROFILES)
    assert profile_by_number(15) is None
