"""Experiments' files: strict, merged, explained in one line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from model.spec.config import ConfigError
from model.training.experiment import apply, load, select
from model.training.schema import Experiment
from model.training.schema_features import Gaussian, Identity, Wavelet
from model.training.schema_network import FcProjector, LstmProjector

SMALL: dict[str, Any] = {"features": [{"kind": "identity", "samples": 10}]}
FULL: dict[str, Any] = {**SMALL, "profile": "full"}


def written(folder: Path, text: str) -> Path:
    path = folder / "experiments.yaml"
    path.write_text(text)
    return path


def one(folder: Path, mapping: dict[str, Any]) -> Experiment:
    return select(written(folder, yaml.safe_dump({"x": mapping}, sort_keys=False)))


def refusal(path: Path, name: str | None = None) -> str:
    """The one line with which a file is refused, without the file's name in front."""
    with pytest.raises(ConfigError) as caught:
        select(path, name)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line.removeprefix(f"{path}: ")


def test_defaults(tmp_path: Path) -> None:
    small = one(tmp_path, SMALL)
    assert small == Experiment(name="x", features=(Identity(kind="identity", samples=10),))
    assert (small.coder.kind, small.coder.k) == ("rice", None)
    assert one(tmp_path, FULL).coder.kind == "range"
    assert small.inputs == small.features


@pytest.mark.parametrize(
    ("mapping", "line"),
    [
        ({"windw": 3}, "windw: not a field; did you mean 'window'?"),
        ({"extend": "good"}, "extend: not a field; did you mean 'extends'?"),
        ({"training": {"epoch": 3}}, "training.epoch: not a field; did you mean 'epochs'?"),
        ({"name": "y"}, "name: is the experiment's key; leave it out"),
        ({"window": "195"}, "window: '195' is not possible; give a whole number"),
        ({"window": 195.0}, "window: 195.0 is not possible; give a whole number"),
        ({"window": True}, "window: True is not possible; give a whole number"),
        ({"window": 0}, "window: 0 is out of range; give at least 1"),
        ({"window": 4097}, "window: 4097 is out of range; give at most 4096"),
        ({"data": {"split_ratio": 1.0}}, "data.split_ratio: 1.0 is out of range; give less than 1"),
        ({"data": {"delta_encoding": 1}}, "data.delta_encoding: 1 is not possible; give true or false"),
        ({"data": {"files": "none"}}, "data.files: 'none' is not possible; give a whole number"),
        ({"data": 3}, "data: 3 is not possible; give a mapping"),
        ({"description": 3}, "description: 3 is not possible; give text"),
        ({"training": {"learning_rate": float("inf")}}, "training.learning_rate: inf is "),
        (
            {"training": {"weight_decay": float("nan")}},
            "training.weight_decay: nan is not possible; give a finite number",
        ),
        ({"training": {"learning_rate": "fast"}}, "training.learning_rate: 'fast' is not possible; give a number"),
        (
            {"training": {"epochs": 3, "eval_freq": 4}},
            "training.eval_freq: 4 is more than there are epochs; give at most 3",
        ),
        ({"training": {"epochs": 1}}, "training.quantise_epochs: 2 is more than there are epochs; give at most 1"),
        ({"quantisation": {"weights": 3}}, "quantisation.weights: 3 is out of range; give at least 4"),
        ({"quantisation": {"activations": 13}}, "quantisation.activations: 13 is out of range; give at most 12"),
        ({"loss": "square_error"}, "loss: 'square_error' is not known; did you mean 'squared_error'?"),
        ({"projector": "fc"}, "projector: 'fc' is not possible; give a mapping, such as {kind: fc}"),
        ({"projector": {"latent": 4}}, "projector: has no kind; give one of fc, lstm, none"),
        ({"projector": {"kind": "ltsm"}}, "projector: kind 'ltsm' is not known; did you mean 'lstm'?"),
        ({"projector": {"kind": "fc", "layers": 2}}, "projector.layers: not a field; did you mean 'latent'?"),
        ({"projector": {"kind": "fc", "hidden": [20, 0]}}, "projector.hidden.1: 0 is out of range; give at least 1"),
        ({"projector": {"kind": "fc", "hidden": 20}}, "projector.hidden: 20 is not possible; give a list"),
        (
            {"middleout": {"peers": 2}},
            "middleout.peers: 2, but form 'none' has none; give 0, or form: mean or residual",
        ),
        ({"middleout": {"form": "mean"}}, "middleout.peers: 0, but form 'mean' needs some; give 1 to 4, or form: none"),
        ({"middleout": {"form": "mean", "peers": 5}}, "middleout.peers: 5 is out of range; give at most 4"),
        (
            {"middleout": {"form": "mean", "peers": 2}, "projector": {"kind": "none"}},
            "middleout.form: 'mean' needs a latent; give none, or a projector",
        ),
        ({"predictor": {"kind": "fixed_input_nn"}}, "features: predictor 'fixed_input_nn' has its own; leave them out"),
        (
            {"predictor": {"kind": "fixed_input_nn"}, "features": []},
            "projector.kind: predictor 'fixed_input_nn' has none before it; give none",
        ),
        (
            {"predictor": {"kind": "fixed_input_nn", "samples": 196}, "features": [], "projector": {"kind": "none"}},
            "predictor.samples: 196 does not fit a window of 195 samples; give at most 195",
        ),
        ({"coder": {"kind": "huffman", "k": 2}}, "coder.k: only kind 'rice' has one, this is 'huffman'; leave it out"),
        ({"coder": {"kind": "rice", "k": 15}}, "coder.k: 15 is out of range; give at most 14"),
        (
            {"coder": {"kind": "range"}},
            "coder.kind: 'range' is not possible in profile 'spikey'; give rice, or profile",
        ),
        ({"outputs": {"shapes": 2}}, "outputs.shapes: 2 need profile 'full'; give 1"),
        ({"features": []}, "features: are missing; give some"),
        ({"features": {"kind": "identity"}}, "features: {'kind': 'identity'} is not possible; give a list"),
        ({"features": ["identity"]}, "features.0: 'identity' is not possible; give a mapping"),
        ({"features": [{"kind": "identity"}]}, "features.0.samples: is missing; give it a value"),
    ],
)
def test_one_line_says_what_is_wrong(tmp_path: Path, mapping: dict[str, Any], line: str) -> None:
    path = written(tmp_path, yaml.safe_dump({"good": SMALL, "bad": {**SMALL, **mapping}}))
    assert refusal(path, "good").startswith(f"bad: {line}")


@pytest.mark.parametrize(
    ("feature", "line"),
    [
        ({"kind": "identity", "samples": 196}, "samples: 196 does not fit a window of 195 samples; give at most 195"),
        ({"kind": "identity", "samples": 1}, "samples: 1 tells nothing, counted from itself; give 2"),
        (
            {"kind": "identity", "samples": 2, "source": "residual"},
            "source: 'residual' needs profile 'full'; give signal",
        ),
        ({"kind": "wavelet"}, "wavelet: is missing; give it a value"),
        ({"kind": "wavelet", "wavelet": "simlet2"}, "wavelet: 'simlet2' is not known; did you mean"),
        (
            {"kind": "wavelet", "wavelet": "dmey", "levels": 2},
            "levels: 2 does not fit a window of 195 samples; give at most 1",
        ),
        (
            {"kind": "wavelet", "wavelet": "db38", "levels": 2},
            "levels: 2 does not fit a window of 195 samples; give at most 1",
        ),
        (
            {"kind": "wavelet", "wavelet": "haar", "lags": 5},
            "lags: 5 does not fit a window of 195 samples; give at most 4",
        ),
        ({"kind": "gaussian", "scales": [1, 20]}, "scales: 20 does not fit a window of 195 samples; give at most 19"),
        ({"kind": "gaussian", "scales": [2, 1, 2]}, "scales: [2, 1, 2] do not rise; give [1, 2]"),
        ({"kind": "gaussian", "scales": []}, "scales: is empty; give at least one value"),
        ({"kind": "wavelet", "wavelet": "cgau1", "levels": 2}, "levels: not a field"),
        ({"kind": "wavelet", "wavelet": "cgau9"}, "wavelet: 'cgau9' is not known; did you mean 'cgau"),
        ({"kind": "fourier", "window": 196}, "window: 196 does not fit a window of 195 samples; give at most 195"),
        (
            {"kind": "fourier", "window": 64, "bins": 32},
            "bins: 32 does not fit a window of 195 samples; give at most 31",
        ),
        ({"kind": "cnn", "taps": 16, "dilation": 20}, "taps: 16 does not fit a window of 195 samples; give at most 10"),
    ],
)
def test_a_feature_that_cannot_be(tmp_path: Path, feature: dict[str, Any], line: str) -> None:
    path = written(tmp_path, yaml.safe_dump({"bad": {"features": [feature]}}))
    assert refusal(path).startswith(f"bad: features.0.{line}")


def test_the_longest_that_fit(tmp_path: Path) -> None:
    features: list[dict[str, Any]] = [
        {"kind": "identity", "samples": 195},
        {"kind": "wavelet", "wavelet": "dmey", "levels": 1},
        {"kind": "wavelet", "wavelet": "haar", "lags": 4},
        {"kind": "gaussian", "scales": [1, 19]},
        {"kind": "fourier", "window": 195, "bins": 97},
        {"kind": "cnn", "taps": 10, "dilation": 20},
    ]
    found = one(tmp_path, {"features": features}).features
    assert [feature.kind for feature in found] == [feature["kind"] for feature in features]
    haar = found[2]
    assert isinstance(haar, Wavelet)
    assert haar.depth(195) == 7


@pytest.mark.parametrize(
    ("mapping", "line"),
    [
        ({"coder": {"kind": "rice"}}, "coder.kind: 'rice' is not possible in profile 'full'; give range"),
        ({"loss": "squared_error"}, "loss: 'squared_error' trains the mean only"),
        ({"predictor": {"kind": "fc", "delta_shift": False}}, "predictor.delta_shift: profile 'full' always adds"),
        ({"data": {"delta_encoding": True}}, "data.delta_encoding: not possible in profile 'full'; give false"),
        ({"outputs": {"shapes": 9}}, "outputs.shapes: 9 is out of range; give at most 8"),
    ],
)
def test_profile_full_has_its_own_limits(tmp_path: Path, mapping: dict[str, Any], line: str) -> None:
    path = written(tmp_path, yaml.safe_dump({"bad": {**FULL, **mapping}}))
    assert refusal(path).startswith(f"bad: {line}")


def test_profile_full_sees_residuals_and_chooses_shapes(tmp_path: Path) -> None:
    features = [{"kind": "identity", "samples": 1, "source": "magnitude"}]
    found = one(tmp_path, {"profile": "full", "features": features, "outputs": {"shapes": 8}})
    assert (found.features[0].source, found.outputs.shapes) == ("magnitude", 8)


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ({"kind": "wavelet", "wavelet": "haar", "lags": 2}, "lags: feature_form 'windowed' takes all that there is"),
        ({"kind": "fourier", "bins": 3}, "bins: feature_form 'windowed' takes all that there is; leave it out"),
        ({"kind": "fourier", "window": 32}, "window: feature_form 'windowed' takes all that there is; leave it out"),
        ({"kind": "cnn"}, "kind: 'cnn' needs feature_form 'streaming'"),
        ({"kind": "identity", "samples": 3, "source": "residual"}, "source: 'residual' needs feature_form 'streaming'"),
    ],
)
def test_what_windows_lack_is_refused(tmp_path: Path, feature: dict[str, Any], message: str) -> None:
    path = written(tmp_path, yaml.safe_dump({"bad": {"features": [feature], "feature_form": "windowed"}}))
    assert refusal(path).startswith(f"bad: features.0.{message}")


def test_whole_windows_need_dense_layers_and_samples(tmp_path: Path) -> None:
    own = {"features": [{"kind": "identity", "samples": 3}], "feature_form": "windowed"}
    path = written(tmp_path, yaml.safe_dump({"bad": {**own, "projector": {"kind": "lstm"}}}))
    assert refusal(path) == "bad: projector.kind: 'lstm' cannot take whole windows; give fc"
    path = written(tmp_path, yaml.safe_dump({"bad": {**own, "data": {"delta_encoding": True}}}))
    assert refusal(path).startswith("bad: data.delta_encoding: not possible with feature_form 'windowed'")


def test_delta_encoding_is_for_identity(tmp_path: Path) -> None:
    path = written(tmp_path, "bad: {features: [{kind: wavelet, wavelet: haar}], data: {delta_encoding: true}}")
    assert refusal(path) == "bad: data.delta_encoding: kind 'wavelet' cannot have it; give false"


def test_a_complex_gaussian_may_be_called_a_wavelet(tmp_path: Path) -> None:
    found = one(tmp_path, {"features": [{"kind": "wavelet", "wavelet": "cgau2"}]}).features
    assert found == (Gaussian(kind="gaussian", wavelet="cgau2"),)


EXTENDED = """
_base:
  description: not taken over
  features: [{kind: identity, samples: 10}, {kind: wavelet, wavelet: haar}]
  projector: {kind: fc, hidden: [20, 6], latent: 4}
  training: {epochs: 7, learning_rate: 1e-3}
  coder: {kind: rice, k: 3}
  search: {training.epochs: {low: 2, high: 9}, training.batch_size: {low: 1, high: 9}}
merged:
  extends: _base
  projector: {latent: 5}
  training: {epochs: 9, eval_freq: 2}
  coder: {k: null}
  search: {training.epochs: {choices: [2, 3]}}
replaced:
  extends: merged
  features: [{kind: identity, samples: 5}]
  projector: {kind: lstm, latent: 2}
  coder: {kind: binomial}
"""


def test_extends_merges_mappings_and_replaces_the_rest(tmp_path: Path) -> None:
    found = load(written(tmp_path, EXTENDED))
    assert list(found) == ["merged", "replaced"]
    merged, replaced = found.values()
    assert merged.description == ""
    assert len(merged.features) == 2
    assert merged.projector == FcProjector(kind="fc", hidden=(20, 6), latent=5)
    assert (merged.training.epochs, merged.training.eval_freq, merged.training.learning_rate) == (9, 2, 0.001)
    assert merged.coder.k is None
    assert [search.tried for search in merged.search.values()] == [(2, 3), (1, 9)]
    assert replaced.features == (Identity(kind="identity", samples=5),)
    assert replaced.projector == LstmProjector(kind="lstm", latent=2)
    assert (replaced.coder.kind, replaced.coder.k, replaced.training.epochs) == ("binomial", None, 9)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "not a mapping; write experiments' names"),
        ("- x", "not a mapping; write experiments' names"),
        ("x: 3", "x: not a mapping; write its fields"),
        ("3: {}", "3: 3 is not text; write it in quotes"),
        ("x: [", "line 1: not YAML: "),
        ("x:\n  window: 3\n  window: 4", "line 3: not YAML: 'window' stands there twice; correct it"),
        ("x: {}\ny: {}\nx: {}", "line 3: not YAML: 'x' stands there twice; correct it"),
        ("x: {[1]: 2}", "line 1: not YAML: a key is not plain text; correct it"),
        ("x: !!python/name:os.system {}", "line 1: not YAML: "),
        ("x: {extends: bse}\nbase: {}", "x: extends: 'bse' is not in the file; did you mean 'base'?"),
        ("x: {extends: [y]}\ny: {}", "x: extends: '['y']' is not in the file; "),
        ("x: {extends: x}", "x: extends: x -> x is a circle; leave one out"),
        ("_a: {extends: _b}\n_b: {extends: _c}\n_c: {extends: _b}", "_a: extends: _a -> _b -> _c -> _b is a circle"),
        ("x: &a {extends: y, data: *a}\ny: &b {data: *b}", "something contains itself; leave its alias out"),
        ("x: {description: 2024-02-31}", "not YAML: day is out of range for month; correct it"),
        ("_a: {}", "has no experiment to run; give one a name that does not begin with '_'"),
        ("a/b: {features: []}", "a/b: name: 'a/b' is not possible; give letters, digits"),
        ('"x\\ny": {widow: 3}', "x y: widow: not a field; did you mean 'window'?"),
    ],
)
def test_a_file_that_cannot_be(tmp_path: Path, text: str, line: str) -> None:
    assert refusal(written(tmp_path, text)).startswith(line)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.yaml") == "No such file or directory; give a YAML file that can be read"
    assert refusal(tmp_path).endswith("give a YAML file that can be read")
    (tmp_path / "x.yaml").write_bytes(b"x: \xff")
    assert refusal(tmp_path / "x.yaml") == "not text; give a YAML file"


def test_select(tmp_path: Path) -> None:
    path = written(tmp_path, EXTENDED)
    assert select(path, "replaced") == load(path)["replaced"]
    assert refusal(path) == "has 2 experiments; name one of merged, replaced"
    assert refusal(path, "mergd") == "mergd: no such experiment; did you mean 'merged'?"
    assert refusal(path, "_base") == "_base: is only extended, not run; name one of merged, replaced"


@pytest.mark.parametrize(
    ("search", "line"),
    [
        (
            {"training.epoch": {"low": 2, "high": 3}},
            ": with training.epoch = 2: training.epoch: 'epoch' is not a field",
        ),
        (
            {"trainin": {"choices": [1]}},
            ": with trainin = 1: trainin: 'trainin' is not a field; did you mean 'training'?",
        ),
        (
            {"features.1.samples": {"choices": [2]}},
            ": with features.1.samples = 2: features.1.samples: '1' is not a field",
        ),
        (
            {"features.0.samples.x": {"choices": [2]}},
            ": with features.0.samples.x = 2: features.0.samples.x: 'x' is not",
        ),
        ({"name": {"choices": ["y"]}}, ": with name = 'y': name: 'name' is not a field; "),
        (
            {"training.epochs": {"low": 2, "high": 2}},
            ".training.epochs.high: 2 is not above low, 2; give a greater one",
        ),
        ({"training.epochs": {"low": 1, "high": 5}}, ": with training.epochs = 1: training.quantise_epochs: 2 is more"),
        ({"training.epochs": {"low": 2.0, "high": 5.0}}, ": with training.epochs = 2.0: training.epochs: 2.0 is not"),
        ({"training.epochs": {"low": 2, "high": 5.0}}, ".training.epochs.low: a range of whole and broken numbers"),
        ({"training.epochs": {"low": "2", "high": 5}}, ".training.epochs.low: '2' is not possible; give a number"),
        ({"training.epochs": {"low": True, "high": 5}}, ".training.epochs.low: True is not possible; give a number"),
        ({"training.epochs": {"low": 2}}, ".training.epochs.high: is missing; give low and high, or choices"),
        ({"training.epochs": {"low": 2, "high": 5, "step": 4}}, ".training.epochs.step: 4 is not possible"),
        (
            {"training.epochs": {"low": 2, "high": 5, "step": 1, "log": True}},
            ".training.epochs.step: 1 is not possible",
        ),
        ({"training.epochs": {"choices": []}}, ".training.epochs.choices: is empty; give at least one value"),
        ({"training.epochs": {"choices": [2], "low": 1}}, ".training.epochs.low: choices have none; leave it"),
        (
            {"training.weight_decay": {"low": 0, "high": 1}},
            ".training.weight_decay: 0 is whole, the field is not; write 0.0",
        ),
        (
            {"training.weight_decay": {"low": 0.0, "high": 1.0, "log": True}},
            ".training.weight_decay.low: 0.0 has no log",
        ),
        ({"loss": {"choices": ["code_length", "x"]}}, ": with loss = 'x': loss: 'x' is not known; "),
        (
            {"projector": {"choices": [{"hidn": [], "kind": "fc"}]}},
            ": with projector = {'hidn': [], 'kind': 'fc'}: projector.hidn: not a field; did you mean 'hidden'?",
        ),
    ],
)
def test_a_search_that_cannot_be(tmp_path: Path, search: dict[str, Any], line: str) -> None:
    path = written(tmp_path, yaml.safe_dump({"bad": {**SMALL, "search": search}}))
    assert refusal(path).startswith(f"bad: search{line}")


def test_apply(tmp_path: Path) -> None:
    search = {
        "training.learning_rate": {"low": 1e-4, "high": 0.1, "log": True},
        "features.0.samples": {"low": 2, "high": 20, "step": 2},
        "projector": {"choices": [{"kind": "none"}, {"kind": "lstm"}]},
        "coder.k": {"low": 0, "high": 14},
    }
    before = one(tmp_path, {**SMALL, "description": "kept", "search": search})
    assert [found.whole for found in before.search.values()] == [False, True, False, True]
    kept = before.model_copy(deep=True)
    after = apply(
        before, {"training.learning_rate": 0.01, "features.0.samples": 4, "projector": {"kind": "lstm", "layers": 2}}
    )
    assert before == kept
    assert (after.name, after.description, after.search) == ("x", "kept", {})
    assert after.training.learning_rate == 0.01
    assert after.features == (Identity(kind="identity", samples=4),)
    assert after.projector == LstmProjector(kind="lstm", layers=2)
    assert after.quantisation == before.quantisation
    with pytest.raises(ConfigError, match=r"^x: features\.0\.samples: 200 does not fit"):
        apply(before, {"features.0.samples": 200})
