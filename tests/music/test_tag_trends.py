"""Genres over time: who counts as one, what a month without tags is, and what rose for sure."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tag_world import assignments, of_months

from lastfm_assets.music import charts
from lastfm_assets.music.intervals import wilson
from lastfm_assets.music.spelling import in_one_spelling, most_used, quoted, spelling_key
from lastfm_assets.music.tag_trends import (
    MOVES,
    TAG_TRENDS,
    in_words,
    moves,
    no_trends,
    tag_trends,
)

YEARS = [f"{year}-{month:02}" for year in range(2005, 2011) for month in range(1, 13)]


class TestSpelling:
    @pytest.mark.parametrize(
        "tag",
        ["hip-hop", "hip hop", "HipHop", "Hip_Hop", " hip  hop ", "hip\u2010hop", "hip\u2013hop"],
    )
    def test_joins_what_differs_in_case_hyphens_and_spaces(self, tag: str) -> None:
        assert spelling_key(tag) == "hiphop"

    @pytest.mark.parametrize(("one", "other"), [("r&b", "rnb"), ("pop", "pop!"), ("80s", "90s")])
    def test_joins_nothing_else(self, one: str, other: str) -> None:
        assert spelling_key(one) != spelling_key(other)

    @pytest.mark.parametrize("tag", ["-", " - ", "_"])
    def test_keeps_a_tag_of_hyphens_alone_apart(self, tag: str) -> None:
        assert spelling_key(tag) == tag

    def test_takes_the_most_used_one(self) -> None:
        rows = [(1, 1, "hip hop"), (2, 1, "hip-hop"), (3, 1, "hip-hop"), (4, 1, "Hip-Hop")]
        one = in_one_spelling(assignments((*row, "2008-01-01") for row in rows))
        assert one["tag"].tolist() == ["hip-hop"] * 4

    def test_takes_the_first_by_name_of_equally_used_ones(self) -> None:
        rows = [(1, 1, "trip hop", "2008-01-01"), (2, 1, "Trip-Hop", "2008-01-01")]
        assert set(in_one_spelling(assignments(rows))["tag"]) == {"Trip-Hop"}

    def test_counts_who_wrote_it_twice_once_at_the_first_date(self) -> None:
        rows = [(1, 7, "hip hop", "2009-05-01"), (1, 7, "hip-hop", "2008-02-01")]
        one = in_one_spelling(assignments(rows))
        assert one["date"].dt.strftime("%Y-%m").tolist() == ["2008-02"]

    def test_leaves_the_table_it_was_given_alone(self) -> None:
        table = assignments([(1, 1, "b-b", "2008-01-01"), (2, 1, "bb", "2007-01-01")])
        before = table.copy()
        in_one_spelling(table)
        pd.testing.assert_frame_equal(table, before)

    def test_ranks_equally_used_tags_by_name(self) -> None:
        rows = [(1, artist, tag, "2008-01-01") for artist in (1, 2) for tag in ("soul", "folk")]
        assert most_used(assignments(rows), 1) == ["folk"]

    def test_of_a_tag_in_a_sentence_is_one_short_line(self) -> None:
        assert quoted("a\nb") == "“a b”"
        assert len(quoted("x" * 300)) < 50


class TestTrends:
    def test_are_shares_of_what_was_given_in_the_month(self) -> None:
        rows = of_months("rock", {"2008-01": 3, "2008-02": 1}) + of_months("pop", {"2008-01": 1})
        table = tag_trends(assignments(rows))
        assert tuple(table.columns) == TAG_TRENDS
        shown = table[["tag", "assignments", "of_all", "share"]].to_numpy().tolist()
        assert shown == [
            ["rock", 3, 4, 0.75],
            ["rock", 1, 1, 1.0],
            ["pop", 1, 4, 0.25],
            ["pop", 0, 1, 0.0],
        ]
        months = table["month_start"].dt.strftime("%Y-%m-%d")
        assert months.tolist() == ["2008-01-01", "2008-02-01"] * 2

    def test_have_the_interval_of_wilson(self) -> None:
        rows = of_months("rock", {"2008-01": 81}) + of_months("pop", {"2008-01": 182})
        (rock,) = tag_trends(assignments(rows), tags=2).query("tag == 'rock'").to_dict("records")
        assert (round(rock["share_low"], 4), round(rock["share_high"], 4)) == (0.2553, 0.3662)

    def test_have_a_month_in_which_nobody_gave_a_tag_without_a_share(self) -> None:
        table = tag_trends(assignments(of_months("rock", {"2008-01": 2, "2008-03": 2})))
        assert table["assignments"].tolist() == [2, 0, 2]
        assert table["of_all"].tolist() == [2, 0, 2]
        assert table[["share", "share_low", "share_high"]].isna().all(axis=1).tolist() == [
            False,
            True,
            False,
        ]

    def test_of_tags_that_are_not_followed_count_in_the_whole(self) -> None:
        rows = of_months("rock", {"2008-01": 3}) + of_months("pop", {"2008-01": 2})
        table = tag_trends(assignments(rows), tags=1)
        assert table["tag"].tolist() == ["rock"]
        assert table["of_all"].tolist() == [5]

    def test_do_not_depend_on_the_order_of_rows(self) -> None:
        rows = of_months("a-b", {"2008-01": 3, "2008-04": 5}) + of_months("ab", {"2008-02": 4})
        table = assignments(rows)
        mixed = table.sample(frac=1, random_state=3)
        pd.testing.assert_frame_equal(tag_trends(table), tag_trends(mixed))

    def test_of_no_tags_have_the_same_columns_and_types(self) -> None:
        nothing = tag_trends(assignments([]))
        pd.testing.assert_frame_equal(nothing, no_trends())
        one = tag_trends(assignments(of_months("rock", {"2008-01": 1})))
        assert nothing.dtypes.to_dict() == one.dtypes.to_dict()


class TestMoves:
    def fashion(self, users: int) -> pd.DataFrame:
        """Six years: rock falls from 80% to 20%, pop rises, in equal hands of so many users."""
        rows = of_months("rock", dict.fromkeys(YEARS[:36], 40) | dict.fromkeys(YEARS[36:], 10))
        rows += of_months("pop", dict.fromkeys(YEARS[:36], 10) | dict.fromkeys(YEARS[36:], 40))
        return assignments((1 + n % users, *row[1:]) for n, row in enumerate(rows))

    def test_are_of_the_first_two_years_and_the_last_two(self) -> None:
        moved = moves(self.fashion(50))
        assert tuple(moved.shares.columns) == MOVES
        assert (moved.first, moved.last) == ("2005-01 to 2006-12", "2009-01 to 2010-12")
        shares = moved.shares.set_index("tag")
        assert shares.loc["rock", ["first", "last"]].tolist() == [0.8, 0.2]
        assert shares["change"].round(9).to_dict() == {"pop": 0.6, "rock": -0.6}

    def test_count_users_who_never_give_the_tag(self) -> None:
        """Forty users give a tag a month each, ten of them rock: forty opinions, of which a 1/4."""
        rows = [
            (user, 100 * user + n, "rock" if user <= 10 else "pop", f"{month}-01")
            for user in range(1, 41)
            for n, month in enumerate(YEARS)
        ]
        rock = moves(assignments(rows)).shares.set_index("tag").loc["rock"]
        low, high = wilson(np.array(0.25), np.array(39))
        assert rock[["first", "first_low", "first_high"]].tolist() == pytest.approx(
            [0.25, float(low), float(high)]
        )

    def test_are_sure_where_many_users_made_them(self) -> None:
        moved = moves(self.fashion(50))
        assert moved.shares["sure"].tolist() == [True, True]
        assert in_words(moved) == (
            "2009-01 to 2010-12 against 2005-01 to 2006-12: rose most: “pop” (20.0% to 80.0%); "
            "fell most: “rock” (80.0% to 20.0%). 2 of 2 tags moved beyond their 95% intervals over "
            "users; were each assignment somebody else's, 2 would have."
        )

    def test_are_not_sure_where_one_diligent_user_made_them(self) -> None:
        """Twenty others give both tags alike all the time: only the one has changed."""
        rows = [
            (100 + n % 20, 5000 + n, tag, f"{month}-01")
            for n, month in enumerate(YEARS)
            for tag in ("rock", "pop")
        ]
        diligent = of_months("rock", dict.fromkeys(YEARS[:36], 9) | dict.fromkeys(YEARS[36:], 1))
        diligent += of_months("pop", dict.fromkeys(YEARS[:36], 1) | dict.fromkeys(YEARS[36:], 9))
        moved = moves(assignments(rows + diligent))
        assert moved.shares["counted"].tolist() == [True, True]
        assert moved.shares["sure"].tolist() == [False, False]
        assert "no tag rose or fell for sure. 0 of 2 tags" in in_words(moved)

    def test_have_intervals_no_narrower_than_those_of_independent_tags(self) -> None:
        shares = moves(self.fashion(7)).shares
        low, high = wilson(shares["first"].to_numpy(), np.array(24 * 50))
        assert (shares["first_low"] <= low + 1e-12).all()
        assert (shares["first_high"] >= high - 1e-12).all()

    def test_of_a_short_span_are_between_its_halves(self) -> None:
        moved = moves(assignments(of_months("rock", {"2008-01": 2, "2008-05": 2})))
        assert (moved.first, moved.last) == ("2008-01 to 2008-02", "2008-04 to 2008-05")

    @pytest.mark.parametrize("months", [{}, {"2008-01": 9}])
    def test_of_one_month_or_none_are_none(self, months: dict[str, int]) -> None:
        moved = moves(assignments(of_months("rock", months)))
        assert moved.shares.empty
        assert in_words(moved) == "Fewer than two months have tags."


class TestThePicture:
    def drawn(self, rows: list[tuple[int, int, str, str]]) -> Image.Image:
        table = assignments(rows)
        picture = charts.trends(tag_trends(table), moves(table))
        assert len(picture) < 120_000
        return Image.open(io.BytesIO(picture))

    def test_has_a_row_of_panels_for_every_three_tags(self) -> None:
        months = dict.fromkeys(YEARS, 2)
        few = self.drawn([row for tag in "abc" for row in of_months(tag, months)])
        many = self.drawn([row for tag in "abcdefghijkl" for row in of_months(tag, months)])
        assert few.height < many.height
        assert len(few.getcolors() or ()) > 2

    @pytest.mark.parametrize("tag", ["$x_1$", "$", "a\\b", "\u6d4b\u8bd5", "<script>", "x" * 200])
    def test_shows_any_tag_as_text(self, tag: str) -> None:
        assert self.drawn(of_months(tag, {"2008-01": 2, "2008-02": 3})).width > 0

    @pytest.mark.parametrize("months", [{}, {"2008-01": 4}])
    def test_says_so_where_there_is_no_span(self, months: dict[str, int]) -> None:
        assert self.drawn(of_months("rock", months)).width > 0
