"""Loads a parameter set at run time, and refuses one that is not whole.

The image (that of calibrated: `model.spec.calibrated.image`) comes as words of 16 bits: the profile's tables, and a
CRC-32 of all before. Only when the last word has come, the check agrees, and what is fixed, peers and links are such as
the gates are built for, is the set `loaded`: the core records nothing before, and nothing again from the first word of
the next image on.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from amaranth.hdl import Array, Module, Mux, Signal, Value
from amaranth.lib import crc, data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.load import VALUE_BITS, Table, load_layout
from model.spec import packet
from model.spec.config import CodecConfig

WORD_LAYOUT = data.StructLayout({"value": VALUE_BITS, "first": 1})
CHECK_WORDS = 8 * packet.PACKET_CHECK_BYTES // VALUE_BITS
FEW: Final = 16  # words that are fixed in gates; more stand in a memory


class Loader(wiring.Component):
    """Words of an image, each to its table.

    Parameters
    ----------
    config : CodecConfig
    sizes : mapping of Table to int
        Words of each table, at least 1, in the order of the image.
    fixed : mapping of Table to sequence of int
        Of those, the words of tables that the gates are built for: a set with others is refused.

    Raises
    ------
    ValueError
        If a fixed table has not the words that it should have.

    Members
    -------
    i : In, stream of `WORD_LAYOUT`
        `first` marks the first word of an image, whatever came before.
    idle : In
        No table is in use. Nothing may begin to use one in the clocks after one with `waits`.
    waits : Out
        A word waits to be written.
    load : Out, `hw.load.load_layout` with the longest table of the image
    loaded : Out
        A whole set is in the tables.

    Throughput
    ----------
    A word in `WORD_CLOCKS` clocks: the check takes it bit by bit. One is taken whatever is in use, and waits.
    """

    WORD_CLOCKS = VALUE_BITS + 3

    def __init__(
        self, config: CodecConfig, sizes: Mapping[Table, int], fixed: Mapping[Table, Sequence[int]] | None = None
    ) -> None:
        self.config = config
        self.sizes = dict(sizes)
        self.fixed = {table: tuple(words) for table, words in (fixed or {}).items()}
        for table, words in self.fixed.items():
            if len(words) != self.sizes.get(table):
                raise ValueError(f"fixed: {table.name} has {len(words)} words; give {self.sizes.get(table, 'none')}")
        super().__init__(
            {
                "i": In(stream.Signature(WORD_LAYOUT)),
                "idle": In(1),
                "waits": Out(1),
                "load": Out(load_layout(config.width, max(self.sizes.values()))),
                "loaded": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        tables = list(self.sizes)
        check = crc.Algorithm(**vars(packet.PACKET_CHECK))(data_width=1)
        m.submodules.check = processor = crc.Processor(check)
        check_at = len(tables)
        lengths = [*self.sizes.values(), CHECK_WORDS]

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
            self.load.write.eq(write & (part < len(tables))),
            self.load.table.eq(part),
            self.load.address.eq(address),
            self.load.value.eq(value),
        ]
        last = Signal()
        with m.Switch(part):
            for number, length in enumerate(lengths):
                with m.Case(number):
                    m.d.comb += last.eq(address == length - 1)
                    if number < check_at and tables[number] != number:
                        m.d.comb += self.load.table.eq(tables[number])
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
        misfits = self._misfits(m, value, address)
        with m.If(begins):
            m.d.sync += suits.eq(~misfits[tables[0]] if tables[0] in misfits else 1)
        for table, misfit in misfits.items():
            with m.Elif(write & (part == tables.index(table)) & misfit):
                m.d.sync += suits.eq(0)
        return m

    def _misfits(self, m: Module, value: Value, address: Value) -> dict[Table, Value]:
        """Of each table with words that can be refused, whether this one is."""
        found = {table: value != self._fixed(m, table, address) for table in self.fixed}
        if Table.PEERS in self.sizes:
            near = (value != 0) & (value < self.config.lanes) if self.config.peers else 0
            found[Table.PEERS] = near | (value > address)
        if Table.LINKS in self.sizes:
            found[Table.LINKS] = (address == 0) & (value > packet.MOST_LINKS)
        return found

    def _fixed(self, m: Module, table: Table, address: Value) -> Value:
        """The word of a fixed table; `address` is there a clock at least before it is needed."""
        words = self.fixed[table]
        if len(words) <= FEW:
            return Array(words)[address]
        rom = Memory(shape=max(1, max(words).bit_length()), depth=len(words), init=words)
        m.submodules[f"{table.name.lower()}_fixed"] = rom
        read = rom.read_port()
        m.d.comb += read.addr.eq(address)
        return read.data
