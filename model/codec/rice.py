"""Stage `rice`: adaptive Rice code with a bounded escape; the constants and their reasons are in `model.spec.rice`.

State of a channel: `mean`, the running mean of its folded residuals, in `model.spec.rice.mean_format(width)`.
A code word is a `value` of at most `width` bits written, most significant bit first, in a field of `length` bits:
its leading zeros are the unary part.
"""

from model.codec.arithmetic import bit_length, round_half_up
from model.codec.compiled import compiled
from model.spec import rice as spec

ESCAPE_ZEROS = spec.ESCAPE_ZEROS
MEAN_SHIFT = spec.MEAN_SHIFT
MEAN_FRACTION = spec.MEAN_FRACTION


restart = compiled(spec.initial_mean)  # `mean` at a key packet


@compiled
def fold(residual):
    """0, -1, 1, -2, ... to 0, 1, 2, 3, ..."""
    return 2 * residual if residual >= 0 else -2 * residual - 1


@compiled
def unfold(folded):
    """The inverse of `fold`."""
    return folded >> 1 if folded & 1 == 0 else -((folded + 1) >> 1)


@compiled
def parameter(mean, width):
    """`k` for this mean: `bit_length(floor(mean * 17/32))` in whole units, at most `width - 1`."""
    return min(bit_length((mean + (mean >> 4)) >> (MEAN_FRACTION + 1)), width - 1)


@compiled
def adapt(mean, folded):
    """The mean after `folded`: moves 1/64 of the way, `Rounding.HALF_UP`. Never leaves its format."""
    return mean + round_half_up((folded << MEAN_FRACTION) - mean, MEAN_SHIFT)


@compiled
def code_word(folded, k, width):
    """`(value, length)` of the code word of `folded` with parameter `k`."""
    zeros = folded >> k
    if zeros >= ESCAPE_ZEROS:
        return folded, ESCAPE_ZEROS + width
    return (1 << k) | (folded & ((1 << k) - 1)), zeros + 1 + k
