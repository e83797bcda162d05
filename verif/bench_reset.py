"""Reset at any time: everything from scratch, position 0."""

import cocotb

from verif import ledger, stimulus
from verif.bench import Bench


@cocotb.test()
@cocotb.parametrize(seed=range(10))
async def reset_at_any_time(dut, seed: int) -> None:
    """What came out before is the beginning of the law's stream; what comes after is a stream of its own."""
    bench = Bench(dut, seed)
    frames = bench.config.packet_frames
    kind = ("noise", "uniform")[seed % 2]
    before = stimulus.ready(bench.frames(bench.codes(4 * frames, kind), pause=0.5))
    await bench.reset(bench.design.parameters)
    cut = int(bench.rng.integers(1, len(before)))
    trace = await bench.player.play(before[:cut])
    expected = ledger.read(before, bench.design, bench.design.parameters)
    law = b"".join(expected.encode(set()))
    assert trace.data.tobytes() == law[: len(trace.data)]
    after = stimulus.ready(bench.frames(bench.codes(3 * frames), pause=0.3))
    trace, _ = await bench.check(after)
    assert trace.packets()[0].packet.position == 0
