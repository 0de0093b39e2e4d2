"""What is recommended, in the words of the page: artists, tracks, or whatever a source calls it."""

from dataclasses import dataclass
from typing import Final

from lastfm_assets.listening.about import ARTIST
from lastfm_assets.listening.wording import plural

_VOWELS: Final = ("a", "e", "i", "o", "u")


@dataclass(frozen=True, slots=True)
class Noun:
    """One kind of thing that is recommended; any text, so to be escaped like all others."""

    one: str = ARTIST
    """In the singular."""

    @property
    def many(self) -> str:
        """The regular English plural."""
        return plural(self.one)

    @property
    def with_article(self) -> str:
        """An artist, a track: by the letter it begins with, so an hour is out of reach."""
        return f"{'an' if self.one.lower().startswith(_VOWELS) else 'a'} {self.one}"

    @property
    def capital(self) -> str:
        """As a sentence begins; only the first letter changes."""
        return f"{self.one[:1].upper()}{self.one[1:]}"


ARTISTS: Final = Noun()
