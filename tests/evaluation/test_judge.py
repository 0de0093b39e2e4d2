"""Models are judged on pairs they have not seen, over users whoever they are."""

from dataclasses import replace
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import pytest
from evaluation_worlds import (
    Memoriser,
    NoParameter,
    World,
    pairs,
    planted,
    slow_auc,
    slow_metrics,
    world,
    world_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from lastfm_assets.evaluation import judge as judging
from lastfm_assets.evaluation.judge import evaluate_parts, judge, train_alone
from lastfm_assets.evaluation.metrics import means
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.split import pairs_of, split
from lastfm_assets.models import trained
from lastfm_assets.models.trained import MODELS, TrainedModel, train

if TYPE_CHECKING:
    from lastfm_assets.models.ease_tags import EaseTags

HETREC = Path(__file__).parents[3] / "shared" / "data" / "hetrec2011-lastfm-2k"
ARTISTS = np.array([10, 20, 30, 40, 50])


@pytest.fixture
def matrix() -> ListeningMatrix:
    """Users 1, 2 and 3; artist 20 is the most popular, then 10 and 30, then 40 and 50."""
    played = pairs((1, 10), (1, 20), (2, 20), (2, 30), (3, 20), (3, 10), (3, 30))
    return ListeningMatrix.from_pairs(played, ARTISTS)


@pytest.fixture
def rising(matrix: ListeningMatrix) -> TrainedModel:
    """Prefers artists with larger ids."""
    return planted(matrix, np.tile(np.arange(5.0), (3, 1)))


class TestJudge:
    def test_known_users_are_ranked_without_what_they_play(
        self, rising: TrainedModel, matrix: ListeningMatrix
    ) -> None:
        # lists: user 1 gets 50, 40, 30; user 2 gets 50, 40, 10
        found = judge(rising, matrix, pairs((1, 30), (2, 50), (2, 20)), cutoffs=[1, 3]).per_user
        assert found["user_id"].tolist() == [1, 2]
        assert found["precision@1"].tolist() == [0, 1]
        assert found["precision@3"].tolist() == pytest.approx([1 / 3, 1 / 3])
        assert found["recall@3"].tolist() == [1, 1 / 2]

    def test_played_artists_can_be_asked_back(
        self, rising: TrainedModel, matrix: ListeningMatrix
    ) -> None:
        found = judge(
            rising, matrix, pairs((1, 10), (1, 20)), cutoffs=[4], leave_out_played=False
        ).per_user
        assert found["recall@4"].tolist() == [1 / 2]
        assert judge(rising, matrix, pairs((1, 10)), cutoffs=[4]).per_user["recall@4"][0] == 0

    def test_an_unknown_user_gets_what_most_users_play(
        self, rising: TrainedModel, matrix: ListeningMatrix
    ) -> None:
        held_out = pairs((0, 20), (2, 50), (9, 10), (9, 50))
        found = judge(rising, matrix, held_out, cutoffs=[1, 2]).per_user
        assert found["user_id"].tolist() == [0, 2, 9]
        assert found["precision@1"].tolist() == [1, 1, 0]
        assert found["precision@2"].tolist() == [1 / 2, 1 / 2, 1 / 2]

    def test_nobody_known_is_judged_on_popularity_alone(
        self, rising: TrainedModel, matrix: ListeningMatrix
    ) -> None:
        found = judge(rising, matrix, pairs((8, 20), (9, 40)), cutoffs=[1]).per_user
        assert found["precision@1"].tolist() == [1, 0]

    def test_an_artist_outside_the_catalogue_counts_as_missed(
        self, rising: TrainedModel, matrix: ListeningMatrix
    ) -> None:
        found = judge(rising, matrix, pairs((1, 50), (1, 99), (1, 15)), cutoffs=[1]).per_user
        assert found["precision@1"].tolist() == [1]
        assert found["recall@1"].tolist() == [1 / 3]

    def test_a_pair_that_stands_twice_counts_once(
        self, rising: TrainedModel, matrix: ListeningMatrix
    ) -> None:
        found = judge(rising, matrix, pairs((1, 50), (1, 50)), cutoffs=[1]).per_user
        assert found["recall@1"].tolist() == [1]

    def test_nothing_held_out_judges_nobody(
        self, rising: TrainedModel, matrix: ListeningMatrix
    ) -> None:
        found = judge(rising, matrix, pairs().astype("int64"), cutoffs=[1])
        assert len(found.per_user) == 0
        assert found.rank_seconds >= 0

    def test_a_whole_judgement_agrees_with_brute_force(self) -> None:
        sample = world("sample")
        model = train("item_knn", sample.matrix, side=SideTables.none(), seed=0)
        found = judge(model, sample.matrix, sample.held_out, cutoffs=[10]).per_user
        scores = model.recommender.scores(np.arange(len(sample.matrix.user_ids)))
        played = sample.matrix.plays.toarray() > 0
        wanted = sample.held_out.groupby("user_id")["artist_id"].agg(set)
        assert found["user_id"].tolist() == list(wanted.index)
        for row in found.itertuples(index=False):
            place = int(sample.matrix.rows_of(np.array([row.user_id]))[0])
            columns = [c for c in range(scores.shape[1]) if not played[place, c]]
            columns.sort(key=lambda c, place=place: (-scores[place, c], c))
            listed = sample.matrix.artist_ids[columns[:10]].tolist()
            expected = slow_metrics(listed, wanted[row.user_id], 10)
            ranked = {int(sample.matrix.artist_ids[c]): float(scores[place, c]) for c in columns}
            auc = slow_auc(ranked, wanted[row.user_id])
            assert list(row)[1:] == pytest.approx([*expected.values(), auc])


class TestAuc:
    def test_played_artists_are_no_candidates(
        self, rising: TrainedModel, matrix: ListeningMatrix
    ) -> None:
        # user 1 plays 10 and 20; 30 < 40 < 50
        found = judge(rising, matrix, pairs((1, 40)), cutoffs=[1])
        assert found.per_user["auc"].tolist() == [1 / 2]
        everything = judge(rising, matrix, pairs((1, 40)), cutoffs=[1], leave_out_played=False)
        assert everything.per_user["auc"].tolist() == [3 / 4]

    def test_artists_that_are_never_ranked_stand_last_and_tied(
        self, rising: TrainedModel, matrix: ListeningMatrix
    ) -> None:
        # 99 is outside the catalogue, 10 is played: 50 is right twice, the others never
        found = judge(rising, matrix, pairs((1, 50), (1, 99), (1, 10)), cutoffs=[1]).per_user
        assert found["auc"].tolist() == [pytest.approx((2 + 0 + 0) / (3 * 2))]

    def test_unknown_users_have_that_of_popularity(
        self, rising: TrainedModel, matrix: ListeningMatrix
    ) -> None:
        # listeners of 10 to 50: 2, 3, 2, 0, 0
        found = judge(rising, matrix, pairs((8, 10), (9, 40)), cutoffs=[1]).per_user
        assert found["auc"].tolist() == pytest.approx([(1 / 2 + 2) / 4, (1 / 2) / 4])

    def test_it_is_undefined_where_everything_left_is_held_out(
        self, rising: TrainedModel, matrix: ListeningMatrix
    ) -> None:
        found = judge(rising, matrix, pairs((1, 30), (1, 40), (1, 50)), cutoffs=[1]).per_user
        assert found["auc"].isna().tolist() == [True]
        assert found["precision@1"].tolist() == [1]


class TestAgainstBruteForce:
    @settings(max_examples=120, deadline=None)
    @given(st.integers(0, 2**32 - 1), st.integers(1, 14), st.booleans())
    def test_every_figure_of_every_user_with_many_ties(
        self,
        seed: int,
        k: int,
        leave_out: bool,  # noqa: FBT001 (hypothesis draws it)
    ) -> None:
        rng = np.random.default_rng(seed)
        artist_ids = np.arange(100, 112)
        drawn = pd.DataFrame(
            {"user_id": rng.integers(1, 6, 20), "artist_id": rng.integers(100, 112, 20), "plays": 1}
        ).drop_duplicates()
        matrix = ListeningMatrix.from_pairs(drawn, artist_ids)
        table = rng.integers(0, 4, (len(matrix.user_ids), 12)).astype(np.float64)
        held_out = pairs(*zip(rng.integers(1, 9, 20), rng.integers(98, 114, 20), strict=True))
        found = judge(
            planted(matrix, table), matrix, held_out, cutoffs=[k], leave_out_played=leave_out
        )
        wanted = held_out.groupby("user_id")["artist_id"].agg(set)
        assert found.per_user["user_id"].tolist() == list(wanted.index)
        played = drawn.groupby("user_id")["artist_id"].agg(set)
        listeners = {a: float((drawn["artist_id"] == a).sum()) for a in artist_ids.tolist()}
        for row, listed in zip(found.per_user.to_dict("records"), found.lists, strict=True):
            user = row.pop("user_id")
            scores = listeners
            if user in played:
                of_user = table[matrix.user_ids.tolist().index(user)]
                left_out = played[user] if leave_out else set()
                scores = dict(zip(artist_ids.tolist(), of_user.tolist(), strict=True))
                scores = {a: score for a, score in scores.items() if a not in left_out}
            order = sorted(scores, key=lambda a, scores=scores: (-scores[a], a))[:k]
            assert artist_ids[listed[listed >= 0]].tolist() == order
            metrics = slow_metrics(order, wanted[user], k)
            missed = dict.fromkeys(wanted[user] - set(scores), -np.inf)
            expected = {f"{name}@{k}": value for name, value in metrics.items()}
            expected["auc"] = slow_auc({**scores, **missed}, wanted[user])
            assert row == pytest.approx(expected, nan_ok=True)


class TestEvaluateParts:
    def test_validation_comes_from_a_model_that_has_not_seen_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # what it was fitted on comes first, so a model that had seen validation would be perfect
        monkeypatch.setattr(trained, "MODELS", {**trained.MODELS, "memoriser": Memoriser})
        monkeypatch.setattr(trained, "code_of", lambda _name: "of this file")
        monkeypatch.setattr(Memoriser, "seen", [])
        sample = world("sample")
        model = train("memoriser", sample.matrix, NoParameter(), side=SideTables.none(), seed=0)
        found = evaluate_parts(model, sample.matrix, sample.split_pairs, SideTables.none()).per_user
        recall = found.groupby("part", observed=True)["recall@10"].mean()
        assert recall["validation"] < 0.1
        assert recall["held_out"] < 0.1
        assert found.groupby("part", observed=True)["precision@10"].mean()["train"] > 0.9
        whole, probe = Memoriser.seen
        assert whole.fingerprint == sample.matrix.fingerprint
        train_pairs = pairs_of(sample.split_pairs, "train")
        expected = ListeningMatrix.from_pairs(train_pairs, sample.matrix.artist_ids)
        assert probe.fingerprint == expected.fingerprint

    def test_each_part_is_judged_as_it_would_be_alone(self) -> None:
        sample = world("sample")
        config = trained.MODELS["als"].Config(factors=8)
        model = train("als", sample.matrix, config, side=SideTables.none(), seed=5)
        found = evaluate_parts(model, sample.matrix, sample.split_pairs, SideTables.none()).per_user
        train_matrix = ListeningMatrix.from_pairs(
            pairs_of(sample.split_pairs, "train"), sample.matrix.artist_ids
        )
        probe = train("als", train_matrix, config, side=SideTables.none(), seed=5)
        seen = pairs_of(sample.split_pairs, "train", "validation")
        expected = {
            "validation": judge(
                probe, train_matrix, pairs_of(sample.split_pairs, "validation"), cutoffs=[10]
            ),
            "held_out": judge(model, sample.matrix, sample.held_out, cutoffs=[10]),
            "train": judge(model, sample.matrix, seen, cutoffs=[10], leave_out_played=False),
        }
        for part, judgement in expected.items():
            rows = found[found["part"] == part].drop(columns="part").reset_index(drop=True)
            pd.testing.assert_frame_equal(rows, judgement.per_user)

    @pytest.mark.parametrize(
        ("factors", "seed", "alone", "said"),
        [
            (8, 6, True, "other parameters or seed"),
            (9, 5, True, "other parameters or seed"),
            (8, 5, False, "was not fitted on this matrix"),
        ],
    )
    def test_a_second_fit_that_is_not_the_model_on_train_alone_is_refused(
        self, *, factors: int, seed: int, alone: bool, said: str
    ) -> None:
        sample = world("sample")
        nothing = SideTables.none()
        config = trained.MODELS["als"].Config
        model = train("als", sample.matrix, config(factors=8), side=nothing, seed=5)
        on, _ = train_alone(sample.matrix, sample.split_pairs, nothing)
        probe_on = on if alone else sample.matrix
        probe = train("als", probe_on, config(factors=factors), side=nothing, seed=seed)
        with pytest.raises(ValueError, match=said):
            evaluate_parts(model, sample.matrix, sample.split_pairs, nothing, probe=probe)

    def test_users_of_each_part_are_those_with_a_pair_in_it(self) -> None:
        sample = world("sample")
        model = train("popularity", sample.matrix, side=SideTables.none(), seed=0)
        found = evaluate_parts(model, sample.matrix, sample.split_pairs, SideTables.none()).per_user
        assert list(found["part"].cat.categories) == ["train", "validation", "held_out"]
        for part in ("train", "validation", "held_out"):
            parts = ("train", "validation") if part == "train" else (part,)
            users = np.unique(pairs_of(sample.split_pairs, *parts)["user_id"])
            assert found.loc[found["part"] == part, "user_id"].tolist() == users.tolist()

    def test_a_source_of_small_users_has_no_validation_and_does_not_break(self) -> None:
        few = pairs((1, 10), (1, 20), (1, 30), (2, 20), (2, 30), (2, 40), (3, 10), (3, 40))
        dealt = split(few, seed=0)
        matrix = ListeningMatrix.from_pairs(pairs_of(dealt, "train", "validation"), ARTISTS)
        model = train("item_knn", matrix, side=SideTables.none(), seed=0)
        found = evaluate_parts(model, matrix, dealt, SideTables.none()).per_user
        assert set(found["part"]) == {"train", "held_out"}


def precision(model: str, world: World) -> float:
    fitted = train(model, world.matrix, side=SideTables.none(), seed=0)
    judged = judge(fitted, world.matrix, world.held_out, cutoffs=[10])
    return means(judged.per_user)["precision@10"]


class TestNoLeak:
    @pytest.mark.parametrize("model", ["als", "item_knn"])
    def test_without_a_pattern_a_model_is_no_better_than_popularity(self, model: str) -> None:
        # artists dealt anew among all pairs: how many listeners each has stays, who they are not
        sample = world("sample")
        interactions = sample.tables.interactions
        rng = np.random.default_rng(2)
        dealt = interactions.assign(artist_id=rng.permutation(interactions["artist_id"]))
        shuffled = world_of(
            dealt.drop_duplicates(["user_id", "artist_id"]).sort_values(["user_id", "artist_id"]),
            sample.tables,
        )
        assert precision(model, shuffled) < 1.2 * precision("popularity", shuffled)
        assert precision(model, shuffled) < 0.4 * precision(model, sample)

    @pytest.mark.parametrize("model", [name for name in MODELS if name != "popularity"])
    def test_with_held_out_artists_renamed_a_model_falls_to_chance(self, model: str) -> None:
        sample = world("sample")
        n_artists = len(sample.matrix.artist_ids)
        rng = np.random.default_rng(3)
        renamed = dict(
            zip(sample.matrix.artist_ids, rng.permutation(sample.matrix.artist_ids), strict=True)
        )
        held_out = sample.held_out.assign(artist_id=sample.held_out["artist_id"].map(renamed))
        judged = judge(
            train(model, sample.matrix, side=clean_side(sample), seed=0),
            sample.matrix,
            held_out,
            cutoffs=[10],
        )
        chance = len(held_out) / held_out["user_id"].nunique() / n_artists
        assert means(judged.per_user)["precision@10"] < 3 * chance


def clean_side(sample: World) -> SideTables:
    """Tags and friends without the tags of held-out pairs."""
    side = SideTables(sample.tables.tag_assignments, sample.tables.friendships)
    return side.without_tags_of(sample.held_out)


class TestTagsThatGiveHeldOutPairsAway:
    """Every user tags every held-out artist as they tag what they play: the clearest leak."""

    @staticmethod
    def planted_side(sample: World) -> SideTables:
        held_out = sample.held_out[["user_id", "artist_id"]]
        own_word = held_out.assign(tag_id=1_000_000 + held_out["user_id"])
        seen = pairs_of(sample.split_pairs, "train", "validation")[["user_id", "artist_id"]]
        usual = seen.assign(tag_id=1_000_000 + seen["user_id"])
        tags = sample.tables.tag_assignments[["user_id", "artist_id", "tag_id"]]
        return SideTables(
            pd.concat([tags, own_word, usual], ignore_index=True), sample.tables.friendships
        )

    @pytest.mark.parametrize("model", [name for name in MODELS if MODELS[name].needs_side])
    def test_help_no_model(self, model: str) -> None:
        sample = world("sample")
        precision = {}
        for name, side in (
            ("clean", self.planted_side(sample).without_tags_of(sample.held_out)),
            ("leaking", self.planted_side(sample)),
        ):
            judged = judge(
                train(model, sample.matrix, side=side, seed=0),
                sample.matrix,
                sample.held_out,
                cutoffs=[10],
            )
            precision[name] = means(judged.per_user)["precision@10"]
        assert precision["leaking"] < precision["clean"] + 0.01, precision

    def test_would_help_a_model_that_believed_them(self) -> None:
        sample = world("sample")
        side = self.planted_side(sample)
        model = train("ease_tags", sample.matrix, side=side, seed=0)
        trusting = cast("EaseTags", model.recommender)
        nothing = np.zeros(0, dtype=np.int64)
        trusting = replace(
            trusting,
            own_pair=np.zeros((0, 2), dtype=np.int64),
            own_tags=trusting.own_tags[nothing],
            own_share=trusting.own_share[nothing],
        )
        judged = judge(
            replace(model, recommender=trusting), sample.matrix, sample.held_out, cutoffs=[10]
        )
        honest = judge(model, sample.matrix, sample.held_out, cutoffs=[10])
        leaked, kept = (means(one.per_user)["precision@10"] for one in (judged, honest))
        assert leaked > kept + 0.03


SAMPLE_BANDS = {
    "als": (0.28, 0.33),
    "item_knn": (0.27, 0.33),
    "lightfm": (0.26, 0.32),
    "popularity": (0.07, 0.12),
}
HETREC_BANDS = {
    "als": (0.195, 0.215),
    "item_knn": (0.175, 0.20),
    "lightfm": (0.17, 0.20),
    "popularity": (0.06, 0.08),
}


@pytest.mark.parametrize(("model", "band"), SAMPLE_BANDS.items(), ids=str)
def test_held_out_precision_on_the_sample_lies_in_its_band(
    model: str, band: tuple[float, float]
) -> None:
    # a jump is as suspicious as a drop
    assert band[0] < precision(model, world("sample")) < band[1]


@pytest.mark.skipif(not HETREC.is_dir(), reason=f"the HetRec files are not at {HETREC}")
@pytest.mark.parametrize(("model", "band"), HETREC_BANDS.items(), ids=str)
def test_held_out_precision_on_hetrec_lies_in_its_band(
    model: str, band: tuple[float, float]
) -> None:
    assert band[0] < precision(model, world(str(HETREC))) < band[1]


def test_the_popularity_figure_is_a_hand_count() -> None:
    sample = world("sample")
    listeners = pairs_of(sample.split_pairs, "train", "validation")["artist_id"].value_counts()
    order = sorted(listeners.index, key=lambda artist: (-listeners[artist], artist))
    seen = pairs_of(sample.split_pairs, "train", "validation").groupby("user_id")["artist_id"]
    played = seen.agg(set)
    hits = []
    for user, wanted in sample.held_out.groupby("user_id")["artist_id"].agg(set).items():
        listed = [artist for artist in order if artist not in played[user]][:10]
        hits.append(len(wanted & set(listed)) / 10)
    assert isclose(precision("popularity", sample), float(np.mean(hits)))


def test_a_model_of_another_matrix_is_not_judged() -> None:
    artist_ids = np.array([1, 2, 3])
    one, other = (
        ListeningMatrix.from_pairs(
            pd.DataFrame({"user_id": [1, 2], "artist_id": artists, "plays": [1, 1]}), artist_ids
        )
        for artists in ([1, 2], [2, 3])
    )
    held_out = pd.DataFrame({"user_id": [1], "artist_id": [3]})
    with pytest.raises(ValueError, match="was not fitted on this matrix"):
        judge(
            train("popularity", one, side=SideTables.none(), seed=0), other, held_out, cutoffs=[10]
        )


@pytest.mark.parametrize(("many", "large"), [(12, 50_000), (0, 50_000), (0, 0)])
def test_ranks_of_factors_are_the_same_sorted_and_counted(
    monkeypatch: pytest.MonkeyPatch, many: int, large: int
) -> None:
    sample = world("sample")
    model = train("als", sample.matrix, side=SideTables.none(), seed=0)
    asked = judge(model, sample.matrix, sample.held_out, cutoffs=[10])
    monkeypatch.setattr(judging, "_MANY", many)
    monkeypatch.setattr(judging, "_LARGE", large)
    found = judge(model, sample.matrix, sample.held_out, cutoffs=[10])
    np.testing.assert_array_equal(found.lists, asked.lists)
    columns = found.per_user.columns.drop("auc")
    pd.testing.assert_frame_equal(found.per_user[columns], asked.per_user[columns])
    # sorted scores are a float32 product's, which may tell equal ones apart
    np.testing.assert_allclose(found.per_user["auc"], asked.per_user["auc"], atol=1e-3)
