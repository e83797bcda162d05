"""Arithmetic of power on made-up netlists, what the tools say, and the command from recordings to figures."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw import asic, power
from hw.asic import AsicError
from hw.netlist import Activity, Netlist, parse
from hw.tools import ToolError
from model.recordings import synthesise
from scripts import power as command
from verif import toolchain

needs_sta = pytest.mark.skipif(shutil.which(asic.STA) is None, reason=f"needs {asic.STA_PACKAGE}")


def cell(kind: str, inputs: dict[str, list[Any]], outputs: dict[str, list[Any]], **parameters: str) -> dict[str, Any]:
    directions = dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output")
    return {
        "type": kind,
        "parameters": parameters,
        "attributes": {},
        "port_directions": directions,
        "connections": inputs | outputs,
    }


def netlist(inputs: dict[str, list[Any]], outputs: dict[str, list[Any]], **cells: dict[str, Any]) -> str:
    ports = {name: {"direction": "input", "bits": bits} for name, bits in inputs.items()}
    ports |= {name: {"direction": "output", "bits": bits} for name, bits in outputs.items()}
    return json.dumps({"modules": {"core": {"ports": ports, "cells": cells, "netnames": {}}}})


def activity(toggles: dict[int, float], together: dict[str, float] | None = None) -> Activity:
    return Activity(100, toggles, {bit: 0.5 for bit in toggles}, together or {})


# --- iCE40UP5K


def ice40() -> Netlist:
    """Three logic cells: a LUT with its flip-flop, a LUT that also leaves, its flip-flop; a multiplier, a RAM."""
    return parse(
        netlist(
            {"clk": [2], "i": [3]},
            {"o": [5]},
            packed=cell("SB_LUT4", {"I0": [3], "I1": ["0"], "I2": ["0"], "I3": ["0"]}, {"O": [4]}),
            flip_flop=cell("SB_DFFE", {"C": [2], "D": [4], "E": [3]}, {"Q": [5]}),
            apart=cell("SB_LUT4", {"I0": [5], "I1": ["0"], "I2": ["0"], "I3": ["0"]}, {"O": [6]}),
            other=cell("SB_DFF", {"C": [2], "D": [6]}, {"Q": [7]}),
            user=cell("SB_MAC16", {"CLK": [2], "A": [6, 7]}, {"O": [8, 9, 10, 11, 12]}),
            carry=cell("SB_CARRY", {"I0": [5], "I1": [6], "CI": ["0"]}, {"CO": [13]}),
            ram=cell(
                "SB_RAM40_4K", {"RE": ["1"], "RCLKE": ["1"], "WE": ["1"], "WCLKE": [7], "MASK": [13]}, {"RDATA": [14]}
            ),
        ),
        "core",
    )


def test_a_lut_with_its_flip_flop_is_one_cell() -> None:
    assert sorted(power.cell_outputs(ice40())) == [5, 6, 7]


def test_an_estimate_by_hand() -> None:
    found = power.estimate(ice40(), activity({5: 0.2, 6: 0.3, 7: 0.1}, {"user": 0.25}), 10)
    assert (found.cells, found.flip_flops, found.multipliers, found.multiplying) == (3, 2, 1, 0.25)
    assert found.toggles == pytest.approx(0.2)
    assert found.static == pytest.approx(86e-6 * 1.2 * 1e3) and found.clock == pytest.approx(44e-6 * 10 * 1.2 * 1e3)
    assert found.logic.low == pytest.approx(0.012 * 14 * 0.2 * 3 * 10 * 1.2e-3)
    assert found.logic.high == pytest.approx(0.16 / 0.325 * 0.2 * 3 * 10 * 1.2e-3)
    assert found.hard.low == found.hard.middle == pytest.approx(found.hard.high / 4)
    assert found.hard.high == pytest.approx(19 * 10 * 1.2e-3)
    total = found.total
    assert total.low == pytest.approx(found.static + found.clock + found.logic.low + found.hard.low)
    assert total.low < total.middle < total.high


def test_a_cell_that_never_toggles_draws_nothing() -> None:
    assert power.cell_current(0) == power.Range(0, 0, 0)


def test_the_model_gives_back_what_it_was_made_from() -> None:
    for point, bound in ((power.COUNTER, "low"), (power.BUSY, "high")):
        found = power.cell_current(point.toggles)
        assert found.middle == pytest.approx(point.cell_ua_per_mhz) == getattr(found, bound)
    for toggles in np.linspace(0, 1, 101):
        found = power.cell_current(float(toggles))
        assert found.low <= found.middle <= found.high


def test_use_of_block_rams() -> None:
    block, single = power.memories(ice40(), activity({7: 0.1}))
    assert block == power.Memories("block RAM", 1, 1.0, 0.5)
    assert single == power.Memories("single-port RAM", 0, 0, 0)


# --- standard cells

LIBRARY = """
library (mini) {
  delay_model : table_lookup;
  time_unit : "1ns"; voltage_unit : "1V"; current_unit : "1uA"; pulling_resistance_unit : "1kohm";
  leakage_power_unit : "1nW"; capacitive_load_unit (1, pf); nom_voltage : 2.0;
  input_threshold_pct_rise : 50; input_threshold_pct_fall : 50;
  output_threshold_pct_rise : 50; output_threshold_pct_fall : 50;
  slew_lower_threshold_pct_rise : 20; slew_lower_threshold_pct_fall : 20;
  slew_upper_threshold_pct_rise : 80; slew_upper_threshold_pct_fall : 80;
  operating_conditions (typical) { process : 1; voltage : 2.0; temperature : 25; }
  default_operating_conditions : typical;
  power_lut_template (energy) { variable_1 : input_transition_time; index_1 ("0, 1"); }
  /* cell (NONE) { area : 7; } */
  cell (INV) {
    area : 3; cell_leakage_power : 5;
    pin (A) { direction : input; capacitance : 0.01; }
    pin (Y) {
      direction : output; function : "!A";
      internal_power () {
        related_pin : "A"; rise_power (energy) { values ("0.3, 0.3"); } fall_power (energy) { values ("0.1, 0.1"); }
      }
      timing () {
        related_pin : "A"; timing_sense : negative_unate;
        cell_rise (scalar) { values ("1.0"); } cell_fall (scalar) { values ("1.0"); }
        rise_transition (scalar) { values ("0.1"); } fall_transition (scalar) { values ("0.1"); }
      }
    }
  }
  cell ("DFF") {
    area : 11; cell_leakage_power : 7;
    ff (IQ, IQN) { next_state : "D"; clocked_on : "CLK"; }
    pin (CLK) {
      direction : input; capacitance : 0.02; clock : true;
      internal_power () { rise_power (energy) { values ("0.5, 0.5"); } fall_power (energy) { values ("0.7, 0.7"); } }
    }
    pin (D) {
      direction : input; capacitance : 0.03;
      timing () {
        related_pin : "CLK"; timing_type : setup_rising;
        rise_constraint (scalar) { values ("0.5"); } fall_constraint (scalar) { values ("0.5"); }
      }
    }
    pin (Q) {
      direction : output; function : "IQ";
      timing () {
        related_pin : "CLK"; timing_type : rising_edge;
        cell_rise (scalar) { values ("2.0"); } cell_fall (scalar) { values ("2.0"); }
        rise_transition (scalar) { values ("0.1"); } fall_transition (scalar) { values ("0.1"); }
      }
    }
  }
}
"""


def mapped() -> str:
    """Two flip-flops, an inverter between them and one behind the input, and a memory of 4 words of 2 bits."""
    memory = {"WIDTH": f"{2:b}", "SIZE": f"{4:b}", "RD_PORTS": "1", "WR_PORTS": "1"}
    return netlist(
        {"clk": [2], "i": [3]},
        {"o": [7]},
        input=cell("INV", {"A": [3]}, {"Y": [4]}),
        first=cell("DFF", {"CLK": [2], "D": [4]}, {"Q": [5]}),
        between=cell("INV", {"A": [5]}, {"Y": [6]}),
        second=cell("DFF", {"CLK": [2], "D": [6]}, {"Q": [7]}),
        memory=cell(
            asic.MEMORY,
            {"RD_ADDR": [5, "0"], "RD_EN": ["1"], "WR_EN": [6, 7], "WR_DATA": [5, "1"], "WR_CLK": [2], "RD_CLK": [2]},
            {"RD_DATA": [8, 9]},
            **memory,
        ),
    )


TOGGLES = {3: 0.5, 4: 0.5, 5: 0.25, 6: 0.25, 7: 0.125, 8: 0.0, 9: 0.0}


@needs_sta
def test_what_opensta_reports_is_what_was_set(tmp_path: Path) -> None:
    found = asic.analyse(mapped(), activity(TOGGLES), LIBRARY, tmp_path, top="core", clock_mhz=10)
    assert (found.cells, found.flip_flops, found.area) == (4, 2, 28)
    assert found.toggles == pytest.approx((0.5 + 0.25 + 0.25 + 0.125) / 4)
    assert found.timing.ns == pytest.approx(2.0 + 1.0 + 0.5, abs=1e-3)
    # Picojoules at 10 MHz, by hand: an inverter's (0.3 + 0.1) / 2 a toggle; a clock pin's 0.5 + 0.7 a clock.
    assert found.power.internal == pytest.approx(((0.5 + 0.25) * 0.2 + 2 * 1.2) * 1e-12 * 1e7, rel=1e-4)
    # Half of C V squared a toggle; the loads are a D each behind the inverters, and an A behind the first flip-flop.
    charges = 0.5 * 0.03 + 0.25 * 0.01 + 0.25 * 0.03
    assert found.power.switching == pytest.approx(charges * 1e-12 * 2**2 / 2 * 1e7, rel=1e-4)
    assert found.power.leakage == pytest.approx((2 * 5 + 2 * 7) * 1e-9, rel=1e-4)
    assert found.power.clock_pins == pytest.approx(2 * 0.02e-12 * 2**2 * 1e7)
    assert found.memories == [asic.Memory("memory", 4, 2, 1.0, 0.5)] and found.memories[0].bits == 8


def test_a_liberty_file() -> None:
    assert asic.areas(LIBRARY) == {"INV": 3, "DFF": 11}
    assert asic.voltage(LIBRARY) == 2
    cells = asic.clocked(parse(mapped(), "core"))
    assert [cell.name for cell in cells] == ["first", "second"]
    assert asic.clock_capacitance(LIBRARY, cells, 2) == pytest.approx(0.04e-12)
    assert asic.clock_capacitance(LIBRARY.replace("1, pf", "10,ff"), cells, 2) == pytest.approx(0.4e-15)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no cell with an area"), (LIBRARY.replace("nom_voltage", "voltage"), "no nom_voltage")],
)
def test_an_unusable_liberty_file_is_refused(text: str, message: str) -> None:
    with pytest.raises(AsicError, match=message):
        asic.areas(text)
        asic.voltage(text)


def test_a_clock_pin_without_capacitance_is_refused() -> None:
    cells = asic.clocked(parse(mapped(), "core"))
    with pytest.raises(AsicError, match="DFF: the Liberty file gives no capacitance of CLK"):
        asic.clock_capacitance(LIBRARY.replace("capacitance : 0.02", "load : 0.02").replace("0.03", ""), cells, 2)


def test_memories_become_ports() -> None:
    found = asic.without_memories(mapped(), "core")
    assert list(found["cells"]) == ["u0", "u1", "u2", "u3"]
    ports = {name: (port["direction"], port["bits"]) for name, port in found["ports"].items()}
    assert ports["memory_4_rd_data"] == ("input", [8, 9])
    assert ports["memory_4_rd_addr"] == ("output", [5]) and "memory_4_wr_clk" not in ports
    guards = asic.guarded(found, asic.clocked(parse(mapped(), "core"))[0])
    cells = {name: cell for name, cell in guards["cells"].items() if name.startswith(asic.GUARD)}
    assert [cell["connections"]["Q"] for cell in cells.values()] == [[3], [8], [9]]
    assert [cell["connections"]["D"] for cell in cells.values()] == [[10], [11], [12]]
    assert guards["ports"]["i"]["bits"] == [10] and guards["ports"]["clk"]["bits"] == [2]


def test_opensta_2_0_adds_what_others_take_the_mean_of() -> None:
    text = "all 9.0 4.0 2.0\nguard 1.0 0.5 0.25\nguard 2.0 0.5 0.25\n"
    assert asic.parse_power(text, "2.0.17") == (3.0, 3.0, 1.5)
    assert asic.parse_power(text, "2.6.0") == (6.0, 3.0, 1.5)
    with pytest.raises(AsicError, match="design_power"):
        asic.parse_power("guard 1 1 1", "2.0.17")


def test_the_longest_path_is_what_slack_leaves() -> None:
    text = "Startpoint: u1 (rising\nEndpoint: u2 (rising\n   93.5   slack (MET)\n"
    found = asic.parse_timing(text, 10)
    assert found == asic.Timing(6.5, "u1 -> u2") and found.mhz == pytest.approx(1e3 / 6.5)
    with pytest.raises(AsicError, match="reports no path"):
        asic.parse_timing("No paths found.", 10)


# --- the command


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        command.main(arguments)
    return f"{stopped.value.code} {capsys.readouterr().err}"


def test_what_is_missing_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asic, "DEFAULT_LIBRARY", Path("/nowhere/x.lib"))
    assert "/nowhere/x.lib: not found; apt-get install qflow-tech-osu018, or give --liberty" in refused(capsys)
    assert "--liberty: 'none.lib' is not a file" in refused(capsys, "--liberty", "none.lib")
    monkeypatch.setattr(asic, "STA", "no-such-sta")
    assert "no-such-sta: not found; apt-get install opensta" in refused(capsys, "--liberty", __file__)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--profile", "huge"], "--profile: 'huge'; give one of calibrated, tiny"),
        (["--channels", "7"], "--channels, --clock: give both"),
        (["--clock", "5"], "--channels, --clock: give both"),
        (["--page", "x.md", "--profile", "tiny"], "--page: takes all builds"),
    ],
)
def test_a_choice_that_is_none_is_refused(
    arguments: Sequence[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(capsys, *arguments)


def test_energy_of_a_sample() -> None:
    assert command.Build("tiny", 100, 2_000_000, rate=10_000).nanojoules(3.0) == pytest.approx(3.0)


def test_the_page_has_a_place_for_every_table() -> None:
    page = (toolchain.ROOT / "docs" / "power.md").read_text()
    assert page.count("<!-- table: ") == page.count("<!-- end -->") == len(command.TABLES)
    for name in command.TABLES:
        assert page.count(f"<!-- table: {name} -->\n") == 1


@pytest.mark.slow
@needs_sta
@pytest.mark.skipif(not asic.DEFAULT_LIBRARY.is_file(), reason=f"needs {asic.DEFAULT_PACKAGE}")
def test_from_recordings_to_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    synthesise(tmp_path / "recordings", channels=2, seconds=0.1, seed=1)
    out = tmp_path / "power.json"
    command.main(
        [str(tmp_path / "recordings"), *("--profile", "tiny", "--channels", "4", "--clock", "1", "--json", str(out))]
    )
    (found,) = json.loads(out.read_text())["builds"]
    ice40, mapped = found["ice40"], found["asic"]
    assert 0 < ice40["toggles"] < 0.5 and ice40["cells"] > ice40["flip_flops"] > 500
    assert 0 < ice40["total_mw"]["low"] <= ice40["total_mw"]["middle"] < ice40["total_mw"]["high"] < 2
    assert mapped["cells"] > mapped["flip_flops"] > 500 and 10 < 1e3 / mapped["timing"]["ns"] < 1000
    pairs = 4 / (1_000_000 // 19531) / 2  # a clock, written in plain form
    writes = {memory["name"]: memory["writes"] for memory in mapped["memories"]}
    assert any(value == pytest.approx(pairs, rel=0.02) for value in writes.values())
    assert "iCE40UP5K" in capsys.readouterr().out


class Silent:
    """Stands for a netlist from which nothing comes."""

    def __init__(self, *_: object) -> None:
        names = ("rst", "enable", "m_axis_tready", "s_axis_tdata", "s_axis_tvalid", "s_axis_tuser")
        self.netlist = Netlist({name: [2] for name in names}, {}, [])

    def play(self, words: np.ndarray, *, count: bool = True) -> np.ndarray:
        """Nothing."""
        return np.zeros(len(words), np.uint64)


@pytest.mark.parametrize("expected", [b"", b"other"])
def test_bytes_that_are_not_the_codecs_are_refused(expected: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    build = command.Build("tiny", 4, 1_000_000)
    monkeypatch.setattr(command, "Watched", Silent)
    monkeypatch.setattr(command, "encode", lambda *a, **k: expected)
    codes = np.zeros((command.SKIPPED + 5, 4), np.uint16)
    if expected:
        with pytest.raises(command.PowerError, match="bytes are not the codec's"):
            command.watch(build, command.ICE40, codes)
    else:
        command.watch(build, command.ICE40, codes)


def test_a_tool_that_fails_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.tcl").write_text("exit")
    if shutil.which(asic.STA) is None:
        with pytest.raises(AsicError):
            asic.sta(tmp_path, "x", "exit")
    else:
        with pytest.raises((AsicError, ToolError), match="sta"):
            asic.sta(tmp_path, "x", "read_liberty none.lib\n")
