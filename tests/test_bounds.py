"""Nothing is read or written beyond an array, whatever a payload says: with numba's check of every index."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
import sys
sys.path.insert(0, "tests")
import numba, numpy as np
from networks import full_set, some_links, spikey_set, with_lstm
from streams import WAVES, wave
from model.spec.config import CodecConfig
from tests.page_check import check, rubbish

try:
    numba.njit(lambda a, i: a[i])(np.zeros(3), 3)
except IndexError:
    print("checked")
for seed in range(120):
    lanes, more = (1, 2, 4)[seed % 3], with_lstm() if seed % 2 else {"more": -2}
    for name, parameters, own in (
        ("spikey", spikey_set(seed, (16, 17, 17, 0, 7)[seed % 5], **more), {}),
        ("full", full_set(seed, 1 + seed % 8, **more), {"lanes": lanes}),
    ):
        config = CodecConfig(name, 4, 8 + seed % 9, 20, 2, links=some_links(seed, 4), **own)
        rubbish(seed, config, parameters)
        if seed < 3 * len(WAVES):
            kind = list(WAVES)[seed % len(WAVES)]
            frames = wave(kind, 50, 4, config.width, np.random.default_rng(seed))
            check(frames, config, parameters, [50, 21, 50, 3] if seed % 2 else None)
print("done")
"""


@pytest.mark.slow
def test_no_index_is_out_of_bounds(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(ROOT), "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["checked", "done"], done.stderr
