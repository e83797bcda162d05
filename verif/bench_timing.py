"""Time: one sample a clock for ever, the stated latency to the clock, and the arithmetic bound of `spec.operating`."""

import cocotb
import numpy as np

from model.spec import operating
from verif import stimulus
from verif.bench import Bench


def accepted(words: np.ndarray) -> np.ndarray:
    """Clocks at which a sample is handed over."""
    return np.flatnonzero(words & stimulus.VALID)


@cocotb.test()
@cocotb.parametrize(flow=((0.0, "noise"), (0.7, "noise"), (0.7, "still"), (0.7, "uniform")))
async def latency(dut, flow: tuple[float, str]) -> None:
    """From a packet's last sample to its first byte: `Core.latency`, exactly, whenever the output is idle."""
    pause, kind = flow
    bench = Bench(dut, int(10 * pause))
    core = bench.design.core()
    words = stimulus.ready(bench.frames(bench.codes(6 * bench.config.packet_frames, kind), pause=pause))
    trace, _ = await bench.check(words)
    each = bench.config.packet_frames * bench.config.channels
    ends = accepted(words)[each - 1 :: each]
    measured, idle_since = [], -1
    for end, packet in zip(ends, trace.packets(), strict=True):
        if idle_since < end:
            measured.append(packet.first - int(end))
        idle_since = packet.last
    assert len(measured) >= 2
    assert set(measured) == {core.latency}
    assert core.latency <= operating.PIPELINE_CLOCKS


@cocotb.test()
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
    # With a clock as the unit of time, the link carries one byte and a frame comes every `frame_clocks`.
    bound = operating.worst_latency(config, 1, frame_clocks) * frame_clocks
    for begin, packet in zip(begins, trace.packets(), strict=True):
        assert packet.last - begin <= bound, f"{packet.last - begin} clocks; the bound is {bound:g}"
