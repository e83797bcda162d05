"""Streams for tests: codes of every kind, configurations of every profile, and what is in the packets."""

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from model.codec.decompressor import Decoded
from model.codec.packet import Packet, scan
from model.spec import calibrate
from model.spec import packet as spec
from model.spec.config import CodecConfig
from model.spec.packet import Link
from model.spec.profiles import PROFILES

RARE = (511, 895)  # codes that the converter of the public recordings almost never gives
Wave = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]  # of frame numbers in the shape of codes


def walk(at: np.ndarray, top: int, random: np.random.Generator) -> np.ndarray:
    """Small steps, or larger ones, over both ends."""
    return np.rint(random.normal(0, random.choice([0.5, 5, 60]), at.shape)).astype(np.int64).cumsum(axis=0) + top // 2


def jumps(at: np.ndarray, top: int, random: np.random.Generator) -> np.ndarray:
    """From rest to everything and back."""
    loud = random.integers(0, 2, 8)[at // 16 % 8]
    return np.clip(top // 2 + random.normal(0, 0.6 + loud * top), 0, top).astype(np.int64)


def alternation(at: np.ndarray, top: int, random: np.random.Generator) -> np.ndarray:
    """Two codes in turn, each for some frames."""
    return random.integers(0, top, 2, endpoint=True)[at // random.integers(1, 9) % 2]


def rare(at: np.ndarray, top: int, random: np.random.Generator) -> np.ndarray:
    """Rest, and codes that are never expected."""
    return np.where(random.random(at.shape) < 0.3, random.choice([*RARE, 0, top], at.shape), top // 2)


WAVES: dict[str, Wave] = {
    "noise": lambda at, top, random: random.integers(0, top, at.shape, endpoint=True),
    "walk": walk,
    "extremes": lambda at, top, random: random.integers(0, 2, at.shape) * top,
    "constant": lambda at, top, random: random.integers(0, top, endpoint=True) + 0 * at,
    "ramp": lambda at, top, random: random.integers(0, top) + at * random.integers(1, 50),
    "alternation": alternation,
    "jumps": jumps,
    "rare": rare,
}


def wave(kind: str, frames: int, channels: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Codes of a kind, uint16, shape (frames, channels)."""
    at, top = np.repeat(np.arange(frames)[:, None], channels, axis=1), (1 << width) - 1
    return (WAVES[kind](at, top, random) & top).astype(np.uint16)


def some_edges(width: int, seed: int) -> np.ndarray:
    """A converter of unequal codes, the widest and narrowest that may be among them, up to one end of the format."""
    random, form = np.random.default_rng(seed), calibrate.edge_format(width)
    steps = random.integers(1, 100, 1 << width)
    steps[random.choice(1 << width, 16, False)] = np.repeat([1, calibrate.GREATEST_STEP], 8)
    edges = np.concatenate([[0], np.cumsum(steps)])
    return edges + (form.minimum if seed % 2 else form.maximum - edges[-1])


@st.composite
def codes(draw: st.DrawFn, frames: int, channels: int, width: int) -> np.ndarray:
    """Quiet, noisy, constant, extreme, jumping or arbitrary codes."""
    kind = draw(st.sampled_from(["any", *WAVES]))
    if kind == "any":
        return draw(hnp.arrays(np.uint16, (frames, channels), elements=st.integers(0, (1 << width) - 1)))
    return wave(kind, frames, channels, width, np.random.default_rng(draw(st.integers(0, 2**32 - 1))))


@st.composite
def links(draw: st.DrawFn, channels: int) -> spec.Links:
    """Partners of each channel of a stream of at least two, as near as the format allows; of one channel at least."""
    strength = st.integers(-spec.MAX_CORRELATION, spec.MAX_CORRELATION).filter(bool)

    def partners(channel: int, least: int = 0) -> tuple[Link, ...]:
        near = range(max(0, channel - spec.MAX_DISTANCE), min(channels, channel + spec.MAX_DISTANCE + 1))
        others = st.lists(
            st.sampled_from(near).filter(channel.__ne__), min_size=least, max_size=spec.MOST_LINKS, unique=True
        )
        return tuple(Link(channel - other, draw(strength)) for other in draw(others))

    sure = draw(st.integers(0, channels - 1))
    return tuple(partners(channel, int(channel == sure)) for channel in range(channels))


@st.composite
def streams(draw: st.DrawFn, name: str) -> tuple[np.ndarray, CodecConfig]:
    """Frames of codes and a configuration of a profile for them."""
    profile, width, channels = PROFILES[name], draw(st.integers(8, 16)), draw(st.integers(1, 8))
    peers: tuple[int, ...] = ()
    if profile.peers and draw(st.booleans()):
        some = tuple(draw(st.integers(0, channel)) for channel in range(channels))
        peers = some if any(some) else ()
    linked = profile.links and channels > 1 and draw(st.booleans())
    config = CodecConfig(
        name,
        channels,
        width,
        packet_frames=draw(st.integers(1, 40)),
        key_interval=draw(st.integers(1, 5)),
        lanes=draw(st.sampled_from(profile.lanes)),
        peers=peers,
        links=draw(links(channels)) if linked else (),
    )
    return draw(codes(draw(st.integers(1, 120)), channels, width)), config


def noise(frames: int, config: CodecConfig, seed: int = 1) -> np.ndarray:
    """A quiet recording."""
    voltage = np.random.default_rng(seed).normal(1 << (config.width - 1), 6, (frames, config.channels))
    return np.rint(voltage).astype(np.uint16)


def packets_of(data: bytes) -> list[Packet]:
    """The packets of a stream without damage."""
    found = list(scan(data))
    assert all(isinstance(item, Packet) for item in found)
    return [item for item in found if isinstance(item, Packet)]


def lost_frames(decoded: Decoded) -> np.ndarray:
    """Which frames lie in gaps."""
    lost = np.zeros(len(decoded.frames), bool)
    for gap in decoded.gaps:
        assert not lost[gap.start : gap.start + gap.frames].any()
        lost[gap.start : gap.start + gap.frames] = True
    return lost
