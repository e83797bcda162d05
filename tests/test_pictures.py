"""Pictures of a trained network: what they show, and that there are files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from experiments import FULL, shaken, small, stream_of, train_and_test

from model.training import pictures
from model.training.batches import batch_of
from model.training.network import Golden
from model.training.train import train

PNG = b"\x89PNG\r\n\x1a\n"
WINDOWED = {"feature_form": "windowed", "middleout": {"form": "mean", "peers": 1}}
LSTM = {"projector": {"kind": "lstm", "hidden": 3, "latent": 2}}


@pytest.mark.parametrize("more", [FULL, WINDOWED, LSTM], ids=["full", "windowed", "lstm"])
def test_a_network_is_drawn(tmp_path: Path, more: dict[str, Any]) -> None:
    train_and_test(tmp_path / "data", seconds=0.1)
    experiment = small(tmp_path, **more, data={"directory": str(tmp_path / "data")}, output={"num_points": 50})
    trained = train(experiment, tmp_path)
    pictures.draw(trained, tmp_path)
    assert {path.stem for path in tmp_path.glob("*.png")} == set(pictures.NAMES)
    assert all(path.read_bytes().startswith(PNG) for path in tmp_path.glob("*.png"))
    seen = pictures.look(trained)
    bits = trained.float_bits if trained.golden.windowed else trained.quantised_bits
    assert seen.bits.mean() == pytest.approx(bits, abs=1e-6)  # recordings are equally long
    assert seen.histogram.sum() == pytest.approx(
        sum(s.channels * (s.frames - 1) for s in trained.test.traces), rel=0.01
    )
    assert np.abs(seen.true - seen.predicted).mean() < 3 * seen.scale.mean()


@pytest.mark.parametrize("more", [{}, FULL, {"feature_form": "windowed"}], ids=["spikey", "full", "windowed"])
def test_rows_of_the_first_layer_are_filters(tmp_path: Path, more: dict[str, Any]) -> None:
    """Their sum over all that came is what the layer computes, but for bias and contexts."""
    experiment = small(tmp_path, **more)
    codes = np.random.default_rng(1).integers(505, 520, (1, 120)).astype(np.uint16)  # features do not saturate
    stream = stream_of(experiment, codes)
    golden = Golden(experiment) if experiment.feature_form == "windowed" else shaken(experiment, stream)
    batch, _ = batch_of([stream], [1], 119, 1, 0, dtype=torch.float64)
    found = pictures.responses(golden)
    driving = {"signal": batch.signal, "residual": batch.residual, "magnitude of the residual": batch.residual.abs()}
    filtered = np.zeros((4, 120))
    for name, rows in found.items():
        for row, response in enumerate(rows):
            filtered[row] += np.convolve(driving[name][0].numpy(), response)[:120]
    unit = (2.0 ** (5 - batch.exponent))[0].numpy()
    layer = golden.projector[0]
    assert set(found) == (set(driving) if experiment.profile == "full" else {"signal"})
    with torch.no_grad():
        weight = layer.weight.double()[:, : -golden.contexts]
        if golden.windowed:
            wanted = golden.extractor.project(batch.signal, batch.exponent, weight)[0]
        else:
            wanted = golden.extractor(batch.signal, batch.residual, batch.exponent, exact=False)[0] @ weight.T
    assert np.allclose(filtered * unit, wanted.T.numpy())
