"""What the golden model reaches: the published experiments and ours, float, quantised, and in bytes that were decoded.

    python -m scripts.golden [--page docs/golden-model.md] [--runs DIR] [--only NAME,...] [--slow] [--resume] [--ship]

Everything is trained on the folder `train` of the recordings and measured on `test`, simultaneous recordings grouped.
A published experiment is trained twice: in its own form, which transforms the whole window anew at each sample, and in
the streaming form that the law has. The published design says nothing of its numbers of epochs: `BUDGET` is ours, as
is `FOURIER`, the few bins that stand for all of a Fourier transform where it must stream.

With `--ship`, the parameter sets of our own experiments go into the folder of shipped ones. With `--resume`, training
goes on from its checkpoints, and rows whose experiment did not change are taken from the runs' folder, but for those
that are shipped; give another folder after a change of `BUDGET` or its like. Two cores take about an hour.
"""

import argparse
import copy
import dataclasses
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model import bench
from model.bench.files import grouped_sources
from model.cli import console
from model.formats import disk
from model.formats.container import Source
from model.spec import full, shipped
from model.spec.config import ConfigError, find_profile
from model.spec.parameters import ParameterSet
from model.training import filters, law, windows
from model.training.batches import outputs
from model.training.evaluate import evaluate
from model.training.experiment import PUBLISHED, Experiment, apply, load
from model.training.export import parameter_set
from model.training.traces import Recordings
from model.training.train import Trained, recordings, train
from scripts import document

OURS = PUBLISHED.with_name("shipped.yaml")
BUDGET: dict[str, Any] = {
    "data.split": "folders",
    "training.epochs": 24,
    "training.quantise_epochs": 8,
    "training.schedule": "cosine",
    "quantisation.activations": 10,
    "training.segment": 256,
    "training.eval_freq": 4,
    "training.threads": 1,
    "output.plots": False,
}
MEMORY_BUDGET = {
    "training.epochs": 10,
    "training.quantise_epochs": 1,
    "training.segment": 128,
    "training.eval_freq": 3,
}  # of an LSTM
FOURIER = {"kind": "fourier", "bins": 8, "window": 64}
STREAMS = 6  # every so manieth stream of `test`, for the published experiments
SLOW = ("Proto_3_Light_HugeInp",)  # 1953 samples as features: an hour of its own
MEMORY_STREAMS = 30  # for those with an LSTM
KEPT = 24  # trained networks that are kept for experiments that differ in their coder only
WAVELETS = ("haar", "sym2", "coif1", "bior1.3", "rbio1.3", "dmey")
WINDOW = 1953  # samples
FEATURES = (
    "wavelet",
    "taps",
    "kept, low and high",
    "lost",
    "response",
    "rounding, 1/16 code",
    "level 1 unexplained",
    "worst level",
)
LINEAR: dict[str, Any] = {
    "projector": {"kind": "none"},
    "middleout": {"form": "none", "peers": 0},
    "predictor": {"kind": "fc", "hidden": [], "skip": False},
    "coder": {"kind": "rice"},
    "loss": "squared_error",
    "training.learning_rate": 0.005,
    "training.schedule": "cosine",
    "training.epochs": 12,
    "training.quantise_epochs": 0,
    "training.eval_freq": 3,
}
SETS = {
    "spikey": "spikey",
    "spikey_slim": "spikey-slim",
    "spikey_huffman": "spikey-huffman",
    "full": "full-lattice",
    "full_even": "full-even",
}  # experiments of ours, and the sets shipped of them


@dataclasses.dataclass(frozen=True)
class Row:
    """One experiment's figures; ideal code lengths and bytes in bits a sample, NaN where there is none."""

    name: str
    multiply_adds: int
    windowed: float
    floating: float
    linear: float
    quantised: float
    bits: float
    ratio: float

    def cells(self) -> list[str]:
        """As a line of the table."""
        bits = (self.windowed, self.linear, self.floating, self.quantised, self.bits)
        ratio = "-" if math.isnan(self.ratio) else f"{self.ratio:.4f}"
        return [self.name, str(self.multiply_adds or "-"), *("-" if math.isnan(b) else f"{b:.4f}" for b in bits), ratio]


COLUMNS = ("experiment", "multiply-adds", "float, windowed", "linear", "float", "quantised", "bytes", "ratio_wav")


class Runs:
    """Trains experiments, one after the other, each in its folder.

    Parameters
    ----------
    folder : Path
    resume : bool
    """

    def __init__(self, folder: Path, *, resume: bool) -> None:
        self.folder, self.resume = folder, resume
        self._found: dict[str, list[Recordings]] = {}
        self._trained: dict[str, Trained] = {}

    def recordings(self, experiment: Experiment, every: int) -> list[Recordings]:
        """Those to learn from, and every so manieth stream of those held out; read once."""
        key = f"{experiment.profile} {experiment.data.model_dump_json()} {experiment.middleout.peers}"
        if key not in self._found:
            self._found = {key: recordings(experiment, self.folder / "recordings")}  # others are let go
        learned, held = self._found[key]
        return [learned, dataclasses.replace(held, traces=held.traces[::every])]

    def train(self, experiment: Experiment, every: int = 1) -> Trained:
        """A trained experiment; those that differ in their coder only are trained once."""
        plain = experiment.model_copy(update={"name": "", "description": "", "coder": None, "search": {}})
        key = f"{every} {plain.model_dump_json(warnings=False)}"
        learned, held = found = self.recordings(experiment, every)
        if key in self._trained:
            return dataclasses.replace(self._trained[key], experiment=experiment, train=learned, test=held)
        print(f"{experiment.name}: {experiment.feature_form}, {experiment.training.epochs} epochs", flush=True)
        folder = self.folder / experiment.name
        trained = train(experiment, folder, resume=self.resume, found=found)
        none = Recordings([], learned.mapping, learned.tables)  # they are large, and read anew where they are needed
        kept = dataclasses.replace(trained, train=none, test=none)
        self._trained = {**dict(list(self._trained.items())[-KEPT:]), key: kept}
        return trained


def check(trained: Trained, parameters: ParameterSet) -> int:
    """Outputs compared, of all that is held out: those of torch and of the codec must be equal.

    Raises
    ------
    ValueError
        If one differs.
    """
    compared = 0
    for stream in trained.test.traces:
        found = law.outputs(parameters, stream.codes, stream.links, trained.experiment.data.width)
        wanted = outputs(trained.golden, stream, exact=True)[:, :, : found.shape[2]].cpu().numpy()
        if (wanted != found).any():
            raise ValueError(f"{trained.experiment.name}: {stream.paths[0]}: torch and codec differ")
        compared += found.size
    return compared


def measured(trained: Trained, parameters: ParameterSet) -> tuple[float, float]:
    """Bits a sample and ratio_wav, of bytes that were decoded and compared."""
    with tempfile.TemporaryDirectory() as scratch:
        found = evaluate(trained, parameters, Path(scratch))
    return found.bits_per_sample, found.ratio_wav


def linear_bits(runs: Runs, experiment: Experiment, every: int) -> float:
    """Ideal code length of the least-squares linear predictor of the same inputs, in float."""
    features = [feature.model_dump() for feature in experiment.inputs]
    found = apply(
        experiment, {**LINEAR, "features": features, "training.segment": min(512, experiment.training.segment)}
    )
    return runs.train(found.model_copy(update={"name": f"{experiment.name}_linear"}), every).float_bits


def streaming(experiment: Experiment) -> Experiment:
    """The streaming form of a published experiment."""
    features = [FOURIER if f.kind == "fourier" else f.model_dump() for f in experiment.features]
    return apply(experiment, {"feature_form": "streaming", "features": features})


def published_row(runs: Runs, experiment: Experiment) -> Row:
    """The figures of a published experiment."""
    experiment = apply(experiment, BUDGET)
    remembers = "lstm" in (experiment.projector.kind, experiment.predictor.kind)
    every = MEMORY_STREAMS if remembers else STREAMS
    if remembers:
        experiment = apply(experiment, MEMORY_BUDGET)
    windowed = math.nan
    if experiment.feature_form == "windowed":
        own = experiment.model_copy(update={"name": f"{experiment.name}_windowed"})
        windowed = runs.train(own, every).float_bits
        experiment = streaming(experiment)
    trained = runs.train(experiment, every)
    parameters = parameter_set(trained)
    check(trained, parameters)
    total = sum(trained.golden.export().multiply_adds(max(1, experiment.middleout.peers)).values())
    linear = math.nan if remembers else linear_bits(runs, experiment, every)
    return Row(
        f"{experiment.name}, every {every}th stream" if remembers else experiment.name,
        total,
        windowed,
        trained.float_bits,
        linear,
        trained.quantised_bits,
        *measured(trained, parameters),
    )


def own_rows(runs: Runs, experiment: Experiment, *, ship: bool) -> list[Row]:
    """The figures of an experiment of ours; of `full` also with a part of the network's outputs."""
    trained = runs.train(experiment)
    parameters = parameter_set(trained)
    print(f"{experiment.name}: {check(trained, parameters)} outputs equal in torch and in the codec", flush=True)
    built = trained.golden.export()
    linear = linear_bits(runs, experiment, 1) if experiment.profile != full.PROFILE else math.nan
    rows = [
        Row(
            experiment.name,
            sum(built.multiply_adds().values()),
            math.nan,
            trained.float_bits,
            linear,
            trained.quantised_bits,
            *measured(trained, parameters),
        )
    ]
    if experiment.name == "full":
        for name, kept in (("mean only", [0]), ("scale only", [1]), ("scale and shape only", [1, 2])):
            bits, ratio = measured(trained, silenced(trained, kept))
            rows.append(Row(f"full, {name}", 0, math.nan, math.nan, math.nan, math.nan, bits, ratio))
    if ship and experiment.name in SETS:
        path = shipped.FOLDER / f"{SETS[experiment.name]}.spkp"
        with disk.replacing(path, overwrite=True) as out:
            out.write(parameters.to_bytes())
        print(f"{path.name}: {parameters.identifier:016x}, {path.stat().st_size} bytes", flush=True)
    return rows


def silenced(trained: Trained, kept: Sequence[int]) -> ParameterSet:
    """The set of a network of profile `full` that gives 0 for all outputs but those kept, its distributions fitted."""
    golden = copy.deepcopy(trained.golden)
    with torch.no_grad():
        for output in range(full.OUTPUTS):
            if output not in kept:
                for layer in (golden.head, golden.skip):
                    for values in layer.parameters() if layer is not None else ():
                        values[output] = 0
    return parameter_set(dataclasses.replace(trained, golden=golden))


def reference_rows(paths: Sequence[Path], profiles: Sequence[str]) -> list[Row]:
    """Profiles as they are shipped, on the same recordings, grouped."""
    sources = [Source(path, f"{number}.wav") for number, path in enumerate(paths)]
    rows = []
    for profile in profiles:
        groups = grouped_sources(sources, "auto", find_profile(profile).links)
        with tempfile.TemporaryDirectory() as scratch:
            figures = bench.measure(profile, groups, profile, Path(scratch)).figures
        rows.append(
            Row(
                f"profile `{profile}`",
                0,
                math.nan,
                math.nan,
                math.nan,
                math.nan,
                figures.bits_per_sample,
                figures.ratio_wav,
            )
        )
    return rows


def kept_rows(path: Path, experiment: Experiment) -> list[Row] | None:
    """The rows of an earlier run of the same experiment."""
    if not path.is_file():
        return None
    found = json.loads(path.read_text())
    if found["experiment"] != experiment.model_dump_json():
        return None
    plain: list[dict[str, Any]] = [
        {key: math.nan if value is None else value for key, value in row.items()} for row in found["rows"]
    ]
    return [Row(**row) for row in plain]


def keep_rows(path: Path, experiment: Experiment, rows: Sequence[Row]) -> None:
    """Keep rows for `--resume`."""
    plain = [
        {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in vars(row).items()}
        for row in rows
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"experiment": experiment.model_dump_json(), "rows": plain}))


def table(
    runs: Runs, title: str, file: Path, only: Sequence[str], *, slow: bool, ship: bool, page: Path | None
) -> None:
    """Train a file's experiments and show their rows."""
    rows: list[Row] = []
    published = file == PUBLISHED
    chosen = [e for name, e in load(file).items() if (name in only if only else slow or name not in SLOW)]
    if not chosen:
        return
    for experiment in chosen:
        path = runs.folder / experiment.name / "rows.json"
        shipping = ship and experiment.name in SETS
        found = kept_rows(path, experiment) if runs.resume and not shipping else None
        if found is None:
            found = [published_row(runs, experiment)] if published else own_rows(runs, experiment, ship=ship)
            keep_rows(path, experiment, found)
        rows += found
        console.table(experiment.name, COLUMNS, [row.cells() for row in found])
    held = runs.recordings(apply(chosen[0], BUDGET if published else {}), STREAMS if published else 1)[1]
    profiles = ("tiny", "spikey", "calibrated", "full") if published else ("tiny", "calibrated")
    rows += reference_rows([path for stream in held.traces for path in stream.paths], profiles)
    document.show(title, COLUMNS, [row.cells() for row in rows], page)


def feature_rows(signal: np.ndarray) -> list[list[str]]:
    """What the streaming form of each wavelet does to it, on one recording; a line each.

    Parameters
    ----------
    signal : ndarray of int, shape (frames,)
        1/16 codes, relative to the first.
    """
    rows = []
    for name in WAVELETS:
        low, high = filters.shortening(name)
        levels = windows.difference(name, signal, WINDOW)
        rows.append(
            [
                name,
                str(low.length),
                f"{low.length - low.newest - low.oldest} and {high.length - high.newest - high.oldest}",
                f"{100 * max(low.loss, high.loss):.2f} %",
                f"{max(low.deviation, high.deviation):.4f}",
                f"{max(level.greatest for level in levels):.2f}",
                f"{100 * levels[0].unexplained:.1f} %",
                f"{100 * max(level.unexplained for level in levels):.1f} %",
            ]
        )
    return rows


def main() -> None:
    """Entry point of the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the tables there, between their marks")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of all runs")
    parser.add_argument("--only", default="", metavar="NAME,...", help="these experiments only")
    parser.add_argument("--resume", action="store_true", help="take rows that are there from the runs' folder")
    parser.add_argument("--ship", action="store_true", help="write the shipped parameter sets")
    parser.add_argument("--slow", action="store_true", help=f"also {', '.join(SLOW)}, which takes an hour of its own")
    given = parser.parse_args()
    only = [name for name in given.only.split(",") if name]
    known = [*load(PUBLISHED), *load(OURS)]
    if strays := [name for name in only if name not in known]:
        raise ConfigError(f"--only: {strays[0]}: no experiment; give some of {', '.join(known)}")
    if only and given.page:
        parser.error("--page: needs all experiments; leave --only out")
    runs = Runs(given.runs, resume=given.resume)
    table(runs, "ours: all recordings of test", OURS, only, slow=given.slow, ship=given.ship, page=given.page)
    if not only:
        signal = runs.recordings(apply(load(OURS)["spikey"], {"data.files": 1}), 1)[0].traces[0].signal[0]
        title = f"features: streaming against a window of {WINDOW} samples"
        document.show(title, FEATURES, feature_rows(signal), given.page)
    table(runs, "published: every sixth stream of test", PUBLISHED, only, slow=given.slow, ship=False, page=given.page)


if __name__ == "__main__":
    main()
