"""Which recordings belong in one stream: those made at the same instant.

Channels recorded together share a little noise and some spikes, so the differences of neighbouring samples correlate
at lag 0. Measured on 433 recordings of one set, 751 pairs of equal length: 174 pairs have |r| of 0.039 to 0.5, all
others below 0.0121, and no recording has more than one partner. 0.025 lies in the middle of that gap. By chance, |r|
of two recordings of `n` frames exceeds `6 / sqrt(n)` once in 5e8 pairs; that bound rules where recordings are short.

A stream is a connected component of what correlates: recordings of more than two electrodes at one instant need not
all correlate with each other, and belong together nevertheless.
"""

import dataclasses
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from model.formats import wav

Mode = Literal["none", "auto", "all"]
LEAST_CORRELATION: Final = 0.025
LEAST_SIGMAS: Final = 6
_BLOCK_SAMPLES: Final = 1 << 22  # of differences in memory together


def threshold(frames: int) -> float:
    """The least |r| of two recordings of `frames` frames that belong together."""
    return max(LEAST_CORRELATION, LEAST_SIGMAS / max(1, frames) ** 0.5)


def _differences(path: Path, start: int, stop: int) -> np.ndarray:
    """Differences of neighbouring samples, summed over the file's channels, from frame `start` to `stop`."""
    samples = wav.read(path).samples[start : stop + 1]
    return np.diff(samples.astype(np.int64).sum(axis=1))


def correlations(paths: Sequence[Path], frames: int) -> np.ndarray:
    """Correlation at lag 0 of the differences of recordings of `frames` frames, shape (files, files); 0 for silence."""
    products = np.zeros((len(paths), len(paths)))
    sums = np.zeros(len(paths))
    step = max(1, _BLOCK_SAMPLES // len(paths))
    for start in range(0, frames - 1, step):
        block = np.array([_differences(path, start, min(start + step, frames - 1)) for path in paths], np.float64)
        products += block @ block.T
        sums += block.sum(axis=1)
    covariance = products - np.outer(sums, sums) / max(1, frames - 1)
    power = np.diag(covariance)
    scale = np.sqrt(np.outer(power, power))
    return np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)


def _components(linked: np.ndarray) -> Iterator[list[int]]:
    """The connected components of a symmetric relation, shape (n, n), in the order of their first members."""
    seen: set[int] = set()
    for first in range(len(linked)):
        if first in seen:
            continue
        found, ahead = {first}, [first]
        while ahead:
            new = set(np.flatnonzero(linked[ahead.pop()]).tolist()) - found
            found |= new
            ahead += new
        seen |= found
        yield sorted(found)


@dataclass(frozen=True)
class _Kind:
    """What recordings of one stream have in common."""

    rate: int
    channels: int
    bits: int
    frames: int | None


def _classes(kinds: Sequence[Hashable]) -> list[list[int]]:
    found: dict[Hashable, list[int]] = {}
    for number, kind in enumerate(kinds):
        found.setdefault(kind, []).append(number)
    return list(found.values())


def group(paths: Sequence[Path], mode: Mode) -> list[list[Path]]:
    """Divide recordings into those that go into one stream, in the order of the first of each.

    Parameters
    ----------
    paths : sequence of Path
        WAV files.
    mode : {'none', 'auto', 'all'}
        Each alone; those of equal format and length whose differences correlate; all of equal format.

    Raises
    ------
    FormatError
        If a file is not a recording that `model.formats.wav` reads.
    """
    if mode == "none":
        return [[path] for path in paths]
    found = [wav.read(path) for path in paths]
    kinds = [_Kind(w.rate, w.channels, w.bits, len(w.samples)) for w in found]
    if mode == "all":
        return [[paths[n] for n in c] for c in _classes([dataclasses.replace(k, frames=None) for k in kinds])]
    streams: list[list[int]] = []
    for members in _classes(kinds):
        frames = kinds[members[0]].frames or 0
        linked = np.abs(correlations([paths[n] for n in members], frames)) >= threshold(frames)
        streams += [[members[n] for n in component] for component in _components(linked)]
    return [[paths[n] for n in stream] for stream in sorted(streams)]
