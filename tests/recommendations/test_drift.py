"""How far data and lists may move: laws of the measures, and what happens at a bound."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastfm_assets.errors import GateRefusedError
from lastfm_assets.listening.profile import profile
from lastfm_assets.recommendations import drift as measures
from lastfm_assets.recommendations.acceptance import Acceptance
from lastfm_assets.recommendations.drift import (
    BLOCKS,
    DRIFT,
    FINE,
    UNKNOWN,
    WARNS,
    artists_psi,
    drift_table,
    first_drift,
    plays_psi,
    psi,
    shares_lost_and_new,
)
from lastfm_assets.recommendations.drift_bounds import BOUNDS
from lastfm_assets.recommendations.drift_verdict import (
    accepted_by,
    in_markdown,
    lines_of,
    mark_of,
    require_no_drift,
)
from lastfm_assets.recommendations.overlap import Overlap
from lastfm_assets.vocabulary import column_type

SHARES = st.lists(st.floats(0.0, 1000.0), min_size=4, max_size=4).filter(lambda x: sum(x) > 1)
LISTS = st.dictionaries(
    st.integers(1, 6), st.sets(st.integers(1, 8), min_size=1, max_size=4), max_size=6
)


def pairs(users: int, artists: int, *, plays: int = 5, first: int = 1) -> pd.DataFrame:
    """Every user plays every artist equally often."""
    rows = [(user, artist) for user in range(first, first + users) for artist in range(artists)]
    return pd.DataFrame(rows, columns=["user_id", "artist_id"]).assign(plays=plays)


def as_arrays(lists: dict[int, set[int]]) -> tuple[np.ndarray, np.ndarray]:
    rows = [(user, artist) for user, artists in lists.items() for artist in artists]
    table = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def change_of(table: pd.DataFrame, measure: str) -> float:
    return float(table.set_index("measure").loc[measure, "change"])


def lost(before: int, now: int) -> pd.DataFrame:
    """So many users, and those of now among those of before."""
    groups = [(10, 10, 10, now), (0, 10, 0, before - now)]
    same = profile(pairs(3, 4))
    return drift_table(same, same, Overlap.of_counts(groups), against=7)


class TestPsi:
    def test_by_hand(self) -> None:
        """(1/2 - 1/4) ln 2 + (1/2 - 3/4) ln 2/3 = ln 3 / 4."""
        found = psi(np.array([1.0, 1.0]), np.array([1.0, 3.0]))
        assert found == pytest.approx(math.log(3) / 4)

    @settings(deadline=None, max_examples=50)
    @given(SHARES)
    def test_is_zero_of_equal_distributions_of_any_size(self, counts: list[float]) -> None:
        one = np.array(counts)
        assert psi(one, one) == 0
        assert psi(one, 8 * one) == 0

    @settings(deadline=None, max_examples=50)
    @given(SHARES, SHARES)
    def test_is_symmetric_and_never_below_zero(self, one: list[float], other: list[float]) -> None:
        there, back = (psi(np.array(a), np.array(b)) for a, b in ((one, other), (other, one)))
        assert there == pytest.approx(back)
        assert there >= 0

    def test_of_an_empty_bin_is_finite(self) -> None:
        assert psi(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(
            2 * (1 - 1e-4) * math.log(1e4)
        )

    def test_of_nothing_is_unknown(self) -> None:
        assert math.isnan(psi(np.array([0.0]), np.array([1.0])))

    def test_of_plays_a_thousandfold_is_far_beyond_every_bound(self) -> None:
        plays = np.random.default_rng(1).geometric(0.01, 600)
        before = pairs(30, 20).assign(plays=plays)
        after = before.assign(plays=1000 * before["plays"])
        assert plays_psi(profile(before), profile(before)) == 0
        assert plays_psi(profile(before), profile(after)) > 5

    def test_of_users_with_equally_many_artists_stays_small_where_a_few_pairs_go(self) -> None:
        """Most sources list as many of each user: narrow bins would see another population."""
        before = pairs(40, 50)
        after = before[np.random.default_rng(2).random(len(before)) > 0.05]
        assert artists_psi(profile(before), profile(after)) < 0.1
        assert artists_psi(profile(before), profile(pairs(40, 25))) > 5


class TestOverlap:
    @settings(deadline=None, max_examples=50)
    @given(LISTS, LISTS)
    def test_is_what_a_slow_and_obvious_count_finds(
        self, before: dict[int, set[int]], now: dict[int, set[int]]
    ) -> None:
        found = Overlap.of_lists(as_arrays(before), as_arrays(now))
        both = sorted(before.keys() & now.keys())
        assert (found.users_before, found.users_now) == (len(before), len(now))
        assert found.common == len(both)
        assert found.other == sum(not before[user] & now[user] for user in both)
        if both:
            jaccard = [len(before[u] & now[u]) / len(before[u] | now[u]) for u in both]
            assert found.mean_jaccard == pytest.approx(np.mean(jaccard))
        else:
            assert math.isnan(found.mean_jaccard)

    def test_does_not_depend_on_the_order_of_counts(self) -> None:
        counts = [(1, 2, 3, 4), (0, 2, 0, 1), (0, 0, 3, 9)]
        assert (Overlap.of_counts(counts).groups == Overlap.of_counts(counts[::-1]).groups).all()


class TestArtists:
    def test_are_compared_exactly_where_there_are_few(self) -> None:
        before, now = np.arange(100), np.arange(20, 140)
        assert shares_lost_and_new(before, now) == (0.2, pytest.approx(40 / 120))

    def test_are_estimated_where_there_are_many(self) -> None:
        before = pairs(1, 60_000)
        now = before[before["artist_id"] >= 12_000]
        table = drift_table(profile(before), profile(now), None, against=0)
        assert change_of(table, "artists_lost") == pytest.approx(0.2, abs=0.05)
        assert change_of(table, "artists_new") == 0


class TestATable:
    def test_of_the_same_has_nothing_to_say(self) -> None:
        same = profile(pairs(5, 4))
        overlap = Overlap.of_counts([(10, 10, 10, 5)])
        table = drift_table(same, same, overlap, against=3)
        assert set(table["outcome"]) == {FINE}
        assert set(table["change"]) == {0.0}
        assert lines_of(table, BLOCKS, WARNS) == []
        assert require_no_drift(table, None) == ""

    def test_has_the_columns_and_types_that_are_declared(self) -> None:
        for table in (lost(10, 9), first_drift(profile(pairs(2, 2)))):
            assert tuple(table.columns) == DRIFT
            assert {name: str(kind) for name, kind in table.dtypes.items()} == {
                name: column_type(name) for name in DRIFT
            }

    def test_of_the_first_publication_compares_nothing_and_passes(self) -> None:
        table = first_drift(profile(pairs(5, 4)))
        assert set(table["outcome"]) == {UNKNOWN}
        assert table["change"].isna().all()
        assert table["against"].isna().all()
        assert require_no_drift(table, None) == ""

    def test_of_lists_whose_data_nobody_remembers_compares_the_lists(self) -> None:
        """A store of an earlier program has no profile beside its lists."""
        overlap = Overlap.of_counts([(10, 10, 10, 50), (0, 10, 0, 50)])
        table = drift_table(None, profile(pairs(5, 4)), overlap, against=0)
        known = table.loc[table["outcome"] != UNKNOWN, "measure"]
        assert set(known) == {"users_lost", "users_new", "lists_changed", "lists_wholly_other"}
        with pytest.raises(GateRefusedError, match="users 100 -> 50, lost 50%, bound 20%"):
            require_no_drift(table, None)

    def test_of_lists_that_cannot_be_read_still_counts_the_users(self) -> None:
        table = drift_table(profile(pairs(100, 4)), profile(pairs(50, 4)), None, against=0)
        assert change_of(table, "users_lost") == 0.5
        assert lines_of(table, BLOCKS)[0] == "users 100 -> 50, lost 50%, bound 20%"

    def test_of_users_who_were_all_exchanged_says_so_though_there_are_as_many(self) -> None:
        overlap = Overlap.of_counts([(0, 10, 0, 50), (0, 0, 10, 50)])
        same = profile(pairs(50, 4))
        table = drift_table(same, same, overlap, against=0)
        assert lines_of(table, BLOCKS) == [
            "users 50 -> 50, lost 100%, bound 20%",
            "users 50 -> 50, new 100%, bound 50%",
        ]

    def test_of_twice_the_pairs_or_half_of_them_has_moved_as_far(self) -> None:
        small, large = profile(pairs(10, 5)), profile(pairs(10, 10))
        one, other = (
            drift_table(a, b, None, against=0) for a, b in ((small, large), (large, small))
        )
        assert change_of(one, "pairs") == change_of(other, "pairs") == 0.5


class TestABound:
    @pytest.mark.parametrize(
        ("before", "now", "outcome"),
        [
            *((1000, 1000, FINE), (1000, 950, FINE), (1000, 900, FINE), (1000, 899, WARNS)),
            *((1000, 850, WARNS), (1000, 800, WARNS), (1000, 799, BLOCKS), (1892, 946, BLOCKS)),
        ],
    )
    def test_may_be_reached_but_not_passed(self, before: int, now: int, outcome: str) -> None:
        table = lost(before, now).set_index("measure")
        assert table.loc["users_lost", "outcome"] == outcome

    def test_that_is_passed_is_named_with_what_was_found(self) -> None:
        with pytest.raises(GateRefusedError) as refused:
            require_no_drift(lost(1892, 946), None)
        said = str(refused.value)
        assert said.startswith("users 1,892 -> 946, lost 50%, bound 20% against version 7; nothing")
        assert f'--accept-drift "{mark_of(lost(1892, 946))} REASON"' in said

    def test_warns_before_it_blocks_and_has_a_reason(self) -> None:
        for bound in BOUNDS:
            assert 0 < bound.warning < bound.blocking, bound.measure
            assert bound.because.endswith("."), bound.measure
        assert len({bound.measure for bound in BOUNDS}) == len(BOUNDS)

    def test_is_shown_for_every_measure(self) -> None:
        shown = in_markdown(lost(1892, 946))
        assert len(shown.splitlines()) == 2 + len(BOUNDS)
        assert "| users_lost | 1,892 | 946 | 50% | 10% | 20% | blocks |" in shown


class TestAnAcceptance:
    def accepting(self, table: pd.DataFrame) -> Acceptance:
        return Acceptance.parsed(f"{mark_of(table)} the free tier has ended")

    def test_lets_one_change_pass_and_says_why(self) -> None:
        table = lost(1892, 946)
        assert require_no_drift(table, self.accepting(table)) == "the free tier has ended"

    def test_is_of_that_change_alone(self) -> None:
        with pytest.raises(GateRefusedError, match="users 1,892 -> 945"):
            require_no_drift(lost(1892, 945), self.accepting(lost(1892, 946)))

    def test_is_of_that_version_alone(self) -> None:
        table = lost(1892, 946)
        later = table.assign(against=pd.Series([8] * len(table), dtype="Int64"))
        assert accepted_by(later, self.accepting(table)) == ""

    def test_is_not_spent_where_nothing_blocks(self) -> None:
        table = lost(100, 85)
        assert require_no_drift(table, self.accepting(table)) == ""

    @pytest.mark.parametrize(
        "text", ["", "3f9a21bc", "3f9a21bc  ", "yes", "3F9A21BC why", "3f9 a b"]
    )
    def test_needs_the_mark_and_a_reason(self, text: str) -> None:
        with pytest.raises(ValueError, match="expected the mark of the change"):
            Acceptance.parsed(text)


def test_bounds_are_read_where_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second place holds a number: with another bound, the same change is fine."""
    wide = tuple(replace(bound, warning=0.8, blocking=0.9) for bound in BOUNDS)
    monkeypatch.setattr(measures, "BOUNDS", wide)
    assert set(lost(1892, 946)["outcome"]) == {FINE}
