"""Compiles a network for an array: `compile_network` gives the passes of `hw.microcode`."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from hw.geometry import LOOKUP, WEIGHT_BITS, WORD, Floor, Geometry, Load, Source, Via, node_ones
from hw.microcode import (
    CELL_FALL,
    CELL_ONES,
    GATE_ONES,
    GREATEST_SUM,
    GREATEST_WORD,
    HALF,
    IDLE,
    OUTPUT_ONES,
    RECIPROCAL_FRACTION,
    TANH_ONES,
    Operand,
    Program,
    Result,
    Step,
    half,
    unfit,
)
from model.spec import network as spec
from model.spec import wavelet
from model.spec.config import ConfigError
from model.spec.network import Dense, Layer, MiddleOut, Network

INPUT_SOURCES: Final = (Source.SIGNAL, Source.RESIDUAL, Source.MAGNITUDE)
CONTEXTS: Final = (Source.FIRST_CONTEXT, Source.SECOND_CONTEXT)
GREATEST_OUTPUT: Final = spec.OUTPUT.maximum


class _Fields:
    """Hands out fields of the memory: rings stand at multiples of their size, small ones in the gaps."""

    def __init__(self, loaded: int, fields: int) -> None:
        self._loaded, self._limit = 0, loaded
        self._free = [(begin, size) for begin, size in _blocks(loaded, fields)]
        self.used, self._beyond = loaded, fields

    def ring(self, longest: int) -> Operand:
        """A ring that holds what is up to `longest` frames old."""
        bits = longest.bit_length()
        fitting = [block for block in self._free if block[1] >= 1 << bits]
        base, size = min(fitting, key=lambda block: (block[1], block[0]), default=(self._beyond, 1 << bits))
        if fitting:
            self._free.remove((base, size))
        else:
            self._beyond += size
        while size > 1 << bits:
            size //= 2
            self._free.append((base + size, size))
        self.used = max(self.used, base + size)
        return Operand(base, bits)

    def several(self, number: int) -> list[Operand]:
        return [self.ring(0) for _ in range(number)]

    def loaded(self, number: int = 1, align: int = 1) -> list[int]:
        begin = -(-self._loaded // align) * align
        self._loaded = begin + number
        if self._loaded > self._limit:
            raise unfit("loaded fields", self._loaded, self._limit)
        return list(range(begin, begin + number))


def _blocks(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Powers of two, at multiples of themselves, that make up begin ... end - 1; end is a power of two."""
    while begin < end:
        size = begin & -begin or end
        yield begin, size
        begin += size


class _Row:
    """A sum: a weight for each operand, and what becomes of it."""

    def __init__(self, weights: Sequence[int], result: Result) -> None:
        self.weights = [int(weight) for weight in weights]
        self.result = result

    @property
    def wide(self) -> bool:
        return any(not -(1 << (WEIGHT_BITS - 1)) <= weight < 1 << (WEIGHT_BITS - 1) for weight in self.weights)


def _sums(geometry: Geometry, operands: Sequence[Operand], rows: Sequence[_Row]) -> Iterator[Step]:
    """Steps of sums over the same operands, as many at a time as there are multipliers."""
    groups: list[list[_Row]] = []
    for row in rows:
        if row.wide or not groups or groups[-1][0].wide or len(groups[-1]) == geometry.multipliers:
            groups.append([])
        groups[-1].append(row)
    for group in groups:
        wide = group[0].wide
        used = [n for n in range(len(operands)) if any(row.weights[n] for row in group)] or [0]
        for n in used:
            results = tuple(row.result for row in group) if n == used[-1] else ()
            weights = tuple(row.weights[n] for row in group)
            yield Step(operands[n], weights, wide=wide, first=n == used[0], results=results)


def _spaced(steps: Sequence[Step]) -> list[Step]:
    """The steps, with idle ones where results of the sums before would still be on their way when others come."""
    out: list[Step] = []
    free = 0
    for step in steps:
        if step.results:
            out += [IDLE] * (free - len(out))
            free = len(out) + len(step.results)
        out.append(step)
    first = next((n for n, step in enumerate(out) if step.results), 0)
    return out + [IDLE] * max(0, free - len(out) - first)  # the next slot's come as well


class _Compiler:
    """Passes of one network, in their order."""

    def __init__(self, network: Network, geometry: Geometry, width: int, partners: int) -> None:
        self.network, self.geometry, self.partners = network, geometry, partners
        self.ones = network.bits - 1
        self.limit = (1 << self.ones) - 1
        self.node_ones = node_ones(width)
        self.fields = _Fields(geometry.loaded, geometry.fields)
        self.passes: list[list[Step]] = []
        layers = [*network.projector, *network.predictor]
        self.lookup = -1
        if any(layer.kind == Layer.LSTM for layer in layers):
            size = max(1, LOOKUP >> geometry.slot_bits)
            self.lookup = self.fields.loaded(2 * size, size)[0]
        known = partners if network.form != MiddleOut.NONE else 0
        self.partners = known
        self.own = self.fields.loaded()[0] if known and network.form == MiddleOut.PLAIN else -1
        self.pointers, self.correlations, self.gains = (self.fields.loaded(known) for _ in range(3))
        self.skipped = [self.fields.ring(1) for _ in range(network.head.outputs if network.skip is not None else 0)]

    def add(self, steps: Sequence[Step]) -> None:
        if steps:
            self.passes.append(_spaced(steps))

    def result(
        self, to: Operand, *, bias: int = 0, shift: int = 0, ones: int | None = None, zero: bool = False
    ) -> Result:
        """A hidden value, or one of another format."""
        return Result(bias, shift, self.ones if ones is None else ones, Floor.ZERO if zero else Floor.SYMMETRIC, to)

    def compile(self) -> Program:
        network = self.network
        inputs = self.inputs()
        latent = self.project(inputs)
        mixed, sign = self.mix(latent)
        hidden = self.layers(network.predictor, mixed, late=True, sign=sign)
        self.head(hidden, 1 if network.predictor else sign)
        useful = network.multiply_adds(self.partners)
        return Program(
            self.geometry,
            self.passes,
            self.partners,
            self.own,
            self.pointers,
            self.correlations,
            self.gains,
            self.lookup,
            network.form,
            self.fields.used,
            sum(number for stage, number in useful.items() if self.partners or stage != "middleout"),
        )

    def inputs(self) -> list[Operand]:
        """The sample's nodes, and the operands that are the network's inputs."""
        network = self.network
        longest = spec.longest_lags(network.bank, network.features).tolist()
        read = {int(source) for source in network.bank[:, 0]} | {int(node) for node in network.features[:, 0]}
        if self.geometry.contexts != network.contexts:
            raise unfit("contexts", network.contexts, self.geometry.contexts)
        if not self.geometry.residuals and read & {wavelet.RESIDUAL, wavelet.MAGNITUDE}:
            raise ConfigError("network: reads residuals, the array has none; give one for profile 'full'")
        kept = [node for node in range(len(longest)) if node in read or node >= wavelet.FIRST_FILTER]
        nodes = {node: self.fields.ring(longest[node]) for node in sorted(kept, key=lambda node: -longest[node])}
        taken = [node for node in (wavelet.SIGNAL, wavelet.RESIDUAL, wavelet.MAGNITUDE) if node in read]
        full = {node: Result(0, 0, self.node_ones, Floor.FULL, ring) for node, ring in nodes.items()}
        self.add([Step(Operand(source=INPUT_SOURCES[node]), (1,), first=True, results=(full[node],)) for node in taken])
        self.filters(nodes)
        features = [
            Operand(
                nodes[node].base,
                nodes[node].size,
                lag,
                source=Source.RELATIVE if relative else Source.FEATURE,
                ones=self.ones,
            )
            for node, lag, relative in network.features.tolist()
        ]
        return features + [Operand(source=source) for source in CONTEXTS[: network.contexts]]

    def filters(self, nodes: dict[int, Operand]) -> None:
        """One pass for all filters that depend on equally many others; those of the same inputs share their steps."""
        bank, ends = self.network.bank.tolist(), np.cumsum(self.network.bank[:, 2]).tolist()
        depth = dict.fromkeys(range(wavelet.FIRST_FILTER), 0)
        for j, (source, _, _) in enumerate(bank):
            depth[wavelet.FIRST_FILTER + j] = depth[source] + 1
        for level in range(1, max(depth.values()) + 1):
            alike: dict[tuple[int, ...], list[_Row]] = {}
            for j, filter_ in enumerate(bank):
                node = wavelet.FIRST_FILTER + j
                if depth[node] != level:
                    continue
                taps = [int(tap) for tap in self.network.taps[ends[j] - filter_[2] : ends[j]]]
                shift = wavelet.TAP.fraction
                while shift and not any(tap & 1 for tap in taps):
                    taps, shift = [tap >> 1 for tap in taps], shift - 1
                if (sum(map(abs, taps)) << self.node_ones) + half(shift) > GREATEST_SUM:
                    raise ConfigError(f"network: taps of filter {j} are too large for sums of 32 bits; scale them down")
                row = _Row(taps, Result(0, shift, self.node_ones, Floor.FULL, nodes[node]))
                alike.setdefault(tuple(filter_), []).append(row)
            steps: list[Step] = []
            for (source, dilation, taps_number), rows in alike.items():
                steps += _sums(self.geometry, [nodes[source].at(k * dilation) for k in range(taps_number)], rows)
            self.add(steps)

    def dense(self, layer: Dense, to: Sequence[Operand], *, ones: int | None = None, sign: int = 1) -> list[_Row]:
        """Rows of a dense layer; `sign` is that of its inputs."""
        floor = Floor.ZERO if layer.kind == Layer.RELU else Floor.SYMMETRIC if ones is None else Floor.FULL
        width = self.ones if ones is None else ones
        parts = zip(layer.weights.tolist(), layer.biases.tolist(), to, strict=True)
        return [
            _Row([sign * weight for weight in weights], Result(bias, layer.shift, width, floor, place))
            for weights, bias, place in parts
        ]

    def project(self, inputs: list[Operand]) -> list[Operand]:
        """The projector, with the skip path, and the rings of the latent: its value of this frame and the last."""
        network, skip = self.network, self.network.skip
        before: list[_Row] = []
        if skip is not None:
            reach, head = (
                (np.abs(row.weights).sum(axis=1) * self.limit + np.abs(row.biases) + half(row.shift)) >> row.shift
                for row in (skip, network.head)
            )
            # What is saturated here must not matter: the output is saturated either way.
            if (np.minimum(reach - GREATEST_WORD, head + GREATEST_OUTPUT - GREATEST_WORD) > 0).any():
                raise ConfigError("network: the skip path's sums exceed 16 bits; give it a greater shift")
            before = [
                _Row(weights, self.result(to, shift=skip.shift, ones=15))
                for weights, to in zip(skip.weights.tolist(), self.skipped, strict=True)
            ]
        latent = [self.fields.ring(1) for _ in range(network.latent)]
        if not network.projector:
            copies = [
                Step(operand, (1,), first=True, results=(self.result(to),))
                for operand, to in zip(inputs, latent, strict=True)
            ]
            self.add([*copies, *_sums(self.geometry, inputs, before)])
            return latent
        self.layers(network.projector, inputs, late=False, before=before, last=latent)
        return latent

    def layers(
        self,
        layers: Sequence[Dense],
        inputs: list[Operand],
        *,
        late: bool,
        sign: int = 1,
        before: Sequence[_Row] = (),
        last: list[Operand] | None = None,
    ) -> list[Operand]:
        """Layers one after the other; `before` are rows of the first one's inputs, `last` the place of the outputs."""
        for n, layer in enumerate(layers):
            place = last if last is not None and n + 1 == len(layers) else None
            if layer.kind == Layer.LSTM:
                self.add(list(_sums(self.geometry, inputs, before)))
                inputs = self.lstm(layer, inputs, late=late, sign=sign, to=place)
            else:
                to = place or self.fields.several(layer.outputs)
                self.add(list(_sums(self.geometry, inputs, [*self.dense(layer, to, sign=sign), *before])))
                inputs = to
            before, sign = (), 1
        return inputs

    def lstm(
        self, layer: Dense, inputs: list[Operand], *, late: bool, sign: int, to: list[Operand] | None
    ) -> list[Operand]:
        """Gates, then cells, then outputs; cells and outputs are rings of this frame and the last."""
        number = layer.outputs
        own = to or [self.fields.ring(1) for _ in range(number)]
        cells = [self.fields.ring(1) for _ in range(number)]
        gates, indices = self.fields.several(4 * number), self.fields.several(number)
        signs = np.array([sign] * len(inputs) + [1] * number)
        signed_layer = Dense(Layer.LINEAR, layer.weights * signs, layer.biases, layer.shift)
        operands = [*inputs, *(ring.at(1, late=late) for ring in own)]
        self.add(list(_sums(self.geometry, operands, self.dense(signed_layer, gates, ones=GATE_ONES))))

        sigmoid = Operand(self.lookup, via=Via.LOOKUP)
        tanh = Operand(self.lookup + max(1, LOOKUP >> self.geometry.slot_bits), via=Via.LOOKUP)
        steps: list[Step] = []
        for o in range(number):
            enter, forget, value = gates[o], gates[number + o], gates[2 * number + o]
            cell = self.result(cells[o], shift=spec.SIGMOID.fraction, ones=CELL_ONES)
            steps += [
                Step(forget, load=Load.POINTER),
                IDLE,
                Step(sigmoid, load=Load.GAIN),
                Step(enter, load=Load.POINTER),
            ]
            steps += [Step(cells[o].at(1, late=late), gain=True, first=True), Step(sigmoid, load=Load.GAIN)]
            steps += [Step(value, load=Load.POINTER), IDLE, Step(tanh, gain=True)]
            steps += [Step(tanh, gain=True, results=(cell,))]
        self.add(steps)
        index = [Result(0, CELL_FALL, GATE_ONES, Floor.FULL, place) for place in indices]
        self.add([Step(cells[o], (1,), first=True, results=(index[o],)) for o in range(number)])
        steps = []
        for o in range(number):
            out = self.result(own[o], shift=spec.SIGMOID.fraction, ones=TANH_ONES)
            steps += [Step(gates[3 * number + o], load=Load.POINTER), IDLE, Step(sigmoid, load=Load.GAIN)]
            steps += [Step(indices[o], load=Load.POINTER), IDLE, Step(tanh, gain=True, first=True, results=(out,))]
        self.add(steps)
        return own

    def mix(self, latent: list[Operand]) -> tuple[list[Operand], int]:
        """MiddleOut; the mixed latent and the sign that it has in memory."""
        network, region = self.network, self.network.region
        own = [ring.at(1) for ring in latent]
        if region is None or not self.partners:
            return own, 1
        found: list[list[Operand]] = []
        steps: list[Step] = []
        for pointer, correlation in zip(self.pointers, self.correlations, strict=True):
            to = self.fields.several(len(latent))
            others = [Operand(ring.base, ring.size, via=Via.PARTNER) for ring in latent]
            operands = [*own, *others, Operand(correlation)]
            steps += [Step(Operand(pointer), load=Load.POINTER), IDLE]
            steps += _sums(self.geometry, operands, self.dense(region, to))
            found.append(to)
        self.add(steps)
        residual = network.form == MiddleOut.RESIDUAL
        fall = RECIPROCAL_FRACTION + (spec.CORRELATION.fraction if residual else 0)
        mixed, steps = self.fields.several(len(latent)), []
        for i, place in enumerate(mixed):
            if residual:
                steps.append(Step(own[i], (-HALF,), wide=True, first=True))
            else:
                steps += [Step(Operand(self.own), load=Load.GAIN), Step(own[i], gain=True, first=True)]
            for p, gain in enumerate(self.gains):
                if i == 0 or self.partners > 1 or not residual:
                    steps.append(Step(Operand(gain), load=Load.GAIN))
                results = (self.result(place, shift=fall),) if p + 1 == self.partners else ()
                steps.append(Step(found[p][i], gain=True, results=results))
        self.add(steps)
        return mixed, -1 if residual else 1

    def head(self, hidden: list[Operand], sign: int) -> None:
        """The outputs."""
        head, network = self.network.head, self.network
        if head.outputs != self.geometry.outputs:
            raise unfit("outputs", head.outputs, self.geometry.outputs)
        operands, rows = list(hidden), []
        skipping = network.skip is not None
        if skipping and head.shift > WIDE_SHIFT:
            raise ConfigError(f"network: the head's shift is {head.shift}; give at most {WIDE_SHIFT} with a skip path")
        operands += [ring.at(1) for ring in self.skipped]
        for o, (weights, bias) in enumerate(zip(head.weights.tolist(), head.biases.tolist(), strict=True)):
            more = [(1 << head.shift) * (o == other) for other in range(len(self.skipped))]
            reach = sum(map(abs, weights)) * self.limit + abs(bias) + (GREATEST_WORD << head.shift) * skipping
            if reach + half(head.shift) > GREATEST_SUM:
                raise ConfigError("network: the head's sums exceed 32 bits; give it a smaller shift")
            result = Result(bias, head.shift, OUTPUT_ONES, Floor.SYMMETRIC, output=o + 1)
            rows.append(_Row([*(sign * weight for weight in weights), *more], result))
        self.add(list(_sums(self.geometry, operands, rows)))


WIDE_SHIFT: Final = 14


def compile_network(network: Network, geometry: Geometry, width: int, partners: int = 0) -> Program:
    """The program of a network.

    Parameters
    ----------
    network : model.spec.network.Network
    geometry : Geometry
    width : int
        Bits of a code, at most 10.
    partners : int
        That a channel can have.

    Raises
    ------
    ConfigError
        If it does not fit the array.
    """
    if node_ones(width) >= WORD.width:
        raise ConfigError(f"width: {width} bits; the array takes codes of at most 10")
    program = _Compiler(network, geometry, width, partners).compile()
    program.words()
    return program
