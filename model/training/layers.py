"""Layers of the golden model, in float or exactly as the law computes them.

Values between layers are in the law's integer units: a value of `fraction` bits behind the point is its real value
times `2**fraction`, whatever its type. Weights are kept in real units. With `exact`, weights, sums and values are
rounded, narrowed and saturated as in `model.codec.network`, and the gradient passes the rounding unchanged (a
straight-through estimator); without, the same computation goes unrounded.
"""

import math

import torch
from torch import nn

from model.spec import network as spec
from model.spec.config import ConfigError
from model.training.wavelet import half_up

QUANTILE = 0.9995  # of values that must not saturate


def weight_fraction(weights: torch.Tensor, limit: int, least: int, most: int) -> int:
    """Bits behind the point with which the greatest weight just fits, within what the layer's shift allows.

    Raises
    ------
    ConfigError
        If the weights are too great for the layer's format.
    """
    greatest = float(weights.detach().abs().max())
    found = math.floor(math.log2((limit + 0.49) / greatest)) if greatest > 0 else most
    if found < least:
        raise ConfigError(
            f"quantisation: a weight of {greatest:.3g} does not fit its layer; train with weight_decay, or more bits"
        )
    return min(found, most)


class Quantiser:
    """How a layer's integers are formed.

    Parameters
    ----------
    weights : int
        Bits of a weight.
    activations : int
        Bits of a value.
    """

    def __init__(self, weights: int, activations: int) -> None:
        self.weight_limit = (1 << (weights - 1)) - 1
        self.limit = (1 << (activations - 1)) - 1


class Dense(nn.Module):
    """A dense layer: weights, bias, and a ReLU if it has one.

    Parameters
    ----------
    inputs, outputs : int
    relu : bool
    fraction : int
        Bits behind the point of its outputs, to begin with.
    quantiser : Quantiser
    bias : bool
    bounded : bool
        Whether outputs saturate to the quantiser's limit; the head's do elsewhere.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        relu: bool,
        fraction: int,
        quantiser: Quantiser,
        bias: bool = True,
        bounded: bool = True,
    ) -> None:
        super().__init__()
        self.relu, self.fraction, self.quantiser, self.bounded = relu, fraction, quantiser, bounded
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * (2 / inputs) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.greatest: list[float] | None = None  # values seen, while formats are chosen

    def weight_bits(self, before: int) -> int:
        """Bits behind the weights' point, for inputs with `before` bits behind theirs."""
        least, most = self.fraction - before, self.fraction - before + spec.MAX_SHIFT
        return weight_fraction(self.weight, self.quantiser.weight_limit, least, most)

    def integers(self, before: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Weights and biases as whole numbers, with the gradient of the real ones, and the shift."""
        bits = self.weight_bits(before)
        limit = self.quantiser.weight_limit
        weights = half_up(self.weight * 2.0**bits).clamp(-limit, limit)
        bias = self.weight.new_zeros(len(weights)) if self.bias is None else self.bias
        return weights, half_up(bias * 2.0 ** (bits + before)), bits + before - self.fraction

    def forward(self, x: torch.Tensor, before: int, *, exact: bool) -> torch.Tensor:
        """The layer's values, shape (..., outputs).

        Parameters
        ----------
        x : Tensor, shape (..., inputs)
        before : int
            Bits behind the inputs' point.
        exact : bool
        """
        if exact:
            weights, bias, shift = self.integers(before)
            y = half_up((x @ weights.to(x.dtype).T + bias.to(x.dtype)) * 2.0**-shift)
            if self.bounded:
                y = y.clamp(-self.quantiser.limit, self.quantiser.limit)
        else:
            y = x @ (self.weight.to(x.dtype).T * 2.0 ** (self.fraction - before))
            if self.bias is not None:
                y = y + self.bias.to(x.dtype) * 2.0**self.fraction
        y = torch.relu(y) if self.relu else y
        if self.greatest is not None:
            seen = y.detach().abs().flatten()
            stride = max(1, len(seen) // 100_000)
            self.greatest.append(float(torch.quantile(seen[::stride], QUANTILE)) * 2.0**-self.fraction)
        return y

    def settle(self, before: int) -> int:
        """Choose the outputs' format by the values seen, so that they just fit; the bits behind its point."""
        assert self.greatest, "no values were seen"
        seen = max([*self.greatest, 1e-6])
        fitting = math.floor(math.log2(self.quantiser.limit / seen))
        greatest = float(self.weight.detach().abs().max())
        most = before + math.floor(math.log2(self.quantiser.weight_limit / max(greatest, 1e-9)))
        self.fraction, self.greatest = max(min(fitting, most, 24), 0), None
        return self.fraction

    def export(self, before: int) -> spec.Dense:
        """The layer of a parameter set."""
        weights, bias, shift = self.integers(before)
        kind = spec.Layer.RELU if self.relu else spec.Layer.LINEAR
        return spec.Dense(kind, weights.detach().long().numpy(), bias.detach().long().numpy(), shift)


class Lstm(nn.Module):
    """An LSTM layer; its outputs have the format `model.spec.network.TANH`.

    Parameters
    ----------
    inputs, outputs : int
    quantiser : Quantiser
    """

    fraction = spec.TANH.fraction

    def __init__(self, inputs: int, outputs: int, quantiser: Quantiser) -> None:
        super().__init__()
        self.quantiser, self.outputs = quantiser, outputs
        self.cell: nn.LSTM = nn.LSTM(inputs, outputs, batch_first=True)
        second = self.cell.get_parameter("bias_hh_l0")  # the law has one bias
        with torch.no_grad():
            second.zero_()
        second.requires_grad_(False)

    @property
    def _driving(self) -> nn.Parameter:
        return self.cell.get_parameter("weight_ih_l0")

    def _joined(self, before: int) -> torch.Tensor:
        """Real weights of inputs and own outputs, the former as if they had the latter's format."""
        own = self.cell.get_parameter("weight_hh_l0")
        return torch.cat([self._driving * 2.0 ** (self.fraction - before), own], dim=1)

    def integers(self, before: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Weights and biases as whole numbers, with the gradient of the real ones, and the shift."""
        joined, limit = self._joined(before), self.quantiser.weight_limit
        least = spec.GATE.fraction - self.fraction
        bits = weight_fraction(joined, limit, least, least + spec.MAX_SHIFT)
        weights = half_up(joined * 2.0**bits).clamp(-limit, limit)
        bias = half_up(self.cell.get_parameter("bias_ih_l0") * 2.0 ** (bits + self.fraction))
        return weights, bias, bits + self.fraction - spec.GATE.fraction

    def forward(self, x: torch.Tensor, before: int, *, exact: bool) -> torch.Tensor:
        """The layer's values, shape (channels, frames, outputs); its state is 0 before the first frame.

        Parameters
        ----------
        x : Tensor, shape (channels, frames, inputs)
        before : int
            Bits behind the inputs' point.
        exact : bool
        """
        if not exact:
            found: torch.Tensor = self.cell(x.to(self._driving.dtype) * 2.0**-before)[0]
            return found.to(x.dtype) * 2.0**self.fraction
        whole, offset, shift = self.integers(before)
        weights, bias = whole.to(x.dtype), offset.to(x.dtype)
        sigmoid = torch.from_numpy(spec.sigmoid_table()).to(x)
        tanh = torch.from_numpy(spec.tanh_table()).to(x)
        inputs = x.shape[2]
        driven = x @ weights[:, :inputs].T + bias
        own = x.new_zeros(x.shape[0], self.outputs)
        cells = own
        steps = []
        for t in range(x.shape[1]):
            gates = half_up((driven[:, t] + own @ weights[:, inputs:].T) * 2.0**-shift)
            gates = gates.clamp(spec.GATE.minimum, spec.GATE.maximum)
            enter, forget, new, leave = gates.chunk(4, dim=1)
            cells = half_up(
                (
                    _look(sigmoid, forget, torch.sigmoid, spec.SIGMOID.fraction) * cells
                    + 2
                    * _look(sigmoid, enter, torch.sigmoid, spec.SIGMOID.fraction)
                    * _look(tanh, new, torch.tanh, spec.TANH.fraction)
                )
                / 256
            ).clamp(-spec.CELL.maximum, spec.CELL.maximum)
            index = half_up(cells / 16).clamp(spec.GATE.minimum, spec.GATE.maximum)
            own = half_up(
                _look(sigmoid, leave, torch.sigmoid, spec.SIGMOID.fraction)
                * _look(tanh, index, torch.tanh, spec.TANH.fraction)
                / 256
            )
            steps.append(own)
        return torch.stack(steps, dim=1)

    def export(self, before: int) -> spec.Dense:
        """The layer of a parameter set."""
        weights, bias, shift = self.integers(before)
        return spec.Dense(spec.Layer.LSTM, weights.detach().long().numpy(), bias.detach().long().numpy(), shift)


def _look(table: torch.Tensor, index: torch.Tensor, function: object, fraction: int) -> torch.Tensor:
    """A table's values at whole numbers, with the gradient of the function that it holds."""
    assert callable(function)
    smooth = function(index * 2.0**-spec.GATE.fraction) * 2.0**fraction
    return smooth + (table[index.detach().long() & 0xFF] - smooth).detach()
