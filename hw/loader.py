"""Loads a parameter set at run time, and refuses one that is not whole.

The image (`model.spec.calibrated.image`) comes as words of 16 bits: the tables in the order of `hw.load.Table`, the
set's name, and a CRC-32 of all before. Only when the last word has come and the check agrees is the set `loaded`: the
core records nothing before, and nothing again from the first word of the next image on.
"""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
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
    i : In, stream of `WORD_LAYOUT`
        `first` marks the first word of an image, whatever came before.
    load : Out, `hw.load.load_layout`
    loaded : Out
        A whole set is in the tables.

    Throughput
    ----------
    A word in 17 clocks: the check takes it bit by bit.

    Model
    -----
    `model.spec.calibrated.image`
    """

    def __init__(self, config: CodecConfig, features: int) -> None:
        self.config = config
        self.features = features
        super().__init__(
            {
                "i": In(stream.Signature(WORD_LAYOUT)),
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
            Table.WEIGHTS: self.features,
            Table.START: 1,
            Table.NAME: NAME_WORDS,
        }
        check = crc.Algorithm(**vars(packet.PACKET_CHECK))(data_width=1)
        m.submodules.check = processor = crc.Processor(check)
        check_at = len(sizes)
        lengths = [*sizes.values(), CHECK_WORDS]

        word = self.i.payload
        part, part_now = Signal(range(len(lengths) + 1)), Signal(range(len(lengths) + 1))
        address, address_now = Signal(range(max(lengths))), Signal(range(max(lengths)))
        taken = self.i.valid & self.i.ready
        begins = taken & word.first
        m.d.comb += [
            part_now.eq(Mux(begins, 0, part)),
            address_now.eq(Mux(begins, 0, address)),
            self.load.write.eq(taken & (part_now < len(sizes))),
            self.load.table.eq(part_now),
            self.load.address.eq(address_now),
            self.load.value.eq(word.value),
        ]
        last = Signal()
        with m.Switch(part_now):
            for number, length in enumerate(lengths):
                with m.Case(number):
                    m.d.comb += last.eq(address_now == length - 1)
        with m.If(taken & (part_now < len(lengths))):
            m.d.sync += [part.eq(part_now + last), address.eq(Mux(last, 0, address_now + 1))]

        # The check is taken over all words before it, lowest bit first; its own two are compared with what it should be.
        bits, left = Signal(VALUE_BITS), Signal(range(VALUE_BITS + 1))
        m.d.comb += [
            self.i.ready.eq(left == 0),
            processor.data.eq(bits[0]),
            processor.valid.eq(left != 0),
            processor.start.eq(begins),
        ]
        with m.If(taken & (part_now < check_at)):
            m.d.sync += [bits.eq(word.value), left.eq(VALUE_BITS)]
        with m.Elif(left != 0):
            m.d.sync += [bits.eq(bits >> 1), left.eq(left - 1)]
        expected = processor.crc.word_select(address_now[0], VALUE_BITS)
        good, agrees = Signal(), Signal()
        m.d.comb += agrees.eq((good | (address_now == 0)) & (word.value == expected))
        with m.If(begins):
            m.d.sync += self.loaded.eq(0)
        with m.Elif(taken & (part_now == check_at)):
            m.d.sync += [good.eq(agrees), self.loaded.eq(last & agrees)]
        return m
