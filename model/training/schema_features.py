"""Feature extractors of an experiment, and what every class of its schema has in common.

Lengths are in samples.
"""

from abc import abstractmethod
from typing import Annotated, Any, Final, Literal, Self

import pywt
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from model.spec.config import nearest
from model.spec.wavelet import MAX_LAG

MAX_WINDOW: Final = MAX_LAG + 1
GAUSSIAN_SUPPORT: Final = 10  # samples that a complex Gaussian of scale 1 spans

Count = Annotated[int, Field(ge=1, le=1 << 20)]
Width = Annotated[int, Field(ge=1, le=4096)]
Source = Literal["signal", "residual", "magnitude"]


def fault(field: str, problem: str) -> PydanticCustomError:
    """An error of the schema: the field by its dotted name, then what is wrong and the mend."""
    return PydanticCustomError("fault", "{field}: {problem}", {"field": field, "problem": problem})


class Strict(BaseModel):
    """Every class of the schema: frozen, nothing converted, an unknown key is refused with the nearest known one."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, found: Any) -> Any:
        for key in found if isinstance(found, dict) else ():
            if key not in cls.model_fields:
                raise fault(str(key), f"not a field; {nearest(str(key), cls.model_fields)}")
        return found


class _Feature(Strict):
    source: Source = "signal"

    @abstractmethod
    def limits(self, window: int) -> list[tuple[str, int, int]]:
        """Fields that a window of past samples bounds: `(field, value, greatest)`."""


class Identity(_Feature):
    """The last samples as they are.

    Parameters
    ----------
    samples : int
        How many, the current one among them.
    source : "signal", "residual" or "magnitude"
        What is looked at; the latter two are the predictor's, in profile `full` only.
    """

    kind: Literal["identity"]
    samples: Count

    def limits(self, window: int) -> list[tuple[str, int, int]]:
        """At most the window."""
        return [("samples", self.samples, window)]


class Wavelet(_Feature):
    """Bands of a discrete wavelet.

    Parameters
    ----------
    wavelet : str
        dmey, haar, or of a family db, sym, coif, bior, rbio: db1, sym2, coif1, bior1.3, ...
    levels : int or None
        Depth of the decomposition; None: as deep as the window allows, `depth`.
    lags : int
        Streaming: values of each band that are features, apart by the band's own step.
    source : as of `Identity`
    """

    kind: Literal["wavelet"]
    wavelet: str
    levels: Count | None = None
    lags: Annotated[int, Field(ge=1, le=64)] = 1

    @model_validator(mode="after")
    def _exists(self) -> Self:
        known = pywt.wavelist(kind="discrete")
        if self.wavelet not in known:
            raise fault("wavelet", f"'{self.wavelet}' is not known; {nearest(self.wavelet, known)}")
        return self

    def depth(self, window: int) -> int:
        """Levels of the decomposition of a window."""
        deepest: int = pywt.dwt_max_level(window, pywt.Wavelet(self.wavelet).dec_len)
        return deepest if self.levels is None else self.levels

    def limits(self, window: int) -> list[tuple[str, int, int]]:
        """One level at least, and each as long as its filter at least."""
        deepest = self.model_copy(update={"levels": None}).depth(window)
        farthest = max(self.levels or deepest, 1) - 1
        return [("levels", self.levels or 1, deepest), ("lags", self.lags, ((window - 1) >> farthest) + 1)]


class Gaussian(_Feature):
    """Derivatives of a complex Gaussian, real and imaginary parts. `{kind: wavelet, wavelet: cgau1}` is one too.

    Parameters
    ----------
    wavelet : str
        cgau1 to cgau8.
    scales : list of int
        Widths in samples, rising; each spans ten times as much.
    source : as of `Identity`
    """

    kind: Literal["gaussian"]
    wavelet: Literal["cgau1", "cgau2", "cgau3", "cgau4", "cgau5", "cgau6", "cgau7", "cgau8"] = "cgau1"
    scales: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)] = (1, 2, 4, 8)

    @model_validator(mode="after")
    def _rise(self) -> Self:
        if list(self.scales) != sorted(set(self.scales)):
            raise fault("scales", f"{list(self.scales)} do not rise; give {sorted(set(self.scales))}")
        return self

    def limits(self, window: int) -> list[tuple[str, int, int]]:
        """The widest lies within the window."""
        return [("scales", max(self.scales), (window - 1) // GAUSSIAN_SUPPORT)]


class Fourier(_Feature):
    """Real and imaginary parts of a Fourier transform of the last samples.

    Parameters
    ----------
    bins : int or None
        The lowest frequencies above zero; None: all there are.
    window : int or None
        Samples of the transform; None: the experiment's window.
    source : as of `Identity`
    """

    kind: Literal["fourier"]
    bins: Count | None = None
    window: Annotated[int, Field(ge=4, le=MAX_WINDOW)] | None = None

    def limits(self, window: int) -> list[tuple[str, int, int]]:
        """The transform lies within the window, the frequencies within the transform."""
        own = self.window or window
        return [("window", own, window), ("bins", self.bins or 1, (own - 1) // 2)]


class Cnn(_Feature):
    """Filters that are learned with the network.

    Parameters
    ----------
    filters : int
    taps : int
        Of each filter.
    dilation : int
        Samples from one tap to the next.
    source : as of `Identity`
    """

    kind: Literal["cnn"]
    filters: Width = 8
    taps: Width = 16
    dilation: Width = 1

    def limits(self, window: int) -> list[tuple[str, int, int]]:
        """A filter lies within the window."""
        return [("taps", self.taps, (window - 1) // self.dilation + 1)]


Feature = Annotated[Identity | Wavelet | Gaussian | Fourier | Cnn, Field(discriminator="kind")]
