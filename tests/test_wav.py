"""WAV files: whatever stands in the header, head + samples + tail is the file."""

import itertools
import struct
from pathlib import Path

import numpy as np
import pytest

from model.formats import wav
from model.formats.errors import FormatError

PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")
FLOAT_GUID = bytes.fromhex("0300000000001000800000aa00389b71")


def fmt(bits: int = 16, channels: int = 1, rate: int = 19531, tag: int = 1, extra: bytes = b"") -> bytes:
    frame = channels * ((bits + 7) // 8)
    body = struct.pack("<HHIIHH", tag, channels, rate, rate * frame, frame, bits) + extra
    return b"fmt " + struct.pack("<I", len(body)) + body


def chunk(name: bytes, body: bytes, size: int | None = None, pad: bool = True) -> bytes:
    return name + struct.pack("<I", len(body) if size is None else size) + body + bytes(len(body) % 2 if pad else 0)


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def taken_apart(folder: Path, content: bytes) -> wav.Wav:
    path = folder / "x.wav"
    path.write_bytes(content)
    found = wav.read(path)
    assert found.head + found.samples.tobytes() + found.tail == content
    return found


EXTENSIBLE = fmt(16, 2, tag=0xFFFE, extra=struct.pack("<HHI", 22, 12, 3) + PCM_GUID)
DATA = bytes(range(1, 25))
LIST = chunk(b"LIST", b"INFOISFT\x03\x00\x00\x00abc\x00x")  # an odd size


@pytest.mark.parametrize(
    ("content", "data", "tail"),
    {
        "plain": (riff(fmt(), chunk(b"data", DATA)), DATA, b""),
        "chunks around": (riff(LIST, fmt(), LIST, chunk(b"data", DATA), LIST), DATA, LIST),
        "extensible": (riff(EXTENSIBLE, chunk(b"data", DATA)), DATA, b""),
        "fmt of 18 bytes": (riff(fmt(extra=b"\0\0"), chunk(b"data", DATA)), DATA, b""),
        "12 bits": (riff(fmt(12), chunk(b"data", DATA)), DATA, b""),
        "8 bits, odd": (riff(fmt(8), chunk(b"data", DATA[:7])), DATA[:7], b"\0"),
        "8 bits, odd, no pad": (riff(fmt(8), chunk(b"data", DATA[:7], pad=False)), DATA[:7], b""),
        "partial frame": (riff(fmt(16, 2), chunk(b"data", DATA[:22])), DATA[:20], DATA[20:22]),
        "partial sample": (riff(fmt(), chunk(b"data", DATA[:7], pad=False)), DATA[:6], DATA[6:7]),
        "streamed, size 0": (riff(fmt(), chunk(b"data", DATA, 0), size=0), DATA, b""),
        "streamed, size 0, silent": (riff(fmt(), chunk(b"data", bytes(64), 0), size=0), bytes(64), b""),
        "streamed, size unknown": (riff(fmt(), chunk(b"data", DATA, 0xFFFFFFFF), size=0xFFFFFFFF), DATA, b""),
        "cut short": (riff(fmt(), chunk(b"data", DATA, 1000)), DATA, b""),
        "no sample": (riff(fmt(), chunk(b"data", b"")), b"", b""),
        "no sample, but a chunk": (riff(fmt(), chunk(b"data", b""), LIST), b"", LIST),
        "no data chunk": (riff(fmt(), LIST), b"", b""),
        "wrong RIFF size": (riff(fmt(), chunk(b"data", DATA), size=3), DATA, b""),
        "behind the end": (riff(fmt(), chunk(b"data", DATA)) + b"more", DATA, b"more"),
        "second data chunk": (riff(fmt(), chunk(b"data", DATA), chunk(b"data", b"ab")), DATA, chunk(b"data", b"ab")),
    }.values(),
)
def test_every_byte_comes_back(tmp_path: Path, content: bytes, data: bytes, tail: bytes) -> None:
    found = taken_apart(tmp_path, content)
    assert found.samples.tobytes() == data
    assert found.tail == tail


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"", "header"),
        (b"RIFF", "header"),
        (b"not a recording at all, just text", "header"),
        (b"RIFF\0\0\0\0AVI " + bytes(40), "header"),
        (b"RF64" + bytes(80), "header"),
        (riff(), "header"),
        (riff(LIST), "header"),
        (riff(fmt())[:30], "fmt chunk"),
        (riff(b"fmt \x04\0\0\0" + bytes(4)), "fmt chunk"),
        (riff(chunk(b"data", DATA), fmt()), "fmt chunk"),
        (riff(fmt(channels=0), chunk(b"data", DATA)), "fmt chunk"),
        (riff(fmt(rate=0), chunk(b"data", DATA)), "fmt chunk"),
        (riff(fmt(tag=0xFFFE, extra=b"\0\0"), chunk(b"data", DATA)), "fmt chunk"),
        (riff(fmt(tag=0xFFFE, extra=bytes(8) + FLOAT_GUID), chunk(b"data", DATA)), "format: floating point"),
        (riff(fmt(32, tag=3), chunk(b"data", DATA)), "format: floating point"),
        (riff(fmt(4, tag=17), chunk(b"data", DATA)), "format: ADPCM"),
        (riff(fmt(24), chunk(b"data", DATA)), "bits per sample: 24"),
        (riff(fmt(32), chunk(b"data", DATA)), "bits per sample: 32"),
        (riff(fmt(4), chunk(b"data", DATA)), "bits per sample: 4"),
        (riff(fmt().replace(b"\x02\0\x10\0", b"\x04\0\x10\0"), chunk(b"data", DATA)), "block align: 4"),
    ],
)
def test_what_it_cannot_read_it_names(tmp_path: Path, content: bytes, field: str) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=rf"x\.wav: {field}") as error:
        wav.read(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"none\.wav: cannot be read"):
        wav.read(tmp_path / "none.wav")


def test_every_truncation_is_read_or_refused(tmp_path: Path) -> None:
    content = riff(LIST, fmt(), LIST, chunk(b"data", DATA), LIST)
    refused = 0
    for length in range(len(content)):
        try:
            taken_apart(tmp_path, content[:length])
        except FormatError:
            refused += 1
    assert refused == 12 + len(LIST) + len(fmt())  # exactly those that end before the format is complete


@pytest.mark.parametrize(("bits", "channels", "frames"), list(itertools.product((8, 9, 12, 16), (1, 3), (0, 1, 5))))
def test_a_plain_file_has_the_canonical_head(tmp_path: Path, bits: int, channels: int, frames: int) -> None:
    kind = wav.sample_type(bits)
    samples = np.arange(frames * channels).astype(kind).reshape(frames, channels)
    path = tmp_path / "x.wav"
    wav.write_wav(path, samples, 19531, bits)
    found = taken_apart(tmp_path, path.read_bytes())
    assert found.head == wav.canonical_head(19531, channels, bits, samples.nbytes)
    assert (found.rate, found.channels, found.bits, found.valid_bits) == (19531, channels, bits, bits)
    assert found.samples.dtype == kind
    assert np.array_equal(found.samples, samples)
    assert len(found.tail) == samples.nbytes % 2
    assert len(path.read_bytes()) == struct.unpack_from("<I", found.head, 4)[0] + 8


def test_canonical_head_by_hand() -> None:
    by_hand = b"RIFF\x2a\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0\x4b\x4c\0\0\x2c\x31\x01\0\x04\0\x10\0data\x06\0\0\0"
    assert wav.canonical_head(19531, 2, 16, 6) == by_hand
    assert wav.canonical_head(19531, 1, 16, 1 << 33)[-4:] == b"\xff\xff\xff\xff"


def test_extensible_keeps_both_widths(tmp_path: Path) -> None:
    found = taken_apart(tmp_path, riff(EXTENSIBLE, chunk(b"data", DATA)))
    assert (found.bits, found.valid_bits, found.channels) == (16, 12, 2)


def test_writing_refuses_to_replace_and_wrong_samples(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    wav.write_wav(path, np.zeros(4, np.int16), 100)
    before = path.read_bytes()
    with pytest.raises(FormatError, match="exists; give --force"):
        wav.write_wav(path, np.ones(4, np.int16), 100)
    with pytest.raises(FormatError, match="samples: float64"):
        wav.write_wav(path, np.ones(4), 100, overwrite=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    wav.write_wav(path, np.ones(4, np.int16), 100, overwrite=True)
    assert path.read_bytes() != before
