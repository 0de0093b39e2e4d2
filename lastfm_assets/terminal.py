"""What the command line shows: tables on stdout, everything else on stderr."""

import itertools
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.evaluation.leaderboard import CEILING, JUDGED
from lastfm_assets.evaluation.metrics import AUC, METRICS
from lastfm_assets.io import Store
from lastfm_assets.listening.about import ARTIST
from lastfm_assets.listening.keys import key_column
from lastfm_assets.listening.wording import plural
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.reader import Lists
from lastfm_assets.recommendations.versions import Version
from lastfm_assets.settings import Settings
from lastfm_assets.tuning.trials import Search
from lastfm_assets.vocabulary import Columns

_SAMPLE_WARNING: Final = (
    "WARNING: made from the bundled, invented sample, not from real listening data. Set "
    "LASTFM_SOURCE or put the files into data/raw."
)
_BEYOND: Final = {
    "coverage": "coverage",
    "gini": "gini",
    "novelty": "novelty",
    "diversity": "diversity",
    "popularity_lift": "lift",
    "users_served": "served",
}
"""Figures beyond accuracy with their titles; `beyond_accuracy` says what they are."""
_STEERING: Final = re.compile(r"[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""What JSON may hold as it is and a terminal obeys: C1, marks of direction and without width."""
_NUMBERS: Final = (Columns.RANK, Columns.ARTIST, Columns.USER, Columns.SCORE)


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


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on stderr with the time left, which vanishes when done."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),  # else it leaves an empty line in a log
        speed_estimate_period=600.0,  # one step of a search may take longer than Rich's 30 s
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show_table(table: pd.DataFrame) -> None:
    """Rows as they are, numbers to the right."""
    shown = _table([str(column) for column in table.columns], numbers=_NUMBERS)
    for row in table.itertuples(index=False):
        shown.add_row(*(Text(_cell(value)) for value in row))
    _print(shown)


def show_list(table: pd.DataFrame, columns: Sequence[str], item: str) -> None:
    """A list with the source's own ids, its columns called after what is recommended.

    Args:
        table: `columns`, and `user_key` or `artist_key` where ids of ours stand for text.
        columns: to show, in order.
        item: what is recommended, in the singular.
    """
    own = {column: key_column(column) for column in columns}
    shown = {name: table[own[name] if own[name] in table else name] for name in columns}
    if Columns.NAME in shown and shown[Columns.NAME].equals(
        shown[Columns.ARTIST].rename(Columns.NAME)
    ):
        del shown[Columns.ARTIST]  # a source that knows names alone
    show_table(pd.DataFrame(shown).rename(columns=lambda name: _called(name, item)))


def _called(column: str, item: str) -> str:
    return column.replace(ARTIST, item) if column.startswith(ARTIST) else column


def show_metrics(results: dict[str, dict[str, Any]], cutoffs: list[int]) -> None:
    """One row a model and cut-off, with those figures of `_BEYOND` that are known."""
    beyond = {
        name: title
        for name, title in _BEYOND.items()
        if any(f"{name}@{k}" in figures for figures in results.values() for k in cutoffs)
    }
    at_cutoffs = [*METRICS, *beyond]
    columns = ["model", "at", *METRICS, *beyond.values(), AUC, "users", "fit s", "rank s"]
    shown = _table(columns, numbers=columns[1:])
    for model, figures in results.items():
        for k in cutoffs:
            cells = [figures.get(f"{metric}@{k}") for metric in at_cutoffs]
            rest = [figures[name] for name in (AUC, "users", "fit_seconds", "rank_seconds")]
            shown.add_row(model, str(k), *(_cell(value) for value in [*cells, *rest]))
    _print(shown)


def show_repeated(results: dict[str, dict[str, Any]], cutoffs: list[int], *, n_seeds: int) -> None:
    """One row a model and cut-off: means over splits, with 95% intervals."""
    _say(f"Mean over {n_seeds} random split{'' if n_seeds == 1 else 's'}, with 95% intervals")
    metrics = ("precision", "ndcg", "recall", "map")
    columns = ["model", "at"]
    for metric in metrics:
        columns += [metric, "interval"] if metric in ("precision", "ndcg") else [metric]
    columns += ["auc", "users", "fit s", "rank s"]
    shown = _table(columns, numbers=columns[1:])
    for model, figures in results.items():
        for k in cutoffs:
            cells = []
            for metric in metrics:
                name = f"{metric}@{k}"
                cells.append(_cell(figures[name]))
                if metric in ("precision", "ndcg"):
                    low, high = figures[f"{name}_low"], figures[f"{name}_high"]
                    cells.append(f"{_cell(low)} to {_cell(high)}")
            rest = [figures[name] for name in ("auc", "users", "fit_seconds", "rank_seconds")]
            shown.add_row(model, str(k), *cells, *(_cell(value) for value in rest))
    _print(shown)


def show_comparison(pairs: pd.DataFrame, ranked: list[str], metric: str) -> None:
    """Each model against the one below it, in words."""
    _say(f"\n{metric}, all pairs compared on the same users, corrected for their number")
    for better, worse in itertools.pairwise(ranked):
        one = (pairs["model_a"] == better) & (pairs["model_b"] == worse)
        other = (pairs["model_a"] == worse) & (pairs["model_b"] == better)
        for row in pairs[one | other].to_dict("records"):
            sign = 1 if row["model_a"] == better else -1
            low, high = sorted((sign * row["low"], sign * row["high"]))
            by = f"{sign * row['difference']:+.4f}, 95% {low:+.4f} to {high:+.4f}"
            _say(f"{row['verdict']} ({by}, p {row['p_adjusted']:.4f})")


def show_summary(settings: Settings) -> None:
    """The leaderboard, one user's ten artists and where the tables lie."""
    store = Store(settings.store)
    if not store.has(("evaluation", "champion"), Champion):
        return
    board = store.read(("evaluation", "leaderboard"), pd.DataFrame)
    champion = store.read(("evaluation", "champion"), Champion)
    published = PublishedLists(store.root)
    version = published.version()
    users = published.user_ids(version)
    columns = [
        "model",
        "precision@10",
        "95% interval",
        "ndcg@10",
        "recall@10",
        "precision@10 on train",
        "verdict",
    ]
    shown = _table(columns, numbers=columns[1:-1])
    for row in board.to_dict("records"):
        shown.add_row(
            str(row[Columns.MODEL]),
            _cell(row[JUDGED]),
            f"{row[f'{JUDGED}_low']:.4f} to {row[f'{JUDGED}_high']:.4f}",
            _cell(row["held_out_ndcg@10"]),
            _cell(row["held_out_recall@10"]),
            _cell(row["train_precision@10"]),
            _plain(str(row["verdict"])),
        )
    _say(
        f"\nHeld out, best on validation first (ceiling of precision@10: "
        f"{board[CEILING].iloc[0]:.4f})"
    )
    _print(shown)
    _say("Verdicts are by ndcg@10 of the same users; by chance alone 5% of tables would have one.")
    _say(f"Champion: {champion.model}")
    _say(f"  {champion.because}")
    shown_lists = Lists.open(settings.store)
    keyed = shown_lists.with_keys(published.of_users([int(users[0])], version))
    user, item = keyed.get("user_key", keyed[Columns.USER]).iloc[0], shown_lists.about.item
    _say(f"\nUser {_plain(str(user))}'s ten {plural(item)}, one of {len(users):,}")
    shown_columns = (Columns.RANK, Columns.ARTIST, Columns.NAME, Columns.SCORE, Columns.BECAUSE)
    show_list(keyed, shown_columns, item)
    _say(f"Tables: {store.root} (read recommendations/published, a Delta table)")
    note_source(version.source)


def show_history(versions: Sequence[Version]) -> None:
    """The published versions, the newest first; the first is what readers see."""
    columns = ["version", "published", "model", "precision@10", "users", "source", "what"]
    shown = _table(columns, numbers=["version", "precision@10", "users"])
    for version in versions:
        shown.add_row(
            str(version.number),
            f"{version.published_at:%Y-%m-%d %H:%M} UTC",
            version.model,
            _cell(version.precision),
            f"{version.users:,}",
            _plain(version.source),
            version.in_words,
        )
    _print(shown)


def show_search(search: Search, budget: int) -> None:
    """The best parameters beside the shipped ones, and where the study lies."""
    shown = _table(["parameter", "shipped", "best"], numbers=["shipped", "best"])
    for name, best in search.best.items():
        shown.add_row(name, _short(search.defaults[name]), _short(best))
    shown.add_row("validation ndcg@10", _cell(search.default_value), _cell(search.best_value))
    _print(shown)
    counts = search.trials["state"].value_counts()
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    _say(f"Trials: {len(search.trials)} ({states}), {search.seconds:.0f} s")
    _say(f"Study: {search.file} (deleting it starts over)")
    for remark in search.remarks:
        note(remark)
    if len(search.trials) < budget:
        note(f"trials left: {budget - len(search.trials)}; the same command goes on")


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(columns: list[str], *, numbers: Any) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(Text(_plain(column)), justify="right" if column in numbers else "left")
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else _plain(str(value))


def _plain(text: str) -> str:
    """Without characters that steer a terminal or turn its writing direction."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def without_steering(written: str) -> str:
    """JSON that says the same, with all that steers a terminal escaped by its number."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def _say(text: str) -> None:
    _print(Text(text))


def _print(shown: Table | Text) -> None:
    console = Console(file=sys.stdout, soft_wrap=False)
    if not console.is_terminal:
        console.width = 160
    console.print(shown)
