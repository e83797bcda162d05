"""iCEBreaker (iCE40UP5K): a complete compressor on the board.

    PLL 20.25 MHz                          FTDI UART, 1.0125 Mbaud
        |                                /
    test pattern, or ADC on PMOD -> core -> byte-wide PMOD

===========  ==========================================================================================
PMOD1A       code bits 0 to 7 (pins 1 to 4, 7 to 10)
PMOD2 1 2    code bits 8 and 9
PMOD2 3 4    sample strobe, frame mark
PMOD1B       output byte, bits 0 to 7
PMOD2 7 8 9  output strobe, output last, output ready (in; pulled up, so that it may stay open)
BTN_N        pause recording while pressed
LEDG         blinks evenly while packets leave, else flashes shortly
LEDR         a packet was dropped or a frame was broken
===========  ==========================================================================================

Timing of the pins: `hw.boards.pmod`. Levels are 3.3 V.
"""

from typing import Any, Final

from amaranth.build import Attrs, Pins, Resource, Subsignal
from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Instance, Module, ResetSignal, Signal
from amaranth.lib.cdc import FFSynchronizer
from amaranth_boards.icebreaker import ICEBreakerPlatform

from hw.boards.pattern import Pattern
from hw.boards.pmod import PmodInput, PmodOutput
from hw.boards.system import System
from hw.boards.uart import FRAME_BITS, UartTransmitter
from hw.core import Core
from hw.packet import bank_words
from hw.store import ceil_power
from model.spec import operating, packet
from model.spec.config import CodecConfig, ConfigError

NAME: Final = "icebreaker"
SOURCES: Final = ("pattern", "pmod")
OUTPUTS: Final = ("pmod", "uart")

PLL: Final = {"DIVR": 0, "DIVF": 53, "DIVQ": 5, "FILTER_RANGE": 1}
REFERENCE_HZ: Final = 12_000_000
CLOCK_HZ: Final = REFERENCE_HZ * (PLL["DIVF"] + 1) // ((PLL["DIVR"] + 1) << PLL["DIVQ"])  # 20.25 MHz
RESET_CLOCKS: Final = (
    512  # after the PLL's lock: 25 us, since block RAM reads as zero for some 3 us after configuration
)
BAUD_DIVISOR: Final = 20
ADC_PINS: Final = 10
STORE_WORDS: Final = 16384  # of 32 bits: two single-port RAMs, for the coded and for the raw form each
MAX_BANKS: Final = 8

_LEVEL: Final = Attrs(IO_STANDARD="SB_LVCMOS")
_PULLED_UP: Final = Attrs(IO_STANDARD="SB_LVCMOS", PULLUP=1)
_RESOURCES: Final = [
    Resource(
        "adc",
        0,
        Subsignal("low", Pins("1 2 3 4 7 8 9 10", dir="i", conn=("pmod", 0))),
        Subsignal("high", Pins("1 2", dir="i", conn=("pmod", 2))),
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


def banks(config: CodecConfig, rate: int) -> int:
    """Packets that the output buffer holds, a power of two: as many as the single-port RAMs have room for, but no more
    than two if a longer queue would lengthen the worst latency.

    Raises
    ------
    ConfigError
        If not even two fit.
    """
    fitting = min(MAX_BANKS, STORE_WORDS // ceil_power(max(bank_words(config))))
    if fitting < 2:
        raise ConfigError(f"channels: two packets of {config.channels} channels exceed the board's memory; use fewer")
    longer = operating.worst_latency(config, rate, CLOCK_HZ, fitting) > operating.worst_latency(config, rate, CLOCK_HZ)
    return 2 if longer else fitting


def pattern_rate(config: CodecConfig, output: str, rate: int) -> int:
    """Frames a second of the test pattern: `rate`, or for the UART what it can carry with every packet stored raw."""
    if output != "uart":
        return rate
    size = packet.overhead_bytes(key=True) + config.raw_bytes(config.packet_frames)
    frames = CLOCK_HZ * config.packet_frames // (BAUD_DIVISOR * FRAME_BITS * size)
    return min(rate, frames * 9 // 10)


class Clock(Elaboratable):
    """Drives the domain `sync` from the crystal through the PLL; reset until it locks, and `RESET_CLOCKS` longer."""

    def elaborate(self, board: ICEBreakerPlatform) -> Module:
        """PLL, and a counter in a domain of its own that the reset does not touch."""
        m = Module()
        pll_clock = Signal()
        locked = Signal()
        steady = Signal()
        m.submodules.pll = Instance(
            "SB_PLL40_PAD",
            p_FEEDBACK_PATH="SIMPLE",
            **{f"p_{name}": value for name, value in PLL.items()},
            io_PACKAGEPIN=board.request("clk12", dir="-").io,
            i_RESETB=1,
            i_BYPASS=0,
            o_PLLOUTGLOBAL=pll_clock,
            o_LOCK=locked,
        )
        m.domains.start = ClockDomain(reset_less=True, local=True)
        m.d.comb += [ClockSignal("sync").eq(pll_clock), ClockSignal("start").eq(pll_clock)]

        m.submodules.lock = FFSynchronizer(locked, steady, o_domain="start")
        wait = Signal(range(RESET_CLOCKS + 1))
        reset = Signal(init=1)
        with m.If(~steady):
            m.d.start += wait.eq(0)
        with m.Elif(wait != RESET_CLOCKS):
            m.d.start += wait.eq(wait + 1)
        m.d.start += reset.eq(wait != RESET_CLOCKS)
        m.d.comb += ResetSignal("sync").eq(reset)
        return m


class Top(Elaboratable):
    """The whole design for `platform()`.

    Parameters
    ----------
    config : CodecConfig
    source : str
        `pattern` or `pmod`.
    output : str
        `pmod` or `uart`.
    rate : int
        Frames a second.

    Attributes
    ----------
    core : Core
    rate, banks, frame_clocks : int
        As built: frames a second, packets stored, clocks of a frame.

    Raises
    ------
    ConfigError
        If the source has too few pins for the width, the memory is too small, or the frames come faster than the
        clock allows.
    """

    def __init__(self, config: CodecConfig, *, source: str, output: str, rate: int) -> None:
        if source == "pmod" and config.width > ADC_PINS:
            raise ConfigError(f"width: {config.width} bits exceed the {ADC_PINS} ADC pins; give at most {ADC_PINS}")
        if config.channels * rate > CLOCK_HZ:
            raise ConfigError(
                f"channels: {config.channels} at {rate} Hz are more than a sample a clock; "
                f"give at most {CLOCK_HZ // rate}"
            )
        self.config = config
        self.source = source
        self.output = output
        self.rate = pattern_rate(config, output, rate) if source == "pattern" else rate
        self.banks = banks(config, self.rate)
        self.frame_clocks = round(CLOCK_HZ / self.rate)
        self.core = Core(config, banks=self.banks, frame_clocks=self.frame_clocks)

    def _make_source(self, board: ICEBreakerPlatform) -> Any:
        if self.source == "pattern":
            return Pattern(self.config.channels, self.config.width, rate=self.rate / CLOCK_HZ)
        adc = board.request("adc", dir="-")
        return PmodInput((adc.low + adc.high)[: self.config.width], adc.strobe, adc.mark)

    def _make_sink(self, board: ICEBreakerPlatform) -> Any:
        if self.output == "uart":
            return UartTransmitter(board.request("uart", dir="-").tx, divisor=BAUD_DIVISOR)
        pins = board.request("packets", dir="-")
        return PmodOutput(pins.data, pins.strobe, pins.last, pins.ready)

    def elaborate(self, board: ICEBreakerPlatform) -> Module:
        """Ask the platform for the pins that this source and output use, and connect."""
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.clock = Clock()
        m.submodules.system = System(
            self.core,
            self._make_source(board),
            self._make_sink(board),
            pause=board.request("button", dir="-"),
            alive=board.request("led_g", dir="-"),
            fault=board.request("led_r", dir="-"),
        )
        return m
