"""The `spikey` command: what goes in comes out, and what cannot be done is said in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Spikey, tree

from model import cli
from model.codec import compressor
from model.codec.calibrated import Calibrated
from model.codec.packet import Packet, scan
from model.codec.tiny import Tiny
from model.formats import wav
from model.formats.codes import LATTICE
from model.spec.config import CodecConfig


def info(spikey: Spikey, path: str) -> dict:
    return json.loads(spikey("info", path, "--json"))


def test_a_file_and_back_with_the_default_names(here: Path, spikey: Spikey) -> None:
    said = spikey("compress", "one.wav")
    size = (here / "one.wav.spk").stat().st_size
    original = (here / "one.wav").read_bytes()
    samples = (len(original) - 44) // 2
    assert said == (
        f"one.wav.spk: {8 * size / samples:.4f} bits per sample, ratio_wav {len(original) / size:.4f}, "
        f"ratio_adc {10 * samples / 8 / size:.4f}, {size} bytes\n"
    )
    assert 8 * size / samples < 8
    (here / "one.wav").unlink()
    spikey("decompress", "one.wav.spk")
    assert (here / "one.wav").read_bytes() == original


@pytest.mark.parametrize("options", [(), ("--live",), ("--no-verify",), ("--jobs", 1, "--packet-frames", 77)])
@pytest.mark.parametrize("group", ["none", "auto", "all"])
def test_a_folder_and_back(here: Path, spikey: Spikey, group: str, options: tuple) -> None:
    spikey("compress", "session", "--group", group, *options)
    found = info(spikey, "session.spk")
    assert len(found["streams"]) == {"none": 4, "auto": 2, "all": 1}[group]
    spikey("decompress", "session.spk", "-o", "restored")
    assert tree(here / "restored") == tree(here / "session")
    spikey("verify", "session.spk", "--against", "session")


def test_the_published_spelling(here: Path, spikey: Spikey) -> None:
    (here / "c.yaml").write_text("profile: tiny\ngroup: none\nlive: true\nkey_interval: 3\n")
    spikey("compress", "--config", "c.yaml", "--input_file", "one.wav", "--output_file", "x.bin")
    assert info(spikey, "x.bin")["streams"][0]["key_interval"] == 3
    spikey("decompress", "--config", "c.yaml", "--input_file", "x.bin", "--output_file", "y.wav")
    assert (here / "y.wav").read_bytes() == (here / "one.wav").read_bytes()


def test_what_is_typed_goes_before_the_file_of_settings(here: Path, spikey: Spikey) -> None:
    (here / "c.yaml").write_text("packet_frames: 50\nkey_interval: 3\n")
    spikey("compress", "one.wav", "--config", "c.yaml", "--key-interval", 2, "-o", "x.spk")
    stream = info(spikey, "x.spk")["streams"][0]
    assert (stream["packet_frames"], stream["key_interval"]) == (50, 2)
    (here / "c.yaml").write_text("# nothing\n")
    spikey("compress", "one.wav", "--config", "c.yaml", "-o", "y.spk")


def test_the_folder_one_is_in(here: Path, spikey: Spikey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here / "session")
    spikey("compress", ".")
    assert [f["stream"] for f in info(spikey, "../session.spk")["files"]] == [0, 0, 1, 1]


def test_info_adds_up(here: Path, spikey: Spikey) -> None:
    spikey("compress", "session", "--packet-frames", 1000, "--key-interval", 4)
    found = info(spikey, "session.spk")
    ledger = found["ledger"]
    size = (here / "session.spk").stat().st_size
    counts = {"packets", "key_packets", "raw_packets"}
    assert sum(value for key, value in ledger.items() if key not in counts) == size == found["bytes"]
    frames = found["streams"][0]["frames"]
    assert ledger["packets"] == 2 * -(-frames // 1000)
    assert ledger["key_packets"] == 2 * -(-frames // 4000)
    assert {f["file"]: f["bytes"] for f in found["files"]} == {
        name: len(data) for name, data in tree(here / "session").items() if data is not None
    }
    text = spikey("info", "session.spk")
    assert "deep/er/FIRST.WAV" in text and "payload_coded" in text


def damage(path: Path, packet: int = 1) -> None:
    """Flip a bit in the payload of one packet of a single file's container."""
    data = bytearray(path.read_bytes())
    packets = list(scan(bytes(data)))[1:]  # behind the directory
    data[packets[packet].offset + packets[packet].size // 2] ^= 4
    path.write_bytes(data)


def test_damage_is_refused_reported_and_recovered(here: Path, spikey: Spikey, refused: Spikey) -> None:
    spikey("compress", "one.wav", "--packet-frames", 1000, "--key-interval", 2)
    damage(here / "one.wav.spk", packet=2)
    for command in (("verify", "one.wav.spk"), ("decompress", "one.wav.spk", "-o", "new.wav")):
        said = refused(*command)
        assert "one.wav.spk" in said and "frames 2000 to 4000" in said
    said = spikey("decompress", "one.wav.spk", "-o", "new.wav", "--recover")
    assert "frames 2000 to 4000" in said
    before, after = wav.read(here / "one.wav").samples, wav.read(here / "new.wav").samples
    assert np.array_equal(np.delete(after, np.s_[2000:4000], 0), np.delete(before, np.s_[2000:4000], 0))
    assert (after[2000:4000] == LATTICE[512]).all()


def test_verify_against_other_originals(here: Path, spikey: Spikey, refused: Spikey) -> None:
    spikey("compress", "session")
    data = bytearray((here / "session" / "deep" / "er" / "FIRST.WAV").read_bytes())
    data[5000] ^= 1
    (here / "session" / "deep" / "er" / "FIRST.WAV").write_bytes(data)
    assert "FIRST.WAV" in refused("verify", "session.spk", "--against", "session")
    (here / "session" / "deep" / "er" / "FIRST.WAV").unlink()
    assert "FIRST.WAV" in refused("verify", "session.spk", "--against", "session")


@pytest.mark.parametrize("old", [None, b"what was there before"])
def test_a_decoder_that_errs_is_noticed_and_nothing_is_written(
    here: Path, refused: Spikey, monkeypatch: pytest.MonkeyPatch, old: bytes | None
) -> None:
    def wrong(right: Any) -> Any:
        def decode(chain: Any, payload: np.ndarray, frames: np.ndarray, *others: Any) -> bool:
            good = right(chain, payload, frames, *others)
            frames[-1, 0] ^= 1
            return good

        return decode

    for chain in (Tiny, Calibrated):
        monkeypatch.setattr(chain, "decode", wrong(chain.decode))
    if old:
        (here / "one.wav.spk").write_bytes(old)
    assert "CRC-32" in refused("compress", "one.wav", "--force")
    assert "CRC-32" in refused("compress", "one.wav", "--force", "--profile", "tiny")
    assert "CRC-32" in refused("bench", "session", "--json", "b.json")


def test_force(here: Path, spikey: Spikey, refused: Spikey) -> None:
    (here / "one.wav.spk").write_bytes(b"old")
    assert "--force" in refused("compress", "one.wav")
    spikey("compress", "one.wav", "--force")
    original = (here / "one.wav").read_bytes()
    (here / "one.wav").write_bytes(b"changed")
    assert "--force" in refused("decompress", "one.wav.spk")
    spikey("decompress", "one.wav.spk", "--force")
    assert (here / "one.wav").read_bytes() == original


def test_an_interruption_leaves_nothing(here: Path, refused: Spikey, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compressor.packet, "build", interrupted)
    assert "interrupted" in refused("compress", "one.wav", code=130)


def capture(here: Path, *, runs: int = 1, width: int = 10) -> tuple[np.ndarray, CodecConfig]:
    config = CodecConfig(channels=3, width=width, packet_frames=100, key_interval=2)
    random = np.random.default_rng(8)
    frames = random.integers(0, 1 << width, (1000, 3)).astype(np.uint16)
    (here / "link.spk").write_bytes(compressor.encode(frames, config) * runs)
    return frames, config


def test_a_capture_becomes_a_wav(here: Path, spikey: Spikey) -> None:
    frames, _ = capture(here)
    spikey("decompress", "link.spk", "--rate", 30000)
    found = wav.read(here / "link.wav")
    assert (found.rate, found.channels, found.bits) == (30000, 3, 16)
    np.testing.assert_array_equal(found.samples, LATTICE[frames])
    ledger = info(spikey, "link.spk")["ledger"]
    assert (ledger["packets"], ledger["key_packets"], ledger["frames"]) == (10, 5, 1000)


def test_a_capture_of_another_width_is_shifted_up(here: Path, spikey: Spikey) -> None:
    frames, _ = capture(here, width=12)
    spikey("decompress", "link.spk")
    np.testing.assert_array_equal(wav.read(here / "link.wav").samples, (frames.astype(int) - 2048) * 16)


def test_each_run_of_a_capture_becomes_a_wav(here: Path, spikey: Spikey) -> None:
    frames, _ = capture(here, runs=2)
    spikey("decompress", "link.spk", "-o", "out.wav")
    for name in ("out-0.wav", "out-1.wav"):
        np.testing.assert_array_equal(wav.read(here / name).samples, LATTICE[frames])


def test_a_damaged_capture(here: Path, spikey: Spikey, refused: Spikey) -> None:
    frames, _ = capture(here)
    data = bytearray((here / "link.spk").read_bytes())
    data[list(scan(bytes(data)))[2].offset + 30] ^= 1
    (here / "link.spk").write_bytes(data)
    assert "frames 200 to 400" in refused("decompress", "link.spk")
    spikey("decompress", "link.spk", "--recover")
    expected = LATTICE[frames]
    expected[200:400] = LATTICE[512]
    np.testing.assert_array_equal(wav.read(here / "link.wav").samples, expected)


def test_synth_is_seeded(here: Path, spikey: Spikey) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        spikey("synth", folder, "--channels", 2, "--seconds", 0.1, "--seed", seed)
    assert tree(here / "a") == tree(here / "b") != tree(here / "c")
    assert len(tree(here / "a")) == 2


def test_synth_replaces_only_when_forced(here: Path, spikey: Spikey, refused: Spikey) -> None:
    spikey("synth", "a", "--channels", 2, "--seconds", 0.1, "--seed", 1)
    spikey("synth", "b", "--channels", 2, "--seconds", 0.1, "--seed", 2)
    assert "--force" in refused("synth", "a", "--channels", 2, "--seconds", 0.1, "--seed", 2)
    spikey("synth", "a", "--channels", 2, "--seconds", 0.1, "--seed", 2, "--force")
    assert tree(here / "a") == tree(here / "b")


@pytest.mark.parametrize("cut", [True, False])
def test_info_leads_with_damage_and_gives_no_ratios(
    here: Path, spikey: Spikey, capsys: pytest.CaptureFixture[str], cut: bool
) -> None:
    spikey("compress", "one.wav", "--packet-frames", 1000)
    path = here / "one.wav.spk"
    data = path.read_bytes()
    last, frames = [(item.size, item.frames) for item in scan(data) if isinstance(item, Packet)][-1]
    if cut:
        path.write_bytes(data[:-last])
        what = f"{frames} frames are in no intact packet"
    else:
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        what = f"{last} bytes belong to no intact packet, {frames} frames are in no intact packet"
    assert cli.run(["info", "one.wav.spk"]) == 1
    text = capsys.readouterr().out
    assert text.startswith(f"DAMAGED: one.wav.spk: {what}\n") and "ratio" not in text
    assert cli.run(["info", "one.wav.spk", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["damage"] == what
    assert [found[key] for key in ("bits_per_sample", "ratio_wav", "ratio_adc")] == [None] * 3
    path.write_bytes(data)
    sound = info(spikey, "one.wav.spk")
    assert sound["damage"] is None
    assert sound["bits_per_sample"] == 8 * len(data) / sound["samples"]
    assert sound["ratio_wav"] == sound["wav_bytes"] / len(data)


def test_info_on_a_damaged_capture(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture(here)
    path = here / "link.spk"
    path.write_bytes(b"12345" + path.read_bytes())
    assert cli.run(["info", "link.spk"]) == 1
    assert capsys.readouterr().out.startswith("DAMAGED: link.spk: 5 bytes belong to no intact packet\n")


def test_verify_says_who_takes_a_capture(here: Path, refused: Spikey) -> None:
    capture(here)
    assert "link.spk: is a bare capture" in (said := refused("verify", "link.spk"))
    assert "give it to info or decompress" in said


def test_an_empty_recording(here: Path, spikey: Spikey) -> None:
    (here / "none.wav").write_bytes(wav.to_bytes(np.zeros(0, np.int16), 19531))
    spikey("compress", "none.wav")
    size = (here / "none.wav.spk").stat().st_size
    said = spikey("info", "none.wav.spk")
    assert said.startswith(f"none.wav.spk: no samples, {size} bytes\n") and "nan" not in said
    assert info(spikey, "none.wav.spk")["bits_per_sample"] is None
    spikey("decompress", "none.wav.spk", "-o", "back.wav")
    assert (here / "back.wav").read_bytes() == (here / "none.wav").read_bytes()
