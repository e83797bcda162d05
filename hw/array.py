"""Chooses the array for networks: the smallest one whose program for a parameter set ends within a frame."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from hw.geometry import LOOKUP, WORD, Geometry
from hw.hold import Hold
from hw.microcode import Program
from hw.neural import NO_CODES, Shape, default_geometry, network_of, program_of
from hw.store import ceil_power
from model.spec import spikey
from model.spec.config import CodecConfig, ConfigError
from model.spec.network import MiddleOut
from model.spec.packet import Link, Links
from model.spec.parameters import ParameterSet

MULTIPLIERS: Final = range(2, 17)  # of a core
MOST_CORES: Final = 156
CORE: Final = 8  # multipliers that take as much logic as a core without any: some 650 cells of iCE40, and 80 each
SLACK: Final = 1  # clock by which a frame may come early
LEAST: Final = {"fields": 128, "steps": 128, "results": 64, "loaded": 16}  # room for other networks of about this size
AMPLE: Final[dict[str, Any]] = {"fields": 4096, "steps": 4096, "results": 1024, "loaded": 1024}


@dataclass(frozen=True)
class Room:
    """What a device has for the array.

    Parameters
    ----------
    multipliers : int
    block_rams : int
        For it, for tokens that wait for it, and packets.
    shapes : tuple of (width, depth)
        That a block RAM can have.
    stores : bool
        Whether packets are stored in block RAMs.
    core_rams : int
        Block RAMs of a core besides its memory.
    """

    multipliers: int
    block_rams: int
    shapes: tuple[tuple[int, int], ...]
    stores: bool = False
    core_rams: int = 0

    def without(self, block_rams: int, multipliers: int = 0) -> "Room":
        """What is left."""
        return replace(self, block_rams=self.block_rams - block_rams, multipliers=self.multipliers - multipliers)

    def blocks(self, width: int, depth: int) -> int:
        """Block RAMs of a memory."""
        return min(-(-width // bits) * -(-depth // words) for bits, words in self.shapes)

    def blocks_of(self, geometry: Geometry) -> int:
        """Block RAMs of an array."""
        words = self.blocks(geometry.step.size, geometry.steps) + self.blocks(geometry.result.size, geometry.results)
        return words + geometry.cores * (self.core_rams + self.blocks(WORD.width, geometry.depth))


ENDLESS: Final = Room(MOST_CORES * MULTIPLIERS[-1], 1 << 20, ((36, 512),))  # of Verilog


@dataclass(frozen=True)
class Array:
    """An array, and the program that it is timed with.

    Parameters
    ----------
    program : Program
    codes : (tables, symbols)
        Room for Huffman codes.
    name : str
        Of the parameter set.
    """

    program: Program
    codes: Shape
    name: str

    @property
    def geometry(self) -> Geometry:
        """Sizes of the array."""
        return self.program.geometry

    @property
    def chain(self) -> dict[str, Any]:
        """What a chain is told of it, see `hw.neural_chain.NeuralChain`."""
        return {"geometry": self.geometry, "codes": self.codes, "clocks": self.program.clocks}

    def channels(self, frame_clocks: float) -> int:
        """Channels that such an array carries if a frame has so many clocks."""
        geometry = self.geometry
        slots = (n for n in range(geometry.slots, 0, -1) if clocks(self.program, n) + Hold.BETWEEN <= frame_clocks)
        return geometry.cores * next(slots, 0)

    def describe(self) -> dict[str, Any]:
        """As a report shows it. `utilisation`: of the clocks of the program, each of every multiplier, so many are
        multiply-adds of the network.
        """
        return {
            "set": self.name,
            **vars(self.geometry),
            "codes": list(self.codes),
            "partners": self.program.partners,
            "clocks": self.program.clocks,
            "multiply_adds": self.program.useful,
            "utilisation": round(self.program.utilisation, 3),
        }

    def rows(self) -> list[tuple[str, str, str]]:
        """The same for people: name, value, unit."""
        geometry = self.geometry
        words = f"{geometry.fields} fields, {geometry.steps} steps, {geometry.results} results"
        return [
            ("parameter set", self.name, ""),
            ("array", f"{geometry.cores} cores of {geometry.multipliers} multipliers", ""),
            ("channels of a core", str(geometry.slots), ""),
            ("memory of a channel, microcode", words, "words"),
            *([("Huffman codes", f"{self.codes[0]} of {self.codes[1]} symbols", "")] if self.codes[0] else []),
            ("partners of a channel", str(self.program.partners), ""),
            ("program", f"{self.program.clocks} clocks", "a frame"),
            ("multiply-adds", str(self.program.useful), "a sample"),
            ("multipliers used in the program's clocks", f"{self.program.utilisation:.0%}", ""),
        ]


def neighbours(channels: int, slots: int) -> Links:
    """Links for which gates are the gates for all links that they can have: a partner each, served by the same core.

    Raises
    ------
    ConfigError
        If a core serves one channel only.
    """
    if min(channels, slots) < 2:
        raise ConfigError("links: each core serves one channel only; give fewer cores, or leave links out")
    after, before = (Link(-1, 64),), (Link(1, 64),)
    alone = (channels - 1,) if channels % slots == 1 else ()
    return tuple(() if c in alone else before if c % slots else after for c in range(channels))


def clocks(program: Program, slots: int) -> int:
    """Clocks of the program if a core served so many slots."""
    return replace(program, geometry=replace(program.geometry, slots=slots)).clocks


def codes_of(parameters: ParameterSet, width: int) -> Shape:
    """Room for the Huffman codes of a set."""
    if parameters.profile != spikey.PROFILE:
        return NO_CODES
    tables, symbols = spikey.unpack(parameters, width).huffman.shape
    return (ceil_power(tables), ceil_power(symbols)) if tables else NO_CODES


def _compiled(parameters: ParameterSet, width: int, array: Geometry, *, linked: bool) -> Program:
    """The program for neighbours, in an array with just enough memory; `LEAST` at least."""
    links = neighbours(array.slots * array.cores, array.slots) if linked else ()
    ample = program_of(parameters, width, replace(array, **AMPLE), links)
    lookup = 2 * max(1, LOOKUP >> array.slot_bits) if ample.lookup >= 0 else 0
    need = {
        "loaded": 1 + max(ample.lookup + lookup, ample.own, *ample.pointers, *ample.correlations, *ample.gains, 0),
        "steps": sum(map(len, ample.passes)),
        "results": sum(len(step.results) for steps in ample.passes for step in steps),
    }
    sizes: dict[str, Any] = {name: max(LEAST[name], ceil_power(number)) for name, number in need.items()}
    fields = max(LEAST["fields"], ceil_power(ample.fields - AMPLE["loaded"] + sizes["loaded"]))
    while True:
        try:
            return program_of(parameters, width, replace(array, **sizes, fields=fields), links)
        except ConfigError:  # rings leave gaps between them
            if fields >= AMPLE["fields"]:
                raise
            fields *= 2


def _arrays(
    base: Geometry, ample: dict[int, Program], channels: int, limit: int, cores: int | None, room: Room
) -> Iterator[Geometry]:
    """For each number of multipliers the fewest cores, or as many as given, that end within `limit` clocks; and the
    fewest with half as much memory, and so on.
    """
    for multipliers, program in ample.items():
        most = min(MOST_CORES, channels, room.multipliers // multipliers)
        memory = LOOKUP + 1
        for number in range(1, most + 1):
            slots = -(-channels // number)
            if cores not in (None, number) or ceil_power(slots) >= memory or clocks(program, slots) > limit:
                continue
            memory = ceil_power(slots)
            yield replace(base, multipliers=multipliers, cores=cores or -(-channels // slots), slots=slots)


def choose(
    parameters: ParameterSet,
    name: str,
    *,
    channels: int,
    width: int,
    frame_clocks: int,
    room: Room,
    linked: bool,
    cores: int | None = None,
    multipliers: int | None = None,
) -> Array:
    """The array with the least logic, cores and multipliers together, that a device has room for.

    Parameters
    ----------
    parameters : ParameterSet
        With which it must be in time.
    name : str
        Of the set, for messages and the report.
    channels, width : int
    frame_clocks : int
        Clocks from one frame to the next.
    room : Room
    linked : bool
        Whether channels have partners; it is timed with one each.
    cores, multipliers : int, optional
        Of the array, and of each core, if they are to be these.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if linked and network_of(parameters, width).form == MiddleOut.NONE:
        raise ConfigError(f"links: the network of '{name}' knows no partners; leave them out")
    base = default_geometry(CodecConfig(parameters.profile, channels, width, 1))
    numbers = MULTIPLIERS if multipliers is None else (multipliers,)
    ample = {}
    for number in numbers:
        array = replace(base, multipliers=number, cores=1, slots=2, **AMPLE)
        ample[number] = program_of(parameters, width, array, neighbours(2, 2) if linked else ())
    limit = frame_clocks - Hold.BETWEEN - SLACK
    found = list(_arrays(base, ample, channels, limit, cores, room))
    for array in sorted(found, key=lambda one: (one.cores * (CORE + one.multipliers), one.cores)):
        program = _compiled(parameters, width, array, linked=linked)
        if room.blocks_of(program.geometry) <= room.block_rams and program.clocks <= limit:
            return Array(program, codes_of(parameters, width), name)
    given = {"cores": cores, "multipliers": multipliers}
    asked = " and ".join(f"{number} {what}" for what, number in given.items() if number is not None)
    asked = f" with {asked}" if asked else ""
    raise ConfigError(
        f"channels: no array{asked} that the device has room for ends {channels} channels of '{name}' in the "
        f"{frame_clocks} clocks of a frame; use fewer, a smaller set or a faster clock"
    )
