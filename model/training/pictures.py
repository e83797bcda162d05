"""Pictures of a trained network on what is held out: predictions, residuals, filters, partners, ratios."""

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from model.formats import disk
from model.recordings.topology import correlation_matrix
from model.spec import wavelet as wavelet_spec
from model.training.batches import CHUNK, batch_of, outputs
from model.training.layers import Dense
from model.training.network import OUTPUT_UNIT, Golden
from model.training.train import Trained
from model.training.wavelet import Streaming, Windowed

BLUE, PALE, RED, GREY = "#1f5fa8", "#b9cde6", "#c8401f", "#8a8a8a"
NAMES: Final = ("prediction", "residuals", "filters", "topology", "ratios")
REACH: Final = 10.0  # scales, of the histogram of residuals, either way
BINS: Final = 200
FILES: Final = 256  # in the picture of correlations
ROWS: Final = 8  # filters that are drawn: the strongest
WAV_BITS: Final = 16


class Seen(NamedTuple):
    """What a network made of all that is held out.

    Parameters
    ----------
    true, predicted, scale : ndarray of float64, shape (frames,)
        Of the first channel, in codes.
    histogram : ndarray of float64, shape (BINS,)
        How often residuals were found, in scales, -REACH to REACH.
    bits : ndarray of float64, shape (channels,)
        Ideal code length of each channel, bits a sample.
    """

    true: np.ndarray
    predicted: np.ndarray
    scale: np.ndarray
    histogram: np.ndarray
    bits: np.ndarray


def look(trained: Trained) -> Seen:
    """Run the network over all that is held out, in integers where it has them."""
    exact, length = not trained.golden.windowed, trained.code_length
    histogram, bits = np.zeros(BINS), []
    first: list[np.ndarray] = []
    for stream in trained.test.traces:
        y = outputs(trained.golden, stream, exact=exact)
        own = torch.zeros(stream.channels, dtype=torch.float64)
        for at in range(0, y.shape[1], CHUNK):
            part = y[:, at : at + CHUNK]
            _, targets = batch_of([stream], [1 + at], part.shape[1], 1, 0, dtype=torch.float64)
            with torch.no_grad():
                own += length(*targets, part, exact=exact).sum(dim=1)
                lower, upper = length.distance(*targets, part)
            error = ((lower + upper) / 2).numpy()
            histogram += np.histogram(error, BINS, (-REACH, REACH))[0]
            if not first:
                scale = torch.exp2((targets.logarithm[0] + part[0, :, 1]) / OUTPUT_UNIT).numpy()
                edges, codes = length.edges.numpy(), targets.codes[0].numpy()
                true = (edges[codes] + edges[codes + 1]) / 2
                first = [true, true - error[0] * scale, scale]
        bits.append((own.numpy() + trained.experiment.data.width) / stream.frames)
    true, predicted, scale = first
    return Seen(true, predicted, scale, histogram, np.concatenate(bits))


def responses(golden: Golden) -> dict[str, np.ndarray]:
    """What each row of the first layer makes of an impulse, by its source; shape (rows, samples since).

    Parameters
    ----------
    golden : Golden

    Returns
    -------
    dict of str to ndarray of float64
        Of the signal; in profile `full` also of the residual of `lms` and of its magnitude. Only those that count.
    """
    layer = (*golden.projector, *golden.predictor, golden.head)[0]
    every = layer.weight if isinstance(layer, Dense) else layer.cell.get_parameter("weight_ih_l0")
    weights = every.detach().double()[:, : -golden.contexts]
    impulse = torch.zeros(1, golden.context + 1, dtype=torch.float64)
    impulse[0, 0] = 1.0
    unit, none = torch.full_like(impulse, wavelet_spec.UNIT_BITS), torch.zeros_like(impulse)
    extractor = golden.extractor
    assert isinstance(extractor, Windowed | Streaming)
    with torch.no_grad():
        if isinstance(extractor, Windowed):
            return {"signal": extractor.project(impulse, unit, weights)[0].T.numpy()}
        signal, rise, fall = (
            (extractor(*driven, unit, exact=False)[0] @ weights.T).T.numpy()
            for driven in ((impulse, none), (none, impulse), (none, -impulse))
        )
    found = {"signal": signal, "residual": (rise - fall) / 2, "magnitude of the residual": (rise + fall) / 2}
    return {name: rows for name, rows in found.items() if rows.any()}


def _prediction(seen: Seen, trained: Trained) -> Figure:
    figure = Figure(figsize=(12, 5), layout="constrained")
    axes = figure.subplots()
    shown = slice(0, trained.experiment.output.num_points)
    true, predicted, scale = seen.true[shown], seen.predicted[shown], seen.scale[shown]
    at = np.arange(1, len(true) + 1)
    axes.fill_between(at, predicted - scale, predicted + scale, color=PALE, label="scale, either way")
    axes.plot(at, true, color=GREY, linewidth=1, label="true")
    axes.plot(at, predicted, color=BLUE, linewidth=0.8, label="predicted")
    axes.set(xlabel="sample", ylabel="code", title="Predicted and true samples of a recording that is held out")
    axes.legend(frameon=False, ncols=3)
    return figure


def _residuals(seen: Seen, trained: Trained) -> Figure:
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    edges = np.linspace(-REACH, REACH, BINS + 1)
    axes.stairs(seen.histogram / seen.histogram.sum() / np.diff(edges), edges, fill=True, color=PALE, label="found")
    places = torch.linspace(-REACH, REACH, 401, dtype=torch.float64)
    with torch.no_grad():
        spread = torch.exp2(trained.code_length.scales.double())
        normal = torch.exp(-((places[:, None] / spread) ** 2) / 2) / (spread * (2 * torch.pi) ** 0.5)
        density = (normal @ torch.softmax(trained.code_length.mixing.double(), dim=1).T).numpy()
    for number, line in enumerate(density.T):
        axes.plot(places.numpy(), line, color=BLUE, linewidth=1, label="" if number else "fitted")
    axes.set(yscale="log", ylim=(1e-6, 2), xlim=(-REACH, REACH), xlabel="residual, in scales", ylabel="density")
    axes.set_title("Residuals, and the distributions that were fitted")
    axes.legend(frameon=False)
    return figure


def _filters(trained: Trained) -> Figure:
    found = responses(trained.golden)
    figure = Figure(figsize=(12, 3.5 * len(found)), layout="constrained")
    for axes, (name, rows) in zip(figure.subplots(len(found), squeeze=False)[:, 0], found.items(), strict=True):
        energy = np.square(rows).sum(axis=1)
        strongest = rows[np.argsort(-energy, kind="stable")[:ROWS]]
        heard = np.flatnonzero(np.abs(strongest).max(axis=0) > 1e-3 * np.abs(strongest).max())
        for row in strongest:
            axes.plot(row[: heard[-1] + 2], linewidth=1, marker=".", markersize=3)
        axes.axhline(0, color=GREY, linewidth=0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="samples ago", ylabel="weight", title=f"First layer's rows as filters of the {name}")
    return figure


def _topology(trained: Trained) -> Figure:
    streams = trained.test.traces
    each = {stream.channels // len(stream.paths) for stream in streams}
    figure = Figure(figsize=(8, 7), layout="constrained")
    axes = figure.subplots()
    if len(each) > 1:
        axes.set_title("Recordings have different numbers of channels: no correlations are shown")
        return figure
    channels, paths, begin = each.pop(), [path for stream in streams for path in stream.paths][:FILES], 0
    size = channels * len(paths)
    picture = axes.imshow(correlation_matrix(paths) - np.eye(size), cmap="RdBu_r", vmin=-0.5, vmax=0.5)
    for stream in streams:
        for channel, links in enumerate(stream.links):
            for link in links[: trained.experiment.middleout.peers]:
                row, column = begin + channel, begin + channel - link.distance
                if max(row, column) < size:
                    axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="black"))
        begin += stream.channels
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    figure.colorbar(picture, label="correlation")
    axes.set(xlabel="channel", ylabel="channel", title="What channels' own pasts leave; framed: links of the network")
    return figure


def _ratios(seen: Seen) -> Figure:
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    axes = figure.subplots()
    ratios, mean = np.sort(WAV_BITS / seen.bits), WAV_BITS / seen.bits.mean()
    axes.bar(np.arange(len(ratios)), ratios, 1, color=PALE, edgecolor="white", linewidth=0.3)
    axes.axhline(mean, color=RED, linewidth=1, label=f"all together: {mean:.3f}")
    axes.set(xlabel="channels, sorted", ylabel=f"{WAV_BITS} bits over ideal code length", title="Ratio of each channel")
    axes.set_ylim(0.9 * ratios[0], None)
    axes.legend(frameon=False)
    return figure


def draw(trained: Trained, folder: Path) -> None:
    """Draw `NAMES`, as PNG files.

    Parameters
    ----------
    trained : Trained
    folder : Path
        Files of these names in it are replaced.
    """
    seen = look(trained)
    figures = (
        _prediction(seen, trained),
        _residuals(seen, trained),
        _filters(trained),
        _topology(trained),
        _ratios(seen),
    )
    for name, figure in zip(NAMES, figures, strict=True):
        with disk.replacing(folder / f"{name}.png", overwrite=True) as out:
            figure.savefig(out, dpi=110, format="png")
