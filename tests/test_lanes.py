"""Lanes: how the strings of a packet's lanes stand one behind the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.codec import raw
from model.codec.lanes import Lanes

WIDTH = 10


@given(st.integers(1, 9), st.sampled_from([1, 2, 4]), st.integers(1, 300), st.integers(0, 2**32))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_strings_come_back_where_they_are_smaller_than_raw_ones(
    channels: int, lanes: int, frames: int, seed: int
) -> None:
    random, first = np.random.default_rng(seed), 5
    ends = first + random.choice([-5, 0, 1, frames // 2, frames, frames + 9], channels)
    limit, own = int(raw.size(frames, first, ends, WIDTH)), Lanes(lanes, ends, WIDTH)
    shares = [int(raw.size(frames, first, ends[lane::lanes], WIDTH)) for lane in range(lanes)]
    strings = [random.integers(0, 256, int(random.integers(1, share + 2)) if share else 1) for share in shares]
    out = own.room(frames)
    for lane, string in enumerate(strings):
        begin = lane * (out.size // lanes)
        out[begin : begin + len(string)] = string
        own.rows[lane, 4] = begin + len(string)
    payload = own.join(out, frames, first, limit)
    used = [lane for lane, share in enumerate(shares) if share]
    each = -(-limit.bit_length() // 8)
    size = sum(len(strings[lane]) for lane in used) + each * (len(used) - 1)
    fits = all(len(strings[lane]) <= shares[lane] for lane in used)
    assert (payload is not None) == (size < limit and fits)
    if payload is not None:
        found = np.frombuffer(payload, np.uint8)
        starts = own.split(found, frames, first, limit)
        assert len(payload) == size and starts is not None
        for lane in range(lanes):
            string = strings[lane] if lane in used else []
            assert found[starts[lane] : starts[lane + 1]].tolist() == list(string)


@pytest.mark.parametrize("payload", [b"", b"\x03", b"\x00abc", b"\x03abc", b"\xffabc"])
def test_lengths_that_do_not_fit_are_refused(payload: bytes) -> None:
    own = Lanes(2, np.array([9, 9]), WIDTH)
    assert own.split(np.frombuffer(b"\x02abc", np.uint8), 4, 0, 10) is not None
    assert own.split(np.frombuffer(payload, np.uint8), 4, 0, 10) is None


def test_a_packet_without_samples_is_no_coded_one() -> None:
    own = Lanes(2, np.array([1, 1]), WIDTH)
    assert own.join(own.room(4), 4, 1, 0) is None
    assert own.split(np.zeros(0, np.uint8), 4, 1, 0) is None
