"""cocotb on Verilator: protocol, faults and timing, one build for each design.

A cocotb test that fails fails here, and so does a module that ran no test.
"""

import contextlib
from pathlib import Path

import pytest
from amaranth.back import verilog
from cocotb_tools.runner import get_results, get_runner

from hw.geometry import Geometry
from model.spec.config import CodecConfig
from tests.networks import some_links
from verif import toolchain
from verif.design import VARIABLE, Design

DESIGNS = {
    "dense": Design(CodecConfig(channels=16, width=10, packet_frames=8, key_interval=3)),
    "spaced": Design(CodecConfig(channels=2, width=16, packet_frames=5, key_interval=4), frame_clocks=40),
    "four_lanes": Design(CodecConfig("calibrated", 16, 10, packet_frames=8, key_interval=3, lanes=4), banks=4),
    "two_lanes": Design(CodecConfig("calibrated", 2, 8, packet_frames=5, key_interval=4, lanes=2), frame_clocks=40),
    "one_lane": Design(CodecConfig("calibrated", 4, 9, packet_frames=8, key_interval=3)),
    "partners": Design(
        CodecConfig("spikey", 4, 10, packet_frames=8, key_interval=3, links=some_links(1, 4, 3)),
        geometry=Geometry(4, 1, 4, 128, 128, 64, 16),
        named="few",
    ),
    "two_cores": Design(
        CodecConfig("spikey", 2, 8, packet_frames=5, key_interval=4),
        frame_clocks=200,
        geometry=Geometry(4, 2, 1, 64, 64, 64, 4),
        codes=(4, 16),
        named="huffman",
    ),
}
EVERY = ("bench_parity", "bench_timing", "bench_reset", "bench_fault")  # on every design
DENSE = (*EVERY, "bench_frame", "bench_packet")  # where frames follow each other
SPACED = (*EVERY, "bench_spaced")  # where their rate is known
MODULES = {
    "dense": DENSE,
    "spaced": SPACED,
    "four_lanes": (*DENSE, "bench_parameters", "bench_haste", "bench_corner"),
    "two_lanes": (*SPACED, "bench_parameters", "bench_haste"),
    "one_lane": (*EVERY, "bench_parameters", "bench_haste", "bench_corner"),
    "partners": (*DENSE, "bench_parameters", "bench_haste"),
    "two_cores": (*SPACED, "bench_parameters", "bench_haste"),
}
QUICK = {("four_lanes", "bench_fault")}


def cases() -> list:
    """Every module on its designs; those of parameterised profiles slow, but for some."""
    out = []
    for name, modules in MODULES.items():
        for module in modules:
            slow = DESIGNS[name].parameters is not None and (name, module) not in QUICK
            out.append(pytest.param(name, module, marks=[pytest.mark.slow] if slow else []))
    return out


def build(design: Design) -> Path:
    """The folder with the Verilator build of `design`."""

    def make(folder: Path) -> None:
        (folder / "core.v").write_text(verilog.convert(design.core(), name=toolchain.TOP, emit_src=False))
        get_runner("verilator").build(
            sources=[folder / "core.v"],
            hdl_toplevel=toolchain.TOP,
            build_dir=folder,
            build_args=["-Wno-fatal"],
            log_file=folder / "build.log",
        )

    return toolchain.cached(
        "verilator", toolchain.netlist(design.core()), b"", ("verilator", "cocotb", "amaranth"), make
    )


@pytest.mark.parametrize(("name", "module"), cases())
def test_bench(name: str, module: str, tmp_path: Path) -> None:
    design = DESIGNS[name]
    folder = build(design)
    results, log = tmp_path / "results.xml", tmp_path / "simulation.log"
    with contextlib.suppress(SystemExit):  # the runner's way to say that a test failed or that there are no results
        get_runner("verilator").test(
            test_module=f"verif.{module}",
            hdl_toplevel=toolchain.TOP,
            hdl_toplevel_lang="verilog",
            build_dir=folder,
            test_dir=tmp_path,
            results_xml=str(results),
            log_file=log,
            extra_env={VARIABLE: design.to_json(), "PYTHONPATH": str(toolchain.ROOT)},
        )
    assert results.exists(), f"the simulator died:\n{log.read_text()[-4000:]}"
    tests, failed = get_results(results)
    assert tests > 0, f"{module} holds no test"
    assert failed == 0, f"{failed} of {tests} tests failed:\n{failures(log)}"


def failures(log: Path) -> str:
    """The part of a simulation's log that says what failed."""
    lines = log.read_text().splitlines()
    wanted = [line for line in lines if "FAIL" in line or "Error" in line or "random seed" in line]
    return "\n".join(line[:600] for line in wanted[-60:])
