"""CSVs that others hand us: what is read, and what is refused in one line."""

import json
import math
from collections.abc import Callable

import pandas as pd
import pytest

from lastfm_assets.errors import BadInputError
from lastfm_assets.evaluation.exchange import (
    as_json,
    ids_as_in_source,
    read_lists,
    read_pairs,
    same_ids,
)
from lastfm_assets.listening.described.identifiers import numbers_for
from lastfm_assets.listening.keys import no_keys

PAIRS = b"user_id,artist_id\n2,51\n2,52\n7,51\n"
LISTS = b"user_id,artist_id,score\n2,51,0.9\n2,52,-1e-3\n7,51,3\n"


def pairs_of(content: bytes) -> pd.DataFrame:
    return read_pairs(content, "held_out.csv")


def lists_of(content: bytes) -> pd.DataFrame:
    return read_lists(content, "lists.csv")


class TestSound:
    def test_pairs_are_read_as_text(self) -> None:
        found = pairs_of(PAIRS)
        assert found.to_dict("list") == {
            "user_id": ["2", "2", "7"],
            "artist_id": ["51", "52", "51"],
        }

    def test_lists_are_read_with_their_scores(self) -> None:
        found = lists_of(LISTS)
        assert found["score"].tolist() == [0.9, -0.001, 3.0]
        assert found["score"].dtype == "float64"
        assert list(found.columns) == ["user_id", "artist_id", "score"]

    @pytest.mark.parametrize(
        "content",
        [
            b"\xef\xbb\xbf" + PAIRS,
            PAIRS.replace(b"\n", b"\r\n"),
            PAIRS.removesuffix(b"\n"),
            b"artist_id,more,user_id\n51,x,2\n52,,2\n51,y,7\n",
            b" user_id , artist_id\n 2 , 51\n2,52 \n7,51\n",
            b'"user_id","artist_id"\n"2","51"\n"2","52"\n"7","51"\n',
            b"user_id,artist_id\n2,51\n\n2,52\n7,51\n\n",
        ],
        ids=[
            "byte order mark",
            "CRLF",
            "no last newline",
            "another order and a further column",
            "space around fields",
            "quoted",
            "blank lines",
        ],
    )
    def test_the_same_pairs_may_be_spelled_in_many_ways(self, content: bytes) -> None:
        pd.testing.assert_frame_equal(pairs_of(content), pairs_of(PAIRS))

    def test_ids_are_text_where_one_of_the_column_is(self) -> None:
        found = pairs_of(b"user_id,artist_id\n007,51\nann,52\nNA,53\n")
        assert found["user_id"].tolist() == ["007", "ann", "NA"]
        assert found["artist_id"].tolist() == ["51", "52", "53"]

    def test_ids_of_names_with_accents_survive(self) -> None:
        found = pairs_of("user_id,artist_id\nZo\u00eb,Bj\u00f6rk\n".encode())
        assert found.to_numpy().tolist() == [["Zo\u00eb", "Bj\u00f6rk"]]


class TestIds:
    def test_numbers_and_text_are_made_comparable_as_text(self) -> None:
        lists = lists_of(b"user_id,artist_id,score\n2,51,1\n")
        held_out = pairs_of(b"user_id,artist_id\n2,51\nann,52\n")
        made, other = same_ids(lists, held_out)
        assert made["user_id"].tolist() == ["2"]
        assert other["user_id"].tolist() == ["2", "ann"]
        assert made["artist_id"].dtype == other["artist_id"].dtype == "int64"
        assert lists["user_id"].tolist() == ["2"]

    def test_numbers_on_both_sides_become_numbers(self) -> None:
        made, other = same_ids(lists_of(LISTS), pairs_of(PAIRS))
        assert made["user_id"].tolist() == other["user_id"].tolist() == [2, 2, 7]
        assert {str(made[name].dtype) for name in ("user_id", "artist_id")} == {"int64"}

    def test_007_is_not_7_where_somebody_has_a_name(self) -> None:
        lists = lists_of(b"user_id,artist_id,score\n007,51,1\n")
        made, other = same_ids(lists, pairs_of(b"user_id,artist_id\n007,51\nbob,52\n"))
        assert made["user_id"].tolist() == ["007"]
        assert other["user_id"].tolist() == ["007", "bob"]

    def test_whole_numbers_become_numbers(self) -> None:
        found = ids_as_in_source(pairs_of(b"user_id,artist_id\n-2,51\n"), "x.csv", no_keys())
        assert found.to_numpy().tolist() == [[-2, 51]]
        assert {str(kind) for kind in found.dtypes} == {"int64"}

    @pytest.mark.parametrize("bad", ["ann", "2.0", "1" * 19, "\u00b2", "-", "--2"])
    def test_anything_else_is_refused_with_the_first_bad_id(self, bad: str) -> None:
        found = pairs_of(f"user_id,artist_id\n2,51\n3,{bad}\n".encode())
        with pytest.raises(BadInputError, match=r"held_out\.csv: artist_id has") as caught:
            ids_as_in_source(found, "held_out.csv", no_keys())
        assert repr(bad) in str(caught.value)

    def test_pairs_of_a_source_of_text_ids_get_its_numbers(self) -> None:
        """Also those that the source does not know, and ids that look like numbers."""
        texts = ["ann", "bob", "7"]
        keys = pd.DataFrame({"kind": "user", "id": numbers_for(texts), "key": texts})
        pairs = pairs_of(b"user_id,artist_id\nbob,51\nzoe,52\nbob,53\n")
        found = ids_as_in_source(pairs, "held_out.csv", keys)
        bob, zoe = numbers_for(["bob", "zoe"])
        assert found["user_id"].tolist() == [bob, zoe, bob]
        assert found["artist_id"].tolist() == [51, 52, 53]
        (seven,) = ids_as_in_source(pairs_of(b"user_id,artist_id\n7,1\n"), "x", keys)["user_id"]
        assert seven == keys["id"].iloc[2]
        (other,) = ids_as_in_source(pairs_of(b"user_id,artist_id\n007,1\n"), "x", keys)["user_id"]
        assert other == numbers_for(["007"])[0] != seven


HEAD = b"user_id,artist_id,score\n"


@pytest.mark.parametrize(
    ("read", "content", "found"),
    [
        (pairs_of, b"", "not a readable CSV"),
        (pairs_of, b"\n\n", "not a readable CSV"),
        (pairs_of, b"user_id,artist_id\n", "no row below the header"),
        (pairs_of, b"user,artist\n1,2\n", "the header is 'user,artist'.*missing user_id"),
        (pairs_of, b"1,2\n3,4\n", "the header is '1,2'"),
        (pairs_of, b"user_id;artist_id\n1;2\n", "the header is 'user_id;artist_id'"),
        (pairs_of, b"user_id,artist_id\n1,2\n3\n", "row 2 has an empty field"),
        (pairs_of, b"user_id,artist_id\n1,\n", "row 1 has an empty field"),
        (pairs_of, b"user_id,artist_id\n1,2\n , 3\n", "row 2 has an empty field"),
        (pairs_of, b"user_id,artist_id\n1,2\n3,4,5\n", "not a readable CSV"),
        (pairs_of, b"user_id,artist_id\n1,2,3\n4,5,6\n", "rows have more fields than the header"),
        (pairs_of, b'user_id,artist_id\n"1,2\n', "not a readable CSV"),
        (pairs_of, b"user_id,artist_id\n\xff,2\n", "not a readable CSV"),
        (pairs_of, "user_id,artist_id\n1,2\n".encode("utf-16"), "not a readable CSV"),
        (pairs_of, b'"user\nid",artist_id\n1,2\n', "the header is"),
        (pairs_of, bytes(range(256)), "not a readable CSV"),
        (lists_of, PAIRS, "missing score"),
        (lists_of, HEAD + b"1,2,0.5\n1,3,high\n", "row 2 has the score 'high'"),
        (lists_of, HEAD + b"1,2,nan\n", "row 1 has the score 'nan'"),
        (lists_of, HEAD + b"1,2,-inf\n", "row 1 has the score '-inf'"),
        (lists_of, HEAD + b"1,2,1e999\n", "row 1 has the score '1e999'"),
        (lists_of, HEAD + b"1,2,\n", "row 1 has an empty field"),
        (lists_of, HEAD + b"1,2," + b"x" * 5000 + b"\n", "row 1 has the score 'xxx"),
        (lists_of, b"user_id,artist_id," + b"y" * 5000 + b"\n1,2,3\n", "missing score"),
    ],
)
def test_a_bad_csv_is_refused_in_one_short_line(
    read: Callable[[bytes], pd.DataFrame], content: bytes, found: str
) -> None:
    with pytest.raises(BadInputError, match=found) as caught:
        read(content)
    message = str(caught.value)
    assert message.split(":", maxsplit=1)[0] in {"held_out.csv", "lists.csv"}
    assert "expected" in message
    assert message.isprintable()
    assert len(message) < 400


def test_json_has_null_for_what_is_unknown() -> None:
    entry = as_json(
        {"precision@10": 0.2, "ndcg@10": math.nan}, users=3, fit_seconds=None, rank_seconds=0.5
    )
    assert json.loads(json.dumps(entry, allow_nan=False)) == {
        "precision@10": 0.2,
        "ndcg@10": None,
        "users": 3,
        "fit_seconds": None,
        "rank_seconds": 0.5,
    }
