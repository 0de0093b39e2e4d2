"""Two scenes of listeners, split; see `tuning_world`, whose listeners these are."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "tuning"))
from tuning_world import ARTISTS, split_pairs

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.split import pairs_of

IDS = np.append(np.arange(100, 100 + ARTISTS), 999)
"""The catalogue; nobody plays artist 999."""


def dealt() -> pd.DataFrame:
    """Every pair with its part."""
    return split_pairs()


def known() -> ListeningMatrix:
    """Train and validation."""
    return ListeningMatrix.from_pairs(pairs_of(dealt(), "train", "validation"), IDS)
