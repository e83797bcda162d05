"""The encoder: frames are cut into packets, and each goes through the profile's chain of stages."""

from collections.abc import Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from model.codec import chain, packet, raw
from model.codec.frame import Framer, Slot
from model.spec.config import CodecConfig, ConfigError
from model.spec.parameters import ParameterSet

FOREVER = np.iinfo(np.int64).max  # a channel that does not end

Job = tuple[Slot, np.ndarray]


class Compressor:
    """Turns frames of codes into packets.

    Parameters
    ----------
    config : CodecConfig
    parameters : ParameterSet, optional
        For a parameterised profile; by default the shipped one with even edges.
    drops : container of int
        Indices of packets that are lost whole before they leave, as the hardware loses them when its host stalls; the
        next packet is then a key packet.
    ends : array of int, shape (channels,), optional
        Frames after which a channel has ended; its samples beyond are not coded. Default: none ends.
    position : int
        Frame number of the first frame.
    jobs : int
        Threads that code what is pushed together, from key packet to key packet; the bytes do not depend on it.
    """

    def __init__(
        self,
        config: CodecConfig,
        *,
        parameters: ParameterSet | None = None,
        drops: Container[int] = (),
        ends: np.ndarray | None = None,
        position: int = 0,
        jobs: int = 1,
    ) -> None:
        self.config = config
        self._framer = Framer(config, drops, position)
        self._origin = position
        self._ends = np.full(config.channels, FOREVER) if ends is None else np.asarray(ends, np.int64)
        if self._ends.shape != (config.channels,):
            raise ConfigError(f"ends: {self._ends.shape} values for {config.channels} channels; give one each")
        found = chain.resolve(config, parameters)
        self._parameter_set = None if found is None else found.identifier
        self._new_chain = chain.factory(config, found, self._ends)
        self._chain = self._new_chain()
        self._jobs = jobs

    def _encode(self, link: chain.Chain, slot: Slot, frames: np.ndarray) -> bytes:
        width, first = self.config.width, slot.position - self._origin
        if slot.key:
            link.restart()
        limit = raw.size(len(frames), first, self._ends, width)
        payload = link.encode(frames, first, limit)
        stored = payload is None
        if payload is None:
            plain = np.zeros(limit, np.uint8)
            raw.encode(frames, first, self._ends, width, plain)
            payload = plain.tobytes()
        return packet.build(
            self.config,
            slot.position,
            len(frames),
            key=slot.key,
            raw=stored,
            payload=payload,
            parameter_set=self._parameter_set,
        )

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
        yield from self._packets(self._framer.push(np.ascontiguousarray(frames, np.uint16)))

    def close(self) -> Iterator[bytes]:
        """Yield the unfinished packet, if any. More may be pushed afterwards; it begins with a key packet."""
        yield from self._packets(self._framer.close())

    def pause(self, frames: int) -> None:
        """Number `frames` frames that were not recorded; call `close` first."""
        self._framer.pause(frames)

    def _packets(self, jobs: Iterable[Job]) -> Iterator[bytes]:
        kept = ((slot, frames) for slot, frames in jobs if not slot.dropped)
        if self._jobs == 1:
            for slot, frames in kept:
                yield self._encode(self._chain, slot, frames)
            return
        runs: list[tuple[chain.Chain, list[Job]]] = [(self._chain, [])]
        for job in kept:
            if job[0].key:
                runs.append((self._new_chain(), []))
            runs[-1][1].append(job)
        self._chain = runs[-1][0]
        with ThreadPoolExecutor(self._jobs) as pool:
            for packets in pool.map(self._run, runs):
                yield from packets

    def _run(self, run: tuple[chain.Chain, list[Job]]) -> list[bytes]:
        link, jobs = run
        return [self._encode(link, slot, frames) for slot, frames in jobs]


def encode(
    frames: np.ndarray,
    config: CodecConfig,
    *,
    parameters: ParameterSet | None = None,
    drops: Container[int] = (),
    ends: np.ndarray | None = None,
    position: int = 0,
    jobs: int = 1,
) -> bytes:
    """The whole stream of `frames`; the parameters are those of `Compressor` and `Compressor.push`."""
    compressor = Compressor(config, parameters=parameters, drops=drops, ends=ends, position=position, jobs=jobs)
    return b"".join([*compressor.push(frames), *compressor.close()])
