"""Recordings side by side as one stream, and the script that measures its speed."""

import sys
from pathlib import Path

import numpy as np
import pytest

from model.bench import Figures, MismatchError, stream
from model.codec.compressor import encode
from model.codec.decompressor import Decoded
from model.formats import wav
from model.formats.codes import LATTICE, LATTICE_MAPPING, Mapping
from model.formats.errors import FormatError
from model.recordings import synthesise
from model.spec import operating, shipped
from model.spec.config import CodecConfig
from model.spec.profiles import PROFILES
from scripts import bench as script


def write(path: Path, samples: np.ndarray, rate: int = 19531) -> Path:
    path.write_bytes(wav.to_bytes(samples, rate, 8 * samples.itemsize))
    return path


@pytest.fixture
def lattice(tmp_path: Path) -> list[Path]:
    """Recordings of 7, 3 and 5 frames whose codes are 100, 101, ..., 200, 201, ... and 300, 301, ..."""
    lengths = (7, 3, 5)
    return [
        write(tmp_path / f"{n}.wav", LATTICE[100 * (n + 1) + np.arange(length)]) for n, length in enumerate(lengths)
    ]


def test_segments_are_as_long_as_they_can_be() -> None:
    random = np.random.default_rng(1)
    for _ in range(300):
        lengths = random.integers(0, 40, random.integers(1, 6)).tolist()
        channels = int(random.integers(1, 30))
        fits = [f for f in range(1, 41) if sum(length // f for length in lengths) >= channels]
        assert stream.segment_frames(lengths, channels) == max(fits, default=0)
    assert stream.segment_frames([1 << 40], 1024) == stream.MOST_SAMPLES // 1024


def test_first_segments_come_first(lattice: list[Path]) -> None:
    laid = stream.lay_side_by_side(lattice, 5)
    assert laid.frames.T.tolist() == [[100, 101], [200, 201], [300, 301], [102, 103], [302, 303]]
    assert (laid.mapping, laid.rate, laid.channels) == (LATTICE_MAPPING, 19531, 5)
    assert (laid.real_time, laid.wav_bytes) == (5 * 19531, 20)
    assert stream.lay_side_by_side(lattice, 1).frames.T.tolist() == [[100, 101, 102, 103, 104, 105, 106]]


def test_channels_of_one_file_are_series_of_their_own(tmp_path: Path) -> None:
    path = write(tmp_path / "x.wav", np.array([[1, 1000], [2, -1000], [3, 7]], np.int16))
    laid = stream.lay_side_by_side([path], 2)
    assert laid.mapping == Mapping("linear", 11, 0)
    assert (laid.frames.astype(int) - 1024).tolist() == [[1, 1000], [2, -1000], [3, 7]]


def test_what_cannot_lie_side_by_side_is_refused(lattice: list[Path], tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="not a sample for each of 16 channels"):
        stream.lay_side_by_side(lattice, 16)
    odd = write(tmp_path / "odd.wav", np.array([1, 2], np.int16))
    with pytest.raises(FormatError, match="of another kind"):
        stream.lay_side_by_side([*lattice, odd], 2)
    slow = write(tmp_path / "slow.wav", LATTICE[:9], 1000)
    with pytest.raises(FormatError, match=r"slow\.wav: rate: 1000 Hz beside 19531 Hz"):
        stream.lay_side_by_side([*lattice, slow], 2)


def test_files_hold_channel_after_channel(lattice: list[Path], tmp_path: Path) -> None:
    laid = stream.lay_side_by_side(lattice, 5)
    paths = laid.write(tmp_path, 2)
    samples = [LATTICE_MAPPING.to_codes(wav.read(path).samples[:, 0]).tolist() for path in paths]
    assert samples == [[100, 101, 200, 201, 300, 301], [102, 103, 302, 303]]


@pytest.mark.parametrize("profile", PROFILES)
def test_the_stream_counts_the_codecs_bytes_whatever_the_jobs(profile: str, tmp_path: Path) -> None:
    laid = stream.lay_side_by_side(synthesise(tmp_path, channels=4, seconds=0.2, seed=3), 16)
    config = CodecConfig(profile, channels=16, packet_frames=50, key_interval=3, lanes=PROFILES[profile].lanes[0])
    parameters = shipped.default(profile, lattice=True) if PROFILES[profile].parameterised else None
    for jobs in (1, 3):
        row = stream.measure("x", laid, config, jobs=jobs)
        samples, written = laid.frames.size, len(encode(laid.frames, config, parameters=parameters))
        assert row.figures == Figures(samples, 2 * samples, 10 * samples, written)
        assert row.encode_seconds > 0 < row.decode_seconds


def test_a_stream_that_comes_back_changed_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laid = stream.lay_side_by_side(synthesise(tmp_path, channels=2, seconds=0.1), 2)
    whole, config = stream.decode, operating.archive("tiny", 2, 10)

    def decode(data: bytes, **options: int) -> Decoded:
        found = whole(data, **options)
        found.frames[-1, 1] ^= 1
        return found

    monkeypatch.setattr(stream, "decode", decode)
    with pytest.raises(MismatchError, match="other codes"):
        stream.measure("x", laid, config)


def run_script(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", *map(str, arguments)])
    script.main()


def test_the_script_prints_both_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    synthesise(tmp_path / "rec", channels=3, seconds=0.3)
    run_script(monkeypatch, tmp_path / "rec", "--profile", "tiny, tiny", "--channels", 32, "--jobs", 2)
    out = capsys.readouterr().out
    files, _, side_by_side = out.partition("32 channels, ")
    names = [line.split("│")[1].strip() for line in files.splitlines() if line.startswith("│")]
    assert names[:4] == ["tiny", "tiny", "copy in memory", "flac -8"] and names[-1] == "xz -6 on codes"
    assert files.startswith("3 recordings, archive, jobs: 2")
    assert side_by_side.startswith("532 frames, jobs: 2; real time needs 0.6 MS/s")
    names = [line.split("│")[1].strip() for line in side_by_side.splitlines() if line.startswith("│")]
    assert names[:5] == ["tiny, archive", "tiny, live", "tiny, archive", "tiny, live", "flac -8"]
    assert "wavpack -hh on codes: no figures: no command 'wavpack'" in side_by_side


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--profile", "tinny"), "did you mean 'tiny'"),
        (("--channels", 99999), "fewer channels"),
        (("/nowhere",), "no WAV file"),
    ],
)
def test_the_script_says_what_cannot_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...], words: str
) -> None:
    synthesise(tmp_path, channels=1, seconds=0.1)
    where = () if str(arguments[0]).startswith("/") else (tmp_path,)
    with pytest.raises(SystemExit) as error:
        run_script(monkeypatch, *where, *arguments)
    assert words in str(error.value) and "\n" not in str(error.value)
