"""The parameter set of profile `full`: that of `calibrated`, but with several distributions, and a network.

The network's outputs are what it adds to the prediction, in `2**exponent` of a node, to the scale's logarithm, in the
units of `model.spec.scale`, and the number of the distribution that the code is looked up in. The stages `lms` and
`scale` follow their own prediction and scale, not the network's.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from model.spec import calibrated, network
from model.spec import range as range_spec
from model.spec.config import ConfigError
from model.spec.network import Network
from model.spec.parameters import ParameterSet

PROFILE: Final = "full"
OUTPUTS: Final = 3  # mean, scale, shape
CONTEXTS: Final = 2  # inputs that are no features: the scale's mantissa and its fast part
SHAPES: Final = 8  # distributions, at most


@dataclass(frozen=True, eq=False)
class Tables:
    """What the stages read.

    Parameters
    ----------
    calibrated : model.spec.calibrated.Tables
        With the first distribution.
    shapes : ndarray of int64, shape (distributions, POINTS + 1)
        As `points` of those.
    network : Network
    """

    calibrated: calibrated.Tables
    shapes: np.ndarray
    network: Network


def pack(tables: Tables, width: int, *, even: bool) -> ParameterSet:
    """The parameter set that gives `tables` at `width`; with `even`, edges are even and it serves every width."""
    found = dict(calibrated.pack(tables.calibrated, width, even=even).tables)
    found["points"] = (range_spec.POINT, tables.shapes[:, 1:])
    return ParameterSet(PROFILE, {**network.to_tables(tables.network), **found})


def unpack(parameters: ParameterSet, width: int) -> Tables:
    """The tables of a set at `width`.

    Raises
    ------
    ConfigError
        If the set is for another profile or width, or a table is missing or not possible.
    """
    if parameters.profile != PROFILE:
        raise ConfigError(f"parameter set: for profile '{parameters.profile}'; give one for '{PROFILE}'")
    own = {name: table for name, table in parameters.tables.items() if name not in network.TABLES}
    form, points = own.get("points", (range_spec.POINT, np.zeros((0, 0), np.int64)))
    if points.ndim != 2 or not 1 <= len(points) <= SHAPES:
        raise ConfigError(f"parameter table 'points': shape {points.shape}; give 1 to {SHAPES} distributions")
    each = [
        calibrated.unpack(ParameterSet(calibrated.PROFILE, {**own, "points": (form, row)}), width) for row in points
    ]
    built = network.from_tables(parameters.tables, outputs=OUTPUTS, contexts=CONTEXTS, residuals=True)
    return Tables(each[0], np.stack([one.points for one in each]), built)
