"""What the web UI is told of a value: counts, columns, a preview that can be read, and pictures."""

import base64
import math

import dagster as dg
import pandas as pd
import pytest

from lastfm_assets.automation.metadata import finite, schema_of, table_metadata, types_of
from lastfm_assets.automation.pictures import picture
from lastfm_assets.evaluation.judge import CUTOFF
from lastfm_assets.evaluation.metrics import AUC, METRICS
from lastfm_assets.vocabulary import PARTS, column_note

PICTURE = picture(b"PNG", "a dot")


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "user_id": [2, 3],
            "score": [0.12345678901, float("nan")],
            "because": ["x" * 100, "<b>$\\alpha$</b>"],
            "date": pd.to_datetime(["2009-04-01", "2010-04-01"]),
        }
    )


class TestATable:
    def test_says_how_many_rows_it_has(self, table: pd.DataFrame) -> None:
        assert table_metadata(table)["dagster/row_count"] == 2

    def test_shows_figures_with_the_digits_one_reads(self, table: pd.DataFrame) -> None:
        first, second = table_metadata(table)["preview"].records
        assert first.data["score"] == 0.123457
        assert second.data["score"] == "nan"

    def test_cuts_long_text_but_says_so(self, table: pd.DataFrame) -> None:
        first, second = table_metadata(table)["preview"].records
        assert first.data["because"] == "x" * 59 + "…"
        assert second.data["because"] == "<b>$\\alpha$</b>"

    def test_leaves_out_figures_that_do_not_exist(self, table: pd.DataFrame) -> None:
        said = table_metadata(table, good=0.5, none=math.nan, endless=math.inf, word="nan")
        assert said["good"] == 0.5
        assert said["word"] == "nan"
        assert {"none", "endless"} & set(said) == set()

    def test_shows_pictures_before_figures_and_the_preview_last(self, table: pd.DataFrame) -> None:
        said = list(table_metadata(table, users=2, dots=PICTURE, pairs=3))
        assert said[1:4] == ["dots", "users", "pairs"]
        assert said[-1] == "preview"

    def test_of_no_rows_is_shown_too(self, table: pd.DataFrame) -> None:
        said = table_metadata(table.head(0))
        assert said["dagster/row_count"] == 0
        assert [column.name for column in said["dagster/column_schema"].columns] == [*table]


def test_a_date_is_a_date_whatever_its_unit(table: pd.DataFrame) -> None:
    seconds = table.astype({"date": "datetime64[s]"})
    assert types_of(seconds) == types_of(table.astype({"date": "datetime64[ms]"}))


def test_figures_that_exist_stay_as_they_are() -> None:
    assert finite({"a": 1, "b": 0.5, "c": None, "d": "x", "e": -math.inf}) == {
        "a": 1,
        "b": 0.5,
        "c": None,
        "d": "x",
    }


def test_a_picture_is_markdown_with_words_for_those_who_cannot_see_it() -> None:
    assert isinstance(PICTURE, dg.MarkdownMetadataValue)
    assert PICTURE.md_str == f"![a dot](data:image/png;base64,{base64.b64encode(b'PNG').decode()})"


class TestColumnNotes:
    def test_of_an_unknown_column_say_where_to_write_one(self) -> None:
        with pytest.raises(ValueError, match=r"'shoe_size' has no note.*vocabulary\.py"):
            column_note("shoe_size")

    def test_of_something_like_a_metric_are_not_made_up(self) -> None:
        with pytest.raises(ValueError, match="'train_glamour@10' has no note"):
            column_note("train_glamour@10")

    @pytest.mark.parametrize("metric", [*(f"{name}@{CUTOFF}" for name in METRICS), AUC])
    def test_of_a_metric_say_what_is_good(self, metric: str) -> None:
        assert "higher is better" in column_note(metric)
        for part in PARTS:
            assert part.replace("_", "-") in column_note(f"{part}_{metric}")

    def test_differ_from_metric_to_metric(self) -> None:
        notes = {column_note(f"{name}@{CUTOFF}") for name in METRICS}
        assert len(notes) == len(METRICS)

    def test_name_the_cut_off(self) -> None:
        assert "first 20;" in column_note("held_out_recall@20")

    def test_of_bounds_say_of_what(self) -> None:
        note = column_note("held_out_ndcg@10_low")
        assert note == "Lower end of the 95% interval of ndcg@10 on the held-out pairs."


class TestWhereAColumnComesFrom:
    @pytest.mark.parametrize(
        ("sources", "said"),
        [
            (["plays"], " From raw/one.plays."),
            (["day", "month", "year"], " From raw/one.day, raw/one.month and raw/one.year."),
            (["a", "b", "c", "d"], " From raw/one.a and 3 others."),
        ],
    )
    def test_is_said_in_a_second_sentence(self, sources: list[str], said: str) -> None:
        deps = [dg.TableColumnDep(dg.AssetKey(["raw", "one"]), name) for name in sources]
        schema = schema_of({"plays": "int64"}, dg.TableColumnLineage({"plays": deps}))
        assert schema.columns[0].description == column_note("plays") + said

    def test_is_left_out_where_it_comes_from_no_column(self) -> None:
        schema = schema_of({"plays": "int64"}, dg.TableColumnLineage({}))
        assert schema == schema_of({"plays": "int64"})
        assert schema.columns[0].description == column_note("plays")
