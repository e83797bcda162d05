"""How many packets a board stores: what a packet takes in the stores of each profile, and what there is."""

from typing import Final

from hw.packet import bank_words
from hw.packet_lanes import RAW_WORD, lane_words
from hw.store import ceil_power
from model.spec import operating
from model.spec.config import CodecConfig, ConfigError

STORE_WORDS: Final = 16384  # of each store: as many as a single-port RAM of iCE40UP5K has, or two side by side
MAX_BANKS: Final = 8


def tiny_words(config: CodecConfig) -> tuple[int, int]:
    """Words of a bank of the coded store and of the raw store; both have 32 bits, four single-port RAMs in all."""
    coded, raw = map(ceil_power, bank_words(config))
    return coded, raw


def calibrated_words(config: CodecConfig) -> tuple[int, int]:
    """The same in lanes: strings in 32 bits, plain codes in 16; three single-port RAMs, and one for the calibration."""
    coded, raw = lane_words(config), -(-8 * config.raw_bytes(config.packet_frames) // RAW_WORD)
    return config.lanes * ceil_power(coded), ceil_power(raw)


WORDS: Final = {"tiny": tiny_words, "calibrated": calibrated_words}


def banks(config: CodecConfig, rate: int, clock_hz: int) -> int:
    """Packets that the output buffer holds, a power of two: as many as the stores have room for, but no more than two
    if a longer queue would lengthen the worst latency.

    Raises
    ------
    ConfigError
        If not even two fit.
    """
    fitting = min(MAX_BANKS, STORE_WORDS // max(WORDS[config.profile](config)))
    if fitting < 2:
        raise ConfigError(f"channels: two packets of {config.channels} channels exceed the board's memory; use fewer")
    longest = operating.worst_latency(config, rate, clock_hz, fitting)
    return 2 if longest > operating.worst_latency(config, rate, clock_hz) else fitting
