"""The named profiles: which stages a sample flows through."""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Profile:
    """A chain of stages.

    Parameters
    ----------
    number : int
        Its number in key packets, 0 to 15; never reused.
    name : str
        Its name on the command line.
    stages : tuple of str
        The rooms a sample passes, in order: the same names in `model/codec`, `hw` and `verif`.
    parameterised : bool
        Whether its key packets name a parameter set.
    lanes : tuple of int
        Numbers of coder lanes it can have.
    """

    number: int
    name: str
    stages: tuple[str, ...]
    parameterised: bool
    lanes: tuple[int, ...]


PROFILES = MappingProxyType(
    {p.name: p for p in (Profile(0, "tiny", ("frame", "delta", "rice", "packet"), False, (1,)),)}
)


def profile_by_number(number: int) -> Profile | None:
    """The profile that a key packet calls `number`, or None."""
    return next((p for p in PROFILES.values() if p.number == number), None)
