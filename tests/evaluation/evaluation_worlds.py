"""Planted recommenders, the sample, and slow obvious metrics."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from math import log2
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import scipy.sparse as sps
from pydantic import BaseModel

from lastfm_assets.listening.clean import CleanTables
from lastfm_assets.listening.load import load
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.split import pairs_of, split
from lastfm_assets.models.trained import TrainedModel


class NoParameter(BaseModel, frozen=True, extra="forbid"):
    """Nothing to set."""


@dataclass(frozen=True)
class Planted:
    """Gives the scores that a test wrote down."""

    table: np.ndarray
    name: ClassVar[str] = "planted"
    Config: ClassVar[type[BaseModel]] = NoParameter
    needs_side: ClassVar[bool] = False

    def scores(self, user_rows: np.ndarray) -> np.ndarray:
        return self.table[user_rows].astype(np.float32)

    def fold_in(self, plays: sps.csr_array) -> np.ndarray:
        return np.tile(self.table[0], (plays.shape[0], 1)).astype(np.float32)

    def contributions(self, plays: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        for size in np.diff(plays.indptr):
            yield np.zeros((size, artists.shape[1]), dtype=np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"table": self.table}

    @classmethod
    def from_arrays(cls, _config: BaseModel, arrays: Mapping[str, np.ndarray]) -> Self:
        return cls(arrays["table"])


class Memoriser(Planted):
    """Scores 1 what it was fitted on and 0 everything else; remembers each matrix it saw."""

    name: ClassVar[str] = "memoriser"
    seen: ClassVar[list[ListeningMatrix]] = []

    @classmethod
    def fit(cls, matrix: ListeningMatrix, _config: BaseModel, **_: Any) -> Self:
        cls.seen.append(matrix)
        return cls((matrix.plays.toarray() > 0).astype(np.float32))


def planted(matrix: ListeningMatrix, table: np.ndarray) -> TrainedModel:
    """A model that ranks as a test says."""
    return TrainedModel(
        Planted(table),
        NoParameter(),
        0,
        data=matrix.fingerprint,
        side="",
        code="",
        user_ids=matrix.user_ids,
        artist_ids=matrix.artist_ids,
    )


def pairs(*rows: tuple[int, int]) -> pd.DataFrame:
    """Pairs of user and artist, each played once."""
    return pd.DataFrame(rows, columns=["user_id", "artist_id"]).assign(plays=1)


@dataclass(frozen=True)
class World:
    """A source, split with seed 0."""

    tables: CleanTables
    split_pairs: pd.DataFrame
    matrix: ListeningMatrix
    "Train and validation."
    held_out: pd.DataFrame


def world_of(interactions: pd.DataFrame, tables: CleanTables) -> World:
    """Splits and builds as the pipeline does."""
    dealt = split(interactions, seed=0)
    seen = pairs_of(dealt, "train", "validation")
    matrix = ListeningMatrix.from_pairs(seen, tables.artists["artist_id"].to_numpy())
    return World(tables, dealt, matrix, pairs_of(dealt, "held_out"))


@cache
def world(source: str) -> World:
    """The world of `sample` or of a folder."""
    tables = load(source, data_folder=Path(mkdtemp()))
    return world_of(tables.interactions, tables)


def slow_metrics(listed: list[int], wanted: set[int], k: int) -> dict[str, float]:
    """The six metrics of one user's list, from the module's docstring, rank by rank."""
    hits = [artist in wanted for artist in listed[:k]]
    if not wanted:
        return dict.fromkeys(("precision", "recall", "ndcg", "map", "mrr", "hit_rate"), np.nan)
    best = min(k, len(wanted))
    gained = sum(1 / log2(rank + 1) for rank, hit in enumerate(hits, start=1) if hit)
    ideal = sum(1 / log2(rank + 1) for rank in range(1, best + 1))
    at_hits = [sum(hits[:rank]) / rank for rank, hit in enumerate(hits, start=1) if hit]
    return {
        "precision": sum(hits) / k,
        "recall": sum(hits) / len(wanted),
        "ndcg": gained / ideal,
        "map": sum(at_hits) / best,
        "mrr": 1 / (hits.index(True) + 1) if True in hits else 0.0,
        "hit_rate": float(any(hits)),
    }


def slow_auc(scores: dict[int, float], wanted: set[int]) -> float:
    """Share of (wanted, other) pairs of the scored artists in right order, pair by pair."""
    others = [artist for artist in scores if artist not in wanted]
    pairs_of_scores = [(scores[w], scores[o]) for w in scores if w in wanted for o in others]
    if not pairs_of_scores:
        return np.nan
    right = [1.0 if w > o else 0.5 if w == o else 0.0 for w, o in pairs_of_scores]
    return sum(right) / len(right)
