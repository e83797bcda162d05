"""Other compressors on the same recordings: FLAC, WavPack and xz, each decoded and compared.

Each takes part twice: on the WAV file as it is, and on the codes that spikey itself recognises in it, written as 16-bit
samples around 0. Codes are what these compressors do best with: a recording of a 10-bit converter that was scaled to 16
bits has no zero low bits that they could find. WavPack loses 2 % where mid-scale is not 0; FLAC minds neither that nor
zero low bits, but writes 8 KiB of padding, 12 % of a short recording, unless told not to.

All bytes that they write count. The way from codes back to samples is a constant of a few bytes; it is not counted, nor
is the time to make codes, both in favour of the others.

A compressor that is not there, or cannot take a recording, has a row that says so.
"""

import dataclasses
import lzma
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from model.bench.figures import Figures, Row
from model.bench.files import Progress
from model.formats import wav
from model.formats.codes import Mapping, recognise
from model.formats.errors import FormatError

_T = TypeVar("_T")
Step = Callable[[Path, Path], object]  # reads the first path, writes the second


class OtherError(ValueError):
    """Another compressor did not give the recording back; the message says which recording and why."""


@dataclass(frozen=True)
class Other:
    """A compressor to compare with.

    Parameters
    ----------
    title : str
        Its name and its setting.
    encode, decode : callable
        Read the first path and write the second.
    commands : tuple of str
        What must be installed for it.
    package : str
        Where apt has the commands.
    on_codes : bool
        Whether it is given codes, or the WAV file as it is.
    """

    title: str
    encode: Step
    decode: Step
    commands: tuple[str, ...] = ()
    package: str = ""
    on_codes: bool = False

    @property
    def name(self) -> str:
        """What its row is called."""
        return f"{self.title} on codes" if self.on_codes else self.title

    def absent(self) -> str | None:
        """Why it cannot take part, or None."""
        missing = [command for command in self.commands if shutil.which(command) is None]
        return f"no command '{missing[0]}'; install it with: apt install {self.package}" if missing else None

    def version(self) -> str | None:
        """What its command says of itself, such as 'flac 1.4.2'; None where there is no command."""
        if not self.commands or self.absent():
            return None
        said = subprocess.run([self.commands[0], "--version"], check=False, capture_output=True, text=True)
        return said.stdout.partition("\n")[0].strip() or None


@dataclass(frozen=True)
class Missing:
    """The row of a compressor that has no figures, and the reason."""

    name: str
    reason: str

    def to_json(self) -> dict[str, str]:
        """Plain values."""
        return {"name": self.name, "missing": self.reason}


def _command(*words: str) -> Step:
    """A command whose words `{in}` and `{out}` stand for the paths."""

    def call(source: Path, out: Path) -> None:
        paths = {"{in}": str(source), "{out}": str(out)}
        done = subprocess.run([paths.get(word, word) for word in words], check=False, capture_output=True)
        if done.returncode:
            said = done.stderr.decode(errors="backslashreplace").split("\n")
            last = next((line.strip() for line in reversed(said) if line.strip()), "it says nothing")
            raise OtherError(f"'{words[0]}' ended with {done.returncode}: {last}")

    return call


def _both(other: Other) -> tuple[Other, Other]:
    return other, dataclasses.replace(other, on_codes=True)


FLAC: Final = _both(
    Other(
        "flac -8",
        _command("flac", "-8", "--no-padding", "--silent", "--force", "-o", "{out}", "{in}"),
        _command("flac", "--decode", "--silent", "--force", "-o", "{out}", "{in}"),
        ("flac",),
        "flac",
    )
)
WAVPACK: Final = _both(
    Other(
        "wavpack -hh",
        _command("wavpack", "-hh", "-q", "-y", "{in}", "-o", "{out}"),
        _command("wvunpack", "-q", "-y", "{in}", "-o", "{out}"),
        ("wavpack", "wvunpack"),
        "wavpack",
    )
)
XZ: Final = _both(
    Other(
        "xz -6",
        lambda source, out: out.write_bytes(lzma.compress(source.read_bytes(), preset=6)),
        lambda source, out: out.write_bytes(lzma.decompress(source.read_bytes())),
    )
)
OTHERS: Final = (*FLAC, *WAVPACK, *XZ)


@dataclass(frozen=True, eq=False)
class _Task:
    """One recording on its way through a compressor, in a folder of its own."""

    other: Other
    recording: wav.Wav
    mapping: Mapping
    folder: Path

    @classmethod
    def prepare(cls, other: Other, path: Path, folder: Path) -> "_Task":
        recording = wav.read(path)
        task = cls(other, recording, recognise(recording.samples), folder)
        folder.mkdir()
        if other.on_codes:
            codes = task.mapping.to_codes(recording.samples).astype(np.int32) - task.mapping.middle
            task.given.write_bytes(wav.to_bytes(codes.astype(np.int16), recording.rate))
        return task

    @property
    def given(self) -> Path:
        """What the compressor reads; an absolute path, so that it is never taken for an option."""
        return self.folder / "codes.wav" if self.other.on_codes else self.recording.path.absolute()

    @property
    def packed(self) -> Path:
        return self.folder / "packed.wv"

    @property
    def restored(self) -> Path:
        return self.folder / "restored.wav"

    def encode(self) -> None:
        self.other.encode(self.given, self.packed)

    def decode(self) -> None:
        self.other.decode(self.packed, self.restored)

    def figures(self) -> Figures:
        """Compare, and count; raises `OtherError` if a sample, or the number of samples, is another."""
        original = self.recording.samples
        try:
            found = wav.read(self.restored).samples
            if self.other.on_codes:
                found = self.mapping.to_samples(found.astype(np.int32) + self.mapping.middle, original.dtype)
        except (FormatError, IndexError):
            raise OtherError("what comes back is no such recording") from None
        if not np.array_equal(found, original):
            raise OtherError("other samples come back")
        size, written = self.recording.path.stat().st_size, self.packed.stat().st_size
        return Figures(original.size, size, original.size * self.mapping.width, written)

    def run(self, step: Callable[["_Task"], _T]) -> _T:
        """Do one step; an `OtherError` names the recording."""
        try:
            return step(self)
        except OtherError as error:
            raise OtherError(f"{self.recording.path}: {error}") from None


def measure(
    other: Other, paths: Sequence[Path], scratch: Path, *, jobs: int = 1, progress: Progress | None = None
) -> Row | Missing:
    """Encode, decode and compare every recording by itself.

    Parameters
    ----------
    other : Other
    paths : sequence of Path
        WAV files.
    scratch : Path
        A folder; nothing stays in it.
    jobs : int
        Recordings worked on at the same time; such a batch takes as long as the slowest of it, each way.
    progress : callable, optional
        Called with the number of further recordings done.

    Returns
    -------
    Row or Missing
        `Missing` if its commands are not installed, or if one recording failed or did not come back equal.

    Raises
    ------
    FormatError
        If spikey itself cannot read a recording.
    """
    if reason := other.absent():
        return Missing(other.name, reason)
    figures, seconds = Figures(), [0.0, 0.0]
    for start in range(0, len(paths), jobs):
        batch = paths[start : start + jobs]
        with tempfile.TemporaryDirectory(dir=scratch) as folder, ThreadPoolExecutor(jobs) as pool:
            tasks = [_Task.prepare(other, path, Path(folder, str(number))) for number, path in enumerate(batch)]
            try:
                for way, step in enumerate((_Task.encode, _Task.decode)):
                    begin = time.perf_counter()
                    for done in [pool.submit(task.run, step) for task in tasks]:
                        done.result()
                    seconds[way] += time.perf_counter() - begin
                figures = sum((task.run(_Task.figures) for task in tasks), figures)
            except OtherError as error:
                return Missing(other.name, str(error))
        if progress:
            progress(len(batch))
    return Row(other.name, figures, *seconds)
