"""One knob at a time, and what the way from LightFM's defaults to ours was worth."""

import re

import numpy as np
import pandas as pd
import pytest
from tuning_world import ARTISTS, split_pairs

from lastfm_assets.models.lightfm import LightFmConfig
from lastfm_assets.tuning.lightfm_knobs import GRIDS, in_words, turn_knobs

SMALL = {"epochs": (1, 20), "learning_rate": (0.1,)}
COLUMNS = [
    "knob",
    "value",
    "train_precision@10",
    "validation_precision@10",
    "held_out_precision@10",
]
IDS = np.arange(100, 100 + ARTISTS)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return turn_knobs(split_pairs(), IDS, seed=0, grids=SMALL)


def test_each_grid_holds_the_shipped_value_and_then_come_both_ends(table: pd.DataFrame) -> None:
    assert list(table.columns) == COLUMNS
    shipped = LightFmConfig()
    rows = list(table[["knob", "value"]].itertuples(index=False, name=None))
    expected = [("epochs", float(n)) for n in sorted({1, 20, shipped.epochs})]
    expected += [("learning_rate", rate) for rate in sorted({0.1, shipped.learning_rate})]
    assert rows[:-2] == expected
    assert list(table["knob"][-2:]) == ["start", "shipped"]
    assert table["value"][-2:].isna().all()


def test_the_shipped_parameters_reach_the_same_wherever_they_stand(table: pd.DataFrame) -> None:
    shipped = LightFmConfig().model_dump()
    same = [
        row.value == shipped[row.knob] if row.knob in shipped else row.knob == "shipped"
        for row in table.itertuples()
    ]
    assert sum(same) == 3
    assert table.loc[same, COLUMNS[2:4]].drop_duplicates().shape == (1, 2)


def test_held_out_pairs_are_looked_at_for_both_ends_alone(table: pd.DataFrame) -> None:
    assert (
        table["held_out_precision@10"].notna().to_list() == [False] * (len(table) - 2) + [True] * 2
    )
    pairs = split_pairs()
    pairs.loc[pairs["part"] == "held_out", "artist_id"] = 100
    other = turn_knobs(pairs, IDS, seed=0, grids={"epochs": (1,)})
    mine = table.merge(other, on=["knob", "value"], suffixes=("", "_planted"))
    for column in COLUMNS[2:4]:
        assert (mine[column] == mine[f"{column}_planted"]).all()


def test_more_epochs_learn_more_by_heart(table: pd.DataFrame) -> None:
    epochs = table[table["knob"] == "epochs"]
    assert epochs["train_precision@10"].is_monotonic_increasing


def test_the_students_five_knobs_are_turned() -> None:
    assert list(GRIDS) == ["epochs", "learning_rate", "components", "item_alpha", "user_alpha"]


def test_words_name_both_ends(table: pd.DataFrame) -> None:
    start, shipped = table["held_out_precision@10"][-2:]
    said = in_words(table)
    assert re.match(rf"From {start:.1%} held out .* to {shipped:.1%} at the shipped ones", said)
