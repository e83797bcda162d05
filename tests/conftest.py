"""Running the `spikey` command in tests, in a folder of its own with recordings in it."""

import shutil
from pathlib import Path

import pytest
from command import Spikey, tree

from model import cli
from model.cli import console
from model.recordings import synthesise


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four synthetic recordings in a tree; beside it one file compressed, `good.bin`, and all of them, `tree.bin`."""
    folder = tmp_path_factory.mktemp("originals") / "session"
    synthesise(folder, channels=4, seconds=0.6, seed=3)
    (folder / "deep" / "er").mkdir(parents=True)
    first, second, *_ = sorted(folder.glob("*.wav"))
    first.rename(folder / "deep" / "er" / "FIRST.WAV")
    second.rename(folder / "deep" / second.name)
    for path, out in ((folder / "deep" / "er" / "FIRST.WAV", "good.bin"), (folder, "tree.bin")):
        assert cli.run(["compress", str(path), "-o", str(folder.parent / out)]) == 0
    return folder


@pytest.fixture
def here(tmp_path: Path, originals: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with `session` in it."""
    shutil.copytree(originals, tmp_path / "session")
    shutil.copy(originals / "deep" / "er" / "FIRST.WAV", tmp_path / "one.wav")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def spikey(capsys: pytest.CaptureFixture[str]) -> Spikey:
    """Run a command that must succeed; gives what it printed."""

    def call(*arguments: object) -> str:
        code = cli.run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    return call


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], here: Path) -> Spikey:
    """Run a command that must fail and leave everything as it was; gives its one line."""

    def call(*arguments: object, code: int = 1) -> str:
        before = tree(here)
        assert cli.run([str(argument) for argument in arguments]) == code
        out, err = capsys.readouterr()
        assert out == ""
        err = err.replace(console.COMPILING + "\n", "")
        assert err.lstrip("\n").startswith("spikey: error: ") and err.strip("\n").count("\n") == 0
        assert tree(here) == before
        return err

    return call
