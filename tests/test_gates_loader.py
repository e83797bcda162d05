"""A parameter set on its way into the gates: whole ones arrive, others are refused; no table changes while in use."""

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from hw.calibrated import tables
from hw.load import NAME_WORDS, Table
from hw.loader import FEW, Loader
from hw.peer import Peer
from model.spec import shipped
from model.spec.calibrated import image, pack, unpack
from model.spec.config import CodecConfig
from model.spec.packet import MOST_LINKS
from tests.simulate import play

WIDTH = 8
CONFIG = CodecConfig("calibrated", 4, WIDTH)
SET = shipped.default("calibrated")
TABLES = unpack(SET, WIDTH)
IMAGE = image(SET, WIDTH)
OUT = [f"load.{name}" for name in ("write", "table", "address", "value")]
CLOCKS = Loader.WORD_CLOCKS


def calibrated(config: CodecConfig) -> Loader:
    return Loader(config, tables(config, len(TABLES.shifts)), {Table.SHIFTS: TABLES.shifts.tolist()})


def words(*images: np.ndarray, idle: int = 1) -> list[dict[str, int]]:
    """Images as fast as the loader takes them."""
    waiting = [{"idle": idle}] * (CLOCKS - 1)
    return [
        word
        for values in images
        for n, value in enumerate(values)
        for word in (
            {"i.valid": 1, "i.payload.value": int(value), "i.payload.first": int(n == 0), "idle": idle},
            *waiting,
        )
    ]


def load(*images: np.ndarray) -> list[dict[str, int]]:
    """What the loader says in the last clock of each word."""
    seen = play(calibrated(CONFIG), words(*images), ["loaded", "waits", "i.ready"])
    assert all(row["i.ready"] for row in seen[::CLOCKS]) and not any(row["waits"] for row in seen[CLOCKS - 1 :: CLOCKS])
    return seen[CLOCKS - 1 :: CLOCKS]


@pytest.mark.parametrize("peers", [None, (0, 1, 0, 3)])
def test_every_word_goes_to_its_place(peers: tuple[int, ...] | None) -> None:
    """Gates that know peers take one more weight, and a table of them."""
    config, whole = CodecConfig("calibrated", 4, WIDTH, peers=peers or ()), image(SET, WIDTH, peers)
    seen = play(calibrated(config), words(whole), ["loaded", *OUT])
    found: dict[int, list[int]] = {}
    for row in seen:
        write, table, address, value = (row[name] for name in OUT)
        if write:
            assert address == len(found.setdefault(table, []))
            found[table].append(value)
    steps = (TABLES.steps[0] & 0xFF) | (TABLES.steps[1] & 0xFF) << 8
    assert found == {
        Table.EDGES: (TABLES.edges & 0xFFFF).tolist(),
        Table.POINTS: TABLES.points[1:].tolist(),
        Table.STEPS: steps.tolist(),
        Table.WEIGHTS: (TABLES.weights[: len(TABLES.weights) - (peers is None)] & 0xFFFF).tolist(),
        Table.START: [TABLES.start],
        Table.NAME: [SET.identifier >> 16 * n & 0xFFFF for n in range(NAME_WORDS)],
        Table.SHIFTS: TABLES.shifts.tolist(),
        **({Table.PEERS: list(peers)} if peers else {}),
    }
    assert [row["loaded"] for row in seen[CLOCKS - 1 :: CLOCKS]] == [0] * (len(whole) - 1) + [1]


def test_other_shifts_than_the_gates_have_are_refused() -> None:
    """One, or the other; the next set is taken."""
    first, second = TABLES.shifts.tolist()
    others = [replace(TABLES, shifts=np.array(shifts)) for shifts in ((first, second + 1), (first + 1, second))]
    images = [*(image(pack(other, WIDTH, even=True), WIDTH) for other in others), IMAGE]
    assert [row["loaded"] for row in load(*images)] == [0] * (3 * len(IMAGE) - 1) + [1]


def test_peers_that_are_too_near_or_before_the_first_channel_are_refused() -> None:
    config = CodecConfig("calibrated", 4, WIDTH, lanes=2, peers=(0, 0, 2, 0))
    images = [image(SET, WIDTH, peers) for peers in ((0, 0, 0, 1), (0, 0, 3, 0), (0, 0, 2, 3))]
    seen = play(calibrated(config), words(*images), ["loaded"])
    assert [row["loaded"] for row in seen[CLOCKS - 1 :: CLOCKS]] == [0] * (3 * len(images[0]) - 1) + [1]


def test_a_changed_word_is_refused_until_the_next_good_image() -> None:
    """Any word, the check's own among them."""
    damaged, size = [], len(IMAGE)
    for at in (0, size - 3, size - 2, size - 1):
        damaged.append(IMAGE.copy())
        damaged[-1][at] ^= 1 << at % 16
    loaded = [row["loaded"] for row in load(*damaged, IMAGE, IMAGE[:9])]
    assert loaded == [0] * ((len(damaged) + 1) * size - 1) + [1] + [0] * 9  # until the next one's first word


def test_half_an_image_is_refused_and_forgotten() -> None:
    parts, size = (IMAGE[:-1], np.delete(IMAGE, 99)), len(IMAGE)
    loaded = [row["loaded"] for row in load(*(values for part in parts for values in (part, IMAGE)))]
    assert loaded == [flag for part in parts for flag in [0] * (len(part) + size - 1) + [1]]


def test_what_follows_an_image_is_nothing() -> None:
    """Words without a mark, after a whole image and before any."""
    more = np.full(5, 0x1234, np.uint16)
    rest = [{**word, "i.payload.first": 0} for word in words(more)]
    outputs = ["loaded", "load.write"]
    seen = play(calibrated(CONFIG), [*words(IMAGE), *rest], outputs)[len(IMAGE) * CLOCKS :]
    assert all(row["loaded"] for row in seen) and not any(row["load.write"] for row in seen)


@pytest.mark.parametrize("idle_at", [1, 2, 30])
def test_a_word_waits_until_no_table_is_in_use(idle_at: int) -> None:
    """It is taken at once, and written when no table was in use in the clock before, either."""
    stimulus = [{"idle": int(clock >= idle_at)} for clock in range(60)]
    stimulus[0] |= {"i.valid": 1, "i.payload.value": 7, "i.payload.first": 1}
    seen = play(calibrated(CONFIG), stimulus, ["i.ready", "waits", *OUT])
    written = [clock for clock, row in enumerate(seen) if row["load.write"]]
    assert written == [idle_at + 1]
    assert [clock for clock, row in enumerate(seen) if row["waits"]] == list(range(1, idle_at + 2))
    taken_next = next(clock for clock, row in enumerate(seen) if clock and row["i.ready"])
    assert taken_next == written[0] + CLOCKS - 2


def checked(*tables: Sequence[int]) -> np.ndarray:
    """An image of these tables."""
    whole = np.concatenate(tables).astype("<u2").tobytes()
    return np.frombuffer(whole + zlib.crc32(whole).to_bytes(4, "little"), "<u2")


def test_tables_have_their_own_numbers_in_any_order() -> None:
    """More of them than edges, and some left out."""
    config = CodecConfig("spikey", 300, WIDTH)
    sizes = {Table.LINKS: 1 + 300 * MOST_LINKS, Table.CODER: 1, Table.NAME: NAME_WORDS, Table.CODES: 6}
    found: dict[int, list[tuple[int, int]]] = {table: [] for table in sizes}
    values = [np.arange(size) % MOST_LINKS + 3 * table for table, size in sizes.items()]
    values[0][0] = MOST_LINKS
    seen = play(Loader(config, sizes), words(checked(*values)), ["loaded", *OUT])
    for row in seen:
        if row["load.write"]:
            found[row["load.table"]].append((row["load.address"], row["load.value"]))
    assert found == {table: [*enumerate(words.tolist())] for table, words in zip(sizes, values, strict=True)}
    assert seen[-1]["loaded"]


@pytest.mark.parametrize("count", [2, FEW, FEW + 1, 150])
@pytest.mark.parametrize("leads", [True, False])
def test_a_fixed_table_is_refused_whichever_word_is_another(count: int, leads: bool) -> None:
    """The image's first one, too; few words and many."""
    fixed = np.random.default_rng(count).integers(0, 1 << 11, count)
    sizes = {Table.SHIFTS: count, Table.LEVEL: 1} if leads else {Table.LEVEL: 1, Table.SHIFTS: count}
    loader = Loader(CodecConfig("spikey", 4, WIDTH), sizes, {Table.SHIFTS: fixed.tolist()})
    images = []
    for at in (None, 0, 1, count // 2, count - 1):
        for bit in (0, 15)[: 1 + (at is not None)]:
            other = fixed.copy()
            if at is not None:
                other[at] ^= 1 << bit
            images.append(checked(other, [7]) if leads else checked([7], other))
    seen = play(loader, words(*images), ["loaded"])
    ends = [seen[CLOCKS * len(images[0]) * (n + 1) - 1]["loaded"] for n in range(len(images))]
    assert ends == [1] + [0] * (len(images) - 1)


def test_a_fixed_table_has_the_words_that_it_should_have() -> None:
    with pytest.raises(ValueError, match="SHIFTS has 2 words; give 3"):
        Loader(CONFIG, {Table.SHIFTS: 3}, {Table.SHIFTS: [1, 2]})
    with pytest.raises(ValueError, match="CODES has 1 words; give none"):
        Loader(CONFIG, {Table.SHIFTS: 3}, {Table.CODES: [1]})


@pytest.mark.parametrize("leads", [True, False])
def test_more_links_of_a_channel_than_there_can_be_are_refused(leads: bool) -> None:
    sizes = {Table.LINKS: 5, Table.LEVEL: 1} if leads else {Table.LEVEL: 1, Table.LINKS: 5}
    images = []
    for most in range(MOST_LINKS + 3):
        links = [most, *(0xFFFF,) * 4]
        images.append(checked(links, [7]) if leads else checked([7], links))
    seen = play(Loader(CodecConfig("spikey", 1, WIDTH), sizes), words(*images), ["loaded"])
    ends = [seen[CLOCKS * len(images[0]) * (n + 1) - 1]["loaded"] for n in range(len(images))]
    assert ends == [int(most <= MOST_LINKS) for most in range(len(images))]


def test_a_table_may_have_a_word_for_each_channel_whatever_the_width() -> None:
    peers = (0, *(1,) * 1023)
    config = CodecConfig("calibrated", 1024, WIDTH, packet_frames=10, peers=peers)
    longest = max(tables(config, 2).values())
    for port in (calibrated(config).load, Peer(config).load):
        assert longest <= 1 << len(port.address)
