"""Samples and codes: what the codec sees of a recording, and the way back.

A recording made by a 10-bit converter and scaled to 16 bits holds only 1024 of the 65536 values: code `c` is stored as
`trunc(c * 65535 / 1023 - 32768)`. Where all samples lie on this lattice, the codes are the converter's own. Any other
recording is coded at the width that it needs, without the low bits that are zero in all its samples.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

LATTICE_WIDTH: Final = 10
SAMPLE_BITS: Final = 16
CHUNK: Final = 1 << 20  # samples looked at together: bounds memory
_LATTICE_BYTE: Final = 0xFF


def _lattice() -> np.ndarray:
    scaled = np.arange(1 << LATTICE_WIDTH, dtype=np.int64) * 65535 - 32768 * 1023
    return (np.sign(scaled) * (np.abs(scaled) // 1023)).astype(np.int16)  # trunc: towards zero


LATTICE: Final = _lattice()
_CODE_OF: Final = np.full(1 << 16, -1, np.int16)  # indexed by sample + 32768; -1: not on the lattice
_CODE_OF[LATTICE.astype(np.int64) + 32768] = np.arange(1 << LATTICE_WIDTH)


def _signed(samples: np.ndarray) -> np.ndarray:
    """Samples as int32 around 0; 8-bit WAV stores them plus 128."""
    return samples.astype(np.int32) - (128 if samples.dtype == np.uint8 else 0)


@dataclass(frozen=True)
class Mapping:
    """How samples become codes.

    Parameters
    ----------
    kind : {'lattice', 'linear'}
        `lattice`: by table, 10 bits. `linear`: `code = (sample >> shift) + 2**(width - 1)`.
    width : int
        Bits of a code, 8 to 16.
    shift : int
        Low bits that are zero in every sample, 0 to `16 - width`; 0 for `lattice`.
    """

    kind: Literal["lattice", "linear"]
    width: int
    shift: int = 0

    def __post_init__(self) -> None:
        if self.kind == "lattice" and (self.width, self.shift) != (LATTICE_WIDTH, 0):
            raise ValueError(f"mapping: lattice of width {self.width}, shift {self.shift}; it has width 10, shift 0")
        if not 8 <= self.width <= 16 or not 0 <= self.shift <= 16 - self.width:
            raise ValueError(f"mapping: width {self.width}, shift {self.shift}; give 8 to 16 bits in all")

    @property
    def middle(self) -> int:
        """The code at mid-scale: what stands where samples are lost."""
        return 1 << (self.width - 1)

    def to_codes(self, samples: np.ndarray) -> np.ndarray:
        """Codes, uint16, of int16 samples or of uint8 samples as 8-bit WAV stores them; same shape.

        Raises
        ------
        ValueError
            If a sample has no code.
        """
        if self.kind == "lattice":
            codes = _CODE_OF[_signed(samples) + 32768].astype(np.int32)
            wrong = codes < 0
        else:
            signed = _signed(samples)
            codes = (signed >> self.shift) + self.middle
            wrong = (codes < 0) | (codes >> self.width != 0) | (signed & ((1 << self.shift) - 1) != 0)
        if wrong.any():
            raise ValueError(f"samples: {samples[wrong][0]} has no code in {self}; the mapping is of another file")
        return codes.astype(np.uint16)

    def to_samples(self, codes: np.ndarray, dtype: np.dtype | type = np.int16) -> np.ndarray:
        """Samples of `codes`, as int16 or as uint8 (plus 128): the inverse of `to_codes`; same shape."""
        if self.kind == "lattice":
            signed = LATTICE[codes].astype(np.int32)
        else:
            signed = (codes.astype(np.int32) - self.middle) << self.shift
        return (signed + (128 if np.dtype(dtype) == np.uint8 else 0)).astype(dtype)

    def to_byte(self) -> int:
        """One byte that says it all."""
        return _LATTICE_BYTE if self.kind == "lattice" else (self.width - 8) << 4 | self.shift

    @classmethod
    def from_byte(cls, byte: int) -> "Mapping":
        """The inverse of `to_byte`; raises `ValueError` for a byte that says nothing."""
        return LATTICE_MAPPING if byte == _LATTICE_BYTE else cls("linear", (byte >> 4) + 8, byte & 15)


LATTICE_MAPPING: Final = Mapping("lattice", LATTICE_WIDTH)


def recognise(samples: np.ndarray) -> Mapping:
    """The mapping that fits `samples`, int16 or uint8: the lattice if all lie on it, else the narrowest linear one."""
    flat = samples.reshape(-1)
    lattice = flat.dtype != np.uint8 and flat.size > 0
    low = high = used = 0
    for start in range(0, flat.size, CHUNK):
        signed = _signed(flat[start : start + CHUNK])
        lattice = lattice and bool((_CODE_OF[signed + 32768] >= 0).all())
        low, high = min(low, int(signed.min())), max(high, int(signed.max()))
        used |= int(np.bitwise_or.reduce(signed))
    if lattice:
        return LATTICE_MAPPING
    silent = 0 if flat.dtype == np.uint8 else 8  # silence asks for no low bits beside others
    shift = min((used & -used).bit_length() - 1, 8) if used else silent
    width = max(8, 1 + max((high >> shift).bit_length(), (~(low >> shift)).bit_length()))
    return Mapping("linear", width, shift)


def join(mappings: Iterable[Mapping]) -> Mapping:
    """The narrowest linear mapping that holds what several linear ones hold; equal ones stay as they are."""
    several = set(mappings)
    if len(several) == 1:
        return several.pop()
    if any(m.kind != "linear" for m in several):
        raise ValueError("mappings: a lattice and another mapping have no common one; keep their files apart")
    shift = min(m.shift for m in several)
    return Mapping("linear", max(m.width + m.shift for m in several) - shift, shift)
