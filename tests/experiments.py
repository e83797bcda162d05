"""Small experiments of the golden model, and recordings that train them in a second."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from networks import some_links

from model.recordings import synthesise
from model.spec import full, shipped, spikey
from model.spec.calibrated import unpack
from model.spec.packet import Links
from model.spec.parameters import ParameterSet
from model.training.batches import batch_of
from model.training.experiment import Experiment, load
from model.training.network import Golden
from model.training.traces import START_LEVEL, Trace, trace

torch.set_num_threads(1)  # tensors are small, and tests share the processor
SMALL: dict[str, Any] = {
    "window": 64,
    "features": [{"kind": "identity", "samples": 3}, {"kind": "wavelet", "wavelet": "haar", "levels": 2}],
    "projector": {"kind": "fc", "hidden": [4], "latent": 3},
    "predictor": {"kind": "fc", "hidden": [3]},
    "training": {
        "epochs": 4,
        "quantise_epochs": 2,
        "batch_size": 4,
        "segment": 512,
        "learning_rate": 0.02,
        "threads": 1,
        "device": "cpu",
    },
}
FULL: dict[str, Any] = {
    "profile": "full",
    "features": [
        {"kind": "identity", "samples": 3},
        {"kind": "identity", "source": "residual", "samples": 2},
        {"kind": "wavelet", "wavelet": "haar", "levels": 3, "source": "magnitude"},
    ],
    "outputs": {"shapes": 3},
}


def write(folder: Path, **changes: Any) -> Path:
    """A file with the experiment `small`: `SMALL` with changes; a mapping changes the fields that it has."""
    merged = dict(SMALL)
    for field, value in changes.items():
        old = merged.get(field)
        keep = isinstance(old, dict) and isinstance(value, dict) and value.get("kind") in (None, old.get("kind"))
        merged[field] = {**old, **value} if keep and old is not None else value
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({"small": merged}))
    return path


def small(folder: Path, **changes: Any) -> Experiment:
    """The experiment of `write`."""
    return load(write(folder, **changes))["small"]


def train_and_test(folder: Path, *, seconds: float = 0.25, channels: int = 6) -> Path:
    """A folder of synthetic recordings of one converter, some in `train`, some in `test`; gives it."""
    for number, path in enumerate(synthesise(folder / "all", channels=channels, seconds=seconds, seed=5)):
        part = folder / ("test" if number < 2 else "train")
        part.mkdir(exist_ok=True)
        path.rename(part / path.name)
    return folder


def wild(seed: int, channels: int, frames: int, width: int = 10) -> np.ndarray:
    """Codes that walk, later leap to either end and rest; uint16, shape (channels, frames)."""
    random = np.random.default_rng(seed)
    top = (1 << width) - 1
    steps = random.normal(0, 1, (channels, frames)) * (top / 200) * 2.0 ** random.integers(-3, 3, (channels, 1))
    found = top / 2 + np.cumsum(steps, axis=1) - 0.9 * np.cumsum(np.pad(steps, ((0, 0), (3, 0)))[:, :-3], axis=1)
    leaps = (random.random((channels, frames)) < 0.01) & (np.arange(frames) > frames // 4)
    found[leaps] = random.choice([0, top], leaps.sum())
    found[:, frames // 2 : frames // 2 + 40] = top // 3
    return np.clip(np.round(found), 0, top).astype(np.uint16)


def stream_of(experiment: Experiment, codes: np.ndarray, links: Links | None = None) -> Trace:
    """The trace of some codes, with random partners if none are given."""
    tables = None
    if experiment.profile == full.PROFILE:
        tables = unpack(shipped.default("calibrated"), experiment.data.width)
    found = some_links(2, len(codes), experiment.middleout.peers or 1) if links is None else links
    return trace((), found, codes, experiment.data.width, tables)


def shaken(experiment: Experiment, stream: Trace, seed: int = 0) -> Golden:
    """A network with random weights, some of them so great that values saturate, its formats settled."""
    golden = Golden(experiment)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in golden.parameters():
            if parameter.requires_grad:
                spread = 0.5 / max(1, parameter.shape[-1]) ** 0.5
                parameter.add_(torch.randn(parameter.shape, generator=generator) * spread)
    batch, _ = batch_of([stream], [1], min(200, stream.frames - 1), 1, experiment.middleout.peers)
    golden.settle([batch])
    return golden


def packed(golden: Golden) -> ParameterSet:
    """The parameter set of a network, with a Rice code or the shipped distribution."""
    experiment = golden.experiment
    if experiment.profile == spikey.PROFILE:
        return spikey.pack(spikey.Tables(golden.export(), START_LEVEL, spikey.ADAPTIVE, *spikey.no_codes()))
    tables = unpack(shipped.default("calibrated"), experiment.data.width)
    return full.pack(full.Tables(tables, tables.points[None], golden.export()), experiment.data.width, even=True)
