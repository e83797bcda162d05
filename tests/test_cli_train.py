"""`spikey train` and `spikey sweep`: what they leave and say, what they refuse, and how they are interrupted."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from command import Spikey, tree
from experiments import train_and_test, write

from model import cli
from model.formats import wav
from model.spec.parameters import load
from model.training import result as results
from model.training import train as training

ROOT = Path(__file__).resolve().parent.parent
QUICK = {"epochs": 2, "quantise_epochs": 1}
SEARCH = {"training.learning_rate": {"low": 0.001, "high": 0.1}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_and_test(tmp_path_factory.mktemp("data"), seconds=0.1)


@pytest.fixture
def config(here: Path, data: Path) -> Path:
    """A file with one quick experiment, in the working folder."""
    return write(here, data={"directory": str(data)}, training=QUICK, search=SEARCH).relative_to(here)


def run(*arguments: object) -> int:
    return cli.run([str(argument) for argument in arguments])


def test_it_leaves_a_set_that_compress_takes(config: Path, data: Path, spikey: Spikey) -> None:
    said = spikey("train", config)
    folder = Path("runs", "small")
    assert {path.name for path in folder.iterdir()} == {"checkpoint.pt", "parameters.spkp", "result.json"}
    found = json.loads((folder / "result.json").read_text())
    assert found["parameter_set"] == f"{load(folder / 'parameters.spkp').identifier:016x}"
    assert (found["name"], found["epochs"], found["seed"]) == ("small", 2, 0)
    assert set(found["multiply_adds"]) >= {"wavelet", "projector", "predictor", "head", "skip"}
    assert f"{found['size']['ratio_wav']:.4f}" in said
    assert f"{found['quantised_bits']:.4f}" in said
    assert results.read(folder / "result.json").to_json() == (folder / "result.json").read_bytes()
    held = sorted((data / "test").iterdir())
    assert found["size"]["wav_bytes"] == sum(path.stat().st_size for path in held)
    assert found["size"]["samples"] == sum(wav.read(path).samples.size for path in held)
    spikey("compress", data / "test", "-o", "x.spk", "--profile", "spikey", "--parameters", folder / "parameters.spkp")
    spikey("verify", "x.spk", "--against", data / "test")


def test_fields_can_be_changed(config: Path, spikey: Spikey) -> None:
    spikey("train", config, "small", "-o", "there", "--set", "training.seed=3", "--set", "projector.hidden=[5]")
    found = results.read(Path("there", "small", "result.json")).configuration
    assert (found["training"]["seed"], found["projector"]["hidden"]) == (3, [5])


def test_pictures_are_drawn_where_they_are_wanted(config: Path, spikey: Spikey) -> None:
    spikey("train", config, "--set", "output.plots=true")
    assert len(list(Path("runs", "small").glob("*.png"))) == 5
    spikey("train", config, "--set", "output.plots=true", "--no-plots", "-o", "bare")
    assert not list(Path("bare", "small").glob("*.png"))


def test_what_is_there_is_not_replaced_unasked(config: Path, spikey: Spikey, refused: Spikey) -> None:
    spikey("train", config)
    assert "result.json: exists; give --force to replace it" in refused("train", config)
    before = tree(Path("runs"))
    spikey("train", config, "--resume")  # done already
    assert tree(Path("runs")) == before
    said = refused("train", config, "--resume", "--set", "training.seed=1")
    assert "result.json: is of another configuration; remove it, or give --force" in said
    spikey("train", config, "--force", "--set", "training.seed=1")
    assert tree(Path("runs")) != before
    Path("runs", "small", "result.json").write_text("{}")
    assert "result.json: is no result of a run; remove it" in refused("train", config, "--resume")
    Path("runs", "small", "result.json").unlink()
    assert "checkpoint.pt: exists; give --force to begin anew, --resume to go on" in refused("train", config)


def test_an_interrupted_run_says_how_to_go_on(
    config: Path, spikey: Spikey, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spikey("train", config, "-o", "whole")
    learn = training.Run.learn

    def interrupt(run: training.Run) -> None:
        if run.epoch == 1:
            raise KeyboardInterrupt
        learn(run)

    monkeypatch.setattr(training.Run, "learn", interrupt)
    assert run("train", config) == cli.INTERRUPTED
    assert capsys.readouterr().err.endswith(
        "spikey: error: small: interrupted after epoch 1; the same command with --resume goes on from "
        "runs/small/checkpoint.pt\n"
    )
    assert [path.name for path in Path("runs", "small").iterdir()] == ["checkpoint.pt"]
    monkeypatch.setattr(training.Run, "learn", learn)
    spikey("train", config, "small", "--resume")
    both = (Path(folder, "small", "parameters.spkp").read_bytes() for folder in ("whole", "runs"))
    assert next(both) == next(both)


def test_synthetic_recordings_are_announced(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = here / "nothing"
    empty.mkdir()
    monkeypatch.setenv("SPIKEY_RECORDINGS", str(empty))
    config = write(here, training=QUICK, data={"url": "https://example.org/data.zip"})
    assert run("train", config) == 0
    said = capsys.readouterr().err
    assert "small: no recordings were found, synthetic ones are used; name a folder with --set data.directory" in said
    assert "https://example.org/data.zip" in said
    found = results.read(Path("runs", "small", "result.json"))
    assert found.size.samples == 8 * 19531  # half of those made


REFUSED: list[tuple[tuple[str, ...], int, str]] = [
    (("train", "none.yaml"), 1, "none.yaml: No such file or directory; give a YAML file"),
    (("train", "small.yaml", "smal"), 1, "small.yaml: smal: no such experiment; did you mean 'small'?"),
    (("train", "small.yaml", "--set", "training.epoch=3"), 1, "training.epoch: 'epoch' is not a field; did you mean"),
    (("train", "small.yaml", "--set", "training.epochs=many"), 1, "training.epochs: 'many' is not possible; give a"),
    (("train", "small.yaml", "--set", "training.epochs"), 2, "--set: training.epochs: give FIELD=VALUE"),
    (("train", "small.yaml", "--set", "features=[1"), 1, "[1: not YAML; give a number"),
    (("train", "small.yaml", "--set", "data.directory=nowhere"), 1, "data.directory: no WAV files there"),
    (("train", "small.yaml", "--resume", "--force"), 2, "--resume, --force: one goes on, the other begins anew; give"),
    (("train", "small.yaml", "--set", "features=[{kind: cnn, filters: 65}]"), 1, "small: the law has no such network:"),
    (("train", "small.yaml", "-o", "one.wav"), 1, "one.wav: is a file; give a folder"),
    (("train", "published", "Proto_9"), 1, "Proto_9: no such experiment; did you mean 'Proto_"),
    (("train", "shipped", "spikeys"), 1, "shipped.yaml: spikeys: no such experiment; did you mean 'spikey'?"),
    (("sweep", "small.yaml", "--trials", "2", "-o", "one.wav"), 1, "one.wav: is a file; give a folder"),
    (("sweep", "small.yaml", "--trials", "2", "--storage", "one.wav"), 1, "one.wav: is no journal of a sweep, or dam"),
    (("sweep", "small.yaml", "--trials", "2", "--storage", "small.yaml"), 1, "small.yaml: is no journal of a sweep"),
    (("sweep", "small.yaml", "--trials", "2", "--storage", "session"), 1, "session: is a folder; give the name of a"),
    (("sweep", "small.yaml"), 2, "Missing option '--trials'"),
    (("sweep", "small.yaml", "other", "--trials", "2"), 1, "small.yaml: other: no such experiment"),
    (("sweep", "published", "Proto_1", "--trials", "2"), 1, "Proto_1: search: is empty; name fields and what to try"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), REFUSED, ids=[" ".join(row[0]) for row in REFUSED])
def test_what_cannot_be_done_is_said(
    config: Path, refused: Spikey, arguments: tuple[str, ...], code: int, message: str
) -> None:
    assert message in refused(*arguments, code=code)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_missed(config: Path, refused: Spikey) -> None:
    assert "training.device: no GPU was found; give cpu or auto" in refused("train", config, "--device", "cuda")


MISSING = """
import sys
sys.modules[sys.argv[1]] = None
from model import cli
sys.exit(cli.run(sys.argv[2:]))
"""


@pytest.mark.parametrize("missing", ["torch", "optuna", "matplotlib"])
def test_what_is_not_installed_is_named(config: Path, missing: str) -> None:
    line = ["sweep", str(config), "--trials", "1"] if missing == "optuna" else ["train", str(config)]
    line += ["--set", "output.plots=true"] if missing == "matplotlib" else []
    before = tree(Path.cwd())
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", MISSING, missing, *line], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == f"spikey: error: {missing} is not installed; pip install 'spikey[train]'\n"
    assert tree(Path.cwd()) == before


def test_a_sweep_leaves_an_experiment_to_train(config: Path, spikey: Spikey) -> None:
    said = spikey("sweep", config, "--trials", "2")
    assert "best of 2 trials" in said and "training.learning_rate" in said
    assert {path.name for path in Path("runs", "small").iterdir()} == {"best.yaml", "sweep.journal"}
    spikey("train", "runs/small/best.yaml")
    assert Path("runs", "small_best", "parameters.spkp").is_file()


def test_an_interrupted_sweep_says_how_to_go_on(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(run: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training.Run, "learn", interrupt)
    assert run("sweep", config, "--trials", "2") == cli.INTERRUPTED
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "compiling" not in line)
    assert line == "spikey: error: small: interrupted; the same command goes on with runs/small/sweep.journal"
