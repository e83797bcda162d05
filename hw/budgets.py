"""Limits on a build's figures, from `hw/budgets.json`: `board/profile/channels[/peers|/links]` -> figure -> limits.

Where a build is for another parameter set than its profile's own, its name stands for the profile's.
"""

import json
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, Final

from model.spec.config import nearest

DIRECTIONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "at most": lambda value, limit: value <= limit,
    "at least": lambda value, limit: value >= limit,
}
FILE: Final = "budgets.json"


class BudgetError(ValueError):
    """Budgets that cannot be used; the message names the entry and the mend."""


def load(text: str | None = None) -> dict[str, Any]:
    """The budgets in `text`, by default those of the package."""
    if text is None:
        text = resources.files("hw").joinpath(FILE).read_text("utf-8")
    try:
        budgets = json.loads(text)
    except json.JSONDecodeError as error:
        raise BudgetError(f"{FILE}: is not JSON: {error}") from None
    if not isinstance(budgets, dict) or not all(isinstance(limits, dict) for limits in budgets.values()):
        raise BudgetError(f"{FILE}: must map 'board/profile/channels' to figures")
    return budgets


def check(budgets: Mapping[str, Any], key: str, figures: Mapping[str, float]) -> list[str]:
    """One line for each of `figures` that breaks a limit of `budgets[key]`.

    Raises
    ------
    BudgetError
        If a budget names an unknown figure or direction, or its limit is no number.
    KeyError
        If there is no budget of that name.
    """
    violations = []
    for figure, limits in budgets[key].items():
        if figure not in figures:
            raise BudgetError(f"{FILE}: {key}: '{figure}' is not a figure; {nearest(figure, figures)}")
        if not isinstance(limits, dict) or not limits:
            raise BudgetError(f'{FILE}: {key}: {figure}: give {{"at most": limit}} or {{"at least": limit}}')
        for direction, limit in limits.items():
            if direction not in DIRECTIONS:
                raise BudgetError(f"{FILE}: {key}: {figure}: '{direction}'; {nearest(direction, DIRECTIONS)}")
            if isinstance(limit, bool) or not isinstance(limit, int | float):
                raise BudgetError(f"{FILE}: {key}: {figure}: {direction} {limit!r} is not a number")
            if not DIRECTIONS[direction](figures[figure], limit):
                violations.append(f"{figure} is {figures[figure]:g}, must be {direction} {limit:g}")
    return violations
