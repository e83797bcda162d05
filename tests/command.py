"""What tests of the `spikey` command share besides fixtures."""

from collections.abc import Callable
from pathlib import Path

Spikey = Callable[..., str]  # runs a command; gives what it printed


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder."""
    found = sorted(folder.rglob("*"))
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in found}
