"""Stage `scale`: the running scale of the residuals; formulas and formats in `model.spec.scale`.

State of a channel, in columns `FAST` and `SLOW` of a row of `state`, in `model.spec.scale.FAST` and
`model.spec.scale.slow_format(width)`.
"""

from model.codec.arithmetic import round_half_up, saturate
from model.codec.compiled import compiled
from model.spec import range as range_spec
from model.spec import scale as spec

FAST, SLOW = 1, 2  # the other columns are those of `lms`
LOG_FRACTION = spec.LOG_FRACTION
DECAY_SHIFT = spec.DECAY_SHIFT
FAST_LIMIT = spec.FAST.maximum
(FIRST_FRAMES, FIRST_GEAR), (SECOND_FRAMES, SECOND_GEAR) = spec.GEARS
STEPS = spec.STEPS
DISTANCE_FALL = range_spec.POSITION_FRACTION + 1


@compiled
def index(state, channel, greatest):
    """The scale's index, `Rounding.HALF_UP` and `Overflow.SATURATE` to 0 ... greatest."""
    return saturate(round_half_up(state[channel, FAST] + state[channel, SLOW], LOG_FRACTION), 0, greatest)


@compiled
def adapt(state, channel, lower, upper, age, steps, greatest):
    """Both parts after a code that was found between the positions `lower` and `upper`.

    `age` is the number of frames since the last key packet began; `greatest` is the greatest index.
    """
    gear = FIRST_GEAR if age < FIRST_FRAMES else (SECOND_GEAR if age < SECOND_FRAMES else 0)
    entry = min(abs(lower + upper) >> DISTANCE_FALL, STEPS - 1)
    fast, slow = state[channel, FAST], state[channel, SLOW]
    fast = fast - round_half_up(fast, DECAY_SHIFT) + steps[0, entry]
    state[channel, FAST] = saturate(fast, -FAST_LIMIT, FAST_LIMIT)
    state[channel, SLOW] = saturate(slow + (steps[1, entry] << gear), 0, greatest << LOG_FRACTION)
