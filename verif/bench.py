"""What every cocotb testbench does: reset, play, drain, compare with the ledger."""

import numpy as np

from verif import ledger, stimulus
from verif.material import MAKERS
from verif.player import Player, generator
from verif.trace import Trace


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
        """Words that offer `codes` slowly enough for the output, or as `pause` says."""
        clocks = self.design.frame_clocks
        return stimulus.frames(codes, self.rng, spacing=self.design.spacing, pause=pause, frame_clocks=clocks)

    async def reset(self) -> None:
        """Two clocks of reset."""
        await self.player.play(stimulus.reset(2, self.rng))

    async def check(self, words: np.ndarray, *, stalled: bool = False, recovered: int = 0) -> tuple[Trace, set[int]]:
        """Play `words` from reset, disable, drain, and compare; returns the trace and the packets that were dropped.

        The last `recovered` packets must not be among them.
        """
        words, expected = ledger.drained(words, self.design, self.rng)
        await self.reset()
        trace = await self.player.play(words)
        drops = ledger.check(expected, trace, stalled=stalled)
        ledger.check_recovery(expected, drops, recovered)
        return trace, drops
