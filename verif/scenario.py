"""One stimulus that holds everything that can happen to a core, at random."""

import numpy as np

from hw.loader import Loader
from model.spec.parameters import ParameterSet
from verif import stimulus
from verif.design import Design
from verif.material import MAKERS
from verif.parameters import known


def faults(design: Design, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Words that offer about `frames` frames of all materials, some short, some with surplus samples, some overrun,
    some missing, with pauses, while `enable` comes and goes and the sink pauses and stalls; then a recovery.

    Where there are parameter sets, they come and go as well, whole ones, damaged ones and halves.
    """
    config = design.config
    parts, enabled = [], True
    for number in range(frames):
        if number % (2 * config.packet_frames) == 0:
            material = MAKERS[str(rng.choice(list(MAKERS)))]
            codes = material((2 * config.packet_frames, config.channels), config.width, rng)
        frame = codes[number % len(codes)]
        kind = rng.choice(["whole", "short", "long", "hurried", "late"], p=[0.94, 0.02, 0.02, 0.01, 0.01])
        if kind == "short":
            frame = frame[: rng.integers(1, config.channels + 1)]
        if kind == "long":
            frame = np.concatenate([frame, frame[: rng.integers(1, config.channels + 1)]])
        marks = np.arange(len(frame)) == 0
        spacing = 1 if kind == "hurried" else design.spacing
        part = stimulus.samples(frame, marks, rng, spacing=spacing, pause=float(rng.choice([0.0, 0.5])))
        if kind == "late":
            part = np.concatenate([part, stimulus.idle(int(rng.integers(5 * len(part) + 9)), rng)])
        enabled = enabled != (rng.random() < 0.03)
        parts.append(part if enabled else stimulus.disabled(part))
        if design.parameters is not None and rng.random() < 0.02:
            parts.append(_loading(design, rng))
    parts.append(stimulus.frames(codes[:1], rng, spacing=design.spacing))  # the recovery is in step
    words = np.concatenate(parts)
    flicker = rng.random(len(words)) < 0.001
    words[flicker] = stimulus.disabled(words[flicker])
    return np.concatenate([stimulus.ready(words, _sink(len(words), rng)), _recovery(design, rng)])


def crowded(design: Design, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Words that offer about `frames` frames of any length, of which many are late, cut short or have surplus samples,
    at clocks so dense that marks, samples, `enable` and missed marks often meet in one clock; then a recovery."""
    parts, enabled = [], True
    for _ in range(frames):
        calm = rng.random() < 0.6
        clocks = design.frame_clocks if calm else int(rng.integers(1, 3 * design.frame_clocks))
        most = design.config.channels if calm else min(clocks, 3 * design.config.channels)
        part = stimulus.idle(clocks, rng)
        if calm:
            at = np.arange(most) * design.spacing
        else:
            at = np.append(0, 1 + rng.choice(clocks - 1, int(rng.integers(most)), replace=False))
        part[at] |= np.uint32(stimulus.VALID)
        part[at] &= np.uint32(~stimulus.MARK & 0xFFFFFFFF)
        part[0] |= np.uint32(stimulus.MARK)
        enabled = enabled != (rng.random() < 0.05)
        parts.append(part if enabled else stimulus.disabled(part))
    parts.append(stimulus.frames(np.zeros((1, design.config.channels), np.uint16), rng, spacing=design.spacing))
    words = np.concatenate(parts)
    flicker = rng.random(len(words)) < 0.01
    words[flicker] = stimulus.disabled(words[flicker])
    return np.concatenate([stimulus.ready(words, _sink(len(words), rng)), _recovery(design, rng)])


def hasty(design: Design, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Words that offer about `frames` frames with hardly a pause, and marks alone, so that queues are full; then a
    recovery."""
    parts: list[np.ndarray] = []
    for left in range(frames, 0, -50):
        material = MAKERS[str(rng.choice(list(MAKERS)))]
        codes = material((min(left, 50), design.config.channels), design.config.width, rng)
        parts.append(stimulus.frames(codes, rng, pause=float(rng.choice([0.0, 0.3, 0.6]))))
        alone = np.ones(int(rng.integers(1, 60)), bool)
        parts.append(stimulus.samples(np.resize(codes, len(alone)), alone, rng))
        parts[-1] = stimulus.disabled(parts[-1]) if rng.random() < 0.5 else parts[-1]
    parts.append(stimulus.frames(codes[:1], rng, spacing=design.spacing))  # the recovery is in step
    words = np.concatenate(parts)
    return np.concatenate([stimulus.ready(words), _recovery(design, rng)])


def loading(design: Design, parameters: ParameterSet) -> np.ndarray:
    """Words that load a set, as fast as the core takes them; slower where missing frames are numbered meanwhile."""
    return stimulus.parameters(design.image(parameters), Loader.WORD_CLOCKS * (2 if design.frame_clocks else 1))


def _loading(design: Design, rng: np.random.Generator) -> np.ndarray:
    """Words of a parameter set or some that make none, a pause or frames, and words of a whole set; its host may not
    wait."""
    first, last = (loading(design, each) for each in rng.choice(list(known(design).values()), 2))
    kind = rng.choice(["whole", "half", "damaged", "offer"])
    if kind == "half":
        first = first[: int(rng.integers(len(first)))]
    if kind == "damaged":
        first[rng.choice(np.flatnonzero(first))] ^= np.uint32(1 << int(rng.integers(16)))
    if kind == "offer":
        first = first[: int(rng.integers(1, 3))] | np.uint32(stimulus.ENABLE)
    pause = stimulus.idle(int(rng.choice([0, 3, 200])), rng)
    if rng.random() < 0.5:
        codes = MAKERS["noise"]((design.config.packet_frames, design.config.channels), design.config.width, rng)
        pause = stimulus.frames(codes, rng, spacing=design.spacing, frame_clocks=design.frame_clocks)
    wait = rng.choice([design.drain_clocks, 1], p=[0.9, 0.1])
    return np.concatenate([first, pause, np.full(wait, last[0]), last])


RECOVERED = 3  # packets at the end that must have come out


def _recovery(design: Design, rng: np.random.Generator) -> np.ndarray:
    """Words that let the output catch up, then offer a few packets without any fault."""
    shape = ((RECOVERED + 1) * design.config.packet_frames, design.config.channels)
    codes = MAKERS["noise"](shape, design.config.width, rng)
    spacing = design.spacing if design.frame_clocks else design.calm_spacing
    words = stimulus.frames(codes, rng, spacing=spacing, frame_clocks=design.frame_clocks)
    parts = [stimulus.idle(design.drain_clocks, rng), words]
    if design.parameters is not None:
        whole = loading(design, design.parameters)
        parts[1:1] = [np.full(design.drain_clocks, whole[0]), whole]
    return stimulus.ready(np.concatenate(parts))


def _sink(clocks: int, rng: np.random.Generator) -> np.ndarray:
    """Readiness of a sink that is now quick, now slow, now stalled."""
    pattern: list[np.ndarray] = []
    while sum(map(len, pattern)) < clocks:
        share = rng.choice([1.0, 0.9, 0.5, 0.0], p=[0.6, 0.2, 0.1, 0.1])
        pattern.append(rng.random(int(rng.integers(20, 1500))) < share)
    return np.concatenate(pattern)[:clocks]
