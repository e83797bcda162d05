"""`spikey synth` and `spikey bench`."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model.cli import comparison, console, settings, sources
from model.cli.convert import JOBS, PATH

if TYPE_CHECKING:
    from model.bench import Result, Row
    from model.bench.others import Missing, Other
    from model.formats.container import Source
    from model.recordings import Mode

COLUMNS = (
    "",
    "bits/sample",
    "ratio_wav",
    "ratio_adc",
    "bytes",
    "encode MB/s",
    "decode MB/s",
    "encode MS/s",
    "decode MS/s",
)


@click.command()
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--channels", type=click.IntRange(1), default=8, show_default=True, help="Files of one channel each.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=5.0, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--rate", type=click.IntRange(1), default=19531, show_default=True, help="Frames a second.")
@click.option("--width", type=click.IntRange(8, 16), default=10, show_default=True, help="Bits of the converter.")
@click.option("--even", is_flag=True, help="A converter whose codes are equally wide.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
def synth(
    folder: Path, channels: int, seconds: float, seed: int, rate: int, width: int, even: bool, force: bool
) -> None:
    """Write synthetic recordings into the folder DIR: noise, spikes, paired channels, unequal code widths."""
    from model.recordings import synthesise

    paths = synthesise(
        folder,
        channels=channels,
        seconds=seconds,
        rate=rate,
        seed=seed,
        width=width,
        even=even,
        overwrite=force,
    )
    click.echo(f"{folder}: {len(paths)} files, {sum(path.stat().st_size for path in paths)} bytes")


@click.command()
@click.argument("folder", metavar="[DIR]", type=PATH, required=False)
@click.option("--profiles", default="calibrated,tiny", show_default=True, help="Names, separated by commas.")
@click.option("--live", is_flag=True, help="Short packets, for a link.")
@click.option("--group", type=click.Choice(settings.GROUPS), help="Measure all files in one container as well.")
@click.option(
    "--others/--no-others",
    default=True,
    show_default=True,
    help="FLAC -8, WavPack -hh and xz on the same files, as they are and on their codes. "
    "Takes some 2 s a million samples, two thirds of it xz.",
)
@click.option("--json", "json_file", metavar="FILE", type=PATH, help="Write every figure there.")
@JOBS
@click.option("--force", is_flag=True, help="Replace the JSON file if it exists.")
def bench(
    folder: Path | None,
    profiles: str,
    live: bool,
    group: Mode | None,
    others: bool,
    json_file: Path | None,
    jobs: int,
    force: bool,
) -> None:
    """Compress, decode and compare every recording in DIR; print sizes, ratios, speeds and where the bytes go.

    Without DIR: the recordings for tests, where there are any, else synthetic ones.
    """
    from model.spec.config import find_profile

    names = [name.strip() for name in profiles.split(",")]
    for name in names:
        find_profile(name)
    console.say_first_compilation()
    from model.formats import disk
    from model.formats.container import Source
    from model.recordings import default_recordings

    if json_file is not None:
        disk.check_target(json_file, overwrite=force)
    with tempfile.TemporaryDirectory() as scratch:
        if folder is not None:
            recordings, where = sources.find(folder), str(folder)
        else:
            synthetic = Path(scratch, "synthetic")
            recordings = [Source(path, path.name) for path in default_recordings(synthetic, "test")]
            where = "synthetic" if recordings[0].path.is_relative_to(synthetic) else str(recordings[0].path.parent)
        point = "live" if live else "archive"
        found: dict[str, Any] = {"recordings": where, "operating_point": point, "profiles": {}, "others": None}
        alone: dict[str, Result] = {}
        rows: list[Row | Missing] = []
        for name in names:
            title = f"profile {name}, {point}: {where}"
            totals, found["profiles"][name] = _measure(recordings, name, title, live=live, group=group, jobs=jobs)
            alone[name] = totals[0]
            labels = ("each file alone", f"one container, group {group}, jobs: {jobs}")
            rows += [
                dataclasses.replace(row, name=f"{name}, {label}") for row, label in zip(totals, labels, strict=False)
            ]
        if others:
            measured = _measure_others(recordings, Path(scratch))
            found["others"] = [_other_json(other, row, alone) for other, row in measured]
            rows += [row for _, row in measured]
    comparison.show(f"totals, {point}: {where}", names[0], alone[names[0]], rows)
    if json_file is not None:
        with disk.replacing(json_file, overwrite=force) as file:
            file.write(json.dumps(found, indent=2).encode() + b"\n")


def _measure(
    recordings: list[Source], profile: str, title: str, *, live: bool, group: Mode | None, jobs: int
) -> tuple[list[Result], dict[str, Any]]:
    """Measure and print one profile; gives the totals and what goes into the JSON file."""
    from model.bench import bench as run
    from model.bench import total

    with console.progress(profile, len(recordings)) as advance:
        files, grouped = run(recordings, profile, live=live, group=group, jobs=jobs, progress=advance)
    whole = total(files, "total, each file alone")
    console.table(f"{title}: each file alone", COLUMNS, [_row(result) for result in [*files, whole]], total=True)
    if grouped is not None:
        console.table(f"{title}: all files in one container", COLUMNS, [_row(grouped)])
    totals = [whole] if grouped is None else [whole, grouped]
    for result in totals:
        ledger = result.to_json()["ledger"]
        console.table(f"ledger: {result.name}", ("", "count or bytes"), list(ledger.items()))
    return totals, {
        "total": whole.to_json(),
        "files": [result.to_json() for result in files],
        "grouped": grouped.to_json() if grouped else None,
    }


def _measure_others(recordings: list[Source], scratch: Path) -> list[tuple[Other, Row | Missing]]:
    """Measure the other compressors, one recording at a time, as spikey's are."""
    from model.bench.others import OTHERS
    from model.bench.others import measure as run

    paths, out = [source.path for source in recordings], []
    for other in OTHERS:
        with console.progress(other.name, len(paths)) as advance:
            out.append((other, run(other, paths, scratch, progress=advance)))
    return out


def _other_json(other: Other, row: Row | Missing, alone: dict[str, Result]) -> dict[str, Any]:
    """What goes into the JSON file: the row, who made it, and every profile's speed over it, each file alone."""
    from model.bench import Row

    beside = {name: one.speed_beside(row) for name, one in alone.items() if isinstance(row, Row)}
    return {**row.to_json(), "version": other.version(), "spikey_speed_over_this": beside}


def _row(result: Result) -> tuple[object, ...]:
    row = result.to_json()
    speeds = [f"{row[f'{way}_{unit}_per_second']:.1f}" for unit in ("mb", "msamples") for way in ("encode", "decode")]
    figures = result.figures
    return (
        result.name,
        f"{figures.bits_per_sample:.4f}" if figures.samples else "no samples",
        f"{figures.ratio_wav:.4f}",
        f"{figures.ratio_adc:.4f}",
        figures.bytes,
        *speeds,
    )
