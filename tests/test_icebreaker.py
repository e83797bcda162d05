"""The iCEBreaker's design, as far as a netlist: its pins, its clocks, its hard blocks."""

import pytest

from hw.boards import icebreaker
from hw.boards.top import OUTPUTS, SOURCES, Top
from model.spec.operating import DEFAULT_RATE, live

BOARD = icebreaker.BOARD
BLOCKS = {6: {"SB_GB ": 1}, 12: {}, 20.25: {"SB_PLL40_PAD": 1}}
COMMON = {"clk12_0__io": "35", "button_0__io": "10", "led_g_0__io": "37", "led_r_0__io": "11"}
SAMPLES = {
    **{f"samples_0__code__io[{bit}]": str(pin) for bit, pin in enumerate((4, 2, 47, 45, 3, 48, 46, 44, 27, 25))},
    **{"samples_0__strobe__io": "21", "samples_0__mark__io": "19"},
}
PACKETS = {
    **{f"packets_0__data__io[{bit}]": str(pin) for bit, pin in enumerate((43, 38, 34, 31, 42, 36, 32, 28))},
    **{"packets_0__strobe__io": "26", "packets_0__last__io": "23", "packets_0__ready__io": "20"},
}


def test_the_plls_oscillator_is_in_its_range() -> None:
    assert [clock.hz for clock in BOARD.clocks] == [6_000_000, 12_000_000, 20_250_000]
    assert 533e6 <= icebreaker.PLL_HZ << icebreaker.PLL["DIVQ"] <= 1066e6


@pytest.mark.parametrize(
    ("profile", "channels", "source", "output", "mhz"),
    [
        *(("tiny", 256, source, output, 20.25) for source in SOURCES for output in OUTPUTS),
        ("tiny", 16, "pattern", "pmod", 12),
        ("calibrated", 256, "pattern", "uart", 6),
        ("calibrated", 512, "pmod", "pmod", 12),
        ("calibrated", 1024, "pmod", "pmod", 20.25),
    ],
)
def test_icebreaker_becomes_a_netlist(profile: str, channels: int, source: str, output: str, mhz: float) -> None:
    clock = BOARD.clock(mhz, profile, channels, DEFAULT_RATE)
    assert mhz == 12 or BOARD.clock(None, profile, channels, DEFAULT_RATE) == clock
    config = live(profile, channels, 10, DEFAULT_RATE, clock.hz)
    top = Top(BOARD, clock, config, source=source, output=output, rate=DEFAULT_RATE)
    plan = icebreaker.platform().prepare(top, "top")
    lines = [line.split() for line in plan.files["top.pcf"].splitlines()]
    pins = {line[1]: line[2] for line in lines if line and line[0] == "set_io"}
    assert len(set(pins.values())) == len(pins)
    packets = PACKETS if output == "pmod" else {"uart_0__tx__io": "9"}
    sets = {"uart_0__rx__io": "6"} if profile == "calibrated" else {}
    assert pins == COMMON | (SAMPLES if source == "pmod" else {}) | packets | sets
    text = plan.files["top.il"]
    blocks = {name: text.count(f"cell \\{name}") for name in ("SB_PLL40_PAD", "SB_GB ")}
    assert {name: number for name, number in blocks.items() if number} == BLOCKS[mhz]
    assert text.count("cell \\SB_SPRAM256KA") == 4
