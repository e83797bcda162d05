"""Filter banks in the array's gates: nodes as its memory has them against the law, and against pywavelets."""

from typing import Any

import numpy as np
import pytest
import pywt

from hw.geometry import Floor, node_ones
from hw.microcode import Operand, Program
from model.spec.network import Dense, MiddleOut, Network
from model.spec.wavelet import FIRST_FILTER, SIGNAL, node_format
from model.training import filters
from model.training.bank import Bank, join
from tests.gates_network import Law, Sample, newest, run, snug
from tests.networks import LINEAR
from tests.test_filters import ahead, bounds

WAVELETS = [("haar", 4), ("db4", 2), ("sym2", 2), ("coif1", 2)]
SLOW = [("haar", 6), ("db4", 4), ("bior1.3", 3), ("dmey", 2)]
TRAINED = np.random.default_rng(5).normal(0, 0.4, (4, 7))
OTHERS = {
    "cgau1": filters.gaussian("cgau1", (1, 3)),
    "Fourier": filters.fourier(2, 12),
    "CNN": filters.cnn(TRAINED, (1, 2, 3, 3)),
    "several": join([filters.wavelet("haar", 2), filters.gaussian("gaus2", (2,)), filters.wavelet("db2", 2)]),
    "each of the one before": Bank(
        tuple((SIGNAL if n == 0 else FIRST_FILTER + n - 1, 1, 2) for n in range(5)),
        np.array([2047, -2048] * 5),
        ((FIRST_FILTER + 4, 0, 0),),
    ),
}


def network_of(bank: Bank) -> Network:
    """Little more than the bank."""
    features = np.array([(SIGNAL, 0, 0)])
    head = Dense(LINEAR, np.array([[1, 1]]), np.zeros(1, np.int64), 0)
    return Network(np.array(bank.rows), bank.taps, features, 8, [], MiddleOut.NONE, None, [], head, None)


def rings(program: Program, bank: Bank, width: int) -> list[Operand]:
    """Where each filter's node stands: those of equal depth are computed together, alike ones one behind the other."""
    results = [r for steps in program.passes for step in steps for r in step.results]
    nodes = [r.to for r in results if r.ones == node_ones(width) and r.floor == Floor.FULL and not r.output]
    depth = {SIGNAL: 0}
    for n, (source, _, _) in enumerate(bank.rows):
        depth[FIRST_FILTER + n] = depth[source] + 1
    first = {row: n for n, row in reversed(list(enumerate(bank.rows)))}
    order = sorted(range(len(bank.rows)), key=lambda n: (depth[FIRST_FILTER + n], first[bank.rows[n]], n))
    found = dict(zip(order, nodes[1:], strict=True))  # the first one is the signal's
    return [found[n] for n in range(len(bank.rows))]


def nodes_in_gates(bank: Bank, signals: np.ndarray, width: int = 10, **sizes: Any) -> np.ndarray:
    """Every filter's node, which must be the law's; shape (filters, frames, channels)."""
    frames, channels = signals.shape
    network = network_of(bank)
    program = snug(network, width, 0, **{"multipliers": 2, "slots": channels, **sizes})
    places, law = rings(program, bank, width), Law(network, width, channels)
    rows = [[Sample(int(signal), 0, 9, (0,)) for signal in row] for row in signals]
    found = np.zeros((len(bank.rows), frames, channels), np.int64)

    def watch(frame: int, word: Any) -> None:
        for channel in range(channels):
            law.observe(channel, rows[frame][channel])
            here = [word(channel, newest(place, frame)) for place in places]
            assert here == [law.node(channel, n) for n in range(len(places))], f"frame {frame}, channel {channel}"
            found[:, frame, channel] = here
        law.age += 1

    run(program, width, rows, watch=watch)
    assert law.age == frames
    return found


def wandering(frames: int, seed: int) -> np.ndarray:
    """10-bit codes that wander, relative to the first one, in the format of a node."""
    rng = np.random.default_rng(seed)
    codes = np.clip(np.rint(512 + np.cumsum(rng.normal(0, 30, frames)) + rng.normal(0, 20, frames)), 0, 1023)
    return 16 * (codes - codes[0]).astype(np.int64)


@pytest.mark.parametrize(
    ("name", "levels"), [*WAVELETS, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)]
)
def test_nodes_are_the_law_and_coefficients_of_pywavelets(name: str, levels: int) -> None:
    """Exactly the law; as near to exact coefficients as rounded taps and nodes can be."""
    bank = filters.wavelet(name, levels)
    frames = 56 if (name, levels) in WAVELETS else 300
    signal = wandering(frames, levels)
    nodes = nodes_in_gates(bank, signal[:, None])[:, :, 0]
    approximation = signal.astype(np.float64)
    for level, limits in enumerate(bounds(name, float(np.abs(signal).max()), levels), 1):
        approximation, detail = pywt.dwt(approximation, name, "zero")
        for exact, limit, number in ((detail, limits[0], 0), (approximation, limits[1], 1)):
            at = (np.arange(len(exact)) + 1 << level) - 1 - ahead(name, level, number == 0)
            inside = (at >= 0) & (at < frames)
            error = nodes[2 * (level - 1) + number, at[inside]] - exact[inside] / 2 ** (level / 2)
            assert inside.sum() >= 3 and np.abs(error).max() <= limit


@pytest.mark.parametrize("name", ["haar", "sym2"])
def test_every_sample_has_the_coefficients_of_the_undecimated_transform(name: str) -> None:
    signal = wandering(64, 7)
    nodes = nodes_in_gates(filters.wavelet(name, 2), signal[:, None])[:, :, 0]
    (_, second), (_, first) = pywt.swt(signal.astype(np.float64), name, 2)
    inner = np.arange(20, 48)
    for node, exact in ((nodes[0], first / 2**0.5), (nodes[2], second / 2)):
        errors = [np.abs(node[inner + lag] - exact[inner]).max() for lag in range(-8, 9)]  # pywavelets is centred
        assert min(errors) < 2 and np.sort(errors)[1] > 20  # at one lag alone


@pytest.mark.parametrize("name", OTHERS)
def test_other_filters_are_the_law(name: str) -> None:
    """Signals at a node's limits, so that filters saturate; three channels."""
    limit = node_format(10).maximum
    rng = np.random.default_rng(3)
    signals = np.stack([wandering(32, 1), limit * rng.choice([-1, 1], 32), rng.integers(-limit, limit + 1, 32)], axis=1)
    nodes = nodes_in_gates(OTHERS[name], signals, multipliers=4)
    assert (np.ptp(nodes, axis=1) > 0).all()
    if name in ("CNN", "each of the one before"):
        assert {nodes.min(), nodes.max()} == {-limit - 1, limit}


def test_narrow_codes() -> None:
    limit = node_format(8).maximum
    signals = np.random.default_rng(3).choice([-limit, -1, 0, 3, limit], (24, 1))
    nodes = nodes_in_gates(OTHERS["CNN"], signals, width=8)
    assert {nodes.min(), nodes.max()} == {-limit - 1, limit}
