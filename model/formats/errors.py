"""What a file can get wrong, in one line that names the file, the field and the mend."""

from model.formats.report import Report


class FormatError(ValueError):
    """A file that cannot be read or written; the message names the file, the field and the mend."""


class DamagedError(FormatError):
    """A container whose originals cannot all be restored; `report` says what is missing."""

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report
