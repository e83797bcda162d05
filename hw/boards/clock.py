"""The clocks that a board can give the core, and the reset until they are steady."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Module, ResetSignal, Signal
from amaranth.lib.cdc import FFSynchronizer

RESET_CLOCKS: Final = 512  # 6 us or more, since block RAM of iCE40 reads as zero for some 3 us after configuration


@dataclass(frozen=True)
class Clock:
    """A clock that a board can give the core.

    Parameters
    ----------
    hz : int
    setting : str
        How it is made, for the report.
    make : callable, optional
        Makes what drives the domain `sync`; none if that is the platform's default clock.
    reference_mhz : float, optional
        The clock that flip-flops divide it from.
    """

    hz: int
    setting: str
    make: Callable[[], Elaboratable] | None = None
    reference_mhz: float | None = None

    @property
    def mhz(self) -> float:
        """The same in MHz."""
        return self.hz / 1e6


class Reset(Elaboratable):
    """Drives the domain `sync`, and resets it until `steady`, and `RESET_CLOCKS` longer.

    Parameters
    ----------
    clock, steady : Signal
    """

    def __init__(self, clock: Signal, steady: Signal) -> None:
        self.clock = clock
        self.steady = steady

    def elaborate(self, platform: Any) -> Module:
        """A counter in a domain of its own that the reset does not touch."""
        m = Module()
        m.domains.start = ClockDomain(reset_less=True, local=True)
        m.d.comb += [ClockSignal("sync").eq(self.clock), ClockSignal("start").eq(self.clock)]
        steady = Signal()
        m.submodules.steady = FFSynchronizer(self.steady, steady, o_domain="start")
        wait = Signal(range(RESET_CLOCKS + 1))
        reset = Signal(init=1)
        with m.If(~steady):
            m.d.start += wait.eq(0)
        with m.Elif(wait != RESET_CLOCKS):
            m.d.start += wait.eq(wait + 1)
        m.d.start += reset.eq(wait != RESET_CLOCKS)
        m.d.comb += ResetSignal("sync").eq(reset)
        return m
