"""One table of profiles and boards: what they make of recordings, what they take, how fast they are, what they draw.

    python -m scripts.compare BUILD... [--recordings DIR] [--power FILE] [--page FILE]

Each BUILD is a folder that `python -m hw.build` made. The recordings are compressed with the build's set: once as
files, simultaneous ones together; once as the build sends them, its channels side by side. Both are decoded, compared.
`--power` is a file that `python -m scripts.power --json FILE` wrote; what its figures are stands in `docs/power.md`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from hw.build import REPORT
from model.bench import stream
from model.bench.figures import Figures, MismatchError
from model.bench.files import compare, grouped_sources
from model.codec.compressor import encode
from model.codec.decompressor import decode
from model.formats.container import Container
from model.formats.pack import Source, pack
from model.recordings import default_recordings, wav_files
from model.spec import shipped
from model.spec.config import CodecConfig, find_profile
from model.spec.parameters import ParameterSet
from scripts.document import show

COLUMNS: Final = (
    "board, profile or set",
    "channels",
    "multiply-adds a sample",
    "bits a sample",
    "ratio_wav",
    "live bits",
    "live ratio_wav",
    "cells",
    "flip-flops",
    "multipliers",
    "RAM blocks",
    "Fmax, MHz",
    "clock, MHz",
    "real-time channels",
    "worst latency, us",
    "iCE40 model, mW",
    "the same, nJ a sample",
    "180 nm cells, nJ a sample",
)
TITLE: Final = "profiles and boards: all bytes counted, decoded and compared"
SHAPE: Final = ("channels", "width", "packet_frames", "key_interval", "lanes")


def particular(report: Mapping[str, Any]) -> str | None:
    """The set that a build is meant for, if it is not its profile's default."""
    profile, array = report["configuration"]["profile"], report["array"]
    usual = array is None or shipped.named(array["set"]) is shipped.default(profile)
    return None if usual else array["set"]


def parameters_of(report: Mapping[str, Any]) -> ParameterSet | None:
    """What recordings are compressed with: that set, or the default for the public recordings' converter."""
    profile, name = report["configuration"]["profile"], particular(report)
    if name:
        return shipped.named(name)
    return shipped.default(profile, lattice=True) if find_profile(profile).parameterised else None


def archived(profile: str, parameters: ParameterSet | None, paths: Sequence[Path], jobs: int) -> Figures:
    """All recordings in one container, simultaneous ones together."""
    sources = [Source(path, f"{number}.wav") for number, path in enumerate(paths)]
    groups = grouped_sources(sources, "auto", find_profile(profile).links)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "all.spk")
        pack(groups, out, profile=profile, parameters=parameters, jobs=jobs)
        container = Container.open(out)
        compare(container, {source.name: source.path for source in sources}, Path(folder), jobs=jobs)
        return Figures.of(container)


def sent(config: CodecConfig, parameters: ParameterSet | None, paths: Sequence[Path], jobs: int) -> Figures:
    """The recordings side by side as a build's channels, in its packets."""
    lying = stream.lay_side_by_side(paths, config.channels)
    data = encode(lying.frames, config, parameters=parameters, jobs=jobs)
    decoded = decode(data, frames=len(lying.frames), jobs=jobs)
    if decoded.gaps or decoded.damage or not np.array_equal(decoded.frames, lying.frames):
        raise MismatchError(f"{config.profile}: the decoder gives other codes than the {config.channels} channels had")
    samples = lying.frames.size
    return Figures(samples, lying.wav_bytes, samples * config.width, len(data))


def power_of(report: Mapping[str, Any], builds: Sequence[Mapping[str, Any]]) -> tuple[str, str, str]:
    """Power in the model of iCE40, energy of a sample by it, and on standard cells."""
    shape, array = report["configuration"], report["array"]
    name = array["set"] if array else shape["profile"]
    named = [one for one in builds if (one["shipped"] or one["profile"]) == name]
    alike = named or [one for one in builds if one["profile"] == shape["profile"] and not one["shipped"]]
    alike.sort(key=lambda one: one["channels"] != shape["channels"])
    hertz = report["clock_mhz"] * 1e6
    same = [one for one in alike if "ice40" in one and (one["channels"], one["clock"]) == (shape["channels"], hertz)]
    cells = f"{alike[0]['asic']['nanojoules_per_sample']:.3g}" if alike else "-"
    if not same or report["board"] != "icebreaker":
        return "-", "-", cells
    total = same[0]["ice40"]["total_mw"]
    each = 1e6 / (shape["channels"] * same[0]["rate"])
    span = [f"{total[end]:.2f}" for end in ("low", "high")]
    energy = [f"{total[end] * each:.2g}" for end in ("low", "high")]
    return " to ".join(span), " to ".join(energy), cells


def row(
    report: Mapping[str, Any], file: Figures, live: Figures, builds: Sequence[Mapping[str, Any]]
) -> tuple[object, ...]:
    """A build's row."""
    shape, array = report["configuration"], report["array"]
    rams = [report[name]["used"] for name in ("block_rams", "single_port_rams") if name in report]
    return (
        f"{report['board']}, `{particular(report) or shape['profile']}`" + (", linked" if shape["links"] else ""),
        shape["channels"],
        array["multiply_adds"] if array else "-",
        f"{file.bits_per_sample:.4f}",
        f"{file.ratio_wav:.4f}",
        f"{live.bits_per_sample:.4f}",
        f"{live.ratio_wav:.4f}",
        report["logic_cells"]["used"],
        report["flip_flops"]["used"],
        report["multipliers"]["used"],
        " + ".join(map(str, rams)),
        f"{report['fmax_mhz']:.2f}",
        f"{report['clock_mhz']:g}",
        report["realtime_channels"],
        f"{report['worst_latency_us']:.0f}",
        *power_of(report, builds),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("builds", nargs="+", type=Path, metavar="BUILD")
    parser.add_argument("--recordings", type=Path, metavar="DIR", help="default: those for tests, else synthetic ones")
    parser.add_argument("--power", type=Path, metavar="FILE", help="figures of scripts.power")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the table into this page as well")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args(arguments)
    try:
        reports = [json.loads((folder / REPORT).read_text()) for folder in chosen.builds]
        builds = json.loads(chosen.power.read_text())["builds"] if chosen.power else []
        files: dict[tuple[str, str], Figures] = {}
        rows = []
        with tempfile.TemporaryDirectory() as folder:
            synthetic = Path(folder, "synthetic")
            paths = wav_files(chosen.recordings) if chosen.recordings else default_recordings(synthetic, "test")
            for report in reports:
                shape, parameters = report["configuration"], parameters_of(report)
                profile = shape["profile"]
                key = profile, f"{parameters.identifier:016x}" if parameters else ""
                if key not in files:
                    files[key] = archived(profile, parameters, paths, chosen.jobs)
                config = CodecConfig(profile, **{name: shape[name] for name in SHAPE})
                rows.append(row(report, files[key], sent(config, parameters, paths, chosen.jobs), builds))
        show(f"{TITLE}; {len(paths)} recordings", COLUMNS, rows, chosen.page)
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"compare: error: {error}")


if __name__ == "__main__":
    main()
