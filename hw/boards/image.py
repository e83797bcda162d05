"""A parameter set on its way from the UART to the core.

What is sent (`message`): `LEAD_IN` bytes `LEAD`, one byte `BEGIN`, and the words of `model.spec.calibrated.image` or
`hw.neural.image`, the lower byte of each first. Recording is held from the first byte on; the lead-in lasts until the
frame in progress has ended and the packets of the set before have left, so that a word that comes finds the core
waiting for it. Recording goes on when the core has the whole set. The next message may come after a silence: a lost
byte spoils its own message only, and the core's check finds it.
"""

from typing import Final

import numpy as np
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import io, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.boards.uart import UartReceiver
from hw.loader import WORD_LAYOUT

LEAD: Final = 0x55
BEGIN: Final = 0xD5
LEAD_IN: Final = 1 << 15  # bytes: 0.33 s at 1 Mbaud


def message(image: np.ndarray, lead_in: int = LEAD_IN) -> bytes:
    """The bytes to send.

    Parameters
    ----------
    image : ndarray of uint16
        `model.spec.calibrated.image` or `hw.neural.image`.
    lead_in : int
        Bytes before it.
    """
    return bytes([LEAD]) * lead_in + bytes([BEGIN]) + image.astype("<u2").tobytes()


class ImageReceiver(wiring.Component):
    """Bytes from a pin, words to the core.

    Parameters
    ----------
    rx : input port of 1 pin
    divisor : int
        As of `UartReceiver`.

    Members
    -------
    beat : In
        Silence is the time from one beat to the next without a byte, at least.
    hold : Out
        Recording must be held: from the first byte after a silence until the core has taken a word, and so is without
        a set, or until the next silence.
    o : Out, stream of `hw.loader.WORD_LAYOUT`
        Must be taken within the ten bits of a byte: what comes while a word waits is lost, and the image with it.

    Model
    -----
    `message`
    """

    def __init__(self, rx: io.PortLike, *, divisor: int) -> None:
        self._rx = rx
        self._divisor = divisor
        super().__init__({"beat": In(1), "hold": Out(1), "o": Out(stream.Signature(WORD_LAYOUT))})

    def elaborate(self, platform: object) -> Module:
        """One word in a shift register of two bytes."""
        m = Module()
        m.submodules.uart = uart = UartReceiver(self._rx, divisor=self._divisor)
        byte, came = uart.o.payload, uart.o.valid

        active, heard = Signal(), Signal()  # a byte has come since the last silence, since the last beat
        with m.If(came):
            m.d.sync += [active.eq(1), heard.eq(1)]
        with m.Elif(self.beat):
            m.d.sync += [active.eq(heard), heard.eq(0)]

        begun, taken, upper = Signal(), Signal(), Signal()
        word = self.o.payload
        m.d.comb += self.hold.eq(active & ~taken)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [self.o.valid.eq(0), word.first.eq(0), taken.eq(1)]
        with m.Elif(came & begun & ~self.o.valid):
            m.d.sync += [word.value.eq(Cat(word.value[8:], byte)), upper.eq(~upper), self.o.valid.eq(upper)]
        with m.Elif(came & ~begun & (byte == BEGIN)):
            m.d.sync += [begun.eq(1), upper.eq(0), word.first.eq(1)]
        with m.If(~active):
            m.d.sync += [begun.eq(0), taken.eq(0)]
        return m
