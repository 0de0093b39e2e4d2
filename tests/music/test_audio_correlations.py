"""Correlations with popularity: against scipy, over time, and what is left of them."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from audio_world import invented, write_files
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import stats

from lastfm_assets.music import audio_charts
from lastfm_assets.music.audio_features import AudioFiles, long_table, read_audio_files
from lastfm_assets.music.correlations import (
    AUDIO_CORRELATIONS,
    BLOCK,
    FEATURES,
    audio_correlations,
    by_chance,
    changes,
    drawn_years,
    in_words,
    no_correlations,
    of_blocks,
    spearman,
)
from lastfm_assets.music.intervals import RESAMPLES, bonett_wright, percentiles


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> AudioFiles:
    return read_audio_files(str(write_files(tmp_path_factory.mktemp("audio"))))


@pytest.fixture(scope="module")
def table(files: AudioFiles) -> pd.DataFrame:
    return audio_correlations(files.years, files.genres, seed=0)


def over(table: pd.DataFrame, of: str, feature: str) -> pd.Series:
    """One row of the table."""
    (row,) = (row for _, row in table.iterrows() if (row["of"], row["feature"]) == (of, feature))
    return row


def of_years(**columns: np.ndarray) -> pd.DataFrame:
    """Years from 1950 on."""
    n = len(columns["popularity"])
    return invented(n, seed=4, **columns).assign(year=np.arange(1950, 1950 + n))


class TestSpearman:
    @given(st.lists(st.tuples(st.integers(0, 9), st.floats(-9, 9)), min_size=3, max_size=40))
    def test_is_that_of_scipy_also_where_values_are_equal(
        self, pairs: list[tuple[int, float]]
    ) -> None:
        x, y = np.array(pairs, dtype=np.float64).T
        found = spearman(x, y)
        if len(set(x)) == 1 or len(set(y)) == 1:
            assert np.isnan(found)
        else:
            assert found == pytest.approx(float(stats.spearmanr(x, y).statistic), abs=1e-12)

    def test_is_that_of_a_rank_by_hand(self) -> None:
        """Ranks 1 2 3 4 5 against 2 1 4 3 5: 1 - 6 * 4 / (5 * 24)."""
        assert spearman(np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 1, 4, 3, 5])) == 0.8


class TestChanges:
    def test_are_from_one_year_to_the_next(self) -> None:
        years = pd.DataFrame({"year": [1950, 1951, 1952], "tempo": [100.0, 103.0, 101.0]})
        assert changes(years, "tempo").tolist() == [3, -2]

    def test_are_not_taken_over_a_year_that_is_missing(self) -> None:
        years = pd.DataFrame({"year": [1950, 1951, 1953], "tempo": [100.0, 103.0, 101.0]})
        assert changes(years, "tempo").tolist() == [3]


class TestTheTable:
    def test_has_every_feature_over_years_and_over_genres(self, table: pd.DataFrame) -> None:
        assert tuple(table.columns) == AUDIO_CORRELATIONS
        assert table["of"].tolist() == ["years"] * 10 + ["genres"] * 10
        assert table["feature"].tolist() == [*FEATURES, *FEATURES]
        assert table["n"].tolist() == [40] * 10 + [60] * 10
        assert "popularity" not in set(table["feature"])

    def test_has_the_correlations_of_scipy(self, files: AudioFiles, table: pd.DataFrame) -> None:
        for of, rows in (("years", files.years), ("genres", files.genres)):
            for feature in FEATURES:
                expected = stats.spearmanr(rows[feature], rows["popularity"]).statistic
                assert over(table, of, feature)["correlation"] == pytest.approx(expected)

    def test_has_those_of_changes_for_years_alone(
        self, files: AudioFiles, table: pd.DataFrame
    ) -> None:
        steps = files.years.diff().dropna()
        expected = stats.spearmanr(steps["energy"], steps["popularity"]).statistic
        assert over(table, "years", "energy")["of_changes"] == pytest.approx(expected)
        assert table.loc[table["of"] == "genres", "of_changes"].isna().all()
        assert table.loc[table["of"] == "years", "of_changes"].notna().all()

    def test_has_intervals_around_every_correlation(self, table: pd.DataFrame) -> None:
        """A percentile interval may leave out what is seen where that is near one."""
        genres = table[table["of"] == "genres"]
        assert (genres["correlation_low"] < genres["correlation"]).all()
        assert (genres["correlation"] < genres["correlation_high"]).all()
        assert table["correlation_low"].between(-1, table["correlation_high"]).all()
        assert (table["correlation_high"] <= 1).all()

    def test_is_repeated_by_its_seed(self, files: AudioFiles, table: pd.DataFrame) -> None:
        again = audio_correlations(files.years.sample(frac=1, random_state=1), files.genres, seed=0)
        pd.testing.assert_frame_equal(again, table)
        other = audio_correlations(files.years, files.genres, seed=1)
        assert not other["correlation_low"].equals(table["correlation_low"])

    def test_has_no_interval_over_years_where_there_are_not_two_blocks(
        self, files: AudioFiles
    ) -> None:
        few = audio_correlations(files.years.head(19), files.genres.head(3), seed=0)
        assert few[["correlation_low", "correlation_high"]].isna().all(axis=None)
        assert few["correlation"].notna().all()
        assert set(few["warning"]) == {""}

    @pytest.mark.parametrize("n", [1, 2])
    def test_of_hardly_a_row_is_missing_and_not_an_error(self, files: AudioFiles, n: int) -> None:
        few = audio_correlations(files.years.head(n), files.genres.head(n), seed=0)
        assert few["n"].tolist() == [n] * 20
        assert few["of_changes"].isna().all()

    def test_that_is_empty_has_the_same_types(self, table: pd.DataFrame) -> None:
        assert no_correlations().empty
        assert no_correlations().dtypes.to_dict() == table.dtypes.to_dict()


class TestBlocks:
    def test_give_wider_intervals_than_independent_years_would_have(self) -> None:
        """Both wander: neighbouring years are alike, and a hundred of them are worth far less."""
        rng = np.random.default_rng(2)
        wide = []
        for _ in range(20):
            x, y = rng.normal(size=(2, 100)).cumsum(axis=1)
            low, high = percentiles(of_blocks(x, y, np.random.default_rng(0)))
            narrow_low, narrow_high = bonett_wright(spearman(x, y), 100)
            wide.append(high - low > 1.3 * (narrow_high - narrow_low))
        assert np.mean(wide) > 0.8

    @pytest.mark.parametrize("n", [20, 43, 100])
    def test_are_of_consecutive_years_from_the_whole_series(self, n: int) -> None:
        drawn = drawn_years(n, np.random.default_rng(0))
        assert drawn.shape == (RESAMPLES, n)
        for start in range(0, n, BLOCK):
            assert (np.diff(drawn[:, start : start + BLOCK], axis=1) == 1).all()
        starts = drawn[:, ::BLOCK]
        assert set(starts.ravel().tolist()) == set(range(n - BLOCK + 1))


class TestWarnings:
    def test_name_time_and_what_is_left_of_a_trend(self, table: pd.DataFrame) -> None:
        row = over(table, "years", "energy")
        assert row["correlation"] > 0.95
        assert abs(row["of_changes"]) < by_chance(39)
        assert row["warning"] == (
            "Both follow time, as Spotify counts plays of today and recent years are popular "
            "whatever their sound: of changes from year to year nothing certain is left "
            f"({row['of_changes']:+.2f})."
        )

    @pytest.mark.parametrize(
        ("sign", "said"),
        [(1, "year to year [+]1.00 is left, which is no cause"), (-1, "go the other way .-1.00")],
    )
    def test_say_where_changes_go_along_or_against(self, sign: int, said: str) -> None:
        steps = np.random.default_rng(6).normal(size=60)
        time = np.arange(60)
        years = of_years(popularity=5 * time + steps, energy=5.0 * time + sign * steps)
        row = over(audio_correlations(years, years, seed=0), "years", "energy")
        assert row["correlation"] > 0.9
        assert row["warning"].startswith("Both follow time")
        assert pd.Series([row["warning"]]).str.contains(said).all()

    def test_are_left_out_where_nothing_is_seen(self) -> None:
        rng = np.random.default_rng(9)
        years = of_years(popularity=rng.normal(size=200), energy=rng.normal(size=200))
        row = over(audio_correlations(years, years, seed=0), "years", "energy")
        assert row["correlation_low"] < 0 < row["correlation_high"]
        assert row["warning"] == ""

    def test_of_genres_name_other_causes_where_something_is_seen(self, table: pd.DataFrame) -> None:
        genres = table[table["of"] == "genres"]
        seen = (genres["correlation_low"] > 0) | (genres["correlation_high"] < 0)
        assert over(table, "genres", "danceability")["warning"].startswith("Genres differ in more")
        assert ((genres["warning"] != "") == seen).all()
        assert not seen.all()

    def test_are_one_plain_sentence(self, table: pd.DataFrame) -> None:
        said = [text for text in table["warning"] if text]
        assert said
        assert all(text.isprintable() and text.endswith(".") for text in said)
        assert all(". " not in text for text in said)


def test_words_name_what_goes_with_popularity_most(table: pd.DataFrame) -> None:
    said = in_words(table)
    assert said.startswith("Goes with popularity most: over years ")
    assert "over genres danceability +0." in said
    assert in_words(no_correlations()).endswith("over genres nothing")


class TestThePictures:
    def test_are_drawn_of_all_features(self, files: AudioFiles, table: pd.DataFrame) -> None:
        for drawn in (
            audio_charts.features(long_table(files.years)),
            audio_charts.correlations(table),
        ):
            assert len(drawn) < 80_000
            assert Image.open(io.BytesIO(drawn)).width > 800

    @pytest.mark.parametrize("n", [1, 2, 3, 25])
    def test_are_drawn_of_few_years_and_genres(self, files: AudioFiles, n: int) -> None:
        years = files.years.head(n)
        few = audio_correlations(years, files.genres.head(n), seed=0)
        assert Image.open(io.BytesIO(audio_charts.features(long_table(years)))).width > 800
        assert Image.open(io.BytesIO(audio_charts.correlations(few))).width > 800


def test_files_can_be_read_from_a_string_path(tmp_path: Path) -> None:
    assert len(read_audio_files(str(write_files(tmp_path / "x", years=3, genres=2))).genres) == 2
