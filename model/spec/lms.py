"""Formats of the stage `lms`: a sign-sign LMS predictor on differences in the channel's past, and on its peer.

`h[0]` is the channel's last value; feature `h[i]` is an exponential average of rate `2**-shift[i]` of the values up to
it, or, with shift 0, what `h[i - 1]` was one sample ago (a tap). The prediction is

    mu = h[0] + sum_i w[i] * (h[i - 1] - h[i]) + w_peer * (residual of the peer in this frame)

and each weight moves by one step against the error's sign: no multiplier in the update. Only `h[0]` and the differences
are stored: they need fewer bits than the averages.
"""

from typing import Final

from model.spec.calibrate import CENTRE_FRACTION
from model.spec.numbers import Format

MAX_FEATURES: Final = 16
MAX_SHIFT: Final = 15
WEIGHT: Final = Format(11, 10, signed=True)  # saturates symmetrically, at plus and minus `WEIGHT.maximum`


QUICK_FRAMES: Final = 512  # after a key packet's begin, in which weights move by more
QUICK_STEP: Final = 4
STEP: Final = 1


def difference_format(width: int) -> Format:
    """Format of the stored differences and of the peer's residual; they saturate symmetrically."""
    return Format(width, CENTRE_FRACTION, signed=True)
