"""Number formats: how many bits a signal has, where its point stands, and how it is narrowed.

Every signal that the decoder must reproduce is an integer with a `Format`. A narrowing names its `Rounding`
and its `Overflow`; `model.codec.arithmetic` executes them, `hw.arithmetic` builds them.
"""

from dataclasses import dataclass
from enum import Enum


class Rounding(Enum):
    """What happens to dropped fraction bits."""

    FLOOR = "floor(x)"
    HALF_UP = "floor(x + 1/2), never half to even"


class Overflow(Enum):
    """What happens to a value outside its format."""

    WRAP = "modulo 2**width"
    SATURATE = "the nearest value that the format has"
    IMPOSSIBLE = "a stated bound excludes it"


@dataclass(frozen=True)
class Format:
    """A fixed-point format: the integer `n` stands for `n / 2**fraction`.

    Parameters
    ----------
    width : int
        Bits in all, the sign included; at least 1.
    fraction : int
        Bits after the point, 0 to `width`.
    signed : bool
        Two's complement if true.

    Raises
    ------
    ValueError
        If `width` or `fraction` is out of range.
    """

    width: int
    fraction: int = 0
    signed: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.width <= 64:
            raise ValueError(f"width {self.width}: a format has 1 to 64 bits")
        if not 0 <= self.fraction <= self.width:
            raise ValueError(f"fraction {self.fraction}: must lie in 0 to the width, {self.width}")

    @property
    def minimum(self) -> int:
        """The least integer of the format."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """The greatest integer of the format."""
        return (1 << (self.width - int(self.signed))) - 1

    def __str__(self) -> str:
        return f"{'s' if self.signed else 'u'}{self.width}.{self.fraction}"
