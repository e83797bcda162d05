"""Threads shared out among streams: many small ones side by side, a large one on several."""

import contextlib
import threading
from collections.abc import Iterator, Sequence


def shares(samples: Sequence[int], jobs: int) -> list[int]:
    """Threads for each stream, of `jobs` in all: as much of them as of all samples, so that all end together."""
    whole = max(1, sum(samples))
    return [max(1, round(jobs * size / whole)) for size in samples]


class Budget:
    """Lets tasks run, in the order in which they come, as long as the threads that they need are free.

    Parameters
    ----------
    threads : int
    """

    def __init__(self, threads: int) -> None:
        self._free = threads
        self._turn = threading.Lock()  # a task that needs many threads waits for them, and others wait behind it
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def take(self, threads: int) -> Iterator[None]:
        """Wait until so many threads are free, and hold them while the block runs."""
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._free >= threads)
            self._free -= threads
        try:
            yield
        finally:
            with self._changed:
                self._free += threads
                self._changed.notify()
