"""Stage `range`: positions, `F`, the parts of all codes, a decoder's search. The coder: `test_range_coder.py`."""

import bisect
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import page_encoder as page
import pytest
from streams import some_edges

from model.codec import calibrate
from model.codec import range as coding
from model.spec import calibrate as calibrate_spec
from model.spec import calibrated, scale, shipped
from model.spec import range as spec

HALF = page.WHOLE // 2
SIZES = [32768, 32769, 40000, 50001, 65534, 65535]
LATTICE = calibrated.unpack(shipped.default("calibrated", lattice=True), 10)


def points_of(kind: str) -> np.ndarray:
    """`G[0]` to `G[32]`, as the page has them."""
    random = np.random.default_rng(7)
    return {
        "shipped": LATTICE.points,
        "none": np.zeros(33, np.int64),
        "step": np.array([0] + [HALF] * 32),
        "late": np.array([0] * 32 + [HALF]),
        "even": np.arange(33) * HALF // 32,
        "low": np.sort(np.concatenate([[0], random.integers(0, 300, 32)])),
        "any": np.sort(np.concatenate([[0], random.integers(0, HALF, 31, endpoint=True), [HALF]])),
    }[kind]


KINDS = ["shipped", "none", "step", "late", "even", "low", "any"]


@dataclass(frozen=True)
class State:
    """All that the parts of a channel's codes depend on."""

    edges: np.ndarray
    points: np.ndarray
    mu: int
    index: int
    size: int

    @property
    def top(self) -> int:
        return len(self.edges) - 2

    @property
    def bits(self) -> int:
        return page.even_bits(self.index)

    @property
    def arguments(self) -> tuple:
        reciprocal, octave = page.Q[self.index % 16], self.index // 16
        return self.mu, reciprocal, octave, np.append(self.points, self.points[-1]), self.size

    def bounds(self) -> list[int]:
        """Where the codes of equal upper bits begin, and where the last ends, by the kernel."""
        arguments = self.arguments
        return [coding.edge_bound(c, self.top, self.edges, *arguments) for c in range(0, self.top + 2, 1 << self.bits)]

    def find(self, place: int, guides: tuple, search=coding.find) -> tuple[int, int, int]:
        return search(place, self.bits, self.top, self.edges, guides, *self.arguments)

    def guides(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return calibrate.nearest_codes(self.edges), coding.quantiles(self.points), coding.inverses()


def states(width: int, count: int) -> Iterator[State]:
    """States at all kinds of places: predictions and scales at their ends, random tables, every kind of `F`."""
    random, limit = np.random.default_rng(width), 1 << (width + 5)
    tables = [calibrate_spec.even_edges(width)]
    if width <= calibrate_spec.MAX_TABLE_WIDTH:
        tables += [some_edges(width, seed) for seed in (1, 2)]
    if width == 10:
        tables.append(LATTICE.edges)
    greatest = page.greatest(width)
    for number in range(count):
        mu = (-limit, limit - 1, 0, *random.integers(-limit, limit, 5).tolist())[number % 8]
        index = (0, greatest, *random.integers(0, greatest, 5, endpoint=True).tolist())[number % 7]
        size = int(random.integers(32768, 65536)) if number % 3 else SIZES[number % len(SIZES)]
        edges = tables[number % len(tables)]
        yield State(edges, points_of(KINDS[number // 2 % len(KINDS)]), mu, index, size)


@pytest.mark.parametrize("index", range(0, page.greatest(16) + 1, 3))
def test_positions_are_those_of_the_page_and_symmetric(index: int) -> None:
    random = np.random.default_rng(index)
    distances = sorted({*range(-300, 301), *random.integers(-(1 << 22), 1 << 22, 300).tolist(), -(1 << 22), 1 << 22})
    found = [coding.position(d, page.Q[index % 16], index // 16) for d in distances]
    assert found == [page.position(d, 0, index) for d in distances]
    assert found == sorted(found)
    assert [-p for p in found] == [coding.position(-d, page.Q[index % 16], index // 16) for d in distances]


def test_a_position_is_one_of_256ths_of_the_scale() -> None:
    """Within what the reciprocal's rounding, below 1/128 of it, and the cut of less than one unit allow."""
    for index in range(page.greatest(12) + 1):
        for distance in (64, 1000, 77777):
            exact = distance / 64 / 2 ** (index / scale.OCTAVE + scale.LEAST_OCTAVE) * 256
            position = coding.position(distance, page.Q[index % 16], index // 16)
            assert abs(position - exact) < exact / 128 + 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_distribution_at_every_position(kind: str) -> None:
    points = points_of(kind)
    places = [*range(-2200, 2201), -(1 << 30), 1 << 30]
    shares = {p: coding.cumulative(p, np.append(points, points[-1])) for p in places}
    assert shares == {p: page.cumulative(p, points.tolist()) for p in places}
    assert all(shares[p] + shares[-p] == page.WHOLE for p in places if p)
    rising = [shares[p] for p in sorted(places)]
    assert rising == sorted(rising) and 0 <= rising[0] <= rising[-1] <= page.WHOLE
    assert shares[0] == HALF and all(shares[64 * j] == HALF + points[j] for j in range(1, 33))


def test_bounds_of_every_interval_and_of_every_share() -> None:
    shares = [0, 1, 2, 4095, HALF - 1, HALF, HALF + 1, 50000, page.WHOLE - 1, page.WHOLE]
    for size in range(32768, 65536):
        bounds = [coding.bound(share, size) for share in shares]
        assert bounds == [size * share // 65536 for share in shares]
        assert bounds[0] == 0 and 4 <= size - bounds[-1] <= 8  # the escape
    for size in SIZES:
        bounds = [coding.bound(share, size) for share in range(page.WHOLE + 1)]
        assert bounds == [size * share // 65536 for share in range(page.WHOLE + 1)]


@pytest.mark.parametrize(("width", "count"), [(8, 120), (9, 60), (10, 120), (12, 24), (16, 3)])
def test_the_parts_of_all_codes_and_the_escape_fill_every_interval(width: int, count: int) -> None:
    least, none = set(), 0
    for state in states(width, count):
        bounds, edges, points = state.bounds(), state.edges.tolist(), state.points.tolist()
        spread = range(0, len(edges) >> state.bits, 1 if width <= 10 else 37)
        assert [bounds[c] for c in spread] == [
            page.lower_end(c << state.bits, edges, points, state.mu, state.index, state.size) for c in spread
        ]
        parts = [after - before for before, after in itertools.pairwise(bounds)]
        escape = state.size - bounds[-1]
        assert bounds[0] == 0 and min(parts) >= 0 and escape >= 4
        assert sum(parts) + escape == state.size
        least.add(min(part for part in parts if part))
        none += sum(part == 0 for part in parts)
    assert 1 in least and none  # parts of one unit, and codes that need the escape


def expected(bounds: list[int], place: int, bits: int) -> tuple[int, int, int]:
    """The only part that holds `place`, and its first code."""
    number = bisect.bisect_right(bounds, place) - 1
    return number << bits, bounds[number], bounds[number + 1]


@pytest.mark.parametrize("number", range(8))
def test_every_place_is_found(number: int) -> None:
    state = list(states(10, 64))[9 * number]
    bounds, guides = state.bounds(), state.guides()
    for place in range(bounds[-1]):
        assert state.find(place, guides) == expected(bounds, place, state.bits)


@pytest.mark.parametrize(("width", "count"), [(8, 100), (10, 100), (12, 20), (16, 2)])
def test_every_part_is_found_at_both_its_ends(width: int, count: int) -> None:
    for state in states(width, count):
        bounds, guides = state.bounds(), state.guides()
        assert len(bounds) == (1 << (width - state.bits)) + 1
        for number, (below, above) in enumerate(itertools.pairwise(bounds)):
            for place in {below, above - 1} if below < above else ():
                assert state.find(place, guides) == (number << state.bits, below, above)


@pytest.mark.parametrize("width", [8, 10, 12, 16])
def test_a_search_looks_at_few_bounds_whatever_it_is_led_by(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong guides cost steps, no more than promised, and never an answer."""
    looked = 0

    def counted(function):
        def call(*arguments):
            nonlocal looked
            looked += 1
            return function(*arguments)

        return call

    random, most = np.random.default_rng(width), 0
    for number, state in enumerate(states(width, 10)):
        bounds = state.bounds()
        good = state.guides()
        wrong = [np.full_like(good[0], state.top), np.zeros_like(good[0]), random.permutation(good[0])]
        with monkeypatch.context() as patch:
            patch.setattr(coding, "edge_bound", counted(coding.edge_bound))
            patch.setattr(coding, "bound", counted(coding.bound))
            for place in {0, bounds[-1] - 1, *random.integers(0, bounds[-1], 40).tolist()}:
                for nearest in (good[0], wrong[number % 3]):
                    looked, guides = 0, (nearest, *good[1:])
                    assert state.find(place, guides, coding.find.py_func) == expected(bounds, place, state.bits)
                    assert looked <= coding.NEAR + width + 2
                    most = max(most, looked)
    assert most >= coding.NEAR + width


def test_lower_bits_are_even_above_eight_octaves_and_never_up_to_ten_bits() -> None:
    assert [coding.even_bits(octave) for octave in range(14)] == [0] * 9 + [1, 2, 3, 4, 5]
    assert [coding.even_bits(page.greatest(width) // 16) for width in range(8, 17)] == [0, 0, 0, 0, 1, 2, 3, 4, 5]


def test_formats_hold_what_the_page_says() -> None:
    assert (spec.HALF, spec.POINTS, spec.ESCAPE) == (HALF, 32, 8)
    assert spec.POINT.minimum == 0 and HALF <= spec.POINT.maximum < 2 * HALF
