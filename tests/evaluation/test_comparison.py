"""Who beats whom: laws that hold for any figures, and how often chance alone is believed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastfm_assets.evaluation.comparison import (
    COMPARISON,
    compare,
    mean_over_splits,
    verdict,
)
from lastfm_assets.evaluation.metrics import bootstrap_interval, resampled_counts

worlds = st.builds(
    lambda seed, users, models, gaps: world(seed, users, models, share_missing=gaps),
    st.integers(0, 10_000),
    st.integers(1, 40),
    st.integers(2, 5),
    st.sampled_from([0.0, 0.2]),
)


def world(seed: int, users: int, models: int, *, share_missing: float = 0.0) -> pd.DataFrame:
    """Figures like ndcg: users differ more than models do, many are zero."""
    rng = np.random.default_rng(seed)
    taste = rng.beta(1, 3, size=(users, 1))
    figures = np.clip(taste + 0.1 * rng.normal(size=(users, models)), 0, 1)
    figures[rng.random(figures.shape) < share_missing] = np.nan
    return pd.DataFrame(figures, columns=[f"m{n}" for n in range(models)])


def quick(figures: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    return compare(figures, seed=seed, resamples=200)


class TestLaws:
    @given(worlds)
    @settings(max_examples=40, deadline=None)
    def test_every_pair_stands_once_with_a_share_and_bounds(self, figures: pd.DataFrame) -> None:
        table = quick(figures)
        n = figures.shape[1]
        assert tuple(table.columns) == COMPARISON
        assert len(table) == n * (n - 1) // 2
        assert not table.duplicated(["model_a", "model_b"]).any()
        assert table["p_adjusted"].between(0, 1).all()
        known = table.dropna()
        assert (known["low"] <= known["high"]).all()
        for row in table.itertuples():
            difference = (figures[row.model_a] - figures[row.model_b]).mean()
            np.testing.assert_allclose(row.difference, difference, atol=1e-12)

    @given(worlds)
    @settings(max_examples=40, deadline=None)
    def test_whoever_is_named_first_the_answer_is_the_same(self, figures: pd.DataFrame) -> None:
        one = quick(figures).set_index(["model_a", "model_b"])
        other = quick(figures[figures.columns[::-1]]).set_index(["model_b", "model_a"])
        other = other.rename_axis(["model_a", "model_b"]).loc[one.index]
        np.testing.assert_allclose(one["difference"], -other["difference"], atol=1e-12)
        np.testing.assert_allclose(one["low"], -other["high"], atol=1e-12)
        np.testing.assert_allclose(one["p_adjusted"], other["p_adjusted"], atol=1e-12)
        beaten = one["verdict"].str.contains("beats")
        assert one.loc[beaten, "verdict"].equals(other.loc[beaten, "verdict"])

    @given(worlds, st.floats(-3, 3))
    @settings(max_examples=40, deadline=None)
    def test_what_all_models_gain_makes_no_difference(
        self, figures: pd.DataFrame, gain: float
    ) -> None:
        one, other = quick(figures), quick(figures + gain)
        for column in ("difference", "low", "high"):
            np.testing.assert_allclose(one[column], other[column], atol=1e-9)
        np.testing.assert_allclose(one["p_adjusted"], other["p_adjusted"], atol=0.02)

    @given(worlds)
    @settings(max_examples=20, deadline=None)
    def test_twins_do_not_differ(self, figures: pd.DataFrame) -> None:
        twins = quick(figures.assign(twin=figures["m0"])).set_index(["model_a", "model_b"])
        said = twins.loc[("m0", "twin")]
        if figures["m0"].notna().any():
            assert (said["difference"], said["low"], said["high"]) == (0, 0, 0)
        assert said["p_adjusted"] == 1
        assert said["verdict"] == "no difference seen between m0 and twin"

    @given(worlds)
    @settings(max_examples=20, deadline=None)
    def test_a_pair_among_many_is_never_surer_than_alone(self, figures: pd.DataFrame) -> None:
        alone = compare(figures[["m0", "m1"]].dropna(), seed=0, resamples=200)
        many = compare(figures.dropna(), seed=0, resamples=200)
        if len(figures.dropna()) == len(figures[["m0", "m1"]].dropna()):
            assert many["p_adjusted"].iloc[0] >= alone["p_adjusted"].iloc[0] - 1e-12

    def test_the_seed_decides_and_nothing_else(self) -> None:
        figures = world(0, 30, 3)
        before = figures.copy()
        pd.testing.assert_frame_equal(quick(figures), quick(figures))
        assert not quick(figures, seed=1)["low"].equals(quick(figures)["low"])
        pd.testing.assert_frame_equal(figures, before)


class TestTheDraws:
    def test_are_as_many_users_each_time(self) -> None:
        (counts,) = resampled_counts(7, seed=0, resamples=50)
        assert counts.shape == (50, 7)
        assert (counts.sum(axis=1) == 7).all()
        assert (counts >= 0).all()

    def test_do_not_depend_on_the_size_of_a_chunk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = compare(world(1, 25, 3), seed=4, resamples=100)
        monkeypatch.setattr("lastfm_assets.evaluation.metrics._COUNT_BYTES", 8 * 25 * 7)
        assert len(list(resampled_counts(25, seed=4, resamples=100))) == 15
        pd.testing.assert_frame_equal(compare(world(1, 25, 3), seed=4, resamples=100), whole)

    def test_have_the_means_of_drawing_users_one_by_one(self) -> None:
        """A slow twin: the same users, drawn and averaged in a loop."""
        figures = world(2, 12, 2, share_missing=0.1).dropna(how="all")
        differences = (figures["m0"] - figures["m1"]).to_numpy()
        rng = np.random.default_rng(9)
        means = [
            np.nanmean([differences[user] for user in users])
            for users in rng.integers(12, size=(300, 12))
        ]
        (row,) = compare(figures, seed=9, resamples=300).to_dict("records")
        expected = np.quantile(means, [0.025, 0.975])
        np.testing.assert_allclose([row["low"], row["high"]], expected, atol=1e-12)

    def test_are_those_of_an_interval_of_one_model(self) -> None:
        figures = world(3, 40, 1).assign(nothing=0.0)
        (row,) = compare(figures, seed=5).to_dict("records")
        low, high = bootstrap_interval(figures["m0"].to_numpy(), seed=5)
        np.testing.assert_allclose([row["low"], row["high"]], [low, high], atol=1e-12)


class TestSmallAndEmpty:
    def test_one_model_has_nobody_to_be_compared_with(self) -> None:
        table = compare(world(0, 5, 1), seed=0)
        assert table.empty
        assert tuple(table.columns) == COMPARISON

    def test_without_a_common_user_nothing_is_seen(self) -> None:
        figures = pd.DataFrame({"a": [0.1, 0.2, np.nan], "b": [np.nan, np.nan, 0.9]})
        (row,) = compare(figures, seed=0).to_dict("records")
        assert np.isnan([row["difference"], row["low"], row["high"]]).all()
        assert row["p_adjusted"] == 1
        assert row["verdict"] == "no difference seen between a and b"

    def test_without_users_nothing_is_seen(self) -> None:
        (row,) = compare(pd.DataFrame({"a": [], "b": []}), seed=0).to_dict("records")
        assert row["p_adjusted"] == 1

    @pytest.mark.parametrize(("users", "sure"), [(1, 1.0), (2, 0.5), (4, 0.125)])
    def test_few_users_are_not_believed_however_they_agree(self, users: int, sure: float) -> None:
        figures = pd.DataFrame({"a": [0.9] * users, "b": [0.1] * users})
        assert compare(figures, seed=0)["p_adjusted"].tolist() == [sure]

    def test_many_who_agree_are(self) -> None:
        figures = pd.DataFrame({"a": [0.9] * 20, "b": [0.1] * 20})
        (row,) = compare(figures, seed=0).to_dict("records")
        assert row["verdict"] == "a beats b"
        assert row["low"] == pytest.approx(0.8)
        assert row["p_adjusted"] == pytest.approx(1 / 2001)

    def test_words(self) -> None:
        assert verdict("als", "item_knn", 0.1, 0.049) == "als beats item_knn"
        assert verdict("als", "item_knn", -0.1, 0.049) == "item_knn beats als"
        assert verdict("als", "item_knn", 0.1, 0.05).startswith("no difference seen")
        assert verdict("als", "item_knn", np.nan, np.nan).startswith("no difference seen")


class TestSeveralSplits:
    def test_a_user_counts_once(self) -> None:
        first = pd.DataFrame({"a": [0.2, 0.4], "b": [0.1, 0.1]}, index=[1, 2])
        second = pd.DataFrame({"a": [0.6, np.nan], "b": [0.3, 0.9]}, index=[1, 2])
        found = mean_over_splits([first, second])
        expected = pd.DataFrame({"a": [0.4, 0.4], "b": [0.2, 0.1]}, index=[1, 2])
        pd.testing.assert_frame_equal(found, expected)

    def test_the_same_split_again_makes_nothing_surer(self) -> None:
        figures = world(0, 30, 3)
        once = compare(figures, seed=0)
        pd.testing.assert_frame_equal(
            compare(mean_over_splits([figures] * 4), seed=0), once, atol=1e-12
        )


class TestErrors:
    SIMULATIONS = 300

    def false_alarms(self, users: int) -> float:
        """Share of tables of six equal models in which any is said to beat another."""
        alarms = 0
        for seed in range(self.SIMULATIONS):
            table = compare(world(seed, users, 6), seed=seed, resamples=400)
            alarms += bool((table["p_adjusted"] < 0.05).any())
        return alarms / self.SIMULATIONS

    @pytest.mark.parametrize("users", [25, 60])
    def test_equal_models_are_rarely_told_apart(self, users: int) -> None:
        # 5%, and three standard errors of 300 simulations
        assert self.false_alarms(users) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / self.SIMULATIONS)

    def test_a_better_model_is_found_against_every_other(self) -> None:
        found = []
        for seed in range(20):
            figures = world(seed, 300, 6)
            better = figures.assign(m0=figures["m0"] + 0.05)
            table = compare(better, seed=seed, resamples=400)
            of_m0 = table[table["model_a"] == "m0"]
            found.append((of_m0["verdict"].str.startswith("m0 beats")).all())
        assert np.mean(found) >= 0.9

    def test_many_pairs_alone_would_raise_false_alarms(self) -> None:
        """Why there is a correction: each pair looked at alone, 15 pairs are wrong often."""
        alarms = 0
        for seed in range(100):
            table = compare(world(seed, 40, 6), seed=seed, resamples=400)
            alarms += bool(((table["low"] > 0) | (table["high"] < 0)).any())
        assert alarms >= 20
