"""Speed and size beside well-known compressors, on the same files in the same run.

    python scripts/bench.py [DIR] [--profile tiny] [--live]

Speeds depend on the machine, so each is given as a ratio as well: spikey's speed over the other's. Every result was
decoded and its samples compared. FLAC and WavPack take part where their commands are installed.
"""

import argparse
import lzma
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model import bench
from model.cli import console
from model.formats import wav
from model.formats.container import Source
from model.recordings import default_recordings, wav_files

COLUMNS = ("", "ratio_wav", "encode MB/s", "decode MB/s", "spikey encodes / this", "spikey decodes / this")


@dataclass(frozen=True)
class Other:
    """A compressor to compare with: both functions read the first path and write the second."""

    name: str
    encode: Callable[[Path, Path], object]
    decode: Callable[[Path, Path], object]


@dataclass(frozen=True)
class Speeds:
    """One row: `wav_bytes` became `bytes`, in these many seconds each way."""

    name: str
    wav_bytes: int
    bytes: int
    encode_seconds: float
    decode_seconds: float


def command(*words: str) -> Callable[[Path, Path], object]:
    """A command whose words `{in}` and `{out}` stand for the paths."""

    def call(source: Path, out: Path) -> object:
        filled = [word.replace("{in}", str(source)).replace("{out}", str(out)) for word in words]
        return subprocess.run(filled, check=True, capture_output=True)

    return call


def others() -> list[Other]:
    """The compressors that are there."""
    found = [
        Other(
            "xz -6",
            lambda source, out: out.write_bytes(lzma.compress(source.read_bytes(), preset=6)),
            lambda source, out: out.write_bytes(lzma.decompress(source.read_bytes())),
        )
    ]
    if shutil.which("flac"):
        encode = command("flac", "-8", "--silent", "--force", "-o", "{out}", "{in}")
        found.append(Other("flac -8", encode, command("flac", "-d", "--silent", "--force", "-o", "{out}", "{in}")))
    if shutil.which("wavpack") and shutil.which("wvunpack"):
        encode = command("wavpack", "-hh", "-q", "-y", "{in}", "-o", "{out}")
        found.append(Other("wavpack -hh", encode, command("wvunpack", "-q", "-y", "{in}", "-o", "{out}")))
    return found


def measure(other: Other, paths: Sequence[Path], scratch: Path) -> Speeds:
    """Encode and decode every file; raises `bench.MismatchError` if samples come back changed."""
    packed, restored = scratch / "packed.wv", scratch / "restored.wav"
    size = 0
    seconds = [0.0, 0.0]
    for path in paths:
        for way, (step, source, out) in enumerate(
            ((other.encode, path, packed), (other.decode, packed, restored)),
        ):
            begin = time.perf_counter()
            step(source, out)
            seconds[way] += time.perf_counter() - begin
        size += packed.stat().st_size
        if not np.array_equal(wav.read(path).samples, wav.read(restored).samples):
            raise bench.MismatchError(f"{path}: {other.name} gives other samples back")
    return Speeds(other.name, sum(path.stat().st_size for path in paths), size, *seconds)


def copy(paths: Sequence[Path]) -> Speeds:
    """The bytes of all files copied in memory: the reference that every machine has."""
    originals = [np.frombuffer(path.read_bytes(), np.uint8) for path in paths]
    targets = [np.ones_like(original) for original in originals]  # written once: no page faults in what is timed
    begin = time.perf_counter()
    for original, target in zip(originals, targets, strict=True):
        np.copyto(target, original)
    seconds = time.perf_counter() - begin
    size = sum(original.size for original in originals)
    return Speeds("copy in memory", size, size, seconds, seconds)


def run(paths: Sequence[Path], profile: str, *, live: bool) -> list[Speeds]:
    """Spikey's row, then all others'."""
    results, _ = bench.bench([Source(path, str(path)) for path in paths], profile, live=live)
    whole = bench.total(results)
    figures = whole.figures
    rows = [
        Speeds(f"spikey {profile}", figures.wav_bytes, figures.bytes, whole.encode_seconds, whole.decode_seconds),
        copy(paths),
    ]
    with tempfile.TemporaryDirectory() as folder:
        rows += [measure(other, paths, Path(folder)) for other in others()]
    return rows


def show(rows: Sequence[Speeds]) -> None:
    """Print the table; the first row is spikey's."""
    own = rows[0]
    console.table(
        f"{own.wav_bytes} bytes of WAV",
        COLUMNS,
        [
            (
                row.name,
                f"{row.wav_bytes / row.bytes:.4f}",
                f"{row.wav_bytes / row.encode_seconds / 1e6:.1f}",
                f"{row.wav_bytes / row.decode_seconds / 1e6:.1f}",
                f"{row.encode_seconds / own.encode_seconds:.3f}",
                f"{row.decode_seconds / own.decode_seconds:.3f}",
            )
            for row in rows
        ],
    )


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="default: the recordings for tests, else synthetic ones")
    parser.add_argument("--profile", default="tiny")
    parser.add_argument("--live", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as synthetic:
        paths = wav_files(chosen.folder) if chosen.folder else default_recordings(Path(synthetic), "test")
        if not paths:
            sys.exit(f"{chosen.folder}: has no WAV file; give a folder with *.wav in it or below it")
        show(run(paths, chosen.profile, live=chosen.live))


if __name__ == "__main__":
    main()
