"""Stages `delta` and `rice` in gates, each against its law, a sample a clock; frames against `Framer`."""

import numpy as np
import pytest

from hw.delta import Delta
from hw.frame import Frame
from hw.rice import Rice, fold
from model.codec import delta as delta_law
from model.codec import rice as rice_law
from model.codec.frame import Framer
from model.spec.config import CodecConfig
from tests.simulate import evaluate, play

IN, OUT, MARKS = "i.payload.", "o.payload.", "i.payload.marks."


def tokens(
    config: CodecConfig, count: int, name: str, values: np.ndarray, restart_frames: int = 100
) -> list[dict[str, int]]:
    """A sample a clock, channels in turn; every `restart_frames`-th frame restarts the state."""
    rows = []
    for n in range(count):
        frame, channel = divmod(n, config.channels)
        rows.append(
            {
                "i.valid": 1,
                IN + name: int(values[n]),
                IN + "channel": channel,
                MARKS + "sample": 1,
                MARKS + "restart": int(frame % restart_frames == 0),
            }
        )
    return rows


@pytest.mark.parametrize(("channels", "width"), [(3, 8), (16, 10), (5, 16)])
def test_delta(channels: int, width: int) -> None:
    config = CodecConfig(channels=channels, width=width)
    rng = np.random.default_rng(1)
    codes = rng.choice([0, 1, (1 << width) - 1, 1 << (width - 1), 7], 2000) ^ rng.integers(0, 3, 2000)
    outputs = play(Delta(config), tokens(config, 2000, "code", codes), ["o.valid", OUT + "residual", OUT + "code"], 5)
    assert [row["o.valid"] for row in outputs].index(1) == Delta.LATENCY
    got = [(row[OUT + "residual"], row[OUT + "code"]) for row in outputs if row["o.valid"]]
    last: dict[int, int] = {}
    expected = []
    for n, code in enumerate(codes.tolist()):
        frame, channel = divmod(n, channels)
        if frame % 100 == 0:
            last[channel] = delta_law.restart(width)
        expected.append((delta_law.residual(code, last[channel], width), code))
        last[channel] = code
    assert got == expected


@pytest.mark.parametrize("width", [8, 10])
def test_fold(width: int) -> None:
    residuals = range(-(1 << (width - 1)), 1 << (width - 1))
    got = evaluate(lambda m, e: fold(e.as_signed()), {"e": width}, ({"e": e & ((1 << width) - 1)} for e in residuals))
    assert got == [rice_law.fold(e) for e in residuals]


@pytest.mark.parametrize(("width", "seed"), [(8, 0), (10, 1), (16, 2)])
def test_rice(width: int, seed: int) -> None:
    """Residuals of every size, small to large, extremes in between, so that every `k` and the escape occur."""
    channels, half = 3, 1 << (width - 1)
    config = CodecConfig(channels=channels, width=width)
    rng = np.random.default_rng(seed)
    size = np.repeat(2.0 ** np.arange(-4, width), 600)
    residuals = np.clip(rng.normal(0, size), -half, half - 1).astype(int)
    count = len(residuals)
    residuals[rng.integers(0, count, 60)] = rng.choice([-half, half - 1], 60)
    rows = tokens(config, count, "residual", residuals, restart_frames=1500)
    outputs = play(Rice(config), rows, ["o.valid", OUT + "value", OUT + "length"], 5)
    assert [row["o.valid"] for row in outputs].index(1) == Rice.LATENCY
    got = [(row[OUT + "value"], row[OUT + "length"]) for row in outputs if row["o.valid"]]
    mean: dict[int, int] = {}
    expected, parameters = [], set()
    for n, residual in enumerate(residuals.tolist()):
        frame, channel = divmod(n, channels)
        if frame % 1500 == 0:
            mean[channel] = rice_law.restart(width)
        folded, k = rice_law.fold(residual), rice_law.parameter(mean[channel], width)
        parameters.add(k)
        expected.append(rice_law.code_word(folded, k, width))
        mean[channel] = rice_law.adapt(mean[channel], folded)
    assert got == expected
    assert parameters == set(range(width))
    assert any(length == rice_law.ESCAPE_ZEROS + width for _, length in expected)


@pytest.mark.parametrize(("channels", "frames", "interval"), [(3, 4, 2), (4, 1, 3), (1, 3, 2)])
def test_frame(channels: int, frames: int, interval: int) -> None:
    """Marks of packets against `Framer`, a bank always free but for packets 2 and 5."""
    config = CodecConfig(channels=channels, packet_frames=frames, key_interval=interval)
    spacing, count, drops = max(1, 3 // channels), frames * 9, {2, 5}
    rows: list[dict[str, int]] = []
    for n in range(count):
        room = int(n // frames not in drops)
        for channel in range(channels):
            first = {"i.valid": 1, IN + "mark": int(channel == 0), IN + "code": n, "enable": 1, "room": room}
            rows += [first, *({"enable": 1, "room": room} for _ in range(spacing - 1))]
    # `room` is looked at a clock after the sample came.
    rooms = [rows[0]["room"], *(row["room"] for row in rows)]
    rows = [{**row, "room": room} for row, room in zip(rows, rooms, strict=False)]
    names = ["open", "key", "close", "frame", "sample", "restart"]
    component = Frame(config, 3)
    outputs = play(component, rows, [OUT + "marks." + name for name in names] + [OUT + "code", "dropped_packets"], 4)
    marks = [{name: row[OUT + "marks." + name] for name in names} | {"code": row[OUT + "code"]} for row in outputs]

    opened = [(m["code"], m["key"]) for m in marks if m["open"]]
    slots = [slot for slot, _ in Framer(config, drops).push(np.zeros((count, channels), np.uint16))]
    assert opened == [(slot.position, int(slot.key)) for slot in slots if not slot.dropped]
    assert [m["code"] for m in marks if m["close"]] == [s.position + frames - 1 for s in slots if not s.dropped]
    assert sum(m["frame"] for m in marks) == count
    assert sum(m["sample"] for m in marks) == (count - frames * len(drops)) * channels
    restarts = [m["code"] for m in marks if m["restart"] and m["sample"]]
    assert restarts == [s.position for s in slots if s.key and not s.dropped for _ in range(channels)]
    assert outputs[-1]["dropped_packets"] == len(drops)


@pytest.mark.parametrize(("channels", "frames"), [(3, 2), (4, 1)])
def test_samples_without_room_are_overruns(channels: int, frames: int) -> None:
    """Each is counted, and costs its packet; in a packet's first sample it is as if no bank were free."""
    config = CodecConfig(channels=channels, packet_frames=frames, key_interval=3)
    size = channels * frames
    hit = {2 * size, 5 * size + 1, 6 * size - 1, 9 * size + channels - 1, 10 * size, 13 * size - 1}  # samples
    count = 16 * size
    rows = [{"i.valid": 1, IN + "mark": int(n % channels == 0), "enable": 1, "room": 1} for n in range(count)]
    rows += [{"enable": 1, "room": 1, "full": int(n > 0)} for n in range(4)]  # no sample comes
    for n in hit:
        rows[n + 1]["full"] = 1  # looked at a clock after the sample came
    names = ["sample", "open", "key", "abort", "close", "frame"]
    outputs = [OUT + "marks." + name for name in names]
    seen = play(Frame(config, 1), rows, [*outputs, "dropped_packets", "overruns", "take"])
    marks = [{name: row[OUT + "marks." + name] for name in names} for row in seen[Frame.LATENCY :]]
    drops = {n // size for n in hit}
    slots = [slot for slot, _ in Framer(config, drops).push(np.zeros((count // channels, channels), np.uint16))]
    kept = [slot for slot in slots if not slot.dropped]
    begun = [n for n in range(0, count, size) if n not in hit]
    assert [n for n, mark in enumerate(marks) if mark["open"]] == begun
    assert sum(row["take"] for row in seen) == len(begun)
    assert [n for n, mark in enumerate(marks) if mark["close"]] == [(s.position + frames) * channels - 1 for s in kept]
    first_hits = [min(n for n in hit if n // size == index) for index in sorted(drops)]
    assert [n for n, mark in enumerate(marks) if mark["abort"]] == [n for n in first_hits if n % size]
    assert all(marks[s.position * channels]["key"] == s.key for s in kept)
    stored = {n for s in kept for n in range(s.position * channels, (s.position + frames) * channels)}
    begins = {n for first in first_hits for n in range(first // size * size, first)}  # of packets given up
    assert {n for n, mark in enumerate(marks) if mark["sample"]} == stored | begins
    assert [n for n, mark in enumerate(marks) if mark["frame"]] == list(range(0, count, channels))
    assert (seen[-1]["overruns"], seen[-1]["dropped_packets"]) == (len(hit), len(drops))
