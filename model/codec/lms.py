"""Stage `lms`: adaptive linear prediction in the calibrated domain; formulas and formats in `model.spec.lms`.

State of a channel: `history`, the last value and its features, in `model.spec.calibrate.value_format(width)`, and
`weights`, one a feature and a last one for the peer, in `model.spec.lms.WEIGHT`.
"""

from model.codec.arithmetic import round_half_up, saturate, sign
from model.codec.compiled import compiled
from model.spec import lms as spec

WEIGHT_FRACTION = spec.WEIGHT.fraction
WEIGHT_LIMIT = spec.WEIGHT.maximum


@compiled
def predict(history, weights, peer_residual, limit):
    """`mu`, `Rounding.HALF_UP` and `Overflow.SATURATE` to -limit ... limit - 1."""
    features = history.size - 1
    product = weights[features] * peer_residual
    for i in range(features):
        product += weights[i] * (history[i] - history[i + 1])
    return saturate(history[0] + round_half_up(product, WEIGHT_FRACTION), -limit, limit - 1)


@compiled
def adapt(history, weights, shifts, peer_residual, residual, value):
    """Move every weight one step against the error `residual`, then take `value` into the history."""
    features = history.size - 1
    error = sign(residual)
    weights[features] = _step(weights[features], error * sign(peer_residual))
    for i in range(features):
        weights[i] = _step(weights[i], error * sign(history[i] - history[i + 1]))
    for i in range(features, 0, -1):
        if shifts[i - 1] == 0:
            history[i] = history[i - 1]
        else:
            history[i] += round_half_up(value - history[i], shifts[i - 1])
    history[0] = value


@compiled
def _step(weight, direction):
    return saturate(weight + direction, -WEIGHT_LIMIT, WEIGHT_LIMIT)
