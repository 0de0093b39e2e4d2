"""Ten artists for everybody, in order, none played, and each with an honest reason."""

from dataclasses import replace
from typing import cast

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sps
from list_worlds import matrix_of, names_of, sample, sample_names, tables

from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.weighting import Weigher, Weighting
from lastfm_assets.models import neighbours
from lastfm_assets.models.item_knn import ItemKnn, ItemKnnConfig
from lastfm_assets.models.ranking import NOBODY, RankedLists
from lastfm_assets.models.trained import MODELS, TrainedModel, train
from lastfm_assets.recommendations import reasons
from lastfm_assets.recommendations.lists import (
    as_table,
    min_max,
    similar_artists,
    top_artists,
    top_artists_of_listener,
)
from lastfm_assets.recommendations.rules import SIMILAR_ARTISTS_RULES, TOP_ARTISTS_RULES
from lastfm_assets.vocabulary import SIMILAR_LIST, TOP_LIST


@pytest.fixture(scope="module", params=list(MODELS))
def model(request: pytest.FixtureRequest) -> TrainedModel:
    """Each of the models, fitted on the sample."""
    side = SideTables(tables().tag_assignments, tables().friendships)
    return train(request.param, sample(), side=side, seed=0)


@pytest.fixture(scope="module")
def lists(model: TrainedModel) -> pd.DataFrame:
    return top_artists(model, sample(), sample_names())


def played_names(user: int) -> set[str]:
    plays = tables().interactions
    return set(sample_names()[plays.loc[plays["user_id"] == user, "artist_id"]])


class TestTopArtistsOfTheSample:
    def test_everybody_has_ten_in_rank_order(self, lists: pd.DataFrame) -> None:
        assert tuple(lists.columns) == TOP_LIST
        assert lists["user_id"].tolist() == np.repeat(sample().user_ids, 10).tolist()
        assert lists["rank"].tolist() == list(range(1, 11)) * 300

    def test_every_rule_of_publication_holds(
        self, lists: pd.DataFrame, model: TrainedModel
    ) -> None:
        findings = {
            rule.__name__: rule(lists, tables().interactions, tables().artists)
            for rule in TOP_ARTISTS_RULES
        }
        broken = [name for name, finding in findings.items() if not finding.passed]
        assert broken == (["lists_are_varied"] if model.name == "popularity" else []), findings

    def test_nobody_is_told_of_an_artist_they_play(self, lists: pd.DataFrame) -> None:
        plays = tables().interactions
        both = lists.merge(plays, on=["user_id", "artist_id"])
        assert len(both) == 0

    def test_scores_fall_from_1_to_0(self, lists: pd.DataFrame) -> None:
        scores = lists["score"].to_numpy().reshape(300, 10)
        assert (scores[:, 0] == 1).all()
        assert (np.diff(scores, axis=1) <= 0).all()
        equal = (scores == 1).all(axis=1)
        assert (scores[~equal, -1] == 0).all()
        assert equal.mean() < 0.05

    def test_lists_are_those_of_sorting_each_users_scores(
        self, lists: pd.DataFrame, model: TrainedModel
    ) -> None:
        scores = model.recommender.scores(np.arange(300))
        played = sample().plays.toarray() > 0
        for row in range(0, 300, 23):
            columns = [column for column in range(800) if not played[row, column]]
            columns.sort(key=lambda column, row=row: (-scores[row, column], column))
            best = columns[:10]
            mine = lists[lists["user_id"] == sample().user_ids[row]]
            assert mine["artist_id"].tolist() == sample().artist_ids[best].tolist()
            values = scores[row, best].astype(np.float64)
            if values[0] > values[-1]:
                scaled = (values - values[-1]) / (values[0] - values[-1])
                # float32 scores, whose last digit depends on what is multiplied together
                np.testing.assert_allclose(mine["score"], scaled, rtol=0, atol=1e-5)

    def test_names_are_those_of_the_catalogue(
        self, lists: pd.DataFrame, model: TrainedModel
    ) -> None:
        assert lists["artist_name"].tolist() == sample_names()[lists["artist_id"]].tolist()
        assert set(lists["model"]) == {model.name}

    def test_reasons_are_up_to_three_artists_that_the_user_plays(
        self, lists: pd.DataFrame, model: TrainedModel
    ) -> None:
        if model.name in ("popularity", "friends"):
            assert set(lists["because"]) == {""}
            return
        assert (lists["because"] != "").mean() > 0.99
        for user, because in lists.groupby("user_id")["because"]:
            reasons = [text.split("; ") for text in because if text]
            assert all(1 <= len(names) <= 3 for names in reasons)
            assert all(len(set(names)) == len(names) for names in reasons)
            assert {name for names in reasons for name in names} <= played_names(user)

    def test_the_first_reason_adds_most(self, lists: pd.DataFrame, model: TrainedModel) -> None:
        plays = sample().plays
        columns = sample().columns_of(lists["artist_id"].to_numpy()).reshape(300, 10)
        shares = model.recommender.contributions(plays, columns)
        because = lists["because"].to_numpy().reshape(300, 10)
        for row, share in enumerate(shares):
            listened = plays.indices[plays.indptr[row] : plays.indptr[row + 1]]
            names = sample_names()[sample().artist_ids[listened]].to_numpy()
            for place in range(10):
                order = np.lexsort((np.arange(len(listened)), -share[:, place]))[:3]
                expected = [names[at] for at in order if share[at, place] > 0]
                assert because[row, place] == "; ".join(expected)

    def test_texts_are_texts_and_numbers_numbers(self, lists: pd.DataFrame) -> None:
        kinds = {column: str(kind) for column, kind in lists.dtypes.items()}
        assert kinds == {
            "user_id": "int64",
            "rank": "int32",
            "artist_id": "int64",
            "artist_name": "str",
            "score": "float64",
            "because": "str",
            "model": "str",
        }

    def test_a_shorter_list_is_the_beginning_of_a_longer_one(
        self, lists: pd.DataFrame, model: TrainedModel
    ) -> None:
        three = top_artists(model, sample(), sample_names(), n=3)
        first = lists[lists["rank"] <= 3].reset_index(drop=True)
        pd.testing.assert_frame_equal(three.drop(columns="score"), first.drop(columns="score"))

    def test_do_not_depend_on_how_many_users_are_explained_together(
        self, lists: pd.DataFrame, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reasons, "_USERS", 64)
        monkeypatch.setattr(reasons, "_ALIKE", 7)
        again = top_artists(model, sample(), sample_names())
        pd.testing.assert_frame_equal(again, lists, check_exact=True)


class TestSmallWorlds:
    def test_a_user_who_has_played_all_but_three_gets_three(self) -> None:
        counts = [[1] * 9 + [0] * 3, [1] * 2 + [0] * 10, [0] * 9 + [1] * 3]
        matrix = matrix_of(counts)
        lists = top_artists(
            train("popularity", matrix, side=SideTables.none(), seed=0), matrix, names_of(matrix)
        )
        assert lists.groupby("user_id").size().to_dict() == {1: 3, 2: 10, 3: 9}
        assert lists.loc[lists["user_id"] == 1, "artist_id"].tolist() == [100, 110, 120]
        assert lists.loc[lists["user_id"] == 1, "rank"].tolist() == [1, 2, 3]

    def test_a_user_who_has_played_everything_gets_no_row(self) -> None:
        matrix = matrix_of([[1, 1, 1], [1, 0, 0]])
        for name in MODELS:
            lists = top_artists(
                train(name, matrix, side=SideTables.none(), seed=0), matrix, names_of(matrix)
            )
            assert lists["user_id"].tolist() == [2, 2], name

    def test_equal_scores_are_all_1_and_go_to_the_smaller_id(self) -> None:
        matrix = matrix_of([[1, 0, 0, 0], [0, 1, 1, 1]])
        lists = top_artists(
            train("popularity", matrix, side=SideTables.none(), seed=0), matrix, names_of(matrix)
        )
        mine = lists[lists["user_id"] == 1]
        assert mine["score"].tolist() == [1.0, 1.0, 1.0]
        assert mine["artist_id"].tolist() == [20, 30, 40]

    def test_a_single_artist_has_1(self) -> None:
        matrix = matrix_of([[1, 1, 0], [0, 1, 1]])
        lists = top_artists(
            train("popularity", matrix, side=SideTables.none(), seed=0), matrix, names_of(matrix)
        )
        assert lists["score"].tolist() == [1.0, 1.0]

    def test_a_reason_is_the_artist_that_brought_the_recommendation(self) -> None:
        # users 1 to 3 share artists 10 and 20, users 4 to 6 share 30 and 40; user 7 plays 10 and 30
        scene, other = [1, 1, 0, 0, 0], [0, 0, 1, 1, 0]
        matrix = matrix_of([*[scene] * 3, *[other] * 3, [1, 0, 1, 0, 0], [0, 0, 0, 0, 1]])
        config = ItemKnnConfig(weighting="binary", shrink=0.0)
        model = train("item_knn", matrix, config, side=SideTables.none(), seed=0)
        lists = top_artists(model, matrix, names_of(matrix)).set_index(["user_id", "artist_id"])
        because = lists["because"]
        assert because[7, 20] == "Artist 10"
        assert because[7, 40] == "Artist 30"
        assert because[7, 50] == ""

    def test_ended_lists_have_no_row(self) -> None:
        matrix = matrix_of([[1, 0, 0], [0, 1, 0]])
        model = train("popularity", matrix, side=SideTables.none(), seed=0)
        ranked = RankedLists(
            np.array([[2, NOBODY], [0, 2]]), np.array([[5, -np.inf], [4, 3]], dtype=np.float32)
        )
        table = as_table(model, matrix.plays, ranked, matrix.user_ids, names_of(matrix))
        assert table[["user_id", "rank", "artist_id"]].to_numpy().tolist() == [
            [1, 1, 30],
            [2, 1, 10],
            [2, 2, 30],
        ]
        assert table["score"].tolist() == [1.0, 1.0, 0.0]


class TestOneListener:
    @pytest.fixture
    def plays(self) -> sps.csr_array:
        return sample().plays[[5]]

    def test_a_stranger_gets_ten_of_what_folding_in_scores_best(
        self, model: TrainedModel, plays: sps.csr_array
    ) -> None:
        lists = top_artists_of_listener(model, plays, sample_names())
        assert tuple(lists.columns) == TOP_LIST
        assert set(lists["user_id"]) == {0}
        assert lists["rank"].tolist() == list(range(1, 11))
        scores = model.recommender.fold_in(plays)[0]
        left = [column for column in range(800) if column not in set(plays.indices.tolist())]
        left.sort(key=lambda column: (-scores[column], column))
        assert lists["artist_id"].tolist() == sample().artist_ids[left[:10]].tolist()

    def test_asking_twice_gives_the_same(self, model: TrainedModel, plays: sps.csr_array) -> None:
        first = top_artists_of_listener(model, plays, sample_names())
        pd.testing.assert_frame_equal(top_artists_of_listener(model, plays, sample_names()), first)

    def test_a_listener_who_plays_everything_gets_an_empty_list(self, model: TrainedModel) -> None:
        everything = sps.csr_array(np.ones((1, 800), dtype=np.float32))
        assert len(top_artists_of_listener(model, everything, sample_names())) == 0

    def test_the_length_can_be_chosen(self, model: TrainedModel, plays: sps.csr_array) -> None:
        assert len(top_artists_of_listener(model, plays, sample_names(), n=3)) == 3


class TestMinMax:
    def test_listed_scores_go_from_0_to_1(self) -> None:
        scores = np.array([[5.0, 3.0, 1.0, -np.inf], [2.0, 2.0, 2.0, 2.0]])
        listed = np.isfinite(scores)
        scaled = min_max(scores, listed)
        assert scaled[listed].tolist() == [1.0, (3 - 1) / (5 - 1), 0.0, 1.0, 1.0, 1.0, 1.0]

    def test_a_row_without_a_listed_score_breaks_nothing(self) -> None:
        scaled = min_max(np.full((1, 3), -np.inf), np.zeros((1, 3), dtype=bool))
        assert scaled.shape == (1, 3)


COUNTS = [
    [1, 2, 0, 0, 0, 0],
    [3, 1, 1, 0, 0, 0],
    [0, 5, 1, 0, 9, 0],
    [2, 0, 0, 4, 0, 0],
    [0, 0, 2, 1, 0, 0],
    [0, 0, 0, 7, 0, 0],
    [0, 0, 0, 1, 0, 0],
]
"""Nobody plays the sixth artist."""


class TestSimilarArtists:
    def test_they_are_those_of_brute_force(self) -> None:
        matrix = matrix_of(COUNTS)
        config = ItemKnnConfig()
        weights = Weigher.fit(matrix.plays, config.as_weighting()).weighted(matrix.plays)
        dense, played = weights.toarray().astype(float), matrix.plays.toarray() > 0
        expected = []
        for a in range(6):
            cosines = {}
            for b in range(6):
                product = dense[:, a] @ dense[:, b]
                if a != b and product > 0:
                    norms = np.linalg.norm(dense[:, a]) * np.linalg.norm(dense[:, b])
                    cosines[b] = product / (norms + config.shrink)
            best = sorted(cosines, key=lambda b: (-round(cosines[b], 9), b))
            for rank, b in enumerate(best, start=1):
                common = int((played[:, a] & played[:, b]).sum())
                expected.append((10 * (a + 1), rank, 10 * (b + 1), cosines[b], common))
        found = similar_artists(matrix, names_of(matrix))
        assert tuple(found.columns) == SIMILAR_LIST
        keys = found[["to_artist_id", "rank", "artist_id"]].to_numpy().tolist()
        assert keys == [list(row[:3]) for row in expected]
        np.testing.assert_allclose(found["similarity"], [row[3] for row in expected], rtol=1e-5)
        assert found["because"].tolist() == [
            f"{row[4]} listener{'' if row[4] == 1 else 's'} in common" for row in expected
        ]
        assert 60 not in set(found["to_artist_id"]) | set(found["artist_id"])

    def test_common_listeners_are_counted_exactly_whatever_the_chunk(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = similar_artists(sample(), sample_names())
        played = sample().plays.toarray() > 0
        to = sample().columns_of(whole["to_artist_id"].to_numpy())
        column = sample().columns_of(whole["artist_id"].to_numpy())
        common = (played[:, to] & played[:, column]).sum(axis=0)
        found = whole["because"].str.split(" ").str[0].astype(int)
        assert found.tolist() == common.tolist()
        monkeypatch.setattr(neighbours, "_ENTRIES", 1000)
        monkeypatch.setattr(neighbours, "_BITS", 5)
        pd.testing.assert_frame_equal(similar_artists(sample(), sample_names()), whole)

    def test_every_rule_of_publication_holds(self) -> None:
        found = similar_artists(sample(), sample_names())
        for rule in SIMILAR_ARTISTS_RULES:
            finding = rule(found, tables().artists)
            assert finding.passed, (rule.__name__, finding.facts)

    def test_a_score_is_the_similarity_scaled_per_artist(self) -> None:
        found = similar_artists(sample(), sample_names())
        for _, mine in found.groupby("to_artist_id"):
            similarity = mine["similarity"].to_numpy()
            width = similarity.max() - similarity.min()
            expected = (similarity - similarity.min()) / width if width else np.ones(len(mine))
            np.testing.assert_allclose(mine["score"], expected, atol=1e-6)

    def test_a_shorter_list_is_the_beginning_of_a_longer_one(self) -> None:
        ten = similar_artists(sample(), sample_names())
        three = similar_artists(sample(), sample_names(), n=3)
        first = ten[ten["rank"] <= 3].reset_index(drop=True)
        pd.testing.assert_frame_equal(three.drop(columns="score"), first.drop(columns="score"))
        assert three.groupby("to_artist_id").size().max() == 3

    def test_they_are_the_neighbours_that_item_knn_would_use(self) -> None:
        model = cast(
            "ItemKnn", train("item_knn", sample(), side=SideTables.none(), seed=0).recommender
        )
        found = similar_artists(sample(), sample_names())
        to = sample().columns_of(found["to_artist_id"].to_numpy())
        column = sample().columns_of(found["artist_id"].to_numpy())
        expected = model.similarity.toarray()[to, column]
        np.testing.assert_allclose(found["similarity"], expected, rtol=1e-6)

    def test_names_belong_to_their_ids(self) -> None:
        found = similar_artists(sample(), sample_names())
        assert found["artist_name"].tolist() == sample_names()[found["artist_id"]].tolist()
        assert found["to_artist_name"].tolist() == sample_names()[found["to_artist_id"]].tolist()

    def test_another_weighting_of_the_matrix_changes_nothing(self) -> None:
        matrix = matrix_of(COUNTS)
        logs = replace(matrix, weighting=Weighting("log"), weights=np.log1p(matrix.plays.data))
        pd.testing.assert_frame_equal(
            similar_artists(logs, names_of(matrix)), similar_artists(matrix, names_of(matrix))
        )


def test_lists_leave_the_plays_and_the_model_alone() -> None:
    matrix = matrix_of(COUNTS)
    model = train("popularity", matrix, side=SideTables.none(), seed=0)
    before = matrix.fingerprint
    learnt = {name: array.copy() for name, array in model.recommender.arrays().items()}
    top_artists(model, matrix, names_of(matrix))
    top_artists_of_listener(model, matrix.plays[[0]], names_of(matrix))
    similar_artists(matrix, names_of(matrix))
    assert matrix.fingerprint == before
    np.testing.assert_equal(model.recommender.arrays(), learnt)
