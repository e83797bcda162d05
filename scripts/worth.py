"""What each part of profile `calibrated` is worth: measured by leaving it out, or by making a format coarser.

    python -m scripts.worth [DIR] [--every N] [--train DIR] [--parameters FILE] [--json FILE] [--page FILE]

Every row is the bytes of complete files, archive, decoded and compared. A row compares with the first one of its table;
positive is worse. `state` is what a channel keeps, in bits. The law's own tables are used, rounded where a format is
coarser; only what a row replaces is chosen anew, without a look at the recordings.

With `--train` the same recordings are also measured in floating point: edges, distribution and scale are fitted to
every third recording of that folder, and the ideal code length is compared with the payload's bits.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from model.cli import console
from model.formats import codes, wav
from model.recordings import default_recordings, wav_files
from model.spec import calibrate, lms, scale
from model.spec import range as range_spec
from model.spec.calibrate import edge_format, even_edges
from model.spec.calibrated import Tables
from model.spec.parameters import load
from model.training.calibration import fit
from model.training.likelihood import evidence
from scripts.document import show
from scripts.variant import Change, Measured, Variant, constant, measure, tables_for

TRAIN_EVERY: Final = 3
COLUMNS: Final = ("", "bytes", "ratio_wav", "more bytes", "state")
STILL: Final = (constant("lms", "STEP", "0"), constant("lms", "QUICK_STEP", "0"))
NO_GEARS: Final = (constant("lms", "QUICK_STEP", "1"), constant("scale", "GEARS", "((0, 0), (0, 0))"))
PREDICTED_FIRST: Final = (Change("codec/calibrated.py", "age \\+ frame == 0", "age + frame < 0"),)


def width_of(tables: Tables) -> int:
    """Bits of the codes that the edges are for."""
    return (len(tables.edges) - 2).bit_length()


def coarser(values: np.ndarray, bits: int = 1) -> np.ndarray:
    """Values with so many fraction bits less, rounded."""
    return (values + (1 << bits >> 1)) >> bits


def coarser_edges(tables: Tables) -> Tables:
    """Edges with a fraction bit less that still rise from code to code."""
    edges, number = coarser(tables.edges), np.arange(len(tables.edges))
    edges = np.maximum.accumulate(edges - number) + number
    most = (edge_format(width_of(tables)).maximum >> 1) - number[::-1]
    return replace(tables, edges=np.minimum(edges, most))


def even(tables: Tables) -> Tables:
    """Even edges."""
    return replace(tables, edges=even_edges(width_of(tables)))


def features(*shifts: int) -> Callable[[Tables], Tables]:
    """Other features, with weights that begin at 0."""
    return lambda tables: replace(tables, shifts=np.array(shifts), weights=np.zeros(len(shifts) + 1, np.int64))


def weightless(tables: Tables) -> Tables:
    """All weights 0 at a key packet."""
    return replace(tables, weights=np.zeros_like(tables.weights))


def steps(fast: np.ndarray | None, slow: np.ndarray | None) -> Callable[[Tables], Tables]:
    """Other steps of the scale; None for those of the law."""
    given = (fast, slow)
    return lambda tables: replace(
        tables, steps=np.stack([own if new is None else new for new, own in zip(given, tables.steps, strict=True)])
    )


def shaped(cumulative: Callable[[np.ndarray], np.ndarray]) -> Callable[[Tables], Tables]:
    """`F` of another shape, `cumulative(x)` from 0 to 1 for distances x, stretched to resemble the law's most."""

    def tables_of(tables: Tables) -> Tables:
        at = np.arange(range_spec.POINTS + 1) / (1 << range_spec.POINT_SPACING_BITS)
        mass = np.diff(tables.points)

        def length(stretch: float) -> float:
            return -float(mass @ np.log(np.diff(cumulative(at / stretch)) + 1e-12))

        best = min(np.arange(0.5, 2, 0.01), key=length)
        return replace(tables, points=np.rint(range_spec.HALF * cumulative(at / best)).astype(np.int64))

    return tables_of


def normal(x: np.ndarray) -> np.ndarray:
    """The distribution of the distance of normal values from their mean, the mean distance being 1."""
    fine = np.linspace(0, max(x), 1 << 14)
    density = np.exp(-(fine**2) / np.pi)
    area = np.concatenate([[0], np.cumsum(density[1:] + density[:-1]) / 2 * (fine[1] - fine[0])])
    return np.interp(x, fine, area * 2 / np.pi)


def escape(size: int, bits: int = range_spec.PROBABILITY_BITS) -> tuple[tuple[Change, ...], Callable[[Tables], Tables]]:
    """Probabilities of `bits` bits, of which `size` units are the escape: changes, and points to go with them."""
    half = ((1 << bits) - size) // 2
    changes = (constant("range", "ESCAPE", str(size)), constant("range", "PROBABILITY_BITS", str(bits)))
    return changes, lambda tables: replace(tables, points=np.rint(tables.points * (half / range_spec.HALF)).astype(int))


def parts() -> list[Variant]:
    """The law, and the law without one of its parts."""
    k = np.arange(scale.STEPS)
    weight, fast, slow = lms.WEIGHT.width, scale.FAST.width, scale.slow_format(10).width
    none, difference = np.zeros_like(k), lms.difference_format(10).width
    return [
        Variant("the law"),
        Variant("even edges", tables=even),
        Variant("weights stay as they begin", STILL, unused=2 * weight),
        Variant("no weights: the last value is the prediction", STILL, weightless, 2 * (weight + difference)),
        Variant("one feature, shift 3", tables=features(3)),
        Variant("three features, shifts 1, 3, 5", tables=features(1, 3, 5)),
        Variant("two taps: the last two differences", tables=features(0, 0)),
        Variant("two features, weights begin at 0", tables=weightless),
        Variant("the slow part of the scale alone", tables=steps(none, None), unused=fast),
        Variant("the slow part alone, quicker", tables=steps(none, (k - 3) // 2), unused=fast),
        Variant("the fast part of the scale alone", tables=steps(None, none), unused=slow),
        Variant("F is Laplace", tables=shaped(lambda x: 1 - np.exp(-x))),
        Variant("F is normal", tables=shaped(normal)),
    ]


def formats() -> list[Variant]:
    """The law, and the law with one bit less in one of its formats."""
    edge, centre = calibrate.EDGE_FRACTION - 1, calibrate.CENTRE_FRACTION
    weight, logarithm, reciprocal = lms.WEIGHT.fraction - 1, scale.LOG_FRACTION - 1, scale.RECIPROCAL_BITS - 1
    octave, position = scale.OCTAVE >> 1, range_spec.POSITION_FRACTION - 1
    points, probability = range_spec.POINTS >> 1, range_spec.PROBABILITY_BITS - 1
    coarse_weight = (
        constant("lms", "WEIGHT", f"Format({lms.WEIGHT.width - 1}, {weight}, signed=True)"),
        constant("lms", "QUICK_STEP", str(lms.QUICK_STEP >> 1)),
    )
    coarse_logarithm = (
        constant("scale", "LOG_FRACTION", str(logarithm)),
        constant("scale", "FAST", f"Format({scale.FAST.width - 1}, LOG_FRACTION, signed=True)"),
    )
    coarse_octave = (
        constant("scale", "OCTAVE", str(octave)),
        constant("scale", "LOG_FRACTION", str(scale.LOG_FRACTION + 1)),
    )
    half_the_points = (
        constant("range", "POINTS", str(points)),
        constant("range", "POINT_SPACING_BITS", str(range_spec.POINT_SPACING_BITS - 1)),
        constant("range", "POSITION_FRACTION", str(range_spec.POSITION_FRACTION + 1)),
        Change("codec/scale.py", r"range_spec.POSITION_FRACTION \+ 1", "range_spec.POSITION_FRACTION"),
    )
    return [
        Variant("the law"),
        Variant(
            f"edges and prediction: {edge} fraction bits",
            (constant("calibrate", "EDGE_FRACTION", str(edge)),),
            coarser_edges,
        ),
        *(
            Variant(
                f"last value and differences: {centre + bit}",
                (
                    constant("calibrate", "CENTRE_FRACTION", str(centre + bit)),
                    Change("spec/lms.py", r"Format\(width, CENTRE", f"Format(width + {bit}, CENTRE"),
                ),
            )
            for bit in (-1, 1)
        ),
        Variant(f"weights: {weight}", coarse_weight, lambda tables: replace(tables, weights=coarser(tables.weights))),
        Variant(
            f"logarithms of the scale: {logarithm}, moving twice as fast",
            coarse_logarithm,
            lambda tables: replace(tables, start=tables.start >> 1),
        ),
        Variant(f"scale in 1/{octave} octaves", coarse_octave),
        Variant(f"reciprocals: {reciprocal} bits", (constant("scale", "RECIPROCAL_BITS", str(reciprocal)),)),
        Variant(f"positions: {position} bits between points", (constant("range", "POSITION_FRACTION", str(position)),)),
        Variant(f"F: {probability} bits", *escape(range_spec.ESCAPE >> 1, probability)),
        Variant(f"F: {points} points", half_the_points, lambda tables: replace(tables, points=tables.points[::2])),
        *(Variant(f"escape: {size} of 65536", *escape(size)) for size in (4, 16, 32)),
    ]


def every(seconds: float, rate: int) -> dict[str, int]:
    """Options for packets so long, each a key packet."""
    return {"packet_frames": max(1, round(seconds * rate)), "key_interval": 1}


def key_packets(rate: int) -> list[Variant]:
    """Key packets more often than files need them, and what makes them cheap left out."""
    quarter = every(0.25, rate)
    return [
        Variant("a key packet every 0.25 s", options=quarter),
        Variant("no gears", NO_GEARS, options=quarter),
        Variant("weights begin at 0", tables=weightless, options=quarter),
        Variant("no gears, weights begin at 0", NO_GEARS, weightless, options=quarter),
        Variant("the first sample predicted, from mid-scale", PREDICTED_FIRST, options=quarter),
        Variant("the default, each file alone"),
        Variant("every 1.05 s", options=every(1.05, rate)),
        Variant("every 0.1 s", options=every(0.1, rate)),
    ]


def together() -> list[Variant]:
    """Recordings in streams of several channels."""
    side_by_side = [Variant(f"all side by side, lanes: {n}", group="all", options={"lanes": n}) for n in (1, 2, 4)]
    live = [Variant(f"the same, live, lanes: {n}", group="all", live=True, options={"lanes": n}) for n in (1, 2, 4)]
    return [
        Variant("each file alone"),
        Variant("simultaneous ones together, with peers", group="auto"),
        *side_by_side,
        *live,
    ]


def chapters(rate: int) -> dict[str, list[Variant]]:
    """The variants of each table, the first one that which the others are compared with."""
    return {
        "parts": parts(),
        "formats": formats(),
        "key packets": key_packets(rate),
        "streams of several channels": together(),
    }


def floating_point(paths: Sequence[Path], train: Path, width: int) -> float:
    """Bits of the ideal code of recordings under the law's model in floating point, fitted to others."""
    model = fit(
        map(read, wav_files(train)[::TRAIN_EVERY]), width, progress=lambda line: print(line, file=sys.stderr)
    ).model
    recordings = [read(path) for path in paths]
    return float(evidence(model, recordings).bits.sum()) + width * len(recordings)


def read(path: Path) -> np.ndarray:
    """The codes of a recording of one channel, uint16, shape (frames,)."""
    samples = wav.read(path).samples
    return codes.recognise(samples).to_codes(samples)[:, 0]


def row(found: Measured, first: Measured, name: str) -> tuple[object, ...]:
    """A row of a table beside its first."""
    more = found.figures.bytes / first.figures.bytes - 1
    figures = found.figures
    return name, figures.bytes, f"{figures.ratio_wav:.4f}", f"{100 * more:+.3f} %", found.state_bits


def ledger_rows(found: Measured) -> list[tuple[object, ...]]:
    """What the bytes are spent on, with shares in percent."""
    spent = {
        field.name: getattr(found.ledger, field.name)
        for field in dataclasses.fields(found.ledger)
        if not field.metadata
    }
    return [
        (name.replace("_", " "), count, f"{100 * count / found.ledger.total:.4f} %")
        for name, count in spent.items()
        if count
    ]


def main() -> None:
    """Parse the command line and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="default: the recordings for tests, else synthetic ones")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth recording")
    parser.add_argument("--train", type=Path, metavar="DIR", help="compare with floating point, fitted there")
    parser.add_argument("--parameters", type=Path, metavar="FILE", help="a parameter set; default: the shipped one")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the tables into this page as well")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    chosen = parser.parse_args()
    if chosen.every < 1:
        parser.error("--every: give 1 or more")
    with tempfile.TemporaryDirectory() as folder:
        paths = wav_files(chosen.folder) if chosen.folder else default_recordings(Path(folder, "synthetic"), "test")
        paths = paths[:: chosen.every]
        if not paths:
            sys.exit(f"{chosen.folder}: has no WAV file; give a folder with *.wav in it or below it")
        found: dict[str, Any] = {"recordings": len(paths), "tables": {}}
        tables, width = tables_for(paths, load(chosen.parameters) if chosen.parameters else None)
        try:
            for title, variants in chapters(wav.read(paths[0]).rate).items():
                with console.progress(title, len(variants)) as advance:
                    measured = []
                    for variant in variants:
                        measured.append((variant.name, measure(variant, paths, tables, width)))
                        if advance:
                            advance(1)
                rows = [row(one, measured[0][1], name) for name, one in measured]
                show(f"{title}: {len(paths)} recordings", COLUMNS, rows, chosen.page)
                found["tables"][title] = {name: dataclasses.asdict(one) for name, one in measured}
                if title == "parts":
                    law = measured[0][1]
            show("what the bytes are spent on: each file alone", ("", "bytes", "share"), ledger_rows(law), chosen.page)
            if chosen.train:
                found["floating_point_bytes"] = ideal = floating_point(paths, chosen.train, width) / 8
                more = f"{100 * (law.payload / ideal - 1):+.3f} %"
                rows = [("floating point, ideal", f"{ideal:.0f}", ""), ("integers, payload", law.payload, more)]
                show("floating point: fitted on other recordings", ("", "bytes", "more"), rows, chosen.page)
        except ValueError as error:
            sys.exit(f"worth: error: {error}")
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
