"""The UART's line, both ways: start bit, data, stop bit; no gaps when sending, much tolerance when receiving."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from amaranth.lib.io import SimulationPort
from amaranth.sim import Simulator

from hw.boards.uart import UartReceiver, UartTransmitter, divisor

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # of those that refuse


@pytest.mark.parametrize("clocks", [2, 20])
def test_uart_sends_start_data_stop_without_gaps(clocks: int) -> None:
    pin = SimulationPort("o", 1)
    uart = UartTransmitter(pin, divisor=clocks)
    message = bytes([0x00, 0xFF, 0x55, 0xD3, 0x01, 0x80])
    levels = []

    async def feed(ctx: Any) -> None:
        await ctx.tick().repeat(7)
        for byte in message:
            ctx.set(uart.i.payload.byte, byte)
            ctx.set(uart.i.valid, 1)
            await ctx.tick().until(uart.i.ready)
        ctx.set(uart.i.valid, 0)

    async def listen(ctx: Any) -> None:
        for _ in range(clocks * 10 * (len(message) + 2)):
            _, _, level = await ctx.tick().sample(pin.o)
            levels.append(level)

    simulator = Simulator(uart)
    simulator.add_clock(1e-6)
    simulator.add_testbench(listen)
    simulator.add_testbench(feed, background=True)
    simulator.run()
    begin = levels.index(0, 4)  # the pin's own register has no reset: skip its first clocks
    sent: list[int] = []
    for byte in message:
        sent += [0, *(byte >> bit & 1 for bit in range(8)), 1]
    expected = [level for level in sent for _ in range(clocks)]
    assert levels[begin : begin + len(expected)] == expected
    assert set(levels[begin + len(expected) :]) == {1}


def test_uart_refuses_a_divisor_of_one() -> None:
    with pytest.raises(ValueError, match="divisor: 1 clocks"):
        UartTransmitter(SimulationPort("o", 1), divisor=1)


PERIOD = 1e-6


def received(clocks: int, line: Sequence[tuple[int, float]]) -> list[int]:
    """Bytes from a line of levels, each with its duration in clocks."""
    pin = SimulationPort("i", 1)
    uart = UartReceiver(pin, divisor=clocks)
    taken: list[int] = []

    async def drive(ctx: Any) -> None:
        for level, duration in [(1, 20.3), *line, (1, 3 * clocks)]:
            ctx.set(pin.i, level)
            await ctx.delay(duration * PERIOD)

    async def watch(ctx: Any) -> None:
        async for _, _, valid, byte in ctx.tick().sample(uart.o.valid, uart.o.payload):
            if valid:
                taken.append(byte)

    simulator = Simulator(uart)
    simulator.add_clock(PERIOD)
    simulator.add_testbench(drive)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    return taken


def frame(byte: int, bit: float, stop: int = 1) -> list[tuple[int, float]]:
    """Start bit, data and stop bit."""
    return [(level, bit) for level in (0, *(byte >> n & 1 for n in range(8)), stop)]


@pytest.mark.parametrize("clocks", [6, 12, 20, 25])
@pytest.mark.parametrize("error", [-0.03, -0.0125, 0.0, 0.0125, 0.03])
def test_uart_receives_bytes_without_gaps_at_another_baud(clocks: int, error: float) -> None:
    source = random.Random(clocks)
    message = [0x00, 0xFF, 0x55, 0xAA, *(source.getrandbits(8) for _ in range(60))]
    line = [part for byte in message for part in frame(byte, clocks * (1 + error))]
    assert received(clocks, line) == message


def test_uart_receives_after_any_pause() -> None:
    source = random.Random(1)
    message = [source.getrandbits(8) for _ in range(40)]
    line = [part for byte in message for part in [*frame(byte, 6.1), (1, source.uniform(0, 12))]]
    assert received(6, line) == message


def test_uart_bears_no_baud_that_is_a_tenth_wrong() -> None:
    message = [0x00, 0xFF, 0x81] * 5
    for bit in (18, 22):
        assert received(20, [part for byte in message for part in frame(byte, bit)]) != message


@pytest.mark.parametrize("glitch", [0.3, 1.5, 7, 9])
def test_uart_ignores_a_start_bit_that_is_too_short(glitch: float) -> None:
    line = [(0, glitch), (1, 5.2), *frame(0x5A, 20), (0, glitch), (1, 60), *frame(0xC3, 20)]
    assert received(20, line) == [0x5A, 0xC3]


@pytest.mark.parametrize("byte", [0x00, 0xFF, 0x5A])
def test_uart_drops_a_byte_without_stop_bit(byte: int) -> None:
    line = [*frame(0x12, 20), *frame(byte, 20, stop=0), (1, 20), *frame(0x34, 20)]
    assert received(20, line) == [0x12, 0x34]


def test_uart_takes_a_long_break_for_nothing() -> None:
    assert received(20, [*frame(0x12, 20), (0, 20 * 50), (1, 7), *frame(0x34, 20)]) == [0x12, 0x34]


def test_uart_receiver_refuses_a_divisor_of_three() -> None:
    with pytest.raises(ValueError, match="divisor: 3 clocks"):
        UartReceiver(SimulationPort("i", 1), divisor=3)


def test_uart_divisor_is_near_a_megabaud_at_every_clock() -> None:
    assert [divisor(hz) for hz in (6_000_000, 12_000_000, 20_250_000, 25_000_000)] == [6, 12, 20, 25]
    with pytest.raises(ValueError, match="clock_hz: 6500000 is no multiple of 1000000 baud within 2 %"):
        divisor(6_500_000)
