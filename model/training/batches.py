"""Spans of recordings as tensors, and what a network makes of whole recordings.

Frames before a recording are as the law has them at a key packet: histories of 0, the scale that it begins with.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import torch

from model.training.code_length import CodeLength
from model.training.network import Batch, Golden
from model.training.traces import Trace

CHUNK: Final = 1 << 14  # frames evaluated together


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


def outputs(golden: Golden, stream: Trace, *, exact: bool, device: torch.device | None = None) -> torch.Tensor:
    """The network's outputs for every frame of a stream but the first, float64, shape (channels, frames - 1, outputs).

    With `exact` they are those of the codec.

    Parameters
    ----------
    golden : Golden
    stream : Trace
    exact : bool
    device : torch.device, optional
    """
    context = stream.frames if golden.remembers else golden.context + 1
    most = golden.experiment.middleout.peers
    found = []
    with torch.no_grad():
        begin = 1
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
) -> float:
    """Bits a sample over streams; a channel's first sample costs its code's bits.

    Parameters
    ----------
    golden : Golden
    length : CodeLength
    streams : sequence of Trace
    exact : bool
    device : torch.device, optional
    """
    bits, samples = 0.0, 0
    width = golden.experiment.data.width
    for stream in streams:
        y = outputs(golden, stream, exact=exact, device=device)
        with torch.no_grad():
            for at in range(0, y.shape[1], CHUNK):
                part = y[:, at : at + CHUNK]
                _, targets = batch_of([stream], [1 + at], part.shape[1], 1, 0, device=device, dtype=torch.float64)
                bits += float(length(*targets, part, exact=exact).sum())
        samples += stream.channels * stream.frames
        bits += width * stream.channels
    return bits / samples
