"""A parameter set's way to a board: the command that writes the bytes, and the receiver that makes words of them."""

import dataclasses
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.lib.io import SimulationPort
from amaranth.sim import Simulator

from hw import image, neural
from hw.array import ENDLESS, choose
from hw.boards.image import BEGIN, LEAD, LEAD_IN, ImageReceiver, message
from model.spec import calibrated, shipped
from model.spec.config import CodecConfig
from model.spec.network import MiddleOut
from model.spec.packet import Link
from tests import networks

DIVISOR = 4
BYTE_CLOCKS = 10 * DIVISOR
BEAT = 16 * BYTE_CLOCKS  # clocks of a beat
SILENCE = None  # in a line of bytes
WORDS = np.array([0x0000, 0x55D5, 0xD5D5, 0x5555, 0xFFFF, 0x1234], np.uint16)
Heard = list[tuple[int, int, int]]


def received(line: Sequence[int | None], *, busy: int = 0) -> tuple[Heard, list[int]]:
    """Words (value, first, clock), and `hold` in each clock; a word is taken `busy` clocks after it came."""
    pin = SimulationPort("i", 1)
    receiver = ImageReceiver(pin, divisor=DIVISOR)
    taken: Heard = []
    hold: list[int] = []

    async def drive(ctx: Any) -> None:
        ctx.set(pin.i, 1)
        await ctx.tick().repeat(BEAT)
        for byte in line:
            if byte is None:
                await ctx.tick().repeat(2 * BEAT + 2)
                continue
            for level in (0, *(byte >> n & 1 for n in range(8)), 1):
                ctx.set(pin.i, level)
                await ctx.tick().repeat(DIVISOR)
        await ctx.tick().repeat(BYTE_CLOCKS)

    async def take(ctx: Any) -> None:
        waits = 0
        while True:
            valid = ctx.get(receiver.o.valid)
            ready = valid and waits == busy
            waits = waits + 1 if valid and not ready else 0
            ctx.set(receiver.o.ready, ready)
            ctx.set(receiver.beat, len(hold) % BEAT == 0)
            word = ctx.get(receiver.o.payload)
            await ctx.tick()
            hold.append(ctx.get(receiver.hold))
            if ready:
                taken.append((word.value, word.first, len(hold)))

    simulator = Simulator(receiver)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.add_testbench(take, background=True)
    simulator.run()
    return taken, hold


def plain(heard: Heard) -> list[tuple[int, int]]:
    return [word[:2] for word in heard]


EXPECTED = [(int(word), int(number == 0)) for number, word in enumerate(WORDS)]


@pytest.mark.parametrize("busy", [0, 20])
def test_words_of_two_messages(busy: int) -> None:
    sent = list(message(WORDS, lead_in=3))
    heard, hold = received([*sent, SILENCE, *sent, SILENCE], busy=busy)
    assert plain(heard) == EXPECTED * 2
    # Held from the lead-in's first byte on, until the first word is taken.
    rises = [clock for clock in range(1, len(hold)) if hold[clock] and not hold[clock - 1]]
    falls = [clock + 1 for clock in range(1, len(hold)) if hold[clock - 1] and not hold[clock]]
    firsts = [clock for _, first, clock in heard if first]
    assert falls == firsts
    assert all(first - rise >= 5 * BYTE_CLOCKS for rise, first in zip(rises, firsts, strict=True))


@pytest.mark.parametrize("lost", [0, 1, 5, 11])
def test_a_lost_byte_spoils_its_message_only(lost: int) -> None:
    sent = list(message(WORDS, lead_in=3))
    spoiled = sent[: 4 + lost] + sent[5 + lost :]
    heard = plain(received([*spoiled, SILENCE, *sent])[0])
    assert len(heard) == 2 * len(WORDS) - 1
    assert heard[: len(WORDS) - 1] != EXPECTED[: len(WORDS) - 1] or lost >= 10
    assert heard[len(WORDS) - 1 :] == EXPECTED


def test_words_that_the_core_does_not_take_spoil_their_message_only() -> None:
    sent = list(message(WORDS, lead_in=3))
    heard = plain(received([*sent, SILENCE, SILENCE], busy=3 * BYTE_CLOCKS)[0])
    assert 0 < len(heard) < len(WORDS)


@pytest.mark.parametrize("stray", [[BEGIN, 1, 2], [LEAD, 7, 8, 9], [0xFF], list(b"AT\r")])
def test_stray_bytes_are_no_image(stray: list[int]) -> None:
    sent = list(message(WORDS, lead_in=2))
    heard, hold = received([*stray, SILENCE, *sent])
    assert plain(heard) == EXPECTED
    assert sum(not before and now for before, now in pairwise(hold)) == 2  # held for a while, then let go


# --- the command


def test_the_command_writes_what_the_board_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "mine.spkp"
    own.write_bytes(shipped.named("calibrated-lattice").to_bytes())
    for name, width, expected in (
        ([], 10, "calibrated-even"),
        (["calibrated-even"], 8, "calibrated-even"),
        (["calibrated-lattice"], 10, "calibrated-lattice"),
        ([str(own)], 10, "calibrated-lattice"),
    ):
        out = tmp_path / "image.bin"
        assert image.run([*name, "--width", str(width), "--out", str(out)]) == 0
        parameters = shipped.named(expected)
        words = calibrated.image(parameters, width)
        content = out.read_bytes()
        assert content[:LEAD_IN] == bytes([LEAD]) * LEAD_IN and content[LEAD_IN] == BEGIN
        assert content[LEAD_IN + 1 :] == words.astype("<u2").tobytes()
        said = capsys.readouterr().out
        assert said == f"{out} written: parameter set {parameters.identifier:016x} at {width} bits\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image.bin", "mine.spkp"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["calibrated-evn"], "SET: 'calibrated-evn' is no file; give a parameter set, *.spkp, or one of calibrated-"),
        (["noise.bin"], "noise.bin: parameter set: does not begin with 'SPKP'"),
        (["calibrated-lattice", "--width", "8"], "calibrates a converter of 10 bits, the codes have 8"),
        (["--width", "12"], "'--width'"),
        (["other.spkp"], "parameter table 'shifts': (3,); the boards' core is built for (2, 4)"),
        (["--out", "no/where.bin"], "no/"),
    ],
)
def test_what_cannot_be_sent_gives_one_line_and_no_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("noise.bin").write_bytes(bytes(100))
    tables = calibrated.unpack(shipped.default("calibrated"), 10)
    tables = dataclasses.replace(tables, shifts=np.array([3]), weights=tables.weights[1:])
    Path("other.spkp").write_bytes(calibrated.pack(tables, 10, even=True).to_bytes())
    Path("image.bin").write_bytes(b"earlier")
    assert image.run(["--out", "image.bin", *arguments]) != 0
    captured = capsys.readouterr()
    assert captured.err.startswith("hw.image: error: ") and captured.err.count("\n") == 1
    assert reason in captured.err and captured.out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image.bin", "noise.bin", "other.spkp"]
    assert Path("image.bin").read_bytes() == b"earlier"


def test_help_tells_how_to_send(capsys: pytest.CaptureFixture[str]) -> None:
    assert image.run(["--help"]) == 0
    assert "cat image.bin > /dev/ttyUSB1" in capsys.readouterr().out


# --- for gates with an array for networks


def report(folder: Path, name: str = "spikey-slim", **changes: Any) -> Path:
    """What a build of four channels on two cores leaves, as far as an image is made of it."""
    sizes: dict[str, Any] = {"channels": 4, "width": 10, "frame_clocks": 1036, "cores": 2, "multipliers": 4}
    array = choose(shipped.named(name), name, **sizes, room=ENDLESS, linked=True)
    config = CodecConfig("spikey", 4, 10, 17, 100)
    shape = {**vars(config), "peers": False, "links": True, "frame_clocks": 1036, **changes}
    folder.mkdir(exist_ok=True)
    (folder / "report.json").write_text(json.dumps({"configuration": shape, "array": array.describe()}))
    return folder


@pytest.mark.parametrize("links", ["", "1 90\n", "-1 100\n1 100\n0\n\n"])
def test_an_image_for_a_build_is_made_for_its_array(tmp_path: Path, links: str) -> None:
    build, out, file = report(tmp_path / "build"), tmp_path / "image.bin", tmp_path / "links.txt"
    file.write_text(links if links.count("\n") == 4 else "0\n" + links + "0\n" * (3 - links.count("\n")))
    asked = ["--links", str(file)] if links else []
    assert image.run(["--build", str(build), *asked, "--out", str(out)]) == 0
    made = image.Build.read(build / "report.json")
    assert (made.geometry.cores, made.geometry.slots, made.set) == (2, 2, "spikey-slim")
    own = {"": (), "1": ((), (Link(1, 90),), (), ())}.get(links[:1], ((Link(-1, 100),), (Link(1, 100),), (), ()))
    words = neural.image(shipped.named("spikey-slim"), made.config, made.geometry, own, made.codes)
    assert out.read_bytes() == message(words)


def test_the_microcode_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build, file = report(tmp_path / "build"), tmp_path / "links.txt"
    file.write_text("0\n1 90\n0\n0\n")
    asked = ["--build", str(build), "--listing", "--out", str(tmp_path / "image.bin")]
    assert image.run(asked) == 0
    alone = capsys.readouterr().out
    assert image.run([*asked, "--links", str(file)]) == 0
    linked = capsys.readouterr().out
    made = image.Build.read(build)
    program = made.program(shipped.named("spikey-slim"), ((), (Link(1, 90),), (), ()))
    assert linked.startswith(program.listing()) and "via partner" in linked and "via partner" not in alone


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["spikey-slim"], "--build: profile 'spikey' needs it; give the build that the board runs"),
        (["--links", "links.txt"], "--links: they need --build"),
        (["--listing"], "--listing: it needs --build"),
        (["--build", "build", "--width", "10"], "--width: is not for a build with a network"),
        (["--build", "build", "calibrated-even"], "SET: it is of profile 'calibrated', the build is of 'spikey'"),
        (["--build", "build", "spikey"], "network: needs "),
        (["--build", "large", "spikey-huffman"], "parameter table 'coder': 17, the gates have a Rice code"),
        (["--build", "slow"], "SET: with these links it takes 2"),
        (["--build", "alone", "--links", "links.txt"], "links: the gates are built for none"),
        (["--build", "."], "--build: '.' has no report.json or spikey_core.json; give a folder that hw.build made"),
        (["--build", "links.txt"], "--build: 'links.txt' cannot be read; give one that hw.build wrote"),
        (["--build", "tiny"], "--build: 'tiny' is of profile 'tiny', without a network"),
        (["--build", "bare"], "--build: 'bare/report.json' has no 'array'"),
        (["--build", "build", "--links", "few.txt"], "'few.txt' has 3 lines, the build 4 channels; give each one"),
        (["--build", "build", "--links", "odd.txt"], "'odd.txt', line 2: give pairs of distance and correlation"),
        (["--build", "build", "--links", "words.txt"], "'words.txt', line 1: has something else than whole numbers"),
        (["--build", "build", "--links", "bytes.txt"], "--links: 'bytes.txt' is no text; give a line for each channel"),
        (["--build", "build", "alone.spkp", "--links", "links.txt"], "--links: the set's network knows no partners"),
        (["--build", "clocks"], "--build: 'clocks/report.json' cannot be read"),
        (["--build", "build", "--links", "far.txt"], "links: channel 2 has a partner 1 channels before it, which"),
        (["--build", "build", "--links", "outside.txt"], "links: channel 0"),
    ],
)
def test_a_set_or_links_that_do_not_fit_the_build_give_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    reason: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    report(tmp_path / "build")
    report(tmp_path / "large", "spikey")
    report(tmp_path / "slow", frame_clocks=200)
    report(tmp_path / "alone", links=False)
    report(tmp_path / "clocks", frame_clocks="many")
    Path("bytes.txt").write_bytes(b"\xff\n")
    Path("alone.spkp").write_bytes(networks.spikey_set(1, form=MiddleOut.NONE).to_bytes())
    for name, document in (
        ("tiny", {"configuration": {"profile": "tiny"}, "array": None}),
        ("bare", {"configuration": {}}),
    ):
        Path(name).mkdir()
        (Path(name) / "report.json").write_text(json.dumps(document))
    texts = {"links": "0\n1 90\n0\n0\n", "few": "0\n1 90\n0\n", "odd": "0\n1 90 1\n0\n0\n", "words": "one\n0\n0\n0\n"}
    for name, text in {**texts, "far": "0\n0\n1 90\n0\n", "outside": "1 90\n0\n0\n0\n"}.items():
        Path(f"{name}.txt").write_text(text)
    assert image.run([*arguments, "--out", "image.bin"]) != 0
    captured = capsys.readouterr()
    assert captured.err.startswith("hw.image: error: ") and captured.err.count("\n") == 1
    assert reason in captured.err and captured.out == "" and not Path("image.bin").exists()
