"""A filter bank of the stage `wavelet`, and what it makes of a recording: the law in exact integers, vectorised."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.spec.wavelet import FIRST_FILTER, MAGNITUDE, MAX_LAG, RESIDUAL, SIGNAL, TAP, node_format


@dataclass(frozen=True, eq=False)
class Bank:
    """Filters and the features taken from them.

    Parameters
    ----------
    rows : tuple of (int, int, int)
        Each filter's source node, dilation in samples, and number of taps.
    taps : ndarray of int64, shape (sum of the taps' numbers,)
        `TAP`, filter behind filter; a filter's first tap weighs the newest sample.
    features : tuple of (int, int, int)
        Node, lag in samples, and whether the newest value of `SIGNAL` is subtracted.

    Raises
    ------
    ValueError
        If a row names a node that is not before it, numbers of taps and `taps` differ, or a number is out of range.
    """

    rows: tuple[tuple[int, int, int], ...]
    taps: np.ndarray
    features: tuple[tuple[int, int, int], ...]

    def __post_init__(self) -> None:
        for number, (source, dilation, count) in enumerate(self.rows):
            if not 0 <= source < FIRST_FILTER + number:
                raise ValueError(f"bank: rows[{number}]: source {source}; give a node before {FIRST_FILTER + number}")
            if dilation < 1 or count < 1:
                raise ValueError(f"bank: rows[{number}]: dilation {dilation}, {count} taps; give at least 1 of each")
            if (count - 1) * dilation > MAX_LAG:
                raise ValueError(f"bank: rows[{number}]: {count} taps {dilation} apart; give at most {MAX_LAG} samples")
        if self.taps.shape != (sum(count for _, _, count in self.rows),) or self.taps.dtype != np.int64:
            raise ValueError(
                f"bank: taps: {self.taps.dtype} of shape {self.taps.shape}; give int64, as many as in rows"
            )
        if ((self.taps < TAP.minimum) | (self.taps > TAP.maximum)).any():
            raise ValueError(f"bank: taps: beyond {TAP}; give {TAP.minimum} to {TAP.maximum}")
        for number, (node, lag, relative) in enumerate(self.features):
            if not 0 <= node < self.nodes or not 0 <= lag <= MAX_LAG or relative not in (0, 1):
                raise ValueError(
                    f"bank: features[{number}]: ({node}, {lag}, {relative}); "
                    f"give a node below {self.nodes}, a lag up to {MAX_LAG}, and 0 or 1"
                )

    @property
    def nodes(self) -> int:
        """Number of nodes, the three sources included."""
        return FIRST_FILTER + len(self.rows)

    @property
    def filters(self) -> tuple[np.ndarray, ...]:
        """The taps of each filter."""
        ends = np.cumsum([count for _, _, count in self.rows], dtype=np.int64)
        return tuple(np.split(self.taps, ends[:-1])) if self.rows else ()


def join(banks: Sequence[Bank]) -> Bank:
    """One bank of several: filters and features in their order, nodes numbered anew.

    Parameters
    ----------
    banks : sequence of Bank
    """
    rows: list[tuple[int, int, int]] = []
    features: list[tuple[int, int, int]] = []
    for bank in banks:
        moved = [node if node < FIRST_FILTER else node + len(rows) for node in range(bank.nodes)]
        features += [(moved[node], lag, relative) for node, lag, relative in bank.features]
        rows += [(moved[source], dilation, count) for source, dilation, count in bank.rows]
    taps = np.concatenate([np.zeros(0, np.int64), *(bank.taps for bank in banks)])
    return Bank(tuple(rows), taps, tuple(features))


def run(bank: Bank, signal: np.ndarray, residual: np.ndarray | None = None, width: int = 10) -> np.ndarray:
    """All nodes over a whole recording, histories 0 before it: the law in exact integers.

    Parameters
    ----------
    bank : Bank
    signal : ndarray of int, shape (frames,)
        Node `SIGNAL`: 1/16 codes.
    residual : ndarray of int, shape (frames,), optional
        Node `RESIDUAL`, whose magnitude is node `MAGNITUDE`; both are 0 without it.
    width : int
        Bits of a code.

    Returns
    -------
    ndarray of int64, shape (nodes, frames)
        `node_format(width)`.

    Raises
    ------
    ValueError
        If a source is no whole number, does not fit its node, or is needed and not there.
    """
    kind = node_format(width)
    nodes = np.zeros((bank.nodes, len(signal)), np.int64)
    given = {SIGNAL: signal} if residual is None else {SIGNAL: signal, RESIDUAL: residual}
    for node, values in given.items():
        if values.dtype.kind not in "iu" or values.shape != (len(signal),):
            raise ValueError(f"run: node {node}: {values.dtype} of shape {values.shape}; give integers, one a frame")
        if ((values < kind.minimum) | (values > kind.maximum)).any():
            raise ValueError(f"run: node {node}: a value is beyond {kind}; give {kind.minimum} to {kind.maximum}")
        nodes[node] = values
    read = {source for source, _, _ in bank.rows} | {node for node, _, _ in bank.features}
    if residual is None and read & {RESIDUAL, MAGNITUDE}:
        raise ValueError("run: residual: the bank reads it; give it")
    nodes[MAGNITUDE] = np.minimum(np.abs(nodes[RESIDUAL]), kind.maximum)
    for number, ((source, dilation, _), taps) in enumerate(zip(bank.rows, bank.filters, strict=True)):
        total = np.zeros(len(signal), np.int64)
        for lag, tap in zip(range(0, len(signal), dilation), taps, strict=False):
            total[lag:] += tap * nodes[source, : len(signal) - lag]
        rounded = (total + (1 << (TAP.fraction - 1))) >> TAP.fraction
        nodes[FIRST_FILTER + number] = np.clip(rounded, kind.minimum, kind.maximum)
    return nodes


def values(bank: Bank, nodes: np.ndarray) -> np.ndarray:
    """The features of a recording, before they are normalised.

    Parameters
    ----------
    bank : Bank
    nodes : ndarray of int64, shape (nodes, frames)
        As `run` gives them.

    Returns
    -------
    ndarray of int64, shape (features, frames)
        1/16 codes; one bit more than a node where relative.
    """
    found = np.zeros((len(bank.features), nodes.shape[1]), np.int64)
    for feature, (node, lag, relative) in enumerate(bank.features):
        found[feature, lag:] = nodes[node, : max(0, nodes.shape[1] - lag)]
        found[feature] -= relative * nodes[SIGNAL]
    return found
