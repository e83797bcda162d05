"""What a build measured and what it may: reading the tools' reports, the worst of all seeds, budgets."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from hw import budgets, build, report
from hw.array import ENDLESS, choose
from hw.ecp5 import Ecp5
from hw.hold import Hold
from hw.ice40 import Ice40
from hw.report import Report, ReportError, Timing, Usage
from model.spec import shipped
from model.spec.profiles import PROFILES

DATA = Path(__file__).parent / "data"  # what the tools wrote, shortened
STAT = (DATA / "yosys-stat.json").read_text()
ICETIME = (DATA / "icetime.txt").read_text()


def nextpnr(achieved: float = 33.758, constraint: float = 20.2527) -> dict[str, Any]:
    document = json.loads((DATA / "nextpnr-report.json").read_text())
    document["fmax"]["clk"] = {"achieved": achieved, "constraint": constraint}
    return document


def utilisation(file: str, text: str) -> Any:
    return report.parse_utilisation(file, text, Ice40.RESOURCES)


# --- reports


def test_figures_from_tool_reports() -> None:
    assert report.parse_flip_flops("stat.json", STAT) == 94
    assert report.parse_utilisation("r.json", json.dumps(nextpnr()), Ice40.RESOURCES) == {
        "logic_cells": Usage(2319, 5280),
        "multipliers": Usage(0, 8),
        "block_rams": Usage(6, 30),
        "single_port_rams": Usage(4, 4),
    }
    speed = report.parse_nextpnr_timing("r.json", json.dumps(nextpnr()), 20.25)
    assert speed == (33.75, "a_LC -> c_LC, 1 logic levels")
    assert report.parse_icetime("r.icetime", ICETIME) == (32.06, "system.enable[1] -> system.beat[2], 4 logic levels")


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (report.parse_flip_flops, "{", r"stat: is not JSON"),
        (report.parse_flip_flops, '{"design": {}}', r"stat: has no 'design\.num_cells_by_type'"),
        (utilisation, '{"utilization": {}}', r"stat: has no 'ICESTORM_LC'"),
        (report.parse_icetime, "icetime: no", r"stat: no 'Total path delay'"),
    ],
)
def test_unknown_reports_are_refused(parse: Any, text: str, message: str) -> None:
    with pytest.raises(ReportError, match=message):
        parse("stat", text)


def test_a_wrong_clock_constraint_is_refused() -> None:
    with pytest.raises(ReportError, match=r"r: clock 'clk' is constrained to 12\.000 MHz, not to 20\.25 MHz"):
        report.parse_nextpnr_timing("r", json.dumps(nextpnr(constraint=12)), 20.25)


def with_reference(achieved: float) -> str:
    """A core at 6 MHz, and the 12 MHz that it is divided from."""
    document = nextpnr(constraint=6)
    document["fmax"]["crystal"] = {"achieved": achieved, "constraint": 12.00005}
    return json.dumps(document)


def test_a_reference_clock_is_not_the_cores() -> None:
    assert report.parse_nextpnr_timing("r", with_reference(250), 6, 12)[0] == 33.75
    assert report.parse_nextpnr_timing("r", with_reference(12.1), 6, 12)[0] == 33.75
    with pytest.raises(ReportError, match=r"r: clock 'crystal' reaches 11\.900 MHz of 12 MHz"):
        report.parse_nextpnr_timing("r", with_reference(11.9), 6, 12)
    with pytest.raises(ReportError, match=r"r: clock 'crystal' is constrained to 12\.000 MHz, not to 6 MHz"):
        report.parse_nextpnr_timing("r", with_reference(250), 6)
    with pytest.raises(ReportError, match="r: 'fmax' names no clock"):
        report.parse_nextpnr_timing("r", json.dumps(nextpnr(constraint=12)), 6, 12)


@pytest.mark.parametrize("key", ["fmax", "critical_paths"])
def test_a_design_without_registers_is_refused(key: str) -> None:
    document = {**nextpnr(), key: {} if key == "fmax" else []}
    with pytest.raises(ReportError, match=f"r: '{key}'"):
        report.parse_nextpnr_timing("r", json.dumps(document), 20.25)


def a_report(*timings: Timing, clocks_per_sample: int = 1) -> Report:
    return Report(
        board="icebreaker",
        device="iCE40UP5K-SG48",
        configuration={"profile": "tiny", "channels": 256, "width": 10, "packet_frames": 8},
        usage={"logic_cells": Usage(2319, 5280)},
        timings=timings,
        clock_mhz=20.25,
        clock_setting="PLL DIVF=53",
        fmax_judges="nextpnr-ice40 and icetime, the smaller",
        fmax_verified=timings[0].icetime_mhz is not None,
        clocks_per_sample=clocks_per_sample,
        latency_clocks=12,
        worst_latency_us=900.5,
        clocks_per_frame=256 * clocks_per_sample,
        tools={"python": "3.11"},
    )


def test_fmax_is_the_worst_of_all_seeds_and_both_tools() -> None:
    made = a_report(Timing(1, 33.0, 31.0, "", ""), Timing(2, 28.5, 30.0, "", ""), Timing(3, 40.0, 29.0, "", ""))
    assert [timing.fmax_mhz for timing in made.timings] == [31.0, 28.5, 29.0]
    assert made.fmax_mhz == 28.5
    document = json.loads(made.to_json())
    assert document["fmax_verified"] is True and document["fmax_judges"].startswith("nextpnr-ice40 and icetime")
    assert document["clock_setting"] == "PLL DIVF=53"
    assert document["fmax_mhz"] == 28.5
    assert document["logic_cells"] == {"used": 2319, "available": 5280}
    assert document["seeds"][1]["icetime_mhz"] == 30.0
    assert document["passed"] is True


def test_paths_into_multipliers_count() -> None:
    made = a_report(Timing(1, 33.0, 31.0, "", "", 27.5), Timing(2, 28.5, 30.0, "", "", 40.0))
    assert made.fmax_mhz == 27.5 and "icetime 31.00, multipliers 27.50" in made.to_table()


def test_the_latest_arrival_at_cells_of_a_kind() -> None:
    ends = [("a_DSP", [3.0, 5.5]), ("b_DSP", [5.75, 2.0]), ("DSP_LC", [9.0, 9.0])]
    nets = [{"net": cell, "endpoints": [{"cell": cell, "delay": delay}]} for cell, delay in ends]
    text = json.dumps({"detailed_net_timings": nets})
    assert report.parse_latest_arrival("x.json", text, "_DSP") == 5.75
    assert report.parse_latest_arrival("x.json", text, "_RAM") is None
    with pytest.raises(ReportError, match=r"x\.json: has no 'detailed_net_timings'"):
        report.parse_latest_arrival("x.json", "{}", "_DSP")


@pytest.mark.parametrize(
    ("fmax", "clocks_per_sample", "channels"), [(30.0, 1, 1036), (19.531, 1, 1000), (19.53, 1, 999), (30.0, 4, 259)]
)
def test_realtime_channels(fmax: float, clocks_per_sample: int, channels: int) -> None:
    made = a_report(Timing(1, fmax, fmax, "", ""), clocks_per_sample=clocks_per_sample)
    assert made.realtime_channels == channels


def test_ends_of_packets_take_their_clocks() -> None:
    made = a_report(Timing(1, 30.0, 30.0, "", ""))
    made.clocks_per_packet = 16
    assert made.realtime_channels == 1034  # 20.25 MHz / 19531 Hz - 16 / 8


ARRAY = choose(
    shipped.named("spikey-slim"), "spikey-slim", channels=8, width=10, frame_clocks=1036, room=ENDLESS, linked=True
)


def with_array(fmax: float) -> Report:
    clocks = ARRAY.program.clocks + Hold.BETWEEN
    made = a_report(Timing(1, fmax, fmax, "", ""))
    shape = {**made.configuration, "profile": "spikey", "channels": 8}
    return dataclasses.replace(made, configuration=shape, array=ARRAY, clocks_per_frame=clocks)


def test_an_array_carries_the_channels_that_it_is_built_for_at_most() -> None:
    assert ARRAY.geometry.slots == 8
    assert with_array(30.0).realtime_channels == 8
    slower = (ARRAY.program.clocks + Hold.BETWEEN - 1) * 19531 / 1e6
    assert with_array(slower).realtime_channels == 7  # a slot less is enough
    assert with_array(0.5).realtime_channels == 0


def test_a_report_tells_the_array() -> None:
    made = with_array(30.0)
    array = json.loads(made.to_json())["array"]
    program = ARRAY.program
    assert (array["set"], array["slots"], array["clocks"]) == ("spikey-slim", 8, program.clocks)
    assert array["multiply_adds"] == program.useful == 242
    assert array["utilisation"] == pytest.approx(242 * 8 / (program.clocks * array["multipliers"]), abs=1e-3)
    table = made.to_table()
    assert f"{program.clocks} clocks" in table and "spikey-slim" in table and f"{program.utilisation:.0%}" in table
    assert made.figures()["clocks_per_frame"] == program.clocks + Hold.BETWEEN
    assert json.loads(a_report(Timing(1, 30.0, 30.0, "", "")).to_json())["array"] is None


def test_latencies_in_a_report() -> None:
    made = a_report(Timing(1, 30.0, 30.0, "", ""))
    assert made.latency_us == 0.6 and "12 clocks, 0.6" in made.to_table()  # at 20.25 MHz
    build.judge(made, "without budget")
    assert made.violations == []
    made.worst_latency_us = 1000.0
    build.judge(made, "without budget")
    assert made.violations == ["worst_latency_us is 1000, must be below 1000"]


def test_the_table_shows_what_went_wrong() -> None:
    made = a_report(Timing(1, 33.0, None, "", None))
    made.violations.append("logic_cells is 9, must be at most 8")
    table = made.to_table()
    assert "unverified" in table and "over budget: logic_cells is 9, must be at most 8" in table
    assert "2319" in table and "5280" in table
    assert "PLL DIVF=53" in table and "nextpnr-ice40 and icetime" in table
    assert json.loads(made.to_json())["passed"] is False


# --- budgets

FIGURES = {"logic_cells": 2000, "fmax_mhz": 25.0}


@pytest.mark.parametrize(
    ("limits", "broken"),
    [
        ({"logic_cells": {"at most": 2000}, "fmax_mhz": {"at least": 25}}, []),
        ({"logic_cells": {"at most": 1999}}, ["logic_cells is 2000, must be at most 1999"]),
        ({"fmax_mhz": {"at least": 25.01}}, ["fmax_mhz is 25, must be at least 25.01"]),
        ({"logic_cells": {"at least": 2001, "at most": 1}}, ["least 2001", "most 1"]),
    ],
)
def test_budget_limits(limits: dict[str, Any], broken: list[str]) -> None:
    violations = budgets.check({"x": limits}, "x", FIGURES)
    assert len(violations) == len(broken)
    assert all(line.endswith(end) for line, end in zip(violations, broken, strict=True))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"logic_cell": {"at most": 1}}, "x: 'logic_cell' is not a figure; did you mean 'logic_cells'"),
        ({"logic_cells": {"atmost": 1}}, "x: logic_cells: 'atmost'; did you mean 'at most'"),
        ({"logic_cells": {"at most": "1"}}, "x: logic_cells: at most '1' is not a number"),
        ({"logic_cells": {"at most": True}}, "is not a number"),
        ({"logic_cells": 7}, "x: logic_cells: give"),
        ({"logic_cells": {}}, "x: logic_cells: give"),
    ],
)
def test_unusable_budgets_are_refused(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(budgets.BudgetError, match=message):
        budgets.check({"x": limits}, "x", FIGURES)


@pytest.mark.parametrize("text", ["{", "[]", '{"x": 1}'])
def test_unreadable_budgets_are_refused(text: str) -> None:
    with pytest.raises(budgets.BudgetError, match=r"budgets\.json: "):
        budgets.load(text)


def test_the_projects_budgets_are_usable() -> None:
    resources = dict.fromkeys([*Ice40.RESOURCES, *Ecp5.RESOURCES, "flip_flops"], 0)
    figures = a_report(Timing(1, 30, 30, "", "")).figures() | resources
    found = budgets.load()
    for key in found:
        board, name, channels, *helped = key.split("/")
        assert board in build.BOARDS and int(channels) > 0 and helped in ([], ["peers"], ["links"])
        assert name in {*PROFILES, *shipped.names()}
        budgets.check(found, key, figures)
    for key in ("icebreaker/tiny/256", "icebreaker/calibrated/1024"):
        assert found[key]["fmax_mhz"]["at least"] >= 20.25
