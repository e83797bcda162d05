"""Number formats as Amaranth shapes, and connections that refuse two formats that differ."""

from typing import Any

from amaranth.hdl import Const, Module, Shape, ShapeCastable, Value
from amaranth.lib import wiring

from model.spec.numbers import Format


class Number(ShapeCastable):
    """The shape of a fixed-point signal. Its values are plain `Value`s of the format's width and sign.

    Parameters
    ----------
    form : Format
    """

    def __init__(self, form: Format) -> None:
        self.form = form

    def as_shape(self) -> Shape:
        """Width and sign."""
        return Shape(self.form.width, self.form.signed)

    def __call__(self, value: Any) -> Any:
        """View raw bits as a number."""
        cast = Value.cast(value)
        if cast.shape() == self.as_shape():
            return cast
        return cast.as_signed() if self.form.signed else cast.as_unsigned()

    def const(self, init: Any) -> Any:
        """Constant of this format, given as its integer; out of range is an error."""
        value = 0 if init is None else int(init)
        if not self.form.minimum <= value <= self.form.maximum:
            raise ValueError(f"{value} does not fit format {self.form}")
        return Const(value, self.as_shape())

    def from_bits(self, raw: int) -> int:
        """The integer that raw bits stand for."""
        return raw - (1 << self.form.width) if self.form.signed and raw >> (self.form.width - 1) else raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and self.form == other.form

    def __hash__(self) -> int:
        return hash(self.form)

    def __repr__(self) -> str:
        return f"Number({self.form})"


def connect(m: Module, source: Any, sink: Any) -> None:
    """Connect two streams, whose payloads agree in every field's format.

    Raises
    ------
    TypeError
        If the payloads' layouts differ; Amaranth itself would compare their widths only.
    """
    ours, theirs = (interface.signature.members["payload"].shape for interface in (source, sink))
    if ours != theirs:
        raise TypeError(f"streams of different formats: {ours!r} into {theirs!r}")
    wiring.connect(m, source, sink)
