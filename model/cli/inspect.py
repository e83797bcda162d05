"""`spikey info` and `spikey verify`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model.cli import console, sources
from model.cli.convert import JOBS, PATH

if TYPE_CHECKING:
    from model.formats.container import Container


@click.command()
@click.argument("container", metavar="FILE", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def info(container: Path, as_json: bool) -> int:
    """Show the streams, files, packets and the ledger of bytes of FILE, a container or a bare capture.

    The exit code is 1 if FILE is damaged.
    """
    from model.formats.container import is_stream

    sources.check_file(container)
    found = _of_capture(container) if is_stream(container) else _of_container(container)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return int(found["damage"] is not None)
    if found["damage"]:
        click.echo(f"DAMAGED: {container}: {found['damage']}")
    click.echo(f"{container}: {found['summary']}")
    for title in ("streams", "files"):
        rows = found.get(title, [])
        if rows:
            console.table(title, list(rows[0]), [list(row.values()) for row in rows])
    console.table("ledger", ("", "count or bytes"), list(found["ledger"].items()))
    return int(found["damage"] is not None)


def _damage(damaged: int, missing: int = 0) -> str | None:
    """Words for bytes that belong to no intact packet and frames that no packet holds; None if there are neither."""
    parts = [f"{damaged} bytes belong to no intact packet"] if damaged else []
    parts += [f"{missing} frames are in no intact packet"] if missing else []
    return ", ".join(parts) or None


def _of_container(path: Path) -> dict[str, Any]:
    from model.bench import Figures
    from model.formats.container import Container

    container = Container.open(path)
    figures, ledger = Figures.of(container), container.ledger()
    damage = _damage(ledger.damaged, sum(map(container.missing_frames, range(len(container.streams)))))
    ratios = dict.fromkeys(("bits_per_sample", "ratio_wav", "ratio_adc")) if damage else {}
    streams = []
    for number, stream in enumerate(container.streams):
        config = container.config(number)
        streams.append(
            {
                "stream": number,
                "profile": config.profile if config else None,
                "channels": stream.channels,
                "frames": stream.frames,
                "rate": stream.rate,
                "width": stream.mapping.width,
                "codes": stream.mapping.kind,
                "packet_frames": config.packet_frames if config else None,
                "key_interval": config.key_interval if config else None,
                "bytes": stream.size,
            }
        )
    files = [
        {
            "file": container.file_name(file),
            "stream": file.stream,
            "channel": file.first_channel,
            "channels": file.channels,
            "frames": file.frames,
            "rate": file.rate,
            "bits": file.bits,
            "bytes": file.size,
        }
        for file in container.files
    ]
    return {
        "damage": damage,
        "summary": f"{figures.bytes} bytes" if damage else str(figures),
        **figures.to_json(),
        **ratios,  # those of a file that lacks something would flatter
        "streams": streams,
        "files": files,
        "ledger": dataclasses.asdict(ledger),
    }


def _of_capture(path: Path) -> dict[str, Any]:
    from model.codec.packet import Packet, scan

    items = list(scan(path.read_bytes()))
    packets = [item for item in items if isinstance(item, Packet)]
    shape = next((packet.shape for packet in packets if packet.shape), None)
    damaged = sum(item.size for item in items if not isinstance(item, Packet))
    return {
        "damage": _damage(damaged),
        "summary": f"a bare capture; {shape if shape else 'no key packet'}",
        "shape": dataclasses.asdict(shape) if shape else None,
        "ledger": {
            "bytes": sum(item.size for item in items),
            "payload": sum(len(packet.payload) for packet in packets),
            "damaged": damaged,
            "frames": sum(packet.frames for packet in packets),
            "packets": len(packets),
            "key_packets": sum(packet.shape is not None for packet in packets),
            "raw_packets": sum(packet.raw for packet in packets),
        },
    }


@click.command()
@click.argument("container", metavar="FILE", type=PATH)
@click.option("--against", metavar="ORIGINALS", type=PATH, help="Compare with this WAV file or folder, byte for byte.")
@JOBS
def verify(container: Path, against: Path | None, jobs: int) -> None:
    """Decode the container FILE and check every original's CRC-32; with --against, every byte."""
    console.say_first_compilation()
    import tempfile

    from model.bench import compare
    from model.formats.container import Container, DamagedError, FormatError, is_stream

    sources.check_file(container)
    if is_stream(container):
        raise FormatError(f"{container}: is a bare capture, without CRCs of originals; give it to info or decompress")
    opened = Container.open(container)
    originals = _originals(opened, against) if against is not None else {}
    samples = sum(file.frames * file.channels for file in opened.files)
    with console.progress("verify", samples) as advance:
        report = opened.verify(jobs=jobs, progress=advance)
    if not report.ok:
        raise DamagedError(f"{container}: {report}", report)
    if against is not None:
        with tempfile.TemporaryDirectory() as scratch, console.progress("compare", samples) as advance:
            compare(opened, originals, Path(scratch), jobs=jobs, progress=advance)
        click.echo(f"{container}: {report}, equal to {against}")
    else:
        click.echo(f"{container}: {report}")


def _originals(container: Container, against: Path) -> dict[str, Path]:
    """The original of every name in `container`, in the folder `against` or that file itself."""
    from model.formats.container import FormatError

    single = all(not file.name for file in container.files)
    found = sources.find(against)
    if single and against.is_dir():
        raise FormatError(f"{against}: is a folder, but {container.path} holds one file; give that WAV file")
    if not single and not against.is_dir():
        raise FormatError(f"{against}: is a file, but {container.path} holds a folder's; give that folder")
    return {source.name: source.path for source in found}
