"""Compression figures: how many bytes, how fast, and what the bytes are spent on.

Every figure counts all samples and all bytes of the container, and only what was decoded and compared with the original
byte for byte is counted at all.
"""

import dataclasses
import filecmp
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from model.formats import wav
from model.formats.container import Container, Ledger, Source, pack
from model.recordings import Mode
from model.recordings import group as group_recordings

ONE_KEY_PACKET: Final = {"key_interval": 1 << 32}  # no stream is long enough for a second one
Progress = Callable[[int], None]


class MismatchError(ValueError):
    """What was decoded is not the original."""


@dataclass(frozen=True)
class Figures:
    """How small.

    Parameters
    ----------
    samples : int
    wav_bytes : int
        Bytes of the original files, headers included.
    adc_bits : int
        Bits that the converter made: the samples at the width of their codes, 10 on the 10-bit lattice.
    bytes : int
        Bytes written, all of them.
    """

    samples: int = 0
    wav_bytes: int = 0
    adc_bits: int = 0
    bytes: int = 0

    @classmethod
    def of(cls, container: Container) -> "Figures":
        """Those of a container; its originals' sizes are those that it restores."""
        files = container.files
        samples = [file.frames * file.channels for file in files]
        bits = sum(count * file.mapping.width for count, file in zip(samples, files, strict=True))
        return cls(sum(samples), sum(file.size for file in files), bits, container.path.stat().st_size)

    @property
    def bits_per_sample(self) -> float:
        """Bits written a sample; not a number where there is no sample."""
        return 8 * self.bytes / self.samples if self.samples else math.nan

    @property
    def ratio_wav(self) -> float:
        """Bytes of the WAV files over bytes written."""
        return self.wav_bytes / self.bytes

    @property
    def ratio_adc(self) -> float:
        """Bits of the converter over bits written."""
        return self.adc_bits / (8 * self.bytes)

    def to_json(self) -> dict[str, float | None]:
        """The counts and the ratios; None for bits per sample where there is no sample."""
        return {
            **dataclasses.asdict(self),
            "bits_per_sample": self.bits_per_sample if self.samples else None,
            "ratio_wav": self.ratio_wav,
            "ratio_adc": self.ratio_adc,
        }

    def __str__(self) -> str:
        if not self.samples:
            return f"no samples, {self.bytes} bytes"
        return (
            f"{self.bits_per_sample:.4f} bits per sample, ratio_wav {self.ratio_wav:.4f}, "
            f"ratio_adc {self.ratio_adc:.4f}, {self.bytes} bytes"
        )


@dataclass(frozen=True)
class Result:
    """One row: a file, a group of files or the total, with one profile.

    Parameters
    ----------
    name, profile : str
    figures : Figures
    encode_seconds, decode_seconds : float
        From files to files.
    ledger : Ledger
    restarts : int
        Payload bytes that the key packets after the first one of each stream cost.
    """

    name: str
    profile: str
    figures: Figures = field(default_factory=Figures)
    encode_seconds: float = 0.0
    decode_seconds: float = 0.0
    ledger: Ledger = field(default_factory=Ledger)
    restarts: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values: counts, bytes, seconds, megabytes (of WAV) a second, millions of samples a second."""
        figures, ledger = self.figures, dataclasses.asdict(self.ledger)
        speeds: dict[str, float] = {}
        for name, seconds in (("encode", self.encode_seconds), ("decode", self.decode_seconds)):
            speeds[f"{name}_seconds"] = seconds
            speeds[f"{name}_mb_per_second"] = figures.wav_bytes / seconds / 1e6
            speeds[f"{name}_msamples_per_second"] = figures.samples / seconds / 1e6
        return {
            "name": self.name,
            **figures.to_json(),
            **speeds,
            "ledger": {**ledger, "restarts_in_payload": self.restarts},
        }


def compare(
    container: Container,
    originals: Mapping[str, Path],
    scratch: Path,
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> float:
    """Restore a container and compare every file with its original, byte for byte.

    Parameters
    ----------
    container : Container
    originals : mapping of str to Path
        The original of every name in the container.
    scratch : Path
        A folder; what is restored goes into a temporary one in it.
    jobs, progress
        As in `Container.unpack`.

    Returns
    -------
    float
        Seconds that restoring took.

    Raises
    ------
    MismatchError
        Naming the first file that differs, or a name that only one side has.
    DamagedError
        If the container does not decode.
    """
    names = {file.name for file in container.files}
    if strays := names ^ originals.keys():
        where = container.path if min(strays) in names else "the originals"
        raise MismatchError(f"{container.path}: name '{min(strays)}': only in {where}; compare with the same files")
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        begin = time.perf_counter()
        report = container.unpack(Path(folder), jobs=jobs, progress=progress)
        seconds = time.perf_counter() - begin
        for file, restored in zip(container.files, report.files, strict=True):
            if not filecmp.cmp(originals[file.name], restored, shallow=False):
                raise MismatchError(f"{container.path}: what it restores differs from {originals[file.name]}")
    return seconds


def measure(
    name: str,
    groups: Sequence[Sequence[Source]],
    profile: str,
    scratch: Path,
    *,
    live: bool = False,
    jobs: int = 1,
    options: Mapping[str, int] | None = None,
) -> Result:
    """Compress `groups` into one container, decode it, compare, and count; nothing stays in the folder `scratch`."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        out, single = Path(folder, "whole.spk"), Path(folder, "single.spk")
        begin = time.perf_counter()
        pack(groups, out, profile=profile, live=live, jobs=jobs, options=options)
        encode_seconds = time.perf_counter() - begin
        container = Container.open(out)
        originals = {source.name: source.path for members in groups for source in members}
        decode_seconds = compare(container, originals, Path(folder), jobs=jobs)
        ledger = container.ledger()
        pack(groups, single, profile=profile, live=live, jobs=jobs, options={**(options or {}), **ONE_KEY_PACKET})
        restarts = _payload(ledger) - _payload(Container.open(single).ledger())
        return Result(name, profile, Figures.of(container), encode_seconds, decode_seconds, ledger, restarts)


def _payload(ledger: Ledger) -> int:
    return ledger.payload_coded + ledger.payload_raw


def total(results: Sequence[Result], name: str = "total") -> Result:
    """The sum of `results`, of one profile."""
    figures = (dataclasses.astuple(result.figures) for result in results)
    return Result(
        name,
        results[0].profile,
        Figures(*map(sum, zip(*figures, strict=True))),
        sum(result.encode_seconds for result in results),
        sum(result.decode_seconds for result in results),
        sum((result.ledger for result in results), Ledger()),
        sum(result.restarts for result in results),
    )


def _warm_up(profile: str, scratch: Path) -> None:
    """Have everything compiled before the clock runs: a quiet second, and noise that is stored raw."""
    random = np.random.default_rng(0)
    samples = np.concatenate([random.integers(-9, 9, 30000), random.integers(-(1 << 15), 1 << 15, 30000)])
    path = scratch / "warm-up.wav"
    path.write_bytes(wav.to_bytes(samples.astype(np.int16), 19531))
    measure("warm-up", [[Source(path, "")]], profile, scratch)
    path.unlink()


def bench(
    sources: Sequence[Source],
    profile: str,
    *,
    live: bool = False,
    group: Mode | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> tuple[list[Result], Result | None]:
    """Measure every file as a container of its own and, with `group`, all files as one.

    Parameters
    ----------
    sources : sequence of Source
    profile : str
    live : bool
    group : {'none', 'auto', 'all'}, optional
        How files are put together in the one container; without it there is none.
    jobs : int
        Streams of the one container that are worked on together.
    progress : callable, optional
        Called with 1 after every file.

    Returns
    -------
    files : list of Result
    grouped : Result or None
    """
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        _warm_up(profile, scratch)
        results = []
        for source in sources:
            alone = dataclasses.replace(source, name="")
            results.append(measure(source.name, [[alone]], profile, scratch, live=live))
            if progress:
                progress(1)
        grouped = None
        if group is not None:
            groups = grouped_sources(sources, group)
            grouped = measure(f"one container, group {group}", groups, profile, scratch, live=live, jobs=jobs)
    return results, grouped


def grouped_sources(sources: Sequence[Source], mode: Mode) -> list[list[Source]]:
    """`sources` in groups of simultaneous recordings; `mode` as in `model.recordings.group`."""
    by_path = {source.path: source for source in sources}
    return [[by_path[path] for path in members] for members in group_recordings(list(by_path), mode)]
