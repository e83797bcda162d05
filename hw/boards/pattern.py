"""Test pattern: noise and rare spikes as from electrodes, made on the chip, and its twin in Python.

Every sample draws 16 fresh bits of a PRBS31 sequence. Four fields of 3 bits, added up, are the noise (standard
deviation 4.6 codes, so that a sample takes about 4.8 bits coded, as recordings do); one sample in 1024 lies a quarter
of the range off the centre, which drives the coder into its escape. The samples do not depend on the pace: whatever
was dropped on the way, the frame numbers in the packets say what the others must hold.
"""

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from hw.boards.streams import sample_stream

STATE_BITS = 31  # PRBS31: b[n] = b[n - 31] ^ b[n - 28]
FRESH_BITS = 16  # drawn at once; the taps allow up to 28
SEED = 0x2545F491  # any but zero
NOISE_FIELDS = ((0, 3), (3, 6), (6, 9), (9, 12))  # of the state: the newest bit is bit 0
NOISE_MEAN = 14
SPIKE_FIELD = (12, 22)  # a spike where all of them are 0
SPIKE_SIGN = 22
PHASE_BITS = 24


def pattern(frames: int, channels: int, width: int) -> np.ndarray:
    """What `Pattern` sends after reset.

    Returns
    -------
    ndarray of uint16, shape (frames, channels)
        Codes of `width` bits.
    """
    codes = np.empty(frames * channels, np.uint16)
    state = SEED
    for index in range(codes.size):
        fresh = (state >> 15 ^ state >> 12) & ((1 << FRESH_BITS) - 1)
        state = (state << FRESH_BITS | fresh) & ((1 << STATE_BITS) - 1)
        code = (1 << (width - 1)) - NOISE_MEAN + sum(_field(state, *field) for field in NOISE_FIELDS)
        if _field(state, *SPIKE_FIELD) == 0:
            code += (1 << (width - 2)) * (-1 if state >> SPIKE_SIGN & 1 else 1)
        codes[index] = code
    return codes.reshape(frames, channels)


def _field(state: int, low: int, high: int) -> int:
    return state >> low & ((1 << (high - low)) - 1)


class Pattern(wiring.Component):
    """The generator.

    Parameters
    ----------
    channels, width : int
    rate : float
        Frames per clock; `channels * rate` must not exceed 1. Kept to one part in 2**24 of a sample per clock.

    Members
    -------
    o : sample stream
        The first sample after reset is channel 0 of frame 0.

    Model
    -----
    `pattern`

    Raises
    ------
    ValueError
        If there is more than one sample a clock, or none in 2**24.
    """

    def __init__(self, channels: int, width: int, *, rate: float) -> None:
        self.channels = channels
        self.width = width
        self.increment = round(channels * rate * (1 << PHASE_BITS))
        if not 1 <= self.increment <= 1 << PHASE_BITS:
            raise ValueError(
                f"rate: {channels * rate:g} samples a clock are not possible; give more than 2**-24, at most 1"
            )
        super().__init__({"o": Out(sample_stream(width))})

    def elaborate(self, platform: object) -> Module:
        """Phase accumulator, then bits, then the sample: three registers in a row."""
        m = Module()

        phase = Signal(PHASE_BITS)
        tick = Signal()
        m.d.sync += Cat(phase, tick).eq(phase + self.increment)

        state = Signal(STATE_BITS, init=SEED)
        channel = Signal(range(max(2, self.channels)))
        drawn = Signal()
        mark = Signal()
        m.d.sync += drawn.eq(tick)
        with m.If(tick):
            fresh = (state[15:] ^ state[12:])[:FRESH_BITS]
            m.d.sync += [
                state.eq(Cat(fresh, state)),
                mark.eq(channel == 0),
                channel.eq(Mux(channel == self.channels - 1, 0, channel + 1)),
            ]

        noise = sum((state[low:high] for low, high in NOISE_FIELDS), start=(1 << (self.width - 1)) - NOISE_MEAN)
        spike = ~state[slice(*SPIKE_FIELD)].any()
        height = Mux(spike, Mux(state[SPIKE_SIGN], -(1 << (self.width - 2)), 1 << (self.width - 2)), 0)
        m.d.sync += [
            self.o.valid.eq(drawn),
            self.o.payload.code.eq(noise + height),
            self.o.payload.mark.eq(mark),
        ]
        return m
