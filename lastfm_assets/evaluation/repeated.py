"""Models judged on several random splits of one source, and what can be said of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import pandas as pd
from pydantic import BaseModel

from lastfm_assets.errors import BadInputError
from lastfm_assets.evaluation.comparison import compare, mean_over_splits
from lastfm_assets.evaluation.judge import judge
from lastfm_assets.evaluation.metrics import bootstrap_intervals
from lastfm_assets.listening.clean import CleanTables
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.split import random_split
from lastfm_assets.models import fits
from lastfm_assets.models.trained import train
from lastfm_assets.progress import Progress
from lastfm_assets.vocabulary import Columns

SEED: Final = "split_seed"


@dataclass(frozen=True, slots=True)
class Repeated:
    """Figures of every model, split and user."""

    per_user: dict[str, pd.DataFrame]
    """For each model `split_seed, user_id, <metric>@<k>, auc`; the same users for every model."""
    seconds: pd.DataFrame
    """`model, split_seed, fit_seconds, rank_seconds`, each fit from the start."""

    def per_seed(self) -> pd.DataFrame:
        """`model, split_seed` and the mean of each metric over that split's users."""
        return pd.concat(
            [
                table.drop(columns=Columns.USER)
                .groupby(SEED, as_index=False)
                .mean()
                .assign(**{Columns.MODEL: model})
                for model, table in self.per_user.items()
            ],
            ignore_index=True,
        ).set_index([Columns.MODEL, SEED])

    def summary(self, *, seed: int) -> pd.DataFrame:
        """Each model's mean over splits, with 95% bounds from resampled users.

        A user's figures of several splits depend on each other, so they are averaged first and
        users, not rows, are drawn.

        Returns:
            Indexed by model, in the order of `per_user`: `<metric>`, `<metric>_low` and
            `<metric>_high` for every metric.
        """
        means = self.per_seed().groupby(level=Columns.MODEL).mean().to_dict("index")
        rows: dict[str, dict[str, float]] = {}
        for model, table in self.per_user.items():
            metrics = table.drop(columns=[SEED]).groupby(Columns.USER).mean()
            bounds = bootstrap_intervals(metrics.to_numpy(), seed=seed)
            row: dict[str, float] = {}
            for name, (low, high) in zip(metrics.columns, bounds, strict=True):
                row |= {name: means[model][name], f"{name}_low": low, f"{name}_high": high}
            rows[model] = row
        return pd.DataFrame.from_dict(rows, orient="index")

    def comparison(self, metric: str, *, seed: int) -> pd.DataFrame:
        """Every pair of models on one metric; see `comparison.compare`."""
        seeds = next(iter(self.per_user.values()))[SEED].unique()
        splits = []
        for split_seed in seeds:
            figures = {
                model: table[table[SEED] == split_seed].set_index(Columns.USER)[metric]
                for model, table in self.per_user.items()
            }
            splits.append(pd.DataFrame(figures))
        return compare(mean_over_splits(splits), seed=seed)


def evaluate_repeatedly(  # noqa: PLR0913 (what learns from what, and how it is judged)
    tables: CleanTables,
    names: Sequence[str],
    *,
    seeds: Sequence[int],
    held_out_share: float,
    cutoffs: list[int],
    progress_of: Callable[[str, int], Progress],
    configs: Mapping[str, BaseModel] = MappingProxyType({}),
) -> Repeated:
    """Holds a share of all pairs out at random, trains on the rest and judges, for each seed.

    Args:
        tables: of one source.
        names: models.
        seeds: of the splits and of the models.
        held_out_share: share of all pairs, drawn over pairs and not per user, as in most
            published results on this kind of data.
        cutoffs: list lengths.
        progress_of: model and seed -> who is told of its training.
        configs: parameters by model; one that is not there takes its own.

    Returns:
        The figures. Training sees neither held-out pairs nor the tags of those pairs.

    Raises:
        BadInputError: there are so few pairs that the share of them is none.
    """
    artist_ids = tables.artists[Columns.ARTIST].to_numpy()
    per_user: dict[str, list[pd.DataFrame]] = {name: [] for name in names}
    seconds = []
    for seed in seeds:
        known, held_out = random_split(
            tables.interactions, seed=seed, held_out_share=held_out_share
        )
        if held_out.empty:  # every split holds out equally many
            raise BadInputError(
                "nothing is held out in any split; expected more pairs, or a larger --share"
            )
        matrix = ListeningMatrix.from_pairs(known, artist_ids)
        side = SideTables(tables.tag_assignments, tables.friendships).without_tags_of(held_out)
        for name in names:
            fits.forget()
            started = time.perf_counter()
            report = progress_of(name, seed)
            model = train(
                name, matrix, config=configs.get(name), side=side, seed=seed, on_progress=report
            )
            fitted = time.perf_counter()
            judgement = judge(model, matrix, held_out, cutoffs=cutoffs)
            per_user[name].append(judgement.per_user.assign(**{SEED: seed}))
            seconds.append((name, seed, fitted - started, judgement.rank_seconds))
    columns = [Columns.MODEL, SEED, "fit_seconds", "rank_seconds"]
    return Repeated(
        {name: pd.concat(tables_of, ignore_index=True) for name, tables_of in per_user.items()},
        pd.DataFrame(seconds, columns=columns),
    )
