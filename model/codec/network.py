"""Stage `network`: projector, MiddleOut and predictor, in integers; formulas and formats in `model.spec.network`.

A network is a tuple of arrays, made by `program`. Layers read and write rows of `scratch`; an LSTM's outputs and cells
are a part of the channel's row of `memory`.
"""

import numpy as np

from model.codec.arithmetic import round_half_up, saturate
from model.codec.compiled import compiled
from model.spec import network as spec

LINEAR, RELU, LSTM = int(spec.Layer.LINEAR), int(spec.Layer.RELU), int(spec.Layer.LSTM)
NONE, PLAIN, RESIDUAL = int(spec.MiddleOut.NONE), int(spec.MiddleOut.PLAIN), int(spec.MiddleOut.RESIDUAL)
GATE_LIMIT = spec.GATE.maximum
CELL_LIMIT = spec.CELL.maximum
OUTPUT_LIMIT = spec.OUTPUT.maximum
CELL_FALL = spec.CELL.fraction - spec.GATE.fraction
SIGMOID_FRACTION = spec.SIGMOID.fraction
CORRELATION_FRACTION = spec.CORRELATION.fraction
RECIPROCALS = spec.RECIPROCALS
RECIPROCAL_FRACTION = 8

# columns of a layer's row
KIND, INPUTS, OUTPUTS, SHIFT, WEIGHTS, BIASES, MEMORY = range(7)


@compiled
def narrow(total, shift):
    """A sum narrowed by a layer's shift: `Rounding.HALF_UP`."""
    return round_half_up(total, shift) if shift > 0 else total


@compiled
def weigh(weights, at, count, inputs):
    """Sum of `count` products."""
    total = np.int64(0)
    for i in range(count):
        total += np.int64(weights[at + i]) * np.int64(inputs[i])
    return total


@compiled
def dense(layer, weights, biases, source, target, limit):
    """A dense layer; `Overflow.SATURATE` to -limit ... limit, or 0 ... limit behind a ReLU."""
    inputs, least = layer[INPUTS], (0 if layer[KIND] == RELU else -limit)
    for o in range(layer[OUTPUTS]):
        total = weigh(weights, layer[WEIGHTS] + o * inputs, inputs, source) + biases[layer[BIASES] + o]
        target[o] = saturate(narrow(total, layer[SHIFT]), least, limit)


@compiled
def lstm(layer, weights, biases, lookup, source, target, memory, channel):
    """An LSTM layer; its last outputs, then its cells, stand in `memory`, in 2 * outputs columns."""
    inputs, outputs, at = layer[INPUTS], layer[OUTPUTS], layer[MEMORY]
    own, columns = memory[channel, at : at + outputs], inputs + outputs
    for o in range(outputs):
        gates = (0, 0, 0, 0)
        for g in range(4):
            row = layer[WEIGHTS] + (g * outputs + o) * columns
            total = weigh(weights, row, inputs, source) + weigh(weights, row + inputs, outputs, own)
            total = narrow(total + biases[layer[BIASES] + g * outputs + o], layer[SHIFT])
            gate = saturate(total, -GATE_LIMIT - 1, GATE_LIMIT) & 0xFF
            gates = (gates[1], gates[2], gates[3], gate)
        cell = lookup[0, gates[1]] * memory[channel, at + outputs + o]
        cell += lookup[0, gates[0]] * lookup[1, gates[2]] << 1
        cell = saturate(round_half_up(cell, SIGMOID_FRACTION), -CELL_LIMIT, CELL_LIMIT)
        memory[channel, at + outputs + o] = cell
        index = saturate(round_half_up(cell, CELL_FALL), -GATE_LIMIT - 1, GATE_LIMIT) & 0xFF
        target[o] = round_half_up(lookup[0, gates[3]] * lookup[1, index], SIGMOID_FRACTION)
    for o in range(outputs):
        memory[channel, at + o] = target[o]


@compiled
def run(layers, weights, biases, lookup, scratch, memory, channel, limit):
    """Layers one after the other, from row 0 of `scratch`; the row in which their outputs are."""
    row = 0
    for i in range(layers.shape[0]):
        if layers[i, KIND] == LSTM:
            lstm(layers[i], weights, biases, lookup, scratch[row], scratch[1 - row], memory, channel)
        else:
            dense(layers[i], weights, biases, scratch[row], scratch[1 - row], limit)
        row = 1 - row
    return row


@compiled
def project(network, channel, state, scratch):
    """From the inputs in row 0 of `scratch` the channel's latent, and what the skip path adds to its outputs."""
    projector, _, _, head, skip, weights, biases, lookup, limit, _ = network
    latents, skipped, memory = state
    for o in range(head[OUTPUTS]):
        skipped[channel, o] = 0
        if skip[INPUTS] > 0:
            total = weigh(weights, skip[WEIGHTS] + o * skip[INPUTS], skip[INPUTS], scratch[0])
            skipped[channel, o] = narrow(total, skip[SHIFT])
    row = run(projector, weights, biases, lookup, scratch, memory, channel, limit)
    for i in range(latents.shape[1]):
        latents[channel, i] = scratch[row, i]


@compiled
def mix(network, channel, links, latents, scratch):
    """MiddleOut: the channel's latent, mixed with those of its partners, into row 0 of `scratch`.

    `links` has (distance, correlation) of each possible partner, distance 0 where there are no more.
    """
    _, region, _, _, _, weights, biases, _, limit, form = network
    size = latents.shape[1]
    partners = 0
    for p in range(links.shape[1] if form != NONE else 0):
        partners += links[channel, p, 0] != 0
    for i in range(size):
        own = latents[channel, i]
        scratch[0, i] = own
        if partners > 0:
            total = np.int64(0)
            for p in range(partners):
                partner, correlation = channel - links[channel, p, 0], links[channel, p, 1]
                row = region[WEIGHTS] + i * (2 * size + 1)
                found = weigh(weights, row, size, latents[channel])
                found += weigh(weights, row + size, size, latents[partner])
                found += np.int64(weights[row + 2 * size]) * correlation + biases[region[BIASES] + i]
                found = saturate(narrow(found, region[SHIFT]), -limit, limit)
                total += found * correlation if form == RESIDUAL else found
            total *= RECIPROCALS[partners]
            if form == RESIDUAL:
                total = own - round_half_up(total, RECIPROCAL_FRACTION + CORRELATION_FRACTION)
            else:
                total = round_half_up(total, RECIPROCAL_FRACTION)
            scratch[0, i] = saturate(total, -limit, limit)


@compiled
def predict(network, channel, links, state, scratch, outputs):
    """The channel's outputs, in `model.spec.network.OUTPUT`, from its latent and those of its partners."""
    _, _, predictor, head, _, weights, biases, lookup, limit, _ = network
    latents, skipped, memory = state
    mix(network, channel, links, latents, scratch)
    row = run(predictor, weights, biases, lookup, scratch, memory, channel, limit)
    for o in range(head[OUTPUTS]):
        total = weigh(weights, head[WEIGHTS] + o * head[INPUTS], head[INPUTS], scratch[row])
        total = narrow(total + biases[head[BIASES] + o], head[SHIFT]) + skipped[channel, o]
        outputs[o] = saturate(total, -OUTPUT_LIMIT, OUTPUT_LIMIT)


class Program:
    """A network as arrays for the compiled functions.

    Parameters
    ----------
    network : model.spec.network.Network
    """

    def __init__(self, network: spec.Network) -> None:
        self._weights: list[np.ndarray] = []
        self._biases: list[np.ndarray] = []
        self._memory = 0
        none = np.zeros(7, np.int64)
        projector = self._rows(network.projector)
        region = none if network.region is None else self._row(network.region)
        predictor = self._rows(network.predictor)
        head = self._row(network.head)
        skip = none if network.skip is None else self._row(network.skip)
        weights, biases = np.concatenate(self._weights), np.concatenate(self._biases)
        lookup = np.stack([spec.sigmoid_table(), spec.tanh_table()])
        limit, form = (1 << (network.bits - 1)) - 1, int(network.form)
        self.arrays = (
            projector,
            region,
            predictor,
            head,
            skip,
            weights.astype(np.int32),
            biases,
            lookup,
            np.int64(limit),
            np.int64(form),
        )
        parts = [*network.projector, *network.predictor]
        self.limit, self.inputs, self.latent = limit, network.inputs, network.latent
        self.outputs, self.memory = network.head.outputs, max(self._memory, 1)
        self.widest = max([network.inputs, network.latent, *(part.outputs for part in parts)])

    def _row(self, part: spec.Dense) -> np.ndarray:
        lstm = part.kind == spec.Layer.LSTM
        inputs = part.weights.shape[1] - (part.outputs if lstm else 0)
        at = sum(found.size for found in self._weights), sum(found.size for found in self._biases)
        row = np.array([part.kind, inputs, part.outputs, part.shift, *at, self._memory], np.int64)
        self._weights.append(part.weights.ravel())
        self._biases.append(part.biases)
        self._memory += 2 * part.outputs if lstm else 0
        return row

    def _rows(self, parts: list[spec.Dense]) -> np.ndarray:
        return np.array([self._row(part) for part in parts], np.int64).reshape(-1, 7)

    def state(self, channels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Latents, what the skip path adds, and memory of so many channels, all 0; int32, int64, int32."""
        return (
            np.zeros((channels, self.latent), np.int32),
            np.zeros((channels, self.outputs), np.int64),
            np.zeros((channels, self.memory), np.int32),
        )

    def scratch(self) -> np.ndarray:
        """Room for the values of two layers, int32."""
        return np.zeros((2, self.widest), np.int32)
