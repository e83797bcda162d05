"""Plays words into a component in Amaranth's simulator, a word of inputs and a word of outputs each clock."""

from collections.abc import Iterable, Mapping
from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data
from amaranth.sim import Simulator


def play(
    component: Any, words: Iterable[Mapping[str, int]], outputs: Iterable[str], idle: int = 0
) -> list[dict[str, int]]:
    """Set ports by dotted names, clock, and read the outputs as they were before the clock's edge.

    Parameters
    ----------
    component : Component
    words : iterable of mapping
        Values by dotted name (`i.payload.code`) for one clock each; what is not named is 0.
    outputs : iterable of str
        Dotted names of the outputs that are read.
    idle : int
        Clocks without any input at the end.
    """
    words = [*words, *({} for _ in range(idle))]
    names = sorted({name for word in words for name in word})
    outputs = list(outputs)
    seen: list[dict[str, int]] = []

    ports, sampled = {name: _port(component, name) for name in names}, [_port(component, name) for name in outputs]

    async def bench(ctx: Any) -> None:
        now: dict[str, int] = {}
        for word in words:
            for name, port in ports.items():
                value = word.get(name, 0)
                if now.get(name) != value:  # the simulator settles after each value that is set
                    ctx.set(port, value)
                    now[name] = value
            values = await ctx.tick().sample(*sampled)
            seen.append(dict(zip(outputs, (int(v) for v in values[2:]), strict=True)))

    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


def _port(component: Any, name: str) -> Any:
    port = component
    for part in name.split("."):
        port = port[part] if isinstance(port, data.View) and not hasattr(type(port), part) else getattr(port, part)
    return port


def evaluate(build: Any, inputs: Mapping[str, Any], rows: Iterable[Mapping[str, int]]) -> list[int]:
    """Values of a combinational function for rows of inputs.

    Parameters
    ----------
    build : callable
        `build(m, **signals)` gives a value.
    inputs : mapping of str to shape
    rows : iterable of mapping of str to int
    """
    m = Module()
    signals = {name: Signal(shape, name=name) for name, shape in inputs.items()}
    value = Value.cast(build(m, **signals))
    out = Signal(value.shape())
    m.d.comb += out.eq(value)
    seen: list[int] = []

    async def bench(ctx: Any) -> None:
        for row in rows:
            for name, x in row.items():
                ctx.set(signals[name], x)
            seen.append(ctx.get(out))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return seen
