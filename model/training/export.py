"""From a trained network to a parameter set: the integers of its layers, and the tables of its coder.

The tables that a coder needs are counted on the training recordings, with the network's own integers: code words of the
Huffman coder from folded residuals, distributions of profile `full` from the positions at which codes are found.
"""

from typing import Final

import numpy as np
import torch

from model.codec import range as coding
from model.codec.arithmetic import round_half_up, saturate
from model.codec.compiled import compiled
from model.spec import calibrate, full, spikey
from model.spec import network as network_spec
from model.spec import range as range_spec
from model.spec import scale as scale_spec
from model.spec import wavelet as wavelet_spec
from model.spec.parameters import ParameterSet
from model.training import huffman
from model.training.batches import outputs
from model.training.quantise import PASSES, quantise_points, spread
from model.training.traces import START_LEVEL, Trace
from model.training.train import Trained

SAMPLES: Final = 12_000_000  # enough to count from
OUTPUT_FRACTION: Final = network_spec.OUTPUT.fraction
LEAST_LOGARITHM: Final = scale_spec.LEAST_OCTAVE << 8
LOG_FRACTION: Final = scale_spec.LOG_FRACTION


def _counted(trained: Trained) -> list[Trace]:
    """The streams that are counted: all, or some evenly spaced where there are many."""
    streams = trained.train.traces
    total = sum(stream.channels * stream.frames for stream in streams)
    return streams[:: max(1, -(-total // SAMPLES))]


def folded(trained: Trained, stream: Trace) -> list[np.ndarray]:
    """Each channel's folded residuals in profile `spikey`, the first sample's left out; int64.

    Parameters
    ----------
    trained : Trained
    stream : Trace
    """
    found = []
    width = trained.experiment.data.width
    real = outputs(trained.golden, stream, exact=not trained.golden.windowed)[:, :, 0]
    y = torch.floor(real + 0.5).long().numpy()  # whole already, but for the windowed form
    half = 1 << (width - 1)
    for channel in range(stream.channels):
        exponent = stream.exponent[channel, :-1].astype(np.int64)
        move = ((y[channel] << exponent) + 128) >> network_spec.OUTPUT.fraction
        mu = stream.mu[channel, 1:].astype(np.int64) + move
        expected = np.clip((mu + 8) >> wavelet_spec.FRACTION, 0, 2 * half - 1)
        difference = stream.codes[channel, 1:].astype(np.int64) - expected
        difference = np.where(mu >= expected << wavelet_spec.FRACTION, -difference, difference)
        residual = ((difference + half) & (2 * half - 1)) - half
        found.append(np.where(residual >= 0, 2 * residual, -2 * residual - 1))
    return found


def unfold(values: np.ndarray) -> np.ndarray:
    """Residuals of folded ones."""
    return np.where(values & 1, -(values + 1) >> 1, values >> 1)


def coder_tables(trained: Trained) -> tuple[int, np.ndarray, np.ndarray]:
    """The coder of a network in profile `spikey`, and its tables, as in `model.spec.spikey.Tables`.

    Adaptive Rice where the law has not the coder that the experiment asks for.
    """
    coder = trained.experiment.coder
    if coder.kind not in ("huffman", "binomial"):
        number = coder.k if coder.kind == "rice" and coder.k is not None else spikey.ADAPTIVE
        return number, *spikey.no_codes()
    residuals = [part for stream in _counted(trained) for part in folded(trained, stream)]
    if coder.kind == "huffman":
        return spikey.HUFFMAN, *huffman.adaptive_huffman(residuals)
    errors = unfold(np.concatenate(residuals))
    deviation = float(np.sqrt(np.mean(np.square(errors, dtype=np.float64))))
    return spikey.HUFFMAN, *huffman.binomial_huffman(deviation)


def _spikey(trained: Trained) -> ParameterSet:
    network = trained.golden.export()
    return spikey.pack(spikey.Tables(network, START_LEVEL, *coder_tables(trained)))


@compiled
def _count(codes, mu, logarithm, exponent, y, edges, points, reciprocals, limits, mass):
    """Where codes of one channel lie in their distributions, added to `mass`."""
    edge_limit, index_limit = limits
    top = edges.size - 2
    for t in range(codes.size):
        code = np.int64(codes[t])
        mean = mu[t] + round_half_up(y[t, 0] << exponent[t], OUTPUT_FRACTION - 2)
        mean = saturate(mean, 1 - edge_limit, edge_limit - 1)
        total = logarithm[t] - LEAST_LOGARITHM + y[t, 1]
        index = saturate(round_half_up(total, LOG_FRACTION), 0, index_limit)
        shape = saturate(round_half_up(y[t, 2], OUTPUT_FRACTION), 0, points.shape[0] - 1)
        octave, reciprocal = index >> 4, reciprocals[index & 15]
        lower = coding.position(edges[code] - mean, reciprocal, octave)
        upper = coding.position(edges[code + 1] - mean, reciprocal, octave)
        below = coding.cumulative(lower, points[shape]) if code > 0 else 0
        above = coding.cumulative(upper, points[shape]) if code < top else coding.WHOLE
        if above > below and 0 < code < top:
            spread(max(lower, 0), upper, points[shape], above - below, mass[shape])
            spread(max(-upper, 0), -lower, points[shape], above - below, mass[shape])


def _full(trained: Trained) -> ParameterSet:
    network, tables = trained.golden.export(), trained.train.tables
    assert tables is not None
    width = trained.experiment.data.width
    shapes = trained.code_length.points()
    streams = _counted(trained)
    found = [outputs(trained.golden, stream, exact=True).long().numpy() for stream in streams]
    limits = (calibrate.edge_format(width).maximum + 1, scale_spec.greatest_index(width))
    reciprocals = scale_spec.reciprocals()
    for _ in range(PASSES):
        points = np.concatenate([shapes, shapes[:, -1:]], axis=1)
        mass = np.zeros((len(shapes), range_spec.POINTS))
        for stream, y in zip(streams, found, strict=True):
            for channel in range(stream.channels):
                _count(
                    stream.codes[channel, 1:],
                    stream.mu[channel, 1:].astype(np.int64),
                    stream.logarithm[channel, 1:].astype(np.int64),
                    stream.exponent[channel, :-1].astype(np.int64),
                    y[channel],
                    tables.edges,
                    points,
                    reciprocals,
                    limits,
                    mass,
                )
        shapes = np.stack([_points(row) for row in mass])
    even = np.array_equal(tables.edges, calibrate.even_edges(width))
    return full.pack(full.Tables(tables, shapes, network), width, even=even)


def _points(mass: np.ndarray) -> np.ndarray:
    total = np.concatenate([[0.0], np.cumsum(mass + 1)])
    return quantise_points(total / (2 * total[-1]))


def parameter_set(trained: Trained) -> ParameterSet:
    """The parameter set of a trained network.

    Parameters
    ----------
    trained : Trained

    Raises
    ------
    ConfigError
        If the law has no such network.
    """
    return _full(trained) if trained.experiment.profile == full.PROFILE else _spikey(trained)
