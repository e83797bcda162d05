"""Profile `full` of the second decoder, written from BITSTREAM.md alone (sections 6, 7, 10); slow and plain."""

from copy import copy
from typing import NamedTuple

from tests import page_calibrated, page_network
from tests.page_calibrated import Coder, Q, calibrated_set, rnd, sat
from tests.page_network import Memory, Network
from tests.page_reader import Reader, Shape, Table, require

PROFILE = 3
MOST_SHAPES = 8


class Tables(NamedTuple):
    """What a parameter set holds: that of `calibrated` once for each distribution, and the network."""

    each: list[page_calibrated.Tables]
    network: Network

    def serves(self, width: int) -> bool:
        """Whether the set is for codes of a width."""
        return self.each[0].serves(width)


def full_set(tables: dict[str, Table]) -> Tables:
    """Take a parameter set of `full` from its tables."""
    require(tables.keys() == page_network.FORMATS.keys() | page_calibrated.FORMATS.keys(), "tables of a parameter set")
    network = {name: tables[name] for name in page_network.FORMATS}
    for name, form in page_network.FORMATS.items():
        require(tables[name].form == form, f"format of table {name}")
    own = {name: tables[name] for name in page_calibrated.FORMATS}
    points = own["points"]
    require(points.form == (15, 15, 0, 2) and 1 <= points.sizes[0] <= MOST_SHAPES, "points")
    alone = (15, 15, 0, 1), points.sizes[1:]
    each = [calibrated_set({**own, "points": Table(*alone, row)}) for row in points.rows()]
    return Tables(each, page_network.read_network(network, outputs=3, contexts=2))


class Full(page_calibrated.Calibrated):
    """State of a stream of `full` from a key packet on."""

    def __init__(self, shape: Shape, tables: Tables) -> None:
        """Start as a key packet does."""
        links = shape.links or ((),) * shape.channels
        peers = tuple(next((d for d, _ in own if d > 0), 0) for own in links)
        super().__init__(shape._replace(peers=peers), tables.each[0])
        self.links, self.tables = links, tables
        self.origins = [0] * shape.channels
        self.memories = [Memory(tables.network, shape.width) for _ in range(shape.channels)]

    def code(self, number: int, peer: int, source: Reader | Coder) -> int:
        """Take the next code of a channel and update its state."""
        channel, width, e = self.channels[number], self.shape.width, 0
        if self.age:
            channel.predict(peer)
            partners = [(self.memories[number - d].latent, r) for d, r in self.links[number]]
            coded = self.corrected(channel, self.memories[number].expect(partners))
        if isinstance(source, Reader):
            code = source.bits(width)
        else:
            code = source.code(width, coded.even, coded.low) if self.age else source.as_it_is(width)
        if self.age:
            e = 16 * channel.value(code) - channel.mu
            channel.follow(code, peer, self.age)
        else:
            channel.last, channel.r = channel.value(code), 0
            self.origins[number] = channel.last
        node = rnd(e, 2)
        index = sat(rnd(channel.fast + channel.slow, 4), 0, channel.greatest)
        self.memories[number].take(
            [4 * (channel.last - self.origins[number]), node, abs(node)],
            (index >> 4) + 3,
            [4 * ((index & 15) - 8), channel.fast],
        )
        return code

    def corrected(self, channel: page_calibrated.Channel, out: list[int]) -> page_calibrated.Channel:
        """Give a channel with the place, scale and distribution that the network makes of its own."""
        coded, m = copy(channel), 1 << channel.width + 5
        coded.mu = sat(channel.mu + rnd(out[0] << channel.o + 3, 6), 1 - m, m - 1)
        index = sat(rnd(channel.fast + channel.slow + out[1], 4), 0, channel.greatest)
        coded.o, coded.q = index >> 4, Q[index & 15]
        coded.even = max(coded.o - 8, 0)
        points = self.tables.each[sat(rnd(out[2], 8), 0, len(self.tables.each) - 1)].points
        coded.g = [0, *points, points[-1]]
        return coded
