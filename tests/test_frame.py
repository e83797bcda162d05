"""Stage `frame`: numbering and cutting, key packets, drops and pauses."""

import numpy as np
import pytest

from model.codec.frame import Framer, Slot
from model.spec.config import CodecConfig

CONFIG = CodecConfig(channels=2, packet_frames=4, key_interval=3)


def frames_of(count: int) -> np.ndarray:
    return np.arange(2 * count, dtype=np.uint16).reshape(count, 2)


def cut(framer: Framer, frames: np.ndarray) -> list[tuple[Slot, np.ndarray]]:
    return [*framer.push(frames), *framer.close()]


def test_positions_and_key_packets() -> None:
    slots = [slot for slot, _ in cut(Framer(CONFIG), frames_of(30))]
    assert [s.index for s in slots] == list(range(8))
    assert [s.position for s in slots] == list(range(0, 32, 4))
    assert [s.key for s in slots] == [i % 3 == 0 for i in range(8)]
    assert not any(s.dropped for s in slots)


@pytest.mark.parametrize("seed", range(5))
def test_however_frames_arrive_the_packets_are_the_same(seed: int) -> None:
    random = np.random.default_rng(seed)
    frames = frames_of(103)
    framer = Framer(CONFIG, position=7)
    found: list[tuple[Slot, np.ndarray]] = []
    at = 0
    while at < len(frames):
        step = int(random.integers(0, 12))
        found += framer.push(frames[at : at + step])
        at += step
    found += framer.close()
    whole = cut(Framer(CONFIG, position=7), frames)
    assert [slot for slot, _ in found] == [slot for slot, _ in whole]
    np.testing.assert_array_equal(np.concatenate([f for _, f in found]), frames)
    assert [len(f) for _, f in found] == [4] * 25 + [3]


def test_the_packet_after_a_drop_is_a_key_packet_and_the_grid_goes_on() -> None:
    slots = [slot for slot, _ in cut(Framer(CONFIG, {1, 3, 4}), frames_of(28))]
    assert [s.dropped for s in slots] == [False, True, False, True, True, False, False]
    assert [s.key for s in slots if not s.dropped] == [True, True, True, True]
    assert [s.position for s in slots] == list(range(0, 28, 4))


def test_a_pause_is_numbered_and_restarts_the_key_interval() -> None:
    framer = Framer(CONFIG)
    cut(framer, frames_of(6))
    framer.pause(10)
    slots = [slot for slot, _ in cut(framer, frames_of(20))]
    assert [s.position for s in slots] == [16, 20, 24, 28, 32]
    assert [s.index for s in slots] == [2, 3, 4, 5, 6]
    assert [s.key for s in slots] == [True, False, False, True, False]


def test_nothing_in_nothing_out() -> None:
    assert cut(Framer(CONFIG), frames_of(0)) == []
