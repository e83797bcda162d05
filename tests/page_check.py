"""A stream of `spikey` or `full`, encoded and decoded by the codec and by the second decoder."""

from collections.abc import Sequence

import numpy as np
from streams import packets_of

from model.codec.compressor import encode
from model.codec.decompressor import decode
from model.codec.packet import Packet, StreamError, build
from model.spec.config import CodecConfig
from model.spec.parameters import ParameterSet
from tests.page_decoder import decode_stream
from tests.page_sets import named_sets


def check(
    frames: np.ndarray, config: CodecConfig, parameters: ParameterSet, ends: Sequence[int] | None = None
) -> list[Packet]:
    """Codes come back from either decoder, also if a stream is entered at a key packet; the packets."""
    where = None if ends is None else np.array(ends)
    data, find = encode(frames, config, parameters=parameters, ends=where), {parameters.identifier: parameters}.get
    present = np.ones_like(frames, bool) if where is None else np.arange(len(frames))[:, None] < where
    expected = np.where(present, frames, 0)
    assert (decode(data, ends=where, find=find).frames == expected).all()
    found = decode_stream(data, None if ends is None else list(ends), named_sets([parameters.to_bytes()]))
    assert (np.array(found.codes) == expected).all() and not found.gaps and not found.damage
    packets = packets_of(data)
    later = [packet for packet in packets[1:] if packet.shape]
    if later:
        assert (decode(data, ends=where, find=find, jobs=2).frames == expected).all()
    if later and ends is None:
        middle = decode(data[later[-1].offset :], find=find)
        assert middle.origin == later[-1].position and (middle.frames == frames[middle.origin :]).all()
    return packets


def rubbish(seed: int, config: CodecConfig, parameters: ParameterSet) -> None:
    """Any bytes with a right check around them: nothing breaks, nothing hangs, no code is beyond the width."""
    random = np.random.default_rng(seed)
    payload = random.integers(0, 256, int(random.integers(1, 300)), np.uint8)
    payload[: seed % 20] = random.choice([0, 255])
    named = parameters.identifier
    data = build(config, 0, 9, key=True, raw=False, payload=payload.tobytes(), parameter_set=named)
    try:
        frames = decode(data, find={named: parameters}.get).frames
    except StreamError as error:
        assert "its payload does not decode" in str(error)
    else:
        assert frames.shape == (9, config.channels) and frames.max() < 1 << config.width
