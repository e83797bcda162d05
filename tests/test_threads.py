"""Threads are shared out by size, never more than there are, in turn."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from model.formats.threads import Budget, shares


@pytest.mark.parametrize(
    ("samples", "jobs", "expected"),
    [
        ([100], 8, [8]),
        ([100, 100], 8, [4, 4]),
        ([100] * 50, 8, [1] * 50),
        ([1000, 1, 1, 1], 8, [8, 1, 1, 1]),
        ([1000, 1, 1, 1], 1, [1, 1, 1, 1]),
        ([0], 4, [1]),
        ([], 4, []),
    ],
)
def test_shares(samples: list[int], jobs: int, expected: list[int]) -> None:
    assert shares(samples, jobs) == expected


def test_no_more_threads_run_than_there_are() -> None:
    budget, lock = Budget(4), threading.Lock()
    running = most = 0

    def work(threads: int) -> None:
        nonlocal running, most
        with budget.take(threads):
            with lock:
                running += threads
                most = max(most, running)
            time.sleep(0.002)
            with lock:
                running -= threads

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, [1, 4, 2, 3, 1, 1, 4, 2] * 8))
    assert (running, most) == (0, 4)


def test_a_task_that_fails_gives_its_threads_back() -> None:
    budget = Budget(2)
    with pytest.raises(ZeroDivisionError), budget.take(2):
        raise ZeroDivisionError
    with budget.take(2):
        pass


def test_a_large_task_is_not_overtaken_for_ever() -> None:
    """Small tasks that come after a large one wait behind it."""
    budget, done = Budget(2), []
    release = threading.Event()

    def hold() -> None:
        with budget.take(1):
            release.wait()

    def note(name: str, threads: int) -> None:
        with budget.take(threads):
            done.append(name)

    with ThreadPoolExecutor(3) as pool:
        pool.submit(hold)
        time.sleep(0.05)
        pool.submit(note, "large", 2)
        time.sleep(0.05)
        pool.submit(note, "small", 1)
        time.sleep(0.05)
        assert done == []
        release.set()
    assert done == ["large", "small"]
