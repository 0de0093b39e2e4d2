"""What cannot be true is refused with its reason, and nothing is lost on the way."""

from dataclasses import fields, replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_worlds import below, raw_tables

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.about import About
from lastfm_assets.listening.clean import (
    LONGEST_TEXT,
    MERGED,
    MOST_PLAYS,
    CleanTables,
    RawTables,
    _Rows,
    clean,
    plays_in_time,
    refused_share,
)
from lastfm_assets.listening.load import load
from lastfm_assets.listening.tables import FRIENDS, TAGGED_ARTISTS, TAGS, USER_ARTISTS

HETREC = Path(__file__).parents[3] / "shared" / "data" / "hetrec2011-lastfm-2k"
ARTIST_LINES = ["51\tDuran Duran\tu51\tp51", "52\tMorcheeba\tu52\tp52"]
PLAY_LINES = ["1\t51\t10", "2\t52\t20", "2\t51\t5"]


def cleaned(**lines: list[str]) -> CleanTables:
    """Clean tables of a world of two artists and two users, with some files replaced."""
    world = {
        "artists": ARTIST_LINES,
        "user_artists": PLAY_LINES,
        "tags": ["7\trock", "8\tpop"],
        "tagged_artists": ["1\t51\t7\t1\t4\t2009"],
        "friends": ["1\t2", "2\t1"],
    }
    return clean(raw_tables(**{**world, **lines}))


def refusals(tables: CleanTables) -> list[tuple[str, int, str, str]]:
    return list(tables.rejected_rows.itertuples(index=False, name=None))


def test_a_sound_world_passes_whole() -> None:
    tables = cleaned()
    assert refusals(tables) == []
    assert tables.interactions.to_numpy().tolist() == [[1, 51, 10], [2, 51, 5], [2, 52, 20]]
    assert tables.artists.to_numpy().tolist() == [
        [51, "Duran Duran", "u51", "p51"],
        [52, "Morcheeba", "u52", "p52"],
    ]
    (assignment,) = tables.tag_assignments.itertuples(index=False, name=None)
    assert assignment == (1, 51, 7, "rock", pd.Timestamp(2009, 4, 1))
    assert tables.friendships.to_numpy().tolist() == [[1, 2], [2, 1]]


def test_every_id_and_count_is_a_plain_integer() -> None:
    tables = cleaned()
    numbers = [
        *tables.interactions.dtypes,
        tables.artists.dtypes["artist_id"],
        *tables.tag_assignments[["user_id", "artist_id", "tag_id"]].dtypes,
        *tables.friendships.dtypes,
    ]
    assert {str(kind) for kind in numbers} == {"int64"}
    assert tables.tag_assignments.dtypes["date"] == "datetime64[s]"


LONG = "x" * (LONGEST_TEXT + 1)


@pytest.mark.parametrize(
    ("file", "asset", "line", "reason"),
    [
        ("artists", "artists", "53\t\tu\tp", "name is empty"),
        ("artists", "artists", f"53\t{LONG}\tu\tp", "name is overlong"),
        ("artists", "artists", "51\tDouble\tu\tp", "duplicate artist id"),
        ("artists", "artists", "A\tAlpha\tu\tp", "id is not a whole number"),
        ("user_artists", "user_artists", "1\t52\t0", "plays not above zero"),
        ("user_artists", "user_artists", "1\t52\t-3", "plays not above zero"),
        ("user_artists", "user_artists", "1\t52\t1000000001", "plays above 1000000000"),
        ("user_artists", "user_artists", "1\t99\t4", "unknown artist"),
        ("user_artists", "user_artists", "1\t99\t0", "plays not above zero"),
        ("user_artists", "user_artists", "1\t52\tmany", "weight is not a whole number"),
        ("user_artists", "user_artists", "1\t52", "wrong number of fields"),
        ("user_artists", "user_artists", "1\t51\t3", MERGED),
        ("tags", "tags", "7\tagain", "duplicate tag id"),
        ("tags", "tags", "9\t", "tagValue is empty"),
        ("tags", "tags", f"9\t{LONG}", "tagValue is overlong"),
        ("user_taggedartists", "tagged_artists", "2\t51\t7\t1\t1\t1956", "impossible date"),
        ("user_taggedartists", "tagged_artists", "2\t51\t7\t31\t2\t2008", "impossible date"),
        ("user_taggedartists", "tagged_artists", "2\t51\t7\t1\t13\t2008", "impossible date"),
        ("user_taggedartists", "tagged_artists", "2\t51\t7\t1\t1\t2001", "impossible date"),
        ("user_taggedartists", "tagged_artists", "2\t51\t7\t1\t1\t2101", "impossible date"),
        (
            "user_taggedartists",
            "tagged_artists",
            "2\t51\t7\t1\t1\t999999999999999999",
            "impossible date",
        ),
        ("user_taggedartists", "tagged_artists", "2\t99\t7\t1\t1\t2009", "unknown artist"),
        ("user_taggedartists", "tagged_artists", "2\t51\t99\t1\t1\t2009", "unknown tag"),
        (
            "user_taggedartists",
            "tagged_artists",
            "1\t51\t7\t2\t5\t2010",
            "duplicate tag assignment",
        ),
        ("user_friends", "friends", "1\t1", "a friend of oneself"),
        ("user_friends", "friends", "1\t99", "unknown user"),
        ("user_friends", "friends", "99\t1", "unknown user"),
        ("user_friends", "friends", "1\t2", "duplicate friendship"),
    ],
)
def test_each_fault_is_refused_with_file_line_text_and_reason(
    file: str, asset: str, line: str, reason: str
) -> None:
    sound = {
        "artists": ARTIST_LINES,
        "user_artists": PLAY_LINES,
        "tags": ["7\trock", "8\tpop"],
        "tagged_artists": ["1\t51\t7\t1\t4\t2009"],
        "friends": ["1\t2", "2\t1"],
    }[asset]
    tables = cleaned(**{asset: [*sound, line]})
    assert refusals(tables) == [(file, 2 + len(sound), line, reason)]
    others = [
        field.name for field in fields(tables) if field.name not in ("rejected_rows", "plays")
    ]
    if reason != MERGED:
        for name in others:
            pd.testing.assert_frame_equal(getattr(tables, name), getattr(cleaned(), name))


@pytest.mark.parametrize(
    ("asset", "lines", "table"),
    [
        ("user_artists", [*PLAY_LINES, f"1\t52\t{MOST_PLAYS}"], "interactions"),
        ("user_artists", [*PLAY_LINES, "1\t52\t1"], "interactions"),
        ("artists", [*ARTIST_LINES, "53\t" + "x" * LONGEST_TEXT + "\tu\tp"], "artists"),
        ("tagged_artists", ["1\t51\t7\t1\t1\t2002", "2\t51\t7\t31\t12\t2100"], "tag_assignments"),
        ("tagged_artists", ["1\t51\t7\t29\t2\t2008", "1\t51\t8\t1\t1\t2009"], "tag_assignments"),
    ],
)
def test_values_on_the_bounds_are_kept(asset: str, lines: list[str], table: str) -> None:
    tables = cleaned(**{asset: lines})
    assert refusals(tables) == []
    assert len(getattr(tables, table)) == len(lines)


def test_a_refused_artist_takes_its_plays_and_tags_along() -> None:
    tables = cleaned(artists=["51\t\tu\tp", ARTIST_LINES[1]])
    assert [row[3] for row in refusals(tables)] == [
        "name is empty",
        "unknown artist",
        "unknown artist",
        "unknown artist",
        "unknown user",
        "unknown user",
    ]
    assert tables.interactions.to_numpy().tolist() == [[2, 52, 20]]


def test_the_first_line_of_a_doubled_artist_wins() -> None:
    tables = cleaned(artists=[*ARTIST_LINES, "51\tOther\tu\tp"])
    assert tables.artists["artist_name"].tolist() == ["Duran Duran", "Morcheeba"]


def test_plays_of_a_doubled_pair_are_summed_and_the_rows_counted() -> None:
    tables = cleaned(user_artists=["1\t51\t10", "2\t52\t20", "1\t51\t5", "1\t51\t7"])
    assert tables.interactions.to_numpy().tolist() == [[1, 51, 10 + 5 + 7], [2, 52, 20]]
    assert refusals(tables)[:2] == [
        ("user_artists", 4, "1\t51\t5", MERGED),
        ("user_artists", 5, "1\t51\t7", MERGED),
    ]


def test_a_sum_stops_at_the_most_plays_there_can_be() -> None:
    tables = cleaned(user_artists=[f"1\t51\t{MOST_PLAYS}", f"1\t51\t{MOST_PLAYS}"])
    assert tables.interactions["plays"].tolist() == [MOST_PLAYS]


def test_a_friendship_keeps_its_direction() -> None:
    assert cleaned(friends=["2\t1"]).friendships.to_numpy().tolist() == [[2, 1]]


def test_the_optional_files_may_be_absent() -> None:
    tables = clean(raw_tables(artists=ARTIST_LINES, user_artists=PLAY_LINES))
    assert list(tables.tag_assignments.columns) == list(cleaned().tag_assignments.columns)
    assert tables.tag_assignments.dtypes.to_dict() == cleaned().tag_assignments.dtypes.to_dict()
    assert tables.friendships.dtypes.to_dict() == cleaned().friendships.dtypes.to_dict()
    assert len(tables.tag_assignments) == len(tables.friendships) == 0
    assert refusals(tables) == []


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ({"user_artists": ["1\t51\t0", "1\t52\t0"]}, "2 lines of plays .*plays not above zero"),
        ({"user_artists": ["1\t99\t3"]}, "1 lines of plays .*unknown artist"),
        ({"artists": ["51\t\tu\tp"]}, "all were refused"),
    ],
)
def test_nothing_left_is_an_error_in_one_line(lines: dict[str, list[str]], found: str) -> None:
    with pytest.raises(BadInputError, match=found) as caught:
        cleaned(**lines)
    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_refused_share_leaves_out_merged_rows() -> None:
    rejected = pd.DataFrame({"reason": [MERGED, "unknown artist", MERGED, "plays above"]})
    assert refused_share(rejected, 8) == 2 / 8
    assert refused_share(rejected.iloc[:0], 0) == 0.0


small = st.integers(-1, 4).map(str)
number = st.one_of(small, small, small, st.sampled_from(["x", "", "1000000001", "2.5"]))


def lines_of(*columns: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    line = st.tuples(*columns).map("\t".join)
    broken = st.sampled_from(["1", "1\t2\t3\t4\t5\t6\t7\t8", "1\t51"])
    return st.lists(st.one_of(line, line, line, broken).filter(lambda text: text.strip()))


worlds = st.fixed_dictionaries(
    {
        "artists": lines_of(number, st.sampled_from(["A", "B", "", LONG]), small, small),
        "user_artists": lines_of(number, number, number),
        "tags": lines_of(number, st.sampled_from(["rock", ""])),
        "tagged_artists": lines_of(
            number, number, number, small, small, st.sampled_from(["2009", "1956", "2010"])
        ),
        "friends": lines_of(number, number),
    }
)
MORE = {
    "artists": [f"{n}\tName {n}\tu\tp" for n in (2, 3)],
    "user_artists": ["1\t2\t4", "2\t3\t1"],
    "tags": ["2\tjazz"],
}


@settings(max_examples=60, deadline=None)
@given(worlds)
def test_every_raw_row_is_kept_or_merged_or_refused(lines: dict[str, list[str]]) -> None:
    raw = raw_tables(**{asset: MORE.get(asset, []) + rows for asset, rows in lines.items()})
    tables = clean(raw)
    rejected = tables.rejected_rows
    kept = {
        "artists": tables.artists,
        "user_artists": tables.interactions,
        "user_taggedartists": tables.tag_assignments,
        "user_friends": tables.friendships,
    }
    for stem, whole in (
        ("artists", raw.artists),
        ("user_artists", raw.user_artists),
        ("user_taggedartists", raw.tagged_artists),
        ("user_friends", raw.friends),
    ):
        refused = rejected[rejected["file"] == stem]
        assert len(kept[stem]) + len(refused) == len(whole)
        assert refused["line"].is_unique
        assert set(refused["line"]) <= set(whole["line"])
    assert rejected["reason"].notna().all()
    lost = rejected[(rejected["file"] == "user_artists") & (rejected["reason"] != MERGED)]
    played = raw.user_artists[~raw.user_artists["line"].isin(lost["line"])]
    assert tables.interactions["plays"].sum() == played["plays"].sum()


@settings(max_examples=20, deadline=None)
@given(worlds)
def test_cleaning_leaves_its_input_alone(lines: dict[str, list[str]]) -> None:
    raw = raw_tables(**{asset: MORE.get(asset, []) + rows for asset, rows in lines.items()})
    before = {field.name: getattr(raw, field.name).copy() for field in fields(raw)}
    clean(raw)
    for name, table in before.items():
        pd.testing.assert_frame_equal(getattr(raw, name), table)


def test_the_order_of_lines_changes_no_clean_table() -> None:
    shuffled = cleaned(
        artists=ARTIST_LINES[::-1], user_artists=PLAY_LINES[::-1], friends=["2\t1", "1\t2"]
    )
    for field in fields(RawTables):
        name = {"user_artists": "interactions", "friends": "friendships"}.get(field.name)
        if name:
            pd.testing.assert_frame_equal(getattr(shuffled, name), getattr(cleaned(), name))
    pd.testing.assert_frame_equal(shuffled.artists, cleaned().artists)


def test_a_line_that_parsing_refused_keeps_the_reason_of_parsing() -> None:
    assert below(USER_ARTISTS, "1\t99\tx")["reason"].tolist() == ["weight is not a whole number"]
    assert below(FRIENDS, "1\t1\t1")["reason"].tolist() == ["wrong number of fields"]
    assert below(TAGGED_ARTISTS, "1")["reason"].tolist() == ["wrong number of fields"]
    tables = cleaned(user_artists=[*PLAY_LINES, "1\t99\tx"], friends=["1\t1\t1"])
    assert [row[3] for row in refusals(tables)] == [
        "weight is not a whole number",
        "wrong number of fields",
    ]


def test_a_refused_row_is_written_as_it_stood_with_its_empty_fields() -> None:
    tables = cleaned(tagged_artists=["1\t51\t\t1\t4\t2009"])
    ((_, _, text, _),) = refusals(tables)
    assert text == "1\t51\t\t1\t4\t2009"


def test_a_missing_value_without_its_line_is_an_empty_field() -> None:
    raw = below(FRIENDS, "1\t2").astype({"friend_id": "Int64"})
    raw["friend_id"] = pd.NA
    rows = _Rows(raw, FRIENDS)
    rows.refuse(pd.Series([True]), "told")
    assert rows.rejected()["text"].tolist() == ["1\t"]


def test_a_flag_that_is_missing_refuses_nothing() -> None:
    """Of a row that parsing refused no further test can say anything."""
    rows = _Rows(below(TAGS, "7\trock", "8\tpop"), TAGS)
    rows.refuse(pd.Series([True, None], dtype="boolean"), "told")
    assert rows.good().tolist() == [False, True]


class TestSample:
    def test_the_bundled_sample_loses_exactly_what_was_spoilt(self, tmp_path: Path) -> None:
        tables = load("sample", data_folder=tmp_path)
        rejected = tables.rejected_rows
        assert len(tables.artists) == 800
        assert len(tables.interactions) == 14_182
        assert tables.interactions["user_id"].nunique() == 300
        assert rejected.groupby(["file", "reason"]).size().to_dict() == {
            ("artists", "name is empty"): 1,
            ("artists", "name is overlong"): 1,
            ("user_artists", "plays not above zero"): 5,
            ("user_artists", "weight is not a whole number"): 2,
            ("user_artists", "wrong number of fields"): 1,
            ("user_artists", "unknown artist"): 2,
            ("user_artists", MERGED): 4,
            ("user_taggedartists", "impossible date"): 5,
        }


@pytest.mark.skipif(not HETREC.is_dir(), reason=f"the HetRec files are not at {HETREC}")
class TestHetRec:
    def test_hetrec_is_read_whole(self, tmp_path: Path) -> None:
        tables = load(str(HETREC), data_folder=tmp_path)
        assert len(tables.interactions) == 92_834
        assert tables.interactions["user_id"].nunique() == 1_892
        assert len(tables.artists) == 17_632
        assert len(tables.friendships) == 25_434
        assert tables.interactions["plays"].agg(["min", "median", "max"]).tolist() == [
            1,
            260,
            352_698,
        ]
        tags = tables.rejected_rows["file"] == "user_taggedartists"
        assert len(tables.tag_assignments) + tags.sum() == 186_479
        assert set(tables.rejected_rows["file"]) == {"user_taggedartists"}
        assert set(tables.rejected_rows["reason"]) == {"unknown artist", "impossible date"}


class TestOneRowAPlay:
    def plays(self, *rows: tuple[int, int, str]) -> CleanTables:
        """Plays (user, artist, moment) of the two artists, cleaned as a log."""
        raw = raw_tables(artists=ARTIST_LINES, user_artists=[f"{u}\t{a}\t1" for u, a, _ in rows])
        moments = pd.to_datetime(pd.Series([moment for *_, moment in rows]))
        raw = replace(raw, user_artists=raw.user_artists.assign(played_at=moments))
        return clean(raw, About("log", one_row_a_play=True, timed=True))

    def test_plays_are_counted_and_none_is_called_a_duplicate(self) -> None:
        tables = self.plays(
            (1, 51, "2009-03-02"),
            (1, 52, "2009-03-01"),
            (1, 51, "2009-02-01"),
            (1, 51, "2010-01-01"),
        )
        assert refusals(tables) == []
        assert tables.interactions.iloc[:, :3].to_numpy().tolist() == [[1, 51, 3], [1, 52, 1]]

    def test_first_and_last_play_are_kept(self) -> None:
        tables = self.plays((1, 51, "2009-03-02"), (1, 51, "2009-02-01"), (1, 51, "2010-01-01"))
        (row,) = tables.interactions.to_dict("records")
        assert row["first_played"] == pd.Timestamp(2009, 2, 1)
        assert row["last_played"] == pd.Timestamp(2010, 1, 1)
        assert list(tables.interactions) == [
            *("user_id", "artist_id", "plays", "first_played", "last_played")
        ]

    @pytest.mark.parametrize(("one_row_a_play", "timed"), [(True, False), (False, True)])
    def test_either_kind_of_log_may_name_a_pair_again(
        self, *, one_row_a_play: bool, timed: bool
    ) -> None:
        raw = raw_tables(artists=ARTIST_LINES, user_artists=["1\t51\t1", "1\t51\t1"])
        tables = clean(raw, About("log", one_row_a_play=one_row_a_play, timed=timed))
        assert refusals(tables) == []
        assert tables.interactions.to_numpy().tolist() == [[1, 51, 2]]

    def test_the_moments_are_handed_on(self) -> None:
        plays = self.plays((1, 51, "2009-03-02"), (1, 51, "2009-02-01")).plays
        assert plays is not None
        assert plays["played_at"].tolist() == [pd.Timestamp(2009, 3, 2), pd.Timestamp(2009, 2, 1)]


def test_plays_in_time_are_those_of_rows_that_can_be_used() -> None:
    moment = pd.Timestamp(2009, 4, 1)
    counts = [0, 1, 2, MOST_PLAYS, MOST_PLAYS + 1, 7]
    table = pd.DataFrame(
        {
            "user_id": pd.array([1, 1, 2, 2, 3, 3], dtype="Int64"),
            "artist_id": pd.array([5, 6, 5, 6, 5, 6], dtype="Int64"),
            "plays": pd.array(counts, dtype="Int64"),
            "played_at": moment,
            "reason": [None, None, None, None, None, "no such moment"],
        },
        index=range(10, 16),
    )
    used = plays_in_time(table)
    assert used is not None
    expected = {"user_id": [1, 2, 2], "artist_id": [6, 5, 6], "plays": [1, 2, MOST_PLAYS]}
    pd.testing.assert_frame_equal(used, pd.DataFrame(expected).assign(played_at=moment))
    assert plays_in_time(table.drop(columns="played_at")) is None


def test_a_duplicate_whose_plays_were_kept_is_not_lost() -> None:
    rejected = pd.DataFrame({"reason": [MERGED, MERGED, MERGED, "user_id is missing"]})
    assert refused_share(rejected, 8) == 0.125
    assert refused_share(rejected, 0) == 0.0
