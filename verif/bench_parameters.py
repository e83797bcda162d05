"""Parameter sets on their way into the core: never is a byte sent that was coded with a set that is not whole."""

import cocotb
import numpy as np

from model.spec.parameters import ParameterSet
from verif import stimulus
from verif.bench import LOADING_CLOCKS, Bench
from verif.parameters import foreign, known
from verif.trace import Trace


def rest(bench: Bench) -> np.ndarray:
    """Words in which nothing is recorded, as many as it takes until every packet has left."""
    return stimulus.disabled(stimulus.idle(bench.design.drain_clocks, bench.rng))


def recorded(bench: Bench, packets: float) -> np.ndarray:
    """Words of so many packets."""
    return bench.frames(bench.codes(round(packets * bench.config.packet_frames)))


def in_step(bench: Bench, *parts: np.ndarray) -> np.ndarray:
    """Words in a row, with a pause before them that makes their clocks whole frame times: otherwise a frame might be
    missed just when recording is enabled again, and cost the packet that begins then."""
    words = np.concatenate(parts)
    missing = -len(words) % max(1, bench.design.frame_clocks)
    return np.concatenate([stimulus.disabled(stimulus.idle(missing, bench.rng)), words])


def usual(bench: Bench) -> ParameterSet:
    """The first of the sets that are known."""
    return next(iter(known(bench.design).values()))


def other(bench: Bench) -> ParameterSet:
    """Another one."""
    found = list(known(bench.design).values())
    assert len(found) > 1, "no other set suits these gates"
    return found[-1]


def names(trace: Trace) -> list[int]:
    """The sets that key packets name, in their order, those that follow each other once."""
    found = [e.packet.shape.parameter_set for e in trace.packets() if e.packet.shape is not None]
    return [name for at, name in enumerate(found) if at == 0 or found[at - 1] != name]


def both(words: np.ndarray) -> np.ndarray:
    """`words` for the port of parameter sets as well, whatever they hold."""
    return words | np.uint32(stimulus.PARAMETER | stimulus.BOTH)


async def only_later(bench: Bench, before: np.ndarray, later: ParameterSet) -> None:
    """After `before`, which loads no whole set, nothing is recorded until `later` has been loaded."""
    silent = recorded(bench, 2)
    pause = in_step(bench, rest(bench), bench.image(later))
    words = np.concatenate([before, silent, pause, recorded(bench, 2.5)])
    trace, drops = await bench.check(stimulus.ready(words), loaded=False)
    assert trace.packets()[0].packet.position > 0
    assert names(trace) == [later.identifier]
    assert drops == set()


@cocotb.test()
async def nothing_without_a_set(dut) -> None:
    """Frames are numbered, and that is all."""
    bench = Bench(dut)
    await only_later(bench, np.zeros(0, np.uint32), usual(bench))


@cocotb.test()
@cocotb.parametrize(missing=(1, 2, 3, 7, 100))
async def half_a_set(dut, missing: int) -> None:
    """A set that lacks its last words, or one in the middle, is none."""
    bench = Bench(dut, missing)
    whole = bench.image(other(bench))
    each = whole.reshape(-1, LOADING_CLOCKS)
    for words in (each[:-missing].ravel(), np.delete(each, missing, 0).ravel()):
        await only_later(bench, words, usual(bench))


@cocotb.test()
@cocotb.parametrize(seed=range(6))
async def a_damaged_set(dut, seed: int) -> None:
    """One bit that is wrong: in a table, in the name, in the check."""
    bench = Bench(dut, seed)
    words = bench.image(usual(bench))
    each = words.reshape(-1, LOADING_CLOCKS)
    at = (0, 1, -1, -2, -5, int(bench.rng.integers(len(each))))[seed]
    each[at, 0] ^= 1 << int(bench.rng.integers(16))
    await only_later(bench, words, other(bench))


@cocotb.test()
async def a_set_for_other_gates(dut) -> None:
    """A whole set for other rates, sizes or numbers of links than those that the gates are built for is refused."""
    bench = Bench(dut)
    for each in foreign(bench.design)[:: len(foreign(bench.design)) - 1 or 1]:
        await only_later(bench, stimulus.parameters(each, LOADING_CLOCKS), other(bench))


@cocotb.test()
@cocotb.parametrize(seed=range(2))
async def another_set_between_recordings(dut, seed: int) -> None:
    """Every key packet names the set that it was coded with; a set may follow a set, or itself."""
    bench = Bench(dut, seed)
    every = list(known(bench.design).values())
    order = [every[n] for n in bench.rng.permutation([*range(len(every)), *range(len(every))])]
    parts = [np.concatenate([bench.image(each), recorded(bench, 2.3), rest(bench)]) for each in order]
    trace, _ = await bench.check(stimulus.ready(np.concatenate(parts)), loaded=False)
    expected = [each.identifier for at, each in enumerate(order) if at == 0 or order[at - 1] is not each]
    assert names(trace) == expected


@cocotb.test()
@cocotb.parametrize(share=(0.002, 0.05, 1.0))
async def words_offered_while_it_records(dut, share: float) -> None:
    """Each waits until the frame has ended and all stages are at rest, and is none of a set that is whole: no harm."""
    bench = Bench(dut, int(1000 * share))
    first, second = usual(bench), other(bench)
    words = recorded(bench, 4)
    offered = bench.rng.random(len(words)) < share
    offered[: len(words) // 4] = False
    words = np.where(offered, both(words), words)
    parts = [bench.image(first), words, rest(bench), bench.image(second), recorded(bench, 3)]
    trace, _ = await bench.check(stimulus.ready(np.concatenate(parts)), loaded=False, stalled=True)
    assert names(trace) == [first.identifier, second.identifier]


@cocotb.test()
@cocotb.parametrize(seed=range(3))
async def a_host_that_waits(dut, seed: int) -> None:
    """The first word is offered within a frame and held until it is taken; the frame is recorded to its end."""
    bench = Bench(dut, seed)
    first, second = other(bench), usual(bench)
    words = recorded(bench, 3)
    offer = bench.image(second)[0] | np.uint32(stimulus.ENABLE)
    samples = stimulus.offered(words)
    marks = np.flatnonzero(samples & (words & stimulus.MARK != 0))
    number = int(bench.rng.integers(len(marks) // 2, len(marks) - 1))
    begun, ended = int(bench.rng.integers(marks[number] + 1, marks[number + 1])), int(marks[number + 1])
    held = np.where(samples, both(words), offer)[begun:ended]
    parts = [
        bench.image(first),
        words[:begun],
        held,
        np.full(bench.design.drain_clocks, offer),
        bench.image(second),
        recorded(bench, 2),
    ]
    trace, _ = await bench.check(stimulus.ready(np.concatenate(parts)), loaded=False)
    assert names(trace) == [first.identifier, second.identifier]
    assert trace.packets()[-3].packet.position == number // bench.config.packet_frames * bench.config.packet_frames


@cocotb.test()
@cocotb.parametrize(at=(1, 38, 39, 6000, -600, -38))
async def reset_while_a_set_comes(dut, at: int) -> None:
    """What came before the reset is forgotten: the remaining words make no set, nor does a set outlive a reset."""
    bench = Bench(dut, at % 1000)
    whole = bench.image(other(bench))
    await bench.reset(usual(bench))
    await bench.player.play(whole[:at])
    await only_later(bench, whole[at:], other(bench))
    await bench.player.play(whole)
    await only_later(bench, np.zeros(0, np.uint32), usual(bench))


@cocotb.test()
@cocotb.parametrize(pace=(LOADING_CLOCKS, 50))
async def samples_while_a_set_comes(dut, pace: int) -> None:
    """A source that does not stop: its frames are numbered, and recording begins with a mark after the last word."""
    bench = Bench(dut, pace)
    loading = bench.design.image(other(bench))
    each = bench.config.packet_frames * bench.config.channels * bench.design.calm_spacing
    words = recorded(bench, (len(loading) + 60) * pace / each + 3)
    free = np.flatnonzero(words & np.uint32(stimulus.VALID) == 0)
    at = [int(free[0])]
    for _ in loading[1:]:
        at.append(int(free[np.searchsorted(free, at[-1] + pace)]))
    words[at] = bench.image(other(bench)).reshape(-1, LOADING_CLOCKS)[:, 0]
    trace, _ = await bench.check(stimulus.ready(words), loaded=False)
    assert trace.packets()[0].packet.position > 0
    assert names(trace) == [other(bench).identifier]


@cocotb.test()
async def packets_that_wait_keep_their_set(dut) -> None:
    """With the sink stalled, packets are stored and another set is offered; they leave with the name of their own."""
    bench = Bench(dut)
    first, second = usual(bench), other(bench)
    loading = np.concatenate([np.repeat(bench.image(second)[:1], bench.design.drain_clocks), bench.image(second)])
    pauses = [in_step(bench, rest(bench), loading) for _ in range(2)]
    stalled = np.concatenate([bench.image(first), recorded(bench, bench.design.banks), pauses[0]])
    drained = np.concatenate([pauses[1], recorded(bench, 2)])
    trace, drops = await bench.check(np.concatenate([stalled, stimulus.ready(drained)]), loaded=False)
    assert names(trace) == [first.identifier, second.identifier]
    assert drops == set()
