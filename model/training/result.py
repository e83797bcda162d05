"""A run from experiment to figures: training, parameter set, bytes, pictures, and `result.json` that tells of them."""

import dataclasses
import json
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from model.formats import disk
from model.spec.config import ConfigError
from model.training.evaluate import Bytes, evaluate
from model.training.experiment import Experiment
from model.training.export import parameter_set
from model.training.train import CHECKPOINT, Progress, Trained, recordings, train, what_counts

RESULT: Final = "result.json"
PARAMETERS: Final = "parameters.spkp"


@dataclass(frozen=True)
class Result:
    """Figures of a run.

    Parameters
    ----------
    name : str
        The experiment's.
    configuration : dict
        All its fields that count.
    float_bits : float
        Ideal code length on what is held out, bits a sample.
    quantised_bits : float or None
        In the law's integers; None where the law has no such network.
    multiply_adds : dict of str to int, or None
        Multiplications of a sample, stage by stage, for a channel with as many partners as it can have.
    parameter_set : str or None
        Its identifier.
    epochs : int
    seconds : float
    size : Bytes or None
        Of what is held out, compressed, decoded and compared; None where the law has no such network: in float, no
        decoder could rely on it.
    """

    name: str
    configuration: dict[str, Any]
    float_bits: float
    quantised_bits: float | None
    multiply_adds: dict[str, int] | None
    parameter_set: str | None
    epochs: int
    seconds: float
    size: Bytes | None

    def to_json(self) -> bytes:
        """As it stands in `result.json`."""
        one, size = self.size, None
        if one is not None:
            size = {**one._asdict(), "ratio_wav": one.ratio_wav, "bits_per_sample": one.bits_per_sample}
        found = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        seed = self.configuration["training"]["seed"]
        return json.dumps({**found, "seed": seed, "size": size}, indent=2).encode() + b"\n"


def read(path: Path) -> Result:
    """The figures in a `result.json`; raises `ConfigError` if it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        size = None if found["size"] is None else Bytes(*(found["size"][field] for field in Bytes._fields))
        fields = {field.name: found[field.name] for field in dataclasses.fields(Result)}
        return Result(**{**fields, "size": size})
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{path}: is no result of a run; remove it, or give --force to replace it") from None


def run(
    experiment: Experiment,
    folder: Path,
    *,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Train an experiment, and leave parameter set, pictures and result in a folder.

    Parameters
    ----------
    experiment : Experiment
    folder : Path
        Made if it is not there; files of these names in it are replaced.
    resume, progress
        As of `model.training.train.train`.

    Raises
    ------
    ConfigError
        If the configuration is not possible.
    """
    with tempfile.TemporaryDirectory() as made:
        scratch = Path(made)
        found = recordings(experiment, scratch / "recordings")
        if not resume:
            for name in (RESULT, CHECKPOINT):  # of weights that are replaced from now on
                (folder / name).unlink(missing_ok=True)
        trained = train(experiment, folder, resume=resume, progress=progress, found=found)
        result = _finish(trained, folder, scratch)
        if experiment.output.plots:
            from model.training.pictures import draw  # noqa: PLC0415  # loads matplotlib

            draw(trained, folder)
    with disk.replacing(folder / RESULT, overwrite=True) as out:
        out.write(result.to_json())
    return result


def _finish(trained: Trained, folder: Path, scratch: Path) -> Result:
    """Parameter set and figures."""
    experiment, parameters, multiply_adds, size = trained.experiment, None, None, None
    if not trained.golden.windowed:
        parameters = parameter_set(trained)
        multiply_adds = trained.golden.export().multiply_adds(experiment.middleout.peers)
        size = evaluate(trained, parameters, scratch)
        with disk.replacing(folder / PARAMETERS, overwrite=True) as out:
            out.write(parameters.to_bytes())
    return Result(
        experiment.name,
        what_counts(experiment),
        trained.float_bits,
        None if math.isnan(trained.quantised_bits) else trained.quantised_bits,
        multiply_adds,
        None if parameters is None else f"{parameters.identifier:016x}",
        trained.epochs,
        trained.seconds,
        size,
    )
