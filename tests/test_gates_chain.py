"""The whole compressor of profile `calibrated` in gates: its bytes are the codec's, its parameter sets are whole."""

from collections.abc import Iterator

import numpy as np
import pytest

from hw.calibrated import Calibrated
from model.codec.compressor import encode
from model.codec.decompressor import decode
from model.codec.packet import Packet, scan
from model.spec import shipped
from model.spec.calibrated import image
from model.spec.config import CodecConfig, ConfigError
from model.spec.parameters import ParameterSet
from tests.simulate import play
from tests.test_gates_calibrated import hard_codes

SET = shipped.default("calibrated", lattice=True)
OUT = ["o.valid", "o.payload.data", "loaded", "dropped_packets", "overruns"]


WORD_CLOCKS = 17  # that the loader takes for a word


def loading(parameters: ParameterSet, width: int = 10) -> list[dict[str, int]]:
    words = []
    for number, value in enumerate(image(parameters, width)):
        word = {"parameters.payload.value": int(value), "parameters.payload.first": int(number == 0)}
        words += [{"parameters.valid": 1, **word}] + [{}] * (WORD_CLOCKS - 1)
    return words


def frames_of(codes: np.ndarray, lanes: int, pause: int) -> Iterator[dict[str, int]]:
    """Samples as fast as lanes take them, `pause` idle clocks after each frame."""
    for row in codes.tolist():
        for channel, code in enumerate(row):
            yield {"i.valid": 1, "i.payload.code": code, "i.payload.mark": int(channel == 0), "enable": 1}
            yield from [{"enable": 1}] * (4 // lanes - 1)
        yield from [{"enable": 1}] * pause


def quiet_codes(frames: int, channels: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    walk = np.cumsum(random.normal(0, 1, (frames, channels)), axis=0) + random.normal(0, 6, (frames, channels))
    return np.clip(walk + 512, 0, 1023).astype(np.int64)


def run(config: CodecConfig, words: list[dict[str, int]], idle: int) -> tuple[bytes, list[dict[str, int]]]:
    seen = play(Calibrated(config), [{**word, "o.ready": 1} for word in words] + [{"o.ready": 1}] * idle, OUT)
    return bytes(row["o.payload.data"] for row in seen if row["o.valid"]), seen


@pytest.mark.parametrize(
    ("channels", "lanes", "packet_frames", "hard"),
    [(8, 4, 12, False), (8, 2, 9, True), (8, 1, 10, False), (16, 4, 8, True), (4, 4, 40, False)],
)
def test_bytes_are_the_codecs(channels: int, lanes: int, packet_frames: int, hard: bool) -> None:
    config = CodecConfig("calibrated", channels, 10, packet_frames, 3, lanes)
    frames = 5 * packet_frames + 2
    codes = hard_codes(frames, channels, 10) if hard else quiet_codes(frames, channels, lanes)
    pause = max(6, packet_frames) + (channels * 2 if hard else 0)
    data, seen = run(config, [*loading(SET), *frames_of(codes, lanes, pause)], 3000)
    assert [seen[-1][name] for name in ("overruns", "dropped_packets")] == [0, 0]
    expected = encode(codes.astype(np.uint16), config, parameters=SET)
    assert data == expected
    raw = [item.raw for item in scan(data) if isinstance(item, Packet)]
    assert len(raw) == 6 and any(raw[:-1]) == hard


@pytest.mark.parametrize(("lanes", "clocks"), [(1, 44), (2, 43), (4, 44)])
def test_latency(lanes: int, clocks: int) -> None:
    config = CodecConfig("calibrated", 8, 10, 6, 3, lanes)
    words = [*loading(SET), *frames_of(quiet_codes(6, 8, 5), lanes, 0)]
    _, seen = run(config, words, 90)
    last = max(number for number, word in enumerate(words) if "i.valid" in word)
    assert next(number for number, row in enumerate(seen) if row["o.valid"]) - last == clocks <= Calibrated.LATENCY


@pytest.mark.parametrize(("lanes", "packet_frames"), [(4, 2), (1, 12), (1, 5), (1, 3), (2, 12), (2, 3)])
def test_packets_in_haste_leave_raw_and_nothing_is_lost(lanes: int, packet_frames: int) -> None:
    """A sample every clock without an end: four lanes lack the time for ends of packets, fewer any time at all."""
    config = CodecConfig("calibrated", 8, 10, packet_frames, 3, lanes)
    codes = quiet_codes(120, 8, 5)
    fast = [word for word in frames_of(codes, lanes, 0) if "i.valid" in word]
    data, seen = run(config, [*loading(SET), *fast], 4000)
    decoded = decode(data, frames=len(codes))
    raw = sum(item.raw for item in scan(data) if isinstance(item, Packet))
    assert 0 < seen[-1]["hurried_packets"] <= raw
    lost = sum(gap.frames for gap in decoded.gaps)
    assert lost == seen[-1]["dropped_packets"] * config.packet_frames
    kept = np.ones(len(decoded.frames), bool)
    for gap in decoded.gaps:
        kept[gap.start : gap.start + gap.frames] = False
    assert (decoded.frames[kept] == codes[: len(kept)][kept]).all() and kept.sum() >= 24


def test_a_lane_that_outgrows_its_codes_makes_its_packet_raw() -> None:
    """All lanes together would be smaller than the codes: there is no room for the one."""
    config = CodecConfig("calibrated", 8, 10, 20, 3, 4)
    codes = np.full((60, 8), 500)
    codes[20:40, ::4] = np.random.default_rng(0).integers(0, 1024, (20, 2))
    data, _ = run(config, [*loading(SET), *frames_of(codes, 4, 20)], 1500)
    packets = [item for item in scan(data) if isinstance(item, Packet)]
    assert [packet.raw for packet in packets] == [False, True, False]
    assert data == encode(codes.astype(np.uint16), config, parameters=SET)


def test_no_frame_begins_while_a_set_comes() -> None:
    """The first words of both come in one clock, with a set loaded and recording enabled."""
    config = CodecConfig("calibrated", 4, 10, 50, 3, 4)
    codes, other = quiet_codes(140, 4, 3), shipped.default("calibrated")
    samples = list(frames_of(codes, 4, 10))
    words = loading(other)
    both = [{**sample, **word} for sample, word in zip(samples, words, strict=False)]
    data, _ = run(config, [*loading(SET), *[{}] * 60, *both, *samples[len(both) :]], 1500)
    found = [item.shape for item in scan(data) if isinstance(item, Packet) and item.shape]
    assert [shape.parameter_set for shape in found] == [other.identifier]
    decoded = decode(data)
    first = -(-len(words) // 14)  # frames of 14 clocks that began before the set was whole
    assert decoded.origin == first and (decoded.frames == codes[first:]).all()


def test_nothing_is_recorded_without_a_whole_set() -> None:
    config = CodecConfig("calibrated", 4, 10, 5, 3, 4)
    codes = quiet_codes(10, 4, 1)
    samples = list(frames_of(codes, 4, 8))
    damaged = loading(SET)
    damaged[40]["parameters.payload.value"] ^= 4
    data, seen = run(config, [*samples, *damaged, *samples], 300)
    assert data == b"" and not any(row["loaded"] for row in seen)


def test_a_set_that_comes_while_it_records_waits_for_the_end() -> None:
    """The host lowers `enable`, offers the other set, and records anew with it."""
    config = CodecConfig("calibrated", 4, 10, 50, 3, 4)
    codes, other = quiet_codes(20, 4, 2), shipped.default("calibrated")
    samples = list(frames_of(codes, 4, 10))
    offer = {**loading(other)[0], "enable": 1}
    while_recording = [*samples[:100], *({**word, **offer} for word in samples[100:105])]
    words = [*loading(SET), *while_recording, *[{}] * 60, *loading(other), *samples]
    data, _ = run(config, words, 1200)
    found = [item for item in scan(data) if isinstance(item, Packet)]
    assert [packet.shape.parameter_set for packet in found if packet.shape] == [SET.identifier, other.identifier]
    expected = encode(codes.astype(np.uint16), config, parameters=other, position=found[1].position)
    assert data[found[1].offset :] == expected
    first = encode(codes[: found[0].frames].astype(np.uint16), config, parameters=SET)
    assert data[: found[1].offset] == first


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (CodecConfig("calibrated", 4, 12, 5), "12 bits"),
        (CodecConfig("calibrated", 6, 10, 5, lanes=4), "lanes: 4 do not share 6 channels"),
        (CodecConfig("calibrated", 1024, 10, 60, lanes=4), "packet_frames: 60"),
        (CodecConfig("calibrated", 2, 10, 5, peers=(0, 1)), "without peers"),
        (CodecConfig("tiny", 2, 10, 5), "profile 'tiny'"),
    ],
)
def test_what_is_not_built_is_refused(config: CodecConfig, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Calibrated(config)
