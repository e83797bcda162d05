"""A parameter set on its way into the gates: whole ones arrive, others are refused."""

import numpy as np
import pytest

from hw.load import Table
from hw.loader import Loader
from model.spec import shipped
from model.spec.calibrated import image, unpack
from model.spec.config import CodecConfig
from tests.simulate import play

WIDTH = 8
CONFIG = CodecConfig("calibrated", 4, WIDTH)
SET = shipped.default("calibrated")
TABLES = unpack(SET, WIDTH)
IMAGE = image(SET, WIDTH)
OUT = [f"load.{name}" for name in ("write", "table", "address", "value")]


def words(values: np.ndarray) -> list[dict[str, int]]:
    return [
        {"i.valid": 1, "i.payload.value": int(value), "i.payload.first": int(number == 0)}
        for number, value in enumerate(values)
    ]


def load(*images: np.ndarray) -> list[dict[str, int]]:
    """What the loader says in each clock, one of idleness after each image."""
    stimulus = [word for values in images for word in [*words(values), {}]]
    return play(Loader(CONFIG, len(TABLES.shifts)), stimulus, ["loaded", "parameter_set", *OUT])


def test_every_word_goes_to_its_place() -> None:
    seen = load(IMAGE)
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
        Table.WEIGHTS: (TABLES.weights[:-1] & 0xFFFF).tolist(),
        Table.START: [TABLES.start],
    }
    assert [row["loaded"] for row in seen] == [0] * len(IMAGE) + [1]
    assert seen[-1]["parameter_set"] == SET.identifier


@pytest.mark.parametrize("at", [0, 1, 256, 300, len(IMAGE) - 7, len(IMAGE) - 3, len(IMAGE) - 2, len(IMAGE) - 1])
def test_a_changed_word_is_refused_until_the_next_good_image(at: int) -> None:
    changed = IMAGE.copy()
    changed[at] ^= 1 << at % 16
    loaded = [row["loaded"] for row in load(changed, IMAGE, changed)]
    size = len(IMAGE)
    assert loaded[: 2 * size + 1] == [0] * (2 * size + 1)
    assert loaded[2 * size + 1 : 2 * size + 3] == [1, 1]  # until the next one's first word
    assert not any(loaded[2 * size + 3 :])


@pytest.mark.parametrize("words_lost", [1, 2, 5])
def test_half_an_image_is_refused_and_forgotten(words_lost: int) -> None:
    for part in (IMAGE[:-words_lost], np.delete(IMAGE, 99)):
        loaded = [row["loaded"] for row in load(part, IMAGE)]
        assert loaded == [0] * (len(part) + 1 + len(IMAGE)) + [1]
