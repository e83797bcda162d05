"""Coders of prediction errors: every string reads back, damage is named."""

import bz2

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model.training.coders import CODERS, Coder

WIDTHS = st.integers(8, 16)


def some(width: int, count: int = 3000, seed: int = 0) -> np.ndarray:
    """Residuals of all sizes, extremes among them: quiet, then ever louder, then quiet again."""
    random, half = np.random.default_rng(seed), 1 << (width - 1)
    scale = np.exp(np.linspace(0, np.log(half), count))
    values = np.clip(np.rint(random.laplace(0, scale)), -half, half - 1).astype(np.int64)
    return np.concatenate([values, [half - 1, -half] * 20, np.zeros(200, np.int64)])


@st.composite
def residuals(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    width = draw(WIDTHS)
    half = 1 << (width - 1)
    near = st.integers(-3, 3)
    values = st.one_of(near, st.integers(-half, half - 1), st.sampled_from([-half, half - 1, -128, -127, 127]))
    return np.array(draw(st.lists(values, max_size=60)), np.int64), width


@pytest.mark.parametrize("name", CODERS)
@settings(max_examples=60, deadline=None)
@given(case=residuals())
@example(case=(np.zeros(0, np.int64), 8))
@example(case=(np.full(50, -128), 8))
@example(case=(np.zeros(50, np.int64), 10))
@example(case=(np.array([-(1 << 15), (1 << 15) - 1]), 16))
def test_any_residuals_read_back(name: str, case: tuple[np.ndarray, int]) -> None:
    values, width = case
    data = CODERS[name].encode(values, width)
    found = CODERS[name].decode(data, len(values), width)
    assert found.dtype == np.int64 and np.array_equal(found, values)


@pytest.mark.parametrize("width", [8, 10, 13, 16])
@pytest.mark.parametrize("name", CODERS)
def test_residuals_of_all_sizes_read_back(name: str, width: int) -> None:
    values = some(width)
    data = CODERS[name].encode(values.astype(np.int16), width)
    assert np.array_equal(CODERS[name].decode(data, len(values), width), values)


@pytest.mark.parametrize("name", CODERS)
def test_data_that_is_not_whole_is_named(name: str) -> None:
    coder, values = CODERS[name], some(10, 300)
    data = coder.encode(values, 10)
    says = rf"^{name}: data: \d+ bytes do not hold .* cut short or damaged"
    for size in range(len(data)):
        with pytest.raises(ValueError, match=says):
            coder.decode(data[:size], len(values), 10)
    for other, count in ((data + b"\0", len(values)), (data, len(values) + 40), (data, 0), (b"", 1), (b"\0", 0)):
        with pytest.raises(ValueError, match=says):
            coder.decode(other, count, 10)
    assert coder.encode(values[:0], 10) == (bz2.compress(b"") if name == "bzip2" else b"")


@pytest.mark.parametrize("name", CODERS)
@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=80), count=st.integers(0, 60), width=WIDTHS)
@example(data=bytes([0, 0, 255, 0]), count=5, width=8)
@example(data=bytes([1, 1, 0, 0, 5]), count=5, width=8)
def test_any_bytes_give_residuals_or_an_error(name: str, data: bytes, count: int, width: int) -> None:
    try:
        found = CODERS[name].decode(data, count, width)
    except ValueError as error:
        assert "cut short or damaged" in str(error)
    else:
        half = 1 << (width - 1)
        assert found.shape == (count,) and ((-half <= found) & (found < half)).all()


@pytest.mark.parametrize("name", CODERS)
def test_a_changed_byte_does_not_go_beyond_the_width(name: str) -> None:
    values, random = some(9, 400), np.random.default_rng(1)
    data = np.frombuffer(CODERS[name].encode(values, 9), np.uint8)
    refused = 0
    for place in random.integers(0, len(data), 200):
        other = data.copy()
        other[place] ^= random.integers(1, 256)
        try:
            found = CODERS[name].decode(other.tobytes(), len(values), 9)
        except ValueError:
            refused += 1
        else:
            assert found.min() >= -256 and found.max() <= 255 and not np.array_equal(found, values)
    assert refused == 200 if name == "bzip2" else refused > 0 or name == "identity"


def test_a_far_value_of_another_width_is_refused() -> None:
    for far in (200, -32768):
        data = bz2.compress(b"\x80" + far.to_bytes(2, "little", signed=True))
        assert CODERS["bzip2"].decode(data, 1, 16) == [far]
        with pytest.raises(ValueError, match="damaged"):
            CODERS["bzip2"].decode(data, 1, 8)


def test_identity_is_the_residuals_as_they_are() -> None:
    assert CODERS["identity"].encode(np.array([1, -1, -512]), 10) == bytes([0x00, 0x7F, 0xF8, 0x00])


@pytest.mark.parametrize(("scale", "low"), [(0.3, 0), (4.0, 0), (40.0, 4), (300.0, 7), (3000.0, 8)])
def test_arithmetic_comes_near_the_entropy(scale: float, low: int) -> None:
    random = np.random.default_rng(5)
    values = np.clip(np.rint(random.laplace(0, scale, 100_000)), -32768, 32767).astype(np.int64)
    data = CODERS["arithmetic"].encode(values, 16)
    symbols, string = data[1], len(data) - 3 - data[1]
    counts = np.bincount(values - values.min())
    entropy = np.log2(len(values)) - (counts * np.log2(np.maximum(counts, 1))).sum() / len(values)
    assert data[0] == low and symbols < 255
    seen = 0.005 + (len(counts) / len(values) if low else 0)  # an entropy counted from few samples is too low
    assert entropy - 0.001 < 8 * string / len(values) < entropy + seen


def test_frequencies_are_weights_of_one_byte() -> None:
    values = np.repeat([0, -1, 300, 2], [800, 200, 1, 20])
    data = CODERS["arithmetic"].encode(values, 10)
    assert data[:8] == bytes([0, 5, 255, 223, 0, 0, 168, 99])
    weight = {byte: (16 + byte % 16) * 2 ** (byte // 16) for byte in data[2:8]}
    ratios = [weight[255] / weight[byte] for byte in (223, 168, 99)]
    assert np.allclose(ratios, [4, 40, 800], rtol=1 / 16)


@pytest.mark.parametrize("coder", CODERS.values(), ids=CODERS)
def test_what_is_not_asked_for_is_refused(coder: Coder) -> None:
    for values, width, says in (
        (np.array([512]), 10, "residuals: 512 to 512; wrap them to 10 bits"),
        (np.array([-513, 0]), 10, "residuals: -513 to 0; wrap"),
        (np.array([0.5]), 10, "residuals: float64 of shape"),
        (np.zeros((2, 2), int), 10, r"residuals: int64 of shape \(2, 2\)"),
        (np.array([0]), 7, "of 7 bits; give"),
        (np.array([0]), 17, "of 17 bits; give"),
    ):
        with pytest.raises(ValueError, match=says):
            coder.encode(values, width)
    for count, width in ((-1, 10), (1, 7), (1, 17)):
        with pytest.raises(ValueError, match=f"count, width: {count} residuals of {width} bits"):
            coder.decode(b"\0\0\0", count, width)
