"""Models inside Spark: the equations, the lists and the figures are those of one machine."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from spark_world import CONFIG, World, collected, frame, weighted, world

from lastfm_assets.engines.spark.als import PAIRS_OF_A_ROW, fit_als, fit_popularity
from lastfm_assets.engines.spark.content import content_of, numbered
from lastfm_assets.engines.spark.fitted import SparkModel
from lastfm_assets.engines.spark.judging import evaluate, judge, of_judged_users
from lastfm_assets.engines.spark.ranking import top_artists
from lastfm_assets.engines.spark.reasons import Reasons
from lastfm_assets.evaluation.judge import evaluate_parts
from lastfm_assets.evaluation.judge import judge as judge_locally
from lastfm_assets.evaluation.judged_users import of_judged_users as judged_locally
from lastfm_assets.evaluation.leaderboard import Evaluation, leaderboard
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.split import pairs_of
from lastfm_assets.listening.weighting import Weigher
from lastfm_assets.models.als import Als
from lastfm_assets.models.arrays import entries_of
from lastfm_assets.models.factors import Factors
from lastfm_assets.models.popularity import PopularityConfig
from lastfm_assets.models.ranking import NOBODY
from lastfm_assets.models.trained import TrainedModel, train
from lastfm_assets.recommendations.lists import min_max

pytestmark = pytest.mark.integration

FITS = CONFIG.fits
K = CONFIG.factors


@pytest.fixture(scope="module")
def sample() -> World:
    return world()


@pytest.fixture(scope="module")
def models(
    spark: Any, sample: World, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, SparkModel]:
    """One fitted on train and validation, its second fit on train alone."""
    artists = frame(spark, sample.artists)
    folder = tmp_path_factory.mktemp("models")
    return {
        name: fit_als(
            weighted(spark, sample.matrix(*parts), CONFIG.as_weighting()),
            artists,
            CONFIG,
            seed=3,
            folder=str(folder / name),
        )
        for name, parts in {"model": ("train", "validation"), "probe": ("train",)}.items()
    }


def vectors_of(spark: Any, model: SparkModel) -> tuple[np.ndarray, np.ndarray]:
    """(n_users, fits x k) and (n_artists, fits x k), in the order of ids."""
    users = collected(model.users(spark), "user_id")["vector"]
    artists = collected(model.artists(spark), "artist_id")["vector"]
    return np.vstack(users.tolist()), np.vstack(artists.tolist())


def as_local(spark: Any, model: SparkModel, matrix: ListeningMatrix) -> TrainedModel:
    """The same vectors in a local model."""
    users, artists = vectors_of(spark, model)
    factors = Factors(users / np.float32(FITS), artists, np.zeros(len(artists), dtype=np.float32))
    recommender = Als(factors, Weigher.fit(matrix.plays, CONFIG.as_weighting()), CONFIG)
    return TrainedModel(
        recommender,
        CONFIG,
        3,
        data=matrix.fingerprint,
        side="",
        code="",
        user_ids=matrix.user_ids,
        artist_ids=matrix.artist_ids,
    )


def test_every_user_vector_solves_the_equation_that_the_docstring_gives(
    spark: Any, sample: World, models: dict[str, SparkModel]
) -> None:
    matrix = sample.matrix("train", "validation")
    users, artists = vectors_of(spark, models["model"])
    confidence = matrix.weighted(CONFIG.as_weighting()) * CONFIG.alpha
    penalty = CONFIG.regularization / PAIRS_OF_A_ROW
    for start in range(0, FITS * K, K):
        v = artists[:, start : start + K].astype(np.float64)
        for row in range(0, len(users), 7):
            listened, c = entries_of(confidence, row)
            c = np.maximum(c.astype(np.float64), 1.0)
            own = v[listened]
            lhs = v.T @ v + (own.T * (c - 1)) @ own + penalty * len(listened) * np.eye(K)
            solved = np.linalg.solve(lhs, own.T @ c)
            np.testing.assert_allclose(users[row, start : start + K], solved, atol=2e-5)


def test_artists_whom_nobody_plays_have_the_zero_vector(
    spark: Any, sample: World, models: dict[str, SparkModel]
) -> None:
    listeners = np.bincount(
        sample.matrix("train", "validation").plays.indices, minlength=len(sample.artists)
    )
    _, artists = vectors_of(spark, models["model"])
    assert (listeners == 0).any()
    np.testing.assert_array_equal(~artists.any(axis=1), listeners == 0)


def test_lists_are_the_best_artists_by_those_vectors_and_none_that_is_played(
    spark: Any, sample: World, models: dict[str, SparkModel]
) -> None:
    matrix = sample.matrix("train", "validation")
    local = as_local(spark, models["model"], matrix)
    ranked = local.rank(np.arange(len(matrix.user_ids)), n=10, leave_out=matrix.plays)
    table = collected(top_artists(spark, models["model"]), "user_id", "rank")
    listed = ranked.artists != NOBODY
    assert table["user_id"].tolist() == np.repeat(matrix.user_ids, listed.sum(axis=1)).tolist()
    assert table["artist_id"].tolist() == matrix.artist_ids[ranked.artists[listed]].tolist()
    expected = sample.names.reindex(table["artist_id"])
    assert table["artist_name"].tolist() == expected.tolist()
    np.testing.assert_allclose(
        table["score"], min_max(ranked.scores, listed)[listed], rtol=0, atol=1e-5
    )
    assert set(table["model"]) == {"als"}


def test_shares_of_the_listened_artists_add_up_to_the_score(
    spark: Any, sample: World, models: dict[str, SparkModel]
) -> None:
    matrix = sample.matrix("train", "validation")
    users, artists = vectors_of(spark, models["model"])
    reasons = Reasons(artists, FITS, models["model"].regularization)
    rated = matrix.weighted(CONFIG.as_weighting()) * CONFIG.alpha
    listed = np.argsort(-(users[4] @ artists.T))[:6]
    listened, confidence = entries_of(rated, 4)
    shares = reasons.shares(listened, np.maximum(confidence - 1, 1e-6), listed)
    np.testing.assert_allclose(shares.sum(axis=1), users[4] @ artists[listed].T / FITS, atol=1e-4)


def test_because_names_the_listened_artists_with_the_largest_shares(
    spark: Any, sample: World, models: dict[str, SparkModel]
) -> None:
    matrix = sample.matrix("train", "validation")
    _, artists = vectors_of(spark, models["model"])
    reasons = Reasons(artists, FITS, models["model"].regularization)
    table = collected(top_artists(spark, models["model"]), "user_id", "rank")
    first = table[table["user_id"] == matrix.user_ids[0]]
    listened, confidence = entries_of(matrix.weighted(CONFIG.as_weighting()) * CONFIG.alpha, 0)
    wanted = matrix.columns_of(first["artist_id"].to_numpy())
    shares = reasons.shares(listened, np.maximum(confidence - 1, 1e-6), wanted)
    names = sample.names.to_numpy()[listened].tolist()
    for share, because in zip(shares, first["because"], strict=True):
        found = [share[names.index(name)] for name in because.split("; ")]
        # artists whom the same users play have equal shares, and either may be named
        expected = np.sort(share[share > 0])[::-1][:3]
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_figures_are_those_of_the_local_judge_on_the_same_vectors(
    spark: Any, sample: World, models: dict[str, SparkModel]
) -> None:
    matrix = sample.matrix("train", "validation")
    model = as_local(spark, models["model"], matrix)
    probe = as_local(spark, models["probe"], sample.matrix("train"))
    side = SideTables(sample.tags, SideTables.none().friendships)
    local = evaluate_parts(model, matrix, sample.split_pairs, side, probe=probe)
    found = evaluate(
        models["model"],
        models["probe"],
        frame(spark, sample.split_pairs),
        tag_assignments=frame(spark, sample.tags[["artist_id", "tag_id"]]),
    )
    pd.testing.assert_frame_equal(found.per_user, local.per_user, atol=1e-9)
    assert found.beyond_accuracy == pytest.approx(local.beyond_accuracy, abs=1e-9, nan_ok=True)


def test_popularity_is_judged_as_locally_and_both_stand_on_one_leaderboard(
    spark: Any, sample: World, models: dict[str, SparkModel], tmp_path: Path
) -> None:
    artists = frame(spark, sample.artists)
    popular = [
        fit_popularity(
            weighted(spark, sample.matrix(*parts), CONFIG.as_weighting()),
            artists,
            seed=3,
            folder=str(tmp_path / name),
        )
        for name, parts in {"model": ("train", "validation"), "probe": ("train",)}.items()
    ]
    pairs = frame(spark, sample.split_pairs)
    found = evaluate(popular[0], popular[1], pairs)
    matrix = sample.matrix("train", "validation")
    model = train("popularity", matrix, PopularityConfig(), side=SideTables.none(), seed=3)
    local = Evaluation.of(
        model, evaluate_parts(model, matrix, sample.split_pairs, SideTables.none())
    )
    pd.testing.assert_frame_equal(found.per_user, local.per_user, atol=1e-9)
    assert found.beyond_accuracy == pytest.approx(local.beyond_accuracy, abs=1e-9, nan_ok=True)
    als = evaluate(models["model"], models["probe"], pairs)
    sizes = pairs_of(sample.split_pairs, "held_out").groupby("user_id").size()
    board = leaderboard([als, found], sizes, seed=0)
    assert sorted(board["model"]) == ["als", "popularity"]
    because = set(collected(top_artists(spark, popular[0]), "user_id", "rank")["because"])
    assert because == {""}


def test_a_user_without_plays_is_judged_by_what_is_popular(
    spark: Any, sample: World, models: dict[str, SparkModel]
) -> None:
    matrix = sample.matrix("train", "validation")
    stranger = int(matrix.user_ids[-1]) + 5
    popular = np.argsort(-np.bincount(matrix.plays.indices), kind="stable")[:3]
    wanted = pd.DataFrame(
        {
            "user_id": [stranger, stranger, int(matrix.user_ids[0])],
            "artist_id": [*matrix.artist_ids[popular[[0, 2]]], 17],  # 17 is in no catalogue
        }
    )
    found = judge(models["model"], frame(spark, wanted))
    local = judge_locally(
        as_local(spark, models["model"], matrix), matrix, wanted, cutoffs=[10]
    ).per_user
    pd.testing.assert_frame_equal(found[local.columns], local, atol=1e-9)
    assert found["precision@10"].tolist() == [0.0, 0.2]


def test_the_same_users_are_judged_as_locally(spark: Any, sample: World) -> None:
    for n in (17, 10_000):
        expected = judged_locally(sample.split_pairs, n, seed=4)
        found = of_judged_users(frame(spark, sample.split_pairs), n, seed=4)
        found = collected(found.select("user_id", "artist_id"), "user_id", "artist_id")
        expected = expected.sort_values(["user_id", "artist_id"], ignore_index=True)
        pd.testing.assert_frame_equal(found, expected[["user_id", "artist_id"]])


def test_a_model_is_known_again_from_its_text(models: dict[str, SparkModel]) -> None:
    assert SparkModel.from_json(models["model"].to_json()) == models["model"]
    assert models["model"].fingerprint != models["probe"].fingerprint


def test_a_second_fit_of_other_parameters_is_refused(models: dict[str, SparkModel]) -> None:
    other = replace(models["probe"], seed=9)
    with pytest.raises(ValueError, match="the second fit is of als with other parameters or seed"):
        evaluate(models["model"], other, None)  # type: ignore[arg-type]


def test_numbers_of_ids_rise_with_the_ids_from_zero(spark: Any, tmp_path: Path) -> None:
    ids = np.random.default_rng(1).permutation(5000).astype(np.int64) * 3 + 2**52
    shuffled = frame(spark, pd.DataFrame({"user_id": ids})).repartition(5)
    found = collected(numbered(shuffled, "user_id", str(tmp_path / "n")), "user_id")
    assert found["position"].tolist() == list(range(5000))


def test_the_hash_of_rows_knows_values_and_repetitions_but_no_order(spark: Any) -> None:
    rows = pd.DataFrame({"a": [1, 2, 2], "b": ["x", "y", "y"], "c": [0.5, math.nan, math.nan]})
    hashes = [
        content_of(frame(spark, table))
        for table in (
            rows,
            rows[::-1],
            rows[:2],
            rows.replace({"x": "z"}),
            rows.rename(columns={"a": "d"}),
        )
    ]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 4
