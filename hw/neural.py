"""What loads a set of profile `spikey` or `full` into the gates: microcode compiled for them, and all other tables."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from hw.compiler import compile_network
from hw.geometry import Geometry
from hw.huffman import choice_words, table_words
from hw.links import links_words
from hw.load import NAME_WORDS, VALUE_BITS, Table
from hw.microcode import Program
from hw.network import sizes
from model.spec import full, spikey
from model.spec import huffman as huffman_spec
from model.spec import range as range_spec
from model.spec import scale as scale_spec
from model.spec.config import CodecConfig, ConfigError
from model.spec.network import MiddleOut, Network
from model.spec.packet import MOST_LINKS, PACKET_CHECK_BYTES, PARAMETER_SET, Links
from model.spec.parameters import ParameterSet

Shape = tuple[int, int]  # of Huffman codes: tables, symbols
NO_CODES: Final = (0, 0)
REACH: Final = 16  # slots of a core in gates of which nothing more is asked


def network_of(parameters: ParameterSet, width: int) -> Network:
    """The network of a set."""
    if parameters.profile == spikey.PROFILE:
        return spikey.unpack(parameters, width).network
    return full.unpack(parameters, width).network


def default_geometry(config: CodecConfig) -> Geometry:
    """An array for the shipped sets: cores of 4 multipliers for up to `REACH` channels each."""
    cores = -(-config.channels // REACH)
    slots = -(-config.channels // cores)
    if config.profile == full.PROFILE:
        array = Geometry(8, cores, slots, fields=1024, steps=256, results=128, loaded=16)
        return replace(array, outputs=full.OUTPUTS, contexts=full.CONTEXTS, residuals=True)
    return Geometry(4, cores, slots, fields=256, steps=256, results=128, loaded=16)


def usable(links: Links, network: Network) -> Links:
    """The links that a stream bears: none if the set's network has no MiddleOut."""
    return () if network.form == MiddleOut.NONE else links


def program_of(parameters: ParameterSet, width: int, geometry: Geometry, links: Links = ()) -> Program:
    """The program of a set's network for channels with these links."""
    network = network_of(parameters, width)
    return compile_network(network, geometry, width, max(map(len, usable(links, network)), default=0))


def geometry_words(config: CodecConfig, geometry: Geometry, codes: Shape = NO_CODES) -> tuple[int, ...]:
    """What gates are built for, and an image must be made for."""
    return (config.width, *geometry.words, *codes)


def spikey_sizes(config: CodecConfig, geometry: Geometry, codes: Shape = NO_CODES) -> dict[Table, int]:
    """Words of each table of an image of profile `spikey`, in their order."""
    return {
        Table.GEOMETRY: len(geometry_words(config, geometry, codes)),
        Table.NAME: NAME_WORDS,
        Table.LEVEL: 1,
        Table.CODER: 1,
        **sizes(geometry),
        **({Table.LINKS: links_words(config)} if config.links else {}),
        **({Table.CHOICES: huffman_spec.LEVELS, Table.CODES: 2 * codes[0] * codes[1]} if codes[0] else {}),
    }


def full_sizes(config: CodecConfig, geometry: Geometry, features: int) -> dict[Table, int]:
    """Words of each table of an image of profile `full`, in their order; `features` are those of `lms`."""
    return {
        Table.GEOMETRY: len(geometry_words(config, geometry)),
        Table.NAME: NAME_WORDS,
        Table.EDGES: (1 << config.width) + 1,
        Table.POINTS: full.SHAPES * range_spec.POINTS,
        Table.STEPS: scale_spec.STEPS,
        Table.WEIGHTS: features + bool(config.links),
        Table.START: 1,
        Table.SHIFTS: features,
        **sizes(geometry),
        **({Table.PEERS: config.channels, Table.LINKS: links_words(config)} if config.links else {}),
    }


def link_words(links: Links, channels: int) -> list[int]:
    """Words of `Table.LINKS`."""
    words = [max(map(len, links), default=0)]
    for channel in range(channels):
        own = list(links[channel]) if links else []
        words += [(d & 0xFF) | (c & 0xFF) << 8 for d, c in own] + [0] * (MOST_LINKS - len(own))
    return words


def array_words(program: Program, links: Links, channels: int) -> dict[Table, list[int]]:
    """Words of the array's tables."""
    geometry, mask = program.geometry, (1 << VALUE_BITS) - 1
    steps, results = program.words()

    def parts(words: list[int], width: int) -> list[int]:
        return [word >> at & mask for word in words for at in range(0, width, VALUE_BITS)]

    return {
        Table.PROGRAM: parts(steps, geometry.step.size),
        Table.RESULTS: parts(results, geometry.result.size),
        Table.CONSTANTS: program.constants(links, channels).ravel().tolist(),
    }


def words_of(tables: Mapping[Table, Sequence[int]], order: Mapping[Table, int]) -> np.ndarray:
    """The image of these tables in that order: words of 16 bits, and a CRC-32 of all of them; uint16."""
    words = np.concatenate([np.asarray(tables[table], np.int64) for table in order])
    data = (words & 0xFFFF).astype("<u2").tobytes()
    return np.frombuffer(data + zlib.crc32(data).to_bytes(PACKET_CHECK_BYTES, "little"), "<u2")


def name_words(parameters: ParameterSet) -> list[int]:
    """Words of `Table.NAME`."""
    return np.frombuffer(parameters.identifier.to_bytes(PARAMETER_SET.bytes, "little"), "<u2").tolist()


def image(
    parameters: ParameterSet, config: CodecConfig, geometry: Geometry, links: Links = (), codes: Shape = NO_CODES
) -> np.ndarray:
    """What loads a set into the gates: words of 16 bits, uint16, tables in the order of `spikey_sizes` or `full_sizes`.

    Parameters
    ----------
    parameters : ParameterSet
    config : CodecConfig
        That the gates are built for.
    geometry : Geometry
    links : tuple of tuple of Link
        Of each channel; empty if no channel has one. Gates without links take none.
    codes : (tables, symbols)
        Room for Huffman codes; (0, 0) in gates with a Rice or range coder.

    Raises
    ------
    ConfigError
        If the set, its network or the links are none for these gates.
    """
    links = usable(links, network_of(parameters, config.width))
    if links and not config.links:
        raise ConfigError("links: the gates are built for none; leave them out")
    program = program_of(parameters, config.width, geometry, links)
    if parameters.profile == spikey.PROFILE:
        own = _spikey_words(spikey.unpack(parameters, config.width), config, codes)
        order = spikey_sizes(config, geometry, codes)
    else:
        own = _full_words(full.unpack(parameters, config.width), config, links)
        order = full_sizes(config, geometry, len(own[Table.SHIFTS]))
    return words_of(
        {
            Table.GEOMETRY: geometry_words(config, geometry, codes),
            Table.NAME: name_words(parameters),
            **own,
            **array_words(program, links, config.channels),
            **({Table.LINKS: link_words(links, config.channels)} if config.links else {}),
        },
        order,
    )


def _spikey_words(tables: spikey.Tables, config: CodecConfig, codes: Shape) -> dict[Table, Sequence[int]]:
    """Words of the tables that only `spikey` has."""
    if (tables.coder == spikey.HUFFMAN) != bool(codes[0]):
        built = "a Huffman code" if codes[0] else "a Rice code"
        raise ConfigError(f"parameter table 'coder': {tables.coder}, the gates have {built}; give a set for it")
    if tables.level >> VALUE_BITS:
        raise ConfigError(f"parameter table 'level': {tables.level}; the gates take less than {1 << VALUE_BITS}")
    found: dict[Table, Sequence[int]] = {Table.LEVEL: [tables.level], Table.CODER: [tables.coder]}
    if codes[0]:
        found[Table.CHOICES] = choice_words(tables, config.width)
        found[Table.CODES] = table_words(tables, *codes)
    return found


def _full_words(tables: full.Tables, config: CodecConfig, links: Links) -> dict[Table, Sequence[int]]:
    """Words of the tables that only `full` has. Distributions beyond the last one are the last one."""
    own = tables.calibrated
    points = [tables.shapes[min(n, len(tables.shapes) - 1), 1:] for n in range(full.SHAPES)]
    found: dict[Table, Sequence[int]] = {
        Table.EDGES: own.edges.tolist(),
        Table.POINTS: np.concatenate(points).tolist(),
        Table.STEPS: ((own.steps[0] & 0xFF) | (own.steps[1] & 0xFF) << 8).tolist(),
        Table.WEIGHTS: own.weights[: None if config.links else -1].tolist(),
        Table.START: [own.start],
        Table.SHIFTS: own.shifts.tolist(),
    }
    if config.links:
        found[Table.PEERS] = [
            next((d for d, _ in partners if d > 0), 0) for partners in links or [()] * config.channels
        ]
    return found
