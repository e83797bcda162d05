"""The array for networks: filter bank, projector, MiddleOut, predictor and head of all channels, a frame at a time.

The law is `model.codec.network`, and `filter_all` and `gather` of `model.codec.wavelet`.
"""

from typing import Any

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed
from hw.geometry import Geometry
from hw.load import Table, load_layout
from hw.mac import Mac, sample_layout
from hw.sequencer import Sequencer, parts
from model.spec.network import OUTPUT


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
    """Cores in lockstep, with one microcode for all.

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
        They, two clocks later, in `model.spec.network.OUTPUT`.
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

    GET_LATENCY = 2

    def __init__(self, geometry: Geometry, width: int) -> None:
        self.geometry = geometry
        self.width = width
        place = place_layout(geometry)
        put = data.StructLayout({"write": 1, "place": place, "sample": sample_layout(geometry)})
        super().__init__(
            {
                "put": In(put),
                **dict.fromkeys(("start", "key", "bank"), In(1)),
                **dict.fromkeys(("busy", "done"), Out(1)),
                "get": In(place),
                "outputs": Out(data.ArrayLayout(signed(OUTPUT.width), geometry.outputs)),
                "load": In(load_layout(width, max(sizes(geometry).values()))),
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

        # Constants come core by core; on their way to all of them they wait a clock more.
        later = delayed(m, load)
        inner = geometry.loaded << geometry.slot_bits
        low, core_number = (inner - 1).bit_length(), load.address >> (inner - 1).bit_length()
        found = []
        for n in range(geometry.cores):
            m.submodules[f"core_{n}"] = core = Mac(geometry)
            m.d.comb += [
                core.step.eq(sequencer.step),
                core.factor.eq(sequencer.factor),
                core.drain.eq(sequencer.drain),
                core.put.write.eq(self.put.write & (self.put.place.core == n)),
                core.put.bank.eq(self.put.place.bank),
                core.put.slot.eq(self.put.place.slot),
                core.put.sample.eq(self.put.sample),
                core.get.bank.eq(self.get.bank),
                core.get.slot.eq(self.get.slot),
                core.load.write.eq(delayed(m, load.write & (load.table == Table.CONSTANTS) & (core_number == n))),
                core.load.address.eq(later.address[:low]),
                core.load.value.eq(later.value),
            ]
            found.append(core.outputs.as_value())
        m.d.sync += self.outputs.as_value().eq(Array(found)[delayed(m, self.get.core)])
        return m


def sizes(geometry: Geometry) -> dict[Table, int]:
    """Words of the tables that load an array."""
    return {
        Table.PROGRAM: geometry.steps * parts(geometry.step.size),
        Table.RESULTS: geometry.results * parts(geometry.result.size),
        Table.CONSTANTS: geometry.cores * (geometry.loaded << geometry.slot_bits),
    }
