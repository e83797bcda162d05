"""Stage `scale`: the running scale of the residuals; formulas and formats in `model.spec.scale`.

State of a channel: `fast`, in `model.spec.scale.FAST`, and `slow`, in `slow_format(width)`.
"""

from model.codec.arithmetic import round_half_up, saturate
from model.codec.compiled import compiled
from model.spec import range as range_spec
from model.spec import scale as spec

LOG_FRACTION = spec.LOG_FRACTION
DECAY_SHIFT = spec.DECAY_SHIFT
FAST_LIMIT = spec.FAST.maximum
(FIRST_FRAMES, FIRST_GEAR), (SECOND_FRAMES, SECOND_GEAR) = spec.GEARS
STEPS = spec.STEPS
DISTANCE_FALL = range_spec.POSITION_FRACTION + 1


@compiled
def index(fast, slow, greatest):
    """The scale's index."""
    return saturate(round_half_up(fast + slow, LOG_FRACTION), 0, greatest)


@compiled
def distance(below, above):
    """How far a code was off, from the positions of its edges: the entry of the step table."""
    return min(abs(below + above) >> DISTANCE_FALL, STEPS - 1)


@compiled
def adapt_fast(fast, step):
    """`fast` after a sample."""
    return saturate(fast - round_half_up(fast, DECAY_SHIFT) + step, -FAST_LIMIT, FAST_LIMIT)


@compiled
def gear(age):
    """By what power of two `slow` moves further, `age` frames after a key packet's begin."""
    if age < FIRST_FRAMES:
        return FIRST_GEAR
    return SECOND_GEAR if age < SECOND_FRAMES else 0


@compiled
def adapt_slow(slow, step, gear, greatest):
    """`slow` after a sample."""
    return saturate(slow + (step << gear), 0, greatest << LOG_FRACTION)
