"""Profile `calibrated`: its parameter set; its payloads are those of a second writer, whatever is set and coded."""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
import page_encoder as page
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import WAVES, noise, packets_of, some_edges, streams, wave

from model.codec.compressor import encode
from model.codec.decompressor import MissingParametersError, decode
from model.codec.packet import StreamError, build
from model.spec import calibrate, calibrated, lms, scale, shipped
from model.spec import range as range_spec
from model.spec.calibrated import Tables
from model.spec.config import CodecConfig, ConfigError
from model.spec.numbers import Format
from model.spec.parameters import ParameterSet

FEATURES = {
    "one tap": [0],
    "one average": [3],
    "taps": [0, 0, 0, 0],
    "mixed": [2, 0, 5, 0],
    "slowest": [15],
    "sixteen": list(range(16)),
    "sixteen taps": [0] * 16,
}
EVEN = shipped.default("calibrated")
LATTICE = shipped.default("calibrated", lattice=True)


def tables_of(width: int, shifts: list[int], seed: int = 0, *, even: bool = False) -> Tables:
    """Tables of any values that their formats have."""
    random = np.random.default_rng(seed)
    return Tables(
        edges=calibrate.even_edges(width) if even else some_edges(width, seed),
        shifts=np.array(shifts, np.int64),
        weights=random.integers(-1023, 1024, len(shifts) + 1),
        start=int(random.integers(256 * max(0, width - 10), page.most_slow(width), endpoint=True)),
        steps=random.integers(-127, 128, (2, 64)),
        points=np.sort(np.concatenate([[0], random.integers(0, range_spec.HALF, 32, endpoint=True)])),
    )


def same(one: Tables, other: Tables) -> bool:
    pairs = zip(dataclasses.astuple(one), dataclasses.astuple(other), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("shifts", FEATURES.values(), ids=FEATURES)
@pytest.mark.parametrize("width", range(8, 17))
def test_what_is_packed_is_unpacked(width: int, shifts: list[int]) -> None:
    even = width > calibrate.MAX_TABLE_WIDTH
    tables = tables_of(width, shifts, seed=width, even=even)
    packed = calibrated.pack(tables, width, even=even)
    assert same(calibrated.unpack(ParameterSet.from_bytes(packed.to_bytes()), width), tables)


def test_an_even_set_serves_every_width() -> None:
    tables = tables_of(10, [2, 4], even=True)
    packed = calibrated.pack(tables, 10, even=True)
    wider = dataclasses.replace(tables, edges=calibrate.even_edges(12), start=tables.start + 512)
    assert calibrated.pack(wider, 12, even=True).identifier == packed.identifier
    for width in range(8, 17):
        found = calibrated.unpack(packed, width)
        assert same(dataclasses.replace(found, edges=tables.edges, start=tables.start), tables)
        assert (found.edges == calibrate.even_edges(width)).all()


def test_the_start_scale_is_as_many_octaves_more_as_a_code_has_bits_more() -> None:
    ends = set()
    for start in range(0, page.most_slow(10) + 1, 3):
        packed = calibrated.pack(dataclasses.replace(tables_of(10, [0], even=True), start=start), 10, even=True)
        for width in range(8, 17):
            found, free = calibrated.unpack(packed, width).start, start + (width - 10) * 16 * 16
            assert found == page.sat(free, 0, page.most_slow(width)) <= scale.slow_format(width).maximum
            ends |= {(width, found)} if found != free else set()
    assert {width for width, found in ends} == {8, 9} and {found for _, found in ends} == {0}


SHIPPED = [(LATTICE, 10), *((EVEN, width) for width in range(8, 17))]


@pytest.mark.parametrize(("parameters", "width"), SHIPPED)
def test_shipped_sets_fit_and_need_few_bits_of_state(parameters: ParameterSet, width: int) -> None:
    tables = calibrated.unpack(parameters, width)
    steps = np.diff(tables.edges)
    assert 1 <= steps.min() <= steps.max() <= calibrate.GREATEST_STEP == 255 and len(steps) == 1 << width
    assert shipped.find(parameters.identifier) is parameters
    if width == 10:
        assert calibrated.state_bits(width, len(tables.shifts)) <= 80
        assert calibrated.state_bits(width, len(tables.shifts), peer=True) <= 84


@pytest.mark.parametrize("width", range(8, 17))
def test_state_bits_are_those_of_the_formats(width: int) -> None:
    for features in (1, 2, 16):
        bits = (width + 2) + features * width + features * 11 + 8 + page.most_slow(width).bit_length()
        assert calibrated.state_bits(width, features) == bits
        assert calibrated.state_bits(width, features, peer=True) == bits + 11


def changed(name: str, change: Callable[[np.ndarray], object], form: Format | None = None) -> ParameterSet:
    """A good set for 10 bits but for one table."""
    good = calibrated.pack(tables_of(10, [2, 0]), 10, even=False).tables
    found, values = good[name]
    return ParameterSet("calibrated", {**good, name: (form or found, np.array(change(values.copy()), np.int64))})


def put(at: int, value: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(values: np.ndarray) -> np.ndarray:
        values.flat[at] = value
        return values

    return change


def features(count: int) -> ParameterSet:
    good = dict(calibrated.pack(tables_of(10, [2] * 3), 10, even=False).tables)
    good["shifts"] = good["shifts"][0], np.full(count, 2, np.int64)
    good["weights"] = good["weights"][0], np.zeros(count + 1, np.int64)
    return ParameterSet("calibrated", good)


def missing(name: str) -> ParameterSet:
    good = calibrated.pack(tables_of(10, [2]), 10, even=False).tables
    return ParameterSet("calibrated", {key: value for key, value in good.items() if key != name})


def shaped(name: str, *shape: int) -> ParameterSet:
    return changed(name, lambda _: np.ones(shape))


SHAPES = {"points": (33,), "shifts": (2, 1), "start": (1,), "steps": (64, 2), "weights": (2,)}
RISE = "'edges': give values that rise by 1 to 255 a code"
REFUSED = {
    **{f"{n}: format": (changed(n, np.zeros_like, Format(9)), f"table '{n}': format u9.0") for n in calibrated.FORMATS},
    **{f"{n}: shape": (shaped(n, *shape), f"'{n}': .* shape .*; give ") for n, shape in SHAPES.items()},
    **{f"{n}: missing": (missing(n), "has tables .*; give .*'edges'") for n in ("edges", *calibrated.FORMATS)},
    "another table": (
        ParameterSet("calibrated", {**LATTICE.tables, "more": (Format(1), np.zeros(1, np.int64))}),
        "has tables .*'more'",
    ),
    "profile": (ParameterSet("tiny", LATTICE.tables), "for profile 'tiny'; give one for 'calibrated'"),
    "no feature": (features(0), "'shifts': 0 features; give 1 to 16"),
    "17 features": (features(17), "'shifts': 17 features; give 1 to 16"),
    "weight of -1024": (changed("weights", put(2, -1024)), "'weights': -1024; give -1023 to 1023"),
    "step of -128": (changed("steps", put(69, -128)), "'steps': -128; give -127 to 127"),
    "points fall": (changed("points", put(0, 20000)), "'points': give values that never fall"),
    "points beyond": (changed("points", put(31, range_spec.HALF + 1)), f"up to {range_spec.HALF}"),
    "equal edges": (changed("edges", lambda e: put(5, int(e[6]))(e)), RISE),
    "edges fall": (changed("edges", lambda e: e[::-1]), RISE),
    "an edge too far": (changed("edges", lambda e: e - (np.arange(1025) <= 500) * (256 + e[500] - e[501])), RISE),
    "no edges": (changed("edges", lambda e: e[:0], Format(18, 6, signed=True)), "'edges': format s18.6; give s16.6 to"),
    "edges too few": (changed("edges", lambda e: e[:-1]), r"'edges': shape \(1024,\); give \(1025,\) or an empty one"),
    "edges twice": (changed("edges", lambda e: np.stack([e, e])), r"'edges': shape \(2, 1025\); give \(1025,\)"),
}


@pytest.mark.parametrize(("parameters", "word"), REFUSED.values(), ids=REFUSED)
def test_sets_that_cannot_be_are_refused(parameters: ParameterSet, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        calibrated.unpack(parameters, 10)
    with pytest.raises(ConfigError, match=word):
        encode(np.zeros((1, 1), np.uint16), CodecConfig("calibrated"), parameters=parameters)


@pytest.mark.parametrize("width", [8, 9, 11, 12, 16])
def test_a_set_of_another_width_is_refused_by_both_ends(width: int) -> None:
    word = f"calibrates a converter of 10 bits, the codes have {width}; give another"
    config = CodecConfig("calibrated", width=width)
    frames = noise(20, config)
    with pytest.raises(ConfigError, match=word):
        encode(frames, config, parameters=LATTICE)
    (packet,) = packets_of(encode(frames, config))
    wrong = build(
        config, 0, 20, key=True, raw=packet.raw, payload=bytes(packet.payload), parameter_set=LATTICE.identifier
    )
    with pytest.raises(StreamError, match="packet: .*" + word):
        decode(wrong)


def test_tables_wider_than_silicon_has_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"'edges': shape \(8193,\); give \(8193,\) or an empty one"):
        calibrated.unpack(calibrated.pack(tables_of(13, [0]), 13, even=False), 13)


def test_a_set_that_is_not_known_is_named_and_found_where_it_is_given() -> None:
    config, own = CodecConfig("calibrated", channels=2), calibrated.pack(tables_of(10, [0, 3]), 10, even=False)
    data = encode(frames := noise(40, config), config, parameters=own)
    with pytest.raises(MissingParametersError, match=f"needs the parameter set {own.identifier:016x}, .*--parameters"):
        decode(data)
    assert (decode(data, find={own.identifier: own}.get).frames == frames).all()


def second_writer(
    frames: np.ndarray, config: CodecConfig, channels: list[page.Channel], ends: list[int], first: int = 0
) -> dict[int, bytes]:
    """The strings of a packet's lanes, from the page; every state on the way lies in its format."""
    width, lanes = config.width, [page.Coder() for _ in range(config.lanes)]
    peers = config.peers or (0,) * config.channels
    forms = calibrate.centre_format(width), lms.difference_format(width), scale.slow_format(width)
    for number, frame in enumerate(frames.tolist(), first):
        for at, channel in enumerate(channels):
            if number >= ends[at]:
                channel.r = 0
                continue
            peer = channels[at - peers[at]].r if peers[at] else 0
            channel.code(frame[at], peer, lanes[at % config.lanes])
            assert forms[0].minimum <= channel.last <= forms[0].maximum
            assert max(map(abs, [channel.r, *channel.differences])) <= forms[1].maximum
            assert max(map(abs, channel.weights)) <= lms.WEIGHT.maximum
            assert abs(channel.fast) <= scale.FAST.maximum and 0 <= channel.slow <= forms[2].maximum
    return {
        lane: coder.finish() for lane, coder in enumerate(lanes) if max(ends[lane :: config.lanes], default=0) > first
    }


def payload_of(strings: dict[int, bytes], raw: int) -> bytes:
    """A payload with lengths as long as that of a raw packet of so many bytes."""
    *others, last = strings.values()
    each = -(-raw.bit_length() // 8)
    return b"".join(len(string).to_bytes(each, "little") for string in others) + b"".join([*others, last])


def raw_bytes(frames: np.ndarray, width: int, ends: list[int]) -> int:
    return (sum(max(0, min(end, len(frames))) for end in ends) * width + 7) // 8


def fresh(config: CodecConfig, parameters: ParameterSet) -> list[page.Channel]:
    tables = calibrated.unpack(parameters, config.width)
    return [page.Channel(config.width, tables) for _ in range(config.channels)]


def check(frames: np.ndarray, config: CodecConfig, parameters: ParameterSet, ends: list[int]) -> bool:
    """Whether the packet of these frames is coded; it is if that is smaller and no lane grows."""
    where = np.array(ends)
    data = encode(frames, config, parameters=parameters, ends=where)
    (packet,) = packets_of(data)
    strings = second_writer(frames, config, fresh(config, parameters), ends)
    raw = raw_bytes(frames, config.width, ends)
    each = -(-raw.bit_length() // 8)
    small = sum(map(len, strings.values())) + each * (len(strings) - 1) < raw
    small &= all(len(s) <= raw_bytes(frames, config.width, ends[k :: config.lanes]) for k, s in strings.items())
    assert packet.raw != small
    assert packet.raw or bytes(packet.payload) == payload_of(strings, raw)
    decoded = decode(data, ends=where, find=lambda _: parameters)
    recorded = np.arange(len(frames))[:, None] < where
    np.testing.assert_array_equal(decoded.frames, np.where(recorded, frames, 0))
    return small


@given(streams("calibrated"), st.data())
@settings(deadline=None, derandomize=True, max_examples=150)
def test_payload_is_what_a_second_writer_gives(stream: tuple[np.ndarray, CodecConfig], data: st.DataObject) -> None:
    frames, config = stream
    config = dataclasses.replace(config, packet_frames=len(frames))
    ends = [data.draw(st.sampled_from([len(frames), len(frames) // 2, 1])) for _ in range(config.channels)]
    ends[data.draw(st.integers(0, config.channels - 1))] = len(frames)
    sets = [EVEN, LATTICE] if config.width == 10 else [EVEN]
    check(frames, config, data.draw(st.sampled_from(sets)), ends)


@pytest.mark.parametrize("shifts", FEATURES.values(), ids=FEATURES)
@pytest.mark.parametrize("width", [8, 10, 12, 16])
def test_payloads_with_any_tables_are_those_of_a_second_writer(width: int, shifts: list[int]) -> None:
    random = np.random.default_rng(width)
    config = CodecConfig("calibrated", 3, width, packet_frames=100, lanes=2, peers=(0, 1, 1))
    coded = 0
    for number, kind in enumerate(WAVES):
        even = width > calibrate.MAX_TABLE_WIDTH
        parameters = calibrated.pack(tables_of(width, shifts, seed=number, even=even), width, even=even)
        coded += check(wave(kind, 100, 3, width, random), config, parameters, [100, 60, 100])
    assert coded


@pytest.mark.parametrize("kind", WAVES)
@pytest.mark.parametrize("parameters", [EVEN, LATTICE], ids=["even", "lattice"])
def test_waves_that_no_set_was_made_for(parameters: ParameterSet, kind: str) -> None:
    config = CodecConfig("calibrated", 2, packet_frames=200, peers=(0, 1))
    for seed in range(3):
        check(wave(kind, 200, 2, 10, np.random.default_rng(seed)), config, parameters, [200, 200])


def test_long_quiet_streams_pass_all_their_gears() -> None:
    config = CodecConfig("calibrated", 4, packet_frames=700, lanes=4, peers=(0, 1, 0, 3))
    frames = noise(700, config)
    frames[300:, 1], frames[600:602, 2] = 512, (0, 1023)
    assert all(check(frames, config, parameters, [700, 700, 650, 0]) for parameters in (EVEN, LATTICE))


@pytest.mark.parametrize("width", range(8, 17))
def test_packets_that_are_no_key_packets_go_on_also_after_raw_ones(width: int) -> None:
    config = CodecConfig("calibrated", 5, width, packet_frames=30, key_interval=4, lanes=2, peers=(0, 1, 0, 2, 0))
    frames, ends = noise(240, config, seed=width), [240, 100, 240, 75, 30]
    frames[30:60] = wave("noise", 30, 5, width, np.random.default_rng(width))
    packets = packets_of(encode(frames, config, ends=np.array(ends)))
    assert [packet.raw for packet in packets] == [False, True] + [False] * 6
    channels: list[page.Channel] = []
    for packet in packets:
        channels = channels if packet.shape is None else fresh(config, EVEN)
        begin = packet.position
        part = frames[begin : begin + 30]
        strings = second_writer(part, config, channels, ends, begin)
        raw = raw_bytes(part, width, [end - begin for end in ends])
        assert packet.raw or bytes(packet.payload) == payload_of(strings, raw)


@pytest.mark.parametrize("width", [10, 16])
def test_escapes_for_ever_fit_their_room(width: int) -> None:
    """A set whose scale never moves: every swing is an escape, and the packet is stored raw."""
    quiet = dataclasses.replace(
        tables_of(width, [0], even=True),
        steps=np.zeros((2, 64), np.int64),
        start=256 * (width - 10),
        weights=np.zeros(2, np.int64),
        points=np.array([0, *[range_spec.HALF] * 32]),
    )
    parameters, top = calibrated.pack(quiet, width, even=True), (1 << width) - 1
    for low, high in itertools.product((0, 1, top >> 1), (top - 1, top)):
        config = CodecConfig("calibrated", 2, width, packet_frames=300)
        frames = np.resize(np.array([[low, high], [high, low]]), (300, 2)).astype(np.uint16)
        assert not check(frames, config, parameters, [300, 300])
        (string,) = second_writer(frames, config, fresh(config, parameters), [300, 300]).values()
        assert len(string) > 1.5 * config.raw_bytes(300)


class Beyond(page.Coder):
    """Writes, as lower bits of sample number `wrong`, what no bits stand for; `fits` are numbers where that can end."""

    def __init__(self, wrong: int = 0) -> None:
        super().__init__()
        self.wrong, self.samples = wrong, 0
        self.fits: list[int] = []

    def even(self, number: int, bits: int) -> None:
        self.samples += 1
        whole = self.size >> bits << bits
        if number == 0 and -(self.low + whole) % 1024 < self.size - whole:
            self.fits.append(self.samples)
        if self.samples != self.wrong:
            super().even(number, bits)
            return
        share = self.size >> bits
        self.size += share  # as if there were one part more
        self.part(whole, whole + share)


def test_lower_bits_above_all_their_parts_are_refused() -> None:
    """The last code is 0; a decoder that takes one part more than there are would find 32."""
    loud = dataclasses.replace(
        tables_of(16, [0], even=True),
        steps=np.zeros((2, 64), np.int64),
        start=page.most_slow(16),
        weights=np.zeros(2, np.int64),
        points=np.arange(33) * range_spec.HALF // 32,
    )
    parameters = calibrated.pack(loud, 16, even=True)
    codes = [0 if at % 2 else at**3 % 997 for at in range(600)]

    def coded(coder: Beyond, count: int) -> bytes:
        channel = page.Channel(16, loud)
        for code in codes[:count]:
            channel.code(code, 0, coder)
        config = CodecConfig("calibrated", 1, 16)
        named = parameters.identifier
        return build(config, 0, count, key=True, raw=False, payload=coder.finish(), parameter_set=named)

    coded(search := Beyond(), 600)
    assert search.samples == 599 and search.fits
    for number in search.fits[:9]:
        good = decode(coded(Beyond(), number + 1), find=lambda _: parameters)
        assert good.frames[:, 0].tolist() == codes[: number + 1]
        with pytest.raises(StreamError, match="its payload does not decode"):
            decode(coded(Beyond(wrong=number), number + 1), find=lambda _: parameters)


@given(st.integers(0, 2**32), st.integers(8, 16), st.sampled_from([1, 2, 4]), st.integers(1, 400))
@settings(deadline=None, derandomize=True, max_examples=300)
def test_rubbish_is_refused_or_decodes_to_codes(seed: int, width: int, lanes: int, size: int) -> None:
    """With a right check around it: nothing breaks, nothing hangs, no code is beyond the width."""
    random = np.random.default_rng(seed)
    config = CodecConfig("calibrated", 5, width, lanes=lanes, peers=(0, 1, 2, 3, 1))
    payload = random.integers(0, 256, size, np.uint8)
    payload[: seed % 20] = random.choice([0, 255])
    data = build(config, 0, 9, key=True, raw=False, payload=payload.tobytes(), parameter_set=EVEN.identifier)
    try:
        frames = decode(data).frames
    except StreamError as error:
        assert "its payload does not decode" in str(error)
    else:
        assert frames.shape == (9, 5) and frames.max() < 1 << width
