"""What goes into which stream of a container, and how: configuration, code width and parameter set of each."""

import dataclasses
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from model.codec import chain
from model.codec.compressor import encode
from model.formats import codes, wav
from model.formats.directory import FileEntry
from model.formats.errors import FormatError
from model.spec import operating, packet, shipped, spikey
from model.spec.calibrate import EDGE_FRACTION
from model.spec.config import CodecConfig, ConfigError, find_profile
from model.spec.network import MiddleOut
from model.spec.parameters import ParameterSet

CHUNK_SAMPLES: Final = 1 << 20  # of a file, read together: bounds memory
TRIAL_SAMPLES: Final = 1 << 14  # in which a converter's widths, worth 2 %, show beyond doubt
T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """A recording to pack.

    Parameters
    ----------
    path : Path
    name : str
        In the container; '' if the container's name carries it.
    peers : tuple of int
        For each channel, how many channels before it in its group its peer stands, whose samples tell something of
        those at the same instant; 0 if it has none. Empty: no channel has one.
    links : tuple of tuple of Link
        For each channel, its partners in its group, for profiles that have links instead. Empty: no channel has one.
    """

    path: Path
    name: str
    peers: tuple[int, ...] = ()
    links: packet.Links = ()


@dataclass(frozen=True)
class Recording:
    """What a first look at a file tells; its samples stay on disk."""

    path: Path
    entry: FileEntry  # without its place in a stream

    def frames(self, start: int, stop: int) -> np.ndarray:
        """Samples, shape (up to stop - start, channels)."""
        entry = self.entry
        stop = min(stop, entry.frames)
        count = max(0, stop - start) * entry.channels
        offset = len(entry.head) + start * entry.channels * entry.dtype.itemsize
        found = np.fromfile(self.path, entry.dtype, count, offset=offset) if count else np.zeros(0, entry.dtype)
        if len(found) != count:
            raise FormatError(f"{self.path}: data: became shorter while it was read; compress it again")
        return found.reshape(-1, entry.channels)


@dataclass(frozen=True)
class Plan:
    """One stream before it is compressed: its recordings, configuration and parameter set."""

    members: tuple[Recording, ...]
    config: CodecConfig
    parameters: ParameterSet | None

    @property
    def mapping(self) -> codes.Mapping:
        """From samples to codes."""
        return self.members[0].entry.mapping

    @property
    def rate(self) -> int:
        """Frames a second."""
        return self.members[0].entry.rate

    @property
    def ends(self) -> tuple[int, ...]:
        """Frames after which each channel has ended."""
        return tuple(m.entry.frames for m in self.members for _ in range(m.entry.channels))

    @property
    def frames(self) -> int:
        """Frames of its longest recording."""
        return max(self.ends)

    @property
    def samples(self) -> int:
        """Samples of all channels."""
        return sum(self.ends)


def _look(source: Source) -> Recording:
    found = wav.read(source.path)
    crc = zlib.crc32(found.head)
    flat = found.samples.reshape(-1)
    for start in range(0, flat.size, CHUNK_SAMPLES):
        crc = zlib.crc32(flat[start : start + CHUNK_SAMPLES].tobytes(), crc)
    crc = zlib.crc32(found.tail, crc)
    mapping = codes.recognise(found.samples)
    frames, channels = found.samples.shape
    return Recording(
        source.path,
        FileEntry(source.name, 0, 0, channels, frames, found.rate, found.bits, mapping, found.head, found.tail, crc),
    )


def _alike(group: Sequence[Recording]) -> Iterator[list[int]]:
    """Split a group, by numbers, into streams of one rate and one kind of mapping."""
    found: dict[tuple[int, str], list[int]] = {}
    for number, recording in enumerate(group):
        found.setdefault((recording.entry.rate, recording.entry.mapping.kind), []).append(number)
    yield from found.values()


def _of_group(sources: Sequence[Source], group: Sequence[Recording], field: str, nothing: T) -> list[T]:
    """What the sources of a group say in `field` of all its channels; `nothing` where they say nothing."""
    found: list[T] = []
    for source, recording in zip(sources, group, strict=True):
        own, channels = getattr(source, field), recording.entry.channels
        if own and len(own) != channels:
            raise ConfigError(f"{source.path}: {field}: {len(own)} for {channels} channels; give one each")
        found += own or (nothing,) * channels
    return found


class _Partners:
    """Peers and links of all channels of a group."""

    def __init__(self, sources: Sequence[Source], group: Sequence[Recording]) -> None:
        self._firsts = np.cumsum([0, *(recording.entry.channels for recording in group)]).tolist()
        self._peers = _of_group(sources, group, "peers", 0)
        self._links: list[tuple[packet.Link, ...]] = _of_group(sources, group, "links", ())

    def of_stream(self, members: Sequence[int]) -> tuple[tuple[int, ...], packet.Links]:
        """Those of a stream of `members`; one that is in another stream, or too far away, is none."""
        channels = [c for number in members for c in range(self._firsts[number], self._firsts[number + 1])]
        place = {channel: at for at, channel in enumerate(channels)}

        def moved(channel: int, distance: int) -> int:
            return place[channel] - place.get(channel - distance, place[channel])

        found = [moved(channel, self._peers[channel]) for channel in channels]
        peers = tuple(distance if distance <= packet.MAX_PEER else 0 for distance in found)
        links = []
        for channel in channels:
            own = [packet.Link(moved(channel, distance), r) for distance, r in self._links[channel]]
            links.append(tuple(link for link in own if 0 < abs(link.distance) <= packet.MAX_DISTANCE))
        return peers if any(peers) else (), tuple(links) if any(links) else ()


def _own_width(parameters: ParameterSet) -> int | None:
    """The code width that a set calibrates; None if it fits any."""
    form, edges = parameters.tables.get("edges", (None, ()))
    return form.width - EDGE_FRACTION if form is not None and len(edges) else None


def _mapping(members: Sequence[Recording], parameters: ParameterSet | None) -> codes.Mapping:
    """The one mapping of a stream: where its codes need fewer bits than the set calibrates, they get as many."""
    mapping = codes.join(m.entry.mapping for m in members)
    own = _own_width(parameters) if parameters else None
    if own is None or mapping.kind != "linear" or mapping.width >= own:
        return mapping
    return codes.Mapping("linear", own, min(mapping.shift, codes.SAMPLE_BITS - own))


def configure(
    profile: str,
    channels: int,
    width: int,
    rate: int,
    *,
    live: bool = False,
    peers: tuple[int, ...] = (),
    links: packet.Links = (),
    options: Mapping[str, Any] | None = None,
) -> CodecConfig:
    """The configuration of a stream: an operating point, with `options` (fields of `CodecConfig`) over it.

    A live stream goes without peers, and with fewer links or none, where they would make its key packets late.

    Raises
    ------
    ConfigError
        If the result is not possible, or `options` names an unknown field or one that the recordings fix.
    """
    for field in ("profile", "channels", "width", "peers", "links"):
        if options and field in options:
            raise ConfigError(f"{field}: follows from the recordings and the profile; leave it out")
    base = (operating.live if live else operating.archive)(profile, channels, width, rate)
    found, most = find_profile(profile), max(map(len, links), default=0)
    helped = [dataclasses.replace(base, peers=peers)] if found.peers and peers else []
    for kept in range(most, 0, -1) if found.links else ():
        helped.append(dataclasses.replace(base, links=tuple(own[:kept] for own in links)))
    in_time = (one for one in helped if not live or operating.worst_latency(one, rate) < operating.LIVE_LATENCY)
    base = next(in_time, base)
    return CodecConfig.from_mapping({**dataclasses.asdict(base), **(options or {})})


def plan(
    groups: Sequence[Sequence[Source]],
    *,
    profile: str,
    live: bool = False,
    options: Mapping[str, Any] | None = None,
    parameters: ParameterSet | None = None,
) -> list[Plan]:
    """Look at all recordings and settle the streams.

    Parameters
    ----------
    groups, profile, live, options, parameters
        As in `model.formats.pack.pack`.

    Raises
    ------
    FormatError
        If a recording cannot be read.
    ConfigError
        If profile, options or partners are not possible, or the parameter set does not fit a recording.
    """
    found = []
    for sources in groups:
        group = [_look(source) for source in sources]
        partners = _Partners(sources, group)
        for numbers in _alike(group):
            mapping = _mapping([group[n] for n in numbers], parameters)
            members = tuple(
                dataclasses.replace(group[n], entry=dataclasses.replace(group[n].entry, mapping=mapping))
                for n in numbers
            )
            peers, links = partners.of_stream(numbers)
            config = configure(
                profile,
                sum(m.entry.channels for m in members),
                mapping.width,
                members[0].entry.rate,
                live=live,
                peers=peers,
                links=links,
                options=options,
            )
            own = _parameters(members, config, parameters)
            if config.links and own is not None and not _asks_partners(own, config.width):
                config = dataclasses.replace(config, links=())
            found.append(Plan(members, config, own))
    return found


def _asks_partners(parameters: ParameterSet, width: int) -> bool:
    """Whether anything in the chain of a set looks at a channel's partners."""
    if parameters.profile != spikey.PROFILE:
        return True
    return spikey.unpack(parameters, width).network.form != MiddleOut.NONE


def _shipped(recording: Recording, profile: str) -> ParameterSet:
    """The shipped set: even edges, but on the 10-bit lattice the one that makes less of a recording's begin."""
    even = shipped.default(profile)
    mapping, channels = recording.entry.mapping, recording.entry.channels
    lattice = shipped.default(profile, lattice=True)
    if mapping.kind != "lattice" or lattice is even:
        return even
    begin = mapping.to_codes(recording.frames(0, -(-TRIAL_SAMPLES // channels)))
    config = operating.archive(profile, channels, mapping.width)
    return min((lattice, even), key=lambda p: len(encode(begin, config, parameters=p)))


def _parameters(members: Sequence[Recording], config: CodecConfig, given: ParameterSet | None) -> ParameterSet | None:
    """The set of a stream: the one given, which must fit, or the shipped one that suits its codes."""
    if given is None and find_profile(config.profile).parameterised:
        return _shipped(max(members, key=lambda member: member.entry.frames), config.profile)
    try:
        found = chain.resolve(config, given)
        chain.factory(config, found, np.zeros(config.channels, np.int64))
    except ConfigError as error:
        raise ConfigError(f"{members[0].path}: {error}") from None
    return found
