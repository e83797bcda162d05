"""iCEBreaker (iCE40UP5K): a complete compressor on the board.

    crystal 12 MHz -> 6, 12 or 20.25 MHz        FTDI UART, 1 Mbaud
                       |                      /
    test pattern, or ADC on PMOD -----> core -> byte-wide PMOD
                                         |
              FTDI UART, 1 Mbaud -> parameter set

===========  ==========================================================================================
PMOD1A       code bits 0 to 7 (pins 1 to 4, 7 to 10)
PMOD2 1 2    code bits 8 and 9
PMOD2 3 4    sample strobe, frame mark
PMOD1B       output byte, bits 0 to 7
PMOD2 7 8 9  output strobe, output last, output ready (in; pulled up, so that it may stay open)
FTDI UART    packets out with `--output uart`; a parameter set in, in all profiles but `tiny`
BTN_N        pause recording while pressed
LEDG         blinks evenly while packets leave, else flashes shortly
LEDR         a packet was dropped or a frame was broken; steady: no parameter set is loaded
===========  ==========================================================================================

Timing of the pins: `hw.boards.pmod`. Levels are 3.3 V. Parameter sets: `hw.boards.image`.
"""

from collections.abc import Mapping
from typing import Final

from amaranth.build import Attrs, Pins, Resource, Subsignal
from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Instance, Module, Signal
from amaranth.lib import io
from amaranth_boards.icebreaker import ICEBreakerPlatform

from hw.array import Room
from hw.boards.board import Board
from hw.boards.clock import Clock, Reset
from hw.ice40 import DEVICE, PACKAGE, Ice40

REFERENCE_HZ: Final = 12_000_000
PLL: Final = {"DIVR": 0, "DIVF": 53, "DIVQ": 5, "FILTER_RANGE": 1}
PLL_HZ: Final = REFERENCE_HZ * (PLL["DIVF"] + 1) // ((PLL["DIVR"] + 1) << PLL["DIVQ"])  # 20.25 MHz

_LEVEL: Final = Attrs(IO_STANDARD="SB_LVCMOS")
_PULLED_UP: Final = Attrs(IO_STANDARD="SB_LVCMOS", PULLUP=1)
_ADC: Final = " ".join(f"pmod_0:{pin}" for pin in (1, 2, 3, 4, 7, 8, 9, 10)) + " pmod_2:1 pmod_2:2"
_RESOURCES: Final = [
    Resource(
        "samples",
        0,
        Subsignal("code", Pins(_ADC, dir="i")),
        Subsignal("strobe", Pins("3", dir="i", conn=("pmod", 2))),
        Subsignal("mark", Pins("4", dir="i", conn=("pmod", 2))),
        _PULLED_UP,
    ),
    Resource(
        "packets",
        0,
        Subsignal("data", Pins("1 2 3 4 7 8 9 10", dir="o", conn=("pmod", 1)), _LEVEL),
        Subsignal("strobe", Pins("7", dir="o", conn=("pmod", 2)), _LEVEL),
        Subsignal("last", Pins("8", dir="o", conn=("pmod", 2)), _LEVEL),
        Subsignal("ready", Pins("9", dir="i", conn=("pmod", 2)), _PULLED_UP),
    ),
]


def platform() -> ICEBreakerPlatform:
    """The board for Amaranth, with the PMODs' pins named."""
    board = ICEBreakerPlatform()
    board.add_resources(_RESOURCES)
    return board


class FromPll(Elaboratable):
    """Drives the domain `sync` from the crystal through the PLL, see `hw.boards.clock.Reset`."""

    def __init__(self, settings: Mapping[str, int]) -> None:
        self.settings = settings

    def elaborate(self, board: ICEBreakerPlatform) -> Module:
        """The PLL at the crystal's pin."""
        m = Module()
        clock, locked = Signal(), Signal()
        m.submodules.pll = Instance(
            "SB_PLL40_PAD",
            p_FEEDBACK_PATH="SIMPLE",
            **{f"p_{name}": value for name, value in self.settings.items()},
            io_PACKAGEPIN=board.request("clk12", dir="-").io,
            i_RESETB=1,
            i_BYPASS=0,
            o_PLLOUTGLOBAL=clock,
            o_LOCK=locked,
        )
        m.submodules.reset = Reset(clock, locked)
        return m


class FromCrystal(Elaboratable):
    """Drives the domain `sync` from the crystal, or from a flip-flop that halves it, see `hw.boards.clock.Reset`."""

    def __init__(self, *, halved: bool) -> None:
        self.halved = halved

    def elaborate(self, board: ICEBreakerPlatform) -> Module:
        """The crystal comes on a global net; a halved clock gets one of its own."""
        m = Module()
        m.submodules.pin = pin = io.Buffer("i", board.request("clk12", dir="-"))
        clock = pin.i
        if self.halved:
            m.domains.crystal = ClockDomain(reset_less=True, local=True)
            half, clock = Signal(), Signal()
            m.d.comb += ClockSignal("crystal").eq(pin.i)
            m.d.crystal += half.eq(~half)
            m.submodules.net = Instance("SB_GB", i_USER_SIGNAL_TO_GLOBAL_BUFFER=half, o_GLOBAL_BUFFER_OUTPUT=clock)
        m.submodules.reset = Reset(clock, Signal(init=1))
        return m


BOARD: Final = Board(
    name="icebreaker",
    device=f"iCE40{DEVICE.upper()}-{PACKAGE.upper()}",
    platform=platform,
    flow=Ice40,
    clocks=(
        Clock(REFERENCE_HZ // 2, "crystal 12 MHz / 2", lambda: FromCrystal(halved=True), REFERENCE_HZ / 1e6),
        Clock(REFERENCE_HZ, "crystal 12 MHz", lambda: FromCrystal(halved=False)),
        Clock(PLL_HZ, f"PLL {' '.join(f'{name}={value}' for name, value in PLL.items())}", lambda: FromPll(PLL)),
    ),
    room=Room(multipliers=8, block_rams=25, shapes=((16, 256), (8, 512), (4, 1024), (2, 2048)), core_rams=3),
    array_mhz=dict.fromkeys(("spikey", "full"), PLL_HZ / 1e6),
    pause=("button", 0),
    alive=("led_g", 0),
    fault=("led_r", 0),
)
