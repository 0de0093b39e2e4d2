"""What `evaluate` and `score` do: judge, and show or write the figures."""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
from pydantic import BaseModel

from lastfm_assets import terminal
from lastfm_assets.errors import BadInputError
from lastfm_assets.evaluation import exchange
from lastfm_assets.evaluation.judge import beyond_accuracy, judge
from lastfm_assets.evaluation.metrics import means
from lastfm_assets.evaluation.repeated import evaluate_repeatedly
from lastfm_assets.listening.clean import CleanTables
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models import fits
from lastfm_assets.models.trained import train
from lastfm_assets.progress import Progress
from lastfm_assets.vocabulary import Columns


def on_file(  # noqa: PLR0913 (what learns from what, and where the figures go)
    tables: CleanTables,
    names: list[str],
    cutoffs: list[int],
    json_file: Path | None,
    *,
    judged_on: pd.DataFrame,
    seed: int,
    configs: Mapping[str, BaseModel] = MappingProxyType({}),
) -> None:
    """Trains on all of a source; a model without parameters in `configs` takes its own."""
    matrix = ListeningMatrix.from_pairs(
        tables.interactions, tables.artists[Columns.ARTIST].to_numpy()
    )
    side = SideTables(tables.tag_assignments, tables.friendships)
    seen = judged_on.merge(tables.interactions, on=list(exchange.HELD_OUT_COLUMNS))
    if len(seen):
        terminal.note(
            f"WARNING: {len(seen):,} of {len(judged_on):,} held-out pairs are plays of the source "
            "itself, which no list names; take them out of the source"
        )
    results = {}
    for name in names:
        with terminal.progress(name) as report:
            fits.forget()  # a blend's time is its own, whatever was fitted before it
            started = time.perf_counter()
            config = configs.get(name)
            model = train(name, matrix, config, side=side, seed=seed, on_progress=report)
            fit_seconds = time.perf_counter() - started
            judgement = judge(model, matrix, judged_on, cutoffs=cutoffs)
        results[name] = exchange.as_json(
            means(judgement.per_user) | beyond_accuracy(judgement, matrix, side, cutoffs),
            users=len(judgement.per_user),
            fit_seconds=fit_seconds,
            rank_seconds=judgement.rank_seconds,
        )
    print_results(results, cutoffs, json_file)


def on_seeds(  # noqa: PLR0913 (as for `on_file`)
    tables: CleanTables,
    names: list[str],
    cutoffs: list[int],
    json_file: Path | None,
    *,
    splits: tuple[range, float],
    seed: int,
    configs: Mapping[str, BaseModel] = MappingProxyType({}),
) -> None:
    """Trains on what random splits leave, and says what can be said of the difference."""
    seeds, share = splits
    with terminal.progress("models and splits") as report:
        done = 0

        def progress_of(name: str, split_seed: int) -> Progress:
            nonlocal done
            del name, split_seed
            begun, done = done, done + 1
            total = len(names) * len(seeds)
            return lambda step, steps: report(int(1000 * (begun + step / steps)), 1000 * total)

        repeated = evaluate_repeatedly(
            tables,
            names,
            seeds=seeds,
            held_out_share=share,
            cutoffs=cutoffs,
            configs=configs,
            progress_of=progress_of,
        )
    summary = repeated.summary(seed=seed)
    per_seed = repeated.per_seed()
    seconds = repeated.seconds.groupby(Columns.MODEL).mean(numeric_only=True)
    results = {}
    for name in names:
        taken = seconds.loc[name].to_dict()
        figures = exchange.as_json(
            {str(metric): value for metric, value in summary.loc[name].to_dict().items()},
            users=int(repeated.per_user[name][Columns.USER].nunique()),
            fit_seconds=taken["fit_seconds"],
            rank_seconds=taken["rank_seconds"],
        )
        of_seeds = per_seed.loc[[name]].droplevel(0).to_dict("index")
        results[name] = {**figures, "per_seed": {str(one): row for one, row in of_seeds.items()}}
    ranked = dict(sorted(results.items(), key=lambda entry: -entry[1][f"ndcg@{cutoffs[0]}"]))
    _write_json(ranked, json_file)
    if str(json_file) != "-":
        terminal.show_repeated(ranked, cutoffs, n_seeds=len(seeds))
        if len(names) > 1:
            said = repeated.comparison(f"ndcg@{cutoffs[0]}", seed=seed)
            terminal.show_comparison(said, list(ranked), f"ndcg@{cutoffs[0]}")


def print_results(
    results: dict[str, dict[str, Any]], cutoffs: list[int], json_file: Path | None
) -> None:
    """Shows every model's figures, and writes them where that was asked for."""
    _write_json(results, json_file)
    if str(json_file) != "-":
        terminal.show_metrics(results, cutoffs)


def _write_json(results: dict[str, dict[str, Any]], json_file: Path | None) -> None:
    text = json.dumps(results, indent=2) + "\n"
    if str(json_file) == "-":
        sys.stdout.write(text)
    elif json_file is not None:
        try:
            json_file.write_text(text, encoding="utf-8")
        except OSError as problem:
            raise BadInputError(
                f"{json_file}: cannot be written ({problem.strerror}); name another file"
            ) from None
