"""Steps towards the most probable code edges, from a first guess by code density."""

from typing import Final

import numpy as np

from model.training.likelihood import Evidence

PSEUDO_COUNT: Final = 30.0  # samples added to a code's and to what its neighbours promise it: rare codes become even
PASSES: Final = 3
DEVIATION: Final = 0.5  # of a width's logarithm, before anything is known; matters for rarely seen codes alone
BLOCKS: Final = 16  # of codes, in full scale: mean widths over so many are taken to be even, but for
BLOCK_DEVIATION: Final = 1 / 64  # of a block: what stretches slowly is no calibration, the scale follows it


def from_widths(widths: np.ndarray) -> np.ndarray:
    """Edges of codes with these widths, float64, shape (codes + 1,), the mean width being 1 and mid-scale 0."""
    codes = len(widths)
    edges = np.concatenate([[0.0], np.cumsum(widths)])
    return edges * (codes / edges[-1]) - codes / 2


def by_density(counts: np.ndarray, reach: int) -> np.ndarray:
    """Edges from how often each code was seen against its neighbours up to `reach` away.

    The classic test of a converter's codes. Over many recordings the density of the input is smooth; what
    is not smooth is the converter. Smoothing takes the widths found into account, so it is repeated.

    Parameters
    ----------
    counts : ndarray of float64, shape (codes,)
    reach : int
        Codes over which the input's density is all but linear.
    """
    kernel = 1 - np.abs(np.arange(-reach, reach + 1)) / (reach + 1)
    smooth, widths = np.convolve(counts, kernel, "same"), np.ones(len(counts))
    for _ in range(PASSES):
        expected = smooth / np.convolve(widths, kernel, "same")
        widths = (counts + PSEUDO_COUNT) / (expected + PSEUDO_COUNT)
    return from_widths(widths)


def _prior(widths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and curvature of the prior's negated logarithm, by the logarithms of `widths`."""
    codes = len(widths)
    block = codes // BLOCKS
    edges, code = np.concatenate([[0.0], np.cumsum(widths)]), np.arange(codes)
    excess = edges[block:] - edges[:-block] - block  # of all blocks, wherever they begin
    first, last = np.maximum(code - block + 1, 0), np.minimum(code, codes - block)  # blocks that a code is in
    total = np.concatenate([[0.0], np.cumsum(excess)])
    common = np.minimum.outer(last, last) - np.maximum.outer(first, first) + 1
    precision = (block * BLOCK_DEVIATION) ** -2
    gradient = np.log(widths) / DEVIATION**2 + widths * (total[last + 1] - total[first]) * precision
    curvature = np.maximum(common, 0) * np.outer(widths, widths) * precision
    curvature[code, code] += DEVIATION**-2
    return gradient, curvature


def step(edges: np.ndarray, found: Evidence, longest: float) -> tuple[np.ndarray, float]:
    """A Newton step (Fisher scoring) in the logarithms of the widths, so that edges always rise.

    The first and the last code have no width that could be seen: all that the converter clips falls into them.

    Parameters
    ----------
    edges : ndarray of float64, shape (codes + 1,)
    found : Evidence
        What recordings say of a model with these edges.
    longest : float
        The most by which a logarithm moves.

    Returns
    -------
    edges : ndarray of float64, shape (codes + 1,)
    gain : float
        Of the logarithm of the posterior, natural, as the step promises it.
    """
    widths = np.diff(edges)
    prior_gradient, curvature = _prior(widths)
    to_the_right = np.cumsum(found.score[::-1])[::-1][1:]
    gradient = widths * to_the_right - prior_gradient
    behind = np.cumsum(np.cumsum(found.information[::-1, ::-1], axis=0), axis=1)[::-1, ::-1][1:, 1:]
    curvature += behind * np.outer(widths, widths)
    move = np.zeros(len(widths))
    move[1:-1] = np.linalg.solve(curvature[1:-1, 1:-1], gradient[1:-1])
    gain = float(gradient @ move) / 2
    return from_widths(widths * np.exp(np.clip(move, -longest, longest))), gain
