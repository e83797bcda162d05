"""A seeded generator of recordings that are as hard to compress as real ones.

A channel is noise plus the spikes of a few units. Its noise is the sum of three first-order autoregressions whose
weights and poles fit the median autocorrelation of 433 real recordings (0.951, 0.916, 0.889, 0.865, 0.813, 0.751 at
lags 1, 2, 3, 4, 8, 16); its spread is theirs too. Channels 2n and 2n + 1 can be a pair: they share a part of their
noise and one unit. A converter with unequal code widths, the same for all channels of a seed, makes codes of the sum.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from model.formats import disk, wav
from model.formats.codes import LATTICE_MAPPING, Mapping
from model.formats.errors import FormatError
from model.spec.operating import DEFAULT_RATE

POLES: Final = np.array([0.6, 0.95, 0.998])  # at 19 531 Hz: electronics, background spikes, local field
WEIGHTS: Final = np.array([0.09, 0.25, 0.66])  # of the noise's variance
SPREAD: Final = 19.0  # median standard deviation of the noise, in codes of 10 bits
SPREAD_LOG: Final = 0.18  # of its logarithm, from channel to channel
CENTRE: Final = 10.0  # codes of 10 bits above mid-scale
WIDTH_LOG: Final = 0.22  # of the logarithm of a code's width: neighbours differ by +-40 %
SPIKE_SECONDS: Final = 1.6e-3
REFRACTORY_SECONDS: Final = 2e-3
PAIR_CORRELATION: Final = (0.05, 0.5)
_BLOCK: Final = 4096  # frames made together


def converter_edges(width: int, rng: np.random.Generator, *, even: bool = False) -> np.ndarray:
    """Inputs at which the converter goes to the next code, float64, shape (2**width - 1,), in even codes."""
    widths = np.ones(1 << width) if even else np.exp(rng.normal(0, WIDTH_LOG, 1 << width))
    edges = np.cumsum(widths)
    return edges[:-1] * ((1 << width) / edges[-1])


def noise(frames: int, sources: int, rng: np.random.Generator) -> np.ndarray:
    """Independent noise of variance 1 with the spectrum of the module's text, float32, shape (frames, sources)."""
    drive = np.sqrt(WEIGHTS * (1 - POLES**2))[:, None]
    state = rng.standard_normal((len(POLES), sources)) * np.sqrt(WEIGHTS)[:, None]
    out = np.empty((frames, sources), np.float32)
    for start in range(0, frames, _BLOCK):
        block = rng.standard_normal((min(_BLOCK, frames - start), len(POLES), sources)) * drive
        for step in block:
            state *= POLES[:, None]
            state += step
            step[:] = state
        out[start : start + len(block)] = block.sum(axis=1)
    return out


@dataclass(frozen=True, eq=False)
class Unit:
    """A neuron: its `waveform` in standard deviations of the noise, and the frames at which it fires."""

    waveform: np.ndarray
    times: np.ndarray


def unit(frames: int, rate: int, rng: np.random.Generator) -> Unit:
    """A biphasic waveform, and firing as a Poisson process with a refractory period."""
    time = np.arange(max(2, round(SPIKE_SECONDS * rate))) / rate
    trough, width = 0.4e-3, rng.uniform(0.08e-3, 0.16e-3)
    rebound, slow = trough + rng.uniform(0.3e-3, 0.5e-3), width * rng.uniform(1.6, 2.4)
    shape = rng.uniform(0.25, 0.5) * np.exp(-(((time - rebound) / slow) ** 2)) - np.exp(
        -(((time - trough) / width) ** 2)
    )
    mean_wait = 1 / rng.uniform(2, 25)
    expected = frames / rate / mean_wait
    count = int(expected + 6 * expected**0.5 + 6)
    waits = REFRACTORY_SECONDS + rng.exponential(mean_wait, count)
    times = (np.cumsum(waits) * rate).astype(np.int64)
    return Unit(rng.uniform(1, 4) * shape, times[times < frames - len(time)])


def add_spikes(channel: np.ndarray, unit: Unit, rng: np.random.Generator) -> None:
    """Add a unit's spikes, of slightly differing heights, to `channel`, shape (frames,)."""
    heights = rng.normal(1, 0.08, len(unit.times))
    at = unit.times[:, None] + np.arange(len(unit.waveform))
    np.add.at(channel, at, heights[:, None] * unit.waveform)


def _channels(frames: int, channels: int, rate: int, rng: np.random.Generator, *, pairs: bool) -> Iterator[np.ndarray]:
    """Channels of noise and spikes, each of noise of variance 1."""
    common = channels // 2 if pairs else 0
    sources = noise(frames, channels + common, rng)
    shares = rng.uniform(*PAIR_CORRELATION, common)
    together = [unit(frames, rate, rng) for _ in range(common)]
    for number in range(channels):
        out = sources[:, number].astype(np.float64)
        pair = number // 2
        if pair < common:
            out = (1 - shares[pair]) ** 0.5 * out + shares[pair] ** 0.5 * sources[:, channels + pair]
            add_spikes(out, together[pair], rng)
        for _ in range(rng.integers(0, 3)):
            add_spikes(out, unit(frames, rate, rng), rng)
        yield out


def synthesise(
    directory: Path,
    *,
    channels: int = 8,
    seconds: float = 1.0,
    rate: int = DEFAULT_RATE,
    seed: int = 0,
    width: int = 10,
    even: bool = False,
    pairs: bool = True,
    overwrite: bool = False,
) -> list[Path]:
    """Write synthetic recordings, one mono 16-bit WAV a channel, all of equal length.

    Parameters
    ----------
    directory : Path
        Created if it is not there.
    channels : int
    seconds : float
    rate : int
        Frames a second.
    seed : int
        Equal seeds give equal files.
    width : int
        Bits of the converter, 8 to 16. 10 bits are scaled to 16 as real recordings are; others are left-justified.
    even : bool
        Give all codes the same width.
    pairs : bool
        Let channels 2n and 2n + 1 share noise and a unit.
    overwrite : bool
        Replace files that exist.

    Raises
    ------
    FormatError
        If a parameter is out of range, a file exists, or `directory` is one.
    """
    limits = {"channels": (channels, 1, 1 << 16), "rate": (rate, 1, 10**6), "width": (width, 8, 16)}
    for field, (value, low, high) in limits.items():
        if not low <= value <= high:
            raise FormatError(f"{directory}: {field}: {value} is out of range; give {low} to {high}")
    if not 0 < seconds <= 3600:
        raise FormatError(f"{directory}: seconds: {seconds} is out of range; give more than 0, up to 3600")
    disk.check_folder(directory, create=True)
    rng = np.random.default_rng(seed)
    edges = converter_edges(width, rng, even=even)
    mapping = LATTICE_MAPPING if width == LATTICE_MAPPING.width else Mapping("linear", width, 16 - width)
    unit_codes = 2.0 ** (width - 10)
    frames = max(1, round(seconds * rate))
    directory.mkdir(parents=True, exist_ok=True)
    digits = max(2, len(str(channels - 1)))
    paths = []
    for number, channel in enumerate(_channels(frames, channels, rate, rng, pairs=pairs)):
        spread = SPREAD * np.exp(rng.normal(0, SPREAD_LOG))
        volts = mapping.middle + unit_codes * (CENTRE + spread * channel)
        codes = np.searchsorted(edges, volts).astype(np.uint16)
        path = directory / f"channel{number:0{digits}d}.wav"
        wav.write_wav(path, mapping.to_samples(codes), rate, overwrite=overwrite)
        paths.append(path)
    return paths
