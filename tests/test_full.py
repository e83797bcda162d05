"""Profile `full`: its parameter set, and streams that a decoder written from the page decodes as the codec does."""

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import LINEAR, RELU, full_set, network_of, some_links, with_lstm
from streams import WAVES, noise, packets_of, some_edges, streams, wave

from model.codec.compressor import encode
from model.codec.decompressor import decode
from model.codec.full import earlier
from model.codec.packet import StreamError, build
from model.spec import calibrate, calibrated, full, network, shipped
from model.spec import range as range_spec
from model.spec.config import CodecConfig, ConfigError
from model.spec.network import MiddleOut
from model.spec.numbers import Format
from model.spec.packet import Link
from model.spec.parameters import ParameterSet
from tests.page_check import check, rubbish

EVEN = shipped.default("calibrated")
SIZES = {"outputs": full.OUTPUTS, "contexts": full.CONTEXTS}
KINDS: dict[str, dict[str, Any]] = {
    "residual": {},
    "plain": {"form": MiddleOut.PLAIN, "bits": 12},
    "lstm": with_lstm(),
    "alone": {"form": MiddleOut.NONE, "projector": ()},
    "no skip": {"skip": False, "shapes": 8},
    "bare": {"projector": (), "predictor": (), "form": MiddleOut.PLAIN, "shapes": 1},
    "loud": {"more": -3},
}


def config_of(
    channels: int, width: int, frames: int, key: int = 3, seed: int | None = None, lanes: int = 1
) -> CodecConfig:
    links = () if seed is None else some_links(seed, channels)
    return CodecConfig("full", channels, width, frames, key, lanes=lanes, links=links)


def with_head(biases: list[int], shift: int = 0, shapes: int = 3) -> ParameterSet:
    """A set whose network gives these outputs whatever its inputs are."""
    own = full.unpack(full_set(0, shapes), 10)
    plain = network_of(0, **SIZES, projector=((RELU, 3),), predictor=((LINEAR, 2),), skip=False)
    head = dataclasses.replace(
        plain.head, weights=0 * plain.head.weights, biases=np.array(biases, np.int64), shift=shift
    )
    return full.pack(dataclasses.replace(own, network=dataclasses.replace(plain, head=head)), 10, even=True)


@given(streams("full"), st.integers(0, 2**16), st.sampled_from(list(KINDS)))
@settings(deadline=None, derandomize=True, max_examples=100)
def test_codes_come_back(stream: tuple[np.ndarray, CodecConfig], seed: int, kind: str) -> None:
    check(*stream, full_set(seed, **KINDS[kind]))


@pytest.mark.parametrize("width", [8, 10, 12, 16])
@pytest.mark.parametrize("kind", KINDS)
def test_every_network_at_every_width(kind: str, width: int) -> None:
    coded = 0
    for number, name in enumerate(WAVES):
        config = config_of(5, width, 20, seed=width + number, lanes=(1, 2, 4)[number % 3])
        frames = wave(name, 70, 5, width, np.random.default_rng(number))
        packets = check(frames, config, full_set(number, **KINDS[kind]), [70, 47, 70, 20, 1] if number % 2 else None)
        coded += sum(not packet.raw for packet in packets)
    assert coded > 5


@pytest.mark.parametrize("width", [8, 10, 12])
def test_uneven_edges(width: int) -> None:
    own = full.unpack(full_set(2), width)
    for seed in range(4):
        tables = dataclasses.replace(own.calibrated, edges=some_edges(width, seed))
        parameters = full.pack(dataclasses.replace(own, calibrated=tables), width, even=False)
        config = config_of(3, width, 30, seed=seed, lanes=2)
        check(wave("jumps", 90, 3, width, np.random.default_rng(seed)), config, parameters)
    with pytest.raises(ConfigError, match=f"calibrates a converter of {width} bits, the codes have 16"):
        full.unpack(parameters, 16)


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_raw_packets_move_state_on(lanes: int) -> None:
    config = config_of(5, 10, 30, 9, seed=1, lanes=lanes)
    frames = noise(240, config)
    frames[60:90] = wave("noise", 30, 5, 10, np.random.default_rng(1))
    raw = [packet.raw for packet in check(frames, config, full_set(5, more=2))]
    assert raw[2] and not any(raw[-3:])


def test_a_network_of_nothing_is_calibrated() -> None:
    """No change of mean or scale, one distribution; a peer is the first partner that stands before a channel."""
    parameters, links = with_head([0, 0, 0], shapes=1), ((), (Link(1, 50),), (Link(-1, 3), Link(2, 9), Link(1, 9)), ())
    config = dataclasses.replace(config_of(4, 10, 100, lanes=2), links=links)
    plain = CodecConfig("calibrated", 4, 10, 100, 3, lanes=2, peers=(0, 1, 2, 0))
    frames = noise(400, config)
    ours, theirs = check(frames, config, parameters), packets_of(encode(frames, plain, parameters=EVEN))
    assert [bytes(packet.payload) for packet in ours] == [bytes(packet.payload) for packet in theirs]


def test_the_peer_is_the_first_partner_before_a_channel() -> None:
    links = ((Link(-1, 1),), (), (Link(-3, 5), Link(1, 5), Link(2, 5)), (Link(3, 1), Link(1, 1)))
    assert earlier(links, 4).tolist() == [0, 0, 1, 3]
    assert earlier((), 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize("outputs", [(1, 1, 1), (-1, -1, -1), (1, -1, 1), (-1, 1, -1)])
@pytest.mark.parametrize("width", [8, 16])
def test_outputs_at_their_ends_stay_in_range(width: int, outputs: tuple[int, ...]) -> None:
    parameters = with_head([sign * ((1 << 30) - 1) for sign in outputs])
    top = (1 << width) - 1
    for frames in (np.tile([[0], [top]], (60, 2)), np.full((120, 2), top), np.zeros((120, 2))):
        check(frames.astype(np.uint16), config_of(2, width, 50, seed=0, lanes=2), parameters)


def test_a_greater_number_chooses_another_distribution_up_to_the_last() -> None:
    config = config_of(2, 10, 200)
    frames = noise(200, config)
    payloads = [
        bytes(packet.payload)
        for third in (-9000, 0, 127, 128, 256, 383, 384, 600, 8000)
        for packet in check(frames, config, with_head([0, 0, third]))
    ]
    same = [first == second for first, second in itertools.pairwise(payloads)]
    assert same == [True, True, False, True, True, False, True, True]


@given(st.integers(0, 2**32), st.integers(8, 16), st.sampled_from([1, 2, 4]), st.sampled_from(["lstm", "residual"]))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_rubbish_is_refused_or_decodes_to_codes(seed: int, width: int, lanes: int, kind: str) -> None:
    rubbish(seed, config_of(4, width, 9, seed=seed, lanes=lanes), full_set(seed % 50, **KINDS[kind]))


def test_payloads_that_no_encoder_writes_are_refused() -> None:
    config, parameters = config_of(2, 10, 40, seed=2), full_set(2, more=2)
    frames = noise(40, config)
    (packet,) = packets_of(encode(frames, config, parameters=parameters))
    good = bytes(packet.payload)
    assert not packet.raw

    def decoded(payload: bytes) -> np.ndarray:
        named = parameters.identifier
        data = build(config, 0, 40, key=True, raw=False, payload=payload, parameter_set=named)
        return decode(data, find=lambda _: parameters).frames

    assert (decoded(good) == frames).all()
    for payload in (good + b"\0", good[:-1], b"", b"\xff" * len(good)):
        with pytest.raises(StreamError, match="its payload does not decode"):
            decoded(payload)


def test_a_set_comes_back_and_serves_every_width() -> None:
    parameters = ParameterSet.from_bytes(full_set(7).to_bytes())
    for width in range(8, 17):
        own = full.unpack(parameters, width)
        assert (own.calibrated.edges == calibrate.even_edges(width)).all() and own.shapes.shape == (3, 33)
        assert own.calibrated.start == calibrated.unpack(EVEN, width).start
        if width >= 10:  # below, a start scale may have come to its end
            assert full.pack(own, width, even=True).to_bytes() == parameters.to_bytes()


GOOD = full_set(1).tables
REST = (*network.TABLES, "edges", *calibrated.FORMATS)


def changed(name: str, values: Any, form: Format | None = None) -> ParameterSet:
    """A good set but for one table."""
    return ParameterSet("full", {**GOOD, name: (form or GOOD[name][0], np.array(values, np.int64))})


def missing(name: str) -> ParameterSet:
    return ParameterSet("full", {key: value for key, value in GOOD.items() if key != name})


POINTS = GOOD["points"][1]
REFUSED = {
    **{f"{name}: missing": (missing(name), "parameter (table '[a-z_]+': |set: has tables ).*") for name in REST},
    "another table": (ParameterSet("full", {**GOOD, "more": GOOD["start"]}), "has tables .*'more'"),
    "profile": (ParameterSet("spikey", GOOD), "for profile 'spikey'; give one for 'full'"),
    "no distribution": (changed("points", POINTS[:0]), r"'points': shape \(0, 32\); give 1 to 8 distributions"),
    "nine distributions": (changed("points", POINTS[[0] * 9]), r"'points': shape \(9, 32\); give 1 to 8 distri"),
    "one alone": (changed("points", POINTS[0]), r"'points': shape \(32,\); give 1 to 8 distributions"),
    "33 points": (changed("points", np.zeros((2, 33))), r"'points': .*\(33,\); give .*\(32,\)"),
    "points' format": (changed("points", POINTS * 0, Format(9)), "'points': format u9.0"),
    "the last falls": (changed("points", [*POINTS[:2], POINTS[2][::-1]]), "'points': give values that never fall"),
    "points beyond": (
        changed("points", [*POINTS[:2], [range_spec.HALF + 1] * 32]),
        f"'points': .* up to {range_spec.HALF}",
    ),
    "one output": (changed("head", [1, 0, 0, 0]), "'head': 1 outputs; the profile needs 3"),
    "weights": (changed("weights", 0 * GOOD["weights"][1] - 1024), "'weights': -1024; give -1023 to 1023"),
    "network": (changed("activation", 7), "'activation': 7 bits; give 8 to 12"),
}


@pytest.mark.parametrize(("parameters", "word"), REFUSED.values(), ids=REFUSED)
def test_sets_that_cannot_be_are_refused(parameters: ParameterSet, word: str) -> None:
    with pytest.raises(ConfigError, match=word) as caught:
        full.unpack(parameters, 10)
    assert str(caught.value).startswith("parameter ") and "\n" not in str(caught.value)
    if parameters.profile == "full":
        with pytest.raises(ConfigError, match=word):
            encode(np.zeros((1, 1), np.uint16), config_of(1, 10, 1), parameters=parameters)
