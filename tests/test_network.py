"""Stage `network`: lookup tables, layers and MiddleOut against numpy; ends of formats; tables that are refused."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from networks import LINEAR, LSTM, RELU, network_of, with_lstm

from model.codec import network
from model.spec import network as spec
from model.spec.config import ConfigError
from model.spec.network import Dense, MiddleOut, Network
from model.spec.numbers import Format

GATES = [n if n < 128 else n - 256 for n in range(256)]
KINDS: dict[str, dict[str, Any]] = {
    "plain": {"form": MiddleOut.PLAIN},
    "residual": {"form": MiddleOut.RESIDUAL, "bits": 12},
    "alone": {"form": MiddleOut.NONE, "skip": False},
    "lstm": with_lstm(MiddleOut.PLAIN),
    "lstm first": {"projector": ((LSTM, 2), (LSTM, 3)), "predictor": (), "bits": 9},
    "no projector": {"projector": (), "predictor": ((LINEAR, 3), (RELU, 3)), "bits": 10},
    "head alone": {"projector": (), "predictor": (), "form": MiddleOut.NONE},
    "three outputs": {"outputs": 3, "contexts": 2},
}


def narrow(total: np.ndarray, shift: int) -> np.ndarray:
    """Halves go up."""
    return (total + (1 << shift >> 1)) >> shift


class Second:
    """The same network in numpy, for one channel."""

    def __init__(self, own: Network) -> None:
        self.own, self.limit = own, (1 << own.bits - 1) - 1
        self.memory: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def run(self, layers: list[Dense], x: np.ndarray) -> np.ndarray:
        for layer in layers:
            if layer.kind != LSTM:
                total = narrow(layer.weights @ x + layer.biases, layer.shift)
                x = np.clip(total, 0 if layer.kind == RELU else -self.limit, self.limit)
                continue
            none = np.zeros(layer.outputs, np.int64)
            last, cell = self.memory.get(id(layer), (none, none))
            total = narrow(layer.weights @ np.concatenate([x, last]) + layer.biases, layer.shift)
            i, f, g, o = np.split(np.clip(total, -128, 127), 4)
            sigmoid, tanh = spec.sigmoid_table(), spec.tanh_table()
            cell = np.clip(narrow(sigmoid[f] * cell + 2 * sigmoid[i] * tanh[g], 8), -2047, 2047)
            x = narrow(sigmoid[o] * tanh[np.clip(narrow(cell, 4), -128, 127)], 8)
            self.memory[id(layer)] = x, cell
        return x

    def middle(self, latent: np.ndarray, partners: list[tuple[np.ndarray, int]]) -> np.ndarray:
        region, residual = self.own.region, self.own.form == MiddleOut.RESIDUAL
        if region is None or not partners:
            return latent
        total = np.zeros(len(latent), np.int64)
        for other, correlation in partners:
            found = region.weights @ np.concatenate([latent, other, [correlation]]) + region.biases
            total += np.clip(narrow(found, region.shift), -self.limit, self.limit) * (correlation if residual else 1)
        total *= spec.RECIPROCALS[len(partners)]
        mixed = latent - narrow(total, 15) if residual else narrow(total, 8)
        return np.clip(mixed, -self.limit, self.limit)

    def outputs(self, hidden: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        head, skip = self.own.head, self.own.skip
        found = narrow(head.weights @ hidden + head.biases, head.shift)
        found = found + (narrow(skip.weights @ inputs, skip.shift) if skip is not None else 0)
        return np.clip(found, -spec.OUTPUT.maximum, spec.OUTPUT.maximum)


def test_lookup_tables_are_the_functions_to_the_nearest_unit() -> None:
    """And no value lies so near a half that another library's exponential could round it to the other side."""
    x = np.array(GATES, np.longdouble) / 16
    for table, exact, most in (
        (spec.sigmoid_table(), 256 / (1 + np.exp(-x)), spec.SIGMOID.maximum),
        (spec.tanh_table(), 128 * np.tanh(x), spec.TANH.maximum),
    ):
        assert (np.abs(table - np.clip(exact, -most, most)) <= 0.5).all()
        assert (np.abs(exact - np.floor(exact) - 0.5) > 1e-4).all()
        assert (np.diff(table[np.argsort(GATES)]) >= 0).all()
    sigmoid, tanh = spec.sigmoid_table(), spec.tanh_table()
    assert (sigmoid[0], sigmoid[127], sigmoid[128]) == (128, 255, 0)
    assert (tanh[0], tanh[127], tanh[128]) == (0, 127, -127)
    assert all(tanh[n] == -tanh[256 - n] for n in range(1, 128))


@pytest.mark.parametrize("more", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_what_a_network_gives_is_what_numpy_gives(seed: int, more: dict[str, Any]) -> None:
    own = network_of(seed, **more)
    program, channels = network.Program(own), 5
    state, scratch = program.state(channels), program.scratch()
    latents, _, _ = state
    second = [Second(own) for _ in range(channels)]
    random, seen = np.random.default_rng(seed), set()
    outputs, row = np.zeros(program.outputs, np.int64), np.zeros((channels, 4, 2), np.int64)
    for channel in range(channels):  # 0 to 4 partners
        row[channel, :channel, 0] = channel - np.delete(np.arange(channels), channel)[:channel]
        row[channel, :channel, 1] = random.choice([-127, -50, 3, 127], channel)
    for _ in range(30):
        inputs = random.integers(-program.limit, program.limit + 1, (channels, own.inputs)) >> random.integers(4)
        for channel in range(channels):
            scratch[0, : own.inputs] = inputs[channel]
            network.project(program.arrays, channel, state, scratch)
            latent = second[channel].run(own.projector, inputs[channel])
            assert (latents[channel] == latent).all()
            network.predict(program.arrays, channel, row, state, scratch, outputs)
            partners = [(latents[channel - d].astype(np.int64), int(r)) for d, r in row[channel] if d]
            hidden = second[channel].run(own.predictor, second[channel].middle(latent, partners))
            assert outputs.tolist() == second[channel].outputs(hidden, inputs[channel]).tolist()
            seen.add(tuple(outputs.tolist()))
    assert len(seen) > 20


def widest(kind: int, sign: int, bias: int, shift: int, bits: int) -> Network:
    """A network of which every layer has as many inputs as one can have, and the greatest weights."""

    def part(layer: int, outputs: int, inputs: int, own: int = bias) -> Dense:
        rows = 4 * outputs if layer == LSTM else outputs
        return Dense(spec.Layer(layer), np.full((rows, inputs), 127 * sign), np.full(rows, own, np.int64), shift)

    features = np.zeros((spec.MAX_SIZE - 1 - (1 if kind == LSTM else 0), 3), np.int64)
    inputs = len(features) + 1
    first = part(kind, 1, inputs + (1 if kind == LSTM else 0))
    region = part(LINEAR, 1, 3)
    none = np.zeros(0, np.int64)
    skip = part(LINEAR, 1, inputs, 0)
    return Network(none.reshape(0, 3), none, features, bits, [first], MiddleOut.PLAIN, region, [], part(0, 1, 1), skip)


@pytest.mark.parametrize("kind", [LINEAR, RELU, LSTM])
@pytest.mark.parametrize("bits", [8, 12])
def test_greatest_sums_do_not_overflow(kind: int, bits: int) -> None:
    most, ends = (1 << bits - 1) - 1, set()
    for sign, bias, shift in ((1, (1 << 30) - 1, 0), (-1, 1 - (1 << 30), 0), (1, -(1 << 30) + 1, 24), (1, 99, 24)):
        own = widest(kind, sign, bias, shift, bits)
        back = spec.from_tables(spec.to_tables(own), outputs=1, contexts=1, residuals=False)
        program = network.Program(back)
        state, scratch, outputs = program.state(2), program.scratch(), np.zeros(1, np.int64)
        second = Second(back)
        for value in (most, -most, most, most):
            inputs = np.full(own.inputs, value)
            scratch[0, : own.inputs] = inputs
            network.project(program.arrays, 1, state, scratch)
            network.predict(program.arrays, 1, np.array([[[0, 0]], [[1, 127]]]), state, scratch, outputs)
            latent = second.run(back.projector, inputs)
            zero = np.zeros(1, np.int64)
            assert outputs.tolist() == second.outputs(second.middle(latent, [(zero, 127)]), inputs).tolist()
            assert state[0][1] == latent
            total = np.abs(back.projector[0].weights[0]).sum() * most + abs(bias) + (1 << 23)
            assert total < 1 << 31, "sums fit 32 bits"
            ends.add(int(outputs[0]))
    assert {-spec.OUTPUT.maximum, spec.OUTPUT.maximum} <= ends


def test_a_cell_saturates_and_holds() -> None:
    """Gates wide open add almost 1 a sample to a cell, up to 8; closed but for `forget`, it stays near there."""
    weights = np.zeros((4, 2), np.int64)
    for bias, sign in (([127, 127, 127, 127], 1), ([127, 127, -128, 127], -1)):
        layer = Dense(spec.Layer.LSTM, weights, np.array(bias, np.int64), 0)
        own = dataclasses.replace(
            network_of(0, projector=(), predictor=(), form=MiddleOut.NONE, skip=False),
            projector=[Dense(spec.Layer.LSTM, np.zeros((4, 1 + network_of(0).inputs), np.int64), layer.biases, 0)],
        )
        program = network.Program(own)
        state, scratch = program.state(1), program.scratch()
        for _ in range(40):
            network.project(program.arrays, 0, state, scratch)
        output, cell = state[2][0]
        assert cell * sign > 2000 and abs(cell) <= spec.CELL.maximum
        assert output == sign * 127 or output == (255 * sign * 127 + 128) >> 8


def tables() -> dict[str, tuple[Format, np.ndarray]]:
    return spec.to_tables(network_of(1, **with_lstm()))


def check(found: Any) -> Network:
    return spec.from_tables(found, outputs=1, contexts=1, residuals=False)


@pytest.mark.parametrize("more", KINDS.values(), ids=KINDS)
def test_tables_give_the_network_back(more: dict[str, Any]) -> None:
    own = network_of(3, **more)
    back = spec.from_tables(
        spec.to_tables(own), outputs=own.head.outputs, contexts=own.contexts, residuals=own.contexts > 1
    )
    again = spec.to_tables(back)
    assert all((again[name][1] == values).all() for name, (_, values) in spec.to_tables(own).items())
    assert (back.inputs, back.latent, back.form, back.bits) == (own.inputs, own.latent, own.form, own.bits)
    assert back.multiply_adds() == own.multiply_adds()


def test_multiply_adds_are_those_of_the_weights() -> None:
    own = network_of(0, projector=((RELU, 5), (LSTM, 2)), predictor=((LINEAR, 3),))
    n = own.inputs
    assert own.multiply_adds(partners=2) == {
        "wavelet": len(own.taps),
        "projector": 5 * n + 8 * 7,
        "middleout": 2 * 2 * 5 + 3 * 2,
        "predictor": 6,
        "head": 3,
        "skip": n,
        "lstm": 6,
    }


def put(name: str, at: Any, value: int) -> dict[str, tuple[Format, np.ndarray]]:
    found = tables()
    form, values = found[name]
    values = values.copy()
    values[at] = value
    return {**found, name: (form, values)}


def shaped(name: str, *shape: int) -> dict[str, tuple[Format, np.ndarray]]:
    found = tables()
    return {**found, name: (found[name][0], np.zeros(shape, np.int64))}


def without(name: str) -> dict[str, tuple[Format, np.ndarray]]:
    return {key: value for key, value in tables().items() if key != name}


def long_layer() -> dict[str, tuple[Format, np.ndarray]]:
    """A hidden layer of 4096 values, whose LSTM has those and its own outputs as inputs."""
    rows = np.array([(LINEAR, spec.MAX_SIZE, 0), (LSTM, 1, 0)])
    return {**cut("layer_weights", spec.MAX_SIZE * network_of(1).inputs), "projector": (Format(16), rows)}


def cut(name: str, count: int) -> dict[str, tuple[Format, np.ndarray]]:
    found = tables()
    form, values = found[name]
    return {**found, name: (form, np.resize(values, len(values) + count))}


NAMES = tuple(spec.TABLES)
SHAPES = {"activation": (1,), "bank": (4, 2), "features": (6,), "head": (3,), "middleout": (1,), "predictor": (2, 4)}
SHAPES |= {"projector": (3,), "taps": (2, 2), "layer_weights": (1, 1), "layer_biases": (2, 1)}
REFUSED = {
    **{f"{name}: missing": (without(name), f"'{name}': missing, or not of the format") for name in NAMES},
    **{
        f"{name}: format": ({**tables(), name: (Format(9), tables()[name][1])}, f"'{name}': missing, or not of the")
        for name in NAMES
    },
    **{f"{name}: shape": (shaped(name, *shape), f"'{name}': shape .*; give ") for name, shape in SHAPES.items()},
    "7 bits": (put("activation", (), 7), "'activation': 7 bits; give 8 to 12"),
    "13 bits": (put("activation", (), 13), "'activation': 13 bits; give 8 to 12"),
    "65 filters": (shaped("bank", 65, 3), "'bank': 65 filters; give at most 64"),
    "a node without filter": (put("bank", (0, 0), 3), r"'bank': node 3 = \(3, .* is not possible"),
    "a node of lms": (put("bank", (1, 0), 1), r"'bank': node 4 = \(1, .* is not possible"),
    "dilation 0": (put("bank", (0, 1), 0), "'bank': node 3 .* is not possible"),
    "no taps": (put("bank", (0, 2), 0), "'bank': node 3 .* is not possible"),
    "too far back": (put("bank", (1, 1), 4096), "'bank': node 4 .* is not possible"),
    "a tap more": (cut("taps", 1), "'taps': .* for .* in 'bank'"),
    "a tap less": (cut("taps", -1), "'taps': .* for .* in 'bank'"),
    "a feature of no node": (put("features", (0, 0), 5), r"'features': \(5, .* is not possible"),
    "a feature of lms": (put("features", (0, 0), 2), r"'features': \(2, .* is not possible"),
    "a lag too long": (put("features", (0, 1), 4096), r"'features': .*4096.* is not possible"),
    "twice relative": (put("features", (0, 2), 2), r"'features': .* is not possible"),
    "weight of -128": (put("layer_weights", 5, -128), "'layer_weights': -128; give -127 to 127"),
    "bias of 2**30": (put("layer_biases", 0, 1 << 30), r"'layer_biases': give values between -2\*\*30 and 2\*\*30"),
    "bias of -2**30": (put("layer_biases", 0, -1 << 30), "'layer_biases': give values between"),
    "kind 3": (put("projector", (0, 0), 3), "'projector': layer .* is not possible"),
    "no outputs": (put("predictor", (0, 1), 0), "'predictor': layer .* is not possible"),
    "4097 outputs": (put("predictor", (1, 1), 4097), "'predictor': layer .* is not possible"),
    "shift 25": (put("projector", (1, 2), 25), "'projector': layer .* is not possible"),
    "form 3": (put("middleout", 0, 3), "'middleout', 'head': a form, flag or shift is not possible"),
    "region's shift": (put("middleout", 1, 25), "a form, flag or shift is not possible"),
    "head's shift": (put("head", 1, 25), "a form, flag or shift is not possible"),
    "flag of 2": (put("head", 2, 2), "a form, flag or shift is not possible"),
    "skip's shift": (put("head", 3, 25), "a form, flag or shift is not possible"),
    "two outputs": (put("head", 0, 2), "'head': 2 outputs; the profile needs 1"),
    "4097 inputs": (
        long_layer() | {"layer_biases": cut("layer_biases", 9999)["layer_biases"]},
        "'layer_weights': 4097 inputs of a layer; give at most 4096",
    ),
    "a weight more": (cut("layer_weights", 1), "'layer_weights': more than the layers take"),
    "a weight less": (cut("layer_weights", -1), "'layer_weights': too short for the layers"),
    "a bias more": (cut("layer_biases", 1), "'layer_weights': more than the layers take"),
    "a bias less": (cut("layer_biases", -1), "'layer_weights': too short for the layers"),
    "another sigmoid": (put("sigmoid", 0, 127), "'sigmoid': not the function's"),
    "another tanh": (put("tanh", 255, 0), "'tanh': not the function's"),
    "no sigmoid": (shaped("sigmoid", 0), "'sigmoid': not the function's"),
    "sigmoid without need": (
        {**spec.to_tables(network_of(1)), "sigmoid": tables()["sigmoid"]},
        "'sigmoid': not the function's; only sets with an LSTM have it",
    ),
}


@pytest.mark.parametrize(("found", "word"), REFUSED.values(), ids=REFUSED)
def test_tables_that_cannot_be_are_refused(found: Any, word: str) -> None:
    check(tables())
    with pytest.raises(ConfigError, match=word) as caught:
        check(found)
    assert str(caught.value).startswith("parameter table") and "\n" not in str(caught.value)


def test_nodes_of_lms_are_sources_where_the_profile_has_it() -> None:
    own = network_of(2, outputs=3, contexts=2)
    assert {1, 2} <= set(own.bank[:, 0].tolist())
    with pytest.raises(ConfigError, match="is not possible"):
        spec.from_tables(spec.to_tables(own), outputs=3, contexts=1, residuals=False)
