"""Artists by what they are called: whom a tag counts, and against whom it is held."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tag_world import Given, assignments, plays

from lastfm_assets.music import charts
from lastfm_assets.music.tag_popularity import (
    TAG_POPULARITY,
    in_words,
    tag_popularity,
    tagged_and_untagged,
)

LISTENERS = {1: 1, 2: 2, 3: 3, 4: 10, 5: 20, 6: 7}
"""By artist; each listener of artist a plays it 10 a times, but the first, who plays it once more
for each listener."""
PLAYS = plays(
    (user, artist, 10 * artist + (count if user == 1 else 0))
    for artist, count in LISTENERS.items()
    for user in range(1, count + 1)
)


def tagged(**artists: list[int]) -> pd.DataFrame:
    """Each tag given by user 1 to each of its artists, the tag's underscores being spaces."""
    rows: list[Given] = [
        (1, artist, tag.replace("_", " "), "2009-01-01")
        for tag, ids in artists.items()
        for artist in ids
    ]
    return assignments(rows)


class TestATag:
    def test_has_the_medians_over_the_artists_that_carry_it(self) -> None:
        table = tag_popularity(tagged(rock=[3, 4, 5], pop=[1, 2]), PLAYS, seed=0, min_artists=2)
        assert tuple(table.columns) == TAG_POPULARITY
        shown = table.set_index("tag")
        assert shown["artists"].to_dict() == {"rock": 3, "pop": 2}
        assert shown["listeners"].to_dict() == {"rock": 10, "pop": 1.5}
        # 10 a + 1: the first listener's surplus is one play a listener
        assert shown["plays_per_listener"].to_dict() == {"rock": 41, "pop": 16}

    def test_is_held_against_all_tagged_artists_and_not_against_untagged_ones(self) -> None:
        """Of 1, 2, 3, 10 and 20 listeners the median is 3; artist 6 has 7 and no tag."""
        table = tag_popularity(tagged(rock=[3, 4, 5], pop=[1, 2]), PLAYS, seed=0, min_artists=2)
        lift = table.set_index("tag")["lift"]
        assert lift.to_dict() == pytest.approx({"rock": 10 / 3, "pop": 0.5})

    def test_counts_an_artist_once_however_many_users_say_it(self) -> None:
        once = tagged(rock=[1, 2, 5])
        often = pd.concat([once, once.assign(user_id=2).tail(1), once.assign(user_id=3).tail(1)])
        found = [tag_popularity(table, PLAYS, seed=0, min_artists=1) for table in (once, often)]
        pd.testing.assert_frame_equal(*found)

    def test_is_one_in_all_its_spellings(self) -> None:
        table = tag_popularity(tagged(hip_hop=[1, 2], HipHop=[4]), PLAYS, seed=0, min_artists=3)
        assert table[["tag", "artists"]].to_numpy().tolist() == [["hip hop", 3]]

    def test_counts_no_artist_whom_nobody_plays(self) -> None:
        table = tag_popularity(tagged(rock=[3, 4, 99]), PLAYS, seed=0, min_artists=1)
        assert table[["artists", "listeners"]].to_numpy().tolist() == [[2, 6.5]]

    def test_of_few_artists_is_left_out(self) -> None:
        table = tag_popularity(tagged(rock=[3, 4, 5], pop=[1, 2]), PLAYS, seed=0, min_artists=3)
        assert table["tag"].tolist() == ["rock"]

    def test_that_is_used_less_than_others_is_left_out(self) -> None:
        given = tagged(rock=[3, 4, 5], pop=[1, 2])
        table = tag_popularity(given, PLAYS, seed=0, min_artists=1, tags=1)
        assert table["tag"].tolist() == ["rock"]

    def test_has_an_interval_around_its_median_that_a_seed_repeats(self) -> None:
        artists = list(range(1, 202))
        rng = np.random.default_rng(1)
        heard = plays((user, artist, rng.integers(1, 500)) for artist in artists for user in (1, 2))
        one, same, other = (
            tag_popularity(tagged(rock=artists), heard, seed=seed) for seed in (3, 3, 4)
        )
        pd.testing.assert_frame_equal(one, same)
        assert not one.equals(other)
        low, value, high = (one[f"plays_per_listener{end}"].item() for end in ("_low", "", "_high"))
        assert low < value < high

    def test_has_an_interval_that_no_other_tag_changes(self) -> None:
        alone = tag_popularity(tagged(rock=[1, 2, 3, 4, 5]), PLAYS, seed=3, min_artists=1)
        both = tag_popularity(
            tagged(pop=[1, 2], rock=[1, 2, 3, 4, 5]), PLAYS, seed=3, min_artists=1
        )
        columns = [name for name in TAG_POPULARITY if name != "lift"]
        rock = both[both["tag"] == "rock"].reset_index(drop=True)
        pd.testing.assert_frame_equal(rock[columns], alone[columns])


def test_tagged_artists_stand_beside_untagged_ones() -> None:
    assert tagged_and_untagged(tagged(rock=[3, 4, 5]), PLAYS) == (10, 2)
    everyone, nobody = tagged_and_untagged(tagged(rock=list(LISTENERS)), PLAYS)
    assert everyone == 5
    assert np.isnan(nobody)


def test_without_tags_the_table_is_empty_and_typed() -> None:
    some = tag_popularity(tagged(rock=[3, 4]), PLAYS, seed=0, min_artists=1)
    for given in (tagged(), tagged(rock=[3])):
        none = tag_popularity(given, PLAYS, seed=0, min_artists=2)
        assert none.empty
        assert none.dtypes.to_dict() == some.dtypes.to_dict()
        assert in_words(none) == "no tag is carried by enough artists"


def test_words_name_the_best_known_and_the_most_played() -> None:
    given = tagged(rock=[5], pop=[6], folk=[1])
    said = in_words(tag_popularity(given, PLAYS, seed=0, min_artists=1))
    assert said.startswith(
        "the best known artists are those called “rock” (20 listeners, 20 to 20), “pop” (7"
    )
    assert "the most played by each of their listeners “pop” (61 plays, 61 to 61), “rock”" in said


@pytest.mark.parametrize("ids", [[1, 2, 3, 4, 5, 6], [3], []])
def test_the_picture_is_drawn_of_any_number_of_tags(ids: list[int]) -> None:
    given = tagged(**{"$a_b$": ids, "\u6d4b": ids[:1]})
    table = tag_popularity(given, PLAYS, seed=0, min_artists=1)
    drawn = charts.popularity(table, tagged_and_untagged(given, PLAYS)[1])
    assert len(drawn) < 100_000
    assert Image.open(io.BytesIO(drawn)).width > 400
