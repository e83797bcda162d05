"""Write the test vectors beside BITSTREAM.md. They are part of the format: a change of any byte is a new version."""

import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np

import model.spec
from model.codec.compressor import encode
from model.codec.decompressor import decode
from model.formats.container import Source, pack
from model.formats.wav import write_wav
from model.spec.config import CodecConfig

FOLDER = Path(model.spec.__file__).parent / "vectors"


def walk(seed: int, frames: int, channels: int, width: int, step: float) -> np.ndarray:
    """Codes around the middle: a slow walk and noise of `step` codes."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, step, (frames, channels)) + np.cumsum(rng.normal(0, step / 30, (frames, channels)), 0)
    return np.clip(np.rint(noise) + (1 << (width - 1)), 0, (1 << width) - 1).astype(np.uint16)


def streams() -> dict[str, bytes]:
    """The streams by name; each reaches something of its own."""
    rng = np.random.default_rng(0)
    pair = CodecConfig("tiny", 2, 10, 100, 3)
    pair_stream = encode(walk(2, 1000, 2, 10, 20), pair)
    extremes = np.tile(np.array([[0], [1023], [1023], [0], [512]], np.uint16), (60, 1))
    spikes = walk(5, 400, 1, 10, 4)
    spikes[::50] = 1000
    return {
        "one-channel": encode(walk(1, 500, 1, 10, 20), CodecConfig("tiny", 1, 10, 200, 2)),
        "two-channels": pair_stream,
        "drops": encode(walk(2, 1000, 2, 10, 20), pair, drops={1, 4, 5}),
        "ends": encode(walk(3, 300, 3, 10, 20), CodecConfig("tiny", 3, 10, 64, 4), ends=np.array([300, 1, 170])),
        "raw": encode(rng.integers(0, 1 << 12, (90, 3)).astype(np.uint16), CodecConfig("tiny", 3, 12, 30, 2)),
        "raw-then-coded": encode(np.vstack([extremes, walk(4, 300, 1, 10, 5)]), CodecConfig("tiny", 1, 10, 150, 8)),
        "escapes": encode(spikes, CodecConfig("tiny", 1, 10, 400, 1)),
        "narrow": encode(walk(6, 200, 2, 8, 3), CodecConfig("tiny", 2, 8, 64, 2)),
        "wide": encode(walk(7, 200, 2, 16, 900), CodecConfig("tiny", 2, 16, 64, 2)),
        "constant": encode(np.full((500, 1), 7, np.uint16), CodecConfig("tiny", 1, 10, 500, 1)),
        "position-wraps": encode(walk(8, 300, 1, 10, 9), CodecConfig("tiny", 1, 10, 100, 1), position=(1 << 32) - 150),
        "damaged": pair_stream[:300] + b"\x00" + pair_stream[301:900] + pair_stream[950:],
    }


def main() -> None:
    """Write the vectors and their index."""
    FOLDER.mkdir(exist_ok=True)
    index: dict[str, dict] = {"streams": {}, "containers": {}}
    for name, data in streams().items():
        (FOLDER / f"{name}.stream").write_bytes(data)
        decoded = decode(data, ends=np.array([300, 1, 170]) if name == "ends" else None)
        shape = decoded.shape
        index["streams"][name] = {
            "profile": shape.profile,
            "channels": shape.channels,
            "width": shape.width,
            "origin": decoded.origin,
            "frames": len(decoded.frames),
            "codes_sha256": hashlib.sha256(decoded.frames.astype("<u2").tobytes()).hexdigest(),
            "gaps": [[gap.start, gap.frames] for gap in decoded.gaps],
            "damage": [[damage.offset, damage.size] for damage in decoded.damage],
        }
    index["streams"]["ends"]["ends"] = [300, 1, 170]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        samples = {"lattice.wav": walk(9, 400, 1, 10, 20), "stereo.wav": walk(10, 300, 2, 12, 60)}
        lattice = np.trunc(np.arange(1024) * 65535 / 1023 - 32768).astype(np.int16)
        write_wav(root / "lattice.wav", lattice[samples["lattice.wav"]], 19531)
        write_wav(root / "stereo.wav", ((samples["stereo.wav"].astype(np.int32) - 2048) << 4).astype(np.int16), 30000)
        sources = [Source(root / name, name) for name in samples]
        for name, groups in {"lone": [sources[:1]], "several": [[s] for s in sources]}.items():
            pack(groups, FOLDER / f"{name}.spk", overwrite=True)
            files = {
                s.name: hashlib.sha256(s.path.read_bytes()).hexdigest()
                for s in (groups[0] if name == "lone" else sources)
            }
            index["containers"][name] = files
    (FOLDER / "index.json").write_text(json.dumps(index, indent=1) + "\n")
    print(f"{len(index['streams'])} streams and {len(index['containers'])} containers in {FOLDER}")


if __name__ == "__main__":
    main()
