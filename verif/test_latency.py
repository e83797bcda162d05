"""The bound that packets of the live mode are sized by, at the size and the pace that it is meant for."""

from collections.abc import Callable

import numpy as np
import pytest

from model.spec import operating
from model.spec.config import CodecConfig
from verif import cxxrtl, ledger, material, stimulus, toolchain
from verif.design import Design

PACKETS = 12


def storm(config: CodecConfig, rng: np.random.Generator) -> np.ndarray:
    """Packets of noise that just fit in coded form, and packets that rest and leap: an escape a sample."""
    frames, channels, width = config.packet_frames, config.channels, config.width
    codes = np.empty((PACKETS, frames, channels), np.uint16)
    for packet in range(PACKETS):
        scale = 2.0 ** (width - rng.uniform(4, 9))
        noise = 2 ** (width - 1) + rng.normal(0, scale, (frames, channels))
        leaps = np.cumsum(np.arange(frames) % rng.integers(1, frames + 1) == 0) % 2
        codes[packet] = (leaps << (width - 1))[:, None] if packet % 2 else np.clip(noise, 0, 2**width - 1)
    return codes.reshape(-1, channels)


def uniform(config: CodecConfig, rng: np.random.Generator) -> np.ndarray:
    """More than the output carries: packets wait for each other, and some are dropped."""
    return material.uniform((PACKETS * config.packet_frames, config.channels), config.width, rng)


Maker = Callable[[CodecConfig, np.random.Generator], np.ndarray]


@pytest.mark.parametrize("make", [uniform, storm])
@pytest.mark.parametrize(
    ("profile", "channels", "width", "link"),
    [
        ("tiny", 1024, 10, operating.LINK_BYTES),
        ("tiny", 1024, 12, operating.LINK_BYTES),
        ("spikey", 4, 10, operating.LINK_BYTES),
        pytest.param("calibrated", 1024, 10, operating.LINK_BYTES, marks=pytest.mark.slow),
        pytest.param("calibrated", 256, 10, operating.LINK_BYTES, marks=pytest.mark.slow),
        pytest.param("calibrated", 256, 10, 6_000_000, marks=pytest.mark.slow),
        pytest.param("spikey", 16, 10, 62_500_000, marks=pytest.mark.slow),
        pytest.param("full", 8, 10, 50_000_000, marks=pytest.mark.slow),
    ],
)
def test_worst_latency_of_the_live_mode(profile: str, channels: int, width: int, link: int, make: Maker) -> None:
    """At the rate of the link: from first sample to last byte, no packet takes longer than the bound, nor 1 ms."""
    config = operating.live(profile, channels, width, link=link)
    design = Design(config)
    frame_clocks = round(link / operating.DEFAULT_RATE)  # a byte a clock
    bound = design.bound(operating.DEFAULT_RATE, link)
    assert bound < operating.LIVE_LATENCY * link
    library = cxxrtl.build(toolchain.netlist(design.core()))
    for seed in range(3):
        rng = np.random.default_rng(seed)
        codes = make(config, rng)
        words = stimulus.ready(stimulus.frames(codes, rng, spacing=design.spacing, frame_clocks=frame_clocks))
        words = ledger.drained(words, design, rng)
        simulator = cxxrtl.Simulator(library)
        simulator.play(stimulus.reset(2, rng))
        if design.parameters is not None:
            simulator.play(stimulus.parameters(design.image(design.parameters)))
        trace = simulator.play(words)
        drops = ledger.check(ledger.read(words, design, design.parameters), trace, stalled=True)
        measured = [packet.last - packet.packet.position * frame_clocks for packet in trace.packets()]
        print(f"seed {seed}: {max(measured)} of {bound:.0f} clocks; dropped {sorted(drops)}")
        assert len(measured) >= PACKETS // 2
        assert max(measured) <= bound, f"seed {seed}: {max(measured)} clocks; the bound is {bound:.0f}"
