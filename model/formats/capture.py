"""Bare streams of packets, as the hardware sends them: no directory, perhaps begun or broken in the middle."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from model.codec.decompressor import Decoded, MissingParametersError, decode
from model.codec.packet import Damage, Packet, StreamError, scan
from model.formats import directory, disk
from model.formats.errors import FormatError
from model.spec.parameters import ParameterSet

SEARCH_BYTES: Final = 1 << 20  # a capture shows its first packet within these


def is_stream(path: Path) -> bool:
    """Whether a file that is neither a container nor a WAV has an intact packet near its start."""
    with open(path, "rb") as file:
        head = file.read(SEARCH_BYTES)
    if head[:3] == directory.MAGIC or head[:4] == b"RIFF":
        return False
    return any(isinstance(item, Packet) for item in scan(head))


def _segments(data: memoryview) -> Iterator[tuple[int, int]]:
    """Cut where a key packet cannot continue what came before: another shape, or frames that go back."""
    begin, shape, following = 0, None, 0
    for item in scan(data):
        if isinstance(item, Damage):
            continue
        behind = (item.position - following) & 0xFFFFFFFF >= 1 << 31
        if item.shape is not None:
            if shape is not None and (item.shape != shape or behind):
                yield begin, item.offset
                begin = item.offset
            shape = item.shape
        following = item.position + item.frames
    if shape is not None:
        yield begin, len(data)


def read_stream(path: Path, parameter_sets: Sequence[ParameterSet] = (), *, jobs: int = 1) -> tuple[Decoded, ...]:
    """Decode a capture: one result for each run of packets between restarts of the device.

    Offsets of damage count from the start of the file.

    Parameters
    ----------
    path : Path
    parameter_sets : sequence of ParameterSet
        Sets that its packets may name, besides the shipped ones.
    jobs : int
        Threads that decode together.

    Raises
    ------
    FormatError
        If there is no intact key packet, a run contradicts itself, a parameter set is not known, or memory does not
        hold the frames with their gaps.
    """
    data = disk.mapped(path)
    known = {parameters.identifier: parameters for parameters in parameter_sets}
    found = []
    try:
        for begin, end in _segments(data):
            decoded = decode(data[begin:end], find=known.get, jobs=jobs)
            damage = [dataclasses.replace(d, offset=d.offset + begin) for d in decoded.damage]
            found.append(dataclasses.replace(decoded, damage=damage))
    except MissingParametersError as error:
        raise FormatError(f"{path}: {error}") from None
    except StreamError as error:
        raise FormatError(f"{path}: {error}; capture again") from None
    except MemoryError as error:
        raise FormatError(f"{path}: frames, gaps included: {error}; cut the capture in parts") from None
    if not found:
        raise FormatError(f"{path}: packets: no intact key packet; give a capture or a container")
    return tuple(found)
