"""Pictures are drawn the same every time, and leave no state behind."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tuning_world import known

from lastfm_assets.tuning import charts
from lastfm_assets.tuning.study import Budget, tune
from lastfm_assets.tuning.trials import Search

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Search:
    folder = tmp_path_factory.mktemp("charts")
    return tune("item_knn", known(), folder=folder, seed=0, budget=Budget(12))


@pytest.mark.parametrize("draw", [charts.history, charts.slices])
def test_a_search_is_drawn_the_same_every_time(search: Search, draw: object) -> None:
    assert callable(draw)
    picture = draw(search)
    assert picture.startswith(PNG)
    assert picture == draw(search)
    assert len(picture) < 150_000


def test_a_search_of_one_trial_without_defaults_is_drawn(search: Search) -> None:
    alone = replace(search, trials=search.trials.head(1), default_value=np.nan)
    assert charts.history(alone).startswith(PNG)
    assert charts.slices(alone).startswith(PNG)


def test_knobs_are_drawn() -> None:
    table = pd.DataFrame(
        {
            "knob": ["epochs", "epochs", "item_alpha", "start"],
            "value": [5.0, 10.0, 0.0, np.nan],
            "train_precision@10": [0.1, 0.2, 0.3, 0.4],
            "validation_precision@10": [0.1, 0.2, 0.3, 0.4],
            "held_out_precision@10": [np.nan, np.nan, np.nan, 0.4],
        }
    )
    assert charts.knobs(table).startswith(PNG)


def test_drawing_does_not_start_pyplot() -> None:
    """Its figures live until somebody closes them."""
    probe = (
        "import sys; from lastfm_assets.tuning import charts; import pandas as pd; "
        "charts.knobs(pd.DataFrame({'knob': ['epochs'], 'value': [1.0], "
        "'train_precision@10': [0.1], 'validation_precision@10': [0.1]})); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", probe], check=False)
    assert ended.returncode == 0
