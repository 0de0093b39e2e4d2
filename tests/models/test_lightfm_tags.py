"""The contract on LightFM with tags, and that a user's own tags give nothing away."""

from typing import Any, ClassVar, cast

import numpy as np
import pandas as pd
import pytest
from model_contract import RecommenderContract
from model_worlds import crowd, matrix_of

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.lightfm_tags import LightFmTags, LightFmTagsConfig, _Features
from lastfm_assets.models.tag_counts import count_tags
from lastfm_assets.models.trained import TrainedModel, train


def tagged(triples: list[tuple[int, int, int]]) -> SideTables:
    """Side tables of `(user_id, artist_id, tag_id)` assignments alone."""
    table = pd.DataFrame(triples, columns=["user_id", "artist_id", "tag_id"], dtype=np.int64)
    return SideTables(table, SideTables.none().friendships)


class TestLightFmTags(RecommenderContract):
    name = "lightfm_tags"
    changes: ClassVar[dict[str, Any]] = {
        "loss": "bpr",
        "components": 5,
        "learning_rate": 0.1,
        "epochs": 3,
        "max_sampled": 2,
        "item_alpha": 0.01,
        "user_alpha": 0.01,
        "min_taggers": 30,
        "tags_per_artist": 1,
        "tag_weight": 2.0,
    }
    bad: ClassVar[list[dict[str, Any]]] = [
        {"loss": "logistic"},
        {"components": 0},
        {"learning_rate": 0},
        {"epochs": 0},
        {"max_sampled": 0},
        {"item_alpha": -1},
        {"user_alpha": -1},
        {"min_taggers": 0},
        {"tags_per_artist": 0},
        {"tag_weight": 0},
    ]
    draws_numbers = True
    folded_overlap = 5
    crowd_config: ClassVar[dict[str, Any]] = {"min_taggers": 5}
    scene_config: ClassVar[dict[str, Any]] = {"components": 4, "epochs": 50}

    @classmethod
    def side_of(cls, matrix: ListeningMatrix) -> SideTables:
        """Everybody tags what they play, and an artist more, by the artist's number modulo 5."""
        user, artist = matrix.plays.nonzero()
        more = (artist + 1) % len(matrix.artist_ids)
        users, artists = np.concatenate([user, user]), np.concatenate([artist, more])
        given = {
            "user_id": matrix.user_ids[users],
            "artist_id": matrix.artist_ids[artists],
            "tag_id": 10 * (artists % 5) + users % 2,
        }
        return SideTables(pd.DataFrame(given), SideTables.none().friendships)

    def test_without_tags_it_still_ranks(self) -> None:
        model = train("lightfm_tags", crowd(), side=SideTables.none(), seed=0)
        assert model.recommender.scores(np.arange(40)).std() > 0
        assert cast("LightFmTags", model.recommender).without_own_tags.nnz == 0

    def test_only_what_is_tagged_and_not_played_is_scored_anew(self, crowded: TrainedModel) -> None:
        side, matrix = self.side_of(crowd()).tag_assignments, crowd()
        rows, columns = matrix.rows_of(side["user_id"]), matrix.columns_of(side["artist_id"])
        played = matrix.plays.toarray() > 0
        expected = {(r, c) for r, c in zip(rows, columns, strict=True) if not played[r, c]}
        anew = cast("LightFmTags", crowded.recommender).without_own_tags.tocoo()
        assert set(zip(anew.row, anew.col, strict=True)) == expected
        assert expected


# a user's own tags


PLAYED, ASKED, TWIN, BARE = 1000, 1008, 1009, 1010
"""An artist of the rock scene; nobody plays the other three."""
ROCK, POP, RARE = 1, 2, 3
U, W, OTHER = 100, 102, 104
"""Three users of the rock scene."""


def scenes() -> ListeningMatrix:
    """Even users play four of the artists 1000 to 1003, odd ones of 1004 to 1007."""
    counts = np.zeros((12, 11))
    counts[0::2, :4] = 1
    counts[1::2, 4:8] = 1
    counts[np.arange(12), [0, 4, 1, 5, 2, 6, 3, 7, 0, 4, 1, 5]] = 0
    return matrix_of(counts)


def scene_tags() -> list[tuple[int, int, int]]:
    """Users tag what they play, by their scene."""
    plays = scenes().plays.tocoo()
    return [
        (100 + u, 1000 + a, ROCK if a < 4 else POP)
        for u, a in zip(plays.row.tolist(), plays.col.tolist(), strict=True)
    ]


def fitted(triples: list[tuple[int, int, int]], **parameters: Any) -> np.ndarray:
    config = LightFmTagsConfig(components=8, epochs=60, min_taggers=2, tag_weight=1.0, **parameters)
    model = LightFmTags.fit(scenes(), config, side=tagged(triples), seed=1)
    return model.scores(np.arange(12))


def score(scores: np.ndarray, user_id: int, artist_id: int) -> float:
    return float(scores[user_id - 100, artist_id - 1000])


def test_a_users_own_tags_on_an_artist_nobody_plays_do_not_raise_it_for_them() -> None:
    # somebody calls both artists rock; u alone calls one of them so, too, and rare
    both = [(W, ASKED, POP), (W, TWIN, POP), (W, PLAYED, RARE), (OTHER, PLAYED, RARE)]
    scores = fitted([*scene_tags(), *both, (U, ASKED, ROCK), (U, ASKED, RARE)])
    # for u it is the twin, which has everything but u's tags; for the others it is rock
    assert score(scores, U, ASKED) == pytest.approx(score(scores, U, TWIN), rel=1e-5)
    assert score(scores, OTHER, ASKED) > score(scores, OTHER, TWIN) + 0.1


def test_what_others_call_an_artist_raises_it() -> None:
    scores = fitted([*scene_tags(), (W, ASKED, ROCK), (OTHER, ASKED, ROCK)])
    assert score(scores, U, ASKED) > score(scores, U, BARE) + 0.1
    # the pop scene is not raised as much
    assert score(scores, U, ASKED) > score(scores, 101, ASKED) + 0.1


def test_who_gave_the_tags_matters_to_their_own_score_alone() -> None:
    triples = scene_tags()
    by_u, by_w = (fitted([*triples, (user, ASKED, ROCK)]) for user in (U, W))
    changed = {(int(u), int(a)) for u, a in np.argwhere(by_u != by_w)}
    assert changed == {(U - 100, ASKED - 1000), (W - 100, ASKED - 1000)}
    assert score(by_u, U, ASKED) < score(by_w, U, ASKED)
    assert score(by_w, W, ASKED) < score(by_u, W, ASKED)


def test_an_artist_whose_only_tags_are_the_users_own_is_one_of_which_nothing_is_known() -> None:
    scores = fitted([*scene_tags(), (U, ASKED, ROCK)])
    assert score(scores, U, ASKED) == pytest.approx(score(scores, U, BARE), rel=1e-6)
    assert score(scores, U, ASKED) == pytest.approx(score(scores, W, BARE), rel=1e-6)
    assert (scores[:, BARE - 1000] < scores[0::2, :4].min()).all()


def test_a_tag_given_twice_counts_once() -> None:
    once = [*scene_tags(), (U, ASKED, ROCK), (W, ASKED, POP)]
    np.testing.assert_array_equal(fitted(once), fitted([*once, *once]))


def test_tags_of_unknown_users_and_artists() -> None:
    known = [*scene_tags(), (W, ASKED, POP)]
    stranger = fitted([*known, (999, ASKED, ROCK)])
    assert score(stranger, U, ASKED) > score(fitted(known), U, ASKED)
    np.testing.assert_array_equal(fitted([*known, (U, 5555, ROCK)]), fitted(known))


def test_weights_are_those_of_the_equation() -> None:
    triples = [(U, 1000, ROCK), (W, 1000, ROCK), (U, 1000, POP), (U, 1001, ROCK), (W, 1002, RARE)]
    triples += [(OTHER, 1003, RARE), (101, 1004, 9)]  # one tagger is too few
    config = LightFmTagsConfig(min_taggers=2, tags_per_artist=2, tag_weight=0.8)
    tags = count_tags(tagged([*triples, (101, 1001, POP)]), scenes(), min_taggers=2)
    features = _Features.of(scenes(), tags, config)
    dense = features.of_artists(np.arange(11), tags.counts).toarray()
    assert dense.shape == (11, 11 + 3)
    np.testing.assert_array_equal(dense[:, :11], np.diag([1.0] * 8 + [0.0] * 3))
    rock, pop = np.log(3) * np.log(11 / 2), np.log(2) * np.log(11 / 2)
    np.testing.assert_allclose(
        dense[0, 11:], [0.8 * rock / (rock + pop), 0.8 * pop / (rock + pop), 0], rtol=1e-6
    )
    np.testing.assert_allclose(dense[1, 11:], [0.4, 0.4, 0], rtol=1e-6)
    np.testing.assert_allclose(dense[2, 11:], [0, 0, 0.8], rtol=1e-6)
    assert not dense[4:, 11:].any()


def test_only_the_heaviest_tags_are_kept() -> None:
    triples = [(U, 1000, ROCK), (W, 1000, ROCK), (U, 1000, POP), (W, 1001, POP)]
    config = LightFmTagsConfig(min_taggers=1, tags_per_artist=1, tag_weight=0.5)
    tags = count_tags(tagged(triples), scenes(), min_taggers=1)
    dense = _Features.of(scenes(), tags, config).of_artists(np.arange(11), tags.counts).toarray()
    np.testing.assert_allclose(dense[:2, 11:], [[0.5, 0], [0, 0.5]])
