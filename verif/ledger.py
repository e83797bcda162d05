"""What the bytes must be: the stimulus read as the contract of the core says, handed to the law.

Frames are numbered by their marks. `enable` is sampled with a mark; recorded frames are cut into packets; a packet
with a broken frame is lost whole. What a stalled host loses cannot be foretold from the input alone: those drops
are learned from the positions that did come out, and the bytes must be the law's given these drops. Words of
parameter sets that were taken are learned likewise; nothing is recorded without a whole set. So are overruns where
samples wait in a queue.
"""

from dataclasses import dataclass, field

import numpy as np

from model.codec.compressor import Compressor
from model.codec.packet import scan
from model.spec.config import CodecConfig
from model.spec.parameters import ParameterSet
from verif import stimulus
from verif.design import Design
from verif.networks import borne
from verif.parameters import Loading, written
from verif.trace import Trace

SETTLING_CLOCKS = 4  # from a frame that is missing to its counter; fewer than half a frame


@dataclass
class Pass:
    """Recorded frames without a pause between them, and the parameter set that was loaded."""

    position: int
    parameters: ParameterSet | None = None
    frames: list[np.ndarray] = field(default_factory=list)


@dataclass
class Ledger:
    """What a stimulus, played from reset, must give.

    Parameters
    ----------
    config : CodecConfig
    passes : list of Pass
    broken : set of int
        Positions of recorded frames that are broken.
    short_frames, long_frames, missing_frames, overruns : int
        What the counters must show.
    """

    config: CodecConfig
    passes: list[Pass] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)
    short_frames: int = 0
    long_frames: int = 0
    missing_frames: int = 0
    overruns: int = 0
    loaded: bool = False  # at the end
    queued: bool = False  # samples wait in a queue, and overrun when it is full

    def packets(self) -> dict[int, int]:
        """Index of each packet by its position."""
        step = self.config.packet_frames
        starts = [p.position + at for p in self.passes for at in range(0, len(p.frames), step)]
        return {start: index for index, start in enumerate(starts)}

    def lost(self) -> set[int]:
        """Indices of packets that a broken frame costs."""
        starts = np.array(sorted(self.packets()))
        return {int(np.searchsorted(starts, frame, "right")) - 1 for frame in self.broken}

    def encode(self, drops: set[int]) -> list[bytes]:
        """The law's packets."""
        known, packets, position = self.packets(), [], 0
        law, loaded = Compressor(self.config, drops=drops), None
        for each in self.passes:
            if each.parameters is not loaded:
                loaded, position = each.parameters, each.position
                later = {index - known[position] for index in drops}
                config = borne(self.config, loaded)
                law = Compressor(config, drops=later, parameters=loaded, position=position)
            law.pause(each.position - position)
            packets += [*law.push(np.array(each.frames)), *law.close()]
            position = each.position + len(each.frames)
        return packets


class Reader:
    """Reads a stimulus clock by clock, as the contract of the core says.

    Parameters
    ----------
    design : Design
    loaded : ParameterSet, optional
        What is loaded when the stimulus begins.
    """

    def __init__(self, design: Design, loaded: ParameterSet | None = None) -> None:
        self.design = design
        self.channels = design.config.channels
        self.loading = Loading(design, loaded)
        self.parameterised = design.parameters is not None
        self.depth = 1 if self.parameterised else design.core().depth  # behind a queue no channel returns too early
        self.ledger = Ledger(design.config, queued=design.parameters is not None)
        self.waits = False  # a word of a parameter set
        self.position = -1
        self.channel: int | None = None  # of the next sample; None: no frame is open
        self.recording = False  # the open frame is recorded
        self.joined = False  # the next recorded frame continues the last pass
        self.surplus = False
        self.deadline: int | None = None  # clock at which a frame is missing
        self.used: list[int] = []  # clocks of the last samples that belong to a frame

    def clock(self, clock: int, word: int, *, taken: bool = False, written: int | None = None) -> None:
        """What happens in one clock: a word of a parameter set may be `taken`; what is `written` waits no longer."""
        parameter = bool(word & stimulus.VALID and word & stimulus.PARAMETER)
        sample = bool(word & stimulus.VALID) and (not parameter or bool(word & stimulus.BOTH))
        enable = bool(word & stimulus.ENABLE)
        if self.parameterised:
            enable = enable and not parameter and not self.waits and self.loading.loaded is not None
        if not enable and self.channel is None:
            self.joined = False
        self._frames(clock, word, sample, enable)
        if written is not None:
            self.loading.take(written & 0xFFFF, bool(written & stimulus.MARK))
        self.waits = taken or (self.waits and written is None)

    def _frames(self, clock: int, word: int, sample: bool, enable: bool) -> None:
        if sample and word & stimulus.MARK:
            self._begin(enable)
            self._sample(clock, word)
            self.deadline = clock + self.design.frame_clocks * 3 // 2
        elif self.design.frame_clocks and clock == self.deadline:
            self._begin(enable)
            self.ledger.missing_frames += 1
            if self.recording:
                self.ledger.broken.add(self.position)
            self.channel, self.recording = None, False
            self.deadline = clock + self.design.frame_clocks
        elif sample and self.channel is not None:
            self._sample(clock, word)
        elif sample and self.position >= 0:
            self.ledger.long_frames += not self.surplus
            self.surplus = True

    def _begin(self, enable: bool) -> None:
        if self.channel is not None:
            self.ledger.short_frames += 1
            if self.recording:
                self.ledger.broken.add(self.position)
        self.position, self.channel, self.surplus, self.recording = self.position + 1, 0, False, enable
        if enable:
            if not self.joined:
                self.ledger.passes.append(Pass(self.position, self.loading.loaded))
            self.ledger.passes[-1].frames.append(np.zeros(self.channels, np.uint16))
        self.joined = enable

    def _sample(self, clock: int, word: int) -> None:
        assert self.channel is not None
        self.used = [c for c in self.used if clock - c < self.depth] + [clock]
        if len(self.used) > self.channels:  # in intact frames: this channel was here less than `depth` clocks ago
            self.ledger.overruns += 1
            if self.recording:
                self.ledger.broken.add(self.position)
        if self.recording:
            self.ledger.passes[-1].frames[-1][self.channel] = word & ((1 << self.design.config.width) - 1)
        self.channel = self.channel + 1 if self.channel + 1 < self.channels else None


def drained(words: np.ndarray, design: Design, rng: np.random.Generator) -> np.ndarray:
    """`words`, which end between frames, then as many disabled ones as let the core come to rest."""
    rest = design.drain_clocks
    marks = np.flatnonzero(stimulus.offered(words) & (words & stimulus.MARK != 0))
    if design.frame_clocks and len(marks):
        # A frame that is missed in the last clocks would not be counted yet.
        overdue = len(words) + rest - 1 - int(marks[-1]) - design.frame_clocks * 3 // 2
        rest += SETTLING_CLOCKS * (overdue % design.frame_clocks < SETTLING_CLOCKS)
    return np.concatenate([words, stimulus.ready(stimulus.disabled(stimulus.idle(rest, rng)))])


def read(words: np.ndarray, design: Design, loaded: ParameterSet | None = None, trace: Trace | None = None) -> Ledger:
    """What `words` must give.

    Parameters
    ----------
    words : ndarray of uint32, shape (clocks,)
        They begin after a reset and end between frames.
    design : Design
    loaded : ParameterSet, optional
        What has been loaded before.
    trace : Trace, optional
        That tells when the core took words of parameter sets; by default it took none.
    """
    reader, taken, again = Reader(design, loaded), trace.taken if trace else [], trace.again if trace else []
    rests, clocks = written(words, design, loaded, taken, again), frozenset(taken)
    for clock, word in enumerate(words.tolist()):
        there = int(words[rests[clock]]) if clock in rests else None
        reader.clock(clock, word, taken=clock in clocks, written=there)
    assert reader.channel is None, "the stimulus ends within a frame"
    reader.ledger.loaded = reader.loading.loaded is not None
    return reader.ledger


def check(ledger: Ledger, trace: Trace, *, stalled: bool = False) -> set[int]:
    """Demand that `trace` is what `ledger` and the law say; the scoreboard of every testbench.

    Parameters
    ----------
    ledger : Ledger
    trace : Trace
        Drained.
    stalled : bool
        Whether the output was not ready long enough to lose packets, or samples came faster than lanes take them.

    Returns
    -------
    set of int
        Indices of the packets that were dropped.
    """
    assert not trace.violations, "; ".join(trace.violations)
    emitted = trace.packets()
    assert emitted, "no packet came out: nothing was compared"
    assert trace.tail == b"", f"{len(trace.tail)} bytes of an unfinished packet are left: the output is not drained"
    known = ledger.packets()
    indices = [known.get(e.packet.position, -1) for e in emitted]
    assert -1 not in indices, (
        f"a packet begins at position {emitted[indices.index(-1)].packet.position}, where none does"
    )
    assert indices == sorted(set(indices)), f"packets came out in the order {indices}"
    drops = set(known.values()) - set(indices)
    if not stalled:
        assert drops == ledger.lost(), f"packets {sorted(drops)} are missing; expected {sorted(ledger.lost())}"
    assert drops >= ledger.lost(), f"packets {sorted(ledger.lost() - drops)} hold a broken frame but came out"
    for index, (gates, law) in zip(
        indices, zip([e.data for e in emitted], ledger.encode(drops), strict=True), strict=True
    ):
        assert gates == law, f"packet {index} differs from the law's:\ngates {gates.hex()}\nlaw   {law.hex()}"
    expected = {
        "dropped_packets": len(drops),
        "short_frames": ledger.short_frames,
        "long_frames": ledger.long_frames,
        "missing_frames": ledger.missing_frames,
        "overruns": trace.counters["overruns"] if stalled and ledger.queued else ledger.overruns,
    }
    assert trace.counters == expected, f"counters show {trace.counters}; expected {expected}"
    assert trace.loaded == ledger.loaded, f"loaded is {trace.loaded}; expected {ledger.loaded}"
    return drops


def check_recovery(ledger: Ledger, drops: set[int], packets: int) -> None:
    """Demand that the last `packets` packets came out: the core still works after all that it went through."""
    last = set(range(len(ledger.packets()) - packets, len(ledger.packets())))
    assert not drops & last, f"packets {sorted(drops & last)} are lost although nothing was wrong any more"


def compare(gates: bytes, law: bytes, packets: int) -> None:
    """Demand equality of whole streams, and that they hold `packets` packets; names the first byte that differs."""
    assert len(list(scan(law))) == packets > 0, "nothing was compared"
    if gates != law:
        at = next((i for i, (a, b) in enumerate(zip(gates, law, strict=False)) if a != b), min(len(gates), len(law)))
        raise AssertionError(f"{len(gates)} bytes, the law gives {len(law)}; they differ from byte {at}")
