"""Stage `range`: the distribution of codes and the range coder; formats in `model.spec.range`.

A coder is `low`, the interval's lower end, and `interval`, its size; `count`, bits until the next word is complete;
`held`, the word that waits for a carry (`NONE` at first); and `at`, where in `out` that word will go. A reader is
`value`, what is read minus the interval's lower end, with `ahead` bits of look-ahead below it; `interval`; `last`, the
word read last; and `at`, where in the data the next one stands.
"""

import numpy as np

from model.codec.arithmetic import bit_length
from model.codec.compiled import compiled
from model.spec import range as spec
from model.spec.calibrate import EDGE_FRACTION
from model.spec.scale import LEAST_OCTAVE, RECIPROCAL_BITS

NONE = -1
WORST_BITS = spec.INTERVAL_BITS  # that a sample takes at most, before the code itself
SPARE_BYTES = 8  # in which a coder ends its string
POINTS = spec.POINTS
POSITION_FRACTION = spec.POSITION_FRACTION
POSITION_SHIFT = EDGE_FRACTION + RECIPROCAL_BITS + LEAST_OCTAVE - spec.POINT_SPACING_BITS - POSITION_FRACTION
END = POINTS << POSITION_FRACTION
HALF = spec.HALF
WHOLE = 2 * HALF
INTERVAL_BITS = spec.INTERVAL_BITS
TOP = 1 << (INTERVAL_BITS - 1)
WORD_BITS = spec.WORD_BITS
FINE_OCTAVES = spec.FINE_OCTAVES
ONES = (1 << WORD_BITS) - 1
PROBABILITY_BITS = spec.PROBABILITY_BITS

NEAR = 3  # steps from the guess
QUANTILE_SHIFT = 6
INVERSE_SHIFT = 6
INVERSE_FRACTION = 10


@compiled
def position(distance, reciprocal, octave):
    """`distance` from the prediction in scales, with `POINT_SPACING_BITS + POSITION_FRACTION` bits, towards zero."""
    magnitude = abs(distance) * reciprocal >> (octave + POSITION_SHIFT)
    return magnitude if distance >= 0 else -magnitude


@compiled
def cumulative(position, points):
    """`F` at a position, 0 ... `WHOLE`; symmetric, and it never falls."""
    magnitude = min(abs(position), END)
    index = magnitude >> POSITION_FRACTION
    part = magnitude & ((1 << POSITION_FRACTION) - 1)
    above = points[index] + ((points[index + 1] - points[index]) * part >> POSITION_FRACTION)
    return HALF + above if position >= 0 else HALF - above


@compiled
def bound(cumulative, interval):
    """Where in the interval a cumulative probability lies; what is above that of `WHOLE` is the escape."""
    return interval * cumulative >> PROBABILITY_BITS


@compiled
def even_bits(octave):
    """How many lower bits of a code are coded evenly, at a scale of this octave."""
    return max(octave - FINE_OCTAVES, 0)


@compiled
def edge_bound(code, top, edges, mu, reciprocal, octave, points, interval):
    """Where in the interval a code begins; codes 0 ... top share it, whatever lies beyond their outer edges."""
    if code == 0:
        return 0
    if code > top:
        return bound(WHOLE, interval)
    return bound(cumulative(position(edges[code] - mu, reciprocal, octave), points), interval)


@compiled
def start():
    """A coder at the begin of a packet: `(low, interval, count, held)`."""
    return 0, ONES, WORD_BITS, NONE


@compiled
def _put(out, at, word):
    out[at] = word >> 8
    out[at + 1] = word & 0xFF
    return at + 2


@compiled
def _complete(low, held, out, at):
    """A word of new bits is complete: settle the one held, hold this one; `(low, count, held, at)`."""
    if held == NONE:
        held = low >> INTERVAL_BITS
    else:
        carry = low >> (INTERVAL_BITS + WORD_BITS)  # 0 if `held` is all ones
        if carry != 0 and held + 1 == ONES:  # the carry makes it all ones: of the new bits one stays behind
            low &= (1 << (INTERVAL_BITS + WORD_BITS)) - 1
            at = _put(out, at, ONES)
            return low & ((1 << (INTERVAL_BITS + 1)) - 1), WORD_BITS - 1, low >> (INTERVAL_BITS + 1), at
        at = _put(out, at, held + carry)
        held = (low >> INTERVAL_BITS) & ONES
    return low & ((1 << INTERVAL_BITS) - 1), WORD_BITS - 1 if held == ONES else WORD_BITS, held, at


@compiled
def shift(low, count, held, out, at, bits):
    """Move the interval's lower end up by 15 bits at most, so at most one word; `(low, count, held, at)`."""
    if bits >= count:
        bits -= count
        low, count, held, at = _complete(low << count, held, out, at)
    return low << bits, count - bits, held, at


@compiled
def encode(low, count, held, out, at, below, above):
    """Narrow the interval to `below ... above - 1`; `(low, interval, count, held, at)`."""
    size = above - below
    bits = INTERVAL_BITS - bit_length(size)
    low, count, held, at = shift(low + below, count, held, out, at, bits)
    return low, size << bits, count, held, at


@compiled
def encode_plain(low, count, held, out, at, code, width):
    """`code` as it is, its bits down to the eighth, then eight, in half an interval; as `encode`."""
    low += (code >> 8) << (INTERVAL_BITS - 1 - (width - 8))
    low, count, held, at = shift(low, count, held, out, at, width - 8)
    low += (code & 0xFF) << (INTERVAL_BITS - 1 - 8)
    low, count, held, at = shift(low, count, held, out, at, 8)
    return low, TOP, count, held, at


@compiled
def encode_even(low, interval, count, held, out, at, part, bits):
    """The `bits` lower bits of a code, `part`, all equally probable; as `encode`."""
    share = interval >> bits
    return encode(low, count, held, out, at, part * share, (part + 1) * share)


@compiled
def finish(low, count, held, out, at):
    """End the string in the fewest bits: the least multiple of half an interval, and zeros up to a byte; its end."""
    low = (low + TOP - 1) & ~(TOP - 1)
    carry = held != NONE and (low << count) >> (INTERVAL_BITS + WORD_BITS) != 0
    used = WORD_BITS - count + 1  # of the word that is not complete, a stuffed bit included
    if carry and held + 1 == ONES:
        used += 1
    low, count, held, at = _complete(low << count, held, out, at)
    _put(out, _put(out, at, held), (low << count) >> INTERVAL_BITS)
    return at + ((used + 7) >> 3)


@compiled
def _word(data, at, end):
    """The word at byte `at`; zeros stand beyond the end."""
    upper = np.int64(data[at]) if at < end else 0
    lower = np.int64(data[at + 1]) if at + 1 < end else 0
    return upper << 8 | lower


@compiled
def open_reader(data, at, end):
    """A reader of the string from byte `at` to `end`: `(value, ahead, last, at)`."""
    value, ahead, last = 0, -INTERVAL_BITS, 0
    while ahead < WORD_BITS:
        value, ahead, last, at = refill(value, ahead, last, data, at, end)
    return value, ahead, last, at


@compiled
def refill(value, ahead, last, data, at, end):
    """Look at least a word ahead, so that a carry arrives before its word is used; `(value, ahead, last, at)`."""
    if ahead < WORD_BITS:
        bits = WORD_BITS - 1 if last == ONES else WORD_BITS
        last = _word(data, at, end)
        return (value << bits) + last, ahead + bits, last, at + 2
    return value, ahead, last, at


@compiled
def take(value, ahead, below, above):
    """Narrow the interval as `encode` did; `(value, interval, ahead)`, which `refill` must follow."""
    size = above - below
    bits = INTERVAL_BITS - bit_length(size)
    return value - (below << ahead), size << bits, ahead - bits


@compiled
def take_even(value, interval, ahead, last, data, at, end, bits):
    """The `bits` lower bits of a code; `(value, interval, ahead, last, at, part)`. As `take_plain`."""
    share = interval >> bits
    part = (value >> ahead) // share
    value, interval, ahead = take(value, ahead, part * share, (part + 1) * share)
    value, ahead, last, at = refill(value, ahead, last, data, at, end)
    return value, interval, ahead, last, at, part


@compiled
def take_plain(value, ahead, last, data, at, end, width):
    """A code as it is; `(value, ahead, last, at, code)`. It is out of range where no encoder wrote the string."""
    code = 0
    for bits in (width - 8, 8):
        part = value >> (ahead + INTERVAL_BITS - 1 - bits)
        code = (code << bits) + part  # a carry that comes too late makes `part` too great: no encoder wrote it
        value, ahead, last, at = refill(
            value - (part << (ahead + INTERVAL_BITS - 1 - bits)), ahead - bits, last, data, at, end
        )
    return value, ahead, last, at, code


@compiled
def finished(value, ahead, at, data, begin, end):
    """Whether the string from `begin` to `end` ends, for a reader that has taken all codes, as `finish` ends one."""
    if value >> (ahead + INTERVAL_BITS - 1) != 0:
        return False
    at_word, last, stuffed, loaded = begin, 0, 0, 0
    while at_word < at:  # bits that the reader has taken, those of stuffing not counted
        loaded += WORD_BITS - (1 if last == ONES else 0)
        last = _word(data, at_word, end)
        at_word += 2
    left = loaded - INTERVAL_BITS - ahead + 1
    at_word, last = begin, 0
    while True:
        stuffed = 1 if last == ONES else 0
        if left <= WORD_BITS - stuffed:
            break
        left -= WORD_BITS - stuffed
        last = _word(data, at_word, end)
        at_word += 2
    used = 8 * (at_word - begin) + stuffed + left
    return (used + 7) >> 3 == end - begin and np.int64(data[end - 1]) & ((1 << (-used & 7)) - 1) == 0


@compiled
def find(place, bits, top, edges, guides, mu, reciprocal, octave, points, interval):
    """`(code, below, above)` of the code whose bounds are around `place`, which lies below the escape.

    Its `bits` lower bits are 0, and the bounds those of all codes with its upper bits. A guess from the inverse of `F`,
    then at most `NEAR` steps to a neighbour, then a bisection: at most `NEAR + width + 2` bounds are computed.
    """
    nearest, quantiles, inverses = guides
    share = (place * inverses[interval >> INVERSE_SHIFT] >> INVERSE_FRACTION) - HALF
    quantile = quantiles[min(abs(share), HALF - 1) >> QUANTILE_SHIFT]
    distance = (quantile << (octave + POSITION_SHIFT)) // reciprocal
    guess = mu + distance if share >= 0 else mu - distance
    code = nearest[min(max((guess >> EDGE_FRACTION) + ((top + 1) >> 1), 0), top)]
    low, high, step = 0, top + 1, 1 << bits  # code `low` does not begin above `place`, code `high` does
    code = code >> bits << bits
    below = edge_bound(code, top, edges, mu, reciprocal, octave, points, interval)
    if below <= place:
        low = code
        for _ in range(NEAR):
            above = edge_bound(low + step, top, edges, mu, reciprocal, octave, points, interval)
            if above > place:
                return low, below, above
            low, below = low + step, above
        above = bound(WHOLE, interval)
    else:
        high, above = code, below
        for _ in range(NEAR):
            below = edge_bound(high - step, top, edges, mu, reciprocal, octave, points, interval)
            if below <= place:
                return high - step, below, above
            high, above = high - step, below
        below = 0
    while high - low > step:
        middle = (low + high) >> (bits + 1) << bits
        here = edge_bound(middle, top, edges, mu, reciprocal, octave, points, interval)
        if here <= place:
            low, below = middle, here
        else:
            high, above = middle, here
    return low, below, above


def quantiles(points: np.ndarray) -> np.ndarray:
    """Positions, of `POSITION_FRACTION` bits, at which `F - 1/2` is in the middle of each of its steps; for `find`."""
    middles = np.arange((HALF >> QUANTILE_SHIFT) + 1, dtype=np.int64) * (1 << QUANTILE_SHIFT) + (
        1 << (QUANTILE_SHIFT - 1)
    )
    index = np.minimum(np.searchsorted(points, middles, "right") - 1, POINTS - 1)
    rise = np.maximum(points[index + 1] - points[index], 1)
    part = np.minimum(((middles - points[index]) << POSITION_FRACTION) // rise, 1 << POSITION_FRACTION)
    return (index << POSITION_FRACTION) + part


def inverses() -> np.ndarray:
    """What one unit is of every interval, by its upper bits, in 65536ths with `INVERSE_FRACTION` bits; for `find`."""
    intervals = np.arange(1, (1 << (INTERVAL_BITS - INVERSE_SHIFT)) + 1, dtype=np.int64) << INVERSE_SHIFT
    return (WHOLE << INVERSE_FRACTION) // intervals
