"""The front of stage `wavelet` in gates against its law, a sample a clock."""

import numpy as np
import pytest

from hw.load import Table
from hw.wavelet import Wavelet
from model.codec import wavelet as law
from model.spec.config import CodecConfig
from model.spec.wavelet import FRACTION, LEVEL_FRACTION, level_format
from tests.simulate import play

IN, OUT, MARKS = "i.payload.", "o.payload.", "i.payload.marks."
FIELDS = ("code", "channel", "origin", "last", "before", "signal", "exponent", "mantissa")


def some_codes(frames: int, channels: int, width: int) -> np.ndarray:
    """Noise of every size, from none to full scale and back; both rails in turn; a channel that stands still."""
    rng, top = np.random.default_rng(channels + width), (1 << width) - 1
    size = 2.0 ** np.interp(np.arange(frames), [0, frames // 2, frames - 1], [-3, width, -3])
    codes = np.clip(np.rint(top / 2 + rng.normal(0, 1, (frames, channels)) * size[:, None]), 0, top).astype(np.int64)
    codes[frames // 4 : frames // 2, 1] = np.where(np.arange(frames // 2 - frames // 4) % 2, top, 0)
    codes[:, 2] = 5
    return codes


@pytest.mark.parametrize(
    ("channels", "width", "level"),
    [(6, 8, 1 << LEVEL_FRACTION), (7, 10, 4096), (9, 10, (1 << 16) - 1), (6, 8, 93)],
)
def test_wavelet(channels: int, width: int, level: int) -> None:
    """All channels restart at frames 0 and 700; what belongs to no stored packet changes nothing."""
    config, frames, keys, lost = CodecConfig("spikey", channels, width), 1000, (0, 700), range(300, 310)
    codes = some_codes(frames, channels, width)
    rows = [{"load.write": 1, "load.table": t, "load.value": level if t == Table.LEVEL else 77} for t in Table]
    expected = []
    state = [(0, 0, 0, 0)] * channels
    for frame in range(frames):
        for channel in range(channels):
            code, restart, sample = int(codes[frame, channel]), frame in keys, frame not in lost
            marks = {MARKS + "sample": int(sample), MARKS + "restart": int(restart), MARKS + "frame": int(channel == 0)}
            rows.append({"i.valid": 1, IN + "code": code, IN + "channel": channel, **marks})
            if not sample:
                continue
            origin, last, mean, before = state[channel]
            if restart:
                origin, last, mean, before = code, 0, level, 0
            signal = (code - origin) << FRACTION
            mean = mean if restart else law.follow_level(mean, signal - last)
            exponent = law.exponent(mean)
            expected.append(
                (code, channel, origin, last >> FRACTION, before, signal, exponent, law.mantissa(mean, exponent))
            )
            state[channel] = origin, signal, mean, exponent
            assert mean <= level_format(width).maximum
    rows.insert(len(rows) - 5 * channels, {})  # a clock without a sample
    names = [OUT + name for name in FIELDS]
    watched = ["o.valid", *names, OUT + "marks.sample", OUT + "marks.restart", OUT + "marks.frame"]
    outputs = play(Wavelet(config), rows, watched, Wavelet.LATENCY)
    assert [row["o.valid"] for row in outputs].index(1) == len(Table) + Wavelet.LATENCY
    got = [row for row in outputs if row["o.valid"]]
    assert [row[OUT + "marks.frame"] for row in got] == ([1] + [0] * (channels - 1)) * frames
    kept = [row for row in got if row[OUT + "marks.sample"]]
    for row in kept:
        if row[OUT + "marks.restart"]:
            row[OUT + "before"] = 0  # it has none
    assert [tuple(row[name] for name in names) for row in kept] == expected
    exponents, mantissas = ({row[6 + n] for row in expected} for n in range(2))
    assert max(exponents) >= width + 3 and len(exponents) > 8
    assert mantissas == set(range(-32, 32))


def test_a_channel_may_return_after_depth_clocks() -> None:
    config, codes = CodecConfig("spikey", 1, 10), [500, 512, 400, 0, 1023, 700]
    rows: list[dict[str, int]] = [{"load.write": 1, "load.table": Table.LEVEL, "load.value": 4096}]
    state, expected = (0, 4096), []
    for n, code in enumerate(codes):
        rows += [{"i.valid": 1, IN + "code": code, MARKS + "sample": 1, MARKS + "restart": int(n == 0)}]
        rows += [{}] * (Wavelet.DEPTH - 1)
        signal = (code - codes[0]) << FRACTION
        mean = law.follow_level(state[1], signal - state[0]) if n else state[1]
        state = signal, mean
        expected.append((signal, law.exponent(mean), law.mantissa(mean, law.exponent(mean))))
    names = ["o.valid", OUT + "signal", OUT + "exponent", OUT + "mantissa"]
    outputs = play(Wavelet(config), rows, names, Wavelet.LATENCY)
    assert [tuple(row[name] for name in names[1:]) for row in outputs if row["o.valid"]] == expected
