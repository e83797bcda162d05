"""Stage `frame`: frames are numbered and cut into packets; says which packets are key packets and which are lost.

A packet closes by its number of frames only. The first packet is a key packet, so is every `key_interval`-th, and
so is the first one after a packet that was dropped or after a pause. Dropped packets are counted in the numbering: the
position in a packet is the number of the frame since the start, whatever was lost before it.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass

import numpy as np

from model.spec.config import CodecConfig


@dataclass(frozen=True)
class Slot:
    """One packet's place: its `index`, the frame number of its first frame, whether it restarts state or is lost."""

    index: int
    position: int
    key: bool
    dropped: bool


class Framer:
    """Cuts pushed frames into packets.

    Parameters
    ----------
    config : CodecConfig
    drops : container of int
        Indices of packets that are lost whole.
    position : int
        Frame number of the first frame.
    """

    def __init__(self, config: CodecConfig, drops: Container[int] = (), position: int = 0) -> None:
        self.config = config
        self.drops = drops
        self.position = position
        self.index = 0
        self._since_start = 0  # packets since the start or the last pause
        self._restart = True
        self._pending: list[np.ndarray] = []
        self._pending_frames = 0

    def _slot(self) -> Slot:
        dropped = self.index in self.drops
        key = self._restart or self._since_start % self.config.key_interval == 0
        slot = Slot(self.index, self.position, key, dropped)
        self._restart = dropped
        self.index += 1
        self._since_start += 1
        return slot

    def _take(self, count: int) -> tuple[Slot, np.ndarray]:
        joined = np.concatenate(self._pending) if len(self._pending) > 1 else self._pending[0]
        slot = self._slot()
        self._pending = [joined[count:]] if count < len(joined) else []
        self._pending_frames -= count
        self.position += count
        return slot, joined[:count]

    def push(self, frames: np.ndarray) -> Iterator[tuple[Slot, np.ndarray]]:
        """Add frames, shape (frames, channels); yields the packets that are now full."""
        if len(frames):
            self._pending.append(frames)
            self._pending_frames += len(frames)
        while self._pending_frames >= self.config.packet_frames:
            yield self._take(self.config.packet_frames)

    def close(self) -> Iterator[tuple[Slot, np.ndarray]]:
        """Yield the unfinished packet, if there is one; the next one is a key packet."""
        if self._pending_frames:
            yield self._take(self._pending_frames)
        self._restart = True
        self._since_start = 0

    def pause(self, frames: int) -> None:
        """Number `frames` frames that nobody recorded; call `close` first."""
        self.position += frames
