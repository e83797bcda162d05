"""Samples from PMOD pins, and packet bytes to PMOD pins.

*In*: an ADC (or its controller) puts a code and the frame mark on pins and raises `strobe`, at its own pace. Data and
mark must stand from the rising edge of `strobe` until one clock after it (with pin skew: 5 ns before to 60 ns after at
20.25 MHz, 30 ns at 50 MHz); `strobe` must stay high, and low, for more than one clock each (60 ns, 30 ns).

*Out*: source-synchronous, up to a byte a clock. Data and `last` change where a clock begins; `strobe` rises in the
middle of the clock and falls at its end, so that a receiver that samples on the rising edge has half a clock (24.7 ns
at 20.25 MHz, 10 ns at 50 MHz) of setup and of hold. `ready` may fall at any time; up to `READY_SLACK` more bytes still
come.
"""

from amaranth.hdl import ClockSignal, Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.wiring import In, Out

from hw.boards.streams import byte_stream, sample_stream

READY_SLACK = 3  # bytes under way: two synchronising registers and the output register


class PmodInput(wiring.Component):
    """Takes a sample on each rising edge of a foreign strobe.

    Parameters
    ----------
    data : input port of `width` pins
    strobe, mark : input port of 1 pin

    Members
    -------
    o : sample stream

    Latency
    -------
    A sample leaves 2 or 3 clocks after its strobe's edge.
    """

    def __init__(self, data: io.PortLike, strobe: io.PortLike, mark: io.PortLike) -> None:
        self._pins = {"data": data, "strobe": strobe, "mark": mark}
        super().__init__({"o": Out(sample_stream(len(data)))})

    def elaborate(self, platform: object) -> Module:
        """Two registers on every pin, the first one in the pin itself, and an edge detector."""
        m = Module()
        pins = {}
        for name, port in self._pins.items():
            m.submodules[name] = pin = io.FFBuffer("i", port)
            pins[name] = Signal(len(port), name=f"settled_{name}", reset_less=True)
            m.d.sync += pins[name].eq(pin.i)

        # High at reset, and what it remembers follows the pin even then: a strobe found high is not taken for an edge.
        before = Signal(init=1)
        m.d.sync += before.eq(pins["strobe"])
        m.d.comb += [
            self.o.valid.eq(pins["strobe"] & ~before),
            self.o.payload.code.eq(pins["data"]),
            self.o.payload.mark.eq(pins["mark"]),
        ]
        return m


class ClockStrobe(wiring.Component):
    """A pin that is low in the first half of each clock and repeats `i` in the second one.

    Parameters
    ----------
    port : output port of 1 pin

    Members
    -------
    i : In(1)

    Latency
    -------
    1 clock, as that of `amaranth.lib.io.FFBuffer`.
    """

    def __init__(self, port: io.PortLike) -> None:
        self._port = port
        super().__init__({"i": In(1)})

    def elaborate(self, platform: object) -> Module:
        """The pin's double-data-rate register; in simulation, which has none, the same from the clock."""
        m = Module()
        if isinstance(self._port, io.SimulationPort):
            m.submodules.pin = pin = io.Buffer("o", self._port)
            held = Signal()
            m.d.sync += held.eq(self.i)
            m.d.comb += pin.o.eq(held & ~ClockSignal())
        else:
            m.submodules.pin = ddr = io.DDRBuffer("o", self._port)
            m.d.comb += [ddr.o[0].eq(0), ddr.o[1].eq(self.i)]
        return m


class PmodOutput(wiring.Component):
    """Sends packet bytes on eight pins with strobe and last, and hears ready.

    Parameters
    ----------
    data : output port of 8 pins
    strobe, last : output port of 1 pin
    ready : input port of 1 pin

    Members
    -------
    i : byte stream

    Throughput
    ----------
    A byte a clock.
    """

    def __init__(self, data: io.PortLike, strobe: io.PortLike, last: io.PortLike, ready: io.PortLike) -> None:
        self._data = data
        self._strobe = strobe
        self._last = last
        self._ready = ready
        super().__init__({"i": In(byte_stream())})

    def elaborate(self, platform: object) -> Module:
        """Registers in the pins, both ways."""
        m = Module()
        m.submodules.data = data = io.FFBuffer("o", self._data)
        m.submodules.last = last = io.FFBuffer("o", self._last)
        m.submodules.strobe = strobe = ClockStrobe(self._strobe)
        m.submodules.ready = ready = io.FFBuffer("i", self._ready)
        heard = Signal()
        m.d.sync += heard.eq(ready.i)
        m.d.comb += [
            self.i.ready.eq(heard),
            data.o.eq(self.i.payload.byte),
            last.o.eq(self.i.payload.last),
            strobe.i.eq(self.i.valid & heard),
        ]
        return m
