"""The parameter set of profile `calibrated`: its tables, their formats, and the integers that they give at a width."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from model.spec import calibrate, lms, scale
from model.spec import range as range_spec
from model.spec.config import MAX_WIDTH, ConfigError
from model.spec.numbers import Format
from model.spec.parameters import ParameterSet

PROFILE: Final = "calibrated"
SHIFT: Final = Format(4)
SCALE_WIDTH: Final = 10  # start scales are in the format of this width, and grow with another


@dataclass(frozen=True, eq=False)
class Tables:
    """What the kernels read.

    Parameters
    ----------
    edges : ndarray of int64, shape (2**width + 1,)
        In `model.spec.calibrate.value_format(width)`, strictly increasing.
    shifts : ndarray of int64, shape (features,)
        Rates of the predictor's features, 0 to `model.spec.lms.MAX_SHIFT`.
    weights : ndarray of int64, shape (features + 1,)
        At a key packet, in `model.spec.lms.WEIGHT`; the last is the peer's.
    scales : ndarray of int64, shape (2,)
        Fast and slow average at a key packet, in `model.spec.scale.average_format(width)`.
    points : ndarray of int64, shape (POINTS + 1,)
        `F - 1/2` in `model.spec.range.POINT`, from 0 on, never falling.
    """

    edges: np.ndarray
    shifts: np.ndarray
    weights: np.ndarray
    scales: np.ndarray
    points: np.ndarray


def pack(tables: Tables, width: int, *, even: bool) -> ParameterSet:
    """The parameter set that gives `tables` at `width`; with `even`, at every width."""
    edge_table = np.zeros(0, np.int64) if even else tables.edges
    at_ten = tables.scales >> (width - SCALE_WIDTH) if width >= SCALE_WIDTH else tables.scales << (SCALE_WIDTH - width)
    return ParameterSet(
        PROFILE,
        {
            "edges": (calibrate.value_format(width), edge_table),
            "shifts": (SHIFT, tables.shifts),
            "weights": (lms.WEIGHT, tables.weights),
            "scales": (scale.average_format(SCALE_WIDTH), at_ten),
            "points": (range_spec.POINT, tables.points[1:]),
        },
    )


def unpack(parameters: ParameterSet, width: int) -> Tables:
    """The tables of a set at `width`.

    Raises
    ------
    ConfigError
        If the set is for another profile or width, or a table is missing or not possible.
    """
    if parameters.profile != PROFILE:
        raise ConfigError(f"parameter set: for profile '{parameters.profile}'; give one for '{PROFILE}'")
    forms = {
        "edges": None,
        "shifts": SHIFT,
        "weights": lms.WEIGHT,
        "scales": scale.average_format(SCALE_WIDTH),
        "points": range_spec.POINT,
    }
    if parameters.tables.keys() != forms.keys():
        raise ConfigError(f"parameter set: tables {sorted(parameters.tables)}; give {sorted(forms)}")
    for name, form in forms.items():
        if form is not None and parameters.tables[name][0] != form:
            raise ConfigError(f"parameter table '{name}': format {parameters.tables[name][0]}; give {form}")
    values = {name: table for name, (_, table) in parameters.tables.items()}
    features = len(values["shifts"])
    sizes = {"shifts": features, "weights": features + 1, "scales": 2, "points": range_spec.POINTS}
    for name, size in sizes.items():
        if values[name].shape != (size,):
            raise ConfigError(f"parameter table '{name}': shape {values[name].shape}; give ({size},)")
    if not 1 <= features <= lms.MAX_FEATURES:
        raise ConfigError(f"parameter table 'shifts': {features} features; give 1 to {lms.MAX_FEATURES}")
    if abs(values["weights"]).max() > lms.WEIGHT.maximum:
        raise ConfigError(f"parameter table 'weights': give values of at most {lms.WEIGHT.maximum} either way")
    points = np.concatenate([[0], values["points"]])
    if (np.diff(points) < 0).any() or points[-1] > range_spec.HALF:
        raise ConfigError(f"parameter table 'points': give values that never fall, up to {range_spec.HALF}")
    shift = width - SCALE_WIDTH
    scales = values["scales"] << shift if shift >= 0 else values["scales"] >> -shift
    return Tables(_edges(parameters, width), values["shifts"], values["weights"], scales, points)


def _edges(parameters: ParameterSet, width: int) -> np.ndarray:
    form, edges = parameters.tables["edges"]
    if not len(edges):
        return calibrate.even_edges(width)
    if form != calibrate.value_format(width):
        own = form.width - calibrate.EDGE_FRACTION
        raise ConfigError(f"parameter set: calibrates a converter of {own} bits, the codes have {width}; give another")
    if edges.shape != ((1 << width) + 1,) or width > calibrate.MAX_TABLE_WIDTH:
        raise ConfigError(f"parameter table 'edges': shape {edges.shape}; give ({(1 << width) + 1},) or an empty one")
    if (np.diff(edges) <= 0).any():
        raise ConfigError("parameter table 'edges': give values that rise from code to code")
    return edges


def state_bits(width: int, features: int, *, peer: bool = False) -> int:
    """Bits of state that a channel has: what the hardware keeps in RAM, times its channels."""
    if not calibrate.EDGE_FRACTION <= width <= MAX_WIDTH:
        raise ConfigError(f"width: {width} is out of range")
    values = (1 + features) * calibrate.value_format(width).width
    return values + (features + peer) * lms.WEIGHT.width + 2 * scale.average_format(width).width
