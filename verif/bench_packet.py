"""Stage `packet`: a stalled sink costs whole packets, counted, never corrupted ones; the stream rules hold."""

import cocotb
import numpy as np

from verif import stimulus
from verif.bench import Bench


@cocotb.test()
@cocotb.parametrize(packets=(3, 6), phase=(0, 5, 77))
async def stall_and_recovery(dut, packets: int, phase: int) -> None:
    """A long stall drops packets; what comes afterwards is the law's, given the drops, from a key packet on."""
    bench = Bench(dut, packets, phase)
    frames = bench.config.packet_frames
    words = bench.frames(bench.codes(frames * (packets + 8)), pause=0.2)
    clocks = len(words) // (packets + 8)
    start = 3 * clocks + phase
    pattern = np.ones(len(words), bool)
    pattern[start : start + packets * clocks] = False
    trace, drops = await bench.check(stimulus.ready(words, pattern), stalled=True)
    assert packets - bench.design.banks <= len(drops) <= packets, f"dropped {sorted(drops)}"
    assert min(drops) > 1, "the packets before the stall are whole"
    emitted = trace.packets()
    after = [e for e in emitted if e.packet.position > max(drops) * frames]
    assert len(after) >= 3, "the stream recovers"
    assert after[0].packet.shape is not None, "the first packet after a drop is a key packet"
    assert trace.counters["dropped_packets"] == len(drops)


@cocotb.test()
@cocotb.parametrize(seed=range(4))
async def sink_too_slow(dut, seed: int) -> None:
    """A sink that never catches up: drops again and again."""
    bench = Bench(dut, seed)
    words = bench.frames(bench.codes(bench.config.packet_frames * 20), pause=0.0)
    share = 0.3 / (
        bench.design.spacing if bench.design.neural else 1
    )  # of what packets need, when samples are far apart
    _, drops = await bench.check(stimulus.ready(words, share, bench.rng), stalled=True)
    assert len(drops) > 5


@cocotb.test()
async def valid_does_not_wait_for_ready(dut) -> None:
    """The sink is ready only once it has seen valid: a core that waited for ready would never start."""
    bench = Bench(dut)
    words = bench.frames(bench.codes(bench.config.packet_frames * 5), pause=0.5)
    trace = await bench.check(stimulus.ready(words) | np.uint32(stimulus.SHY))
    assert len(trace[0].packets()) == 5


@cocotb.test()
async def every_bank_is_used_under_a_stall(dut) -> None:
    """With the sink stalled from the start, exactly as many packets as there are banks wait; they come out whole."""
    bench = Bench(dut)
    words = bench.frames(bench.codes(bench.config.packet_frames * 6))
    trace, drops = await bench.check(words, stalled=True)
    assert len(trace.packets()) == bench.design.banks
    assert drops == set(range(bench.design.banks, 6))
