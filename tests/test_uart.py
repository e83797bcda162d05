"""The UART's line: start bit, data, stop bit, and no gaps."""

from typing import Any

import pytest
from amaranth.lib.io import SimulationPort
from amaranth.sim import Simulator

from hw.boards.uart import UartTransmitter

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # of those that refuse


@pytest.mark.parametrize("divisor", [2, 20])
def test_uart_sends_start_data_stop_without_gaps(divisor: int) -> None:
    pin = SimulationPort("o", 1)
    uart = UartTransmitter(pin, divisor=divisor)
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
        for _ in range(divisor * 10 * (len(message) + 2)):
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
    expected = [level for level in sent for _ in range(divisor)]
    assert levels[begin : begin + len(expected)] == expected
    assert set(levels[begin + len(expected) :]) == {1}


def test_uart_refuses_a_divisor_of_one() -> None:
    with pytest.raises(ValueError, match="divisor: 1 clocks"):
        UartTransmitter(SimulationPort("o", 1), divisor=1)
