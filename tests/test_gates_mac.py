"""A core of the array for networks: saturation, rounding, normalised features and lookups, at every edge."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import signed
from amaranth.sim import Simulator

from hw.geometry import Floor, Geometry, Load, Source
from hw.mac import FACTOR, LATENCY, RESULT_LATENCY, Mac, factor_layout, limited
from model.codec.arithmetic import round_half_up, saturate
from model.spec import network as spec
from model.spec.network import Dense, MiddleOut, Network
from model.spec.wavelet import SIGNAL, UNIT_BITS
from tests.gates_network import Law, Sample, run, snug
from tests.networks import LINEAR, LSTM
from tests.simulate import evaluate

LEAST = {Floor.ZERO: lambda ones: 0, Floor.SYMMETRIC: lambda ones: 1 - (1 << ones), Floor.FULL: lambda ones: -1 << ones}
EDGES = sorted(
    {max(-32768, min(sign * (1 << k) + d, 32767)) for k in range(16) for sign in (-1, 1) for d in (-1, 0, 1)}
)


@pytest.mark.parametrize("bits", [23, 32])
def test_limited(bits: int) -> None:
    """Every number of ones but none, every floor, values around every power of two."""
    values = {sign * (1 << k) + d for k in range(bits - 1) for sign in (-1, 1) for d in (-1, 0, 1)}
    values |= {(1 << (bits - 1)) - 1, -1 << (bits - 1)}
    cases = list(product(sorted(values), range(1, 16), Floor))
    inputs = {"value": signed(bits), "ones": 4, "zero": 1, "full": 1}
    rows = [{"value": v, "ones": n, "zero": floor == Floor.ZERO, "full": floor == Floor.FULL} for v, n, floor in cases]
    expected = [saturate(v, LEAST[floor](n), (1 << n) - 1) for v, n, floor in cases]
    assert evaluate(limited, inputs, rows) == expected


class Bench:
    """A core whose steps each are a sum of their own, so that a result comes every clock; its memory is read then."""

    def __init__(self, words: list[int], samples: dict[tuple[int, int], Sample], slots: int = 16) -> None:
        self.geometry = Geometry(multipliers=2, slots=slots, fields=4096, loaded=len(words), contexts=2, residuals=True)
        self.words, self.samples = words, samples
        self.steps: list[dict[str, Any]] = []
        self.drains: list[dict[str, Any] | None] = []
        self.expected: list[int] = []

    def prepare(self, **step: Any) -> None:
        """A step without a result."""
        self.steps.append(step)
        self.drains.append(None)

    def add(self, expected: int, drain: dict[str, Any], **step: Any) -> None:
        """A step with a result."""
        self.steps.append({"last": 1, **step})
        drain = {"ones": 15, "floor": Floor.FULL, **drain}
        self.drains.append({"valid": 1, "field": len(self.words) + len(self.expected), **drain})
        self.expected.append(expected)

    def run(self) -> None:
        dut, late = Mac(self.geometry), set(factor_layout(self.geometry).members)
        read = [{name: value for name, value in step.items() if name not in late} for step in self.steps]
        factors = [{"valid": 1} | {name: step[name] for name in late & step.keys()} for step in self.steps]
        drains = [drain or {} for drain in self.drains]

        async def play(ctx: Any) -> None:
            for (bank, slot), sample in self.samples.items():
                values = sample._asdict() | {"contexts": list(sample.contexts)}
                ctx.set(dut.put, {"write": 1, "bank": bank, "slot": slot, "sample": values})
                await ctx.tick()
            ctx.set(dut.put.write, 0)
            for n, word in enumerate(self.words):
                for slot in range(self.geometry.slots):
                    address = n << self.geometry.slot_bits | slot
                    ctx.set(dut.load, {"write": 1, "address": address, "value": word & 0xFFFF})
                    await ctx.tick()
            ctx.set(dut.load.write, 0)
            ports = ((dut.step, 0, read), (dut.factor, FACTOR, factors), (dut.drain, LATENCY, drains))
            for clock in range(len(self.steps) + LATENCY + RESULT_LATENCY + 1):
                for port, since, rows in ports:
                    ctx.set(port, rows[clock - since] if since <= clock < since + len(rows) else {})
                await ctx.tick()
            found = []
            for n in range(len(self.expected)):
                found.append(ctx.get(dut.memory.data[(len(self.words) + n) << self.geometry.slot_bits]))
            wrong = [n for n, pair in enumerate(zip(found, self.expected, strict=True)) if pair[0] != pair[1]]
            assert not wrong, f"{len(wrong)} are wrong, the first one {found[wrong[0]]}: {self.steps[wrong[0]]}"

        simulator = Simulator(dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(play)
        simulator.run()


def test_every_shift_rounds_half_up() -> None:
    """Ties and what is next to them, of either sign; and the greatest sums."""
    bench = Bench([0, 0], {})
    for shift in range(spec.MAX_SHIFT + 1):
        half = 1 << shift >> 1
        near = {(2 * k + 1) * half + d for k in (-6, -5, -2, -1, 0, 1, 4, 9) for d in (-1, 0, 1)}
        near |= {(1 << 31) - 1 - half, -1 << 31, (2 * 16384 + 1) * half, -(2 * 16384 + 1) * half}
        for total in sorted(total for total in near if -1 << 31 <= total < (1 << 31) - half):
            rounded = round_half_up(total, shift) if shift else total
            for floor in Floor if total == near else [Floor.FULL]:
                expected = saturate(rounded, LEAST[floor](15), 32767)
                bench.add(expected, {"bias": total + half, "shift": shift, "floor": floor})
    bench.run()
    assert len(bench.expected) > 500


def test_coefficients_at_their_limits() -> None:
    """Wide ones, the gain, and those of 8 bits; each product by its upper bits, and by its lower ones."""
    factors = (-32768, -32767, -16385, -129, -1, 0, 1, 127, 255, 16384, 32767)
    samples = {(0, slot): Sample(factor, 0, 0, (0, 0)) for slot, factor in enumerate(factors)}
    words = [*factors, *[0] * 5]
    bench = Bench(words, samples)
    for slot, a in enumerate(factors):
        for n, b in enumerate(factors):
            ways: list[dict[str, Any]] = [{"wide": 1, "weights": b & 0xFFFF}]
            if -128 <= b < 128:
                ways.append({"weights": b & 0xFF | 0x5500})
            for way in [*ways, {"gain": 1, "weights": 0x1234}]:
                for drain in ({"shift": 16}, {"bias": 1000 - a * b}):
                    if "gain" in way:
                        bench.prepare(field=n, source=Source.MEMORY, load=Load.GAIN)
                    bench.add(
                        (a * b >> 16) if "shift" in drain else 1000, drain, slot=slot, source=Source.SIGNAL, **way
                    )
    for drain in bench.drains:
        if drain is not None:
            drain["slot"] = 0
    bench.run()


@pytest.mark.parametrize("bank", [0, 1])
def test_features_of_every_exponent(bank: int) -> None:
    """Slot n has exponent n; words around powers of two; relative ones less the greatest or the least sample."""
    signal = (32767, -32768)[bank]
    samples = {(bank, exponent): Sample(signal, 0, exponent, (0, 0)) for exponent in range(16)}
    words = (EDGES + [0] * 128)[:128]
    bench = Bench(words, samples)
    for exponent, (n, word) in product(range(16), enumerate(words)):
        relative = (n + exponent) & 1
        for zero in (0, 1) if n < 2 else (0,):
            ones = 7 + (n + exponent) % 5
            far, fall = (0 if zero else word) - signal * relative, exponent - UNIT_BITS
            value = round_half_up(far, fall) if fall > 0 else far << -fall
            expected = saturate(value, 1 - (1 << ones), (1 << ones) - 1)
            source = Source.RELATIVE if relative else Source.FEATURE
            bench.add(expected, {}, field=n, slot=exponent, bank=bank, source=source, ones=ones, zero=zero, weights=1)
    bench.run()


def test_what_else_is_multiplied() -> None:
    """A sample's other members, and words older than the key packet."""
    rows = [
        Sample(-7, residual, 3, contexts)
        for residual, contexts in ((-32767, (-128, 127)), (32767, (127, -128)), (0, (1, 2)))
    ]
    bench = Bench([-5, 9], {(slot & 1, slot): sample for slot, sample in enumerate(rows)})
    for slot, row in enumerate(rows):
        values = {Source.SIGNAL: row.signal, Source.RESIDUAL: row.residual, Source.MAGNITUDE: abs(row.residual)}
        values |= {Source.FIRST_CONTEXT: row.contexts[0], Source.SECOND_CONTEXT: row.contexts[1]}
        for source, value in values.items():
            bench.add(value, {}, source=source, slot=slot, bank=slot & 1, weights=1, field=1)
        for n, zero in product(range(2), range(2)):
            bench.add(0 if zero else (-5, 9)[n], {}, source=Source.MEMORY, slot=slot, field=n, zero=zero, weights=1)
    bench.run()


def test_a_result_is_there_for_the_step_that_may_read_it() -> None:
    """`LATENCY + RESULT_LATENCY + 1` clocks behind its own; two before, the old word is, and between them none."""
    for clocks, expected in ((LATENCY + RESULT_LATENCY + 1, 77), (LATENCY + RESULT_LATENCY - 1, 0)):
        bench = Bench([0, 0], {(0, 0): Sample(77, 0, 0, (0, 0))})
        bench.add(77, {}, source=Source.SIGNAL, weights=1)
        for _ in range(clocks - 1):
            bench.prepare(source=Source.SIGNAL)
        bench.add(expected, {}, source=Source.MEMORY, field=2, weights=1)
        bench.run()


def test_every_gate_through_sigmoid_and_tanh() -> None:
    """One LSTM cell of which the contexts are the gates: all 256 of either; half of the cells grow to their limits."""
    channels, frames = 64, 9
    weights = np.array([[0, 64, 0, 0], [0, 0, 0, 0], [0, 0, 64, 0], [0, 64, 0, 0]])  # signal, contexts, own
    unit = Dense(LSTM, weights, np.array([0, 127 << 6, 0, 0]), 6)
    head = Dense(LINEAR, np.array([[64]]), np.zeros(1, np.int64), 6)
    bank, features = np.zeros((0, 3), np.int64), np.array([(SIGNAL, 0, 0)])
    network = Network(bank, np.zeros(0, np.int64), features, 8, [unit], MiddleOut.NONE, None, [], head, None, 2)
    rows = []
    for frame in range(frames):
        gates = [(32 * frame + n) % 256 for n in range(channels // 2)]
        swept = [(gate - 128, gate * 91 % 256 - 128) for gate in gates]
        grown = [(127, 4 * n - 64) for n in range(channels // 2)]
        rows.append([Sample(0, 0, 0, contexts) for contexts in swept + grown])
    program = snug(network, 10, 0, multipliers=4, slots=channels)
    trial, law = run(program, 10, rows), Law(network, 10, channels)
    cells = set()
    for frame, row in enumerate(rows):
        for channel, sample in enumerate(row):
            if frame:
                assert trial.outputs[frame][channel] == law.predict(channel), f"frame {frame}, channel {channel}"
            law.observe(channel, sample)
        law.age += 1
        cells |= {round_half_up(int(cell), 4) for cell in law.state[2][:, 1]}
    swept = {sample.contexts for row in rows for sample in row}
    assert len({first for first, _ in swept}) == len({second for _, second in swept}) == 256
    assert {-128, 127} <= {min(cell, 127) for cell in cells} and len(cells) > 150
