"""The `spikey` command with the profile `calibrated`: its default, its parameter sets, lanes and peers."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Spikey, tree
from small_container import calibration, saved, uncalibrated

from model import cli
from model.codec.compressor import encode
from model.formats import wav
from model.formats.codes import LATTICE
from model.spec import shipped
from model.spec.config import CodecConfig


def info(spikey: Spikey, path: str, *options: str) -> dict[str, Any]:
    return json.loads(spikey("info", path, "--json", *options))


def test_the_default_is_calibrated_with_the_shipped_set_and_peers(here: Path, spikey: Spikey) -> None:
    spikey("compress", "session")
    found = info(spikey, "session.spk")
    shown = {key: found["streams"][0][key] for key in ("profile", "lanes", "peers", "parameter_set", "set_is")}
    assert shown == {
        "profile": "calibrated",
        "lanes": 1,
        "peers": 1,
        "parameter_set": f"{shipped.default('calibrated').identifier:016x}",  # their edges are not the public ones
        "set_is": "shipped",
    }
    assert found["ledger"]["peer_tables"] == 2 * found["ledger"]["key_packets"]
    text = spikey("info", "session.spk")
    assert "calibrated" in text and "shipped" in text
    spikey("compress", "session", "--profile", "tiny", "--force")
    tiny = info(spikey, "session.spk")["streams"][0]
    assert (tiny["profile"], tiny["lanes"], tiny["peers"], tiny["parameter_set"], tiny["set_is"]) == (
        "tiny", 1, 0, None, None,
    )  # fmt: skip
    spikey("compress", "session", "--group", "none", "--force")
    assert [stream["peers"] for stream in info(spikey, "session.spk")["streams"]] == [0] * 4


@pytest.mark.parametrize("width", [12, 14])
def test_other_converters_work_with_even_edges(here: Path, spikey: Spikey, width: int) -> None:
    spikey("synth", "wide", "--channels", 4, "--seconds", 0.5, "--width", width)
    spikey("compress", "wide")
    streams = info(spikey, "wide.spk")["streams"]
    even = f"{shipped.default('calibrated').identifier:016x}"
    assert {(s["profile"], s["set_is"], s["parameter_set"]) for s in streams} == {("calibrated", "shipped", even)}
    assert max(stream["width"] for stream in streams) <= width
    spikey("decompress", "wide.spk", "-o", "back")
    assert tree(here / "back") == tree(here / "wide")


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_lanes(here: Path, spikey: Spikey, lanes: int) -> None:
    (here / "c.yaml").write_text(f"lanes: {lanes}\ngroup: all\n")
    spikey("compress", "session", "--lanes", lanes, "--group", "all", "-o", "typed.spk")
    spikey("compress", "session", "--config", "c.yaml", "-o", "file.spk")
    assert (here / "typed.spk").read_bytes() == (here / "file.spk").read_bytes()
    found = info(spikey, "typed.spk")
    assert [stream["lanes"] for stream in found["streams"]] == [lanes]
    assert (found["ledger"]["lane_lengths"] > 0) == (lanes > 1)


@pytest.mark.parametrize("how", ["typed", "file"])
def test_a_users_set_travels_with_the_container(here: Path, spikey: Spikey, how: str) -> None:
    (here / "sets").mkdir()
    own = calibration(10)
    saved(here / "sets" / "own.spkp", own)
    (here / "sets" / "c.yaml").write_text("parameters: own.spkp\n")
    options = ("--parameters", "sets/own.spkp") if how == "typed" else ("--config", "sets/c.yaml")
    spikey("compress", "session", *options)
    shutil.rmtree(here / "sets")
    found = info(spikey, "session.spk")
    assert {(s["parameter_set"], s["set_is"]) for s in found["streams"]} == {(f"{own.identifier:016x}", "embedded")}
    spikey("verify", "session.spk", "--against", "session")
    spikey("decompress", "session.spk", "-o", "back")
    assert tree(here / "back") == tree(here / "session")


@pytest.mark.parametrize("how", ["typed", "file"])
def test_a_shipped_set_goes_by_its_name(here: Path, spikey: Spikey, refused: Spikey, how: str) -> None:
    (here / "sets").mkdir()
    (here / "sets" / "c.yaml").write_text("parameters: spikey-slim\n")
    options = ("--parameters", "spikey-slim") if how == "typed" else ("--config", "sets/c.yaml")
    spikey("compress", "session", "--profile", "spikey", *options)
    wanted = f"{shipped.named('spikey-slim').identifier:016x}"
    found = info(spikey, "session.spk")
    assert {(s["parameter_set"], s["set_is"]) for s in found["streams"]} == {(wanted, "shipped")}
    said = refused("compress", "session", "--profile", "full", "-o", "other.spk", *options)
    assert "spikey-slim: parameters: is for profile 'spikey'; give --profile spikey, or a set for 'full'" in said


def test_a_set_that_was_left_out_is_asked_for(here: Path, spikey: Spikey, refused: Spikey) -> None:
    own, other = uncalibrated(), uncalibrated(seed=1)
    for name, parameters in (("own.spkp", own), ("other.spkp", other)):
        saved(here / name, parameters)
    (here / "c.yaml").write_text("parameters: own.spkp\n")
    spikey("compress", "session", "--parameters", "own.spkp", "-o", "with.spk")
    spikey("compress", "session", "--parameters", "own.spkp", "--no-embed")
    assert (here / "session.spk").stat().st_size < (here / "with.spk").stat().st_size - 100
    name = f"{own.identifier:016x}"
    for command in (
        ("verify",),
        ("decompress", "-o", "back"),
        ("decompress", "-o", "back", "--parameters", "other.spkp"),
    ):
        said = refused(command[0], "session.spk", *command[1:])
        assert said.startswith(f"spikey: error: session.spk: packet: needs the parameter set {name}")
        assert said.endswith("give its file with --parameters\n")
    assert [
        info(spikey, "session.spk", *more)["streams"][0]["set_is"] for more in ((), ("--parameters", "own.spkp"))
    ] == [
        "missing",
        "given",
    ]
    both = ("--parameters", "other.spkp", "--parameters", "own.spkp")
    spikey("verify", "session.spk", "--against", "session", *both)
    spikey("decompress", "session.spk", "-o", "back", *both)
    spikey("decompress", "session.spk", "-o", "again", "--config", "c.yaml")
    assert tree(here / "back") == tree(here / "again") == tree(here / "session")


def test_a_capture_and_its_set(here: Path, spikey: Spikey, refused: Spikey, capsys: pytest.CaptureFixture[str]) -> None:
    own = calibration(10)
    saved(here / "own.spkp", own)
    frames = 512 + np.cumsum(np.random.default_rng(8).integers(-3, 4, (1000, 3)), axis=0).clip(-512, 511)
    config = CodecConfig("calibrated", 3, 10, packet_frames=100, key_interval=2, lanes=2, peers=(0, 1, 0))
    (here / "link.spk").write_bytes(encode(frames.astype(np.uint16), config, parameters=own))
    assert f"link.spk: packet: needs the parameter set {own.identifier:016x}" in refused("decompress", "link.spk")
    spikey("decompress", "link.spk", "--parameters", "own.spkp", "--jobs", 3)
    np.testing.assert_array_equal(wav.read(here / "link.wav").samples, LATTICE[frames])
    shown = info(spikey, "link.spk")["streams"][0]
    assert (shown["lanes"], shown["peers"], shown["set_is"]) == (2, 1, "missing")
    assert cli.run(["info", "link.spk", "--parameters", "own.spkp"]) == 0
    assert "given" in capsys.readouterr().out


@pytest.mark.parametrize("profile", ["tiny", "calibrated"])
def test_bytes_do_not_depend_on_jobs(here: Path, spikey: Spikey, profile: str) -> None:
    """One stream of several key packets, and several streams."""
    for group in ("all", "none"):
        options = ("--profile", profile, "--group", group, "--packet-frames", 1000)
        made = []
        for jobs in (1, 2, 7):
            spikey("compress", "session", *options, "--jobs", jobs, "-o", f"{group}{jobs}.spk")
            made.append((here / f"{group}{jobs}.spk").read_bytes())
            spikey("verify", f"{group}{jobs}.spk", "--against", "session", "--jobs", jobs)
        assert made[0] == made[1] == made[2]
