"""What the commands say: progress and notices on stderr, tables on stdout."""

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator, Sequence

import click

COMPILING = "spikey: compiling what this needs of the codec for this machine, once: some seconds"
_WIDE = 1000  # columns: what is not read on a terminal is never folded


@contextlib.contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None] | None]:
    """A bar on stderr while the block runs, if stderr is a terminal; gives what is to be called with every advance."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda amount: bar.advance(task, amount)


@contextlib.contextmanager
def counter(label: str) -> Iterator[Callable[[int, int, str], None] | None]:
    """As `progress`, but what it gives takes how much is done of how much, and a note to show beside."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None, note="reading recordings")
        yield lambda done, total, note: bar.update(task, completed=done, total=total, note=note)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, total: bool = False) -> None:
    """Print a table: the first column is text, the others are figures; `total` sets the last row apart."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    found = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        found.add_column(column, justify="right" if number else "left", overflow="fold", no_wrap=number > 0)
    for number, row in enumerate(rows):
        found.add_row(*(Text(str(cell)) for cell in row), end_section=total and number == len(rows) - 2)
    Console(width=None if sys.stdout.isatty() else _WIDE).print(found)


@functools.cache  # one listener, however many commands a process runs
def say_first_compilation() -> None:
    """From now on, say before the codec is first compiled on this machine that it takes a while.

    What was compiled is kept and not compiled again; whatever a later command needs besides is said there.

    Raises
    ------
    click.ClickException
        If the folder where it is kept cannot be made.
    """
    from model.codec.compilation import before_compiling
    from model.codec.compiled import CACHE_FOLDER

    try:
        CACHE_FOLDER.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(
            f"{CACHE_FOLDER}: cannot keep compiled code there: {error.strerror}; "
            "set NUMBA_CACHE_DIR to a folder that can be written"
        ) from None

    before_compiling(lambda: click.echo(COMPILING, err=True))
