"""The gates give the codec's bytes, whatever the material, the pauses of the source and the pauses of the sink."""

import tempfile
from pathlib import Path

import cocotb

from model.formats import codes, wav
from model.recordings import default_recordings
from verif import stimulus
from verif.bench import Bench
from verif.material import MAKERS

PACKETS = 7


@cocotb.test()
@cocotb.parametrize(kind=tuple(MAKERS), flow=((0.0, 1.0), (0.5, 1.0), (0.8, 0.5)))
async def parity(dut, kind: str, flow: tuple[float, float]) -> None:
    pause, ready = flow
    bench = Bench(dut, list(MAKERS).index(kind), int(100 * pause), int(100 * ready))
    words = bench.frames(bench.codes(PACKETS * bench.config.packet_frames, kind), pause=pause)
    # A sample a clock of anything but quiet noise is more than a byte a clock: some packets must go.
    stalled = pause == 0.0 and (kind != "noise" or bench.design.parameters is not None)
    trace, _ = await bench.check(stimulus.ready(words, ready, bench.rng), stalled=stalled)
    assert len(trace.packets()) >= PACKETS // 2


@cocotb.test()
async def recording(dut) -> None:
    """A real recording where there is one, else a synthetic one; its parts are the channels."""
    bench = Bench(dut)
    with tempfile.TemporaryDirectory() as folder:
        samples = wav.read(default_recordings(Path(folder))[0]).samples[:, 0]
        mono = codes.recognise(samples).to_codes(samples)
    frames = 20 * bench.config.packet_frames
    words = bench.frames(mono[: frames * bench.config.channels].reshape(-1, frames).T)
    trace, _ = await bench.check(stimulus.ready(words))
    assert len(trace.packets()) == 20
