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
    peers : bool
        Whether its channels may have peers.
    """

    number: int
    name: str
    stages: tuple[str, ...]
    parameterised: bool
    lanes: tuple[int, ...]
    peers: bool


_ALL = (
    Profile(0, "tiny", ("frame", "delta", "rice", "packet"), False, (1,), False),
    Profile(1, "calibrated", ("frame", "calibrate", "lms", "scale", "range", "packet"), True, (1, 2, 4), True),
)
PROFILES = MappingProxyType({profile.name: profile for profile in _ALL})


def profile_by_number(number: int) -> Profile | None:
    """The profile that a key packet calls `number`, or None."""
    return next((p for p in PROFILES.values() if p.number == number), None)
