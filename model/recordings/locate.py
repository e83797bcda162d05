"""Where recordings come from: a folder of real ones if there is one, else the synthetic generator."""

import os
from pathlib import Path
from typing import Final

from model.formats.errors import FormatError
from model.recordings.synthetic import synthesise

VARIABLE: Final = "SPIKEY_RECORDINGS"


def folder() -> Path | None:
    """The folder of real recordings: `$SPIKEY_RECORDINGS`, else `../shared/recordings` beside a checkout, else None.

    Raises
    ------
    FormatError
        If the variable names something that is not a folder.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if not Path(named).is_dir():
            raise FormatError(f"{named}: {VARIABLE}: not a folder; name one with recordings, or unset it")
        return Path(named)
    root = Path(__file__).resolve().parents[2]
    beside = root.parent / "shared" / "recordings"
    return beside if (root / "pyproject.toml").is_file() and beside.is_dir() else None


def wav_files(path: Path) -> list[Path]:
    """The WAV files in a folder and the folders below it, sorted; [] if there is no such folder."""
    return sorted(p for p in path.rglob("*") if p.suffix.lower() == ".wav" and p.is_file())


def find(split: str | None = None) -> list[Path]:
    """The real recordings, sorted; those of the folder `split` ("train", "test") alone if it is given; [] if none."""
    root = folder()
    return [] if root is None else wav_files(root / split if split else root)


def default_recordings(directory: Path, split: str | None = None) -> list[Path]:
    """The real recordings if there are any, else synthetic ones, made anew in `directory`."""
    return find(split) or synthesise(directory, overwrite=True)
