"""Shipped parameter sets: streams name them by content, so one that was released never changes; others are added."""

import numpy as np
import pytest

from model.codec.compressor import encode
from model.codec.decompressor import decode
from model.spec import shipped, spikey
from model.spec.config import CodecConfig
from model.spec.profiles import PROFILES

IDENTIFIERS = {  # of the files that the releases carry; a line that was in a release stays as it is
    "calibrated-even": 0xA463D4107F6C45CE,
    "calibrated-lattice": 0x51DFFC8D2516A7E4,
    "full-even": 0x25CFAA258AD269A6,
    "full-lattice": 0xA4A55BEA2F4D6A4F,
    "spikey": 0xE9E9FDFF21B1A496,
    "spikey-huffman": 0x65FC59564E6E5A3C,
    "spikey-slim": 0x7AAE8AA33339A412,
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
    assert shipped.default("full") is shipped.named("full-even")
    assert shipped.default("full", lattice=True) is shipped.named("full-lattice")
    assert shipped.default("spikey", lattice=True) is shipped.default("spikey") is shipped.named("spikey")
    assert shipped.find(0) is None


def test_what_each_profile_is_shipped_with_fits_it() -> None:
    for name in shipped.names():
        found = shipped.named(name)
        assert name.startswith(found.profile)
        width = 10 if name.endswith("lattice") else 16
        frames = np.random.default_rng(1).integers(0, 1 << width, (50, 2), np.uint16)
        config = CodecConfig(found.profile, 2, width, 20, 2, PROFILES[found.profile].lanes[-1])
        assert (decode(encode(frames, config, parameters=found)).frames == frames).all()


def test_sizes_of_the_networks() -> None:
    sizes = {}
    for name in ("spikey", "spikey-slim", "spikey-huffman"):
        sizes[name] = sum(spikey.unpack(shipped.named(name), 10).network.multiply_adds().values())
    assert sizes["spikey"] == sizes["spikey-huffman"] <= 1000
    assert sizes["spikey-slim"] <= 400
