"""Which channels tell something of which others: their correlation once each is predicted from its own past.

What a channel's own past tells is no news, and samples that correlate with those before them make chance look like a
partner. So each channel is predicted from its last `ORDER` samples and a constant, by least squares over the whole
recording, and what is left, nearly white, is correlated: by chance its spread over `n` frames is `1 / sqrt(n)`, and |r|
exceeds `6 / sqrt(n)` once in 5e8 pairs. That bound rules where recordings are short, elsewhere 0.025: of 751 pairs of
433 recordings the 174 that were made together have 0.0533 or more, all others, at any of `LAGS`, 0.0136 or less.

A partner that *leads* (lag above 0) helps by its past, one at lag 0 by what the network makes of the same instant; one
that only follows (lag below 0) helps nothing and gets no link, though the channel that it follows is a link of its own.
Those 174 are all strongest at lag 0; 1 frame before or behind is a quarter of it.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from model.formats import wav
from model.spec.packet import CORRELATION_BITS, MAX_CORRELATION, MAX_DISTANCE, Link

LEAST_CORRELATION: Final = 0.025
LEAST_SIGMAS: Final = 6
ORDER: Final = 4
MOST_LAG: Final = 3
LAGS: Final = range(-MOST_LAG, MOST_LAG + 1)
_RIDGE: Final = 1e-9  # of the power: keeps equations solvable where one input follows from the others
_LEAST_POWER: Final = 1e-6  # of a residual, in squared units of samples: what is less is rounding of this arithmetic
_BLOCK_SAMPLES: Final = 1 << 20  # in memory together
_WINDOW: Final = 512  # channels whose partners are looked for together


class Partner(NamedTuple):
    """A channel that correlates with another one.

    Parameters
    ----------
    distance : int
        How many channels before the other it stands; negative: behind it.
    correlations : tuple of float
        At `LAGS`, in frames by which the partner is earlier.
    """

    distance: int
    correlations: tuple[float, ...]

    @property
    def lag(self) -> int:
        """At which they correlate most."""
        return max(LAGS, key=lambda lag: abs(self.correlations[lag + MOST_LAG]))

    @property
    def helpful(self) -> float:
        """The strongest correlation of those at which the partner is not late: lags 0 to `MOST_LAG`."""
        return max(self.correlations[MOST_LAG:], key=abs)


def threshold(frames: int) -> float:
    """The least |r| of two recordings of `frames` frames that belong together."""
    return max(LEAST_CORRELATION, LEAST_SIGMAS / max(1, frames) ** 0.5)


def series_of(paths: Sequence[Path], channels: int, first: int, last: int) -> Callable[[int, int], np.ndarray]:
    """What reads channels `first` to `last - 1` of all files' channels from frame `start` to `stop`, each less its
    first sample: int32, shape (last - first, stop - start).
    """
    begin, end = first // channels, -(-last // channels)

    def read(start: int, stop: int) -> np.ndarray:
        found = [wav.read(path).samples for path in paths[begin:end]]
        samples = np.concatenate([each[start:stop].astype(np.int32) - each[:1] for each in found], axis=1)
        return samples[:, first - begin * channels : last - begin * channels].T

    return read


def _inputs(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is predicted, and from what, of series of shape (series, `ORDER` + frames).

    The differences, shape (series, frames), from the sample before, the `ORDER - 1` differences before and 1, shape
    (series, `ORDER` + 1, frames): the same as samples from samples, but well conditioned.
    """
    steps, frames = np.diff(samples), samples.shape[1] - ORDER
    before = [steps[:, ORDER - 1 - lag : ORDER - 1 - lag + frames] for lag in range(1, ORDER)]
    return steps[:, ORDER - 1 :], np.stack(
        [samples[:, ORDER - 1 : -1], *before, np.ones((len(samples), frames))], axis=1
    )


def _blocks(read: Callable[[int, int], np.ndarray], frames: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`_inputs` of all frames from the `ORDER`-th on, one piece after the other."""
    step = max(1, _BLOCK_SAMPLES // max(1, len(read(0, 0))))
    for start in range(ORDER, frames, step):
        yield _inputs(read(start - ORDER, min(start + step, frames)).astype(np.float64))


def predictors(read: Callable[[int, int], np.ndarray], frames: int) -> np.ndarray:
    """Weights by which series are predicted with the least squared error, float64, shape (series, `ORDER` + 1).

    Parameters
    ----------
    read : callable
        Gives the series from `start` to `stop`, shape (series, stop - start).
    frames : int
        Their length.
    """
    series = len(read(0, 0))
    products, wanted = np.zeros((series, ORDER + 1, ORDER + 1)), np.zeros((series, ORDER + 1, 1))
    for steps, inputs in _blocks(read, frames):
        products += inputs @ inputs.transpose(0, 2, 1)
        wanted += inputs @ steps[:, :, None]
    power = np.diagonal(products, axis1=1, axis2=2)
    scale = np.sqrt(np.where(power > 0, power, 1))[:, :, None]
    equations = products / (scale * scale.transpose(0, 2, 1)) + _RIDGE * np.eye(ORDER + 1)
    return (np.linalg.solve(equations, wanted / scale) / scale)[:, :, 0]


def residual_correlations(read: Callable[[int, int], np.ndarray], frames: int) -> np.ndarray:
    """Correlations of what is left of series when each is predicted from its own past.

    Parameters
    ----------
    read : callable
        Gives the series from `start` to `stop`, shape (series, stop - start).
    frames : int
        Their length.

    Returns
    -------
    ndarray of float64, shape (len(`LAGS`), series, series)
        At [lag + `MOST_LAG`, a, b] that of `a[t]` and `b[t - lag]`; 0 for silence.
    """
    weights = predictors(read, frames)
    sums = np.zeros((MOST_LAG + 1, len(weights), len(weights)))
    before = np.zeros((len(weights), MOST_LAG))
    for steps, inputs in _blocks(read, frames):
        both = np.concatenate([before, steps - (weights[:, None] @ inputs)[:, 0]], axis=1)
        for lag in range(MOST_LAG + 1):
            sums[lag] += both[:, MOST_LAG:] @ both[:, MOST_LAG - lag : both.shape[1] - lag].T
        before = both[:, both.shape[1] - MOST_LAG :]
    power = np.diag(sums[0])
    heard = power > _LEAST_POWER * frames
    r = np.divide(sums, np.sqrt(np.outer(power, power)), out=np.zeros_like(sums), where=np.outer(heard, heard))
    return np.concatenate([r[:0:-1].transpose(0, 2, 1), r])


def find_partners(paths: Sequence[Path], channels: int, frames: int, places: Sequence[int]) -> list[list[Partner]]:
    """The partners of all channels of recordings of `channels` channels and `frames` frames.

    Parameters
    ----------
    paths : sequence of Path
    channels, frames : int
    places : sequence of int
        Where in the stream each of the channels stands, rising.

    Returns
    -------
    list of list of Partner
        One each of `places`: those at most `MAX_DISTANCE` away that correlate at any lag, the nearest first.
    """
    found: list[list[Partner]] = [[] for _ in places]
    for begin in range(0, len(places), _WINDOW) if len(places) > 1 else ():
        end = min(len(places), begin + _WINDOW)
        low, high = max(0, begin - MAX_DISTANCE), min(len(places), end + MAX_DISTANCE)
        r = residual_correlations(series_of(paths, channels, low, high), frames)
        distances = np.subtract.outer(places[begin:end], places[low:high])
        near = (distances != 0) & (np.abs(distances) <= MAX_DISTANCE)
        strong = np.abs(r[:, begin - low : end - low]).max(axis=0) >= threshold(frames)
        for channel, partner in np.argwhere(near & strong).tolist():
            lags = tuple(r[:, begin - low + channel, partner].tolist())
            found[begin + channel].append(Partner(int(distances[channel, partner]), lags))
    return [sorted(partners, key=lambda partner: abs(partner.distance)) for partners in found]


def links_of(partners: Sequence[Partner], frames: int, most: int) -> tuple[Link, ...]:
    """The links of a channel to the `most` of its partners that help most, the strongest first, of equal ones the
    nearest; those that only follow it are left out.
    """
    helpful = [partner for partner in partners if abs(partner.helpful) >= threshold(frames)]
    strongest = sorted(helpful, key=lambda partner: (-abs(partner.helpful), abs(partner.distance)))[:most]
    return tuple(Link(partner.distance, quantised(partner.helpful)) for partner in strongest)


def find_links(
    paths: Sequence[Path], channels: int, frames: int, places: Sequence[int], most: int
) -> list[tuple[Link, ...]]:
    """The links of all channels, one each of `places`, up to `most` each; other parameters as in `find_partners`."""
    if most == 0:
        return [()] * len(places)
    return [links_of(partners, frames, most) for partners in find_partners(paths, channels, frames, places)]


def quantised(correlation: float) -> int:
    """A correlation that is not 0 as `Link` has it: rounded, but never to 0."""
    found = max(1, min(MAX_CORRELATION, round(abs(correlation) * (1 << CORRELATION_BITS))))
    return found if correlation > 0 else -found


def correlation_matrix(paths: Sequence[Path], lag: int = 0) -> np.ndarray:
    """Correlations of all channels of recordings of one number of channels, for drawing.

    Parameters
    ----------
    paths : sequence of Path
    lag : int
        One of `LAGS`: frames by which the column's channel is earlier than the row's.

    Returns
    -------
    ndarray of float64, shape (channels of all files, the same)
        Not a number where recordings differ in length: they have no frames in common that could be compared.
    """
    shapes = [wav.read(path).samples.shape for path in paths]
    (channels,) = {shape[1] for shape in shapes}
    found = np.full((channels * len(paths),) * 2, np.nan)
    for frames in sorted({shape[0] for shape in shapes}):
        members = [number for number, shape in enumerate(shapes) if shape[0] == frames]
        places = [number * channels + channel for number in members for channel in range(channels)]
        read = series_of([paths[number] for number in members], channels, 0, len(places))
        found[np.ix_(places, places)] = residual_correlations(read, frames)[lag + MOST_LAG]
    return found
