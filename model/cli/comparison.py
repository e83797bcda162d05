"""Spikey's rows and other compressors' in one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from model.cli import console

if TYPE_CHECKING:
    from model.bench import Row
    from model.bench.others import Missing

COLUMNS = ("", "bits/sample", "ratio_wav", "ratio_adc", "bytes", "encode MS/s", "decode MS/s")
WAYS = ("encode", "decode")


def show(title: str, profile: str, own: Row, rows: Sequence[Row | Missing]) -> None:
    """Print the table, and below it why rows have no figures.

    Parameters
    ----------
    title, profile : str
    own : Row
        Of `profile`; the last two columns give its speeds over each row's.
    rows : sequence of Row or Missing
        All of the same samples.
    """
    from model.bench.others import Missing

    columns = (*COLUMNS, *(f"{profile} {way}s / this" for way in WAYS))
    cells = [_cells(row, len(columns), own) for row in rows]
    console.table(title, columns, cells)
    for row in rows:
        if isinstance(row, Missing):
            click.echo(f"{row.name}: no figures: {row.reason}")


def _cells(row: Row | Missing, columns: int, own: Row) -> tuple[object, ...]:
    from model.bench.others import Missing

    if isinstance(row, Missing):
        return (row.name, *["none"] * (columns - 1))
    figures = row.figures
    found = row.to_json()
    return (
        row.name,
        f"{figures.bits_per_sample:.4f}" if figures.samples else "no samples",
        f"{figures.ratio_wav:.4f}",
        f"{figures.ratio_adc:.4f}",
        figures.bytes,
        *(f"{found[f'{way}_msamples_per_second']:.1f}" for way in WAYS),
        *(f"{ratio:.3f}" for ratio in own.speed_beside(row).values()),
    )
