"""A picture of a calibration: code widths, the distribution `F`, and how the scale follows a recording."""

import math
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.training.calibration import Calibration
from model.training.likelihood import PER_SCALE, track

SEEN: Final = 1000  # samples of a code; the width of one seen less often is drawn pale
NEAR: Final = 32  # codes to either side of the most frequent ones
SHOWN: Final = 6000  # samples of the recording
BLUE, PALE, RED, GREY = "#1f5fa8", "#b9cde6", "#c8401f", "#8a8a8a"


def _widths(axes: Axes, calibration: Calibration, first: int, last: int) -> None:
    """Bars around the most frequent codes."""
    code = np.arange(first, last)
    widths = np.diff(calibration.model.edges)[first:last]
    often = calibration.counts[first:last] >= SEEN
    axes.bar(code[often], widths[often], 1, color=BLUE, edgecolor="white", linewidth=0.4)
    axes.bar(code[~often], widths[~often], 1, color=PALE, edgecolor="white", linewidth=0.4)
    axes.axhline(1, color=RED, linewidth=0.8)
    axes.set(xlim=(first - 0.5, last - 0.5), xlabel="code", ylabel="width, in even codes")


def _all_widths(axes: Axes, calibration: Calibration) -> None:
    """Dots for all codes but the outermost, which have no width."""
    widths, counts = np.diff(calibration.model.edges)[1:-1], calibration.counts[1:-1]
    code, often = np.arange(1, len(widths) + 1), counts >= SEEN
    axes.semilogy(code[~often], widths[~often], ".", color=PALE, markersize=3, label="seen less often")
    axes.semilogy(code[often], widths[often], ".", color=BLUE, markersize=3, label=f"seen {SEEN} times and more")
    axes.axhline(1, color=RED, linewidth=0.8, label="even")
    axes.set(xlim=(0, len(counts) + 1), ylim=(0.03, 5), xlabel="code", ylabel="width, in even codes")
    axes.legend(frameon=False, ncols=3, loc="lower left")


def _distribution(axes: Axes, calibration: Calibration) -> None:
    density = np.diff(calibration.model.points) * PER_SCALE
    at = np.arange(len(density) + 1) / PER_SCALE
    axes.stairs(density, at, color=BLUE, linewidth=1.6, label="fitted")
    fine = np.linspace(0, at[-1], 400)
    axes.plot(fine, np.exp(-(fine**2) / math.pi) / math.pi, color=GREY, linestyle="--", label="normal")
    axes.plot(fine, np.exp(-fine) / 2, color=GREY, linestyle=":", label="Laplace")
    axes.set(yscale="log", ylim=(1e-6, 1), xlim=(0, at[-1]), xlabel="distance from the prediction, in scales")
    axes.set(ylabel="density", title="Distribution of residuals; each with mean distance 1")
    axes.legend(frameon=False)


def _scale(axes: Axes, calibration: Calibration, codes: np.ndarray) -> None:
    shown = codes[:SHOWN]
    mu, scale = track(calibration.model, shown)
    edges = calibration.model.edges
    residual = (edges[:-1] + edges[1:])[shown[1:]] / 2 - mu
    axes.plot(residual, color=PALE, linewidth=0.5, label="residual")
    axes.plot(scale, color=BLUE, linewidth=1, label="scale, either way")
    axes.plot(-scale, color=BLUE, linewidth=1)
    axes.set(xlabel="sample", ylabel="even codes", title="The scale follows the residuals", xlim=(0, len(residual)))
    axes.legend(frameon=False, loc="upper right")


def draw(calibration: Calibration, codes: np.ndarray, path: Path) -> None:
    """Draw `calibration` into a file.

    Parameters
    ----------
    calibration : Calibration
    codes : ndarray of integer, shape (frames,)
        A recording of the same converter, to show how the scale follows.
    path : Path
        Its suffix chooses the format: .png, .svg, .pdf.
    """
    figure = Figure(figsize=(12, 9), layout="constrained")
    axes = figure.subplot_mosaic([["near", "near"], ["all", "all"], ["distribution", "scale"]])
    counts = calibration.counts
    middle = int(np.average(np.arange(len(counts)), weights=counts))
    _widths(axes["near"], calibration, max(0, middle - NEAR), min(len(counts), middle + NEAR))
    axes["near"].set_title(f"{calibration.width}-bit converter: {calibration.verdict}", wrap=True)
    _all_widths(axes["all"], calibration)
    _distribution(axes["distribution"], calibration)
    _scale(axes["scale"], calibration, codes)
    figure.savefig(path, dpi=120)
