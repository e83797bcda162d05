"""Stage `rice`: adaptive Rice code with a bounded escape; the law is `model.codec.rice`."""

from typing import Any, NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import bit_length, round_half_up
from hw.delta import delta_layout
from hw.load import Table, load_layout
from hw.marks import MARKS
from hw.memory import ChannelRam
from hw.number import Number
from model.spec.config import CodecConfig
from model.spec.huffman import MAX_LENGTH
from model.spec.numbers import Format
from model.spec.rice import ESCAPE_ZEROS, MAX_CODE_BITS, MEAN_FRACTION, MEAN_SHIFT, initial_mean, mean_format
from model.spec.spikey import ADAPTIVE


def rice_layout(config: CodecConfig, huffman: bool = False) -> data.StructLayout:
    """A sample with its code word: `value` written in `length` bits; with `huffman`, also for words of that stage."""
    longest = MAX_LENGTH + config.width
    return data.StructLayout(
        {
            "code": Number(Format(config.width)),
            "value": Number(Format(longest if huffman else config.width)),
            "length": range((longest if huffman else MAX_CODE_BITS) + 1),
            "marks": MARKS,
        }
    )


class Rice(wiring.Component):
    """Code word of a residual; the running mean that chooses `k` is kept in RAM: `width + 5` bits a channel.

    Parameters
    ----------
    config : CodecConfig
    parameterised : bool
        Whether a parameter set says how `k` is found.

    Members
    -------
    i : In, stream of `delta_layout`, always ready
    o : Out, stream of `rice_layout`, always ready
    load : In, `hw.load.load_layout`, if parameterised
        `coder`: below `model.spec.spikey.ADAPTIVE` it is `k`, at most `width - 1`; while it comes, no sample may.

    Latency
    -------
    3 clocks. A channel may return after 3 clocks: its mean is written two clocks after it was read.

    Throughput
    ----------
    One sample a clock.

    Model
    -----
    `model.codec.rice`: `fold`, `parameter`, `adapt`, `code_word`
    """

    LATENCY = 3
    DEPTH = 3

    def __init__(self, config: CodecConfig, parameterised: bool = False) -> None:
        self.config = config
        self.parameterised = parameterised
        super().__init__(
            {
                "i": In(stream.Signature(delta_layout(config), always_ready=True)),
                "o": Out(stream.Signature(rice_layout(config), always_ready=True)),
                **({"load": In(load_layout(config.width))} if parameterised else {}),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = self.config.width

        # Clock 1: fold, while the mean is read.
        came = running_mean(m, self.config, self.i)
        valid, residual, folded = came.valid, came.residual, came.folded

        # Clock 2: choose the parameter, adapt the mean.
        coded, k, unary = Signal.like(valid), Signal(range(width)), Signal(width)
        code, value, marks = Signal(width), Signal(width), Signal(MARKS)
        m.d.sync += [
            coded.eq(valid),
            code.eq(residual.code),
            value.eq(folded),
            marks.eq(residual.marks),
            k.eq(self._choose(m, parameter(m, came.mean, width))),
        ]
        came.adapt(m)

        # Clock 3: the code word.
        ones = Signal(width)  # the low k bits
        escape = Signal()
        m.d.comb += [
            unary.eq(value >> k),
            ones.eq(Cat(k > position for position in range(width))),
            escape.eq(unary >= ESCAPE_ZEROS),
        ]
        m.d.sync += [
            self.o.valid.eq(coded),
            self.o.payload.code.eq(code),
            self.o.payload.value.eq(Mux(escape, value, (value & ones) | (Cat(1, ones) & ~ones))),
            self.o.payload.length.eq(Mux(escape, ESCAPE_ZEROS + width, unary[:4] + 1 + k)),
            self.o.payload.marks.eq(marks),
        ]
        return m

    def _choose(self, m: Module, adaptive: Value) -> Value:
        if not self.parameterised:
            return adaptive
        word, greatest = self.load.value, self.config.width - 1
        adapts, fixed = Signal(init=1), Signal(range(greatest + 1))
        with m.If(self.load.write & (self.load.table == Table.CODER)):
            m.d.sync += [adapts.eq(word >= ADAPTIVE), fixed.eq(Mux(word > greatest, greatest, word))]
        return Mux(adapts, adaptive, fixed)


class Folded(NamedTuple):
    """A sample in the clock after the one in which it came.

    Parameters
    ----------
    valid : Signal
    residual : data.View of `delta_layout`
    folded : Signal
    mean : Signal
        Of the channel's folded residuals, before this one.
    ram : ChannelRam
        That it is kept in.
    """

    valid: Signal
    residual: Any
    folded: Signal
    mean: Signal
    ram: ChannelRam

    def adapt(self, m: Module) -> None:
        """Keep the mean that this residual moves: it is written in the next clock."""
        m.d.sync += [
            self.ram.write.eq(self.residual.channel),
            self.ram.value.eq(adapt(self.mean, self.folded)),
            self.ram.enable.eq(self.valid & self.residual.marks.sample),
        ]


def running_mean(m: Module, config: CodecConfig, came: Any) -> Folded:
    """Fold what comes on a stream of `delta_layout`, while its channel's mean is read."""
    width, mean_number = config.width, Number(mean_format(config.width))
    m.submodules.mean = ram = ChannelRam(config.channels, mean_number)
    valid, residual, folded = Signal(), Signal(delta_layout(config)), Signal(width)
    m.d.comb += ram.read.eq(came.payload.channel)
    m.d.sync += [valid.eq(came.valid), residual.eq(came.payload), folded.eq(fold(came.payload.residual))]
    mean = Signal(mean_number)
    m.d.comb += mean.eq(Mux(residual.marks.restart, initial_mean(width), ram.data))
    return Folded(valid, residual, folded, mean, ram)


def fold(residual: Value) -> Value:
    """0, -1, 1, -2, ... to 0, 1, 2, 3, ..."""
    negative = residual[-1]
    return Cat(negative, residual[:-1] ^ negative.replicate(len(residual) - 1))


def parameter(m: Module, mean: Value, width: int) -> Value:
    """`k` for this mean."""
    scaled = Signal(range(((mean_format(width).maximum * 17) >> (MEAN_FRACTION + 5)) + 1))
    m.d.comb += scaled.eq((mean + (mean >> 4)) >> (MEAN_FRACTION + 1))
    length = bit_length(m, scaled)
    return Mux(length > width - 1, width - 1, length)


def adapt(mean: Value, folded: Value) -> Value:
    """The mean after `folded`."""
    return mean + round_half_up((folded << MEAN_FRACTION) - mean, MEAN_SHIFT)
