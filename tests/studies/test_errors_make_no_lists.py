"""A world in which the model that errs least names nearly nothing that anybody plays next.

Sixty listeners play twenty of thirty artists a little, and four of forty others all the time. How
loud a pair is depends on the artist nearly alone, and so can be foretold; yet whoever is asked for
the loudest artists lists those that others play all the time, and what is played next is mostly
one of the thirty.
"""

import numpy as np
import pandas as pd
import pytest

from lastfm_assets.listening.split import split
from lastfm_assets.studies.rating_error import in_words, rating_error

QUIET = np.arange(100, 130)
LOUD = np.arange(200, 240)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    rows = []
    for user in range(60):
        liked = np.sort(rng.choice(QUIET, size=20, replace=False))
        rows += [(user, artist, 1 + artist % 3) for artist in liked]
        rows += [(user, LOUD[(2 * user + step) % len(LOUD)], 900) for step in range(4)]
    plays = pd.DataFrame(rows, columns=["user_id", "artist_id", "plays"])
    return rating_error(split(plays, seed=0), np.concatenate([QUIET, LOUD]), seed=0)


def test_the_least_error_has_worse_lists_than_the_largest(table: pd.DataFrame) -> None:
    ordered = table.sort_values("rmse")
    least, largest = ordered.iloc[0], ordered.iloc[-1]
    assert largest["model"] == "mean"
    assert least["rmse"] < largest["rmse"] / 10
    assert least["precision@10"] < largest["precision@10"] / 5


def test_every_model_that_tells_artists_apart_has_worse_lists(table: pd.DataFrame) -> None:
    at = table.set_index("model")["precision@10_high"].drop("mean")
    assert (at < table.set_index("model").loc["mean", "precision@10_low"]).all()


def test_words_name_both(table: pd.DataFrame) -> None:
    said = in_words(table, "als", 0.3)
    assert said.startswith(f"{table.loc[table['rmse'].idxmin(), 'model']} predicts ratings best")
    assert "The best lists of these models are mean's" in said
