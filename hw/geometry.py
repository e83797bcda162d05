"""How large an array for networks is, and the words of its microcode.

The array (`hw.network`) has `cores` equal cores, which all do the same, each with `multipliers` multipliers and a
memory, and each serving `slots` channels that follow each other. A core's memory has `fields` words for each of its
slots; field f of slot s stands at address `f << slot_bits | s`.

A *step* multiplies one word, of the memory or of the frame that came in, by a coefficient for each multiplier and adds
up. Its field is `base + ((frame - lag) modulo 2**size)`: a ring of the last `2**size` frames. A *result* says what
becomes of one multiplier's sum: `bias` is added, it is shifted, saturated, and written to a field or to an output.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from amaranth.hdl import Shape, signed
from amaranth.lib import data

from model.spec import network, wavelet
from model.spec.config import ConfigError

WEIGHT_BITS: Final = network.WEIGHT.width
LOAD_BITS: Final = 16  # of a word that loads a part of the microcode
WIDE_BITS: Final = 16  # of a coefficient of the first multiplier, where it is wide or the gain
WORD: Final = signed(16)  # of a core's memory: a node of 10-bit codes
SUM: Final = signed(32)
SHIFT_BITS: Final = network.MAX_SHIFT.bit_length()
ONES_BITS: Final = 4
EXPONENT_BITS: Final = 4
CONTEXT: Final = signed(8)
POINTER_BITS: Final = 8  # of a lookup's index
LOOKUP: Final = 1 << POINTER_BITS


class Source(IntEnum):
    """What a step multiplies."""

    MEMORY = 0  # a word of the core's memory, 0 if it is older than the key packet
    FEATURE = 1  # the same, normalised by the channel's exponent
    RELATIVE = 2  # the same less the channel's newest sample, normalised
    SIGNAL = 3  # the channel's newest sample
    RESIDUAL = 4
    MAGNITUDE = 5
    FIRST_CONTEXT = 6
    SECOND_CONTEXT = 7


class Via(IntEnum):
    """What the pointer does to a step's address."""

    NOTHING = 0
    PARTNER = 1  # it names the slot, and whether the frame before is meant
    LOOKUP = 2  # it is the lower part of the address


class Load(IntEnum):
    """What else a step does with its word."""

    NOTHING = 0
    GAIN = 1  # keep it as the gain
    POINTER = 2  # keep it as the pointer: for the step after the next one


class Floor(IntEnum):
    """The least value that a result can have; the greatest one is `2**ones - 1`."""

    ZERO = 0
    SYMMETRIC = 1  # as far below 0 as the greatest is above
    FULL = 2  # one more


@dataclass(frozen=True)
class Geometry:
    """Sizes of an array, for which networks are compiled.

    Parameters
    ----------
    multipliers : int
        Of a core, 2 to 16.
    cores : int
        1 to 156.
    slots : int
        Channels that a core serves, 1 to 256.
    fields : int
        Words of memory a channel, a power of two.
    steps, results : int
        Words of microcode, powers of two.
    loaded : int
        Fields, the first ones, that are loaded with the microcode; a power of two.
    outputs : int
        Of a network, 1 to 3.
    contexts : int
        Inputs of a network that are no features, 1 or 2.
    residuals : bool
        Whether there are nodes 1 and 2.

    Raises
    ------
    ConfigError
        If there is no such array.
    """

    multipliers: int = 4
    cores: int = 1
    slots: int = 1
    fields: int = 256
    steps: int = 256
    results: int = 64
    loaded: int = 4
    outputs: int = 1
    contexts: int = 1
    residuals: bool = False

    def __post_init__(self) -> None:
        limits = {
            "multipliers": (2, 16),
            "cores": (1, 156),
            "slots": (1, LOOKUP),
            "outputs": (1, 3),
            "contexts": (1, 2),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ConfigError(f"{name}: {getattr(self, name)} is not built; give {low} to {high}")
        for name in ("fields", "steps", "results", "loaded"):
            value = getattr(self, name)
            if value < 2 or value & (value - 1):
                raise ConfigError(f"{name}: {value} is not built; give a power of two")
        if self.loaded > self.fields:
            raise ConfigError(f"loaded: {self.loaded} of {self.fields} fields; give at most as many")

    @property
    def slot_bits(self) -> int:
        """Bits of an address that name the slot."""
        return max(1, (self.slots - 1).bit_length())

    @property
    def field_bits(self) -> int:
        """Bits of an address that name the field."""
        return (self.fields - 1).bit_length()

    @property
    def depth(self) -> int:
        """Words of a core's memory."""
        return self.fields << self.slot_bits

    @property
    def drain(self) -> int:
        """Clocks from a step to the first one that can read the last of its results."""
        return 8 + self.multipliers

    @property
    def words(self) -> tuple[int, ...]:
        """What an image is made for, and gates with other sizes refuse."""
        return tuple(map(int, vars(self).values()))

    @property
    def step(self) -> data.StructLayout:
        """A step's word; what is needed late begins at a multiple of the words that it is loaded by."""
        early = data.StructLayout(
            {
                "base": self.field_bits,
                "size": range(self.field_bits + 1),
                "lag": self.field_bits,
                "late": 1,  # what the key packet's first frame wrote is too old as well
                "source": Shape.cast(Source),
                "via": Shape.cast(Via),
                "load": Shape.cast(Load),
                "ones": ONES_BITS,  # of a feature: saturated to 2**ones - 1 either way
                "end": 1,  # of the pass: on with the next slot, or with the next pass
                "wait": 1,  # with `end`: the next pass waits until the results are there
                "stop": 1,  # with `end`: there is none
            }
        )
        return data.StructLayout(
            {
                **early.members,
                "gap": -early.size % LOAD_BITS,
                "wide": 1,  # one coefficient, of the first multiplier
                "gain": 1,  # the coefficient is the gain
                "last": 1,  # sums are complete, and so many multipliers' as there are results are taken; others begin
                "result": range(self.results),
                "weights": max(WIDE_BITS, self.multipliers * WEIGHT_BITS),
            }
        )

    @property
    def late_bits(self) -> int:
        """Bits of a step's word, the uppermost, that are needed for its multiplication only: from `wide` on."""
        return self.step.size - self.step["wide"].offset

    @property
    def result(self) -> data.StructLayout:
        """A result's word."""
        return data.StructLayout(
            {
                "bias": SUM,
                "shift": SHIFT_BITS,
                "ones": ONES_BITS,
                "floor": Shape.cast(Floor),
                "base": self.field_bits,
                "size": range(self.field_bits + 1),
                "output": range(self.outputs + 1),  # 0: it is written to the field
                "more": 1,  # the next multiplier has one too
            }
        )


def node_ones(width: int) -> int:
    """`ones` of a node."""
    return wavelet.node_format(width).width - 1
