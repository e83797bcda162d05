"""Size and speed beside well-known compressors, on the same recordings in the same run.

    python -m scripts.bench [DIR] [--profile tiny,...] [--jobs N] [--channels 1024] [--live]

Two tables. The first: all recordings in one container, each as a stream of its own, from files to files. The second: a
stream of many channels, recordings laid side by side; spikey's codec from memory to memory, the others on the same
samples, channel after channel, in one mono file for each job, so that they need not start for every channel.

Speeds depend on the machine, so each is given as a ratio as well: spikey's speed over the other's. Whatever is measured
works with the same number of jobs, and everything was decoded and compared.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model import bench
from model.bench import others, stream
from model.cli import comparison
from model.formats.container import Source
from model.recordings import default_recordings, wav_files
from model.spec import operating
from model.spec.config import find_profile


def copy(paths: Sequence[Path], like: bench.Row) -> bench.Row:
    """The bytes of all files copied in memory: the reference that every machine has."""
    originals = [np.frombuffer(path.read_bytes(), np.uint8) for path in paths]
    targets = [np.ones_like(original) for original in originals]  # written once: no page faults in what is timed
    begin = time.perf_counter()
    for original, target in zip(originals, targets, strict=True):
        np.copyto(target, original)
    seconds = time.perf_counter() - begin
    figures = like.figures
    kept = bench.Figures(figures.samples, figures.wav_bytes, figures.adc_bits, figures.wav_bytes)
    return bench.Row("copy in memory", kept, seconds, seconds)


def show_files(paths: Sequence[Path], profiles: Sequence[str], *, live: bool, jobs: int, scratch: Path) -> None:
    """Print the first table."""
    groups = [[Source(path, f"{number}.wav")] for number, path in enumerate(paths)]
    own = [bench.measure(profile, groups, profile, scratch, live=live, jobs=jobs) for profile in profiles]
    beside = [others.measure(other, paths, scratch, jobs=jobs) for other in others.OTHERS]
    title = f"{len(paths)} recordings, {'live' if live else 'archive'}, jobs: {jobs}"
    comparison.show(title, profiles[0], own[0], [*own, copy(paths, own[0]), *beside])


def show_stream(paths: Sequence[Path], profiles: Sequence[str], *, channels: int, jobs: int, scratch: Path) -> None:
    """Print the second table: every profile at both operating points."""
    laid = stream.lay_side_by_side(paths, channels)
    own = []
    for profile in profiles:
        for point in (operating.archive, operating.live):
            config = point(profile, channels, laid.mapping.width, laid.rate)
            own.append(stream.measure(f"{profile}, {point.__name__}", laid, config, jobs=jobs))
    files = laid.write(scratch, jobs)
    beside = [others.measure(other, files, scratch, jobs=jobs) for other in (*others.FLAC, *others.WAVPACK)]
    title = (
        f"{channels} channels, {len(laid.frames)} frames, jobs: {jobs}; real time needs {laid.real_time / 1e6:.1f} MS/s"
    )
    comparison.show(title, own[0].name, own[0], [*own, *beside])


def main() -> None:
    """Parse the command line and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="default: the recordings for tests, else synthetic ones")
    parser.add_argument("--profile", default="calibrated,tiny", help="names, separated by commas")
    parser.add_argument("--channels", type=int, default=1024, help="of the stream in the second table")
    parser.add_argument("--jobs", type=int, default=1, help="recordings, or parts of the stream, worked on together")
    parser.add_argument("--live", action="store_true", help="the first table with short packets, for a link")
    chosen = parser.parse_args()
    profiles = [name.strip() for name in chosen.profile.split(",")]
    if chosen.jobs < 1 or chosen.channels < 1:
        parser.error("--jobs, --channels: give 1 or more")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        paths = wav_files(chosen.folder) if chosen.folder else default_recordings(scratch / "synthetic", "test")
        if not paths:
            sys.exit(f"{chosen.folder}: has no WAV file; give a folder with *.wav in it or below it")
        try:
            for profile in profiles:
                find_profile(profile)
                bench.warm_up(profile, scratch)
            show_files(paths, profiles, live=chosen.live, jobs=chosen.jobs, scratch=scratch)
            show_stream(paths, profiles, channels=chosen.channels, jobs=chosen.jobs, scratch=scratch)
        except ValueError as error:
            sys.exit(f"bench: error: {error}")


if __name__ == "__main__":
    main()
