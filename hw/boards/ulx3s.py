"""ULX3S with an ECP5-85F: a complete compressor on the board.

    crystal 25 MHz -> 25, 37.5 ... 75 MHz       FTDI UART, 1 Mbaud
                        |                    /
    test pattern, or ADC on J1 ------> core -> byte-wide port on J2
                                         |
                 FTDI UART, 1 Mbaud -> parameter set

==============  =======================================================================================
GP0 to GP9      code bits 0 to 9
GN0 GN1         sample strobe, frame mark
GP14 to GP21    output byte, bits 0 to 7
GN14 GN15 GN16  output strobe, output last, output ready (in; pulled up, so that it may stay open)
FTDI UART       packets out with `--output uart`; a parameter set in, in all profiles but `tiny`
FIRE1           pause recording while pressed
D2              blinks evenly while packets leave, else flashes shortly
D0              a packet was dropped or a frame was broken; steady: no parameter set is loaded
==============  =======================================================================================

Timing of the pins: `hw.boards.pmod`, in clocks of the core. Levels are 3.3 V. Parameter sets: `hw.boards.image`.
"""

from collections.abc import Mapping
from typing import Final

from amaranth.build import Attrs, Pins, Resource, Subsignal
from amaranth.hdl import Elaboratable, Instance, Module, Signal
from amaranth.lib import io
from amaranth_boards.ulx3s import ULX3S_85F_Platform

from hw.array import Room
from hw.boards.board import Board
from hw.boards.clock import Clock, Reset
from hw.ecp5 import Ecp5

REFERENCE_HZ: Final = 25_000_000
PLLS: Final = (  # the oscillator at 600 or 625 MHz, of 400 to 800; these and what follows as `ecppll` gives them
    {"CLKI_DIV": 2, "CLKFB_DIV": 3, "CLKOP_DIV": 16},
    {"CLKI_DIV": 1, "CLKFB_DIV": 2, "CLKOP_DIV": 12},
    {"CLKI_DIV": 2, "CLKFB_DIV": 5, "CLKOP_DIV": 10},
    {"CLKI_DIV": 1, "CLKFB_DIV": 3, "CLKOP_DIV": 8},
)
LOOP: Final = {"ICP_CURRENT": "12", "LPF_RESISTOR": "8", "MFG_ENABLE_FILTEROPAMP": "1", "MFG_GMCREF_SEL": "2"}

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


class FromPll(Elaboratable):
    """Drives the domain `sync` from the crystal through a PLL, see `hw.boards.clock.Reset`."""

    def __init__(self, settings: Mapping[str, int]) -> None:
        self.settings = settings

    def elaborate(self, board: ULX3S_85F_Platform) -> Module:
        """The PLL feeds back what it puts out."""
        m = Module()
        m.submodules.pin = pin = io.Buffer("i", board.request("clk25", dir="-"))
        clock, locked = Signal(), Signal()
        m.submodules.pll = Instance(
            "EHXPLLL",
            **{f"p_{name}": value for name, value in self.settings.items()},
            **{f"a_{name}": value for name, value in LOOP.items()},
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_CPHASE=self.settings["CLKOP_DIV"] // 2 - 1,
            p_CLKOP_FPHASE=0,
            p_OUTDIVIDER_MUXA="DIVA",
            p_FEEDBK_PATH="CLKOP",
            i_CLKI=pin.i,
            i_CLKFB=clock,
            **{f"i_{name}": 0 for name in ("RST", "STDBY", "ENCLKOP", "PLLWAKESYNC", "PHASESEL0", "PHASESEL1")},
            **{f"i_{name}": 1 for name in ("PHASEDIR", "PHASESTEP", "PHASELOADREG")},
            o_CLKOP=clock,
            o_LOCK=locked,
        )
        m.submodules.reset = Reset(clock, locked)
        return m


def _from_pll(settings: Mapping[str, int]) -> Clock:
    hz = REFERENCE_HZ * settings["CLKFB_DIV"] // settings["CLKI_DIV"]
    told = " ".join(f"{name}={value}" for name, value in settings.items())
    return Clock(hz, f"PLL {told}", lambda: FromPll(settings))


BOARD: Final = Board(
    name="ulx3s",
    device="LFE5U-85F-6BG381",
    platform=platform,
    flow=Ecp5,
    clocks=(Clock(REFERENCE_HZ, "crystal 25 MHz"), *map(_from_pll, PLLS)),
    room=Room(
        multipliers=156,
        block_rams=204,
        shapes=((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384)),
        stores=True,
    ),
    array_mhz={"spikey": 50, "full": 37.5},
    pause=("button_fire", 0),
    alive=("led", 2),
    fault=("led", 0),
)
