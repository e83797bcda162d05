"""Threads and payloads that no encoder wrote: the same blocks and gaps in any number of pieces."""

import itertools

import numpy as np
import pytest
from small_container import forged, walk

from model.codec import chain, decompressor
from model.codec.compressor import encode
from model.codec.decompressor import Block, Decompressor, Gap, decode
from model.codec.packet import Damage, Packet, StreamError, build, scan
from model.spec import packet as packet_spec
from model.spec.config import CodecConfig
from model.spec.profiles import PROFILES


def frames_of(count: int) -> np.ndarray:
    return ((walk(count, 2).astype(np.int64) >> 6) + 512).astype(np.uint16)


def decoded(data: bytes, jobs: int) -> tuple[list[Block], list[Gap], bool]:
    tolerant = Decompressor(tolerant=True)
    blocks = list(tolerant.push_all(scan(data), jobs=jobs))
    assert all(isinstance(item, Block) for item in blocks)
    return [item for item in blocks if isinstance(item, Block)], tolerant.gaps, tolerant.suspect


def same(one: list[Block], other: list[Block]) -> bool:
    return [b.start for b in one] == [b.start for b in other] and all(
        np.array_equal(a.frames, b.frames) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("batch", [1, 50, 1 << 22])
def test_a_payload_that_does_not_decode_costs_up_to_the_next_key_packet(
    monkeypatch: pytest.MonkeyPatch, profile: str, batch: int
) -> None:
    """Or it decodes, to something else; then a later packet may show it, up to the next key packet."""
    monkeypatch.setattr(decompressor, "BATCH_SAMPLES", batch)
    monkeypatch.setattr(decompressor, "MOST_SAMPLES", batch)
    frames = frames_of(95)
    good = encode(frames, CodecConfig(profile, 2, 10, 10, 3))
    packets = [item for item in scan(good) if isinstance(item, Packet)]
    noticed = 0
    for number, byte in itertools.product(range(len(packets)), range(-2, 3)):
        data = forged(good, packets[number], byte)
        blocks, gaps, suspect = decoded(data, 1)
        for jobs in (2, 3):
            again = decoded(data, jobs)
            assert again[1:] == (gaps, suspect) and same(again[0], blocks)
        assert suspect == bool(gaps)
        if not gaps:
            continue
        noticed += 1
        (gap,) = gaps
        assert gap.reason == "its payload does not decode"
        assert gap.start >= 10 * number and gap.start + gap.frames == min(95, (number // 3 + 1) * 30)
        assert sum(len(block.frames) for block in blocks) + gap.frames == 95
        for start, found in blocks:
            if not 10 * number <= start < gap.start:
                assert np.array_equal(found, frames[start : start + len(found)])
        for jobs in (1, 3):
            with pytest.raises(StreamError, match="its payload does not decode; the encoder is at fault"):
                decode(data, jobs=jobs)
    assert noticed > 5


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("batch", [1, 50, 1 << 22])
def test_damage_and_gaps_do_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch, profile: str, batch: int) -> None:
    monkeypatch.setattr(decompressor, "BATCH_SAMPLES", batch)
    monkeypatch.setattr(decompressor, "MOST_SAMPLES", 3 * batch)
    frames = frames_of(195)
    good = encode(frames, CodecConfig(profile, 2, 10, 10, 3), drops={5, 12})
    packets = [item for item in scan(good) if isinstance(item, Packet)]
    for number in range(1, len(packets)):
        data = bytearray(good)
        data[packets[number].offset + 15] ^= 1
        results = [decode(bytes(data), frames=195, jobs=jobs) for jobs in (1, 2, 5)]
        for result in results:
            assert result.gaps == results[0].gaps
            assert result.damage == [Damage(packets[number].offset, packets[number].size)]
            lost = np.zeros(195, bool)
            for gap in result.gaps:
                lost[gap.start : gap.start + gap.frames] = True
            assert lost.sum() >= 20 and np.array_equal(result.frames[~lost], frames[~lost])


@pytest.mark.parametrize("profile", PROFILES)
def test_a_packet_names_no_more_codes_than_its_raw_form_could_hold(profile: str) -> None:
    """A few bytes would make a decoder work for minutes, in gigabytes."""
    config = CodecConfig(profile, 1 << 16, 8, 1)
    found = chain.resolve(config, None)
    named = None if found is None else found.identifier
    most = 8 * packet_spec.MAX_LENGTH // (8 << 16)
    for frames, word in ((most, "does not decode"), (most + 1, "more than a packet holds"), (65535, "more than")):
        data = build(config, 0, frames, key=True, raw=False, payload=b"1", parameter_set=named)
        with pytest.raises(StreamError, match=word):
            decode(data)
