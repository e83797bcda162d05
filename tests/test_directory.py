"""The directory of a container: its numbers, its embedded parameter sets, and any nonsense in it."""

from pathlib import Path

import numpy as np
import pytest
from small_container import SEED, packed, restore, uncalibrated, walk, with_directory

from model.formats import directory, wav
from model.formats.container import Container, FormatError, Source, pack
from model.spec import shipped
from model.spec.numbers import Format
from model.spec.parameters import ParameterSet


@pytest.mark.parametrize("value", [0, 1, 127, 128, 16383, 16384, (1 << 63) - 1])
def test_varint(value: int) -> None:
    data = directory.varint(value)
    assert len(data) == max(1, -(-value.bit_length() // 7))
    assert directory.Reader(data).varint() == value
    with pytest.raises(IndexError):
        directory.Reader(data[:-1]).varint()
    with pytest.raises(IndexError):
        directory.Reader(b"\x80" * 10).varint()


def test_parameter_sets_are_embedded_and_refused_when_damaged(tmp_path: Path) -> None:
    wav.write_wav(tmp_path / "a.wav", walk(5), 100)
    table = np.random.default_rng(SEED).integers(0, 4096, 8)
    parameters = ParameterSet("tiny", {"edges": (Format(12), table)})
    section = parameters.to_bytes()
    out = tmp_path / "x.spk"
    pack([[Source(tmp_path / "a.wav", "")]], out)
    with_directory(out, lambda body: body + directory.varint(len(section)) + section)
    container = Container.open(out)
    found = container.parameter_sets[parameters.identifier]
    assert np.array_equal(found.tables["edges"][1], table)
    assert container.unpack(tmp_path / "back.wav").ok
    given = ParameterSet("tiny", {"edges": (Format(12), table[:4])})
    assert set(Container.open(out, [given]).parameter_sets) == {parameters.identifier, given.identifier}
    good = out.read_bytes()
    for at in range(len(section)):
        broken = section[:at] + bytes((section[at] ^ 1,)) + section[at + 1 :]
        with_directory(restore(out, good), lambda body, broken=broken: body.replace(section, broken))
        with pytest.raises(FormatError, match="parameter set"):
            Container.open(out)


def sets_of(container: Container) -> list[int | None]:
    """The parameter sets of the three streams that have packets."""
    shapes = map(container.shape, range(3))
    return [shape.parameter_set for shape in shapes if shape is not None]


@pytest.mark.parametrize("embed", [True, False])
def test_a_users_set_goes_into_the_container_once_unless_declined(tmp_path: Path, embed: bool) -> None:
    parameters = uncalibrated()
    out, sources = packed(tmp_path / "in", "calibrated", parameters=parameters, embed=embed)
    container = Container.open(out)
    assert [p.identifier for p in container.directory.parameter_sets] == [parameters.identifier] * embed
    assert sets_of(container) == [parameters.identifier] * 3
    if embed:
        assert container.verify().ok
    else:
        name = f"{parameters.identifier:016x}"
        for use in (container.verify, lambda: container.unpack(tmp_path / "out"), lambda: container.read(0, 0, 1)):
            with pytest.raises(FormatError) as caught:
                use()
            words = f"needs the parameter set {name}, which is not known here; give its file with --parameters"
            assert str(caught.value) == f"{out}: packet: {words}"
        assert not (tmp_path / "out").exists()
        with pytest.raises(FormatError, match=name):
            Container.open(out, [uncalibrated(seed=1)]).verify()
        container = Container.open(out, [uncalibrated(seed=1), parameters])
    assert container.unpack(tmp_path / "out", jobs=2).ok
    for number, source in enumerate(sources):
        assert (tmp_path / "out" / source.name).read_bytes() == source.path.read_bytes()
        whole = wav.read(source.path).samples
        assert np.array_equal(container.read(number, len(whole) // 2, len(whole)), whole[len(whole) // 2 :])


def test_shipped_sets_are_never_embedded(tmp_path: Path) -> None:
    out, _ = packed(tmp_path / "in", "calibrated", parameters=shipped.default("calibrated"))
    default, _ = packed(tmp_path / "default", "calibrated")
    for path in (out, default):
        assert Container.open(path).directory.parameter_sets == ()
        assert sets_of(Container.open(path)) == [shipped.default("calibrated").identifier] * 3


def test_directories_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    """With a right CRC-32, so that the parser itself is met: any content gives a directory or a `FormatError`."""
    wav.write_wav(tmp_path / "a.wav", walk(5), 100)
    out = tmp_path / "x.spk"
    pack([[Source(tmp_path / "a.wav", "")]], out)
    good = out.read_bytes()
    rng = np.random.default_rng(SEED)
    refused = 0
    for _ in range(300):
        body = rng.integers(0, 256, rng.integers(0, 24)).astype(np.uint8).tobytes()
        with_directory(restore(out, good), lambda _, body=body: body)
        try:
            Container.open(out)
        except FormatError as error:
            refused += "directory" in str(error)
    assert refused > 240
    with pytest.raises(FormatError, match="no stream"):
        Container.open(with_directory(restore(out, good), lambda _: b"\0"))
    out.write_bytes(good[:3] + b"\2" + good[4:])
    with pytest.raises(FormatError, match="version: 2"):
        Container.open(out)
    out.write_bytes(b"")
    with pytest.raises(FormatError, match="magic"):
        Container.open(out)
