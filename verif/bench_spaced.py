"""Fewer channels than the pipeline is deep: overruns; and frames that never came, where their rate is known."""

import cocotb
import numpy as np

from hw.compressor import Compressor
from verif import stimulus
from verif.bench import Bench
from verif.design import Design

QUEUED = Design.from_environment().parameters is not None  # samples that come too soon wait: see bench_haste


@cocotb.test(skip=QUEUED)
@cocotb.parametrize(frame=(0, 4, 7))
async def overrun(dut, frame: int) -> None:
    """A channel that returns too early is counted, and its packet is lost whole."""
    bench = Bench(dut, frame)
    clocks = bench.design.frame_clocks
    words = bench.frames(bench.codes(20), pause=0.0)
    extra = stimulus.frames(bench.codes(1), bench.rng, spacing=1)
    at = (frame + 1) * clocks - len(extra)
    words[at : at + len(extra)] = extra
    assert len(extra) < Compressor.DEPTH
    trace, drops = await bench.check(stimulus.ready(words))
    assert len(drops) == 1
    assert trace.counters["overruns"] == 1


@cocotb.test(skip=QUEUED)
async def just_in_time(dut) -> None:
    """A channel that returns after exactly `Compressor.DEPTH` clocks is no overrun."""
    bench = Bench(dut)
    codes = bench.codes(20, "edges")
    gaps = np.tile([2, Compressor.DEPTH - 2], len(codes))
    at = np.cumsum(gaps) - gaps
    words = stimulus.idle(int(gaps.sum()), bench.rng)
    words[at] = codes.ravel() | np.uint32(stimulus.VALID | stimulus.ENABLE)
    words[at[::2]] |= np.uint32(stimulus.MARK)
    trace, _ = await bench.check(stimulus.ready(words), stalled=True)
    assert trace.counters["overruns"] == 0


@cocotb.test()
@cocotb.parametrize(missing=(1, 2, 5, 11), frame=(1, 5, 9))
async def missing_frames(dut, missing: int, frame: int) -> None:
    """Frames that never came are numbered and cost their packets; the next mark is in step again."""
    bench = Bench(dut, missing, frame)
    first, second = bench.frames(bench.codes(frame)), bench.frames(bench.codes(21))
    gap = stimulus.idle(missing * bench.design.frame_clocks, bench.rng)
    words = stimulus.ready(np.concatenate([first, gap, second]))
    trace, drops = await bench.check(words)
    assert drops
    assert trace.counters["missing_frames"] >= missing, "those of the drain are counted as well"


@cocotb.test()
@cocotb.parametrize(seed=range(6))
async def jitter_is_no_missing_frame(dut, seed: int) -> None:
    """Marks may wander by less than half a frame."""
    bench = Bench(dut, seed)
    clocks = bench.design.frame_clocks
    codes = bench.codes(30)
    wander = bench.rng.integers(-clocks // 5, clocks // 5 + 1, len(codes))
    parts = [stimulus.frames(c[None], bench.rng, spacing=bench.design.spacing) for c in codes]
    words = np.concatenate([stimulus.fit(p, clocks + int(w), bench.rng) for p, w in zip(parts, wander, strict=True)])
    _, drops = await bench.check(stimulus.ready(words))
    assert drops == set()
