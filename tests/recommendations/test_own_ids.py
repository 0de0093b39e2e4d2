"""Readers of a source whose ids are text ask by those, whatever the source looks like by now."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from published_worlds import about, lists_of

from lastfm_assets.errors import BadInputError
from lastfm_assets.io import Store
from lastfm_assets.listening.about import About
from lastfm_assets.listening.keys import id_of, ids_of, key_column, keys_of, no_keys
from lastfm_assets.recommendations.names import about_in, keep_names, keys_in
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.reader import Lists


def keys(**of_users: int) -> pd.DataFrame:
    rows = [("user", id_, key) for key, id_ in of_users.items()]
    table = pd.DataFrame(rows, columns=["kind", "id", "key"])
    return table.astype({"kind": "str", "id": "int64", "key": "str"})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Published lists of users 0, 1, ..., of whom ann is 3 and bob 5."""
    opened = Store(str(tmp_path))
    PublishedLists(opened.root).publish(lists_of(1), about(1))
    said = About("log", item="track", ids="text").to_table()
    keep_names(opened, keys(ann=3, bob=5), said, "log")
    return opened


def test_a_user_is_found_by_the_source_s_own_id(store: Store) -> None:
    lists = Lists.open(str(store.root))
    assert set(lists.of_user("ann", 10)["user_id"]) == {3}
    assert lists.with_keys(lists.of_user("bob", 2))["user_key"].tolist() == ["bob", "bob"]
    assert lists.about.item == "track"


def test_a_list_is_of_the_version_that_was_opened(store: Store) -> None:
    lists = Lists.open(str(store.root))
    PublishedLists(store.root).publish(lists_of(2), about(2))
    assert set(lists.of_user("ann", 10)["model"]) == {"model 1"}
    assert set(Lists.open(str(store.root)).of_user("ann", 10)["model"]) == {"model 2"}


def test_a_number_that_no_id_can_be_has_no_list(store: Store) -> None:
    keep_names(store, no_keys(), About("hetrec").to_table(), "hetrec")
    with pytest.raises(BadInputError, match="has no list; expected one of 40 users"):
        Lists.open(str(store.root)).of_user(str(2**70), 10)


@pytest.mark.parametrize("user", ["zoe", "3"])
def test_nobody_else_is(store: Store, user: str) -> None:
    with pytest.raises(BadInputError, match=f"user {user} has no list"):
        Lists.open(str(store.root)).of_user(user, 10)


def test_keys_of_what_is_published_outlive_a_source_that_lacks_them(store: Store) -> None:
    """A later delivery without ann is refused, or rolled back: the lists still name her."""
    store.write(("raw", "keys"), keys(bob=5), source="log")
    assert set(Lists.open(str(store.root)).of_user("ann", 10)["user_id"]) == {3}
    keep_names(store, keys(bob=5, cem=7), About("log", ids="text").to_table(), "log")
    kept = keys_in(store)
    assert dict(zip(kept["key"], kept["id"], strict=True)) == {"ann": 3, "bob": 5, "cem": 7}


def test_a_source_of_numbers_that_follows_is_asked_by_numbers(store: Store) -> None:
    keep_names(store, no_keys(), About("hetrec").to_table(), "hetrec")
    lists = Lists.open(str(store.root))
    assert set(lists.of_user("4", 10)["user_id"]) == {4}
    assert "user_key" not in lists.with_keys(lists.of_user("4", 10))


def test_a_store_that_is_older_knows_no_keys(tmp_path: Path) -> None:
    opened = Store(str(tmp_path))
    assert keys_in(opened).empty
    assert about_in(opened) == About("custom")


class TestKeys:
    KEYS = keys(ann=3, bob=5)

    def test_lead_from_numbers_to_texts_and_back(self) -> None:
        assert keys_of(np.array([5, 3]), self.KEYS, "user").tolist() == ["bob", "ann"]
        assert id_of("bob", self.KEYS, "user") == 5
        assert id_of("bob", self.KEYS, "artist") is None
        found = ids_of(pd.Series(["bob", "zoe"]), self.KEYS, "user")
        assert found.isna().tolist() == [False, True]
        assert found.iloc[0] == 5

    def test_leave_a_number_without_a_text_as_it_is(self) -> None:
        assert keys_of(np.array([5, 9]), self.KEYS, "user").tolist() == ["bob", "9"]
        assert keys_of(np.array([9]), no_keys(), "user").tolist() == ["9"]

    def test_stand_in_a_column_beside_the_ids(self) -> None:
        assert key_column("user_id") == "user_key"
        assert key_column("artist_id") == "artist_key"
