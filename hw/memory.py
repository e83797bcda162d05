"""Memories, one component each for the hard block and for its behavioural twin."""

from typing import Any

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Shape, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

SPRAM_DEPTH = 16384
SPRAM_WIDTH = 16


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

    A channel that is written in the clock in which it is read gives either state: the pipeline's spacing of
    a channel's samples (`Frame`) excludes it.
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
        m.submodules.memory = memory = Memory(shape=self.width, depth=self.channels, init=[])
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            read.addr.eq(self.read),
            self.data.eq(read.data),
            write.addr.eq(self.write),
            write.data.eq(self.value),
            write.en.eq(self.enable),
        ]
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
