"""Profile `spikey`: its parameter set, and streams that a decoder written from the page decodes as the codec does."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import LINEAR, RELU, network_of, some_codes, some_links, spikey_set, with_lstm
from streams import WAVES, noise, packets_of, streams, wave

from model.codec.compressor import encode
from model.codec.decompressor import decode
from model.codec.packet import StreamError, build
from model.spec import huffman, network, spikey
from model.spec.config import CodecConfig, ConfigError
from model.spec.network import MiddleOut
from model.spec.numbers import Format
from model.spec.packet import Link, Links
from model.spec.parameters import ParameterSet
from tests.page_check import check, rubbish

CODERS = (spikey.ADAPTIVE, spikey.HUFFMAN, 0, 4, 15)
QUIET = (spikey.ADAPTIVE, spikey.HUFFMAN, 4)  # that make noise smaller
KINDS: dict[str, dict[str, Any]] = {
    "residual": {},
    "plain": {"form": MiddleOut.PLAIN, "bits": 12},
    "lstm": with_lstm(),
    "alone": {"form": MiddleOut.NONE, "projector": ()},
    "no skip": {"skip": False, "bits": 9},
    "bare": {"projector": (), "predictor": (), "form": MiddleOut.PLAIN},
    "loud": {"more": -3},
}


def config_of(channels: int, width: int, frames: int, key: int = 3, seed: int | None = None) -> CodecConfig:
    links = () if seed is None else some_links(seed, channels)
    return CodecConfig("spikey", channels, width, frames, key, links=links)


def silent(coder: int = spikey.ADAPTIVE) -> ParameterSet:
    """A set whose network says 0: each code is expected to be the last one."""
    own = network_of(0, projector=(), predictor=(), form=MiddleOut.NONE, skip=False)
    head = dataclasses.replace(own.head, weights=0 * own.head.weights, biases=0 * own.head.biases)
    codes = some_codes(3) if coder == spikey.HUFFMAN else spikey.no_codes()
    return spikey.pack(spikey.Tables(dataclasses.replace(own, head=head), 1 << 12, coder, *codes))


@given(streams("spikey"), st.integers(0, 2**16), st.sampled_from(list(KINDS)), st.sampled_from(CODERS))
@settings(deadline=None, derandomize=True, max_examples=150)
def test_codes_come_back(stream: tuple[np.ndarray, CodecConfig], seed: int, kind: str, coder: int) -> None:
    check(*stream, spikey_set(seed, coder, **KINDS[kind]))


@pytest.mark.parametrize("width", [8, 10, 12, 16])
@pytest.mark.parametrize("kind", KINDS)
def test_every_network_at_every_width(kind: str, width: int) -> None:
    coded, config = 0, config_of(5, width, 20, seed=width)
    for number, name in enumerate(WAVES):
        frames = wave(name, 90, 5, width, np.random.default_rng(number))
        parameters = spikey_set(number, CODERS[number % len(CODERS)], **KINDS[kind])
        packets = check(frames, config, parameters, [90, 47, 90, 20, 1] if number % 2 else None)
        coded += sum(not packet.raw for packet in packets)
    assert coded > 5


@pytest.mark.parametrize("coder", QUIET)
def test_raw_packets_move_state_on(coder: int) -> None:
    config = config_of(3, 10, 30, 9, seed=1)
    frames = noise(240, config)
    frames[60:90] = wave("noise", 30, 3, 10, np.random.default_rng(1))
    raw = [packet.raw for packet in check(frames, config, spikey_set(5, coder, more=2))]
    assert (raw[2] and not any(raw[-3:])) or coder == 15


def test_partners_as_far_as_can_be() -> None:
    links: list[tuple[Link, ...]] = [()] * 130
    links[127], links[0] = (Link(127, 127), Link(-2, -127)), (Link(-127, 5),)
    links[129] = (Link(127, -1), Link(1, 1), Link(2, 2), Link(3, 3))
    config = dataclasses.replace(config_of(130, 10, 5), links=tuple(links))
    one = check(wave("walk", 12, 130, 10, np.random.default_rng(0)), config, spikey_set(3))
    assert len(one) == 3


def coded_with(*own: tuple[int, int], seed: int = 4) -> bytes:
    links: Links = ((), tuple(Link(*each) for each in own), ()) if own else ()
    config = dataclasses.replace(config_of(3, 10, 40, 1), links=links)
    return b"".join(
        bytes(packet.payload)
        for packet in packets_of(encode(noise(40, config), config, parameters=spikey_set(seed, more=0)))
    )


def test_links_and_their_correlations_matter() -> None:
    first, second = (1, 100), (-1, -30)
    every = {coded_with(), coded_with(first), coded_with(second), coded_with(first, second)}
    every |= {coded_with((1, 99), second), coded_with((-1, 100), (1, -30))}
    assert len(every) == 6
    assert coded_with(first, second) == coded_with(second, first), "a sum has no order"


def test_a_silent_network_codes_differences() -> None:
    """By hand: k is 4 throughout; the first code is in the middle, codes above the last are folded to 1, 3, ..."""
    (packet,) = check(np.array([[512], [513], [511]], np.uint16), config_of(1, 10, 3), silent())
    assert bytes(packet.payload) == bytes([0b10000_100, 0b01_10100_0])


def test_a_silent_network_with_huffman_codes() -> None:
    """By hand, from the tables: levels 40, 39, 39; of low bits 3, 2, 2; the third is an escape."""
    choices, lengths = some_codes(3)
    words = [huffman.code_words(row) for row in lengths]
    text = ""
    for level, folded in ((40, 0), (39, 1), (39, 600)):
        (table, low), escape = choices[level], lengths.shape[1] - 1
        plain = folded >> low < escape and lengths[table][folded >> low] > 0
        symbol = folded >> low if plain else escape
        text += f"{words[table][symbol]:0{lengths[table][symbol]}b}"
        text += f"{folded & ((1 << low) - 1):0{low}b}" if plain else f"{folded:010b}"
    frames = np.array([[512], [513], [213]] + [[213]] * 20, np.uint16)
    (packet,) = check(frames, config_of(1, 10, 23), silent(spikey.HUFFMAN))
    found = f"{int.from_bytes(packet.payload, 'big'):0{8 * len(packet.payload)}b}"
    assert found.startswith(text)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("width", [8, 16])
def test_outputs_at_their_end_stay_in_range(width: int, sign: int) -> None:
    own = network_of(1, projector=((RELU, 3),), predictor=((LINEAR, 2),))
    head = dataclasses.replace(own.head, biases=np.array([sign * ((1 << 30) - 1)]), shift=0)
    tables = spikey.Tables(dataclasses.replace(own, head=head), 1 << 18, spikey.ADAPTIVE, *spikey.no_codes())
    top = (1 << width) - 1
    for frames in (np.tile([[0], [top]], (100, 2)), np.full((200, 2), top), np.zeros((200, 2))):
        check(frames.astype(np.uint16), config_of(2, width, 50, seed=0), spikey.pack(tables))


@given(st.integers(0, 2**32), st.integers(8, 16), st.sampled_from(CODERS), st.sampled_from(["lstm", "residual"]))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_rubbish_is_refused_or_decodes_to_codes(seed: int, width: int, coder: int, kind: str) -> None:
    rubbish(seed, config_of(4, width, 9, seed=seed), spikey_set(seed % 50, coder, **KINDS[kind]))


@pytest.mark.parametrize("coder", QUIET)
def test_payloads_that_no_encoder_writes_are_refused(coder: int) -> None:
    config, parameters = config_of(2, 10, 40, seed=2), spikey_set(2, coder, more=2)
    frames = noise(40, config)
    (packet,) = packets_of(encode(frames, config, parameters=parameters))
    good = bytes(packet.payload)
    assert not packet.raw

    def decoded(payload: bytes) -> np.ndarray:
        named = parameters.identifier
        data = build(config, 0, 40, key=True, raw=False, payload=payload, parameter_set=named)
        return decode(data, find=lambda _: parameters).frames

    assert (decoded(good) == frames).all()
    for payload in (good + b"\0", good[:-1], b""):
        with pytest.raises(StreamError, match="its payload does not decode"):
            decoded(payload)


@pytest.mark.parametrize(("coder", "good", "bad"), [(spikey.HUFFMAN, "8000", "C000"), (15, "80", "2000")])
def test_folded_residuals_beyond_the_width_are_refused(coder: int, good: str, bad: str) -> None:
    """Of 8 bits: words 0 (escape), 10, 11 before 8 low bits; or, of a Rice code, two zeros, a one and 7 bits."""
    parameters = silent(coder)
    if coder == spikey.HUFFMAN:
        choices = np.tile([0, 8], (huffman.LEVELS, 1))
        tables = dataclasses.replace(spikey.unpack(parameters, 10), choices=choices, huffman=np.array([[2, 2, 1]]))
        parameters = spikey.pack(tables)

    def decoded(payload: str) -> int:
        named = parameters.identifier
        data = build(config_of(1, 8, 1), 0, 1, key=True, raw=False, payload=bytes.fromhex(payload), parameter_set=named)
        return int(decode(data, find=lambda _: parameters).frames[0, 0])

    assert decoded(good) == 128
    with pytest.raises(StreamError, match="its payload does not decode"):
        decoded(bad)


def test_a_set_comes_back_and_serves_every_width() -> None:
    for coder in CODERS:
        parameters = ParameterSet.from_bytes(spikey_set(7, coder).to_bytes())
        own = spikey.unpack(parameters, spikey.REFERENCE_WIDTH)
        assert spikey.pack(own).to_bytes() == parameters.to_bytes()
        levels = [spikey.unpack(parameters, width).level for width in range(8, 17)]
        assert levels == [(30 << 9) * 2**width // 1024 for width in range(8, 17)]
    least = spikey.pack(dataclasses.replace(own, level=0))
    assert all(spikey.unpack(least, width).level == 32 for width in (8, 10, 16))


def changed(name: str, values: Any, coder: int = spikey.HUFFMAN, form: Format | None = None) -> ParameterSet:
    """A good set but for one table."""
    good = spikey_set(1, coder).tables
    return ParameterSet("spikey", {**good, name: (form or good[name][0], np.array(values, np.int64))})


def at(name: str, index: Any, value: int) -> ParameterSet:
    values = spikey_set(1, spikey.HUFFMAN).tables[name][1].copy()
    values[index] = value
    return changed(name, values)


def missing(name: str) -> ParameterSet:
    good = spikey_set(1).tables
    return ParameterSet("spikey", {key: value for key, value in good.items() if key != name})


GOOD = spikey_set(1).tables
NONE = np.zeros((0, 0))
FIT = "'choices', 'huffman': shapes .* do not fit"
ABSENT = "'choices', 'huffman': a table, its escape or a choice is missing"
REFUSED = {
    **{f"{name}: missing": (missing(name), "has tables .*; give ") for name in (*network.TABLES, *spikey.FORMATS)},
    **{
        f"{name}: format": (changed(name, 0 * GOOD[name][1], 16, Format(9)), f"'{name}': format u9.0; give ")
        for name in spikey.FORMATS
    },
    "another table": (ParameterSet("spikey", {**GOOD, "more": GOOD["coder"]}), "has tables .*'more'"),
    "profile": (ParameterSet("full", GOOD), "for profile 'full'; give one for 'spikey'"),
    "coder of two": (changed("coder", [1, 2]), "'coder', 'level': give one value each"),
    "level of two": (changed("level", [1, 2]), "'coder', 'level': give one value each"),
    "coder 18": (changed("coder", 18), "'coder': 18; give 0 to 17"),
    "codes of no use": (changed("coder", 16), FIT),
    "no codes": (changed("coder", 17, 16), FIT),
    "choices too few": (changed("choices", np.zeros((87, 2))), FIT),
    "flat huffman": (changed("huffman", [1, 1]), FIT),
    "no tables": (changed("huffman", NONE), ABSENT),
    "no symbols": (changed("huffman", np.zeros((3, 0))), ABSENT),
    "no escape": (at("huffman", (1, -1), 0), ABSENT),
    "no such table": (at("choices", (80, 0), 3), ABSENT),
    "17 low bits": (at("choices", (3, 1), 17), ABSENT),
    "incomplete": (at("huffman", (2, -1), 20), "'huffman': lengths of no complete code"),
    "network": (changed("activation", 7), "'activation': 7 bits; give 8 to 12"),
}


@pytest.mark.parametrize(("parameters", "word"), REFUSED.values(), ids=REFUSED)
def test_sets_that_cannot_be_are_refused(parameters: ParameterSet, word: str) -> None:
    with pytest.raises(ConfigError, match=word) as caught:
        spikey.unpack(parameters, 10)
    assert str(caught.value).startswith("parameter ") and "\n" not in str(caught.value)
    if parameters.profile == "spikey":
        with pytest.raises(ConfigError, match=word):
            encode(np.zeros((1, 1), np.uint16), config_of(1, 10, 1), parameters=parameters)
