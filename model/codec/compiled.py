"""`compiled`: numba's compiler with a cache that can be trusted.

numba decides whether a cached function is current by the file that it stands in, but compiles what it calls
into it: a changed stage would leave the old chain in use. Here the cache lives in a folder named by a hash of all
sources of `model/codec` and `model/spec`, below the user's cache folder, so that it works from a read-only
installation and never outlives the code.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import config as numba_config

config: Any = numba_config  # its attributes are made at run time


def _source_hash() -> str:
    here = Path(__file__).resolve().parent
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted([*here.glob("*.py"), *(here.parent / "spec").glob("*.py")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where compiled code is kept: below `NUMBA_CACHE_DIR` if that is set, else in the user's cache folder."""
    base = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "spikey" / _source_hash()


CACHE_FOLDER = cache_folder()


def compiled(function: Callable[..., Any]) -> Any:
    """Compile an integer function on its first call, and into its callers; threads may run it together.

    numba would leave calls with arrays as calls, whose bookkeeping costs more than what a stage does to a sample.
    """
    before = config.CACHE_DIR
    config.CACHE_DIR = str(CACHE_FOLDER)
    try:
        return numba.njit(function, cache=True, nogil=True, forceinline=True)
    finally:
        config.CACHE_DIR = before
