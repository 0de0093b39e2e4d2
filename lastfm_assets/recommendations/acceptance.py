"""An operator's word that one change, too large to be published unasked, is right."""

from dataclasses import dataclass
from typing import Final, Self

DIGITS: Final = 8
"""Hex digits of the mark that names a change."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One change that an operator has found to be right."""

    mark: str
    reason: str

    @classmethod
    def parsed(cls, text: str) -> Self:
        """From what LASTFM_ACCEPT_DRIFT says: the mark of the change, a blank, the reason.

        Raises:
            ValueError: it says something else.
        """
        mark, _, reason = text.strip().partition(" ")
        if len(mark) != DIGITS or set(mark) - set("0123456789abcdef") or not reason.strip():
            raise ValueError(
                "expected the mark of the change, as the refusal gives it, and a reason, such as "
                "'3f9a21bc the free tier has ended'"
            )
        return cls(mark, reason.strip())
