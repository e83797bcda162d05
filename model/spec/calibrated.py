"""The parameter set of profile `calibrated`: its tables, their formats, and the integers that they give at a width."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from model.spec import calibrate, lms, scale
from model.spec import range as range_spec
from model.spec.config import ConfigError
from model.spec.numbers import Format
from model.spec.packet import PACKET_CHECK_BYTES, PARAMETER_SET
from model.spec.parameters import ParameterSet

PROFILE: Final = "calibrated"
REFERENCE_WIDTH: Final = 10  # the start scale is that of this width; another width's codes are finer or coarser
EMPTY: Final = calibrate.edge_format(REFERENCE_WIDTH)  # the format of a table of edges that are even at every width
FORMATS: Final = {
    "points": range_spec.POINT,
    "shifts": Format(4),
    "start": scale.slow_format(REFERENCE_WIDTH),
    "steps": scale.STEP,
    "weights": lms.WEIGHT,
}


@dataclass(frozen=True, eq=False)
class Tables:
    """What the stages read.

    Parameters
    ----------
    edges : ndarray of int64, shape (2**width + 1,)
        In `model.spec.calibrate.edge_format(width)`, rising by 1 to `model.spec.calibrate.GREATEST_STEP`.
    shifts : ndarray of int64, shape (features,)
        Rates of the predictor's features, 0 to `model.spec.lms.MAX_SHIFT`.
    weights : ndarray of int64, shape (features + 1,)
        At a key packet, in `model.spec.lms.WEIGHT`; the last is the peer's.
    start : int
        `slow` of the stage `scale` at a key packet, in `model.spec.scale.slow_format(width)`.
    steps : ndarray of int64, shape (2, STEPS)
        What `fast` and `slow` of the stage `scale` move by, in `model.spec.scale.STEP`.
    points : ndarray of int64, shape (POINTS + 1,)
        `F - HALF` in `model.spec.range.POINT`, from 0 on, never falling.
    """

    edges: np.ndarray
    shifts: np.ndarray
    weights: np.ndarray
    start: int
    steps: np.ndarray
    points: np.ndarray


def _rescaled(start: int, width: int, to: int) -> int:
    """A start scale at another width: as many octaves more as a code has bits more, within what it has."""
    moved = start + ((to - width) * scale.OCTAVE << scale.LOG_FRACTION)
    return min(max(moved, 0), scale.greatest_index(to) << scale.LOG_FRACTION)


def pack(tables: Tables, width: int, *, even: bool) -> ParameterSet:
    """The parameter set that gives `tables` at `width`; with `even`, edges are even and it serves every width."""
    values = {
        "points": tables.points[1:],
        "shifts": tables.shifts,
        "start": np.array(_rescaled(tables.start, width, REFERENCE_WIDTH), np.int64),
        "steps": tables.steps,
        "weights": tables.weights,
    }
    edges = np.zeros(0, np.int64) if even else tables.edges
    formatted = {name: (FORMATS[name], value) for name, value in values.items()}
    return ParameterSet(PROFILE, {"edges": (EMPTY if even else calibrate.edge_format(width), edges), **formatted})


def unpack(parameters: ParameterSet, width: int) -> Tables:
    """The tables of a set at `width`.

    Raises
    ------
    ConfigError
        If the set is for another profile or width, or a table is missing or not possible.
    """
    if parameters.profile != PROFILE:
        raise ConfigError(f"parameter set: for profile '{parameters.profile}'; give one for '{PROFILE}'")
    names = {"edges", *FORMATS}
    if parameters.tables.keys() != names:
        raise ConfigError(f"parameter set: has tables {sorted(parameters.tables)}; give {sorted(names)}")
    values = {name: table for name, (_, table) in parameters.tables.items()}
    features = values["shifts"].size
    shapes = {
        "points": (range_spec.POINTS,),
        "shifts": (features,),
        "start": (),
        "steps": (2, scale.STEPS),
        "weights": (features + 1,),
    }
    for name, form in FORMATS.items():
        found = parameters.tables[name][0]
        if found != form or values[name].shape != shapes[name]:
            raise ConfigError(
                f"parameter table '{name}': format {found}, shape {values[name].shape}; give {form}, {shapes[name]}"
            )
    if not 1 <= features <= lms.MAX_FEATURES:
        raise ConfigError(f"parameter table 'shifts': {features} features; give 1 to {lms.MAX_FEATURES}")
    for name, form in (("weights", lms.WEIGHT), ("steps", scale.STEP)):
        if values[name].min() == form.minimum:
            raise ConfigError(f"parameter table '{name}': {form.minimum}; give {-form.maximum} to {form.maximum}")
    points = np.concatenate([[0], values["points"]])
    if (np.diff(points) < 0).any() or points[-1] > range_spec.HALF:
        raise ConfigError(f"parameter table 'points': give values that never fall, up to {range_spec.HALF}")
    start = _rescaled(int(values["start"]), REFERENCE_WIDTH, width)
    return Tables(_edges(parameters, width), values["shifts"], values["weights"], start, values["steps"], points)


def _edges(parameters: ParameterSet, width: int) -> np.ndarray:
    form, edges = parameters.tables["edges"]
    if edges.shape == (0,):
        if form != EMPTY:
            raise ConfigError(f"parameter table 'edges': format {form}; give {EMPTY} to an empty one")
        return calibrate.even_edges(width)
    if form != calibrate.edge_format(width):
        own = form.width - calibrate.EDGE_FRACTION
        raise ConfigError(f"parameter set: calibrates a converter of {own} bits, the codes have {width}; give another")
    if edges.shape != ((1 << width) + 1,) or width > calibrate.MAX_TABLE_WIDTH:
        raise ConfigError(f"parameter table 'edges': shape {edges.shape}; give ({(1 << width) + 1},) or an empty one")
    steps = np.diff(edges)
    if steps.min() < 1 or steps.max() > calibrate.GREATEST_STEP:
        raise ConfigError(f"parameter table 'edges': give values that rise by 1 to {calibrate.GREATEST_STEP} a code")
    return edges


def image(parameters: ParameterSet, width: int, peers: Sequence[int] | None = None) -> np.ndarray:
    """What loads a set into the gates: words of 16 bits, uint16.

    The edges, points, steps (`fast` in the lower byte, `slow` in the upper), weights but the peer's, and the start
    scale; the set's name, its least significant word first; the shifts; and the CRC-32 of all words before it.

    Parameters
    ----------
    parameters : ParameterSet
    width : int
    peers : sequence of int, optional
        For gates that know peers: as in `CodecConfig`, a value for each channel, all 0 if none has one. The peer's
        weight is there then, behind the others, and these words stand behind the shifts.

    Raises
    ------
    ConfigError
        As `unpack`.
    """
    tables = unpack(parameters, width)
    steps = (tables.steps[0] & 0xFF) | (tables.steps[1] & 0xFF) << 8
    weights = tables.weights[: None if peers is not None else -1]
    parts = (tables.edges, tables.points[1:], steps, weights, [tables.start])
    words = (np.concatenate([np.asarray(part, np.int64) for part in parts]) & 0xFFFF).astype("<u2")
    named = words.tobytes() + parameters.identifier.to_bytes(PARAMETER_SET.bytes, "little")
    named += np.array([*tables.shifts, *(peers or ())], "<u2").tobytes()
    return np.frombuffer(named + zlib.crc32(named).to_bytes(PACKET_CHECK_BYTES, "little"), "<u2")


def state_bits(width: int, features: int, *, peer: bool = False) -> int:
    """Bits of state that a channel has: what the hardware keeps in RAM, times its channels."""
    predictor = features * lms.difference_format(width).width + (features + peer) * lms.WEIGHT.width
    return calibrate.centre_format(width).width + predictor + scale.FAST.width + scale.slow_format(width).width
