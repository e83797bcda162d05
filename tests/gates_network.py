"""The array for networks in Amaranth's simulator beside its law: random samples go in, outputs and nodes must agree."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from amaranth.sim import Simulator

from hw.compiler import compile_network
from hw.geometry import Geometry
from hw.load import VALUE_BITS, Table
from hw.mac import Mac
from hw.microcode import Operand, Program
from hw.network import Network as Array
from hw.network import get_latency
from hw.neural import array_words
from model.codec import network as network_law
from model.codec import wavelet as wavelet_law
from model.codec.spikey import links_array
from model.spec.config import ConfigError
from model.spec.network import Network
from model.spec.packet import Links
from model.spec.wavelet import FIRST_FILTER, MAGNITUDE, RESIDUAL, SIGNAL, node_format


class Sample(NamedTuple):
    """What an array is told of a channel's sample."""

    signal: int
    residual: int
    exponent: int
    contexts: tuple[int, ...]


class Law:
    """A network of so many channels in the golden model; samples need not come from codes."""

    def __init__(self, network: Network, width: int, channels: int, links: Links = ()) -> None:
        self.program = network_law.Program(network)
        self.links = links_array(links, channels)
        self.rings, length = wavelet_law.rings(network.bank, network.features)
        self.filters = network.bank, network.taps
        self.features, self.filtered = network.features, len(network.bank)
        self.limit = node_format(width).maximum
        self.history = np.zeros((channels, length), np.int32)
        self.state = self.program.state(channels)
        self.scratch, self.found = self.program.scratch(), np.zeros(self.program.outputs, np.int64)
        self.age = 0

    def restart(self) -> None:
        for part in (self.history, *self.state):
            part[:] = 0
        self.age = 0

    def predict(self, channel: int) -> list[int]:
        network_law.predict(self.program.arrays, channel, self.links, self.state, self.scratch, self.found)
        return self.found.tolist()

    def observe(self, channel: int, sample: Sample) -> None:
        sources = {SIGNAL: sample.signal, RESIDUAL: sample.residual, MAGNITUDE: abs(sample.residual)}
        for node, value in sources.items():
            wavelet_law.store(self.history, self.rings, channel, node, self.age, value)
        wavelet_law.filter_all(self.history, self.rings, *self.filters, channel, self.age, self.limit)
        inputs, size = self.scratch[0], len(self.features)
        where = self.history, self.rings, self.features, channel, self.age
        wavelet_law.gather(*where, sample.exponent, self.program.limit, inputs)
        inputs[size : size + len(sample.contexts)] = sample.contexts
        network_law.project(self.program.arrays, channel, self.state, self.scratch)

    def node(self, channel: int, number: int) -> int:
        """The newest value of a filter's node."""
        return int(wavelet_law.read(self.history, self.rings, channel, FIRST_FILTER + number, self.age, 0))


def power(number: int) -> int:
    """The least power of two, at least 2."""
    return max(2, 1 << (number - 1).bit_length())


def snug(network: Network, width: int, partners: int, **more: Any) -> Program:
    """A program for an array with no more memory than it takes: enlarged until the compiler complains no more."""
    sizes = dict.fromkeys(("loaded", "fields", "steps", "results"), 2)
    more = {"outputs": network.head.outputs, "contexts": network.contexts, **more}
    for _ in range(32):
        sizes["fields"] = max(sizes["fields"], sizes["loaded"])
        try:
            return compile_network(network, Geometry(**sizes, **more), width, partners)
        except ConfigError as error:
            found = re.search(r"needs (\d+) (\w+)", str(error))
            assert found is not None, error
            assert power(int(found[1])) > sizes[found[2]]
            sizes[found[2]] = power(int(found[1]))
    raise AssertionError(f"no end: {sizes}")


def some_samples(seed: int, network: Network, width: int, frames: int, channels: int) -> list[list[Sample]]:
    """Random ones of any size, and exponents near it or far from it; now and then a node's limits."""
    random, limit = np.random.default_rng(seed), node_format(width).maximum
    frames_of = []
    for _ in range(frames):
        row = []
        for _ in range(channels):
            size = int(random.integers(2, limit.bit_length() + 2))
            values = np.clip(random.normal(0, 1 << size >> 1, 2), -limit, limit).astype(int).tolist()
            exponent = int(np.clip(size + random.integers(-3, 4), 0, 15))
            contexts = tuple(random.integers(-127, 128, network.contexts).tolist())
            row.append(Sample(*values, exponent, contexts))
        frames_of.append(row)
    return frames_of


class Trial(NamedTuple):
    """What an array did: outputs, shape (frames, channels, outputs), and clocks of each frame."""

    outputs: list[list[list[int]]]
    clocks: list[int]


Watch = Callable[[int, Callable[[int, int], int]], None]  # (frame, (channel, field) -> the word in memory)


class _Bench:
    """An array, loaded; a frame comes in, and one's outputs are read, while it works on that between."""

    def __init__(self, program: Program, width: int, samples: Sequence[Sequence[Sample]], links: Links) -> None:
        self.program, self.samples, self.links = program, samples, links
        self.channels, self.clocks = len(samples[0]), program.clocks
        self.cores: list[Mac] = []
        self.wait = get_latency(program.geometry)
        self.dut = Array(program.geometry, width)
        with mock.patch("hw.network.Mac", self._core):
            self.simulator = Simulator(self.dut)
        places = [divmod(channel, program.geometry.slots) for channel in range(self.channels)]
        self.places = [{"core": core, "slot": slot} for core, slot in places]

    def _core(self, geometry: Geometry) -> Mac:
        self.cores.append(Mac(geometry))
        return self.cores[-1]

    async def load(self, ctx: Any) -> None:
        program, geometry, port = self.program, self.program.geometry, self.dut.load
        number = sum(map(len, program.passes)), sum(len(step.results) for steps in program.passes for step in steps)
        parts = -(-geometry.step.size // VALUE_BITS), -(-geometry.result.size // VALUE_BITS)
        for table, words in array_words(program, self.links, self.channels).items():
            used = {Table.PROGRAM: number[0] * parts[0], Table.RESULTS: number[1] * parts[1]}.get(table, len(words))
            for address, word in enumerate(words[:used]):
                if table == Table.CONSTANTS and not word:
                    continue  # memories begin as zeros
                ctx.set(port, {"write": 1, "table": table, "address": address, "value": int(word) & 0xFFFF})
                await ctx.tick()
        ctx.set(port.write, 0)

    def put(self, ctx: Any, frame: int, channel: int) -> None:
        if frame >= len(self.samples) or channel >= self.channels:
            ctx.set(self.dut.put.write, 0)
            return
        sample = self.samples[frame][channel]._asdict()
        if not self.program.geometry.residuals:
            del sample["residual"]
        sample["contexts"] = list(sample["contexts"])
        ctx.set(self.dut.put, {"write": 1, "place": {"bank": frame & 1, **self.places[channel]}, "sample": sample})

    async def work(self, ctx: Any, frame: int, key: bool) -> tuple[list[list[int]], int]:
        """Outputs of the frame before, and clocks of this one."""
        dut, clock, done, found = self.dut, 0, 0, []
        ctx.set(dut.start, int(frame < len(self.samples)))
        ctx.set(dut.key, int(key))
        ctx.set(dut.bank, frame & 1)
        while not done and clock < 2 * self.clocks:
            if clock <= self.channels:
                self.put(ctx, frame + 1, clock)
            if clock < self.channels:
                ctx.set(dut.get, {"bank": ~frame & 1, **self.places[clock]})
            if self.wait <= clock < self.channels + self.wait:
                found.append([ctx.get(output) for output in dut.outputs])
            _, _, done = await ctx.tick().sample(dut.done)
            clock += 1
            ctx.set(dut.start, 0)
        return found, clock - 1

    def word(self, ctx: Any, channel: int, field: int) -> int:
        """What a field holds, between frames."""
        place = self.places[channel]
        address = field << self.program.geometry.slot_bits | place["slot"]
        return int(ctx.get(self.cores[place["core"]].memory.data[address]))


def run(
    program: Program,
    width: int,
    samples: Sequence[Sequence[Sample]],
    keys: Sequence[int] = (0,),
    links: Links = (),
    watch: Watch | None = None,
) -> Trial:
    """What an array makes of samples, shape (frames, channels)."""
    bench, outputs, clocks = _Bench(program, width, samples, links), [], []

    async def play(ctx: Any) -> None:
        await bench.load(ctx)
        for channel in range(bench.channels):
            bench.put(ctx, 0, channel)
            await ctx.tick()
        for frame in range(len(samples) + 1):
            found, number = await bench.work(ctx, frame, frame in keys)
            outputs.append(found)
            clocks.append(number)
            if watch is not None and frame < len(samples):
                watch(frame, partial(bench.word, ctx))

    bench.simulator.add_clock(1e-6)
    bench.simulator.add_testbench(play)
    bench.simulator.run()
    return Trial(outputs[1:], clocks[:-1])


def newest(ring: Operand, frame: int) -> int:
    """Field of a ring's newest word while frame `frame` (from 0) is worked on."""
    return ring.base | ((frame + 1) & ((1 << ring.size) - 1))


def agree(
    network: Network,
    program: Program,
    width: int,
    channels: int,
    frames: int,
    *,
    keys: Sequence[int] = (0,),
    links: Links = (),
    seed: int = 0,
) -> np.ndarray:
    """The array's outputs are the law's, and it takes the clocks that its program says; they, (frames, channels, n)."""
    samples = some_samples(seed, network, width, frames, channels)
    trial, law = run(program, width, samples, keys, links), Law(network, width, channels, links)
    assert trial.clocks == [program.clocks] * frames
    found = []
    for frame, row in enumerate(samples):
        if frame in keys:
            law.restart()
        for channel, sample in enumerate(row):
            expected = law.predict(channel) if law.age else []
            law.observe(channel, sample)
            if law.age:
                assert trial.outputs[frame][channel] == expected, f"frame {frame}, channel {channel}"
                found.append(expected)
        law.age += 1
    return np.array(found)
