"""Profile `tiny`: its payloads are those of a second writer, in strings of bits."""

from collections.abc import Iterator

import numpy as np
import pytest
from streams import noise, packets_of

from model.codec.compressor import encode
from model.spec.config import CodecConfig


def string_bits(frames: np.ndarray, width: int) -> Iterator[str]:
    """The code words of `tiny` after a key packet, written from its description in plain Python."""
    last = [1 << (width - 1)] * frames.shape[1]
    mean = [32 << (width - 6)] * frames.shape[1]
    for frame in frames.tolist():
        for channel, code in enumerate(frame):
            e = (code - last[channel] + (1 << (width - 1))) % (1 << width) - (1 << (width - 1))
            u = 2 * e if e >= 0 else -2 * e - 1
            k = min(((mean[channel] + mean[channel] // 16) // 64).bit_length(), width - 1)
            q, r = divmod(u, 1 << k)
            yield "0" * 15 + f"{u:0{width}b}" if q >= 15 else "0" * q + "1" + (f"{r:0{k}b}" if k else "")
            mean[channel] += (2 * (32 * u - mean[channel]) + 64) // 128
            last[channel] = code


@pytest.mark.parametrize("width", range(8, 17))
def test_payload_is_what_a_second_writer_gives(width: int) -> None:
    config = CodecConfig(channels=3, width=width, packet_frames=500)
    frames = noise(500, config, seed=width)
    frames[100:105, 1] = (1 << width) - 1, 0, (1 << width) - 1, 0, 5
    (packet,) = packets_of(encode(frames, config))
    words = list(string_bits(frames, width))
    assert {len(w) == 15 + width and w.startswith("0" * 15) for w in words} == {True, False}
    text = "".join(words)
    padded = text + "0" * (-len(text) % 8)
    assert bytes(packet.payload) == int(padded, 2).to_bytes(len(padded) // 8, "big")


def test_channels_do_not_know_each_other() -> None:
    config = CodecConfig(channels=4, packet_frames=64)
    frames = noise(64, config)
    bits = [w for w in string_bits(frames, 10)]
    alone = [list(string_bits(frames[:, c : c + 1], 10)) for c in range(4)]
    assert bits == [word for group in zip(*alone, strict=True) for word in group]
