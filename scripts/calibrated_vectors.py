"""Test vectors of profile `calibrated`: streams, streams to be refused, and parameter sets that they name."""

from collections.abc import Mapping
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from model.codec.compressor import encode
from model.codec.packet import header_check, packet_check
from model.spec import shipped
from model.spec.config import CodecConfig
from model.spec.numbers import Format
from model.spec.parameters import ParameterSet
from tests.page_calibrated import MORE_THAN_LEAST
from tests.page_decoder import decode_stream
from tests.page_sets import named_sets
from tests.page_watch import watch

NAMED = 24  # bytes of a key packet's header without peers, less its check
CARRIES = ("word FFFF", "carry makes a word FFFF", "carry behind a word FFFF")
RELEASED = ("even", "lattice")
Vectors = dict[str, tuple[bytes, np.ndarray | None]]


def walk(seed: int, frames: int, channels: int, width: int, step: float) -> np.ndarray:
    """Codes around the middle: a slow walk and noise of `step` codes."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, step, (frames, channels)) + np.cumsum(rng.normal(0, step / 30, (frames, channels)), 0)
    return np.clip(np.rint(noise) + (1 << (width - 1)), 0, (1 << width) - 1).astype(np.uint16)


def shared(seed: int, frames: int, channels: int, width: int, step: float) -> np.ndarray:
    """A walk of which every channel has a part of its own and one that all share."""
    own, common = walk(seed, frames, channels, width, step / 3), walk(seed + 1, frames, 1, width, step)
    return np.clip(own.astype(np.int32) + common - (1 << (width - 1)), 0, (1 << width) - 1).astype(np.uint16)


def swings(seed: int, frames: int, width: int) -> np.ndarray:
    """Two channels between both ends of the range, every 60 frames of another period; the second first opposes."""
    rng, top = np.random.default_rng(seed), (1 << width) - 1
    periods = np.repeat(rng.integers(1, 40, -(-frames // 60)), 60)[:frames]
    first = np.where(np.cumsum(1 / periods) % 2 < 1, 0, top)
    first[::7] = rng.integers(0, top, len(first[::7]))
    second = np.where(np.arange(frames) < frames // 2, top - first, first)
    return np.stack((first, second), 1).astype(np.uint16)


def waves(seed: int, frames: int, width: int, height: float) -> np.ndarray:
    """Two channels with the same wave, the second upside down in the latter half; `height` 1 fills the range."""
    rng, middle = np.random.default_rng(seed), 1 << (width - 1)
    wave = height * middle * np.sin(np.cumsum(rng.uniform(0.02, 0.4, frames))) + rng.normal(0, middle / 200, frames)
    other = np.where(np.arange(frames) < frames // 2, wave, -wave) + rng.normal(0, middle / 300, frames)
    return np.clip(np.rint(np.stack((wave, other), 1)) + middle, 0, 2 * middle - 1).astype(np.uint16)


def custom_sets() -> dict[str, ParameterSet]:
    """Sets of the vectors' own: of uneven edges and three features; of 16 features, with values at their ends."""
    code, k = np.arange(257), np.arange(64)
    uneven = 63 * (code - 128) + 24 * (code % 2) + 9 * (code % 5 == 0)
    uneven[[0, 1, -2, -1]] = -8192, -8191, 8190, 8191
    points = np.array([round(32764 * (1 - 2.0 ** (-n / 3))) for n in range(1, 33)])
    formats = {
        "points": Format(15, 15, signed=False),
        "shifts": Format(4, 0, signed=False),
        "start": Format(11, 4, signed=False),
        "steps": Format(8, 4, signed=True),
        "weights": Format(11, 10, signed=True),
    }
    tables = {
        "mixed": (uneven, points - 300, (0, 3, 0), 300, (k - 8, (k - 12) // 4), (1023, -1023, 90, -50)),
        "extreme": (
            np.zeros(0),
            np.minimum(np.arange(1, 33) ** 2 * 400, 32764),
            range(16),
            2047,
            (np.where(k < 20, -127, 127), np.where(k < 30, -127, 127)),
            [1023, -1023] * 8 + [0],
        ),
    }
    return {
        name: ParameterSet(
            "calibrated",
            {
                "edges": (Format(14 if len(edges) else 16, 6, signed=True), np.array(edges, np.int64)),
                **{
                    table: (form, np.array(values, np.int64))
                    for (table, form), values in zip(formats.items(), rest, strict=True)
                },
            },
        )
        for name, (edges, *rest) in tables.items()
    }


def released_sets() -> dict[str, ParameterSet]:
    """Sets that are shipped now, of which the vectors have copies; their names are `RELEASED`."""
    return {name: shipped.default("calibrated", lattice=name == "lattice") for name in RELEASED}


def config(
    channels: int, width: int, packet_frames: int, key_interval: int, lanes: int = 1, **more: Any
) -> CodecConfig:
    """A configuration of `calibrated`."""
    return CodecConfig("calibrated", channels, width, packet_frames, key_interval, lanes=lanes, **more)


def carried(seed: int, sets: Mapping[str, ParameterSet]) -> bytes:
    """A packet among which words FFFF are looked for."""
    return encode(walk(seed, 2000, 1, 12, 60), config(1, 12, 2000, 1), parameters=sets["even"])


def search(sets: Mapping[str, ParameterSet]) -> dict[str, int]:
    """The first seed with which `carried` reaches each of `CARRIES`."""
    tables, seeds = named_sets(each.to_bytes() for each in sets.values()), dict[str, int]()
    for seed in count():
        data = carried(seed, sets)
        for event in watch(data, None, tables) if b"\xff\xff" in data[NAMED:] else ():
            if event in CARRIES:
                seeds.setdefault(event, seed)
        if len(seeds) == len(CARRIES):
            break
    return seeds


def streams(sets: Mapping[str, ParameterSet], seeds: Mapping[str, int]) -> Vectors:
    """Streams by name, with the frames after which channels end; each reaches something of its own."""
    rng = np.random.default_rng(0)
    lattice, even = partial(encode, parameters=sets["lattice"]), partial(encode, parameters=sets["even"])
    noise = rng.integers(0, 1 << 10, (60, 2)).astype(np.uint16)
    five, calm = shared(21, 150, 5, 10, 20), walk(22, 120, 2, 10, 8)
    spikes = walk(23, 400, 1, 10, 4)
    spikes[::50] = 1000
    rails = np.repeat(rng.choice([0, 1023], 40), 10)[:, None].astype(np.uint16)
    ends_of_range = np.vstack([walk(28, 350, 1, 8, 6), np.clip(walk(28, 350, 1, 9, 3), 130, 257) - 2])
    ends_of_range[::60], ends_of_range[30::60] = 255, 0
    quiet = (np.cumsum(rng.choice([-1, 0, 1], (400, 1), p=[0.02, 0.96, 0.02]), 0) + 300).astype(np.uint16)
    peers, ends = (0, 1, 1, 0, 4), np.array([150, 40, 150, 1, 33])
    far = tuple(min(c, 255) for c in range(260))
    pair = lattice(shared(24, 1000, 2, 10, 20), config(2, 10, 100, 3, peers=(0, 1)))
    made = {
        "one-channel": lattice(walk(20, 500, 1, 10, 20), config(1, 10, 200, 2)),
        "one-lane": lattice(five, config(5, 10, 50, 2)),
        "two-lanes": lattice(five, config(5, 10, 50, 2, 2)),
        "four-lanes": lattice(five, config(5, 10, 50, 2, 4)),
        "peers": lattice(five, config(5, 10, 50, 2, 2, peers=peers)),
        "lanes-to-spare": lattice(five[:, :1], config(1, 10, 50, 2, 4)),
        "many-channels": lattice(shared(25, 6, 260, 10, 9), config(260, 10, 3, 4, 4, peers=far)),
        "drops": lattice(shared(24, 600, 2, 10, 20), config(2, 10, 60, 3, peers=(0, 1)), drops={1, 4, 5}),
        "raw-then-coded": lattice(np.vstack([calm[:60], noise, calm[60:]]), config(2, 10, 60, 8, 2, peers=(0, 1))),
        "raw-key": lattice(np.vstack([noise, calm]), config(2, 10, 60, 8, 2, peers=(0, 1))),
        "escapes": lattice(spikes, config(1, 10, 400, 1)),
        "extremes": lattice(rails, config(1, 10, 400, 1)),
        "swings": encode(swings(26, 1500, 10), config(2, 10, 750, 1, 2, peers=(0, 1)), parameters=sets["extreme"]),
        "swings-wide": encode(swings(27, 600, 16), config(2, 16, 300, 2, peers=(0, 1)), parameters=sets["extreme"]),
        "mixed-features": encode(ends_of_range, config(1, 8, 350, 2), parameters=sets["mixed"]),
        "quiet": lattice(quiet, config(1, 10, 200, 4)),
        "quiet-mixed": encode(quiet - 200, config(1, 8, 200, 4), parameters=sets["mixed"]),
        "clipped": lattice(waves(35, 600, 10, 1.4), config(2, 10, 200, 3, peers=(0, 1))),
        "clipped-even": even(waves(36, 600, 12, 1.4), config(2, 12, 200, 3, 2, peers=(0, 1))),
        "waves": even(waves(37, 1400, 13, 0.8), config(2, 13, 700, 1, peers=(0, 1))),
        "waves-extreme": encode(
            waves(38, 1400, 11, 0.8), config(2, 11, 700, 1, 2, peers=(0, 1)), parameters=sets["extreme"]
        ),
        "waves-mixed": encode(waves(42, 700, 8, 0.9), config(2, 8, 350, 2, peers=(0, 1)), parameters=sets["mixed"]),
        "waves-narrow": encode(waves(43, 700, 8, 1.1), config(2, 8, 350, 2), parameters=sets["extreme"]),
        "longer-lengths": even(walk(39, 255, 2, 8, 5), config(2, 8, 128, 2, 2)),
        "narrow": even(walk(29, 200, 2, 8, 3), config(2, 8, 64, 2)),
        "twelve": even(walk(30, 200, 2, 12, 60), config(2, 12, 64, 2)),
        "odd": even(walk(31, 201, 3, 13, 60), config(3, 13, 67, 2)),
        "wide": even(walk(32, 200, 2, 16, 900), config(2, 16, 64, 2)),
        "old": lattice(walk(33, 900, 1, 10, 12), config(1, 10, 300, 8)),
        "constant": lattice(np.full((500, 1), 7, np.uint16), config(1, 10, 500, 1)),
        "position-wraps": lattice(walk(34, 300, 1, 10, 9), config(1, 10, 100, 2), position=(1 << 32) - 150),
        "damaged": pair[:300] + b"\x00" + pair[301:900] + pair[950:],
        "cut-off": pair[:-7],
        **{event.replace(" ", "-").lower(): carried(seed, sets) for event, seed in seeds.items()},
    }
    ending = lattice(five, config(5, 10, 30, 3, 4, peers=peers), ends=ends)
    every = {name: (data, None) for name, data in {**made, **refused(sets)}.items()}
    return {f"calibrated-{name}": vector for name, vector in {**every, "ends": (ending, ends)}.items()}


def refused(sets: Mapping[str, ParameterSet]) -> dict[str, bytes]:
    """Streams to be refused, by name; all checks are good."""
    even = partial(encode, parameters=sets["even"])
    codes = walk(40, 40, 1, 10, 9)
    one, pair = even(codes, config(1, 10, 40, 1)), even(walk(41, 40, 2, 10, 9), config(2, 10, 40, 1, 2, peers=(0, 1)))
    raw = even(np.random.default_rng(3).integers(0, 1 << 10, (5, 1)).astype(np.uint16), config(1, 10, 40, 1))
    head, payload = parts(one)
    pair_head, pair_payload = parts(pair)
    loud = np.array([[40], [5], [9]], np.uint16)
    triple_head, _ = parts(even(np.zeros((1, 3), np.uint16), config(3, 12, 1, 1)))
    loud_head, _ = parts(encode(loud, config(1, 16, 3, 1), parameters=sets["extreme"]))
    two = even(codes, config(1, 10, 20, 2))
    second = two[len(even(codes[:20], config(1, 10, 20, 2))) :]
    second_head, second_payload = parts(second)
    later = {
        "other-lanes": even(walk(41, 40, 2, 10, 9), config(2, 10, 40, 1, 1, peers=(0, 1)), position=40),
        "other-peers": even(walk(41, 40, 2, 10, 9), config(2, 10, 40, 1, 2), position=40),
        "other-set": encode(
            walk(41, 40, 2, 10, 9),
            config(2, 10, 40, 1, 2, peers=(0, 1)),
            parameters=sets["lattice"],
            position=40,
        ),
    }
    made = {
        "unknown-set": seal(changed(head, 16, head[16] ^ 1), payload),
        "unnamed-set": seal(changed(head[:16], 15, head[15] & ~0x40), payload),
        "set-of-other-width": seal(head[:16] + sets["mixed"].identifier.to_bytes(8, "little"), payload),
        "eight-lanes": seal(changed(head, 15, head[15] | 0x30), payload),
        "peer-before-channel-0": seal(changed(pair_head, NAMED + 1, 2), pair_payload),
        "peers-of-none": seal(changed(pair_head, NAMED + 1, 0), pair_payload),
        "more-than-a-packet-holds": seal(head[:7] + b"\xff" * 2 + head[9:13] + b"\xff" * 2 + head[15:], payload),
        "tiny-with-set": seal(changed(head, 12, 1 << 4), payload),
        "padding": seal(head, changed(payload, -1, payload[-1] | 1)),
        "raw-padding": seal(parts(raw)[0], changed(parts(raw)[1], -1, parts(raw)[1][-1] | 1)),
        "too-long": seal(head, payload + b"\x00"),
        "too-short": seal(head, payload[:-1]),
        "lane-too-long": seal(pair_head, changed(pair_payload, 0, len(pair_payload))),
        "lane-without-byte": seal(pair_head, changed(pair_payload, 0, 0)),
        "beyond-the-lower-parts": seal(changed(loud_head, 2, 1), bytes.fromhex("00143ffb01c0")),
        "beyond-interval": two[: len(two) - len(second)] + seal(second_head, b"\xff\xff" + second_payload[2:]),
        "not-the-least": not_the_least(sets),
        "carry-comes-too-late": seal(changed(triple_head, 2, 1), bytes.fromhex("7fffffff80")),
        "plain-above-top": seal(head, changed(payload, 0, payload[0] | 0x80)),
    }
    return {**made, **{name: pair + packet for name, packet in later.items()}}


def not_the_least(sets: Mapping[str, ParameterSet]) -> bytes:
    """A packet with the right codes whose string names a greater number than an encoder would."""
    tables = named_sets(each.to_bytes() for each in sets.values())
    for seed in count():
        packet = encode(walk(seed, 40, 1, 10, 9), config(1, 10, 40, 1), parameters=sets["even"])
        head, payload = parts(packet)
        for bit in (1 << n for n in range(8) if payload[-1] + (1 << n) < 1 << 8):
            greater = seal(head, changed(payload, -1, payload[-1] + bit))
            try:
                decode_stream(greater, None, tables)
            except ValueError as error:
                if str(error) == MORE_THAN_LEAST:
                    return greater
    raise AssertionError


def parts(packet: bytes) -> tuple[bytes, bytes]:
    """Header without its check and payload of a lone packet."""
    end = len(packet) - 4 - int.from_bytes(packet[9:12], "little")
    return packet[: end - 1], packet[end:-4]


def changed(data: bytes, at: int, value: int) -> bytes:
    """Bytes of which one has another value."""
    new = bytearray(data)
    new[at] = value
    return bytes(new)


def seal(head: bytes, payload: bytes) -> bytes:
    """A packet of these parts, with a `length` and checks that are good."""
    head = head[:9] + len(payload).to_bytes(3, "little") + head[12:]
    body = head + bytes((header_check(head),)) + payload
    return body + packet_check(body).to_bytes(4, "little")
