"""Pins to packets: PMOD ports under foreign timing, and the system that stands on every board."""

import random
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.lib.io import SimulationPort
from amaranth.sim import Simulator

from hw.boards.pattern import Pattern, pattern
from hw.boards.pmod import READY_SLACK, PmodInput, PmodOutput
from hw.boards.system import System
from hw.core import Core
from model.codec.compressor import encode
from model.codec.decompressor import decode
from model.spec.config import CodecConfig

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # of those that refuse

PERIOD = 49.3e-9  # close to the board's; no multiple of the testbenches' steps


def simulate(design: Any, testbench: Any, *background: Any) -> None:
    simulator = Simulator(design)
    simulator.add_clock(PERIOD)
    simulator.add_testbench(testbench)
    for other in background:
        simulator.add_testbench(other, background=True)
    simulator.run()


# --- pmod


class AdcPins:
    """The pins of an ADC and its timing: as loose as the interface allows, garbage wherever data need not stand."""

    def __init__(self, width: int, seed: int, *, hold: float = 1.02) -> None:
        self.data = SimulationPort("i", width)
        self.strobe = SimulationPort("i", 1)
        self.mark = SimulationPort("i", 1)
        self.random = random.Random(seed)
        self.hold = hold

    async def send(self, ctx: Any, code: int, mark: int) -> None:
        low, high = (1.05 + 1.5 * self.random.random() ** 2 for _ in range(2))
        await ctx.delay((low - 0.1) * PERIOD)
        self._set(ctx, code, mark)
        await ctx.delay(0.1 * PERIOD)
        ctx.set(self.strobe.i, 1)
        await ctx.delay(self.hold * PERIOD)
        self._set(ctx, self.random.getrandbits(len(self.data)), self.random.getrandbits(1))
        await ctx.delay((high - self.hold) * PERIOD)
        ctx.set(self.strobe.i, 0)

    def _set(self, ctx: Any, code: int, mark: int) -> None:
        ctx.set(self.data.i, code)
        ctx.set(self.mark.i, mark)


def through_pmod_input(adc: AdcPins, samples: list[tuple[int, int]]) -> list[tuple[int, int]]:
    receiver = PmodInput(adc.data, adc.strobe, adc.mark)
    taken: list[tuple[int, int]] = []

    async def drive(ctx: Any) -> None:
        for code, mark in samples:
            await adc.send(ctx, code, mark)
        await ctx.tick().repeat(5)

    async def watch(ctx: Any) -> None:
        async for _, _, valid, payload in ctx.tick().sample(receiver.o.valid, receiver.o.payload):
            if valid:
                taken.append((payload.code, payload.mark))

    simulate(receiver, drive, watch)
    return taken


@pytest.mark.parametrize("seed", range(4))
def test_pmod_input_takes_every_sample_under_jitter(seed: int) -> None:
    source = random.Random(seed)
    samples = [(source.getrandbits(10), index % 5 == 0) for index in range(300)]
    assert through_pmod_input(AdcPins(10, seed), samples) == samples


def test_pmod_input_needs_the_stated_hold_time() -> None:
    source = random.Random(9)
    samples = [(source.getrandbits(10), 0) for _ in range(200)]
    assert through_pmod_input(AdcPins(10, 9, hold=0.5), samples) != samples


def test_pmod_input_takes_no_sample_from_a_strobe_high_at_reset() -> None:
    adc = AdcPins(10, 0)
    domain = ClockDomain("sync")
    m = Module()
    m.domains.sync = domain
    m.submodules.receiver = receiver = PmodInput(adc.data, adc.strobe, adc.mark)
    seen = []

    async def hold(ctx: Any) -> None:
        ctx.set(adc.strobe.i, 1)
        ctx.set(domain.rst, 1)
        await ctx.delay(4 * PERIOD)
        ctx.set(domain.rst, 0)
        for strobe in (1, 1, 1, 0, 0, 0, 1, 1, 1):
            ctx.set(adc.strobe.i, strobe)
            await ctx.delay(PERIOD)
            seen.append(ctx.get(receiver.o.valid))

    simulate(m, hold)
    assert sum(seen[:7]) == 0
    assert sum(seen) == 1


class Receiver:
    """Takes bytes on the strobe's rising edges, and checks that data stand half a clock on either side of it."""

    def __init__(self) -> None:
        self.data = SimulationPort("o", 8)
        self.strobe = SimulationPort("o", 1)
        self.last = SimulationPort("o", 1)
        self.ready = SimulationPort("i", 1)
        self.bytes: list[int] = []
        self.lasts: list[int] = []

    async def listen(self, ctx: Any) -> None:
        while True:
            await ctx.posedge(self.strobe.o)
            seen = ctx.get(self.data.o), ctx.get(self.last.o)
            self.bytes.append(seen[0])
            self.lasts.append(seen[1])
            await ctx.delay(0.4 * PERIOD)
            assert (ctx.get(self.data.o), ctx.get(self.last.o)) == seen


@pytest.mark.parametrize("seed", range(3))
def test_pmod_output_under_a_ready_that_comes_and_goes(seed: int) -> None:
    source = random.Random(seed)
    receiver = Receiver()
    sender = PmodOutput(receiver.data, receiver.strobe, receiver.last, receiver.ready)
    message = [source.getrandbits(9) for _ in range(400)]
    late: list[int] = []

    async def feed(ctx: Any) -> None:
        for word in message:
            while source.random() < 0.2:
                await ctx.tick()
            ctx.set(sender.i.payload.byte, word & 0xFF)
            ctx.set(sender.i.payload.last, word >> 8)
            ctx.set(sender.i.valid, 1)
            await ctx.tick().until(sender.i.ready)
            ctx.set(sender.i.valid, 0)

    async def stall(ctx: Any) -> None:
        while len(receiver.bytes) < len(message):
            ctx.set(receiver.ready.i, 1)
            await ctx.delay(source.uniform(0, 12) * PERIOD)
            ctx.set(receiver.ready.i, 0)
            before = len(receiver.bytes)
            await ctx.delay(source.uniform(6, 12) * PERIOD)
            late.append(len(receiver.bytes) - before)

    simulate(sender, stall, feed, receiver.listen)
    assert [byte | last << 8 for byte, last in zip(receiver.bytes, receiver.lasts, strict=True)] == message
    assert max(late) == READY_SLACK


def test_pmod_output_sends_a_byte_a_clock() -> None:
    receiver = Receiver()
    sender = PmodOutput(receiver.data, receiver.strobe, receiver.last, receiver.ready)

    async def flood(ctx: Any) -> None:
        ctx.set(receiver.ready.i, 1)
        await ctx.tick().repeat(4)
        ctx.set(sender.i.valid, 1)
        before = len(receiver.bytes)
        for value in range(100):
            ctx.set(sender.i.payload.byte, value)
            assert ctx.get(sender.i.ready)
            await ctx.tick()
        ctx.set(sender.i.valid, 0)
        await ctx.tick().repeat(3)
        assert receiver.bytes[before:] == list(range(100))

    simulate(sender, flood, receiver.listen)


# --- system


class Lamps:
    """A button and two lights."""

    def __init__(self) -> None:
        self.pause = SimulationPort("i", 1)
        self.alive = SimulationPort("o", 1)
        self.fault = SimulationPort("o", 1)

    def ports(self) -> dict[str, SimulationPort]:
        return vars(self)


def check_packets(received: bytes, config: CodecConfig, sent: np.ndarray, least: int) -> None:
    """Every packet holds the frames that its number says, and there are at least `least` of them."""
    decoded = decode(received)
    assert not decoded.damage
    assert len(decoded.frames) >= least
    assert (decoded.frames == sent[: len(decoded.frames)]).all()
    assert received == encode(sent[: len(decoded.frames)], config)


def test_system_from_adc_pins_to_packet_pins() -> None:
    config = CodecConfig(channels=4, packet_frames=6, key_interval=2)
    adc, receiver, lamps = AdcPins(10, 5), Receiver(), Lamps()
    system = System(
        Core(config, banks=4),
        PmodInput(adc.data, adc.strobe, adc.mark),
        PmodOutput(receiver.data, receiver.strobe, receiver.last, receiver.ready),
        **lamps.ports(),
        blink_bits=8,
    )
    sent = pattern(20, 4, 10)

    async def drive(ctx: Any) -> None:
        ctx.set(receiver.ready.i, 1)
        await ctx.tick().repeat(4)
        for frame in sent:
            for channel, code in enumerate(frame):
                await adc.send(ctx, int(code), channel == 0)
        await ctx.tick().repeat(200)
        assert not ctx.get(lamps.fault.o)

    simulate(system, drive, receiver.listen)
    assert sum(receiver.lasts) == 3
    check_packets(bytes(receiver.bytes), config, sent, 18)


def test_system_from_pattern_to_packet_pins_at_a_sample_a_clock() -> None:
    config = CodecConfig(channels=4, packet_frames=40, key_interval=3)
    receiver, lamps = Receiver(), Lamps()
    system = System(
        Core(config, banks=4),
        Pattern(4, 10, rate=1 / 4),
        PmodOutput(receiver.data, receiver.strobe, receiver.last, receiver.ready),
        **lamps.ports(),
        blink_bits=8,
    )
    packets = 16

    async def wait(ctx: Any) -> None:
        ctx.set(receiver.ready.i, 1)
        lit = []
        while sum(receiver.lasts) < packets:
            await ctx.tick()
            lit.append(ctx.get(lamps.alive.o))
        assert len(lit) < (packets + 2) * config.packet_frames * config.channels
        assert sum(lit[-512:]) == 256  # blinks evenly
        assert not ctx.get(lamps.fault.o)

    simulate(system, wait, receiver.listen)
    sent = pattern(packets * config.packet_frames, 4, 10)
    check_packets(bytes(receiver.bytes), config, sent, len(sent))


def test_system_shows_faults_and_stays_decodable_when_the_host_stalls() -> None:
    config = CodecConfig(channels=4, packet_frames=4, key_interval=3)
    receiver, lamps = Receiver(), Lamps()
    core = Core(config, banks=2)
    system = System(
        core,
        Pattern(4, 10, rate=1 / 40),
        PmodOutput(receiver.data, receiver.strobe, receiver.last, receiver.ready),
        **lamps.ports(),
        blink_bits=8,
    )

    async def stall(ctx: Any) -> None:
        ctx.set(receiver.ready.i, 1)
        await ctx.tick().repeat(1000)
        assert not ctx.get(lamps.fault.o)
        ctx.set(receiver.ready.i, 0)
        await ctx.tick().repeat(2000)
        assert ctx.get(lamps.fault.o)
        ctx.set(receiver.ready.i, 1)
        await ctx.tick().repeat(3000)
        assert not ctx.get(lamps.fault.o)
        # Pausing closes the packet that was begun, and then nothing more comes.
        ctx.set(lamps.pause.i, 1)
        await ctx.tick().repeat(400)
        before = len(receiver.bytes)
        await ctx.tick().repeat(400)
        assert len(receiver.bytes) == before and receiver.lasts[-1] == 1
        assert ctx.get(core.dropped_packets) > 2

    simulate(system, stall, receiver.listen)
    decoded = decode(bytes(receiver.bytes))
    sent = pattern(len(decoded.frames), 4, 10)
    assert len(decoded.gaps) == 1 and not decoded.damage
    lost = slice(decoded.gaps[0].start, decoded.gaps[0].start + decoded.gaps[0].frames)
    kept = np.delete(np.arange(len(sent)), lost)
    assert len(kept) > 80
    assert (decoded.frames[kept] == sent[kept]).all()
