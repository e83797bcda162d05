"""`spikey calibrate`: a set that `compress` takes, what it says, what it refuses; nothing is left half-written."""

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Spikey, tree

from model import cli
from model.formats import wav
from model.formats.codes import LATTICE
from model.recordings import synthesise
from model.spec import shipped
from model.spec.calibrate import edge_format
from model.spec.parameters import load
from model.training import calibration, calibration_plot

EVEN = shipped.FOLDER / "calibrated-even.spkp"
PNG = b"\x89PNG\r\n\x1a\n"


def run(*arguments: object) -> int:
    return cli.run([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven recordings of a 10-bit converter with unequal widths, and what `calibrate` makes of them."""
    folder = tmp_path_factory.mktemp("uneven")
    synthesise(folder / "deep" / "in", channels=7, seconds=1)
    assert run("calibrate", folder / "deep", "-o", folder / "own.spkp", "--json", folder / "own.json") == 0
    return folder


@pytest.fixture
def eight(here: Path) -> Path:
    """Two short recordings of an 8-bit converter, quick to calibrate."""
    synthesise(here / "eight", channels=2, seconds=0.5, width=8)
    return here / "eight"


def size(spikey: Spikey, originals: Path, parameters: Path, out: Path) -> int:
    spikey("compress", originals, "-o", out, "--parameters", parameters, "--no-embed")
    return out.stat().st_size


def test_compress_gains_by_the_set(uneven: Path, tmp_path: Path, spikey: Spikey) -> None:
    own, originals = uneven / "own.spkp", uneven / "deep"
    out = tmp_path / "own.spk"
    assert size(spikey, originals, own, out) < 0.995 * size(spikey, originals, EVEN, tmp_path / "even.spk")
    spikey("decompress", out, "-o", tmp_path / "back", "--parameters", own)
    assert tree(tmp_path / "back") == tree(originals)


def test_figures_of_unequal_widths(uneven: Path) -> None:
    found = json.loads((uneven / "own.json").read_text())
    assert (found["files"], found["samples"], found["mapping"], found["width"]) == (7, 7 * 19531, "lattice", 10)
    assert not found["even"]
    assert found["gain_bits_per_sample"] > 0.02
    assert found["parameter_set"] == f"{load(uneven / 'own.spkp').identifier:016x}"
    held = found["held_out_files"]
    assert list(held) == ["shipped, even widths", "shipped, for the lattice", "fitted without them"]
    assert {one["samples"] for one in held.values()} == {2 * 19531}  # files 0 and 6
    even, lattice, fitted = (one["bytes"] for one in held.values())
    assert fitted < 0.996 * even < lattice


def test_the_trial_counts_bytes_of_a_set_that_has_not_seen_the_files(
    uneven: Path, tmp_path: Path, spikey: Spikey
) -> None:
    """The same by hand: fit without files 0 and 6, compress these."""
    paths = sorted((uneven / "deep" / "in").iterdir())
    for number, path in enumerate(paths):
        where = tmp_path / ("held" if number % 6 == 0 else "others") / "in"
        where.mkdir(parents=True, exist_ok=True)
        (where / path.name).hardlink_to(path)
    assert "no trial" in spikey("calibrate", tmp_path / "others", "-o", tmp_path / "x.spkp", "--no-picture")
    out = tmp_path / "held.spk"
    spikey(
        "compress", tmp_path / "held", "-o", out, "--parameters", tmp_path / "x.spkp", "--no-embed", "--group", "none"
    )
    found = json.loads((uneven / "own.json").read_text())["held_out_files"]["fitted without them"]
    assert out.stat().st_size == found["bytes"]
    assert not (tmp_path / "x.png").exists()


def test_the_picture_is_a_png_of_its_own_name(uneven: Path) -> None:
    drawn = (uneven / "own.png").read_bytes()
    assert drawn.startswith(PNG) and len(drawn) > 20_000
    assert sorted(tree(uneven)) == sorted(
        ["deep", "deep/in", *(f"deep/in/channel{n:02d}.wav" for n in range(7)), "own.json", "own.png", "own.spkp"]
    )


def test_even_widths_give_a_set_for_every_width(tmp_path: Path, spikey: Spikey) -> None:
    synthesise(tmp_path / "even", channels=6, seconds=1, width=8, even=True)
    said = spikey("calibrate", tmp_path / "even", "-o", tmp_path / "even.spkp", "--no-picture")
    assert "the code widths are even within their errors" in said and "fits any width" in said
    assert "fitting saves" in said and "shipped, for the lattice" not in said
    assert load(tmp_path / "even.spkp").tables["edges"][1].size == 0
    spikey("synth", tmp_path / "wide", "--channels", 1, "--seconds", 0.3, "--width", 16)
    spikey("compress", tmp_path / "wide", "-o", tmp_path / "wide.spk", "--parameters", tmp_path / "even.spkp")
    spikey("verify", tmp_path / "wide.spk", "--against", tmp_path / "wide")


def test_a_second_run_needs_force_and_gives_the_same_bytes(eight: Path, spikey: Spikey, refused: Spikey) -> None:
    command = ("calibrate", "eight", "-o", "own.spkp")
    said = spikey(*command)
    found = load(Path("own.spkp"))
    assert f"own.spkp: parameter set {found.identifier:016x}" in said
    assert "spikey compress IN --parameters own.spkp" in said
    before = {name: Path(name).read_bytes() for name in ("own.spkp", "own.png")}
    assert "own.spkp: exists; give --force" in refused(*command)
    Path("own.spkp").write_bytes(b"old")
    assert "own.png: exists; give --force" in refused("calibrate", "eight", "-o", "new.spkp", "--picture", "own.png")
    assert spikey(*command, "--force") == said
    assert {name: Path(name).read_bytes() for name in before} == before


def test_all_channels_count_and_width_says_what_quiet_recordings_hide(here: Path, spikey: Spikey) -> None:
    codes = np.random.default_rng(5).normal(0, 15, (10_000, 2)).round().astype(np.int16)
    codes -= codes % 4 == 3  # one code in four never occurs
    wav.write_wav(here / "quiet.wav", codes * 128, 20_000)  # of 9 bits, left-justified; 8 hold these
    for width, option in ((8, ()), (9, ("--width", 9))):
        said = spikey("calibrate", "quiet.wav", "-o", f"{width}.spkp", "--no-picture", *option)
        assert f"quiet.wav: 1 file, 20000 samples, codes of {width} bits" in said
        assert "the code widths differ" in said
        form, edges = load(Path(f"{width}.spkp")).tables["edges"]
        assert (form, edges.shape) == (edge_format(width), ((1 << width) + 1,))
    wav.write_wav(here / "loud.wav", np.arange(-256, 256, dtype=np.int16) * 128, 20_000)
    spikey("compress", "loud.wav", "--parameters", "9.spkp")
    spikey("verify", "loud.wav.spk", "--against", "loud.wav")


def test_too_few_samples_are_warned_of(eight: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codes = np.random.default_rng(6).integers(0, 256, 20_000).astype(np.uint8)
    wav.write_wav(eight / "uniform.wav", codes, 20_000, 8)
    assert run("calibrate", eight / "uniform.wav", "-o", "few.spkp", "--no-picture") == 0
    err = capsys.readouterr().err
    assert "uniform.wav: 20000 samples are few: a table so loses about 0.0092 bit a sample" in err
    assert "give 92333 or more" in err


def unsuitable(here: Path) -> None:
    """Recordings that cannot be calibrated, each for a reason of its own."""
    ramp = np.arange(-128, 128, dtype=np.int16)
    for name, samples in {
        "mixed/first.wav": LATTICE[:100],
        "mixed/other.wav": ramp,
        "mixed/second.wav": LATTICE[:100],
        "wide/loud.wav": np.arange(-8192, 8192, dtype=np.int16),
        "wide/narrow.wav": ramp,
        "finer/a.wav": ramp << 6,
        "finer/b.wav": ramp << 1,
        "short.wav": np.resize(ramp, 9000),
        "stub.wav": ramp[:5],
    }.items():
        (here / name).parent.mkdir(exist_ok=True)
        wav.write_wav(here / name, samples, 19531)
    (here / "text.wav").write_text("no recording, but a text that is longer than the header of one")


REFUSED: list[tuple[tuple[object, ...], int, str]] = [
    (("calibrate", "session"), 2, "'-o'"),
    (("calibrate", "none", "-o", "x.spkp"), 1, "none: does not exist"),
    (("calibrate", "session", "-o", "nowhere/x.spkp"), 1, "nowhere: this folder does not exist"),
    (("calibrate", "one.wav", "-o", "one.wav", "--force"), 1, "one.wav: is the input itself"),
    (("calibrate", "session", "-o", "x.png"), 1, "x.png: two outputs would go there"),
    (("calibrate", "session", "-o", "x.spkp", "--json", "x.spkp"), 1, "x.spkp: two outputs would go there"),
    (
        ("calibrate", "session", "-o", "x.spkp", "--picture", "x.gif"),
        1,
        "x.gif: picture: cannot draw '.gif'; give .png",
    ),
    (("calibrate", "session", "-o", "x.spkp", "--picture", "x.png", "--no-picture"), 2, "give one of them"),
    (("calibrate", "session", "-o", "x.spkp", "--width", 7), 1, "width: 7 bits; 8 to 12 can be calibrated"),
    (("calibrate", "session", "-o", "x.spkp", "--width", 13), 1, "width: 13 bits; 8 to 12 can be calibrated"),
    (("calibrate", "session", "-o", "x.spkp", "--width", 12), 1, "10 bits hold all recordings, but 12 are asked for"),
    (("calibrate", "mixed", "-o", "x.spkp"), 1, "mixed/other.wav: codes are not on the 10-bit lattice, those of mixed"),
    (("calibrate", "wide", "-o", "x.spkp"), 1, "wide/loud.wav: 14 bits hold all recordings, no fewer; 8 to 12 can be"),
    (("calibrate", "finer", "-o", "x.spkp"), 1, "finer/b.wav: 13 bits hold all recordings, no fewer; 8 to 12 can be"),
    (("calibrate", "short.wav", "-o", "x.spkp"), 1, "short.wav: fit: recordings: 9000 samples in all; give at least 1"),
    (("calibrate", "stub.wav", "-o", "x.spkp"), 1, "stub.wav: 5 frames; take it out, or give at least 16"),
    (("calibrate", "text.wav", "-o", "x.spkp"), 1, "text.wav: header: not a WAV file"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), REFUSED, ids=lambda value: str(value)[:60])
def test_refused_in_one_line(
    here: Path, refused: Spikey, arguments: tuple[object, ...], code: int, message: str
) -> None:
    unsuitable(here)
    assert message in refused(*arguments, code=code)


def test_without_matplotlib_it_says_what_to_install(
    here: Path, refused: Spikey, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [*sys.modules]:
        if name.split(".")[0] == "matplotlib" or name == "model.training.calibration_plot":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = refused("calibrate", "session", "-o", "x.spkp")
    assert "matplotlib is not installed; pip install 'spikey[train]', or give --no-picture" in said


def test_an_interrupted_fit_leaves_nothing(eight: Path, refused: Spikey, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(calibration, "fit", interrupt)
    assert "interrupted" in refused("calibrate", "eight", "-o", "x.spkp", code=130)


@pytest.mark.parametrize(("where", "name"), [(os, "replace"), (calibration_plot, "draw")], ids=["replace", "draw"])
def test_a_full_disk_leaves_nothing(
    eight: Path, refused: Spikey, monkeypatch: pytest.MonkeyPatch, where: Any, name: str
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "x.spkp")

    Path("x.spkp").write_bytes(b"an older set")
    monkeypatch.setattr(where, name, fail)
    assert "x.spkp: No space left" in refused("calibrate", "eight", "-o", "x.spkp", "--json", "x.json", "--force")
