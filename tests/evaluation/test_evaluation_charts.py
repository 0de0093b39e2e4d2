"""Pictures of the evidence are drawn the same every time, also where figures are missing."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pipeline_world import Refreshed

from lastfm_assets.evaluation import charts
from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.io import Store


@pytest.fixture(scope="module")
def stored(refreshed: Refreshed) -> Store:
    return Store(str(refreshed.store))


@pytest.fixture(scope="module")
def board(stored: Store) -> pd.DataFrame:
    return stored.read(("evaluation", "leaderboard"), pd.DataFrame)


@pytest.fixture(scope="module")
def chosen(stored: Store) -> Champion:
    return stored.read(("evaluation", "champion"), Champion)


def opened(png: bytes) -> Image.Image:
    assert len(png) < 60_000
    return Image.open(io.BytesIO(png))


def test_accuracy_is_drawn_the_same_every_time(board: pd.DataFrame) -> None:
    assert charts.accuracy(board) == charts.accuracy(board)
    assert opened(charts.accuracy(board)).width > 800


def test_accuracy_of_one_model_without_validation_or_baseline_is_drawn(
    board: pd.DataFrame,
) -> None:
    one = board[board["model"] == "als"].assign(
        **{"held_out_precision_ceiling@10": np.nan, "train_precision@10": np.nan}
    )
    assert opened(charts.accuracy(one)).height < opened(charts.accuracy(board)).height


def test_the_comparison_of_every_two_models_is_drawn(stored: Store) -> None:
    table = stored.read(("evaluation", "comparison"), pd.DataFrame)
    assert charts.comparison(table, "ndcg@10") == charts.comparison(table, "ndcg@10")
    assert charts.comparison(table, "ndcg@10") != charts.comparison(table, "precision@10")
    assert opened(charts.comparison(table, "ndcg@10"))


def test_a_comparison_without_a_common_user_is_drawn() -> None:
    table = pd.DataFrame(
        {
            "metric": ["ndcg@10"],
            "model_a": ["als"],
            "model_b": ["bpr"],
            "difference": [np.nan],
            "p_adjusted": [1.0],
        }
    )
    assert opened(charts.comparison(table, "ndcg@10"))


def test_models_stand_best_first_and_differences_change_sides() -> None:
    table = pd.DataFrame(
        {
            "model_a": ["worse", "worse", "middle"],
            "model_b": ["middle", "better", "better"],
            "difference": [-0.1, -0.3, -0.2],
            "p_adjusted": [0.5, 0.01, 0.01],
        }
    )
    names, differences, sure = charts._square(table)
    assert names == ["better", "middle", "worse"]
    np.testing.assert_allclose(differences[0, 1:], [0.2, 0.3])
    np.testing.assert_allclose(differences[1:, 0], [-0.2, -0.3])
    assert sure.tolist() == [[False, True, True], [True, False, False], [True, False, False]]


def test_segments_are_drawn_the_same_every_time(stored: Store) -> None:
    table = stored.read(("evaluation", "segments"), pd.DataFrame)
    assert charts.segments(table, "ndcg@10") == charts.segments(table, "ndcg@10")
    assert opened(charts.segments(table, "ndcg@10"))


def test_segments_with_strangers_and_without_an_interval_are_drawn() -> None:
    rows = [
        (kind, segment, 1, 0.5, np.nan, np.nan, "als")
        for kind, segment in [("plays", "few"), ("plays", "unknown"), ("taste", "unknown")]
    ]
    columns = ["segment_kind", "segment", "users", "ndcg@10", "ndcg@10_low", "ndcg@10_high"]
    table = pd.DataFrame(rows, columns=[*columns, "model"])
    assert opened(charts.segments(table, "ndcg@10"))


def test_the_first_champion_is_drawn_without_a_contest(chosen: Champion) -> None:
    alone = chosen.model_copy(update={"difference": None, "low": None, "high": None})
    contested = chosen.model_copy(
        update={"serving": "item_knn", "difference": 0.01, "low": -0.001, "high": 0.02}
    )
    assert opened(charts.champion(contested)).height > opened(charts.champion(alone)).height


def test_a_lost_contest_and_an_unknown_baseline_are_drawn(chosen: Champion) -> None:
    lost = chosen.model_copy(
        update={
            "serving": "item_knn",
            "difference": -0.4,
            "low": -0.5,
            "high": -0.3,
            "popularity_precision": float("nan"),
        }
    )
    assert opened(charts.champion(lost))


def test_drawing_starts_no_pyplot() -> None:
    """Its figures live until somebody closes them."""
    probe = (
        "import sys, pandas as pd; from lastfm_assets.listening import charts; "
        "charts.refused(pd.DataFrame({'file': ['a'], 'line': [1], 'text': [''], 'reason': ['b']}));"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0


def test_charts_do_not_know_dagster() -> None:
    room = Path(charts.__file__).parents[1]
    for file in [room / "drawing.py", *room.glob("*/charts.py")]:
        assert "dagster" not in file.read_text(encoding="utf-8"), file
