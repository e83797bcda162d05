"""WAV files, taken apart so that they come back byte for byte: `head`, samples, `tail`.

Everything up to the first sample is `head`, everything behind the last whole frame is `tail`: other chunks, pad bytes
and broken size fields are kept, never interpreted twice.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from model.formats.disk import mapped, replacing
from model.formats.errors import FormatError

PCM: Final = 1
EXTENSIBLE: Final = 0xFFFE
_PCM_SUBFORMAT: Final = bytes.fromhex("0100000000001000800000aa00389b71")
_UNKNOWN_SIZE: Final = 0xFFFFFFFF  # what a recorder writes that does not know the length yet
_OTHERS: Final = {2: "ADPCM", 3: "floating point", 6: "A-law", 7: "mu-law", 17: "ADPCM"}


@dataclass(frozen=True, eq=False)
class Wav:
    """A PCM recording.

    Parameters
    ----------
    path : Path
    head, tail : bytes
        The file before the first sample and behind the last whole frame.
    rate : int
        Frames a second.
    channels : int
    bits : int
        The header's bits per sample: 8, or 9 to 16.
    valid_bits : int
        The bits in use that an extensible header names; else `bits`.
    samples : ndarray of int16 or uint8, shape (frames, channels)
        Mapped from the file. uint8 where `bits` is 8: these are stored plus 128.
    """

    path: Path
    head: bytes
    tail: bytes
    rate: int
    channels: int
    bits: int
    valid_bits: int
    samples: np.ndarray


def sample_type(bits: int) -> np.dtype:
    """How a sample of `bits` bits is stored."""
    return np.dtype(np.uint8 if bits == 8 else "<i2")


def canonical_head(rate: int, channels: int, bits: int, data_bytes: int) -> bytes:
    """The plain 44-byte head; a size beyond 32 bits is written as unknown, 0xFFFFFFFF."""
    frame = channels * sample_type(bits).itemsize
    sizes = [min(n, _UNKNOWN_SIZE) for n in (36 + data_bytes + data_bytes % 2, data_bytes)]
    form = struct.pack("<IHHIIHH", 16, PCM, channels, rate, rate * frame & 0xFFFFFFFF, frame, bits)
    return b"RIFF" + struct.pack("<I", sizes[0]) + b"WAVEfmt " + form + b"data" + struct.pack("<I", sizes[1])


def _format(path: Path, fmt: bytes) -> tuple[int, int, int, int]:
    """`(rate, channels, bits, valid bits)` from the content of a fmt chunk."""
    tag, channels, rate, _, frame, bits = struct.unpack_from("<HHIIHH", fmt)
    valid = bits
    if tag == EXTENSIBLE:
        if len(fmt) < 40:
            raise FormatError(f"{path}: fmt chunk: {len(fmt)} bytes, an extensible one has 40; record the file again")
        valid = struct.unpack_from("<H", fmt, 18)[0]
        tag = PCM if fmt[24:40] == _PCM_SUBFORMAT else int.from_bytes(fmt[24:26], "little")
    if tag != PCM:
        kind = _OTHERS.get(tag, f"number {tag}")
        raise FormatError(f"{path}: format: {kind} is not supported; convert it to PCM of 8 to 16 bits")
    if not 8 <= bits <= 16:
        raise FormatError(f"{path}: bits per sample: {bits} is not supported; convert it to PCM of 8 to 16 bits")
    if channels == 0 or rate == 0:
        raise FormatError(f"{path}: fmt chunk: {channels} channels at {rate} Hz; mend the header")
    if frame != channels * sample_type(bits).itemsize:
        raise FormatError(f"{path}: block align: {frame} bytes for {channels} channels of {bits} bits; mend the header")
    return rate, channels, bits, valid


def _ends_in_chunks(data: memoryview, at: int) -> bool:
    """Whether whole chunks follow from `at` to the end of the file."""
    while at + 8 <= len(data):
        name = bytes(data[at : at + 4])
        if not (name.isascii() and name.decode().isprintable()):
            return False
        size = struct.unpack_from("<I", data, at + 4)[0]
        at += 8 + size + size % 2
    return at >= len(data) and at <= len(data) + 1


def _find_data(path: Path, data: memoryview) -> tuple[tuple[int, int, int, int], int, int]:
    """The format, and the bytes where the samples begin and end."""
    if bytes(data[:4]) in (b"RF64", b"BW64"):
        raise FormatError(f"{path}: header: 64-bit WAV is not supported; split the file below 4 GiB and save it as WAV")
    if bytes(data[:4]) != b"RIFF" or bytes(data[8:12]) != b"WAVE":
        raise FormatError(f"{path}: header: not a WAV file; give a recording in WAV, PCM of 8 to 16 bits")
    form, at = None, 12
    while at + 8 <= len(data):
        name, size = bytes(data[at : at + 4]), struct.unpack_from("<I", data, at + 4)[0]
        at += 8
        if name == b"fmt ":
            if size < 16 or at + size > len(data):
                raise FormatError(f"{path}: fmt chunk: cut short; record the file again")
            form = _format(path, bytes(data[at : at + size]))
        if name == b"data":
            if form is None:
                raise FormatError(f"{path}: fmt chunk: none before the data; mend the header")
            streamed = size == 0 and not _ends_in_chunks(data, at)  # the recorder never came back to fill it in
            return form, at, len(data) if streamed else min(at + size, len(data))
        at += size + size % 2
    if form is None:
        raise FormatError(f"{path}: header: ends before the fmt chunk; record the file again")
    return form, len(data), len(data)


def read(path: Path) -> Wav:
    """Take a WAV file apart.

    Raises
    ------
    FormatError
        If it is not WAV, not PCM, not of 8 to 16 bits, or its header is cut short.
    """
    data = mapped(path)
    (rate, channels, bits, valid), start, stop = _find_data(path, data)
    kind = sample_type(bits)
    stop -= (stop - start) % (channels * kind.itemsize)
    samples = np.frombuffer(data[start:stop], kind).reshape(-1, channels)
    return Wav(path, data[:start].tobytes(), data[stop:].tobytes(), rate, channels, bits, valid, samples)


def to_bytes(samples: np.ndarray, rate: int, bits: int = 16) -> bytes:
    """A plain WAV file of `samples`, shape (frames, channels) or (frames,), int16, or uint8 where `bits` is 8."""
    kind = sample_type(bits)
    if samples.dtype != kind or samples.ndim not in (1, 2):
        raise FormatError(f"samples: {samples.dtype} of shape {samples.shape}; give {kind}, (frames, channels)")
    data = samples.tobytes()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    return canonical_head(rate, channels, bits, len(data)) + data + bytes(len(data) % 2)


def write_wav(path: Path, samples: np.ndarray, rate: int, bits: int = 16, *, overwrite: bool = False) -> None:
    """Write `to_bytes` to `path`, whole or not at all; raises `FormatError` if it exists and `overwrite` is false."""
    with replacing(path, overwrite=overwrite) as file:
        file.write(to_bytes(samples, rate, bits))
