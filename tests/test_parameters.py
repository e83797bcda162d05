"""Parameter sets: serialised exactly, named by content, refused when damaged."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from model.spec.config import ConfigError
from model.spec.numbers import Format
from model.spec.parameters import ParameterSet, load


def example() -> ParameterSet:
    random = np.random.default_rng(5)
    tables = {}
    for width, signed in [(1, False), (8, True), (10, False), (17, True), (40, True), (63, True)]:
        form = Format(width, 0, signed)
        values = random.integers(form.minimum, form.maximum, (3, 4), np.int64, endpoint=True)
        values[0, :2] = form.minimum, form.maximum
        tables[f"t{width}{signed}"] = (form, values)
    tables["scalar"] = (Format(8, 3), np.array(200, np.int64))
    tables["empty"] = (Format(8), np.zeros((0, 2), np.int64))
    return ParameterSet("tiny", tables)


def test_round_trip() -> None:
    before = example()
    after = ParameterSet.from_bytes(before.to_bytes())
    assert after.profile == before.profile
    assert after.tables.keys() == before.tables.keys()
    for name, (form, values) in before.tables.items():
        assert after.tables[name][0] == form
        assert after.tables[name][1].dtype == np.int64
        np.testing.assert_array_equal(after.tables[name][1], values, strict=True)
    assert after.identifier == before.identifier


def test_the_name_follows_the_content_not_the_order() -> None:
    before = example()
    turned = ParameterSet("tiny", dict(reversed(list(before.tables.items()))))
    assert turned.identifier == before.identifier
    form, values = before.tables["t10False"]
    changed = ParameterSet("tiny", {**before.tables, "t10False": (form, values ^ np.eye(3, 4, dtype=np.int64))})
    assert changed.identifier != before.identifier
    assert 0 < before.identifier < 1 << 64


def test_every_flipped_byte_is_noticed() -> None:
    data = example().to_bytes()
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 0x41
        with pytest.raises(ConfigError):
            ParameterSet.from_bytes(bytes(damaged))


def test_every_truncation_is_noticed() -> None:
    data = example().to_bytes()
    for length in range(len(data)):
        with pytest.raises(ConfigError):
            ParameterSet.from_bytes(data[:length])


@pytest.mark.parametrize(("at", "value", "word"), [(4, 2, "version 2"), (5, 15, "profile 15")])
def test_what_this_release_does_not_know_is_refused(at: int, value: int, word: str) -> None:
    data = bytearray(example().to_bytes()[:-4])
    data[at] = value
    with pytest.raises(ConfigError, match=word):
        ParameterSet.from_bytes(bytes(data) + struct.pack("<I", zlib.crc32(data)))


@pytest.mark.parametrize("value", [-1, 256])
def test_values_must_fit_their_format(value: int) -> None:
    with pytest.raises(ConfigError, match=r"'edges': a value lies outside its format u8\.0"):
        ParameterSet("tiny", {"edges": (Format(8), np.array([value]))})


def test_only_int64_and_known_profiles() -> None:
    with pytest.raises(ConfigError, match="float64; give int64"):
        ParameterSet("tiny", {"edges": (Format(8), np.array([1.0]))})
    with pytest.raises(ConfigError, match="did you mean 'tiny'"):
        ParameterSet("tinny", {})


def test_load_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "set.spkp"
    path.write_bytes(example().to_bytes())
    assert load(path).identifier == example().identifier
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ConfigError, match=r"set\.spkp: .*SPKP"):
        load(path)


def sealed(data: bytes) -> bytes:
    return data + struct.pack("<I", zlib.crc32(data))


def one_table(name: bytes = b"t", bits: int = 8, signed: int = 0, sizes: tuple[int, ...] = (1,)) -> bytes:
    form = struct.pack(f"<BBBB{len(sizes)}I", bits, 0, signed, len(sizes), *sizes)
    return bytes((len(name),)) + name + form + b"\1"


def test_a_set_has_one_form_so_it_has_one_name() -> None:
    head = struct.pack("<4sBBH", b"SPKP", 1, 0, 2)
    first, second = one_table(b"a"), one_table(b"b")
    assert ParameterSet.from_bytes(sealed(head + first + second)).tables.keys() == {"a", "b"}
    for tables in (second + first, first + first, first + one_table(b"b", signed=2)):
        with pytest.raises(ConfigError, match="the one form"):
            ParameterSet.from_bytes(sealed(head + tables))


@pytest.mark.parametrize("sizes", [(2,), ((1 << 32) - 1,), (1 << 16,) * 4, ((1 << 32) - 1,) * 8])
@pytest.mark.parametrize("bits", [0, 8, 255])
def test_sizes_that_the_file_does_not_have_take_no_memory(bits: int, sizes: tuple[int, ...]) -> None:
    data = struct.pack("<4sBBH", b"SPKP", 1, 0, 1) + one_table(bits=bits, sizes=sizes)
    with pytest.raises(ConfigError, match="too early" if bits == 8 else "1 to 64 bits"):
        ParameterSet.from_bytes(sealed(data))
