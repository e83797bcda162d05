"""The array for networks: filter bank, projector, MiddleOut, predictor and head of all channels, a frame at a time.

The law is `model.codec.network`, and `filter_all` and `gather` of `model.codec.wavelet`.
"""

from typing import Any, Final

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed
from hw.geometry import Geometry
from hw.load import Table, load_layout
from hw.mac import Mac, control_layout, drain_layout, factor_layout, sample_layout
from hw.sequencer import Sequencer, parts
from model.spec.network import OUTPUT

GROUP: Final = 4  # cores that are driven in the same clock, if there are not too many groups
MOST_GROUPS: Final = 8


def place_layout(geometry: Geometry) -> data.StructLayout:
    """Where a channel's samples and outputs stand."""
    return data.StructLayout({"bank": 1, "core": range(geometry.cores), "slot": geometry.slot_bits})


class Places(wiring.Component):
    """Counts channels of a frame through the cores and slots that serve them.

    Parameters
    ----------
    geometry : hw.geometry.Geometry

    Members
    -------
    begin : In
        This channel is a frame's first.
    step : In
        Go on to the next one.
    core, slot : Out
        Of this channel.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        shape = {"core": Out(range(geometry.cores)), "slot": Out(geometry.slot_bits)}
        super().__init__({"begin": In(1), "step": In(1), **shape})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        core, slot = Signal.like(self.core), Signal.like(self.slot)
        m.d.comb += [self.core.eq(Mux(self.begin, 0, core)), self.slot.eq(Mux(self.begin, 0, slot))]
        last = self.slot == self.geometry.slots - 1
        with m.If(self.step):
            m.d.sync += [core.eq(self.core + last), slot.eq(Mux(last, 0, self.slot + 1))]
        return m


class Network(wiring.Component):
    """Equal cores with one microcode: all do the same, each group of them a clock later than the one before.

    Parameters
    ----------
    geometry : hw.geometry.Geometry
    width : int
        Bits of a code.

    Members
    -------
    put : In
        Write a channel's `sample` (`hw.mac.sample_layout`) at a `place`, for a frame that will be worked on.
    start, key, bank : In
        Work on the frame whose samples are in `bank`; `key`: it is the first one of a key packet. Only while not busy.
    busy : Out
    done : Out
        The frame's outputs are in `bank`: the last clock in which it is busy.
    get : In, place
        Outputs to be read.
    outputs : Out
        They, `get_latency` clocks later, in `model.spec.network.OUTPUT`.
    load : In, `hw.load.load_layout`
        Microcode and constants; only while not busy.

    Latency
    -------
    `hw.microcode.Program.clocks` from `start` to `done`.

    Throughput
    ----------
    A frame in as many clocks, and one more; a sample put and an output read a clock meanwhile.

    Model
    -----
    `model.codec.network`: `project`, `predict`; `model.codec.wavelet`: `filter_all`, `gather`
    """

    def __init__(self, geometry: Geometry, width: int) -> None:
        self.geometry = geometry
        self.width = width
        place = place_layout(geometry)
        put = data.StructLayout({"write": 1, "place": place, "sample": sample_layout(geometry)})
        load = load_layout(width, max(sizes(geometry).values()))
        orders = {"step": control_layout(geometry), "factor": factor_layout(geometry), "drain": drain_layout(geometry)}
        self._told = data.StructLayout({**orders, "put": put, "get": place, "load": load})
        super().__init__(
            {
                "put": In(put),
                **dict.fromkeys(("start", "key", "bank"), In(1)),
                **dict.fromkeys(("busy", "done"), Out(1)),
                "get": In(place),
                "outputs": Out(data.ArrayLayout(signed(OUTPUT.width), geometry.outputs)),
                "load": In(load),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        geometry, load = self.geometry, delayed(m, self.load)
        m.submodules.sequencer = sequencer = Sequencer(geometry)
        m.d.comb += [sequencer.start.eq(self.start), sequencer.key.eq(self.key), sequencer.bank.eq(self.bank)]
        m.d.comb += self.done.eq(sequencer.done)
        with m.If(self.start):
            m.d.sync += self.busy.eq(1)
        with m.Elif(self.done):
            m.d.sync += self.busy.eq(0)
        for port, name in ((sequencer.steps, Table.PROGRAM), (sequencer.results, Table.RESULTS)):
            mine = load.write & (load.table == name)
            m.d.comb += [port.write.eq(mine), port.begin.eq(load.address == 0), port.value.eq(load.value)]

        # What drives the cores goes along them, a group a clock, and so does what is read of them. No signal has to
        # reach all of them in a clock, and each sees the same sequence.
        told = Signal(self._told)
        m.d.comb += [
            told.step.eq(sequencer.step),
            told.factor.eq(sequencer.factor),
            told.drain.eq(sequencer.drain),
            told.put.eq(self.put),
            told.get.eq(self.get),
            told.load.eq(load),
        ]
        found: Value = Const(0)
        for number, group in enumerate(groups(geometry.cores)):
            told = delayed(m, told, reset=False) if number else told
            own = Array(self._core(m, n, told) for n in group)
            chosen = delayed(m, told.get.core, reset=False)
            found = delayed(
                m, Mux(chosen < group.start, found, own[(chosen - group.start)[: len(chosen)]]), reset=False
            )
        m.d.comb += self.outputs.as_value().eq(found)
        return m

    def _core(self, m: Module, number: int, told: Any) -> Value:
        """A core that is told this; returns its outputs."""
        m.submodules[f"core_{number}"] = core = Mac(self.geometry)
        # Constants come core by core, a clock later.
        bits = (self.geometry.loaded * (1 << self.geometry.slot_bits) - 1).bit_length()
        load = told.load
        mine = load.write & (load.table == Table.CONSTANTS) & (load.address >> bits == number)
        m.d.comb += [
            core.step.eq(told.step),
            core.factor.eq(told.factor),
            core.drain.eq(told.drain),
            core.put.write.eq(told.put.write & (told.put.place.core == number)),
            core.put.bank.eq(told.put.place.bank),
            core.put.slot.eq(told.put.place.slot),
            core.put.sample.eq(told.put.sample),
            core.get.bank.eq(told.get.bank),
            core.get.slot.eq(told.get.slot),
            core.load.write.eq(delayed(m, mine)),
            core.load.address.eq(delayed(m, load.address[:bits])),
            core.load.value.eq(delayed(m, load.value)),
        ]
        return core.outputs.as_value()


def groups(cores: int) -> list[range]:
    """Cores that are told the same in the same clock, each group a clock after the one before."""
    size = max(GROUP, -(-cores // MOST_GROUPS))
    return [range(begin, min(begin + size, cores)) for begin in range(0, cores, size)]


def get_latency(geometry: Geometry) -> int:
    """Clocks from `Network.get` to `Network.outputs`."""
    return 1 + len(groups(geometry.cores))


def sizes(geometry: Geometry) -> dict[Table, int]:
    """Words of the tables that load an array."""
    return {
        Table.PROGRAM: geometry.steps * parts(geometry.step.size),
        Table.RESULTS: geometry.results * parts(geometry.result.size),
        Table.CONSTANTS: geometry.cores * (geometry.loaded << geometry.slot_bits),
    }
