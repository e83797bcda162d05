"""The test vectors, decoded by the codec and by a second decoder that knows nothing but the page."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import model.spec
from model.codec.decompressor import decode
from model.codec.packet import StreamError
from model.formats.container import Container
from scripts.make_vectors import stored_sets, streams
from tests import page_decoder, page_watch_network
from tests.page_sets import named_sets
from tests.page_watch import EVENTS, watch

FOLDER = Path(model.spec.__file__).parent / "vectors"
INDEX = json.loads((FOLDER / "index.json").read_text())
SETS = {each.identifier: each for each in stored_sets().values()}
PAGE_SETS = named_sets(path.read_bytes() for path in FOLDER.glob("*.spkp"))
PROFILES = ("tiny", "calibrated", "spikey", "full")  # by number
REACHED = {  # by the vector of this name, among what may be reached by others too
    "peers": ("peer",),
    "many-channels": ("peer",),
    "raw-then-coded": ("raw packet",),
    "raw-key": ("raw key packet",),
    "escapes": ("escape",),
    "extremes": ("least code", "greatest code", "escape"),
    "mixed-features": ("value at its most",),
    "old": ("age over 512",),
    "ends": ("lane left out", "peer has ended"),
    "word-ffff": ("word FFFF",),
    "carry-makes-a-word-ffff": ("carry makes a word FFFF",),
    "carry-behind-a-word-ffff": ("carry behind a word FFFF",),
}

NOT_REACHED = {  # by any vector of a profile, as the profile has it not
    "spikey": {"another distribution", "scale of another octave"},
    "full": {event for event in page_watch_network.EVENTS if "code" in event} | {"p at its end"},
}


def described(profile: str, shape: Any, origin: int, codes: np.ndarray, gaps: list, damage: list) -> dict:
    return {
        "profile": profile,
        "channels": shape.channels,
        "width": shape.width,
        "origin": origin,
        "frames": len(codes),
        "codes_sha256": hashlib.sha256(codes.astype("<u2").tobytes()).hexdigest(),
        "gaps": gaps,
        "damage": damage,
    }


def by_codec(data: bytes, ends: list[int] | None) -> dict:
    got = decode(data, ends=None if ends is None else np.array(ends), find=SETS.get)
    gaps = [[gap.start, gap.frames] for gap in got.gaps]
    damage = [[damage.offset, damage.size] for damage in got.damage]
    return described(got.shape.profile, got.shape, got.origin, got.frames, gaps, damage)


def by_page(data: bytes, ends: list[int] | None) -> dict:
    got = page_decoder.decode_stream(data, ends, PAGE_SETS)
    return described(PROFILES[got.shape.profile], got.shape, got.origin, np.array(got.codes), got.gaps, got.damage)


@pytest.mark.parametrize("decoder", [by_codec, by_page])
@pytest.mark.parametrize("name", INDEX["streams"])
def test_stream(name: str, decoder: Any) -> None:
    data, expected = (FOLDER / f"{name}.stream").read_bytes(), dict(INDEX["streams"][name])
    ends = expected.pop("ends", None)
    if "refused" in expected:
        with pytest.raises(ValueError) as refusal:
            decoder(data, ends)
        if decoder is by_codec:
            assert isinstance(refusal.value, StreamError)
            assert str(refusal.value) == expected["refused"]
    else:
        assert decoder(data, ends) == expected


@pytest.mark.parametrize("name", INDEX["containers"])
def test_container(name: str, tmp_path: Path) -> None:
    path, expected = FOLDER / f"{name}.spk", INDEX["containers"][name]
    container = Container.open(path)
    container.unpack(tmp_path / "restored")
    lone = container.files[0].name == ""
    files = dict(page_decoder.restore(path.read_bytes()))
    assert list(files) == list(expected)
    assert {file: hashlib.sha256(data).hexdigest() for file, data in files.items()} == expected
    for file, data in files.items():
        assert (tmp_path / "restored" / file if not lone else tmp_path / "restored").read_bytes() == data


def reached(name: str, watch: Any = watch) -> set[str]:
    data, expected = (FOLDER / f"{name}.stream").read_bytes(), INDEX["streams"][name]
    return set() if "refused" in expected else watch(data, expected.get("ends"), PAGE_SETS)


@pytest.mark.parametrize("name", REACHED)
def test_a_stream_reaches_what_it_is_for(name: str) -> None:
    assert set(REACHED[name]) <= reached(f"calibrated-{name}")


def test_all_is_reached() -> None:
    assert set().union(*(reached(name) for name in INDEX["streams"] if name.startswith("calibrated"))) == EVENTS


@pytest.mark.parametrize(("profile", "lacks"), NOT_REACHED.items())
def test_all_that_networks_do_is_reached(profile: str, lacks: set[str]) -> None:
    names = [name for name in INDEX["streams"] if name.startswith(profile)]
    found = set().union(*(reached(name, page_watch_network.watch) for name in names))
    assert found == page_watch_network.EVENTS - lacks


def test_the_encoder_still_writes_these_bytes() -> None:
    made = {name: data for name, (data, _) in streams(stored_sets(), INDEX["seeds"]).items()}
    assert made == {path.stem: path.read_bytes() for path in FOLDER.glob("*.stream")}
