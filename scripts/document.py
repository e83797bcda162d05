"""Tables for the terminal and for a page of docs: the same figures in both, never typed."""

import re
from collections.abc import Sequence
from pathlib import Path

from model.cli import console


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], page: Path | None = None) -> None:
    """Print a table; with `page`, a Markdown file, also write it there, between the marks that name it.

    The marks are lines `<!-- table: NAME -->` and `<!-- end -->`; NAME is the title up to a colon.

    Raises
    ------
    ValueError
        If the page has no such marks, or more than one pair.
    """
    console.table(title, columns, rows)
    if page is None:
        return
    name = title.partition(":")[0]
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    table = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
    pattern = rf"(<!-- table: {re.escape(name)} -->\n).*?(<!-- end -->)"
    text, found = re.subn(
        pattern, lambda marks: f"{marks[1]}\n{table}\n\n{marks[2]}", page.read_text(), flags=re.DOTALL
    )
    if found != 1:
        raise ValueError(f"{page}: {found} places for table '{name}'; give it one, from a mark to <!-- end -->")
    page.write_text(text)
