"""What is recommended, in words."""

import pytest

from lastfm_assets.insight.nouns import Noun


@pytest.mark.parametrize(
    ("one", "many", "with_article", "capital"),
    [
        ("artist", "artists", "an artist", "Artist"),
        ("track", "tracks", "a track", "Track"),
        ("story", "stories", "a story", "Story"),
        ("box", "boxes", "a box", "Box"),
        ("EP", "EPs", "an EP", "EP"),
        ("podcast episode", "podcast episodes", "a podcast episode", "Podcast episode"),
    ],
)
def test_stand_in_the_plural_behind_an_article_and_first_in_a_sentence(
    one: str, many: str, with_article: str, capital: str
) -> None:
    noun = Noun(one)
    assert (noun.many, noun.with_article, noun.capital) == (many, with_article, capital)
