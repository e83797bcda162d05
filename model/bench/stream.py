"""Many channels at once, as a chip sends them: recordings laid side by side, the codec alone, from memory to memory."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from model.bench.figures import Figures, MismatchError, Row
from model.codec.compressor import encode
from model.codec.decompressor import decode
from model.formats import codes, wav
from model.formats.errors import FormatError
from model.spec import shipped
from model.spec.config import CodecConfig, find_profile

MOST_SAMPLES: Final = 1 << 25  # of a stream: bounds memory


@dataclass(frozen=True, eq=False)
class Stream:
    """Channels sampled together.

    Parameters
    ----------
    frames : ndarray of uint16, shape (frames, channels)
        Codes.
    mapping : Mapping
        From codes to samples.
    rate : int
        Frames a second.
    """

    frames: np.ndarray
    mapping: codes.Mapping
    rate: int

    @property
    def channels(self) -> int:
        """Channels sampled together."""
        return self.frames.shape[1]

    @property
    def real_time(self) -> int:
        """Samples a second, all channels."""
        return self.rate * self.channels

    @property
    def wav_bytes(self) -> int:
        """Bytes as 16-bit samples."""
        return 2 * self.frames.size

    def write(self, folder: Path, files: int) -> list[Path]:
        """Write the channels one after another into `files` mono WAV files of about equal size; gives their paths."""
        paths = []
        for number, share in enumerate(np.array_split(self.frames, files, axis=1)):
            paths.append(folder / f"{number}.wav")
            samples = self.mapping.to_samples(share.T.reshape(-1), np.int16)
            paths[-1].write_bytes(wav.to_bytes(samples, self.rate))
        return paths


def segment_frames(lengths: Sequence[int], channels: int) -> int:
    """The most frames of which series of these lengths hold `channels` segments, within `MOST_SAMPLES`; 0 if none."""
    low, high = 0, min(max(lengths, default=0), MOST_SAMPLES // channels)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(length // middle for length in lengths) >= channels:
            low = middle
        else:
            high = middle - 1
    return low


def lay_side_by_side(paths: Sequence[Path], channels: int) -> Stream:
    """Recordings as channels of one stream: first a segment of each channel of each recording, then the next segments.

    Parameters
    ----------
    paths : sequence of Path
        WAV files of one rate.
    channels : int
        Where there are fewer recordings, segments of them take the places.

    Raises
    ------
    FormatError
        If a recording cannot be read, rates or kinds of codes differ, or there are fewer samples than channels.
    """
    found = [wav.read(path) for path in paths]
    for other in found:
        if other.rate != found[0].rate:
            raise FormatError(f"{other.path}: rate: {other.rate} Hz beside {found[0].rate} Hz; give files of one rate")
    mappings = [codes.recognise(recording.samples) for recording in found]
    if len({mapping.kind for mapping in mappings}) > 1:
        raise FormatError(f"{paths[0]}: codes: of another kind than other files'; give files of one converter")
    mapping = codes.join(mappings)
    series = [channel for recording in found for channel in recording.samples.T]
    frames = segment_frames([len(one) for one in series], channels)
    if frames == 0:
        raise FormatError(f"{len(paths)} recordings: not a sample for each of {channels} channels; give fewer channels")
    out = np.empty((frames, channels), np.uint16)
    starts = range(0, max(map(len, series)), frames)
    segments = (one[at : at + frames] for at in starts for one in series if at + frames <= len(one))
    for channel, segment in zip(range(channels), segments, strict=False):
        out[:, channel] = mapping.to_codes(segment)
    return Stream(out, mapping, found[0].rate)


def measure(name: str, stream: Stream, config: CodecConfig, *, jobs: int = 1) -> Row:
    """Encode, decode and compare the stream; its bytes do not depend on `jobs`.

    Parameters
    ----------
    name : str
    stream : Stream
    config : CodecConfig
    jobs : int
        Threads of the codec. They share the work from key packet to key packet, so a stream that is short beside the
        interval of key packets keeps fewer of them busy.

    Raises
    ------
    MismatchError
        If other codes come back.
    """
    lattice = stream.mapping.kind == "lattice"
    parameterised = find_profile(config.profile).parameterised
    parameters = shipped.default(config.profile, lattice=lattice) if parameterised else None
    begin = time.perf_counter()
    data = encode(stream.frames, config, parameters=parameters, jobs=jobs)
    middle = time.perf_counter()
    decoded = decode(data, frames=len(stream.frames), jobs=jobs)
    end = time.perf_counter()
    if decoded.gaps or decoded.damage or not np.array_equal(decoded.frames, stream.frames):
        raise MismatchError(f"{name}: the decoder gives other codes than the {stream.channels} channels had")
    samples = stream.frames.size
    figures = Figures(samples, stream.wav_bytes, samples * config.width, len(data))
    return Row(name, figures, middle - begin, end - middle)
