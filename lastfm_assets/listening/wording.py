"""What is recommended, in words: artists, tracks, or whatever a source calls them."""

from typing import Final

_SIBILANTS: Final = ("s", "x", "z", "ch", "sh")
_VOWELS: Final = "aeiou"


def plural(noun: str) -> str:
    """The regular English plural: tracks, playlists, stories, boxes."""
    if noun.endswith(_SIBILANTS):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in _VOWELS:
        return noun[:-1] + "ies"
    return noun + "s"
