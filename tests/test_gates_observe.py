"""The front of profile `full` in gates, all that stands before the network, against the law: every sample."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.frame import Frame, input_layout
from hw.load import Table
from hw.marks import MARKS
from hw.number import connect
from hw.observe import Observe
from model.codec import calibrate, calibrated, full, lanes, lms, scale
from model.codec.full import Full
from model.spec import full as spec
from model.spec.config import CodecConfig
from model.spec.full import Tables, unpack
from model.spec.network import Layer
from model.spec.packet import Link, Links
from tests.networks import full_set, some_links
from tests.simulate import play
from tests.test_gates_calibrated import hard_codes, shared_codes, table_words

PRIOR = ("mu", "total", "octave", "lower", "step", "least", "greatest", "opening")
INPUTS = ("signal", "residual", "exponent", "mantissa", "fast")
Word = dict[str, int]


class Told(NamedTuple):
    """What the law says of a sample: what is known before the network, and what the network takes."""

    prior: tuple[int, ...]
    inputs: tuple[int, ...]


class Row(NamedTuple):
    """A frame, perhaps cut short, of a packet that begins with it or not."""

    codes: list[int]
    opens: bool = False
    key: bool = False


def tables_of(width: int, shapes: int = 3) -> Tables:
    """A set of a single layer before MiddleOut, which leaves the network's inputs where they were gathered."""
    return unpack(full_set(width, shapes, projector=((Layer.RELU, 5),)), width)


def law_of(config: CodecConfig, tables: Tables) -> Full:
    ends = np.full(config.channels, 1 << 40, np.int64)
    return Full(config.width, ends, config.lanes, config.links, tables)


def law(frames: Sequence[Row], config: CodecConfig, tables: Tables) -> Iterator[Told]:
    """Sample by sample: the steps of `model.codec.full.encode`, but for the coder and the network's outputs."""
    chain, age = law_of(config, tables), 0
    edges, _, _, _, reciprocals = chain.tables
    limits, program, bank = chain.fixed
    peers, state, residuals = chain.stream[2][0], chain.state, chain.residuals
    history, scratch, (rings, _, _, features) = chain.every[1], chain.every[3], bank
    top = (1 << config.width) - 1
    for frame in frames:
        age += 1
        if frame.key:
            chain.restart()
            age = 0
        for channel, code in enumerate(frame.codes):
            residuals[channel] = error = mu = 0
            value = calibrate.centre(edges, code, limits[1])
            total = int(state[channel, scale.FAST] + state[channel, scale.SLOW])
            octave = int(scale.index(state, channel, limits[3]) >> full.OCTAVE_BITS)
            if age == 0:
                state[channel, lms.LAST] = value
            else:
                peer = residuals[channel - peers[channel]]
                mu, octave, reciprocal = calibrated.predict(state, channel, peer, reciprocals, limits[0], limits[3])
                lower, upper = lanes.positions(code, mu, octave, reciprocal, edges)
                residuals[channel] = calibrated.follow(
                    state, channel, peer, value, mu, lower, upper, age, chain.tables, limits
                )
                error = (value << lms.VALUE_RISE) - mu
            full.observe(state, channel, value, error, age, program, bank, limits, chain.every)
            nodes = [int(history[channel, rings[n, 0] + (age & rings[n, 1])]) for n in (0, 1)]
            exponent = (scale.index(state, channel, limits[3]) >> full.OCTAVE_BITS) + full.EXPONENT_OFFSET
            contexts = scratch[0, len(features) : len(features) + spec.CONTEXTS].tolist()
            step = int(edges[code + 1] - edges[code])
            flags = int(code == 0), int(code == top), int(age == 0)
            yield Told(
                (int(mu), total, int(octave), int(edges[code]), step, *flags), (*nodes, int(exponent), *contexts)
            )


def loading(tables: Tables, config: CodecConfig, shapes: int = 1) -> Iterator[Word]:
    """A set, and the peers that links give, a word a clock; for gates of more distributions the last one again."""
    yield from table_words(tables.calibrated, tuple(full.earlier(config.links, config.channels).tolist()))
    rows = [tables.shapes[min(n, len(tables.shapes) - 1), 1:] for n in range(shapes)]
    for address, value in enumerate(np.concatenate(rows).tolist()):
        yield {"load.write": 1, "load.table": int(Table.POINTS), "load.address": address, "load.value": value}


def token(code: int = 0, channel: int = 0, **marks: int) -> Word:
    """A token as it comes from `hw.frame`."""
    word = {"i.valid": 1, "i.payload.code": code, "i.payload.channel": channel}
    return word | {f"i.payload.marks.{name}": int(value) for name, value in marks.items()}


def tokens_of(frames: Sequence[Row], random: np.random.Generator, gaps: tuple[int, int]) -> Iterator[Word]:
    """Samples some clocks apart, and between frames of packets some that are not stored, and ends of packets."""
    for number, frame in enumerate(frames):
        for channel, code in enumerate(frame.codes):
            yield token(
                code,
                channel,
                sample=1,
                frame=channel == 0,
                open=channel == 0 and frame.opens,
                key=channel == 0 and frame.key,
                restart=frame.key,
                abort=channel == 0 and len(frames[number - 1].codes) < len(frame.codes),
            )
            yield from [{}] * int(random.integers(*gaps))
        if random.random() < 0.3:
            yield token(3, 0, frame=1, key=1, open=1)
            yield token(5, 1, frame=0, key=1)
            yield token(0, 0, close=1, restart=1)


def front(
    frames: Sequence[Row], config: CodecConfig, tables: Tables, gaps: tuple[int, int], seed: int = 0
) -> tuple[list[Told], list[Word]]:
    """Play frames into the front, compare all that leaves it with the law's, which is returned with the tokens."""
    sent = list(tokens_of(frames, np.random.default_rng(seed), gaps))
    names = {
        "place": ["valid", "payload.code", "payload.channel", *(f"payload.marks.{name}" for name in MARKS.members)],
        "prior": [f"payload.prior.{name}" for name in PRIOR],
        "inputs": [f"payload.inputs.{name}" for name in INPUTS],
    }
    outputs = [f"o.{name}" for part in names.values() for name in part]
    words = [*loading(tables, config), *sent]
    seen = play(
        Observe(config, tuple(tables.calibrated.shifts.tolist())), words, [*outputs, "busy"], Observe.LATENCY + 2
    )
    came = words + [{}] * (Observe.LATENCY + 2)
    shifted = [{}] * Observe.LATENCY + came[: -Observe.LATENCY]
    assert [row["o.valid"] for row in seen] == [word.get("i.valid", 0) for word in shifted]
    there = [row for row in seen if row["o.valid"]]
    tokens = [word for word in sent if word]
    assert [[row[f"o.{name}"] for name in names["place"]] for row in there] == [
        [word.get(f"i.{name}", 0) for name in names["place"]] for word in tokens
    ]
    inside = [any("i.valid" in word for word in came[max(0, n - Observe.LATENCY) : n]) for n in range(len(seen))]
    assert [bool(row["busy"]) for row in seen] == inside
    samples = [row for row in there if row["o.payload.marks.sample"]]
    expected = list(law(frames, config, tables))
    for part in ("prior", "inputs"):
        found = [tuple(row[f"o.{name}"] for name in names[part]) for row in samples]
        assert len(found) == len(expected)
        for now, one in zip(found, expected, strict=True):
            known = int(part == "prior" and one.prior[-1])  # at age 0 there is no prediction
            assert now[known:] == getattr(one, part)[known:]
    return expected, tokens


def frames_of(codes: np.ndarray, packet: int, keys: Sequence[int]) -> list[Row]:
    """Packets of so many frames; those that begin at `keys` are key packets."""
    return [Row(row, n % packet == 0, n in keys) for n, row in enumerate(codes.tolist())]


class Framed(wiring.Component):
    """Frames in step, and the front."""

    def __init__(self, config: CodecConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(input_layout(config), always_ready=True)),
                "overruns": Out(16),
                "samples": Out(16),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.frame = frame = Frame(self.config, Observe.DEPTH)
        m.submodules.observe = observe = Observe(self.config)
        connect(m, wiring.flipped(self.i), frame.i)
        connect(m, frame.o, observe.i)
        m.d.comb += [frame.enable.eq(1), frame.room.eq(1), frame.full.eq(observe.full)]
        m.d.comb += self.overruns.eq(frame.overruns)
        m.d.sync += self.samples.eq(self.samples + (observe.o.valid & observe.o.payload.marks.sample))
        return m


@pytest.mark.parametrize(("clocks", "links"), [(1, False), (1, True), (2, True), (3, True)])
def test_samples_too_near_are_an_overrun(clocks: int, links: bool) -> None:
    """With links only; their packet is given up."""
    config = CodecConfig("full", 8, 8, 2, links=near_links(8) if links else ())
    samples = [{"i.valid": 1, "i.payload.mark": int(n % 8 == 0)} for n in range(32)]
    words = [word for sample in samples for word in (sample, *[{}] * (clocks - 1))]
    last = play(Framed(config), words, ["overruns", "samples"], idle=Observe.LATENCY + 4)[-1]
    too_near = links and clocks < Observe.SPACING
    assert last["overruns"] > 0 if too_near else last["overruns"] == 0
    assert last["samples"] < 16 if too_near else last["samples"] == 32


def near_links(channels: int) -> Links:
    """Each channel's peer is the one before it or two before it; of some, a partner behind them comes first."""
    found = []
    for channel in range(channels):
        near = [Link(distance, 60) for distance in (1 + channel % 5 // 4,) if distance <= channel]
        behind = [Link(-1, -50)] if channel % 3 == 1 and channel + 1 < channels else []
        found.append((*behind, *near))
    return tuple(found)


@pytest.mark.parametrize(("channels", "width"), [(6, 10), (8, 8), (16, 10)])
def test_front(channels: int, width: int) -> None:
    """A sample a clock, and with gaps; key packets in the middle, and frames that break."""
    config, tables = CodecConfig("full", channels, width), tables_of(width)
    codes = hard_codes(150, channels, width)
    frames = frames_of(codes, 10, (0, 70))
    front(frames, config, tables, (0, 1))
    broken = [
        *frames[:23],
        Row(frames[23].codes[:3]),
        *frames_of(codes[24:60], 7, (0,)),
        Row([4]),
        *frames_of(codes[50:80], 9, (0,)),
    ]
    expected, _ = front(broken, config, tables, (0, 4), seed=1)
    residuals = {one.inputs[1] for one in expected}
    assert min(residuals) < -(1 << (width + 3)) and max(residuals) > 1 << (width + 2)


@pytest.mark.parametrize(("channels", "gaps"), [(5, (1, 2)), (12, (1, 4)), (12, (2, 3)), (9, (3, 4))])
@pytest.mark.parametrize("near", [True, False])
def test_front_with_links(channels: int, gaps: tuple[int, int], near: bool) -> None:
    """Peers near and far, at every number of clocks from the least that there may be."""
    config = CodecConfig("full", channels, 8, links=near_links(channels) if near else some_links(channels, channels))
    found = tables_of(8)
    weights = np.append(found.calibrated.weights[:-1], 900)
    tables = replace(found, calibrated=replace(found.calibrated, weights=weights))
    distances = set(full.earlier(config.links, channels).tolist())
    assert {0, 1, 2} <= distances if near else max(distances) > 2
    frames = frames_of(shared_codes(900 // channels, channels, 8), 6, (0, 24))
    front(frames[:30], config, tables, gaps)
    front([*frames[:9], Row(frames[9].codes[:4]), *frames[12:30]], config, tables, gaps, seed=2)
