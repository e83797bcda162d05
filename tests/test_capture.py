"""Bare streams of packets: recognised, cut where the device restarted, decoded."""

from pathlib import Path

import numpy as np
import pytest
from small_container import SEED, calibration, packed, walk

from model.codec.compressor import Compressor, encode
from model.formats.container import FormatError, is_stream, read_stream
from model.spec.config import CodecConfig


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


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_capture_of_calibrated_packets(tmp_path: Path, jobs: int) -> None:
    config = CodecConfig("calibrated", 4, 12, 16, 2, 2, (0, 1, 0, 3))
    frames = (walk(200, 4).astype(np.int64) >> 4) + 2048
    path = tmp_path / "capture.bin"
    path.write_bytes(encode(frames, config))
    assert is_stream(path)
    (found,) = read_stream(path, jobs=jobs)
    assert np.array_equal(found.frames, frames)
    assert (found.shape.lanes, found.shape.peers, found.gaps, found.damage) == (2, (0, 1, 0, 3), [], [])
    own = calibration(12)
    path.write_bytes(encode(frames, config, parameters=own))
    with pytest.raises(FormatError) as caught:
        read_stream(path, [calibration(12, seed=1)], jobs=jobs)
    assert str(caught.value) == (
        f"{path}: packet: needs the parameter set {own.identifier:016x}, which is not known here; "
        "give its file with --parameters"
    )
    (found,) = read_stream(path, [own], jobs=jobs)
    assert np.array_equal(found.frames, frames)


def test_other_files_are_no_captures(tmp_path: Path) -> None:
    out, sources = packed(tmp_path / "in")
    noise = tmp_path / "noise.bin"
    noise.write_bytes(np.random.default_rng(SEED).bytes(100_000))
    for path in (out, sources[0].path, noise):
        assert not is_stream(path)
    with pytest.raises(FormatError, match=r"noise\.bin: packets: no intact key packet"):
        read_stream(noise)


def test_a_gap_that_memory_does_not_hold_is_said(tmp_path: Path) -> None:
    config = CodecConfig("tiny", 1 << 16, 8, 1)
    frame = np.full((1, 1 << 16), 5, np.uint16)
    path = tmp_path / "c.bin"
    path.write_bytes(encode(frame, config) + encode(frame, config, position=(1 << 31) - 5))  # 256 TiB
    with pytest.raises(FormatError, match=r"c\.bin: frames, gaps included: .* cut the capture in parts"):
        read_stream(path)
