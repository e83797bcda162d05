"""The network of profiles `spikey` and `full`: its tables, formats and lookup functions.

From the features of a channel (`model.spec.wavelet`) the *projector* makes a latent as soon as a sample is known.
*MiddleOut* mixes into it the latents of the channel's partners, as they stand: that of a partner earlier in the frame
knows its current sample. The *predictor* makes hidden values of the result and the *head* outputs of those; the linear
*skip* path adds its own to the outputs, straight from the features.

A dense layer is `saturate(round_half_up(sum_i weight[i] * input[i] + bias, shift))`, then ReLU if it has one: weights
of 8 bits, a shift for the layer. An LSTM layer computes its four gates like that (input, forget, cell, output, from its
inputs and then its own last outputs), in `GATE`, and looks the functions up:

    cell   = saturate(round_half_up(sigmoid(f) * cell + 2 * sigmoid(i) * tanh(g), 8))      in `CELL`
    output = round_half_up(sigmoid(o) * tanh(round_half_up(cell, 4)), 8)                   in `TANH`

MiddleOut makes of (own latent, partner's latent, correlation) a region's latent for each partner, by one dense layer
without ReLU. In its plain form the new latent is their mean; in the residual form each is weighted by the correlation,
and the mean is subtracted from the own latent. A channel without partners keeps its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from model.spec import wavelet
from model.spec.config import ConfigError
from model.spec.numbers import Format

WEIGHT: Final = Format(8, 7, signed=True)  # symmetric; the layer's shift says where its point truly stands
BIAS: Final = Format(32, 0, signed=True)
GATE: Final = Format(8, 4, signed=True)
SIGMOID: Final = Format(8, 8)
TANH: Final = Format(8, 7, signed=True)
CELL: Final = Format(12, 8, signed=True)
OUTPUT: Final = Format(14, 8, signed=True)
CORRELATION: Final = Format(8, 7, signed=True)
RECIPROCALS: Final = (0, 256, 128, 85, 64)  # of the number of partners, in 256ths
ACTIVATIONS: Final = (8, 12)  # bits that features and hidden values can have, least and most
MAX_SHIFT: Final = 24
MAX_SIZE: Final = 4096  # inputs of a layer, an LSTM's own outputs among them: sums stay below 2**31
MAX_NODES: Final = 64
MAX_HISTORY: Final = 1 << 15  # samples of all nodes that a channel keeps


class Layer(IntEnum):
    """Kinds of layers."""

    LINEAR = 0
    RELU = 1
    LSTM = 2


class MiddleOut(IntEnum):
    """Forms of MiddleOut."""

    NONE = 0
    PLAIN = 1
    RESIDUAL = 2


def sigmoid_table() -> np.ndarray:
    """Sigmoid of a gate, by its 8 bits as an unsigned index, in `SIGMOID`; int64, shape (256,)."""
    gates = np.ldexp((np.arange(256) + 128) % 256 - 128.0, -GATE.fraction)
    return np.minimum(np.floor(256 / (1 + np.exp(-gates)) + 0.5), SIGMOID.maximum).astype(np.int64)


def tanh_table() -> np.ndarray:
    """Hyperbolic tangent of a gate, by its 8 bits as an unsigned index, in `TANH`; int64, shape (256,)."""
    gates = np.ldexp((np.arange(256) + 128) % 256 - 128.0, -GATE.fraction)
    return np.clip(np.floor(128 * np.tanh(gates) + 0.5), -TANH.maximum, TANH.maximum).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Dense:
    """Weights, biases and shift of one layer, or of a part of the network that is like one.

    Parameters
    ----------
    kind : Layer
    weights : ndarray of int64, shape (outputs, inputs)
        In `WEIGHT`, symmetric. Of an LSTM layer, shape (4 * outputs, inputs + outputs): gates input, forget, cell,
        output, one behind the other.
    biases : ndarray of int64, as many as rows of `weights`
        In units of the sum.
    shift : int
        0 to `MAX_SHIFT`.
    """

    kind: Layer
    weights: np.ndarray
    biases: np.ndarray
    shift: int

    @property
    def outputs(self) -> int:
        """Values that come out."""
        return len(self.biases) // (4 if self.kind == Layer.LSTM else 1)


@dataclass(frozen=True, eq=False)
class Network:
    """All that features become outputs by.

    Parameters
    ----------
    bank : ndarray of int64, shape (filters, 3)
        Of each filter: source node, dilation, number of taps.
    taps : ndarray of int64
        Of all filters, newest sample first, in `model.spec.wavelet.TAP`.
    features : ndarray of int64, shape (features, 3)
        Of each: node, lag, and whether it is relative to the newest sample.
    bits : int
        Of features and hidden values.
    projector, predictor : list of Dense
    form : MiddleOut
    region : Dense or None
        Weights of MiddleOut, inputs (own latent, partner's latent, correlation).
    head : Dense
        From hidden values to outputs.
    skip : Dense or None
        From inputs to outputs; its biases are 0.
    contexts : int
        Inputs behind the features: 1 in `spikey`, the scale's mantissa; 2 in `full`, also its fast part.
    """

    bank: np.ndarray
    taps: np.ndarray
    features: np.ndarray
    bits: int
    projector: list[Dense]
    form: MiddleOut
    region: Dense | None
    predictor: list[Dense]
    head: Dense
    skip: Dense | None
    contexts: int = 1

    @property
    def inputs(self) -> int:
        """Features and contexts."""
        return len(self.features) + self.contexts

    @property
    def latent(self) -> int:
        """Values of the latent."""
        return self.projector[-1].outputs if self.projector else self.inputs

    def multiply_adds(self, partners: int = 1) -> dict[str, int]:
        """Multiplications of a sample, stage by stage, for a channel with so many partners."""
        dense = {
            "wavelet": len(self.taps),
            "projector": sum(layer.weights.size for layer in self.projector),
            "middleout": self.region.weights.size * partners if self.region is not None else 0,
            "predictor": sum(layer.weights.size for layer in self.predictor),
            "head": self.head.weights.size,
            "skip": self.skip.weights.size if self.skip is not None else 0,
        }
        lstm = [layer for layer in (*self.projector, *self.predictor) if layer.kind == Layer.LSTM]
        dense["lstm"] = sum(3 * layer.outputs for layer in lstm)
        if self.form == MiddleOut.RESIDUAL:
            dense["middleout"] += (partners + 1) * self.latent
        return dense


_SHAPES: Final = {
    "activation": Format(8),
    "bank": Format(16),
    "layer_biases": BIAS,
    "features": Format(16),
    "head": Format(8),
    "middleout": Format(8),
    "predictor": Format(16),
    "projector": Format(16),
    "sigmoid": SIGMOID,
    "tanh": TANH,
    "taps": wavelet.TAP,
    "layer_weights": WEIGHT,
}
TABLES: Final = tuple(_SHAPES)


def to_tables(network: Network) -> dict[str, tuple[Format, np.ndarray]]:
    """The tables of a parameter set that `from_tables` reads."""

    def rows(layers: list[Dense]) -> np.ndarray:
        return np.array([(layer.kind, layer.outputs, layer.shift) for layer in layers], np.int64).reshape(-1, 3)

    skip = network.skip
    parts = [*network.projector, *([network.region] if network.region is not None else [])]
    parts += [*network.predictor, network.head]
    weights = [part.weights.ravel() for part in parts] + ([skip.weights.ravel()] if skip is not None else [])
    lookup = any(layer.kind == Layer.LSTM for layer in (*network.projector, *network.predictor))
    none = np.zeros(0, np.int64)
    values = {
        "activation": np.array(network.bits, np.int64),
        "bank": network.bank,
        "layer_biases": np.concatenate([part.biases for part in parts]),
        "features": network.features,
        "head": np.array(
            [network.head.outputs, network.head.shift, skip is not None, 0 if skip is None else skip.shift], np.int64
        ),
        "middleout": np.array([network.form, network.region.shift if network.region is not None else 0], np.int64),
        "predictor": rows(network.predictor),
        "projector": rows(network.projector),
        "sigmoid": sigmoid_table() if lookup else none,
        "tanh": tanh_table() if lookup else none,
        "taps": network.taps,
        "layer_weights": np.concatenate(weights),
    }
    return {name: (_SHAPES[name], np.asarray(value, np.int64)) for name, value in values.items()}


class _Reader:
    """Takes weights and biases from their tables, one part after the other."""

    def __init__(self, weights: np.ndarray, biases: np.ndarray) -> None:
        self._weights, self._biases = weights, biases

    def take(self, kind: Layer, rows: int, columns: int, shift: int, *, biased: bool = True) -> Dense:
        if columns > MAX_SIZE:
            raise ConfigError(f"parameter table 'layer_weights': {columns} inputs of a layer; give at most {MAX_SIZE}")
        size = rows * columns
        if size > len(self._weights) or (biased and rows > len(self._biases)):
            raise ConfigError("parameter table 'layer_weights': too short for the layers; its writer is at fault")
        weights, self._weights = self._weights[:size], self._weights[size:]
        biases = np.zeros(rows, np.int64)
        if biased:
            biases, self._biases = self._biases[:rows], self._biases[rows:]
        return Dense(kind, weights.reshape(rows, columns), biases, shift)

    def layers(self, table: np.ndarray, inputs: int) -> list[Dense]:
        found = []
        for kind, outputs, shift in table.tolist():
            lstm = kind == Layer.LSTM
            rows, columns = (4 * outputs, inputs + outputs) if lstm else (outputs, inputs)
            found.append(self.take(Layer(kind), rows, columns, shift))
            inputs = outputs
        return found

    def end(self) -> None:
        if len(self._weights) or len(self._biases):
            raise ConfigError("parameter table 'layer_weights': more than the layers take; its writer is at fault")


def from_tables(
    tables: Mapping[str, tuple[Format, np.ndarray]], *, outputs: int, contexts: int, residuals: bool
) -> Network:
    """The network in the tables of a parameter set.

    Parameters
    ----------
    tables : mapping of str to (Format, ndarray of int64)
        Others among them are left alone.
    outputs : int
        That the profile needs.
    contexts : int
        That the profile has.
    residuals : bool
        Whether the profile has the stage `lms`, and so nodes 1 and 2.

    Raises
    ------
    ConfigError
        If a table is missing or not possible.
    """
    for name, form in _SHAPES.items():
        if name not in tables or tables[name][0] != form:
            raise ConfigError(f"parameter table '{name}': missing, or not of the format {form}")
    values = {name: tables[name][1] for name in _SHAPES}
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("bank", "features", "predictor", "projector"), (-1, 3))
    shapes |= {
        "activation": (),
        "head": (4,),
        "middleout": (2,),
        "taps": (-1,),
        "layer_weights": (-1,),
        "layer_biases": (-1,),
    }
    for name, shape in shapes.items():
        found = values[name].shape
        if len(found) != len(shape) or any(want not in (-1, have) for want, have in zip(shape, found, strict=True)):
            raise ConfigError(f"parameter table '{name}': shape {found}; give {shape}, -1 being any size")
    _check_bank(values, residuals=residuals)
    _check_layers(values, outputs)
    inputs = len(values["features"]) + contexts
    reader = _Reader(values["layer_weights"], values["layer_biases"])
    projector = reader.layers(values["projector"], inputs)
    latent = projector[-1].outputs if projector else inputs
    form, region_shift = values["middleout"].tolist()
    region = reader.take(Layer.LINEAR, latent, 2 * latent + 1, region_shift) if form else None
    predictor = reader.layers(values["predictor"], latent)
    hidden = predictor[-1].outputs if predictor else latent
    _, head_shift, skipping, skip_shift = values["head"].tolist()
    head = reader.take(Layer.LINEAR, outputs, hidden, head_shift)
    skip = reader.take(Layer.LINEAR, outputs, inputs, skip_shift, biased=False) if skipping else None
    reader.end()
    return Network(
        values["bank"],
        values["taps"],
        values["features"],
        int(values["activation"]),
        projector,
        MiddleOut(form),
        region,
        predictor,
        head,
        skip,
        contexts,
    )


def _check_bank(values: Mapping[str, np.ndarray], *, residuals: bool) -> None:
    bank, features = values["bank"], values["features"]
    nodes = wavelet.FIRST_FILTER + np.arange(len(bank))
    sources = [wavelet.SIGNAL] if not residuals else [wavelet.SIGNAL, wavelet.RESIDUAL, wavelet.MAGNITUDE]
    if len(bank) > MAX_NODES:
        raise ConfigError(f"parameter table 'bank': {len(bank)} filters; give at most {MAX_NODES}")
    for (source, dilation, taps), node in zip(bank.tolist(), nodes.tolist(), strict=True):
        known = source in sources or wavelet.FIRST_FILTER <= source < node
        if not known or dilation < 1 or taps < 1 or (taps - 1) * dilation > wavelet.MAX_LAG:
            raise ConfigError(f"parameter table 'bank': node {node} = ({source}, {dilation}, {taps}) is not possible")
    if bank[:, 2].sum() != len(values["taps"]):
        raise ConfigError(f"parameter table 'taps': {len(values['taps'])} for {bank[:, 2].sum()} in 'bank'")
    last = wavelet.FIRST_FILTER + len(bank)
    for node, lag, relative in features.tolist():
        known = node in sources or wavelet.FIRST_FILTER <= node < last
        if not known or lag > wavelet.MAX_LAG or relative > 1:
            raise ConfigError(f"parameter table 'features': ({node}, {lag}, {relative}) is not possible")
    history = int(longest_lags(bank, features).sum())
    if history > MAX_HISTORY:
        raise ConfigError(f"parameter table 'bank': {history} samples of history a channel; give at most {MAX_HISTORY}")


def longest_lags(bank: np.ndarray, features: np.ndarray) -> np.ndarray:
    """How many samples before the newest of each node are read, int64, shape (nodes,).

    Parameters
    ----------
    bank, features : ndarray of int64, shape (..., 3)
        As in `Network`.
    """
    longest = np.zeros(wavelet.FIRST_FILTER + len(bank), np.int64)
    for source, dilation, taps in bank.tolist():
        longest[source] = max(longest[source], dilation * (taps - 1))
    for node, lag, _ in features.tolist():
        longest[node] = max(longest[node], lag)
    return longest


def _check_layers(values: Mapping[str, np.ndarray], outputs: int) -> None:
    bits = int(values["activation"])
    if not ACTIVATIONS[0] <= bits <= ACTIVATIONS[1]:
        raise ConfigError(f"parameter table 'activation': {bits} bits; give {ACTIVATIONS[0]} to {ACTIVATIONS[1]}")
    if len(values["layer_weights"]) and values["layer_weights"].min() == WEIGHT.minimum:
        raise ConfigError(
            f"parameter table 'layer_weights': {WEIGHT.minimum}; give {-WEIGHT.maximum} to {WEIGHT.maximum}"
        )
    lookup = False
    for name in ("projector", "predictor"):
        for kind, size, shift in values[name].tolist():
            lookup |= kind == Layer.LSTM
            if kind > max(Layer) or not 1 <= size <= MAX_SIZE or shift > MAX_SHIFT:
                raise ConfigError(f"parameter table '{name}': layer ({kind}, {size}, {shift}) is not possible")
    form, region_shift = values["middleout"].tolist()
    found, head_shift, skipping, skip_shift = values["head"].tolist()
    if form > max(MiddleOut) or skipping > 1 or max(region_shift, head_shift, skip_shift) > MAX_SHIFT:
        raise ConfigError("parameter tables 'middleout', 'head': a form, flag or shift is not possible")
    if found != outputs:
        raise ConfigError(f"parameter table 'head': {found} outputs; the profile needs {outputs}")
    if np.abs(values["layer_biases"]).max(initial=0) >= 1 << 30:
        raise ConfigError("parameter table 'layer_biases': give values between -2**30 and 2**30")
    for name, table in (("sigmoid", sigmoid_table()), ("tanh", tanh_table())):
        if not np.array_equal(values[name], table if lookup else table[:0]):
            raise ConfigError(f"parameter table '{name}': not the function's; only sets with an LSTM have it")
