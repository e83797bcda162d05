"""Stage `calibrate`: edges, the middle of every code at every width, and the guess of a decoder."""

import numpy as np
import page_encoder as page
import pytest
from streams import some_edges

from model.codec import calibrate
from model.spec import calibrate as spec
from model.spec import calibrated, shipped

WIDTHS = range(8, 17)


def limit_of(width: int) -> int:
    return spec.centre_format(width).maximum + 1


def narrow_edges(width: int, *, up: bool) -> np.ndarray:
    """All codes as narrow as they can be, at one end of the format."""
    form, places = spec.edge_format(width), np.arange((1 << width) + 1, dtype=np.int64)
    return form.maximum - places[::-1] if up else form.minimum + places


@pytest.mark.parametrize("width", WIDTHS)
def test_even_edges_are_one_code_apart_and_the_last_lies_one_above_their_format(width: int) -> None:
    edges, form = spec.even_edges(width), spec.edge_format(width)
    assert edges.tolist() == [(c - 2 ** (width - 1)) * 64 for c in range(2**width + 1)]
    assert (edges[0], edges[-1]) == (form.minimum, form.maximum + 1)
    assert edges[1 << (width - 1)] == 0


@pytest.mark.parametrize("width", WIDTHS)
def test_the_middle_of_every_even_code(width: int) -> None:
    edges, form = spec.even_edges(width), spec.centre_format(width)
    centres = [calibrate.centre(edges, code, limit_of(width)) for code in range(1 << width)]
    assert centres == [4 * code + 2 - 2 ** (width + 1) for code in range(1 << width)]
    assert form.minimum <= min(centres) and max(centres) <= form.maximum


@pytest.mark.parametrize("width", range(8, spec.MAX_TABLE_WIDTH + 1))
def test_the_middle_of_every_code_of_any_table(width: int) -> None:
    form = spec.centre_format(width)
    halves = saturated = 0
    tables = [*(some_edges(width, seed) for seed in range(3)), *(narrow_edges(width, up=up) for up in (False, True))]
    for edges in tables:
        assert (np.diff(edges) > 0).all() and len(edges) == (1 << width) + 1
        centres = [calibrate.centre(edges, code, limit_of(width)) for code in range(1 << width)]
        values = edges.tolist()
        assert centres == [page.centre(code, values, width) for code in range(1 << width)]
        assert form.minimum <= min(centres) and max(centres) <= form.maximum
        assert centres == sorted(centres)
        sums = edges[:-1] + edges[1:]
        halves += int(np.count_nonzero(sums % 32 == 16))
        saturated += int(np.count_nonzero((sums + 16) >> 5 > form.maximum))
        far = np.abs(32 * np.array(centres) - sums)
        assert (far[(sums + 16) >> 5 <= form.maximum] <= 16).all()
    assert halves > 10 and saturated > 0


def test_halves_go_up_and_the_uppermost_code_saturates() -> None:
    edges = np.array([-17, 1, 15, 33], np.int64)
    assert [calibrate.centre(edges, code, 1024) for code in range(3)] == [0, 1, 2]
    assert [calibrate.centre(edges, code, 2) for code in range(3)] == [0, 1, 1]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_decoder_guesses_even_codes_exactly(width: int) -> None:
    assert (calibrate.nearest_codes(spec.even_edges(width)) == np.arange(1 << width)).all()


@pytest.mark.parametrize("width", [8, 10, 12])
def test_a_decoders_guess_holds_the_middle_of_its_place(width: int) -> None:
    tables = [some_edges(width, 1), narrow_edges(width, up=False), narrow_edges(width, up=True)]
    if width == 10:
        tables.append(calibrated.unpack(shipped.default("calibrated", lattice=True), 10).edges)
    for edges in tables:
        guess, values = calibrate.nearest_codes(edges), edges.tolist()
        code = 0
        for place in range(1 << width):
            middle = 64 * place + 32 - 2 ** (width + 5)
            while code < (1 << width) - 1 and values[code + 1] <= middle:
                code += 1
            assert guess[place] == code
