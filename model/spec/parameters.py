"""Parameter sets: immutable tables of integers, named by a 64-bit hash of their content.

A profile whose stages need tables (calibration, weights) says so with `Profile.parameterised`; its key packets
carry the set's name, and a decoder without that set refuses, naming it. Layout of the serialised form, all
little-endian::

    "SPKP" | version 1 (u8) | profile number (u8) | tables (u16)
    then per table: name length (u8) | name (ASCII) | bits (u8) | fraction (u8) | signed (u8) | dimensions (u8)
                    | sizes (u32 each) | values, each in the fewest whole bytes that hold `bits`
    CRC-32 of all of it (u32)

The name of the set is the first 8 bytes of the SHA-256 of the serialised form.
"""

import hashlib
import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.spec.config import ConfigError, find_profile
from model.spec.numbers import Format
from model.spec.profiles import profile_by_number

MAGIC = b"SPKP"
VERSION = 1


@dataclass(frozen=True, eq=False)
class ParameterSet:
    """Tables of one profile.

    Parameters
    ----------
    profile : str
        The profile that they are for.
    tables : mapping of str to (Format, ndarray of int64)
        Every value must lie within its format.

    Raises
    ------
    ConfigError
        If a value lies outside its table's format, or the profile is unknown.
    """

    profile: str
    tables: Mapping[str, tuple[Format, np.ndarray]]

    def __post_init__(self) -> None:
        find_profile(self.profile)
        for name, (form, values) in self.tables.items():
            if values.dtype != np.int64:
                raise ConfigError(f"parameter table '{name}': holds {values.dtype}; give int64")
            if not name.isascii() or not 1 <= len(name) <= 255 or values.ndim > 255:
                raise ConfigError(f"parameter table '{name}': the name must be 1 to 255 ASCII characters")
            if values.size and (values.min() < form.minimum or values.max() > form.maximum):
                raise ConfigError(f"parameter table '{name}': a value lies outside its format {form}")

    def to_bytes(self) -> bytes:
        """The serialised form; equal sets give equal bytes."""
        out = bytearray(struct.pack("<4sBBH", MAGIC, VERSION, find_profile(self.profile).number, len(self.tables)))
        for name, (form, values) in sorted(self.tables.items()):
            out += struct.pack("<B", len(name)) + name.encode("ascii")
            out += struct.pack("<BBBB", form.width, form.fraction, form.signed, values.ndim)
            out += struct.pack(f"<{values.ndim}I", *values.shape)
            size = (form.width + 7) // 8
            out += values.astype("<i8").reshape(-1, 1).view(np.uint8)[:, :size].tobytes()
        return bytes(out + struct.pack("<I", zlib.crc32(out)))

    @classmethod
    def from_bytes(cls, data: bytes) -> "ParameterSet":
        """Read the serialised form; raises `ConfigError` if it is damaged, or not the one that `to_bytes` gives."""
        if len(data) < 12 or data[:4] != MAGIC:
            raise ConfigError("parameter set: does not begin with 'SPKP'; give a file made by spikey")
        if struct.unpack("<I", data[-4:])[0] != zlib.crc32(data[:-4]):
            raise ConfigError("parameter set: its CRC-32 does not match; the file is damaged, fetch it again")
        version, number, count = struct.unpack_from("<BBH", data, 4)
        profile = profile_by_number(number)
        if version != VERSION or profile is None:
            raise ConfigError(
                f"parameter set: version {version}, profile {number}; this release reads version {VERSION}"
            )
        try:
            found = cls(profile.name, cls._tables(data[:-4], count))
            if found.to_bytes() != data:
                raise ValueError("its tables are not written in the one form that gives its name")
            return found
        except (IndexError, ValueError, struct.error) as error:
            raise ConfigError(f"parameter set: {error}; the program that wrote it is at fault") from None

    @staticmethod
    def _tables(data: bytes, count: int) -> dict[str, tuple[Format, np.ndarray]]:
        tables: dict[str, tuple[Format, np.ndarray]] = {}
        at = 8
        for _ in range(count):
            length = data[at]
            name = data[at + 1 : at + 1 + length].decode("ascii")
            at += 1 + length
            bits, fraction, signed, ndim = struct.unpack_from("<BBBB", data, at)
            shape = struct.unpack_from(f"<{ndim}I", data, at + 4)
            at += 4 + 4 * ndim
            form = Format(bits, fraction, bool(signed))
            size, number_of = (bits + 7) // 8, math.prod(shape)
            if number_of * size > len(data) - at:
                raise ValueError(f"table '{name}' ends too early")
            wide = np.zeros((number_of, 8), np.uint8)
            wide[:, :size] = np.frombuffer(data, np.uint8, number_of * size, at).reshape(number_of, size)
            values = wide.view("<i8").reshape(shape).astype(np.int64)
            if signed:
                values = (values << (64 - 8 * size)) >> (64 - 8 * size)
            tables[name] = (form, values)
            at += number_of * size
        if at != len(data):
            raise ValueError(f"{len(data) - at} bytes stand behind its last table")
        return tables

    @property
    def identifier(self) -> int:
        """The set's name: the first 8 bytes of the SHA-256 of its serialised form, little-endian."""
        return int.from_bytes(hashlib.sha256(self.to_bytes()).digest()[:8], "little")


def load(path: Path) -> ParameterSet:
    """Read a parameter set from a file; raises `ConfigError` that names the file."""
    try:
        return ParameterSet.from_bytes(path.read_bytes())
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
