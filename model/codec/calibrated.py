"""Profile `calibrated`: `calibrate -> lms -> scale -> range`, lane by lane in turn, and back."""

import numpy as np

from model.codec import calibrate, lms, scale
from model.codec import range as coding
from model.codec.compiled import compiled
from model.spec import packet as packet_spec
from model.spec.calibrate import EDGE_FRACTION
from model.spec.calibrated import Tables
from model.spec.scale import average_format, greatest_scale, reciprocals

RECIPROCALS = reciprocals()
FAST, SLOW = 0, 1


@compiled
def restart(history, weights, scales, start_weights, start_scales):
    """Every channel's state at a key packet."""
    for channel in range(len(history)):
        history[channel, :] = 0
        weights[channel, :] = start_weights
        scales[channel, :] = start_scales


@compiled
def _adapt(channel, value, residual, peer_residual, state, shifts, scale_limit):
    """Let a channel's state follow the value that it was."""
    history, weights, scales = state
    lms.adapt(history[channel], weights[channel], shifts, peer_residual, residual, value)
    scales[channel, FAST] = scale.adapt(scales[channel, FAST], residual, scale.FAST_SHIFT, scale_limit)
    scales[channel, SLOW] = scale.adapt(scales[channel, SLOW], residual, scale.SLOW_SHIFT, scale_limit)


@compiled
def encode(frames, first, ends, width, peers, tables, state, limits, residuals, coders, out):
    """Code one packet, each lane into a row of `out`, which is cut where the row ends.

    Parameters
    ----------
    frames : ndarray of uint16, shape (frames, channels)
    first : int
        Frames of the stream before this packet; with `ends` it tells which channels have ended.
    ends, peers : ndarray of int64, shape (channels,)
    width : int
    tables : (edges, shifts, points, reciprocals)
        Arrays of int64, as in `model.spec.calibrated.Tables` and `model.spec.scale.reciprocals`.
    state : (history, weights, scales)
        Arrays of int64, a row a channel; updated.
    limits : (value, scale, greatest)
        Of the prediction, of the averages, and of the scale.
    residuals : ndarray of int64, shape (channels,)
        For residuals of the frame at hand.
    coders : ndarray of int64, shape (lanes, CODER_WORDS)
        On return, their `AT` are the bytes of the lanes.
    out : ndarray of uint8, shape (lanes, bytes)
    """
    edges, shifts, points, steps = tables
    history, weights, scales = state
    value_limit, scale_limit, greatest = limits
    lanes = len(coders)
    for lane in range(lanes):
        coding.start(coders[lane])
    for frame in range(frames.shape[0]):
        lane = 0
        for channel in range(frames.shape[1]):
            if first + frame < ends[channel]:
                code = np.int64(frames[frame, channel])
                peer_residual = residuals[channel - peers[channel]] if peers[channel] else 0
                mu = lms.predict(history[channel], weights[channel], peer_residual, value_limit)
                exponent, step = scale.current(scales[channel, FAST], scales[channel, SLOW], greatest)
                coder = coders[lane]
                interval = coder[coding.INTERVAL]
                below = coding.edge_bound(code, width, edges, mu, steps[step], exponent, points, interval)
                above = coding.edge_bound(code + 1, width, edges, mu, steps[step], exponent, points, interval)
                if above > below:
                    coding.encode(coder, out[lane], below, above)
                else:
                    coding.encode_escape(coder, out[lane], code, width)
                value = calibrate.centre(edges, code)
                residuals[channel] = value - mu
                _adapt(channel, value, value - mu, peer_residual, state, shifts, scale_limit)
            else:
                residuals[channel] = 0
            lane = lane + 1 if lane + 1 < lanes else 0
    for lane in range(lanes):
        coding.finish(coders[lane], out[lane])


@compiled
def decode(payload, starts, first, ends, width, peers, tables, guides, state, limits, residuals, readers, frames):
    """The inverse of `encode`: fills `frames`; False if no encoder wrote this.

    Parameters
    ----------
    payload : ndarray of uint8
    starts : ndarray of int64, shape (lanes + 1,)
        Where in `payload` each lane's string begins; the last ends there.
    guides : (nearest, quantiles, inverses)
        Arrays of int64 that lead `model.codec.range.find` to its guess.
    readers : ndarray of int64, shape (lanes, READER_WORDS)
    others
        As those of `encode`.
    """
    edges, shifts, points, steps = tables
    nearest, quantiles, inverses = guides
    history, weights, scales = state
    value_limit, scale_limit, greatest = limits
    lanes = len(readers)
    for lane in range(lanes):
        coding.open_reader(readers[lane], payload[starts[lane] : starts[lane + 1]])
    for frame in range(frames.shape[0]):
        lane = 0
        for channel in range(frames.shape[1]):
            if first + frame < ends[channel]:
                peer_residual = residuals[channel - peers[channel]] if peers[channel] else 0
                mu = lms.predict(history[channel], weights[channel], peer_residual, value_limit)
                exponent, step = scale.current(scales[channel, FAST], scales[channel, SLOW], greatest)
                reader, data = readers[lane], payload[starts[lane] : starts[lane + 1]]
                place, interval = coding.target(reader), reader[coding.INTERVAL]
                if place >= interval:
                    return False
                if place < coding.ESCAPE:
                    code = coding.take_escape(reader, data, width)
                    if code < 0:
                        return False
                else:
                    code, below, above = coding.find(
                        place, width, edges, nearest, quantiles, inverses, mu, steps[step], exponent, points, interval
                    )
                    coding.take(reader, data, below, above)
                frames[frame, channel] = code
                value = calibrate.centre(edges, code)
                residuals[channel] = value - mu
                _adapt(channel, value, value - mu, peer_residual, state, shifts, scale_limit)
            else:
                residuals[channel] = 0
            lane = lane + 1 if lane + 1 < lanes else 0
    for lane in range(lanes):
        data = payload[starts[lane] : starts[lane + 1]]
        if data.size and not coding.finished(readers[lane], data):
            return False
    return True


class Calibrated:
    """The chain of profile `calibrated`.

    Parameters
    ----------
    width : int
    ends : ndarray of int64, shape (channels,)
    lanes : int
    peers : tuple of int
        As in `model.spec.config.CodecConfig`.
    tables : Tables
    """

    def __init__(self, width: int, ends: np.ndarray, lanes: int, peers: tuple[int, ...], tables: Tables) -> None:
        channels, features = len(ends), len(tables.shifts)
        self._width, self._ends, self._lanes = width, ends, lanes
        self._peers = np.array(peers or (0,) * channels, np.int64)
        self._start = tables.weights, tables.scales
        self._tables = tables.edges, tables.shifts, tables.points, RECIPROCALS
        self._guides = calibrate.nearest_codes(tables.edges), coding.quantiles(tables.points), coding.inverses()
        self._state = (
            np.zeros((channels, features + 1), np.int64),
            np.zeros((channels, features + 1), np.int64),
            np.zeros((channels, 2), np.int64),
        )
        self._limits = 1 << (width - 1 + EDGE_FRACTION), average_format(width).maximum, greatest_scale(width)
        self._residuals = np.zeros(channels, np.int64)
        self._coders = np.zeros((lanes, coding.CODER_WORDS), np.int64)
        self._readers = np.zeros((lanes, coding.READER_WORDS), np.int64)
        self._out = np.zeros((lanes, 0), np.uint8)

    def restart(self) -> None:
        """Set every channel's state as at a key packet."""
        restart(*self._state, *self._start)

    def _used_lanes(self, frames: int, first: int) -> list[int]:
        """The lanes that have samples in a packet."""
        used = np.minimum(self._ends - first, frames) > 0
        return [lane for lane in range(self._lanes) if used[lane :: self._lanes].any()]

    def encode(self, frames: np.ndarray, first: int, limit: int) -> bytes | None:
        """The coded form of a packet if it has less than `limit` bytes, or None; see `model.codec.chain.Chain`."""
        if self._out.shape[1] < limit:
            self._out = np.zeros((self._lanes, limit), np.uint8)
        encode(
            frames,
            first,
            self._ends,
            self._width,
            self._peers,
            self._tables,
            self._state,
            self._limits,
            self._residuals,
            self._coders,
            self._out,
        )
        used = self._used_lanes(len(frames), first)
        sizes = self._coders[:, coding.AT]
        bytes_each = packet_spec.lane_length_bytes(limit)
        if sum(int(sizes[lane]) for lane in used) + bytes_each * (len(used) - 1) >= limit:
            return None
        lengths = b"".join(int(sizes[lane]).to_bytes(bytes_each, "little") for lane in used[:-1])
        return lengths + b"".join(self._out[lane, : sizes[lane]].tobytes() for lane in used)

    def decode(self, payload: np.ndarray, frames: np.ndarray, first: int, limit: int) -> bool:
        """Fill `frames` from a coded form; False if no encoder wrote it."""
        used = self._used_lanes(len(frames), first)
        bytes_each = packet_spec.lane_length_bytes(limit)
        begin = bytes_each * (len(used) - 1)
        if begin > payload.size:
            return False
        sizes = [
            int.from_bytes(payload[at : at + bytes_each].tobytes(), "little") for at in range(0, begin, bytes_each)
        ]
        sizes.append(payload.size - begin - sum(sizes))
        if min(sizes) <= 0:
            return False
        lane_sizes = np.zeros(self._lanes, np.int64)
        lane_sizes[used] = sizes
        starts = np.concatenate([[0], np.cumsum(lane_sizes)]) + begin
        return decode(
            payload,
            starts,
            first,
            self._ends,
            self._width,
            self._peers,
            self._tables,
            self._guides,
            self._state,
            self._limits,
            self._residuals,
            self._readers,
            frames,
        )
