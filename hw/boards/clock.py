"""The clocks that a board can give the core."""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth.hdl import Elaboratable


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
