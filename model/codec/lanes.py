"""Lanes: the range coders of a packet, which take turns channel by channel, and the strings that they write.

A lane's coder is a row of `coders`, its reader a row of `readers`; their columns are those of a coder and a reader in
`model.codec.range`.
"""

import numpy as np

from model.codec import range as coding
from model.codec import raw
from model.codec.compiled import compiled
from model.spec import packet as packet_spec

LOOK_AHEAD = 16  # bytes, at least three words


@compiled
def put_plain(coders, lane, out, code, width):
    """Code a code as it is with a lane's coder, a row of `coders`."""
    low, count, held, at = coders[lane, 0], coders[lane, 2], coders[lane, 3], coders[lane, 4]
    low, interval, count, held, at = coding.encode_plain(low, count, held, out, at, code, width)
    coders[lane, 0], coders[lane, 1], coders[lane, 2] = low, interval, count
    coders[lane, 3], coders[lane, 4] = held, at


@compiled
def positions(code, mu, octave, reciprocal, edges):
    """Where a code, or all with the same upper bits, begins and ends, in scales from the prediction."""
    even = coding.even_bits(octave)
    begin = code >> even << even
    lower = coding.position(edges[begin] - mu, reciprocal, octave)
    return lower, coding.position(edges[begin + (1 << even)] - mu, reciprocal, octave)


@compiled
def put(coders, lane, out, code, mu, octave, reciprocal, edges, points, width):
    """Code a code with a lane's coder; the positions `(lower, upper)` between which it was found."""
    low, interval, count = coders[lane, 0], coders[lane, 1], coders[lane, 2]
    held, at = coders[lane, 3], coders[lane, 4]
    even = coding.even_bits(octave)
    begin = code >> even << even
    end = begin + (1 << even)
    lower, upper = positions(code, mu, octave, reciprocal, edges)
    below = coding.bound(coding.cumulative(lower, points) if begin > 0 else 0, interval)
    above = coding.bound(coding.cumulative(upper, points) if end >> width == 0 else coding.WHOLE, interval)
    if above > below:
        low, interval, count, held, at = coding.encode(low, count, held, out, at, below, above)
        if even > 0:
            low, interval, count, held, at = coding.encode_even(low, interval, count, held, out, at, code - begin, even)
    else:
        below = coding.bound(coding.WHOLE, interval)
        low, interval, count, held, at = coding.encode(low, count, held, out, at, below, interval)
        low, interval, count, held, at = coding.encode_plain(low, count, held, out, at, code, width)
    coders[lane, 0], coders[lane, 1], coders[lane, 2] = low, interval, count
    coders[lane, 3], coders[lane, 4] = held, at
    return lower, upper


@compiled
def get_plain(readers, lane, payload, end, width):
    """A code as it is from a lane's reader, a row of `readers`, whose string ends at `end`; -1 if there is none."""
    rest, interval, ahead = readers[lane, 0], readers[lane, 1], readers[lane, 2]
    word, at = readers[lane, 3], readers[lane, 4]
    if rest >> ahead >= interval:
        return -1
    rest, ahead, word, at, code = coding.take_plain(rest, ahead, word, payload, at, end, width)
    readers[lane, 0], readers[lane, 1], readers[lane, 2] = rest, coding.TOP, ahead
    readers[lane, 3], readers[lane, 4] = word, at
    return code if code >> width == 0 else -1


@compiled
def get(readers, lane, payload, end, mu, octave, reciprocal, edges, guides, points, width):
    """The inverse of `put`: a code, or -1 if no encoder wrote this."""
    rest, interval, ahead = readers[lane, 0], readers[lane, 1], readers[lane, 2]
    word, at = readers[lane, 3], readers[lane, 4]
    place = rest >> ahead
    if place >= interval:
        return -1
    below, above = coding.bound(coding.WHOLE, interval), interval
    even, code, part = coding.even_bits(octave), 0, 0
    escaped = place >= below
    if not escaped:
        code, below, above = coding.find(
            place, even, (1 << width) - 1, edges, guides, mu, reciprocal, octave, points, interval
        )
    rest, interval, ahead = coding.take(rest, ahead, below, above)
    rest, ahead, word, at = coding.refill(rest, ahead, word, payload, at, end)
    if escaped:
        rest, ahead, word, at, code = coding.take_plain(rest, ahead, word, payload, at, end, width)
        interval = coding.TOP
    elif even > 0:
        rest, interval, ahead, word, at, part = coding.take_even(rest, interval, ahead, word, payload, at, end, even)
        code += part
    readers[lane, 0], readers[lane, 1], readers[lane, 2] = rest, interval, ahead
    readers[lane, 3], readers[lane, 4] = word, at
    return code if code >> width == 0 and part >> even == 0 else -1


@compiled
def begin(coders, size):
    """Coders at the begin of a packet, each with an equal part of `size` bytes."""
    for lane in range(len(coders)):
        coders[lane, 0], coders[lane, 1], coders[lane, 2], coders[lane, 3] = coding.start()
        coders[lane, 4] = lane * (size // len(coders))


@compiled
def finish(coders, out):
    """End every lane's string; where it ends is then in the last column."""
    for lane in range(len(coders)):
        low, count, held, at = coders[lane, 0], coders[lane, 2], coders[lane, 3], coders[lane, 4]
        coders[lane, 4] = coding.finish(low, count, held, out, at)


@compiled
def open_readers(readers, payload, starts):
    """Readers at the begin of a packet; lane i's string stands from `starts[i]` to `starts[i + 1]`."""
    for lane in range(len(readers)):
        value, ahead, word, at = coding.open_reader(payload, starts[lane], starts[lane + 1])
        readers[lane, 0], readers[lane, 1], readers[lane, 2] = value, coding.ONES, ahead
        readers[lane, 3], readers[lane, 4] = word, at


@compiled
def exhausted(readers, starts):
    """Whether a reader is farther behind its string's end than looking ahead takes it: no encoder wrote the string."""
    for lane in range(len(readers)):  # noqa: SIM110  # numba knows no any() of a generator
        if readers[lane, 4] > starts[lane + 1] + LOOK_AHEAD:
            return True
    return False


@compiled
def ended(readers, payload, starts):
    """Whether every lane's string ends where its reader stands."""
    for lane in range(len(readers)):
        begin, end = starts[lane], starts[lane + 1]
        rest, ahead, at = readers[lane, 0], readers[lane, 2], readers[lane, 4]
        if end > begin and not coding.finished(rest, ahead, at, payload, begin, end):
            return False
    return True


class Lanes:
    """How the strings of a stream's lanes stand in a packet.

    Parameters
    ----------
    lanes : int
    ends : ndarray of int64, shape (channels,)
    width : int
    """

    def __init__(self, lanes: int, ends: np.ndarray, width: int) -> None:
        self._lanes, self._ends, self._width = lanes, ends, width
        self._out = np.zeros(0, np.uint8)
        self.rows = np.zeros((lanes, 5), np.int64)  # coders or readers

    def _used(self, frames: int, first: int) -> list[int]:
        """The lanes that have samples in a packet."""
        used = np.minimum(self._ends - first, frames) > 0
        return [lane for lane in range(self._lanes) if used[lane :: self._lanes].any()]

    def room(self, frames: int) -> np.ndarray:
        """Bytes for the longest strings that so many frames can give."""
        longest = frames * -(-len(self._ends) // self._lanes) * (coding.WORST_BITS + self._width)
        size = (longest // 8 + coding.SPARE_BYTES) * self._lanes
        if self._out.size < size:
            self._out = np.zeros(size, np.uint8)
        return self._out[:size]

    def join(self, out: np.ndarray, frames: int, first: int, limit: int) -> bytes | None:
        """The payload of the strings in equal parts of `out`; None if it has not less than `limit` bytes."""
        used, room = self._used(frames, first), out.size // self._lanes
        strings = [out[lane * room : self.rows[lane, 4]] for lane in used]
        shares = [raw.size(frames, first, self._ends[lane :: self._lanes], self._width) for lane in used]
        bytes_each = packet_spec.lane_length_bytes(limit)
        if sum(map(len, strings)) + bytes_each * (len(strings) - 1) >= limit:
            return None
        if any(len(string) > share for string, share in zip(strings, shares, strict=True)):
            return None  # the gates have no more room for it
        lengths = b"".join(len(string).to_bytes(bytes_each, "little") for string in strings[:-1])
        return lengths + b"".join(string.tobytes() for string in strings)

    def split(self, payload: np.ndarray, frames: int, first: int, limit: int) -> np.ndarray | None:
        """Where each lane's string begins in a payload, and the last one's end; None if no encoder wrote it."""
        used = self._used(frames, first)
        bytes_each = packet_spec.lane_length_bytes(limit)
        begin = bytes_each * (len(used) - 1)
        if not used or begin > payload.size:
            return None
        lengths = (payload[at : at + bytes_each].tobytes() for at in range(0, begin, bytes_each))
        sizes = [int.from_bytes(length, "little") for length in lengths]
        sizes.append(payload.size - begin - sum(sizes))
        if min(sizes) <= 0:
            return None
        lane_sizes = np.zeros(self._lanes, np.int64)
        lane_sizes[used] = sizes
        return np.concatenate([[0], np.cumsum(lane_sizes)]) + begin
