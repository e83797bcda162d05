"""Other compressors: what they are given, that only what comes back equal counts, and what is said of the rest."""

import dataclasses
import json
import lzma
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command import Spikey

from model import cli
from model.bench import Row, others
from model.bench.others import FLAC, OTHERS, WAVPACK, XZ, Missing, Other
from model.formats import wav
from model.formats.codes import LATTICE_MAPPING, Mapping
from model.recordings import synthesise

COPY = Other("copy", shutil.copy, shutil.copy)
COPY_CODES = dataclasses.replace(COPY, on_codes=True)
FAILS = "print('first line\\nno such bits\\n', file=sys.stderr); sys.exit(3)"


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three recordings of a 10-bit converter, of different lengths."""
    folder = tmp_path_factory.mktemp("others")
    made = synthesise(folder, channels=3, seconds=1, seed=4)
    for frames, path in zip((19000, 7001, 12), made, strict=True):
        wav.write_wav(path, np.array(wav.read(path).samples[:frames]), 19531, overwrite=True)
    return made


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make the only commands that there are: Python texts that find `source` and `out`."""
    folder = tmp_path / "commands"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(text: str, *names: str) -> None:
        for name in names:
            find = "out = sys.argv[sys.argv.index('-o') + 1]\nsource, = {*sys.argv[1:]} & {*names} - {out}\n"
            names_of = "import shutil, sys\nnames = [word for word in sys.argv if word.startswith('/')]\n"
            (folder / name).write_text(f"#!{sys.executable} -SE\n{names_of}{find}{text}\n")
            (folder / name).chmod(0o755)

    return make


def codes_file(samples: np.ndarray, mapping: Mapping) -> bytes:
    codes = [[int(code) - (1 << mapping.width >> 1) for code in frame] for frame in mapping.to_codes(samples)]
    return wav.to_bytes(np.array(codes, np.int16), 19531)


def found(other: Other, paths: list[Path], scratch: Path, jobs: int = 1) -> Row:
    row = others.measure(other, paths, scratch, jobs=jobs)
    assert isinstance(row, Row), row
    return row


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: other.name)
def test_real_ones_count_the_bytes_that_their_commands_write(other: Other, paths: list[Path], tmp_path: Path) -> None:
    if reason := other.absent():
        pytest.skip(reason)
    sizes = []
    for path in paths:
        given = path
        if other.on_codes:
            given = tmp_path / "codes.wav"
            given.write_bytes(codes_file(wav.read(path).samples, LATTICE_MAPPING))
        if other in XZ:
            sizes.append(len(lzma.compress(given.read_bytes(), preset=6)))
            continue
        out = tmp_path / "packed.wv"
        words = ["flac", "-8", "--no-padding", "-f"] if other in FLAC else ["wavpack", "-hh", "-y"]
        subprocess.run([*words, "-o", out, given], check=True, capture_output=True)
        sizes.append(out.stat().st_size)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    row = found(other, paths, scratch)
    samples = 19000 + 7001 + 12
    assert dataclasses.astuple(row.figures) == (samples, 2 * samples + 3 * 44, 10 * samples, sum(sizes))
    assert row.encode_seconds > 0 < row.decode_seconds
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("pair", [FLAC, WAVPACK], ids=lambda pair: pair[0].name)
def test_real_ones_do_better_on_codes(pair: tuple[Other, Other], paths: list[Path], tmp_path: Path) -> None:
    if reason := pair[0].absent():
        pytest.skip(reason)
    plain, codes = (found(other, paths[:2], tmp_path).figures for other in pair)
    assert 2 * codes.bytes < plain.bytes
    assert (pair[0].version() or "").startswith(pair[0].commands[0])


@pytest.mark.parametrize("other", OTHERS, ids=lambda other: other.name)
@pytest.mark.parametrize("kind", ["8 bits, 2 channels", "12 bits", "16 bits, extremes"])
def test_real_ones_give_other_kinds_back(kind: str, other: Other, tmp_path: Path) -> None:
    if reason := other.absent():
        pytest.skip(reason)
    random = np.random.default_rng(5)
    path = tmp_path / "x.wav"
    match kind:
        case "8 bits, 2 channels":
            path.write_bytes(wav.to_bytes(random.integers(0, 256, (3000, 2)).astype(np.uint8), 19531, 8))
        case "12 bits":
            path.write_bytes(wav.to_bytes((random.integers(-2048, 2048, 3000) << 4).astype(np.int16), 19531))
        case _:
            path.write_bytes(wav.to_bytes(np.array([-32768, 32767, -1, 0, 1] * 99, np.int16), 19531))
    width = int(kind.partition(" ")[0])
    figures = found(other, [path], tmp_path).figures
    assert figures.adc_bits == width * figures.samples > 0


@pytest.mark.parametrize(
    ("samples", "mapping"),
    [
        (np.array([[-32768, 32767], [31, -32]], np.int16), LATTICE_MAPPING),
        (np.array([[-2048 << 4], [2047 << 4], [0], [16]], np.int16), Mapping("linear", 12, 4)),
        (np.array([[-32768], [32767], [1]], np.int16), Mapping("linear", 16, 0)),
        (np.array([[0], [255], [128], [3]], np.uint8), Mapping("linear", 8, 0)),
    ],
    ids=["lattice", "12 bits", "16 bits", "8 bits"],
)
def test_codes_are_those_that_spikey_recognises(samples: np.ndarray, mapping: Mapping, tmp_path: Path) -> None:
    given: list[bytes] = []

    def keep(source: Path, out: Path) -> None:
        given.append(source.read_bytes())
        out.write_bytes(given[-1])

    path = tmp_path / "x.wav"
    path.write_bytes(wav.to_bytes(samples, 19531, 8 * samples.itemsize))
    row = found(dataclasses.replace(COPY_CODES, encode=keep), [path], tmp_path)
    assert given == [codes_file(samples, mapping)]
    assert row.figures.bytes == len(given[0])
    assert row.figures.adc_bits == mapping.width * samples.size
    found(dataclasses.replace(COPY, encode=keep), [path], tmp_path)
    assert given[1] == path.read_bytes()


def test_jobs_change_nothing_but_time(paths: list[Path], tmp_path: Path) -> None:
    for other in (COPY, COPY_CODES, *XZ):
        done: list[int] = []
        row = others.measure(other, paths, tmp_path, jobs=2, progress=done.append)
        assert isinstance(row, Row) and row.figures == found(other, paths, tmp_path).figures
        assert done == [2, 1]
    assert list(tmp_path.iterdir()) == []


def change(edit: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path, Path], object]:
    def decode(source: Path, out: Path) -> None:
        out.write_bytes(wav.to_bytes(edit(wav.read(source).samples.copy()), 19531))

    return decode


def flipped(samples: np.ndarray) -> np.ndarray:
    samples[5] ^= 1
    return samples


LOSSES = {
    "a bit": change(flipped),
    "the last frame": change(lambda samples: samples[:-1]),
    "a frame more": change(lambda samples: np.append(samples, samples[-1:], axis=0)),
    "far too great": change(lambda samples: samples + np.int16(5000)),
    "far too small": change(lambda samples: samples - np.int16(5000)),
    "no WAV": lambda source, out: out.write_bytes(source.read_bytes()[4:]),
    "nothing": lambda source, out: None,
}


@pytest.mark.parametrize("other", [COPY, COPY_CODES], ids=lambda other: other.name)
@pytest.mark.parametrize("loss", LOSSES)
def test_what_does_not_come_back_has_no_figures(loss: str, other: Other, paths: list[Path], tmp_path: Path) -> None:
    row = others.measure(dataclasses.replace(other, decode=LOSSES[loss]), paths, tmp_path, jobs=2)
    assert isinstance(row, Missing)
    assert row.name == other.name
    words = "what comes back is no such recording" if loss in ("no WAV", "nothing") else "come"
    assert row.reason.startswith(f"{paths[0]}: ") and words in row.reason
    assert list(tmp_path.iterdir()) == []


def test_absent_commands_are_named(fake: Callable[..., None], paths: list[Path], tmp_path: Path) -> None:
    fake(FAILS, "wavpack")
    rows = [others.measure(other, paths[-1:], tmp_path) for other in OTHERS]
    assert rows[:4] == [
        Missing("flac -8", "no command 'flac'; install it with: apt install flac"),
        Missing("flac -8 on codes", "no command 'flac'; install it with: apt install flac"),
        Missing("wavpack -hh", "no command 'wvunpack'; install it with: apt install wavpack"),
        Missing("wavpack -hh on codes", "no command 'wvunpack'; install it with: apt install wavpack"),
    ]
    assert [type(row) for row in rows[4:]] == [Row, Row]
    assert [other.version() for other in OTHERS] == [None] * len(OTHERS)


def test_a_command_that_fails_is_quoted(fake: Callable[..., None], paths: list[Path], tmp_path: Path) -> None:
    fake(FAILS, "flac", "wvunpack")
    fake("shutil.copy(source, out)", "wavpack")
    for other in (*FLAC, *WAVPACK):
        row = others.measure(other, paths, tmp_path)
        command = "flac" if other in FLAC else "wvunpack"
        assert row == Missing(other.name, f"{paths[0]}: '{command}' ended with 3: no such bits")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["commands"]


def bench(folder: Path, tmp_path: Path, *arguments: str) -> dict:
    out = tmp_path / "bench.json"
    assert cli.run(["bench", str(folder), "--profiles", "tiny", "--json", str(out), "--force", *arguments]) == 0
    return json.loads(out.read_text())


def test_the_command_shows_them_beside_each_profile(
    fake: Callable[..., None], paths: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake("shutil.copy(source, out) if '--version' not in sys.argv else print('1.2')", "wavpack", "wvunpack")
    json_of = bench(paths[0].parent, tmp_path, "--group", "none", "--jobs", "2")
    lines = capsys.readouterr().out.partition("totals, archive: ")[2].splitlines()
    table = {line.split("│")[1].strip(): line for line in lines if "│" in line}
    own, grouped = (json_of["profiles"]["tiny"][name] for name in ("total", "grouped"))
    assert [row["name"] for row in json_of["others"]] == [other.name for other in OTHERS]
    assert list(table) == [
        "tiny, each file alone",
        "tiny, one container, group none, jobs: 2",
        *(o.name for o in OTHERS),
    ]
    assert f"{own['ratio_wav']:.4f}" in table["tiny, each file alone"]
    assert f"{grouped['ratio_wav']:.4f}" in table["tiny, one container, group none, jobs: 2"]
    for row in json_of["others"]:
        line = table[row["name"]]
        if row["name"].startswith("flac"):
            assert line.count("none") == 8
            assert row["missing"].startswith("no command 'flac'") and row["spikey_speed_over_this"] == {}
            assert f"{row['name']}: no figures: {row['missing']}" in lines
            continue
        assert (row["samples"], row["wav_bytes"], row["adc_bits"]) == tuple(
            own[name] for name in ("samples", "wav_bytes", "adc_bits")
        )
        assert row["bytes"] == own["wav_bytes"] or row["name"].startswith("xz")
        for part in (f"{row['bits_per_sample']:.4f}", f"{row['ratio_wav']:.4f}", str(row["bytes"])):
            assert part in line
        for way, ratio in row["spikey_speed_over_this"]["tiny"].items():
            assert ratio == pytest.approx(row[f"{way}_seconds"] / own[f"{way}_seconds"])
            assert f"{ratio:.3f}" in line
            assert f"{row[f'{way}_msamples_per_second']:.1f}" in line


def test_the_command_without_them(
    paths: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> Row:
        raise AssertionError

    monkeypatch.setattr(others, "measure", refuse)
    assert bench(paths[0].parent, tmp_path, "--no-others")["others"] is None
    out = capsys.readouterr().out
    assert "xz" not in out and "tiny, each file alone" in out


def test_recordings_without_a_sample(here: Path, spikey: Spikey) -> None:
    (here / "empty.wav").write_bytes(wav.to_bytes(np.zeros(0, np.int16), 19531))
    out = spikey("bench", "empty.wav")
    assert "no samples" in out.partition("totals, archive: ")[2]
