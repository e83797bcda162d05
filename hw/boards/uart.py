"""UART transmitter, 8N1: the packets' bytes for a first light; their boundaries are found by the sync word in them."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.wiring import In

from hw.boards.streams import byte_stream

FRAME_BITS = 10  # start, eight data bits from the least significant one on, stop


class UartTransmitter(wiring.Component):
    """Sends bytes on a pin.

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
