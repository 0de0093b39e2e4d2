"""A fit that goes on is one that was begun with so many epochs."""

import pandas as pd
import pytest
from study_pairs import IDS, dealt, known

from lastfm_assets.evaluation.judge import judge
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.split import pairs_of
from lastfm_assets.models.lightfm import LightFmConfig
from lastfm_assets.models.trained import train
from lastfm_assets.studies.lightfm_epochs import COLUMNS, SETTINGS, in_words, lightfm_epochs
from lastfm_assets.tuning.lightfm_knobs import START

EPOCHS = (1, 4)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return lightfm_epochs(dealt(), IDS, seed=5, epochs=EPOCHS)


def test_has_a_row_for_each_setting_and_epoch(table: pd.DataFrame) -> None:
    assert list(table.columns) == list(COLUMNS)
    rows = list(zip(table["setting"], table["epoch"], strict=True))
    assert rows == [(name, epoch) for name in ("start", "shipped") for epoch in EPOCHS]
    assert SETTINGS["start"] == START
    assert SETTINGS["shipped"] == LightFmConfig()


@pytest.mark.parametrize("epoch", EPOCHS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_figures_are_those_of_a_fit_of_so_many_epochs(
    table: pd.DataFrame, setting: str, epoch: int
) -> None:
    matrix = known()
    config = SETTINGS[setting].model_copy(update={"epochs": epoch})
    model = train("lightfm", matrix, config, side=SideTables.none(), seed=5)
    (row,) = table[(table["setting"] == setting) & (table["epoch"] == epoch)].to_dict("records")
    held_out = judge(model, matrix, pairs_of(dealt(), "held_out"), cutoffs=[10])
    assert row["held_out_precision@10"] == held_out.per_user["precision@10"].mean()
    learnt = judge(
        model,
        matrix,
        pairs_of(dealt(), "train", "validation"),
        cutoffs=[10],
        leave_out_played=False,
    )
    assert row["train_precision@10"] == learnt.per_user["precision@10"].mean()


def test_validation_is_of_a_fit_that_has_not_seen_it(table: pd.DataFrame) -> None:
    pairs = dealt()
    moved = pairs["part"] == "validation"
    pairs.loc[moved, "artist_id"] = 999
    other = lightfm_epochs(
        pairs[~pairs.duplicated(["user_id", "artist_id"])], IDS, seed=5, epochs=EPOCHS
    )
    assert (other["validation_precision@10"] <= 0.1).all()
    assert (table["validation_precision@10"] > 0.02).all()


def test_words_follow_the_figures(table: pd.DataFrame) -> None:
    planted = table.copy()
    planted["held_out_precision@10"] = [0.1, 0.14, 0.11, 0.19]
    planted["train_precision@10"] = [0.2, 0.42, 0.3, 0.69]
    said = in_words(planted)
    assert "start: held out 10.0% after epoch 1 and 14.0% after 4" in said
    assert "shipped: held out 11.0% after epoch 1 and 19.0% after 4" in said
    assert "from 30.0% to 69.0%" in said
