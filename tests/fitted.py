"""Recordings of a synthetic converter and their calibration, made once for all tests."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from model.formats import wav
from model.formats.codes import LATTICE_MAPPING, Mapping
from model.recordings import synthesise
from model.training.calibration import Calibration, fit
from model.training.quantise import Quantised, quantise

WIDTH = 9


@cache
def recordings(width: int = WIDTH, *, even: bool = False) -> list[np.ndarray]:
    """The codes of six channels, all of one converter."""
    seconds = 1.5 if width <= 10 else 4.0  # for a thousand samples of a code
    mapping = LATTICE_MAPPING if width == 10 else Mapping("linear", width, 16 - width)
    with tempfile.TemporaryDirectory() as folder:
        paths = synthesise(Path(folder), channels=6, seconds=seconds, width=width, even=even, pairs=False)
        return [mapping.to_codes(wav.read(path).samples.reshape(-1)) for path in paths]


@cache
def calibration(width: int = WIDTH, *, even: bool = False) -> Calibration:
    """The calibration of these recordings."""
    return fit(recordings(width, even=even), width)


@cache
def quantised() -> Quantised:
    """The integers of `calibration()`."""
    return quantise(calibration(), recordings())
