"""Programs of the array for networks: run clock by clock in integers they are the law, and lose nothing on the way."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hw.compiler import compile_network
from hw.geometry import Geometry, Load
from hw.microcode import GREATEST_WORD, IDLE, Program
from hw.neural import default_geometry, network_of, program_of
from model.spec import full, shipped
from model.spec.config import CodecConfig, ConfigError
from model.spec.network import Dense, MiddleOut, Network
from model.spec.packet import Link, Links
from model.spec.wavelet import TAP
from tests import networks
from tests.gates_machine import Machine, check_fields
from tests.gates_network import Law, Sample, snug, some_samples
from tests.networks import LINEAR, LSTM, RELU
from tests.test_gates_network import plain_sight


def agree(network: Network, program: Program, width: int, channels: int, links: Links, frames: int, seed: int) -> None:
    """The program computes the law, without a hazard, in the clocks that it says."""
    check_fields(program)
    machine, law = Machine(program, channels, links), Law(network, width, channels, links)
    keys = (0, frames // 2)
    for frame, row in enumerate(some_samples(seed, network, width, frames, channels)):
        if frame in keys:
            law.restart()
        found, clocks = machine.run(row, frame in keys)
        assert clocks == program.clocks
        for channel, sample in enumerate(row):
            expected = law.predict(channel) if law.age else found[channel]
            law.observe(channel, sample)
            assert found[channel] == expected, f"frame {frame}, channel {channel}"
        law.age += 1


def some_network(seed: int) -> Network:
    """Random layers, forms and sizes."""
    random = np.random.default_rng(seed)

    def layers(most: int) -> networks.Layers:
        return [
            ((LINEAR, RELU, RELU, LSTM)[random.integers(4)], int(random.integers(1, 7)))
            for _ in range(random.integers(most + 1))
        ]

    more: dict[str, Any] = {"outputs": full.OUTPUTS, "contexts": full.CONTEXTS} if random.random() < 0.3 else {}
    return networks.network_of(
        seed,
        projector=layers(2),
        predictor=layers(2),
        form=MiddleOut(int(random.integers(3))),
        skip=bool(random.integers(2)),
        bits=int(random.integers(8, 13)),
        **more,
    )


@pytest.mark.parametrize("part", range(4))
def test_random_networks_on_random_arrays(part: int) -> None:
    for seed in range(15 * part, 15 * part + 15):
        random, network = np.random.default_rng(seed), some_network(seed)
        slots, cores = int(random.choice([1, 1, 2, 3, 4, 5, 8, 11])), int(random.integers(1, 3))
        channels = int(random.integers(slots * (cores - 1) + 1, slots * cores + 1))
        links = networks.some_links(seed, slots, int(random.integers(1, 5))) if slots > 1 else ()
        links = tuple(() if c >= slots else links[c] for c in range(channels)) if channels >= slots and links else ()
        sizes = {"multipliers": int(random.integers(2, 13)), "slots": slots, "cores": cores}
        width = int(random.choice([8, 10]))
        most = max(map(len, links), default=0)
        program = snug(network, width, most, residuals=network.contexts > 1, **sizes)
        agree(network, program, width, channels, links, 6, seed)


@pytest.mark.parametrize("name", ["spikey", "spikey-slim", "spikey-huffman", "full-lattice", "full-even"])
@pytest.mark.parametrize("channels", [1, 6])
def test_shipped_sets(name: str, channels: int) -> None:
    parameters, width = shipped.named(name), 10
    links: Links = ((), *((Link(1, 90), Link(-1, -60)),) * (channels - 2), ()) if channels > 1 else ()
    geometry = replace(default_geometry(CodecConfig(parameters.profile, channels, width)), steps=512)
    program = program_of(parameters, width, geometry, links)
    agree(network_of(parameters, width), program, width, channels, links, 6, 1)


def tampered(program: Program, waits: list[bool]) -> tuple[list[int], list[int]]:
    """Words of a program whose passes wait as told."""
    steps, results = program.words()
    bit, at = 1 << program.geometry.step["wait"].offset, -1
    for steps_of, wait in zip(program.passes, waits, strict=True):
        at += len(steps_of)
        steps[at] = steps[at] & ~bit | bit * wait
    return steps, results


def play(program: Program, words: tuple[list[int], list[int]] | None = None) -> None:
    machine = Machine(program, program.geometry.slots, words=words)
    machine.run([Sample(5, 0, 3, (1,))] * program.geometry.slots, True)


def test_passes_wait_for_what_they_read() -> None:
    program = snug(networks.network_of(3, **networks.with_lstm()), 10, 0, slots=1)
    assert all(program.waits) and len(program.passes) > 9
    play(program, tampered(program, program.waits))
    with pytest.raises(AssertionError, match="on its way"):
        play(program, tampered(program, [False] * len(program.waits)))


def test_results_of_one_pass_do_not_meet_those_of_the_next() -> None:
    """Of an array with many slots whose passes would need no wait for what they read."""
    program = snug(some_network(9), 10, 0, slots=16)
    assert program.waits[:-1].count(True) == 1
    play(program)
    with pytest.raises(AssertionError, match="results meet"):
        play(program, tampered(program, [False] * len(program.waits)))


def test_steps_that_do_nothing_are_needed() -> None:
    """Behind a pointer, and where results of short sums follow each other."""
    short = {"bank": np.array([(0, n // 2 + 1, 1) for n in range(6)]), "taps": np.full(6, 5)}
    cases = {
        "pointer is on its way": networks.network_of(1, **networks.with_lstm()),
        "results meet": replace(networks.network_of(1), **short, features=np.array([(3, 0, 0)] * 8)),
    }
    for message, network in cases.items():
        program = snug(network, 10, 0, slots=3)
        play(program)
        needed = [
            [
                s
                for n, s in enumerate(steps)
                if s is not IDLE or (steps[n - 1].load == Load.POINTER) != ("po" in message)
            ]
            for steps in program.passes
        ]
        with pytest.raises(AssertionError, match=message):
            play(replace(program, passes=needed))


WIDE = Geometry(loaded=512, fields=2048, steps=1024, results=256)


def bank_of(taps: int) -> dict[str, Any]:
    """A bank of one filter of the greatest taps."""
    return {"bank": np.array([(0, 1, taps)]), "taps": np.full(taps, TAP.maximum), "features": np.array([(3, 0, 0)])}


def head_of(network: Network, weight: int, bias: int, shift: int) -> Dense:
    weights = np.full_like(network.head.weights, weight)
    return Dense(LINEAR, weights, np.full_like(network.head.biases, bias), shift)


NETWORK = networks.network_of(0)
LARGE = Dense(LINEAR, np.full((1, NETWORK.inputs), 127), np.zeros(1, np.int64), 0)
REFUSED: dict[str, tuple[Network, Geometry]] = {
    r"needs \d+ steps, the array has 256; give a smaller network or a larger array": (
        networks.network_of(0, projector=((RELU, 30), (LINEAR, 30))),
        replace(WIDE, steps=256),
    ),
    r"needs \d+ results, the array has 4": (NETWORK, replace(WIDE, results=4)),
    r"needs \d+ fields, the array has 16": (NETWORK, replace(WIDE, loaded=4, fields=16)),
    "needs 3 loaded fields, the array has 2": (NETWORK, replace(WIDE, loaded=2)),
    "needs 256 loaded fields, the array has 128": (
        networks.network_of(0, projector=((LSTM, 2),)),
        replace(WIDE, loaded=128),
    ),
    "needs 1 outputs, the array has 3": (NETWORK, replace(WIDE, outputs=3)),
    "needs 1 contexts, the array has 2": (NETWORK, replace(WIDE, contexts=2)),
    "reads residuals, the array has none": (
        networks.network_of(0, outputs=full.OUTPUTS, contexts=full.CONTEXTS),
        replace(WIDE, outputs=full.OUTPUTS, contexts=full.CONTEXTS),
    ),
    "taps of filter 0 are too large for sums of 32 bits": (
        replace(NETWORK, **bank_of(33)),
        WIDE,
    ),
    "head's shift is 15; give at most 14": (replace(NETWORK, head=head_of(NETWORK, 1, 0, 15)), WIDE),
    "head's sums exceed 32 bits": (replace(NETWORK, head=head_of(NETWORK, 1, (1 << 31) - 1, 14)), WIDE),
    "skip path's sums exceed 16 bits": (
        replace(NETWORK, skip=LARGE, head=head_of(NETWORK, 127, 0, 0), bits=12),
        WIDE,
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_networks_that_do_not_fit_are_refused(message: str) -> None:
    network, geometry = REFUSED[message]
    with pytest.raises(ConfigError, match=f"^network: .*{message}[^\n]*$"):
        compile_network(network, geometry, 10, 1)


def test_links_that_a_program_does_not_know_are_refused() -> None:
    program = compile_network(NETWORK, replace(WIDE, cores=2, slots=2), 10, 1)
    with pytest.raises(ConfigError, match=r"^links: channel 2 has a partner 1 channels before it, .* channels 2 to 3$"):
        program.constants(((), (), (Link(1, 5),)), 3)
    with pytest.raises(ConfigError, match=r"^links: channel 0 has 2, the program knows 1; compile it for more$"):
        program.constants(((Link(-1, 5), Link(-2, 5)), (), ()), 3)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"multipliers": 1}, "multipliers: 1 is not built; give 2 to 16"),
        ({"multipliers": 17}, "multipliers: 17 is not built"),
        ({"cores": 0}, "cores: 0 is not built"),
        ({"slots": 257}, "slots: 257 is not built; give 1 to 256"),
        ({"outputs": 4}, "outputs: 4 is not built"),
        ({"contexts": 3}, "contexts: 3 is not built"),
        ({"fields": 3}, "fields: 3 is not built; give a power of two"),
        ({"steps": 1}, "steps: 1 is not built"),
        ({"results": 100}, "results: 100 is not built"),
        ({"loaded": 0}, "loaded: 0 is not built"),
        ({"loaded": 512}, "loaded: 512 of 256 fields; give at most as many"),
    ],
)
def test_arrays_that_are_not_built_are_refused(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        Geometry(**sizes)


def test_what_skips_may_saturate_if_the_output_does() -> None:
    """The greatest skip path that is taken, with a head that cannot bring it back."""
    network = replace(NETWORK, skip=replace(LARGE, shift=3), bits=12)
    program = snug(network, 10, 0, slots=2)
    agree(network, program, 10, 2, (), 8, 0)


def test_half_a_unit_counts() -> None:
    """Bounds hold with what is added before a shift: a skip path that exceeds its words only so."""
    limit = (1 << 11) - 1
    features = np.array([(0, lag, 0) for lag in range(17)])
    head = Dense(LINEAR, np.array([[-13] + [0] * 17]), np.zeros(1, np.int64), 0)
    bare = Network(
        np.zeros((0, 3), np.int64), np.zeros(0, np.int64), features, 12, [], MiddleOut.NONE, None, [], head, None
    )
    for last, taken in ((16, True), (17, False)):
        weights = np.array([[127] * 16 + [last, 0]])
        assert (np.abs(weights).sum() * limit) >> 7 <= GREATEST_WORD
        assert ((np.abs(weights).sum() * limit + 64) >> 7 <= GREATEST_WORD) == taken
        skip = Dense(LINEAR, weights, np.zeros(1, np.int64), 7)
        network = replace(bare, skip=skip)
        if taken:
            compile_network(network, WIDE, 10)
        else:
            with pytest.raises(ConfigError, match="skip path's sums exceed 16 bits"):
                compile_network(network, WIDE, 10)


def test_codes_that_are_too_wide_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^width: 11 bits; the array takes codes of at most 10$"):
        compile_network(NETWORK, WIDE, 11)


def test_listing() -> None:
    program = snug(plain_sight(MiddleOut.PLAIN), 10, 1, multipliers=2, slots=3)
    lines = program.listing().splitlines()
    assert lines[0] == f"{program.clocks} clocks a frame, multipliers used {program.utilisation:.0%}"
    assert lines[1:9] == [
        "pass 0: 1 steps a slot, then wait",
        "    signal  * 1  begin  -> 4 (+0 >>0, full 15)",
        "pass 1: 2 steps a slot, then wait",
        "    feature 4  * 1  begin  -> 6[0] (+0 >>0, symmetric 7)",
        "    first_context  * 1  begin  -> 8[0] (+0 >>0, symmetric 7)",
        "pass 2: 3 steps a slot, then wait",
        "    memory 1  -> pointer",
        "    -",
    ]
    assert lines[-1] == "    memory 11  * 64  begin  -> output 0 (+0 >>6, symmetric 13)"
    assert len(lines) == 1 + len(program.passes) + sum(map(len, program.passes))
    assert 0 < program.utilisation < 1
