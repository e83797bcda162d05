"""Stage `lms`: adaptive linear prediction in the calibrated domain; formulas and formats in `model.spec.lms`.

State of a channel: its last value, in `model.spec.calibrate.centre_format(width)`, a row of `differences`, in
`model.spec.lms.difference_format(width)`, and a row of `weights`, in `WEIGHT`, one a feature and a last one for the peer.
"""

from model.codec.arithmetic import round_half_up, saturate, sign
from model.codec.compiled import compiled
from model.spec import calibrate
from model.spec import lms as spec

WEIGHT_LIMIT = spec.WEIGHT.maximum
QUICK_FRAMES = spec.QUICK_FRAMES
QUICK_STEP = spec.QUICK_STEP
VALUE_RISE = calibrate.EDGE_FRACTION - calibrate.CENTRE_FRACTION
PRODUCT_FALL = spec.WEIGHT.fraction + spec.DIFFERENCE_FRACTION - calibrate.EDGE_FRACTION
DIFFERENCE_FALL = calibrate.CENTRE_FRACTION - spec.DIFFERENCE_FRACTION
RESIDUAL_FALL = calibrate.EDGE_FRACTION - spec.DIFFERENCE_FRACTION


@compiled
def predict(last, differences, weights, channel, peer, limit):
    """`mu`, in the format of edges, `Rounding.HALF_UP` and `Overflow.SATURATE` to -limit ... limit - 1."""
    features = differences.shape[1]
    product = weights[channel, features] * peer
    for i in range(features):
        product += weights[channel, i] * differences[channel, i]
    return saturate((last << VALUE_RISE) + round_half_up(product, PRODUCT_FALL), -limit, limit - 1)


@compiled
def residual(value, mu, limit):
    """What `mu` missed, for the peer's prediction: in the format of differences, saturated at `limit` either way."""
    return saturate(round_half_up((value << VALUE_RISE) - mu, RESIDUAL_FALL), -limit, limit)


@compiled
def weight_step(age):
    """How far weights move, `age` frames after a key packet's begin."""
    return QUICK_STEP if age < QUICK_FRAMES else 1


@compiled
def adapt(differences, weights, channel, shifts, peer, error, step, limit):
    """Move every weight by `error` as its difference's sign says; then follow the value's `step` from the one before."""
    features = differences.shape[1]
    weights[channel, features] = _moved(weights[channel, features], error * sign(peer))
    total = before = step
    for i in range(features):
        difference = differences[channel, i]
        weights[channel, i] = _moved(weights[channel, i], error * sign(difference))
        total += difference << DIFFERENCE_FALL
        move = round_half_up(total, shifts[i]) if shifts[i] > 0 else difference << DIFFERENCE_FALL
        changed = (difference << DIFFERENCE_FALL) + before - move
        differences[channel, i] = saturate(round_half_up(changed, DIFFERENCE_FALL), -limit, limit)
        before = move


@compiled
def _moved(weight, direction):
    return saturate(weight + direction, -WEIGHT_LIMIT, WEIGHT_LIMIT)
