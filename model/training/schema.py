"""What an experiment of the golden model is made of: typed, strict, frozen; no key that is not known is taken.

`model.training.experiment` reads it from YAML files. Lengths are in samples, learning is counted in epochs.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from model.training.schema_features import MAX_WINDOW, Count, Feature, Identity, Strict, fault
from model.training.schema_network import (
    Coder,
    FcPredictor,
    FcProjector,
    FixedInputPredictor,
    MiddleOut,
    Outputs,
    Predictor,
    Projector,
)

Bits = Annotated[int, Field(ge=8, le=12)]


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("float_type", "not a number")
    return value


Number = Annotated[int | float, BeforeValidator(_number)]  # whole stays whole


class Data(Strict):
    """Recordings.

    Parameters
    ----------
    url : str or None
        Where the recordings can be fetched from; nothing is fetched without being asked to.
    directory : str or None
        Folder of WAV files, from the working folder; None takes the recordings found, else synthetic ones.
    split : "folders" or "time"
        What is held out: the folder `test` beside `train`, or the end of each recording.
    split_ratio : float
        Of split "time": the part of each recording that is trained on.
    width : int
        Bits of a sample's code, 8 to 16.
    parameters : str or None
        Of profile `full`: the set of profile `calibrated` beside whose chain the network works, a file or the name of a
        shipped one; None takes the shipped one for the lattice, or for an even converter.
    delta_encoding : bool
        The identity features are differences of neighbouring samples, not samples.
    files : int or None
        Take so many of the recordings, evenly spaced in their order; None takes all.
    """

    url: str | None = None
    directory: str | None = None
    split: Literal["folders", "time"] = "folders"
    split_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.8
    width: Annotated[int, Field(ge=8, le=16)] = 10
    parameters: str | None = None
    delta_encoding: bool = False
    files: Count | None = None


class Training(Strict):
    """How the network learns.

    Parameters
    ----------
    epochs : int
        Passes over the recordings.
    batch_size : int
        Channels learned from together.
    segment : int
        Samples of each that one step sees.
    learning_rate : float
    schedule : "cosine" or "constant"
        Of the learning rate; `cosine` lets it fall to 0 at the last epoch.
    optimiser : "adam"
    weight_decay : float
    clip : float or None
        Greatest norm of the gradient; None leaves it.
    eval_freq : int
        Epochs from one evaluation, on the recordings that decide when to stop, to the next.
    patience : int or None
        Evaluations without a gain after which training ends; None: never early.
    quantise_epochs : int
        The last so many epochs run with the integers' rounding.
    seed : int
        Of all that is random.
    threads : int or None
        Of the processor; None: all.
    device : "auto", "cpu" or "cuda"
        `auto` takes a GPU if there is one.
    """

    epochs: Count = 20
    batch_size: Count = 32
    segment: Count = 2048
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.003
    schedule: Literal["cosine", "constant"] = "cosine"
    optimiser: Literal["adam"] = "adam"
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    clip: Annotated[float, Field(gt=0)] | None = 1.0
    eval_freq: Count = 1
    patience: Count | None = None
    quantise_epochs: Annotated[int, Field(ge=0)] = 2
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] = 0
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for field in ("eval_freq", "quantise_epochs"):
            if getattr(self, field) > self.epochs:
                raise fault(field, f"{getattr(self, field)} is more than there are epochs; give at most {self.epochs}")
        return self


class Quantisation(Strict):
    """Bits of the network's integers.

    Parameters
    ----------
    weights : int
        4 to 8.
    activations : int
        Of the features and between layers, 8 to 12.
    """

    weights: Annotated[int, Field(ge=4, le=8)] = 8
    activations: Bits = 8


class Output(Strict):
    """What a run leaves.

    Parameters
    ----------
    save_path : str
        Folder, from the working folder; each experiment has one of its own name in it.
    plots : bool
    num_points : int
        Samples that a plot shows.
    tensorboard : bool
    """

    save_path: str = "runs"
    plots: bool = False
    num_points: Count = 1000
    tensorboard: bool = False


class Search(Strict):
    """The values of one field that a sweep tries: a range, or choices.

    Parameters
    ----------
    low, high : int or float or None
        Both among those tried. Whole numbers are searched among whole numbers.
    step : int or float or None
        From `low` to the next.
    log : bool
        Spread evenly over the logarithm.
    choices : list or None
        Values of any kind, whole mappings too.
    """

    low: Number | None = None
    high: Number | None = None
    step: Number | None = None
    log: bool = False
    choices: Annotated[tuple[Any, ...], Field(strict=False, min_length=1)] | None = None

    @property
    def whole(self) -> bool:
        """Whether a range is one of whole numbers."""
        return isinstance(self.low, int)

    @property
    def tried(self) -> tuple[Any, ...]:
        """All choices, or the ends of the range."""
        return (self.low, self.high) if self.choices is None else self.choices

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.choices is not None:
            for field in ("low", "high", "step", "log"):
                if field in self.model_fields_set:
                    raise fault(field, "choices have none; leave it or the choices out")
            return self
        for field in ("low", "high"):
            if getattr(self, field) is None:
                raise fault(field, "is missing; give low and high, or choices")
        assert self.low is not None and self.high is not None
        if not self.low < self.high:
            raise fault("high", f"{self.high} is not above low, {self.low}; give a greater one")
        if len({type(value) for value in (self.low, self.high, self.step) if value is not None}) > 1:
            raise fault("low", "a range of whole and broken numbers; write all with a point, such as 1.0, or none")
        if self.step is not None and (self.log or not 0 < self.step <= self.high - self.low):
            raise fault("step", f"{self.step} is not possible; give one from 0 to high - low, without log")
        if self.log and self.low <= 0:
            raise fault("low", f"{self.low} has no logarithm; give a positive one, or leave log out")
        return self


class Experiment(Strict):
    """One experiment of the golden model.

    Parameters
    ----------
    name : str
        Its key in the file; names its folder, too.
    description : str
        For people; not inherited.
    profile : "spikey" or "full"
        Which chain the network serves.
    data : Data
    window : int
        Samples of the past that features can look at, the current one among them.
    feature_form : "streaming" or "windowed"
        `streaming` filters as samples come, as the hardware does; `windowed` transforms the whole window anew at each
        sample and takes all that the transform gives.
    features : list of Identity, Wavelet, Gaussian, Fourier or Cnn
        Empty with predictor `fixed_input_nn`, which brings its own.
    projector : FcProjector, LstmProjector or NoProjector
    middleout : MiddleOut
    predictor : FcPredictor, LstmPredictor or FixedInputPredictor
    outputs : Outputs
    coder : Coder
        Left out: `range` in profile `full`, else adaptive `rice`.
    loss : "code_length" or "squared_error"
        Bits a sample, or the squared error of the mean, which cannot train profile `full`.
    training : Training
    quantisation : Quantisation
    output : Output
    search : dict of str to Search
        What `spikey sweep` varies, by the field's dotted name: `training.learning_rate`, `features.0.samples`.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*$")
    description: str = ""
    profile: Literal["spikey", "full"] = "spikey"
    data: Data = Data()
    window: Annotated[int, Field(ge=1, le=MAX_WINDOW)] = 195
    feature_form: Literal["streaming", "windowed"] = "streaming"
    features: Annotated[tuple[Feature, ...], Field(strict=False)] = ()
    projector: Projector = FcProjector(kind="fc")
    middleout: MiddleOut = MiddleOut()
    predictor: Predictor = FcPredictor(kind="fc")
    outputs: Outputs = Outputs()
    coder: Coder = Field(
        default_factory=lambda found: Coder(kind="range" if found.get("profile") == "full" else "rice")
    )
    loss: Literal["code_length", "squared_error"] = "code_length"
    training: Training = Training()
    quantisation: Quantisation = Quantisation()
    output: Output = Output()
    search: dict[str, Search] = Field(default_factory=dict)

    @property
    def inputs(self) -> tuple[Feature, ...]:
        """The features that the network sees: those listed, or those of `fixed_input_nn`."""
        if isinstance(self.predictor, FixedInputPredictor):
            return (Identity(kind="identity", samples=self.predictor.samples),)
        return self.features

    @model_validator(mode="after")
    def _agree(self) -> Self:
        self._check_parts()
        self._check_inputs()
        if self.feature_form == "windowed":
            self._check_windowed()
        if self.profile == "full":
            self._check_full()
        else:
            self._check_spikey()
        return self

    def _check_parts(self) -> None:
        if isinstance(self.predictor, FixedInputPredictor):
            if self.features:
                raise fault("features", "predictor 'fixed_input_nn' has its own; leave them out")
            if self.projector.kind != "none":
                raise fault("projector.kind", "predictor 'fixed_input_nn' has none before it; give none")
        elif not self.features:
            raise fault("features", "are missing; give some, such as [{kind: identity, samples: 10}]")
        if self.projector.kind == "none" and self.middleout.form != "none":
            raise fault("middleout.form", f"'{self.middleout.form}' needs a latent; give none, or a projector")

    def _check_inputs(self) -> None:
        own = isinstance(self.predictor, FixedInputPredictor)
        delta = self.data.delta_encoding
        for index, feature in enumerate(self.inputs):
            where = "predictor" if own else f"features.{index}"
            for field, value, most in feature.limits(self.window):
                if value > most:
                    mend = f"give at most {most}, or a longer window" if most else "give a longer window"
                    raise fault(f"{where}.{field}", f"{value} does not fit a window of {self.window} samples; {mend}")
            if delta and feature.kind != "identity":
                raise fault("data.delta_encoding", f"kind '{feature.kind}' cannot have it; give false")
        if not delta and all(x.kind == "identity" and x.samples == 1 and x.source == "signal" for x in self.inputs):
            where = "predictor" if own else "features.0"
            raise fault(
                f"{where}.samples", "1 tells nothing, counted from itself; give 2, or data.delta_encoding: true"
            )

    def _check_windowed(self) -> None:
        if self.projector.kind != "fc":
            raise fault("projector.kind", f"'{self.projector.kind}' cannot take whole windows; give fc")
        if self.data.delta_encoding:
            raise fault("data.delta_encoding", "not possible with feature_form 'windowed'; give false")
        for index, feature in enumerate(self.features):
            where = f"features.{index}"
            if feature.kind == "cnn":
                raise fault(f"{where}.kind", "'cnn' needs feature_form 'streaming'; give that, or another kind")
            if feature.source != "signal":
                raise fault(f"{where}.source", f"'{feature.source}' needs feature_form 'streaming'; give signal")
            for field, usual in (("lags", 1), ("bins", None), ("window", None)):
                if getattr(feature, field, usual) != usual:
                    raise fault(f"{where}.{field}", "feature_form 'windowed' takes all that there is; leave it out")

    def _check_full(self) -> None:
        if self.coder.kind != "range":
            raise fault("coder.kind", f"'{self.coder.kind}' is not possible in profile 'full'; give range")
        if self.loss != "code_length":
            raise fault("loss", f"'{self.loss}' trains the mean only, profile 'full' has more; give code_length")
        if not self.predictor.delta_shift:
            raise fault("predictor.delta_shift", "profile 'full' always adds to its mean; give true")
        if self.data.delta_encoding:
            raise fault("data.delta_encoding", "not possible in profile 'full'; give false")

    def _check_spikey(self) -> None:
        if self.coder.kind == "range":
            raise fault("coder.kind", "'range' is not possible in profile 'spikey'; give rice, or profile: full")
        if self.outputs.shapes > 1:
            raise fault("outputs.shapes", f"{self.outputs.shapes} need profile 'full'; give 1")
        for index, feature in enumerate(self.features):
            if feature.source != "signal":
                raise fault(f"features.{index}.source", f"'{feature.source}' needs profile 'full'; give signal")
