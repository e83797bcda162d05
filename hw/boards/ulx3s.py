"""ULX3S with an ECP5-85F: a complete compressor on the board.

    crystal 25 MHz                         FTDI UART, 1 Mbaud
           |                             /
    test pattern, or ADC on J1 -> core -> byte-wide port on J2
                                    |
            FTDI UART, 1 Mbaud -> parameter set

==============  =======================================================================================
GP0 to GP9      code bits 0 to 9
GN0 GN1         sample strobe, frame mark
GP14 to GP21    output byte, bits 0 to 7
GN14 GN15 GN16  output strobe, output last, output ready (in; pulled up, so that it may stay open)
FTDI UART       packets out with `--output uart`; a parameter set in, in profile `calibrated`
FIRE1           pause recording while pressed
D2              blinks evenly while packets leave, else flashes shortly
D0              a packet was dropped or a frame was broken; steady: no parameter set is loaded
==============  =======================================================================================

Timing of the pins: `hw.boards.pmod`, at 25 MHz. Levels are 3.3 V. Parameter sets: `hw.boards.image`.
"""

from typing import Final

from amaranth.build import Attrs, Pins, Resource, Subsignal
from amaranth_boards.ulx3s import ULX3S_85F_Platform

from hw.boards.board import Board
from hw.boards.clock import Clock
from hw.ecp5 import Ecp5

_LEVEL: Final = Attrs(IO_TYPE="LVCMOS33")
_PULLED_UP: Final = Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")


def _pins(sign: str, first: int, last: int) -> str:
    """Names of the header's pins GPn (+) or GNn (-)."""
    return " ".join(f"gpio_0:{number}{sign}" for number in range(first, last + 1))


_RESOURCES: Final = [
    Resource(
        "samples",
        0,
        Subsignal("code", Pins(_pins("+", 0, 9), dir="i")),
        Subsignal("strobe", Pins(_pins("-", 0, 0), dir="i")),
        Subsignal("mark", Pins(_pins("-", 1, 1), dir="i")),
        _PULLED_UP,
    ),
    Resource(
        "packets",
        0,
        Subsignal("data", Pins(_pins("+", 14, 21), dir="o"), _LEVEL),
        Subsignal("strobe", Pins(_pins("-", 14, 14), dir="o"), _LEVEL),
        Subsignal("last", Pins(_pins("-", 15, 15), dir="o"), _LEVEL),
        Subsignal("ready", Pins(_pins("-", 16, 16), dir="i"), _PULLED_UP),
    ),
]


def platform() -> ULX3S_85F_Platform:
    """The board for Amaranth, with the headers' pins named."""
    board = ULX3S_85F_Platform()
    board.add_resources(_RESOURCES)
    return board


BOARD: Final = Board(
    name="ulx3s",
    device="LFE5U-85F-6BG381",
    platform=platform,
    flow=Ecp5,
    clocks=(Clock(25_000_000, "crystal 25 MHz"),),
    pause=("button_fire", 0),
    alive=("led", 2),
    fault=("led", 0),
)
