"""The ledger: every byte of a container on one line, whatever lanes, peers and parameter sets its packets have."""

from pathlib import Path

import numpy as np
import pytest
from small_container import SEED, SMALL, calibration, packed, walk
from streams import packets_of

from model.codec.packet import build
from model.formats import wav
from model.formats.container import Container, Ledger, Source, pack
from model.spec import packet as spec
from model.spec.config import CodecConfig
from model.spec.packet import Link
from model.spec.profiles import PROFILES


def mixed(folder: Path, profile: str) -> Ledger:
    """That of two recordings of 32 frames, one of them noise that is stored raw; adds up to the file's size."""
    noise = np.random.default_rng(SEED).integers(-32768, 32768, (32, 1)).astype(np.int16)
    wav.write_wav(folder / "noise.wav", noise, 100)
    wav.write_wav(folder / "walk.wav", walk(32), 100)
    out = folder / "x.spk"
    pack([[Source(folder / n, n)] for n in ("noise.wav", "walk.wav")], out, options=SMALL, profile=profile)
    ledger = Container.open(out).ledger()
    assert ledger.total == out.stat().st_size
    out.write_bytes(out.read_bytes() + b"??")
    assert Container.open(out).ledger() == ledger + Ledger(damaged=2)
    return ledger


@pytest.mark.parametrize("profile", PROFILES)
def test_the_ledger_adds_up(tmp_path: Path, profile: str) -> None:
    ledger = mixed(tmp_path, profile)
    assert (ledger.packets, ledger.key_packets, ledger.raw_packets) == (8, 4, 4)
    assert ledger.payload_raw == 32 * 2
    assert ledger.packet_headers == 8 * spec.HEADER_BYTES + 4 * spec.KEY_HEADER_BYTES
    assert ledger.parameter_set_names == (4 * 8 if PROFILES[profile].parameterised else 0)
    assert (ledger.header_checks, ledger.packet_checks, ledger.damaged) == (8, 32, 0)
    assert (ledger.peer_tables, ledger.lane_lengths) == (0, 0)


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_lanes_peers_and_an_embedded_set_have_their_lines(tmp_path: Path, lanes: int) -> None:
    """Six channels, of which lanes 2 and 3 of 4 end after 20 frames: then their strings are not there."""
    sources = []
    for number, (frames, channels) in enumerate(((45, 2), (20, 2), (45, 2))):
        path = tmp_path / f"{number}.wav"
        wav.write_wav(path, walk(frames, channels, seed=number), 100)
        sources.append(Source(path, path.name, (0, 1) if number == 0 else ()))
    ledgers = []
    parameters = calibration(10)
    for embed in (True, False):
        out = tmp_path / f"{embed}.spk"
        options = {**SMALL, "lanes": lanes}
        pack([sources], out, options=options, parameters=parameters, embed=embed)
        container = Container.open(out, [parameters])
        assert container.verify().ok
        ledgers.append(container.ledger())
        assert ledgers[-1].total == out.stat().st_size
    embedded, plain = ledgers
    assert embedded.container - plain.container > 700, "1025 edges do not deflate to less"
    # Five packets of 10, 10, 10, 10 and 5 frames; less than 256 bytes raw, so that a length takes a byte.
    assert (plain.packets, plain.key_packets, plain.raw_packets) == (5, 3, 0)
    assert plain.parameter_set_names == 3 * 8
    assert plain.peer_tables == 3 * 6
    assert plain.lane_lengths == {1: 0, 2: 5, 4: 2 * 3 + 3 * 1}[lanes]


def test_links_are_on_the_line_of_peers() -> None:
    config = CodecConfig("spikey", 3, links=((), (Link(1, 9), Link(-1, 9)), (Link(2, 9),)))
    (key,) = packets_of(build(config, 0, 1, key=True, raw=True, payload=b"1234", parameter_set=5))
    (other,) = packets_of(build(config, 1, 1, key=False, raw=True, payload=b"1234"))
    ledger = Ledger()
    for packet in (key, other):
        ledger.enter(packet)
    assert ledger.peer_tables == 1 + 3 * 2 * 2 and ledger.total == key.size + other.size


@pytest.mark.parametrize("profile", PROFILES)
def test_damage_is_on_its_line(tmp_path: Path, profile: str) -> None:
    out, _ = packed(tmp_path / "in", profile)
    good = Container.open(out).ledger()
    data = bytearray(out.read_bytes())
    data[-1] ^= 1
    out.write_bytes(data)
    hurt = Container.open(out).ledger()
    assert hurt.total == good.total == len(data)
    assert hurt.damaged > 0 and hurt.packets == good.packets - 1
