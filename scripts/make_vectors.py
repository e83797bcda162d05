"""Write the test vectors beside BITSTREAM.md. They are part of the format: a change of any byte is a new version.

Copies of shipped parameter sets that lie there already stay; `--shipped` takes those that are shipped now.
"""

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from unittest import mock

import numpy as np

import model.spec
from model.codec import delta, rice
from model.codec.compressor import encode
from model.codec.decompressor import decode
from model.codec.packet import StreamError, header_check, packet_check
from model.formats import directory
from model.formats.codes import LATTICE
from model.formats.pack import pack
from model.formats.plan import Source
from model.formats.wav import canonical_head, to_bytes
from model.spec.config import CodecConfig
from model.spec.parameters import ParameterSet
from model.spec.parameters import load as load_set
from scripts import calibrated_vectors, network_vectors
from scripts.calibrated_vectors import Vectors, walk

FOLDER = Path(model.spec.__file__).parent / "vectors"


def brink(frames: int, width: int) -> np.ndarray:
    """Codes of one channel whose code words have 14 zeros, or would have just 15, wherever the width has room."""
    last, mean, codes = delta.restart(width), rice.restart(width), []
    for frame in range(frames):
        k = rice.parameter(mean, width)
        folded = (rice.ESCAPE_ZEROS - frame % 2 << k) + frame % (1 << k)
        folded = folded if folded >> width == 0 and frame % 40 < 4 else frame % 3
        last, mean = delta.code(rice.unfold(folded), last, width), rice.adapt(mean, folded)
        codes.append(last)
    return np.array(codes, np.uint16)[:, None]


def tiny_streams() -> Vectors:
    """Streams of `tiny` by name, with the frames after which channels end; each reaches something of its own."""
    rng = np.random.default_rng(0)
    one, pair = CodecConfig("tiny", 1, 10, 100, 1), CodecConfig("tiny", 2, 10, 100, 3)
    pair_stream = encode(walk(2, 1000, 2, 10, 20), pair)
    extremes = np.tile(np.array([[0], [1023], [1023], [0], [512]], np.uint16), (60, 1))
    swings = np.tile(np.array([[0], [512]], np.uint16), (150, 1))
    spikes = walk(5, 400, 1, 10, 4)
    spikes[::50] = 1000
    around_zero = (walk(11, 400, 1, 10, 9).astype(np.int32) - 512) % 1024
    ends = np.array([300, 1, 170])
    late = {"drops": {1, 2}, "position": 70_000, "ends": np.array([900, 350])}
    return {
        "one-channel": (encode(walk(1, 500, 1, 10, 20), CodecConfig("tiny", 1, 10, 200, 2)), None),
        "two-channels": (pair_stream, None),
        "drops": (encode(walk(2, 1000, 2, 10, 20), pair, drops={1, 4, 5}), None),
        "ends": (encode(walk(3, 300, 3, 10, 20), CodecConfig("tiny", 3, 10, 64, 4), ends=ends), ends),
        "late": (encode(walk(12, 900, 2, 10, 20), pair, **late), late["ends"]),
        "raw": (encode(rng.integers(0, 1 << 12, (90, 3)).astype(np.uint16), CodecConfig("tiny", 3, 12, 30, 2)), None),
        "raw-then-coded": (
            encode(np.vstack([extremes, walk(4, 300, 1, 10, 5)]), CodecConfig("tiny", 1, 10, 150, 8)),
            None,
        ),
        "greatest-k": (encode(np.vstack([swings, walk(4, 300, 1, 10, 5)]), CodecConfig("tiny", 1, 10, 300, 8)), None),
        "escapes": (encode(spikes, CodecConfig("tiny", 1, 10, 400, 1)), None),
        "escape-or-not": (encode(brink(400, 10), CodecConfig("tiny", 1, 10, 400, 1)), None),
        "wraps": (encode(around_zero, CodecConfig("tiny", 1, 10, 400, 1)), None),
        "narrow": (encode(walk(6, 200, 2, 8, 3), CodecConfig("tiny", 2, 8, 64, 2)), None),
        "odd": (encode(walk(13, 201, 3, 13, 60), CodecConfig("tiny", 3, 13, 67, 2)), None),
        "wide": (encode(walk(7, 200, 2, 16, 900), CodecConfig("tiny", 2, 16, 64, 2)), None),
        "constant": (encode(np.full((500, 1), 7, np.uint16), CodecConfig("tiny", 1, 10, 500, 1)), None),
        "position-wraps": (encode(walk(8, 300, 1, 10, 9), one, position=(1 << 32) - 150), None),
        "damaged": (pair_stream[:300] + b"\x00" + pair_stream[301:900] + pair_stream[950:], None),
        "damaged-first": (b"\x53\x9d" + pair_stream[2:20] + b"\x01" + pair_stream[21:], None),
        "cut-off": (pair_stream[:-7], None),
        "other-version": (reseal(encode(walk(1, 100, 1, 10, 20), one), 12, 2 << 4), None),
        "other-profile": (reseal(encode(walk(1, 100, 1, 10, 20), one), 12, 1 << 4 | 15), None),
        "two-lanes": (reseal(encode(walk(1, 100, 1, 10, 20), one), 15, 9 | 1 << 4), None),
        "too-narrow": (reseal(encode(walk(1, 100, 1, 10, 20), one), 15, 6), None),
        "changes-shape": (
            encode(walk(1, 100, 1, 10, 20), one) + encode(walk(1, 100, 1, 9, 9), CodecConfig(width=9)),
            None,
        ),
        "goes-back": (encode(walk(1, 200, 1, 10, 20), one) + encode(walk(1, 100, 1, 10, 20), one), None),
        "too-long": (padded(encode(walk(1, 100, 1, 10, 20), one)), None),
    }


def reseal(packet: bytes, at: int, value: int) -> bytes:
    """A lone key packet with one byte of its header changed and both checks made good again."""
    head = bytearray(packet[:16])
    head[at] = value
    body = bytes(head) + bytes((header_check(head),)) + packet[17:-4]
    return body + packet_check(body).to_bytes(4, "little")


def padded(packet: bytes) -> bytes:
    """A lone key packet with a byte too many in its payload, all checks good."""
    length = int.from_bytes(packet[9:12], "little") + 1
    longer = packet[:9] + length.to_bytes(3, "little") + packet[12:-4] + b"\x00" + packet[-4:]
    return reseal(longer, 12, packet[12])


def streams(sets: Mapping[str, ParameterSet], seeds: Mapping[str, int]) -> Vectors:
    """Streams by name, with the frames after which channels end."""
    return {**tiny_streams(), **calibrated_vectors.streams(sets, seeds), **network_vectors.streams(sets)}


def stored_sets(names: Iterable[str] = ("*",)) -> dict[str, ParameterSet]:
    """The parameter sets among the vectors, by name."""
    return {path.stem: load_set(path) for name in names for path in sorted(FOLDER.glob(f"{name}.spkp"))}


def describe(data: bytes, ends: np.ndarray | None, known: Mapping[int, ParameterSet]) -> dict:
    """What a stream gives, or why it is refused."""
    try:
        decoded = decode(data, ends=ends, find=known.get)
    except StreamError as error:
        return {"refused": str(error)}
    shape, codes = decoded.shape, decoded.frames.astype("<u2").tobytes()
    return {
        "profile": shape.profile,
        "channels": shape.channels,
        "width": shape.width,
        "origin": decoded.origin,
        "frames": len(decoded.frames),
        "codes_sha256": hashlib.sha256(codes).hexdigest(),
        "gaps": [[gap.start, gap.frames] for gap in decoded.gaps],
        "damage": [[damage.offset, damage.size] for damage in decoded.damage],
        **({} if ends is None else {"ends": ends.tolist()}),
    }


def originals(root: Path) -> dict[str, Path]:
    """Files to be packed: the lattice, left-justified stereo, 8 bits with a pad byte, chunks before and behind."""
    lattice = LATTICE[walk(9, 400, 1, 10, 20)]
    other = LATTICE[walk(14, 250, 1, 10, 20)]
    stereo = ((walk(10, 300, 2, 12, 60).astype(np.int32) - 2048) << 4).astype(np.int16)
    eight = walk(15, 201, 1, 8, 5)[:, 0].astype(np.uint8).tobytes()
    files = {
        "lattice.wav": to_bytes(lattice, 19531),
        "shorter.wav": to_bytes(other, 19531),
        "stereo.wav": to_bytes(stereo, 30000),
        "day 1/eight.wav": canonical_head(8000, 1, 8, len(eight)) + eight + b"\x00",
        "day 1/chunks.wav": with_chunks(to_bytes(lattice[:300], 30000)),
        "day 1/again.wav": to_bytes(stereo[:100], 30000),
    }
    for name, data in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(data)
    return {name: root / name for name in files}


def with_chunks(plain: bytes) -> bytes:
    """A WAV file with a chunk before its samples and one behind them."""
    note = b"LIST" + (26).to_bytes(4, "little") + b"INFOICMT" + (14).to_bytes(4, "little") + b"test electrode"
    body = plain[8:36] + note + plain[36:] + note
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def main() -> None:
    """Write the vectors and their index."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shipped", action="store_true", help="take the parameter sets anew that are shipped now")
    renew = parser.parse_args().shipped
    FOLDER.mkdir(exist_ok=True)
    released = calibrated_vectors.released_sets() | ({} if renew else stored_sets(calibrated_vectors.RELEASED))
    for path in FOLDER.iterdir():
        path.unlink()
    for name, own in (released | calibrated_vectors.custom_sets() | network_vectors.custom_sets()).items():
        (FOLDER / f"{name}.spkp").write_bytes(own.to_bytes())
    sets = stored_sets()
    seeds, known = calibrated_vectors.search(sets), {each.identifier: each for each in sets.values()}
    index: dict[str, dict] = {"seeds": seeds, "streams": {}, "containers": {}}
    for name, (data, ends) in streams(sets, seeds).items():
        (FOLDER / f"{name}.stream").write_bytes(data)
        index["streams"][name] = describe(data, ends, known)
    with tempfile.TemporaryDirectory() as folder:
        files = originals(Path(folder))
        named = {name: Source(path, name) for name, path in files.items()}
        lattice, shorter, eight = (named[name] for name in ("lattice.wav", "shorter.wav", "day 1/eight.wav"))
        tiny = {"profile": "tiny"}
        containers: dict[str, tuple[list[list[Source]], dict]] = {
            "lone": ([[Source(files["lattice.wav"], "")]], tiny),
            "indexed": ([[lattice, shorter]], tiny | {"options": {"packet_frames": 32, "key_interval": 3}}),
            "several": ([[lattice, shorter], *([each] for each in list(named.values())[2:])], tiny),
            "embedded": ([[eight]], {"parameters": sets["mixed"]}),
        }
        for name, (groups, more) in containers.items():
            with mock.patch.object(directory, "INDEX_BYTES", 200):
                pack(groups, FOLDER / f"{name}.spk", **more)
            sources = [source for group in groups for source in group]
            index["containers"][name] = {s.name: hashlib.sha256(s.path.read_bytes()).hexdigest() for s in sources}
    (FOLDER / "index.json").write_text(json.dumps(index, indent=1) + "\n")
    print(f"{len(index['streams'])} streams and {len(index['containers'])} containers in {FOLDER}")


if __name__ == "__main__":
    main()
