"""What the stage `packet` is made of, in gates: packers against the law's bit strings, banks, serialiser, memory."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.emit import Serialise
from hw.memory import SinglePortRam
from hw.pack import PackBits, PackPairs
from hw.store import Store, ceil_power
from model.codec import bits
from model.spec.rice import MAX_CODE_BITS
from tests.simulate import play

WORDS = ["write", "word", "done", "discard"]


def law_words(codes: list[tuple[int, int]]) -> list[int]:
    """The 32-bit words of a bit string, the last padded with zeros."""
    out = np.zeros(4 * len(codes) + 4, np.uint8)
    at = acc = fill = 0
    for value, length in codes:
        at, acc, fill = bits.put(out, at, acc, fill, value, length)
    used = bits.flush(out, at, acc, fill)
    return [int.from_bytes(out[n : n + 4].tobytes(), "big") for n in range(0, used, 4)]


def packets(outputs: list[dict[str, int]]) -> list[list[int]]:
    """Words by packet; a packet that is discarded is not there."""
    found, words = [], []
    for row in outputs:
        if row["discard"]:
            words = []
        if row["write"]:
            words.append(row["word"])
        if row["done"]:
            found.append(words)
            words = []
    assert not words
    return found


@pytest.mark.parametrize("seed", range(4))
def test_bits_end_to_end(seed: int) -> None:
    """Packets back to back without a clock between; among them discarded ones, and lengths 1 to 31."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, int]] = []
    expected = []
    for number in range(30):
        lengths = rng.integers(1, MAX_CODE_BITS + 1, rng.integers(1, 40))
        if number % 3 == 0:
            lengths[:] = 31
        codes = [(int(rng.integers(0, 1 << min(n, 16))), int(n)) for n in lengths]
        discarded = number % 4 == 3
        for n, (value, length) in enumerate(codes):
            rows.append({"sample": 1, "open": int(n == 0), "value": value, "length": length})
            rows += [{"value": 5, "length": 9}] * int(rng.integers(0, 2))
        if discarded:
            rows.append({"abort": 1})
        else:
            rows[-1]["close"] = 1
            expected.append(law_words(codes))
    assert packets(play(PackBits(16), rows, WORDS, 6)) == expected


def test_a_discarded_packet_may_end_where_the_next_begins() -> None:
    codes = [(5, 20)] * 5
    rows = [{"sample": 1, "open": int(n == 0), "value": v, "length": k} for n, (v, k) in enumerate(codes[:3])]
    rows += [{"sample": 1, "open": int(n == 0), "abort": int(n == 0), "value": 9, "length": 30} for n in range(4)]
    rows[-1]["close"] = 1
    assert packets(play(PackBits(16), rows, WORDS, 6)) == [law_words([(9, 30)] * 4)]


@pytest.mark.parametrize("counts", [(1, 2, 3, 4, 5, 1, 1), (8, 7, 8)])
def test_pairs(counts: tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    rows: list[dict[str, int]] = []
    expected = []
    for count in counts:
        codes = rng.integers(0, 1 << 10, count).tolist()
        rows += [{"sample": 1, "open": int(n == 0), "code": c} for n, c in enumerate(codes)]
        rows[-1]["close"] = 1
        padded = [*codes, 0, 0]
        expected.append([padded[n] << 16 | padded[n + 1] for n in range(0, count + 1, 2)])
    assert packets(play(PackPairs(10), rows, WORDS, 4)) == expected


@pytest.mark.parametrize(("raw", "width"), [(0, 10), (1, 8), (1, 10), (1, 13), (1, 16)])
def test_serialise_a_byte_a_clock(raw: int, width: int) -> None:
    rng = np.random.default_rng(width)
    words = rng.integers(0, 1 << 32, 40).tolist()
    bits_of = "".join(
        f"{w:032b}" if not raw else f"{(w >> 16) & ((1 << width) - 1):0{width}b}{w & ((1 << width) - 1):0{width}b}"
        for w in words
    )
    expected = [int(bits_of[n : n + 8], 2) for n in range(0, len(bits_of) - 7, 8)]

    component = Serialise(width)
    at, got, clocks = 0, [], []

    async def bench(ctx):  # the word at the input waits until it is taken
        nonlocal at
        ctx.set(component.raw, raw)
        ctx.set(component.o.ready, 1)
        for clock in range(6 * len(words)):
            ctx.set(component.i.valid, int(at < len(words)))
            ctx.set(component.i.payload, words[min(at, len(words) - 1)])
            _, _, valid, byte, ready = await ctx.tick().sample(
                component.o.valid, component.o.payload, component.i.ready
            )
            at += int(ready and at < len(words))
            if valid:
                got.append(int(byte))
                clocks.append(clock)

    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert got == expected
    assert clocks[-1] - clocks[0] == len(clocks) - 1


def test_store_keeps_banks_apart_and_writes_first() -> None:
    store = Store(8, 2)
    first, second = list(range(100, 108)), list(range(200, 205))
    rows = [{"write": 1, "offset": n, "word": w} for n, w in enumerate(first)]
    rows.append({"write": 1, "offset": 8, "word": 999})  # beyond the bank's end: not written
    rows[-1]["done"] = 1
    rows.append({"rewind": 1})
    rows += [{"o.ready": 1, "write": 1, "offset": n, "word": w} for n, w in enumerate((7, 8))]  # written over
    for n, w in enumerate(second):
        last = int(n == len(second) - 1)
        rows += [{"o.ready": 1, "write": 1, "offset": n, "word": w, "done": last}, {"o.ready": 1}]
    rows += [{"o.ready": 1}] * 30
    rows += [{"release": 1}, {"rewind": 1}, *[{"o.ready": 1}] * 20]
    outputs = play(store, rows, ["o.valid", "o.payload"])
    taken = [
        row["o.payload"] for row, word in zip(outputs, rows, strict=True) if row["o.valid"] and word.get("o.ready")
    ]
    assert taken[:8] == first
    start = next(n for n, word in enumerate(rows) if word.get("release"))
    later = [
        row["o.payload"]
        for row, word in zip(outputs[start:], rows[start:], strict=True)
        if row["o.valid"] and word.get("o.ready")
    ]
    assert later[:5] == second


@pytest.mark.parametrize("banks", [1, 3])
def test_store_wants_a_power_of_two_of_banks(banks: int) -> None:
    with pytest.raises(ValueError, match="banks"):
        Store(8, banks)


def test_ceil_power() -> None:
    assert [ceil_power(n) for n in (1, 2, 3, 4, 5, 1023, 1024, 1025)] == [1, 2, 4, 4, 8, 1024, 1024, 2048]


def test_single_port_ram_reads_what_was_written() -> None:
    rng = np.random.default_rng(3)
    memory: dict[int, int] = {}
    rows, expected = [], {}
    for clock in range(600):
        address, write = int(rng.integers(0, 64)), int(rng.random() < 0.5)
        rows.append({"address": address, "enable": 1, "write": write, "value": int(rng.integers(0, 1 << 32))})
        if write:
            memory[address] = rows[-1]["value"]
        elif address in memory:
            expected[clock + 1] = memory[address]
    outputs = play(SinglePortRam(64, 32), rows, ["data"], 1)
    assert {clock: outputs[clock]["data"] for clock in expected} == expected
    assert len(expected) > 100
