"""Names and ids that are made from numbers: none twice, and all fit to be read back."""

import hashlib

import numpy as np
import pyarrow.compute as pc

from lastfm_assets.sources.generated_names import artist_mbids, artist_names, user_sha1s, words_of
from lastfm_assets.sources.sample_words import SCENES


def test_no_two_artists_share_a_name() -> None:
    spread = np.concatenate(
        [
            np.arange(300_000),
            np.arange(3_400_000, 3_600_000),  # short words end in between, long ones begin
            np.arange(99_900_000, 100_000_000),
        ]
    )
    assert len(pc.unique(artist_names(spread))) == len(spread)


def test_no_word_can_be_made_in_two_ways() -> None:
    words = [word for scene in SCENES for word in words_of(scene)]
    assert len(words) == 7 * 2016
    assert len(set(words)) == len(words)


def test_a_name_does_not_depend_on_what_else_is_asked_for() -> None:
    numbers = np.random.default_rng(0).integers(0, 5_000_000, 500)
    alone = [artist_names(np.array([number]))[0].as_py() for number in numbers]
    assert artist_names(numbers).to_pylist() == alone


def test_names_are_of_many_kinds_and_none_would_break_a_line() -> None:
    names = artist_names(np.arange(20_000)).to_pylist()
    text = "\n".join(names)
    assert all(name and name == name.strip() and name.isprintable() for name in names)
    assert max(map(len, names)) <= 40
    assert 0.2 < sum(name.isalpha() for name in names) / len(names) < 0.3
    assert 100 < sum(name.count('"') == 1 for name in names) < 250
    assert sum("\u3040" < name[0] < "\u30a0" for name in names) == 40
    assert all(text.count(part) > 1000 for part in ("The ", " & the ", " vs. ", ", "))


def test_ids_have_musicbrainz_shape_and_are_all_different() -> None:
    ids = artist_mbids(np.arange(50_000))
    assert pc.all(pc.match_substring_regex(ids, r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"))
    assert len(pc.unique(ids)) == len(ids)
    # SplitMix64 of 0 from state 0, as its authors' reference code gives it
    assert ids[0].as_py().replace("-", "")[:16] == "e220a8397b1dcdaf"


def test_listeners_are_named_by_the_sha1_of_their_number() -> None:
    assert user_sha1s([7]).to_pylist() == [hashlib.sha1(b"7", usedforsecurity=False).hexdigest()]
