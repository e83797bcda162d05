"""Notice of compilation, for who would wonder why the first run takes longer."""

from collections.abc import Callable
from typing import Any

from numba.core import event


class _Notice(event.Listener):
    def __init__(self, say: Callable[[], None]) -> None:
        self._say = say
        self._said = False

    def on_start(self, event: Any) -> None:
        if not self._said:
            self._said = True
            self._say()

    def on_end(self, event: Any) -> None:
        pass


def before_compiling(say: Callable[[], None]) -> None:
    """Have `say` called once, before this process first compiles a function that it does not find in the cache."""
    event.register("numba:compile", _Notice(say))
