"""What the codec's integers make of a stream: the outputs of its network, which the golden model's must equal."""

import numpy as np

from model.codec import calibrate, calibrated, full, lanes, lms, network, spikey
from model.codec.compiled import compiled
from model.spec import full as full_spec
from model.spec import spikey as spikey_spec
from model.spec.config import ConfigError
from model.spec.packet import Links
from model.spec.parameters import ParameterSet

FOREVER = np.iinfo(np.int64).max


@compiled
def _run_spikey(codes, links, program, bank, limit, every, found):
    """Outputs before each sample of a stream, codes of shape (channels, frames), in profile `spikey`."""
    state, history, net_state, scratch, outputs = every
    for frame in range(codes.shape[1]):
        for channel in range(codes.shape[0]):
            if frame > 0:
                network.predict(program, channel, links, net_state, scratch, outputs)
                found[channel, frame - 1] = outputs
            code = np.int64(codes[channel, frame])
            spikey.follow(state, channel, code, frame, program, bank, history, net_state, scratch, limit)


@compiled
def _run_full(codes, neighbours, tables, limits, program, bank, state, residuals, every, found):
    """The same in profile `full`."""
    edges, _, _, _, reciprocals = tables
    edge_limit, centre_limit, _, index_limit, _ = limits
    peers, links = neighbours
    net_state, scratch, outputs = every[2], every[3], every[4]
    for frame in range(codes.shape[1]):
        for channel in range(codes.shape[0]):
            code = np.int64(codes[channel, frame])
            value, error = calibrate.centre(edges, code, centre_limit), np.int64(0)
            residuals[channel] = 0
            if frame == 0:
                state[channel, lms.LAST] = value
            else:
                peer = residuals[channel - peers[channel]]
                mu, octave, reciprocal = calibrated.predict(state, channel, peer, reciprocals, edge_limit, index_limit)
                network.predict(program, channel, links, net_state, scratch, outputs)
                found[channel, frame - 1] = outputs
                lower, upper = lanes.positions(code, mu, octave, reciprocal, edges)
                residuals[channel] = calibrated.follow(
                    state, channel, peer, value, mu, lower, upper, frame, tables, limits
                )
                error = (value << lms.VALUE_RISE) - mu
            full.observe(state, channel, value, error, frame, program, bank, limits, every)


def outputs(parameters: ParameterSet, codes: np.ndarray, links: Links, width: int) -> np.ndarray:
    """The outputs of a parameter set's network for every frame but the first, int64, shape (channels, frames - 1, n).

    Parameters
    ----------
    parameters : ParameterSet
        Of profile `spikey` or `full`.
    codes : ndarray of uint16, shape (channels, frames)
    links : tuple of tuple of Link
    width : int

    Raises
    ------
    ConfigError
        If the set is of another profile, or does not fit the width.
    """
    channels, frames = codes.shape
    ends = np.full(channels, FOREVER)
    if parameters.profile == spikey_spec.PROFILE:
        chain = spikey.Spikey(width, ends, links, spikey_spec.unpack(parameters, width))
        found = np.zeros((channels, max(0, frames - 1), spikey_spec.OUTPUTS), np.int64)
        partners, _, _, program, bank, limit = chain.fixed
        chain.restart()
        _run_spikey(codes, partners, program, bank, limit, chain.every, found)
        return found
    if parameters.profile != full_spec.PROFILE:
        raise ConfigError(f"parameter set: for profile '{parameters.profile}', which has no network")
    both = full.Full(width, ends, 1, links, full_spec.unpack(parameters, width))
    found = np.zeros((channels, max(0, frames - 1), full_spec.OUTPUTS), np.int64)
    both.restart()
    _, _, neighbours = both.stream
    _run_full(codes, neighbours, both.tables, *both.fixed, both.state, both.residuals, both.every, found)
    return found
