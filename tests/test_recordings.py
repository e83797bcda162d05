"""Recordings: where they are found, and what the synthetic ones are like."""

from pathlib import Path

import numpy as np
import pytest

from model.formats import wav
from model.formats.codes import LATTICE_MAPPING, recognise
from model.formats.container import Container, FormatError, Source, pack
from model.recordings import default_recordings, find, locate, synthesise, synthetic


def codes_of(path: Path) -> np.ndarray:
    return LATTICE_MAPPING.to_codes(wav.read(path).samples[:, 0]).astype(np.float64)


def test_the_variable_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("train/b.wav", "train/a.WAV", "test/c.wav", "test/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setenv(locate.VARIABLE, str(tmp_path))
    assert [p.name for p in find()] == ["c.wav", "a.WAV", "b.wav"]
    assert [p.name for p in find("train")] == ["a.WAV", "b.wav"]
    assert find("none") == []
    assert default_recordings(tmp_path / "made", "test") == [tmp_path / "test" / "c.wav"]
    assert not (tmp_path / "made").exists()
    monkeypatch.setenv(locate.VARIABLE, str(tmp_path / "none"))
    with pytest.raises(FormatError, match="SPIKEY_RECORDINGS: not a folder"):
        find()


def test_a_checkout_looks_beside_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(locate.VARIABLE, raising=False)
    root = tmp_path / "checkout"
    (root / "model" / "recordings").mkdir(parents=True)
    (tmp_path / "shared" / "recordings" / "test").mkdir(parents=True)
    (tmp_path / "shared" / "recordings" / "test" / "a.wav").touch()
    monkeypatch.setattr(locate, "__file__", str(root / "model" / "recordings" / "locate.py"))
    assert find() == []  # installed, not a checkout
    (root / "pyproject.toml").touch()
    assert [p.name for p in find("test")] == ["a.wav"]


def test_without_real_ones_synthetic_ones_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(locate.VARIABLE, str(tmp_path))
    made = default_recordings(tmp_path / "made", "test")
    assert len(made) == 8
    assert default_recordings(tmp_path / "made", "test") == made  # anew, over the old ones


def test_equal_seeds_give_equal_files(tmp_path: Path) -> None:
    first, again, other = (
        [p.read_bytes() for p in synthesise(tmp_path / name, channels=3, seconds=0.1, seed=seed)]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))
    assert len(set(first)) == 3


def test_they_are_as_hard_as_real_ones(tmp_path: Path) -> None:
    """Real ones: tiny needs 4.77 bits a sample; medians of 20 codes of spread, 6.05 of the differences' spread."""
    paths = synthesise(tmp_path / "s", channels=16, seconds=2)
    pack([[Source(path, path.name)] for path in paths], tmp_path / "x.spk", profile="tiny")
    files = Container.open(tmp_path / "x.spk").files
    bits = 8 * (tmp_path / "x.spk").stat().st_size / sum(f.frames for f in files)
    assert 4.6 < bits < 4.95
    codes = [codes_of(path) for path in paths]
    assert 15 < np.median([c.std() for c in codes]) < 24
    assert 5.5 < np.median([np.diff(c).std() for c in codes]) < 6.6
    assert 515 < np.median(codes) < 530


@pytest.mark.parametrize("width", range(8, 17))
def test_any_width_of_converter(tmp_path: Path, width: int) -> None:
    paths = synthesise(tmp_path / "s", channels=2, seconds=0.25, width=width)
    for path in paths:
        found = wav.read(path)
        assert (found.rate, found.channels, found.bits) == (19531, 1, 16)
        mapping = recognise(found.samples)
        if width == 10:
            assert mapping.kind == "lattice"
        else:
            assert (mapping.kind, mapping.shift) == ("linear", min(16 - width, 8))
            spread = found.samples.astype(np.float64).std() * 1023 / 65535  # in codes of 10 bits
            assert 10 < spread < 40


def test_code_widths_are_unequal_the_same_in_every_channel_and_can_be_even() -> None:
    uneven = synthetic.converter_edges(10, np.random.default_rng(7))
    again = synthetic.converter_edges(10, np.random.default_rng(7))
    assert np.array_equal(uneven, again)
    widths = np.diff(uneven)
    assert len(uneven) == 1023
    assert 0.15 < widths.std() < 0.35
    assert widths.min() > 0
    neighbours = np.abs(np.diff(np.log(widths)))
    assert 0.2 < np.median(neighbours) < 0.5
    even = synthetic.converter_edges(10, np.random.default_rng(7), even=True)
    assert np.array_equal(even, np.arange(1, 1024))


def test_uneven_widths_show_in_the_codes(tmp_path: Path) -> None:
    """Codes' frequencies in two channels agree code by code, which even widths do not show."""

    def agreement(folder: str, even: bool) -> float:
        paths = synthesise(tmp_path / folder, channels=2, seconds=4, even=even, pairs=False)
        logs = []
        for path in paths:
            counts = np.bincount(codes_of(path).astype(int), minlength=1024)[505:545]
            log = np.log(counts + 1.0)
            logs.append(np.diff(log))
        return float(np.corrcoef(logs)[0, 1])

    assert agreement("uneven", False) > 0.8
    assert agreement("even", True) < 0.5


def test_the_noise_has_its_spectrum() -> None:
    noise = synthetic.noise(20000, 16, np.random.default_rng(3)).astype(np.float64)
    noise -= noise.mean(axis=0)
    for lag, expected in ((1, 0.951), (2, 0.916), (4, 0.865)):
        found = (noise[lag:] * noise[:-lag]).sum() / (noise**2).sum()
        assert abs(found - expected) < 0.02
    assert abs(noise.std() - 1) < 0.15


def test_units_fire_with_a_refractory_period() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        unit = synthetic.unit(20 * 19531, 19531, rng)
        assert unit.times.min() >= 0
        assert unit.times.max() + len(unit.waveform) <= 20 * 19531
        assert np.diff(unit.times).min() >= int(0.002 * 19531)
        assert 20 < len(unit.times) < 20 * 25 * 1.5
        assert unit.waveform.min() < -0.5
        assert unit.waveform.max() > 0.1


@pytest.mark.parametrize(
    ("argument", "value"), [("channels", 0), ("rate", 0), ("width", 7), ("width", 17), ("seconds", 0), ("seconds", 1e9)]
)
def test_impossible_requests_are_refused(tmp_path: Path, argument: str, value: int) -> None:
    arguments: dict[str, int] = {argument: value}
    with pytest.raises(FormatError, match=f"{argument}: .* out of range"):
        synthesise(tmp_path / "s", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "s").exists()


def test_existing_files_are_kept(tmp_path: Path) -> None:
    synthesise(tmp_path, channels=1, seconds=0.1)
    with pytest.raises(FormatError, match="exists; give --force"):
        synthesise(tmp_path, channels=1, seconds=0.1)
