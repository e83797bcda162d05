"""Parameter sets of profiles with a network for testbenches, by name: random ones of every shape, and the shipped."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

from hw import neural
from model.spec import shipped, spikey
from model.spec.config import CodecConfig
from model.spec.network import Layer, MiddleOut
from model.spec.parameters import ParameterSet
from tests.networks import full_set, spikey_set, with_lstm

LINEAR, RELU = Layer.LINEAR, Layer.RELU
SHAPES: dict[str, dict[str, Any]] = {
    "residual": {},
    "plain": {"form": MiddleOut.PLAIN, "skip": False},
    "alone": {"form": MiddleOut.NONE},
    "wide": {"projector": ((RELU, 9), (RELU, 7), (LINEAR, 6)), "predictor": ((RELU, 7), (RELU, 5))},
    "few": {"projector": ((LINEAR, 2),), "predictor": (), "skip": False},
    "least": {"projector": ((LINEAR, 1),), "predictor": (), "skip": False},
    "lstm": with_lstm(),
    "fine": {"bits": 12, "more": 0},
    "loud": {"more": -4, "skip": False},
}
CODERS: dict[str, tuple[int, dict[str, Any]]] = {
    "fixed": (3, {}),
    "greatest": (9, SHAPES["few"]),
    "huffman": (spikey.HUFFMAN, {}),
    "huffman_few": (spikey.HUFFMAN, SHAPES["few"]),
}
Maker = Callable[[], ParameterSet]
SETS: dict[str, dict[str, Maker]] = {
    "spikey": {name: partial(spikey_set, seed, **shape) for seed, (name, shape) in enumerate(SHAPES.items())}
    | {name: partial(spikey_set, 20 + coder, coder, **shape) for name, (coder, shape) in CODERS.items()},
    "full": {name: partial(full_set, seed, **shape) for seed, (name, shape) in enumerate(SHAPES.items())},
}


@cache
def names(profile: str) -> tuple[str, ...]:
    """All that `find` knows: shipped ones, then `SETS`."""
    return *(name for name in shipped.names() if shipped.named(name).profile == profile), *SETS[profile]


@cache
def find(profile: str, name: str) -> ParameterSet:
    """The set of that name, a shipped one if it is none of `SETS`."""
    make = SETS[profile].get(name)
    return make() if make else shipped.named(name)


def borne(config: CodecConfig, parameters: ParameterSet | None) -> CodecConfig:
    """The configuration of a stream that is coded with this set: without links if its network asks no partners."""
    if parameters is None or not config.links:
        return config
    return replace(config, links=neural.usable(config.links, neural.network_of(parameters, config.width)))
