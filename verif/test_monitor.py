"""The monitors and the scoreboard notice what they are there for."""

import numpy as np
import pytest

from hw.frame import COUNTERS
from model.codec.compressor import encode
from model.spec.config import CodecConfig
from verif import ledger, stimulus
from verif.design import Design
from verif.monitor import StreamMonitor
from verif.trace import Trace

CONFIG = CodecConfig(channels=4, width=10, packet_frames=3)
DESIGN = Design(CONFIG)


def complaints(*clocks: tuple[bool, bool, int], always_ready: bool = False) -> int:
    monitor = StreamMonitor("o", always_ready)
    for valid, ready, payload in clocks:
        monitor.observe(valid=valid, ready=ready, payload=payload)
    return len(monitor.violations)


@pytest.mark.parametrize(
    ("clocks", "expected"),
    [
        ([(True, False, 5), (True, True, 5), (True, True, 6), (False, False, 0)], 0),
        ([(True, False, 5), (False, True, 5)], 1),
        ([(True, False, 5), (True, True, 6)], 1),
        ([(True, False, 5), (True, False, 6), (True, True, 6)], 1),
    ],
)
def test_held_until_ready(clocks: list[tuple[bool, bool, int]], expected: int) -> None:
    assert complaints(*clocks) == expected


def test_always_ready() -> None:
    assert complaints((False, True, 0), (False, False, 0), always_ready=True) == 1


def test_a_reset_ends_the_obligation() -> None:
    monitor = StreamMonitor("o")
    monitor.observe(valid=True, ready=False, payload=1)
    monitor.observe(valid=True, ready=False, payload=1, reset=True)
    monitor.observe(valid=False, ready=False, payload=0)
    assert monitor.violations == []


def scene() -> tuple[ledger.Ledger, Trace]:
    """Four packets, and a trace that is right."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 1 << CONFIG.width, (12, CONFIG.channels), dtype=np.uint16)
    expected = ledger.read(stimulus.frames(codes, rng), DESIGN)
    data = np.frombuffer(encode(codes, CONFIG), np.uint8).copy()
    ends = np.cumsum([len(packet) for packet in expected.encode(set())])
    last = np.isin(np.arange(len(data)) + 1, ends)
    return expected, Trace(data, last, np.arange(len(data)), dict.fromkeys(COUNTERS, 0))


def without(trace: Trace, start: int, stop: int, **counters: int) -> Trace:
    keep = np.r_[0:start, stop : len(trace.data)]
    return Trace(trace.data[keep], trace.last[keep], trace.clocks[keep], {**trace.counters, **counters})


def test_a_right_trace_passes() -> None:
    assert ledger.check(*scene()) == set()


def test_nothing_seen_is_a_failure() -> None:
    expected, trace = scene()
    with pytest.raises(AssertionError, match="nothing was compared"):
        ledger.check(expected, without(trace, 0, len(trace.data), dropped_packets=4), stalled=True)


def test_an_output_that_is_not_drained_is_a_failure() -> None:
    expected, trace = scene()
    with pytest.raises(AssertionError, match="not drained"):
        ledger.check(expected, without(trace, len(trace.data) - 1, len(trace.data)))


def test_a_missing_packet_is_a_failure_unless_stalled() -> None:
    expected, trace = scene()
    first = int(np.flatnonzero(trace.last)[2]) + 1
    lost = without(trace, first, len(trace.data), dropped_packets=1)
    with pytest.raises(AssertionError, match="are missing"):
        ledger.check(expected, lost)
    assert ledger.check(expected, lost, stalled=True) == {3}
    lost.counters["dropped_packets"] = 0
    with pytest.raises(AssertionError, match="counters"):
        ledger.check(expected, lost, stalled=True)


def test_a_lost_packet_after_a_recovery_is_a_failure() -> None:
    expected, _ = scene()
    ledger.check_recovery(expected, {0}, 3)
    with pytest.raises(AssertionError, match="nothing was wrong"):
        ledger.check_recovery(expected, {1}, 3)


def test_a_wrong_byte_is_a_failure() -> None:
    expected, trace = scene()
    for at in range(0, len(trace.data), 7):
        trace.data[at] ^= 4
        with pytest.raises(AssertionError):
            ledger.check(expected, trace)
        trace.data[at] ^= 4


def test_a_violation_is_a_failure() -> None:
    expected, trace = scene()
    trace.violations.append("o, clock 3: valid was withdrawn before ready")
    with pytest.raises(AssertionError, match="withdrawn"):
        ledger.check(expected, trace)
