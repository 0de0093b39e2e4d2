"""What the search box is told, unpacked again and held against the tables."""

import gzip
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from report_world import large_world, similar_of, world

from lastfm_assets.insight.inputs import ReportInputs
from lastfm_assets.insight.lookup import KEPT, Lookup, lookup


def packed(inputs: ReportInputs, budget: int = 10**7) -> Lookup | None:
    return lookup(
        interactions=inputs.interactions,
        artists=inputs.artists,
        tag_assignments=inputs.tag_assignments,
        lists=inputs.lists,
        similar=inputs.similar_artists,
        budget=budget,
    )


def unpacked(inputs: ReportInputs) -> dict[str, Any]:
    found = packed(inputs)
    assert found is not None
    return dict(json.loads(gzip.decompress(found.content)))


def grouped(owners: list[int], sizes: list[int], *columns: list[Any]) -> list[tuple[Any, ...]]:
    """Rows (owner, column, ...) of columns that are grouped by owner."""
    owner = np.repeat(owners, sizes).tolist()
    return list(zip(owner, *columns, strict=True))


def ids(data: dict[str, Any], of: str, places: list[int] | None = None) -> list[int]:
    every = np.cumsum(data[of])
    return list(every.tolist() if places is None else every[places].tolist())


class TestPlays:
    def test_come_back_most_played_first_and_equal_ones_by_id(self) -> None:
        data = unpacked(world())
        artists = ids(data, "artists", data["played"])
        assert grouped(ids(data, "users"), data["playing"], artists, data["times"]) == [
            (1, 20, 100),
            (1, 10, 5),
            (1, 30, 5),
            (2, 10, 7),
            (2, 40, 1),
            (3, 10, 1000),
        ]
        assert data["playingInAll"] == data["playing"] == [3, 2, 1]

    def test_are_counted_for_each_artist(self) -> None:
        data = unpacked(world())
        assert data["listeners"] == [3, 1, 1, 1, 0]
        assert data["plays"] == [1012, 100, 5, 1, 0]

    def test_of_a_whole_large_world_come_back(self) -> None:
        inputs = large_world()
        data = unpacked(inputs)
        artists = ids(data, "artists", data["played"])
        rows = grouped(ids(data, "users"), data["playing"], artists, data["times"])
        expected = inputs.interactions.itertuples(index=False, name=None)
        assert sorted(rows) == sorted(expected)


class TestLists:
    def test_come_back_with_scores_in_thousandths(self) -> None:
        data = unpacked(world())
        artists = ids(data, "artists", data["listed"])
        assert grouped(ids(data, "users"), data["listing"], artists, data["scores"]) == [
            (1, 40, 1000),
            (1, 50, 0),
            (2, 20, 1000),
            (3, 40, 457),
        ]

    def test_reasons_are_places_among_what_the_user_plays(self) -> None:
        data = unpacked(world())
        # 40 for 20, the first, and 10, the second; 50 for nothing; 20 for 10; one as text
        assert data["reasons"] == [2, 0, 1, 0, 1, 0, -1, 0]
        assert data["texts"] == ["Somebody else"]

    def test_a_reason_with_a_semicolon_stays_text(self) -> None:
        data = unpacked(world(names=("A; B", "C", "D", "E", "F")))
        assert data["texts"] == ["C; A; B", "A; B", "Somebody else"]

    def test_of_two_artists_of_one_name_the_more_played_is_the_reason(self) -> None:
        data = unpacked(world(names=("Twin", "Other", "Twin", "E", "F")))
        assert data["reasons"][:3] == [2, 0, 1]


class TestTags:
    def test_are_the_five_given_most_often(self) -> None:
        inputs = world()
        given = [("a", 1), ("b", 2), ("c", 3), ("d", 2), ("e", 2), ("f", 1)]
        tags = [name for name, times in given for _ in range(times)]
        table = pd.DataFrame({"user_id": 1, "artist_id": 30, "tag": tags, "date": pd.Timestamp(0)})
        data = unpacked(replace(inputs, tag_assignments=table))
        assert [data["tags"][place] for place in data["tag"]] == ["c", "b", "d", "e", "a"]
        assert data["tagged"] == [0, 0, 5, 0, 0]


class TestRelatives:
    def test_come_back_best_first(self) -> None:
        data = unpacked(world())
        relatives = ids(data, "artists", data["similar"])
        owners = ids(data, "artists")
        assert grouped(owners, data["relatives"], relatives, data["similarity"]) == [
            (10, 20, 500),
            (10, 30, 250),
            (20, 10, 500),
        ]


class TestTheBudget:
    def test_is_kept_by_leaving_out_relatives_and_plays(self) -> None:
        inputs = large_world(users=200, artists=2000)
        sizes = []
        budget = 10**7
        for played, similar in KEPT:
            found = packed(inputs, budget)
            assert found is not None
            assert (found.played, found.similar) == (played, similar)
            assert len(found.content) <= budget
            sizes.append(len(found.content))
            budget = len(found.content) - 1
        assert packed(inputs, budget) is None
        assert sizes == sorted(sizes, reverse=True)

    def test_never_touches_the_counts(self) -> None:
        plays = pd.DataFrame({"user_id": 1, "artist_id": range(1, 61), "plays": range(1, 61)})
        names = {number: f"Artist {number}" for number in range(1, 61)}
        artists = pd.DataFrame({"artist_id": list(names), "artist_name": list(names.values())})
        inputs = replace(
            world(),
            interactions=plays,
            artists=artists,
            similar_artists=similar_of([], names),
            lists=world().lists.head(0),
        )
        data = unpacked(inputs)
        assert data["playing"] == [50]
        assert data["playingInAll"] == [60]
        assert data["times"][:2] == [60, 59]
        assert sum(data["plays"]) == sum(range(1, 61))


@settings(max_examples=40, deadline=None)
@given(names=st.lists(st.text(min_size=1, max_size=20), min_size=5, max_size=5))
def test_names_may_be_any_text_and_come_back(names: list[str]) -> None:
    data = unpacked(world(names=tuple(names)))
    assert data["names"] == names
    place, told = 0, []
    for _ in data["listed"]:
        size = data["reasons"][place]
        told.append(size)
        place += 2 if size < 0 else size + 1
    assert place == len(data["reasons"])
    assert len(told) == 4


def test_the_same_tables_in_another_order_of_rows_give_the_same_bytes() -> None:
    inputs = world()
    turned = replace(
        inputs,
        interactions=inputs.interactions[::-1],
        artists=inputs.artists[::-1],
        lists=inputs.lists[::-1],
        tag_assignments=inputs.tag_assignments[::-1],
        similar_artists=inputs.similar_artists[::-1],
    )
    assert packed(turned) == packed(inputs)


class TestKeys:
    def test_are_told_of_users_in_the_order_of_their_numbers(self) -> None:
        keys = pd.DataFrame(
            {
                "kind": ["artist", "user", "user"],
                "id": [10, 2, 1],
                "key": ["not a user", "3f2a", "</script>"],
            }
        )
        found = lookup_with(keys)
        assert found.keyed
        data = json.loads(gzip.decompress(found.content))
        assert data["keys"] == ["</script>", "3f2a", "3"]  # user 3 has none: its number stays

    def test_are_left_out_where_ids_are_numbers(self) -> None:
        none = pd.DataFrame({"kind": ["artist"], "id": [10], "key": ["a"]})
        for keys in (None, none, none.head(0)):
            found = lookup_with(keys)
            assert not found.keyed
            assert "keys" not in json.loads(gzip.decompress(found.content))

    def test_of_53_bits_come_back_exactly(self) -> None:
        inputs = world()
        large = {1: 2**53 - 3, 2: 2**53 - 2, 3: 2**53 - 1}
        inputs = replace(
            inputs,
            interactions=inputs.interactions.replace({"user_id": large}),
            lists=inputs.lists.replace({"user_id": large}),
        )
        assert ids(unpacked(inputs), "users") == list(large.values())


def lookup_with(keys: pd.DataFrame | None) -> Lookup:
    inputs = world()
    found = lookup(
        interactions=inputs.interactions,
        artists=inputs.artists,
        tag_assignments=inputs.tag_assignments,
        lists=inputs.lists,
        similar=inputs.similar_artists,
        budget=10**7,
        keys=keys,
    )
    assert found is not None
    return found
