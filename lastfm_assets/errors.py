"""What can go wrong, told in one line that a user can act on."""

import sys
from typing import ClassVar, Final


class LastfmAssetsError(Exception):
    """Root of every error that this package raises on purpose.

    The message is one line: what was found, what was expected, what to do.
    """

    exit_code: ClassVar[int] = 2


class BadInputError(LastfmAssetsError):
    """A file, an option or a setting cannot be used; a rerun would read the same."""


class UnavailableError(LastfmAssetsError):
    """A server could not be reached or gave up; the same may work a little later."""


class SourceUnavailableError(UnavailableError):
    """The listening data could not be reached (network)."""


class DatabaseUnavailableError(UnavailableError):
    """A serving database could not be reached, or went away in the middle."""


class EngineUnavailableError(UnavailableError):
    """An engine is not installed, its cluster could not be reached, or it gave up."""


class StoreHeldError(UnavailableError):
    """Another process writes to the store; it is free once that has ended."""


class StoreError(LastfmAssetsError):
    """A stored table is missing or unreadable."""


class GateRefusedError(LastfmAssetsError):
    """A quality threshold was not reached; what is published stays as it is."""

    exit_code: ClassVar[int] = 1


_OF_DRIVERS: Final = {
    "botocore.exceptions": "BotoCoreError",
    "aiohttp": "ClientError",
}
"""Modules of object stores' drivers, which are extras, and what each raises beside OSError."""


def store_failures() -> tuple[type[BaseException], ...]:
    """What may be raised where a store is read or written, to be caught."""
    loaded = [(sys.modules.get(module), name) for module, name in _OF_DRIVERS.items()]
    return (OSError, *(getattr(module, name) for module, name in loaded if module is not None))


def may_be_read_later(problem: StoreError) -> bool:
    """Whether a disk or a server did not give a value, which may be as good as ever."""
    return isinstance(problem.__cause__, store_failures())
