"""Profile `calibrated`: `calibrate -> lms -> scale -> range`, lane by lane in turn, and back."""

import numpy as np

from model.codec import calibrate, lanes, lms, scale
from model.codec import range as coding
from model.codec.compiled import compiled
from model.codec.lanes import Lanes
from model.spec import calibrate as calibrate_spec
from model.spec import lms as lms_spec
from model.spec import scale as scale_spec
from model.spec.calibrated import Tables

OCTAVE_BITS = scale_spec.OCTAVE.bit_length() - 1


@compiled
def restart(state, start_weights, start_scale):
    """Every channel's state at a key packet; its last value comes with its first sample."""
    state[:, :] = 0
    state[:, scale.SLOW] = start_scale
    state[:, state.shape[1] - start_weights.size :] = start_weights


@compiled
def predict(state, channel, peer, reciprocals, edge_limit, index_limit):
    """What the next code of a channel is expected to be: `(mu, octave, reciprocal)`."""
    mu = lms.predict(state, channel, peer, edge_limit)
    index = scale.index(state, channel, index_limit)
    return mu, index >> OCTAVE_BITS, reciprocals[index & (scale_spec.OCTAVE - 1)]


@compiled
def follow(state, channel, peer, value, mu, lower, upper, age, tables, limits):
    """Let a channel's state follow the code that was found between the positions `lower` and `upper`; its residual.

    `tables` begins with (edges, shifts, steps), `limits` with those of `encode`.
    """
    lms.adapt(state, channel, peer, value, mu, age, tables[1], limits[2])
    scale.adapt(state, channel, lower, upper, age, tables[2], limits[3])
    return lms.residual(value, mu, limits[2])


@compiled
def encode(frames, first, age, ends, width, peers, tables, limits, state, residuals, coders, out):
    """Code one packet, the strings of its lanes in equal parts of `out`.

    Parameters
    ----------
    frames : ndarray of uint16, shape (frames, channels)
    first : int
        Frames of the stream before this packet; with `ends` it tells which channels have ended.
    age : int
        Frames since the last key packet's begin. The frame at 0 is coded as it is.
    ends, peers : ndarray of int64, shape (channels,)
    width : int
    tables : (edges, shifts, steps, points, reciprocals)
        As in `model.spec.calibrated.Tables`, and `model.spec.scale.reciprocals`.
    limits : (edge, centre, difference, index)
        The formats' limits at this width.
    state : ndarray of int64, shape (channels, 4 + 2 * features)
        Updated; its columns are those of `lms` and `scale`.
    residuals : ndarray of int64, shape (channels,)
        For residuals of the frame at hand.
    coders : ndarray of int64, shape (lanes, 5)
        Room for the lanes' coders; on return, the last column is the end of each lane's string in `out`.
    out : ndarray of uint8
        With room for the longest code word of each sample.
    """
    edges, _, _, points, reciprocals = tables
    edge_limit, centre_limit, _, index_limit = limits
    count = len(coders)
    lanes.begin(coders, out.size)
    for frame in range(frames.shape[0]):
        lane = -1
        for channel in range(frames.shape[1]):
            lane = lane + 1 if lane + 1 < count else 0
            residuals[channel] = 0
            if first + frame >= ends[channel]:
                continue
            code = np.int64(frames[frame, channel])
            value = calibrate.centre(edges, code, centre_limit)
            if age + frame == 0:
                lanes.put_plain(coders, lane, out, code, width)
                state[channel, lms.LAST] = value
                continue
            peer = residuals[channel - peers[channel]]  # its own, 0 as yet, if it has none
            mu, octave, reciprocal = predict(state, channel, peer, reciprocals, edge_limit, index_limit)
            lower, upper = lanes.put(coders, lane, out, code, mu, octave, reciprocal, edges, points, width)
            residuals[channel] = follow(state, channel, peer, value, mu, lower, upper, age + frame, tables, limits)
    lanes.finish(coders, out)


@compiled
def decode(payload, starts, first, age, ends, width, peers, tables, guides, limits, state, residuals, readers, frames):
    """The inverse of `encode`: fills `frames`; False if no encoder wrote this.

    Parameters
    ----------
    payload : ndarray of uint8
    starts : ndarray of int64, shape (lanes + 1,)
        Where in `payload` each lane's string begins; the last ends there.
    guides : (nearest, quantiles, inverses)
        Arrays of int64 that lead `model.codec.range.find` to its guess.
    readers : ndarray of int64, shape (lanes, 5)
        Room for the lanes' readers.
    others
        As those of `encode`.
    """
    edges, _, _, points, reciprocals = tables
    edge_limit, centre_limit, _, index_limit = limits
    count = len(readers)
    lanes.open_readers(readers, payload, starts)
    for frame in range(frames.shape[0]):
        lane = -1
        for channel in range(frames.shape[1]):
            lane = lane + 1 if lane + 1 < count else 0
            residuals[channel] = 0
            if first + frame >= ends[channel]:
                continue
            end = starts[lane + 1]
            if age + frame == 0:
                code = lanes.get_plain(readers, lane, payload, end, width)
                if code < 0:
                    return False
                state[channel, lms.LAST] = calibrate.centre(edges, code, centre_limit)
                frames[frame, channel] = code
                continue
            peer = residuals[channel - peers[channel]]
            mu, octave, reciprocal = predict(state, channel, peer, reciprocals, edge_limit, index_limit)
            code = lanes.get(readers, lane, payload, end, mu, octave, reciprocal, edges, guides, points, width)
            if code < 0:
                return False
            lower, upper = lanes.positions(code, mu, octave, reciprocal, edges)
            residuals[channel] = follow(
                state,
                channel,
                peer,
                calibrate.centre(edges, code, centre_limit),
                mu,
                lower,
                upper,
                age + frame,
                tables,
                limits,
            )
            frames[frame, channel] = code
    return lanes.ended(readers, payload, starts)


class Calibrated:
    """The chain of profile `calibrated`.

    Parameters
    ----------
    width : int
    ends : ndarray of int64, shape (channels,)
    lane_count : int
    peers : tuple of int
        As in `model.spec.config.CodecConfig`.
    tables : Tables
    """

    def __init__(self, width: int, ends: np.ndarray, lane_count: int, peers: tuple[int, ...], tables: Tables) -> None:
        channels, features = len(ends), len(tables.shifts)
        self._width, self._ends = width, ends
        self._peers = np.array(peers or (0,) * channels, np.int64)
        self._start = tables.weights, tables.start
        points = np.append(tables.points, tables.points[-1])  # the last piece is flat
        self._tables = tables.edges, tables.shifts, tables.steps, points, scale_spec.reciprocals()
        self._guides = calibrate.nearest_codes(tables.edges), coding.quantiles(tables.points), coding.inverses()
        self._limits = (
            calibrate_spec.edge_format(width).maximum + 1,
            calibrate_spec.centre_format(width).maximum + 1,
            lms_spec.difference_format(width).maximum,
            scale_spec.greatest_index(width),
        )
        self._state = np.zeros((channels, 4 + 2 * features), np.int64)
        self._residuals = np.zeros(channels, np.int64)
        self._lanes = Lanes(lane_count, ends, width)
        self._age = 0  # frames since the last key packet began

    def restart(self) -> None:
        """Set every channel's state as at a key packet."""
        restart(self._state, *self._start)
        self._age = 0

    def encode(self, frames: np.ndarray, first: int, limit: int) -> bytes | None:
        """The coded form of a packet if it has less than `limit` bytes, or None; see `model.codec.chain.Chain`."""
        out = self._lanes.room(len(frames))
        encode(
            frames,
            first,
            self._age,
            self._ends,
            self._width,
            self._peers,
            self._tables,
            self._limits,
            self._state,
            self._residuals,
            self._lanes.rows,
            out,
        )
        self._age += len(frames)
        return self._lanes.join(out, len(frames), first, limit)

    def decode(self, payload: np.ndarray, frames: np.ndarray, first: int, limit: int) -> bool:
        """Fill `frames` from a coded form; False if no encoder wrote it."""
        starts = self._lanes.split(payload, len(frames), first, limit)
        if starts is None:
            return False
        age, self._age = self._age, self._age + len(frames)
        return decode(
            payload,
            starts,
            first,
            age,
            self._ends,
            self._width,
            self._peers,
            self._tables,
            self._guides,
            self._limits,
            self._state,
            self._residuals,
            self._lanes.rows,
            frames,
        )
