"""Random parameter sets of profiles `spikey` and `full`: every kind of layer, code and bank, small and quick."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from model.spec import calibrated, full, huffman, shipped, spikey
from model.spec.network import Dense, Layer, MiddleOut, Network
from model.spec.packet import MAX_CORRELATION, MOST_LINKS, Link, Links
from model.spec.parameters import ParameterSet
from model.spec.wavelet import FIRST_FILTER, MAGNITUDE, SIGNAL, TAP

Layers = Sequence[tuple[Layer, int]]
RELU, LINEAR, LSTM = Layer.RELU, Layer.LINEAR, Layer.LSTM


def dense(random: np.random.Generator, kind: Layer, outputs: int, inputs: int, more: int = 0) -> Dense:
    """A part with random weights; its shift keeps about the size of what comes in, less `more` octaves."""
    rows, columns = (4 * outputs, inputs + outputs) if kind == LSTM else (outputs, inputs)
    weights = random.integers(-127, 128, (rows, columns))
    shift = 6 + columns.bit_length() // 2 + more
    return Dense(kind, weights, random.integers(-2000, 2001, rows), shift)


def some_bank(
    random: np.random.Generator, sources: int, features: int = 6
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Filters that read every source and each other, their taps, and features of any node."""
    rows = [(source, int(random.integers(1, 4)), int(random.integers(1, 4))) for source in range(sources)]
    rows += [(int(random.integers(FIRST_FILTER, FIRST_FILTER + len(rows))), 2, 3)]
    nodes = [*range(sources), *range(FIRST_FILTER, FIRST_FILTER + len(rows))]
    taps = random.integers(-600, 601, sum(row[2] for row in rows))
    taps[random.integers(len(taps))] = random.choice([TAP.minimum, TAP.maximum])
    some = [(SIGNAL, lag, 1) for lag in (1, 2)]
    some += [(int(random.choice(nodes)), int(random.integers(9)), int(random.integers(2))) for _ in range(features)]
    return np.array(rows, np.int64), taps, np.array(some, np.int64)


def network_of(
    seed: int,
    *,
    outputs: int = spikey.OUTPUTS,
    contexts: int = spikey.CONTEXTS,
    bits: int = 8,
    projector: Layers = ((RELU, 5), (LINEAR, 4)),
    form: MiddleOut = MiddleOut.RESIDUAL,
    predictor: Layers = ((RELU, 5),),
    skip: bool = True,
    more: int = 1,
) -> Network:
    """A network with random weights; `more` makes its outputs by so many octaves smaller."""
    random = np.random.default_rng(seed)
    bank, taps, features = some_bank(random, 1 if contexts == spikey.CONTEXTS else MAGNITUDE + 1)

    def layers(kinds: Layers, size: int) -> tuple[list[Dense], int]:
        found = []
        for kind, count in kinds:
            found.append(dense(random, kind, count, size))
            size = count
        return found, size

    inputs = len(features) + contexts
    before, latent = layers(projector, inputs)
    region = dense(random, LINEAR, latent, 2 * latent + 1) if form else None
    behind, hidden = layers(predictor, latent)
    head = dense(random, LINEAR, outputs, hidden, more)
    path = dense(random, LINEAR, outputs, inputs, more) if skip else None
    if path is not None:
        path = Dense(LINEAR, path.weights, np.zeros(outputs, np.int64), path.shift)
    return Network(bank, taps, features, bits, before, form, region, behind, head, path, contexts)


def with_lstm(form: MiddleOut = MiddleOut.RESIDUAL) -> dict[str, Any]:
    """Layers of a network that remembers on either side of MiddleOut."""
    return {"projector": ((RELU, 4), (LSTM, 3)), "predictor": ((LSTM, 3), (LINEAR, 4)), "form": form}


def code_lengths(random: np.random.Generator, symbols: int, unused: int = 0, *, sort: bool = False) -> np.ndarray:
    """Lengths of a complete code of so many symbols, the last of them used, and others that are not."""
    found = [1, 1]
    while len(found) < symbols:
        at = int(random.choice([n for n, length in enumerate(found) if length < huffman.MAX_LENGTH]))
        found[at : at + 1] = [found[at] + 1] * 2
    lengths = np.array(sorted(found) if sort else random.permutation(found), np.int64)
    return np.insert(lengths, random.integers(len(lengths), size=unused), 0)


def some_codes(seed: int, tables: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """`choices` and `huffman` whose short words stand for small residuals."""
    random = np.random.default_rng(seed)
    lengths = np.stack([code_lengths(random, 12, 2, sort=True) for _ in range(tables)])
    levels = np.arange(huffman.LEVELS)
    choices = np.stack([levels % tables, np.clip(levels // 4 - 7, 0, 16)], axis=1)
    return choices, lengths


def spikey_set(seed: int, coder: int = spikey.ADAPTIVE, **more: Any) -> ParameterSet:
    """A parameter set of `spikey`; `more` is for `network_of`."""
    codes = some_codes(seed) if coder == spikey.HUFFMAN else spikey.no_codes()
    return spikey.pack(spikey.Tables(network_of(seed, **more), 30 << 9, coder, *codes))


def full_set(seed: int, shapes: int = 3, **more: Any) -> ParameterSet:
    """A parameter set of `full` that serves every width; `more` is for `network_of`."""
    own = calibrated.unpack(shipped.default("calibrated"), calibrated.REFERENCE_WIDTH)
    wider = [own.points * part // 16 for part in range(16, 16 - shapes, -1)]
    found = network_of(seed, outputs=full.OUTPUTS, contexts=full.CONTEXTS, **more)
    return full.pack(full.Tables(own, np.stack(wider), found), calibrated.REFERENCE_WIDTH, even=True)


def some_links(seed: int, channels: int, most: int = MOST_LINKS) -> Links:
    """Partners before and behind each channel, of some none."""
    random = np.random.default_rng(seed)

    def own(channel: int) -> tuple[Link, ...]:
        others = np.delete(np.arange(channels), channel)
        chosen = random.choice(others, min(int(random.integers(1, most + 1)), len(others)), replace=False)
        strengths = random.integers(1, MAX_CORRELATION + 1, len(chosen)) * random.choice([-1, 1], len(chosen))
        return tuple(Link(channel - int(o), int(s)) for o, s in zip(chosen, strengths, strict=True))

    return tuple(() if channel % 4 == 3 else own(channel) for channel in range(channels))
