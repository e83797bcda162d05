"""Parameter sets of the second decoder, written from BITSTREAM.md alone (section 10)."""

import hashlib
import zlib
from collections.abc import Iterable

from tests import page_calibrated, page_full, page_spikey
from tests.page_calibrated import calibrated_set
from tests.page_full import full_set
from tests.page_reader import Reader, read_table, require
from tests.page_spikey import spikey_set

PageSet = page_calibrated.Tables | page_spikey.Tables | page_full.Tables
KINDS = {page_calibrated.PROFILE: calibrated_set, page_spikey.PROFILE: spikey_set, page_full.PROFILE: full_set}


def read_set(data: bytes) -> PageSet:
    """Read a parameter set."""
    reader = Reader(data)
    require(reader.octets(5) == b"SPKP\x01", "no parameter set")
    profile = reader.number(1)
    require(profile in KINDS, "profile of a parameter set")
    tables = [read_table(reader) for _ in range(reader.number(2))]
    names = [name for name, _ in tables]
    require(names == sorted(set(names)), "order of tables")
    require(zlib.crc32(data[: reader.at // 8]) == reader.number(4), "check of a parameter set")
    require(reader.at == 8 * len(data), "bytes behind a parameter set")
    return KINDS[profile](dict(tables))


def named_sets(serialised: Iterable[bytes]) -> dict[bytes, PageSet]:
    """Read parameter sets; give them by the bytes that name them in packets."""
    return {hashlib.sha256(data).digest()[:8]: read_set(data) for data in serialised}
