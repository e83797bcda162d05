"""The encoder: `frame -> delta -> rice -> packet`, the chain that `hw/compressor.py` builds in gates."""

from collections.abc import Container, Iterator

import numpy as np

from model.codec import bits, delta, packet, rice
from model.codec.compiled import compiled
from model.codec.frame import Framer, Slot
from model.spec.config import CodecConfig, ConfigError


@compiled
def restart_tiny(last, mean, width):
    """Every channel's state at a key packet."""
    for channel in range(last.size):
        last[channel] = delta.restart(width)
        mean[channel] = rice.restart(width)


@compiled
def encode_tiny(frames, first, ends, width, last, mean, out):
    """Code one packet into `out`; returns the bytes of its coded form, which is cut where `out` ends.

    Parameters
    ----------
    frames : ndarray of uint16, shape (frames, channels)
    first : int
        Frames of the stream before this packet; with `ends` it tells which channels have ended.
    ends : ndarray of int64, shape (channels,)
        Frames after which a channel has no more samples.
    width : int
    last, mean : ndarray of int64, shape (channels,)
        State of `delta` and `rice`, updated.
    out : ndarray of uint8
    """
    at = acc = fill = 0
    for frame in range(frames.shape[0]):
        for channel in range(frames.shape[1]):
            if first + frame < ends[channel]:
                code = np.int64(frames[frame, channel])
                residual = delta.residual(code, last[channel], width)
                last[channel] = code
                folded = rice.fold(residual)
                k = rice.parameter(mean[channel], width)
                mean[channel] = rice.adapt(mean[channel], folded)
                value, length = rice.code_word(folded, k, width)
                at, acc, fill = bits.put(out, at, acc, fill, value, length)
    return bits.flush(out, at, acc, fill)


@compiled
def encode_raw(frames, first, ends, width, out):
    """Store one packet's codes as they are; returns the bytes."""
    at = acc = fill = 0
    for frame in range(frames.shape[0]):
        for channel in range(frames.shape[1]):
            if first + frame < ends[channel]:
                at, acc, fill = bits.put(out, at, acc, fill, np.int64(frames[frame, channel]), width)
    return bits.flush(out, at, acc, fill)


class Compressor:
    """Turns frames of codes into packets.

    Parameters
    ----------
    config : CodecConfig
    drops : container of int
        Indices of packets that are lost whole before they leave, as the hardware loses them when its host stalls; the
        next packet is then a key packet.
    ends : array of int, shape (channels,), optional
        Frames after which a channel has ended; its samples beyond are not coded. Default: none ends.
    position : int
        Frame number of the first frame.
    """

    def __init__(
        self,
        config: CodecConfig,
        *,
        drops: Container[int] = (),
        ends: np.ndarray | None = None,
        position: int = 0,
    ) -> None:
        self.config = config
        self._framer = Framer(config, drops, position)
        self._origin = position
        self._ends = np.full(config.channels, np.iinfo(np.int64).max) if ends is None else np.asarray(ends, np.int64)
        if self._ends.shape != (config.channels,):
            raise ConfigError(f"ends: {self._ends.shape} values for {config.channels} channels; give one each")
        self._last = np.zeros(config.channels, np.int64)
        self._mean = np.zeros(config.channels, np.int64)
        self._coded = np.zeros(config.raw_bytes(config.packet_frames), np.uint8)
        self._raw = np.zeros_like(self._coded)

    def _encode(self, slot: Slot, frames: np.ndarray) -> bytes:
        width, first = self.config.width, slot.position - self._origin
        if slot.key:
            restart_tiny(self._last, self._mean, width)
        size = encode_tiny(frames, first, self._ends, width, self._last, self._mean, self._coded)
        plain = encode_raw(frames, first, self._ends, width, self._raw)
        raw = size >= plain
        payload = self._raw[:plain] if raw else self._coded[:size]
        return packet.build(self.config, slot.position, len(frames), key=slot.key, raw=raw, payload=payload.tobytes())

    def push(self, frames: np.ndarray) -> Iterator[bytes]:
        """Add frames of codes; yields the packets that they complete. Consume it wholly before the next call.

        Parameters
        ----------
        frames : ndarray of unsigned int, shape (frames, channels)

        Raises
        ------
        ConfigError
            If the shape is wrong or a code does not fit the width.
        """
        if frames.ndim != 2 or frames.shape[1] != self.config.channels:
            raise ConfigError(f"frames: shape {frames.shape}; give (frames, {self.config.channels})")
        if frames.size and (frames.min() < 0 or frames.max() >> self.config.width):
            raise ConfigError(f"frames: a code does not fit {self.config.width} bits; choose a greater width")
        yield from self._packets(self._framer.push(frames.astype(np.uint16)))

    def close(self) -> Iterator[bytes]:
        """Yield the unfinished packet, if any. More may be pushed afterwards; it begins with a key packet."""
        yield from self._packets(self._framer.close())

    def pause(self, frames: int) -> None:
        """Number `frames` frames that were not recorded; call `close` first."""
        self._framer.pause(frames)

    def _packets(self, slots: Iterator[tuple[Slot, np.ndarray]]) -> Iterator[bytes]:
        for slot, frames in slots:
            if not slot.dropped:
                yield self._encode(slot, frames)


def encode(
    frames: np.ndarray,
    config: CodecConfig,
    *,
    drops: Container[int] = (),
    ends: np.ndarray | None = None,
    position: int = 0,
) -> bytes:
    """The whole stream of `frames`; the parameters are those of `Compressor` and `Compressor.push`."""
    compressor = Compressor(config, drops=drops, ends=ends, position=position)
    return b"".join([*compressor.push(frames), *compressor.close()])
