"""Every weighting on one scale, and nothing chosen on held out."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from study_pairs import IDS, dealt

from lastfm_assets.studies import weighting_effect as module
from lastfm_assets.studies.weighting_effect import COLUMNS, in_words, weighting_effect


@pytest.fixture(scope="module")
def small() -> Iterator[None]:
    """Two by two of a grid are enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "K1", (1.0, 100.0))
        patch.setattr(module, "B", (0.0, 1.0))
        yield


@pytest.fixture(scope="module")
def table(small: None) -> pd.DataFrame:  # noqa: ARG001 (what it changes)
    return weighting_effect(dealt(), IDS, seed=0)


def test_has_a_row_a_weighting(table: pd.DataFrame) -> None:
    assert list(table.columns) == list(COLUMNS)
    counts = table["scheme"].value_counts().to_dict()
    assert counts == {"plays": 1, "binary": 1, "log": 1, "bm25": 4, "bm25_plays": 4}
    without = ~table["scheme"].isin(["bm25", "bm25_plays"])
    assert table.loc[without, ["k1", "b"]].isna().all(axis=None)
    assert table.loc[~without, ["k1", "b"]].notna().all(axis=None)


def test_figures_lie_within_their_intervals(table: pd.DataFrame) -> None:
    name = "held_out_precision@10"
    assert table[name].between(table[f"{name}_low"], table[f"{name}_high"]).all()


def test_presence_is_the_same_for_bm25_on_presence_whatever_its_k1_where_b_is_zero(
    table: pd.DataFrame,
) -> None:
    """Without length, K1 is only a scale, and all scales are made one."""
    flat = table[(table["scheme"] == "bm25") & (table["b"] == 0.0)]
    assert len(set(flat["held_out_ndcg@10"])) == 1


def test_all_weights_have_one_mean_confidence(
    small: None,  # noqa: ARG001 (what it changes)
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    real = module._als

    def watched(confidence: object, seed: int) -> object:
        seen.append(float(confidence.data.mean()))
        return real(confidence, seed)

    monkeypatch.setattr(module, "_als", watched)
    weighting_effect(dealt(), IDS, seed=0)
    off = [min(abs(mean - one) for one in module.CONFIDENCES) for mean in seen]
    assert max(off) < 1e-3


def test_held_out_pairs_choose_nothing(table: pd.DataFrame) -> None:
    pairs = dealt()
    pairs.loc[pairs["part"] == "held_out", "artist_id"] = 999
    other = weighting_effect(pairs, IDS, seed=0)
    same = ["scheme", "k1", "b", "confidence", "validation_precision@10"]
    pd.testing.assert_frame_equal(other[same], table[same])


def test_is_the_same_again(table: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(weighting_effect(dealt(), IDS, seed=0), table)


def test_words_follow_the_figures(table: pd.DataFrame) -> None:
    planted = table.copy()
    planted.loc[planted["scheme"] == "plays", "held_out_precision@10"] = 0.987
    assert "by validation: plays 0.987 (" in in_words(planted)
    assert np.isfinite(table["held_out_ndcg@10"]).all()
