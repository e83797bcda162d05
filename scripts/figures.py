"""The pictures of docs/calibration.md.

    python -m scripts.figures [DIR] [--every N] [--out FOLDER] [--only NAME ...] [--page FILE]

All but one are drawn from the shipped parameter set or from synthetic recordings, so anybody gets the same.
`key-interval` is measured on the recordings in DIR (default: those for tests, else synthetic ones) and printed as well.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.codec import calibrate, lms
from model.codec import calibrated as law
from model.codec import range as coding
from model.formats import codes, wav
from model.recordings import default_recordings, synthesise, wav_files
from model.recordings.grouping import Mode
from model.spec import calibrate as calibrate_spec
from model.spec import calibrated, operating, packet, scale, shipped
from model.spec import lms as lms_spec
from model.spec import range as range_spec
from model.spec.calibrated import Tables
from scripts.document import show
from scripts.variant import Measured, Variant, measure, tables_for

FOLDER: Final = Path(__file__).resolve().parent.parent / "docs"
WIDTH: Final = 10
UNIT: Final = 1 << calibrate_spec.EDGE_FRACTION  # of an edge, in an even code
PER_SCALE: Final = 1 << range_spec.POINT_SPACING_BITS
SECONDS: Final = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.05, 1.5, 2.1, 3.5, 7)
MODES: Final[tuple[tuple[str, Mode], ...]] = (("each alone", "none"), ("all side by side", "all"))
BLUE, PALE, RED, GREY = "#1f5fa8", "#b9cde6", "#c8401f", "#8a8a8a"
STYLE: Final[Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "spikey",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


def shipped_tables() -> Tables:
    """The tables that calibrate the converter of the public recordings."""
    return calibrated.unpack(shipped.default(calibrated.PROFILE, lattice=True), WIDTH)


def read(path: Path) -> np.ndarray:
    """The codes of a recording's first channel, uint16, shape (frames,)."""
    samples = wav.read(path).samples
    return codes.recognise(samples).to_codes(samples)[:, 0]


def draw_codes() -> Figure:
    """How often each code occurs, in two channels of one synthetic converter."""
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.subplots(2, sharex=True)
    with tempfile.TemporaryDirectory() as folder:
        channels = [read(path) for path in synthesise(Path(folder), channels=3, seconds=10)[::2]]
    first, last = 490, 554
    for one, channel, name in zip(axes, channels, ("a channel", "another one"), strict=True):
        counts = np.bincount(channel, minlength=1 << WIDTH)[first:last]
        one.bar(np.arange(first, last), counts, 0.9, color=BLUE, label=name)
        one.set(ylabel="samples", xlim=(first - 1, last))
        one.legend(loc="upper right")
    axes[0].set_ylim(top=1.25 * axes[0].get_ylim()[1])
    axes[1].set_xlabel("code")
    return figure


def draw_widths() -> Figure:
    """Code widths in the shipped set."""
    widths = np.diff(shipped_tables().edges) / UNIT
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    near, every = figure.subplots(2)
    for axes, first, last in ((near, 480, 544), (every, 0, 1 << WIDTH)):
        axes.stairs(widths[first:last], np.arange(first, last + 1) - 0.5, fill=True, color=BLUE)
        axes.axhline(1, color=RED, linewidth=0.8)
        axes.set(xlim=(first - 0.5, last - 0.5), ylabel="width, even codes", ylim=(0, 2.5))
    every.set_xlabel("code")
    spread = widths[len(widths) // 4 : -len(widths) // 4].std()
    near.set_title(f"standard deviation over the middle half of the range: {spread:.2f}", fontsize=9)
    return figure


def density(tables: Tables, z: np.ndarray) -> np.ndarray:
    """The density of `F` at `z` scales from the prediction, smoothed for the eye from its straight pieces."""
    at = np.arange(len(tables.points)) / PER_SCALE
    mass = np.diff(tables.points) / (2 * range_spec.HALF) * PER_SCALE
    middles = np.concatenate([[-at[1] / 2], (at[1:] + at[:-1]) / 2])
    return np.exp(np.interp(np.abs(z), middles, np.log(np.concatenate([mass[:1], mass]) + 1e-9)))


def draw_bell() -> Figure:
    """The bell around a prediction, cut by even edges and by those of the shipped set; below, what a code gets."""
    tables, mu, spread = shipped_tables(), 10.3, 4.5
    figure = Figure(figsize=(7.2, 3.8), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True, sharey="row")
    x = np.linspace(mu - 13, mu + 13, 500)
    for column, (name, edges) in enumerate(
        (("even edges", calibrate_spec.even_edges(WIDTH)), ("the converter's edges", tables.edges))
    ):
        cuts = edges[(edges > x[0] * UNIT) & (edges < x[-1] * UNIT)] / UNIT
        bell, bars = axes[:, column]
        bell.plot(x, density(tables, (x - mu) / spread) / spread, color=RED)
        bell.vlines(cuts, 0, density(tables, (cuts - mu) / spread) / spread, color=BLUE, linewidth=0.8)
        bell.axvline(mu, color=GREY, linewidth=0.8, linestyle=":")
        bell.set_title(name, fontsize=9)
        bell.yaxis.set_visible(False)
        distance = (cuts - mu) / spread
        below = np.interp(np.abs(distance) * PER_SCALE, np.arange(len(tables.points)), tables.points)
        share = np.diff(np.sign(distance) * below) / (2 * range_spec.HALF)
        bars.stairs(share, cuts, fill=True, color=PALE)
        bars.stairs(share, cuts, color=BLUE, linewidth=0.8)
        bars.set_xlabel("input, in even codes from mid-scale")
    axes[0, 0].set_ylim(bottom=0)
    axes[1, 0].set_ylabel("P(code)")
    return figure


def draw_distribution() -> Figure:
    """The fitted distribution of residuals beside two that have names."""
    tables = shipped_tables()
    mass = np.diff(tables.points) / (2 * range_spec.HALF) * PER_SCALE
    at = np.arange(len(tables.points)) / PER_SCALE
    mean = float((mass / PER_SCALE * (at[1:] + at[:-1])).sum())
    fine = np.linspace(0, at[-1], 200)
    figure = Figure(figsize=(5.2, 3), layout="constrained")
    axes = figure.subplots()
    axes.stairs(mass, at, color=BLUE, linewidth=1.5, label="F of the shipped set", baseline=None)
    axes.plot(fine, np.exp(-((fine / mean) ** 2) / np.pi) / np.pi / mean, color=GREY, linestyle="--", label="normal")
    axes.plot(fine, np.exp(-fine / mean) / 2 / mean, color=GREY, linestyle=":", label="Laplace")
    axes.set(yscale="log", ylim=(2e-5, 1), xlim=(0, at[-1]))
    axes.set(xlabel="distance from the prediction, in scales", ylabel="density")
    axes.legend()
    return figure


def follow(tables: Tables, channel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Residual and scale of each sample of a channel but the first, in even codes, by the law itself."""
    state = np.zeros((1, 4 + 2 * len(tables.shifts)), np.int64)
    law.restart(state, tables.weights, tables.start)
    edge_limit = calibrate_spec.edge_format(WIDTH).maximum + 1
    centre_limit = calibrate_spec.centre_format(WIDTH).maximum + 1
    difference_limit, index_limit = lms_spec.difference_format(WIDTH).maximum, scale.greatest_index(WIDTH)
    own, limits = (tables.edges, tables.shifts, tables.steps), (edge_limit, centre_limit, difference_limit, index_limit)
    state[0, lms.LAST] = calibrate.centre(tables.edges, int(channel[0]), centre_limit)
    residuals, scales = np.zeros(len(channel) - 1), np.zeros(len(channel) - 1)
    for age, code in enumerate(channel[1:].tolist(), 1):
        mu, octave, reciprocal = law.predict(state, 0, 0, scale.reciprocals(), edge_limit, index_limit)
        scales[age - 1] = 2.0 ** (octave + scale.LEAST_OCTAVE) * (1 << scale.RECIPROCAL_BITS) / reciprocal
        lower, upper = (coding.position(tables.edges[code + n] - mu, reciprocal, octave) for n in (0, 1))
        value = calibrate.centre(tables.edges, code, centre_limit)
        residuals[age - 1] = (tables.edges[code] + tables.edges[code + 1]) / 2 / UNIT - mu / UNIT
        law.follow(state, 0, 0, value, mu, lower, upper, age, own, limits)
    return residuals, scales


def draw_scale() -> Figure:
    """A channel with a spike: its codes, and residual and scale around it."""
    tables = calibrated.unpack(shipped.default(calibrated.PROFILE), WIDTH)
    with tempfile.TemporaryDirectory() as folder:
        channel = read(synthesise(Path(folder), channels=1, seconds=0.5, seed=3, even=True)[0])
    residuals, scales = follow(tables, channel)
    spike = 1500 + int(np.abs(residuals[1500:-300]).argmax())
    shown = slice(spike - 200, spike + 200)
    at = np.arange(-200, 200)
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    above.plot(at, channel[1:][shown], color=GREY, linewidth=0.9)
    above.set_ylabel("code")
    below.plot(at, residuals[shown], color=GREY, linewidth=0.8, label="residual")
    below.plot(at, scales[shown], color=BLUE, label="scale, either way")
    below.plot(at, -scales[shown], color=BLUE)
    below.set(xlabel="sample", ylabel="even codes")
    below.legend(loc="lower right")
    return figure


def interval_options(seconds: float, rate: int, channels: int) -> dict[str, int]:
    """Key packets so far apart, in as few packets as files have."""
    frames = max(1, round(seconds * rate))
    packets = -(-frames // min(packet.MAX_FRAMES, operating.ARCHIVE_PACKET_SAMPLES // channels))
    return {"packet_frames": -(-frames // packets), "key_interval": packets}


def measure_intervals(paths: Sequence[Path]) -> dict[str, list[Measured]]:
    """Bytes with key packets at the intervals SECONDS, for each of MODES."""
    rate = wav.read(paths[0]).rate
    tables, width = tables_for(paths)

    def measured(seconds: float, mode: Mode) -> Measured:
        options = interval_options(seconds, rate, 1 if mode == "none" else len(paths))
        return measure(Variant(f"{seconds} s", group=mode, options=options), paths, tables, width)

    return {name: [measured(seconds, mode) for seconds in SECONDS] for name, mode in MODES}


def interval_row(one: Measured, last: Measured) -> tuple[str, str]:
    """Cells for key packets at an interval beside those at the longest."""
    return f"{one.figures.ratio_wav:.4f}", f"{100 * (one.figures.bytes / last.figures.bytes - 1):+.3f} %"


def each_key_packet(one: Measured, last: Measured) -> str:
    """What a key packet costs, in bytes."""
    more, keys = one.figures.bytes - last.figures.bytes, one.ledger.key_packets - last.ledger.key_packets
    return f"{more / keys:.0f}" if keys else ""


def draw_key_interval(paths: Sequence[Path], page: Path | None = None) -> Figure:
    """What key packets cost, by how far apart they are; prints the table."""
    found = measure_intervals(paths)
    figure = Figure(figsize=(5.6, 3.2), layout="constrained")
    axes: Axes = figure.subplots()
    for (name, row), color in zip(found.items(), (BLUE, RED), strict=True):
        axes.plot(SECONDS, [one.figures.ratio_wav for one in row], marker="o", markersize=3, color=color, label=name)
    axes.set(xscale="log", xlabel="seconds from key packet to key packet", ylabel="ratio_wav")
    axes.set_xticks(SECONDS, [f"{seconds:g}" for seconds in SECONDS], fontsize=8)
    axes.minorticks_off()
    axes.axvline(operating.ARCHIVE_SECONDS[0] / operating.ARCHIVE_SECONDS[1], color=GREY, linewidth=0.8, linestyle=":")
    axes.set_title(f"{len(paths)} recordings", fontsize=9)
    axes.legend()
    columns = [f"{name}: {what}" for name in found for what in ("ratio_wav", "more bytes")]
    rows = [
        (
            f"{seconds:g}",
            *(cell for row in found.values() for cell in interval_row(row[n], row[-1])),
            each_key_packet(found[MODES[-1][0]][n], found[MODES[-1][0]][-1]),
        )
        for n, seconds in enumerate(SECONDS)
    ]
    show(f"key interval: {len(paths)} recordings", ("seconds", *columns, "bytes a key packet"), rows, page)
    return figure


DRAWN: Final[dict[str, Callable[[], Figure]]] = {
    "codes": draw_codes,
    "code-widths": draw_widths,
    "bell": draw_bell,
    "distribution": draw_distribution,
    "scale": draw_scale,
}
NAMES: Final = (*DRAWN, "key-interval")


def main() -> None:
    """Parse the command line and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="for key-interval; default: the recordings for tests")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every Nth recording")
    parser.add_argument("--out", type=Path, default=FOLDER, help="where NAME.svg go; default: docs")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the table into this page as well")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES))
    chosen = parser.parse_args()
    if chosen.every < 1:
        parser.error("--every: give 1 or more")
    chosen.out.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE), tempfile.TemporaryDirectory() as scratch:
        for name in chosen.only:
            if name in DRAWN:
                figure = DRAWN[name]()
            else:
                paths = wav_files(chosen.folder) if chosen.folder else default_recordings(Path(scratch), "test")
                if not paths:
                    sys.exit(f"{chosen.folder}: has no WAV file; give a folder with *.wav in it or below it")
                figure = draw_key_interval(paths[:: chosen.every], chosen.page)
            figure.savefig(chosen.out / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
