"""What every cocotb testbench does: reset, play, drain, compare with the ledger."""

import numpy as np

from hw.loader import Loader
from model.spec.parameters import ParameterSet
from verif import ledger, stimulus
from verif.material import MAKERS
from verif.player import Player, generator
from verif.trace import Trace

LOADING_CLOCKS = 2 * Loader.WORD_CLOCKS  # from word to word of a parameter set, while frames are numbered


class Bench:
    """One core under test.

    Parameters
    ----------
    dut
        cocotb's handle.
    *numbers : int
        Name the random numbers of this test.
    """

    def __init__(self, dut, *numbers: int) -> None:
        self.player = Player(dut)
        self.design = self.player.design
        self.config = self.design.config
        self.rng = generator(*numbers)

    def codes(self, count: int, kind: str = "noise") -> np.ndarray:
        """`count` frames of codes, shape (count, channels)."""
        return MAKERS[kind]((count, self.config.channels), self.config.width, self.rng)

    def frames(self, codes: np.ndarray, *, pause: float = 0.3) -> np.ndarray:
        """Words that offer `codes` slowly enough for the output or, without a pause, as fast as can be."""
        design = self.design
        spacing = design.calm_spacing if pause else design.spacing
        return stimulus.frames(codes, self.rng, spacing=spacing, pause=pause, frame_clocks=design.frame_clocks)

    async def reset(self, loaded: ParameterSet | None = None) -> None:
        """Two clocks of reset, then a parameter set, if any."""
        await self.player.play(stimulus.reset(2, self.rng))
        if loaded is not None:
            await self.player.load(self.image(loaded))

    def image(self, parameters: ParameterSet) -> np.ndarray:
        """Words that load a set."""
        return stimulus.parameters(self.design.image(parameters), LOADING_CLOCKS)

    async def check(
        self, words: np.ndarray, *, stalled: bool = False, recovered: int = 0, loaded: bool = True
    ) -> tuple[Trace, set[int]]:
        """Play `words` from reset, disable, drain, and compare; returns the trace and the packets that were dropped.

        The last `recovered` packets must not be among them. Unless `loaded` is False, a core of a parameterised
        profile has its set from the begin.
        """
        words = ledger.drained(words, self.design, self.rng)
        parameters = self.design.parameters if loaded else None
        await self.reset(parameters)
        trace = await self.player.play(words)
        expected = ledger.read(words, self.design, parameters, trace)
        drops = ledger.check(expected, trace, stalled=stalled)
        ledger.check_recovery(expected, drops, recovered)
        return trace, drops
