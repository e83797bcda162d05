"""The array for networks in gates against its law: every kind of network, on arrays of many sizes."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from hw.geometry import Geometry
from hw.network import MOST_GROUPS, get_latency, groups
from model.spec import full
from model.spec.network import Dense, MiddleOut, Network
from model.spec.packet import Link
from model.spec.wavelet import SIGNAL
from tests.gates_network import Sample, agree, run, snug
from tests.networks import LINEAR, LSTM, RELU, network_of, some_links, with_lstm

RESIDUALS: dict[str, Any] = {"outputs": full.OUTPUTS, "contexts": full.CONTEXTS}
CASES: dict[str, tuple[dict[str, Any], tuple[int, int, int], int, int, int]] = {
    # network; multipliers, cores, slots of the array; channels, most partners, bits of a code
    "residual form, one slot a core": ({}, (4, 3, 1), 3, 0, 10),
    "plain form, a slot less than a power of two": ({"form": MiddleOut.PLAIN}, (3, 1, 3), 3, 2, 10),
    "no MiddleOut": ({"form": MiddleOut.NONE}, (8, 1, 4), 4, 2, 8),
    "four partners, a core that is not full": ({}, (5, 2, 5), 8, 4, 10),
    "plain form, three partners": ({"form": MiddleOut.PLAIN, "bits": 11}, (2, 1, 4), 4, 3, 8),
    "no projector": ({"projector": ()}, (4, 2, 2), 4, 1, 10),
    "no predictor": ({"predictor": ()}, (4, 1, 3), 3, 2, 10),
    "no skip, 12 bits": ({"skip": False, "bits": 12}, (6, 1, 2), 2, 1, 10),
    "neither projector nor predictor": ({"projector": (), "predictor": (), "bits": 9}, (7, 1, 4), 4, 2, 10),
    "LSTM on either side": (with_lstm(), (3, 1, 3), 3, 2, 10),
    "LSTM on either side, plain": ({**with_lstm(MiddleOut.PLAIN), "bits": 10}, (8, 1, 2), 2, 1, 8),
    "LSTM alone": ({"projector": ((LSTM, 3),), "predictor": ((LSTM, 2),), "skip": False}, (2, 1, 1), 1, 0, 10),
    "LSTM twice": ({"projector": ((LSTM, 2), (LSTM, 3)), "predictor": ((RELU, 3),)}, (5, 1, 3), 2, 1, 10),
    "residuals, three outputs": (RESIDUALS, (4, 1, 4), 4, 2, 10),
    "residuals, three outputs, plain": ({**RESIDUALS, "form": MiddleOut.PLAIN, "bits": 12}, (8, 2, 3), 5, 2, 8),
    "three groups of cores": ({}, (3, 10, 1), 10, 0, 10),
    "residuals, two groups, a core that is not full": (RESIDUALS, (4, 6, 2), 11, 1, 10),
    "residuals, an LSTM": ({**RESIDUALS, **with_lstm(), "predictor": ((LINEAR, 4),)}, (3, 1, 2), 2, 1, 10),
}


def links_within(seed: int, cores: int, slots: int, channels: int, most: int) -> tuple[Any, ...]:
    """Partners that the same core serves; of some channels none."""
    found: tuple[Any, ...] = ()
    for core in range(cores):
        size = min(slots, channels - core * slots)
        found += some_links(seed + core, size, most) if most and size > 1 else ((),) * size
    return found if any(found) else ()


@pytest.mark.parametrize("case", CASES)
def test_outputs_are_those_of_the_law(case: str) -> None:
    more, (multipliers, cores, slots), channels, most, width = CASES[case]
    seed = list(CASES).index(case)
    network = network_of(seed, **more)
    links = links_within(seed, cores, slots, channels, most)
    residuals = network.contexts > 1
    sizes = {"multipliers": multipliers, "cores": cores, "slots": slots, "residuals": residuals}
    program = snug(network, width, max(map(len, links), default=0), **sizes)
    found = agree(network, program, width, channels, 7, keys=(0, 4), links=links, seed=seed)
    assert (np.ptp(found, axis=0) > 0).all()  # no output stands still


def test_a_pass_that_waits_disturbs_no_results() -> None:
    """Three are on their way when one begins whose first step is the last of its sum."""
    bank, features = np.array([(SIGNAL, 1, 2)] * 3), np.array([(3 + n, 0, 0) for n in range(3)])
    head = Dense(LINEAR, np.array([[50, -90, 120, 30]]), np.array([100]), 5)
    taps = np.array([91, -70, 30, 101, -51, 127])
    network = Network(bank, taps, features, 10, [], MiddleOut.NONE, None, [], head, None)
    for slots in (1, 2):
        program = snug(network, 10, 0, multipliers=4, slots=slots)
        assert any(len(now[-2].results) > 2 and after[0].results for now, after in pairwise(program.passes[1:]))
        assert np.ptp(agree(network, program, 10, slots, 12, keys=(0, 7))) > 0


def plain_sight(form: MiddleOut) -> Network:
    """Its latent is the sample; the region is the partner's latent, and the output is the mix."""
    region = Dense(LINEAR, np.array([[0, 0, 64, 0, 0], [0, 0, 0, 0, 0]]), np.zeros(2, np.int64), 6)
    head = Dense(LINEAR, np.array([[64, 0]]), np.zeros(1, np.int64), 6)
    none, features = np.zeros((0, 3), np.int64), np.array([(SIGNAL, 0, 0)])
    return Network(none, np.zeros(0, np.int64), features, 8, [], form, region, [], head, None)


@pytest.mark.parametrize("slots", [3, 4])
@pytest.mark.parametrize("form", [MiddleOut.PLAIN, MiddleOut.RESIDUAL])
def test_an_earlier_partner_gives_its_current_latent_and_a_later_one_its_last(form: MiddleOut, slots: int) -> None:
    """Channel 0 looks at 1, channel 1 at 0 and 2, channel 2 at 0."""
    links = ((Link(-1, 64),), (Link(1, 64), Link(-1, -32)), (Link(2, -64),))
    frames, signals = 12, np.random.default_rng(1).integers(-127, 128, (12, 3))
    samples = [[Sample(int(signal), 0, 5, (0,)) for signal in row] for row in signals]  # 2**5: as it is
    program = snug(plain_sight(form), 10, 2, multipliers=2, slots=slots)
    found = np.array(run(program, 10, samples, links=links).outputs)[1:, :, 0]
    now, last = signals[1:].T, signals[:-1].T

    def half_up(total: np.ndarray, shift: int) -> np.ndarray:
        return (total + (1 << shift >> 1)) >> shift

    if form == MiddleOut.PLAIN:
        expected = [last[1], half_up(128 * (now[0] + last[2]), 8), now[0]]
    else:
        means = [256 * 64 * last[1], 128 * (64 * now[0] - 32 * last[2]), 256 * -64 * now[0]]
        expected = [own - half_up(mean, 15) for own, mean in zip(last, means, strict=True)]
    assert found.shape == (frames - 1, 3)
    assert (found == np.clip(np.transpose(expected), -127, 127)).all()
    assert (now != last).all()


@pytest.mark.parametrize("cores", [1, 4, 5, 12, 32, 33, 37, 156])
def test_groups_of_cores(cores: int) -> None:
    """Every core is in one, in their order; there are few."""
    found = groups(cores)
    assert [n for group in found for n in group] == list(range(cores))
    assert len(found) <= MOST_GROUPS and len(found) == 1 + (cores - 1) // len(found[0])
    assert get_latency(Geometry(cores=cores)) == 1 + len(found)
