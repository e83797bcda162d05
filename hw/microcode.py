"""From a network's description to the microcode of the array that runs it (`hw.network`).

A program is a sequence of *passes*. Each is run for slot after slot, so that its results are there when the next pass
reads them; only arrays with few slots must wait between passes. What a channel's program does, in this order:

- take the sample into the rings of nodes 0 to 2;
- filters, one pass for all that depend on equally many others;
- layers of the projector, and what the skip path adds to the outputs of the *next* frame;
- MiddleOut: one dense layer for each partner, then the mix. In the residual form the memory holds the mix negated, and
  the weights that it meets are negated: rounding half up then is that of the law;
- layers of the predictor, and the head. What the skip path added is a term of its sum, times `2**shift`.

MiddleOut, predictor and head read the channel's own latent of the frame before, and so predict this frame's sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

import numpy as np

from hw.geometry import WEIGHT_BITS, WIDE_BITS, Floor, Geometry, Load, Source, Via
from model.spec import network as spec
from model.spec.config import ConfigError
from model.spec.network import MiddleOut
from model.spec.packet import Link

HALF: Final = 1 << (WIDE_BITS - 1)
GREATEST_SUM: Final = (1 << 31) - 1
GREATEST_WORD: Final = (1 << 15) - 1
RECIPROCAL_FRACTION: Final = 8
GATE_ONES: Final = spec.GATE.width - 1
CELL_ONES: Final = spec.CELL.width - 1
OUTPUT_ONES: Final = spec.OUTPUT.width - 1
TANH_ONES: Final = spec.TANH.width - 1
CELL_FALL: Final = spec.CELL.fraction - spec.GATE.fraction


@dataclass(frozen=True)
class Operand:
    """What a step reads: a ring, at some lag, or another source."""

    base: int = 0
    size: int = 0
    lag: int = 0
    late: bool = False
    source: Source = Source.MEMORY
    via: Via = Via.NOTHING
    ones: int = 0

    def at(self, lag: int, *, late: bool = False) -> "Operand":
        """The same ring, so many frames ago."""
        return replace(self, lag=lag, late=late)


@dataclass(frozen=True)
class Result:
    """What becomes of a sum."""

    bias: int
    shift: int
    ones: int
    floor: Floor
    to: Operand = field(default_factory=Operand)
    output: int = 0


@dataclass(frozen=True)
class Step:
    """One word, multiplied and added up."""

    operand: Operand
    weights: tuple[int, ...] = ()
    wide: bool = False
    gain: bool = False
    load: Load = Load.NOTHING
    first: bool = False  # of its sum; for people only
    results: tuple[Result, ...] = ()  # of sums that are complete with it


IDLE: Final = Step(Operand())


def half(shift: int) -> int:
    """What is added before a shift, for rounding."""
    return 1 << shift >> 1


def unfit(what: str, need: int, have: int) -> ConfigError:
    """The error of a network that exceeds the array."""
    return ConfigError(f"network: needs {need} {what}, the array has {have}; give a smaller network or a larger array")


@dataclass(frozen=True)
class Program:
    """A compiled network.

    Parameters
    ----------
    geometry : Geometry
    passes : list of list of Step
    partners : int
        That a channel can have.
    own : int
        Field to be loaded with the own gain; -1: there is none.
    pointers, correlations, gains : list of int
        Fields to be loaded, one for each partner: where it stands, its correlation, and its gain.
    lookup : int
        Field of the table of the sigmoid, with that of the hyperbolic tangent behind it; -1: there is none.
    form : MiddleOut
    fields : int
        That are used.
    useful : int
        Multiply-adds of the network for each sample.
    """

    geometry: Geometry
    passes: list[list[Step]]
    partners: int
    own: int
    pointers: list[int]
    correlations: list[int]
    gains: list[int]
    lookup: int
    form: MiddleOut
    fields: int
    useful: int

    @property
    def waits(self) -> list[bool]:
        """Of each pass, whether the next one must wait for its results, or for the multipliers' line to be empty."""
        others = self.geometry.slots - 1

        def must_wait(now: list[Step], after: list[Step]) -> bool:
            unread = others * min(len(now), len(after)) < self.geometry.drain
            behind = next(n for n, step in enumerate(reversed(now)) if step.results)  # steps behind the last results
            return unread or len(now[~behind].results) > behind + _first_results(after) + 1

        return [must_wait(now, after) for now, after in pairwise(self.passes)] + [True]

    @property
    def clocks(self) -> int:
        """Clocks of a frame: from `start` to `done` of `hw.network.Network`, whatever the samples are."""
        geometry = self.geometry
        parts = zip(self.passes, self.waits, strict=True)
        return sum(len(steps) * geometry.slots + waits * geometry.drain for steps, waits in parts)

    @property
    def utilisation(self) -> float:
        """Useful multiply-adds in each clock of each multiplier, all cores' slots being used."""
        return self.useful * self.geometry.slots / (self.clocks * self.geometry.multipliers)

    def words(self) -> tuple[list[int], list[int]]:
        """Words of the steps and of the results."""
        geometry, steps, results = self.geometry, [], list[int]()
        for number, (found, waits) in enumerate(zip(self.passes, self.waits, strict=True)):
            for n, step in enumerate(found):
                end = n + 1 == len(found)
                at = len(results)
                flags = {
                    "end": int(end),
                    "wait": int(end and waits),
                    "stop": int(end and number + 1 == len(self.passes)),
                    "last": int(bool(step.results)),
                    "result": at if step.results else 0,
                }
                steps.append(_step_word(geometry, step, flags))
                results += [
                    _result_word(geometry, result, more=k + 1 < len(step.results))
                    for k, result in enumerate(step.results)
                ]
        for what, need, have in (
            ("steps", len(steps), geometry.steps),
            ("results", len(results), geometry.results),
            ("fields", self.fields, geometry.fields),
        ):
            if need > have:
                raise unfit(what, need, have)
        return steps + [0] * (geometry.steps - len(steps)), results + [0] * (geometry.results - len(results))

    def constants(self, links: Sequence[Sequence[Link]], channels: int) -> np.ndarray:
        """What the loaded fields hold, int64, shape (cores, loaded, 2**slot_bits).

        Raises
        ------
        ConfigError
            If a channel has more partners than the program, or one that another core serves.
        """
        geometry = self.geometry
        out = np.zeros((geometry.cores, geometry.loaded, 1 << geometry.slot_bits), np.int64)
        if self.lookup >= 0:
            tables = np.concatenate([spec.sigmoid_table(), spec.tanh_table()])
            size = tables.size >> geometry.slot_bits
            out[:, self.lookup : self.lookup + size] = tables.reshape(size, -1)
        for channel in range(channels):
            core, slot = divmod(channel, geometry.slots)
            found = list(links[channel]) if links and self.form != MiddleOut.NONE else []
            if len(found) > self.partners:
                raise ConfigError(
                    f"links: channel {channel} has {len(found)}, the program knows {self.partners}; compile it for more"
                )
            reciprocal = spec.RECIPROCALS[len(found)]
            if self.own >= 0:
                out[core, self.own, slot] = 0 if found else 1 << RECIPROCAL_FRACTION
            for p in range(self.partners):
                distance, correlation = found[p] if p < len(found) else (0, 0)
                if (channel - distance) // geometry.slots != core:
                    first = core * geometry.slots
                    raise ConfigError(
                        f"links: channel {channel} has a partner {distance} channels before it, which another core "
                        f"serves; give one of channels {first} to {first + geometry.slots - 1}"
                    )
                gain = reciprocal * (correlation if self.form == MiddleOut.RESIDUAL else 1) if distance else 0
                out[core, self.pointers[p], slot] = (distance <= 0) << geometry.slot_bits | (slot - distance)
                out[core, self.correlations[p], slot] = correlation
                out[core, self.gains[p], slot] = gain
        return out

    def listing(self) -> str:
        """The program in words, a line for each step."""
        lines = [f"{self.clocks} clocks a frame, multipliers used {self.utilisation:.0%}"]
        for number, (steps, waits) in enumerate(zip(self.passes, self.waits, strict=True)):
            lines.append(f"pass {number}: {len(steps)} steps a slot" + (", then wait" if waits else ""))
            lines += [f"    {_line(step)}" for step in steps]
        return "\n".join(lines) + "\n"


def _first_results(steps: Sequence[Step]) -> int:
    """The first step with results."""
    return next(n for n, step in enumerate(steps) if step.results)


def _step_word(geometry: Geometry, step: Step, flags: dict[str, int]) -> int:
    operand = step.operand
    if step.wide:
        weights = step.weights[0] & ((1 << WIDE_BITS) - 1)
    else:
        mask = (1 << WEIGHT_BITS) - 1
        weights = sum((weight & mask) << (WEIGHT_BITS * n) for n, weight in enumerate(step.weights))
    values = {
        "base": operand.base,
        "size": operand.size,
        "lag": operand.lag,
        "late": operand.late,
        "source": operand.source,
        "via": operand.via,
        "load": step.load,
        "ones": operand.ones,
        "wide": step.wide,
        "gain": step.gain,
        "weights": weights,
        **flags,
    }
    return geometry.step.const({name: int(value) for name, value in values.items()}).as_bits()


def _result_word(geometry: Geometry, result: Result, *, more: bool) -> int:
    values = {
        "bias": result.bias + half(result.shift),
        "shift": result.shift,
        "ones": result.ones,
        "floor": int(result.floor),
        "base": result.to.base,
        "size": result.to.size,
        "output": result.output,
        "more": int(more),
    }
    return geometry.result.const(values).as_bits()


def _line(step: Step) -> str:
    operand = step.operand
    word = operand.source.name.lower()
    if operand.source <= Source.RELATIVE:
        word += f" {operand.base}" + (f"[{-operand.lag}]" if operand.size else "")
    word += f" via {operand.via.name.lower()}" if operand.via else ""
    parts = [word] if step is not IDLE else ["-"]
    if step.load:
        parts.append(f"-> {step.load.name.lower()}")
    if step.gain or step.weights:
        parts.append("* " + ("gain" if step.gain else " ".join(map(str, step.weights))))
    parts += ["begin"] if step.first else []
    for result in step.results:
        to = f"output {result.output - 1}" if result.output else f"{result.to.base}" + ("[0]" if result.to.size else "")
        parts.append(f"-> {to} (+{result.bias} >>{result.shift}, {result.floor.name.lower()} {result.ones})")
    return "  ".join(parts)
