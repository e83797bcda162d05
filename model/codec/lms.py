"""Stage `lms`: adaptive linear prediction in the calibrated domain; formulas and formats in `model.spec.lms`.

State of a channel, a row of `state`: in column `LAST` its last value, in `model.spec.calibrate.centre_format(width)`;
from column `DIFFERENCES` on as many differences as there are features, in `model.spec.lms.difference_format(width)`;
then as many weights and, as the last column, the peer's, in `model.spec.lms.WEIGHT`.
"""

from model.codec.arithmetic import round_half_up, saturate, sign
from model.codec.compiled import compiled
from model.spec import calibrate
from model.spec import lms as spec

WEIGHT_LIMIT = spec.WEIGHT.maximum
LAST, DIFFERENCES = 0, 3  # columns 1 and 2 are those of `scale`
STEP = spec.STEP
QUICK_FRAMES = spec.QUICK_FRAMES
QUICK_STEP = spec.QUICK_STEP
VALUE_RISE = calibrate.EDGE_FRACTION - calibrate.CENTRE_FRACTION
PRODUCT_FALL = spec.WEIGHT.fraction + calibrate.CENTRE_FRACTION - calibrate.EDGE_FRACTION


@compiled
def predict(state, channel, peer, limit):
    """`mu`, in the format of edges, `Rounding.HALF_UP` and `Overflow.SATURATE` to 1 - limit ... limit - 1.

    So no edge is farther off than 2 * limit - 1.
    """
    weights = (state.shape[1] + DIFFERENCES) >> 1
    product = state[channel, state.shape[1] - 1] * peer
    for i in range(weights - DIFFERENCES):
        product += state[channel, weights + i] * state[channel, DIFFERENCES + i]
    return saturate((state[channel, LAST] << VALUE_RISE) + round_half_up(product, PRODUCT_FALL), 1 - limit, limit - 1)


@compiled
def residual(value, mu, limit):
    """What `mu` missed, for the peer's prediction: in the format of differences, saturated at `limit` either way."""
    return saturate(round_half_up((value << VALUE_RISE) - mu, VALUE_RISE), -limit, limit)


@compiled
def adapt(state, channel, peer, value, mu, age, shifts, limit):
    """Move each weight as the signs of its difference and of the error say; then take `value` into the history.

    `age` is the number of frames since the last key packet began; `limit` is that of the differences.
    """
    columns = state.shape[1]
    weights = (columns + DIFFERENCES) >> 1
    error = sign((value << VALUE_RISE) - mu) * (QUICK_STEP if age < QUICK_FRAMES else STEP)
    state[channel, columns - 1] = _moved(state[channel, columns - 1], error * sign(peer))
    total = before = value - state[channel, LAST]
    for i in range(shifts.size):
        difference = state[channel, DIFFERENCES + i]
        state[channel, weights + i] = _moved(state[channel, weights + i], error * sign(difference))
        total += difference
        move = round_half_up(total, shifts[i]) if shifts[i] > 0 else difference
        state[channel, DIFFERENCES + i] = saturate(difference + before - move, -limit, limit)
        before = move
    state[channel, LAST] = value


@compiled
def _moved(weight, change):
    return saturate(weight + change, -WEIGHT_LIMIT, WEIGHT_LIMIT)
