"""What stands on every board: a source of samples, the core, a sink of packet bytes, two LEDs and a button.

The core of a parameterised profile gets its set from a receiver of images as well.
"""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.wiring import In, Out

BLINK_BITS = 24  # 2**24 clocks: 0.83 s at 20.25 MHz


class Light(wiring.Component):
    """Makes a short event visible.

    Members
    -------
    beat : In(1)
        Once a blink period.
    event : In(1)
    lit : Out(1)
        High for the whole period that follows one with an event in it.
    """

    def __init__(self) -> None:
        super().__init__({"beat": In(1), "event": In(1), "lit": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Collect events until the beat, then show them."""
        m = Module()
        seen = Signal()
        with m.If(self.beat):
            m.d.sync += [self.lit.eq(seen), seen.eq(self.event)]
        with m.Elif(self.event):
            m.d.sync += seen.eq(1)
        return m


class System(wiring.Component):
    """Source, core and sink in a row.

    Parameters
    ----------
    core : Core
    source : component with a sample stream `o`
    sink : component with a byte stream `i`
    images : component with the ports of `hw.boards.image.ImageReceiver`, or None
        For a core that needs a parameter set.
    pause, alive, fault : ports of 1 pin
        `pause` (in): high stops recording at the next frame; a packet begun is closed. `alive` (out): blinks evenly
        while packets leave, else flashes shortly. `fault` (out): lit after a dropped packet or a broken frame; for
        good when so many packets were dropped that their counter stands still, and while no parameter set is loaded.
    blink_bits : int
        log2 of the blink period in clocks.
    """

    def __init__(
        self,
        core: Any,
        source: Any,
        sink: Any,
        *,
        images: Any = None,
        pause: io.PortLike,
        alive: io.PortLike,
        fault: io.PortLike,
        blink_bits: int = BLINK_BITS,
    ) -> None:
        self._parts = core, source, sink
        self._images = images
        self._pins = pause, alive, fault
        self._blink_bits = blink_bits
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        """Connect; nothing here touches a sample."""
        m = Module()
        m.submodules.core, m.submodules.source, m.submodules.sink = core, source, sink = self._parts
        pause_pin, alive_pin, fault_pin = self._pins
        m.submodules.pause = pause = io.FFBuffer("i", pause_pin)
        m.submodules.alive = alive = io.FFBuffer("o", alive_pin)
        m.submodules.fault = fault = io.FFBuffer("o", fault_pin)

        enable, hold, loaded = Signal(), Signal(), Signal(init=1)
        m.d.sync += enable.eq(~pause.i & ~hold)
        m.d.comb += [
            core.enable.eq(enable),
            core.s_axis_tdata.eq(source.o.payload.code),
            core.s_axis_tuser.eq(source.o.payload.mark),
            core.s_axis_tvalid.eq(source.o.valid),
            sink.i.payload.byte.eq(core.m_axis_tdata),
            sink.i.payload.last.eq(core.m_axis_tlast),
            sink.i.valid.eq(core.m_axis_tvalid),
            core.m_axis_tready.eq(sink.i.ready),
        ]

        blink = Signal(self._blink_bits)
        beat = Signal()
        m.d.sync += [blink.eq(blink + 1), beat.eq(blink == 0)]

        if self._images is not None:
            m.submodules.images = images = self._images
            m.d.comb += [
                images.beat.eq(beat),
                hold.eq(images.hold),
                core.p_axis_tdata.eq(images.o.payload.value),
                core.p_axis_tuser.eq(images.o.payload.first),
                core.p_axis_tvalid.eq(images.o.valid),
                images.o.ready.eq(core.p_axis_tready),
                loaded.eq(core.loaded),
            ]

        m.submodules.packets = packets = Light()
        m.submodules.faults = faults = Light()
        counters = core.dropped_packets, core.short_frames, core.long_frames, core.missing_frames, core.overruns
        parity = Cat(counter[0] for counter in counters)  # the lowest bit tells that a counter has moved
        parity_before = Signal.like(parity)
        full = Signal()
        m.d.sync += [parity_before.eq(parity), full.eq(core.dropped_packets.all())]
        m.d.comb += [
            packets.beat.eq(beat),
            faults.beat.eq(beat),
            packets.event.eq(core.m_axis_tvalid & core.m_axis_tready & core.m_axis_tlast),
            faults.event.eq((parity != parity_before) | full),
            alive.o.eq(blink[-1] & (packets.lit | blink[-4:-1].all())),
            fault.o.eq(faults.lit | ~loaded),
        ]
        return m
