"""The loss: what a sample costs, in bits, by the distribution around the network's mean with the network's scale.

A code's probability is that of its interval, from edge to edge (in `spikey`, half a code either way), under a mixture
of normal distributions of several scales. The mixture is learned with the network. In profile `full` there are several
mixtures, one a distribution of the parameter set, and the network's third output chooses: between two while it learns,
the nearest one in the end.
"""

from typing import Final

import numpy as np
import torch
from torch import nn

from model.spec import calibrate, full
from model.spec import range as range_spec
from model.spec import wavelet as wavelet_spec
from model.spec.calibrated import Tables
from model.training.network import OUTPUT_UNIT
from model.training.wavelet import half_up

COMPONENTS: Final = (-0.6, 0.0, 1.0)  # of a mixture, octaves of their scales to begin with
LEAST: Final = 2.0**-20  # probability that every code has: the escape's, about
FARTHEST: Final = 60.0  # scales; the outermost edges lie there


class CodeLength(nn.Module):
    """Code length of samples.

    Parameters
    ----------
    width : int
    tables : Tables or None
        The calibration of profile `full`; None for `spikey`.
    shapes : int
        Distributions.
    squared : bool
        Learn from the squared error of the mean, in scales, instead.
    """

    edges: torch.Tensor

    def __init__(self, width: int, tables: Tables | None, shapes: int, *, squared: bool = False) -> None:
        super().__init__()
        self.profile_full, self.squared = tables is not None, squared
        if tables is None:
            edges = np.arange((1 << width) + 1) - 0.5
        else:
            edges = np.ldexp(tables.edges.astype(np.float64), -calibrate.EDGE_FRACTION)
        self.register_buffer("edges", torch.from_numpy(edges), persistent=False)
        self.top = (1 << width) - 1
        self.scales = nn.Parameter(torch.tensor(COMPONENTS))
        spread = torch.linspace(-1, 1, shapes)[:, None] if shapes > 1 else torch.zeros(1, 1)
        self.mixing = nn.Parameter(torch.tensor([0.0, 0.5, -2.5])[None] + spread * torch.tensor([-1.0, 0.0, 1.0]))

    def distance(
        self, codes: torch.Tensor, mu: torch.Tensor, logarithm: torch.Tensor, exponent: torch.Tensor, y: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Where a code's interval begins and ends, in scales from the mean; shape as `codes`.

        Parameters
        ----------
        codes : Tensor of int64, shape (channels, frames)
        mu, logarithm : Tensor, shape (channels, frames)
            As in `model.training.traces.Trace`.
        exponent : Tensor, shape (channels, frames)
            Before the samples are known.
        y : Tensor, shape (channels, frames, outputs)
        """
        node = 2.0**-wavelet_spec.FRACTION
        unit = 2.0**-calibrate.EDGE_FRACTION if self.profile_full else node
        mean = mu * unit + y[..., 0] * (node / OUTPUT_UNIT) * torch.exp2(exponent)
        inverse = torch.exp2(-(logarithm + y[..., 1]) / OUTPUT_UNIT)
        edges = self.edges.to(y.dtype)
        lower, upper = (edges[codes] - mean) * inverse, (edges[codes + 1] - mean) * inverse
        return lower.clamp(-FARTHEST, FARTHEST), upper.clamp(-FARTHEST, FARTHEST)

    def mixture(self, shape: torch.Tensor | None, dtype: torch.dtype) -> torch.Tensor:
        """Weights of the mixture's components, shape (..., components)."""
        logits = self.mixing.to(dtype)
        if shape is None or len(logits) == 1:
            return torch.softmax(logits[0], dim=0)
        place = (shape / OUTPUT_UNIT).clamp(0, len(logits) - 1)
        below = place.detach().floor().long().clamp(max=len(logits) - 2)
        part = (place - below)[..., None]
        return torch.softmax(logits[below] * (1 - part) + logits[below + 1] * part, dim=-1)

    def forward(
        self,
        codes: torch.Tensor,
        mu: torch.Tensor,
        logarithm: torch.Tensor,
        exponent: torch.Tensor,
        y: torch.Tensor,
        *,
        exact: bool = False,
    ) -> torch.Tensor:
        """Bits of each sample, shape as `codes`; the parameters are those of `distance`.

        With `exact`, mean, scale and shape are rounded as the law rounds them.
        """
        if exact:
            y = self._rounded(y, logarithm, exponent)
        lower, upper = self.distance(codes, mu, logarithm, exponent, y)
        lower = torch.where(codes == 0, -FARTHEST, lower)
        upper = torch.where(codes == self.top, FARTHEST, upper)
        weights = self.mixture(y[..., 2] if self.profile_full else None, y.dtype)
        inverse = torch.exp2(-self.scales.to(y.dtype))
        between = torch.special.ndtr(upper[..., None] * inverse) - torch.special.ndtr(lower[..., None] * inverse)
        return -torch.log2((between * weights).sum(dim=-1) * (1 - 2**-12) + LEAST)

    def _rounded(self, y: torch.Tensor, logarithm: torch.Tensor, exponent: torch.Tensor) -> torch.Tensor:
        """Outputs that stand for what the law makes of them."""
        power = torch.exp2(exponent) / OUTPUT_UNIT
        if not self.profile_full:
            return torch.cat([(half_up(y[..., 0] * power) / power)[..., None], y[..., 1:]], dim=-1)
        mean = half_up(y[..., 0] * power * 4) / (power * 4)
        step = 2.0 ** (8 - 4)  # an index is a sixteenth of an octave
        scale = half_up((logarithm + y[..., 1]) / step) * step - logarithm
        shape = half_up(y[..., 2] / OUTPUT_UNIT).clamp(0, len(self.mixing) - 1) * OUTPUT_UNIT
        return torch.stack([mean, scale, shape], dim=-1)

    def loss(
        self,
        codes: torch.Tensor,
        mu: torch.Tensor,
        logarithm: torch.Tensor,
        exponent: torch.Tensor,
        y: torch.Tensor,
        *,
        exact: bool = False,
    ) -> torch.Tensor:
        """What training makes small: the mean code length, or the mean squared error."""
        if not self.squared:
            return self(codes, mu, logarithm, exponent, y, exact=exact).mean()
        aside = torch.cat([y[..., :1].detach(), y[..., 1:]], dim=-1)  # the distribution learns beside the mean
        error, _ = self.errors(codes, mu, logarithm, exponent, y[..., 0])
        return error.square().clamp(max=100.0).mean() + self(codes, mu, logarithm, exponent, aside, exact=exact).mean()

    def errors(
        self,
        codes: torch.Tensor,
        mu: torch.Tensor,
        logarithm: torch.Tensor,
        exponent: torch.Tensor,
        mean: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What the mean misses the middle of each code by, and its unit, in scales; shape as `codes`.

        Parameters
        ----------
        codes, mu, logarithm, exponent
            As of `distance`.
        mean : Tensor, shape (channels, frames), optional
            The network's first output; 0 if not given.
        """
        mean = torch.zeros_like(mu) if mean is None else mean
        lower, upper = self.distance(
            codes, mu, logarithm, exponent, torch.stack([mean, torch.zeros_like(mean)], dim=-1)
        )
        return (lower + upper) / 2, torch.exp2(exponent - wavelet_spec.FRACTION - logarithm / OUTPUT_UNIT)

    def points(self) -> np.ndarray:
        """`F - HALF` of every mixture at the stored points, int64, shape (shapes, POINTS + 1): where a fit begins."""
        with torch.no_grad():
            places = torch.arange(range_spec.POINTS + 1, dtype=torch.float64) * 2.0**-range_spec.POINT_SPACING_BITS
            inverse = torch.exp2(-self.scales.double())
            above = torch.special.ndtr(places[:, None] * inverse) - 0.5
            found = above @ torch.softmax(self.mixing.double(), dim=1).T
        whole = np.floor(found.T.numpy() * 2 * range_spec.HALF + 0.5).astype(np.int64)
        return np.minimum(whole, range_spec.HALF)[: full.SHAPES]
