"""Several random splits of one source, and what is said of models judged on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lastfm_assets.errors import BadInputError
from lastfm_assets.evaluation.judge import judge
from lastfm_assets.evaluation.metrics import means
from lastfm_assets.evaluation.repeated import Repeated, evaluate_repeatedly
from lastfm_assets.listening.clean import CleanTables
from lastfm_assets.listening.load import load
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.split import random_split
from lastfm_assets.models.lightfm_tags import LightFmTags
from lastfm_assets.models.trained import train
from lastfm_assets.progress import no_progress

NAMES = ["item_knn", "popularity"]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> CleanTables:
    return load("sample", data_folder=Path(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="module")
def repeated(tables: CleanTables) -> Repeated:
    return evaluate_repeatedly(
        tables,
        NAMES,
        seeds=range(3),
        held_out_share=0.2,
        cutoffs=[5, 10],
        progress_of=lambda *_: no_progress,
    )


def test_each_split_is_judged_as_it_would_be_alone(tables: CleanTables, repeated: Repeated) -> None:
    known, held_out = random_split(tables.interactions, seed=1, held_out_share=0.2)
    matrix = ListeningMatrix.from_pairs(known, tables.artists["artist_id"].to_numpy())
    model = train("item_knn", matrix, side=SideTables.none(), seed=1)
    alone = means(judge(model, matrix, held_out, cutoffs=[5, 10]).per_user)
    together = repeated.per_seed().loc[("item_knn", 1)].to_dict()
    assert together == pytest.approx(alone)


def test_the_summary_is_the_mean_over_splits_within_its_interval(repeated: Repeated) -> None:
    summary = repeated.summary(seed=0)
    assert summary.index.tolist() == NAMES
    for model in NAMES:
        of_seeds = repeated.per_seed().loc[model]["ndcg@10"]
        row = summary.loc[model]
        assert len(of_seeds) == 3
        assert row["ndcg@10"] == pytest.approx(of_seeds.mean())
        assert row["ndcg@10_low"] < row["ndcg@10"] < row["ndcg@10_high"]
        assert row["ndcg@10_high"] - row["ndcg@10_low"] < 0.1


def test_every_model_is_judged_on_the_same_users(repeated: Repeated) -> None:
    one, other = (repeated.per_user[name][["split_seed", "user_id"]] for name in NAMES)
    pd.testing.assert_frame_equal(one, other)


def test_what_is_better_is_said_in_words(repeated: Repeated) -> None:
    (row,) = repeated.comparison("ndcg@10", seed=0).to_dict("records")
    assert row["verdict"] == "item_knn beats popularity"


def test_a_source_too_small_to_hold_anything_out_is_told_so(tables: CleanTables) -> None:
    """It was a KeyError of the first model's name."""
    one_pair = replace(tables, interactions=tables.interactions.head(1))
    told = "nothing is held out in any split; expected more pairs, or a larger --share"
    with pytest.raises(BadInputError, match=told):
        evaluate_repeatedly(
            one_pair,
            ["popularity"],
            seeds=[0],
            held_out_share=0.2,
            cutoffs=[10],
            progress_of=lambda *_: no_progress,
        )


def test_models_learn_neither_from_held_out_pairs_nor_from_their_tags(
    tables: CleanTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lastfm_assets.evaluation import repeated as module  # noqa: PLC0415

    seen = []

    def watched(name: str, matrix: ListeningMatrix, **more: object) -> object:
        seen.append((matrix, more["side"]))
        return train(name, matrix, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "train", watched)
    evaluate_repeatedly(
        tables,
        ["popularity"],
        seeds=[4],
        held_out_share=0.2,
        cutoffs=[10],
        progress_of=lambda *_: no_progress,
    )
    ((matrix, side),) = seen
    _, held_out = random_split(tables.interactions, seed=4, held_out_share=0.2)
    rows = matrix.rows_of(held_out["user_id"].to_numpy())
    columns = matrix.columns_of(held_out["artist_id"].to_numpy())
    known = rows >= 0
    assert not np.asarray(matrix.plays.toarray()[rows[known], columns[known]]).any()
    assert isinstance(side, SideTables)
    tagged = side.tag_assignments.merge(held_out, on=["user_id", "artist_id"])
    assert len(tagged) == 0
    assert len(side.tag_assignments) > 0


class TestRandomSplit:
    def test_both_parts_are_all_pairs_once_and_the_share_is_exact(
        self, tables: CleanTables
    ) -> None:
        known, held_out = random_split(tables.interactions, seed=7, held_out_share=0.2)
        assert len(held_out) == round(0.2 * len(tables.interactions))
        together = pd.concat([known, held_out]).sort_values(["user_id", "artist_id"])
        every = tables.interactions.sort_values(["user_id", "artist_id"])
        np.testing.assert_array_equal(together.to_numpy(), every.to_numpy())

    def test_users_have_different_shares(self, tables: CleanTables) -> None:
        _, held_out = random_split(tables.interactions, seed=7, held_out_share=0.2)
        sizes = held_out.groupby("user_id").size()
        assert sizes.std() > 1

    def test_the_order_of_rows_does_not_matter(self, tables: CleanTables) -> None:
        shuffled = tables.interactions.sample(frac=1, random_state=0)
        _, one = random_split(tables.interactions, seed=7, held_out_share=0.2)
        _, other = random_split(shuffled, seed=7, held_out_share=0.2)
        pd.testing.assert_frame_equal(
            one.sort_values(["user_id", "artist_id"], ignore_index=True),
            other.sort_values(["user_id", "artist_id"], ignore_index=True),
        )

    @pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
    def test_shares_that_leave_a_part_empty_are_refused(
        self, tables: CleanTables, share: float
    ) -> None:
        with pytest.raises(ValueError, match="expected between 0 and 1"):
            random_split(tables.interactions, seed=0, held_out_share=share)


def test_a_blends_time_does_not_leave_out_members_that_were_fitted_before(
    tables: CleanTables,
) -> None:
    """It did: members that had been judged on their own were taken from memory."""
    asked = {
        "seeds": [0],
        "held_out_share": 0.2,
        "cutoffs": [10],
        "progress_of": lambda *_: no_progress,
    }
    fitted: list[str] = []
    fit = LightFmTags.fit

    def watched(*arguments: object, **more: object) -> LightFmTags:
        fitted.append("lightfm_tags")
        return fit(*arguments, **more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LightFmTags, "fit", watched)
        evaluate_repeatedly(tables, ["lightfm_tags", "blend"], **asked)  # type: ignore[arg-type]
    assert len(fitted) == 3  # alone, without the blend's validation pairs, and on all again
