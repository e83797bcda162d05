"""From the pins of the UART to packets at the PMOD: a set is loaded, samples are recorded, another set is loaded."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import pytest
from amaranth.lib.io import SimulationPort
from amaranth.sim import Simulator

from hw.boards.image import ImageReceiver, message
from hw.boards.pattern import Pattern, pattern
from hw.boards.pmod import PmodOutput
from hw.boards.system import System
from hw.core import Core
from model.codec.compressor import encode
from model.codec.packet import Packet, scan
from model.spec import calibrated, shipped
from model.spec.config import CodecConfig
from model.spec.parameters import ParameterSet

CONFIG = CodecConfig("calibrated", channels=8, width=8, packet_frames=5, key_interval=3, lanes=2)
FRAME_CLOCKS = 256
DIVISOR = 4
LEAD_IN = -(-2 * (FRAME_CLOCKS + 200) // (10 * DIVISOR))  # a frame and a packet's bytes, twice
BLINK_BITS = 9  # a beat is more than ten bytes
PACKETS = 4  # of each set


def two_sets() -> tuple[ParameterSet, ParameterSet]:
    """A shipped set, and one with other weights."""
    first = shipped.default("calibrated")
    tables = calibrated.unpack(first, CONFIG.width)
    other = replace(tables, weights=tables.weights - np.array([40, 0, 0]))
    return first, calibrated.pack(other, CONFIG.width, even=True)


class Bench:
    """A system with its pins."""

    def __init__(self) -> None:
        self.rx, self.strobe, self.last = (SimulationPort(direction, 1) for direction in ("i", "o", "o"))
        self.pause, self.alive, self.fault = (SimulationPort(direction, 1) for direction in ("i", "o", "o"))
        self.ready, self.data = SimulationPort("i", 1), SimulationPort("o", 8)
        self.core = Core(CONFIG, banks=4, frame_clocks=FRAME_CLOCKS)
        self.system = System(
            self.core,
            Pattern(CONFIG.channels, CONFIG.width, rate=1 / FRAME_CLOCKS),
            PmodOutput(self.data, self.strobe, self.last, self.ready),
            images=ImageReceiver(self.rx, divisor=DIVISOR),
            pause=self.pause,
            alive=self.alive,
            fault=self.fault,
            blink_bits=BLINK_BITS,
        )
        self.bytes = bytearray()
        self.packets = 0

    async def listen(self, ctx: Any) -> None:
        while True:
            await ctx.posedge(self.strobe.o)
            self.bytes.append(ctx.get(self.data.o))
            self.packets += ctx.get(self.last.o)

    async def send(self, ctx: Any, content: bytes) -> None:
        for byte in content:
            for level in (0, *(byte >> n & 1 for n in range(8)), 1):
                ctx.set(self.rx.i, level)
                await ctx.tick().repeat(DIVISOR)

    async def record(self, ctx: Any, packets: int) -> None:
        """Wait until that many more packets have come."""
        wanted = self.packets + packets
        for _ in range(20 * (packets + 2) * CONFIG.packet_frames):
            await ctx.tick().repeat(FRAME_CLOCKS // 16)
            if self.packets >= wanted:
                return
        raise AssertionError(f"{self.packets} packets came, {wanted} were awaited")

    def run(self, testbench: Any) -> None:
        simulator = Simulator(self.system)
        simulator.add_clock(1e-6)
        simulator.add_testbench(testbench)
        simulator.add_testbench(self.listen, background=True)
        simulator.run()


def recordings(content: bytes) -> Iterator[list[Packet]]:
    """Packets, recording by recording: each begins where positions jump."""
    packets = list(scan(content))
    assert all(isinstance(packet, Packet) for packet in packets)
    step, at = 0, 0
    numbers = []
    for packet in packets:
        step += packet.position != at
        at = packet.position + packet.frames
        numbers.append(step)
    for _, group in groupby(zip(numbers, packets, strict=True), key=lambda pair: pair[0]):
        yield [packet for _, packet in group]


@pytest.mark.parametrize(
    "plan",
    [((0, None), (1, None)), pytest.param(((0, None), (1, -7), (1, None)), marks=pytest.mark.slow)],
    ids=["two sets", "half of a set between"],
)
def test_packets_are_coded_with_the_set_that_was_loaded_last(plan: tuple[tuple[int, int | None], ...]) -> None:
    """`plan`: which set is sent, and where its message is cut off."""
    bench, sets = Bench(), two_sets()

    async def drive(ctx: Any) -> None:
        ctx.set(bench.rx.i, 1)
        ctx.set(bench.ready.i, 1)
        await ctx.tick().repeat(6 * FRAME_CLOCKS)
        assert ctx.get(bench.fault.o)  # no set is loaded
        for number, end in plan:
            await bench.send(ctx, message(calibrated.image(sets[number], CONFIG.width), LEAD_IN)[:end])
            await ctx.tick().repeat(20)
            if end is None:
                assert ctx.get(bench.core.loaded) and not ctx.get(bench.fault.o)
                await bench.record(ctx, PACKETS)
            else:
                before = len(bench.bytes)
                await ctx.tick().repeat(4 * CONFIG.packet_frames * FRAME_CLOCKS)
                assert len(bench.bytes) == before and ctx.get(bench.fault.o)
        assert ctx.get(bench.core.dropped_packets) == 0

    bench.run(drive)
    found = list(recordings(bytes(bench.bytes)))
    loaded = [sets[number] for number, end in plan if end is None]
    assert len(found) == len(loaded)
    sent = pattern(found[-1][-1].position + found[-1][-1].frames, CONFIG.channels, CONFIG.width)
    at = 0
    for packets, parameters in zip(found, loaded, strict=True):
        assert len(packets) >= PACKETS
        first, last = packets[0].position, packets[-1].position + packets[-1].frames
        law = encode(sent[first:last].astype(np.uint16), CONFIG, parameters=parameters, position=first)
        assert bytes(bench.bytes[at : at + len(law)]) == law
        at += len(law)
        assert {packet.shape.parameter_set for packet in packets if packet.shape} == {parameters.identifier}
    assert at == len(bench.bytes)
