"""Small recordings and containers that several tests share."""

import dataclasses
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from model.codec.packet import Packet
from model.formats import directory, wav
from model.formats.codes import LATTICE
from model.formats.container import Container, Source, pack
from model.spec import shipped
from model.spec.calibrate import EDGE_FRACTION, even_edges
from model.spec.numbers import Format
from model.spec.packet import Link
from model.spec.parameters import ParameterSet

SEED = 20260
SMALL = {"packet_frames": 10, "key_interval": 2}


def walk(frames: int, channels: int = 1, *, lattice: bool = True, seed: int = SEED) -> np.ndarray:
    """A random walk of samples, int16."""
    rng = np.random.default_rng(seed)
    codes = np.clip(512 + np.cumsum(rng.integers(-6, 7, (frames, channels)), axis=0), 0, 1023)
    return LATTICE[codes] if lattice else codes.astype(np.int16) * 16


def small_recordings(folder: Path) -> list[Source]:
    """A pair of unequal length, three channels off the lattice with a broken header, one of 8 bits, an empty one."""
    wav.write_wav(folder / "a.wav", walk(45), 19531)
    wav.write_wav(folder / "b.wav", walk(27, seed=1), 19531)
    plain = wav.to_bytes(walk(15, 3, lattice=False), 19531, 12)
    (folder / "sub").mkdir()
    (folder / "sub" / "c.wav").write_bytes(plain[:4] + b"\0\0\0\0" + plain[8:] + b"tail")
    wav.write_wav(folder / "d.wav", np.arange(21).astype(np.uint8), 8000, 8)
    wav.write_wav(folder / "e.wav", walk(0), 19531)
    return [Source(folder / n, n) for n in ("a.wav", "b.wav", "sub/c.wav", "d.wav", "e.wav")]


def packed(folder: Path, profile: str = "tiny", **arguments: Any) -> tuple[Path, list[Source]]:
    """The small recordings in a container; the second has the first for its peer."""
    folder.mkdir(exist_ok=True)
    sources = small_recordings(folder)
    out = folder / "x.spk"
    pack(groups(sources), out, profile=profile, options=SMALL, **arguments)
    return out, sources


def groups(sources: list[Source]) -> list[list[Source]]:
    """Groups of the small recordings; the second has the first for its peer."""
    return [
        [sources[0], dataclasses.replace(sources[1], peers=(1,), links=((Link(1, 40),),))],
        sources[2:3],
        sources[3:],
    ]


def calibration(width: int, *, seed: int = SEED) -> ParameterSet:
    """A parameter set for a converter of `width` bits whose codes are unequal, different for each seed."""
    even = shipped.default("calibrated")
    edges = even_edges(width)
    edges[1:-1] += np.random.default_rng(seed).integers(-20, 21, len(edges) - 2)
    edges[-1] -= 1
    form = Format(width + EDGE_FRACTION, EDGE_FRACTION, signed=True)
    return ParameterSet("calibrated", {**even.tables, "edges": (form, edges)})


def uncalibrated(*, seed: int = SEED) -> ParameterSet:
    """A set with even edges, for any width, that is not the shipped one."""
    even = shipped.default("calibrated")
    form, weights = even.tables["weights"]
    return ParameterSet("calibrated", {**even.tables, "weights": (form, weights - 1 - seed % 100)})


def saved(path: Path, parameters: ParameterSet) -> Path:
    path.write_bytes(parameters.to_bytes())
    return path


def forged(stream: bytes, packet: Packet, byte: int) -> bytes:
    """The stream with one byte of the packet's payload changed, and the packet's CRC-32 right again."""
    end = packet.offset + packet.size - 4
    body = bytearray(stream[packet.offset : end])
    body[byte if byte < 0 else len(body) - len(packet.payload) + byte] ^= 0xFF
    return stream[: packet.offset] + body + struct.pack("<I", zlib.crc32(body)) + stream[end + 4 :]


def with_directory(path: Path, change: Callable[[bytes], bytes]) -> Path:
    """Change the directory of a container, its CRC-32 right again; the directory must not be compressed."""
    data = path.read_bytes()
    size = Container.open(path).directory.size
    reader = directory.Reader(data, 4)
    assert reader.varint() & 1 == 0
    body = change(data[reader.at : size - 4])
    head = data[:4] + directory.varint(2 * len(body)) + body
    path.write_bytes(head + struct.pack("<I", zlib.crc32(head)) + data[size:])
    return path


def restore(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
