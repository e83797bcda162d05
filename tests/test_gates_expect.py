"""What stands behind the network in gates, against `predict` and `fold` of profile `spikey`."""

from typing import NamedTuple

import numpy as np
import pytest

from hw.expect import Expect
from model.codec import network, rice, spikey
from model.spec.config import CodecConfig
from model.spec.network import OUTPUT, MiddleOut
from model.spec.wavelet import FRACTION, node_format
from tests.networks import network_of
from tests.simulate import play

IN, OUT, MARKS = "i.payload.", "o.payload.", "i.payload.marks."


class Sample(NamedTuple):
    """What comes; all but the code is of no meaning at a restart."""

    code: int
    origin: int
    last: int
    exponent: int
    output: int


class Law:
    """`predict` with a network whose output is the bias of its head."""

    def __init__(self, width: int) -> None:
        self._head = network_of(0, projector=(), form=MiddleOut.NONE, predictor=(), skip=False)
        self._program = network.Program(self._head)
        self._width, self._state = width, np.zeros((1, 5), np.int64)
        self._links, self._outputs = np.zeros((1, 0, 2), np.int64), np.zeros(1, np.int64)

    def __call__(self, sample: Sample) -> tuple[int, bool]:
        own = [spikey.ORIGIN, spikey.LAST, spikey.EXPONENT]
        self._state[0, own] = sample.origin, sample.last << FRACTION, sample.exponent
        arrays, scratch = self._program.arrays, self._program.scratch()
        arrays[6][-1] = sample.output << self._head.head.shift
        every = (arrays, self._program.state(1), scratch, self._outputs)
        limit = node_format(self._width).maximum
        code, upwards = spikey.predict(self._state, 0, self._links, *every, self._width, limit)
        assert self._outputs[0] == sample.output
        return int(code), bool(upwards)


def some_samples(count: int, width: int) -> list[Sample]:
    """Outputs of every size and extreme ones, codes near and far, both rails."""
    rng, top = np.random.default_rng(width), (1 << width) - 1
    found = []
    for _ in range(count):
        code, origin, last = (int(rng.choice([0, top, *rng.integers(0, top, 6, endpoint=True)])) for _ in range(3))
        size = 1 << int(rng.integers(OUTPUT.width))
        output = int(rng.choice([OUTPUT.maximum, -OUTPUT.maximum, *rng.integers(1 - size, size, 30)]))
        found.append(Sample(code, origin, last - origin, int(rng.integers(width + FRACTION + 1)), output))
    return found


@pytest.mark.parametrize("width", [8, 10])
def test_expect(width: int) -> None:
    config, law, top = CodecConfig("spikey", 5, width), Law(width), (1 << width) - 1
    samples = some_samples(6000, width)
    rows, expected, seen = [], [], []
    for n, sample in enumerate(samples):
        frame, channel = divmod(n, config.channels)
        restart = frame % 100 == 0
        marks = {MARKS + "sample": 1, MARKS + "restart": int(restart), MARKS + "close": int(n % 7 == 0)}
        rows.append({"i.valid": 1, IN + "channel": channel, **marks})
        rows[-1] |= {IN + name: value for name, value in sample._asdict().items()}
        prediction = (1 << (width - 1), False) if restart else law(sample)
        folded = spikey.fold(sample.code, *prediction, width)
        expected.append((sample.code, rice.unfold(folded), channel, int(restart), int(n % 7 == 0)))
        if not restart:
            moved = sample.last + sample.output * 2.0 ** (sample.exponent - OUTPUT.fraction - FRACTION)
            seen.append((moved, moved + sample.origin, prediction))
    names = [OUT + name for name in ("code", "residual", "channel", "marks.restart", "marks.close")]
    outputs = play(Expect(config), rows, ["o.valid", *names], Expect.LATENCY)
    assert [row["o.valid"] for row in outputs].index(1) == Expect.LATENCY
    assert [tuple(row[name] for name in names) for row in outputs if row["o.valid"]] == expected

    # Nodes saturate, and codes, both ways; and halves between codes are rounded up.
    assert min(moved for moved, _, _ in seen) < -2 << width and max(moved for moved, _, _ in seen) > 2 << width
    assert any(mu < -1 and prediction == (0, False) for _, mu, prediction in seen)
    assert any(mu > top + 1 and prediction == (top, True) for _, mu, prediction in seen)
    halves = [prediction for _, mu, prediction in seen if 0 < mu < top and mu % 1 == 0.5]
    assert len(halves) > 20 and not any(upwards for _, upwards in halves)
    assert sum(upwards for _, _, (code, upwards) in seen if 0 < code < top) > 500
