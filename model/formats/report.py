"""What decoding found."""

from dataclasses import dataclass


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
