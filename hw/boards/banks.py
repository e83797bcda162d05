"""How many packets a board stores: what a packet takes in the stores of each profile, and what there is."""

import dataclasses
from typing import Final

from hw.array import Room
from hw.hold import queue_depth
from hw.packet import bank_words
from hw.packet_lanes import RAW_WORD, lane_words
from hw.store import ceil_power
from model.spec import operating
from model.spec.config import CodecConfig, ConfigError
from model.spec.operating import has_array

STORE_WORDS: Final = 16384  # of each store: as many as a single-port RAM of iCE40UP5K has, or two side by side
STORE_BITS: Final = 32
TOKEN_BITS: Final = {"spikey": 42, "full": 76}  # of what waits for an array, besides its channel, at most
STAGES: Final = {"spikey": 0, "full": 20}  # block RAMs of the stages on either side of an array, about
MULTIPLIERS: Final = {"spikey": 0, "full": 11}  # of the same
MAX_BANKS: Final = 8
LEAST_FRAMES: Final = 4  # of a packet, for which an array leaves room


def tiny_words(config: CodecConfig) -> tuple[int, int]:
    """Words of a bank of the coded store and of the raw store; both have 32 bits, four single-port RAMs in all."""
    coded, raw = map(ceil_power, bank_words(config))
    return coded, raw


def calibrated_words(config: CodecConfig) -> tuple[int, int]:
    """The same in lanes: strings in 32 bits, plain codes in 16; three single-port RAMs, and one for the calibration."""
    coded, raw = lane_words(config), -(-8 * config.raw_bytes(config.packet_frames) // RAW_WORD)
    return config.lanes * ceil_power(coded), ceil_power(raw)


WORDS: Final = {
    "tiny": tiny_words,
    "calibrated": calibrated_words,
    "spikey": tiny_words,  # with Huffman codes as well: what is longer coded than raw is never sent
    "full": calibrated_words,
}


def fitting(config: CodecConfig) -> int:
    """Packets that the stores have room for."""
    return STORE_WORDS // max(WORDS[config.profile](config))


def block_rams(config: CodecConfig, room: Room) -> int:
    """Block RAMs of the stores for two packets, where they are made of them, and of what an array needs around it."""
    stores = sum(room.blocks(STORE_BITS, 2 * words) for words in WORDS[config.profile](config))
    found = stores if room.stores else 0
    if has_array(config.profile):
        bits = TOKEN_BITS[config.profile] + (config.channels - 1).bit_length()
        found += room.blocks(bits, queue_depth(config)) + STAGES[config.profile]
    return found


def shortened(config: CodecConfig, room: Room) -> CodecConfig:
    """The same with as long packets, at most, as two of them fit the stores and those the device's block RAMs; a frame
    at least.
    """
    for frames in range(config.packet_frames, 1, -1):
        interval = max(1, config.key_interval * config.packet_frames // frames)
        one = dataclasses.replace(config, packet_frames=frames, key_interval=interval)
        if fitting(one) >= 2 and block_rams(one, room) <= room.block_rams:
            return one
    return dataclasses.replace(config, packet_frames=1, key_interval=config.key_interval * config.packet_frames)


def banks(config: CodecConfig, rate: int, clock_hz: int) -> int:
    """Packets that the output buffer holds, a power of two: as many as the stores have room for, but no more than two
    if a longer queue would lengthen the worst latency.

    Raises
    ------
    ConfigError
        If not even two fit.
    """
    most = min(MAX_BANKS, fitting(config))
    if most < 2:
        raise ConfigError(f"channels: two packets of {config.channels} channels exceed the board's memory; use fewer")
    longest = operating.worst_latency(config, rate, clock_hz, most)
    return 2 if longest > operating.worst_latency(config, rate, clock_hz) else most
