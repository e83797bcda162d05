"""`spikey info` and `spikey verify`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model.cli import console, sources
from model.cli.convert import JOBS, PARAMETERS, PATH

if TYPE_CHECKING:
    from model.codec.packet import Shape
    from model.formats.container import Container
    from model.spec.parameters import ParameterSet


@click.command()
@click.argument("container", metavar="FILE", type=PATH)
@PARAMETERS
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def info(container: Path, parameters: tuple[Path, ...], as_json: bool) -> int:
    """Show the streams, files, packets and the ledger of bytes of FILE, a container or a bare capture.

    The exit code is 1 if FILE is damaged.
    """
    from model.formats.container import is_stream

    sources.check_file(container)
    sets = sources.parameter_sets(parameters)
    found = _of_capture(container, sets) if is_stream(container) else _of_container(container, sets)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return int(found["damage"] is not None)
    if found["damage"]:
        click.echo(f"DAMAGED: {container}: {found['damage']}")
    click.echo(f"{container}: {found['summary']}")
    for title in ("streams", "files"):
        rows = found.get(title, [])
        if rows:
            cells = [["" if cell is None else cell for cell in row.values()] for row in rows]
            console.table(title, list(rows[0]), cells)
    console.table("ledger", ("", "count or bytes"), list(found["ledger"].items()))
    return int(found["damage"] is not None)


def _damage(damaged: int, missing: int = 0) -> str | None:
    """Words for bytes that belong to no intact packet and frames that no packet holds; None if there are neither."""
    parts = [f"{damaged} bytes belong to no intact packet"] if damaged else []
    parts += [f"{missing} frames are in no intact packet"] if missing else []
    return ", ".join(parts) or None


def _of_shape(shape: Shape | None, embedded: list[ParameterSet], given: list[ParameterSet]) -> dict[str, Any]:
    """What the key packets say besides channels and width; and where their parameter set is found, if anywhere."""
    from model.spec import shipped

    if shape is None:
        return dict.fromkeys(("profile", "lanes", "peers", "links", "parameter_set", "set_is"))
    identifier, place = shape.parameter_set, None
    if identifier is not None:
        known = {
            "shipped": shipped.find(identifier) is not None,
            "embedded": identifier in (parameters.identifier for parameters in embedded),
            "given": identifier in (parameters.identifier for parameters in given),
        }
        place = next((name for name, there in known.items() if there), "missing")
    return {
        "profile": shape.profile,
        "lanes": shape.lanes,
        "peers": sum(map(bool, shape.peers)),
        "links": sum(map(len, shape.links)),
        "parameter_set": None if identifier is None else f"{identifier:016x}",
        "set_is": place,
    }


def _of_container(path: Path, sets: list[ParameterSet]) -> dict[str, Any]:
    from model.bench import Figures
    from model.formats.container import Container

    container = Container.open(path)
    embedded = list(container.directory.parameter_sets)
    figures, ledger = Figures.of(container), container.ledger()
    damage = _damage(ledger.damaged, sum(map(container.missing_frames, range(len(container.streams)))))
    ratios = dict.fromkeys(("bits_per_sample", "ratio_wav", "ratio_adc")) if damage else {}
    streams = []
    for number, stream in enumerate(container.streams):
        config = container.config(number)
        streams.append(
            {
                "stream": number,
                **_of_shape(container.shape(number), embedded, sets),
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


def _of_capture(path: Path, sets: list[ParameterSet]) -> dict[str, Any]:
    from model.codec.packet import Packet, scan

    items = list(scan(path.read_bytes()))
    packets = [item for item in items if isinstance(item, Packet)]
    shape = next((packet.shape for packet in packets if packet.shape), None)
    damaged = sum(item.size for item in items if not isinstance(item, Packet))
    return {
        "damage": _damage(damaged),
        "summary": f"a bare capture; {shape if shape else 'no key packet'}",
        "shape": dataclasses.asdict(shape) if shape else None,
        "streams": [_of_shape(shape, [], sets)],
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
@PARAMETERS
@JOBS
def verify(container: Path, against: Path | None, parameters: tuple[Path, ...], jobs: int) -> None:
    """Decode the container FILE and check every original's CRC-32; with --against, every byte."""
    console.say_first_compilation()
    import tempfile

    from model.bench import compare
    from model.formats.container import Container, DamagedError, FormatError, is_stream

    sources.check_file(container)
    if is_stream(container):
        raise FormatError(f"{container}: is a bare capture, without CRCs of originals; give it to info or decompress")
    opened = Container.open(container, sources.parameter_sets(parameters))
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
