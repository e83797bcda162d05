"""What is damaged is never called good: every flip, every truncation, every range that is moved."""

import itertools
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from small_container import SEED, forged, packed, restore, walk

from model.codec.compressor import encode
from model.codec.packet import Packet, build, scan
from model.formats import directory, wav
from model.formats.codes import Mapping
from model.formats.container import Container, DamagedError, FormatError, Source, pack
from model.spec.config import CodecConfig
from model.spec.profiles import PROFILES


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


@pytest.mark.parametrize("profile", PROFILES)
def test_every_flip_of_every_byte_is_noticed(tmp_path: Path, profile: str) -> None:
    out, sources = packed(tmp_path / "in", profile)
    good = out.read_bytes()
    outcomes = []
    masks = (0x10, 0xFF) if profile == "tiny" else (0x08,)
    for at, mask in itertools.product(range(len(good)), masks):
        bad = bytearray(good)
        bad[at] ^= mask
        out.write_bytes(bad)
        outcomes.append(check_damaged(out, sources, tmp_path / "out"))
    assert outcomes.count("refused") == len(masks) * Container.open(restore(out, good)).directory.size
    assert outcomes.count("gaps") == len(masks) * len(good) - outcomes.count("refused")


@pytest.mark.parametrize("profile", PROFILES)
def test_every_truncation_is_noticed(tmp_path: Path, profile: str) -> None:
    out, sources = packed(tmp_path / "in", profile)
    good = out.read_bytes()
    size = Container.open(out).directory.size
    outcomes = [check_damaged(restore(out, good[:n]), sources, tmp_path / "out") for n in range(len(good))]
    assert outcomes == ["refused"] * size + ["gaps"] * (len(good) - size)


@pytest.mark.parametrize("profile", PROFILES)
def test_bytes_inserted_removed_or_added_are_noticed(tmp_path: Path, profile: str) -> None:
    out, sources = packed(tmp_path / "in", profile)
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


@pytest.mark.parametrize("profile", PROFILES)
def test_packets_of_another_stream_are_never_taken_for_ones_own(tmp_path: Path, profile: str) -> None:
    """Bytes removed across the border of two streams of equal shape leave packets of one where the other's stood."""
    sources = []
    for number in range(3):
        path = tmp_path / f"{number}.wav"
        wav.write_wav(path, walk(50, seed=number), 19531)
        sources.append(Source(path, path.name))
    out = tmp_path / "x.spk"
    pack([[source] for source in sources], out, profile=profile, options={"packet_frames": 10})
    good, streams = out.read_bytes(), Container.open(out).streams
    for begin in range(streams[0].offset, streams[1].offset, 13):
        for end in range(streams[1].offset, streams[2].offset, 13):
            check_damaged(restore(out, good[:begin] + good[end:]), sources, tmp_path / "out")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("jobs", [1, 3])
def test_a_payload_that_no_encoder_wrote_makes_its_file_suspect(tmp_path: Path, profile: str, jobs: int) -> None:
    """Its CRC-32 is right, so it may be a packet of another stream; what it gives, if anything, is not the original."""
    sources = []
    for number in range(2):
        path = tmp_path / f"{number}.wav"
        wav.write_wav(path, walk(100, seed=number), 19531)
        sources.append(Source(path, path.name))
    out, options = tmp_path / "x.spk", {"packet_frames": 10, "key_interval": 3}
    pack([[source] for source in sources], out, profile=profile, options=options)
    good, stream = out.read_bytes(), Container.open(out).streams[0]
    packets = [item for item in scan(good[stream.offset : stream.offset + stream.size]) if isinstance(item, Packet)]
    for number, byte in itertools.product((3, 4, 7, 9), (0, -1)):
        packet = packets[number]
        out.write_bytes(good[: stream.offset] + forged(good[stream.offset :], packet, byte))
        report = Container.open(out).verify(jobs=jobs)
        assert [(g.file, g.start, g.frames, g.reason) for g in report.gaps] == [
            ("0.wav", 0, 100, "its CRC-32 is not the original's")
        ]
        check_damaged(out, sources, tmp_path / "out")


def test_key_packets_of_another_shape_are_damage(tmp_path: Path) -> None:
    out, _ = packed(tmp_path / "in", "calibrated")
    stream = Container.open(out).streams[2]
    frames = np.full((21, 1), 130, np.uint16)
    first = encode(frames[:10], CodecConfig("calibrated", 1, 8, 10))
    other = encode(frames[:10], CodecConfig("calibrated", 1, 8, 10, lanes=2), position=10)
    out.write_bytes(out.read_bytes()[: stream.offset] + (first + other).ljust(stream.size, b"\0"))
    report = Container.open(out).verify()
    assert [(g.file, g.start, g.frames) for g in report.gaps] == [("d.wav", 10, 11)]
    assert report.damage[0].offset == stream.offset + len(first)


@pytest.mark.parametrize(("frames", "hurt"), [(2048, 0), (2049, 1)])
def test_a_packet_of_more_codes_than_it_can_hold_is_damage(tmp_path: Path, frames: int, hurt: int) -> None:
    """However intact: a few bytes would take minutes and gigabytes."""
    channels = (1 << 13) - 1
    packet = build(CodecConfig("tiny", channels, 8, 1), 0, frames, key=True, raw=False, payload=b"1")
    mapping = Mapping("linear", 8)
    file = directory.FileEntry("", 0, 0, channels, frames, 1, 8, mapping, b"", b"", 0)
    stream = directory.StreamEntry(mapping, frames, 0, len(packet), (), (0,), (), 1)
    path = restore(tmp_path / "x.spk", directory.write([stream], [file], []) + packet)
    container = Container.open(path)
    report = container.verify()
    assert [gap.frames for gap in report.gaps] == [frames]
    assert [(found.offset, found.size) for found in report.damage] == [
        (container.directory.size, len(packet)) for _ in range(hurt)
    ]


@pytest.mark.parametrize("packets", [0, 1])
def test_frames_that_no_disk_holds_are_reported_at_once(tmp_path: Path, packets: int) -> None:
    """A directory of a few bytes may claim any number; a file that ends before the hole is good nevertheless."""
    channels, frames, codes = 2, 1 << 45, np.array([[7, 9]] * 5, np.uint16)
    packet = encode(codes, CodecConfig("tiny", channels, 8, 5)) * packets
    mapping = Mapping("linear", 8)
    head = wav.canonical_head(1, 1, 8, 5)
    crc = zlib.crc32(head + mapping.to_samples(codes[:, 1], np.uint8).tobytes())
    files = [
        directory.FileEntry("endless.wav", 0, 0, 1, frames, 1, 8, mapping, b"", b"", 0),
        directory.FileEntry("five.wav", 0, 1, 1, 5, 1, 8, mapping, head, b"", crc),
    ]
    stream = directory.StreamEntry(mapping, frames, 0, len(packet), (), (0, 1), (), 1)
    container = Container.open(restore(tmp_path / "x.spk", directory.write([stream], files, []) + packet))
    report = container.verify()
    lost = [] if packets else [("five.wav", 0, 5)]
    assert [(gap.file, gap.start, gap.frames) for gap in report.gaps] == [
        ("endless.wav", 5 * packets, frames - 5 * packets),
        *lost,
    ]
    (tmp_path / "out").mkdir()
    with pytest.raises(DamagedError, match="--recover"):
        container.unpack(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
