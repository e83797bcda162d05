"""Bench figures are counted from bytes that were decoded and compared."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from model import bench, cli
from model.formats import wav
from model.formats.container import Container, Source, pack
from model.recordings import synthesise
from model.spec.packet import Link

PARTS = ("container", "packet_headers", "header_checks", "packet_checks", "payload_coded", "payload_raw", "damaged")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    paths = synthesise(tmp_path_factory.mktemp("bench") / "rec", channels=4, seconds=2.5, seed=11)
    return [Source(path, path.name) for path in paths]


def test_every_figure_is_that_of_the_files(sources: list[Source], tmp_path: Path) -> None:
    results, grouped = bench.bench(sources, "tiny", group="auto")
    assert [result.name for result in results] == [source.name for source in sources]
    for source, result in zip(sources, results, strict=True):
        out = tmp_path / "x.spk"
        pack([[Source(source.path, "")]], out, profile="tiny", overwrite=True)
        wav_bytes, size = source.path.stat().st_size, out.stat().st_size
        samples = (wav_bytes - 44) // 2
        figures = result.figures
        assert (figures.samples, figures.wav_bytes, figures.bytes) == (samples, wav_bytes, size)
        assert figures.bits_per_sample == 8 * size / samples
        assert figures.ratio_wav == wav_bytes / size
        assert figures.ratio_adc == 10 * samples / (8 * size)
        assert result.encode_seconds > 0 < result.decode_seconds
        assert result.ledger.total == size
    assert grouped is not None
    pack(bench.grouped_sources(sources, "auto"), tmp_path / "all.spk", profile="tiny")
    assert grouped.figures.bytes == (tmp_path / "all.spk").stat().st_size
    assert len(Container.open(tmp_path / "all.spk").streams) == 2


def test_sources_have_the_partners_of_their_channels(tmp_path: Path) -> None:
    same = np.random.default_rng(1).normal(0, 1000, (9000, 2)).astype(np.int16)
    for name in ("a.wav", "b.wav"):
        wav.write_wav(tmp_path / name, same, 19531)
    sources = [Source(tmp_path / name, name) for name in ("a.wav", "b.wav")]
    ((a, b),) = bench.grouped_sources(sources, "auto", 4)
    assert (a.peers, b.peers) == ((0, 0), (2, 2))
    assert (a.links, b.links) == (((Link(-2, 127),),) * 2, ((Link(2, 127),),) * 2)
    assert [source.links for (source,) in bench.grouped_sources(sources, "none", 4)] == [(), ()]
    assert [source.links for source in bench.grouped_sources(sources, "auto")[0]] == [(), ()]


def test_the_total_is_the_sum(sources: list[Source]) -> None:
    results, grouped = bench.bench(sources[:2], "tiny")
    assert grouped is None
    whole = bench.total(results)
    for name in ("samples", "wav_bytes", "adc_bits", "bytes"):
        assert getattr(whole.figures, name) == sum(getattr(result.figures, name) for result in results)
    assert whole.ledger.total == whole.figures.bytes
    assert whole.restarts == results[0].restarts + results[1].restarts


def test_restarts_cost_what_one_key_packet_saves(sources: list[Source], tmp_path: Path) -> None:
    options = {"packet_frames": 100, "key_interval": 1}
    result = bench.measure("x", [sources], "tiny", tmp_path, options=options)
    payload = []
    for interval in (1, 1 << 32):
        out = tmp_path / f"{interval}.spk"
        pack([sources], out, profile="tiny", options={"packet_frames": 100, "key_interval": interval})
        ledger = Container.open(out).ledger()
        payload.append(ledger.payload_coded + ledger.payload_raw)
    assert result.ledger.key_packets == result.ledger.packets > 100
    assert result.restarts == payload[0] - payload[1] > 0


def test_a_recording_that_changes_meanwhile_does_not_count(sources: list[Source], tmp_path: Path) -> None:
    out, original = tmp_path / "x.spk", tmp_path / "original.wav"
    data = sources[0].path.read_bytes()
    original.write_bytes(data)
    pack([[Source(original, "")]], out)
    container = Container.open(out)
    assert bench.compare(container, {"": original}, tmp_path) > 0
    for at in (0, 20, 44, len(data) - 1):
        original.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(bench.MismatchError, match=r"differs from .*original\.wav"):
            bench.compare(container, {"": original}, tmp_path)
    original.write_bytes(data + b"\0")
    with pytest.raises(bench.MismatchError, match="differs"):
        bench.compare(container, {"": original}, tmp_path)
    with pytest.raises(bench.MismatchError, match="only in"):
        bench.compare(container, {"": original, "b.wav": original}, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["original.wav", "x.spk"]


def test_nothing_has_no_bits_per_sample() -> None:
    assert math.isnan(bench.Figures(0, 44, 0, 40).bits_per_sample)


def test_the_command_writes_json(sources: list[Source], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench.json"
    folder = sources[0].path.parent
    assert cli.run(["bench", str(folder), "--profiles", "tiny", "--live", "--group", "all", "--json", str(out)]) == 0
    text = capsys.readouterr().out
    found = json.loads(out.read_text())
    assert (found["recordings"], found["operating_point"]) == (str(folder), "live")
    tiny = found["profiles"]["tiny"]
    assert [row["name"] for row in tiny["files"]] == [source.name for source in sources]
    for row in (*tiny["files"], tiny["total"], tiny["grouped"]):
        assert sum(row["ledger"][part] for part in PARTS) == row["bytes"]
        assert row["encode_mb_per_second"] * row["encode_seconds"] * 1e6 == pytest.approx(row["wav_bytes"])
        assert row["decode_msamples_per_second"] * row["decode_seconds"] * 1e6 == pytest.approx(row["samples"])
        assert f"{row['ratio_wav']:.4f}" in text and row["name"] in text
    alone, _, together = text.partition("all files in one container")
    assert "each file alone" in alone and tiny["total"]["name"] == "total, each file alone"
    assert tiny["grouped"]["name"] == "one container, group all" and tiny["grouped"]["name"] in together
    assert f"{tiny['total']['ratio_wav']:.4f}" in alone and f"{tiny['grouped']['ratio_wav']:.4f}" in together
    for row in (tiny["total"], tiny["grouped"]):
        ledger = text.partition(f"ledger: {row['name']}")[2]
        assert re.search(r"packet_headers\W+(\d+)", ledger)[1] == str(row["ledger"]["packet_headers"])
    assert tiny["grouped"]["ledger"]["packets"] < tiny["total"]["ledger"]["packets"]
