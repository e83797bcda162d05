"""The scripts behind docs/calibration.md: variants follow the law, tables fit, pictures are the same again."""

import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from model.formats.container import Source, pack
from model.recordings import synthesise
from model.spec import calibrated, scale, shipped
from model.spec.calibrated import Tables
from scripts import document, figures, worth
from scripts.variant import Change, Variant, changed_sources, constant, measure, packed

CHANGED = [variant for variants in worth.chapters(19531).values() for variant in variants if variant.changes]
TABLES = [variant for variant in worth.parts() if not variant.changes]

SET = shipped.default("calibrated", lattice=True)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return synthesise(tmp_path_factory.mktemp("worth"), channels=2, seconds=0.3, seed=5)


@pytest.fixture(scope="module")
def tables() -> Tables:
    return figures.shipped_tables()


def accepted(folder: Path, tables: Tables) -> str:
    """What the sources in `folder` say of a set with these tables: nothing, or why not."""
    values = {name: np.asarray(value).tolist() for name, value in vars(tables).items()}
    code = (
        "import numpy as np; from model.spec import calibrated as c; nan = np.nan\n"
        f"tables = c.Tables(**{{k: np.array(v) for k, v in {values}.items()}})\n"
        "found = c.unpack(c.pack(tables, 10, even=False), 10)\n"
        "assert (found.points == tables.points).all() and found.start == tables.start"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr


def test_the_law_as_a_variant_gives_the_bytes_of_compress(paths: list[Path], tables: Tables, tmp_path: Path) -> None:
    found = measure(Variant("law"), paths, tables, 10)
    pack(
        [[Source(path, f"{n}.wav")] for n, path in enumerate(paths)],
        tmp_path / "x.spk",
        profile="calibrated",
        parameters=SET,
    )
    assert found.figures.bytes == (tmp_path / "x.spk").stat().st_size == found.ledger.total
    assert found.state_bits == calibrated.state_bits(10, 2)


@pytest.mark.parametrize("variant", CHANGED, ids=lambda variant: variant.name)
def test_a_changed_law_takes_its_tables(variant: Variant, tables: Tables) -> None:
    assert accepted(changed_sources(variant.changes), variant.tables(tables)) == ""


@pytest.mark.parametrize("variant", TABLES, ids=lambda variant: variant.name)
def test_changed_tables_are_a_set(variant: Variant, tables: Tables) -> None:
    own = variant.tables(tables)
    calibrated.unpack(packed(own, 10), 10)
    changed = [not np.array_equal(a, b) for a, b in zip(vars(own).values(), vars(tables).values(), strict=True)]
    assert any(changed) is (variant.name != "the law")


def test_tables_of_another_format_are_refused(tables: Tables) -> None:
    folder = changed_sources((constant("scale", "STEP", "Format(3, 3, signed=True)"),))
    assert "outside its format" in accepted(folder, tables)


def test_a_constant_that_is_gone_is_noticed() -> None:
    with pytest.raises(ValueError, match=r"spec/lms.py: has no"):
        changed_sources((constant("lms", "GONE", "1"),))


def test_a_variant_that_does_not_run_is_an_error(paths: list[Path], tables: Tables) -> None:
    broken = Variant("broken", (Change("spec/lms.py", "^", "raise RuntimeError('no law')\n"),))
    with pytest.raises(ValueError, match="broken: RuntimeError: no law"):
        measure(broken, paths, tables, 10)


@pytest.mark.slow
def test_what_a_variant_changes_is_measured(paths: list[Path], tables: Tables) -> None:
    law = measure(Variant("law"), paths, tables, 10)
    without = measure(Variant("no weights", worth.STILL, worth.weightless), paths, tables, 10)
    assert without.figures.samples == law.figures.samples and without.payload > law.payload


def test_coarser_edges_rise_and_fit(tables: Tables) -> None:
    crowded = tables.edges.copy()
    crowded[-40:] = crowded[-1] + np.arange(-39, 1)
    for edges in (tables.edges, crowded):
        found = worth.coarser_edges(replace(tables, edges=edges)).edges
        assert (np.diff(found) > 0).all() and found[0] >= -(1 << 14) and found[-1] < 1 << 14
    exact = 30 * np.arange(1025) - 20000
    assert (worth.coarser_edges(replace(tables, edges=exact)).edges == exact // 2).all()


def test_the_normal_distribution() -> None:
    x = np.array([0.0, 0.5, 1.0, 2.0, 4.0])
    assert np.allclose(worth.normal(x), [math.erf(v / math.sqrt(math.pi)) for v in x], atol=1e-6)


@pytest.mark.parametrize("name", figures.DRAWN)
def test_pictures_are_small_and_the_same_again(name: str, tmp_path: Path) -> None:
    with mpl.rc_context(figures.STYLE):
        for copy in ("a.svg", "b.svg"):
            figures.DRAWN[name]().savefig(tmp_path / copy, metadata={"Date": None})
    data = (tmp_path / "a.svg").read_bytes()
    assert data == (tmp_path / "b.svg").read_bytes() and len(data) < 150_000


def test_the_scale_follows_as_in_the_law(tables: Tables) -> None:
    even = calibrated.unpack(shipped.default("calibrated"), 10)
    rng = np.random.default_rng(0)
    residuals, scales = figures.follow(even, np.clip(rng.normal(512, 12, 3000), 0, 1023).astype(np.uint16))
    assert abs(np.log2(scales[0]) - (even.start / 16 / scale.OCTAVE - 2)) < 0.05
    assert 0.7 < np.abs(residuals[500:]).mean() / scales[500:].mean() < 1.4


@pytest.mark.parametrize(
    ("seconds", "channels", "packets"), [(0.05, 1, 1), (1.05, 1, 1), (1.05, 128, 3), (7, 1, 3), (7, 128, 17)]
)
def test_key_packets_are_as_far_apart_as_asked(seconds: float, channels: int, packets: int) -> None:
    found = figures.interval_options(seconds, 19531, channels)
    assert found["key_interval"] == packets
    assert 0 <= found["packet_frames"] * packets - round(seconds * 19531) < packets


def test_a_table_takes_its_place_in_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- table: one -->\nold\n<!-- end -->\nb\n<!-- table: two -->\n<!-- end -->\n")
    document.show("one: 3 recordings", ("", "bytes"), [("law", 12), ("other", 9)], page)
    table = "|  | bytes |\n| --- | ---: |\n| law | 12 |\n| other | 9 |"
    assert (
        page.read_text() == f"a\n<!-- table: one -->\n\n{table}\n\n<!-- end -->\nb\n<!-- table: two -->\n<!-- end -->\n"
    )
    with pytest.raises(ValueError, match="0 places for table 'three'"):
        document.show("three", ("",), [], page)


def test_the_page_has_a_place_for_every_table_and_every_picture() -> None:
    page = figures.FOLDER / "calibration.md"
    tables = re.findall(r"<!-- table: (.*) -->", page.read_text())
    other = ("what the bytes are spent on", "floating point", "key interval")
    assert sorted(tables) == sorted((*worth.chapters(19531), *other))
    assert page.read_text().count("<!-- end -->") == len(tables)
    pictures = re.findall(r"\]\((.*)\.svg\)", page.read_text())
    assert sorted(pictures) == sorted(figures.NAMES)
    for name in pictures:
        assert (page.parent / f"{name}.svg").stat().st_size < 150_000
