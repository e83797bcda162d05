"""Loads a parameter set at run time, and refuses one that is not whole.

The image (`model.spec.calibrated.image`) comes as words of 16 bits: the tables in the order of `hw.load.Table`, the
set's name and shifts, and a CRC-32 of all before. Only when the last word has come, the check agrees, and the shifts
and peers are such as the gates are built for, is the set `loaded`: the core records nothing before, and nothing again
from the first word of the next image on.
"""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import crc, data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.load import VALUE_BITS, Table, load_layout
from model.spec import packet
from model.spec import range as range_spec
from model.spec import scale as scale_spec
from model.spec.config import CodecConfig

WORD_LAYOUT = data.StructLayout({"value": VALUE_BITS, "first": 1})
NAME_WORDS = 8 * packet.PARAMETER_SET.bytes // VALUE_BITS
CHECK_WORDS = 8 * packet.PACKET_CHECK_BYTES // VALUE_BITS


class Loader(wiring.Component):
    """Words of an image, each to its table.

    Parameters
    ----------
    config : CodecConfig
    shifts : sequence of int
        Rates of the predictor's features.

    Members
    -------
    i : In, stream of `WORD_LAYOUT`
        `first` marks the first word of an image, whatever came before.
    idle : In
        No table is in use. Nothing may begin to use one in the clocks after one with `waits`.
    waits : Out
        A word waits to be written.
    load : Out, `hw.load.load_layout`
    loaded : Out
        A whole set is in the tables.

    Throughput
    ----------
    A word in `WORD_CLOCKS` clocks: the check takes it bit by bit. One is taken whatever is in use, and waits.

    Model
    -----
    `model.spec.calibrated.image`
    """

    WORD_CLOCKS = VALUE_BITS + 3

    def __init__(self, config: CodecConfig, shifts: Sequence[int]) -> None:
        self.config = config
        self.shifts = tuple(shifts)
        super().__init__(
            {
                "i": In(stream.Signature(WORD_LAYOUT)),
                "idle": In(1),
                "waits": Out(1),
                "load": Out(load_layout(config.width)),
                "loaded": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        sizes = {
            Table.EDGES: (1 << self.config.width) + 1,
            Table.POINTS: range_spec.POINTS,
            Table.STEPS: scale_spec.STEPS,
            Table.WEIGHTS: len(self.shifts) + bool(self.config.peers),
            Table.START: 1,
            Table.NAME: NAME_WORDS,
            Table.SHIFTS: len(self.shifts),
            **({Table.PEERS: self.config.channels} if self.config.peers else {}),
        }
        check = crc.Algorithm(**vars(packet.PACKET_CHECK))(data_width=1)
        m.submodules.check = processor = crc.Processor(check)
        check_at = len(sizes)
        lengths = [*sizes.values(), CHECK_WORDS]

        # A word waits until no table is in use; `still` tells that none was a clock ago, when it waited already.
        value, first, still, left = Signal(VALUE_BITS), Signal(), Signal(), Signal(range(VALUE_BITS + 1))
        write = Signal()
        m.d.comb += [self.i.ready.eq(~self.waits & (left == 0)), write.eq(self.waits & still)]
        m.d.sync += still.eq(self.waits & self.idle)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [value.eq(self.i.payload.value), first.eq(self.i.payload.first), self.waits.eq(1)]
        with m.Elif(write):
            m.d.sync += self.waits.eq(0)

        part, address = Signal(range(len(lengths) + 1)), Signal(range(max(lengths)))
        begins = write & first
        m.d.comb += [
            self.load.write.eq(write & (part < len(sizes))),
            self.load.table.eq(part),
            self.load.address.eq(address),
            self.load.value.eq(value),
        ]
        last = Signal()
        with m.Switch(part):
            for number, length in enumerate(lengths):
                with m.Case(number):
                    m.d.comb += last.eq(address == length - 1)
        with m.If(self.i.valid & self.i.ready & self.i.payload.first):
            m.d.sync += [part.eq(0), address.eq(0)]
        with m.Elif(write & (part < len(lengths))):
            m.d.sync += [part.eq(part + last), address.eq(Mux(last, 0, address + 1))]

        # The check is taken over all words before it, lowest bit first; its own two are compared with what it gives.
        m.d.comb += [processor.data.eq(value[0]), processor.valid.eq(left != 0), processor.start.eq(begins)]
        with m.If(write & (part < check_at)):
            m.d.sync += left.eq(VALUE_BITS)
        with m.Elif(left != 0):
            m.d.sync += [value.eq(value >> 1), left.eq(left - 1)]
        expected = processor.crc.word_select(address[0], VALUE_BITS)
        good, agrees, suits = Signal(), Signal(), Signal()
        m.d.comb += agrees.eq((good | (address == 0)) & (value == expected))
        with m.If(begins):
            m.d.sync += self.loaded.eq(0)
        with m.Elif(write & (part == check_at)):
            m.d.sync += [good.eq(agrees), self.loaded.eq(last & agrees & suits)]
        with m.If(begins):
            m.d.sync += suits.eq(1)
        with m.Elif(write & (part == Table.SHIFTS) & (value != Array(self.shifts)[address])):
            m.d.sync += suits.eq(0)
        near = (value != 0) & (value < self.config.lanes)
        if self.config.peers:
            with m.Elif(write & (part == Table.PEERS) & (near | (value > address))):
                m.d.sync += suits.eq(0)
        return m
