"""Operating points: how long packets are, in files (`archive`) and on a link (`live`)."""

from typing import Final

from model.spec import packet
from model.spec.config import CodecConfig, ConfigError, find_profile

DEFAULT_RATE: Final = 19531  # samples a second and channel of the recordings this project grew up with
ARCHIVE_SECONDS: Final = (21, 20)  # between key packets, at least
ARCHIVE_KEY_SAMPLES: Final = 1 << 18  # between key packets, at least: to enter a file costs some 20 ms of decoding
ARCHIVE_PACKET_SAMPLES: Final = 1 << 20  # bounds the memory of one packet; still 0.003 % of headers
LIVE_LATENCY: Final = 1e-3  # seconds from a sample's acceptance to its packet's last byte
CODER_CLOCKS: Final = 4  # from a sample to the next one of the same lane, at least, in the gates
ARRAY_FRAMES: Final = 2  # frame times from a sample to its residual, at most, in gates with an array for networks
LINK_BYTES: Final = 20_250_000  # a second: one byte a clock at 20.25 MHz
PIPELINE_CLOCKS: Final = 64  # from the last sample of a packet to its first byte, and between its lanes, at most


def has_array(profile: str) -> bool:
    """Whether the gates of a profile have an array for networks."""
    return "network" in find_profile(profile).stages


def archive(profile: str, channels: int, width: int, rate: int = DEFAULT_RATE) -> CodecConfig:
    """Configuration for files: long packets, a key packet every 2**18 samples, but not more often than every 1.05 s.

    What it costs, measured on every sixth training recording, alone in its stream, in profile `calibrated`: a key
    packet every 1.05 s 0.20 %, of which restarts 0.02 % and headers the rest; every 2.1 s 0.08 %; every 3.5 s 0.06 %.

    Parameters
    ----------
    profile : str
    channels, width : int
    rate : int
        Frames a second.
    """
    key_frames = max(1, rate * ARCHIVE_SECONDS[0] // ARCHIVE_SECONDS[1], ARCHIVE_KEY_SAMPLES // channels)
    frames = max(1, min(key_frames, ARCHIVE_PACKET_SAMPLES // channels, packet.MAX_FRAMES))
    lanes = find_profile(profile).lanes[0]
    return CodecConfig(profile, channels, width, frames, max(1, round(key_frames / frames)), lanes)


def worst_latency(config: CodecConfig, rate: int = DEFAULT_RATE, link: int = LINK_BYTES, banks: int = 2) -> float:
    """Seconds from acceptance of a packet's first sample to its last byte, by arithmetic, whatever the samples are.

    The packet fills for `packet_frames / rate`. In profiles with a network, which works on a frame when it has come,
    the last samples are coded up to `ARRAY_FRAMES` frame times later. Then the packet drains at `link` bytes a second,
    one a clock, in the worst case stored raw. With less than two clocks a sample, or behind a network, words that are
    written meanwhile can hold reading up, a clock each. If draining takes longer than filling, packets queue: all banks
    before it are drained first, and what finds none free is dropped.

    Parameters
    ----------
    config : CodecConfig
    rate : int
        Frames a second.
    link : int
        Bytes, and clocks, a second.
    banks : int
        Packets that the output buffer holds.
    """
    fill = config.packet_frames / rate
    parameterised = find_profile(config.profile).parameterised
    peers, links = len(config.peers), packet.links_bytes(config.links)
    overhead = packet.overhead_bytes(key=True, parameter_set=parameterised, peers=peers, links=links)
    clocks = overhead + config.raw_bytes(config.packet_frames)
    late = ARRAY_FRAMES / rate if has_array(config.profile) else 0
    if link < 2 * rate * config.channels or late:
        clocks += (banks - 1) * -(-config.raw_bytes(config.packet_frames) // 4)
    drain = (clocks + PIPELINE_CLOCKS) / link
    wait = fill if drain <= fill else max(fill, (banks - 1) * drain)
    return wait + late + drain


def live(
    profile: str,
    channels: int,
    width: int,
    rate: int = DEFAULT_RATE,
    link: int = LINK_BYTES,
    peers: tuple[int, ...] = (),
    links: packet.Links = (),
) -> CodecConfig:
    """Configuration for a link: the longest packet whose worst latency, with two banks, stays below 1 ms.

    Lanes are as few as the gates can do with: a sample of each lane every `CODER_CLOCKS` clocks at most. Key packets
    come as often as the profile bears, see `model.spec.profiles`. `peers` and `links`, as in `CodecConfig`, make
    key packets longer.

    Raises
    ------
    ConfigError
        If not even packets of one frame are quick enough.
    """
    found = find_profile(profile)
    enough = [lanes for lanes in found.lanes if lanes * link >= CODER_CLOCKS * channels * rate]
    lanes = enough[0] if enough else found.lanes[-1]

    def of(frames: int) -> CodecConfig:
        interval = max(1, rate // (found.live_keys * frames))
        return CodecConfig(profile, channels, width, frames, interval, lanes, peers, links)

    frames = max(1, int(LIVE_LATENCY * rate) + 1)
    while frames > 1 and worst_latency(of(frames), rate, link) >= LIVE_LATENCY:
        frames -= 1
    if worst_latency(of(frames), rate, link) >= LIVE_LATENCY:
        fewest = 1 + ARRAY_FRAMES * has_array(profile)
        mend = "use fewer channels" if LIVE_LATENCY * rate > fewest else "a frame alone takes longer; leave it out"
        raise ConfigError(f"live: {channels} channels at {rate} Hz cannot stay below {LIVE_LATENCY * 1e3:g} ms; {mend}")
    return of(frames)
