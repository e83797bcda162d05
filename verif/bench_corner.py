"""Corners of the range coder, built on purpose; what a recording reached is counted and demanded."""

import cocotb
import numpy as np

from verif import corner, stimulus
from verif.bench import Bench
from verif.parameters import sets

SAMPLES = 6400


@cocotb.test()
@cocotb.parametrize(kind=tuple(corner.MAKERS))
async def corners(dut, kind: str) -> None:
    """The law's bytes, in which are the strings that drive the coder where it is to go."""
    bench = Bench(dut, len(kind))
    config = bench.config
    make, name, _ = corner.MAKERS[kind]
    guide = make(config, bench.rng, SAMPLES // (config.packet_frames * config.channels))
    words = np.concatenate([bench.image(sets(config.width)[name]), bench.frames(guide.frames)])
    trace, drops = await bench.check(stimulus.ready(words), loaded=False)
    assert drops == set()
    guide.compare([e.packet for e in trace.packets()])
    cocotb.log.info(corner.demand(guide.reached, corner.expected(kind, config)))
