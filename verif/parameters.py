"""Parameter sets of the testbenches, and what the core must make of the words of their images."""

import zlib
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import numpy as np

from hw import neural
from hw.links import links_words
from hw.lms import SHIFTS
from hw.load import VALUE_BITS
from model.spec import calibrate, huffman, packet, shipped
from model.spec import range as range_spec
from model.spec.calibrated import pack, unpack
from model.spec.config import ConfigError
from model.spec.parameters import ParameterSet
from verif import networks, stimulus
from verif.design import Design

PROFILE = "calibrated"
CHECK_WORDS = 2


@cache
def sets(width: int) -> dict[str, ParameterSet]:
    """Sets for codes of `width` bits: the shipped ones, and those that drive numbers to their ends.

    `sharp` is sure of every code: one takes the whole interval, all others are escapes; it begins at the least scale.
    `wild` has uneven edges, the greatest weights, and begins at the greatest scale.
    """
    even = shipped.default(PROFILE)
    tables = unpack(even, width)
    code = np.arange((1 << width) + 1)
    middle = calibrate.even_edges(width)[0]
    step, greatest = len(tables.steps[0]), range_spec.HALF
    sharp = replace(tables, start=0, points=np.append(0, np.full(range_spec.POINTS, greatest)))
    wild = replace(
        tables,
        edges=middle + 60 * code + 23 * (code % 2) + 9 * (code % 5 == 0),
        weights=np.array([1023, -1023, 0]),
        start=(16 * (width - 2) - 1) << 4,
        steps=np.array([np.linspace(-127, 127, step), np.linspace(-90, 127, step)]).astype(np.int64),
    )
    assert tuple(tables.shifts) == SHIFTS
    found = {"even": even, "sharp": pack(sharp, width, even=True)}
    if width == 10:
        found["lattice"] = shipped.default(PROFILE, lattice=True)
    return {**found, "wild": pack(wild, width, even=False)}


@cache
def slower(width: int) -> ParameterSet:
    """A whole set that the gates are not built for: other rates of features."""
    tables = unpack(shipped.default(PROFILE), width)
    return pack(replace(tables, shifts=tables.shifts + 1), width, even=True)


@cache
def known(design: Design) -> dict[str, ParameterSet]:
    """Sets that the gates take, at the pace of the one that `design` names, which comes first."""
    if not design.neural:
        return sets(design.config.width)
    config, own = design.config, design.parameters
    assert own is not None
    found = {"own": own}
    for name in networks.names(config.profile):
        each = networks.find(config.profile, name)
        try:
            design.image(each)
        except ConfigError:
            continue
        clocks = neural.program_of(each, config.width, design.array, config.links).clocks
        if each != own and clocks <= design.program_clocks:
            found[name] = each
    return found


@cache
def foreign(design: Design) -> list[np.ndarray]:
    """Images of whole sets that the gates must refuse, uint16."""
    if not design.neural:
        return [design.image(slower(design.config.width))]
    whole, (tables, symbols) = design.image(design.parameters), design.codes
    wrong = [(at, whole[at] + 1) for at in range(len(neural.geometry_words(design.config, design.array, design.codes)))]
    if design.config.links:
        behind = huffman.LEVELS + 2 * tables * symbols if tables else 0
        at = len(whole) - CHECK_WORDS - behind - links_words(design.config)
        wrong.append((at, packet.MOST_LINKS + 1))
    return [sealed(np.concatenate([whole[:at], [value], whole[at + 1 :]])) for at, value in wrong]


def sealed(words: np.ndarray) -> np.ndarray:
    """`words` with the check that they should have, uint16."""
    data = words[:-CHECK_WORDS].astype("<u2").tobytes()
    return np.frombuffer(data + zlib.crc32(data).to_bytes(2 * CHECK_WORDS, "little"), "<u2")


@cache
def _images(design: Design) -> dict[bytes, ParameterSet | None]:
    """What the gates make of each image that is whole."""
    found: dict[bytes, ParameterSet | None] = {words.tobytes(): None for words in foreign(design)}
    return found | {design.image(each).astype("<u2").tobytes(): each for each in known(design).values()}


class Loading:
    """The words that a core has taken, and the set that is loaded by them.

    Parameters
    ----------
    design : Design
    loaded : ParameterSet or None
        At first; None after a reset.
    """

    def __init__(self, design: Design, loaded: ParameterSet | None) -> None:
        self.loaded = loaded
        self._design = design
        self._size = len(next(iter(_images(design)))) // 2 if design.parameterised else 0
        self._words: list[int] | None = None if loaded else []  # of an image that is not complete

    def take(self, word: int, first: bool) -> bool:
        """One word; whatever came before, `first` begins an image. Whether the check is taken over it."""
        if first:
            self._words, self.loaded = [], None
        if self._words is None:
            return False
        self._words.append(word)
        checked = len(self._words) <= self._size - CHECK_WORDS
        if len(self._words) == self._size:
            self.loaded, self._words = self._whole(np.array(self._words, "<u2")), None
        return checked

    def _whole(self, words: np.ndarray) -> ParameterSet | None:
        """The set of an image, or None if its check is wrong or the gates are not built for it."""
        named, check = words[:-CHECK_WORDS].tobytes(), words[-CHECK_WORDS:].tobytes()
        if zlib.crc32(named) != int.from_bytes(check, "little"):
            return None
        images = _images(self._design)
        assert words.tobytes() in images, "a set was loaded that the testbench does not know"
        return images[words.tobytes()]


def written(
    words: np.ndarray, design: Design, loaded: ParameterSet | None, taken: Iterable[int], again: Iterable[int]
) -> dict[int, int]:
    """Clocks in which the words that were taken (at the clocks of the values) came to rest in their tables.

    A word waits until no table is in use. The port is ready again in the next clock, or when the check has gone over
    all its bits.
    """
    loading, found = Loading(design, loaded), {}
    later = np.array([*again], np.int64)
    for clock in taken:
        word = int(words[clock])
        checked = loading.take(word & 0xFFFF, bool(word & stimulus.MARK))
        at = int(np.searchsorted(later, clock, "right"))
        if at < len(later):
            found[int(later[at]) - 1 - checked * VALUE_BITS] = clock
    return found
