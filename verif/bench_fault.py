"""Everything that can go wrong, at random and at once."""

import cocotb

from verif.bench import Bench
from verif.scenario import RECOVERED, faults


@cocotb.test()
@cocotb.parametrize(seed=range(6))
async def all_faults_mixed(dut, seed: int) -> None:
    """Broken, long and missing frames, disabling, pauses and stalls: the law's bytes, given the drops."""
    bench = Bench(dut, seed)
    words = faults(bench.design, 200, bench.rng)
    trace, _ = await bench.check(words, stalled=True, recovered=RECOVERED)
    assert sum(trace.counters.values()) > 0, "nothing went wrong"
    assert len(trace.packets()) >= 5
