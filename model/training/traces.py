"""Recordings as the network sees them: per stream, what the law's stages before the network make of every sample.

Everything that feeds the network depends on the recording alone, never on the network: in `spikey` the scale is that of
the differences of samples, in `full` the stages `lms` and `scale` follow their own prediction. So it is computed once,
by the codec's own integer functions, and training needs no recurrence but that of an LSTM.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from model.codec import calibrate, calibrated, lanes, lms, scale, wavelet
from model.codec.arithmetic import round_half_up, saturate
from model.codec.compiled import compiled
from model.codec.full import CONTEXT_RISE, EXPONENT_OFFSET, NODE_FALL, NODE_RISE, OCTAVE_BITS, earlier
from model.codec.spikey import links_array
from model.formats import codes as mappings
from model.formats import wav
from model.recordings import grouping, locate, synthesise
from model.spec import calibrate as calibrate_spec
from model.spec import full as full_spec
from model.spec import lms as lms_spec
from model.spec import parameters as parameter_sets
from model.spec import scale as scale_spec
from model.spec import shipped
from model.spec import wavelet as wavelet_spec
from model.spec.calibrated import PROFILE, Tables, unpack
from model.spec.config import ConfigError
from model.spec.packet import Links
from model.spec.parameters import ParameterSet
from model.training.converter import common_mapping

SYNTHETIC = 16  # recordings that are made where there are none, one channel each
START_LEVEL: Final = 1 << 12  # of the mean difference: 8 codes of 10 bits
ONE_CODE: Final = 1 << (wavelet_spec.FRACTION + wavelet_spec.LEVEL_FRACTION)


@dataclass(frozen=True, eq=False)
class Trace:
    """A stream of recordings made together.

    Parameters
    ----------
    paths : tuple of Path
    links : tuple of tuple of Link
        Partners of each channel; empty if there are none.
    codes : ndarray of uint16, shape (channels, frames)
    signal : ndarray of int32, shape (channels, frames)
        Node 0 of the filter bank.
    residual : ndarray of int32, shape (channels, frames)
        Node 1; zeros in profile `spikey`.
    exponent : ndarray of int16, shape (channels, frames)
        Of the scale, once the sample is known.
    contexts : ndarray of int16, shape (contexts, channels, frames)
        Inputs that are no features, once the sample is known.
    mu : ndarray of int32, shape (channels, frames)
        What the network's mean is added to, before the sample is known: in `spikey` the last sample, in units of a node
        and counted from code 0; in `full` the prediction of `lms`, in the format of edges.
    logarithm : ndarray of int32, shape (channels, frames)
        The scale's logarithm before the sample is known, in 256ths of an octave, over one code; in `spikey`, which
        needs it for the loss only, that of the mean difference.
    """

    paths: tuple[Path, ...]
    links: Links
    codes: np.ndarray
    signal: np.ndarray
    residual: np.ndarray
    exponent: np.ndarray
    contexts: np.ndarray
    mu: np.ndarray
    logarithm: np.ndarray

    @property
    def channels(self) -> int:
        """Channels of the stream."""
        return self.codes.shape[0]

    @property
    def frames(self) -> int:
        """Frames of the stream."""
        return self.codes.shape[1]

    def partners(self, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Of each channel: (distance, correlation) of its partners, int64, shape (channels, most, 2), and their number.

        Parameters
        ----------
        most : int
            The strongest so many are kept.
        """
        found = np.zeros((self.channels, most, 2), np.int64)
        links = [own[:most] for own in self.links]
        kept = links_array(links, self.channels) if links else found[:, :0]
        found[:, : kept.shape[1]] = kept
        return found, (found[:, :, 0] != 0).sum(axis=1)


@compiled
def _follow_level(codes, start, exponent, mantissa, logarithm):
    """Exponent and mantissa of the mean difference after each sample of one channel; its logarithm before each."""
    level = start
    for t in range(codes.size):
        if t > 0:
            difference = (np.int64(codes[t]) - np.int64(codes[t - 1])) << wavelet_spec.FRACTION
            level = wavelet.follow_level(level, difference)
        exponent[t] = wavelet.exponent(level)
        mantissa[t] = wavelet.mantissa(level, exponent[t])
        if t + 1 < codes.size:
            codes_wide = max(level, 1) / ONE_CODE
            logarithm[t + 1] = np.int64(np.floor(256 * np.log2(codes_wide) + 0.5))


@compiled
def _follow_lms(codes, peers, tables, limits, state, residuals, signal, residual, exponent, contexts, mu, logarithm):
    """What the stages `lms` and `scale` make of a stream, codes of shape (channels, frames)."""
    edges, _, _, reciprocals = tables
    edge_limit, centre_limit, _, index_limit, limit = limits
    for frame in range(codes.shape[1]):
        for channel in range(codes.shape[0]):
            code = np.int64(codes[channel, frame])
            value, error = calibrate.centre(edges, code, centre_limit), np.int64(0)
            residuals[channel] = 0
            if frame == 0:
                state[channel, lms.LAST] = value
                mu[channel, frame] = value << lms.VALUE_RISE
            else:
                peer = residuals[channel - peers[channel]]
                mean, octave, reciprocal = calibrated.predict(
                    state, channel, peer, reciprocals, edge_limit, index_limit
                )
                mu[channel, frame] = mean
                total = saturate(
                    state[channel, scale.FAST] + state[channel, scale.SLOW], 0, index_limit << scale.LOG_FRACTION
                )
                logarithm[channel, frame] = total + (scale_spec.LEAST_OCTAVE << 8)
                lower, upper = lanes.positions(code, mean, octave, reciprocal, edges)
                residuals[channel] = calibrated.follow(
                    state, channel, peer, value, mean, lower, upper, frame, tables, limits
                )
                error = (value << lms.VALUE_RISE) - mean
            signal[channel, frame] = value << NODE_RISE
            residual[channel, frame] = saturate(round_half_up(error, NODE_FALL), -limit, limit)
            index = scale.index(state, channel, index_limit)
            exponent[channel, frame] = (index >> OCTAVE_BITS) + EXPONENT_OFFSET
            part = (index & (scale_spec.OCTAVE - 1)) - (scale_spec.OCTAVE >> 1)
            contexts[0, channel, frame] = part << CONTEXT_RISE
            contexts[1, channel, frame] = state[channel, scale.FAST]


def _spikey(paths: tuple[Path, ...], links: Links, codes: np.ndarray, width: int) -> Trace:
    shape = codes.shape
    exponent, mantissa = np.zeros(shape, np.int16), np.zeros((1, *shape), np.int16)
    logarithm = np.zeros(shape, np.int32)
    start = START_LEVEL << (width - 10) if width >= 10 else START_LEVEL >> (10 - width)
    for channel in range(shape[0]):
        _follow_level(codes[channel], start, exponent[channel], mantissa[0, channel], logarithm[channel])
    absolute = codes.astype(np.int32) << wavelet_spec.FRACTION
    mu = np.concatenate([absolute[:, :1], absolute[:, :-1]], axis=1)
    zeros = np.zeros(shape, np.int32)
    return Trace(paths, links, codes, absolute - absolute[:, :1], zeros, exponent, mantissa, mu, logarithm)


def _full(paths: tuple[Path, ...], links: Links, codes: np.ndarray, width: int, tables: Tables) -> Trace:
    shape = codes.shape
    signal, residual, mu, logarithm = (np.zeros(shape, np.int32) for _ in range(4))
    exponent, contexts = np.zeros(shape, np.int16), np.zeros((full_spec.CONTEXTS, *shape), np.int16)
    limits = (
        calibrate_spec.edge_format(width).maximum + 1,
        calibrate_spec.centre_format(width).maximum + 1,
        lms_spec.difference_format(width).maximum,
        scale_spec.greatest_index(width),
        wavelet_spec.node_format(width).maximum,
    )
    state = np.zeros((shape[0], 4 + 2 * len(tables.shifts)), np.int64)
    calibrated.restart(state, tables.weights, tables.start)
    _follow_lms(
        codes,
        earlier(links, shape[0]),
        (tables.edges, tables.shifts, tables.steps, scale_spec.reciprocals()),
        limits,
        state,
        np.zeros(shape[0], np.int64),
        signal,
        residual,
        exponent,
        contexts,
        mu,
        logarithm,
    )
    limit = limits[4]
    signal = np.clip(signal - signal[:, :1], -limit, limit)
    return Trace(paths, links, codes, signal, residual, exponent, contexts, mu, logarithm)


def trace(paths: tuple[Path, ...], links: Links, codes: np.ndarray, width: int, tables: Tables | None) -> Trace:
    """The trace of a stream.

    Parameters
    ----------
    paths : tuple of Path
    links : tuple of tuple of Link
    codes : ndarray of uint16, shape (channels, frames)
    width : int
    tables : Tables or None
        Of profile `calibrated`, for `full`; None for `spikey`.
    """
    return _spikey(paths, links, codes, width) if tables is None else _full(paths, links, codes, width, tables)


@dataclass(frozen=True, eq=False)
class Recordings:
    """Streams of one converter, and its calibration where the profile has one.

    Parameters
    ----------
    traces : list of Trace
    mapping : model.formats.codes.Mapping
    tables : Tables or None
    """

    traces: list[Trace]
    mapping: mappings.Mapping
    tables: Tables | None


def folder(directory: str | None, split: str | None, scratch: Path) -> list[Path]:
    """The recordings of a folder, or those found, or synthetic ones in `scratch`.

    Parameters
    ----------
    directory : str or None
    split : str or None
        The folder in it, "train" or "test".
    scratch : Path

    Raises
    ------
    ConfigError
        If there are none.
    """
    if directory is None:
        return locate.find(split) or _synthetic(split, scratch)
    root = Path(directory, split) if split else Path(directory)
    found = locate.wav_files(root)
    if not found:
        raise ConfigError(f"{root}: data.directory: no WAV files there; name a folder of recordings")
    return found


def _synthetic(split: str | None, scratch: Path) -> list[Path]:
    """Synthetic recordings of one converter, one half of them in either split."""
    made = synthesise(scratch, channels=SYNTHETIC, overwrite=True)
    half = SYNTHETIC // 2
    return {None: made, "train": made[:half], "test": made[half:]}[split]


def _calibration(parameters: str | None, *, lattice: bool) -> ParameterSet:
    if parameters is None:
        return shipped.default(PROFILE, lattice=lattice)
    own = [name for name in shipped.names() if shipped.named(name).profile == PROFILE]
    mend = f"give the file of a set of profile '{PROFILE}', or {', '.join(own)}"
    if Path(parameters).is_file():
        found = parameter_sets.load(Path(parameters))
    elif parameters in shipped.names():
        found = shipped.named(parameters)
    else:
        raise ConfigError(f"{parameters}: data.parameters: no such file; {mend}")
    if found.profile != PROFILE:
        raise ConfigError(f"{parameters}: data.parameters: is for profile '{found.profile}'; {mend}")
    return found


def load(
    paths: Sequence[Path],
    *,
    profile: str,
    most: int,
    files: int | None = None,
    parameters: str | None = None,
) -> Recordings:
    """The traces of recordings, those made together in one stream.

    Parameters
    ----------
    paths : sequence of Path
    profile : "spikey" or "full"
    most : int
        Links of a channel, at most.
    files : int, optional
        Of all of them, so many, evenly spaced.
    parameters : str, optional
        Of profile `full`: a set of profile `calibrated`, a file or the name of a shipped one.

    Raises
    ------
    CalibrationError, ConfigError, FormatError
        If the set is not there or does not fit, they are not of one converter, or one cannot be read.
    """
    chosen = list(paths)
    if files is not None and files < len(chosen):
        chosen = [chosen[n * len(chosen) // files] for n in range(files)]
    mapping = common_mapping(chosen, most=mappings.SAMPLE_BITS)
    tables = None
    if profile == full_spec.PROFILE:
        tables = unpack(_calibration(parameters, lattice=mapping.kind == "lattice"), mapping.width)
    streams = grouping.group(chosen, "auto", most=max(most, 1))
    traces = []
    for stream in streams:
        samples = np.concatenate([wav.read(path).samples for path in stream.paths], axis=1)
        codes = np.ascontiguousarray(mapping.to_codes(samples.ravel()).reshape(samples.shape).T)
        traces.append(trace(stream.paths, stream.links, codes, mapping.width, tables))
    return Recordings(traces, mapping, tables)


def cut(recordings: Recordings, ratio: float, *, head: bool) -> Recordings:
    """The begin of every recording, or the rest of it, as recordings of their own; links stay.

    Parameters
    ----------
    recordings : Recordings
    ratio : float
        The part of each that is its begin.
    head : bool
    """
    found = []
    for stream in recordings.traces:
        at = int(stream.frames * ratio)
        codes = np.ascontiguousarray(stream.codes[:, :at] if head else stream.codes[:, at:])
        if codes.shape[1] < 2:
            raise ConfigError(f"{stream.paths[0]}: {stream.frames} frames are too few for data.split_ratio {ratio}")
        found.append(trace(stream.paths, stream.links, codes, recordings.mapping.width, recordings.tables))
    return Recordings(found, recordings.mapping, recordings.tables)


def batches(traces: Sequence[Trace], size: int, order: Sequence[int]) -> Iterator[list[Trace]]:
    """Streams in batches of `size` channels or a few more, in an order.

    Parameters
    ----------
    traces : sequence of Trace
    size : int
    order : sequence of int
    """
    batch: list[Trace] = []
    for number in order:
        batch.append(traces[number])
        if sum(found.channels for found in batch) >= size:
            yield batch
            batch = []
    if batch:
        yield batch
