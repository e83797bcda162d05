"""Stage `range`, the coder: its strings are those of ordinary addition on one unbounded number, whatever is coded.

The coder keeps one word back; the reference (`page_encoder.Coder`) keeps everything, and tells which turns its words
have taken: a carry, a word of all ones, a carry that makes one, each also at the end of a string.
"""

import re
from collections import Counter
from functools import cache
from typing import NamedTuple

import numpy as np
import page_encoder as page
import pytest

from model.codec import range as coding
from model.codec.decompressor import decode
from model.codec.packet import StreamError, build
from model.spec import shipped
from model.spec.config import CodecConfig

GUARD = 0xA5


class Part(NamedTuple):
    """A code by its part of the interval."""

    below: int
    above: int


class Plain(NamedTuple):
    """A code as it is."""

    code: int
    width: int


class Even(NamedTuple):
    """The lower bits of a code."""

    number: int
    bits: int


Step = Part | Plain | Even


class Script:
    """Steps, and what the reference makes of them as they come."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.coder = page.Coder()
        self.steps: list[Step] = []

    def number(self, low: int, high: int) -> int:
        """Any from `low` to `high`."""
        return int(self.random.integers(low, high, endpoint=True))

    def part(self, below: int, above: int) -> None:
        self.steps.append(Part(below, above))
        self.coder.part(below, above)

    def plain(self, code: int, width: int) -> None:
        self.steps.append(Plain(code, width))
        self.coder.plain(code, width)

    def even(self, number: int, bits: int) -> None:
        self.steps.append(Even(number, bits))
        self.coder.even(number, bits)

    def any(self, count: int) -> None:
        """Steps of all kinds: of few bits and of many, at the interval's ends and inside, and codes as they are."""
        for _ in range(count):
            kind, size = self.number(0, 9), self.coder.size
            if kind == 0:
                width = self.number(8, 16)
                top = (1 << width) - 1
                self.plain((self.number(0, top), 0, top)[self.number(0, 2)], width)
                continue
            if kind == 2:
                bits = self.number(1, 5)
                self.even((self.number(0, (1 << bits) - 1), 0, (1 << bits) - 1)[self.number(0, 2)], bits)
                continue
            part = min(size, 1 if kind == 1 else self.number(1, 1 << self.number(1, 16)))
            below = (0, size - part, self.number(0, size - part))[self.number(0, 2)]
            self.part(below, below + part)

    def to_word(self) -> None:
        """Bit by bit up to the begin of a word that has 16 new bits."""
        while self.coder.doubled != self.coder.begin or self.coder.new_bits != 16:
            part = self.number(16384, 32767)
            below = self.number(0, self.coder.size - part)
            self.part(below, below + part)

    def around(self, goal: int, count: int, most: int) -> int:
        """Parts, of 2**`most` at most, that hold both `goal` and what is just below it; where the goal is then."""
        for _ in range(count):
            bits = self.number(1, most)
            part = min(self.coder.size, self.number(1 << bits, (2 << bits) - 1))
            below = self.number(max(0, goal + 1 - part), min(goal - 1, self.coder.size - part))
            before = self.coder.doubled
            self.part(below, below + part)
            goal = (goal - below) << (self.coder.doubled - before)
        return goal


@cache
def carried(seed: int, word: int, count: int, most: int, end: str) -> Script:
    """A script whose number stays just below one with the bits of `word` in it, then passes it, or does not."""
    script = Script(seed)
    script.any(script.number(0, 9))
    while True:
        script.to_word()
        goal = (word - script.coder.low) % 65536
        if 0 < goal < script.coder.size:
            break
        script.any(3)
    goal = script.around(goal, count, most)
    if end == "over":
        script.part(goal, script.number(goal + 1, script.coder.size))
    elif end == "under":
        script.part(script.number(0, goal - 1), goal)
    if end != "at once":
        script.any(script.number(0, 40))
    return script


def encoded(steps: list[Step]) -> tuple[bytes, int]:
    """The kernel's string, and how many bytes it lagged behind the bits at most."""
    room = len(steps) * (coding.WORST_BITS + 16) // 8 + coding.SPARE_BYTES
    out = np.full(room + 64, GUARD, np.uint8)
    low, interval, count, held = coding.start()
    at = doubled = lag = 0
    for step in steps:
        if isinstance(step, Part):
            assert 0 <= step.below < step.above <= interval
            low, interval, count, held, at = coding.encode(low, count, held, out, at, *step)
            doubled += 16 - (step.above - step.below).bit_length()
        elif isinstance(step, Even):
            doubled += 16 - (interval >> step.bits).bit_length()
            low, interval, count, held, at = coding.encode_even(low, interval, count, held, out, at, *step)
        else:
            low, interval, count, held, at = coding.encode_plain(low, count, held, out, at, *step)
            doubled += step.width
        assert 32768 <= interval <= 65535 and 1 <= count <= 16 and low >> 33 == 0 and -1 <= held <= 0xFFFF
        lag = max(lag, doubled // 8 - at)
    end = coding.finish(low, count, held, out, at)
    assert end <= room and (out[room:] == GUARD).all()
    return out[:end].tobytes(), lag


def read_back(string: bytes, steps: list[Step]) -> bool:
    """Whether a reader finds every step in a string, and its end."""
    data = np.frombuffer(b"\xff" + string + b"\xff\xff\xff", np.uint8)  # what stands beside it is not read
    begin, end = 1, 1 + len(string)
    value, ahead, last, at = coding.open_reader(data, begin, end)
    interval = 0xFFFF
    for step in steps:
        place = value >> ahead
        if place >= interval or ahead < 16:
            return False
        if isinstance(step, Part):
            if not step.below <= place < step.above:
                return False
            value, interval, ahead = coding.take(value, ahead, *step)
            value, ahead, last, at = coding.refill(value, ahead, last, data, at, end)
        elif isinstance(step, Even):
            value, interval, ahead, last, at, number = coding.take_even(
                value, interval, ahead, last, data, at, end, step.bits
            )
            if number != step.number:
                return False
        else:
            value, ahead, last, at, code = coding.take_plain(value, ahead, last, data, at, end, step.width)
            interval = 32768
            if code != step.code:
                return False
    return bool(coding.finished(value, ahead, at, data, begin, end))


def check(script: Script) -> bytes:
    """The string of a script, the same from kernel and reference, and read back."""
    reference = page.Coder()
    for step in script.steps:
        {Part: reference.part, Plain: reference.plain, Even: reference.even}[type(step)](*step)
    string = reference.finish()
    found, lag = encoded(script.steps)
    assert found == string
    assert lag < 6  # a word that is held, one that is not complete, and what stuffing has put in
    value, behind = page.value_of(string)
    assert value << reference.doubled == reference.low << behind
    assert reference.low % 32768 == 0
    assert read_back(string, script.steps)
    EVENTS.update(reference.events)
    return string


EVENTS: Counter[str] = Counter()


@pytest.mark.parametrize("seed", range(150))
def test_any_steps(seed: int) -> None:
    script = Script(seed)
    script.any(script.number(0, 120))
    check(script)


WORDS = {"a carry": 0, "a carry into ones": 1, "a carry that makes ones": 0xFFFF, "a carry into half": 0x8000}


@pytest.mark.parametrize("end", ["over", "under", "at once"])
@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
def test_carries_are_those_of_addition(word: int, end: str) -> None:
    for seed in range(40):
        check(carried(seed, word, 1 + seed % 12, 2 + seed % 13, end))


def test_every_turn_that_a_word_can_take_was_taken() -> None:
    EVENTS.clear()
    for seed in range(60):
        for word in WORDS.values():
            for end in ("over", "at once"):
                check(carried(seed, word, 1 + seed % 12, 2 + seed % 13, end))
    turns = ["ones", "overlap", "overlap carries", "carry", "carry makes ones"]
    assert {turn for turn in turns if EVENTS[turn] < 3} == set()
    assert {turn for turn in turns if turn != "ones" and EVENTS["at the end: " + turn] < 3} == set()


@pytest.mark.parametrize("end", ["over", "under", "at once"])
@pytest.mark.parametrize("seed", range(4))
def test_a_carry_that_would_run_through_a_hundred_words_stops_at_one(seed: int, end: str) -> None:
    script = carried(seed, 0, 400, 3 + seed, end)
    run = re.compile("0{1600}" if end == "over" else "1{1600}")
    assert run.search(f"{script.coder.low:b}")
    check(script)


@pytest.mark.parametrize("width", range(8, 17))
def test_the_longest_code_words_fit_the_room(width: int) -> None:
    """Escapes, the least of them of 4 units, before codes of `width` bits that make words of ones where they can."""
    top = (1 << width) - 1
    for code in (0, top, top - 1, top >> 1, 0x5A5A & top):
        script = Script(0)
        script.plain(code, width)
        for _ in range(60):
            size = script.coder.size
            below = size * page.WHOLE // 65536
            script.part(below, size)
            script.plain(code, width)
        bits = len(check(script)) * 8
        assert bits <= 60 * (coding.WORST_BITS + width) + 8 * coding.SPARE_BYTES


def test_the_least_parts_shift_fifteen_bits_and_the_whole_none() -> None:
    script = Script(1)
    for number in range(64):
        size = script.coder.size
        script.part(0, size)
        at = (0, size - 1, size // 2, number)[number % 4]
        before = script.coder.doubled
        script.part(at, at + 1)
        assert script.coder.doubled - before == 15
    check(script)


def test_an_empty_string_of_steps_is_one_byte_and_strings_end_as_early_as_they_can() -> None:
    assert encoded([])[0] == b"\0"
    lengths = set()
    for seed in range(300):
        script = Script(seed)
        script.any(seed % 12)
        doubled, string = script.coder.doubled, check(script)
        stuffed = sum(word == 0xFFFF for word in np.frombuffer(string[: len(string) & ~1], ">u2"))
        assert doubled // 8 + 1 <= len(string) <= (doubled + stuffed) // 8 + 1
        lengths.add(len(string) * 8 - doubled - stuffed)
    assert lengths >= set(range(1, 9))


@pytest.mark.parametrize("seed", range(40))
def test_a_string_of_another_length_or_with_other_bits_is_not_this_one(seed: int) -> None:
    script = carried(seed, 0xFFFF, 2, 6, ("over", "at once")[seed % 2])
    string = check(script)
    assert not read_back(string + b"\0", script.steps)
    assert not read_back(string + b"\0\0", script.steps)
    assert not read_back(string[:-1], script.steps)
    for bit in range(8 * len(string)):
        other = bytearray(string)
        other[bit // 8] ^= 128 >> bit % 8
        assert not read_back(bytes(other), script.steps)


@pytest.mark.parametrize(("upper", "good"), [(0x67, True), (0x6F, True), (0x77, True), (0x7F, False)])
def test_a_carry_that_comes_later_than_an_encoder_puts_it_makes_no_other_code(upper: int, good: bool) -> None:
    """It comes between the two parts of a code, whose lower one is then one more than its bits can be."""
    config = CodecConfig("calibrated", 3, 12)
    payload = bytes((upper, 0xFF, 0xFF, 0xFF, 0x80))
    named = shipped.default("calibrated").identifier
    data = build(config, 0, 1, key=True, raw=False, payload=payload, parameter_set=named)
    if good:
        assert decode(data).frames.tolist() == [[(upper + 1) << 5, 0, 0]]
    else:
        with pytest.raises(StreamError, match="its payload does not decode"):
            decode(data)
