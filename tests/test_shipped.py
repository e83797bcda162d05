"""Shipped parameter sets: streams name them by content, so one that was released never changes; others are added."""

import pytest

from model.spec import shipped

IDENTIFIERS = {  # of the files that the releases carry; a line that was in a release stays as it is
    "calibrated-even": 0xA463D4107F6C45CE,
    "calibrated-lattice": 0x51DFFC8D2516A7E4,
}


def test_every_set_that_is_shipped_is_written_down_here() -> None:
    assert {path.stem for path in shipped.FOLDER.iterdir()} == IDENTIFIERS.keys()


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_a_shipped_set_is_the_one_that_streams_name(name: str) -> None:
    found = shipped.named(name)
    assert f"{found.identifier:016x}" == f"{IDENTIFIERS[name]:016x}"
    assert shipped.find(IDENTIFIERS[name]) is found
    assert (shipped.FOLDER / f"{name}.spkp").read_bytes() == found.to_bytes()


def test_defaults_are_among_them() -> None:
    assert shipped.default("calibrated") is shipped.named("calibrated-even")
    assert shipped.default("calibrated", lattice=True) is shipped.named("calibrated-lattice")
    assert shipped.find(0) is None
