"""`spikey train` and `spikey sweep`."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from model.cli import console
from model.cli.convert import PATH

if TYPE_CHECKING:
    from model.training.experiment import Experiment
    from model.training.result import Result

EXTRA: Final = ("torch", "optuna", "pydantic", "pydantic_core", "pywt", "matplotlib", "tensorboard")
COLUMNS: Final = ("", "ideal, float", "ideal, integers", "bits/sample", "ratio_wav", "multiply-adds", "epochs", "s")


@contextlib.contextmanager
def _installed() -> Iterator[None]:
    """Say what is missing where what trains is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing not in EXTRA:
            raise
        raise click.ClickException(f"{missing} is not installed; pip install 'spikey[train]'") from None


def _file(config: Path) -> Path:
    """The file that was named: one of those that the project ships, or a path."""
    from model.training.experiment import PUBLISHED, SHIPPED

    return {PUBLISHED.stem: PUBLISHED, SHIPPED.stem: SHIPPED}.get(str(config), config)


def _changed(experiment: Experiment, values: tuple[str, ...], out: Path | None, device: str | None) -> Experiment:
    """The experiment with what was asked for; its search stays."""
    from model.training.experiment import apply, value

    given = {}
    for text in values:
        field, sign, found = text.partition("=")
        if not sign:
            raise click.UsageError(f"--set: {text}: give FIELD=VALUE, such as training.epochs=5")
        given[field] = value(found)
    given |= {"output.save_path": str(out)} if out else {}
    given |= {"training.device": device} if device else {}
    if not given:
        return experiment
    return apply(experiment, given).model_copy(update={"search": experiment.search})


def _say_synthetic(experiment: Experiment) -> None:
    """Say so where there are no real recordings to learn from."""
    from model.recordings import find

    data = experiment.data
    if data.directory is None and not find("train" if data.split == "folders" else None):
        url = f" (the published ones are at {data.url})" if data.url else ""
        click.echo(
            f"spikey: {experiment.name}: no recordings were found, synthetic ones are used; name a folder with "
            f"--set data.directory=DIR or in SPIKEY_RECORDINGS{url}",
            err=True,
        )


_CHANGES = (
    click.option("--set", "values", metavar="FIELD=VALUE", multiple=True, help="Change a field of every experiment."),
    click.option("-o", "--output", "out", metavar="DIR", type=PATH, help="In place of output.save_path."),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), help="In place of training.device."),
)


@click.command()
@click.argument("config", type=PATH)
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--resume", is_flag=True, help="Go on from checkpoints; what has a result stays as it is.")
@click.option("--force", is_flag=True, help="Begin anew, and replace what is there.")
@click.option("--no-plots", is_flag=True, help="No pictures, whatever the experiment says.")
def train(
    config: Path,
    names: tuple[str, ...],
    resume: bool,
    force: bool,
    no_plots: bool,
    values: tuple[str, ...],
    out: Path | None,
    device: str | None,
) -> None:
    """Train networks for profiles spikey and full; write parameter sets for compress --parameters.

    CONFIG is a YAML file of experiments, or `published` or `shipped`, those that come with spikey; NAME chooses some of
    it. Each experiment gets a folder: parameters.spkp, result.json, checkpoint.pt, pictures. What is held out is
    compressed, decoded and compared.
    """
    if resume and force:
        raise click.UsageError("--resume, --force: one goes on, the other begins anew; give one of them")
    with _installed():
        from model.training import experiment as experiments
        from model.training import result as results

        path = _file(config)
        chosen = [experiments.select(path, name) for name in dict.fromkeys(names)] or list(
            experiments.load(path).values()
        )
        chosen = [_changed(one, (*values, *["output.plots=false"] * no_plots), out, device) for one in chosen]
        todo = [(one, Path(one.output.save_path, one.name)) for one in chosen]
        if any(one.output.plots for one in chosen):
            importlib.import_module("model.training.pictures")  # matplotlib is looked for before any work
        done = [_earlier(one, folder, resume=resume, force=force) for one, folder in todo]
        console.say_first_compilation()
        found = []
        for (one, folder), before in zip(todo, done, strict=True):
            found.append(before or _run(one, folder, resume=resume))
    _show(found)
    for (_, folder), each in zip(todo, found, strict=True):
        set_of = f"{results.PARAMETERS}, set {each.parameter_set}" if each.parameter_set else "no parameter set"
        click.echo(f"{folder}: {results.RESULT}; {set_of}")


def _earlier(experiment: Experiment, folder: Path, *, resume: bool, force: bool) -> Result | None:
    """The result that is there, if it is to stay; refuses to replace anything unasked."""
    from model.formats import disk
    from model.training import result as results
    from model.training.train import CHECKPOINT, what_counts

    disk.check_folder(folder, create=True)
    path, checkpoint = folder / results.RESULT, folder / CHECKPOINT
    if force:
        return None
    if not resume:
        for there, mend in ((path, ""), (checkpoint, " to begin anew, --resume to go on")):
            if there.exists():
                raise click.ClickException(f"{there}: exists; give --force{mend or ' to replace it'}")
        return None
    if not path.is_file():
        return None
    found = results.read(path)
    if found.configuration != what_counts(experiment):
        raise click.ClickException(f"{path}: is of another configuration; remove it, or give --force")
    return found


def _run(experiment: Experiment, folder: Path, *, resume: bool) -> Result:
    from model.training import result as results
    from model.training.train import CHECKPOINT, Progress

    _say_synthetic(experiment)
    reached = 0
    with console.counter(experiment.name) as count:

        def show(progress: Progress) -> None:
            nonlocal reached
            reached = progress.epoch
            if count:
                how = "integers" if progress.quantised else "float"
                note = f"epoch {progress.epoch} of {progress.epochs}, {progress.bits:.4f} bits a sample in {how}"
                count(progress.epoch, progress.epochs, note)

        try:
            return results.run(experiment, folder, resume=resume, progress=show)
        except KeyboardInterrupt:
            checkpoint = folder / CHECKPOINT
            mend = (
                f"the same command with --resume goes on from {checkpoint}"
                if checkpoint.is_file()
                else "nothing is left"
            )
            after = f" after epoch {reached}" if reached else ""
            raise click.Abort(f"{experiment.name}: interrupted{after}; {mend}") from None


def _show(found: list[Result]) -> None:
    rows = []
    for one in found:
        integers = "-" if one.quantised_bits is None else f"{one.quantised_bits:.4f}"
        products = "-" if one.multiply_adds is None else sum(one.multiply_adds.values())
        size = ("-", "-") if one.size is None else (f"{one.size.bits_per_sample:.4f}", f"{one.size.ratio_wav:.4f}")
        rows.append((one.name, f"{one.float_bits:.4f}", integers, *size, products, one.epochs, round(one.seconds)))
    console.table("what is held out, compressed, decoded and compared; the set itself is not counted", COLUMNS, rows)


@click.command()
@click.argument("config", type=PATH)
@click.argument("name", required=False)
@click.option("--trials", type=click.IntRange(1), required=True, help="In all, those in the journal among them.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option("--storage", metavar="FILE", type=PATH, help="Journal of trials. [default: sweep.journal]")
def sweep(
    config: Path,
    name: str | None,
    trials: int,
    jobs: int,
    storage: Path | None,
    values: tuple[str, ...],
    out: Path | None,
    device: str | None,
) -> None:
    """Try values of the fields in an experiment's `search`; write the best ones as an experiment, best.yaml.

    CONFIG and NAME are as of train. The journal is in the experiment's folder; a sweep that has one goes on with it.
    What is held out is not looked at.
    """
    from model.formats import disk

    with _installed():
        from model.training import experiment as experiments
        from model.training import sweep as sweeps

        experiment = _changed(experiments.select(_file(config), name), values, out, device)
        folder = Path(experiment.output.save_path, experiment.name)
        disk.check_folder(folder, create=True)
        journal = storage or folder / "sweep.journal"
        console.say_first_compilation()
        _say_synthetic(experiment)
        with console.counter(experiment.name) as count:

            def show(ended: int, best: float) -> None:
                if count:
                    count(ended, trials, f"{ended} of {trials} trials, best {best:.4f} bits a sample")

            try:
                found = sweeps.sweep(experiment, journal, trials=trials, jobs=jobs, progress=show)
            except KeyboardInterrupt:
                raise click.Abort(f"{experiment.name}: interrupted; the same command goes on with {journal}") from None
        folder.mkdir(parents=True, exist_ok=True)
        sweeps.write(experiment, found, folder / "best.yaml")
    title = f"best of {found.trials} trials, {found.pruned} of them given up: {found.bits:.4f} bits a sample"
    console.table(title, ("field", "value"), list(found.values.items()))
    click.echo(f"{folder / 'best.yaml'}: train it with: spikey train {folder / 'best.yaml'}")


for _command in (train, sweep):
    for _option in _CHANGES:
        _option(_command)
