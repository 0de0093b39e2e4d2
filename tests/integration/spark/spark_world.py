"""The bundled sample under ids that need 53 bits, as pandas has it and as Spark has it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from lastfm_assets.listening.load import load
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.split import pairs_of, split
from lastfm_assets.listening.weighting import Weighting
from lastfm_assets.models.als import AlsConfig

FAR = 2**52
"""Added to every id, which is then beyond what MLlib counts in."""
CONFIG = AlsConfig(factors=8, iterations=2, fits=2, alpha=2.0)
"""A fit that takes seconds."""


@dataclass(frozen=True)
class World:
    """Tables of one source."""

    interactions: pd.DataFrame
    artists: pd.DataFrame
    tags: pd.DataFrame
    split_pairs: pd.DataFrame

    @property
    def artist_ids(self) -> np.ndarray:
        return self.artists["artist_id"].to_numpy()

    @property
    def names(self) -> pd.Series:
        return self.artists.set_index("artist_id")["artist_name"]

    def matrix(self, *parts: str) -> ListeningMatrix:
        """Of some parts of the split, or of all pairs."""
        pairs = pairs_of(self.split_pairs, *parts) if parts else self.interactions
        return ListeningMatrix.from_pairs(pairs, self.artist_ids)


@cache
def world() -> World:
    """A hundred users of the sample, and the whole of its catalogue."""
    with TemporaryDirectory() as folder:
        tables = load("sample", data_folder=Path(folder))
    pairs = tables.interactions
    pairs = pairs[pairs["user_id"] <= np.sort(pairs["user_id"].unique())[99]]
    pairs = pairs.assign(user_id=pairs["user_id"] + FAR, artist_id=pairs["artist_id"] + FAR)
    artists = tables.artists.assign(artist_id=tables.artists["artist_id"] + FAR)
    tags = tables.tag_assignments
    tags = tags.assign(user_id=tags["user_id"] + FAR, artist_id=tags["artist_id"] + FAR)
    pairs = pairs.reset_index(drop=True)
    return World(pairs, artists[["artist_id", "artist_name"]], tags, split(pairs, seed=0))


def frame(spark: Any, table: pd.DataFrame) -> Any:
    """A table as Spark has it, in two partitions."""
    plain = table.astype({"part": "str"}) if "part" in table else table
    return spark.createDataFrame(pa.Table.from_pandas(plain, preserve_index=False)).repartition(2)


def weighted(spark: Any, matrix: ListeningMatrix, weighting: Weighting) -> Any:
    """`user_id, artist_id, plays, weight` of a matrix."""
    weights = matrix.weighted(weighting).tocoo()
    rows = {
        "user_id": matrix.user_ids[weights.row],
        "artist_id": matrix.artist_ids[weights.col],
        "plays": matrix.plays.tocoo().data.astype(np.int64),
        "weight": weights.data.astype(np.float64),
    }
    return frame(spark, pd.DataFrame(rows))


def collected(table: Any, *order: str) -> pd.DataFrame:
    """A small frame of Spark's as pandas has it."""
    rows: pd.DataFrame = table.toArrow().to_pandas()
    return rows.sort_values(list(order), ignore_index=True)
