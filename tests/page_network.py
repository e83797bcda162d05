"""Filter bank and network of the second decoder, written from BITSTREAM.md alone (sections 5, 10); slow and plain."""

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from tests.page_calibrated import rnd, sat
from tests.page_reader import Table, require

RELU, LSTM = 1, 2
PLAIN, RESIDUAL = 1, 2
SHARES = (0, 256, 128, 85, 64)  # of the number of partners
MOST_INPUTS, MOST_SHIFT, MOST_LAG, MOST_FILTERS = 4096, 24, 4095, 64
FORMATS: dict[str, tuple[int | None, int, int, int]] = {  # bits, fraction bits, signed, dimensions
    "activation": (8, 0, 0, 0),
    "bank": (16, 0, 0, 2),
    "features": (16, 0, 0, 2),
    "head": (8, 0, 0, 1),
    "layer_biases": (32, 0, 1, 1),
    "layer_weights": (8, 7, 1, 1),
    "middleout": (8, 0, 0, 1),
    "predictor": (16, 0, 0, 2),
    "projector": (16, 0, 0, 2),
    "sigmoid": (8, 8, 0, 1),
    "tanh": (8, 7, 1, 1),
    "taps": (12, 10, 1, 1),
}
BYTES = [n if n < 128 else n - 256 for n in range(256)]
SIGMOID = [min(math.floor(256 / (1 + math.exp(-x / 16)) + 0.5), 255) for x in BYTES]
TANH = [sat(math.floor(128 * math.tanh(x / 16) + 0.5), -127, 127) for x in BYTES]


class Layer(NamedTuple):
    """A layer; an LSTM has four rows of weights an output."""

    kind: int
    weights: list[list[int]]
    biases: list[int]
    shift: int

    def sums(self, x: list[int]) -> list[int]:
        """Give the sums, shifted."""
        return [
            rnd(sum(a * b for a, b in zip(row, x, strict=True)) + bias, self.shift)
            for row, bias in zip(self.weights, self.biases, strict=True)
        ]


class Network(NamedTuple):
    """What the tables hold; a filter is its source, dilation and taps."""

    most: int
    filters: list[tuple[int, int, list[int]]]
    features: list[list[int]]
    projector: list[Layer]
    form: int
    region: Layer | None
    predictor: list[Layer]
    head: Layer
    skip: Layer | None
    latent: int


class Parts:
    """Takes layers from `layer_weights` and `layer_biases`."""

    def __init__(self, tables: dict[str, Table]) -> None:
        """Start with the first weight and bias."""
        self.weights, self.biases = tables["layer_weights"].values, tables["layer_biases"].values
        require(-128 not in self.weights, "weight of -128")
        require(all(abs(bias) < 1 << 30 for bias in self.biases), "bias out of range")

    def take(self, kind: int, outputs: int, inputs: int, shift: int, *, biased: bool = True) -> Layer:
        """Take a layer."""
        rows, columns = (4 * outputs, inputs + outputs) if kind == LSTM else (outputs, inputs)
        require(kind <= LSTM and outputs in range(1, MOST_INPUTS + 1), "kind or outputs of a layer")
        require(columns <= MOST_INPUTS and shift <= MOST_SHIFT, "inputs or shift of a layer")
        size = rows * columns
        require(size <= len(self.weights) and (not biased or rows <= len(self.biases)), "too few weights or biases")
        own, self.weights = self.weights[:size], self.weights[size:]
        biases = [0] * rows
        if biased:
            biases, self.biases = self.biases[:rows], self.biases[rows:]
        return Layer(kind, [own[at : at + columns] for at in range(0, size, columns)], biases, shift)

    def stack(self, table: Table, inputs: int) -> tuple[list[Layer], int]:
        """Take layers one behind the other; give what the last puts out."""
        layers = []
        for kind, outputs, shift in table.rows():
            layers.append(self.take(kind, outputs, inputs, shift))
            inputs = outputs
        return layers, inputs


def read_bank(tables: dict[str, Table], sources: int) -> tuple[list[tuple[int, int, list[int]]], list[list[int]]]:
    """Take filters and features; the first so many nodes are there."""
    require(tables["bank"].sizes[1] == tables["features"].sizes[1] == 3, "sizes of bank or features")
    bank, features = tables["bank"].rows(), tables["features"].rows()
    nodes = [*range(sources), *range(3, 3 + len(bank))]
    require(len(bank) <= MOST_FILTERS, "filters")
    ends = list(accumulate((count for _, _, count in bank), initial=0))
    require(ends[-1] == len(tables["taps"].values), "number of taps")
    for j, (source, dilation, count) in enumerate(bank):
        require(source in nodes and source < 3 + j and min(dilation, count) > 0, "row of bank")
        require((count - 1) * dilation <= MOST_LAG, "reach of a filter")
    for source, lag, relative in features:
        require(source in nodes and lag <= MOST_LAG and relative <= 1, "row of features")
    taps = [tables["taps"].values[a:b] for a, b in pairwise(ends)]
    return [(row[0], row[1], own) for row, own in zip(bank, taps, strict=True)], features


def read_network(tables: dict[str, Table], *, outputs: int, contexts: int) -> Network:
    """Take the network from the tables of a set."""
    bits = tables["activation"].values[0]
    require(8 <= bits <= 12, "activation")
    filters, features = read_bank(tables, 1 if contexts == 1 else 3)
    require(tables["projector"].sizes[1] == tables["predictor"].sizes[1] == 3, "sizes of projector or predictor")
    require(tables["head"].sizes == (4,) and tables["middleout"].sizes == (2,), "sizes of head or middleout")
    parts, inputs = Parts(tables), len(features) + contexts
    projector, latent = parts.stack(tables["projector"], inputs)
    form, shift = tables["middleout"].values
    require(form <= RESIDUAL and shift <= MOST_SHIFT, "middleout")
    region = parts.take(0, latent, 2 * latent + 1, shift) if form else None
    predictor, hidden = parts.stack(tables["predictor"], latent)
    count, shift, skips, skip_shift = tables["head"].values
    require(count == outputs and skips <= 1 and skip_shift <= MOST_SHIFT, "head")
    head = parts.take(0, outputs, hidden, shift)
    skip = parts.take(0, outputs, inputs, skip_shift, biased=False) if skips else None
    require(not parts.weights and not parts.biases, "too many weights or biases")
    lookup = any(layer.kind == LSTM for layer in [*projector, *predictor])
    expected = (SIGMOID, TANH) if lookup else ([], [])
    require((tables["sigmoid"].values, tables["tanh"].values) == expected, "sigmoid or tanh")
    return Network((1 << bits - 1) - 1, filters, features, projector, form, region, predictor, head, skip, latent)


class Memory:
    """What bank and network keep for a channel."""

    def __init__(self, network: Network, width: int) -> None:
        """Start as a key packet does."""
        self.network, self.limit = network, (1 << width + 5) - 1
        self.nodes: list[list[int]] = [[] for _ in range(3 + len(network.filters))]
        self.latent = [0] * network.latent
        self.skipped = [0] * len(network.head.biases)
        layers = [*network.projector, *network.predictor]
        self.kept = [[[0] * (len(layer.biases) // 4) for _ in range(2)] for layer in layers]

    def past(self, node: int, lag: int) -> int:
        """Give a node's value some frames ago."""
        values = self.nodes[node]
        return values[-1 - lag] if lag < len(values) else 0

    def run(self, layers: list[Layer], first: int, x: list[int]) -> list[int]:
        """Run layers one behind the other; `first` is the number of the first one's memory."""
        most = self.network.most
        for number, layer in enumerate(layers, first):
            if layer.kind != LSTM:
                x = [sat(y, 0 if layer.kind == RELU else -most, most) for y in layer.sums(x)]
                continue
            old, cells = self.kept[number]
            gates = [sat(y, -128, 127) % 256 for y in layer.sums([*x, *old])]
            size = len(old)
            x = []
            for n in range(size):
                i, f, g, o = gates[n::size]
                cells[n] = sat(rnd(SIGMOID[f] * cells[n] + 2 * SIGMOID[i] * TANH[g], 8), -2047, 2047)
                x.append(rnd(SIGMOID[o] * TANH[sat(rnd(cells[n], 4), -128, 127) % 256], 8))
            self.kept[number][0] = x
        return x

    def take(self, sources: list[int], exponent: int, contexts: list[int]) -> None:
        """Take the first nodes' values after a code: filters, features, latent."""
        network = self.network
        for node, value in enumerate(sources):
            self.nodes[node].append(value)
        for j, (source, dilation, taps) in enumerate(network.filters):
            total = sum(tap * self.past(source, k * dilation) for k, tap in enumerate(taps))
            self.nodes[3 + j].append(sat(rnd(total, 10), -self.limit - 1, self.limit))
        x = [
            sat(rnd((self.past(s, lag) - relative * sources[0]) * 32, exponent), -network.most, network.most)
            for s, lag, relative in network.features
        ]
        x += contexts
        self.latent = self.run(network.projector, 0, x)
        if network.skip:
            self.skipped = network.skip.sums(x)

    def expect(self, partners: Sequence[tuple[list[int], int]]) -> list[int]:
        """Give the outputs before a code; a partner is its latent and the correlation."""
        network, h = self.network, self.latent
        if network.region and partners:
            found = []
            for latent, correlation in partners:
                sums = network.region.sums([*self.latent, *latent, correlation])
                weight = correlation if network.form == RESIDUAL else 1
                found.append([weight * sat(y, -network.most, network.most) for y in sums])
            means = [sum(each) * SHARES[len(partners)] for each in zip(*found, strict=True)]
            if network.form == RESIDUAL:
                h = [own - rnd(mean, 15) for own, mean in zip(self.latent, means, strict=True)]
            else:
                h = [rnd(mean, 8) for mean in means]
            h = [sat(value, -network.most, network.most) for value in h]
        x = self.run(network.predictor, len(network.projector), h)
        return [sat(y + more, -8191, 8191) for y, more in zip(network.head.sums(x), self.skipped, strict=True)]
