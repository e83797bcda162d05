"""`CodecConfig`: everything that fixes the bytes of a stream, validated once."""

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from model.spec import packet
from model.spec.profiles import PROFILES, Profile

MIN_WIDTH = 8
MAX_WIDTH = 16


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the field and the mend."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the known spelling closest to `name`, or lists them all."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known are: {', '.join(known)}"


def find_profile(name: str) -> Profile:
    """The profile called `name`; raises `ConfigError` with the nearest known name."""
    if name not in PROFILES:
        raise ConfigError(f"profile: '{name}' is not known; {nearest(name, PROFILES)}")
    return PROFILES[name]


@dataclass(frozen=True)
class CodecConfig:
    """The shape of one stream.

    Parameters
    ----------
    profile : str
        A name from `PROFILES`.
    channels : int
        Channels sampled together, 1 to 65536 (the hardware takes up to 1024).
    width : int
        Bits of a sample's code, 8 to 16.
    packet_frames : int
        Frames in a packet, 1 to 65535; the stored form of a packet must fit its 24-bit length.
    key_interval : int
        Every `key_interval`-th packet is a key packet.
    lanes : int
        Coder lanes, one of the profile's.
    peers : tuple of int
        For each channel, how many channels before it in the frame its peer stands, 1 to 255, or 0 if it has none; empty
        if no channel has a peer, never all 0.
    links : tuple of tuple of Link
        For each channel, up to `profile.links` partners, none twice; empty if no channel has one, never all empty. See
        `model.spec.packet.Link`.

    Raises
    ------
    ConfigError
        If a value is out of range, of the wrong type, or the profile is unknown.
    """

    profile: str = "tiny"
    channels: int = 1
    width: int = 10
    packet_frames: int = 20480
    key_interval: int = 1
    lanes: int = 1
    peers: tuple[int, ...] = ()
    links: packet.Links = ()

    def __post_init__(self) -> None:
        profile = find_profile(self.profile)
        limits = {
            "channels": (1, packet.MAX_CHANNELS),
            "width": (MIN_WIDTH, MAX_WIDTH),
            "packet_frames": (1, packet.MAX_FRAMES),
            "key_interval": (1, 1 << 32),
        }
        for field, (low, high) in limits.items():
            value = getattr(self, field)
            if not isinstance(value, int) or isinstance(value, bool):
                raise ConfigError(f"{field}: {value!r} is not a whole number; give one from {low} to {high}")
            if not low <= value <= high:
                raise ConfigError(f"{field}: {value} is out of range; give {low} to {high}")
        if self.lanes not in profile.lanes:
            allowed = ", ".join(map(str, profile.lanes))
            raise ConfigError(f"lanes: {self.lanes} is not possible in profile '{self.profile}'; it has {allowed}")
        self._check_peers(profile)
        self._check_links(profile)
        if self.raw_bytes(self.packet_frames) > packet.MAX_LENGTH:
            most = packet.MAX_LENGTH * 8 // (self.channels * self.width)
            raise ConfigError(
                f"packet_frames: {self.packet_frames} frames of {self.channels} channels do not fit a packet; "
                f"give at most {most}"
            )

    def _check_peers(self, profile: Profile) -> None:
        if not self.peers:
            return
        if not profile.peers:
            raise ConfigError(f"peers: profile '{self.profile}' has none; leave them out")
        if not any(self.peers):
            raise ConfigError("peers: no channel has one; leave them out")
        if len(self.peers) != self.channels:
            raise ConfigError(f"peers: {len(self.peers)} values for {self.channels} channels; give one each, or none")
        for channel, distance in enumerate(self.peers):
            if not 0 <= distance <= min(channel, packet.MAX_PEER):
                raise ConfigError(
                    f"peers: channel {channel} has its peer {distance} channels before it; "
                    f"give 0 to {min(channel, packet.MAX_PEER)}"
                )

    def _check_links(self, profile: Profile) -> None:
        if not self.links:
            return
        if not profile.links:
            raise ConfigError(f"links: profile '{self.profile}' has none; leave them out")
        fault = packet.links_fault(self.links, self.channels)
        if fault:
            raise ConfigError(f"links: {fault}")

    def raw_bytes(self, frames: int) -> int:
        """Bytes of `frames` whole frames stored raw."""
        return packet.raw_bytes(frames, self.channels, self.width)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Self:
        """Build from plain values; an unknown key is refused with the nearest known one."""
        known = [f.name for f in dataclasses.fields(cls)]
        for key in mapping:
            if key not in known:
                raise ConfigError(f"{key}: not a field of the codec's configuration; {nearest(str(key), known)}")
        return cls(**mapping)
