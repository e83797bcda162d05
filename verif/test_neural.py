"""Profiles with a network, as compiled C++ against the codec: many arrays, any network on the same gates, faults."""

import dataclasses

import numpy as np
import pytest

from hw import neural
from hw.geometry import Geometry
from hw.observe import Observe
from model.spec.config import CodecConfig, ConfigError
from model.spec.packet import Link, Links
from tests.networks import some_links
from verif import cxxrtl, ledger, material, networks, scenario, stimulus, toolchain
from verif.bench import LOADING_CLOCKS
from verif.design import Design
from verif.parameters import foreign, known
from verif.test_volume import fuzz, packets_of, related, through_the_gates


def pairs(channels: int) -> Links:
    """Neighbours that help each other."""
    return tuple((Link(-1, 100),) if channel % 2 == 0 else (Link(1, -90),) for channel in range(channels))


SMALL = Geometry(4, 1, 4, 256, 128, 64, 16)
# Between them: one channel, one core, several, cores that wait between passes and such that do not; every coder.
NEURAL = {
    "spikey_mono": Design(CodecConfig("spikey", 1, 10, packet_frames=101, key_interval=2)),
    "spikey_pairs": Design(CodecConfig("spikey", 4, 10, packet_frames=20, key_interval=3, links=pairs(4))),
    "spikey_slim": Design(
        CodecConfig("spikey", 8, 10, packet_frames=6, key_interval=7, links=pairs(8)),
        geometry=Geometry(5, 1, 8, 128, 128, 64, 4),
        named="spikey-slim",
    ),
    "spikey_huffman": Design(
        CodecConfig("spikey", 2, 10, packet_frames=20, key_interval=3, links=pairs(2)),
        codes=(12, 64),
        named="spikey-huffman",
    ),
    "spikey_codes": Design(CodecConfig("spikey", 3, 9, 9, 4), geometry=SMALL, codes=(4, 16), named="huffman"),
    "spikey_cores": Design(
        CodecConfig("spikey", 6, 8, packet_frames=13, key_interval=3, links=pairs(6)),
        geometry=Geometry(3, 3, 2, 256, 128, 64, 16),
        named="residual",
    ),
    "spikey_partners": Design(
        CodecConfig("spikey", 5, 10, packet_frames=12, key_interval=6, links=some_links(1, 5)),
        geometry=Geometry(4, 1, 5, 256, 128, 64, 16),
        named="plain",
    ),
    "spikey_short": Design(CodecConfig("spikey", 3, 10, 1, 5), geometry=SMALL, named="few"),
    "spikey_lstm": Design(
        CodecConfig("spikey", 2, 9, packet_frames=11, key_interval=4, links=pairs(2)),
        geometry=Geometry(2, 1, 2, 1024, 256, 128, 512),
        named="lstm",
    ),
    "spikey_lone": Design(CodecConfig("spikey", 8, 10, 9, 40), geometry=Geometry(2, 8, 1, 64, 64, 64, 4), named="few"),
    "spikey_many": Design(
        CodecConfig("spikey", 48, 10, packet_frames=6, key_interval=7, links=pairs(48)),
        geometry=Geometry(4, 4, 12, 128, 128, 64, 4),
        named="spikey-slim",
    ),
    "full_pairs": Design(CodecConfig("full", 4, 10, packet_frames=20, key_interval=3, links=pairs(4))),
    "full_lanes": Design(
        CodecConfig("full", 8, 9, packet_frames=9, key_interval=4, lanes=4, links=pairs(8)),
        geometry=Geometry(3, 2, 4, 512, 128, 64, 16, outputs=3, contexts=2, residuals=True),
        named="plain",
    ),
    "full_lone": Design(
        CodecConfig("full", 2, 8, packet_frames=1, key_interval=5),
        geometry=Geometry(2, 2, 1, 512, 128, 64, 4, outputs=3, contexts=2, residuals=True),
        named="few",
    ),
}

QUICK = ("spikey_cores",)
FRAMES = 1000
QUICK_FRAMES = 300


def named(*names: str) -> list:
    """Names of designs as parameters of a test, slow ones marked."""
    return [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in names]


@pytest.mark.parametrize("name", named(*NEURAL))
def test_parity(name: str) -> None:
    design, taken = NEURAL[name], {}
    shape = (QUICK_FRAMES if name in QUICK else FRAMES, design.config.channels)
    makers = {**material.MAKERS, "related": related}
    for seed, (kind, make) in enumerate(makers.items()):
        frames = make(shape, design.config.width, np.random.default_rng(seed))
        taken[kind] = {packet.raw for packet in packets_of(through_the_gates(design, frames).data)}
    assert True in taken["uniform"], "no packet was stored raw"
    assert False in taken["still"], "no packet was coded"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", named(*NEURAL))
def test_random_faults(name: str, seed: int) -> None:
    """Broken frames, disabling, stalls, sets that come and go: the law's bytes given the drops, and every counter."""
    fuzz(NEURAL[name], seed, 300)


@pytest.mark.slow
@pytest.mark.parametrize("name", NEURAL)
def test_random_faults_with_more_banks_and_missing_frames(name: str) -> None:
    design = NEURAL[name]
    frame_clocks = 4 * design.config.channels * design.calm_spacing
    for seed in range(3):
        fuzz(dataclasses.replace(design, banks=4, frame_clocks=frame_clocks), seed, 300)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", NEURAL)
def test_haste(name: str, seed: int) -> None:
    """Samples and marks faster than the array takes frames: the law's bytes given the drops, and the core recovers."""
    fuzz(dataclasses.replace(NEURAL[name], banks=4), seed, 400, scenario.hasty)


@pytest.mark.parametrize("name", named(*NEURAL))
def test_the_least_frame(name: str) -> None:
    """A frame in `Core.frame_least` clocks, for ever, whether its samples come evenly or as quickly as they may."""
    design = NEURAL[name]
    quickest = Observe.SPACING if design.config.profile == "full" and design.config.links else 1
    least, channels = design.frame_least, design.config.channels
    library = cxxrtl.build(toolchain.netlist(design.core()))
    codes = material.still((QUICK_FRAMES, channels), design.config.width, np.random.default_rng(0))
    for spacing in {quickest, least // channels}:
        run = cxxrtl.run(design, codes, library=library, spacing=spacing, frame_clocks=least)
        assert run.trace.counters["overruns"] == 0


@pytest.mark.parametrize("name", named(*(name for name, design in NEURAL.items() if design.config.profile == "spikey")))
def test_less_than_the_least_frame(name: str) -> None:
    """With a clock less, the array falls behind until a sample finds no room."""
    design = NEURAL[name]
    library = cxxrtl.build(toolchain.netlist(design.core()))
    shape = (2 * design.frame_least, design.config.channels)  # as many clocks too few as a frame has
    codes = material.still(shape, design.config.width, np.random.default_rng(0))
    run = cxxrtl.run(design, codes, library=library, spacing=1, frame_clocks=design.frame_least - 1)
    assert run.trace.counters["overruns"] > 0


# Gates into which networks of any shape are loaded; the slowest of them decides how quickly samples may come.
LARGE = Geometry(4, 1, 4, fields=1024, steps=512, results=128, loaded=256)
ANY = {
    "spikey": Design(
        CodecConfig("spikey", 4, 10, packet_frames=20, key_interval=3, links=some_links(2, 4)), geometry=LARGE
    ),
    "full": Design(
        CodecConfig("full", 4, 10, packet_frames=20, key_interval=3, lanes=2, links=some_links(2, 4)),
        geometry=dataclasses.replace(LARGE, multipliers=8, outputs=3, contexts=2, residuals=True),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("profile", ANY)
def test_any_network_on_the_same_gates(profile: str) -> None:
    """Sets are loaded in turn, shipped ones and random ones: other layers, latents, wavelets, coders and forms."""
    config = ANY[profile].config
    names = [name for name in networks.names(profile) if "huffman" not in name]
    every = [networks.find(profile, name) for name in names]
    programs = [neural.program_of(each, config.width, ANY[profile].array, config.links) for each in every]
    assert len({program.clocks for program in programs}) > 5
    slowest = names[int(np.argmax([program.clocks for program in programs]))]
    design = dataclasses.replace(ANY[profile], named=slowest)
    assert set(every) == set(known(design).values())
    rng = np.random.default_rng(0)
    rest = stimulus.disabled(stimulus.idle(design.drain_clocks, rng))
    parts = []
    for number in rng.permutation(2 * len(every)):
        codes = related((130, config.channels), config.width, rng)
        loading = stimulus.parameters(design.image(every[number % len(every)]), LOADING_CLOCKS)
        parts += [loading, stimulus.frames(codes, rng, spacing=design.calm_spacing), rest]
    words = ledger.drained(stimulus.ready(np.concatenate(parts)), design, rng)
    simulator = cxxrtl.Simulator(cxxrtl.build(toolchain.netlist(design.core())))
    simulator.play(stimulus.reset(2, rng))
    trace = simulator.play(words)
    assert ledger.check(ledger.read(words, design, None, trace), trace) == set()
    assert len(trace.packets()) == 2 * len(every) * 7


@pytest.mark.slow
@pytest.mark.parametrize("name", ["spikey_slim", "spikey_codes"])
def test_sets_for_other_gates_are_refused(name: str) -> None:
    """Every size of the array that differs, and links that are too many."""
    design = NEURAL[name]
    rng = np.random.default_rng(0)
    simulator = cxxrtl.Simulator(cxxrtl.build(toolchain.netlist(design.core())))
    simulator.play(stimulus.reset(2, rng))
    for words in foreign(design):
        assert not simulator.play(stimulus.parameters(words)).loaded
        assert simulator.play(stimulus.parameters(design.image(design.parameters))).loaded


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("wide", "steps"),
        ("lstm", "loaded fields"),
        ("huffman", "coder"),
    ],
)
def test_a_network_that_is_too_large_is_refused(name: str, what: str) -> None:
    """It never comes to the gates: one line says what is missing."""
    design = NEURAL["spikey_lone"]
    with pytest.raises(ConfigError, match=what) as found:
        design.image(networks.find("spikey", name))
    assert len(str(found.value).splitlines()) == 1
