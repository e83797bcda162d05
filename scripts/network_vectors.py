"""Test vectors of profiles `spikey` and `full`: streams, streams to be refused, and small sets of random networks."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from model.codec.compressor import encode
from model.spec import calibrate, spikey
from model.spec.config import CodecConfig
from model.spec.network import MiddleOut
from model.spec.packet import Link
from model.spec.parameters import ParameterSet
from scripts.calibrated_vectors import NAMED, Vectors, changed, parts, seal, shared, swings, walk
from tests.networks import LINEAR, RELU, full_set, some_links, spikey_set, with_lstm

LINKS = (
    (Link(-1, 90), Link(-4, -20)),
    (Link(1, 127),),
    (Link(-1, -127), Link(2, 64), Link(1, 1), Link(-2, 30)),
    (),
    (Link(4, -60), Link(1, 100), Link(2, 5)),
)


def custom_sets() -> dict[str, ParameterSet]:
    """Sets of the vectors' own, by name."""
    uneven = full_set(6, shapes=1, form=MiddleOut.NONE, skip=False)
    edges = 63 * (np.arange(257) - 128) + 24 * (np.arange(257) % 2)
    form = calibrate.edge_format(8)
    return {
        "spikey-relu": spikey_set(1, more=2),
        "spikey-lstm": spikey_set(2, spikey.HUFFMAN, **with_lstm(MiddleOut.PLAIN), more=2),
        "spikey-linear": spikey_set(3, 4, form=MiddleOut.PLAIN, bits=12, skip=False, predictor=((LINEAR, 3),), more=2),
        "spikey-loud": spikey_set(4, 0, more=-6),
        "full-relu": full_set(4, more=2),
        "full-lstm": full_set(5, shapes=2, **with_lstm(), more=2, bits=10),
        "full-loud": full_set(7, shapes=8, projector=((RELU, 3),), predictor=(), more=-6),
        "full-uneven": ParameterSet("full", {**uneven.tables, "edges": (form, edges.astype(np.int64))}),
    }


def config(profile: str, channels: int, width: int, packet_frames: int, key_interval: int, **more: Any) -> CodecConfig:
    """A configuration of a stream."""
    return CodecConfig(profile, channels, width, packet_frames, key_interval, **more)


def streams(sets: Mapping[str, ParameterSet]) -> Vectors:
    """Streams by name, with the frames after which channels end."""
    random, made = np.random.default_rng(0), dict[str, tuple[bytes, np.ndarray | None]]()
    ends = np.array([120, 40, 120, 1, 33])
    five, spikes = shared(51, 120, 5, 10, 20), walk(52, 200, 1, 10, 5)
    spikes[::25] = 1000
    noise = random.integers(0, 1 << 10, (30, 2)).astype(np.uint16)
    pair = np.vstack([walk(53, 60, 2, 10, 8), noise, walk(54, 90, 2, 10, 8)])
    for profile, kinds in (("spikey", ("relu", "lstm", "linear")), ("full", ("relu", "lstm"))):
        lanes = {} if profile == "spikey" else {"lanes": 2}
        own = partial(config, profile)
        for kind in kinds:
            put = partial(encode, parameters=sets[f"{profile}-{kind}"])
            made |= {
                f"{profile}-{kind}": (put(walk(50, 150, 1, 10, 12), own(1, 10, 50, 2)), None),
                f"{profile}-{kind}-links": (put(five, own(5, 10, 40, 2, links=LINKS, **lanes)), None),
                f"{profile}-{kind}-raw-then-coded": (
                    put(pair, own(2, 10, 30, 8, links=some_links(0, 2), **lanes)),
                    None,
                ),
                f"{profile}-{kind}-spikes": (put(spikes, own(1, 10, 200, 1)), None),
                f"{profile}-{kind}-wide": (put(walk(55, 80, 2, 16, 900), own(2, 16, 40, 2, **lanes)), None),
            }
        put, loud = (partial(encode, parameters=sets[f"{profile}-{kind}"]) for kind in ("lstm", "loud"))
        linked = partial(own, 5, 10, 30, 3, links=LINKS)
        made |= {
            f"{profile}-ends": (put(five, linked(**lanes), ends=ends), ends),
            f"{profile}-drops": (put(five, linked(), drops={1}), None),
            f"{profile}-narrow": (put(walk(56, 100, 2, 8, 3), own(2, 8, 50, 1, **lanes)), None),
            f"{profile}-twelve": (put(walk(57, 100, 2, 12, 40), own(2, 12, 50, 2, **lanes)), None),
            f"{profile}-loud": (loud(swings(58, 120, 10), own(2, 10, 60, 1, links=some_links(0, 2), **lanes)), None),
        }
    four = encode(five, config("full", 5, 10, 60, 2, lanes=4, links=LINKS), parameters=sets["full-relu"])
    uneven = encode(walk(59, 120, 2, 8, 4), config("full", 2, 8, 60, 2), parameters=sets["full-uneven"])
    made |= {"full-four-lanes": (four, None), "full-uneven": (uneven, None)}
    return made | {name: (data, None) for name, data in refused(sets).items()}


def refused(sets: Mapping[str, ParameterSet]) -> dict[str, bytes]:
    """Streams to be refused, by name; all checks are good."""
    codes = walk(60, 40, 3, 10, 9)
    links, made = ((Link(-1, 50),), (Link(1, 50), Link(-1, -9)), ()), dict[str, bytes]()
    for profile, another in (("spikey", "full"), ("full", "spikey")):
        own, other = sets[f"{profile}-relu"], sets[f"{another}-relu"].identifier.to_bytes(8, "little")
        packet = encode(codes, config(profile, 3, 10, 40, 1, links=links), parameters=own)
        head, payload = parts(packet)
        later = encode(codes, config(profile, 3, 10, 40, 1), parameters=own, position=40)
        made |= {
            f"{profile}-set-of-other-profile": seal(head[:16] + other + head[24:], payload),
            f"{profile}-eight-lanes": seal(changed(head, 15, head[15] | 0x30), payload),
            f"{profile}-too-long": seal(head, payload + b"\x00"),
            f"{profile}-too-short": seal(head, payload[:-1]),
            f"{profile}-other-links": packet + later,
        }
    head, payload = parts(encode(codes, config("spikey", 3, 10, 40, 1, links=links), parameters=sets["spikey-relu"]))
    at = NAMED + 1  # of the first link
    wide = bytes((255, 50, *bytes(4), 1, 50, 255, 247, *bytes(8)))
    made |= {
        "spikey-unnamed-set": seal(changed(head[:16], 15, head[15] & 0x3F), payload),
        "spikey-link-to-itself": seal(changed(head, at, 0), payload),
        "spikey-link-beyond": seal(changed(head, at, 1), payload),
        "spikey-link-twice": seal(changed(head, at + 6, 1), payload),
        "spikey-correlation-0": seal(changed(head, at + 1, 0), payload),
        "spikey-correlation-of-128": seal(changed(head, at + 1, 0x80), payload),
        "spikey-links-of-none": seal(head[:at] + bytes(12), payload),
        "spikey-no-room-for-links": seal(changed(head, NAMED, 0)[:at], payload),
        "spikey-five-links": seal(changed(head, NAMED, 5)[:at] + bytes((255, 50, *bytes(28))), payload),
        "spikey-room-for-more-links": seal(changed(head, NAMED, 3)[:at] + wide, payload),
    }
    head, payload = parts(encode(codes[:31], config("spikey", 3, 10, 40, 1), parameters=sets["spikey-relu"]))
    made["spikey-two-lanes"] = seal(changed(head, 15, head[15] | 0x10), payload)
    made["spikey-padding"] = seal(head, changed(payload, -1, payload[-1] | 1))
    head, payload = parts(encode(codes, config("full", 3, 10, 40, 1), parameters=sets["full-relu"]))
    uneven = sets["full-uneven"].identifier.to_bytes(8, "little")
    made["full-set-of-other-width"] = seal(head[:16] + uneven + head[24:], payload)
    made["full-plain-above-top"] = seal(head, changed(payload, 0, payload[0] | 0x80))
    return made
