"""The parameter set of profile `spikey`: its network, its coder, and where its means begin."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from model.spec import huffman, network
from model.spec.config import ConfigError
from model.spec.network import Network
from model.spec.numbers import Format
from model.spec.parameters import ParameterSet
from model.spec.wavelet import LEVEL_FRACTION, level_format

PROFILE: Final = "spikey"
OUTPUTS: Final = 1  # what the next sample has more than the last one
CONTEXTS: Final = 1  # inputs that are no features: the scale's mantissa
REFERENCE_WIDTH: Final = 10
ADAPTIVE: Final = 16  # value of `coder`: adaptive Rice; below, Rice with this parameter
HUFFMAN: Final = 17
LEVEL: Final = level_format(REFERENCE_WIDTH)
FORMATS: Final = {"choices": huffman.CHOICE, "coder": Format(5), "huffman": huffman.LENGTH, "level": LEVEL}


@dataclass(frozen=True, eq=False)
class Tables:
    """What the stages read.

    Parameters
    ----------
    network : Network
    level : int
        Mean absolute difference at a key packet, in `model.spec.wavelet.level_format(width)`.
    coder : int
        `ADAPTIVE`, `HUFFMAN`, or the parameter of a Rice code that does not adapt, 0 to 15.
    choices : ndarray of int64, shape (LEVELS, 2)
        Of `HUFFMAN`: table and low bits at each level. Else empty, shape (0, 2).
    huffman : ndarray of int64, shape (tables, symbols)
        Of `HUFFMAN`: lengths of code words. Else empty, shape (0, 0).
    """

    network: Network
    level: int
    coder: int
    choices: np.ndarray
    huffman: np.ndarray


def no_codes() -> tuple[np.ndarray, np.ndarray]:
    """`choices` and `huffman` of a set with a Rice code."""
    return np.zeros((0, 2), np.int64), np.zeros((0, 0), np.int64)


def pack(tables: Tables) -> ParameterSet:
    """The parameter set of `tables`, which are those at `REFERENCE_WIDTH`."""
    own = {
        "choices": tables.choices,
        "coder": np.array(tables.coder, np.int64),
        "huffman": tables.huffman,
        "level": np.array(tables.level, np.int64),
    }
    formatted = {name: (FORMATS[name], value) for name, value in own.items()}
    return ParameterSet(PROFILE, {**network.to_tables(tables.network), **formatted})


def unpack(parameters: ParameterSet, width: int) -> Tables:
    """The tables of a set at `width`; it serves every width.

    Raises
    ------
    ConfigError
        If the set is for another profile, or a table is missing or not possible.
    """
    if parameters.profile != PROFILE:
        raise ConfigError(f"parameter set: for profile '{parameters.profile}'; give one for '{PROFILE}'")
    names = {*network.TABLES, *FORMATS}
    if parameters.tables.keys() != names:
        raise ConfigError(f"parameter set: has tables {sorted(parameters.tables)}; give {sorted(names)}")
    values = {name: table for name, (_, table) in parameters.tables.items()}
    for name, form in FORMATS.items():
        if parameters.tables[name][0] != form:
            raise ConfigError(f"parameter table '{name}': format {parameters.tables[name][0]}; give {form}")
    if values["coder"].shape != () or values["level"].shape != ():
        raise ConfigError("parameter tables 'coder', 'level': give one value each")
    coder, choices, lengths = int(values["coder"]), values["choices"], values["huffman"]
    if coder > HUFFMAN:
        raise ConfigError(f"parameter table 'coder': {coder}; give 0 to {HUFFMAN}")
    _check_codes(coder, choices, lengths)
    level = int(values["level"])
    moved = level << (width - REFERENCE_WIDTH) if width >= REFERENCE_WIDTH else level >> (REFERENCE_WIDTH - width)
    built = network.from_tables(parameters.tables, outputs=OUTPUTS, contexts=CONTEXTS, residuals=False)
    return Tables(built, max(moved, 1 << LEVEL_FRACTION), coder, choices, lengths)


def _check_codes(coder: int, choices: np.ndarray, lengths: np.ndarray) -> None:
    shapes = ((huffman.LEVELS, 2), None) if coder == HUFFMAN else ((0, 2), (0, 0))
    if choices.shape != shapes[0] or lengths.ndim != 2 or (shapes[1] is not None and lengths.shape != shapes[1]):
        raise ConfigError(f"parameter tables 'choices', 'huffman': shapes {choices.shape}, {lengths.shape} do not fit")
    if coder != HUFFMAN:
        return
    if not lengths.size or not lengths[:, -1].all() or choices[:, 0].max() >= len(lengths) or choices[:, 1].max() > 16:
        raise ConfigError("parameter tables 'choices', 'huffman': a table, its escape or a choice is missing")
    for row in lengths:
        huffman.code_words(row)
