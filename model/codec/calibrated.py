"""Profile `calibrated`: `calibrate -> lms -> scale -> range`, lane by lane in turn, and back."""

import numpy as np

from model.codec import calibrate, lms, raw, scale
from model.codec import range as coding
from model.codec.compiled import compiled
from model.spec import calibrate as calibrate_spec
from model.spec import lms as lms_spec
from model.spec import packet as packet_spec
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
def follow(state, channel, peer, value, mu, lower, upper, age, shifts, steps, difference_limit, index_limit):
    """Let a channel's state follow the code that was found between the positions `lower` and `upper`; its residual."""
    lms.adapt(state, channel, peer, value, mu, age, shifts, difference_limit)
    scale.adapt(state, channel, lower, upper, age, steps, index_limit)
    return lms.residual(value, mu, difference_limit)


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
    edges, shifts, steps, points, reciprocals = tables
    edge_limit, centre_limit, difference_limit, index_limit = limits
    lanes, top = len(coders), (1 << width) - 1
    for lane in range(lanes):
        coders[lane, 0], coders[lane, 1], coders[lane, 2], coders[lane, 3] = coding.start()
        coders[lane, 4] = lane * (out.size // lanes)
    for frame in range(frames.shape[0]):
        lane = -1
        for channel in range(frames.shape[1]):
            lane = lane + 1 if lane + 1 < lanes else 0
            residuals[channel] = 0
            if first + frame >= ends[channel]:
                continue
            code = np.int64(frames[frame, channel])
            value = calibrate.centre(edges, code, centre_limit)
            low, interval, count = coders[lane, 0], coders[lane, 1], coders[lane, 2]
            held, at = coders[lane, 3], coders[lane, 4]
            if age + frame == 0:
                low, interval, count, held, at = coding.encode_plain(low, count, held, out, at, code, width)
                state[channel, lms.LAST] = value
            else:
                peer = residuals[channel - peers[channel]]  # its own, 0 as yet, if it has none
                mu, octave, reciprocal = predict(state, channel, peer, reciprocals, edge_limit, index_limit)
                even = coding.even_bits(octave)
                begin = code >> even << even
                end = begin + (1 << even)
                lower = coding.position(edges[begin] - mu, reciprocal, octave)
                upper = coding.position(edges[end] - mu, reciprocal, octave)
                below = coding.bound(coding.cumulative(lower, points) if begin > 0 else 0, interval)
                above = coding.bound(coding.cumulative(upper, points) if end <= top else coding.WHOLE, interval)
                if above > below:
                    low, interval, count, held, at = coding.encode(low, count, held, out, at, below, above)
                    if even > 0:
                        part = code - begin
                        low, interval, count, held, at = coding.encode_even(
                            low, interval, count, held, out, at, part, even
                        )
                else:
                    below = coding.bound(coding.WHOLE, interval)
                    low, interval, count, held, at = coding.encode(low, count, held, out, at, below, interval)
                    low, interval, count, held, at = coding.encode_plain(low, count, held, out, at, code, width)
                residuals[channel] = follow(
                    state,
                    channel,
                    peer,
                    value,
                    mu,
                    lower,
                    upper,
                    age + frame,
                    shifts,
                    steps,
                    difference_limit,
                    index_limit,
                )
            coders[lane, 0], coders[lane, 1], coders[lane, 2] = low, interval, count
            coders[lane, 3], coders[lane, 4] = held, at
    for lane in range(lanes):
        low, count, held, at = coders[lane, 0], coders[lane, 2], coders[lane, 3], coders[lane, 4]
        coders[lane, 4] = coding.finish(low, count, held, out, at)


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
    edges, shifts, steps, points, reciprocals = tables
    edge_limit, centre_limit, difference_limit, index_limit = limits
    lanes, top = len(readers), (1 << width) - 1
    for lane in range(lanes):
        value, ahead, word, at = coding.open_reader(payload, starts[lane], starts[lane + 1])
        readers[lane, 0], readers[lane, 1], readers[lane, 2] = value, coding.ONES, ahead
        readers[lane, 3], readers[lane, 4] = word, at
    for frame in range(frames.shape[0]):
        lane = -1
        for channel in range(frames.shape[1]):
            lane = lane + 1 if lane + 1 < lanes else 0
            residuals[channel] = 0
            if first + frame >= ends[channel]:
                continue
            rest, interval, ahead = readers[lane, 0], readers[lane, 1], readers[lane, 2]
            word, at, end = readers[lane, 3], readers[lane, 4], starts[lane + 1]
            place = rest >> ahead
            if place >= interval:
                return False
            opening = escaped = age + frame == 0
            code = peer = mu = octave = reciprocal = even = part = 0
            if not opening:
                peer = residuals[channel - peers[channel]]
                mu, octave, reciprocal = predict(state, channel, peer, reciprocals, edge_limit, index_limit)
                below, above = coding.bound(coding.WHOLE, interval), interval
                even = coding.even_bits(octave)
                escaped = place >= below
                if not escaped:
                    code, below, above = coding.find(
                        place, even, top, edges, guides, mu, reciprocal, octave, points, interval
                    )
                rest, interval, ahead = coding.take(rest, ahead, below, above)
                rest, ahead, word, at = coding.refill(rest, ahead, word, payload, at, end)
                if even > 0 and not escaped:
                    rest, interval, ahead, word, at, part = coding.take_even(
                        rest, interval, ahead, word, payload, at, end, even
                    )
                    code += part
            if escaped:
                rest, ahead, word, at, code = coding.take_plain(rest, ahead, word, payload, at, end, width)
                interval = coding.TOP
            if code > top or part >> even > 0:
                return False
            value = calibrate.centre(edges, code, centre_limit)
            if opening:
                state[channel, lms.LAST] = value
            else:
                begin = code >> even << even
                lower = coding.position(edges[begin] - mu, reciprocal, octave)
                upper = coding.position(edges[begin + (1 << even)] - mu, reciprocal, octave)
                residuals[channel] = follow(
                    state,
                    channel,
                    peer,
                    value,
                    mu,
                    lower,
                    upper,
                    age + frame,
                    shifts,
                    steps,
                    difference_limit,
                    index_limit,
                )
            frames[frame, channel] = code
            readers[lane, 0], readers[lane, 1], readers[lane, 2] = rest, interval, ahead
            readers[lane, 3], readers[lane, 4] = word, at
    return _ended(readers, payload, starts)


@compiled
def _ended(readers, payload, starts):
    """Whether every lane's string ends where its reader stands."""
    for lane in range(len(readers)):
        begin, end = starts[lane], starts[lane + 1]
        rest, ahead, at = readers[lane, 0], readers[lane, 2], readers[lane, 4]
        if end > begin and not coding.finished(rest, ahead, at, payload, begin, end):
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
        self._lane_state = np.zeros((lanes, 5), np.int64)
        self._out = np.zeros(0, np.uint8)
        self._age = 0  # frames since the last key packet began

    def restart(self) -> None:
        """Set every channel's state as at a key packet."""
        restart(self._state, *self._start)
        self._age = 0

    def _used_lanes(self, frames: int, first: int) -> list[int]:
        """The lanes that have samples in a packet."""
        used = np.minimum(self._ends - first, frames) > 0
        return [lane for lane in range(self._lanes) if used[lane :: self._lanes].any()]

    def encode(self, frames: np.ndarray, first: int, limit: int) -> bytes | None:
        """The coded form of a packet if it has less than `limit` bytes, or None; see `model.codec.chain.Chain`."""
        longest = len(frames) * -(-len(self._ends) // self._lanes) * (coding.WORST_BITS + self._width)
        room = longest // 8 + coding.SPARE_BYTES
        if self._out.size < room * self._lanes:
            self._out = np.zeros(room * self._lanes, np.uint8)
        out, lanes = self._out[: room * self._lanes], self._lane_state
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
            lanes,
            out,
        )
        self._age += len(frames)
        used = self._used_lanes(len(frames), first)
        strings = [out[lane * room : lanes[lane, 4]] for lane in used]
        shares = [raw.size(len(frames), first, self._ends[lane :: self._lanes], self._width) for lane in used]
        bytes_each = packet_spec.lane_length_bytes(limit)
        if sum(map(len, strings)) + bytes_each * (len(strings) - 1) >= limit:
            return None
        if any(len(string) > share for string, share in zip(strings, shares, strict=True)):
            return None  # the gates have no more room for it
        lengths = b"".join(len(string).to_bytes(bytes_each, "little") for string in strings[:-1])
        return lengths + b"".join(string.tobytes() for string in strings)

    def decode(self, payload: np.ndarray, frames: np.ndarray, first: int, limit: int) -> bool:
        """Fill `frames` from a coded form; False if no encoder wrote it."""
        used = self._used_lanes(len(frames), first)
        bytes_each = packet_spec.lane_length_bytes(limit)
        begin = bytes_each * (len(used) - 1)
        if not used or begin > payload.size:
            return False
        lengths = (payload[at : at + bytes_each].tobytes() for at in range(0, begin, bytes_each))
        sizes = [int.from_bytes(length, "little") for length in lengths]
        sizes.append(payload.size - begin - sum(sizes))
        if min(sizes) <= 0:
            return False
        lane_sizes = np.zeros(self._lanes, np.int64)
        lane_sizes[used] = sizes
        age, self._age = self._age, self._age + len(frames)
        return decode(
            payload,
            np.concatenate([[0], np.cumsum(lane_sizes)]) + begin,
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
            self._lane_state,
            frames,
        )
