"""What the network corrects in gates, and the coder behind it, against the law of profile `full`: every sample."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import EnableInserter, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.correct import Correct, outlook_layout
from hw.load import load_layout
from hw.memory import DelayLine
from hw.number import connect
from hw.positions import FARTHEST, Positions
from hw.range import PART, Range
from hw.turns import SLOTS, Turns, turns_layout
from model.codec import full, scale
from model.codec import range as coding
from model.spec import calibrate as calibrate_spec
from model.spec import full as spec
from model.spec import scale as scale_spec
from model.spec.config import CodecConfig
from model.spec.full import Tables
from model.spec.network import OUTPUT
from tests.simulate import play
from tests.test_gates_calibrated import hard_codes
from tests.test_gates_observe import PRIOR, Row, Told, Word, frames_of, law, law_of, loading, tables_of, token

FLUSH = 24
TOKEN = ("below", "bits", "plain")
POSITIONS = [f"o.{edge}.{field}" for edge in ("lower", "upper") for field in ("magnitude", "negative")]


def limits_of(width: int) -> tuple[int, int, int, int, int]:
    return law_of(CodecConfig("full", 1, width), tables_of(width)).fixed[0]


def position_of(row: Word, edge: str) -> int:
    """A position as it leaves gates."""
    return -row[f"o.{edge}.magnitude"] if row[f"o.{edge}.negative"] else row[f"o.{edge}.magnitude"]


@pytest.mark.parametrize("width", [8, 10])
def test_positions(width: int) -> None:
    """Any edge, any prediction, any scale; limits among them."""
    random, reciprocals = np.random.default_rng(width), scale_spec.reciprocals()
    limit, greatest = calibrate_spec.edge_format(width).maximum, scale_spec.greatest_index(width)
    count = 1500
    mus = random.integers(-limit, limit + 1, count)
    lowers = np.where(random.random(count) < 0.5, mus + random.integers(-200, 200, count), random.permutation(mus))
    lowers = np.clip(lowers, -limit - 1, limit)
    indices, steps = random.integers(0, greatest + 1, count), random.integers(0, 256, count)
    for number, (mu, lower) in enumerate([(-limit, limit), (limit, -limit - 1), (0, 0), (5, 5)] * 2):
        mus[number], lowers[number], indices[number] = mu, lower, greatest if number < 4 else 0
    steps = np.minimum(steps, limit + 1 - lowers)
    rows = np.stack([lowers, steps, mus, indices], axis=1).tolist()
    words = [dict(zip(("i.lower", "i.step", "i.mu", "i.index"), row, strict=True)) for row in rows]
    seen = play(Positions(CodecConfig("full", 4, width)), words, POSITIONS, Positions.LATENCY)[Positions.LATENCY :]
    for row, (lower, step, mu, index) in zip(seen, rows, strict=True):
        for edge, place in (("lower", lower), ("upper", lower + step)):
            expected = coding.position(place - mu, int(reciprocals[index & 15]), index >> 4)
            assert position_of(row, edge) == max(-FARTHEST, min(int(expected), FARTHEST))
    assert {FARTHEST, -FARTHEST} <= {position_of(row, "lower") for row in seen}


def some_outputs(random: np.random.Generator, count: int) -> np.ndarray:
    """Outputs of the network: most change little, some are anything, some lie at limits and where rounding turns."""
    size = count, spec.OUTPUTS
    little = np.rint(random.normal(0, 300, size)).astype(np.int64)
    anything = random.integers(OUTPUT.minimum, OUTPUT.maximum + 1, size)
    turns = random.choice([OUTPUT.minimum, OUTPUT.maximum, 0, -1, 3, 4, -4, -5, 7, 8, -8, -9, 127, 128, 383, 384], size)
    return np.choose(random.choice(3, (count, 1), p=(0.6, 0.2, 0.2)), [little, anything, turns])


def corrected(prior: Sequence[int], outputs: np.ndarray, tables: Tables, limits: tuple[int, ...]) -> list[int]:
    """Mean, octave, reciprocal and distribution of a sample, by the law; the logarithm's parts do not matter to it."""
    state = np.zeros((1, 4), np.int64)
    state[0, scale.SLOW] = prior[1]
    return [int(v) for v in full.correct(state, 0, prior[0], outputs, scale_spec.reciprocals(), tables.shapes, limits)]


def outlook(prior: Sequence[int], outputs: Sequence[int], begin: str) -> Word:
    """What is known of a sample, as ports."""
    word = {f"{begin}.prior.{name}": value for name, value in zip(PRIOR, prior, strict=True)}
    return word | {f"{begin}.outputs.{n}": int(v) for n, v in zip(("mean", "scale", "curve"), outputs, strict=True)}


@pytest.mark.parametrize(("width", "shapes"), [(8, 1), (8, 3), (10, 8)])
def test_correct(width: int, shapes: int) -> None:
    """Any prediction, scale and outputs; limits among them."""
    random, limits, tables = np.random.default_rng(width), limits_of(width), tables_of(width, shapes)
    count, limit, greatest = 1200, limits[0] - 1, scale_spec.greatest_index(width) << scale_spec.LOG_FRACTION
    mus, lowers = random.integers(-limit, limit + 1, (2, count))
    mus[:6] = limit, -limit, limit, -limit, 0, 0
    totals = random.integers(-127, greatest + 128, count)
    totals[:8] = np.repeat([-127, 127 + greatest], 4)
    steps = np.minimum(random.integers(1, 256, count), limit + 1 - lowers)
    outputs, flags = some_outputs(random, count), random.integers(0, 2, (count, 3))
    rows = []
    for n in range(count):
        index = min(max((int(totals[n]) + 8) >> 4, 0), limits[3])
        rows.append([int(v) for v in (mus[n], totals[n], index >> 4, lowers[n], steps[n], *flags[n])])
    words = [
        {"i.valid": n % 3 != 1, "i.payload.first": n % 2} | outlook(row, outputs[n].tolist(), "outlook")
        for n, row in enumerate(rows)
    ]
    known = ["o.valid", *(f"o.payload.{name}" for name in ("first", "least", "greatest", "opening"))]
    known += ["o.payload.curve"] * (shapes > 1)
    where = [f"o.payload.{place[2:]}" for place in POSITIONS]
    component = Correct(CodecConfig("full", 4, width), shapes)
    seen = play(component, words, [*known, *where], Correct.LATENCY)[Correct.LATENCY :]
    found = set()
    for n, (row, prior) in enumerate(zip(seen, rows, strict=True)):
        mean, octave, reciprocal, shape = corrected(prior, outputs[n], tables, limits)
        assert [row[name] for name in known] == [n % 3 != 1, n % 2, *prior[5:], shape][: len(known)]
        for edge, place in ((where[:2], prior[3]), (where[2:], prior[3] + prior[4])):
            expected = int(coding.position(place - mean, reciprocal, octave))
            magnitude, negative = (row[name] for name in edge)
            assert (-magnitude if negative else magnitude) == max(-FARTHEST, min(expected, FARTHEST))
        found.add((mean, octave, shape))
    means, octaves, numbers = (set(column) for column in zip(*found, strict=True))
    assert {limit, -limit} <= means and octaves == set(range((limits[3] >> 4) + 1)) and numbers == set(range(shapes))


class Back(wiring.Component):
    """`turns -> correct -> range`, and whether what leaves is a sample."""

    def __init__(self, config: CodecConfig, shapes: int) -> None:
        self.config, self.shapes = config, shapes
        super().__init__(
            {
                "i": In(stream.Signature(turns_layout(config, outlook_layout(config)), always_ready=True)),
                **dict.fromkeys(("moves", "sample", "full", "counted"), Out(1)),
                "o": Out(PART),
                "load": In(load_layout(config.width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.turns = turns = Turns(self.config, 1, FLUSH, outlook_layout(self.config))
        correct, range_ = Correct(self.config, self.shapes), Range(self.config, self.shapes)
        beside = DelayLine(1, Correct.LATENCY + Range.LATENCY)
        advance = Signal()
        m.d.comb += [advance.eq(turns.advance | self.load.write), self.moves.eq(advance & ~self.load.write)]
        for name, stage in (("correct", correct), ("range", range_), ("beside", beside)):
            m.submodules[name] = EnableInserter(advance)(stage)
        connect(m, wiring.flipped(self.i), turns.i)
        connect(m, turns.o, correct.i)
        connect(m, correct.o, range_.i)
        m.d.comb += [
            correct.advance.eq(advance),
            range_.advance.eq(advance),
            range_.load.eq(self.load),
            correct.outlook.eq(turns.extra),
            beside.i.eq(turns.token.sample),
            self.sample.eq(beside.o),
            self.o.eq(range_.o),
            self.full.eq(turns.full),
            self.counted.eq(turns.counted),
        ]
        return m


def parts(
    frames: Sequence[Row], told: Sequence[Told], outputs: np.ndarray, config: CodecConfig, tables: Tables
) -> Iterator[tuple[int, int, int]]:
    """What each sample does to its lane's string, by the law."""
    width, top, edges = config.width, (1 << config.width) - 1, tables.calibrated.edges
    points, limits = np.concatenate([tables.shapes, tables.shapes[:, -1:]], axis=1), limits_of(width)
    intervals = [coding.ONES] * config.lanes
    samples = ((frame, channel, code) for frame in frames for channel, code in enumerate(frame.codes))
    for (frame, channel, code), one, output in zip(samples, told, outputs, strict=True):
        lane = channel % config.lanes
        if frame.opens and channel == 0:
            intervals = [coding.ONES] * config.lanes
        if one.prior[-1]:
            intervals[lane] = coding.TOP
            yield 0, 0, 1
            continue
        mean, octave, reciprocal, shape = corrected(one.prior, output, tables, limits)
        interval = intervals[lane]
        below, above = (
            int(coding.edge_bound(c, top, edges, mean, reciprocal, octave, points[shape], interval))
            for c in (code, code + 1)
        )
        plain = above <= below
        if plain:
            below, above = int(coding.bound(coding.WHOLE, interval)), interval
        bits = coding.INTERVAL_BITS - (above - below).bit_length()
        intervals[lane] = coding.TOP if plain else (above - below) << bits
        yield below, bits, int(plain)


@pytest.mark.parametrize(
    ("channels", "width", "lanes", "shapes", "built"),
    [(8, 10, 4, 8, 8), (6, 8, 2, 3, 5), (5, 8, 1, 1, 1), (4, 10, 4, 2, 2)],
)
def test_back(channels: int, width: int, lanes: int, shapes: int, built: int) -> None:
    """Samples as fast as their slots come, with whatever outputs, in gates for as many distributions, or for more."""
    random, config = np.random.default_rng(channels), CodecConfig("full", channels, width, lanes=lanes)
    tables, codes = tables_of(width, shapes), hard_codes(130, channels, width)
    frames = frames_of(codes, 10, (0, 70))
    told = list(law(frames, config, tables))
    outputs = some_outputs(random, len(told))
    words: list[Word] = list(loading(tables, config, built))
    for number, one in enumerate(told):
        frame, channel = divmod(number, channels)
        opens, last = channel == 0 and frames[frame].opens, channel == channels - 1 and frame % 10 == 9
        marks = {"sample": 1, "frame": channel == 0, "open": opens, "key": opens and frames[frame].key, "close": last}
        words.append(token(frames[frame].codes[channel], channel, **marks))
        words[-1] |= outlook(one.prior, outputs[number].tolist(), "i.payload.extra")
        words += [{}] * (SLOTS // lanes - 1 + 30 * last)
        if last and frame % 20 == 9:
            words += [token(frame=1)] + [{}] * SLOTS
    seen = play(Back(config, built), words, ["moves", "sample", "full", "counted", *(f"o.{n}" for n in TOKEN)], 120)
    assert not any(row["full"] for row in seen) and seen[-1]["counted"]
    found = [tuple(row[f"o.{name}"] for name in TOKEN) for row in seen if row["moves"] and row["sample"]]
    expected = list(parts(frames, told, outputs, config, tables))
    assert found == expected
    escapes = sum(plain for _, _, plain in expected)
    assert 2 * channels < escapes < len(expected) // 2
