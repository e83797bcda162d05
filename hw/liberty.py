"""What Liberty files, the descriptions of standard-cell libraries, say of their cells."""

import re
from typing import Final

NUMBER: Final = r"[-+0-9.eE]+"


class AsicError(ValueError):
    """A library or a report that cannot be used; the message names it and the mend."""


def cell_bodies(text: str) -> dict[str, str]:
    """What a Liberty file says of each cell."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    parts = (part.partition(")") for part in re.split(r"\bcell\s*\(", text)[1:])
    return {name.strip().strip('"'): body for name, _, body in parts}


def areas(text: str) -> dict[str, float]:
    """Area of each cell of a Liberty file, in its unit, square micrometres as a rule.

    Raises
    ------
    AsicError
        If it has no cells with areas.
    """
    found = {name: re.search(rf"\barea\s*:\s*({NUMBER})", body) for name, body in cell_bodies(text).items()}
    known = {name: float(area[1]) for name, area in found.items() if area}
    if not known:
        raise AsicError("the Liberty file has no cell with an area; give another with --liberty")
    return known


def voltage(text: str) -> float:
    """The voltage that a Liberty file is characterised for; raises `AsicError` if it does not say."""
    found = re.search(rf"\bnom_voltage\s*:\s*({NUMBER})", text)
    if found is None:
        raise AsicError("the Liberty file has no nom_voltage; give another with --liberty")
    return float(found[1])
