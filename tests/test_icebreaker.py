"""The iCEBreaker's design, as far as a netlist: its pins, its hard blocks, and what it refuses."""

import numpy as np
import pytest

from hw.boards import icebreaker
from model.codec.compressor import encode
from model.spec.config import CodecConfig, ConfigError
from model.spec.operating import DEFAULT_RATE, live

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # of those that refuse


def test_icebreaker_clock() -> None:
    assert icebreaker.CLOCK_HZ == 20_250_000
    assert 533e6 <= icebreaker.CLOCK_HZ << icebreaker.PLL["DIVQ"] <= 1066e6  # the oscillator's range


@pytest.mark.parametrize("source", icebreaker.SOURCES)
@pytest.mark.parametrize("output", icebreaker.OUTPUTS)
def test_icebreaker_becomes_a_netlist(source: str, output: str) -> None:
    top = icebreaker.Top(live("tiny", 256, 10), source=source, output=output, rate=DEFAULT_RATE)
    plan = icebreaker.platform().prepare(top, "top")
    pins = dict(line.split()[1:] for line in plan.files["top.pcf"].splitlines() if line.startswith("set_io"))
    assert len(set(pins.values())) == len(pins)
    common = {"clk12_0__io": "35", "button_0__io": "10", "led_g_0__io": "37", "led_r_0__io": "11"}
    adc = {
        **{f"adc_0__low__io[{bit}]": str(pin) for bit, pin in enumerate((4, 2, 47, 45, 3, 48, 46, 44))},
        **{"adc_0__high__io[0]": "27", "adc_0__high__io[1]": "25"},
        **{"adc_0__strobe__io": "21", "adc_0__mark__io": "19"},
    }
    pmod = {
        **{f"packets_0__data__io[{bit}]": str(pin) for bit, pin in enumerate((43, 38, 34, 31, 42, 36, 32, 28))},
        **{"packets_0__strobe__io": "26", "packets_0__last__io": "23", "packets_0__ready__io": "20"},
    }
    expected = common | (adc if source == "pmod" else {}) | (pmod if output == "pmod" else {"uart_0__tx__io": "9"})
    assert pins == expected
    text = plan.files["top.il"]
    assert text.count("cell \\SB_PLL40_PAD") == 1
    assert text.count("cell \\SB_SPRAM256KA") == 4


@pytest.mark.parametrize(
    ("channels", "width", "rate", "message"),
    [
        (16, 12, DEFAULT_RATE, "width: 12 bits exceed the 10 ADC pins; give at most 10"),
        (1024, 10, 20000, "channels: 1024 at 20000 Hz are more than a sample a clock; give at most 1012"),
    ],
)
def test_icebreaker_refuses(channels: int, width: int, rate: int, message: str) -> None:
    config = CodecConfig(channels=channels, width=width, packet_frames=2)
    with pytest.raises(ConfigError, match=message):
        icebreaker.Top(config, source="pmod", output="pmod", rate=rate)


def test_icebreaker_refuses_packets_that_do_not_fit() -> None:
    assert icebreaker.banks(CodecConfig(channels=256, packet_frames=64), DEFAULT_RATE) == 2
    with pytest.raises(ConfigError, match="channels: two packets of 256 channels exceed the board's memory"):
        icebreaker.banks(CodecConfig(channels=256, packet_frames=65), DEFAULT_RATE)


@pytest.mark.parametrize(("channels", "expected"), [(16, 8), (256, 8), (1024, 2)])
def test_icebreaker_has_no_more_banks_than_keep_the_latency(channels: int, expected: int) -> None:
    assert icebreaker.banks(live("tiny", channels, 10), DEFAULT_RATE) == expected


@pytest.mark.parametrize("channels", [1, 16, 256, 1024])
def test_icebreaker_uart_carries_every_packet(channels: int) -> None:
    config = live("tiny", channels, 10)
    rate = icebreaker.pattern_rate(config, "uart", DEFAULT_RATE)
    size = len(encode(np.random.default_rng(0).integers(0, 1024, (config.packet_frames, channels)), config))
    assert size * rate / config.packet_frames * 10 < icebreaker.CLOCK_HZ / icebreaker.BAUD_DIVISOR
    assert 0 < rate <= DEFAULT_RATE
    assert icebreaker.pattern_rate(config, "pmod", DEFAULT_RATE) == DEFAULT_RATE
