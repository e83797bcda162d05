"""`Design`: which core a testbench is about, by value, so that it can travel to another process."""

import dataclasses
import json
import os
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hw import neural
from hw.core import Core
from hw.geometry import Geometry
from hw.hold import FRAMES
from hw.turns import DEPTH, END_ROUNDS, SLOTS
from model.formats.codes import LATTICE_WIDTH
from model.spec import calibrated, full, operating, packet, shipped
from model.spec.config import CodecConfig, find_profile
from model.spec.parameters import ParameterSet
from verif import networks

NEURAL = ("spikey", "full")
VARIABLE = "SPIKEY_DESIGN"  # carries a Design into the simulator's process


@dataclass(frozen=True)
class Design:
    """A configuration of the core.

    Parameters
    ----------
    config : CodecConfig
    banks : int
        Packets that the output buffer holds.
    frame_clocks : int
        Clocks between frame marks, for the detection of missing frames; 0 for none.
    geometry : Geometry, optional
        Of the array of a neural profile. Default: `hw.neural.default_geometry`.
    codes : (tables, symbols)
        Room for Huffman codes; (0, 0): a Rice code.
    named : str
        The set that is loaded, of a neural profile: one of `verif.networks`. Default: the shipped one for its width.
    """

    config: CodecConfig
    banks: int = 2
    frame_clocks: int = 0
    geometry: Geometry | None = None
    codes: tuple[int, int] = neural.NO_CODES
    named: str = ""

    def core(self) -> Core:
        """The core itself."""
        more = {"geometry": self.array, "codes": self.codes, "clocks": self.program_clocks} if self.neural else {}
        return Core(self.config, banks=self.banks, frame_clocks=self.frame_clocks, **more)

    @property
    def array(self) -> Geometry:
        """The array of a neural profile."""
        return self.geometry or neural.default_geometry(self.config)

    @property
    def neural(self) -> bool:
        """Whether there is an array for networks."""
        return self.config.profile in NEURAL

    @property
    def turns(self) -> bool:
        """Whether samples wait for the turns of lanes."""
        return self.config.profile in (calibrated.PROFILE, full.PROFILE)

    @property
    def program_clocks(self) -> int:
        """Clocks of a frame in the array of a neural profile."""
        parameters = self.parameters
        assert parameters is not None
        return neural.program_of(parameters, self.config.width, self.array, self.config.links).clocks

    @property
    def parameterised(self) -> bool:
        """Whether the core is loaded with parameter sets."""
        return find_profile(self.config.profile).parameterised

    @property
    def parameters(self) -> ParameterSet | None:
        """The set that is loaded, of a parameterised profile."""
        if not self.parameterised:
            return None
        if self.named:
            return networks.find(self.config.profile, self.named)
        return shipped.default(self.config.profile, lattice=self.config.width == LATTICE_WIDTH)

    def image(self, parameters: ParameterSet) -> np.ndarray:
        """Words that load a set, uint16, with the peers or links if the core knows some.

        Raises
        ------
        ConfigError
            If it is no set for these gates.
        """
        if self.config.profile == calibrated.PROFILE:
            return calibrated.image(parameters, self.config.width, self.config.peers or None)
        return neural.image(parameters, self.config, self.array, self.config.links, self.codes)

    @cached_property
    def spacing(self) -> int:
        """Fewest clocks from one sample to the next at which no channel returns too early."""
        return self.core().spacing

    @cached_property
    def frame_least(self) -> int:
        """Fewest clocks from one frame to the next."""
        return self.core().frame_least

    def bound(self, rate: float, clocks: float) -> float:
        """Clocks from a packet's first sample to its last byte at most, at `rate` frames in so many clocks."""
        return operating.worst_latency(self.config, rate, clocks, self.banks) * clocks

    @cached_property
    def calm_spacing(self) -> int:
        """Clocks from one sample to the next at which even packets stored raw leave in time."""
        samples = self.config.packet_frames * self.config.channels
        ends = END_ROUNDS * SLOTS if self.parameterised and not self.neural else 0
        return max(-(-(self.spacing * samples + ends) // samples), -(-self._packet_clocks // samples))

    @cached_property
    def _packet_clocks(self) -> int:
        overhead = packet.overhead_bytes(
            key=True,
            parameter_set=self.parameters is not None,
            peers=len(self.config.peers),
            links=packet.links_bytes(self.config.links),
        )
        return self.config.raw_bytes(self.config.packet_frames) + overhead + self.core().latency

    @property
    def drain_clocks(self) -> int:
        """Clocks in which all that the core may hold has left it, if the output is ready."""
        waiting = DEPTH * SLOTS if self.parameterised else 0
        if self.neural:
            waiting = FRAMES * self.spacing * self.config.channels
        return self.banks * self._packet_clocks + waiting + 64

    def to_json(self) -> str:
        """As text, for `VARIABLE`."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_environment(cls) -> "Design":
        """The design that this simulation is about."""
        values = json.loads(os.environ[VARIABLE])
        config, geometry = values.pop("config"), values.pop("geometry")
        links = tuple(tuple(packet.Link(*link) for link in own) for own in config["links"])
        values |= {"codes": tuple(values["codes"]), "geometry": Geometry(**geometry) if geometry else None}
        return cls(CodecConfig(**{**config, "peers": tuple(config["peers"]), "links": links}), **values)
