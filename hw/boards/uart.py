"""UART, 8N1: packets' bytes out for a first light, a parameter set's bytes in."""

from typing import Final

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import io, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.boards.streams import byte_stream

FRAME_BITS: Final = 10  # start, eight data bits from the least significant one on, stop
BAUD: Final = 1_000_000
TOLERANCE: Final = 0.02  # of the baud, on one side; the receiver bears 3 % in all


def divisor(clock_hz: int) -> int:
    """Clocks of a bit at `BAUD`; raises ValueError if no whole number of them is within 2 %."""
    clocks = max(1, round(clock_hz / BAUD))
    if abs(clock_hz / clocks / BAUD - 1) > TOLERANCE:
        raise ValueError(f"clock_hz: {clock_hz} is no multiple of {BAUD} baud within 2 %; give another clock")
    return clocks


class UartTransmitter(wiring.Component):
    """Sends bytes on a pin; packets' boundaries are found by the sync word in them.

    Parameters
    ----------
    tx : output port of 1 pin
    divisor : int
        Clocks of a bit, at least 2.

    Members
    -------
    i : byte stream
        `last` is not used.

    Throughput
    ----------
    A byte in `10 * divisor` clocks; the line is never idle while bytes wait.
    """

    def __init__(self, tx: io.PortLike, *, divisor: int) -> None:
        if divisor < 2:
            raise ValueError(f"divisor: {divisor} clocks a bit are not possible; give at least 2")
        self._tx = tx
        self.divisor = divisor
        super().__init__({"i": In(byte_stream())})

    def elaborate(self, platform: object) -> Module:
        """A shift register whose idle level is the stop bit."""
        m = Module()
        m.submodules.tx = tx = io.FFBuffer("o", self._tx)

        shift = Signal(FRAME_BITS, init=-1)
        left = Signal(range(FRAME_BITS + 1))  # bits still to begin after the present one
        clocks = Signal(range(self.divisor))  # clocks left of the present bit, less one
        m.d.comb += [
            tx.o.eq(shift[0]),
            self.i.ready.eq((clocks == 0) & (left == 0)),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                shift.eq(Cat(Const(0, 1), self.i.payload.byte, Const(1, 1))),
                left.eq(FRAME_BITS - 1),
                clocks.eq(self.divisor - 1),
            ]
        with m.Elif(clocks != 0):
            m.d.sync += clocks.eq(clocks - 1)
        with m.Elif(left != 0):
            m.d.sync += [
                shift.eq(Cat(shift[1:], Const(1, 1))),
                left.eq(left - 1),
                clocks.eq(self.divisor - 1),
            ]
        return m


class UartReceiver(wiring.Component):
    """Takes bytes from a pin.

    Parameters
    ----------
    rx : input port of 1 pin
    divisor : int
        Clocks of a bit, at least 4. The sender's bits may be 3 % longer or shorter from 6 clocks on.

    Members
    -------
    o : Out, stream of 8 bits, always ready
        A byte when the middle of its stop bit has been seen. A low level there is a framing error: the byte is dropped.
        So is a start bit that is high in its middle.

    Latency
    -------
    A byte leaves 2 or 3 clocks after the middle of its stop bit.
    """

    def __init__(self, rx: io.PortLike, *, divisor: int) -> None:
        if divisor < 4:
            raise ValueError(f"divisor: {divisor} clocks a bit are not possible; give at least 4")
        self._rx = rx
        self.divisor = divisor
        super().__init__({"o": Out(stream.Signature(8, always_ready=True))})

    def elaborate(self, platform: object) -> Module:
        """Two registers on the pin; from a falling edge on, a look at the middle of every bit."""
        m = Module()
        m.submodules.rx = rx = io.FFBuffer("i", self._rx)
        level, before = Signal(init=1), Signal(init=1)
        m.d.sync += [level.eq(rx.i), before.eq(level)]

        busy = Signal()
        left = Signal(range(FRAME_BITS))  # bits that come after the present one
        clocks = Signal(range(self.divisor))  # clocks left to the middle of the present bit
        m.d.comb += self.o.valid.eq(busy & (clocks == 0) & (left == 0) & level)
        with m.If(~busy):
            m.d.sync += [
                busy.eq(before & ~level),
                left.eq(FRAME_BITS - 1),
                clocks.eq((self.divisor - 1) // 2 - 1),
            ]
        with m.Elif(clocks != 0):
            m.d.sync += clocks.eq(clocks - 1)
        with m.Else():
            glitch = level & (left == FRAME_BITS - 1)
            m.d.sync += [
                busy.eq((left != 0) & ~glitch),
                left.eq(left - 1),
                clocks.eq(self.divisor - 1),
            ]
            with m.If(left != 0):  # the start bit is shifted out again by the eighth data bit
                m.d.sync += self.o.payload.eq(Cat(self.o.payload[1:], level))
        return m
