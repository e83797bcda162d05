"""How small held-out recordings become with a trained network: bytes that were written, decoded and compared.

Where the law has the coder, the bytes are those of a container, the parameter set aside. The coders of
`model.training.coders` get the residuals of each channel; `HEAD_BYTES` of each file are counted besides, for all that
its bytes do not tell.
"""

import filecmp
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from model.formats import wav
from model.formats.container import Container, Source, pack
from model.spec import spikey
from model.spec.parameters import ParameterSet
from model.training.coders import CODERS
from model.training.export import folded, unfold
from model.training.traces import Trace
from model.training.train import Trained

HEAD_BYTES: Final = 8  # of each file: frames and rate
LAW_CODERS: Final = ("rice", "huffman", "binomial", "range")


class Bytes(NamedTuple):
    """Sizes of what was compressed.

    Parameters
    ----------
    bytes, wav_bytes : int
        Written; of the WAV files, headers included.
    samples : int
    """

    bytes: int
    wav_bytes: int
    samples: int

    @property
    def ratio_wav(self) -> float:
        """Bytes of the WAV files over bytes written."""
        return self.wav_bytes / self.bytes

    @property
    def bits_per_sample(self) -> float:
        """Bits written a sample."""
        return 8 * self.bytes / self.samples


class MismatchError(ValueError):
    """What was decoded is not the original."""


def _parts(stream: Trace) -> list[tuple[Path, np.ndarray]]:
    """The files of a stream, each with its channels' codes, shape (channels, frames)."""
    return list(zip(stream.paths, np.split(stream.codes, len(stream.paths)), strict=True))


def sources(trained: Trained, scratch: Path) -> list[list[Source]]:
    """What is held out as files, stream by stream, with the links that the network learned with.

    Parameters
    ----------
    trained : Trained
    scratch : Path
        A folder; gets WAV files where parts of recordings are held out.
    """
    experiment, groups = trained.experiment, []
    linked = experiment.profile != spikey.PROFILE or experiment.middleout.peers
    for number, stream in enumerate(trained.test.traces):
        group: list[Source] = []
        for part, (path, codes) in enumerate(_parts(stream)):
            links = stream.links[part * len(codes) :][: len(codes)] if linked else ()
            found = path
            if experiment.data.split == "time":
                found = scratch / f"{number}-{part}.wav"
                wav.write_wav(found, trained.test.mapping.to_samples(codes.T), wav.read(path).rate)
            group.append(Source(found, f"{number}-{part}.wav", links=links))
        groups.append(group)
    return groups


def _container(trained: Trained, parameters: ParameterSet, groups: Sequence[list[Source]], scratch: Path) -> int:
    """Bytes of a container with all files, once it is decoded and compared."""
    path, restored = scratch / "held-out.spk", scratch / "restored"
    pack(groups, path, profile=trained.experiment.profile, parameters=parameters, embed=False)
    container = Container.open(path, [parameters])
    restored.mkdir()
    container.unpack(restored)
    for source in (source for group in groups for source in group):
        if not filecmp.cmp(source.path, restored / source.name, shallow=False):
            raise MismatchError(f"{source.path}: what was decoded differs")
    return path.stat().st_size


def residuals(trained: Trained, stream: Trace) -> list[np.ndarray]:
    """Each channel's residuals in profile `spikey`, the first one counted from the middle code; int64."""
    middle = 1 << (trained.experiment.data.width - 1)
    first = stream.codes[:, :1].astype(np.int64) - middle
    return [np.append(first[n], unfold(rest)) for n, rest in enumerate(folded(trained, stream))]


def _coded(trained: Trained) -> int:
    """Bytes of all residuals, each channel on its own, once they are decoded and compared."""
    coder, width, size = CODERS[trained.experiment.coder.kind], trained.experiment.data.width, 0
    for stream in trained.test.traces:
        for found in residuals(trained, stream):
            data = coder.encode(found, width)
            if (coder.decode(data, len(found), width) != found).any():
                raise MismatchError(f"{stream.paths[0]}: what was decoded differs")
            size += len(data)
        size += HEAD_BYTES * len(stream.paths)
    return size


def evaluate(trained: Trained, parameters: ParameterSet, scratch: Path) -> Bytes:
    """Compress what is held out, decode it and compare.

    Parameters
    ----------
    trained : Trained
    parameters : ParameterSet
        The network's.
    scratch : Path
        A folder; nothing stays in it.

    Raises
    ------
    MismatchError
        If something else was decoded.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        groups = sources(trained, Path(folder))
        if trained.experiment.coder.kind in LAW_CODERS:
            size = _container(trained, parameters, groups, Path(folder))
        else:
            size = _coded(trained)
        wav_bytes = sum(source.path.stat().st_size for group in groups for source in group)
    return Bytes(size, wav_bytes, sum(stream.codes.size for stream in trained.test.traces))
