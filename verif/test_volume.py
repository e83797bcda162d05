"""The gates as compiled C++ against the codec: many configurations, random faults, whole recordings."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hw.frame import COUNTER_BITS, COUNTERS
from model.codec.compressor import encode
from model.codec.packet import Packet, scan
from model.spec.calibrated import image
from model.spec.config import CodecConfig
from model.spec.parameters import ParameterSet
from verif import corner, cxxrtl, ledger, material, scenario, stimulus, toolchain
from verif.design import Design
from verif.networks import borne
from verif.parameters import sets


def some_peers(channels: int, lanes: int, seed: int = 0) -> tuple[int, ...]:
    """A peer for about three channels in four of those that can have one, anywhere the gates can look for it."""
    rng = np.random.default_rng(seed)
    distances = (rng.integers(lanes, channel + 1) if channel >= lanes else 0 for channel in range(channels))
    return tuple(int(distance) * (rng.random() < 0.75) for distance in distances)


# Between them: fewer channels than the pipeline is deep, as many, and many more; every width that matters; packets of
# one frame; numbers of samples at which a raw packet ends within a byte, and on an odd one.
CONFIGS = {
    "mono": CodecConfig(channels=1, width=10, packet_frames=501, key_interval=2),
    "mono_16_bit": CodecConfig(channels=1, width=16, packet_frames=33, key_interval=1),
    "pair": CodecConfig(channels=2, width=16, packet_frames=5, key_interval=4),
    "three_short": CodecConfig(channels=3, width=12, packet_frames=1, key_interval=5),
    "four_8_bit": CodecConfig(channels=4, width=8, packet_frames=13, key_interval=3),
    "sixteen": CodecConfig(channels=16, width=10, packet_frames=9, key_interval=40),
    "many": CodecConfig(channels=256, width=10, packet_frames=3, key_interval=7),
    "calibrated_mono": CodecConfig("calibrated", 1, 10, packet_frames=301, key_interval=2),
    "calibrated_one_lane": CodecConfig("calibrated", 4, 9, packet_frames=33, key_interval=3),
    "calibrated_two_lanes": CodecConfig("calibrated", 8, 8, packet_frames=13, key_interval=3, lanes=2),
    "calibrated_four_lanes": CodecConfig("calibrated", 16, 10, packet_frames=9, key_interval=40, lanes=4),
    "calibrated_short": CodecConfig("calibrated", 4, 8, packet_frames=1, key_interval=5, lanes=4),
    "calibrated_peers": CodecConfig("calibrated", 6, 10, packet_frames=12, key_interval=6, peers=some_peers(6, 1)),
    "calibrated_peers_four_lanes": CodecConfig(
        "calibrated", 24, 9, packet_frames=7, key_interval=20, lanes=4, peers=some_peers(24, 4)
    ),
    "calibrated_many": CodecConfig("calibrated", 48, 10, packet_frames=6, key_interval=7, lanes=4),
}
FRAMES = {"mono": 30_000, "mono_16_bit": 20_000, "pair": 9_000, "three_short": 4_000, "four_8_bit": 8_000}
SYNTHETIC_FRAMES = 2_000
COUNTER_MAX = (1 << COUNTER_BITS) - 1
FAULTY = (
    "mono",
    "pair",
    "three_short",
    "four_8_bit",
    "sixteen",
    "calibrated_one_lane",
    "calibrated_two_lanes",
    "calibrated_four_lanes",
    "calibrated_short",
    "calibrated_peers",
)
QUICK = {"calibrated_four_lanes"}  # of the parameterised ones; their builds take long


def named(*names: str) -> list:
    """Names of configurations as parameters of a test, slow ones marked."""
    slow = {name for name in names if CONFIGS[name].profile != "tiny"} - QUICK
    return [pytest.param(name, marks=[pytest.mark.slow] if name in slow else []) for name in names]


def through_the_gates(
    design: Design,
    frames: np.ndarray,
    *,
    library: Path | None = None,
    spacing: int | None = None,
    frame_clocks: int = 0,
    parameters: ParameterSet | None = None,
) -> cxxrtl.Run:
    """Demand the codec's bytes from the gates, at a pace at which no packet needs to be dropped."""
    pace = spacing or design.calm_spacing
    parameters = parameters or design.parameters
    run = cxxrtl.run(design, frames, library=library, spacing=pace, frame_clocks=frame_clocks, parameters=parameters)
    assert not run.trace.violations, run.trace.violations
    packets = -(-len(frames) // design.config.packet_frames)
    ledger.compare(run.data, encode(frames, borne(design.config, parameters), parameters=parameters), packets)
    assert set(run.trace.counters.values()) == {0}, run.trace.counters
    return run


def packets_of(data: bytes) -> list[Packet]:
    found = list(scan(data))
    assert all(isinstance(item, Packet) for item in found)
    return [item for item in found if isinstance(item, Packet)]


@pytest.mark.parametrize("name", named(*CONFIGS))
def test_parity(name: str) -> None:
    config = CONFIGS[name]
    taken: dict[str, set[bool]] = {}
    for seed, (kind, make) in enumerate(material.MAKERS.items()):
        print(f"{name}, {kind}: seed {seed}")
        count = FRAMES.get(name, SYNTHETIC_FRAMES)
        frames = make((count, config.channels), config.width, np.random.default_rng(seed))
        run = through_the_gates(Design(config), frames)
        taken[kind] = {packet.raw for packet in packets_of(run.data)}
        if config.profile == "tiny" and kind == "jumps" and config.packet_frames > 1:
            assert material.escapes(frames[:500], config) > 0
    assert True in taken["uniform"], "no packet was stored raw"
    least = 2 * config.lanes - 1  # bytes of a coded payload: lengths of all lanes but the last, and a byte each
    assert False in taken["still"] or config.raw_bytes(config.packet_frames) <= least, "no packet was coded"


def test_raw_packets_end_everywhere() -> None:
    """The configurations above end raw packets on odd bytes, and within a byte."""
    bits = [c.packet_frames * c.channels * c.width for c in CONFIGS.values()]
    assert {(n + 7) // 8 % 2 for n in bits} == {0, 1}
    assert any(n % 8 for n in bits)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", named(*FAULTY))
def test_random_faults(name: str, seed: int) -> None:
    """Broken frames, disabling, stalls: the law's bytes given the drops, and every counter."""
    config = CONFIGS[name]
    fuzz(Design(config), seed, 40 * max(config.packet_frames, 10))


@pytest.mark.parametrize("name", named("pair", "sixteen", "calibrated_one_lane", "calibrated_many"))
def test_random_faults_with_more_banks_and_missing_frames(name: str) -> None:
    config = CONFIGS[name]
    frame_clocks = 4 * config.channels * Design(config).calm_spacing
    for seed in range(3):
        fuzz(Design(config, banks=4, frame_clocks=frame_clocks), seed, 400)


@pytest.mark.slow
@pytest.mark.parametrize("kind", corner.MAKERS)
@pytest.mark.parametrize("name", ["calibrated_one_lane", "calibrated_two_lanes", "calibrated_four_lanes"])
def test_corners(name: str, kind: str) -> None:
    """Recordings that drive the range coder into its corners, long ones: what they reach is demanded."""
    config = CONFIGS[name]
    make, parameters, _ = corner.MAKERS[kind]
    guide = make(config, np.random.default_rng(0), 40_000 // (config.packet_frames * config.channels))
    run = through_the_gates(Design(config), guide.frames, parameters=sets(config.width)[parameters])
    guide.compare(packets_of(run.data))
    print(f"{name}: {corner.demand(guide.reached, corner.expected(kind, config))}")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", named(*(name for name in FAULTY if CONFIGS[name].profile != "tiny")))
def test_haste(name: str, seed: int) -> None:
    """Samples and marks faster than lanes take them: the law's bytes given the drops, and the core recovers."""
    fuzz(Design(CONFIGS[name], banks=4), seed, 400, scenario.hasty)


# Frames so short that what can happen to a core happens in one and the same clock, and with overruns.
CROWDED = Design(CodecConfig(channels=2, width=10, packet_frames=2, key_interval=5), banks=4, frame_clocks=8)


@pytest.mark.parametrize("seed", range(5))
def test_crowded_clocks(seed: int) -> None:
    """Marks, samples, `enable` and missed marks in the same clocks: the law's bytes, and every counter."""
    fuzz(CROWDED, seed, 1500, scenario.crowded)


def test_counters_saturate() -> None:
    """Each counter, driven past its greatest value, stays there."""
    saturate(CROWDED)


def saturate(design: Design, netlist: str | None = None) -> None:
    """Cause 40 000 events of each kind, twice: counted the first time, the greatest value the second."""
    rng = np.random.default_rng(0)
    events, channels, idle = 40_000, design.config.channels, stimulus.ENABLE
    sample, mark = stimulus.VALID | stimulus.ENABLE, stimulus.VALID | stimulus.MARK | stimulus.ENABLE
    short = np.full(events, mark, np.uint32)  # overruns as well, where the channels are few; each drops a packet
    long = np.tile(np.array([mark] + [sample] * channels, np.uint32), events)
    missing = np.full(events * design.frame_clocks, idle, np.uint32)
    words = np.concatenate([short, long, missing])
    reader, simulator = (
        ledger.Reader(design),
        cxxrtl.Simulator(cxxrtl.build(netlist or toolchain.netlist(design.core()))),
    )
    simulator.play(stimulus.reset(2, rng))
    for round_ in range(2):
        for clock, word in enumerate(words.tolist(), round_ * len(words)):
            reader.clock(clock, word)
        counters = simulator.play(words).counters
        assert (counters["dropped_packets"] == COUNTER_MAX) == (round_ == 1), counters
        for name in set(COUNTERS) - {"dropped_packets"}:
            count = getattr(reader.ledger, name)
            assert (count > COUNTER_MAX) == (round_ == 1), f"{name}: {count} events do not tell"
            assert counters[name] == min(count, COUNTER_MAX), f"{name}: {counters[name]} after {count} events"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["calibrated_peers", "calibrated_peers_four_lanes"])
def test_peers_are_loaded(name: str) -> None:
    """Gates that know peers give the law's bytes with whichever are loaded, and with none."""
    built = CONFIGS[name]
    simulator = cxxrtl.Simulator(cxxrtl.build(toolchain.netlist(Design(built).core())))
    for seed, parameters in enumerate(sets(built.width).values()):
        peers = some_peers(built.channels, built.lanes, seed) if seed else (0,) * built.channels
        config = dataclasses.replace(built, peers=peers if any(peers) else ())
        rng = np.random.default_rng(seed)
        frames = related((1500, built.channels), built.width, rng)
        words = stimulus.ready(stimulus.frames(frames, rng, spacing=Design(config).calm_spacing))
        simulator.play(stimulus.reset(2, rng))
        simulator.play(stimulus.parameters(image(parameters, built.width, peers)))
        trace = simulator.play(ledger.drained(words, Design(config), rng))
        assert not trace.violations, trace.violations
        packets = -(-len(frames) // built.packet_frames)
        ledger.compare(trace.data.tobytes(), encode(frames, config, parameters=parameters), packets)


def related(shape: tuple[int, int], width: int, rng: np.random.Generator) -> np.ndarray:
    """Noise that channels have in common, each with some of its own: peers tell something of each other."""
    common = rng.standard_normal((shape[0], 1)) + 0.5 * rng.standard_normal(shape)
    return np.clip(2 ** (width - 1) + common * 2.0 ** (width - 6), 0, 2**width - 1).astype(np.uint16)


Scenario = Callable[[Design, int, np.random.Generator], np.ndarray]


def fuzz(
    design: Design, seed: int, frames: int, words_of: Scenario = scenario.faults, netlist: str | None = None
) -> None:
    """Play a random scenario and compare."""
    rng = np.random.default_rng(seed)
    words = ledger.drained(words_of(design, frames, rng), design, rng)
    simulator = cxxrtl.Simulator(cxxrtl.build(netlist or toolchain.netlist(design.core())))
    simulator.play(stimulus.reset(2, rng))
    if design.parameters is not None:
        simulator.play(stimulus.parameters(design.image(design.parameters)))
    trace = simulator.play(words)
    expected = ledger.read(words, design, design.parameters, trace)
    drops = ledger.check(expected, trace, stalled=True)
    ledger.check_recovery(expected, drops, scenario.RECOVERED)
