"""Stage `huffman` in gates against its law, a sample a clock, and what loads it; Rice codes that a set fixes."""

from collections.abc import Iterator

import numpy as np
import pytest

from hw.huffman import Huffman, choice_words, level, table_words
from hw.load import Table
from hw.rice import Rice
from model.codec import huffman as law
from model.codec import rice as rice_law
from model.spec import shipped, spikey
from model.spec.config import CodecConfig, ConfigError
from model.spec.huffman import LEVELS, MAX_LENGTH
from model.spec.rice import mean_format
from tests.networks import code_lengths, spikey_set
from tests.simulate import evaluate, play
from tests.test_gates_stages import tokens

OUT = "o.payload."
SAMPLE, RESTART = "marks.sample", "marks.restart"
CODE, VALUE, LENGTH = (OUT + name for name in ("code", "value", "length"))
FRAMES = 1500  # in which a channel does not restart
LOST = range(2500, 2530)  # samples that belong to no stored packet


def residuals_of_every_size(width: int) -> np.ndarray:
    """Small to large and back, extremes in between."""
    rng, half = np.random.default_rng(width), 1 << (width - 1)
    size = 2.0 ** np.concatenate([np.arange(-5, width, 0.5), np.arange(width, -5, -2)])
    found = np.clip(rng.normal(0, np.repeat(size, 420)), -half, half - 1).astype(np.int64)
    found[rng.integers(0, len(found), 60)] = rng.choice([-half, half - 1], 60)
    return found


def with_means(residuals: np.ndarray, channels: int, width: int) -> Iterator[tuple[int, int]]:
    """Each residual of a stored packet folded, and the mean before it."""
    means = [0] * channels
    for n, residual in enumerate(residuals.tolist()):
        frame, channel = divmod(n, channels)
        if frame % FRAMES == 0:
            means[channel] = rice_law.restart(width)
        if n in LOST:
            continue
        folded = rice_law.fold(residual)
        yield folded, means[channel]
        means[channel] = rice_law.adapt(means[channel], folded)


def samples(config: CodecConfig, residuals: np.ndarray) -> list[dict[str, int]]:
    """One a clock, but for one clock without; all but those in `LOST` stored."""
    rows = tokens(config, len(residuals), "residual", residuals, FRAMES)
    for n, row in enumerate(rows):
        row["i.payload.code"] = n % 251
        row["i.payload." + SAMPLE] = int(n not in LOST)
    return [*rows[:500], {}, *rows[500:]]


def loading(table: Table, values: list[int]) -> list[dict[str, int]]:
    """A word a clock."""
    rows = [{"load.address": address, "load.value": value} for address, value in enumerate(values)]
    return [{"load.write": 1, "load.table": table, **row} for row in rows]


@pytest.mark.parametrize("width", [8, 10])
def test_levels(width: int) -> None:
    means = [*range(600), *range(600, mean_format(width).maximum, 37), mean_format(width).maximum]
    got = evaluate(level, {"mean": mean_format(width).width}, ({"mean": mean} for mean in means))
    assert got == [law.level(mean) for mean in means]


def random_tables(tables: int, symbols: int, width: int, unused: int) -> spikey.Tables:
    """Codes of random lengths, in which `unused` symbols have no word; every level has a choice of its own."""
    rng = np.random.default_rng(tables + width)
    lengths = np.stack([code_lengths(rng, symbols - unused, unused, sort=n % 2 == 0) for n in range(tables)])
    low = np.clip(np.arange(LEVELS) // 4 - 7 + rng.integers(-1, 2, LEVELS), 0, width)
    low[::9] = rng.integers(0, width, len(low[::9]), endpoint=True)
    found = spikey.unpack(spikey_set(0), width)
    choices = np.stack([rng.integers(0, tables, LEVELS), low], axis=1)
    return spikey.Tables(found.network, found.level, spikey.HUFFMAN, choices, lengths)


@pytest.mark.parametrize(
    ("width", "tables", "symbols", "own"),
    [(10, 3, 32, (3, 32)), (10, 4, 64, (3, 41)), (8, 5, 16, (5, 16)), (8, 1, 8, (1, 5))],
)
def test_huffman(width: int, tables: int, symbols: int, own: tuple[int, int]) -> None:
    """Sets as large as the gates are built for, and smaller ones; what was loaded before is of no matter."""
    compare(random_tables(*own, width, own[1] // 6), width, tables, symbols)


def test_the_shipped_set() -> None:
    compare(spikey.unpack(shipped.named("spikey-huffman"), 10), 10, 12, 64)


def compare(found: spikey.Tables, width: int, tables: int, symbols: int) -> None:
    config, residuals = CodecConfig("spikey", 3, width), residuals_of_every_size(width)
    codes = table_words(found, tables, symbols)
    rubbish = [0x1FFF, 0xFFFF] * (len(codes) // 2)
    rows = loading(Table.CODES, rubbish) + loading(Table.CHOICES, choice_words(found, width))
    rows += loading(Table.CODES, codes) + loading(Table.EDGES, [3] * 64) + loading(Table.LINKS, [9] * 64)
    before = len(rows)
    rows += samples(config, residuals)
    watched = ["o.valid", CODE, VALUE, LENGTH, OUT + SAMPLE, OUT + RESTART]
    outputs = play(Huffman(config, tables, symbols), rows, watched, Huffman.LATENCY)
    assert [row["o.valid"] for row in outputs].index(1) == before + Huffman.LATENCY
    came = [row for row in outputs if row["o.valid"]]

    own, escape = law.codes(found.huffman), found.huffman.shape[1] - 1
    expected, reasons, levels = [], {"word": 0, "beyond": 0, "none": 0}, set()
    for folded, mean in with_means(residuals, 3, width):
        choice = found.choices[law.level(mean)]
        expected.append(law.code_word(folded, choice, width, own.lengths, own.words))
        symbol = folded >> choice[1]
        has_word = symbol < escape and found.huffman[choice[0], symbol] > 0
        reasons["beyond" if symbol >= escape else "word" if has_word else "none"] += 1
        levels.add(law.level(mean))
    assert [(row[VALUE], row[LENGTH]) for row in came if row[OUT + SAMPLE]] == expected
    assert [row[CODE] for row in came] == [n % 251 for n in range(len(residuals))]
    assert sum(row[OUT + RESTART] for row in came) == 3 * -(-len(residuals) // 3 // FRAMES)
    assert reasons["word"] > 1000 and reasons["beyond"] > 20
    assert reasons["none"] > 20 or found.huffman.all()
    assert len(levels) > 4 * (width - 3)


def test_the_longest_word() -> None:
    """20 bits and an escape behind it."""
    width, lengths = 10, np.array([[*range(1, MAX_LENGTH + 1), MAX_LENGTH]], np.int64)
    found = random_tables(1, 8, width, 0)
    choices = np.zeros((LEVELS, 2), np.int64)
    found = spikey.Tables(found.network, found.level, spikey.HUFFMAN, choices, lengths)
    config, residuals = CodecConfig("spikey", 1, width), np.array([-512, 0, 9, -10, 511, 10])
    rows = loading(Table.CHOICES, choice_words(found, width)) + loading(Table.CODES, table_words(found, 1, 32))
    for row in tokens(config, len(residuals), "residual", residuals):
        rows += [row] + [{}] * (Huffman.DEPTH - 1)
    outputs = play(Huffman(config, 1, 32), rows, ["o.valid", VALUE, LENGTH], Huffman.LATENCY)
    got = [(row[VALUE], row[LENGTH]) for row in outputs if row["o.valid"]]
    own = law.codes(lengths)
    folded = [rice_law.fold(residual) for residual in residuals.tolist()]
    assert got == [law.code_word(one, choices[0], width, own.lengths, own.words) for one in folded]
    assert got[0] == ((1 << (MAX_LENGTH + width)) - 1, MAX_LENGTH + width)


def test_what_the_gates_have_no_room_for_is_refused() -> None:
    found = random_tables(3, 20, 8, 0)
    for tables, symbols in ((2, 32), (3, 16)):
        with pytest.raises(ConfigError, match=f"3 tables of 20 symbols; the core is built for {tables} of {symbols}"):
            table_words(found, tables, symbols)
    found.choices[20, 1] = 9
    with pytest.raises(ConfigError, match="'choices': 9 low bits; give at most 8"):
        choice_words(found, 8)
    assert choice_words(found, 10)[20] >> 8 == 9
    for symbols in (0, 1, 48):
        with pytest.raises(ValueError, match="symbols: "):
            Huffman(CodecConfig("spikey", 1, 8), 3, symbols)


def test_levels_that_no_mean_has_are_of_no_matter() -> None:
    found = random_tables(3, 20, 8, 0)
    reached = law.level(mean_format(8).maximum)
    found.choices[reached + 1 :, 1] = 16
    words = choice_words(found, 8)
    assert words[reached] >> 8 == found.choices[reached, 1] and words[reached + 1 :] == [0] * (LEVELS - 1 - reached)


@pytest.mark.parametrize("width", [8, 10])
@pytest.mark.parametrize("coder", [0, 3, 7, 9, 15, spikey.ADAPTIVE])
def test_rice_as_a_set_says(width: int, coder: int) -> None:
    config, residuals = CodecConfig("spikey", 3, width), residuals_of_every_size(width)[::7]
    rows = loading(Table.CODER, [coder ^ 5]) + loading(Table.CODER, [coder]) + loading(Table.LEVEL, [2])
    rows += samples(config, residuals)
    outputs = play(Rice(config, parameterised=True), rows, ["o.valid", VALUE, LENGTH, OUT + SAMPLE], Rice.LATENCY)
    got = [(row[VALUE], row[LENGTH]) for row in outputs if row["o.valid"] and row[OUT + SAMPLE]]
    expected = []
    for folded, mean in with_means(residuals, 3, width):
        k = rice_law.parameter(mean, width) if coder == spikey.ADAPTIVE else min(coder, width - 1)
        expected.append(rice_law.code_word(folded, k, width))
    assert got == expected
