"""Bare captures of packets to WAV files."""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from model.cli import sources
from model.codec.decompressor import Decoded
from model.formats import disk, wav
from model.formats.codes import LATTICE_MAPPING, LATTICE_WIDTH, Mapping
from model.formats.container import FormatError, read_stream
from model.spec.operating import DEFAULT_RATE
from model.spec.parameters import ParameterSet


def decompress(
    path: Path,
    out: Path,
    parameter_sets: Sequence[ParameterSet],
    *,
    rate: int | None,
    jobs: int,
    recover: bool,
    force: bool,
) -> None:
    """Decode the capture `path` to the WAV file `out`, or to several numbered ones if the device restarted in it.

    10-bit codes are put on the lattice of 16-bit samples, others are shifted up to 16 bits. Frames that are missing
    become mid-scale.

    Raises
    ------
    FormatError
        If frames are missing and `recover` is false, or the packets' parameter set is not known.
    """
    sources.refuse_to_replace(out, [path])
    runs = read_stream(path, parameter_sets, jobs=jobs)
    problems = [
        f"run {n}: frames {g.start} to {g.start + g.frames}, {g.reason}" for n, r in enumerate(runs) for g in r.gaps
    ]
    problems += [f"bytes {d.offset} to {d.offset + d.size} damaged" for run in runs for d in run.damage]
    what = "; ".join([*problems[:4], *(["..."] if len(problems) > 4 else [])])
    if problems and not recover:
        raise FormatError(f"{path}: {what}; give --recover to restore the rest")
    names = [out] if len(runs) == 1 else [out.with_name(f"{out.stem}-{n}{out.suffix}") for n in range(len(runs))]
    for name in names:
        disk.check_target(name, overwrite=force)
    for name, run in zip(names, runs, strict=True):
        wav.write_wav(name, _samples(run), rate or DEFAULT_RATE, overwrite=force)
        click.echo(f"{name}: {len(run.frames)} frames of {run.shape.channels} channels{', ' + what if what else ''}")


def _samples(run: Decoded) -> np.ndarray:
    width = run.shape.width
    mapping = LATTICE_MAPPING if width == LATTICE_WIDTH else Mapping("linear", width, 16 - width)
    codes = run.frames.copy()
    for gap in run.gaps:
        codes[gap.start : gap.start + gap.frames] = mapping.middle
    return mapping.to_samples(codes)
