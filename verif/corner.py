"""Recordings of the coder's corners: carries of every kind, strings of every size that decides, sure and rare codes."""

from collections import Counter
from collections.abc import Callable

import numpy as np

from model.spec import packet as spec
from model.spec.config import CodecConfig
from verif.guide import CARRIES, ENDS, PARTS, SIZES, Guide, Policy, carrying, certain, near, quiet, rare, spending
from verif.parameters import sets


def carries(config: CodecConfig, rng: np.random.Generator, packets: int) -> Guide:
    """Numbers that stay just below a carry, word after word."""
    guide = Guide(config, sets(config.width)["even"], rng)
    for _ in range(packets):
        guide.packet(carrying)
    return guide


def sizes(config: CodecConfig, rng: np.random.Generator, packets: int) -> Guide:
    """Packets whose coded form is about as large as the raw one, and such with a lane about as long as its share."""
    guide = Guide(config, sets(config.width)["even"], rng)
    raw, lanes = config.raw_bytes(config.packet_frames), config.lanes
    all_ = raw - spec.lane_length_bytes(raw) * (lanes - 1)
    share = -(-config.packet_frames * config.channels // lanes * config.width // 8)
    for number in range(packets):
        if number % 3 == 0 and lanes > 1:
            guide.packet(spending(share + number // 3 % 2), *[quiet] * (lanes - 1))
        elif number % 3 == 1:
            guide.packet(*[spending(each) for each in split(all_ - number // 3 % 2, lanes)])
        else:
            guide.packet(*rng.permutation(np.array([quiet, certain, near, carrying])))
    return guide


def split(total: int, parts: int) -> list[int]:
    """A total in parts as equal as can be."""
    return [(total + part) // parts for part in range(parts)]


def sure(config: CodecConfig, rng: np.random.Generator, packets: int) -> Guide:
    """Codes that take almost the whole interval, or none of it, by a set that is sure of every code."""
    guide = Guide(config, sets(config.width)["sharp"], rng)
    kinds: tuple[Policy, ...] = (certain, rare, near, quiet)
    for number in range(packets):
        guide.packet(*[kinds[(number + lane) % 4 if number % 3 else number // 3 % 4] for lane in range(config.lanes)])
    return guide


Maker = Callable[[CodecConfig, np.random.Generator, int], Guide]
MAKERS: dict[str, tuple[Maker, str, set[str]]] = {
    "carries": (carries, "even", CARRIES | ENDS),
    "sizes": (sizes, "even", SIZES - {"string of one byte", "string of escapes alone"}),
    "sure": (sure, "sharp", PARTS | {"string of one byte", "string of escapes alone"}),
}


def expected(kind: str, config: CodecConfig) -> set[str]:
    """What a recording of a kind must reach."""
    wanted = MAKERS[kind][2]
    return wanted - {"lane as long as its share", "lane of one byte more"} if config.lanes == 1 else wanted


def demand(reached: Counter[str], wanted: set[str]) -> str:
    """A table of what was reached; raises `AssertionError` if something was not."""
    table = ", ".join(f"{event}: {reached[event]}" for event in sorted(wanted | set(reached)))
    assert not [event for event in wanted if not reached[event]], f"not reached: {table}"
    return table
