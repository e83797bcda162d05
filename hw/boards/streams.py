"""The two streams between a board's parts: samples into the core, packet bytes out of it."""

from amaranth.lib import data, stream


def sample_stream(width: int) -> stream.Signature:
    """Samples in channel order, one at a time: `code` (`width` bits), and `mark`, high on a frame's first sample.

    Always ready: an ADC cannot be stalled.
    """
    return stream.Signature(data.StructLayout({"code": width, "mark": 1}), always_ready=True)


def byte_stream() -> stream.Signature:
    """Bytes of packets: `byte`, and `last`, high on the last byte of a packet."""
    return stream.Signature(data.StructLayout({"byte": 8, "last": 1}))
