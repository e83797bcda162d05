"""A variant of profile `calibrated`: something left out or coarser, measured on complete files.

Tables are changed in the parameter set. Constants are changed in a copy of the sources, a line each, and a process of
its own runs the copy: so encoder, decoder and formats all follow, and compiled code is cached by the sources' hash.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from model import bench
from model.formats import codes, wav
from model.formats.container import Container, Ledger, Source, pack
from model.formats.plan import plan
from model.recordings import Mode
from model.spec import calibrated
from model.spec.calibrate import even_edges
from model.spec.calibrated import Tables
from model.spec.parameters import ParameterSet

ROOT: Final = Path(__file__).resolve().parent.parent
COPIES: Final = ROOT / "build" / "variants"
PARTS: Final = ("__init__.py", "spec", "codec", "formats", "recordings", "bench")  # of `model`


@dataclass(frozen=True)
class Change:
    """A change of the sources: in `file` below `model`, whatever `pattern` matches becomes `new`."""

    file: str
    pattern: str
    new: str


def constant(module: str, name: str, value: str) -> Change:
    """The constant `name` of a module of `model.spec` gets another value, an expression."""
    return Change(f"spec/{module}.py", rf"(?m)^{name}: Final = .*$", f"{name}: Final = {value}")


@dataclass(frozen=True)
class Variant:
    """A row of a table.

    Parameters
    ----------
    name : str
    changes : tuple of Change
        Of the sources.
    tables : callable
        Gives the variant's tables from those of the law, in the variant's formats.
    unused : int
        Bits of a channel's state that the variant could do without.
    group : {'none', 'auto', 'all'}
        How recordings are put into streams.
    live : bool
    options : mapping
        Fields of `CodecConfig`.
    """

    name: str
    changes: tuple[Change, ...] = ()
    tables: Callable[[Tables], Tables] = lambda tables: tables
    unused: int = 0
    group: Mode = "none"
    live: bool = False
    options: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """What a variant's container is: how small, what its bytes are spent on, and the state of a channel in bits."""

    figures: bench.Figures
    ledger: Ledger
    state_bits: int

    @property
    def payload(self) -> int:
        """Bytes of payloads."""
        return self.ledger.payload_coded + self.ledger.payload_raw


def changed_sources(changes: Sequence[Change]) -> Path:
    """A folder with `model` as it is, or, if there are changes, with a copy that has them; it is named by its content.

    Raises
    ------
    ValueError
        If what is to be changed is not in the sources.
    """
    if not changes:
        return ROOT
    parts = [ROOT / "model" / part for part in PARTS]
    files = [path for part in parts for path in (part, *sorted(part.rglob("*.py"))) if path.is_file()]
    texts = {str(path.relative_to(ROOT / "model")): path.read_bytes() for path in files}
    for change in changes:
        text, found = re.subn(change.pattern, change.new, texts[change.file].decode())
        if not found:
            raise ValueError(f"{change.file}: has no '{change.pattern}'; the variant must follow the law")
        texts[change.file] = text.encode()
    digest = hashlib.sha256(b"".join(path.encode() + b"\0" + text for path, text in texts.items()))
    folder = COPIES / digest.hexdigest()[:16]
    if not folder.exists():
        COPIES.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=COPIES) as scratch:
            for file, data in texts.items():
                path = Path(scratch, "made", "model", file)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            with contextlib.suppress(OSError):  # another process may have made it meanwhile
                Path(scratch, "made").rename(folder)
    return folder


def tables_for(paths: Sequence[Path], parameters: ParameterSet | None = None) -> tuple[Tables, int]:
    """Tables for recordings, and the width that they are for: of the set given, or of the shipped one that suits."""
    mapping = codes.join(codes.recognise(wav.read(path).samples) for path in paths)
    found = parameters or plan([[Source(paths[0], "")]], profile=calibrated.PROFILE)[0].parameters
    assert found is not None
    return calibrated.unpack(found, mapping.width), mapping.width


def measure(variant: Variant, paths: Sequence[Path], tables: Tables, width: int) -> Measured:
    """Compress recordings with a variant, decode, compare, and count, in a process of its own.

    Parameters
    ----------
    variant : Variant
    paths : sequence of Path
    tables : Tables
        Of the law.
    width : int
        That they are for.

    Raises
    ------
    ValueError
        If the variant cannot be made, or fails.
    """
    own = {name: np.asarray(value).tolist() for name, value in vars(variant.tables(tables)).items()}
    job = {
        "paths": [str(path.resolve()) for path in paths],
        "tables": own,
        "width": width,
        "group": variant.group,
        "live": variant.live,
        "options": dict(variant.options),
    }
    folder = changed_sources(variant.changes)
    done = subprocess.run(
        [sys.executable, "-m", "scripts.variant"],
        input=json.dumps(job),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(f"{variant.name}: {done.stderr.strip().splitlines()[-1]}")
    found = json.loads(done.stdout)
    ledger = Ledger(**found["ledger"])
    return Measured(bench.Figures(**found["figures"]), ledger, found["state_bits"] - variant.unused)


def packed(tables: Tables, width: int) -> ParameterSet:
    """The parameter set of a variant's tables."""
    return calibrated.pack(tables, width, even=np.array_equal(tables.edges, even_edges(width)))


def run(job: Mapping[str, Any]) -> dict[str, Any]:
    """What `measure` asks of the process that runs the variant's sources."""
    arrays: dict[str, Any] = {name: np.array(value, np.int64) for name, value in job["tables"].items()}
    tables = Tables(**{**arrays, "start": int(arrays["start"])})
    parameters = packed(tables, job["width"])
    sources = [Source(Path(path), f"{number}.wav") for number, path in enumerate(job["paths"])]
    groups = bench.grouped_sources(sources, job["group"])
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "variant.spk")
        pack(
            groups,
            out,
            profile=calibrated.PROFILE,
            live=job["live"],
            options=job["options"],
            parameters=parameters,
            embed=False,  # as it is with a shipped set
        )
        container = Container.open(out, [parameters])
        bench.compare(container, {source.name: source.path for source in sources}, Path(scratch))
        peers = any((config := container.config(n)) and config.peers for n in range(len(container.streams)))
        bits = calibrated.state_bits(job["width"], len(tables.shifts), peer=peers)
        figures, ledger = bench.Figures.of(container), container.ledger()
    return {"figures": dataclasses.asdict(figures), "ledger": dataclasses.asdict(ledger), "state_bits": bits}


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
