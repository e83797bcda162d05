"""Each stage is broken on purpose; a break that the checks do not notice fails here.

A mutant is the project with one piece of its source replaced. Those of the gates are built from a copy in a process
of their own and play a scenario that the sound gates pass; those of the law are copies that must fail a round trip or
the test vectors.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hw.core import CHAINS
from hw.geometry import Geometry
from model.codec.compressor import encode
from model.spec.config import CodecConfig
from model.spec.parameters import ParameterSet
from model.spec.profiles import PROFILES
from tests.networks import some_links
from verif import cxxrtl, ledger, material, scenario, toolchain
from verif.design import VARIABLE, Design
from verif.networks import borne
from verif.parameters import known
from verif.test_volume import CROWDED, fuzz, saturate

DESIGN = Design(CodecConfig(channels=5, width=10, packet_frames=7, key_interval=40), frame_clocks=24)
CALIBRATED = Design(CodecConfig("calibrated", 8, 8, packet_frames=7, key_interval=90, lanes=2))
LINKED = Design(
    CodecConfig("spikey", 4, 10, packet_frames=7, key_interval=20, links=some_links(1, 4, 3)),
    geometry=Geometry(4, 1, 4, 256, 128, 64, 16),
    named="residual",
)
CODED = Design(
    CodecConfig("spikey", 2, 9, packet_frames=7, key_interval=20),
    geometry=Geometry(4, 2, 1, 64, 64, 64, 4),
    codes=(4, 16),
    named="huffman",
)
# With an LSTM, links.
FULL = Design(
    CodecConfig("full", 4, 8, packet_frames=7, key_interval=6, lanes=2, links=some_links(1, 4, 3)),
    geometry=Geometry(8, 1, 4, 512, 256, 128, 256, outputs=3, contexts=2, residuals=True),
    named="lstm",
)
FRAMES = 400
SEEDS = range(3)
STAGES = PROFILES[DESIGN.config.profile].stages
TREES = ("model", "hw", "verif", "tests", "scripts")


@dataclass(frozen=True)
class Mutant:
    """`old` becomes `new` in `file`; `old` stands there exactly once. Gates are those of `design`."""

    file: str
    old: str
    new: str
    design: Design = DESIGN

    def __str__(self) -> str:
        return f"{self.file}: {self.new.strip()}"


GATES = [
    Mutant("hw/frame.py", "complete.eq(used & (channel_now == last))", "complete.eq(used & (channel_now == 0))"),
    Mutant("hw/frame.py", "| rekey | abort)", "| abort)"),
    Mutant("hw/frame.py", "begin & (inside | missing)", "begin & inside & missing"),
    Mutant("hw/frame.py", "since == self.config.key_interval - 1", "since == self.config.key_interval"),
    Mutant("hw/frame.py", "| (begin & ~enable))", ")"),
    Mutant("hw/frame.py", "missing.eq(seen & ~first &", "missing.eq(seen &", CROWDED),
    Mutant("hw/frame.py", "timer.eq(self.frame_clocks // 2)", "timer.eq(self.frame_clocks // 2 + 1)", CROWDED),
    Mutant("hw/frame.py", "valid & ~used & ~missing & seen", "valid & ~used & seen", CROWDED),
    Mutant("hw/frame.py", "inside & ~begin", "inside", CROWDED),
    Mutant("hw/frame.py", "range(self.depth - 1)) >= channels", "range(self.depth - 1)) > channels", CROWDED),
    Mutant("hw/frame.py", "history.eq(Cat(used, history))", "history.eq(Cat(self.i.valid, history))", CROWDED),
    Mutant("hw/frame.py", "Mux(total[-1], (1 << COUNTER_BITS) - 1, total)", "total", CROWDED),
    Mutant("hw/delta.py", "sample.code - prediction", "prediction - sample.code"),
    Mutant("hw/delta.py", "1 << (width - 1), last.data", "0, last.data"),
    Mutant("hw/delta.py", "valid & sample.marks.sample", "valid & sample.marks.sample & ~sample.marks.restart"),
    Mutant("hw/rice.py", "unary >= ESCAPE_ZEROS", "unary > ESCAPE_ZEROS"),
    Mutant("hw/rice.py", "mean + (mean >> 4)", "mean"),
    Mutant("hw/rice.py", "initial_mean(width), ram.data", "initial_mean(width) - 1, ram.data"),
    Mutant("hw/rice.py", "length > width - 1, width - 1, length", "length > width, width, length"),
    Mutant("hw/packet.py", "number.eq(number + 1)", "number.eq(number + marks.open)"),
    Mutant("hw/packet.py", "raw = coded_bytes >= plain_bytes", "raw = coded_bytes < 0"),
    Mutant("hw/packet.py", "+ forwarded + (self.i.valid & marks.abort)", "+ forwarded"),
    Mutant("hw/pack.py", "has_tail.eq(close & (end_2[:place] != 0))", "has_tail.eq(0)"),
    Mutant("hw/pack.py", "tail.eq(Mux(odd,", "tail.eq(Mux(~odd,"),
    Mutant("hw/store.py", "now.eq(Mux(packer.discard, 0, count))", "now.eq(count)"),
    Mutant("hw/store.py", "+ waiting + fetched - taken < 2", "+ waiting - taken < 2"),
    Mutant("hw/store.py", "active & ~writing &", "active &"),
    Mutant("hw/store.py", "fetched.eq(0), waiting.eq(0)", "fetched.eq(0)"),
    Mutant("hw/emit.py", "packet_check.start.eq(1), ", ""),
    Mutant("hw/emit.py", "byte.eq(header_check.crc)", "byte.eq(header_check.crc ^ 1)"),
    *(
        Mutant(f"hw/{stage}.py", old, new, LINKED)
        for stage, old, new in (
            ("wavelet", "Mux(restart, opening, Cat(", "Mux(0, opening, Cat("),
            ("wavelet", "Mux(restart, sample.code, ram.data.origin)", "sample.code"),
            ("network", "core.get.bank.eq(told.get.bank)", "core.get.bank.eq(~told.get.bank)"),
            ("network", "core.put.bank.eq(told.put.place.bank)", "core.put.bank.eq(~told.put.place.bank)"),
            ("mac", "pointer[slot_bits] ^ step.field[0]", "step.field[0]"),
            ("mac", "Mux(step_1.zero, 0, read.data)", "read.data"),
            ("mac", "<< exponent_2 >> 1", "<< exponent_2 >> 2"),
            ("expect", "under, over = rounded[-1]", "under, over = 0 & rounded[-1]"),
            ("expect", "upwards.eq(~restart & ", "upwards.eq("),
            ("hold", "skipped.eq(ends.there & ~ends.data)", "skipped.eq(0)"),
            ("hold", "self.full.eq((waiting + self.ahead >= BANKS) | crowded)", "self.full.eq(crowded)"),
            ("hold", "ends.data & (done != 0)", "ends.data"),
            ("hold", "bank.eq(bank ^ complete)", "bank.eq(bank ^ sample)"),
            ("rice", "adapts.eq(word >= ADAPTIVE)", "adapts.eq(1)"),
            ("sequencer", "m.Elif(word.wait)", "m.Elif(0)"),
            ("sequencer", "delayed(m, self.factor.last), late, frame", "self.factor.last, late, frame"),
        )
    ),
    *(
        Mutant(f"hw/{stage}.py", old, new, FULL)
        for stage, old, new in (
            ("sequencer", "(word.lag + word.late) > age", "word.lag > age"),
            ("mac", "lookup = Cat(pointer[:POINTER_BITS],", "lookup = Cat(pointer[:POINTER_BITS] ^ 1,"),
            ("mac", "Mux(residual < 0, -residual, residual)", "residual"),
            ("observe", "Mux(found.pace.opening, missed.value, origins.data)", "origins.data"),
            ("observe", "before = logarithm(followed.before)", "before = logarithm(followed.after)"),
            ("observe", "round_half_up(missed.error, NODE_FALL)", "(missed.error >> NODE_FALL)"),
            ("correct", "saturate(prior_1.mu + rise, -number.maximum, number.maximum)", "prior_1.mu + rise"),
            ("correct", "prior.total + outputs.scale", "prior.total"),
            ("correct", "round_half_up(outputs.curve, OUTPUT.fraction), 0,", "outputs.curve >> OUTPUT.fraction, 0,"),
        )
    ),
    *(
        Mutant(f"hw/{stage}.py", old, new, CODED)
        for stage, old, new in (
            ("sequencer", "age.eq(Mux(age.all(), age, age + 1))", "age.eq(age + 1)"),
            ("huffman", "Mux(above < escape, above, escape)", "above"),
            ("huffman", "escapes_5 | (code_read.data.length == 0)", "escapes_5"),
            ("huffman", "chosen.length + bits", "chosen.length"),
        )
    ),
    *(
        Mutant(f"hw/{stage}.py", old, new, CALIBRATED)
        for stage, old, new in (
            ("calibrate", "lower << 1) + read_step.data", "lower << 1) + out.step"),
            ("calibrate", "age_now < second_frames", "age_now <= second_frames"),
            ("lms", "saturate(weight + step, -WEIGHT.maximum, WEIGHT.maximum)", "weight + step"),
            ("lms", "round_half_up(total, shift) if shift", "(total >> shift) if shift"),
            ("lms", "Mux(error[1] ^ of[1], -pace, pace)", "Mux(error[1], -pace, pace)"),
            ("scale", "(slow_step << gear_4)", "slow_step"),
            ("scale", "round_half_up(now_4.fast, spec.DECAY_SHIFT)", "(now_4.fast >> spec.DECAY_SHIFT)"),
            ("scale", "Mux(opening_4, 0, saturate(fast", "Mux(0, 0, saturate(fast"),
            ("range", "Mux(outermost, limit,", "Mux(0, limit,"),
            ("range", "none.eq(below == above)", "none.eq(0)"),
            (
                "range",
                "begins = Signal(spec.INTERVAL_BITS), flags_4.sample & ~flags_4.opening",
                "begins = Signal(spec.INTERVAL_BITS), flags_4.sample",
            ),
            ("turns", "slot == Mux(head.frame, 0, lane_next * stride)", "slot % stride == 0"),
            ("turns", "queue.level >= DEPTH - RESERVED - self.waited", "queue.level >= DEPTH"),
            ("turns", "Mux(queue.push & ~stored, 0, missed_now)", "0"),
            ("words", "leaves.eq(tail.held + carry)", "leaves.eq(tail.held)"),
            ("words", "(used + 7) >> 3", "used >> 3"),
            ("describe", "beyond | (ends & (self.i.bytes > share))", "beyond"),
            ("describe", "Mux(token.sample, 1, token.code)", "1"),
            ("emit_lanes", "Word.LENGTH, Word.SIZES | lane", "Word.LENGTH, Word.SIZES"),
            ("packet_lanes", "+ emit.release + (self.codes.valid & marks.abort)", "+ emit.release"),
            ("loader", "last & agrees & suits", "last & suits"),
        )
    ),
]
LAW = [
    Mutant("model/codec/delta.py", "wrap_signed(code - last, width)", "wrap_signed(code - last, width - 1)"),
    Mutant("model/codec/delta.py", "return 1 << (width - 1)", "return 0"),
    Mutant("model/codec/rice.py", "return folded >> 1 if", "return folded >> 2 if"),
    Mutant("model/codec/rice.py", "zeros >= ESCAPE_ZEROS", "zeros > ESCAPE_ZEROS"),
    Mutant("model/codec/rice.py", "mean + (mean >> 4)", "mean"),
    Mutant("model/codec/packet.py", "zlib.crc32(data)", "zlib.crc32(data, 1)"),
    Mutant("model/codec/packet.py", "position & 0xFFFFFFFF, frames", "position + 1 & 0xFFFFFFFF, frames"),
    Mutant("model/codec/frame.py", "self._restart = dropped", "self._restart = False"),
    Mutant("model/codec/frame.py", "self.position += count", "self.position += count - 1"),
]


def copy(folder: Path, mutant: Mutant | None) -> None:
    """The project in `folder`, mutated."""
    for tree in TREES:
        shutil.copytree(toolchain.ROOT / tree, folder / tree, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(toolchain.ROOT / "pyproject.toml", folder)
    if mutant:
        path = folder / mutant.file
        text = path.read_text()
        assert text.count(mutant.old) == 1, f"'{mutant.old}' stands {text.count(mutant.old)} times in {mutant.file}"
        path.write_text(text.replace(mutant.old, mutant.new))


def python(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python on the copy in `folder`."""
    variables = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


NETLIST = """
import sys
from verif import toolchain
from verif.design import Design
sys.stdout.write(toolchain.netlist(Design.from_environment().core()))
"""


def random_faults(design: Design, netlist: str, seed: int) -> None:
    """All that can go wrong, at random."""
    fuzz(design, seed, FRAMES, netlist=netlist)


def crowded(design: Design, netlist: str, seed: int) -> None:
    """All that can go wrong, in the same clocks."""
    fuzz(design, seed, FRAMES, scenario.crowded, netlist)


def hasty(design: Design, netlist: str, seed: int) -> None:
    """More than lanes can take."""
    fuzz(design, seed, FRAMES, scenario.hasty, netlist)


def saturation(design: Design, netlist: str, seed: int) -> None:
    """Counters driven past their end; nothing in it is random."""
    if seed == SEEDS[0]:
        saturate(design, netlist)


def square(design: Design, netlist: str, seed: int) -> None:
    """Two key intervals of the material with the greatest `k`, and nothing wrong."""
    parity(design, netlist, seed, material.square, design.parameters)


def materials(design: Design, netlist: str, seed: int) -> None:
    """Two key intervals of every material, with every parameter set, and nothing wrong."""
    for parameters in known(design).values():
        for make in material.MAKERS.values():
            parity(design, netlist, seed, make, parameters)


def parity(design: Design, netlist: str, seed: int, make: material.Maker, parameters: ParameterSet | None) -> None:
    packets = 2 * design.config.key_interval
    shape = (packets * design.config.packet_frames, design.config.channels)
    frames = make(shape, design.config.width, np.random.default_rng(seed))
    library = cxxrtl.build(netlist)
    run = cxxrtl.run(design, frames, library=library, spacing=design.calm_spacing, parameters=parameters)
    ledger.compare(run.data, encode(frames, borne(design.config, parameters), parameters=parameters), packets)


CHECKS = {
    DESIGN: (random_faults, square),
    CROWDED: (crowded, saturation),
    CALIBRATED: (materials, random_faults, hasty),
    LINKED: (materials, random_faults, hasty),
    CODED: (materials, random_faults, hasty),
    FULL: (materials, random_faults, hasty),
}


def notices(folder: Path, mutant: Mutant | None, design: Design) -> bool:
    """Whether the checks fail for the gates of `design` with `mutant` in them."""
    copy(folder, mutant)
    done = python(folder, "-c", NETLIST, **{VARIABLE: design.to_json()})
    assert done.returncode == 0, done.stderr
    for seed in SEEDS:
        try:
            for check in CHECKS[design]:
                check(design, done.stdout, seed)
        except AssertionError as error:
            print(f"seed {seed}: {str(error)[:300]}")
            return True
    return False


@pytest.mark.parametrize(
    "design",
    [
        pytest.param(DESIGN, id="ordinary"),
        pytest.param(CROWDED, id="crowded"),
        pytest.param(CALIBRATED, id="calibrated", marks=pytest.mark.slow),
        pytest.param(LINKED, id="linked", marks=pytest.mark.slow),
        pytest.param(CODED, id="coded", marks=pytest.mark.slow),
        pytest.param(FULL, id="full", marks=pytest.mark.slow),
    ],
)
def test_sound_gates_pass(design: Design, tmp_path: Path) -> None:
    """Without this the tests below would mean nothing."""
    assert not notices(tmp_path, None, design)


def quick(mutants: list[Mutant], most: int) -> list:
    """The first `most` of each of `STAGES`' own file as they are, the others marked slow."""
    out: list = []
    files: list[str] = []
    for mutant in mutants:
        files.append(mutant.file)
        slow = Path(mutant.file).stem not in STAGES or files.count(mutant.file) > most
        out.append(pytest.param(mutant, marks=[pytest.mark.slow] if slow else [], id=str(mutant)))
    return out


@pytest.mark.parametrize("mutant", quick(GATES, 2))
def test_broken_gates_are_noticed(mutant: Mutant, tmp_path: Path) -> None:
    assert notices(tmp_path, mutant, mutant.design), f"no check noticed: {mutant}"


LAW_CHECKS = ["tests/test_rice.py", "tests/test_vectors.py", "-k", "test_rice or by_codec or encoder"]


def law_fails(folder: Path, mutant: Mutant | None) -> bool:
    """Whether the test vectors, written and read, fail for the law with `mutant` in it."""
    copy(folder, mutant)
    command = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *LAW_CHECKS]
    done = python(folder, *command, NUMBA_OPT="0", NUMBA_CACHE_DIR=str(folder / "cache"))
    print(done.stdout[-600:])
    assert done.returncode in (0, 1), done.stdout + done.stderr  # passed, or some test failed
    return done.returncode == 1


def test_the_sound_law_passes(tmp_path: Path) -> None:
    """As above."""
    assert not law_fails(tmp_path, None)


@pytest.mark.parametrize("mutant", quick(LAW, 1))
def test_a_broken_law_is_noticed(mutant: Mutant, tmp_path: Path) -> None:
    assert law_fails(tmp_path, mutant), f"no check noticed: {mutant}"


@pytest.mark.parametrize("profile", CHAINS)
def test_every_stage_has_mutants(profile: str) -> None:
    files = [f"hw/{stage}.py" for stage in PROFILES[profile].stages]
    files += [f"model/codec/{stage}.py" for stage in STAGES]
    assert all(sum(mutant.file == file for mutant in (*GATES, *LAW)) >= 2 for file in files)
