"""What came out of a core, and when; the form is the same for every simulator."""

from dataclasses import dataclass, field

import numpy as np

from model.codec.packet import Packet, parse


@dataclass(frozen=True)
class Emitted:
    """One packet at the output: its fields, and the clocks of its first and last byte."""

    packet: Packet
    data: bytes
    first: int
    last: int


@dataclass
class Trace:
    """The output during one stimulus.

    Parameters
    ----------
    data : ndarray of uint8, shape (bytes,)
        Bytes that were handed over.
    last : ndarray of bool, shape (bytes,)
        Their `tlast`.
    clocks : ndarray of int64, shape (bytes,)
        The clock of each, counted from the stimulus's first word.
    counters : dict of str to int
        At the end.
    violations : list of str
        What the stream monitors complained of.
    taken : list of int
        Clocks in which a word of a parameter set was taken.
    again : list of int
        Clocks in which the port of parameter sets became ready.
    loaded : bool
        At the end, of a parameterised profile.
    """

    data: np.ndarray
    last: np.ndarray
    clocks: np.ndarray
    counters: dict[str, int]
    violations: list[str] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    again: list[int] = field(default_factory=list)
    loaded: bool = False

    @property
    def tail(self) -> bytes:
        """Bytes after the last whole packet."""
        ends = np.flatnonzero(self.last)
        return self.data[ends[-1] + 1 if len(ends) else 0 :].tobytes()

    def packets(self) -> list[Emitted]:
        """The whole packets; raises `AssertionError` if one is not intact by its own checks."""
        found, start = [], 0
        for end in (np.flatnonzero(self.last) + 1).tolist():
            data = self.data[start:end].tobytes()
            packet = parse(memoryview(data), 0)
            assert packet is not None and packet.size == len(data), f"packet at byte {start} is damaged: {data.hex()}"
            found.append(Emitted(packet, data, int(self.clocks[start]), int(self.clocks[end - 1])))
            start = end
        return found
