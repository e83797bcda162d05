"""Training of the golden model: an experiment in, a network and its parameter set out.

Every epoch sees every channel once, a random segment of it. First the network learns in float; the last
`quantise_epochs` run with the law's integers, rounded on the way forward only. What early stopping looks at is a tenth
of the training recordings, so that what is held out says nothing until the end. All that is random follows from the
seed and the epoch: a run that was interrupted and resumed ends as one that was not.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from model.formats import disk
from model.spec.config import ConfigError
from model.training import traces
from model.training.code_length import CodeLength
from model.training.experiment import Experiment
from model.training.network import Batch, Golden
from model.training.traces import Recordings, Trace

VALIDATION: Final = 10  # every so manieth training stream decides when to stop
VALIDATION_FRAMES: Final = 1 << 14  # of each
BURN_IN: Final = 64  # frames before a segment that an LSTM finds its state in
CHUNK: Final = 1 << 14  # frames evaluated together


class Progress(NamedTuple):
    """How far a run is: `bits` a sample on the recordings that decide when to stop."""

    epoch: int
    epochs: int
    bits: float
    quantised: bool


@dataclass(frozen=True, eq=False)
class Trained:
    """What a run leaves.

    Parameters
    ----------
    experiment : Experiment
    golden : Golden
        With the integers' weights.
    code_length : CodeLength
    train, test : Recordings
        What it learned from, and what was held out.
    spans : (float, float)
        The parts of each recording, from its begin, that were learned from and held out from there on: (1, 0) where
        whole recordings were held out.
    float_bits, quantised_bits : float
        Ideal code length on what was held out, bits a sample.
    epochs : int
    seconds : float
    """

    experiment: Experiment
    golden: Golden
    code_length: CodeLength
    train: Recordings
    test: Recordings
    spans: tuple[float, float]
    float_bits: float
    quantised_bits: float
    epochs: int
    seconds: float


def device_of(experiment: Experiment) -> torch.device:
    """Where an experiment is computed.

    Raises
    ------
    ConfigError
        If it asks for a GPU and there is none.
    """
    wanted = experiment.training.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"{experiment.name}: training.device: no GPU was found; give cpu or auto")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def recordings(experiment: Experiment, scratch: Path) -> tuple[Recordings, Recordings, tuple[float, float]]:
    """What to learn from, what is held out, and the spans of them as in `Trained`."""
    data = experiment.data
    most = experiment.middleout.peers

    def load(split: str | None) -> Recordings:
        paths = traces.folder(data.directory, split, scratch)
        return traces.load(paths, profile=experiment.profile, most=most, files=data.files, width=None)

    if data.split == "folders":
        train, test, spans = load("train"), load("test"), (1.0, 0.0)
    else:
        train = test = load(None)
        spans = data.split_ratio, data.split_ratio
    for found in (train, test):
        if found.mapping.width != data.width:
            raise ConfigError(
                f"{experiment.name}: data.width: {data.width}, but the recordings have codes of {found.mapping.width} "
                f"bits; give {found.mapping.width}"
            )
    return train, test, spans


class Targets(NamedTuple):
    """What `CodeLength` compares outputs with, each of shape (channels, frames)."""

    codes: torch.Tensor
    mu: torch.Tensor
    logarithm: torch.Tensor
    exponent: torch.Tensor


def batch_of(
    streams: Sequence[Trace],
    starts: Sequence[int],
    frames: int,
    context: int,
    most: int,
    *,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> tuple[Batch, Targets]:
    """A span of some streams, and the targets of its last `frames` frames.

    Parameters
    ----------
    streams : sequence of Trace
    starts : sequence of int
        First frame of the span in each.
    frames, context : int
        Frames that outputs are wanted for, and frames before them; those before a recording are as the law has them.
    most : int
        Partners of a channel.
    device : torch.device, optional
    dtype : torch.dtype
    """
    total = frames + context

    def gather(name: str, *, axis: int = 1, fill: str = "constant") -> np.ndarray:
        parts = []
        for stream, start in zip(streams, starts, strict=True):
            found = getattr(stream, name)
            begin = start - context
            part = np.take(found, range(max(begin, 0), begin + total), axis=axis)
            if begin < 0:
                widths = [(0, 0)] * part.ndim
                widths[axis] = (-begin, 0)
                part = np.pad(part, widths, mode="edge") if fill == "edge" else np.pad(part, widths)
            parts.append(part)
        return np.concatenate(parts, axis=axis - 1)

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(device=device, dtype=dtype)

    partners, correlations = [], []
    row = 0
    for stream in streams:
        links, _ = stream.partners(most)
        rows = row + np.arange(stream.channels)[:, None]
        partners.append(np.stack([rows - links[:, :, 0], links[:, :, 0] > 0], axis=2))
        correlations.append(links[:, :, 1])
        row += stream.channels
    joined = np.concatenate(partners)
    exponent = tensor(gather("exponent", fill="edge"))
    batch = Batch(
        tensor(gather("signal")),
        tensor(gather("residual")),
        exponent,
        tensor(np.moveaxis(gather("contexts", axis=2, fill="edge"), 0, 2)),
        torch.from_numpy(joined[:, :, 0]).to(device),
        torch.from_numpy(joined[:, :, 1] > 0).to(device),
        tensor(np.concatenate(correlations)),
    )
    last = slice(total - frames, total)
    targets = Targets(
        torch.from_numpy(gather("codes")[:, last].astype(np.int64)).to(device),
        tensor(gather("mu")[:, last]),
        tensor(gather("logarithm")[:, last]),
        exponent[:, total - frames - 1 : total - 1],
    )
    return batch, targets


def outputs(
    golden: Golden, stream: Trace, *, exact: bool, device: torch.device | None = None, start: int = 0
) -> torch.Tensor:
    """The network's outputs for every frame of a stream but the first, float64, shape (channels, frames - 1, outputs).

    With `exact` they are those of the codec.

    Parameters
    ----------
    golden : Golden
    stream : Trace
    exact : bool
    device : torch.device, optional
    start : int
        Frame from which on they are wanted.
    """
    context = stream.frames if golden.remembers else golden.context + 1
    most = golden.experiment.middleout.peers
    found = []
    with torch.no_grad():
        begin = max(start, 1)
        while begin < stream.frames:
            frames = stream.frames - begin if golden.remembers else min(CHUNK, stream.frames - begin)
            before = begin if golden.remembers else min(context, begin)
            batch, _ = batch_of([stream], [begin], frames, before, most, device=device, dtype=torch.float64)
            found.append(golden(batch, exact=exact)[:, -frames:])
            begin += frames
    return torch.cat(found, dim=1)


def code_lengths(
    golden: Golden,
    length: CodeLength,
    streams: Sequence[Trace],
    *,
    exact: bool,
    device: torch.device | None = None,
    span: float = 0.0,
) -> float:
    """Bits a sample over streams, from the part `span` of each on; a channel's first sample costs its code's bits.

    Parameters
    ----------
    golden : Golden
    length : CodeLength
    streams : sequence of Trace
    exact : bool
    device : torch.device, optional
    span : float
    """
    bits, samples = 0.0, 0
    width = golden.experiment.data.width
    for stream in streams:
        start = int(stream.frames * span)
        y = outputs(golden, stream, exact=exact, device=device, start=start)
        begin = stream.frames - y.shape[1]
        with torch.no_grad():
            for at in range(0, y.shape[1], CHUNK):
                part = y[:, at : at + CHUNK]
                _, targets = batch_of([stream], [begin + at], part.shape[1], 1, 0, device=device, dtype=torch.float64)
                bits += float(length(*targets, part, exact=exact).sum())
        samples += stream.channels * (stream.frames - start)
        bits += width * stream.channels if start == 0 else 0
    return bits / samples


class _Run:
    """The state of a run, from one epoch to the next."""

    def __init__(self, experiment: Experiment, found: tuple[Recordings, Recordings, tuple[float, float]]) -> None:
        self.experiment, self.device = experiment, device_of(experiment)
        self.train, self.test, self.spans = found
        self.golden = Golden(experiment).to(self.device)
        self.length = CodeLength(
            experiment.data.width,
            self.train.tables,
            experiment.outputs.shapes,
            squared=experiment.loss == "squared_error",
        ).to(self.device)
        own = experiment.training
        self.parameters = [p for p in (*self.golden.parameters(), *self.length.parameters()) if p.requires_grad]
        self.optimiser = torch.optim.Adam(self.parameters, own.learning_rate, weight_decay=own.weight_decay)
        streams = self.train.traces
        self.watched = streams[VALIDATION // 2 :: VALIDATION] or streams[:1]
        self.learned = [s for n, s in enumerate(streams) if n % VALIDATION != VALIDATION // 2] or streams
        self.epoch, self.quantised, self.stale = 0, False, 0
        self.best_bits, self.best = math.inf, self._weights()
        self.float_best: dict[str, Any] = self.best

    def _weights(self) -> dict[str, Any]:
        copied = {key: value.detach().clone() for key, value in self.golden.state_dict().items()}
        length = {key: value.detach().clone() for key, value in self.length.state_dict().items()}
        return {"golden": copied, "length": length, "formats": self.golden.formats()}

    def take(self, weights: dict[str, Any]) -> None:
        """Take over weights and formats."""
        self.golden.load_state_dict(weights["golden"])
        self.length.load_state_dict(weights["length"])
        self.golden.restore_formats(weights["formats"])

    def _frames(self, stream: Trace) -> int:
        """Frames that may be learned from."""
        return int(stream.frames * self.spans[0])

    def _batches(self, epoch: int) -> list[tuple[list[Trace], list[int]]]:
        """The batches of an epoch: streams, and where their segments begin."""
        own = self.experiment.training
        rng = np.random.default_rng([own.seed, epoch])
        found = []
        for streams in traces.batches(self.learned, own.batch_size, rng.permutation(len(self.learned)).tolist()):
            starts = [int(rng.integers(1, max(2, self._frames(s) - own.segment))) for s in streams]
            found.append((streams, starts))
        return found

    def _batch(self, streams: list[Trace], starts: list[int]) -> tuple[Batch, Targets]:
        frames = min(self.experiment.training.segment, *(self._frames(s) - 1 for s in streams), 1 << 30)
        context = self.golden.context + 1 + (BURN_IN if self.golden.remembers else 0)
        return batch_of(streams, starts, frames, context, self.experiment.middleout.peers, device=self.device)

    def learn(self) -> None:
        """One epoch."""
        own = self.experiment.training
        found = self._batches(self.epoch)
        for number, (streams, starts) in enumerate(found):
            if own.schedule == "cosine":
                done = (self.epoch + number / len(found)) / own.epochs
                for group in self.optimiser.param_groups:
                    group["lr"] = own.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
            batch, targets = self._batch(streams, starts)
            y = self.golden(batch, exact=self.quantised)[:, -targets.codes.shape[1] :]
            loss = self.length.loss(*targets, y, exact=self.quantised)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            if own.clip is not None:
                torch.nn.utils.clip_grad_norm_(self.parameters, own.clip)
            self.optimiser.step()
        self.epoch += 1

    def settle(self) -> None:
        """From here on in integers, from the best weights in float."""
        self.take(self.best)
        self.float_best = self.best
        if not self.golden.windowed:
            self.golden.settle([self._batch(*found)[0] for found in self._batches(self.experiment.training.epochs)[:4]])
            self.quantised = True
        self.best_bits, self.best, self.stale = math.inf, self._weights(), 0

    def watch(self) -> float:
        """Bits a sample on the streams that decide when to stop; keeps the best weights."""
        bits, samples = 0.0, 0
        with torch.no_grad():
            for stream in self.watched:
                frames = min(VALIDATION_FRAMES, self._frames(stream) - 1)
                batch, targets = self._batch_whole(stream, frames)
                y = self.golden(batch, exact=self.quantised)[:, -frames:]
                bits += float(self.length(*targets, y, exact=self.quantised).sum())
                samples += targets.codes.numel()
        found = bits / samples
        if found < self.best_bits:
            self.best_bits, self.best, self.stale = found, self._weights(), 0
        else:
            self.stale += 1
        return found

    def _batch_whole(self, stream: Trace, frames: int) -> tuple[Batch, Targets]:
        context = self.golden.context + 1
        return batch_of([stream], [1], frames, context, self.experiment.middleout.peers, device=self.device)

    def state(self) -> dict[str, Any]:
        """All that `restore` needs."""
        names = ("epoch", "quantised", "stale", "best_bits", "best", "float_best")
        found = {name: getattr(self, name) for name in names}
        return {
            **found,
            "weights": self._weights(),
            "optimiser": self.optimiser.state_dict(),
            "experiment": self.experiment.model_dump_json(),
        }

    def restore(self, found: dict[str, Any], path: Path) -> None:
        """Go on where a checkpoint was written."""
        if found["experiment"] != self.experiment.model_dump_json():
            raise ConfigError(f"{path}: is of another configuration; remove it, or train without --resume")
        for name in ("epoch", "quantised", "stale", "best_bits", "best", "float_best"):
            setattr(self, name, found[name])
        self.take(found["weights"])
        self.optimiser.load_state_dict(found["optimiser"])


def train(
    experiment: Experiment,
    folder: Path,
    *,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
    found: tuple[Recordings, Recordings, tuple[float, float]] | None = None,
) -> Trained:
    """Train an experiment.

    Parameters
    ----------
    experiment : Experiment
    folder : Path
        Gets `checkpoint.pt` after every evaluation, and the logs of TensorBoard.
    resume : bool
        Go on from the checkpoint, if there is one.
    progress : callable, optional
        Called after every evaluation; what it raises ends the run, whose checkpoint stays.
    found : (Recordings, Recordings, spans), optional
        As `recordings` gives; read if not given.

    Raises
    ------
    ConfigError
        If the configuration is not possible, or the checkpoint is of another one.
    """
    began = time.monotonic()
    own = experiment.training
    if own.threads is not None:
        torch.set_num_threads(own.threads)
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(experiment, found or recordings(experiment, folder / "recordings"))
    checkpoint = folder / "checkpoint.pt"
    if resume and checkpoint.is_file():
        run.restore(torch.load(checkpoint, map_location=run.device, weights_only=True), checkpoint)
    last_float = own.epochs - own.quantise_epochs
    with _log(experiment, folder) as log:
        while run.epoch < own.epochs:
            stop = own.patience is not None and run.stale >= own.patience
            if stop and (run.quantised or not own.quantise_epochs):
                break
            if not run.quantised and (stop or run.epoch >= last_float) and own.quantise_epochs:
                run.settle()
                run.epoch = max(run.epoch, last_float)
                if run.golden.windowed:
                    break
            run.learn()
            if run.epoch % own.eval_freq == 0 or run.epoch in (last_float, own.epochs):
                bits = run.watch()
                if log is not None:
                    log.add_scalar("bits/quantised" if run.quantised else "bits/float", bits, run.epoch)
                with disk.replacing(checkpoint, overwrite=True) as out:
                    torch.save(run.state(), out)
                if progress is not None:
                    progress(Progress(run.epoch, own.epochs, bits, run.quantised))
    if not run.quantised:
        run.settle()
    best = run.best if math.isfinite(run.best_bits) else run.state()["weights"]
    held = run.test.traces
    run.take(run.float_best)
    float_bits = code_lengths(run.golden, run.length, held, exact=False, device=run.device, span=run.spans[1])
    run.take(best)
    quantised_bits = math.nan
    if not run.golden.windowed:
        quantised_bits = code_lengths(run.golden, run.length, held, exact=True, device=run.device, span=run.spans[1])
    seconds = time.monotonic() - began
    return Trained(
        experiment,
        run.golden,
        run.length,
        run.train,
        run.test,
        run.spans,
        float_bits,
        quantised_bits,
        run.epoch,
        seconds,
    )


def _log(experiment: Experiment, folder: Path) -> AbstractContextManager[Any]:
    """TensorBoard's writer, if the experiment wants one."""
    if not experiment.output.tensorboard:
        return nullcontext()
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  # loads tensorboard

    return SummaryWriter(str(folder))  # type: ignore[no-untyped-call,no-any-return]
