"""`spikey calibrate`."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from model.cli import console, sources
from model.cli.convert import PATH

if TYPE_CHECKING:
    import numpy as np

    from model.bench import Figures
    from model.formats.codes import Mapping
    from model.formats.container import Source
    from model.spec.parameters import ParameterSet
    from model.training.calibration import Calibration

    Draw = Callable[[Calibration, np.ndarray, Path], None]

HELD_OUT: Final = 6  # every so manieth file is kept from the trial's fit
SUFFIXES: Final = (".png", ".svg", ".pdf")
FEW: Final = 0.002  # bits a sample that a table may lose by chance before a warning
COLUMNS: Final = ("", "bits/sample", "ratio_wav", "ratio_adc", "bytes")


@dataclass(frozen=True)
class _Read:
    """The recordings: the files, what makes codes of their samples, and the codes of each file."""

    sources: list[Source]
    mapping: Mapping
    codes: list[list[np.ndarray]]

    @property
    def samples(self) -> int:
        return sum(len(part) for file in self.codes for part in file)


@click.command()
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("-o", "--output", "out", metavar="PARAMS", type=PATH, required=True, help="The parameter set, *.spkp.")
@click.option("--width", type=int, help="Bits of the converter. [default: as many as the recordings need]")
@click.option(
    "--picture",
    metavar="FILE",
    type=PATH,
    help=f"Draw what was found there: {', '.join(SUFFIXES)}. [default: PARAMS with .png]",
)
@click.option("--no-picture", is_flag=True, help="Draw nothing; matplotlib is not needed then.")
@click.option("--json", "json_file", metavar="FILE", type=PATH, help="Write every figure there.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
def calibrate(
    folder: Path,
    out: Path,
    width: int | None,
    picture: Path | None,
    no_picture: bool,
    json_file: Path | None,
    force: bool,
) -> None:
    """Find the code widths of a converter from recordings; write a parameter set for compress --parameters.

    DIR is a WAV file or a folder with WAV files in or below it, all of one converter of 8 to 12 bits, unfiltered. They
    are also tried: every 6th file is compressed with a set that is fitted without these files.
    """
    if picture is not None and no_picture:
        raise click.UsageError("--picture and --no-picture: give one of them")
    picture = None if no_picture else picture or out.with_suffix(SUFFIXES[0])
    draw = _drawing(picture) if picture else None
    console.say_first_compilation()
    found = sources.find(folder)
    _check_targets([path for path in (out, picture, json_file) if path], found, force=force)

    read = _read(found, width)
    trial = _trial(read, folder)
    calibration, parameters = _fit("fit", folder, read.codes, read.mapping.width)
    few = _few(calibration)
    if few:
        click.echo(f"spikey: warning: {folder}: {few}", err=True)
    contents = {out: parameters.to_bytes()}
    if picture and draw:
        contents[picture] = _drawn(draw, calibration, read.codes[0][0], picture.suffix)
    if json_file:
        contents[json_file] = _json(read, calibration, parameters, trial)
    _write(contents, force=force)

    click.echo(_counts(folder, read))
    note = "; the set has no table of edges and fits any width" if calibration.even else ""
    click.echo(f"{calibration.verdict}{note}")
    _show_trial(trial)
    click.echo(
        f"{out}: parameter set {parameters.identifier:016x}, {len(contents[out])} bytes, fitted to all files; "
        f"use it with: spikey compress IN --parameters {out}"
    )
    if picture:
        click.echo(f"{picture}: picture of what was found")


def _drawing(picture: Path) -> Draw:
    """What draws a picture, looked for before any work."""
    if picture.suffix not in SUFFIXES:
        raise click.ClickException(f"{picture}: picture: cannot draw '{picture.suffix}'; give {', '.join(SUFFIXES)}")
    try:
        from model.training.calibration_plot import draw
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "matplotlib":
            raise
        raise click.ClickException(
            f"{picture}: picture: matplotlib is not installed; pip install 'spikey[train]', or give --no-picture"
        ) from None
    return draw


def _check_targets(targets: list[Path], found: list[Source], *, force: bool) -> None:
    from model.formats import disk

    for number, target in enumerate(targets):
        sources.refuse_to_replace(target, [source.path for source in found])
        disk.check_target(target, overwrite=force)
        if target.resolve() in [other.resolve() for other in targets[:number]]:
            raise click.ClickException(f"{target}: two outputs would go there; give each a name of its own")


def _read(found: list[Source], width: int | None) -> _Read:
    from model.training.converter import common_mapping, read

    mapping = common_mapping([source.path for source in found], width)
    return _Read(found, mapping, [read(source.path, mapping) for source in found])


def _counts(folder: Path, read: _Read) -> str:
    """What was read, in a line."""
    files, mapping = len(read.sources), read.mapping
    if mapping.kind == "lattice":
        kind = f"codes of {mapping.width} bits, on the lattice"
    else:
        kind = f"codes of {mapping.width} bits; if the converter has more, give --width"
    return f"{folder}: {files} {'file' if files == 1 else 'files'}, {read.samples} samples, {kind}"


def _fit(label: str, folder: Path, files: Iterable[list[np.ndarray]], width: int) -> tuple[Calibration, ParameterSet]:
    """The calibration and its integers; errors name `folder`."""
    from model.training.calibration import ROUNDS, CalibrationError, fit
    from model.training.quantise import quantise

    recordings = [codes for file in files for codes in file]
    try:
        with console.progress(label, ROUNDS) as advance:
            calibration = fit(recordings, width, progress=lambda _: advance(1) if advance else None)
    except CalibrationError as error:
        raise CalibrationError(f"{folder}: {label}: {error}") from None
    return calibration, quantise(calibration, recordings).parameters


def _few(calibration: Calibration) -> str:
    """A warning if there were too few samples; else ''."""
    if calibration.chance <= FEW:
        return ""
    samples = int(calibration.counts.sum())
    return (
        f"{samples} samples are few: a table so loses about {calibration.chance:.4f} bit a sample by chance, and "
        f"unequal widths may pass for even ones; give {-(-calibration.chance * samples // FEW):.0f} or more"
    )


def _trial(read: _Read, folder: Path) -> dict[str, Figures]:
    """Sizes of every 6th file, compressed, decoded and compared, by the set used; {} if there are too few files."""
    from model.bench import Figures, compare
    from model.formats.container import Container, pack
    from model.spec import shipped
    from model.spec.calibrated import PROFILE

    held = read.sources[::HELD_OUT]
    if len(read.sources) < HELD_OUT:
        return {}
    others = (codes for number, codes in enumerate(read.codes) if number % HELD_OUT)
    sets = {"shipped, even widths": shipped.default(PROFILE)}
    if read.mapping.kind == "lattice":
        sets["shipped, for the lattice"] = shipped.default(PROFILE, lattice=True)
    sets["fitted without them"] = _fit("fit without every 6th file", folder, others, read.mapping.width)[1]
    trial = {}
    with tempfile.TemporaryDirectory() as scratch, console.progress("trial", len(sets)) as advance:
        for name, parameters in sets.items():
            path = Path(scratch, "held-out.spk")
            pack([[source] for source in held], path, profile=PROFILE, parameters=parameters, embed=False)
            container = Container.open(path, [parameters])
            compare(container, {source.name: source.path for source in held}, Path(scratch))
            trial[name] = Figures.of(container)
            path.unlink()
            if advance:
                advance(1)
    return trial


def _show_trial(trial: dict[str, Figures]) -> None:
    if not trial:
        click.echo(f"no trial: to hold files out of a fit, give at least {HELD_OUT}")
        return
    rows = [
        (name, f"{one.bits_per_sample:.4f}", f"{one.ratio_wav:.4f}", f"{one.ratio_adc:.4f}", one.bytes)
        for name, one in trial.items()
    ]
    console.table("every 6th file, compressed, decoded and compared; the set itself is not counted", COLUMNS, rows)
    before, after = trial["shipped, even widths"].bytes, trial["fitted without them"].bytes
    click.echo(f"fitting saves {100 * (1 - after / before):.2f} % of the bytes of files that the fit has not seen")


def _drawn(draw: Draw, calibration: Calibration, codes: np.ndarray, suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "picture").with_suffix(suffix)
        draw(calibration, codes, path)
        return path.read_bytes()


def _json(read: _Read, calibration: Calibration, parameters: ParameterSet, trial: dict[str, Figures]) -> bytes:
    found = {
        "files": len(read.sources),
        "samples": read.samples,
        "codes_seen": int((calibration.counts > 0).sum()),
        "mapping": read.mapping.kind,
        "width": calibration.width,
        "even": calibration.even,
        "gain_bits_per_sample": calibration.gain,
        "gain_error": calibration.gain_error,
        "chance_bits_per_sample": calibration.chance,
        "parameter_set": f"{parameters.identifier:016x}",
        "held_out_files": {name: one.to_json() for name, one in trial.items()},
    }
    return json.dumps(found, indent=2).encode() + b"\n"


def _write(contents: dict[Path, bytes], *, force: bool) -> None:
    """Write all files beside their places, and only then give them their names."""
    from model.formats import disk

    with contextlib.ExitStack() as stack:
        for path, content in contents.items():
            stack.enter_context(disk.replacing(path, overwrite=force)).write(content)
