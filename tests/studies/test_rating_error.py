"""Errors by hand, a world in which they do not make lists, and words that follow the figures."""

import numpy as np
import pandas as pd
import pytest
from study_pairs import IDS, dealt

from lastfm_assets.listening.split import pair_hash
from lastfm_assets.studies import predictors
from lastfm_assets.studies.charts import error_and_lists
from lastfm_assets.studies.predictors import PREDICTORS
from lastfm_assets.studies.rating_error import (
    COLUMNS,
    FOLDS,
    as_ratings,
    in_words,
    left_out,
    rating_error,
)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return rating_error(dealt(), IDS, seed=0)


def plays(*counts: int) -> pd.DataFrame:
    return pd.DataFrame({"user_id": 1, "artist_id": range(len(counts)), "plays": counts})


class TestRatings:
    def test_are_the_logarithm_between_the_least_and_the_most(self) -> None:
        fitted_on = plays(1, 7, 31)  # log2(1 + plays) is 1, 3, 5
        assert as_ratings(fitted_on, fitted_on)["rating"].tolist() == pytest.approx([1, 3, 5])

    def test_of_other_pairs_are_clipped_to_the_scale(self) -> None:
        found = as_ratings(plays(1, 15, 10_000), plays(3, 15, 63))
        assert found["rating"].tolist() == pytest.approx([1, 3, 5])

    def test_of_pairs_that_are_all_alike_are_the_lowest(self) -> None:
        assert as_ratings(plays(5, 5), plays(5, 5))["rating"].tolist() == [1, 1]


class TestTheTable:
    def test_has_a_row_a_predictor(self, table: pd.DataFrame) -> None:
        assert list(table.columns) == list(COLUMNS)
        assert table["model"].tolist() == list(PREDICTORS)
        assert (table["folds"] == FOLDS).all()

    def test_has_figures_within_their_intervals(self, table: pd.DataFrame) -> None:
        for figure in ("rmse", "mae", "precision@10"):
            inside = table[figure].between(table[f"{figure}_low"], table[f"{figure}_high"])
            assert inside.all(), figure

    def test_has_the_error_of_the_mean_as_one_computes_it(self, table: pd.DataFrame) -> None:
        pairs = dealt()
        fold = pair_hash(pairs["user_id"].to_numpy(), pairs["artist_id"].to_numpy(), 0) % np.uint64(
            FOLDS
        )
        errors = []
        for number in range(FOLDS):
            known, asked = pairs[fold != number], pairs[fold == number]
            mean = as_ratings(known, known)["rating"].mean()
            errors.append(as_ratings(asked, known)["rating"] - mean)
        every = pd.concat(errors)
        assert len(every) == len(pairs)
        row = table.set_index("model").loc["mean"]
        assert row["rmse"] == pytest.approx(float(np.sqrt((every**2).mean())), abs=1e-9)
        assert row["mae"] == pytest.approx(float(every.abs().mean()), abs=1e-9)

    def test_is_the_same_again(self, table: pd.DataFrame) -> None:
        pd.testing.assert_frame_equal(rating_error(dealt(), IDS, seed=0), table)

    def test_is_told_of_as_it_grows(self) -> None:
        told: list[tuple[int, int]] = []
        rating_error(dealt(), IDS, seed=0, on_progress=lambda done, all_: told.append((done, all_)))
        assert [done for done, _ in told] == list(range(1, len(PREDICTORS) * (FOLDS + 1) + 1))
        assert {all_ for _, all_ in told} == {len(told)}


class TestWithMoreUsersThanNeighboursFitInMemory:
    def test_the_others_have_the_same_rows(
        self, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(predictors, "MOST_USERS", dealt()["user_id"].nunique() - 1)
        told: list[tuple[int, int]] = []
        without = rating_error(
            dealt(), IDS, seed=0, on_progress=lambda done, all_: told.append((done, all_))
        )
        others = table[table["model"] != "knn_baseline"].reset_index(drop=True)
        pd.testing.assert_frame_equal(without, others)
        assert (left_out(without), left_out(table)) == (("knn_baseline",), ())
        assert told[-1] == (3 * (FOLDS + 1), 3 * (FOLDS + 1))
        assert "knn_baseline" not in in_words(without, "als", 0.25)
        assert error_and_lists(without, "als", 0.25).startswith(b"\x89PNG")

    def test_just_as_many_as_fit_are_fitted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(predictors, "MOST_USERS", dealt()["user_id"].nunique())
        assert left_out(rating_error(dealt(), IDS, seed=0)) == ()


class TestWords:
    def test_name_the_lowest_error_and_the_best_lists_whichever_they_are(
        self, table: pd.DataFrame
    ) -> None:
        swapped = table.assign(
            **{"rmse": [0.9, 0.1, 0.5, 0.6], "precision@10": [0.001, 0.02, 0.3, 0.04]}
        )
        said = in_words(swapped, "als", 0.25)
        assert said.startswith("baseline predicts ratings best: 0.100 points off")
        assert "the mean of all ratings is 0.900 off" in said
        assert "0.20 are played; als, which is asked for lists" in said
        assert "finds 2.50" in said
        assert "knn_baseline's, 3.00 of ten" in said


def test_a_source_without_counts_has_nothing_to_predict() -> None:
    """Playlists: every pair is one row."""
    table = rating_error(dealt().assign(plays=1), IDS, seed=0)
    exact = table[table["model"] != "svd"]  # which errs by its random beginnings
    assert (exact[["rmse", "mae"]] == 0).all(axis=None)
    assert in_words(table, "als", 0.2).endswith("there is no rating to predict.")


def test_the_lowest_error_can_have_lists_without_a_hit() -> None:
    """What some play a lot is rated high, and not played by others, who play others a little."""
    rows = []
    for user in range(60):
        common = [200 + (user + step) % 12 for step in range(8)]
        rows += [(user, artist, 10, "train") for artist in common[:6]]
        rows += [(user, artist, 10, "held_out") for artist in common[6:]]
        if user < 40:
            rows += [(user, 300 + user % 10, 5000, "train")]
        if user % 15 < 4:
            rows += [(user, 100 + user % 4, 5000, "train")]
    pairs = pd.DataFrame(rows, columns=["user_id", "artist_id", "plays", "part"])
    table = rating_error(pairs, np.arange(100, 320), seed=0).set_index("model")
    assert table.loc["knn_baseline", "rmse"] < table.loc["mean", "rmse"] / 10
    assert table.loc["knn_baseline", "precision@10"] == 0
