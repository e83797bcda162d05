"""Stage `scale`: every state meets every step, at the ends of the formats too."""

import itertools

import numpy as np
import page_encoder as page
import pytest

from model.codec import scale
from model.spec import scale as spec

WIDTHS = range(8, 17)
OLD = 1 << 40  # an age long after a key packet


def row(fast: int, slow: int) -> np.ndarray:
    """Three channels' state, in the middle one this."""
    state = np.zeros((3, 6), np.int64)
    state[1, scale.FAST], state[1, scale.SLOW] = fast, slow
    return state


def index(fast: int, slow: int, width: int) -> int:
    return scale.index(row(fast, slow), 1, page.greatest(width))


def every_step() -> np.ndarray:
    """Step tables, each entry of `fast` and of `slow`, in which all values of their format stand."""
    steps = np.arange(-spec.STEP.maximum, spec.STEP.maximum + 1)
    return np.stack([np.resize(steps, (4, spec.STEPS)), np.resize(steps[::-1], (4, spec.STEPS))], axis=1)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_scale_ends_just_below_a_sixteenth_of_full_scale(width: int) -> None:
    index, form = spec.greatest_index(width), spec.slow_format(width)
    assert index == page.greatest(width)
    assert 2 ** (index / 16 - 2) < 2**width / 16 == 2 ** ((index + 1) / 16 - 2)
    assert form.minimum == 0 and form.maximum / 2 < page.most_slow(width) <= form.maximum


def test_reciprocals_are_those_of_the_page_and_fit_their_bits() -> None:
    assert spec.reciprocals().tolist() == list(page.Q)
    assert all(abs(q - 128 * 2 ** (-m / 16)) <= 0.5 for m, q in enumerate(page.Q))
    assert max(page.Q) == 1 << spec.RECIPROCAL_BITS


def test_the_index_of_every_state() -> None:
    top, seen, state = page.greatest(10), set(), row(0, 0)
    for fast in range(-page.MOST_FAST, page.MOST_FAST + 1):
        for slow in range(0, page.most_slow(10) + 1, 1 if fast % 17 == 0 else 7):
            state[1, scale.FAST], state[1, scale.SLOW] = fast, slow
            found, free = scale.index(state, 1, top), (fast + slow + 8) // 16
            assert found == page.sat(free, 0, top)
            seen.add((found, page.sign(free - found)))
    assert seen == {(index, 0) for index in range(top + 1)} | {(0, -1), (top, 1)}


@pytest.mark.parametrize("width", WIDTHS)
def test_the_index_at_every_width(width: int) -> None:
    for fast in (-page.MOST_FAST, -9, -8, -7, 0, 7, 8, 9, page.MOST_FAST):
        indices = [index(fast, slow, width) for slow in range(0, page.most_slow(width) + 1, 5)]
        assert indices == [page.scale_index(fast, slow, width) for slow in range(0, page.most_slow(width) + 1, 5)]
        assert indices == sorted(indices)


def test_distances_count_quarters_of_the_scale_up_to_sixteen() -> None:
    steps, seen = np.stack([np.arange(64), np.arange(64)]), set()
    for total in range(-20000, 20001):
        below = total // 2 - total % 5 * 1500  # the edges on one side of the prediction, or on both
        entries = []
        for lower, upper in ((below, total - below), (below - total, -below)):
            scale.adapt(state := row(0, 64), 1, lower, upper, OLD, steps, page.greatest(10))
            entries.append(state[1, scale.FAST])
            assert state[1, scale.SLOW] == 64 + entries[-1]
        assert entries == [min(abs(total) // 128, 63)] * 2
        seen.update(entries)
    assert seen == set(range(spec.STEPS))


@pytest.mark.parametrize("width", WIDTHS)
def test_both_parts_meet_every_step_in_every_gear(width: int) -> None:
    form, top, saturated = spec.FAST, page.greatest(width), set()
    assert (form.maximum, spec.STEP.maximum) == (page.MOST_FAST, 127)
    ends = 0, 1, page.most_slow(width) - 1, page.most_slow(width)
    slows = itertools.cycle([*ends, *np.random.default_rng(width).integers(0, ends[-1], 501).tolist(), *ends])
    for fast in range(-page.MOST_FAST, page.MOST_FAST + 1, 1 if width == 10 else 18):
        for table in every_step():
            for entry in range(spec.STEPS):
                slow, age = next(slows), OLD if width != 10 else (31, 127, 128)[entry % 3]
                scale.adapt(state := row(fast, slow), 1, 0, 128 * entry, age, table, top)
                quick, gear = table[:, entry].tolist(), {31: 8, 127: 4}.get(age, 1)
                free = fast - page.rnd(fast, 4) + quick[0], slow + quick[1] * gear
                found = page.sat(free[0], -form.maximum, form.maximum), page.sat(free[1], 0, page.most_slow(width))
                assert state[1].tolist() == row(*found)[1].tolist()
                assert not state[::2].any()  # other channels
                saturated |= {(0, page.sign(free[0] - found[0])), (1, page.sign(free[1] - found[1]))}
    assert saturated == {(part, way) for part in (0, 1) for way in (-1, 0, 1)}


def test_fast_alone_decays_to_within_half_an_index() -> None:
    rest = np.zeros((2, spec.STEPS), np.int64)
    for fast in range(-page.MOST_FAST, page.MOST_FAST + 1):
        state = row(fast, 500)
        for _ in range(60):
            before = state[1, scale.FAST]
            scale.adapt(state, 1, 5, -9, OLD, rest, page.greatest(10))
            assert abs(state[1, scale.FAST]) <= abs(before)
        assert -8 <= state[1, scale.FAST] <= 7 and state[1, scale.SLOW] == 500


def test_gears_go_down_after_a_key_packet() -> None:
    ones, moves = np.ones((2, spec.STEPS), np.int64), []
    for age in (*range(200), 511, 512, OLD):
        scale.adapt(state := row(0, 500), 1, 0, 0, age, ones, page.greatest(10))
        moves.append(state[1, scale.SLOW] - 500)
        assert state[1, scale.FAST] == 1
    assert moves == [8] * 32 + [4] * 96 + [1] * 75
