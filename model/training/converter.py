"""Recordings of one converter: what makes codes of all of them, and the codes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from model.formats import codes, wav
from model.spec.calibrate import MAX_TABLE_WIDTH
from model.training.calibration import LEAST_LENGTH, LEAST_WIDTH, CalibrationError

PIECE: Final = 1 << 20  # samples; what is longer is fitted in pieces, as the fit keeps 80 bytes of each sample
_KINDS: Final = {"lattice": "on the 10-bit lattice", "linear": "not on the 10-bit lattice"}


def common_mapping(paths: Sequence[Path], width: int | None = None, most: int = MAX_TABLE_WIDTH) -> codes.Mapping:
    """The mapping of all recordings, found as for one stream of a container.

    Parameters
    ----------
    paths : sequence of Path
        WAV files, at least one.
    width : int, optional
        Bits of the converter. Default: as many as the recordings need.
    most : int
        Bits that it may have.

    Raises
    ------
    CalibrationError
        If the recordings cannot be of one converter of `width` bits, or it has more than `most`.
    FormatError
        If one cannot be read.
    """
    if width is not None and not LEAST_WIDTH <= width <= MAX_TABLE_WIDTH:
        raise CalibrationError(f"width: {width} bits; {_possible()}")
    found = {path: codes.recognise(wav.read(path).samples) for path in paths}
    kinds = {kind: [path for path in paths if found[path].kind == kind] for kind in _KINDS}
    fewer, more = sorted(kinds, key=lambda kind: len(kinds[kind]))
    if kinds[fewer]:
        raise CalibrationError(
            f"{kinds[fewer][0]}: codes are {_KINDS[fewer]}, those of {kinds[more][0]} are {_KINDS[more]}; "
            "give the recordings of one converter, in a folder of their own"
        )
    mapping = codes.join(found.values())
    widest = max(paths, key=lambda path: found[path].width)
    finest = min(paths, key=lambda path: found[path].shift)
    culprit = widest if found[widest].width > (width or most) else finest
    if mapping.width > most:
        raise CalibrationError(f"{culprit}: {mapping.width} bits hold all recordings, no fewer; {_possible()}")
    if width is None or width == mapping.width:
        return mapping
    if mapping.width > width or mapping.kind == "lattice":
        raise CalibrationError(
            f"{culprit}: width: {mapping.width} bits hold all recordings, but {width} are asked for; "
            f"give {mapping.width} or take the file out"
        )
    return codes.Mapping("linear", width, min(mapping.shift, codes.SAMPLE_BITS - width))


def _possible() -> str:
    return (
        f"{LEAST_WIDTH} to {MAX_TABLE_WIDTH} can be calibrated, and wider codes need no calibration: "
        "the shipped set with even code edges is for them"
    )


def read(path: Path, mapping: codes.Mapping) -> list[np.ndarray]:
    """The codes of a WAV file, uint16, shape (frames,) each: one array a channel, several where it is long.

    Raises
    ------
    CalibrationError
        If it is too short.
    FormatError
        If it cannot be read.
    """
    samples = wav.read(path).samples
    if len(samples) < LEAST_LENGTH:
        raise CalibrationError(f"{path}: {len(samples)} frames; take it out, or give at least {LEAST_LENGTH}")
    channels = [mapping.to_codes(samples[:, channel]) for channel in range(samples.shape[1])]
    return [piece for channel in channels for piece in np.array_split(channel, -(-len(channel) // PIECE))]
