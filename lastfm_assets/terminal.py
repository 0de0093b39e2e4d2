"""What the command line shows: tables on stdout, everything else on stderr."""

import sys
from typing import Any, Final

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.evaluation.leaderboard import CEILING, JUDGED
from lastfm_assets.evaluation.metrics import METRICS
from lastfm_assets.io import Store
from lastfm_assets.settings import Settings
from lastfm_assets.vocabulary import Columns

_SAMPLE_WARNING: Final = (
    "WARNING: made from the bundled, invented sample, not from real listening data. Set "
    "LASTFM_SOURCE or put the files into data/raw."
)
_NUMBERS: Final = (Columns.RANK, Columns.ARTIST, Columns.SCORE)


def error(message: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"error: {_plain(message)}\n")


def note(message: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"{_plain(message)}\n")


def note_source(source: str) -> None:
    """Says so where lists were made from the sample."""
    if "sample" in source.split("+"):
        note(_SAMPLE_WARNING)


def show_table(table: pd.DataFrame) -> None:
    """Rows as they are, numbers to the right."""
    shown = _table([str(column) for column in table.columns], numbers=_NUMBERS)
    for row in table.itertuples(index=False):
        shown.add_row(*(Text(_cell(value)) for value in row))
    _print(shown)


def show_metrics(results: dict[str, dict[str, Any]], cutoffs: list[int]) -> None:
    """One row a model and cut-off."""
    columns = ["model", "at", *METRICS, "users", "fit s", "rank s"]
    shown = _table(columns, numbers=columns[1:])
    for model, figures in results.items():
        for k in cutoffs:
            cells = [figures[f"{metric}@{k}"] for metric in METRICS]
            rest = [figures["users"], figures["fit_seconds"], figures["rank_seconds"]]
            shown.add_row(model, str(k), *(_cell(value) for value in [*cells, *rest]))
    _print(shown)


def show_summary(settings: Settings) -> None:
    """The leaderboard, one user's ten artists and where the tables lie."""
    store = Store(settings.store)
    if not store.has(("recommendations", "published"), pd.DataFrame):
        return
    board = store.read(("evaluation", "leaderboard"), pd.DataFrame)
    champion = store.read(("evaluation", "champion"), Champion)
    lists, stamp = store.read_with_stamp(("recommendations", "published"), pd.DataFrame)
    columns = [
        "model",
        "precision@10",
        "95% interval",
        "ndcg@10",
        "recall@10",
        "precision@10 on train",
    ]
    shown = _table(columns, numbers=columns[1:])
    for row in board.to_dict("records"):
        shown.add_row(
            str(row[Columns.MODEL]),
            _cell(row[JUDGED]),
            f"{row[f'{JUDGED}_low']:.4f} to {row[f'{JUDGED}_high']:.4f}",
            _cell(row["held_out_ndcg@10"]),
            _cell(row["held_out_recall@10"]),
            _cell(row["train_precision@10"]),
        )
    users = lists[Columns.USER].nunique()
    _say(
        f"\nHeld out, best on validation first (ceiling of precision@10: "
        f"{board[CEILING].iloc[0]:.4f})"
    )
    _print(shown)
    _say(f"Champion: {champion.model}, {champion.because}")
    user = int(lists[Columns.USER].iloc[0])
    _say(f"\nUser {user}'s ten, one of {users:,}")
    one = lists[lists[Columns.USER] == user]
    show_table(one[[Columns.RANK, Columns.ARTIST, Columns.NAME, Columns.SCORE, Columns.BECAUSE]])
    _say(f"Tables: {store.root} (start with recommendations/published.parquet)")
    note_source(stamp.source)


def _table(columns: list[str], *, numbers: Any) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left")
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else _plain(str(value))


def _plain(text: str) -> str:
    """Without characters that steer a terminal or turn its writing direction."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _say(text: str) -> None:
    _print(Text(text))


def _print(shown: Table | Text) -> None:
    console = Console(file=sys.stdout, soft_wrap=False)
    if not console.is_terminal:
        console.width = 160
    console.print(shown)
