"""Loads a parameter set at run time, and refuses one that is not whole.

The image (`model.spec.calibrated.image`) comes as words of 16 bits: the tables in the order of `hw.load.Table`, the
set's name, and a CRC-32 of all before. Only when the last word has come and the check agrees is the set `loaded`: the
core records nothing before, and nothing again from the first word of the next image on.
"""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
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
    features : int
        Features of the predictor.

    Members
    -------
    i : In, stream of `WORD_LAYOUT`, always ready
        `first` marks the first word of an image, whatever came before.
    load : Out, `hw.load.load_layout`
    parameter_set : Out, 64
        The set's name.
    loaded : Out
        A whole set is in the tables.

    Throughput
    ----------
    One word a clock.

    Model
    -----
    `model.spec.calibrated.image`
    """

    def __init__(self, config: CodecConfig, features: int) -> None:
        self.config = config
        self.features = features
        super().__init__(
            {
                "i": In(stream.Signature(WORD_LAYOUT, always_ready=True)),
                "load": Out(load_layout(config.width)),
                "parameter_set": Out(8 * packet.PARAMETER_SET.bytes),
                "loaded": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        sizes = {
            Table.EDGES: (1 << self.config.width) + 1,
            Table.POINTS: range_spec.POINTS,
            Table.STEPS: scale_spec.STEPS,
            Table.WEIGHTS: self.features,
            Table.START: 1,
        }
        check = crc.Algorithm(**vars(packet.PACKET_CHECK))(data_width=VALUE_BITS)
        m.submodules.check = processor = crc.Processor(check)
        name_at, check_at = len(sizes), len(sizes) + 1
        lengths = [*sizes.values(), NAME_WORDS, CHECK_WORDS]

        word = self.i.payload
        part, part_now = Signal(range(len(lengths) + 1)), Signal(range(len(lengths) + 1))
        address, address_now = Signal(range(max(lengths))), Signal(range(max(lengths)))
        begins = self.i.valid & word.first
        m.d.comb += [
            part_now.eq(Mux(begins, 0, part)),
            address_now.eq(Mux(begins, 0, address)),
            self.load.write.eq(self.i.valid & (part_now < len(sizes))),
            self.load.table.eq(part_now),
            self.load.address.eq(address_now),
            self.load.value.eq(word.value),
        ]
        last = Signal()
        with m.Switch(part_now):
            for number, length in enumerate(lengths):
                with m.Case(number):
                    m.d.comb += last.eq(address_now == length - 1)
        with m.If(self.i.valid & (part_now < len(lengths))):
            m.d.sync += [part.eq(part_now + last), address.eq(Mux(last, 0, address_now + 1))]

        # The check is taken over all words before it; its own two are compared with what it should be.
        m.d.comb += [
            processor.data.eq(word.value),
            processor.valid.eq(self.i.valid & (part_now < check_at)),
            processor.start.eq(begins),
        ]
        with m.If(self.i.valid & (part_now == name_at)):
            m.d.sync += self.parameter_set.eq(Cat(self.parameter_set[VALUE_BITS:], word.value))
        expected = processor.crc.word_select(address_now[0], VALUE_BITS)
        good = Signal()
        with m.If(self.i.valid & (part_now == check_at)):
            m.d.sync += good.eq((good | (address_now == 0)) & (word.value == expected))
        with m.If(begins):
            m.d.sync += self.loaded.eq(0)
        with m.Elif(self.i.valid & (part_now == check_at) & last):
            m.d.sync += self.loaded.eq(good & (word.value == expected))
        return m
