"""`spikey compress` and `spikey decompress`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model.cli import console, settings, sources
from model.formats import DEFAULT_PROFILE

if TYPE_CHECKING:
    from model.formats.container import Container, Source

PATH = click.Path(path_type=Path)
JOBS = click.option(
    "--jobs", type=click.IntRange(1), default=os.cpu_count(), show_default=True, help="Threads; bytes are the same."
)
PARAMETERS = click.option(
    "--parameters",
    metavar="FILE",
    type=PATH,
    multiple=True,
    help="A parameter set that is neither shipped nor embedded. More than one can be given.",
)


@click.command()
@click.argument("recording", metavar="IN", type=PATH, required=False)
@click.option("--input_file", "input_file", type=PATH, help="The same as IN.")
@click.option("-o", "--output", "--output_file", "out", metavar="OUT", type=PATH, help="Default: IN with '.spk' added.")
@click.option(
    "--config",
    metavar="FILE",
    type=PATH,
    help=f"YAML with any of {', '.join(settings.KEYS)}.",
)
@click.option("--profile", metavar="NAME", help=f"The stages that samples flow through. [default: {DEFAULT_PROFILE}]")
@click.option(
    "--parameters",
    metavar="FILE",
    type=PATH,
    help="A parameter set in place of the default: its file, or the name of a shipped one.",
)
@click.option("--no-embed", is_flag=True, help="Leave that set out of OUT; whoever reads it must give it again.")
@click.option("--lanes", type=int, help="Coders side by side. [default: what the hardware needs]")
@click.option("--group", type=click.Choice(settings.GROUPS), help="Which files are simultaneous. [default: auto]")
@click.option("--live", is_flag=True, default=None, help="Short packets, for a link.")
@click.option("--packet-frames", type=int, help="Frames in a packet.")
@click.option("--key-interval", type=int, help="Packets from one key packet to the next.")
@JOBS
@click.option("--no-verify", is_flag=True, help="Do not decode the result and compare it with the originals.")
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
def compress(
    recording: Path | None,
    input_file: Path | None,
    out: Path | None,
    config: Path | None,
    jobs: int,
    no_embed: bool,
    no_verify: bool,
    force: bool,
    **typed: Any,
) -> None:
    """Compress IN, a WAV file or a folder with WAV files in or below it, without any loss."""
    path = sources.one_of(recording, input_file, "IN")
    chosen: dict[str, Any] = {"profile": DEFAULT_PROFILE, "group": "auto", "live": False}
    chosen.update(settings.load(config) if config else {})
    chosen.update({key: value for key, value in typed.items() if value is not None})
    console.say_first_compilation()
    found = sources.find(path)
    out = out or sources.container_of(path)
    sources.refuse_to_replace(out, [source.path for source in found])
    _compress(found, out, chosen, jobs=jobs, embed=not no_embed, verify=not no_verify, force=force)


def _compress(
    found: list[Source], out: Path, chosen: dict[str, Any], *, jobs: int, embed: bool, verify: bool, force: bool
) -> None:
    """Pack beside `out`, check, and only then give it its name."""
    from model.bench import Figures, compare, grouped_sources
    from model.formats import disk
    from model.formats.container import Container, pack
    from model.spec.config import find_profile

    disk.check_target(out, overwrite=force)
    options: dict[str, Any] = {key: chosen[key] for key in ("packet_frames", "key_interval", "lanes") if key in chosen}
    given = sources.parameter_sets([chosen["parameters"]] if "parameters" in chosen else [])
    profile = find_profile(chosen["profile"])
    if given and profile.parameterised and given[0].profile != profile.name:
        raise click.ClickException(
            f"{chosen['parameters']}: parameters: is for profile '{given[0].profile}'; give --profile "
            f"{given[0].profile}, or a set for '{profile.name}'"
        )
    groups = grouped_sources(found, chosen["group"], profile.links)
    samples = sum(source.path.stat().st_size // 2 for source in found)
    with tempfile.TemporaryDirectory(prefix=".spikey.", dir=out.parent) as scratch:
        beside = Path(scratch, out.name)
        with console.progress("compress", samples) as advance:
            pack(
                groups,
                beside,
                profile=chosen["profile"],
                live=chosen["live"],
                jobs=jobs,
                options=options,
                parameters=given[0] if given else None,
                embed=embed,
                progress=advance,
            )
        container = Container.open(beside, given)
        if verify:
            originals = {source.name: source.path for source in found}
            with console.progress("verify", samples) as advance:
                compare(container, originals, Path(scratch), jobs=jobs, progress=advance)
        figures = Figures.of(container)
        disk.check_target(out, overwrite=force)
        beside.replace(out)
    click.echo(f"{out}: {figures}")


@click.command()
@click.argument("container", metavar="IN", type=PATH, required=False)
@click.option("--input_file", "input_file", type=PATH, help="The same as IN.")
@click.option("-o", "--output", "--output_file", "out", metavar="OUT", type=PATH, help="Default: IN without '.spk'.")
@click.option(
    "--config",
    metavar="FILE",
    type=PATH,
    help="Accepted as compress accepts it; IN itself says how to decode, but for its parameters.",
)
@PARAMETERS
@click.option("--rate", type=click.IntRange(1, (1 << 32) - 1), help="Of a bare capture, in Hz. [default: 19531]")
@JOBS
@click.option("--recover", is_flag=True, help="Restore what is intact of a damaged file; the rest becomes mid-scale.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
def decompress(
    container: Path | None,
    input_file: Path | None,
    out: Path | None,
    config: Path | None,
    parameters: tuple[Path, ...],
    rate: int | None,
    jobs: int,
    recover: bool,
    force: bool,
) -> None:
    """Restore the originals from the container IN, or a WAV file from a bare capture of packets."""
    path = sources.one_of(container, input_file, "IN")
    chosen = settings.load(config) if config else {}
    parameters += (chosen["parameters"],) if "parameters" in chosen else ()
    console.say_first_compilation()
    from model.cli import capture
    from model.formats import disk
    from model.formats.container import Container, is_stream

    sources.check_file(path)
    sets = sources.parameter_sets(parameters)
    if is_stream(path):
        target = out or _without_suffix(path, ".wav")
        capture.decompress(path, target, sets, rate=rate, jobs=jobs, recover=recover, force=force)
        return
    if rate is not None:
        raise click.UsageError(f"--rate: {path} is no bare capture and knows its rate; leave it out")
    opened = Container.open(path, sets)
    target = out or _default_target(opened)
    for restored in opened.targets(target):
        sources.refuse_to_replace(restored, [path])
    made = opened.targets(target) != [target] and not target.is_dir()
    if made:
        disk.check_folder(target.parent)
        disk.check_folder(target, create=True)
        target.mkdir()
    try:
        with console.progress("decompress", sum(file.frames * file.channels for file in opened.files)) as advance:
            report = opened.unpack(target, overwrite=force, recover=recover, jobs=jobs, progress=advance)
    except BaseException:
        if made:
            target.rmdir()
        raise
    click.echo(f"{target}: {report}")


def _default_target(container: Container) -> Path:
    """The name of `container` without its suffix; for a single file, its own name."""
    bare = _without_suffix(container.path, "")
    single = len(container.files) == 1 and not container.files[0].name
    return bare.with_name(container.file_name(container.files[0])) if single else bare


def _without_suffix(path: Path, added: str) -> Path:
    from model.formats.container import FormatError

    if path.suffix != sources.SUFFIX or not path.stem:
        raise FormatError(f"{path}: its name does not end in '{sources.SUFFIX}'; say with -o where the originals go")
    return path.with_name(path.stem + added)
