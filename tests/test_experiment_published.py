"""The example file has all experiments of the published design, with their values."""

from model.training.experiment import PUBLISHED, load
from model.training.schema import Experiment
from model.training.schema_features import Identity, Wavelet
from model.training.schema_network import FcProjector, LstmPredictor

TABLE = {  # window, features (bands or samples), hidden, latent, peers, predictor, coder
    "FC_smol_master6": (195, [195], (20, 6), 6, 3, (3,), "rice", None),
    "Smol_Feat_fourier": (1953, ["fourier", 195], (20, 6), 4, 2, (2,), "rice", None),
    "Smol_Feat_db1_1": (1953, ["db1", 195], (20, 6), 4, 2, (2,), "rice", None),
    "Smol_Feat_sym2_1": (1953, ["sym2", 195], (20, 6), 4, 2, (2,), "rice", None),
    "Smol_Feat_coif1_1": (1953, ["coif1", 195], (20, 6), 4, 2, (2,), "rice", None),
    "Smol_Feat_haar_1": (1953, ["haar", 195], (20, 6), 4, 2, (2,), "rice", None),
    "Smol_Feat_dmey_1": (1953, ["dmey", 195], (20, 6), 4, 2, (2,), "rice", None),
    "Proto_1": (1953, ["dmey", 195], (24, 12), 8, 3, (4,), "rice", None),
    "Proto_2": (1953, ["dmey", 195], (24, 12), 8, 3, (4,), "rice", 3),
    "Proto_2_k2": (1953, ["dmey", 195], (24, 12), 8, 3, (4,), "rice", 2),
    "Proto_2_k4": (1953, ["dmey", 195], (24, 12), 8, 3, (4,), "rice", 4),
    "Proto_Light_0": (1953, [195], (24, 12), 8, 3, (4,), "rice", None),
    "Proto_3_Light_SmolInp": (1953, [19], (24, 12), 8, 3, (4,), "rice", None),
    "Proto_3_Light_HugeInp": (1953, [1953], (24, 12), 8, 3, (4,), "rice", 2),
    "Proto_3_Smol": (195, ["dmey", 19], (24, 12), 8, 3, (4,), "rice", 2),
    "Proto_4": (1953, ["dmey", 195], (24, 12), 8, 3, (4,), "binomial", None),
}


def looked_at(experiment: Experiment) -> list[str | int]:
    named: list[str | int] = []
    for feature in experiment.features:
        if isinstance(feature, Wavelet):
            named.append(feature.wavelet)
        else:
            named.append(feature.samples if isinstance(feature, Identity) else feature.kind)
    return named


def test_all_published_experiments_are_there() -> None:
    found = load(PUBLISHED)
    others = {"lstm", "fixed_input_nn", "generation_2_fc", "generation_2_lstm", "cnn_extractor"}
    assert set(found) == {*TABLE, *others}
    for name, row in TABLE.items():
        x = found[name]
        assert isinstance(x.projector, FcProjector)
        assert x.predictor.kind == "fc"
        assert row == (
            *(x.window, looked_at(x), x.projector.hidden, x.projector.latent),
            *(x.middleout.peers, x.predictor.hidden, x.coder.kind, x.coder.k),
        )
        assert (x.middleout.form, x.middleout.gradient_scale, x.loss) == ("residual", 0.25, "squared_error")
        assert (x.training.learning_rate, x.training.batch_size, x.training.schedule) == (0.01, 32, "constant")
        assert (x.predictor.delta_shift, x.predictor.skip, x.feature_form) == (True, False, "windowed")
    assert {x.data.split for x in found.values()} == {"time"}
    assert {x.data.split_ratio for x in found.values()} == {0.8}
    assert {x.data.url for x in found.values()} == {"https://content.neuralink.com/compression-challenge/data.zip"}


def test_the_first_generations_are_there() -> None:
    found = load(PUBLISHED)
    for name in ("lstm", "fixed_input_nn"):
        first = found[name]
        training = first.training
        assert (training.epochs, training.batch_size, training.learning_rate, training.eval_freq) == (10, 32, 0.001, 2)
        assert (first.data.delta_encoding, first.coder.kind, first.output.num_points) == (True, "arithmetic", 1000)
        assert (first.projector.kind, first.middleout.form) == ("none", "none")
    assert found["lstm"].predictor == LstmPredictor(kind="lstm", hidden=128, layers=2, skip=False)
    assert found["lstm"].inputs == (Identity(kind="identity", samples=1),)
    assert found["fixed_input_nn"].inputs == (Identity(kind="identity", samples=10),)
    assert found["fixed_input_nn"].predictor.hidden == (128,)
    for kind in ("fc", "lstm"):
        second = found[f"generation_2_{kind}"]
        assert (second.projector.kind, second.middleout.form) == (kind, "mean")
