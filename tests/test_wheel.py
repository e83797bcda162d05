"""A wheel works where there is no checkout: package data inside, read-only, without torch or Amaranth."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

ROUND_TRIP = """
import json, sys
from model import cli
commands = (
    "synth original --channels 2 --seconds 0.3 --seed 7",
    "compress original",
    "decompress original.spk -o restored",
    "verify original.spk --against original",
)
for command in commands:
    assert cli.run(command.split()) == 0, command
print(json.dumps({"cli": cli.__file__, "path": sys.path, "modules": [name.split(".")[0] for name in sys.modules]}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built from a copy of what belongs to it."""
    copy, out = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in ("model", "hw"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), "."]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = out.glob("spikey-*.whl")
    return found


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_it_holds_all_of_the_packages_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {str(p.relative_to(ROOT)) for top in ("model", "hw") for p in (ROOT / top).rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == expected
    spec = ROOT / "model" / "spec"
    data = [
        spec / "BITSTREAM.md",
        *(p for folder in ("parameters", "vectors") for p in (spec / folder).rglob("*") if p.is_file()),
        *(ROOT / "model" / "training").glob("*.yaml"),
        ROOT / "hw" / "budgets.json",
    ]
    assert {str(p.relative_to(ROOT)) for p in data} <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"model", "hw"}


def test_it_round_trips_read_only_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    installed, home = tmp_path / "installed", tmp_path / "home"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(installed)]
    subprocess.run([*command, str(wheel)], check=True)
    home.mkdir()
    for path in (*installed.rglob("*"), installed):
        path.chmod(path.stat().st_mode & ~0o222)
    before = tree(installed)
    assert "bin/spikey" in before and b"model.cli" in before["bin/spikey"]
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *libraries]), "HOME": str(home)}
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        environment.pop(name, None)
    try:
        done = subprocess.run(
            [sys.executable, "-S", "-c", ROUND_TRIP],  # -S: a checkout installed for editing is not on the path either
            cwd=home,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        assert tree(installed) == before  # root may write anywhere: nothing was written there
    finally:
        for folder in (installed, *(p for p in installed.rglob("*") if p.is_dir())):
            folder.chmod(0o755)
    assert Path(found["cli"]).is_relative_to(installed)
    assert str(ROOT) not in found["path"]
    assert not {"torch", "amaranth"} & set(found["modules"])
    assert tree(home / "restored") == tree(home / "original")
    assert len(tree(home / "original")) == 2
