"""Stage `lms`: adaptive linear prediction in the calibrated domain; the law is `model.codec.lms`."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import round_half_up, saturate, sign
from hw.calibrate import calibrate_layout
from hw.load import Table, load_layout
from hw.memory import StateRam
from hw.multiplier import Multiplier
from hw.number import Number
from hw.peer import Peer, knows_peers
from model.spec.calibrate import CENTRE_FRACTION, EDGE_FRACTION, centre_format, edge_format
from model.spec.config import CodecConfig
from model.spec.lms import QUICK_STEP, STEP, WEIGHT, difference_format

SHIFTS = (2, 4)  # rates of the features that the gates are built for by default


AHEAD = data.StructLayout({"valid": 1, "frame": 1})


def lms_layout(config: CodecConfig) -> data.StructLayout:
    """A sample with its prediction; its value is not needed any more."""
    kept = {name: shape for name, shape in calibrate_layout(config).members.items() if name != "value"}
    return data.StructLayout({**kept, "mu": Number(edge_format(config.width))})


def state_layout(config: CodecConfig, features: int) -> data.StructLayout:
    """State of a channel; the last weight is the peer's, if there are peers."""
    return data.StructLayout(
        {
            "last": Number(centre_format(config.width)),
            "differences": data.ArrayLayout(Number(difference_format(config.width)), features),
            "weights": data.ArrayLayout(Number(WEIGHT), features + knows_peers(config)),
        }
    )


def missed_layout(config: CodecConfig) -> data.StructLayout:
    """A sample's value, and the prediction's error in the fractions of edges."""
    value, edge = centre_format(config.width), edge_format(config.width)
    return data.StructLayout({"value": Number(value), "error": signed(edge.width + 2)})


class Lms(wiring.Component):
    """Prediction from the channel's past.

    Parameters
    ----------
    config : CodecConfig
        With peers or links, it is built for whichever peers are loaded.
    shifts : sequence of int
        Rates of the features; those of the parameter set that is loaded.

    Members
    -------
    advance : In
        A token comes: what this block remembers moves on.
    i : In, stream of `hw.calibrate.calibrate_layout`, always ready
    o : Out, stream of `lms_layout`, always ready
    ahead : Out
        `valid` and `frame` of the sample after that at `o`.
    missed : Out, `missed_layout`
        Of the sample at `o`.
    load : In, `hw.load.load_layout`
        Start weights, and peers.

    Latency
    -------
    `LATENCY` clocks. A channel may return after `DEPTH` clocks: its state is written in the last of them.

    Throughput
    ----------
    One sample a clock, with links one in `hw.peer.Peer.SPACING`. A multiplier a feature; the peer's product is made of
    adders, with links by a multiplier, too.

    Model
    -----
    `model.codec.lms`: `predict`, `adapt`
    """

    LATENCY = 3
    DEPTH = 4

    def __init__(self, config: CodecConfig, shifts: Sequence[int] = SHIFTS) -> None:
        self.config = config
        self.shifts = tuple(shifts)
        super().__init__(
            {
                "advance": In(1, init=1),
                "i": In(stream.Signature(calibrate_layout(config), always_ready=True)),
                "o": Out(stream.Signature(lms_layout(config), always_ready=True)),
                "ahead": Out(AHEAD),
                "missed": Out(missed_layout(config)),
                "load": In(load_layout(config.width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        features = range(len(self.shifts))
        peers = knows_peers(self.config)
        inputs = range(len(self.shifts) + peers)
        layout = calibrate_layout(self.config)
        number, state_form = edge_format(self.config.width), state_layout(self.config, len(self.shifts))
        m.submodules.state = ram = StateRam(self.config.channels, state_form)

        starts = self._starts(m, len(inputs))

        # Clock 1: the state is read.
        valid_1, sample_1 = Signal(), Signal(layout)
        m.d.comb += [ram.read.eq(self.i.valid), ram.read_frame.eq(self.i.payload.frame)]
        m.d.sync += [valid_1.eq(self.i.valid), sample_1.eq(self.i.payload)]
        # Clock 2: products, and the differences as they will be.
        opening = sample_1.pace.opening
        last = Signal(Number(centre_format(self.config.width)))
        differences = [Signal(Number(difference_format(self.config.width)), name=f"difference_{n}") for n in inputs]
        weights = [Signal(Number(WEIGHT), name=f"weight_{n}") for n in inputs]
        m.d.comb += last.eq(Mux(opening, sample_1.value, ram.data.last))
        m.d.comb += [weights[n].eq(Mux(opening, starts[n], ram.data.weights[n])) for n in inputs]
        m.d.comb += [differences[n].eq(Mux(opening, 0, ram.data.differences[n])) for n in features]
        if peers:
            m.submodules.peer = peer = Peer(self.config)
            m.d.comb += [
                peer.read.eq(self.i.valid),
                peer.read_frame.eq(self.i.payload.frame),
                peer.load.eq(self.load),
                differences[-1].eq(Mux(opening, 0, peer.data)),
            ]
        valid_2, sample_2, last_2 = Signal(), Signal(layout), Signal.like(last)
        signs, weights_2 = [], []
        for n in inputs:
            signs.append(Signal(signed(2), name=f"sign_{n}"))
            weights_2.append(Signal.like(weights[n]))
            m.d.sync += [signs[n].eq(sign(differences[n])), weights_2[n].eq(weights[n])]
        m.d.sync += [valid_2.eq(valid_1), sample_2.eq(sample_1), last_2.eq(last)]
        products = [self._product(m, n, weights[n], differences[n]) for n in inputs]
        changed = self._changed(m, sample_1.value - last, differences[: len(features)])

        # Clock 3: the prediction.
        mu = Signal(Number(number))
        valid_3, sample_3 = Signal(), Signal(layout)
        rise, fall = EDGE_FRACTION - CENTRE_FRACTION, WEIGHT.fraction + CENTRE_FRACTION - EDGE_FRACTION
        expected = (last_2 << rise) + round_half_up(sum(products), fall)
        m.d.sync += [
            valid_3.eq(valid_2),
            sample_3.eq(sample_2),
            mu.eq(saturate(expected, -number.maximum, number.maximum)),
        ]
        signs_3, weights_3 = [Signal.like(s) for s in signs], [Signal.like(w) for w in weights_2]
        changed_3 = [Signal.like(c) for c in changed]
        now = zip([*signs_3, *weights_3, *changed_3], [*signs, *weights_2, *changed], strict=True)
        m.d.sync += [new.eq(old) for new, old in now]

        # Clock 4, in which the prediction is known outside: the weights move against the error; the state is written.
        missed = (sample_3.value << rise) - mu
        pace = Mux(sample_3.pace.quick, QUICK_STEP, STEP)
        error = Cat((sample_3.value << rise) != mu, missed < 0)  # its sign; a comparison is there before the difference
        m.d.comb += [
            ram.write.eq(valid_3),
            ram.write_frame.eq(sample_3.frame),
            ram.value.last.eq(sample_3.value),
        ]
        m.d.comb += [ram.value.differences[n].eq(changed_3[n]) for n in features]
        m.d.comb += [ram.value.weights[n].eq(_moved(weights_3[n], error, signs_3[n], pace)) for n in inputs]
        if peers:
            m.d.comb += [peer.write.eq(valid_3), peer.write_frame.eq(sample_3.frame), peer.missed.eq(missed)]
        out = self.o.payload
        m.d.comb += [
            self.o.valid.eq(valid_3),
            out.mu.eq(mu),
            self.ahead.valid.eq(valid_2),
            self.ahead.frame.eq(sample_2.frame),
            self.missed.value.eq(sample_3.value),
            self.missed.error.eq(missed),
        ]
        m.d.comb += [getattr(out, name).eq(getattr(sample_3, name)) for name, _ in layout if name != "value"]
        return m

    def _starts(self, m: Module, number: int) -> list[Signal]:
        """Start weights, as they were loaded."""
        starts = [Signal(Number(WEIGHT), name=f"start_{n}") for n in range(number)]
        for n, start in enumerate(starts):
            with m.If(self.load.write & (self.load.table == Table.WEIGHTS) & (self.load.address == n)):
                m.d.sync += start.eq(self.load.value)
        return starts

    def _product(self, m: Module, n: int, weight: Signal, difference: Signal) -> Signal:
        """A weight times what it weighs, registered."""
        hard = n < len(self.shifts) or bool(self.config.links)
        product = Multiplier(weight.shape(), difference.shape(), hard=hard)
        m.submodules[f"product_{n}"] = product
        m.d.comb += [product.advance.eq(self.advance), product.a.eq(weight), product.b.eq(difference)]
        return product.o

    def _changed(self, m: Module, step: Value, differences: Sequence[Signal]) -> list[Signal]:
        """The differences after a value that is `step` above the last one, registered."""
        form = difference_format(self.config.width)
        total = before = step
        changed = []
        for n, shift in enumerate(self.shifts):
            total = total + differences[n]
            move = round_half_up(total, shift) if shift else differences[n]
            new = differences[n] + before - move
            changed.append(Signal(Number(form), name=f"changed_{n}"))
            m.d.sync += changed[n].eq(saturate(new, -form.maximum, form.maximum))
            before = move
        return changed


def _moved(weight: Value, error: Value, of: Value, pace: Value) -> Value:
    """A weight, moved by `pace` as the signs of the error and of what it weighs say."""
    step = Mux(error[0] & of[0], Mux(error[1] ^ of[1], -pace, pace), 0)  # of a sign, bit 0 says that it is not 0
    return saturate(weight + step, -WEIGHT.maximum, WEIGHT.maximum)
