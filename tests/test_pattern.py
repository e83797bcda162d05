"""The test pattern on the chip is the one in Python, at any pace, and looks like a recording."""

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.boards.pattern import SPIKE_FIELD, Pattern, pattern
from model.codec.compressor import encode
from model.spec.config import CodecConfig

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # of those that refuse


@pytest.mark.parametrize(
    ("channels", "width", "rate"), [(1, 8, 1.0), (3, 10, 1 / 3), (4, 16, 0.1), (256, 10, 19531 / 20.25e6)]
)
def test_pattern_equals_its_twin(channels: int, width: int, rate: float) -> None:
    generator = Pattern(channels, width, rate=rate)
    clocks = 4000
    codes, marks = [], []

    async def collect(ctx: Any) -> None:
        for _ in range(clocks):
            _, _, valid, payload = await ctx.tick().sample(generator.o.valid, generator.o.payload)
            if valid:
                codes.append(payload.code)
                marks.append(payload.mark)

    simulator = Simulator(generator)
    simulator.add_clock(1e-6)
    simulator.add_testbench(collect)
    simulator.run()
    assert abs(len(codes) - clocks * channels * rate) < 5
    frames = len(codes) // channels + 1
    assert codes == pattern(frames, channels, width).ravel().tolist()[: len(codes)]
    assert [index for index, mark in enumerate(marks) if mark] == list(range(0, len(codes), channels))


def test_pattern_looks_like_a_recording() -> None:
    frames = pattern(4000, 8, 10)
    spikes = np.abs(frames.astype(int) - 512) > 100
    assert spikes.mean() == pytest.approx(1 / (1 << (SPIKE_FIELD[1] - SPIKE_FIELD[0])), rel=0.5)
    assert (frames[spikes] > 512).any() and (frames[spikes] < 512).any()
    assert frames[~spikes].mean() == pytest.approx(512, abs=0.2)
    config = CodecConfig(channels=8, packet_frames=500)
    assert 4.5 < 8 * len(encode(frames, config)) / frames.size < 5.5


@pytest.mark.parametrize("rate", [0.26, 0.0])
def test_pattern_refuses_an_impossible_pace(rate: float) -> None:
    with pytest.raises(ValueError, match=r"rate: .* samples a clock"):
        Pattern(4, 10, rate=rate)
