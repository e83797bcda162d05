"""Stage `huffman`: folded residuals by canonical Huffman codes; the law is `model.codec.huffman`.

A core is built for so many tables of so many symbols each. A set's table may be shorter: its escape is then the
build's last symbol, and those between have no code word.
"""

from typing import Any

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.arithmetic import delayed
from hw.delta import delta_layout
from hw.load import VALUE_BITS, Table, load_layout
from hw.marks import MARKS
from hw.memory import table
from hw.number import Number
from hw.rice import rice_layout, running_mean
from model.spec.config import MAX_WIDTH, CodecConfig, ConfigError
from model.spec.huffman import LENGTH, LEVEL_STEPS_BITS, LEVELS, MAX_LENGTH, code_words
from model.spec.numbers import Format
from model.spec.spikey import Tables

WORD = data.StructLayout({"word": Number(Format(MAX_LENGTH)), "length": Number(LENGTH)})
CHOICE_AT = 8  # of the low bits, in a choice's word of the image
LENGTH_AT = 8  # of a length, in the second word of its symbol


class Huffman(wiring.Component):
    """Code word of a residual; its tables are loaded, and the running mean that chooses among them is kept in RAM.

    Parameters
    ----------
    config : CodecConfig
    tables : int
        Codes that it has room for.
    symbols : int
        Of each, a power of two, the escape among them.

    Members
    -------
    i : In, stream of `delta_layout`, always ready
    o : Out, stream of `rice_layout` with `huffman`, always ready
    load : In, `hw.load.load_layout`
        Choices and codes, as `choice_words` and `table_words` give them; while one comes, no sample may, so that no
        memory of theirs is read where it is written.

    Latency
    -------
    `LATENCY` clocks. A channel may return after `DEPTH` clocks: its mean is written two clocks after it was read.

    Throughput
    ----------
    One sample a clock.

    Model
    -----
    `model.codec.huffman`: `level`, `code_word`; `model.codec.rice`: `fold`, `adapt`

    Raises
    ------
    ValueError
        If `symbols` is no power of two.
    """

    LATENCY = 7
    DEPTH = 3

    def __init__(self, config: CodecConfig, tables: int, symbols: int) -> None:
        if symbols < 2 or symbols & (symbols - 1):
            raise ValueError(f"symbols: {symbols}; give a power of two, at least 2")
        self.config = config
        self.tables = tables
        self.symbols = symbols
        super().__init__(
            {
                "i": In(stream.Signature(delta_layout(config), always_ready=True)),
                "o": Out(stream.Signature(rice_layout(config, huffman=True), always_ready=True)),
                "load": In(load_layout(config.width, 2 * tables * symbols)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width, escape = self.config.width, self.symbols - 1
        choice_layout = data.StructLayout({"table": range(self.tables), "low": range(width + 1)})
        m.submodules.choices = choices = table(choice_layout, LEVELS)
        m.submodules.codes = codes = table(WORD, self.tables * self.symbols)
        m.submodules.escapes = escapes = table(WORD, self.tables)
        self._load(m, choices, codes, escapes)
        choice_read, code_read, escape_read = (memory.read_port() for memory in (choices, codes, escapes))

        # Clock 1: fold, while the mean is read. Clock 2: the mean is adapted.
        came = running_mean(m, self.config, self.i)
        came.adapt(m)
        token = data.StructLayout({"valid": 1, "code": width, "folded": width, "marks": MARKS})
        tokens = [Signal(token, name="token_2")]
        m.d.sync += [
            tokens[0].valid.eq(came.valid),
            tokens[0].code.eq(came.residual.code),
            tokens[0].folded.eq(came.folded),
            tokens[0].marks.eq(came.residual.marks),
        ]
        for _ in range(4):
            tokens.append(delayed(m, tokens[-1]))
        mean = delayed(m, came.mean)

        # Clock 3: its level's choice is read.
        m.d.comb += choice_read.addr.eq(level(m, mean))

        # Clock 4: the symbol, or the escape if there is none such.
        choice, symbol = delayed(m, choice_read.data), Signal(range(self.symbols))
        above = tokens[1].folded >> choice_read.data.low
        m.d.sync += symbol.eq(Mux(above < escape, above, escape))

        # Clock 5: its code word is read, and the escape's.
        m.d.comb += [code_read.addr.eq(Cat(symbol, choice.table)), escape_read.addr.eq(choice.table)]
        low = delayed(m, choice.low)
        escapes_5 = delayed(m, symbol == escape)

        # Clock 6: the escape's, if the symbol has none.
        escaped, chosen = Signal(), Signal(WORD)
        m.d.comb += escaped.eq(escapes_5 | (code_read.data.length == 0))
        m.d.sync += chosen.eq(Mux(escaped, escape_read.data, code_read.data))
        bits = delayed(m, Mux(escaped, width, low)[: len(low)])  # that follow as they are

        # Clock 7: they follow.
        last = tokens[4]
        ones = Cat(bits > position for position in range(width))
        m.d.sync += [
            self.o.valid.eq(last.valid),
            self.o.payload.code.eq(last.code),
            self.o.payload.marks.eq(last.marks),
            self.o.payload.value.eq((chosen.word << bits) | (last.folded & ones)),
            self.o.payload.length.eq(chosen.length + bits),
        ]
        return m

    def _load(self, m: Module, choices: Memory, codes: Memory, escapes: Memory) -> None:
        """Words of the image to their tables; the first of a symbol waits for the second.

        A table's escape comes last: of its words in `escapes`, that is the one that stays.
        """
        load, earlier, place = self.load, Signal(VALUE_BITS), (self.symbols - 1).bit_length()
        writes = load.write & (load.table == Table.CODES)
        with m.If(writes & ~load.address[0]):
            m.d.sync += earlier.eq(load.value)
        choice, code, escape = (memory.write_port() for memory in (choices, codes, escapes))
        complete = writes & load.address[0]
        word = Cat(earlier, load.value[: MAX_LENGTH - VALUE_BITS])
        m.d.comb += [
            choice.en.eq(load.write & (load.table == Table.CHOICES)),
            choice.addr.eq(load.address),
            choice.data.table.eq(load.value[:CHOICE_AT]),
            choice.data.low.eq(load.value[CHOICE_AT:]),
            code.en.eq(complete),
            code.addr.eq(load.address[1:]),
            escape.en.eq(complete),
            escape.addr.eq(load.address[1 + place :]),
        ]
        for port in (code, escape):
            m.d.comb += [port.data.word.eq(word), port.data.length.eq(load.value[LENGTH_AT:])]


def level(m: Module, mean: Value) -> Signal:
    """Four for each bit of `mean`, and the two bits behind its first one; a priority chain."""
    out, padded = Signal(range(LEVELS), name="level"), Cat(Const(0, LEVEL_STEPS_BITS), mean)
    for position in range(len(mean)):
        with m.If(mean[position]):
            m.d.comb += out.eq(Cat(padded[position : position + LEVEL_STEPS_BITS], Const(position + 1)))
    return out


def choice_words(found: Tables, width: int) -> list[int]:
    """Of each level: its table in the lower byte, low bits in the upper. Levels beyond those of `width` get zeros.

    Raises
    ------
    ConfigError
        If more low bits are chosen than a code has.
    """
    levels = LEVELS - ((MAX_WIDTH - width) << LEVEL_STEPS_BITS)
    reached = found.choices[:levels]
    if len(reached) and reached[:, 1].max() > width:
        raise ConfigError(f"parameter table 'choices': {reached[:, 1].max()} low bits; give at most {width}, the width")
    words = (reached[:, 0] | reached[:, 1] << CHOICE_AT).tolist()
    return words + [0] * (LEVELS - len(words))


def table_words(found: Tables, tables: int, symbols: int) -> list[int]:
    """Two words a symbol of every table: the code word's lower 16 bits; its rest, and its length in the upper byte.

    Parameters
    ----------
    found : model.spec.spikey.Tables
    tables, symbols : int
        That the gates are built for. A shorter table has its escape as their last symbol.

    Raises
    ------
    ConfigError
        If the set has more of them.
    """
    rows, own = found.huffman.shape
    if rows > tables or own > symbols:
        raise ConfigError(
            f"parameter table 'huffman': {rows} tables of {own} symbols; the core is built for {tables} of {symbols}"
        )
    placed = np.zeros((tables, symbols, 2), np.int64)
    for row, lengths in zip(placed, found.huffman, strict=False):
        words = np.stack([code_words(lengths), lengths], axis=1)
        row[: own - 1], row[-1] = words[:-1], words[-1]
    words, lengths = placed[..., 0], placed[..., 1]
    halves = [words & ((1 << VALUE_BITS) - 1), words >> VALUE_BITS | lengths << LENGTH_AT]
    return np.stack(halves, axis=-1).ravel().tolist()
