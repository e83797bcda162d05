"""Profile `full`: `calibrate -> lms -> scale -> wavelet -> network -> range`, lane by lane in turn, and back."""

from collections.abc import Sequence

import numpy as np

from model.codec import calibrate, calibrated, lanes, lms, network, scale, wavelet
from model.codec import range as coding
from model.codec.arithmetic import round_half_up, saturate
from model.codec.compiled import compiled
from model.codec.lanes import Lanes
from model.codec.spikey import links_array
from model.spec import calibrate as calibrate_spec
from model.spec import full as spec
from model.spec import lms as lms_spec
from model.spec import network as network_spec
from model.spec import scale as scale_spec
from model.spec import wavelet as wavelet_spec

OCTAVE_BITS = calibrated.OCTAVE_BITS
EXPONENT_OFFSET = wavelet_spec.FRACTION + scale_spec.LEAST_OCTAVE + 1  # from a scale's octave to bits of a node
NODE_RISE = wavelet_spec.FRACTION - calibrate_spec.CENTRE_FRACTION
NODE_FALL = calibrate_spec.EDGE_FRACTION - wavelet_spec.FRACTION
MEAN_FALL = network_spec.OUTPUT.fraction - NODE_FALL
SHAPE_FALL = network_spec.OUTPUT.fraction
CONTEXT_RISE = wavelet_spec.UNIT_BITS + 1 - OCTAVE_BITS


@compiled
def correct(state, channel, mu, outputs, reciprocals, shapes, limits):
    """What the network makes of prediction and scale: `(mu, octave, reciprocal, shape)`."""
    edge_limit, _, _, index_limit, _ = limits
    exponent = (scale.index(state, channel, index_limit) >> OCTAVE_BITS) + EXPONENT_OFFSET
    mu = saturate(mu + round_half_up(outputs[0] << exponent, MEAN_FALL), 1 - edge_limit, edge_limit - 1)
    logarithm = state[channel, scale.FAST] + state[channel, scale.SLOW] + outputs[1]
    index = saturate(round_half_up(logarithm, scale.LOG_FRACTION), 0, index_limit)
    shape = saturate(round_half_up(outputs[2], SHAPE_FALL), 0, shapes.shape[0] - 1)
    return mu, index >> OCTAVE_BITS, reciprocals[index & (scale_spec.OCTAVE - 1)], shape


@compiled
def observe(state, channel, value, residual, age, program, bank, limits, every):
    """Take a channel's value, and the residual of `lms` in the format of edges, into history, features and latent."""
    rings, filters, taps, features = bank
    origins, history, net_state, scratch, _ = every
    index_limit, limit = limits[3], limits[4]
    if age == 0:
        origins[channel] = value
    signal = (value - origins[channel]) << NODE_RISE
    residual = saturate(round_half_up(residual, NODE_FALL), -limit, limit)
    wavelet.store(history, rings, channel, wavelet.SIGNAL, age, saturate(signal, -limit, limit))
    wavelet.store(history, rings, channel, wavelet.RESIDUAL, age, residual)
    wavelet.store(history, rings, channel, wavelet.MAGNITUDE, age, abs(residual))
    wavelet.filter_all(history, rings, filters, taps, channel, age, limit)
    index = scale.index(state, channel, index_limit)
    exponent, input_limit = (index >> OCTAVE_BITS) + EXPONENT_OFFSET, program[8]
    wavelet.gather(history, rings, features, channel, age, exponent, input_limit, scratch[0])
    part = (index & (scale_spec.OCTAVE - 1)) - (scale_spec.OCTAVE >> 1)
    scratch[0, features.shape[0]] = part << CONTEXT_RISE
    scratch[0, features.shape[0] + 1] = state[channel, scale.FAST]
    network.project(program, channel, net_state, scratch)


@compiled
def encode(
    frames, first, age, ends, width, neighbours, tables, limits, program, bank, state, residuals, every, rows, out
):
    """Code one packet, the strings of its lanes in equal parts of `out`.

    Parameters
    ----------
    frames, first, age, ends, width, state, residuals, out
        As in `model.codec.calibrated.encode`.
    neighbours : (peers, links)
        Of `lms`, int64, shape (channels,), and of the network, int64, shape (channels, partners, 2).
    tables : (edges, shifts, steps, shapes, reciprocals)
        As there, but with several distributions, shape (distributions, POINTS + 2).
    limits : (edge, centre, difference, index, node)
    program : tuple
        As in `model.codec.network.Program`.
    bank : (rings, filters, taps, features)
    every : (origins, history, net_state, scratch, outputs)
        State of all channels, updated; room for a layer's values and for outputs.
    rows : ndarray of int64, shape (lanes, 5)
        Room for the lanes' coders; on return, the last column is the end of each lane's string in `out`.
    """
    edges, _, _, shapes, reciprocals = tables
    edge_limit, centre_limit, _, index_limit, _ = limits
    peers, links = neighbours
    net_state, scratch, outputs = every[2], every[3], every[4]
    lanes.begin(rows, out.size)
    for frame in range(frames.shape[0]):
        lane = -1
        for channel in range(frames.shape[1]):
            lane = lane + 1 if lane + 1 < len(rows) else 0
            residuals[channel] = 0
            if first + frame >= ends[channel]:
                continue
            code = np.int64(frames[frame, channel])
            value, error = calibrate.centre(edges, code, centre_limit), np.int64(0)
            if age + frame == 0:
                lanes.put_plain(rows, lane, out, code, width)
                state[channel, lms.LAST] = value
            else:
                peer = residuals[channel - peers[channel]]
                mu, octave, reciprocal = calibrated.predict(state, channel, peer, reciprocals, edge_limit, index_limit)
                network.predict(program, channel, links, net_state, scratch, outputs)
                mean, power, inverse, shape = correct(state, channel, mu, outputs, reciprocals, shapes, limits)
                lanes.put(rows, lane, out, code, mean, power, inverse, edges, shapes[shape], width)
                lower, upper = lanes.positions(code, mu, octave, reciprocal, edges)
                residuals[channel] = calibrated.follow(
                    state, channel, peer, value, mu, lower, upper, age + frame, tables, limits
                )
                error = (value << lms.VALUE_RISE) - mu
            observe(state, channel, value, error, age + frame, program, bank, limits, every)
    lanes.finish(rows, out)


@compiled
def decode(
    payload,
    starts,
    first,
    age,
    ends,
    width,
    neighbours,
    tables,
    guides,
    limits,
    program,
    bank,
    state,
    residuals,
    every,
    rows,
    frames,
):
    """The inverse of `encode`: fills `frames`; False if no encoder wrote this.

    Parameters
    ----------
    payload : ndarray of uint8
    starts : ndarray of int64, shape (lanes + 1,)
        Where in `payload` each lane's string begins; the last ends there.
    guides : (nearest, quantiles, inverses)
        Arrays of int64 that lead `model.codec.range.find` to its guess; `quantiles` has a row for each distribution.
    others
        As those of `encode`.
    """
    edges, _, _, shapes, reciprocals = tables
    edge_limit, centre_limit, _, index_limit, _ = limits
    peers, links = neighbours
    nearest, quantiles, inverses = guides
    net_state, scratch, outputs = every[2], every[3], every[4]
    lanes.open_readers(rows, payload, starts)
    for frame in range(frames.shape[0]):
        if lanes.exhausted(rows, starts):
            return False
        lane = -1
        for channel in range(frames.shape[1]):
            lane = lane + 1 if lane + 1 < len(rows) else 0
            residuals[channel] = 0
            if first + frame >= ends[channel]:
                continue
            end, error = starts[lane + 1], np.int64(0)
            if age + frame == 0:
                code = lanes.get_plain(rows, lane, payload, end, width)
                if code < 0:
                    return False
                value = calibrate.centre(edges, code, centre_limit)
                state[channel, lms.LAST] = value
            else:
                peer = residuals[channel - peers[channel]]
                mu, octave, reciprocal = calibrated.predict(state, channel, peer, reciprocals, edge_limit, index_limit)
                network.predict(program, channel, links, net_state, scratch, outputs)
                mean, power, inverse, shape = correct(state, channel, mu, outputs, reciprocals, shapes, limits)
                guide = nearest, quantiles[shape], inverses
                code = lanes.get(rows, lane, payload, end, mean, power, inverse, edges, guide, shapes[shape], width)
                if code < 0:
                    return False
                value = calibrate.centre(edges, code, centre_limit)
                lower, upper = lanes.positions(code, mu, octave, reciprocal, edges)
                residuals[channel] = calibrated.follow(
                    state, channel, peer, value, mu, lower, upper, age + frame, tables, limits
                )
                error = (value << lms.VALUE_RISE) - mu
            observe(state, channel, value, error, age + frame, program, bank, limits, every)
            frames[frame, channel] = code
    return lanes.ended(rows, payload, starts)


def earlier(links: Sequence[Sequence[tuple[int, int]]], channels: int) -> np.ndarray:
    """The peer that `lms` has: the first of a channel's partners that stands before it, as its distance, or 0."""
    found = np.zeros(channels, np.int64)
    for channel, own in enumerate(links):
        found[channel] = next((distance for distance, _ in own if distance > 0), 0)
    return found


class Full:
    """The chain of profile `full`.

    Parameters
    ----------
    width : int
    ends : ndarray of int64, shape (channels,)
    lane_count : int
    links : sequence of sequences of (distance, correlation)
        As in `model.spec.config.CodecConfig`.
    tables : model.spec.full.Tables

    Attributes
    ----------
    stream, tables, fixed : tuple
        The parameters `ends` to `neighbours`, `tables`, and `limits` to `bank` of `encode`.
    state, residuals, every : ndarray, ndarray, tuple
        As in `encode`.
    """

    def __init__(
        self,
        width: int,
        ends: np.ndarray,
        lane_count: int,
        links: Sequence[Sequence[tuple[int, int]]],
        tables: spec.Tables,
    ) -> None:
        channels, own, found = len(ends), tables.calibrated, tables.network
        program = network.Program(found)
        rings, length = wavelet.rings(found.bank, found.features)
        self._width, self._ends = width, ends
        self._start = own.weights, own.start
        shapes = np.concatenate([tables.shapes, tables.shapes[:, -1:]], axis=1)  # the last piece is flat
        quantiles = np.stack([coding.quantiles(points) for points in tables.shapes])
        self._guides = calibrate.nearest_codes(own.edges), quantiles, coding.inverses()
        limits = (
            calibrate_spec.edge_format(width).maximum + 1,
            calibrate_spec.centre_format(width).maximum + 1,
            lms_spec.difference_format(width).maximum,
            scale_spec.greatest_index(width),
            wavelet_spec.node_format(width).maximum,
        )
        self.stream = ends, width, (earlier(links, channels), links_array(links, channels))
        self.tables = own.edges, own.shifts, own.steps, shapes, scale_spec.reciprocals()
        self.fixed = limits, program.arrays, (rings, found.bank, found.taps, found.features)
        self.state = np.zeros((channels, 4 + 2 * len(own.shifts)), np.int64)
        self.residuals = np.zeros(channels, np.int64)
        self.every = (
            np.zeros(channels, np.int64),
            np.zeros((channels, length), np.int32),
            program.state(channels),
            program.scratch(),
            np.zeros(program.outputs, np.int64),
        )
        self._lanes = Lanes(lane_count, ends, width)
        self._age = 0  # frames since the last key packet began

    def restart(self) -> None:
        """Set every channel's state as at a key packet."""
        calibrated.restart(self.state, *self._start)
        _, history, net_state, _, _ = self.every
        for part in (history, *net_state):
            part[:] = 0
        self._age = 0

    def encode(self, frames: np.ndarray, first: int, limit: int) -> bytes | None:
        """The coded form of a packet if it has less than `limit` bytes, or None; see `model.codec.chain.Chain`."""
        out, age = self._lanes.room(len(frames)), self._age
        state = self.state, self.residuals, self.every, self._lanes.rows
        encode(frames, first, age, *self.stream, self.tables, *self.fixed, *state, out)
        self._age += len(frames)
        return self._lanes.join(out, len(frames), first, limit)

    def decode(self, payload: np.ndarray, frames: np.ndarray, first: int, limit: int) -> bool:
        """Fill `frames` from a coded form; False if no encoder wrote it."""
        starts = self._lanes.split(payload, len(frames), first, limit)
        if starts is None:
            return False
        age, self._age = self._age, self._age + len(frames)
        state = self.state, self.residuals, self.every, self._lanes.rows
        return decode(payload, starts, first, age, *self.stream, self.tables, self._guides, *self.fixed, *state, frames)
