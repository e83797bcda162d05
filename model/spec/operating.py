"""Operating points: how long packets are, in files (`archive`) and on a link (`live`)."""

from typing import Final

from model.spec import packet
from model.spec.config import CodecConfig, ConfigError, find_profile

DEFAULT_RATE: Final = 19531  # samples a second and channel of the recordings this project grew up with
ARCHIVE_SECONDS: Final = (21, 20)  # between key packets: 1.05 s, so that a 5 s recording has 5 and no short sixth
ARCHIVE_PACKET_SAMPLES: Final = 1 << 20  # bounds the memory of one packet; still 0.003 % of headers
LIVE_LATENCY: Final = 1e-3  # seconds from a sample's acceptance to its packet's last byte
LIVE_KEY_SECONDS: Final = (1, 10)
LINK_BYTES: Final = 20_250_000  # a second: one byte a clock at 20.25 MHz
PIPELINE_CLOCKS: Final = 16  # from the last sample of a packet to its first byte, bounded by a test of the gates


def archive(profile: str, channels: int, width: int, rate: int = DEFAULT_RATE) -> CodecConfig:
    """Configuration for files: long packets, a key packet about every second.

    Parameters
    ----------
    profile : str
    channels, width : int
    rate : int
        Frames a second.
    """
    key_frames = max(1, rate * ARCHIVE_SECONDS[0] // ARCHIVE_SECONDS[1])
    frames = max(1, min(key_frames, ARCHIVE_PACKET_SAMPLES // channels, packet.MAX_FRAMES))
    lanes = find_profile(profile).lanes[0]
    return CodecConfig(profile, channels, width, frames, max(1, round(key_frames / frames)), lanes)


def worst_latency(config: CodecConfig, rate: int = DEFAULT_RATE, link: int = LINK_BYTES, banks: int = 2) -> float:
    """Seconds from acceptance of a packet's first sample to its last byte, by arithmetic, whatever the samples are.

    The packet fills for `packet_frames / rate`. Then it drains at `link` bytes a second, one a clock, in the worst
    case stored raw. With less than two clocks a sample, words that are written meanwhile can hold reading up, a clock
    each. If draining takes longer than filling, packets queue: all banks before it are drained first, and what finds
    none free is dropped.

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
    overhead = packet.overhead_bytes(key=True, parameter_set=parameterised, peers=len(config.peers))
    clocks = overhead + config.raw_bytes(config.packet_frames)
    if link < 2 * rate * config.channels:
        clocks += (banks - 1) * -(-config.raw_bytes(config.packet_frames) // 4)
    drain = (clocks + PIPELINE_CLOCKS) / link
    wait = fill if drain <= fill else max(fill, (banks - 1) * drain)
    return wait + drain


def live(profile: str, channels: int, width: int, rate: int = DEFAULT_RATE, link: int = LINK_BYTES) -> CodecConfig:
    """Configuration for a link: the longest packet whose worst latency, with two banks, stays below 1 ms.

    Raises
    ------
    ConfigError
        If not even packets of one frame are quick enough.
    """
    lanes = find_profile(profile).lanes[0]

    def of(frames: int) -> CodecConfig:
        interval = max(1, rate * LIVE_KEY_SECONDS[0] // LIVE_KEY_SECONDS[1] // frames)
        return CodecConfig(profile, channels, width, frames, interval, lanes)

    frames = max(1, int(LIVE_LATENCY * rate) + 1)
    while frames > 1 and worst_latency(of(frames), rate, link) >= LIVE_LATENCY:
        frames -= 1
    if worst_latency(of(frames), rate, link) >= LIVE_LATENCY:
        raise ConfigError(
            f"live: {channels} channels at {rate} Hz cannot stay below {LIVE_LATENCY * 1e3:g} ms; use fewer channels"
        )
    return of(frames)
