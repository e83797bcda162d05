"""Parameter sets that every release carries, and keeps carrying; each is a file below `parameters/`."""

from functools import cache
from pathlib import Path
from typing import Final

from model.spec.parameters import ParameterSet, load

FOLDER: Final = Path(__file__).parent / "parameters"


@cache
def named(name: str) -> ParameterSet:
    """The shipped set in the file `name` + '.spkp'."""
    return load(FOLDER / f"{name}.spkp")


@cache
def _all() -> dict[int, ParameterSet]:
    sets = [named(path.stem) for path in sorted(FOLDER.glob("*.spkp"))]
    return {found.identifier: found for found in sets}


def find(identifier: int) -> ParameterSet | None:
    """The shipped set of this name, or None."""
    return _all().get(identifier)


def names() -> list[str]:
    """The names of all shipped sets, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.spkp"))


def default(profile: str, *, lattice: bool = False) -> ParameterSet:
    """The set for recordings of which nothing more is known.

    Parameters
    ----------
    profile : str
        A parameterised one.
    lattice : bool
        Whether codes are those of the converter that the public recordings were made with; else edges are even. A
        profile that knows no edges has one set for all.
    """
    calibrated = f"{profile}-{'lattice' if lattice else 'even'}"
    return named(calibrated if (FOLDER / f"{calibrated}.spkp").is_file() else profile)
