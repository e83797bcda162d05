"""`spikey info` and `spikey verify`."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import click

from model.cli import console, sources
from model.cli.convert import JOBS, PATH


@click.command()
@click.argument("container", metavar="FILE", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def info(container: Path, as_json: bool) -> None:
    """Show the streams, files, packets and the ledger of bytes of FILE, a container or a bare capture."""
    from model.formats.container import FormatError, is_stream

    if not container.is_file():
        raise FormatError(f"{container}: is not a file; give a file made by spikey compress")
    found = _of_capture(container) if is_stream(container) else _of_container(container)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"{container}: {found['summary']}")
    for title in ("streams", "files"):
        rows = found.get(title, [])
        if rows:
            console.table(title, list(rows[0]), [list(row.values()) for row in rows])
    console.table("ledger", ("", "count or bytes"), list(found["ledger"].items()))


def _of_container(path: Path) -> dict[str, Any]:
    from model.bench import Figures
    from model.formats.container import Container

    container = Container.open(path)
    figures = Figures.of(container)
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
        "summary": str(figures),
        **dataclasses.asdict(figures),
        "streams": streams,
        "files": files,
        "ledger": dataclasses.asdict(container.ledger()),
    }


def _of_capture(path: Path) -> dict[str, Any]:
    from model.codec.packet import Packet, scan

    items = list(scan(path.read_bytes()))
    packets = [item for item in items if isinstance(item, Packet)]
    shape = next((packet.shape for packet in packets if packet.shape), None)
    return {
        "summary": f"a bare capture; {shape if shape else 'no key packet'}",
        "shape": dataclasses.asdict(shape) if shape else None,
        "ledger": {
            "bytes": sum(item.size for item in items),
            "payload": sum(len(packet.payload) for packet in packets),
            "damaged": sum(item.size for item in items if not isinstance(item, Packet)),
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
    from model.formats.container import Container, DamagedError

    opened = Container.open(container)
    samples = sum(file.frames * file.channels for file in opened.files)
    with console.progress("verify", samples) as advance:
        report = opened.verify(jobs=jobs, progress=advance)
    if not report.ok:
        raise DamagedError(f"{container}: {report}", report)
    if against is not None:
        originals = {source.name: source.path for source in sources.find(against)}
        with tempfile.TemporaryDirectory() as scratch, console.progress("compare", samples) as advance:
            compare(opened, originals, Path(scratch), jobs=jobs, progress=advance)
        click.echo(f"{container}: {report}, equal to {against}")
    else:
        click.echo(f"{container}: {report}")
