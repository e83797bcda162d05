"""What tells one board from another: its platform, its clocks, its lights, the flow that builds for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hw.array import Room
from hw.boards.clock import Clock
from hw.flow import Flow
from model.spec.config import ConfigError, find_profile
from model.spec.operating import LINK_BYTES, has_array

MARGIN: Final = 0.01  # of the clocks, for the ends of packets in lanes: a frame's fewest at 1024 channels is 1.2 %


@dataclass(frozen=True)
class Board:
    """A board.

    Parameters
    ----------
    name : str
    device : str
        For the report.
    platform : callable
        Makes Amaranth's platform, which has the resources `samples`, `packets` and `uart`.
    flow : type of Flow
    clocks : tuple of Clock
        From the slowest to the fastest.
    room : Room
        For an array for networks.
    array_mhz : mapping of str to float
        Clock of a core with such an array, by default, for each profile that has one: the fastest that it is sure to
        keep.
    pause, alive, fault : tuple of str and int
        Names and numbers of the resources for a button and two lights, see `hw.boards.system.System`.
    """

    name: str
    device: str
    platform: Callable[[], Any]
    flow: type[Flow]
    clocks: tuple[Clock, ...]
    room: Room
    array_mhz: Mapping[str, float]
    pause: tuple[str, int]
    alive: tuple[str, int]
    fault: tuple[str, int]

    def clock(self, mhz: float | None, profile: str, channels: int, rate: int) -> Clock:
        """The clock of `mhz`; by default the slowest that carries the samples, and packets at `LINK_BYTES` in `tiny`.

        A profile with an array for networks gets its `array_mhz`; whether it is fast enough depends on the array.

        Raises
        ------
        ConfigError
            If the board has no such clock, or the clock does not carry that many samples.
        """
        if mhz is None and has_array(profile):
            mhz = self.array_mhz[profile]
        offered = [clock for clock in self.clocks if mhz is None or clock.mhz == mhz]
        if not offered:
            mhzs = ", ".join(f"{clock.mhz:g}" for clock in self.clocks)
            raise ConfigError(f"clock: {mhz:g} MHz is none of {self.name}'s; give one of {mhzs}")
        if has_array(profile):
            return offered[0]
        in_lanes = find_profile(profile).parameterised
        for clock in offered:
            most = int(clock.hz / (1 + MARGIN * in_lanes) / rate)
            if channels <= most and (in_lanes or mhz is not None or clock.hz >= LINK_BYTES):
                return clock
        raise ConfigError(
            f"channels: {channels} at {rate} Hz are more than a sample a clock of {offered[-1].mhz:g} MHz; "
            f"give at most {most}"
        )
