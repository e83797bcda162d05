"""Plays stimuli in cocotb, clock by clock, with the monitors on both streams."""

import os
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge

from hw.frame import COUNTERS
from hw.loader import Loader
from verif import stimulus
from verif.design import Design
from verif.monitor import StreamMonitor
from verif.trace import Trace

SEED = int(os.environ.get("SPIKEY_SEED", "1"))


def generator(*numbers: int) -> np.random.Generator:
    """The random numbers of one test; `SPIKEY_SEED` moves them all."""
    cocotb.log.info("random seed: %s", (SEED, *numbers))
    return np.random.default_rng((SEED, *numbers))


class Player:
    """Drives `dut` after the rising edge and reads it at the falling one: what the next rising edge will see.

    Parameters
    ----------
    dut
        cocotb's handle of the core.
    """

    def __init__(self, dut) -> None:
        self.dut = dut
        self.design = Design.from_environment()
        self._seen_valid = False
        self._monitors = [StreamMonitor("s_axis", always_ready=True), StreamMonitor("m_axis")]
        fields = {
            dut.s_axis_tdata: 0xFFFF,
            dut.s_axis_tuser: stimulus.MARK,
            dut.enable: stimulus.ENABLE,
            dut.rst: stimulus.RESET,
        }
        # Every write costs time: a port is written when its bits change.
        self._fields = [(handle, *self._field(mask)) for handle, mask in fields.items()]
        self._flags = {dut.s_axis_tvalid: False, dut.m_axis_tready: False}
        self.parameterised = self.design.parameters is not None
        if self.parameterised:
            self._fields += [(dut.p_axis_tdata, 0xFFFF, 0), (dut.p_axis_tuser, *self._field(stimulus.MARK))]
            self._flags[dut.p_axis_tvalid] = False
        for handle in [*(handle for handle, _, _ in self._fields), *self._flags]:
            handle.value = 0
        self._word, self._takes = 0, True
        Clock(dut.clk, 10, "ns", impl="gpi").start()

    @staticmethod
    def _field(mask: int) -> tuple[int, int]:
        return mask, (mask & -mask).bit_length() - 1

    def _drive(self, word: int, flags: dict[Any, bool]) -> None:
        changed = word ^ self._word
        for handle, mask, shift in self._fields:
            if changed & mask:
                handle.value = (word & mask) >> shift
        for handle, value in flags.items():
            if value != self._flags[handle]:
                handle.value = value
        self._word, self._flags = word, flags

    async def play(self, words: np.ndarray) -> Trace:
        """Play `words`; what was observed in earlier stimuli does not count again, except the monitors' complaints."""
        dut, handed, taken, again = self.dut, [], [], []
        source, sink = self._monitors
        rising, falling = RisingEdge(dut.clk), FallingEdge(dut.clk)
        s_ready, m_valid, m_data, m_last = dut.s_axis_tready, dut.m_axis_tvalid, dut.m_axis_tdata, dut.m_axis_tlast
        for clock, word in enumerate(words.tolist()):
            await rising
            reset = bool(word & stimulus.RESET)
            ready = bool(word & stimulus.READY) and (not word & stimulus.SHY or self._seen_valid)
            offered = bool(word & stimulus.VALID)
            parameter = offered and bool(word & stimulus.PARAMETER)
            sample = offered and (not parameter or bool(word & stimulus.BOTH))
            flags = {dut.s_axis_tvalid: sample, dut.m_axis_tready: ready}
            if self.parameterised:
                flags[dut.p_axis_tvalid] = parameter
            self._drive(word, flags)
            await falling
            if self.parameterised:
                takes = bool(dut.p_axis_tready.value)
                if parameter and takes and not reset:
                    taken.append(clock)
                if takes and not self._takes:
                    again.append(clock)
                self._takes = takes
            accepted, valid = bool(s_ready.value), bool(m_valid.value)
            payload = int(m_data.value) | int(m_last.value) << 8 if valid else 0
            source.observe(
                valid=sample,
                ready=accepted,
                payload=word & (stimulus.MARK | 0xFFFF),
                reset=reset,
            )
            sink.observe(valid=valid, ready=ready, payload=payload, reset=reset)
            if valid and ready and not reset:
                handed.append((payload & 0xFF, payload >> 8, clock))
            self._seen_valid = valid
        columns = np.array(handed, np.int64).reshape(-1, 3)
        counters = {name: int(getattr(dut, name).value) for name in COUNTERS}
        violations = [v for monitor in self._monitors for v in monitor.violations]
        loaded = self.parameterised and bool(dut.loaded.value)
        data, last, clocks = columns[:, 0].astype(np.uint8), columns[:, 1] != 0, columns[:, 2]
        return Trace(data, last, clocks, counters, violations, taken, again, loaded)

    async def load(self, words: np.ndarray) -> None:
        """Load a parameter set into a core at rest; `words` are those of `stimulus.parameters`."""
        for word in words[words != 0].tolist():
            await self.play(np.array([word, 0]))
            await ClockCycles(self.dut.clk, Loader.WORD_CLOCKS - 2)
        await self.play(np.zeros(4, np.uint32))
