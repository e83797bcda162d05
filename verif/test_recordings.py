"""Every recording through the gates, bytes equal to the codec's; synthetic ones where there are no real ones."""

import dataclasses
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hw import neural
from hw.core import CHAINS
from model.formats import codes, wav
from model.recordings import Stream, default_recordings, group
from model.spec import operating
from model.spec.config import CodecConfig
from model.spec.packet import MOST_LINKS
from verif import cxxrtl, toolchain
from verif.design import NEURAL, Design
from verif.test_volume import through_the_gates

MONO = {
    profile: Design(CodecConfig(profile, channels=1, width=codes.LATTICE_WIDTH, packet_frames=2048, key_interval=9))
    for profile in set(CHAINS) - set(NEURAL)
}
SLOTS, CORES = 16, 4  # of an array that serves as many recordings as its cores have slots
SHARE = 4  # of the streams with partners, and of the others: every fourth


def read(path: Path) -> np.ndarray:
    """Codes of a recording, shape (frames, channels)."""
    recording = wav.read(path)
    return codes.recognise(recording.samples).to_codes(recording.samples)


def one_file(profile: str, path: Path, library: Path) -> tuple[int, float]:
    """Clocks and seconds that a file took."""
    recording = read(path)
    assert recording.shape[1] == 1, f"{path}: not mono"
    run = through_the_gates(MONO[profile], recording, library=library)
    return run.clocks, run.seconds


def report(name: str, clocks: int, seconds: float) -> None:
    print(f"{name}: {clocks:,} clocks, {clocks / seconds:,.0f} a second and process")


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    found = default_recordings(tmp_path_factory.mktemp("recordings"))
    assert found, "there is no recording"
    return found


@pytest.mark.slow
@pytest.mark.parametrize("profile", sorted(MONO))
def test_every_recording(profile: str, paths: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    library = cxxrtl.build(toolchain.netlist(MONO[profile].core()))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        done = list(pool.map(one_file, [profile] * len(paths), paths, [library] * len(paths)))
    assert len(done) == len(paths)
    with capsys.disabled():
        report(f"{len(done)} recordings", sum(clocks for clocks, _ in done), sum(seconds for _, seconds in done))


def batches(paths: list[Path], channels: int, share: int = 1) -> list[list[Stream]]:
    """Streams of so many recordings at most, pairs before those that stand alone."""
    streams = sorted(group(paths, "auto", MOST_LINKS), key=lambda stream: -len(stream.paths))[::share]
    found: list[list[Stream]] = [[]]
    for stream in streams:
        if sum(len(each.paths) for each in found[-1]) + len(stream.paths) > channels:
            found.append([])
        found[-1].append(stream)
    return found


def together(streams: list[Stream], cores: int, profile: str) -> tuple[Design, np.ndarray]:
    """Streams as one, the shortest deciding, and the gates for it; partners keep their places."""
    each = [read(path)[:, 0] for stream in streams for path in stream.paths]
    links = tuple(own for stream in streams for own in stream.links or ((),) * len(stream.paths))
    shape = CodecConfig(profile, len(each), codes.LATTICE_WIDTH, packet_frames=64, key_interval=300)
    config = dataclasses.replace(shape, links=links if any(links) else ())
    geometry = dataclasses.replace(neural.default_geometry(config), cores=cores, slots=min(SLOTS, len(each)))
    frames = min(map(len, each))
    return Design(config, geometry=geometry), np.stack([one[:frames] for one in each], axis=1)


def batch(profile: str, streams: list[Stream], cores: int) -> tuple[int, float]:
    """Clocks and seconds that streams took."""
    run = through_the_gates(*together(streams, cores, profile))
    return run.clocks, run.seconds


@pytest.mark.slow
@pytest.mark.parametrize("profile", NEURAL)
def test_recordings_with_their_partners(profile: str, paths: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Whole recordings with the links that the codec finds for them, as many side by side as the array serves."""
    every = batches(paths, SLOTS * CORES, SHARE)
    assert any(stream.links for stream in every[0]), "no recording has a partner"
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        done = list(pool.map(batch, [profile] * len(every), every, [CORES] * len(every)))
    with capsys.disabled():
        clocks, seconds = (sum(each) for each in zip(*done, strict=True))
        report(f"{profile}, {sum(map(len, every))} streams with partners", clocks, seconds)


@pytest.mark.parametrize("profile", ["spikey", pytest.param("full", marks=pytest.mark.slow)])
def test_some_recordings_with_their_partners(profile: str, paths: list[Path]) -> None:
    streams = batches(paths[:60], 4)[0]
    assert any(stream.links for stream in streams), "no recording has a partner"
    design, recordings = together(streams, 1, profile)
    through_the_gates(design, recordings[:1000])


def side_by_side(paths: list[Path], channels: int) -> np.ndarray:
    """Recordings as the channels of one stream, the shortest deciding; repeated ones begin elsewhere."""
    each = [read(path)[:, 0] for path in paths[:channels]]
    frames = min(map(len, each))

    def columns() -> Iterator[np.ndarray]:
        for channel in range(channels):
            turn, which = divmod(channel, len(each))
            yield np.roll(each[which][:frames], 1009 * turn)

    return np.stack(list(columns()), axis=1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("profile", "channels", "link"),
    [
        ("tiny", 256, operating.LINK_BYTES),
        ("tiny", 1024, operating.LINK_BYTES),
        ("calibrated", 256, operating.LINK_BYTES),
        ("calibrated", 256, 6_000_000),
        ("calibrated", 1024, operating.LINK_BYTES),
    ],
)
def test_side_by_side(
    profile: str, channels: int, link: int, paths: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """As many channels as the platform has: `tiny` at a sample a clock, `calibrated` at the platform's rate.

    At that rate every byte has left 1 ms after the samples that it stands for.
    """
    design = Design(operating.live(profile, channels, codes.LATTICE_WIDTH, link=link))
    frame_clocks = 0 if profile == "tiny" else link // operating.DEFAULT_RATE
    recordings = side_by_side(paths, channels)
    run = through_the_gates(design, recordings, spacing=design.spacing, frame_clocks=frame_clocks)
    with capsys.disabled():
        name = f"{profile}, {channels} channels, {link / 1e6:g} MHz"
        report(name, run.clocks, run.seconds)
        if frame_clocks:
            found = delays(run, design, frame_clocks) / link
            shares = ", ".join(f"{share} %: {np.percentile(found, share) * 1e3:.3f} ms" for share in (0, 50, 99, 100))
            print(f"{name}: from a sample's acceptance to its packet's last byte: {shares}")
            assert found.max() < operating.LIVE_LATENCY


def delays(run: cxxrtl.Run, design: Design, frame_clocks: int) -> np.ndarray:
    """Clocks from acceptance to the packet's last byte, of the first and last and some other samples of each frame."""
    channels = np.unique(np.linspace(0, design.config.channels - 1, 17).astype(int))
    frames = np.arange(design.config.packet_frames)
    accepted = (frames[:, None] * frame_clocks + channels * design.spacing).ravel()
    lasts = [(e.last - run.begin - e.packet.position * frame_clocks, e.packet.frames) for e in run.trace.packets()]
    return np.concatenate([last - accepted[: count * len(channels)] for last, count in lasts])
