"""What can go wrong, told in one line that a user can act on."""

from typing import ClassVar


class LastfmAssetsError(Exception):
    """Root of every error that this package raises on purpose.

    The message is one line: what was found, what was expected, what to do.
    """

    exit_code: ClassVar[int] = 2


class BadInputError(LastfmAssetsError):
    """A file, an option or a setting cannot be used; a rerun would read the same."""


class SourceUnavailableError(LastfmAssetsError):
    """The source could not be reached (network); a later rerun may help."""


class StoreError(LastfmAssetsError):
    """A stored table is missing or unreadable."""


class GateRefusedError(LastfmAssetsError):
    """A quality threshold was not reached; what is published stays as it is."""

    exit_code: ClassVar[int] = 1
