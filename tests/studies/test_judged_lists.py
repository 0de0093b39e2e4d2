"""Scores of any origin are judged as the models are."""

import numpy as np
import pandas as pd
from study_pairs import IDS, dealt, known

from lastfm_assets.evaluation.judge import judge
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.split import pairs_of
from lastfm_assets.models.trained import train
from lastfm_assets.studies.lists import judged

COLUMNS = ["user_id", "precision@10", "ndcg@10"]


def pairs(*rows: tuple[int, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "artist_id"]).assign(plays=1)


def test_figures_of_a_model_are_those_of_the_leaderboard() -> None:
    matrix, held_out = known(), pairs_of(dealt(), "held_out")
    model = train("popularity", matrix, side=SideTables.none(), seed=0)
    found = judged(model.recommender.scores, matrix, held_out)
    expected = judge(model, matrix, held_out, cutoffs=[10]).per_user[COLUMNS]
    pd.testing.assert_frame_equal(found, expected)
    assert found["precision@10"].sum() > 0


def test_what_was_fitted_on_is_found_only_where_it_is_not_left_out() -> None:
    matrix, fitted_on = known(), pairs_of(dealt(), "train", "validation")
    scores = matrix.plays.toarray()
    for leave_out, expected in ((True, 0.0), (False, 1.0)):
        found = judged(lambda rows: scores[rows], matrix, fitted_on, leave_out_played=leave_out)
        assert (found["precision@10"] == expected).all()


def test_a_held_out_artist_outside_the_catalogue_is_missed_and_is_nobody_s_hit() -> None:
    """Its column is -1, which must not be read as the last artist of the user before."""
    catalogue = np.arange(100, 106)
    matrix = ListeningMatrix.from_pairs(pairs((1, 100), (2, 100)), catalogue)
    held_out = pairs((1, 101), (2, 101), (2, 777))
    found = judged(lambda rows: np.zeros((len(rows), 6), dtype=np.float32), matrix, held_out)
    assert found["precision@10"].tolist() == [0.1, 0.1]
    first, second = found["ndcg@10"]
    assert first == 1.0
    assert 0 < second < 1


def test_users_that_were_not_fitted_on_are_left_out() -> None:
    stranger = pairs((12345, int(IDS[0])))
    held_out = pd.concat([pairs_of(dealt(), "held_out"), stranger])
    matrix = known()
    found = judged(lambda rows: matrix.plays[rows].toarray(), matrix, held_out)
    assert 12345 not in set(found["user_id"])
    assert len(found) == dealt()["user_id"].nunique()
