"""How small and how fast: the figures of one row of a table, whoever made its bytes."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from model.formats.container import Container, Ledger


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

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(*(getattr(self, f.name) + getattr(other, f.name) for f in dataclasses.fields(self)))

    def __str__(self) -> str:
        if not self.samples:
            return f"no samples, {self.bytes} bytes"
        return (
            f"{self.bits_per_sample:.4f} bits per sample, ratio_wav {self.ratio_wav:.4f}, "
            f"ratio_adc {self.ratio_adc:.4f}, {self.bytes} bytes"
        )


@dataclass(frozen=True)
class Row:
    """One row: recordings that were compressed, decoded and compared, by whatever compressor.

    Parameters
    ----------
    name : str
    figures : Figures
    encode_seconds, decode_seconds : float
        By the clock on the wall.
    """

    name: str
    figures: Figures = field(default_factory=Figures)
    encode_seconds: float = 0.0
    decode_seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain values: counts, bytes, seconds, megabytes (of WAV) a second, millions of samples a second."""
        figures = self.figures
        speeds: dict[str, float] = {}
        for name, seconds in (("encode", self.encode_seconds), ("decode", self.decode_seconds)):
            speeds[f"{name}_seconds"] = seconds
            speeds[f"{name}_mb_per_second"] = figures.wav_bytes / seconds / 1e6
            speeds[f"{name}_msamples_per_second"] = figures.samples / seconds / 1e6
        return {"name": self.name, **figures.to_json(), **speeds}

    def speed_beside(self, other: "Row") -> dict[str, float]:
        """This row's speeds over those of `other`, which has the same samples: above 1 where this one is faster."""
        return {
            "encode": other.encode_seconds / self.encode_seconds,
            "decode": other.decode_seconds / self.decode_seconds,
        }


@dataclass(frozen=True)
class Result(Row):
    """A row of spikey's: a file, a group of files or the total, with one profile; times are from files to files.

    Parameters
    ----------
    profile : str
    ledger : Ledger
    restarts : int
        Payload bytes that the key packets after the first one of each stream cost.
    """

    profile: str = ""
    ledger: Ledger = field(default_factory=Ledger)
    restarts: int = 0

    def to_json(self) -> dict[str, Any]:
        """As `Row.to_json`, and the ledger."""
        ledger = dataclasses.asdict(self.ledger)
        return {**super().to_json(), "ledger": {**ledger, "restarts_in_payload": self.restarts}}


def total(results: Sequence[Result], name: str = "total") -> Result:
    """The sum of `results`, of one profile."""
    return Result(
        name,
        sum((result.figures for result in results), Figures()),
        sum(result.encode_seconds for result in results),
        sum(result.decode_seconds for result in results),
        results[0].profile,
        sum((result.ledger for result in results), Ledger()),
        sum(result.restarts for result in results),
    )
