"""The whole design of a board: the core between a source of samples and a sink of packet bytes."""

from typing import Any, Final

from amaranth.hdl import ClockDomain, Elaboratable, Module
from amaranth.lib import io

from hw.array import Array
from hw.boards import uart
from hw.boards.banks import banks
from hw.boards.board import Board, Clock
from hw.boards.image import LEAD_IN, ImageReceiver
from hw.boards.pattern import Pattern
from hw.boards.pmod import PmodInput, PmodOutput
from hw.boards.system import System
from hw.boards.uart import FRAME_BITS, UartTransmitter
from hw.core import Core
from model.spec import packet
from model.spec.config import CodecConfig, ConfigError, find_profile
from model.spec.operating import ARRAY_FRAMES, has_array

SOURCES: Final = ("pattern", "pmod")
OUTPUTS: Final = ("pmod", "uart")
ADC_PINS: Final = 10


class Top(Elaboratable):
    """The whole design for `board.platform()`.

    Parameters
    ----------
    board : Board
    clock : Clock
        One of the board's.
    config : CodecConfig
    source : str
        `pattern` or `pmod`.
    output : str
        `pmod` or `uart`.
    rate : int
        Frames a second.
    array : Array, optional
        For networks, in a profile with one.

    Attributes
    ----------
    core : Core
    rate, banks, frame_clocks : int
        As built: frames a second, packets stored, clocks of a frame.

    Raises
    ------
    ConfigError
        If the source has too few pins for the width, the memory is too small, samples come faster than the core takes
        them, or frames so slowly that recording has not ended when a parameter set comes.
    """

    def __init__(
        self,
        board: Board,
        clock: Clock,
        config: CodecConfig,
        *,
        source: str,
        output: str,
        rate: int,
        array: Array | None = None,
    ) -> None:
        if source == "pmod" and config.width > ADC_PINS:
            raise ConfigError(f"width: {config.width} bits exceed the {ADC_PINS} ADC pins; give at most {ADC_PINS}")
        self.board = board
        self.clock = clock
        self.config = config
        self.source = source
        self.output = output
        self.divisor = uart.divisor(clock.hz)
        self.rate = self._pattern_rate(rate) if source == "pattern" else rate
        self.banks = banks(config, self.rate, clock.hz)
        self.frame_clocks = round(clock.hz / self.rate)
        more = {} if array is None else array.chain
        self.core = Core(config, banks=self.banks, frame_clocks=self.frame_clocks, **more)
        least = self.core.frame_least
        if least * self.rate > clock.hz:
            raise ConfigError(
                f"rate: {config.channels} channels at {self.rate} Hz leave less than the {least} clocks that a frame "
                f"needs at {clock.mhz:g} MHz; give less"
            )
        if self.core.parameterised:
            self._check_lead_in()

    @property
    def _byte_clocks(self) -> int:
        return self.divisor * FRAME_BITS if self.output == "uart" else 1

    @property
    def _packet_clocks(self) -> int:
        """Clocks that the longest packet takes to leave."""
        overhead = packet.overhead_bytes(key=True, parameter_set=find_profile(self.config.profile).parameterised)
        return self._byte_clocks * (overhead + self.config.raw_bytes(self.config.packet_frames))

    def _pattern_rate(self, rate: int) -> int:
        """Frames a second of the pattern: `rate`, or nine tenths of what the UART carries with every packet raw."""
        if self.output != "uart":
            return rate
        return min(rate, self.clock.hz * self.config.packet_frames // self._packet_clocks * 9 // 10)

    def _check_lead_in(self) -> None:
        """Recording ends with the frame in progress, or when its missing end is noticed; the array ends its frames, and
        packets leave.
        """
        lead_in = LEAD_IN * FRAME_BITS * self.divisor
        frames = 2 + ARRAY_FRAMES * has_array(self.config.profile)
        if frames * self.frame_clocks + 2 * self._packet_clocks > lead_in:
            raise ConfigError(
                f"rate: {self.rate} Hz are too slow for recording to end before a parameter set comes; give more"
            )

    def _make_source(self, platform: Any) -> Any:
        if self.source == "pattern":
            return Pattern(self.config.channels, self.config.width, rate=self.rate / self.clock.hz)
        adc = platform.request("samples", dir="-")
        return PmodInput(adc.code[: self.config.width], adc.strobe, adc.mark)

    def _make_sink(self, platform: Any, tx: io.PortLike) -> Any:
        if self.output == "uart":
            return UartTransmitter(tx, divisor=self.divisor)
        pins = platform.request("packets", dir="-")
        return PmodOutput(pins.data, pins.strobe, pins.last, pins.ready)

    def elaborate(self, platform: Any) -> Module:
        """Ask the platform for the pins that this source and output use, and connect."""
        m = Module()
        if self.clock.make is not None:
            m.domains.sync = ClockDomain()
            m.submodules.clock = self.clock.make()
        serial = platform.request("uart", dir="-")
        m.submodules.system = System(
            self.core,
            self._make_source(platform),
            self._make_sink(platform, serial.tx),
            images=ImageReceiver(serial.rx, divisor=self.divisor) if self.core.parameterised else None,
            pause=platform.request(*self.board.pause, dir="-"),
            alive=platform.request(*self.board.alive, dir="-"),
            fault=platform.request(*self.board.fault, dir="-"),
            blink_bits=self.clock.hz.bit_length() - 1,
        )
        return m
