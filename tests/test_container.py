"""The container: originals come back byte for byte, and what is damaged is never called good."""

import itertools
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.codec.compressor import Compressor, encode
from model.formats import directory, wav
from model.formats.codes import LATTICE, Mapping
from model.formats.container import Container, DamagedError, FormatError, Source, is_stream, pack, read_stream
from model.spec import packet as packet_spec
from model.spec.config import CodecConfig, ConfigError
from model.spec.numbers import Format
from model.spec.parameters import ParameterSet

SEED = 20260
SMALL = {"packet_frames": 10, "key_interval": 2}


def walk(frames: int, channels: int = 1, *, lattice: bool = True, seed: int = SEED) -> np.ndarray:
    """A random walk of samples, int16."""
    rng = np.random.default_rng(seed)
    codes = np.clip(512 + np.cumsum(rng.integers(-6, 7, (frames, channels)), axis=0), 0, 1023)
    return LATTICE[codes] if lattice else codes.astype(np.int16) * 16


def small_recordings(folder: Path) -> list[Source]:
    """A pair of unequal length, three channels off the lattice with a broken header, one of 8 bits, an empty one."""
    wav.write_wav(folder / "a.wav", walk(45), 19531)
    wav.write_wav(folder / "b.wav", walk(27, seed=1), 19531)
    plain = wav.to_bytes(walk(15, 3, lattice=False), 19531, 12)
    (folder / "sub").mkdir()
    (folder / "sub" / "c.wav").write_bytes(plain[:4] + b"\0\0\0\0" + plain[8:] + b"tail")
    wav.write_wav(folder / "d.wav", np.arange(21).astype(np.uint8), 8000, 8)
    wav.write_wav(folder / "e.wav", walk(0), 19531)
    return [Source(folder / n, n) for n in ("a.wav", "b.wav", "sub/c.wav", "d.wav", "e.wav")]


def packed(folder: Path, **options: object) -> tuple[Path, list[Source]]:
    folder.mkdir(exist_ok=True)
    sources = small_recordings(folder)
    out = folder / "x.spk"
    pack([sources[:2], sources[2:3], sources[3:]], out, options={**SMALL, **options})
    return out, sources


def assert_restored(container: Container, target: Path, sources: list[Source]) -> None:
    report = container.unpack(target)
    assert report.ok
    assert sorted(p for p in target.rglob("*") if p.is_file()) == sorted(target / s.name for s in sources)
    for source in sources:
        assert (target / source.name).read_bytes() == source.path.read_bytes()


def test_every_original_comes_back(tmp_path: Path) -> None:
    out, sources = packed(tmp_path / "in")
    container = Container.open(out)
    assert [(s.channels, s.frames) for s in container.streams] == [(2, 45), (3, 15), (1, 21), (1, 0)]
    assert [f.name for f in container.files] == [s.name for s in sources]
    assert container.streams[0].mapping.kind == "lattice"
    assert container.streams[1].mapping.shift == 4
    assert container.verify().ok
    assert str(container.verify()) == "5 files intact"
    assert_restored(container, tmp_path / "out", sources)
    assert sorted(p.name for p in (tmp_path / "in").iterdir()) == ["a.wav", "b.wav", "d.wav", "e.wav", "sub", "x.spk"]
    config = container.config(0)
    assert config == CodecConfig("tiny", 2, 10, 10, 2)
    assert container.config(3) is None


def test_jobs_do_not_change_the_bytes(tmp_path: Path) -> None:
    out, sources = packed(tmp_path / "in")
    done: list[int] = []
    pack([sources[:2], sources[2:3], sources[3:]], tmp_path / "y.spk", options=SMALL, jobs=3, progress=done.append)
    assert (tmp_path / "y.spk").read_bytes() == out.read_bytes()
    assert sum(done) == 45 + 27 + 15 * 3 + 21
    assert Container.open(out).unpack(tmp_path / "out", jobs=3).ok


@pytest.mark.parametrize("live", [False, True])
def test_a_lone_file_needs_24_bytes(tmp_path: Path, live: bool) -> None:
    path = tmp_path / "one.wav"
    wav.write_wav(path, walk(98687), 19531)
    out = tmp_path / "one.wav.spk"
    pack([[Source(path, "")]], out, live=live)
    container = Container.open(out)
    ledger = container.ledger()
    assert ledger.container == 24
    config = container.config(0)
    assert config is not None
    assert ledger.packets == -(-98687 // config.packet_frames)
    assert (ledger.packets == 5) == (not live)
    assert ledger.total == out.stat().st_size
    container.unpack(tmp_path / "back.wav")
    assert (tmp_path / "back.wav").read_bytes() == path.read_bytes()
    (tmp_path / "folder").mkdir()
    container.unpack(tmp_path / "folder")
    assert (tmp_path / "folder" / "one.wav").read_bytes() == path.read_bytes()


def test_the_ledger_adds_up(tmp_path: Path) -> None:
    noise = np.random.default_rng(SEED).integers(-32768, 32768, (32, 1)).astype(np.int16)  # stored raw
    wav.write_wav(tmp_path / "noise.wav", noise, 100)
    wav.write_wav(tmp_path / "walk.wav", walk(32), 100)
    out = tmp_path / "x.spk"
    pack([[Source(tmp_path / n, n)] for n in ("noise.wav", "walk.wav")], out, options=SMALL)
    ledger = Container.open(out).ledger()
    assert (ledger.packets, ledger.key_packets, ledger.raw_packets) == (8, 4, 4)
    assert ledger.payload_raw == 32 * 2
    assert ledger.packet_headers == 8 * packet_spec.HEADER_BYTES + 4 * packet_spec.KEY_HEADER_BYTES
    assert (ledger.header_checks, ledger.packet_checks, ledger.damaged) == (8, 32, 0)
    assert ledger.total == out.stat().st_size
    out.write_bytes(out.read_bytes() + b"??")
    assert Container.open(out).ledger() == ledger + type(ledger)(damaged=2)


def test_random_access_reads_every_range(tmp_path: Path) -> None:
    out, sources = packed(tmp_path / "in")
    container = Container.open(out)
    for number, source in enumerate(sources):
        whole = wav.read(source.path).samples
        for start, stop in itertools.combinations_with_replacement(range(0, len(whole) + 1, 3), 2):
            found = container.read(number, start, stop)
            assert found.dtype == whole.dtype
            assert np.array_equal(found, whole[start:stop])
        with pytest.raises(FormatError, match="give a range within"):
            container.read(number, 0, len(whole) + 1)


def test_random_access_enters_at_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "INDEX_BYTES", 60)
    wav.write_wav(tmp_path / "a.wav", walk(2000, 2), 19531)
    out = tmp_path / "x.spk"
    pack([[Source(tmp_path / "a.wav", "")]], out, options=SMALL)
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


# Damage


def check_damaged(path: Path, sources: list[Source], target: Path) -> str:
    """A damaged container gives a clear error or a report, and every sample outside the report is right."""
    try:
        container = Container.open(path)
    except FormatError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
        return "refused"
    report = container.verify()
    assert not report.ok, "damage went unseen"
    with pytest.raises(DamagedError) as caught:
        container.unpack(target)
    assert caught.value.report.gaps == report.gaps
    assert not target.exists(), "something was written"
    recovered = container.unpack(target, recover=True)
    assert (recovered.gaps, recovered.damage) == (report.gaps, report.damage)
    assert all(d.size > 0 and d.offset + d.size <= path.stat().st_size for d in report.damage)
    for number, source in enumerate(sources):
        original, copy = wav.read(source.path), target / source.name
        entry = container.files[number]
        bad = np.zeros(len(original.samples), bool)
        filled = True  # unless only the CRC-32 of the whole tells that the file is wrong
        for gap in report.gaps:
            if gap.file == source.name:
                assert 0 <= gap.start < gap.start + gap.frames <= len(bad)
                bad[gap.start : gap.start + gap.frames] = True
                filled = filled and "CRC-32" not in gap.reason
        found = wav.read(copy)
        assert (found.head, found.tail) == (original.head, original.tail)
        assert np.array_equal(found.samples[~bad], original.samples[~bad])
        middle = entry.mapping.to_samples(np.array([entry.mapping.middle], np.uint16), entry.dtype)
        assert not filled or (found.samples[bad] == middle).all()
        if filled and bad.any():
            first = int(np.flatnonzero(bad)[0])
            with pytest.raises(FormatError, match=source.name):
                container.read(number, first, first + 1)
            if first:
                assert np.array_equal(container.read(number, 0, first), original.samples[:first])
    shutil.rmtree(target)
    return "gaps" if report.gaps else "damage only"


def test_every_flip_of_every_byte_is_noticed(tmp_path: Path) -> None:
    out, sources = packed(tmp_path / "in")
    good = out.read_bytes()
    outcomes = []
    for at, mask in itertools.product(range(len(good)), (0x10, 0xFF)):
        bad = bytearray(good)
        bad[at] ^= mask
        out.write_bytes(bad)
        outcomes.append(check_damaged(out, sources, tmp_path / "out"))
    assert outcomes.count("refused") == 2 * Container.open(restore(out, good)).directory.size
    assert outcomes.count("gaps") == 2 * len(good) - outcomes.count("refused")


def restore(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    out, sources = packed(tmp_path / "in")
    good = out.read_bytes()
    size = Container.open(out).directory.size
    outcomes = [check_damaged(restore(out, good[:n]), sources, tmp_path / "out") for n in range(len(good))]
    assert outcomes == ["refused"] * size + ["gaps"] * (len(good) - size)


def test_bytes_inserted_removed_or_added_are_noticed(tmp_path: Path) -> None:
    out, sources = packed(tmp_path / "in")
    good = out.read_bytes()
    rng = np.random.default_rng(SEED)
    assert check_damaged(restore(out, good + b"more"), sources, tmp_path / "out") == "damage only"
    for _ in range(60):
        at, end = sorted(rng.integers(0, len(good), 2).tolist())
        check_damaged(restore(out, good[:at] + good[end + 1 :]), sources, tmp_path / "out")
        check_damaged(restore(out, good[:at] + b"S" + rng.bytes(9) + good[at:]), sources, tmp_path / "out")


def test_a_wrong_original_is_noticed_even_if_every_packet_is_intact(tmp_path: Path) -> None:
    out, _ = packed(tmp_path / "in")
    container = Container.open(out)
    other = encode(np.full((21, 1), 7, np.uint16), CodecConfig("tiny", 1, 8, 21))
    stream = container.streams[2]
    data = out.read_bytes()
    out.write_bytes(data[: stream.offset] + other + bytes(stream.size - len(other)))
    report = Container.open(out).verify()
    assert [(g.file, g.start, g.frames, g.reason) for g in report.gaps] == [
        ("d.wav", 0, 21, "its CRC-32 is not the original's")
    ]


@pytest.mark.parametrize(
    ("config", "frames"),
    [(CodecConfig("tiny", 1, 9, 21), 21), (CodecConfig("tiny", 2, 8, 21), 21), (CodecConfig("tiny", 1, 8, 99), 22)],
    ids=["width", "channels", "frames"],
)
def test_packets_that_contradict_the_directory_are_damage(tmp_path: Path, config: CodecConfig, frames: int) -> None:
    out, _ = packed(tmp_path / "in")
    stream = Container.open(out).streams[2]
    foreign = encode(np.zeros((frames, config.channels), np.uint16), config)
    out.write_bytes(out.read_bytes()[: stream.offset] + foreign.ljust(stream.size, b"\0"))
    report = Container.open(out).verify()
    assert [(g.file, g.start, g.frames) for g in report.gaps] == [("d.wav", 0, 21)]
    assert sum(d.size for d in report.damage) == stream.size


def test_packets_of_another_stream_are_never_taken_for_ones_own(tmp_path: Path) -> None:
    """Bytes removed across the border of two streams of equal shape leave packets of one where the other's stood."""
    sources = []
    for number in range(3):
        path = tmp_path / f"{number}.wav"
        wav.write_wav(path, walk(50, seed=number), 19531)
        sources.append(Source(path, path.name))
    out = tmp_path / "x.spk"
    pack([[source] for source in sources], out, options={"packet_frames": 10})
    good, streams = out.read_bytes(), Container.open(out).streams
    for begin in range(streams[0].offset, streams[1].offset, 13):
        for end in range(streams[1].offset, streams[2].offset, 13):
            check_damaged(restore(out, good[:begin] + good[end:]), sources, tmp_path / "out")


# Names, targets, options


def with_directory(path: Path, change: Callable[[bytes], bytes]) -> Path:
    """Change the directory of a container, its CRC-32 right again; the directory must not be compressed."""
    data = path.read_bytes()
    size = Container.open(path).directory.size
    reader = directory.Reader(data, 4)
    assert reader.varint() & 1 == 0
    body = change(data[reader.at : size - 4])
    head = data[:4] + directory.varint(2 * len(body)) + body
    path.write_bytes(head + struct.pack("<I", zlib.crc32(head)) + data[size:])
    return path


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
    with pytest.raises(FormatError, match="its folder does not exist"):
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


def test_parameter_sets_are_embedded_and_refused_when_damaged(tmp_path: Path) -> None:
    wav.write_wav(tmp_path / "a.wav", walk(5), 100)
    table = np.random.default_rng(SEED).integers(0, 4096, 8)
    parameters = ParameterSet("tiny", {"edges": (Format(12), table)})
    out = tmp_path / "x.spk"
    pack([[Source(tmp_path / "a.wav", "")]], out, parameter_sets=[parameters])
    container = Container.open(out)
    found = container.parameter_sets[parameters.identifier]
    assert np.array_equal(found.tables["edges"][1], table)
    assert container.unpack(tmp_path / "back.wav").ok
    given = ParameterSet("tiny", {"edges": (Format(12), table[:4])})
    assert set(Container.open(out, [given]).parameter_sets) == {parameters.identifier, given.identifier}
    good = out.read_bytes()
    section = parameters.to_bytes()
    for at in range(len(section)):
        broken = section[:at] + bytes((section[at] ^ 1,)) + section[at + 1 :]
        with_directory(restore(out, good), lambda body, broken=broken: body.replace(section, broken))
        with pytest.raises(FormatError, match="parameter set"):
            Container.open(out)


def test_directories_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    """With a right CRC-32, so that the parser itself is met: any content gives a directory or a `FormatError`."""
    wav.write_wav(tmp_path / "a.wav", walk(5), 100)
    out = tmp_path / "x.spk"
    pack([[Source(tmp_path / "a.wav", "")]], out)
    good = out.read_bytes()
    rng = np.random.default_rng(SEED)
    refused = 0
    for _ in range(300):
        body = rng.integers(0, 256, rng.integers(0, 24)).astype(np.uint8).tobytes()
        with_directory(restore(out, good), lambda _, body=body: body)
        try:
            Container.open(out)
        except FormatError as error:
            refused += "directory" in str(error)
    assert refused > 240
    with pytest.raises(FormatError, match="no stream"):
        Container.open(with_directory(restore(out, good), lambda _: b"\0"))
    out.write_bytes(good[:3] + b"\2" + good[4:])
    with pytest.raises(FormatError, match="version: 2"):
        Container.open(out)
    out.write_bytes(b"")
    with pytest.raises(FormatError, match="magic"):
        Container.open(out)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 16383, 16384, (1 << 63) - 1])
def test_varint(value: int) -> None:
    data = directory.varint(value)
    assert len(data) == max(1, -(-value.bit_length() // 7))
    assert directory.Reader(data).varint() == value
    with pytest.raises(IndexError):
        directory.Reader(data[:-1]).varint()
    with pytest.raises(IndexError):
        directory.Reader(b"\x80" * 10).varint()


# Captures


def test_captures_are_recognised_and_decoded(tmp_path: Path) -> None:
    config = CodecConfig("tiny", 3, 10, 16, 2)
    frames = (walk(100, 3).astype(np.int64) >> 6) + 512
    whole = encode(frames, config)
    path = tmp_path / "capture.bin"
    path.write_bytes(whole)
    assert is_stream(path)
    (found,) = read_stream(path)
    assert np.array_equal(found.frames, frames)
    assert (found.shape.channels, found.shape.width, found.gaps, found.damage) == (3, 10, [], [])
    path.write_bytes(whole[5:])  # begun in the middle of a packet
    assert is_stream(path)
    (found,) = read_stream(path)
    assert found.origin == 32
    assert np.array_equal(found.frames, frames[32:])


def test_a_restart_of_the_device_begins_a_new_run(tmp_path: Path) -> None:
    first = encode(np.full((40, 2), 5, np.uint16), CodecConfig("tiny", 2, 10, 16))
    again = encode(np.full((24, 2), 6, np.uint16), CodecConfig("tiny", 2, 10, 16))
    other = encode(np.full((9, 1), 7, np.uint16), CodecConfig("tiny", 1, 12, 16))
    path = tmp_path / "capture.bin"
    path.write_bytes(first + again + b"??" + other)
    found = read_stream(path)
    assert [(d.frames.shape, int(d.frames[0, 0])) for d in found] == [((40, 2), 5), ((24, 2), 6), ((9, 1), 7)]
    damage = [item for d in found for item in d.damage]
    assert [(item.offset, item.size) for item in damage] == [(len(first + again), 2)]


def test_a_pause_is_a_gap_in_one_run(tmp_path: Path) -> None:
    compressor = Compressor(CodecConfig("tiny", 1, 10, 16))
    data = b"".join([*compressor.push(np.ones((20, 1), np.uint16)), *compressor.close()])
    compressor.pause(7)
    data += b"".join([*compressor.push(np.ones((20, 1), np.uint16)), *compressor.close()])
    (tmp_path / "c.bin").write_bytes(data)
    (found,) = read_stream(tmp_path / "c.bin")
    assert [(g.start, g.frames) for g in found.gaps] == [(20, 7)]
    assert found.frames[:, 0].tolist() == [1] * 20 + [0] * 7 + [1] * 20


def test_other_files_are_no_captures(tmp_path: Path) -> None:
    out, sources = packed(tmp_path / "in")
    noise = tmp_path / "noise.bin"
    noise.write_bytes(np.random.default_rng(SEED).bytes(100_000))
    for path in (out, sources[0].path, noise):
        assert not is_stream(path)
    with pytest.raises(FormatError, match=r"noise\.bin: packets: no intact key packet"):
        read_stream(noise)
