"""Stage `frame`: broken frames, disabling, and the step back into rhythm at the next mark."""

import cocotb
import numpy as np

from verif import stimulus
from verif.bench import Bench


def lone(bench: Bench, codes: np.ndarray, mark: bool = True) -> np.ndarray:
    """Words that offer `codes` in a row, the first with the mark or none."""
    marks = np.zeros(len(codes), bool)
    marks[0] = mark
    return stimulus.samples(codes, marks, bench.rng, spacing=bench.design.spacing)


@cocotb.test()
@cocotb.parametrize(samples=(1, 7, 15), frame=(8, 11, 15))
async def short_frame(dut, samples: int, frame: int) -> None:
    """A frame that ends early costs its packet, wherever in the packet it stands; the next mark is in step again."""
    bench = Bench(dut, samples, frame)
    before, after = bench.codes(frame), bench.codes(33)
    short = lone(bench, bench.codes(1)[0, : max(1, samples * bench.config.channels // 16)])
    words = stimulus.ready(np.concatenate([bench.frames(before), short, bench.frames(after)]))
    trace, drops = await bench.check(words)
    assert drops == {1}
    assert trace.counters["short_frames"] == 1


@cocotb.test()
@cocotb.parametrize(samples=(1, 16, 40), frame=(1, 8, 12))
async def long_frame(dut, samples: int, frame: int) -> None:
    """Surplus samples are ignored, counted once, and cost nothing."""
    bench = Bench(dut, samples, frame)
    surplus = lone(bench, bench.rng.integers(0, 1 << bench.config.width, samples), mark=False)
    words = np.concatenate([bench.frames(bench.codes(frame)), surplus, bench.frames(bench.codes(20))])
    trace, drops = await bench.check(stimulus.ready(words))
    assert drops == set()
    assert trace.counters["long_frames"] == 1


@cocotb.test()
async def samples_before_the_first_mark(dut) -> None:
    """What comes before the first mark after a reset belongs to no frame."""
    bench = Bench(dut)
    early = lone(bench, bench.rng.integers(0, 1 << bench.config.width, 9), mark=False)
    words = np.concatenate([early, bench.frames(bench.codes(17))])
    await bench.check(stimulus.ready(words))


@cocotb.test()
@cocotb.parametrize(recorded=(3, 8, 13, 16), skipped=(1, 2, 9))
async def disable_between_frames(dut, recorded: int, skipped: int) -> None:
    """Frames not recorded are numbered; the packet closes early, and the next one is a key packet."""
    bench = Bench(dut, recorded, skipped)
    first, gap, second = (bench.frames(bench.codes(n)) for n in (recorded, skipped, 21))
    trace, _ = await bench.check(stimulus.ready(np.concatenate([first, stimulus.disabled(gap), second])))
    position = recorded + skipped
    assert [e.packet.shape is not None for e in trace.packets() if e.packet.position == position] == [True]


@cocotb.test()
@cocotb.parametrize(clock=(1, 5, 15, 100, 127))
async def disable_within_a_frame(dut, clock: int) -> None:
    """A frame that has begun is recorded to its end."""
    bench = Bench(dut, clock)
    words = bench.frames(bench.codes(20), pause=0.0)
    words[clock:200] = stimulus.disabled(words[clock:200])
    await bench.check(stimulus.ready(words))


@cocotb.test()
async def disable_without_another_frame(dut) -> None:
    """A packet closes although no further mark ever comes."""
    bench = Bench(dut)
    trace, _ = await bench.check(stimulus.ready(bench.frames(bench.codes(3))))
    assert [e.packet.frames for e in trace.packets()] == [3]


@cocotb.test()
async def enable_falls_between_frames(dut) -> None:
    """One clock of `enable` low between two frames closes the packet, although every frame is recorded."""
    bench = Bench(dut)
    first, second = (bench.frames(bench.codes(n), pause=0.7) for n in (11, 10))
    pause = stimulus.disabled(stimulus.idle(1, bench.rng))
    trace, _ = await bench.check(stimulus.ready(np.concatenate([first, pause, second])))
    assert [e.packet.frames for e in trace.packets()] == [8, 3, 8, 2]
