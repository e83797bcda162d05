"""The main job, end to end: recordings through the codec, through simulated gates and back; then the bitstream.

    python -m scripts.demo [--recordings N] [--seeds N]

Every figure comes from bytes that were decoded and compared. Any difference ends the demo with an error.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.hdl import UnusedElaboratable
from rich.console import Console
from rich.table import Table

from model import bench
from model.codec.compressor import encode
from model.codec.decompressor import decode
from model.formats import wav
from model.formats.codes import LATTICE_MAPPING, recognise
from model.formats.container import Container, Source, pack
from model.recordings import default_recordings, find
from model.spec import operating
from model.spec.config import CodecConfig
from verif.cxxrtl import run
from verif.design import Design

ROOT = Path(__file__).resolve().parent.parent
PROFILE, BOARD, CHANNELS, WIDTH = "tiny", "icebreaker", 256, 10


@dataclass(frozen=True)
class Row:
    """One line of the table: what was compressed, and to how much."""

    name: str
    figures: bench.Figures


def check(equal: bool, what: str) -> None:
    """End the demo if two things that must be equal are not."""
    if not equal:
        sys.exit(f"demo: error: {what}")


def recording(path: Path, scratch: Path) -> Row:
    """A file through `spikey compress`, the gates and `spikey decompress`; all bytes equal."""
    packed, restored = scratch / f"{path.name}.spk", scratch / path.name
    pack([[Source(path, "")]], packed, profile=PROFILE)
    container = Container.open(packed)
    container.unpack(restored)
    check(restored.read_bytes() == path.read_bytes(), f"{path.name}: what comes back is not the original")

    original, stream = wav.read(path), container.streams[0]
    codes = recognise(original.samples).to_codes(original.samples)
    config = operating.archive(PROFILE, original.channels, stream.mapping.width, original.rate)
    packets = packed.read_bytes()[stream.offset : stream.offset + stream.size]
    design = Design(config)
    gates = run(design, codes, spacing=design.calm_spacing)
    check(gates.trace.violations == [], f"{path.name}: gates: {gates.trace.violations}")
    check(gates.data == packets, f"{path.name}: the gates give other bytes than the codec")
    return Row(path.stem[:24], bench.Figures.of(container))


def side_by_side(paths: Sequence[Path], config: CodecConfig) -> np.ndarray:
    """Codes of `config.channels` channels: segments of the recordings laid side by side, the first ones first."""
    codes = [LATTICE_MAPPING.to_codes(wav.read(path).samples[:, 0]) for path in paths]
    frames = min(4096, sum(map(len, codes)) // config.channels)
    segments = [c[at : at + frames] for c in codes for at in range(0, len(c) - frames + 1, frames)]
    check(len(segments) >= config.channels, f"{len(segments)} segments of recordings, {config.channels} are needed")
    return np.stack(segments[: config.channels], axis=1)


def live(paths: Sequence[Path]) -> tuple[Row, CodecConfig]:
    """The stream that the board compresses: the core of the bitstream, simulated, against the codec."""
    config = operating.live(PROFILE, CHANNELS, WIDTH)
    codes = side_by_side(paths, config)
    packets = encode(codes, config)
    gates = run(Design(config), codes, spacing=4)  # 20.25 MHz leave four clocks a sample
    check(gates.trace.violations == [], f"live: gates: {gates.trace.violations}")
    check(gates.data == packets, "live: the gates give other bytes than the codec")
    decoded = decode(gates.data)
    check(not decoded.gaps and np.array_equal(decoded.frames, codes), "live: what comes back is not the original")
    return Row(
        f"live, {CHANNELS} channels", bench.Figures(codes.size, 2 * codes.size, WIDTH * codes.size, len(packets))
    ), config


def bitstream(seeds: int) -> dict:
    """The board's build, as users run it; its report."""
    out = ROOT / "build" / "demo" / BOARD
    options = ["--board", BOARD, "--profile", PROFILE, "--channels", str(CHANNELS), "--seeds", str(seeds)]
    built = subprocess.run([sys.executable, "-m", "hw.build", *options, "--out", str(out)], cwd=ROOT, check=False)
    check(built.returncode == 0, "the build of the bitstream failed")
    return json.loads((out / "report.json").read_text())


def main() -> None:
    """Run it all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=int, default=4, help="files that are shown one by one")
    parser.add_argument("--seeds", type=int, default=5, help="place-and-route runs; the worst one counts")
    arguments = parser.parse_args()
    console = Console()
    warnings.simplefilter("ignore", UnusedElaboratable)  # of cores that are only asked for their pace
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        console.print(f"recordings: {'real' if find('test') else 'synthetic (set SPIKEY_RECORDINGS for real ones)'}")
        paths = default_recordings(scratch / "synthetic", "test")
        rows = [recording(path, scratch) for path in paths[: arguments.recordings]]
        console.print(f"{len(rows)} recordings: codec, gates and back, byte for byte")
        stream, config = live(paths)
        console.print(f"{CHANNELS} channels live: the gates of the bitstream give the codec's bytes")
        rows.append(stream)
        console.print("bitstream: one synthesis and several place-and-route runs, some minutes")
        report = bitstream(arguments.seeds)

    table = Table("", "bits per sample", "ratio_wav", "ratio_adc", "bit-exact both ways", "gates = codec")
    for row in rows:
        f = row.figures
        table.add_row(row.name, f"{f.bits_per_sample:.4f}", f"{f.ratio_wav:.4f}", f"{f.ratio_adc:.4f}", "yes", "yes")
    console.print(table)
    board = Table(f"{BOARD}, profile {PROFILE}, {CHANNELS} channels", "used", "available", title="bitstream")
    for name in ("logic_cells", "flip_flops", "multipliers", "block_rams", "single_port_rams"):
        board.add_row(name.replace("_", " "), *(str(report[name][key]) for key in ("used", "available")))
    board.add_row("Fmax, worst of the seeds", f"{report['fmax_mhz']:.2f} MHz", f"{report['clock_mhz']:g} MHz wanted")
    board.add_row("real-time channels", str(report["realtime_channels"]), "at 19 531 Hz, by throughput")
    latency = operating.worst_latency(config) * 1e3
    board.add_row("worst latency", f"{latency:.3f} ms", f"{operating.LIVE_LATENCY * 1e3:g} ms, by arithmetic")
    console.print(board)


if __name__ == "__main__":
    main()
