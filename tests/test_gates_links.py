"""Packets of profiles with a parameter set and links, in gates: their headers are those of the codec's streams."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest

from hw.packet import Packet
from hw.rice import rice_layout
from model.codec.compressor import encode
from model.codec.packet import Packet as Coded
from model.codec.packet import scan
from model.spec import packet as spec
from model.spec import spikey
from model.spec.config import CodecConfig, ConfigError
from model.spec.packet import Link, Links
from model.spec.parameters import ParameterSet
from model.spec.rice import MAX_CODE_BITS
from tests.networks import some_links, spikey_set
from tests.simulate import play
from tests.streams import noise, packets_of, wave
from tests.test_gates_describe import Row, Sent, linked, named, sent, strings

FRAMES = 47
OUT = ["o.valid", "o.payload.data", "o.payload.last", "empty"]


def links_of(most: int, channels: int, seed: int = 0) -> Links:
    """Some channel has so many, none has more; 0: there are none."""
    if most == 0:
        return ()
    links = some_links(seed, channels, most)
    full = tuple(Link(-n, n * 40 - 100) for n in range(1, most + 1))
    return (full, *links[1:])


def words_of(config: CodecConfig, found: Coded, bits: int, random: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Code words of at most so many bits, whose string is a packet's payload; longer ones if that is raw."""
    samples = found.frames * config.channels
    if found.raw:
        length = MAX_CODE_BITS - 1 if found.shape else config.width  # beyond the store's end, or just too long
        yield from ((int(random.integers(1 << config.width)), length) for _ in range(samples))
        return
    left, string = 8 * len(found.payload), int.from_bytes(found.payload, "big")
    for behind in reversed(range(samples)):
        least, most = max(1, left - behind * bits), min(bits, left - behind)
        length = int(random.choice([least, most, (least + most) // 2]))
        left -= length
        yield string >> left & ((1 << length) - 1), length
    assert left == 0


def played(config: CodecConfig, stream: bytes, frames: np.ndarray, huffman: bool, spread: int) -> Iterator[Row]:
    """Samples of a stream's packets, each with a code word; so many clocks between packets."""
    bits = rice_layout(config, huffman).members["value"].as_shape().width
    random, at = np.random.default_rng(0), 0
    for found in packets_of(stream):
        codes = frames[at : at + found.frames].ravel()
        for n, (word, code) in enumerate(zip(words_of(config, found, bits, random), codes, strict=True)):
            marks = {"sample": 1, "open": n == 0, "frame": n % config.channels == 0, "close": n == len(codes) - 1}
            marks["key"] = found.shape is not None and n == 0
            payload = {"code": int(code), "value": word[0], "length": word[1]}
            yield {
                "i.valid": 1,
                "take": int(n == 0),
                **{f"i.payload.{name}": value for name, value in payload.items()},
                **{f"i.payload.marks.{name}": int(mark) for name, mark in marks.items()},
            }
        yield from [{}] * spread
        at += found.frames


def compare(gates: Packet, rows: Sequence[Row], expected: bytes, ready: Sequence[int] = (1,)) -> list[Row]:
    """Play, with the reader ready in some clocks, and compare; gives what was seen."""
    rows = [{**row, "o.ready": flag} for row, flag in zip(rows, cycle(ready), strict=False)]
    seen = play(gates, rows, OUT)
    taken = [row for row, word in zip(seen, rows, strict=True) if row["o.valid"] and word["o.ready"]]
    assert bytes(row["o.payload.data"] for row in taken) == expected
    ends = [n + 1 for n, row in enumerate(taken) if row["o.payload.last"]]
    assert ends == [item.offset + item.size for item in scan(expected)]
    return seen


def stream_of(config: CodecConfig, parameters: ParameterSet, position: int = 0) -> tuple[bytes, np.ndarray]:
    """Key packets and others, coded and raw, a partial one at the end; and what they are of."""
    loud = wave("noise", FRAMES - 22, config.channels, config.width, np.random.default_rng(5))
    frames = np.concatenate([noise(22, config), loud])
    stream = encode(frames, config, parameters=parameters, position=position)
    kinds = [(found.shape is not None, found.raw) for found in packets_of(stream)]
    assert len(set(kinds)) == 4
    return stream, frames


@pytest.mark.parametrize("most", range(spec.MOST_LINKS + 1))
@pytest.mark.parametrize(("huffman", "width"), [(False, 10), (True, 10), (True, 8), (False, 16)])
def test_packets_of_a_stream(most: int, huffman: bool, width: int) -> None:
    channels = 5 if most else 1
    config = CodecConfig("spikey", channels, width, 9, 2, links=links_of(most, channels))
    parameters = spikey_set(3, spikey.HUFFMAN if huffman else spikey.ADAPTIVE)
    stream, frames = stream_of(config, parameters)
    rows = named(parameters.identifier) + (linked(config.links, channels) if most else [])
    rows += played(config, stream, frames, huffman, 2 * config.raw_bytes(9) + 100)
    compare(Packet(config, 4, huffman), rows, stream)


def test_another_set_when_all_packets_have_left() -> None:
    """With fewer links, with none, and with more again; the reader pauses, and `empty` says when all is sent."""
    gates, rows, expected, loads = CodecConfig("spikey", 5, 10, 9, 2, links=links_of(4, 5)), [], b"", []
    for seed, most in enumerate((2, 0, 4, 1)):
        config = replace(gates, links=links_of(most, 5, seed))
        parameters = spikey_set(seed)
        stream, frames = stream_of(config, parameters, seed * FRAMES)
        loads.append(len(rows))
        rows += named(parameters.identifier) + linked(config.links, 5)
        rows += [*played(config, stream, frames, False, 300)]
        expected += stream
    seen = compare(Packet(gates, 2), rows, expected, (1, 1, 0))
    stored = 0
    for clock, (row, word) in enumerate(zip(seen, rows, strict=True)):
        last = row["o.valid"] and row["o.payload.last"]
        assert row["empty"] == (stored == last)
        assert row["empty"] or clock not in loads
        stored += word.get("take", 0) - (last and clock % 3 != 2)


def test_a_packet_that_is_given_up_is_no_longer_stored() -> None:
    rows: list[Row] = [{}, {"take": 1}, {}, {"i.valid": 1, "i.payload.marks.abort": 1}, {}]
    seen = play(Packet(CodecConfig("spikey", 5, 10, 9), 2), rows, ["empty"])
    assert [row["empty"] for row in seen] == [1, 1, 0, 0, 1]


def test_huffman_codes_too_long_for_the_packer_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^width: 12; with Huffman codes at most 11 bits are built, give those$"):
        Packet(CodecConfig("spikey", 5, 12, 9), 2, huffman=True)


@pytest.mark.parametrize("lanes", [1, 2, 4])
@pytest.mark.parametrize("most", range(spec.MOST_LINKS + 1))
def test_packets_in_lanes(lanes: int, most: int) -> None:
    """Gates that know links, whether there are some or none."""
    config = CodecConfig("full", 8, 10, packet_frames=30, lanes=lanes, links=links_of(1, 8))
    packets = [
        Sent(30, True, strings(lanes, 20, 37, 1, 4)),
        Sent(30, False, strings(lanes, 8)),
        Sent(25, True, strings(lanes, 300 // lanes)),
        Sent(3, True, strings(lanes, 30 // lanes - 2)),
    ]
    ready = (1, 0, 0, 1, 0) if most % 2 else (1,)
    sent(config, packets, ready, spread=500 * len(ready) // sum(ready), links=links_of(most, 8))


def test_gates_that_know_no_links() -> None:
    sent(CodecConfig("full", 8, 10, packet_frames=30), [Sent(30, True, strings(1, 20))], spread=500)
