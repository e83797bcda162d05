"""The container: originals come back byte for byte, whole or by ranges, and nothing is replaced unasked."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_container import SMALL, groups, packed, walk, with_directory

from model.codec import decompressor
from model.codec.packet import Shape
from model.formats import directory, restore, wav
from model.formats import pack as packing
from model.formats.codes import Mapping
from model.formats.container import Container, FormatError, Source, pack
from model.spec import shipped
from model.spec.config import CodecConfig, ConfigError
from model.spec.packet import Link
from model.spec.profiles import PROFILES


def assert_restored(container: Container, target: Path, sources: list[Source]) -> None:
    report = container.unpack(target)
    assert report.ok
    assert sorted(p for p in target.rglob("*") if p.is_file()) == sorted(target / s.name for s in sources)
    for source in sources:
        assert (target / source.name).read_bytes() == source.path.read_bytes()


@pytest.mark.parametrize("profile", PROFILES)
def test_every_original_comes_back(tmp_path: Path, profile: str) -> None:
    out, sources = packed(tmp_path / "in", profile)
    container = Container.open(out)
    assert [(s.channels, s.frames) for s in container.streams] == [(2, 45), (3, 15), (1, 21), (1, 0)]
    assert [f.name for f in container.files] == [s.name for s in sources]
    assert container.streams[0].mapping.kind == "lattice"
    assert container.streams[1].mapping.shift == 4
    assert container.verify().ok
    assert str(container.verify()) == "5 files intact"
    assert_restored(container, tmp_path / "out", sources)
    assert sorted(p.name for p in (tmp_path / "in").iterdir()) == ["a.wav", "b.wav", "d.wav", "e.wav", "sub", "x.spk"]
    peers = (0, 1) if PROFILES[profile].peers else ()
    links = ((), (Link(1, 40),)) if PROFILES[profile].links else ()
    assert container.config(0) == CodecConfig(profile, 2, 10, 10, 2, peers=peers, links=links)
    assert container.config(3) is None
    assert container.shape(3) is None
    even = shipped.default(profile).identifier if PROFILES[profile].parameterised else None
    assert container.shape(1) == Shape(profile, 3, container.streams[1].mapping.width, 1, even)


@pytest.mark.parametrize("profile", PROFILES)
def test_jobs_do_not_change_the_bytes(tmp_path: Path, profile: str) -> None:
    out, sources = packed(tmp_path / "in", profile)
    done: list[int] = []
    options: dict[str, Any] = {"profile": profile, "options": SMALL, "jobs": 3}
    pack(groups(sources), tmp_path / "y.spk", **options, progress=done.append)
    assert (tmp_path / "y.spk").read_bytes() == out.read_bytes()
    assert sum(done) == 45 + 27 + 15 * 3 + 21
    assert Container.open(out).unpack(tmp_path / "out", jobs=3).ok


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("jobs", [1, 2, 5])
@pytest.mark.parametrize("push", [1, 300, 1 << 25])
def test_one_stream_on_many_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str, jobs: int, push: int
) -> None:
    """Bytes and originals are the same however much is pushed together, and whatever the decoder takes at once."""
    monkeypatch.setattr(packing, "CHUNK_SAMPLES", 100)
    monkeypatch.setattr(packing, "PUSH_SAMPLES", push)
    monkeypatch.setattr(decompressor, "BATCH_SAMPLES", push)
    monkeypatch.setattr(decompressor, "MOST_SAMPLES", 2 * push)
    sources = []
    for number, frames in enumerate((1003, 977)):
        path = tmp_path / f"{number}.wav"
        wav.write_wav(path, walk(frames, 2, seed=number), 19531)
        sources.append(Source(path, path.name, (0, 1) if number == 0 else (2, 2)))
    out = tmp_path / "x.spk"
    done: list[int] = []
    pack([sources], out, profile=profile, options=SMALL, jobs=jobs, progress=done.append)
    pack([sources], tmp_path / "one.spk", profile=profile, options=SMALL)
    assert out.read_bytes() == (tmp_path / "one.spk").read_bytes()
    assert sum(done) == 2 * (1003 + 977)
    container = Container.open(out)
    config = container.config(0)
    assert config is not None and config.peers == ((0, 1, 2, 2) if profile == "calibrated" else ())
    done.clear()
    assert container.verify(jobs=jobs, progress=done.append).ok
    assert sum(done) == 2 * (1003 + 977)
    container.unpack(tmp_path / "out", jobs=jobs)
    for source in sources:
        assert (tmp_path / "out" / source.name).read_bytes() == source.path.read_bytes()


@pytest.mark.parametrize("samples", [1, 7, 20, 45, 90, 1000])
def test_files_are_restored_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, samples: int) -> None:
    monkeypatch.setattr(restore, "CHUNK", samples)
    out, sources = packed(tmp_path / "in")
    done: list[int] = []
    assert Container.open(out).verify(progress=done.append).ok
    assert sum(done) == 45 + 27 + 15 * 3 + 21
    assert max(done) <= max(samples, 3), "at least a frame of the widest stream"
    assert_restored(Container.open(out), tmp_path / "out", sources)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("live", [False, True])
def test_a_lone_file_needs_24_bytes(tmp_path: Path, live: bool, profile: str) -> None:
    path = tmp_path / "one.wav"
    wav.write_wav(path, walk(98687), 19531)
    out = tmp_path / "one.wav.spk"
    pack([[Source(path, "")]], out, live=live, profile=profile)
    container = Container.open(out)
    ledger = container.ledger()
    assert ledger.container == 24
    config = container.config(0)
    assert config is not None
    assert ledger.packets == -(-98687 // config.packet_frames)
    assert (ledger.packets < 9) == (not live)
    assert ledger.total == out.stat().st_size
    container.unpack(tmp_path / "back.wav")
    assert (tmp_path / "back.wav").read_bytes() == path.read_bytes()
    (tmp_path / "folder").mkdir()
    container.unpack(tmp_path / "folder")
    assert (tmp_path / "folder" / "one.wav").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("profile", PROFILES)
def test_random_access_reads_every_range(tmp_path: Path, profile: str) -> None:
    out, sources = packed(tmp_path / "in", profile)
    container = Container.open(out)
    for number, source in enumerate(sources):
        whole = wav.read(source.path).samples
        for start, stop in itertools.combinations_with_replacement(range(0, len(whole) + 1, 3), 2):
            found = container.read(number, start, stop)
            assert found.dtype == whole.dtype
            assert np.array_equal(found, whole[start:stop])
        with pytest.raises(FormatError, match="give a range within"):
            container.read(number, 0, len(whole) + 1)


@pytest.mark.parametrize("profile", PROFILES)
def test_random_access_enters_at_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str) -> None:
    monkeypatch.setattr(directory, "INDEX_BYTES", 60)
    wav.write_wav(tmp_path / "a.wav", walk(2000, 2), 19531)
    out = tmp_path / "x.spk"
    pack([[Source(tmp_path / "a.wav", "")]], out, profile=profile, options=SMALL)
    container = Container.open(out)
    stream, whole = container.streams[0], walk(2000, 2)
    assert len(stream.index) > 20
    assert all(frame % 20 == 0 for frame, _ in stream.index)
    steps = np.diff([0, *(offset for _, offset in stream.index)])
    assert steps.min() >= 60
    for start in range(0, 2000, 41):
        assert np.array_equal(container.read(0, start, min(start + 50, 2000)), whole[start : start + 50])
    # Nothing before the entry is looked at: all of it may be gone.
    frame, offset = stream.index[-1]
    data = bytearray(out.read_bytes())
    data[stream.offset : stream.offset + offset] = bytes(offset)
    out.write_bytes(data)
    assert np.array_equal(Container.open(out).read(0, frame, 2000), whole[frame:])
    with pytest.raises(FormatError, match="its packet is lost"):
        Container.open(out).read(0, frame - 1, 2000)


def test_groups_are_split_where_they_must(tmp_path: Path) -> None:
    wav.write_wav(tmp_path / "lattice.wav", walk(50), 19531)
    wav.write_wav(tmp_path / "wide.wav", np.array([0, 32767, -32768], np.int16), 19531)
    wav.write_wav(tmp_path / "left.wav", np.array([0, 256, -512], np.int16), 19531)
    wav.write_wav(tmp_path / "slow.wav", walk(50), 8000)
    names = ["lattice.wav", "wide.wav", "left.wav", "slow.wav"]
    out = tmp_path / "x.spk"
    pack([[Source(tmp_path / n, n) for n in names]], out)
    container = Container.open(out)
    found = [([container.files[f].name for f in s.files], s.rate, s.mapping) for s in container.streams]
    assert found[0][:2] == (["lattice.wav"], 19531)
    assert found[1] == (["wide.wav", "left.wav"], 19531, Mapping("linear", 16, 0))
    assert found[2][:2] == (["slow.wav"], 8000)
    assert container.unpack(tmp_path / "out").ok


BAD_NAMES = ["/tmp/xxx", "../xx.wav", "a/../x.wa", "C:/xx.wav", "a\\xxx.wav", "a//xx.wav", "./xxx.wav", "nul\0x.wav"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_escape_are_refused_both_ways(tmp_path: Path, name: str) -> None:
    wav.write_wav(tmp_path / "a.wav", walk(5), 100)
    out = tmp_path / "x.spk"
    with pytest.raises(FormatError, match="name"):
        pack([[Source(tmp_path / "a.wav", name)]], out)
    assert not out.exists()
    placeholder = "n" * len(name)
    pack([[Source(tmp_path / "a.wav", placeholder)]], out)
    with_directory(out, lambda body: body.replace(placeholder.encode(), name.encode()))
    container = Container.open(out)
    assert container.files[0].name == name
    with pytest.raises(FormatError, match=r"x\.spk: name"):
        container.unpack(tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.wav", "x.spk"]


@pytest.mark.parametrize("names", [("a.wav", "a.wav"), ("a.wav", "a.wav/b.wav"), ("a.wav", "")])
def test_names_that_meet_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    wav.write_wav(tmp_path / "a.wav", walk(5), 100)
    with pytest.raises(FormatError, match="name"):
        pack([[Source(tmp_path / "a.wav", name) for name in names]], tmp_path / "x.spk")


def test_names_of_any_script_and_bytes_come_back(tmp_path: Path) -> None:
    wav.write_wav(tmp_path / "a.wav", walk(5), 100)
    names = ["Grün/神経.wav", b"\xff\xfe.wav".decode("utf-8", "surrogateescape")]
    pack([[Source(tmp_path / "a.wav", name) for name in names]], tmp_path / "x.spk")
    assert [f.name for f in Container.open(tmp_path / "x.spk").files] == names


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    out, sources = packed(tmp_path / "in")
    before = out.read_bytes()
    with pytest.raises(FormatError, match=r"x\.spk: exists; give --force"):
        pack([sources], out)
    container = Container.open(out)
    target = tmp_path / "out"
    container.unpack(target)
    (target / "b.wav").write_bytes(b"mine")
    for name in ("a.wav", "sub/c.wav", "d.wav", "e.wav"):
        (target / name).unlink()
    with pytest.raises(FormatError, match=r"b\.wav: exists; give --force"):
        container.unpack(target)
    assert (target / "b.wav").read_bytes() == b"mine"
    assert not (target / "a.wav").exists()
    assert container.unpack(target, overwrite=True).ok
    assert (target / "b.wav").read_bytes() == sources[1].path.read_bytes()
    with pytest.raises(FormatError, match="is not a folder"):
        container.unpack(target / "a.wav")
    with pytest.raises(FormatError, match="none: this folder does not exist"):
        pack([sources], tmp_path / "none" / "x.spk")
    pack([sources], out, overwrite=True)
    assert out.read_bytes() != before


def test_a_failed_pack_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    with pytest.raises(FormatError, match="header"):
        pack([[Source(tmp_path / "bad.wav", "")]], tmp_path / "x.spk")
    with pytest.raises(FormatError, match="nothing to compress"):
        pack([], tmp_path / "x.spk")
    wav.write_wav(tmp_path / "a.wav", walk(5), 100)
    for options, message in (({"packet_frame": 3}, "packet_frames"), ({"width": 9}, "width"), ({"lanes": 7}, "lanes")):
        with pytest.raises(ConfigError, match=message):
            pack([[Source(tmp_path / "a.wav", "")]], tmp_path / "x.spk", options=options)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.wav", "bad.wav"]
