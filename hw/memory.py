"""Memories, one component each for the hard block and for its behavioural twin."""

from typing import Any

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Shape, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

SPRAM_DEPTH = 16384
SPRAM_WIDTH = 16

# For yosys, before synthesis: no memory here is read at a word that is written in the same clock, so that no gates are
# needed for that case. Of every memory it is said why.
UNDEFINED_COLLISIONS = "setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2"


def table(shape: Any, depth: int) -> Memory:
    """Memory with one port to write and others to read; what is read while it is written is not defined."""
    return Memory(shape=shape, depth=depth, init=[])


class ChannelRam(wiring.Component):
    """State of all channels: one read and one write a clock; block RAM on FPGAs.

    Parameters
    ----------
    channels : int
    shape : ShapeLike
        One channel's state.

    Members
    -------
    read : In, unsigned
        Channel to read.
    data : Out, shape
        Its state, one clock later.
    write, value, enable : In
        Channel to write, its state, and whether.

    No channel may be read in the clock in which it is written: the pipeline's spacing of a channel's samples (`Frame`)
    sees to that.
    """

    def __init__(self, channels: int, shape: Any) -> None:
        self.channels = channels
        self.width = Shape.cast(shape).width
        super().__init__(
            {
                "read": In(range(channels)),
                "data": Out(shape),
                "write": In(range(channels)),
                "value": In(shape),
                "enable": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = table(self.width, self.channels)
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            read.addr.eq(self.read),
            self.data.eq(read.data),
            write.addr.eq(self.write),
            write.data.eq(self.value),
            write.en.eq(self.enable),
        ]
        return m


class StateRam(wiring.Component):
    """State of all channels, which come in the order of a frame: it counts them itself, when they are read and again
    when they are written.

    Parameters
    ----------
    channels : int
    shape : ShapeLike
        One channel's state.

    Members
    -------
    read, read_frame : In
        Read the next channel's state, or that of channel 0.
    data : Out, shape
        The state, one clock later.
    write, write_frame, value : In
        Write the next channel's state, or that of channel 0.

    A channel must have been written before it is read again: the depth of the pipeline (`Turns`) says when.
    """

    def __init__(self, channels: int, shape: Any) -> None:
        self.channels = channels
        self.width = Shape.cast(shape).width
        strobes = dict.fromkeys(("read", "read_frame", "write", "write_frame"), In(1))
        super().__init__({**strobes, "data": Out(shape), "value": In(shape)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = table(self.width, self.channels)
        write, read = memory.write_port(), memory.read_port()
        for port, strobe, frame in ((read, self.read, self.read_frame), (write, self.write, self.write_frame)):
            channel = Signal(range(self.channels + 1))
            m.d.comb += port.addr.eq(Mux(frame, 0, channel))
            with m.If(strobe):
                m.d.sync += channel.eq(port.addr + 1)
        m.d.comb += [self.data.eq(read.data), write.data.eq(self.value), write.en.eq(self.write)]
        return m


class DelayLine(wiring.Component):
    """A value some clocks later, in block RAM; after a reset first zeros, as many as that.

    Parameters
    ----------
    shape : ShapeLike
    clocks : int
        At least 2.

    Members
    -------
    i : In, shape
    o : Out, shape
    """

    def __init__(self, shape: Any, clocks: int) -> None:
        self.width = Shape.cast(shape).width
        self.clocks = clocks
        super().__init__({"i": In(shape), "o": Out(shape)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        depth = 1 << (self.clocks - 1).bit_length()
        m.submodules.memory = memory = table(self.width, depth)
        write, read, at = memory.write_port(), memory.read_port(), Signal(range(depth))
        empty = Signal(range(self.clocks + 1), init=self.clocks)
        m.d.sync += [at.eq(at + 1), empty.eq(Mux(empty == 0, 0, empty - 1))]
        m.d.comb += [
            write.addr.eq(at),
            write.data.eq(self.i),
            write.en.eq(1),
            read.addr.eq(at - (self.clocks - 1)),
            self.o.eq(Mux(empty == 0, read.data, 0)),
        ]
        return m


class Queue(wiring.Component):
    """First in, first out, in block RAM.

    Parameters
    ----------
    shape : ShapeLike
    depth : int
        A power of two. One more fits, that at the head.

    Members
    -------
    push, value : In
        Ignored if there is no room.
    there, data : Out
        The head.
    pop : In
        Take it; only while it is there.
    waits : Out
        Something waits behind the head.
    level : Out
        How many do.
    place : Out
        Of what is pushed, in the memory.

    Latency
    -------
    2 clocks.
    """

    LATENCY = 2

    def __init__(self, shape: Any, depth: int) -> None:
        self.depth = depth
        self.width = Shape.cast(shape).width
        flags = {"push": In(1), "there": Out(1), "waits": Out(1), "pop": In(1)}
        super().__init__(
            {
                **flags,
                "value": In(shape),
                "data": Out(shape),
                "level": Out(range(depth + 1)),
                "place": Out(range(depth)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = table(self.width, self.depth)
        write, read = memory.write_port(), memory.read_port()
        begin, end = Signal(range(2 * self.depth)), Signal(range(2 * self.depth))
        fetch = Signal()
        m.d.comb += [
            self.level.eq((end - begin)[: len(end)]),
            self.place.eq(end),
            write.addr.eq(end),
            write.data.eq(self.value),
            write.en.eq(self.push & (self.level != self.depth)),
            self.waits.eq(end != begin),
            fetch.eq(self.waits & (~self.there | self.pop)),
            read.addr.eq(begin),
            read.en.eq(fetch),
            self.data.eq(read.data),
        ]
        m.d.sync += [end.eq(end + write.en), begin.eq(begin + fetch)]
        m.d.sync += self.there.eq(fetch | (self.there & ~self.pop))
        return m


class SinglePortRam(wiring.Component):
    """A large memory with one access a clock: SB_SPRAM256KA on iCE40UP5K, a plain memory elsewhere.

    Parameters
    ----------
    depth, width : int
        Words, and bits of a word.

    Members
    -------
    address : In
    enable : In
        Access in this clock.
    write : In
        The access is a write of `value`.
    value : In
    data : Out
        The word read by the last access, from the next clock on until the next access.

    Latency
    -------
    1 clock.
    """

    def __init__(self, depth: int, width: int) -> None:
        self.depth = depth
        self.width = width
        super().__init__(
            {
                "address": In(range(depth)),
                "enable": In(1),
                "write": In(1),
                "value": In(width),
                "data": Out(width),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if getattr(platform, "device", None) == "iCE40UP5K":
            self._hard(m)
        else:
            m.submodules.memory = memory = Memory(shape=unsigned(self.width), depth=self.depth, init=[])
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(self.address),
                write.data.eq(self.value),
                write.en.eq(self.enable & self.write),
                read.addr.eq(self.address),
                read.en.eq(self.enable & ~self.write),
                self.data.eq(read.data),
            ]
        return m

    def _hard(self, m: Module) -> None:
        rows = -(-self.depth // SPRAM_DEPTH)
        columns = -(-self.width // SPRAM_WIDTH)
        offset = self.address[:14] if len(self.address) > 14 else self.address
        row = self.address[14:] if rows > 1 else Const(0, 1)
        last_row = Signal.like(row)
        with m.If(self.enable):
            m.d.sync += last_row.eq(row)
        value = Cat(self.value, Const(0, columns * SPRAM_WIDTH - self.width))
        outputs = []
        for r in range(rows):
            words = []
            for c in range(columns):
                word = Signal(SPRAM_WIDTH, name=f"word_{r}_{c}")
                selected = Signal(name=f"selected_{r}_{c}")
                m.d.comb += selected.eq(self.enable & (row == r))
                m.submodules[f"spram_{r}_{c}"] = Instance(
                    "SB_SPRAM256KA",
                    i_CLOCK=ClockSignal("sync"),
                    i_ADDRESS=offset | Const(0, 14),
                    i_DATAIN=value[c * SPRAM_WIDTH : (c + 1) * SPRAM_WIDTH],
                    i_MASKWREN=Const(0b1111, 4),
                    i_WREN=selected & self.write,
                    i_CHIPSELECT=selected,
                    i_STANDBY=Const(0),
                    i_SLEEP=Const(0),
                    i_POWEROFF=Const(1),
                    o_DATAOUT=word,
                )
                words.append(word)
            outputs.append(Cat(*words)[: self.width])
        data = outputs[0]
        for r in range(1, rows):
            data = Mux(last_row == r, outputs[r], data)
        m.d.comb += self.data.eq(data)
