"""Codes that drive each choice of the coder; which choice was taken is asserted by the tests that use them."""

from collections.abc import Callable

import numpy as np

from model.codec import delta, rice
from model.spec.config import CodecConfig

Maker = Callable[[tuple[int, int], int, np.random.Generator], np.ndarray]


def noise(shape: tuple[int, int], width: int, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise around the middle: ordinary Rice codes, a different scale in each channel."""
    scale = np.geomspace(1, 2.0 ** (width - 6), shape[1])
    return np.clip(2 ** (width - 1) + rng.standard_normal(shape) * scale, 0, 2**width - 1).astype(np.uint16)


def uniform(shape: tuple[int, int], width: int, rng: np.random.Generator) -> np.ndarray:
    """All codes alike: packets are stored raw."""
    return rng.integers(0, 2**width, shape, dtype=np.uint16)


def still(shape: tuple[int, int], width: int, rng: np.random.Generator) -> np.ndarray:
    """Constant channels: the shortest code words."""
    return np.broadcast_to(rng.integers(0, 2**width, (1, shape[1]), dtype=np.uint16), shape).copy()


def jumps(shape: tuple[int, int], width: int, rng: np.random.Generator) -> np.ndarray:
    """Silence with rare jumps anywhere: escapes."""
    return np.where(rng.random(shape) < 0.03, uniform(shape, width, rng), np.uint16(2 ** (width - 1)))


def edges(shape: tuple[int, int], width: int, rng: np.random.Generator) -> np.ndarray:
    """The least and the greatest code and their neighbours: residuals wrap."""
    return rng.choice(np.array([0, 1, 2**width - 2, 2**width - 1], np.uint16), shape)


def square(shape: tuple[int, int], width: int, rng: np.random.Generator) -> np.ndarray:
    """Every fourth channel leaps by half the range, resting each 50th frame: the greatest `k`; others are still."""
    codes = still(shape, width, rng)
    leaps = np.cumsum(np.arange(shape[0]) % 50 != 0)
    codes[:, ::4] = (leaps % 2 << (width - 1))[:, None]
    return codes


MAKERS: dict[str, Maker] = {f.__name__: f for f in (noise, uniform, still, jumps, edges, square)}


def escapes(codes: np.ndarray, config: CodecConfig) -> int:
    """Escapes that the law takes in `codes` if all packets are key packets and none is stored raw."""
    count = 0
    for start in range(0, len(codes), config.packet_frames):
        for channel in range(config.channels):
            last, mean = delta.restart(config.width), rice.restart(config.width)
            for code in codes[start : start + config.packet_frames, channel].tolist():
                folded = rice.fold(delta.residual(code, last, config.width))
                k = rice.parameter(mean, config.width)
                count += (folded >> k) >= rice.ESCAPE_ZEROS
                last, mean = code, rice.adapt(mean, folded)
    return count
