"""Samples faster than lanes or an array take them: bursts wait, what is too much costs packets, and the core recovers.

This is how cores with parameter sets overrun; those without take a sample every clock (`bench_spaced.overrun`).
"""

import cocotb
import numpy as np

from hw.hold import BANKS
from hw.turns import END_ROUNDS, SLOTS
from verif import stimulus
from verif.bench import Bench
from verif.scenario import RECOVERED

BURST = 40  # samples in a row that lanes take, if they are at rest before; an array takes a frame more than it works on


def calm(bench: Bench, packets: int) -> np.ndarray:
    """Words of packets that come slowly, and before them enough time for the output to catch up."""
    words = bench.frames(bench.codes(packets * bench.config.packet_frames))
    return np.concatenate([stimulus.idle(bench.design.drain_clocks, bench.rng), words])


def hasty(bench: Bench, samples: int) -> np.ndarray:
    """Words of about so many samples, in whole packets, one a clock."""
    each = bench.config.packet_frames * bench.config.channels
    codes = bench.codes(-(-samples // each) * bench.config.packet_frames, "still")
    return stimulus.frames(codes, bench.rng, spacing=1)


@cocotb.test()
@cocotb.parametrize(seed=range(4))
async def burst(dut, seed: int) -> None:
    """Frames that come at once wait for their turns."""
    bench = Bench(dut, seed)
    frames = BANKS - 1 if bench.design.neural else max(1, BURST // bench.config.channels)
    parts = [bench.frames(bench.codes(bench.config.packet_frames))]
    for _ in range(6):
        parts += [stimulus.frames(bench.codes(frames), bench.rng, spacing=1), calm(bench, 1)]
    full = bench.design.banks == 2  # both may hold packets when the next one begins
    trace, _ = await bench.check(stimulus.ready(np.concatenate(parts)), stalled=full)
    assert trace.counters["overruns"] == 0


@cocotb.test()
@cocotb.parametrize(kind=("still", "noise", "jumps"))
async def as_fast_as_it_takes_them(dut, kind: str) -> None:
    """For ever: a sample every `spacing` clocks, and the clocks that each packet's end takes between two frames; or a
    frame as soon as the array has ended the one before."""
    bench = Bench(dut)
    config = bench.config
    spacing, clocks = bench.design.spacing, bench.design.frame_least
    if bench.design.neural:
        spacing = clocks // config.channels
    else:
        clocks -= -END_ROUNDS * SLOTS // config.packet_frames
    codes = bench.codes(40 * config.packet_frames, kind)
    words = stimulus.frames(codes, bench.rng, spacing=spacing, frame_clocks=clocks)
    trace, _ = await bench.check(stimulus.ready(words), stalled=True)
    assert trace.counters["overruns"] == 0


@cocotb.test()
@cocotb.parametrize(seed=range(4))
async def haste_and_recovery(dut, seed: int) -> None:
    """A sample a clock without an end is too much, or each packet's end is: packets are lost, counted, and no more."""
    bench = Bench(dut, seed)
    parts = [calm(bench, 2), hasty(bench, int(bench.rng.integers(1000, 2000))), calm(bench, RECOVERED + 1)]
    trace, drops = await bench.check(stimulus.ready(np.concatenate(parts)), stalled=True, recovered=RECOVERED)
    assert trace.counters["overruns"] > 0
    assert drops
