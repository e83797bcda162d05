"""A profile's chain of stages, as `compressor` and `decompressor` use it."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from model.codec.calibrated import Calibrated
from model.codec.full import Full
from model.codec.spikey import Spikey
from model.codec.tiny import Tiny
from model.spec import calibrated, full, shipped, spikey
from model.spec.config import CodecConfig, ConfigError, find_profile
from model.spec.parameters import ParameterSet


class Chain(Protocol):
    """State of all channels and coders of a stream.

    `first` is the number of frames of the stream before those given; with the stream's ends it tells which channels
    have ended. `limit` is the number of bytes that the packet has in its raw form.
    """

    def restart(self) -> None:
        """Set every channel's state as at a key packet."""

    def encode(self, frames: np.ndarray, first: int, limit: int) -> bytes | None:
        """The coded form of a packet if it has less than `limit` bytes, else None; state moves on in either case.

        Parameters
        ----------
        frames : ndarray of uint16, shape (frames, channels)
        first, limit : int
        """

    def decode(self, payload: np.ndarray, frames: np.ndarray, first: int, limit: int) -> bool:
        """Fill `frames` from a coded form; False if no encoder wrote it.

        Parameters
        ----------
        payload : ndarray of uint8
        frames : ndarray of uint16, shape (frames, channels)
        first, limit : int
        """


def resolve(config: CodecConfig, parameters: ParameterSet | None) -> ParameterSet | None:
    """The parameter set of a stream: the one given, or the shipped one with even edges, or None.

    Raises
    ------
    ConfigError
        If a set is given to a profile that has none.
    """
    if find_profile(config.profile).parameterised:
        return parameters or shipped.default(config.profile)
    if parameters is not None:
        raise ConfigError(f"parameters: profile '{config.profile}' has none; leave them out")
    return None


def factory(config: CodecConfig, parameters: ParameterSet | None, ends: np.ndarray) -> Callable[[], Chain]:
    """What makes chains of a stream, all alike.

    Parameters
    ----------
    config : CodecConfig
    parameters : ParameterSet or None
        What `resolve` gives.
    ends : ndarray of int64, shape (channels,)
        Frames after which each channel has ended.

    Raises
    ------
    ConfigError
        If the set does not fit profile or width.
    """
    width, lanes = config.width, config.lanes
    if parameters is None:
        return lambda: Tiny(width, ends)
    if config.profile == spikey.PROFILE:
        network = spikey.unpack(parameters, width)
        return lambda: Spikey(width, ends, config.links, network)
    if config.profile == full.PROFILE:
        both = full.unpack(parameters, width)
        return lambda: Full(width, ends, lanes, config.links, both)
    tables = calibrated.unpack(parameters, width)
    return lambda: Calibrated(width, ends, lanes, config.peers, tables)
