"""Constants of the stage `rice`, shared by codec and hardware.

A residual `e` of `width` bits is folded to `u = 2e` or `-2e - 1`, and coded with parameter `k`: `u >> k` zeros, a
one, the low `k` bits of `u`. From `ESCAPE_ZEROS` zeros on the escape is taken instead: that many zeros, then `u`
in `width` bits. The longest code word is thus `ESCAPE_ZEROS + width` bits, at most `MAX_CODE_BITS`: the hardware's
32-bit packer relies on it.

`k` follows a running mean `m` of `u` of the same channel: `m += round_half_up((u - m) / 2**MEAN_SHIFT)` with
`MEAN_FRACTION` fraction bits, and `k = bit_length(floor(m * 17/32))`, at most `width - 1`. Measured in `ratio_wav` on
every sixth training recording, key packets every 1.05 s: as it is 3.3705; with a bare 1/2 (no adder) 3.369; 2/3 3.347;
shift 5 3.3685, 7 3.371 (but 3.307 against 3.310 with key packets every 0.1 s); 4 fraction bits 3.363, 6 no better.
"""

from model.spec.numbers import Format

ESCAPE_ZEROS = 15
MEAN_SHIFT = 6
MEAN_FRACTION = 5
MAX_CODE_BITS = ESCAPE_ZEROS + 16


def mean_format(width: int) -> Format:
    """Format of the running mean of folded residuals; its value never exceeds `2**width - 1`."""
    return Format(width + MEAN_FRACTION, MEAN_FRACTION)


def initial_mean(width: int) -> int:
    """Mean at a key packet, in units of `2**-MEAN_FRACTION`: `2**(width - 6)`, which is 16 for 10 bits."""
    return 1 << (width - 6 + MEAN_FRACTION)
