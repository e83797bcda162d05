"""Stage `lms`: prediction, weights and differences against the page in unbounded integers, and in their formats."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import page_encoder as page
import pytest

from model.codec import lms
from model.spec import calibrate
from model.spec import lms as spec

WIDTHS = range(8, 17)
SHIFTS = [[0], [2], [15], [2, 4], [0] * 5, [3, 0, 7, 15], [1] * 16, [0] * 16, [15, 0] * 8, list(range(16))]


def edge_limit(width: int) -> int:
    return calibrate.edge_format(width).maximum + 1


def difference_limit(width: int) -> int:
    return spec.difference_format(width).maximum


def rows(last: int, differences: list[int], weights: list[int]) -> np.ndarray:
    """Three channels' state, in the middle one this."""
    state = np.zeros((3, 4 + 2 * len(differences)), np.int64)
    state[1, lms.LAST] = last
    state[1, lms.DIFFERENCES :] = [*differences, *weights]
    return state


def values(width: int, seed: int) -> Iterator[int]:
    """Last values that drive every sum to its ends: swings, alternation, ramps, rest, noise; in the centre's format."""
    form, random = calibrate.centre_format(width), np.random.default_rng(seed)
    for _ in range(6):
        kind, length = random.integers(0, 6), int(random.integers(20, 60))
        now = int(random.integers(form.minimum, form.maximum, endpoint=True))
        for at in range(length):
            ends = (form.minimum, form.maximum)
            yield (
                ends[at % 2],
                ends[at // 7 % 2],
                now,
                page.sat(now + at * (1 << width) // 20, *ends),
                int(random.integers(*ends, endpoint=True)),
                page.sat(now + int(random.integers(-20, 21)), *ends),
            )[kind]


@pytest.mark.parametrize("shifts", SHIFTS, ids=str)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_state_follows_the_page_and_never_leaves_its_formats(width: int, shifts: list[int]) -> None:
    form, m, features = spec.difference_format(width), difference_limit(width), len(shifts)
    random = np.random.default_rng(width)
    last, differences, weights = 0, [0] * features, random.integers(-1023, 1024, features + 1).tolist()
    state = rows(last, differences, weights)
    for now in values(width, seed=features):
        peer, age = int(random.choice([-m, -1, 0, 1, m])), int(random.choice([1, 511, 512, 1 << 40]))
        mu = lms.predict(state, 1, peer, edge_limit(width))
        assert mu == page.predict(last, differences, weights, peer, width)
        assert -edge_limit(width) < mu < edge_limit(width)
        lms.adapt(state, 1, peer, now, mu, age, np.array(shifts), m)
        weights = page.turn(weights, differences, peer, page.sign(16 * now - mu) * (4 if age < 512 else 1))
        differences, last = page.follow(differences, shifts, now - last, width), now
        assert (state == rows(last, differences, weights)).all()
        assert min(differences) >= -m > form.minimum and max(differences) <= m == form.maximum
        assert max(map(abs, weights)) <= spec.WEIGHT.maximum


@pytest.mark.parametrize("width", WIDTHS)
def test_differences_saturate_at_both_ends(width: int) -> None:
    m, form = difference_limit(width), calibrate.centre_format(width)
    state = rows(form.minimum, [0, 0], [0, 0, 0])
    for now, end in ((form.maximum, m), (form.minimum, -m), (form.maximum, m)):
        lms.adapt(state, 1, 0, now, 0, 0, np.array([0, 3]), m)
        assert state[1, lms.DIFFERENCES] == end


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("features", [1, 2, 16])
def test_predictions_at_the_ends_of_everything(width: int, features: int) -> None:
    m, form, limit = difference_limit(width), calibrate.centre_format(width), edge_limit(width)
    seen = set()
    for last in (form.minimum, -1, 0, 1, form.maximum):
        for weight in (-1023, -1, 0, 1, 1023):
            for difference in (-m, -1, 0, 1, m):
                for peer in (-m, 0, m):
                    state = rows(last, [difference] * features, [weight] * (features + 1))
                    mu = lms.predict(state, 1, peer, limit)
                    exact = 16 * last + Fraction(weight * (features * difference + peer), 64)
                    assert mu == page.sat((exact + Fraction(1, 2)).__floor__(), 1 - limit, limit - 1)
                    seen.add(mu)
    assert {1 - limit, limit - 1} <= seen and len(seen) > 30


def test_every_rounding_of_a_prediction() -> None:
    seen = set()
    for weight in range(-1023, 1024):
        for difference in (-3, -1, 1, 32):
            product = weight * difference
            assert lms.predict(rows(5, [difference], [weight, 9]), 1, 0, 1 << 15) == 80 + (product + 32) // 64
            seen.add(product % 64)
    assert seen == set(range(64))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_residual_is_the_error_in_the_format_of_differences(width: int) -> None:
    m, limit, seen = difference_limit(width), edge_limit(width), set()
    centre, form = calibrate.centre_format(width), spec.difference_format(width)
    for error in range(-2 * limit, 2 * limit, 1 if width == 8 else (1 << (width - 8)) + 1):
        value = page.sat(error // 16, centre.minimum, centre.maximum)
        mu = 16 * value - error
        if -limit < mu < limit:
            found = lms.residual(value, mu, m)
            assert found == page.sat((error + 8) // 16, -m, m)
            assert form.minimum < found <= form.maximum
            seen.add(found)
    assert {-m, m} <= seen


@pytest.mark.parametrize(("age", "step"), [(1, 4), (511, 4), (512, 1), (1 << 40, 1)])
def test_every_weight_moves_as_the_signs_of_error_and_difference_say(age: int, step: int) -> None:
    for weight in range(-1023, 1024):
        for mu in (-1, 0, 1):
            u = -step * mu  # the value is 0
            for difference in (-7, 0, 1):
                state = rows(0, [difference, 5], [weight, -weight, weight])
                lms.adapt(state, 1, -difference, 0, mu, age, np.array([3, 3]), 511)
                expected = [weight + u * page.sign(difference), u - weight, weight - u * page.sign(difference)]
                assert state[1, lms.DIFFERENCES + 2 :].tolist() == [page.sat(w, -1023, 1023) for w in expected]


def test_taps_are_the_steps_before() -> None:
    inputs = np.random.default_rng(3).integers(-200, 201, 40).tolist()
    state, steps = rows(0, [0] * 4, [0] * 5), np.diff([0, *inputs]).tolist()
    for at, now in enumerate(inputs):
        lms.adapt(state, 1, 0, now, 0, 0, np.zeros(4, np.int64), 511)
        before = [*steps[at::-1][:4], 0, 0, 0, 0][:4]
        assert state[1, lms.DIFFERENCES :][:4].tolist() == before


@pytest.mark.parametrize("shifts", [[1], [3], [2, 4], [1, 3, 5]], ids=str)
def test_sums_of_differences_stay_beside_exact_averages(shifts: list[int]) -> None:
    """Moves are rounded by 1/2 at most; an average of rate `2**-shift` gathers `2**shift` of them."""
    state = rows(0, [0] * len(shifts), [0] * (len(shifts) + 1))
    exact = [Fraction(0)] * len(shifts)
    for now in np.rint(np.random.default_rng(4).normal(0, 80, 400)).astype(int).tolist():
        lms.adapt(state, 1, 0, now, 0, 0, np.array(shifts), 511)
        exact = [e + Fraction(now - e, 2**shift) for e, shift in zip(exact, shifts, strict=True)]
        kept = now - np.cumsum(state[1, lms.DIFFERENCES :][: len(shifts)])
        for at, average in enumerate(exact):
            assert abs(average - int(kept[at])) <= Fraction(1, 2) * sum(2**shift for shift in shifts[: at + 1])
