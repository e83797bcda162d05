"""The `spikey` command says what cannot be done in one line, and leaves everything as it was."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import Spikey, tree
from small_container import calibration, saved

from model import cli
from model.cli import console
from model.formats import disk

ROOT = Path(__file__).resolve().parent.parent

MANY = [
    (("compress", "none.wav"), 1, "none.wav: does not exist"),
    (("compress", "empty"), 1, "empty: has no WAV file"),
    (("compress", "text.wav"), 1, "text.wav: header"),
    (("compress", "folder-with-text"), 1, "text.wav: header"),
    (("compress", "one.wav", "-o", "one.wav"), 1, "one.wav: is the input itself"),
    (("compress", "one.wav", "-o", "one.wav", "--force"), 1, "one.wav: is the input itself"),
    (("compress", "session", "-o", "session/deep/er/FIRST.WAV", "--force"), 1, "is the input itself"),
    (("compress", "one.wav", "-o", "session"), 1, "session: is a folder"),
    (("compress", "one.wav", "-o", "nowhere/x.spk"), 1, "nowhere: this folder does not exist"),
    (("compress", "one.wav", "-o", "text.wav/x.spk"), 1, "text.wav: is a file; give a folder"),
    (("compress", "one.wav", "-o", "text.wav/deep/x.spk"), 1, "text.wav: is a file; give a folder"),
    (("compress", "one.wav", "-o", "/proc/x.spk"), 1, "error: /proc: cannot be written"),
    (("compress", "one.wav", "-o", "pipe", "--force"), 1, "pipe: is no regular file; give another name"),
    (("compress", "pipe"), 1, "pipe: is no regular file; give a file"),
    (("compress", "one.wav", "--profile", "tinny"), 1, "did you mean 'tiny'"),
    (("compress", "one.wav", "--packet-frames", "70000"), 1, "packet_frames: 70000 is out of range"),
    (("compress", "one.wav", "--key-interval", "0"), 1, "key_interval: 0 is out of range"),
    (("compress", "one.wav", "--lanes", "3"), 1, "lanes: 3 is not possible in profile 'calibrated'; it has 1, 2, 4"),
    (("compress", "one.wav", "--profile", "tiny", "--lanes", "2"), 1, "lanes: 2 is not possible in profile 'tiny'"),
    (("compress", "one.wav", "--config", "lanes.yaml"), 1, "lanes.yaml: lanes: 3 is not possible in profile"),
    (("compress", "one.wav", "--config", "words.yaml"), 1, "words.yaml: lanes: 'two' is not possible; give a whole"),
    (
        ("compress", "one.wav", "--config", "number.yaml"),
        1,
        "number.yaml: parameters: 7 is not possible; give the name",
    ),
    (("compress", "one.wav", "--config", "lost.yaml"), 1, "lost.spkp: is not a file; give a parameter set"),
    (("compress", "one.wav", "--parameters", "lost.spkp"), 1, "lost.spkp: is not a file; give a parameter set"),
    (("compress", "one.wav", "--parameters", "pipe"), 1, "pipe: is no regular file; give a file"),
    (("compress", "one.wav", "--parameters", "text.wav"), 1, "text.wav: parameter set: does not begin with 'SPKP'"),
    (("compress", "one.wav", "--parameters", "cut.spkp"), 1, "cut.spkp: parameter set: its CRC-32 does not match"),
    (("compress", "one.wav", "--parameters", "twelve.spkp"), 1, "one.wav: parameter set: calibrates a converter of 12"),
    (
        ("compress", "one.wav", "--parameters", "twelve.spkp", "--profile", "tiny"),
        1,
        "one.wav: parameters: profile 'tiny' has none; leave them out",
    ),
    (("compress", "one.wav", "--config", "none.yaml"), 1, "none.yaml: is not a file; give a YAML file"),
    (("compress", "one.wav", "--config", "session"), 1, "session: is not a file; give a YAML file"),
    (("compress", "one.wav", "--config", "pipe"), 1, "pipe: is not a file; give a YAML file"),
    (("compress", "one.wav", "--config", "other.yaml"), 1, "other.yaml: profile: 'whole' is not known"),
    (("compress", "one.wav", "--config", "frames.yaml"), 1, "frames.yaml: packet_frames: -1 is out of range"),
    (("compress", "one.wav", "--config", "one.wav"), 1, "one.wav: not text"),
    (
        ("compress", "one.wav", "--config", "unknown.yaml"),
        1,
        "unknown.yaml: profil: not a setting; did you mean 'profile'",
    ),
    (("compress", "one.wav", "--config", "wrong.yaml"), 1, "wrong.yaml: live: 'often' is not possible"),
    (("compress", "one.wav", "--config", "group.yaml"), 1, "group.yaml: group: 'some' is not possible"),
    (("compress", "one.wav", "--config", "broken.yaml"), 1, "broken.yaml, line 2: not YAML"),
    (("compress", "one.wav", "--config", "list.yaml"), 1, "list.yaml: not a mapping"),
    (("compress", "one.wav", "--input_file", "one.wav"), 2, "one input"),
    (("compress",), 2, "one input"),
    (("compress", "one.wav", "--group", "some"), 2, "some"),
    (("compress", "one.wav", "--jobs", "0"), 2, "--jobs"),
    (("squash", "one.wav"), 2, "squash"),
    (("decompress", "none.spk"), 1, "none.spk: is not a file"),
    (("decompress", "session"), 1, "session: is not a file"),
    (("decompress", "text.wav"), 1, "text.wav: magic"),
    (("decompress", "good.bin"), 1, "good.bin: its name does not end in '.spk'"),
    (("decompress", "good.bin", "-o", "good.bin", "--force"), 1, "good.bin: is the input itself"),
    (("decompress", "good.bin", "-o", "nowhere/one.wav"), 1, "nowhere"),
    (("decompress", "tree.bin", "-o", "nowhere/deep"), 1, "nowhere"),
    (("decompress", "tree.bin", "-o", "session"), 1, "exists"),
    (("decompress", "tree.bin", "-o", "text.wav"), 1, "text.wav: is a file; give a folder"),
    (("decompress", "tree.bin", "-o", "/proc/x"), 1, "error: /proc: cannot be written"),
    (("decompress", "good.bin", "-o", "pipe", "--force"), 1, "pipe: is no regular file; give another name"),
    (("decompress", "pipe"), 1, "pipe: is no regular file; give a file"),
    (("decompress", "good.bin", "-o", "x.wav", "--rate", "100"), 2, "--rate"),
    (("decompress", "cut.bin", "-o", "x.wav"), 1, "cut.bin: "),
    (("decompress", "good.bin", "-o", "x.wav", "--parameters", "lost.spkp"), 1, "lost.spkp: is not a file"),
    (("decompress", "good.bin", "-o", "x.wav", "--config", "lost.yaml"), 1, "lost.spkp: is not a file"),
    (("info", "good.bin", "--parameters", "cut.spkp"), 1, "cut.spkp: parameter set: its CRC-32 does not match"),
    (("verify", "good.bin", "--parameters", "lost.spkp"), 1, "lost.spkp: is not a file"),
    (("info", "none.spk"), 1, "none.spk: is not a file"),
    (("info", "text.wav"), 1, "text.wav: magic"),
    (("info", "pipe"), 1, "pipe: is no regular file; give a file"),
    (("verify", "none.spk"), 1, "none.spk"),
    (("verify", "text.wav"), 1, "text.wav: magic"),
    (("verify", "cut.bin"), 1, "cut.bin"),
    (("verify", "pipe"), 1, "pipe: is no regular file; give a file"),
    (("verify", "good.bin", "--against", "pipe"), 1, "pipe: is no regular file; give a file"),
    (("verify", "good.bin", "--against", "session"), 1, "session: is a folder, but good.bin holds one file"),
    (("verify", "tree.bin", "--against", "one.wav"), 1, "one.wav: is a file, but tree.bin holds a folder's"),
    (("bench", "empty"), 1, "empty: has no WAV file"),
    (("bench", "session", "--profiles", "tiny,tinny"), 1, "did you mean 'tiny'"),
    (("bench", "pipe"), 1, "pipe: is no regular file; give a file"),
    (("bench", "session", "--json", "text.wav"), 1, "text.wav: exists"),
    (("bench", "session", "--json", "/proc/x.json"), 1, "error: /proc: cannot be written"),
    (("synth", "text.wav"), 1, "text.wav: is a file; give a folder"),
    (("synth", "text.wav/deep"), 1, "text.wav: is a file; give a folder"),
    (("synth", "pipe", "--force"), 1, "pipe: is a file; give a folder"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "words"), MANY, ids=lambda x: "-".join(x) if isinstance(x, tuple) else None
)
def test_what_cannot_be_done_is_said_in_one_line(
    here: Path, originals: Path, refused: Spikey, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (here / "empty").mkdir()
    (here / "folder-with-text").mkdir()
    for name in ("text.wav", "folder-with-text/text.wav"):
        (here / name).write_text("not a recording")
    (here / "unknown.yaml").write_text("profil: tiny\n")
    (here / "wrong.yaml").write_text("live: often\n")
    (here / "group.yaml").write_text("group: some\n")
    (here / "broken.yaml").write_text("profile: tiny\n}\n")
    (here / "list.yaml").write_text("- tiny\n")
    (here / "other.yaml").write_text("profile: whole\n")
    (here / "frames.yaml").write_text("packet_frames: -1\n")
    (here / "lanes.yaml").write_text("lanes: 3\n")
    (here / "words.yaml").write_text("lanes: two\n")
    (here / "number.yaml").write_text("parameters: 7\n")
    (here / "lost.yaml").write_text("parameters: lost.spkp\n")
    saved(here / "twelve.spkp", calibration(12))
    (here / "cut.spkp").write_bytes((here / "twelve.spkp").read_bytes()[:-1])
    os.mkfifo(here / "pipe")
    for name in ("good.bin", "tree.bin"):
        shutil.copy(originals.parent / name, here)
    (here / "cut.bin").write_bytes((here / "good.bin").read_bytes()[:-100])
    assert words in refused(*arguments, code=code)


def test_a_folder_of_originals_never_replaces_a_pipe(here: Path, originals: Path, refused: Spikey) -> None:
    name = next(p.name for p in (here / "session").glob("*.wav"))
    (here / "session" / name).unlink()
    os.mkfifo(here / "session" / name)
    shutil.copy(originals.parent / "tree.bin", here)
    assert "is no regular file; give another name" in refused("decompress", "tree.bin", "-o", "session", "--force")
    assert (here / "session" / name).is_fifo()


@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_a_folder_that_cannot_be_written_is_named_itself(
    here: Path, originals: Path, refused: Spikey, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def denied(dir: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(dir / "hidden"))

    shutil.copy(originals.parent / "good.bin", here)
    monkeypatch.setattr(disk.tempfile, "TemporaryFile", denied)
    said = refused(command, "one.wav" if command == "compress" else "good.bin", "-o", "session/new")
    assert said == "spikey: error: session: cannot be written: Permission denied; give another folder\n"


def test_the_bare_command_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("Usage: spikey") and err.count("\n") > 10 and "error" not in err


def test_a_full_disk_is_said_in_one_line(here: Path) -> None:
    before = tree(here)
    done = subprocess.run(
        [sys.executable, "-m", "model.cli", "compress", "session"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("spikey: error: ") and done.stderr.count("\n") == 1
    assert tree(here) == before


def test_help_is_quick_because_it_loads_nothing_heavy() -> None:
    code = "import sys; from model import cli; print(cli.run(['--help'])); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert done.stdout.startswith("Usage: spikey") and done.stdout.endswith("\n0\n")
    assert not {"numpy", "numba", "rich", "torch", "amaranth"} & set(done.stderr.split())


def test_compilation_is_announced_when_it_happens(here: Path) -> None:
    """Encoding is compiled by the first command, decoding by the second; the third finds both."""
    said = []
    for command in ("compress one.wav --profile tiny --no-verify", *["decompress one.wav.spk --force"] * 2):
        done = subprocess.run(
            [sys.executable, "-m", "model.cli", *command.split()],
            env={**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(here / "cache")},
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(done.stderr)
    assert said == [console.COMPILING + "\n", console.COMPILING + "\n", ""]


def test_a_cache_that_cannot_be_made_is_said_in_one_line(here: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "model.cli", "compress", "one.wav"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(here / "one.wav")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "set NUMBA_CACHE_DIR" in done.stderr and "Traceback" not in done.stderr
