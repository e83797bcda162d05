"""Stage `range`: the distribution of codes and the range coder; formats in `model.spec.range`.

A coder is a row of integers: `LOW`, `INTERVAL`, `COUNT` (bits until the next word is complete), `HELD` (the word
that waits for a carry; -1: none yet) and `AT` (bytes written). A reader is a row of `VALUE` (what is read minus the
interval's lower end, with `AHEAD` bits of look-ahead below it), `INTERVAL`, `AHEAD`, `LAST` (the word read last),
`READ` (bytes taken) and `LOADED` (bits taken, those of stuffing not counted).
"""

import numpy as np

from model.codec.arithmetic import bit_length
from model.codec.compiled import compiled
from model.spec import range as spec
from model.spec.calibrate import EDGE_FRACTION
from model.spec.scale import RECIPROCAL_BITS, SCALE_FRACTION

LOW, INTERVAL, COUNT, HELD, AT = range(5)
CODER_WORDS = 5
VALUE, AHEAD, LAST, READ, LOADED = 0, 2, 3, 4, 5  # INTERVAL is 1 for both
READER_WORDS = 6

POINTS = spec.POINTS
POSITION_FRACTION = spec.POSITION_FRACTION
# A distance has EDGE_FRACTION bits, the scale SCALE_FRACTION: its position in points is
# distance * reciprocal >> (exponent + POSITION_SHIFT), with POSITION_FRACTION bits.
POSITION_SHIFT = EDGE_FRACTION + RECIPROCAL_BITS - SCALE_FRACTION - spec.POINT_SPACING_BITS - POSITION_FRACTION
END = POINTS << POSITION_FRACTION
HALF = spec.HALF
WHOLE = 2 * HALF
ESCAPE = spec.ESCAPE
ESCAPE_BITS = spec.ESCAPE_BITS
INTERVAL_BITS = spec.INTERVAL_BITS
TOP = 1 << (INTERVAL_BITS - 1)
WORD_BITS = spec.WORD_BITS
ONES = (1 << WORD_BITS) - 1
PROBABILITY_BITS = spec.PROBABILITY_BITS

NEAR = 3  # steps from the guess
QUANTILE_SHIFT = 6
INVERSE_SHIFT = 6
INVERSE_FRACTION = 10


@compiled
def cumulative(distance, reciprocal, exponent, points):
    """`F` of `distance` from the prediction, 0 ... 65536; symmetric and monotonic."""
    magnitude = abs(distance) * reciprocal >> (exponent + POSITION_SHIFT)
    index = magnitude >> POSITION_FRACTION
    if index >= POINTS:
        above = points[POINTS]
    else:
        part = magnitude & ((1 << POSITION_FRACTION) - 1)
        rise = points[index + 1] - points[index]
        above = points[index] + (rise * part >> POSITION_FRACTION)
    return HALF + above if distance >= 0 else HALF - above


@compiled
def bound(cumulative, interval):
    """Where in the interval a cumulative probability lies: above the escape."""
    return ESCAPE + ((interval - ESCAPE) * cumulative >> PROBABILITY_BITS)


@compiled
def edge_bound(code, width, edges, mu, reciprocal, exponent, points, interval):
    """Where in the interval a code begins; the least code begins above the escape, whatever lies below its edge."""
    if code == 0:
        return ESCAPE
    if code >> width != 0:
        return interval
    return bound(cumulative(edges[code] - mu, reciprocal, exponent, points), interval)


@compiled
def start(coder):
    """A coder at the begin of a packet."""
    coder[LOW] = 0
    coder[INTERVAL] = ONES
    coder[COUNT] = WORD_BITS
    coder[HELD] = -1
    coder[AT] = 0


@compiled
def _put_word(coder, out, word):
    at = coder[AT]
    if at + 1 < out.size:
        out[at] = word >> 8
        out[at + 1] = word & 0xFF
    coder[AT] = at + 2


@compiled
def _complete(coder, out):
    """A word of new bits is complete: settle the one held, hold this one."""
    low, held = coder[LOW], coder[HELD]
    if held >= 0 and held != ONES and low >> (INTERVAL_BITS + WORD_BITS) != 0:
        low &= (1 << (INTERVAL_BITS + WORD_BITS)) - 1
        held += 1
        if held == ONES:  # the carry made it all ones: of the new bits one stays behind
            _put_word(coder, out, held)
            coder[HELD] = low >> (INTERVAL_BITS + 1)
            coder[LOW] = low & ((1 << (INTERVAL_BITS + 1)) - 1)
            coder[COUNT] = WORD_BITS - 1
            return
    if held >= 0:
        _put_word(coder, out, held)
    coder[HELD] = low >> INTERVAL_BITS
    coder[LOW] = low & ((1 << INTERVAL_BITS) - 1)
    coder[COUNT] = WORD_BITS - 1 if coder[HELD] == ONES else WORD_BITS


@compiled
def _shift(coder, out, bits):
    """Move the interval's lower end up by `bits` bits."""
    while bits >= coder[COUNT]:
        bits -= coder[COUNT]
        coder[LOW] <<= coder[COUNT]
        _complete(coder, out)
    coder[LOW] <<= bits
    coder[COUNT] -= bits


@compiled
def encode(coder, out, below, above):
    """Narrow the interval to `below ... above - 1`."""
    size = above - below
    bits = INTERVAL_BITS - bit_length(size)
    coder[LOW] += below
    coder[INTERVAL] = size << bits
    _shift(coder, out, bits)


@compiled
def encode_escape(coder, out, code, width):
    """The escape, then `code` as it is: its bits down to the eighth, then eight."""
    _shift(coder, out, INTERVAL_BITS - 1 - ESCAPE_BITS)
    coder[LOW] += (code >> 8) << (INTERVAL_BITS - 1 - (width - 8))
    _shift(coder, out, width - 8)
    coder[LOW] += (code & 0xFF) << (INTERVAL_BITS - 1 - 8)
    _shift(coder, out, 8)
    coder[INTERVAL] = TOP


@compiled
def finish(coder, out):
    """End the string in the fewest bits: the least multiple of half an interval, and zeros up to a byte; its bytes."""
    coder[LOW] = (coder[LOW] + TOP - 1) & ~(TOP - 1)
    held, count = coder[HELD], coder[COUNT]
    carry = held >= 0 and held != ONES and (coder[LOW] << count) >> (INTERVAL_BITS + WORD_BITS) != 0
    used = WORD_BITS - count + 1  # of the word that is not complete, a stuffed bit included
    if carry and held + 1 == ONES:
        used += 1
    _shift(coder, out, count)
    size = coder[AT] + ((used + 7) >> 3)
    _put_word(coder, out, coder[HELD])
    _put_word(coder, out, (coder[LOW] << coder[COUNT]) >> INTERVAL_BITS)
    coder[AT] = size
    return size


@compiled
def open_reader(reader, data):
    """A reader at the begin of a lane's string `data`."""
    reader[VALUE] = 0
    reader[INTERVAL] = ONES
    reader[AHEAD] = -INTERVAL_BITS
    reader[LAST] = 0
    reader[READ] = 0
    reader[LOADED] = 0
    _refill(reader, data)


@compiled
def _word(data, at):
    """The word at byte `at`; zeros stand beyond the end."""
    upper = np.int64(data[at]) if at < data.size else 0
    lower = np.int64(data[at + 1]) if at + 1 < data.size else 0
    return upper << 8 | lower


@compiled
def _refill(reader, data):
    """Look at least a word ahead, so that a carry arrives before its word is used."""
    while reader[AHEAD] < WORD_BITS:
        at = reader[READ]
        word = _word(data, at)
        bits = WORD_BITS - 1 if reader[LAST] == ONES else WORD_BITS
        reader[VALUE] = (reader[VALUE] << bits) + word
        reader[AHEAD] += bits
        reader[LOADED] += bits
        reader[LAST] = word
        reader[READ] = at + 2


@compiled
def target(reader):
    """Where in the interval the string points: a code was written whose bounds are around it."""
    return reader[VALUE] >> reader[AHEAD]


@compiled
def take(reader, data, below, above):
    """Narrow the interval as `encode` did."""
    size = above - below
    bits = INTERVAL_BITS - bit_length(size)
    reader[VALUE] -= below << reader[AHEAD]
    reader[INTERVAL] = size << bits
    reader[AHEAD] -= bits
    _refill(reader, data)


@compiled
def take_escape(reader, data, width):
    """The code after an escape; -1 if the string has none."""
    take(reader, data, 0, ESCAPE)
    code = 0
    for bits in (width - 8, 8):
        part = target(reader) >> (INTERVAL_BITS - 1 - bits)
        if part >> bits != 0:
            return -1
        code = code << bits | part
        reader[VALUE] -= part << (INTERVAL_BITS - 1 - bits) << reader[AHEAD]
        reader[AHEAD] -= bits
        _refill(reader, data)
    return code


@compiled
def finished(reader, data):
    """Whether the string ends here as `finish` ends one."""
    if reader[VALUE] >> (reader[AHEAD] + INTERVAL_BITS - 1) != 0:
        return False
    left = reader[LOADED] - INTERVAL_BITS - reader[AHEAD] + 1
    at, last = 0, 0
    while True:
        stuffed = 1 if last == ONES else 0
        if left <= WORD_BITS - stuffed:
            break
        left -= WORD_BITS - stuffed
        last = _word(data, at)
        at += 2
    used = 8 * at + stuffed + left
    if (used + 7) >> 3 != data.size:
        return False
    return np.int64(data[data.size - 1]) & ((1 << (-used & 7)) - 1) == 0


@compiled
def find(place, width, edges, nearest, quantiles, inverses, mu, reciprocal, exponent, points, interval):
    """`(code, below, above)` of the code whose bounds are around `place`, which lies above the escape.

    A guess from the inverse of `F`, then at most `NEAR` steps to a neighbour, then a bisection: at most
    `NEAR + width + 2` bounds are computed.
    """
    share = ((place - ESCAPE) * inverses[interval >> INVERSE_SHIFT] >> INVERSE_FRACTION) - HALF
    quantile = quantiles[min(abs(share), HALF - 1) >> QUANTILE_SHIFT]
    distance = (quantile << (exponent + POSITION_SHIFT)) // reciprocal
    guess = mu + distance if share >= 0 else mu - distance
    places = nearest.size
    index = (guess >> EDGE_FRACTION) + (places >> 1)
    code = nearest[min(max(index, 0), places - 1)]
    below = edge_bound(code, width, edges, mu, reciprocal, exponent, points, interval)
    low, high = 0, 1 << width  # below `low` is too low, `high` is too high
    if below <= place:
        low = code
        for _ in range(NEAR):
            above = edge_bound(low + 1, width, edges, mu, reciprocal, exponent, points, interval)
            if above > place:
                return low, below, above
            low, below = low + 1, above
    else:
        high, above = code, below
        for _ in range(NEAR):
            below = edge_bound(high - 1, width, edges, mu, reciprocal, exponent, points, interval)
            if below <= place:
                return high - 1, below, above
            high, above = high - 1, below
        low, below = 0, ESCAPE
    above = edge_bound(high, width, edges, mu, reciprocal, exponent, points, interval)
    while high - low > 1:
        middle = (low + high) >> 1
        here = edge_bound(middle, width, edges, mu, reciprocal, exponent, points, interval)
        if here <= place:
            low, below = middle, here
        else:
            high, above = middle, here
    return low, below, above


def quantiles(points: np.ndarray) -> np.ndarray:
    """Positions, of `POSITION_FRACTION` bits, at which `F - 1/2` is in the middle of each of its steps; for `find`."""
    middles = np.arange(HALF >> QUANTILE_SHIFT, dtype=np.int64) * (1 << QUANTILE_SHIFT) + (1 << (QUANTILE_SHIFT - 1))
    index = np.minimum(np.searchsorted(points, middles, "right") - 1, POINTS - 1)
    rise = np.maximum(points[index + 1] - points[index], 1)
    part = np.minimum(((middles - points[index]) << POSITION_FRACTION) // rise, 1 << POSITION_FRACTION)
    return (index << POSITION_FRACTION) + part


def inverses() -> np.ndarray:
    """What one unit is of every interval, by its upper bits, in 65536ths with `INVERSE_FRACTION` bits; for `find`."""
    intervals = np.arange(1, (1 << (INTERVAL_BITS - INVERSE_SHIFT)) + 1, dtype=np.int64) << INVERSE_SHIFT
    return (WHOLE << INVERSE_FRACTION) // intervals
