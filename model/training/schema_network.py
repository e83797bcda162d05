"""The network of an experiment: projector, MiddleOut, predictor; and the coder behind it."""

from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import Field, model_validator

from model.training.schema_features import Count, Feature, Strict, Width, fault

MAX_PEERS: Final = 4
MAX_SHAPES: Final = 8

Widths = Annotated[tuple[Width, ...], Field(strict=False)]
Activation = Literal["relu"]


class FcProjector(Strict):
    """Fully connected layers from features to the latent.

    Parameters
    ----------
    hidden : list of int
        Widths of the layers before the last.
    latent : int
        Width of the last.
    activation : "relu"
        Behind each hidden layer.
    """

    kind: Literal["fc"]
    hidden: Widths = (20, 6)
    latent: Width = 6
    activation: Activation = "relu"


class LstmProjector(Strict):
    """Long short-term memory, then a linear layer to the latent.

    Parameters
    ----------
    hidden : int
        Width of each memory layer.
    layers : int
        Memory layers, 1 to 4.
    latent : int
    """

    kind: Literal["lstm"]
    hidden: Width = 16
    layers: Annotated[int, Field(ge=1, le=4)] = 1
    latent: Width = 6


class NoProjector(Strict):
    """The features go to the predictor as they are; there is no latent, and so no MiddleOut."""

    kind: Literal["none"]


Projector = Annotated[FcProjector | LstmProjector | NoProjector, Field(discriminator="kind")]


class MiddleOut(Strict):
    """What a channel learns from the latents of its partners.

    Parameters
    ----------
    form : "none", "mean" or "residual"
        `mean` takes the mean of the regions' latents in place of the own one; `residual` weighs each by the
        correlation and subtracts the mean from the own one.
    peers : int
        Partners, the most correlated channels: 1 to 4, or 0 with form `none`.
    gradient_scale : float
        Factor on gradients that flow into partners, 0 to 1.
    """

    form: Literal["none", "mean", "residual"] = "none"
    peers: Annotated[int, Field(ge=0, le=MAX_PEERS)] = 0
    gradient_scale: Annotated[float, Field(ge=0, le=1)] = 0.25

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.form == "none" and self.peers:
            raise fault("peers", f"{self.peers}, but form 'none' has none; give 0, or form: mean or residual")
        if self.form != "none" and not self.peers:
            raise fault("peers", f"0, but form '{self.form}' needs some; give 1 to {MAX_PEERS}, or form: none")
        return self


class _Predictor(Strict):
    delta_shift: bool = True
    skip: bool = True


class _Layers(_Predictor):
    hidden: Widths
    activation: Activation = "relu"


class FcPredictor(_Layers):
    """Fully connected layers from the latent to the outputs.

    Parameters
    ----------
    hidden : list of int
        Widths of the layers before the outputs.
    activation : "relu"
        Behind each hidden layer.
    delta_shift : bool
        The first output is added to the last sample (profile `full`: to the adaptive predictor's mean).
    skip : bool
        A linear path from the features to the outputs besides.
    """

    kind: Literal["fc"]
    hidden: Widths = (3,)


class LstmPredictor(_Predictor):
    """Long short-term memory from the latent to the outputs.

    Parameters
    ----------
    hidden : int
        Width of each memory layer.
    layers : int
        Memory layers, 1 to 4.
    delta_shift, skip : as of `FcPredictor`
    """

    kind: Literal["lstm"]
    hidden: Width = 128
    layers: Annotated[int, Field(ge=1, le=4)] = 2


class FixedInputPredictor(_Layers):
    """The last samples, then fully connected layers: identity features and `fc` under one name.

    Parameters
    ----------
    samples : int
        Of the identity features, see `Experiment.inputs`.
    hidden : list of int
    activation, delta_shift, skip : as of `FcPredictor`
    """

    kind: Literal["fixed_input_nn"]
    hidden: Widths = (128,)
    samples: Count = 10


Predictor = Annotated[FcPredictor | LstmPredictor | FixedInputPredictor, Field(discriminator="kind")]


def _kinds(union: Any) -> tuple[str, ...]:
    members = get_args(get_args(union)[0])
    return tuple(get_args(member.model_fields["kind"].annotation)[0] for member in members)


KINDS: Final = {"features": _kinds(Feature), "projector": _kinds(Projector), "predictor": _kinds(Predictor)}


class Coder(Strict):
    """How prediction errors become bytes.

    Parameters
    ----------
    kind : str
        Profile `full`: `range`. Profile `spikey`: `rice`; `huffman`, by the errors' own frequencies; `binomial`, a
        Huffman code by a normal distribution as wide as the errors; `arithmetic`, of fixed frequencies; `bzip2`;
        `identity`.
    k : int or None
        Of `rice`: the fixed number of lower bits, 0 to 14; None lets it adapt.
    """

    kind: Literal["rice", "huffman", "binomial", "arithmetic", "bzip2", "identity", "range"]
    k: Annotated[int, Field(ge=0, le=14)] | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.k is not None and self.kind != "rice":
            raise fault("k", f"only kind 'rice' has one, this is '{self.kind}'; leave it out")
        return self


class Outputs(Strict):
    """What the network gives besides the mean.

    Parameters
    ----------
    shapes : int
        Distributions that it chooses from, 1 to 8; more than one in profile `full` only.
    """

    shapes: Annotated[int, Field(ge=1, le=MAX_SHAPES)] = 1
