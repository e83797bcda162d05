"""Stage `scale`: the running scale of the residuals; formulas and formats in `model.spec.scale`.

State of a channel: `fast` and `slow`, averages of the residual's magnitude, in `model.spec.scale.average_format(width)`.
"""

from model.codec.arithmetic import bit_length, round_half_up, saturate
from model.codec.compiled import compiled
from model.spec import scale as spec
from model.spec.calibrate import EDGE_FRACTION

FAST_SHIFT = spec.FAST_SHIFT
SLOW_SHIFT = spec.SLOW_SHIFT
FAST_PART = spec.FAST_PART
SLOW_PART = 16 - spec.FAST_PART
LEAST = spec.LEAST_SCALE
STEP_BITS = spec.STEP_BITS
RISE = spec.SCALE_FRACTION - EDGE_FRACTION


@compiled
def current(fast, slow, greatest):
    """`(exponent, step)` of the scale: `2**exponent * (8 + step) / 8` in units of `2**-SCALE_FRACTION`."""
    s = saturate((FAST_PART * fast + SLOW_PART * slow) >> 4, LEAST, greatest)
    exponent = bit_length(s) - 1
    return exponent, (s >> (exponent - STEP_BITS)) & ((1 << STEP_BITS) - 1)


@compiled
def adapt(average, residual, shift, limit):
    """An average after `residual`: moves `2**-shift` of the way to its magnitude, saturated at `limit`."""
    magnitude = min(abs(residual) << RISE, limit)
    return average + round_half_up(magnitude - average, shift)
