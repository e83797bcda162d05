"""What decoding found (`Report`) and what a container's bytes are spent on (`Ledger`)."""

from dataclasses import dataclass, field, fields


@dataclass(frozen=True)
class FileGap:
    """Frames of one file that are not the original's: `start`, `frames`, the file's `rate` in Hz, and why."""

    file: str
    start: int
    frames: int
    rate: int
    reason: str

    def __str__(self) -> str:
        seconds = f"{self.frames / self.rate:.3f} s at {self.start / self.rate:.3f} s"
        return f"{self.file}: frames {self.start} to {self.start + self.frames} ({seconds}), {self.reason}"


@dataclass(frozen=True)
class ByteRange:
    """Bytes of the container that belong to no intact packet."""

    offset: int
    size: int

    def __str__(self) -> str:
        return f"bytes {self.offset} to {self.offset + self.size}"


@dataclass(frozen=True)
class Report:
    """The outcome of decoding a container.

    Parameters
    ----------
    files : tuple of str
        Files decoded, or the paths written.
    samples : int
        Samples decoded, all channels.
    gaps : tuple of FileGap
        What is missing from the files.
    damage : tuple of ByteRange
        Where the container is damaged.
    """

    files: tuple[str, ...]
    samples: int
    gaps: tuple[FileGap, ...] = ()
    damage: tuple[ByteRange, ...] = ()

    @property
    def ok(self) -> bool:
        """Every file is the original, and no byte of the container is damaged."""
        return not self.gaps and not self.damage

    def __str__(self) -> str:
        count = f"{len(self.files)} file{'s' if len(self.files) != 1 else ''}"
        if self.ok:
            return f"{count} intact"
        hurt = len({gap.file for gap in self.gaps})
        where = ", ".join(map(str, self.damage[:4])) + (", ..." if len(self.damage) > 4 else "")
        missing = "; ".join(map(str, self.gaps[:4])) + ("; ..." if len(self.gaps) > 4 else "")
        parts = [
            f"{count}, {hurt} damaged",
            *([f"damage at {where}"] if where else []),
            *([missing] if missing else []),
        ]
        return ": ".join(parts[:1]) + "; " + "; ".join(parts[1:])


@dataclass
class Ledger:
    """Bytes of a container by purpose (they add up to the file's size) and its packets by kind.

    Parameters
    ----------
    container : int
        Magic, version, directory and its CRC-32.
    packet_headers, header_checks, packet_checks : int
        Headers without their check, the header checks, and the packets' CRC-32s.
    payload_coded, payload_raw : int
        Payloads of coded packets and of packets stored raw.
    damaged : int
        Bytes that belong to no intact packet.
    packets, key_packets, raw_packets : int
        Counts.
    """

    container: int = 0
    packet_headers: int = 0
    header_checks: int = 0
    packet_checks: int = 0
    payload_coded: int = 0
    payload_raw: int = 0
    damaged: int = 0
    packets: int = field(default=0, metadata={"count": True})
    key_packets: int = field(default=0, metadata={"count": True})
    raw_packets: int = field(default=0, metadata={"count": True})

    @property
    def total(self) -> int:
        """All bytes: the size of the container."""
        return sum(getattr(self, f.name) for f in fields(self) if not f.metadata)

    def __add__(self, other: "Ledger") -> "Ledger":
        return Ledger(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))
