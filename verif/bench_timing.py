"""Time: one sample a clock for ever, the stated latency to the clock, and the arithmetic bound of `spec.operating`."""

import cocotb
import numpy as np

from verif import stimulus
from verif.bench import Bench
from verif.design import Design

REST = 64  # clocks in which lanes finish a packet


def accepted(words: np.ndarray) -> np.ndarray:
    """Clocks at which a sample is handed over."""
    return np.flatnonzero(words & stimulus.VALID)


@cocotb.test()
@cocotb.parametrize(flow=((0.0, "still"), (0.7, "noise"), (0.7, "still"), (0.7, "uniform")))
async def latency(dut, flow: tuple[float, str]) -> None:
    """From a packet's last sample to its first byte: `Core.latency`, whenever the output is idle.

    Where samples wait for their lane's turn it is no more than that, at a pace at which no queue is left.
    """
    pause, kind = flow
    bench = Bench(dut, int(10 * pause))
    core = bench.design.core()
    parts = [bench.frames(bench.codes(bench.config.packet_frames, kind), pause=pause) for _ in range(6)]
    if not bench.design.frame_clocks:
        parts = [np.concatenate([part, stimulus.idle(REST, bench.rng)]) for part in parts]
    words = stimulus.ready(np.concatenate(parts))
    trace, _ = await bench.check(words)
    each = bench.config.packet_frames * bench.config.channels
    ends = accepted(words)[each - 1 :: each]
    measured, idle_since = [], -1
    for end, packet in zip(ends, trace.packets(), strict=True):
        if idle_since < end:
            measured.append(packet.first - int(end))
        idle_since = packet.last
    assert len(measured) >= 2
    cocotb.log.info("measured %s of %s clocks", sorted(set(measured)), core.latency)
    assert max(measured) <= core.latency
    assert bench.design.turns or set(measured) == {core.latency}


@cocotb.test(skip=Design.from_environment().parameters is not None)  # lanes need time for packets' ends: bench_haste
async def one_sample_a_clock(dut) -> None:
    """A sample in every clock, without end, as long as the output keeps up; ready never falls (the monitor watches)."""
    bench = Bench(dut)
    words = stimulus.ready(bench.frames(bench.codes(10 * bench.config.packet_frames), pause=0.0))
    assert bench.design.frame_clocks or len(accepted(words)) == len(words)
    trace, drops = await bench.check(words)
    assert drops == set()
    assert not trace.violations


@cocotb.test()
@cocotb.parametrize(kind=("noise", "uniform"))
async def worst_latency(dut, kind: str) -> None:
    """From a packet's first sample to its last byte: never above the bound that `live` packets are sized by."""
    bench = Bench(dut)
    config, frames = bench.config, bench.config.packet_frames
    frame_clocks = bench.design.frame_clocks or 2 * config.channels * bench.design.spacing
    codes = bench.codes(8 * frames, kind)
    words = stimulus.ready(stimulus.frames(codes, bench.rng, spacing=bench.design.spacing, frame_clocks=frame_clocks))
    trace, _ = await bench.check(words)
    begins = accepted(words)[:: frames * config.channels]
    bound = bench.design.bound(1, frame_clocks)
    for begin, packet in zip(begins, trace.packets(), strict=True):
        assert packet.last - begin <= bound, f"{packet.last - begin} clocks; the bound is {bound:g}"
