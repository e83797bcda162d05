"""Profile `spikey`: `wavelet -> network -> rice` or `huffman`, one channel after the other, and back."""

from collections.abc import Sequence

import numpy as np

from model.codec import bits, delta, huffman, network, rice, wavelet
from model.codec.arithmetic import round_half_up, saturate
from model.codec.compiled import compiled
from model.spec import network as network_spec
from model.spec import spikey as spec
from model.spec import wavelet as wavelet_spec

FRACTION = wavelet_spec.FRACTION
OUTPUT_FRACTION = network_spec.OUTPUT.fraction
ADAPTIVE, HUFFMAN = spec.ADAPTIVE, spec.HUFFMAN
ORIGIN, LAST, LEVEL, EXPONENT, MEAN = range(5)  # columns of `state`


@compiled
def restart(state, history, net_state, level, width):
    """Every channel's state at a key packet."""
    latents, skipped, memory = net_state
    history[:] = 0
    latents[:] = 0
    skipped[:] = 0
    memory[:] = 0
    state[:] = 0
    for channel in range(state.shape[0]):
        state[channel, ORIGIN] = delta.restart(width)
        state[channel, LEVEL] = level
        state[channel, MEAN] = rice.restart(width)


@compiled
def predict(state, channel, links, program, net_state, scratch, outputs, width, limit):
    """The code that is expected next, and whether a code above it is as near as the same distance below."""
    network.predict(program, channel, links, net_state, scratch, outputs)
    move = round_half_up(outputs[0] << state[channel, EXPONENT], OUTPUT_FRACTION)
    mu = saturate(state[channel, LAST] + move, -limit - 1, limit) + (state[channel, ORIGIN] << FRACTION)
    code = saturate(round_half_up(mu, FRACTION), 0, (1 << width) - 1)
    return code, mu >= code << FRACTION


@compiled
def follow(state, channel, code, age, program, bank, history, net_state, scratch, limit):
    """Take a channel's code into its state: history, features, latent."""
    rings, filters, taps, features = bank
    if age == 0:
        state[channel, ORIGIN] = code
    value = (code - state[channel, ORIGIN]) << FRACTION
    level = state[channel, LEVEL]
    if age > 0:
        level = wavelet.follow_level(level, value - state[channel, LAST])
    exponent = wavelet.exponent(level)
    state[channel, LAST], state[channel, LEVEL], state[channel, EXPONENT] = value, level, exponent
    wavelet.store(history, rings, channel, wavelet.SIGNAL, age, value)
    wavelet.filter_all(history, rings, filters, taps, channel, age, limit)
    input_limit = program[8]
    wavelet.gather(history, rings, features, channel, age, exponent, input_limit, scratch[0])
    scratch[0, features.shape[0]] = wavelet.mantissa(level, exponent)
    network.project(program, channel, net_state, scratch)


@compiled
def fold(code, expected, upwards, width):
    """The folded residual: the nearer codes first, those above before those below if `upwards`."""
    difference = expected - code if upwards else code - expected
    return rice.fold(delta.residual(difference, 0, width))


@compiled
def unfold(folded, expected, upwards, width):
    """The inverse of `fold`."""
    residual = rice.unfold(folded)
    return delta.code(-residual if upwards else residual, expected, width)


@compiled
def encode(frames, first, age, ends, width, links, coder, codes, program, bank, limit, every, out):
    """Code one packet into `out`; returns the bytes of its coded form, which is cut where `out` ends.

    Parameters
    ----------
    frames : ndarray of uint16, shape (frames, channels)
    first : int
        Frames of the stream before this packet; with `ends` it tells which channels have ended.
    age : int
        Frames since the last key packet's begin.
    ends : ndarray of int64, shape (channels,)
    width : int
    links : ndarray of int64, shape (channels, partners, 2)
    coder : int
    codes : (choices, lengths, words, words_of, symbols)
        Of `HUFFMAN`; see `model.codec.huffman.Codes`.
    program : tuple
        As in `model.codec.network.Program`.
    bank : (rings, filters, taps, features)
    limit : int
        The greatest value of a node.
    every : (state, history, net_state, scratch, outputs)
        State of all channels, updated; room for a layer's values and for outputs.
    out : ndarray of uint8
    """
    state, history, net_state, scratch, outputs = every
    choices, lengths, words, _, _ = codes
    at = acc = fill = 0
    for frame in range(frames.shape[0]):
        for channel in range(frames.shape[1]):
            if first + frame >= ends[channel]:
                continue
            code, mean = np.int64(frames[frame, channel]), state[channel, MEAN]
            expected, upwards = np.int64(state[channel, ORIGIN]), False
            if age + frame > 0:
                expected, upwards = predict(state, channel, links, program, net_state, scratch, outputs, width, limit)
            folded = fold(code, expected, upwards, width)
            if coder == HUFFMAN:
                value, length = huffman.code_word(folded, choices[huffman.level(mean)], width, lengths, words)
            else:
                k = rice.parameter(mean, width) if coder == ADAPTIVE else min(coder, width - 1)
                value, length = rice.code_word(folded, k, width)
            at, acc, fill = bits.put(out, at, acc, fill, value, length)
            state[channel, MEAN] = rice.adapt(mean, folded)
            follow(state, channel, code, age + frame, program, bank, history, net_state, scratch, limit)
    return bits.flush(out, at, acc, fill)


@compiled
def _take_rice(acc, fill, k, width):
    """A code word of the Rice code from the window; `(folded, acc, fill)`."""
    zeros = bits.leading_zeros(acc, fill, rice.ESCAPE_ZEROS)
    if zeros == rice.ESCAPE_ZEROS:
        return bits.take(acc, fill, zeros + width)
    tail, acc, fill = bits.take(acc, fill, zeros + 1 + k)
    return (zeros << k) | (tail & ((1 << k) - 1)), acc, fill


@compiled
def _take_huffman(acc, fill, choice, width, words_of, symbols):
    """A code word of a Huffman code from the window; `(folded, acc, fill)`."""
    symbol, length = huffman.find(acc, fill, choice[0], words_of, symbols)
    _, acc, fill = bits.take(acc, fill, length)
    low = choice[1]
    if symbol == symbols.shape[1] - 1:
        return bits.take(acc, fill, width)
    rest, acc, fill = bits.take(acc, fill, low)
    return (symbol << low) | rest, acc, fill


@compiled
def decode(payload, first, age, ends, width, links, coder, codes, program, bank, limit, every, frames):
    """The inverse of `encode`: fills `frames`; returns the bytes that it used, or -1 if no encoder wrote this."""
    state, history, net_state, scratch, outputs = every
    choices, _, _, words_of, symbols = codes
    at = acc = fill = 0
    for frame in range(frames.shape[0]):
        if at - (fill >> 3) > payload.size:
            return -1
        for channel in range(frames.shape[1]):
            if first + frame >= ends[channel]:
                continue
            mean = state[channel, MEAN]
            expected, upwards = np.int64(state[channel, ORIGIN]), False
            if age + frame > 0:
                expected, upwards = predict(state, channel, links, program, net_state, scratch, outputs, width, limit)
            at, acc, fill = bits.refill(payload, at, acc, fill)
            if coder == HUFFMAN:
                folded, acc, fill = _take_huffman(acc, fill, choices[huffman.level(mean)], width, words_of, symbols)
            else:
                k = rice.parameter(mean, width) if coder == ADAPTIVE else min(coder, width - 1)
                folded, acc, fill = _take_rice(acc, fill, k, width)
            if folded >> width != 0:
                return -1
            code = unfold(folded, expected, upwards, width)
            state[channel, MEAN] = rice.adapt(mean, folded)
            follow(state, channel, code, age + frame, program, bank, history, net_state, scratch, limit)
            frames[frame, channel] = code
    return bits.used(payload, at, acc, fill)


def links_array(links: Sequence[Sequence[tuple[int, int]]], channels: int) -> np.ndarray:
    """(distance, correlation) of every channel's partners, 0 where there are no more; int64, shape (channels, n, 2)."""
    found = np.zeros((channels, max(map(len, links), default=0), 2), np.int64)
    for channel, own in enumerate(links):
        for number, link in enumerate(own):
            found[channel, number] = link
    return found


class Spikey:
    """The chain of profile `spikey`.

    Parameters
    ----------
    width : int
    ends : ndarray of int64, shape (channels,)
    links : sequence of sequences of (distance, correlation)
        As in `model.spec.config.CodecConfig`.
    tables : model.spec.spikey.Tables

    Attributes
    ----------
    fixed : tuple
        The parameters `links` to `limit` of `encode`.
    every : tuple
        State of all channels, as in `encode`.
    """

    def __init__(
        self, width: int, ends: np.ndarray, links: Sequence[Sequence[tuple[int, int]]], tables: spec.Tables
    ) -> None:
        channels, found = len(ends), tables.network
        program = network.Program(found)
        rings, length = wavelet.rings(found.bank, found.features)
        self._width, self._ends, self._level = width, ends, tables.level
        symbols = tables.huffman if tables.coder == spec.HUFFMAN else np.ones((1, 2), np.int64)
        self.fixed = (
            links_array(links, channels),
            tables.coder,
            (tables.choices, *huffman.codes(symbols)),
            program.arrays,
            (rings, found.bank, found.taps, found.features),
            wavelet_spec.node_format(width).maximum,
        )
        self.every = (
            np.zeros((channels, 5), np.int64),
            np.zeros((channels, length), np.int32),
            program.state(channels),
            program.scratch(),
            np.zeros(program.outputs, np.int64),
        )
        self._out = np.zeros(0, np.uint8)
        self._age = 0  # frames since the last key packet began

    def restart(self) -> None:
        """Set every channel's state as at a key packet."""
        state, history, net_state, _, _ = self.every
        restart(state, history, net_state, self._level, self._width)
        self._age = 0

    def encode(self, frames: np.ndarray, first: int, limit: int) -> bytes | None:
        """The coded form of a packet if it has less than `limit` bytes, or None; see `model.codec.chain.Chain`."""
        if self._out.size < limit:
            self._out = np.zeros(limit, np.uint8)
        out, age = self._out[:limit], self._age
        size = encode(frames, first, age, self._ends, self._width, *self.fixed, self.every, out)
        self._age += len(frames)
        return out[:size].tobytes() if size < limit else None

    def decode(self, payload: np.ndarray, frames: np.ndarray, first: int, limit: int) -> bool:
        """Fill `frames` from a coded form; False if no encoder wrote it."""
        age, self._age = self._age, self._age + len(frames)
        used = decode(payload, first, age, self._ends, self._width, *self.fixed, self.every, frames)
        return used == payload.size
