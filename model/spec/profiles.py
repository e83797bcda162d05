"""The named profiles: which stages a sample flows through."""

from dataclasses import dataclass
from types import MappingProxyType

from model.spec.packet import MOST_LINKS


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
    links : int
        Most partners that a channel can have by links; 0: it has none.
    live_keys : int
        Key packets a second on a link. More mean less lost with a packet, and a worse ratio: in `calibrated` restarts
        cost 0.02 % at 1 a second, 0.05 % at 2, 0.10 % at 4, 0.22 % at 10, 0.42 % at 20.
    """

    number: int
    name: str
    stages: tuple[str, ...]
    parameterised: bool
    lanes: tuple[int, ...]
    peers: bool
    links: int
    live_keys: int


_ALL = (
    Profile(0, "tiny", ("frame", "delta", "rice", "packet"), False, (1,), False, 0, 10),
    Profile(1, "calibrated", ("frame", "calibrate", "lms", "scale", "range", "packet"), True, (1, 2, 4), True, 0, 4),
    Profile(2, "spikey", ("frame", "wavelet", "network", "rice", "packet"), True, (1,), False, MOST_LINKS, 4),
    Profile(
        3,
        "full",
        ("frame", "calibrate", "lms", "scale", "wavelet", "network", "range", "packet"),
        True,
        (1, 2, 4),
        False,
        MOST_LINKS,
        4,
    ),
)
PROFILES = MappingProxyType({profile.name: profile for profile in _ALL})


def profile_by_number(number: int) -> Profile | None:
    """The profile that a key packet calls `number`, or None."""
    return next((p for p in PROFILES.values() if p.number == number), None)
