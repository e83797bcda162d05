"""What goes into a core, clock by clock: an array of words, one a clock, that every simulator plays alike.

A word holds `tdata` in its low 16 bits and the flags below. While `tvalid` is low, `tdata` and `tuser` are garbage
on purpose.
"""

import numpy as np

from hw.loader import Loader

VALID = 1 << 16
MARK = 1 << 17
ENABLE = 1 << 18
READY = 1 << 19
SHY = 1 << 20  # with READY: ready only from the clock after valid was seen
RESET = 1 << 21
PARAMETER = 1 << 22  # VALID, MARK and `tdata` are for the port of parameter sets, not for the samples'
BOTH = 1 << 23  # with PARAMETER: for both ports


def idle(clocks: int, rng: np.random.Generator) -> np.ndarray:
    """`clocks` words without a sample: enabled, output not ready."""
    return (rng.integers(0, 1 << 16, clocks) | rng.integers(0, 2, clocks) * MARK | ENABLE).astype(np.uint32)


def samples(
    codes: np.ndarray,
    marks: np.ndarray,
    rng: np.random.Generator,
    *,
    spacing: int = 1,
    pause: float = 0.0,
    longest: int | None = None,
) -> np.ndarray:
    """Words that offer `codes`, one every `spacing` clocks or, with probability `pause` a clock, later.

    Parameters
    ----------
    codes : ndarray of unsigned int, shape (samples,)
    marks : ndarray of bool, shape (samples,)
        Which samples carry the frame mark.
    rng : numpy.random.Generator
    spacing : int
    pause : float
        Below 1.
    longest : int, optional
        Most clocks from one sample to the next.
    """
    gaps = np.full(len(codes), spacing)
    if pause:
        gaps += rng.geometric(1 - pause, len(codes)) - 1
    gaps = np.minimum(gaps, longest or gaps)
    at = np.cumsum(gaps) - spacing
    words = idle(int(at[-1]) + spacing if len(codes) else 0, rng)
    words[at] = codes.astype(np.uint32) | VALID | ENABLE | np.where(marks, MARK, 0).astype(np.uint32)
    return words


def parameters(image: np.ndarray, clocks: int = Loader.WORD_CLOCKS) -> np.ndarray:
    """Words that load a parameter set, as fast as the core takes them.

    Parameters
    ----------
    image : ndarray of uint16
        As `model.spec.calibrated.image` gives it.
    clocks : int
        From word to word; more where frames are numbered meanwhile, for which a word waits.
    """
    words = np.zeros((len(image), clocks), np.uint32)
    words[:, 0] = image.astype(np.uint32) | PARAMETER | VALID
    words[0, 0] |= MARK
    return words.ravel()


def offered(words: np.ndarray) -> np.ndarray:
    """Which words offer a sample."""
    return (words & VALID != 0) & ((words & PARAMETER == 0) | (words & BOTH != 0))


def frames(
    codes: np.ndarray,
    rng: np.random.Generator,
    *,
    spacing: int = 1,
    pause: float = 0.0,
    frame_clocks: int = 0,
) -> np.ndarray:
    """Words that offer whole frames.

    Parameters
    ----------
    codes : ndarray of unsigned int, shape (frames, channels)
    rng : numpy.random.Generator
    spacing, pause
        As in `samples`.
    frame_clocks : int
        If not 0, each frame begins this many clocks after the last one, and fits into them.
    """
    marks = np.arange(codes.size) % codes.shape[1] == 0
    if not frame_clocks:
        return samples(codes.ravel(), marks, rng, spacing=spacing, pause=pause)
    longest, first = frame_clocks // codes.shape[1], marks[: codes.shape[1]]
    parts = [samples(frame, first, rng, spacing=spacing, pause=pause, longest=longest) for frame in codes]
    return np.concatenate([fit(part, frame_clocks, rng) for part in parts])


def fit(words: np.ndarray, clocks: int, rng: np.random.Generator) -> np.ndarray:
    """`words` filled up to `clocks` with idle ones; raises `ValueError` if they are more."""
    if len(words) > clocks:
        raise ValueError(f"{len(words)} words do not fit {clocks} clocks; lower the spacing or the pause")
    return np.concatenate([words, idle(clocks - len(words), rng)])


def ready(words: np.ndarray, pattern: np.ndarray | float = 1.0, rng: np.random.Generator | None = None) -> np.ndarray:
    """`words` with the output's `tready` set where `pattern` says so, or with that probability."""
    if isinstance(pattern, float | int):
        pattern = np.ones(len(words), bool) if rng is None else rng.random(len(words)) < pattern
    return words | np.where(pattern, READY, 0).astype(np.uint32)


def disabled(words: np.ndarray) -> np.ndarray:
    """`words` with `enable` low."""
    return words & np.uint32(~ENABLE & 0xFFFFFFFF)


def reset(clocks: int, rng: np.random.Generator) -> np.ndarray:
    """`clocks` words in reset, with garbage offered meanwhile."""
    return rng.integers(0, RESET, clocks, dtype=np.uint32) | np.uint32(RESET)
