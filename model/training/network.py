"""Stage `network` in torch: projector, MiddleOut and predictor of an experiment; the golden model.

`Golden` computes what `model.codec.network` computes, from the same integer traces: in float for training, and, with
`exact`, in the law's integers. `export` gives the tables of a parameter set.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from model.spec import full, spikey
from model.spec import network as spec
from model.spec import wavelet as wavelet_spec
from model.spec.config import ConfigError
from model.training.experiment import Experiment
from model.training.layers import Dense, Lstm, Quantiser
from model.training.schema_network import FcProjector, LstmPredictor, LstmProjector
from model.training.wavelet import Streaming, Windowed, half_up

RIDGE = 1e-3  # of each input's mean square, in the linear predictor that training begins with: many inputs depend
OUTPUT_UNIT = 1 << spec.OUTPUT.fraction  # of mean, scale and shape: a scale, an octave, a distribution
Layer = Dense | Lstm
FORMS = {"none": spec.MiddleOut.NONE, "mean": spec.MiddleOut.PLAIN, "residual": spec.MiddleOut.RESIDUAL}


class Batch(NamedTuple):
    """Some channels of some streams over some frames.

    Parameters
    ----------
    signal, residual, exponent : Tensor, shape (channels, frames)
    contexts : Tensor, shape (channels, frames, contexts)
    partners : Tensor of int64, shape (channels, most)
        Rows of this batch; a channel's own where there is no partner.
    earlier : Tensor of bool, shape (channels, most)
        Whether that partner's current sample is known.
    correlations : Tensor, shape (channels, most)
        In `model.spec.network.CORRELATION`; 0 where there is no partner.
    """

    signal: torch.Tensor
    residual: torch.Tensor
    exponent: torch.Tensor
    contexts: torch.Tensor
    partners: torch.Tensor
    earlier: torch.Tensor
    correlations: torch.Tensor


class Golden(nn.Module):
    """The network of an experiment.

    Parameters
    ----------
    experiment : Experiment
    """

    def __init__(self, experiment: Experiment) -> None:
        super().__init__()
        torch.manual_seed(experiment.training.seed)
        self.experiment = experiment
        self.contexts = full.CONTEXTS if experiment.profile == full.PROFILE else spikey.CONTEXTS
        self.windowed = experiment.feature_form == "windowed"
        self.extractor = Windowed(experiment) if self.windowed else Streaming(experiment)
        quantiser = Quantiser(experiment.quantisation.weights, experiment.quantisation.activations)
        self.limit = quantiser.limit
        usual = experiment.quantisation.activations - 4  # bits behind the point, until values have been seen
        size = inputs = self.extractor.features + self.contexts
        self.projector: list[Layer] = []
        self.predictor: list[Layer] = []
        projector, predictor = experiment.projector, experiment.predictor
        if isinstance(projector, LstmProjector):
            for _ in range(projector.layers):
                self.projector.append(Lstm(size, projector.hidden, quantiser))
                size = projector.hidden
        for width in projector.hidden if isinstance(projector, FcProjector) else ():
            self.projector.append(Dense(size, width, relu=True, fraction=usual, quantiser=quantiser))
            size = width
        if projector.kind != "none":
            self.projector.append(Dense(size, projector.latent, relu=False, fraction=usual, quantiser=quantiser))
            size = projector.latent
        self.form = FORMS[experiment.middleout.form]
        self.region = None
        if self.form != spec.MiddleOut.NONE:
            self.region = Dense(2 * size + 1, size, relu=False, fraction=usual, quantiser=quantiser)
        if isinstance(predictor, LstmPredictor):
            for _ in range(predictor.layers):
                self.predictor.append(Lstm(size, predictor.hidden, quantiser))
                size = predictor.hidden
        else:
            for width in predictor.hidden:
                self.predictor.append(Dense(size, width, relu=True, fraction=usual, quantiser=quantiser))
                size = width
        self.layers = nn.ModuleList([*self.projector, *self.predictor])  # so that torch knows of them
        self.outputs = full.OUTPUTS if experiment.profile == full.PROFILE else spikey.OUTPUTS
        fraction = spec.OUTPUT.fraction
        self.head = Dense(size, self.outputs, relu=False, fraction=fraction, quantiser=quantiser, bounded=False)
        self.scale = nn.Linear(size, 1) if self.outputs == 1 else None  # `spikey` learns it beside; its set has none
        self.skip = None
        if predictor.skip:
            self.skip = Dense(
                inputs, self.outputs, relu=False, fraction=fraction, quantiser=quantiser, bias=False, bounded=False
            )
        with torch.no_grad():
            self.head.weight.mul_(0.01)
            if self.skip is not None:
                self.skip.weight.zero_()
            if self.scale is not None:
                self.scale.weight.mul_(0.01)

    @property
    def context(self) -> int:
        """Samples of the past that an output depends on, but for an LSTM's."""
        return self.extractor.context

    @property
    def remembers(self) -> bool:
        """Whether there is an LSTM."""
        return any(isinstance(layer, Lstm) for layer in (*self.projector, *self.predictor))

    def _chain(self, layers: Sequence[Layer], x: torch.Tensor, before: int, exact: bool) -> tuple[torch.Tensor, int]:
        for layer in layers:
            x, before = layer(x, before, exact=exact), layer.fraction
        return x, before

    def _inputs(self, batch: Batch, *, exact: bool) -> torch.Tensor:
        assert isinstance(self.extractor, Streaming)
        features = self.extractor(batch.signal, batch.residual, batch.exponent, exact=exact)
        return torch.cat([features, batch.contexts], dim=2)

    def _first_windowed(self, batch: Batch, layer: Dense) -> torch.Tensor:
        """A dense layer on windowed features and contexts, in float."""
        assert isinstance(self.extractor, Windowed)
        scale = 2.0 ** (layer.fraction - wavelet_spec.UNIT_BITS)
        weights = layer.weight.to(batch.signal.dtype) * scale
        y = self.extractor.project(batch.signal, batch.exponent, weights[:, : -self.contexts])
        y = y + batch.contexts @ weights[:, -self.contexts :].T
        if layer.bias is not None:
            y = y + layer.bias * 2.0**layer.fraction
        return torch.relu(y) if layer.relu else y

    def _latents(self, batch: Batch, exact: bool) -> tuple[torch.Tensor, int, torch.Tensor | float]:
        """Latents, the bits behind their point, and what the skip path adds."""
        before = wavelet_spec.UNIT_BITS
        if self.windowed:
            first = self.projector[0]
            assert isinstance(first, Dense), "experiments with whole windows have dense projectors"
            skipped = self._first_windowed(batch, self.skip) if self.skip is not None else 0.0
            x = self._first_windowed(batch, first)
            x, before = self._chain(self.projector[1:], x, first.fraction, False)
            return x, before, skipped
        x = self._inputs(batch, exact=exact)
        skipped = self.skip(x, before, exact=exact) if self.skip is not None else 0.0
        x, before = self._chain(self.projector, x, before, exact)
        return x, before, skipped

    def _mix(self, latents: torch.Tensor, before: int, batch: Batch, exact: bool) -> torch.Tensor:
        """MiddleOut: the latents that the next frame is predicted with, shape (channels, frames - 1, size)."""
        own, later = latents[:, :-1], latents[:, 1:]
        if self.region is None or not batch.partners.shape[1]:
            return own
        known = batch.correlations != 0
        number = known.sum(dim=1)
        if exact:
            table = torch.tensor(spec.RECIPROCALS, dtype=own.dtype, device=own.device)
            reciprocal = table[number] / 256
        else:
            reciprocal = 1 / number.clamp(min=1)
        share = self.experiment.middleout.gradient_scale
        total = torch.zeros_like(own)
        for p in range(batch.partners.shape[1]):
            rows = batch.partners[:, p]
            partner = torch.where(batch.earlier[:, p, None, None], later[rows], own[rows])
            partner = partner.detach() + (partner - partner.detach()) * share  # its value to the last bit
            correlation = batch.correlations[:, p, None, None].expand(-1, own.shape[1], 1)
            region = self.region(torch.cat([own, partner, correlation], dim=2), before, exact=exact)
            weight = correlation if self.form == spec.MiddleOut.RESIDUAL else 1.0
            total = total + region * weight * known[:, p, None, None]
        total = total * reciprocal[:, None, None]
        if self.form == spec.MiddleOut.RESIDUAL:
            total = total / (1 << spec.CORRELATION.fraction)
            mixed = own - (half_up(total) if exact else total)
        else:
            mixed = half_up(total) if exact else total
        mixed = torch.where(number[:, None, None] > 0, mixed, own)
        return mixed.clamp(-self.limit, self.limit) if exact else mixed

    def forward(self, batch: Batch, *, exact: bool = False) -> torch.Tensor:
        """Outputs for the samples of frames 1 onwards, shape (channels, frames - 1, outputs).

        They are mean, scale's logarithm and, in profile `full`, shape, in units of `OUTPUT_UNIT`. Profile `spikey`
        needs the scale in training only; it is not rounded.

        Parameters
        ----------
        batch : Batch
        exact : bool
            Compute in the law's integers; exact for float64.
        """
        latents, before, skipped = self._latents(batch, exact)
        x = self._mix(latents, before, batch, exact)
        x, before = self._chain(self.predictor, x, before, exact)
        y = self.head(x, before, exact=exact)
        y = y + (skipped[:, :-1] if isinstance(skipped, torch.Tensor) else skipped)
        y = y.clamp(-spec.OUTPUT.maximum, spec.OUTPUT.maximum) if exact else y
        if self.scale is None:
            return y
        if self.experiment.loss == "squared_error":  # the scale is none of the network's business
            octaves = self.scale.bias.to(y.dtype).expand_as(y)
        else:
            octaves = self.scale((x * 2.0**-before).to(self.scale.weight.dtype)).to(y.dtype)
        return torch.cat([y, octaves * OUTPUT_UNIT], dim=2)

    def initialise(self, samples: Sequence[tuple[Batch, torch.Tensor, torch.Tensor]]) -> None:
        """Begin with the linear predictor of least squares: as the skip path, or as all there is if that is linear.

        Parameters
        ----------
        samples : sequence of (batch, errors, units)
            Batches; of their last frames what the mean should add, and what its unit is worth, both in scales and of
            shape (channels, frames).
        """
        linear = self.skip
        if linear is None and not len(self.layers):
            linear = self.head
        if linear is None or self.windowed:
            return
        size = linear.weight.shape[1]
        products, sums = torch.zeros(size, size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64)
        with torch.no_grad():
            for batch, errors, units in samples:
                frames = errors.shape[1]
                x = self._inputs(batch, exact=False)[:, -frames - 1 : -1] / wavelet_spec.UNIT
                x = (x.double() * units.double()[:, :, None]).reshape(-1, size).cpu()
                products += x.T @ x
                sums += x.T @ errors.double().reshape(-1).cpu()
            ridge = torch.diag(products.diagonal() + 1e-6 * products.diagonal().mean()) * RIDGE
            greatest = linear.quantiser.weight_limit * 2.0 ** (wavelet_spec.UNIT_BITS - linear.fraction) / 2
            found = torch.linalg.solve(products + ridge, sums)
            while found.abs().max() > greatest:  # inputs that nearly follow from each other
                ridge *= 4
                found = torch.linalg.solve(products + ridge, sums)
            linear.weight[0] = found.to(linear.weight)
        if linear is self.head and self.experiment.loss == "squared_error":
            linear.weight.requires_grad_(False)  # nothing is left to learn

    def settle(self, batches: list[Batch]) -> None:
        """Choose the format of every layer's values by what they are in some batches."""
        layers = [layer for layer in (*self.projector, *self.predictor) if isinstance(layer, Dense)]
        for dense in layers:
            dense.greatest = []
        with torch.no_grad():
            for batch in batches:
                self(batch)
        before = wavelet_spec.UNIT_BITS
        for layer in self.projector:
            before = layer.settle(before) if isinstance(layer, Dense) else layer.fraction
        if self.region is not None:
            with torch.no_grad():  # the correlation counts in units of a latent
                self.region.weight[:, -1] *= 2.0 ** (before - self.region.fraction)
            self.region.fraction = before
        for layer in self.predictor:
            before = layer.settle(before) if isinstance(layer, Dense) else layer.fraction

    def formats(self) -> list[int]:
        """Bits behind the point of each layer's values, as `settle` chose them; `restore_formats` takes them back."""
        return [layer.fraction for layer in (*self.projector, *self.predictor)]

    def restore_formats(self, found: list[int]) -> None:
        """Take over formats that `formats` gave."""
        for layer, fraction in zip((*self.projector, *self.predictor), found, strict=True):
            if isinstance(layer, Dense):
                layer.fraction = fraction
        if self.region is not None:
            self.region.fraction = self.projector[-1].fraction

    def check(self) -> None:
        """Refuse what would be no network of the law once it is learned; raises `ConfigError`."""
        if self.windowed:
            return
        tables, residuals = spec.to_tables(self.export()), self.experiment.profile == full.PROFILE
        try:
            spec.from_tables(tables, outputs=self.outputs, contexts=self.contexts, residuals=residuals)
        except ConfigError as error:
            raise ConfigError(f"{self.experiment.name}: the law has no such network: {error}") from None

    def export(self) -> spec.Network:
        """The network in the law's integers.

        Raises
        ------
        ConfigError
            If the law has no such network.
        """
        if not isinstance(self.extractor, Streaming):
            raise ConfigError("feature_form: 'windowed' is for comparison only; give streaming for a parameter set")
        bank = self.extractor.bank
        before = wavelet_spec.UNIT_BITS
        skip = None if self.skip is None else self.skip.export(before)
        projector, before = _exported(self.projector, before)
        region = None if self.region is None else self.region.export(before)
        predictor, before = _exported(self.predictor, before)
        return spec.Network(
            np.array(bank.rows, np.int64).reshape(-1, 3),
            self.extractor.integer_taps(),
            np.array(bank.features, np.int64).reshape(-1, 3),
            self.experiment.quantisation.activations,
            projector,
            self.form,
            region,
            predictor,
            self.head.export(before),
            skip,
            self.contexts,
        )


def _exported(layers: Sequence[Layer], before: int) -> tuple[list[spec.Dense], int]:
    found = []
    for layer in layers:
        found.append(layer.export(before))
        before = layer.fraction
    return found, before
