"""Names of files inside a container: relative POSIX paths that stay inside the folder they are restored to."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from model.formats.errors import FormatError


def check(path: Path, names: Iterable[str]) -> None:
    """Refuse names of the container `path` that would leave the output folder or meet each other.

    Raises
    ------
    FormatError
        Naming the first name that is absolute, has '..', a drive letter, a backslash or a NUL, is there twice, or is
        also the folder of another one.
    """
    seen: set[str] = set()
    folders: set[str] = set()
    for name in names:
        pure = PurePosixPath(name)
        if name == "" or pure.is_absolute() or ".." in pure.parts or str(pure) != name or name == ".":
            raise FormatError(f"{path}: name {name!r}: not a plain relative path; rename the file and compress again")
        if any(c in name for c in "\\:\0"):
            raise FormatError(
                f"{path}: name {name!r}: has a backslash, colon or NUL; rename the file and compress again"
            )
        if name in seen:
            raise FormatError(f"{path}: name {name!r}: there twice; rename one file and compress again")
        seen.add(name)
        folders.update(str(p) for p in pure.parents)
    both = seen & folders
    if both:
        raise FormatError(f"{path}: name {min(both)!r}: a file and a folder at once; rename one and compress again")
