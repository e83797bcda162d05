"""The golden model in integers is the law: its outputs equal the codec's for every sample, the first ones too."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from experiments import FULL, packed, shaken, small, stream_of, wild

from model.codec.compressor import encode
from model.codec.decompressor import decode
from model.spec.config import CodecConfig
from model.training import batches, law
from model.training.batches import outputs

RESIDUAL = {"form": "residual", "peers": 3}
MEAN = {"form": "mean", "peers": 4, "gradient_scale": 0.3}
LSTM = {"kind": "lstm", "hidden": 5, "latent": 3}
CNN = {"kind": "cnn", "filters": 3, "taps": 4, "dilation": 2}
FRAMES = 1000
CASES: list[dict[str, Any]] = [
    {},
    {"predictor": {"skip": False}},
    {"middleout": RESIDUAL},
    {"middleout": MEAN},
    {"middleout": {"form": "residual", "peers": 1}, "quantisation": {"activations": 12}},
    {"middleout": MEAN, "quantisation": {"activations": 10, "weights": 4}},
    {"projector": {"kind": "none"}, "predictor": {"hidden": [6, 5]}, "quantisation": {"activations": 12}},
    {"projector": LSTM},
    {"projector": {**LSTM, "layers": 2}, "middleout": RESIDUAL, "quantisation": {"activations": 12}},
    {"predictor": {"kind": "lstm", "hidden": 4, "layers": 2}, "middleout": MEAN},
    {"projector": {"kind": "none"}, "predictor": {"kind": "lstm", "hidden": 6, "layers": 1, "skip": False}},
    {"features": [CNN, {"kind": "identity", "samples": 2}]},
    {"features": [{"kind": "wavelet", "wavelet": "sym2", "levels": 3, "lags": 2}], "quantisation": {"activations": 9}},
    {"features": [{"kind": "gaussian", "wavelet": "cgau2", "scales": [1, 2]}, {"kind": "fourier", "window": 16}]},
    {"features": [], "projector": {"kind": "none"}, "predictor": {"kind": "fixed_input_nn", "hidden": [6]}},
    {"features": [{"kind": "identity", "samples": 4}], "data": {"delta_encoding": True}},
    {"data": {"width": 8}, "middleout": RESIDUAL},
    {"data": {"width": 12}, "middleout": RESIDUAL},
    FULL,
    {**FULL, "middleout": RESIDUAL},
    {**FULL, "middleout": MEAN, "quantisation": {"activations": 12}},
    {**FULL, "projector": LSTM, "middleout": RESIDUAL},
    {**FULL, "features": [*FULL["features"], {**CNN, "source": "magnitude"}], "quantisation": {"weights": 5}},
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_outputs_are_those_of_the_law(tmp_path: Path, case: dict[str, Any]) -> None:
    experiment = small(tmp_path, **case)
    width = experiment.data.width
    codes = wild(1, 6, FRAMES, width)
    stream = stream_of(experiment, codes)
    golden = shaken(experiment, stream)
    found = outputs(golden, stream, exact=True).detach().numpy()
    wanted = law.outputs(packed(golden), codes, stream.links, width)
    found = found[:, :, : wanted.shape[2]]  # `spikey` learns a scale beside
    assert (found == wanted).all(), np.argwhere(found != wanted)[:4]
    assert all(len(np.unique(channel)) > 20 for channel in wanted[:, :, 0])


@pytest.mark.parametrize("case", [CASES[2], {**FULL, "middleout": RESIDUAL}, CASES[7]], ids=["spikey", "full", "lstm"])
def test_pieces_of_a_recording_join(tmp_path: Path, case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = small(tmp_path, **case)
    stream = stream_of(experiment, wild(3, 4, 600))
    golden = shaken(experiment, stream)
    whole = outputs(golden, stream, exact=True)
    monkeypatch.setattr(batches, "CHUNK", 37)
    assert torch.equal(outputs(golden, stream, exact=True), whole)


@pytest.mark.parametrize("case", [CASES[4], {**FULL, "middleout": RESIDUAL}, CASES[8]], ids=["spikey", "full", "lstm"])
def test_the_codec_decodes_with_an_exported_network(tmp_path: Path, case: dict[str, Any]) -> None:
    experiment = small(tmp_path, **case)
    codes = wild(4, 5, 700)
    stream = stream_of(experiment, codes)
    parameters = packed(shaken(experiment, stream))
    config = CodecConfig(experiment.profile, 5, packet_frames=100, key_interval=3, links=stream.links)
    data = encode(np.ascontiguousarray(codes.T), config, parameters=parameters)
    found = decode(data, find={parameters.identifier: parameters}.get)
    assert (found.frames == codes.T).all()


def test_rounding_in_integers_is_near_the_float_network(tmp_path: Path) -> None:
    experiment = small(tmp_path, quantisation={"activations": 12})
    stream = stream_of(experiment, wild(5, 4, 300))
    golden = shaken(experiment, stream)
    exact, real = (outputs(golden, stream, exact=way)[:, :60, 0] for way in (True, False))
    assert (exact - real).abs().mean() < 0.05 * real.abs().mean()
