"""Where there are many users, a stated number of them is judged, drawn by the seed alone."""

import numpy as np
import pandas as pd
import pytest

from lastfm_assets.evaluation.judged_users import of_judged_users
from lastfm_assets.vocabulary import Columns


def pairs_of_users(n: int, each: int = 5) -> pd.DataFrame:
    users = np.repeat(np.arange(n, dtype=np.int64) * 7 + 3, each)
    artists = np.tile(np.arange(each, dtype=np.int64), n)
    return pd.DataFrame({Columns.USER: users, Columns.ARTIST: artists})


def drawn(pairs: pd.DataFrame, n: int, seed: int = 0) -> set[int]:
    return set(of_judged_users(pairs, n, seed=seed)[Columns.USER])


def test_everybody_is_judged_where_there_are_no_more() -> None:
    pairs = pairs_of_users(50)
    assert of_judged_users(pairs, 50, seed=0) is pairs


def test_as_many_as_asked_for_are_judged_with_all_their_pairs() -> None:
    found = of_judged_users(pairs_of_users(400), 100, seed=0)
    assert (found.groupby(Columns.USER).size() == 5).all()
    assert found[Columns.USER].nunique() == 100
    assert list(found.index) == list(range(500))


def test_the_order_of_rows_draws_nobody_else() -> None:
    pairs = pairs_of_users(400)
    shuffled = pairs.sample(frac=1, random_state=1)
    assert drawn(shuffled, 100) == drawn(pairs, 100)


def test_another_seed_draws_others() -> None:
    pairs = pairs_of_users(4000)
    common = drawn(pairs, 1000, 0) & drawn(pairs, 1000, 1)
    # a quarter of a thousand, give or take: 1000 * 1000 / 4000
    assert 190 < len(common) < 310


def test_fewer_are_among_more() -> None:
    pairs = pairs_of_users(400)
    assert drawn(pairs, 100) < drawn(pairs, 200)


def test_a_user_more_leaves_those_drawn_nearly_as_they_were() -> None:
    before, after = drawn(pairs_of_users(400), 100), drawn(pairs_of_users(401), 100)
    assert len(before - after) <= 1


def test_the_draw_tells_nothing_of_how_much_a_user_plays() -> None:
    """The mean size of the drawn is that of all, within its error."""
    sizes = np.random.default_rng(0).integers(1, 100, 5000)
    users = np.repeat(np.arange(5000, dtype=np.int64), sizes)
    pairs = pd.DataFrame({Columns.USER: users, Columns.ARTIST: np.arange(len(users))})
    found = of_judged_users(pairs, 1000, seed=0).groupby(Columns.USER).size()
    assert found.mean() == pytest.approx(sizes.mean(), abs=4 * sizes.std() / 1000**0.5)
