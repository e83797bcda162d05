"""Stages `calibrate`, `lms`, `scale` and `range` in gates, as a chain, against their law: every sample."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.calibrate import Calibrate
from hw.lms import Lms, lms_layout
from hw.load import Table, load_layout
from hw.number import connect
from hw.positions import FARTHEST
from hw.range import PART, Range
from hw.scale import Scale, scale_layout
from hw.turns import SLOTS, sample_layout
from model.codec import calibrate, calibrated, lms
from model.codec import range as coding
from model.spec import calibrate as calibrate_spec
from model.spec import lms as lms_spec
from model.spec import scale as scale_spec
from model.spec import shipped
from model.spec.calibrated import Tables, unpack
from model.spec.config import CodecConfig
from tests.simulate import play

POSITIONS = [f"scaled.payload.{edge}.{field}" for edge in ("lower", "upper") for field in ("magnitude", "negative")]
TOKEN = [f"o.{field}" for field in ("below", "bits", "plain")]
LATENCY = Calibrate.LATENCY + Lms.LATENCY + Scale.LATENCY + Range.LATENCY


class Chain(wiring.Component):
    """The four stages; what passes between them is seen from outside."""

    def __init__(self, config: CodecConfig, shifts: tuple[int, ...]) -> None:
        self.config, self.shifts = config, shifts
        super().__init__(
            {
                "i": In(stream.Signature(sample_layout(config), always_ready=True)),
                "predicted": Out(stream.Signature(lms_layout(config), always_ready=True)),
                "scaled": Out(stream.Signature(scale_layout(config), always_ready=True)),
                "o": Out(PART),
                "load": In(load_layout(config.width)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        stages = (Calibrate(self.config), Lms(self.config, self.shifts), Scale(self.config), Range(self.config))
        before = wiring.flipped(self.i)
        for name, stage in zip(("calibrate", "lms", "scale", "range"), stages, strict=True):
            m.submodules[name] = stage
            m.d.comb += stage.load.eq(self.load)
            connect(m, before, stage.i)
            before = stage.o
        m.d.comb += [stages[2].ahead.eq(stages[1].ahead), self.o.eq(stages[3].o)]
        for seen, stage in ((self.predicted, stages[1]), (self.scaled, stages[2])):
            m.d.comb += [seen.valid.eq(stage.o.valid), seen.payload.eq(stage.o.payload)]
        return m


def table_words(tables: Tables, peers: tuple[int, ...] = ()) -> Iterator[dict[str, int]]:
    """A parameter set, and peers if there are any, a word a clock."""
    steps = (tables.steps[0] & 0xFF) | (tables.steps[1] & 0xFF) << 8
    contents = {
        Table.EDGES: tables.edges,
        Table.POINTS: tables.points[1:],
        Table.STEPS: steps,
        Table.WEIGHTS: tables.weights if peers else tables.weights[:-1],
        Table.START: [tables.start],
        Table.PEERS: peers,
    }
    for table, values in contents.items():
        for address, value in enumerate(values):
            word = {"write": 1, "table": int(table), "address": address, "value": int(value) & 0xFFFF}
            yield {f"load.{name}": field for name, field in word.items()}


class Expected(NamedTuple):
    """What the law says of one sample; no prediction and positions in a frame of age 0."""

    mu: int | None
    positions: tuple[int, int] | None
    token: tuple[int, int, int]
    peer: tuple[int, int] = (0, 0)  # its residual, and its weight as it becomes


def law(codes: np.ndarray, config: CodecConfig, tables: Tables, keys: set[int], opens: set[int]) -> Iterator[Expected]:
    """Sample by sample; `keys` are the frames at which key packets begin, `opens` those of all packets."""
    width, top = config.width, (1 << config.width) - 1
    edge_limit = calibrate_spec.edge_format(width).maximum + 1
    centre_limit = calibrate_spec.centre_format(width).maximum + 1
    difference_limit, index_limit = lms_spec.difference_format(width).maximum, scale_spec.greatest_index(width)
    own, limits = (tables.edges, tables.shifts, tables.steps), (edge_limit, centre_limit, difference_limit, index_limit)
    points, reciprocals = np.append(tables.points, tables.points[-1]), scale_spec.reciprocals()
    state = np.zeros((config.channels, 4 + 2 * len(tables.shifts)), np.int64)
    intervals, age = [coding.ONES] * config.lanes, 0
    peers, residuals = config.peers or (0,) * config.channels, [0] * config.channels
    for frame, row in enumerate(codes.tolist()):
        age += 1
        if frame in opens:
            intervals = [coding.ONES] * config.lanes
        if frame in keys:
            calibrated.restart(state, tables.weights, tables.start)
            age = 0
        for channel, code in enumerate(row):
            lane = channel % config.lanes
            value = calibrate.centre(tables.edges, code, centre_limit)
            residuals[channel] = 0
            if age == 0:
                state[channel, lms.LAST] = value
                intervals[lane] = coding.TOP
                yield Expected(None, None, (0, 0, 1))
                continue
            peer = residuals[channel - peers[channel]]
            mu, octave, reciprocal = calibrated.predict(state, channel, peer, reciprocals, edge_limit, index_limit)
            lower, upper = (coding.position(int(tables.edges[c]) - mu, reciprocal, octave) for c in (code, code + 1))
            interval = intervals[lane]
            below, above = (
                coding.edge_bound(c, top, tables.edges, mu, reciprocal, octave, points, interval)
                for c in (code, code + 1)
            )
            plain = above <= below
            if plain:
                below, above = coding.bound(coding.WHOLE, interval), interval
            bits = coding.INTERVAL_BITS - int(above - below).bit_length()
            intervals[lane] = coding.TOP if plain else (above - below) << bits
            residuals[channel] = calibrated.follow(state, channel, peer, value, mu, lower, upper, age, own, limits)
            yield Expected(mu, (lower, upper), (below, bits, int(plain)), (peer, int(state[channel, -1])))


def hard_codes(frames: int, channels: int, width: int) -> np.ndarray:
    """A walk with spikes, full-scale noise, both rails, and a channel that stands still."""
    rng, top = np.random.default_rng(channels), (1 << width) - 1
    codes = np.cumsum(rng.normal(0, 9, (frames, channels)), axis=0) + top / 2
    codes[rng.random(codes.shape) < 0.02] += top / 3
    codes = np.clip(codes, 0, top).astype(np.int64)
    codes[frames // 3 : frames // 3 + 15] = rng.integers(0, top, (15, channels), endpoint=True)
    codes[frames // 2 :, 0] = 7
    codes[:40, 1], codes[40:70, 1] = top, 0
    return codes


def shared_codes(frames: int, channels: int, width: int) -> np.ndarray:
    """The same noise in all channels, smaller or larger in each than in others, or its opposite."""
    rng, top = np.random.default_rng(channels), (1 << width) - 1
    gains = np.array([1, 2, 4, -2, -1, 3, -6, 3])[np.arange(channels) % 8]
    noise = rng.normal(0, top / 40, (frames, 1)) * gains + rng.normal(0, top / 200, (frames, channels))
    noise[rng.random(frames) < 0.05] *= 8
    return np.clip(np.rint(top / 2 + noise), 0, top).astype(np.int64)


def some_peers(channels: int, lanes: int) -> tuple[int, ...]:
    """For each channel that has any so far before it: `lanes` and more channels before, or none."""
    random = np.random.default_rng(channels)
    found = [0 if n < lanes or n % 7 == 6 else int(random.integers(lanes, n + 1)) for n in range(channels)]
    return (*found[:lanes], lanes, *found[lanes + 1 :])


def within(position: int) -> int:
    """A position as the gates have it."""
    return max(-FARTHEST, min(position, FARTHEST))


def with_shifts(tables: Tables, shifts: tuple[int, ...], peer: int = 0) -> Tables:
    """The same tables for other features; `peer` is the start weight of the peer's residual."""
    weights = np.array([*(-200, 150, 90)[: len(shifts)], peer], np.int64)
    return Tables(tables.edges, np.array(shifts, np.int64), weights, tables.start, tables.steps, tables.points)


@pytest.mark.parametrize(
    ("channels", "width", "lanes", "shifts"),
    [(16, 10, 4, (2, 4)), (8, 10, 1, (3,)), (8, 8, 2, (0, 0, 3)), (4, 10, 4, (0, 2, 5))],
)
def test_chain(channels: int, width: int, lanes: int, shifts: tuple[int, ...]) -> None:
    """Every lane in its slot, frames at least as long as a channel takes; packets of 20 frames."""
    config = CodecConfig("calibrated", channels, width, lanes=lanes)
    tables = with_shifts(unpack(shipped.default("calibrated", lattice=width == 10), width), shifts)
    frames = 620 if channels == 4 else 120  # beyond those in which weights move by more
    codes = hard_codes(frames, channels, width)
    opens = set(range(0, frames, 20))
    keys = {frame for frame in opens if frame in (0, 80)}
    expected = compare(codes, config, tables, keys, opens)
    assert sum(sample.token[2] for sample in expected) > len(keys) * channels  # escapes occur


@pytest.mark.parametrize(("channels", "lanes", "start"), [(8, 1, 1000), (8, 2, -1000), (12, 4, 990), (40, 4, -990)])
def test_chain_with_peers(channels: int, lanes: int, start: int) -> None:
    """Weights of residuals move both ways, and as far as they can; so do residuals."""
    config = CodecConfig("calibrated", channels, 8, lanes=lanes, peers=some_peers(channels, lanes))
    tables = with_shifts(unpack(shipped.default("calibrated", lattice=False), 8), (2, 4), start)
    frames = 1200 // channels
    opens, keys = set(range(0, frames, 6)), set(range(0, frames, 24))
    expected = compare(shared_codes(frames, channels, 8), config, tables, keys, opens)
    residuals, weights = ({sample.peer[n] for sample in expected} for n in (0, 1))
    limit = lms_spec.difference_format(8).maximum
    assert np.sign(start) * lms_spec.WEIGHT.maximum in weights and min(map(abs, weights)) < abs(start) - 60
    assert {limit, -limit} <= residuals


def compare(codes: np.ndarray, config: CodecConfig, tables: Tables, keys: set[int], opens: set[int]) -> list[Expected]:
    """Play codes into the chain, and compare all that comes with the law's, which is returned."""
    channels, lanes, shifts = config.channels, config.lanes, tuple(tables.shifts.tolist())
    words = list(table_words(tables, config.peers))
    words += [{}] * (-len(words) % SLOTS)
    for frame, row in enumerate(codes.tolist()):
        for channel, code in enumerate(row):
            flags = {"frame": channel == 0, "first": frame in opens and channel < lanes}
            flags["key"] = flags["frame"] and frame in keys
            word = {"i.valid": 1, "i.payload.code": code}
            words += [word | {f"i.payload.{name}": int(flag) for name, flag in flags.items()}]
            words += [{}] * (SLOTS // lanes - 1)
        words += [{}] * (SLOTS if channels == lanes else 0)
    outputs = ["predicted.valid", "predicted.payload.mu", "scaled.valid", *POSITIONS, *TOKEN]
    seen = play(Chain(config, shifts), words, outputs, idle=LATENCY + 1)
    mus = [row["predicted.payload.mu"] for row in seen if row["predicted.valid"]]
    positions = [
        tuple(-row[size] if row[sign] else row[size] for size, sign in (POSITIONS[:2], POSITIONS[2:]))
        for row in seen
        if row["scaled.valid"]
    ]
    valid = [False] * LATENCY + ["i.valid" in word for word in words] + [False]
    tokens = [tuple(row[name] for name in TOKEN) for row, sample in zip(seen, valid, strict=True) if sample]
    assert not any(row[name] for row, sample in zip(seen, valid, strict=True) if not sample for name in TOKEN)
    expected = list(law(codes, config, tables, keys, opens))
    assert tokens == [sample.token for sample in expected]
    told = [n for n, sample in enumerate(expected) if sample.mu is not None]
    assert [mus[n] for n in told] == [expected[n].mu for n in told]
    assert [positions[n] for n in told] == [tuple(map(within, expected[n].positions or ())) for n in told]
    return expected
