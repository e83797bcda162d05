"""Where a code's edges stand in scales from the prediction; the law is `position` of `model.codec.range`."""

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed, round_half_up, saturate
from hw.calibrate import STEP
from hw.multiplier import Multiplier
from hw.number import Number
from model.spec import range as range_spec
from model.spec import scale as spec
from model.spec.calibrate import EDGE_FRACTION, edge_format
from model.spec.config import CodecConfig

# A code is at most 16 scales wide: where its edges lie on both sides of the prediction, both positions are exact; where
# they lie on one side, farther ones tell the step table no more, nor `F`, which ends before.
FARTHEST = spec.STEPS * (2 << range_spec.POSITION_FRACTION) - 1
OCTAVE_BITS = spec.OCTAVE.bit_length() - 1
FALL = EDGE_FRACTION + spec.RECIPROCAL_BITS + spec.LEAST_OCTAVE - range_spec.POINT_SPACING_BITS
FALL -= range_spec.POSITION_FRACTION  # of a product, in the lowest octave
EDGES = ("lower", "upper")
POSITION = data.StructLayout({"magnitude": range(FARTHEST + 1), "negative": 1})
POSITIONS = data.StructLayout(dict.fromkeys(EDGES, POSITION))


def place_layout(config: CodecConfig) -> data.StructLayout:
    """A code's lower edge and the step to its upper one, the prediction, and the scale's index."""
    edge = Number(edge_format(config.width))
    index = range(spec.greatest_index(config.width) + 1)
    return data.StructLayout({"lower": edge, "step": STEP, "mu": edge, "index": index})


def scale_index(total: Value, config: CodecConfig) -> Value:
    """The scale's index for a sum of logarithms: `index` of `model.codec.scale`."""
    return saturate(round_half_up(total, spec.LOG_FRACTION), 0, spec.greatest_index(config.width))


class Positions(wiring.Component):
    """Two positions a clock.

    Parameters
    ----------
    config : CodecConfig
        Of at most 10 bits: no lower bits are coded evenly.

    Members
    -------
    advance : In
        A token comes: what this block remembers moves on.
    i : In, `place_layout`
        Whatever `mu` is, within its format's symmetric limits: no edge is farther off than its bits, all ones.
    o : Out, `POSITIONS`
        Magnitudes up to `FARTHEST`.

    Latency
    -------
    `LATENCY` clocks.

    Throughput
    ----------
    A code a clock. Two multipliers.

    Model
    -----
    `model.codec.range.position`
    """

    LATENCY = 3

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        super().__init__({"advance": In(1, init=1), "i": In(place_layout(config)), "o": Out(POSITIONS)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        came, index = self.i, self.i.index

        # Clock 1: distances, and the reciprocal, which bears the octave as well: as large as the scale is small.
        octaves = (spec.greatest_index(self.config.width) >> OCTAVE_BITS) + 1
        octave, mantissa = index[OCTAVE_BITS:], Array(Const(int(r)) for r in spec.reciprocals())[index[:OCTAVE_BITS]]
        reciprocal = Signal(spec.RECIPROCAL_BITS + octaves)
        m.d.sync += reciprocal.eq(mantissa << (octaves - 1 - octave)[: len(octave)])
        lower = came.lower - came.mu
        distances = [self._distance(m, distance, len(came.mu)) for distance in (lower, lower + came.step)]

        # Clock 2: products. Clock 3: positions.
        for edge, (magnitude, negative) in zip(EDGES, distances, strict=True):
            m.submodules[edge] = product = Multiplier(magnitude.shape(), reciprocal.shape())
            position = getattr(self.o, edge)
            m.d.comb += [product.advance.eq(self.advance), product.a.eq(magnitude), product.b.eq(reciprocal)]
            m.d.sync += [
                position.magnitude.eq(saturate(product.o[FALL + octaves - 1 :], 0, FARTHEST)),
                position.negative.eq(delayed(m, negative)),
            ]
        return m

    @staticmethod
    def _distance(m: Module, difference: Value, bits: int) -> tuple[Signal, Signal]:
        """Magnitude and sign of a distance, registered; no edge is farther off than all ones."""
        magnitude, negative = Signal(bits), Signal()
        m.d.sync += [magnitude.eq(Mux(difference < 0, -difference, difference)), negative.eq(difference < 0)]
        return magnitude, negative
