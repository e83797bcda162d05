"""Multipliers, one component for the hard block and for its behavioural twin."""

from typing import Any

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

SIDE = 16
# Of each half of SB_MAC16: its half of the product, and C or D, which are 0, added up in the register at its output.
REGISTERED = {"OUTPUT_SELECT": 1, "ADDSUB_LOWERINPUT": 2, "ADDSUB_UPPERINPUT": 1}


class Multiplier(wiring.Component):
    """A product: SB_MAC16 on iCE40UP5K, elsewhere what synthesis makes of it; or one of adders.

    Parameters
    ----------
    a, b : ShapeLike
        Factors of at most 16 bits.
    hard : bool
        Whether it may take a hard block; otherwise it is a sum of shifted `a`.

    Members
    -------
    advance : In
        Take the factors of this clock.
    a, b : In
    o : Out
        Their product, from the next clock on until the next one is taken.

    Latency
    -------
    1 clock.

    Throughput
    ----------
    A product a clock.
    """

    def __init__(self, a: Any, b: Any, *, hard: bool = True) -> None:
        a, b = Shape.cast(a), Shape.cast(b)
        if max(a.width, b.width) > SIDE:
            raise ValueError(f"factors of {a.width} and {b.width} bits; {SIDE} are possible")
        product = Value.cast(Signal(a) * Signal(b)).shape()
        self.hard = hard
        super().__init__({"advance": In(1, init=1), "a": In(a), "b": In(b), "o": Out(product)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.hard and getattr(platform, "device", None) == "iCE40UP5K":
            self._hard(m)
        else:
            product = Signal(self.o.shape(), reset_less=True)
            with m.If(self.advance):
                m.d.sync += product.eq(self.a * self.b if self.hard else self._sum())
            m.d.comb += self.o.eq(product)
        return m

    def _sum(self) -> Value:
        terms: list[Value] = [Mux(bit, self.a, 0) << n for n, bit in enumerate(self.b)]
        return sum(terms[:-1], start=Const(0)) + (-terms[-1] if self.b.shape().signed else terms[-1])

    def _hard(self, m: Module) -> None:
        product = Signal(2 * SIDE)
        unused = dict.fromkeys(("AHOLD", "BHOLD", "CHOLD", "DHOLD", "OLOADTOP", "OLOADBOT", "OHOLDTOP", "OHOLDBOT"), 0)
        unused |= dict.fromkeys(("IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT"), 0)
        unused |= dict.fromkeys(("ADDSUBTOP", "ADDSUBBOT", "CI", "ACCUMCI", "SIGNEXTIN"), 0)
        m.submodules.mac = Instance(
            "SB_MAC16",
            **{f"p_{half}{name}": value for half in ("TOP", "BOT") for name, value in REGISTERED.items()},
            p_A_SIGNED=int(self.a.shape().signed),
            p_B_SIGNED=int(self.b.shape().signed),
            **{f"i_{name}": Const(value) for name, value in unused.items()},
            i_CLK=ClockSignal("sync"),
            i_CE=self.advance,
            i_A=_wide(self.a),
            i_B=_wide(self.b),
            i_C=Const(0, SIDE),
            i_D=Const(0, SIDE),
            o_O=product,
        )
        m.d.comb += self.o.eq(product)


def _wide(factor: Value) -> Value:
    """`SIDE` bits."""
    return Cat(factor, *[factor[-1] if factor.shape().signed else Const(0, 1)] * (SIDE - len(factor)))
