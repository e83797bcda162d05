"""The ULX3S' design, as far as a netlist: its pins and its clock."""

import re

import pytest

from hw.array import Array, choose, neighbours
from hw.boards import ulx3s
from hw.boards.top import OUTPUTS, SOURCES, Top
from hw.boards.uart import BAUD, divisor
from model.spec import shipped
from model.spec.operating import DEFAULT_RATE, live

MHZS = [37.5, 50, 62.5, 75]
COMMON = {"clk25_0__io": "G2", "button_fire_0__io": "R1", "led_2__io": "C1", "led_0__io": "B2"}
CODE = ("B11", "A10", "A9", "B9", "A7", "C8", "C6", "A6", "A4", "A2")
DATA = ("U18", "N17", "N16", "L16", "H18", "F17", "D18", "C18")
SAMPLES = {
    **{f"samples_0__code__io[{bit}]": pin for bit, pin in enumerate(CODE)},
    **{"samples_0__strobe__io": "C11", "samples_0__mark__io": "A11"},
}
PACKETS = {
    **{f"packets_0__data__io[{bit}]": pin for bit, pin in enumerate(DATA)},
    **{"packets_0__strobe__io": "U17", "packets_0__last__io": "P16", "packets_0__ready__io": "M17"},
}


@pytest.mark.parametrize(
    ("profile", "channels", "source", "output"),
    [
        *(("tiny", 256, source, output) for source in SOURCES for output in OUTPUTS),
        ("calibrated", 256, "pattern", "uart"),
        ("calibrated", 1024, "pmod", "pmod"),
    ],
)
def test_ulx3s_becomes_a_netlist(profile: str, channels: int, source: str, output: str) -> None:
    clock = ulx3s.BOARD.clock(None, profile, channels, DEFAULT_RATE)
    config = live(profile, channels, 10, DEFAULT_RATE, clock.hz)
    top = Top(ulx3s.BOARD, clock, config, source=source, output=output, rate=DEFAULT_RATE)
    plan = ulx3s.platform().prepare(top, "top")
    pins = dict(re.findall(r'LOCATE COMP "(.+?)" SITE "(.+?)";', plan.files["top.lpf"]))
    packets = PACKETS if output == "pmod" else {"uart_0__tx__io": "L4"}
    sets = {"uart_0__rx__io": "M1"} if profile == "calibrated" else {}
    assert pins == COMMON | (SAMPLES if source == "pmod" else {}) | packets | sets
    assert re.findall(r'FREQUENCY PORT "(.+?)" (.+?) HZ', plan.files["top.lpf"]) == [("clk25_0__io", "25000000.0")]
    assert "SB_" not in plan.files["top.il"] and "EHXPLLL" not in plan.files["top.il"]


def test_the_plls_oscillators_are_in_their_range() -> None:
    assert [clock.hz for clock in ulx3s.BOARD.clocks] == [25_000_000, *(mhz * 1e6 for mhz in MHZS)]
    for clock, settings in zip(ulx3s.BOARD.clocks[1:], ulx3s.PLLS, strict=True):
        assert 400e6 <= clock.hz * settings["CLKOP_DIV"] <= 800e6
        assert 10e6 <= ulx3s.REFERENCE_HZ / settings["CLKI_DIV"] <= 400e6


@pytest.mark.parametrize("mhz", MHZS)
def test_a_clock_from_the_pll(mhz: float) -> None:
    clock = ulx3s.BOARD.clock(mhz, "calibrated", 256, DEFAULT_RATE)
    # A byte's last bit ends within a seventh of a bit of its time.
    assert clock.mhz == mhz and 10 * abs(clock.hz / divisor(clock.hz) - BAUD) <= BAUD / 7
    config = live("calibrated", 256, 10, DEFAULT_RATE, clock.hz)
    top = Top(ulx3s.BOARD, clock, config, source="pmod", output="pmod", rate=DEFAULT_RATE)
    plan = ulx3s.platform().prepare(top, "top")
    text = plan.files["top.il"]
    assert text.count("cell \\EHXPLLL") == 1 and dict(re.findall(r"parameter \\(CLK\w+_DIV) (\d+)", text)) == {
        name: str(value) for name, value in ulx3s.PLLS[MHZS.index(mhz)].items()
    }
    assert re.findall(r'FREQUENCY PORT "(.+?)" (.+?) HZ', plan.files["top.lpf"]) == [("clk25_0__io", "25000000.0")]


def slim_array(clock_hz: int, cores: int) -> Array:
    """For six channels."""
    return choose(
        shipped.named("spikey-slim"),
        "spikey-slim",
        channels=6,
        width=10,
        frame_clocks=clock_hz // DEFAULT_RATE,
        room=ulx3s.BOARD.room,
        linked=True,
        cores=cores,
    )


@pytest.mark.parametrize("cores", [1, 3, 4])
def test_an_array_has_the_cores_that_are_asked_for(cores: int) -> None:
    found = slim_array(50_000_000, cores).geometry
    assert (found.cores, found.slots) == (cores, -(-6 // cores))


def test_an_array_for_networks_becomes_a_netlist() -> None:
    clock = ulx3s.BOARD.clock(None, "spikey", 6, DEFAULT_RATE)
    array = slim_array(clock.hz, 2)
    config = live("spikey", 6, 10, DEFAULT_RATE, clock.hz, links=neighbours(6, array.geometry.slots))
    top = Top(ulx3s.BOARD, clock, config, source="pmod", output="pmod", rate=DEFAULT_RATE, array=array)
    assert top.core.frame_least * DEFAULT_RATE <= clock.hz
    plan = ulx3s.platform().prepare(top, "top")
    pins = dict(re.findall(r'LOCATE COMP "(.+?)" SITE "(.+?)";', plan.files["top.lpf"]))
    assert pins == COMMON | SAMPLES | PACKETS | {"uart_0__rx__io": "M1"}
    text = plan.files["top.il"]
    assert text.count('ram_style "distributed"') == 2 and text.count("cell \\EHXPLLL") == 1
