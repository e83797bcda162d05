"""Samples to codes and back: all samples, all mappings."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from model.formats.codes import LATTICE, LATTICE_MAPPING, Mapping, join, recognise

EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16)
LINEAR = [Mapping("linear", width, shift) for width in range(8, 17) for shift in range(17 - width)]


def test_the_lattice_is_its_formula() -> None:
    exact = [Fraction(c * 65535, 1023) - 32768 for c in range(1024)]
    assert LATTICE.tolist() == [int(x) for x in exact]  # int() of a fraction is trunc
    assert LATTICE[0] == -32768
    assert LATTICE[1023] == 32767
    assert LATTICE[[511, 512]].tolist() == [-32, 31]  # -32.53 and 31.53


def test_lattice_inverts_exactly_and_refuses_all_else() -> None:
    codes = np.arange(1024, dtype=np.uint16)
    assert np.array_equal(LATTICE_MAPPING.to_samples(codes), LATTICE)
    assert np.array_equal(LATTICE_MAPPING.to_codes(LATTICE), codes)
    for sample in EVERY_SAMPLE[~np.isin(EVERY_SAMPLE, LATTICE)][::7]:
        with pytest.raises(ValueError, match=f"samples: {sample} has no code"):
            LATTICE_MAPPING.to_codes(np.array([LATTICE[5], sample]))


@pytest.mark.parametrize("mapping", LINEAR, ids=str)
def test_linear_codes_are_all_codes_in_order(mapping: Mapping) -> None:
    codes = np.arange(1 << mapping.width, dtype=np.uint16)
    samples = mapping.to_samples(codes)
    half = 1 << (mapping.width - 1)
    assert samples.tolist() == [n << mapping.shift for n in range(-half, half)]
    assert np.array_equal(mapping.to_codes(samples), codes)
    assert mapping.to_samples(np.array([mapping.middle], np.uint16)).tolist() == [0]
    assert Mapping.from_byte(mapping.to_byte()) == mapping


@pytest.mark.parametrize("mapping", LINEAR, ids=str)
def test_linear_refuses_what_it_cannot_hold(mapping: Mapping) -> None:
    half = 1 << (mapping.width - 1 + mapping.shift)
    wrong = [s for s in (half, -half - 1) if -32768 <= s <= 32767] + ([1] if mapping.shift else [])
    for sample in wrong:
        with pytest.raises(ValueError, match="has no code"):
            mapping.to_codes(np.array([0, sample], np.int16))


def test_eight_bit_files_store_plus_128() -> None:
    samples = np.arange(256).astype(np.uint8)
    mapping = recognise(samples)
    assert mapping == Mapping("linear", 8, 0)
    codes = mapping.to_codes(samples)
    assert codes.tolist() == list(range(256))
    back = mapping.to_samples(codes, np.uint8)
    assert back.dtype == np.uint8
    assert np.array_equal(back, samples)


@pytest.mark.parametrize("mapping", LINEAR, ids=str)
def test_the_extremes_are_recognised_at_their_own_width(mapping: Mapping) -> None:
    one, half = 1 << mapping.shift, 1 << (mapping.width - 1 + mapping.shift)
    high = recognise(np.array([one, half - one], np.int16))
    low = recognise(np.array([one, -half], np.int16))
    if mapping.width > 8:
        assert (high, low) == (mapping, mapping)
        assert recognise(np.array([one, half - 2 * one], np.int16)) == mapping
        narrower = Mapping("linear", mapping.width - 1, mapping.shift)
        assert recognise(np.array([one, half // 2 - one, -half // 2], np.int16)) == narrower
    else:
        assert high.width == low.width == 8


def test_any_one_sample_round_trips() -> None:
    for sample in [*range(-300, 300), *range(-32768, 32768, 97), 32767]:
        samples = np.array([sample], np.int16)
        mapping = recognise(samples)
        assert (mapping.kind == "lattice") == (sample in LATTICE)
        assert np.array_equal(mapping.to_samples(mapping.to_codes(samples)), samples)


def test_one_sample_off_the_lattice_makes_it_linear() -> None:
    assert recognise(LATTICE) == LATTICE_MAPPING
    for at in (0, 512, 1023):
        off = LATTICE.copy()
        off[at] ^= 1
        assert recognise(off) == Mapping("linear", 16, 0)


def test_long_recordings_are_looked_at_to_the_end() -> None:
    long = np.full((3 << 19, 2), LATTICE[500])
    assert recognise(long) == LATTICE_MAPPING
    long[-1, -1] += 1
    assert recognise(long).kind == "linear"


def test_special_contents() -> None:
    assert recognise(np.zeros((0, 1), np.int16)) == Mapping("linear", 8, 8)
    assert recognise(np.zeros(5, np.int16)) == Mapping("linear", 8, 8)
    left_justified = Mapping("linear", 12, 4)
    assert join([recognise(np.zeros(5, np.int16)), left_justified]) == left_justified
    assert recognise(np.array([-32768, 16384], np.int16)).shift == 8
    assert recognise(np.full(5, 128, np.uint8)) == Mapping("linear", 8, 0)


def test_joined_mappings_hold_what_each_held() -> None:
    assert join([LATTICE_MAPPING, LATTICE_MAPPING]) == LATTICE_MAPPING
    for a, b in itertools.combinations(LINEAR, 2):
        joined = join([a, b])
        for mapping in (a, b):
            samples = mapping.to_samples(np.arange(1 << mapping.width, dtype=np.uint16)[:: (1 << mapping.width) - 1])
            assert np.array_equal(joined.to_samples(joined.to_codes(samples)), samples)
    with pytest.raises(ValueError, match="lattice"):
        join([LATTICE_MAPPING, LINEAR[0]])


def test_bytes_that_name_no_mapping_are_refused() -> None:
    known = {mapping.to_byte() for mapping in [*LINEAR, LATTICE_MAPPING]}
    assert len(known) == len(LINEAR) + 1
    for byte in set(range(256)) - known:
        with pytest.raises(ValueError, match="mapping"):
            Mapping.from_byte(byte)
    with pytest.raises(ValueError, match="mapping"):
        Mapping("lattice", 9)
