"""What loads a set of profile `spikey` or `full` into the gates: microcode compiled for them, and all other tables."""

import zlib
from collections.abc import Sequence
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
        more = {"outputs": full.OUTPUTS, "contexts": full.CONTEXTS, "residuals": True}
        return Geometry(8, cores, slots, fields=1024, steps=256, results=128, loaded=16, **more)
    return Geometry(4, cores, slots, fields=256, steps=256, results=128, loaded=16)


def usable(links: Links, network: Network) -> Links:
    """The links that a stream bears: none if the set's network has no MiddleOut."""
    return () if network.form == MiddleOut.NONE else links


def program_of(parameters: ParameterSet, width: int, geometry: Geometry, links: Links = ()) -> Program:
    """The program of a set's network for channels with these links."""
    network = network_of(parameters, width)
    return compile_network(network, geometry, width, max(map(len, usable(links, network)), default=0))


def geometry_words(geometry: Geometry, codes: Shape) -> tuple[int, ...]:
    """What gates are built for."""
    return (*geometry.words, *codes)


def table_sizes(config: CodecConfig, geometry: Geometry, codes: Shape = NO_CODES) -> dict[Table, int]:
    """Words of each table of an image of profile `spikey`, in their order."""
    return {
        Table.GEOMETRY: len(geometry_words(geometry, codes)),
        Table.NAME: NAME_WORDS,
        Table.LEVEL: 1,
        Table.CODER: 1,
        **sizes(geometry),
        **({Table.LINKS: links_words(config)} if config.links else {}),
        **({Table.CHOICES: huffman_spec.LEVELS, Table.CODES: 2 * codes[0] * codes[1]} if codes[0] else {}),
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


def words_of(tables: dict[Table, Sequence[int]]) -> np.ndarray:
    """The image of these tables: words of 16 bits, and a CRC-32 of all of them; uint16."""
    words = np.concatenate([np.asarray(table, np.int64) for table in tables.values()])
    data = (words & 0xFFFF).astype("<u2").tobytes()
    return np.frombuffer(data + zlib.crc32(data).to_bytes(PACKET_CHECK_BYTES, "little"), "<u2")


def name_words(parameters: ParameterSet) -> list[int]:
    """Words of `Table.NAME`."""
    return np.frombuffer(parameters.identifier.to_bytes(PARAMETER_SET.bytes, "little"), "<u2").tolist()


def image(
    parameters: ParameterSet, config: CodecConfig, geometry: Geometry, links: Links = (), codes: Shape = NO_CODES
) -> np.ndarray:
    """What loads a set of profile `spikey`: words of 16 bits, uint16, the tables in the order of `table_sizes`.

    Parameters
    ----------
    parameters : ParameterSet
    config : CodecConfig
        That the gates are built for.
    geometry : Geometry
    links : tuple of tuple of Link
        Of each channel; empty if no channel has one. Gates without links take none.
    codes : (tables, symbols)
        Room for Huffman codes; (0, 0) in gates with a Rice code.

    Raises
    ------
    ConfigError
        If the set, its network or the links are none for these gates.
    """
    tables = spikey.unpack(parameters, config.width)
    links = usable(links, tables.network)
    if links and not config.links:
        raise ConfigError("links: the gates are built for none; leave them out")
    if (tables.coder == spikey.HUFFMAN) != bool(codes[0]):
        built = "a Huffman code" if codes[0] else "a Rice code"
        raise ConfigError(f"parameter table 'coder': {tables.coder}, the gates have {built}; give a set for it")
    if tables.level >> VALUE_BITS:
        raise ConfigError(f"parameter table 'level': {tables.level}; the gates take less than {1 << VALUE_BITS}")
    program = program_of(parameters, config.width, geometry, links)
    found: dict[Table, Sequence[int]] = {
        Table.GEOMETRY: geometry_words(geometry, codes),
        Table.NAME: name_words(parameters),
        Table.LEVEL: [tables.level],
        Table.CODER: [tables.coder],
        **array_words(program, links, config.channels),
    }
    if config.links:
        found[Table.LINKS] = link_words(links, config.channels)
    if codes[0]:
        found[Table.CHOICES] = choice_words(tables, config.width)
        found[Table.CODES] = table_words(tables, *codes)
    return words_of(found)
