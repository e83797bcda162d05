"""What goes into which stream: peers where groups are split, code widths, parameter sets that fit or not."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from networks import full_set, spikey_set
from small_container import calibration, uncalibrated, walk

from model.formats import wav
from model.formats.codes import LATTICE_MAPPING, Mapping
from model.formats.container import Container, Source, pack
from model.formats.plan import Plan, configure, plan
from model.spec import operating, packet, shipped
from model.spec.calibrated import unpack
from model.spec.config import ConfigError
from model.spec.network import MiddleOut
from model.spec.packet import Link, Links


def recording(
    folder: Path, name: str, samples: np.ndarray, peers: tuple[int, ...] = (), rate: int = 19531, links: Links = ()
) -> Source:
    wav.write_wav(folder / name, samples, rate)
    return Source(folder / name, name, peers, links)


def of_width(width: int, frames: int = 200) -> np.ndarray:
    """Samples of a converter of `width` bits, left-justified, at full scale somewhere."""
    codes = np.cumsum(np.random.default_rng(width).integers(-3, 4, frames))
    codes[7:9] = (1 << (width - 1)) - 1, -(1 << (width - 1))
    return (codes << (16 - width)).astype(np.int16)


def only(plans: list[Plan]) -> Plan:
    (found,) = plans
    return found


def test_peers_of_a_group_become_those_of_its_streams(tmp_path: Path) -> None:
    """Stereo files: off the lattice the first and the last, so that the group falls apart and distances shrink."""
    group = [
        recording(tmp_path, "wide0.wav", walk(40, 2, lattice=False)),
        recording(tmp_path, "lattice0.wav", walk(40, 2), (2, 0)),  # from a stream that it is not in
        recording(tmp_path, "lattice1.wav", walk(30, 2), (2, 1)),
        recording(tmp_path, "wide1.wav", walk(40, 2, lattice=False), (6, 4)),  # the second: from a stream not its own
    ]
    found = plan([group], profile="calibrated")
    assert [[m.path.name for m in p.members] for p in found] == [
        ["wide0.wav", "wide1.wav"],
        ["lattice0.wav", "lattice1.wav"],
    ]
    assert [p.config.peers for p in found] == [(0, 0, 2, 0), (0, 0, 2, 1)]
    assert all(p.config.peers == () for p in plan([group], profile="tiny"))
    out = tmp_path / "x.spk"
    pack([group], out)
    assert [Container.open(out).shape(n).peers for n in range(2)] == [p.config.peers for p in found]
    assert Container.open(out).verify().ok


def test_a_peer_that_is_too_far_away_is_none(tmp_path: Path) -> None:
    wide = recording(
        tmp_path, "wide.wav", walk(3, 300), (0,) * 255 + (packet.MAX_PEER, packet.MAX_PEER + 1) + (0,) * 43
    )
    peers = only(plan([[wide]], profile="calibrated")).config.peers
    assert [(channel, peer) for channel, peer in enumerate(peers) if peer] == [(255, 255)]


def test_no_peers_no_table(tmp_path: Path) -> None:
    lone = [recording(tmp_path, "wide.wav", of_width(12)), recording(tmp_path, "lattice.wav", walk(9), (1,))]
    assert [p.config.peers for p in plan([lone], profile="calibrated")] == [(), ()]


def test_peers_must_be_one_a_channel(tmp_path: Path) -> None:
    source = recording(tmp_path, "a.wav", walk(9, 2), (0,))
    with pytest.raises(ConfigError, match=r"a\.wav: peers: 1 for 2 channels; give one each"):
        plan([[source]], profile="calibrated")


def test_a_live_stream_stays_in_time_with_its_peers() -> None:
    """What a table of peers adds to a key packet may make it late: then there is none."""
    kept = {}
    for channels in (2, 64, 256, 1000):
        peers = (0,) + (1,) * (channels - 1)
        config = configure("calibrated", channels, 10, 19531, live=True, peers=peers)
        assert operating.worst_latency(config, 19531) < operating.LIVE_LATENCY
        kept[channels] = config.peers == peers
        assert configure("calibrated", channels, 10, 19531, peers=peers).peers == peers
    assert kept[2]
    with pytest.raises(ConfigError, match="peers: follows from the recordings"):
        configure("calibrated", 2, 10, 19531, options={"peers": (0, 1)})


@pytest.fixture
def without_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans are made without a look at the profile's parameter sets."""
    monkeypatch.setattr("model.formats.plan._parameters", lambda *_: None)


@pytest.mark.usefixtures("without_sets")
def test_links_of_a_group_become_those_of_its_streams(tmp_path: Path) -> None:
    """Groups of stereo files as above; a link to a channel of another stream, or of none, goes, and so may a table."""
    ahead, gone = Link(-2, 5), Link(2, 7)
    group = [
        recording(tmp_path, "wide0.wav", walk(40, 2, lattice=False), links=((Link(-6, 9), Link(-2, 1)), ())),
        recording(tmp_path, "lattice0.wav", walk(40, 2), links=((gone, ahead), (Link(9, 3), Link(-1, -4), Link(1, 2)))),
        recording(tmp_path, "lattice1.wav", walk(30, 2), (2, 1)),
        recording(tmp_path, "wide1.wav", walk(40, 2, lattice=False), links=((), (Link(7, -8), Link(1, 2), Link(4, 1)))),
    ]
    for profile in ("spikey", "full"):
        wide, lattice = (p.config for p in plan([group], profile=profile))
        assert wide.links == ((Link(-2, 9),), (), (), (Link(3, -8), Link(1, 2))) and wide.peers == ()
        assert lattice.links == ((ahead,), (Link(-1, -4), Link(1, 2)), (), ()) and lattice.peers == ()
    assert [p.config.links for p in plan([group], profile="calibrated")] == [(), ()]
    assert [p.config.links for p in plan([[group[0]], [group[2]]], profile="spikey")] == [(), ()]


@pytest.mark.usefixtures("without_sets")
def test_a_partner_that_is_too_far_away_is_none(tmp_path: Path) -> None:
    far = {140: (Link(128, 1), Link(-128, 1)), 130: (Link(127, 2),), 20: (Link(-127, 3), Link(128, 1))}
    links = tuple(far.get(channel, ()) for channel in range(300))
    wide = recording(tmp_path, "wide.wav", walk(3, 300), links=links)
    found = only(plan([[wide]], profile="full")).config.links
    assert {channel: own for channel, own in enumerate(found) if own} == {130: (Link(127, 2),), 20: (Link(-127, 3),)}


def test_links_must_be_one_a_channel(tmp_path: Path) -> None:
    source = recording(tmp_path, "a.wav", walk(9, 2), links=((),))
    with pytest.raises(ConfigError, match=r"a\.wav: links: 1 for 2 channels; give one each"):
        plan([[source]], profile="spikey")


def test_a_live_stream_stays_in_time_with_its_links() -> None:
    """The weakest partners go first, those of all channels alike."""
    kept = set()
    for channels in (8, 256, 512, 700, 1000):
        links = tuple(
            tuple(Link(channel - (channel + n) % channels, 9) for n in range(1, 5)) for channel in range(channels)
        )
        near = tuple(tuple(link for link in own if abs(link.distance) < 128) for own in links)
        config = configure("full", channels, 10, 19531, live=True, links=near)
        assert operating.worst_latency(config, 19531) < operating.LIVE_LATENCY
        most = max(map(len, config.links), default=0)
        assert config.links == (tuple(own[:most] for own in near) if most else ())
        if most < 4:
            more = dataclasses.replace(config, links=tuple(own[: most + 1] for own in near))
            assert operating.worst_latency(more, 19531) >= operating.LIVE_LATENCY
        assert configure("full", channels, 10, 19531, links=near).links == near
        kept.add(most)
    assert {0, 4} < kept
    with pytest.raises(ConfigError, match="links: follows from the recordings"):
        configure("full", 2, 10, 19531, options={"links": ()})


@pytest.mark.parametrize("width", [8, 12, 14, 16])
def test_other_converters_have_even_edges_unless_a_set_is_given(tmp_path: Path, width: int) -> None:
    source = recording(tmp_path, "a.wav", of_width(width))
    found = only(plan([[source]], profile="calibrated"))
    assert (found.mapping, found.config.width) == (Mapping("linear", width, 16 - width), width)
    assert found.parameters is shipped.default("calibrated")
    given = uncalibrated()
    assert only(plan([[source]], profile="calibrated", parameters=given)).parameters is given


@pytest.mark.parametrize("lattice", [True, False])
def test_the_shipped_set_is_the_one_that_suits_the_converter(tmp_path: Path, lattice: bool) -> None:
    wanted = shipped.default("calibrated", lattice=lattice)
    edges = unpack(wanted, 10).edges / 64
    noise = np.random.default_rng(3).normal(0, 20, 9000)
    source = recording(
        tmp_path, "a.wav", LATTICE_MAPPING.to_samples(np.searchsorted(edges, noise).astype(np.uint16) - 1)
    )
    assert only(plan([[source]], profile="calibrated")).parameters is wanted


def test_a_set_calibrates_one_width(tmp_path: Path) -> None:
    lattice, wide = recording(tmp_path, "lattice.wav", walk(50)), recording(tmp_path, "wide.wav", of_width(14))
    ten = calibration(10)
    found = only(plan([[lattice]], profile="calibrated", parameters=ten))
    assert found.parameters is ten and found.mapping == LATTICE_MAPPING
    with pytest.raises(ConfigError, match=r"/wide\.wav: parameter set: calibrates .* 10 bits, the codes have 14; give"):
        plan([[lattice], [wide]], profile="calibrated", parameters=ten)
    with pytest.raises(ConfigError, match=r"/lattice\.wav: parameter set: .* 12 bits, the codes have 10; give"):
        plan([[lattice]], profile="calibrated", parameters=calibration(12))
    with pytest.raises(ConfigError, match=r"/wide\.wav: parameters: profile 'tiny' has none; leave them out"):
        plan([[wide]], profile="tiny", parameters=ten)


@pytest.mark.parametrize("shift", [4, 2, 0])
def test_a_quiet_recording_is_coded_at_the_width_of_its_converters_set(tmp_path: Path, shift: int) -> None:
    """A converter of 12 bits, left-justified, in between, right-justified: the codes that the set knows, not fewer."""
    codes = np.cumsum(np.random.default_rng(4).integers(-3, 4, 200)).astype(np.int16)
    source = recording(tmp_path, "quiet.wav", codes << shift)
    assert only(plan([[source]], profile="calibrated")).config.width == 8
    found = only(plan([[source]], profile="calibrated", parameters=calibration(12)))
    assert found.mapping == Mapping("linear", 12, shift)
    assert np.array_equal(found.mapping.to_codes(wav.read(source.path).samples)[:, 0], codes + 2048)
    out = tmp_path / "x.spk"
    pack([[source]], out, parameters=calibration(12))
    Container.open(out).unpack(tmp_path / "back")
    assert (tmp_path / "back" / "quiet.wav").read_bytes() == source.path.read_bytes()


def test_a_shift_never_leaves_the_sample(tmp_path: Path) -> None:
    """All low bits happen to be zero: there is room for only so many below the set's width."""
    source = recording(tmp_path, "coarse.wav", (np.arange(-20, 20) * 256).astype(np.int16))
    assert only(plan([[source]], profile="calibrated")).mapping == Mapping("linear", 8, 8)
    found = only(plan([[source]], profile="calibrated", parameters=calibration(12)))
    assert found.mapping == Mapping("linear", 12, 4)


def test_a_set_without_middleout_has_no_table_of_links(tmp_path: Path) -> None:
    source = recording(tmp_path, "a.wav", walk(40, 2), links=((), (Link(1, 40),)))
    for form in MiddleOut:
        found = only(plan([[source]], profile="spikey", parameters=spikey_set(1, form=form))).config.links
        assert found == (() if form == MiddleOut.NONE else source.links)
    found = only(plan([[source]], profile="full", parameters=full_set(1, form=MiddleOut.NONE))).config.links
    assert found == source.links  # there `lms` asks the partner
