"""Formats of the stage `lms`: a sign-sign LMS predictor on features of the channel's past, and on its peer.

`h[0]` is the channel's last value; feature `h[i]` is an average of rate `2**-shift[i]` of what `h[0]` was, or, with
shift 0, what `h[i - 1]` was one sample ago (a tap). The prediction is

    mu = h[0] + sum_i w[i] * (h[i] - h[i + 1]) + w_peer * (residual of the peer in this frame)

and each weight moves by one step against the error's sign: no multiplier in the update.
"""

from typing import Final

from model.spec.numbers import Format

MAX_FEATURES: Final = 16
MAX_SHIFT: Final = 15
WEIGHT: Final = Format(13, 12, signed=True)  # saturates symmetrically, at plus and minus `WEIGHT.maximum`
