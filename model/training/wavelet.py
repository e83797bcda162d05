"""Stage `wavelet` in torch: the filter bank and its features, differentiable, in float or exactly as the law rounds.

Values are in the law's integer units, whatever their type: node units of 1/16 code, features of which `UNIT` stands for
`2**exponent`. With `exact`, everything is rounded and saturated as in `model.codec.wavelet`: in float64 it then equals
it, and the gradient passes the rounding unchanged.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from model.spec import wavelet as spec
from model.training import filters, windows
from model.training.bank import Bank, join
from model.training.experiment import Experiment
from model.training.schema_features import Cnn, Feature, Fourier, Gaussian, Identity, Wavelet

SOURCES = {"signal": spec.SIGNAL, "residual": spec.RESIDUAL, "magnitude": spec.MAGNITUDE}
LATEST = {spec.SIGNAL: 1}  # a feature of the signal is relative to its newest sample


def half_up(x: torch.Tensor) -> torch.Tensor:
    """`floor(x + 1/2)`, its gradient that of `x`."""
    return x + (torch.floor(x + 0.5) - x).detach()


def _bank(feature: Feature, experiment: Experiment) -> Bank:
    """The streaming bank of one feature; of a `Cnn`, with taps to be trained."""
    source = SOURCES[feature.source]
    match feature:
        case Identity():
            more = 1 if experiment.data.delta_encoding else 0  # n differences are n + 1 samples, less the newest
            return filters.identity(feature.samples + more, source)
        case Wavelet():
            return filters.wavelet(feature.wavelet, feature.depth(experiment.window), feature.lags, source)
        case Gaussian():
            return filters.gaussian(feature.wavelet, feature.scales, source)
        case Fourier():
            window = feature.window or experiment.window
            return filters.fourier(feature.bins or (window - 1) // 2, window, source)
        case Cnn():
            return filters.cnn(np.zeros((feature.filters, feature.taps)), [feature.dilation] * feature.filters, source)


def _matrix(feature: Feature, experiment: Experiment) -> np.ndarray:
    """The window-recomputing form of one feature: what it makes of a window, oldest sample first."""
    window = experiment.window
    match feature:
        case Identity():
            return np.eye(window)[::-1][1 : feature.samples]
        case Wavelet():
            return windows.wavelet_matrix(feature.wavelet, window, feature.depth(window), every=True)
        case Gaussian():
            return windows.gaussian_matrix(feature.scales, window, feature.wavelet, every=False)
        case Fourier():
            return windows.fourier_matrix(window)
        case Cnn():
            raise ValueError("feature_form: 'windowed' has no cnn; give streaming")


class Streaming(nn.Module):
    """Features as the hardware computes them, one sample at a time.

    Parameters
    ----------
    experiment : Experiment
    """

    def __init__(self, experiment: Experiment) -> None:
        super().__init__()
        banks = [_bank(feature, experiment) for feature in experiment.inputs]
        self.bank = join(banks)
        self.features = len(self.bank.features)
        self.context = self._reach()
        self.limit = (1 << (experiment.quantisation.activations - 1)) - 1
        self.node_limit = spec.node_format(experiment.data.width).maximum
        self.taps = nn.ParameterList()
        number = 0
        generator = torch.Generator().manual_seed(experiment.training.seed)
        for feature, bank in zip(experiment.inputs, banks, strict=True):
            for taps in bank.filters:
                trained = isinstance(feature, Cnn)
                values = torch.randn(len(taps), generator=generator) / len(taps) if trained else torch.from_numpy(taps)
                values = values - values.mean() if trained else values / (1 << spec.TAP.fraction)
                self.taps.append(nn.Parameter(values.double().float(), requires_grad=trained))
                number += 1

    def _reach(self) -> int:
        """Samples of the past that a feature depends on."""
        reach = [0] * spec.FIRST_FILTER
        for source, dilation, taps in self.bank.rows:
            reach.append(reach[source] + dilation * (taps - 1))
        return max(reach[node] + lag for node, lag, _ in self.bank.features)

    def integer_taps(self) -> np.ndarray:
        """All taps in `model.spec.wavelet.TAP`, int64: those trained, rounded."""
        rounded = [torch.floor(taps.detach().double() * (1 << spec.TAP.fraction) + 0.5) for taps in self.taps]
        found = torch.cat([torch.zeros(0, dtype=torch.float64), *rounded])
        return found.clamp(spec.TAP.minimum, spec.TAP.maximum).long().numpy()

    def _filter(self, source: torch.Tensor, dilation: int, taps: torch.Tensor, exact: bool) -> torch.Tensor:
        if exact:
            scaled = half_up(taps.to(source.dtype) * (1 << spec.TAP.fraction))
            taps = scaled.clamp(spec.TAP.minimum, spec.TAP.maximum)
        else:
            taps = taps.to(source.dtype)
        padded = functional.pad(source, (dilation * (len(taps) - 1), 0))
        kernel = taps.flip(0)[None, None]
        found = functional.conv1d(padded[:, None], kernel, dilation=dilation)[:, 0]
        if exact:
            found = half_up(found / (1 << spec.TAP.fraction)).clamp(-self.node_limit - 1, self.node_limit)
        return found

    def forward(
        self, signal: torch.Tensor, residual: torch.Tensor, exponent: torch.Tensor, *, exact: bool
    ) -> torch.Tensor:
        """The features, shape (channels, frames, features).

        Parameters
        ----------
        signal, residual : Tensor, shape (channels, frames)
        exponent : Tensor, shape (channels, frames)
        exact : bool
        """
        nodes = [signal, residual, residual.abs()]
        for (source, dilation, _), taps in zip(self.bank.rows, self.taps, strict=True):
            nodes.append(self._filter(nodes[source], dilation, taps, exact))
        columns: list[torch.Tensor] = []
        for node, lags, relative in _runs(self.bank.features):
            longest = max(lags)
            seen = functional.pad(nodes[node], (longest, 0)).unfold(1, longest + 1, 1)
            part = seen[:, :, [longest - lag for lag in lags]]
            columns.append(part - signal[:, :, None] if relative else part)
        values = torch.cat(columns, dim=2) * torch.exp2(spec.UNIT_BITS - exponent)[:, :, None]
        return (half_up(values) if exact else values).clamp(-self.limit, self.limit)


def _runs(features: Sequence[tuple[int, int, int]]) -> list[tuple[int, list[int], int]]:
    """Features that follow each other and are of one node together: (node, lags, relative)."""
    found: list[tuple[int, list[int], int]] = []
    for node, lag, relative in features:
        if found and (found[-1][0], found[-1][2]) == (node, relative):
            found[-1][1].append(lag)
        else:
            found.append((node, [lag], relative))
    return found


class Windowed(nn.Module):
    """Features of the whole window, transformed anew at each sample: the published form, for comparison only.

    All of them are linear in the window, so the first dense layer's weights times their matrix is one filter for each
    of its outputs: `forward` gives the window, `matrix` is what that layer multiplies its weights by.

    Parameters
    ----------
    experiment : Experiment
    """

    matrix: torch.Tensor

    def __init__(self, experiment: Experiment) -> None:
        super().__init__()
        found = np.concatenate([_matrix(feature, experiment) for feature in experiment.inputs])
        found = found / np.maximum(np.abs(found).sum(axis=1, keepdims=True), 1e-12) * 2
        self.register_buffer("matrix", torch.from_numpy(found).float(), persistent=False)
        self.features = len(found)
        self.context = experiment.window - 1

    def project(self, signal: torch.Tensor, exponent: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """What dense weights make of the features, shape (channels, frames, outputs).

        Parameters
        ----------
        signal, exponent : Tensor, shape (channels, frames)
        weights : Tensor, shape (outputs, features)
        """
        kernel = weights.to(signal.dtype) @ self.matrix.to(signal.dtype)
        padded = functional.pad(signal, (self.context, 0))
        found = functional.conv1d(padded[:, None], kernel[:, None]).transpose(1, 2)
        found = found - signal[:, :, None] * kernel.sum(dim=1)
        return found * torch.exp2(spec.UNIT_BITS - exponent)[:, :, None]
