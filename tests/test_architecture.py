"""The shape of the tree: which way imports point, a room for every stage, short files, integers only in the law."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hw.core import CHAINS
from model.spec.profiles import PROFILES

ROOT = Path(__file__).resolve().parent.parent
TREES = ("model", "hw", "verif", "tests", "scripts")
MOST_LINES = 400

CHAIN = ("model.spec", "model.codec", "model.formats", "model.recordings", "model.training")
ARROWS = {
    **{part: CHAIN[: index + 1] for index, part in enumerate(CHAIN)},
    "model.bench": ("model.bench", *CHAIN[:4]),
    "model.cli": ("model.cli", "model.bench", *CHAIN),
    "hw": ("hw", "model.spec"),
    **{tree: TREES for tree in ("verif", "tests", "scripts")},
}
PACKAGES = {
    "model.spec": {"numpy"},
    "model.codec": {"numpy", "numba"},
    "model.formats": {"numpy"},
    "model.recordings": {"numpy"},
    "model.training": {"numpy", "numba", "matplotlib", "torch", "pywt", "pydantic", "pydantic_core", "yaml", "optuna"},
    "model.bench": {"numpy", "rich"},
    "model.cli": {"numpy", "click", "rich", "yaml"},
    "hw": {"numpy", "amaranth", "amaranth_boards", "click", "rich"},
}


def sources() -> list[Path]:
    return sorted(path for tree in TREES for path in (ROOT / tree).rglob("*.py"))


def imported(text: str) -> Iterator[str]:
    """Full names of what a source text imports, wherever the statement stands."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are spelled in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(name: str) -> str:
    """The part of the project that a dotted name belongs to: `model.codec`, `hw`, ..., or its first word."""
    return next(
        (part for part in ARROWS if name == part or name.startswith(part + ".")), name.split(".", maxsplit=1)[0]
    )


def wrong_imports(where: str, text: str) -> list[str]:
    """Imports in the module called `where` that point the wrong way or at packages that it should not need."""
    own = part_of(where)
    wrong = []
    for name in imported(text):
        part = part_of(name)
        if part.split(".")[0] in TREES:
            allowed = name == "model.__version__" or any(
                part == to or part.startswith(to + ".") for to in ARROWS.get(own, ())
            )
        else:
            allowed = own not in PACKAGES or part in PACKAGES[own] or part in sys.stdlib_module_names
        if not allowed:
            wrong.append(f"{where} imports {name}")
    return wrong


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_the_right_way(path: Path) -> None:
    where = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    assert wrong_imports(where, path.read_text()) == []


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("model.spec.config", "import model.codec.rice"),
        ("model.spec.config", "from model import cli"),
        ("model.codec.rice", "def f():\n    from model.formats import wav"),
        ("model.codec.rice", "import scipy.signal"),
        ("model.recordings.find", "from model import bench"),
        ("model.bench", "import model.cli"),
        ("model.cli", "from tests import helpers"),
        ("model.training.quantise", "import model.cli"),
        ("model.training.quantise", "import scipy.optimize"),
        ("model.bench", "def f():\n    from model.training import calibration"),
        ("hw.rice", "from model.codec.rice import fold"),
        ("hw.rice", "from scripts.bench import main"),
        ("model.formats.wav", "import torch"),
    ],
)
def test_a_wrong_import_is_noticed(where: str, text: str) -> None:
    assert len(wrong_imports(where, text)) == 1


@pytest.mark.parametrize("profile", PROFILES)
def test_every_stage_has_its_rooms(profile: str) -> None:
    for stage in PROFILES[profile].stages:
        gates = (f"hw/{stage}.py",) if profile in CHAINS else ()
        for room in (f"model/codec/{stage}.py", f"tests/test_{stage}.py", *gates):
            assert (ROOT / room).is_file(), f"stage '{stage}' of profile '{profile}' has no {room}"


def test_no_file_holds_two_ideas() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources()}
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def run_python(code: str, **environment: str) -> str:
    """What a fresh interpreter, with the checkout as its working directory, prints; it is told of `PROFILES`."""
    done = subprocess.run(
        [sys.executable, "-c", f"PROFILES = {tuple(PROFILES)}\n{code}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_decoding_needs_numpy_and_numba_alone() -> None:
    code = """
import sys
absent = ("torch", "amaranth", "click", "rich", "scipy", "yaml")
sys.modules.update(dict.fromkeys(absent))  # importing them now fails; numba can do without scipy and yaml
import numpy as np
from model.codec.compressor import encode
from model.codec.decompressor import decode
from model.spec.config import CodecConfig
frames = np.arange(40, dtype=np.uint16).reshape(20, 2)
for profile in PROFILES:
    assert (decode(encode(frames, CodecConfig(profile, channels=2))).frames == frames).all()
print(*(name for name in absent if sys.modules[name] is not None))
"""
    assert run_python(code).split() == []


COMPILE_ALL = """
import importlib, json, pkgutil
import numba, numpy as np
from numba.core.dispatcher import Dispatcher
import model.codec
from model.codec import lms, scale
from model.codec.compressor import encode
from model.codec.decompressor import decode
from model.spec.config import CodecConfig
from model.spec.profiles import PROFILES
from tests.networks import full_set, some_links, spikey_set, with_lstm

random = np.random.default_rng(0)
sets = [spikey_set(1), spikey_set(1, 17, **with_lstm()), full_set(1)]
for name, parameters in [*((name, None) for name in PROFILES), *((each.profile, each) for each in sets)]:
    profile = PROFILES[name]
    peers, links = (0, 1, 0) if profile.peers else (), some_links(0, 3) if profile.links else ()
    config = CodecConfig(name, 3, packet_frames=16, key_interval=3, lanes=profile.lanes[-1], peers=peers, links=links)
    frames = random.integers(500, 520, (64, 3), np.uint16)
    frames[16:32] = random.integers(0, 1023, (16, 3), endpoint=True)  # stored raw
    find = {parameters.identifier: parameters}.get if parameters else None
    assert (decode(encode(frames, config, parameters=parameters), find=find).frames == frames).all()

def control(a, b):
    return a / b

functions = {"control": numba.njit(control)}
unused, refused = [], []
for kernel, scalars in ((lms.predict, 3), (scale.index, 2)):
    try:
        numba.njit(kernel.py_func).compile((numba.float64[:, ::1], *(numba.int64,) * scalars))
    except numba.TypingError:
        refused.append(kernel.__name__)
for module in pkgutil.iter_modules(model.codec.__path__):
    for name, value in vars(importlib.import_module("model.codec." + module.name)).items():
        if isinstance(value, Dispatcher):
            functions[value.__module__ + "." + value.__name__] = value
found = {}
for name, function in functions.items():
    if not function.overloads:
        unused.append(name)
        function.compile((numba.int64,) * function.py_func.__code__.co_argcount)
    for signature, result in function.overloads.items():
        types = {**result.type_annotation.typemap, "return": result.signature.return_type}
        found[name + str(signature)] = {variable: str(kind) for variable, kind in types.items()}
print(json.dumps({"found": found, "unused": unused, "refused": refused}))
"""


def test_the_law_compiles_to_integers_only(tmp_path: Path) -> None:
    answer = json.loads(run_python(COMPILE_ALL, NUMBA_CACHE_DIR=str(tmp_path)))
    compiled = answer["found"]
    floats = {
        name for name, types in compiled.items() if any("float" in kind or "complex" in kind for kind in types.values())
    }
    assert [name.split("(")[0] for name in floats] == ["control"]
    assert answer["refused"] == ["predict", "index"]  # state of floats: it cannot even be compiled
    assert all(len(types) > 1 for types in compiled.values())
    assert answer["unused"] == ["control", "model.codec.arithmetic.floor_shift"]  # the others, as the chains call them
    names = {name.split("(")[0] for name in compiled}
    assert {f"model.codec.{room}.{way}" for room in (*PROFILES, "raw") for way in ("encode", "decode")} <= names
    stages = {stage for profile in PROFILES.values() for stage in profile.stages} - {"frame", "packet"}
    assert {name.split(".")[2] for name in names if name.count(".") == 3} >= stages | {"arithmetic", "bits"}
