"""Every pair goes to one part, by a rule that looks at nothing but the pair and the seed."""

from math import floor
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastfm_assets.listening.rules import held_out_is_last, parts_are_disjoint_and_complete
from lastfm_assets.listening.split import pair_hash, pairs_of, random_split, split

MASK = 2**64 - 1


def pairs(*of_users: int) -> pd.DataFrame:
    """Interactions of users 1, 2, ... with so many artists each; the plays are the artist's id."""
    rows = [
        (user, artist, artist)
        for user, n_artists in enumerate(of_users, start=1)
        for artist in range(1, n_artists + 1)
    ]
    return pd.DataFrame(rows, columns=["user_id", "artist_id", "plays"]).astype("int64")


def sizes(dealt: pd.DataFrame, user: int) -> tuple[int, int, int]:
    parts = dealt.loc[dealt["user_id"] == user, "part"]
    return tuple(int((parts == part).sum()) for part in ("held_out", "validation", "train"))


def slow_mix(value: int) -> int:
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def slow_split(
    interactions: pd.DataFrame, seed: int, held_out: float, validation: float
) -> dict[tuple[int, int], str]:
    """The docstring of `split`, one user and one pair at a time, in Python's own integers."""
    dealt = {}
    for user, rows in interactions.groupby("user_id"):
        drawn = sorted(
            (slow_mix(slow_mix(slow_mix(seed & MASK) ^ int(user)) ^ int(artist)), int(artist))
            for artist in rows["artist_id"]
        )
        n = len(drawn)
        to_judge = min(floor(held_out * n + 0.5), n - 1)
        to_choose = min(floor(validation * n + 0.5), n - 1 - to_judge)
        for place, (_, artist) in enumerate(drawn):
            late = "validation" if place < to_judge + to_choose else "train"
            dealt[int(user), artist] = "held_out" if place < to_judge else late
    return dealt


def as_dict(dealt: pd.DataFrame) -> dict[tuple[int, int], str]:
    keys = zip(dealt["user_id"], dealt["artist_id"], strict=True)
    return dict(zip(keys, dealt["part"].astype("str"), strict=True))


some_pairs = st.sets(st.tuples(st.integers(1, 8), st.integers(1, 40)), max_size=120).map(
    lambda chosen: pd.DataFrame(
        [(user, artist, 1) for user, artist in sorted(chosen)],
        columns=["user_id", "artist_id", "plays"],
        dtype="int64",
    )
)
shares = st.sampled_from([(0.2, 0.1), (0.5, 0.25), (0.0, 0.1), (0.3, 0.0), (0.6, 0.39), (0.0, 0.0)])


@settings(max_examples=80, deadline=None)
@given(some_pairs, st.integers(-5, 2**70), shares)
def test_the_split_is_what_its_docstring_says(
    interactions: pd.DataFrame, seed: int, asked: tuple[float, float]
) -> None:
    dealt = split(interactions, seed=seed, held_out_share=asked[0], validation_share=asked[1])
    pd.testing.assert_frame_equal(dealt.drop(columns="part"), interactions)
    assert dealt["part"].notna().all()
    assert as_dict(dealt) == slow_split(interactions, seed, *asked)
    train = dealt[dealt["part"] == "train"]
    assert set(train["user_id"]) == set(interactions["user_id"])


@settings(max_examples=40, deadline=None)
@given(some_pairs, st.integers(0, 5), st.randoms())
def test_neither_row_order_nor_other_users_move_a_pair(
    interactions: pd.DataFrame, seed: int, order: Random
) -> None:
    whole = as_dict(split(interactions, seed=seed))
    rows = list(range(len(interactions)))
    order.shuffle(rows)
    assert as_dict(split(interactions.iloc[rows], seed=seed)) == whole
    for user in interactions["user_id"].unique():
        alone = as_dict(split(interactions[interactions["user_id"] == user], seed=seed))
        assert alone == {pair: part for pair, part in whole.items() if pair[0] == user}


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (1, (0, 0, 1)),
        (2, (0, 0, 2)),
        (3, (1, 0, 2)),
        (4, (1, 0, 3)),
        (5, (1, 1, 3)),
        (10, (2, 1, 7)),
        (50, (10, 5, 35)),
    ],
)
def test_parts_have_the_sizes_of_the_formula(n: int, expected: tuple[int, int, int]) -> None:
    assert sizes(split(pairs(n), seed=0), 1) == expected


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize(("held_out", "validation"), [(0.9, 0.05), (0.5, 0.49), (0.0, 0.99)])
def test_even_the_smallest_user_keeps_something_to_train_on(
    n: int, held_out: float, validation: float
) -> None:
    dealt = split(pairs(n, 30), seed=3, held_out_share=held_out, validation_share=validation)
    assert sizes(dealt, 1)[2] >= 1
    assert sum(sizes(dealt, 1)) == n


def test_the_same_seed_gives_the_same_split_and_another_one_another() -> None:
    world = pairs(50, 50, 20)
    pd.testing.assert_frame_equal(split(world, seed=7), split(world, seed=7))
    assert as_dict(split(world, seed=7)) != as_dict(split(world, seed=8))


def test_the_interactions_stay_as_they_were() -> None:
    world = pairs(10, 5)
    before = world.copy()
    split(world, seed=0)
    pd.testing.assert_frame_equal(world, before)


@pytest.mark.parametrize(
    ("held_out", "validation"), [(-0.1, 0.1), (0.2, -0.1), (0.5, 0.5), (0.9, 0.2), (1.0, 0.0)]
)
def test_shares_that_leave_nothing_to_train_on_are_refused(
    held_out: float, validation: float
) -> None:
    with pytest.raises(
        ValueError, match=r"^shares .* validation; expected both >= 0 and a sum below 1$"
    ):
        split(pairs(10), seed=0, held_out_share=held_out, validation_share=validation)


def test_parts_can_be_taken_one_by_one_or_together() -> None:
    dealt = split(pairs(10, 10), seed=0)
    both = pairs_of(dealt, "train", "validation")
    assert list(both.columns) == ["user_id", "artist_id", "plays"]
    assert list(both.index) == list(range(16))
    assert len(pairs_of(dealt, "train")) == 14
    assert len(pairs_of(dealt, "held_out")) == 4
    together = {*as_dict(both.assign(part=""))} | {
        *as_dict(pairs_of(dealt, "held_out").assign(part=""))
    }
    assert together == {*as_dict(dealt)}


def test_pair_hashes_are_spread_evenly_and_never_meet() -> None:
    world = pairs(*[100] * 100)
    drawn = pair_hash(world["user_id"].to_numpy(), world["artist_id"].to_numpy(), 0)
    assert drawn.dtype == np.uint64
    assert len(np.unique(drawn)) == len(world)
    for bit in (0, 31, 63):
        share = ((drawn >> np.uint64(bit)) & np.uint64(1)).mean()
        assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(len(world))


def test_held_out_artists_are_a_random_sample_of_what_a_user_plays() -> None:
    dealt = split(pairs(*[50] * 400), seed=1)
    mean = dealt.loc[dealt["part"] == "held_out", "plays"].mean()
    usual = np.arange(1, 51)
    assert abs(mean - usual.mean()) < 4 * usual.std() / np.sqrt(10 * 400)


class TestByTime:
    def test_what_a_user_found_last_is_held_out_and_what_came_before_is_validation(self) -> None:
        table = pairs(10)
        days = pd.to_timedelta([5, 3, 9, 1, 0, 2, 8, 4, 7, 6], unit="D")
        dealt = split(table.assign(first_played=pd.Timestamp(2009, 1, 1) + days), seed=3)
        by_day = dealt.sort_values("first_played")["part"].astype("str").tolist()
        assert by_day == ["train"] * 7 + ["validation"] + ["held_out"] * 2

    def test_one_moment_is_decided_as_without_times(self) -> None:
        table = pairs(10, 7)
        same = table.assign(first_played=pd.Timestamp(2009, 1, 1))
        assert as_dict(split(same, seed=3)) == as_dict(split(table, seed=3))

    def test_passes_its_own_check_for_every_user(self) -> None:
        table = pairs(10, 1, 2, 30)
        moments = pd.Timestamp(2009, 1, 1) + pd.to_timedelta(np.arange(len(table)) * 7919 % 97, "h")
        dealt = split(table.assign(first_played=moments), seed=0)
        assert held_out_is_last(dealt, table).passed

    def test_what_is_learnt_from_counts_no_play_after_what_is_put_aside(self) -> None:
        """One user, ten artists found a day apart, each played again on day 100 and on day 6."""
        days = pd.Timestamp(2009, 1, 1) + pd.to_timedelta(np.arange(10), unit="D")
        table = pairs(10).assign(first_played=days)
        again = pd.Timestamp(2009, 1, 7)
        rows = [(1, artist, 1, day) for artist, day in zip(range(1, 11), days, strict=True)]
        rows += [(1, artist, 10, again) for artist in range(1, 11) if days[artist - 1] < again]
        rows += [(1, artist, 100, pd.Timestamp(2009, 4, 11)) for artist in range(1, 11)]
        plays = pd.DataFrame(rows, columns=["user_id", "artist_id", "plays", "played_at"])
        dealt = split(table, seed=0, plays=plays).set_index("artist_id")
        # artists 1 to 7 train, 8 validation (day 8 on), 9 and 10 held out
        assert dealt.loc[[1, 2, 6], "plays"].tolist() == [11, 11, 11]
        assert dealt.loc[[7, 8], "plays"].tolist() == [1, 1]
        assert dealt.loc[[9, 10], "plays"].tolist() == [101, 101]
        whole = table.assign(plays=plays.groupby("artist_id")["plays"].sum().to_numpy())
        assert parts_are_disjoint_and_complete(dealt.reset_index()[[*whole, "part"]], whole).passed

    def test_a_pair_counts_up_to_the_very_moment_at_which_more_is_put_aside(
        self,
    ) -> None:
        days = pd.date_range("2009-04-01", periods=10, freq="D")
        table = pairs(10).assign(first_played=days)
        moments = {  # of artist 1, which is in train; 8 is validation, 9 and 10 are held out
            days[0]: 1,
            days[7]: 10,
            days[7] + pd.Timedelta(seconds=1): 100,
            days[8]: 1000,
        }
        rows = [(1, 1, count, moment) for moment, count in moments.items()]
        # validation's own plays count up to the first that is held out
        rows += [(1, 8, 1, days[7]), (1, 8, 10, days[8]), (1, 8, 100, days[9])]
        rows += [(1, artist, 1, days[artist - 1]) for artist in (2, 3, 4, 5, 6, 7, 9, 10)]
        plays = pd.DataFrame(rows, columns=["user_id", "artist_id", "plays", "played_at"])
        dealt = split(table, seed=0, plays=plays)
        assert dealt["plays"].tolist() == [11, 1, 1, 1, 1, 1, 1, 11, 1, 1]
        assert dealt["plays"].dtype == np.int64


class TestOverAllPairs:
    @pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.95])
    def test_the_pairs_of_the_smallest_draws_are_held_out(self, share: float) -> None:
        table = pairs(3, 9, 1, 17)
        n = floor(share * len(table) + 0.5)
        draws = pair_hash(table["user_id"].to_numpy(), table["artist_id"].to_numpy(), 5)
        smallest = set(np.argsort(draws)[:n])
        known, held_out = random_split(table, seed=5, held_out_share=share)
        expected = table[[row in smallest for row in range(len(table))]]
        pd.testing.assert_frame_equal(held_out, expected.reset_index(drop=True))
        rest = table.drop(index=expected.index)
        pd.testing.assert_frame_equal(known, rest.reset_index(drop=True))

    def test_half_a_pair_is_held_out(self) -> None:
        _, held_out = random_split(pairs(10), seed=0, held_out_share=0.25)
        assert len(held_out) == 3

    @pytest.mark.parametrize("share", [-0.1, 0.0, 1.0, 1.5])
    def test_a_share_that_leaves_one_side_empty_is_refused(self, share: float) -> None:
        with pytest.raises(ValueError, match=f"^share {share} held out, expected between 0 and 1$"):
            random_split(pairs(10), seed=0, held_out_share=share)
