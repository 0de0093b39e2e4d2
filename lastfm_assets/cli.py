"""The console command `lastfm-assets`."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import pandas as pd
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from lastfm_assets import terminal
from lastfm_assets.errors import BadInputError, LastfmAssetsError
from lastfm_assets.io import Store
from lastfm_assets.progress import Progress as OnProgress
from lastfm_assets.settings import Settings, data_folder
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    from lastfm_assets.listening.clean import CleanTables

app = typer.Typer(
    name="lastfm-assets",
    help="Raw Last.fm listening files in, checked top-10 artists for every user out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_SHOWN: Final = [Columns.RANK, Columns.ARTIST, Columns.NAME, Columns.SCORE, Columns.BECAUSE]

Source = Annotated[
    str | None, typer.Option(help="Folder, archive, URL or `sample`; default LASTFM_SOURCE.")
]
StoreOption = Annotated[
    str | None, typer.Option(help="Folder or fsspec URL; default LASTFM_STORE or data/store.")
]
Length = Annotated[int, typer.Option("-n", help="How many artists.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON array.")]
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write the figures to this file, - for stdout.")
]
Cutoffs = Annotated[str, typer.Option(help="List lengths to judge at, with commas between.")]


@app.command()
def refresh(
    *,
    source: Source = None,
    store: StoreOption = None,
    engine: Annotated[
        Literal["local", "spark"], typer.Option(help="Where the work is done.")
    ] = "local",
    select: Annotated[
        str,
        typer.Option(help="Assets or groups, with commas between; + behind one: all that follows."),
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Make again what is current, too.")
    ] = False,
) -> None:
    """Run the chain: raw files, cleaning, models, evaluation, gate, published lists.

    What would come out as it is already is left alone.
    """
    if engine != "local":
        raise BadInputError(f"engine {engine!r} is not part of this version; use --engine local")
    settings = _settings(source, store)
    from lastfm_assets.automation.refresh import run_refresh  # noqa: PLC0415 (imports Dagster)

    started = time.perf_counter()
    names = [name.strip() for name in select.split(",") if name.strip()]
    outcome = run_refresh(settings, names, everything=everything, say=terminal.note)
    if outcome.exit_code:
        _fail(outcome.message, outcome.exit_code)
    terminal.note(f"done in {time.perf_counter() - started:.0f} s")
    terminal.show_summary(settings)


@app.command()
def recommend(
    *,
    user: Annotated[str | None, typer.Option(help="Id of a user of the source.")] = None,
    plays: Annotated[
        Path | None,
        typer.Option(help="CSV of one listener: artist_id or artist_name, and plays if known."),
    ] = None,
    n: Length = 10,
    as_json: Json = False,
    store: StoreOption = None,
) -> None:
    """Print one user's artists with scores and reasons."""
    from lastfm_assets.recommendations import reader  # noqa: PLC0415 (imports pandas' readers)

    _at_least_one(n)
    if (user is None) == (plays is None):
        raise BadInputError("expected either --user ID or --plays FILE")
    lists = reader.Lists.open(_settings(None, store).store)
    if user is not None:
        table = lists.of_user(_number("--user", user), n)
    else:
        assert plays is not None  # noqa: S101 (one of the two was given)
        table, unused = lists.of_plays(_read(plays), plays.name, n)
        if unused:
            terminal.note(f"{unused} rows of {plays.name} name no artist that is known and played")
    _print_lists(table, lists.source, as_json=as_json)


@app.command()
def similar(
    *,
    artist: Annotated[str, typer.Option(help="Id or name of an artist.")],
    n: Length = 10,
    as_json: Json = False,
    store: StoreOption = None,
) -> None:
    """Print the artists nearest to one, by who plays them."""
    from lastfm_assets.recommendations import reader  # noqa: PLC0415

    _at_least_one(n)
    lists = reader.Lists.open(_settings(None, store).store)
    _print_lists(lists.similar_to(artist, n), lists.source, as_json=as_json)


@app.command()
def evaluate(  # noqa: PLR0913 (its options)
    *,
    source: Source = None,
    held_out: Annotated[
        Path | None, typer.Option(help="CSV with the header user_id,artist_id to judge on.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Hold out at random instead, once for each of N seeds.")
    ] = None,
    share: Annotated[
        float, typer.Option(help="With --seeds: share of all pairs to hold out.")
    ] = 0.2,
    models: Annotated[str, typer.Option(help="Models, with commas between; default all.")] = "",
    at: Cutoffs = "10",
    json_file: JsonFile = None,
) -> None:
    """Train on a source and judge on pairs that training never sees: a file's, or random ones."""
    from lastfm_assets.evaluation import exchange  # noqa: PLC0415
    from lastfm_assets.listening.load import load  # noqa: PLC0415
    from lastfm_assets.models.trained import MODELS, model_named  # noqa: PLC0415

    settings = _settings(source, None)
    cutoffs = _cutoffs(at)
    names = [name.strip() for name in models.split(",") if name.strip()] or list(MODELS)
    for name in names:
        model_named(name)
    if (held_out is None) == (seeds is None):
        raise BadInputError("expected either --held-out FILE or --seeds N")
    if seeds is not None and seeds < 1:
        raise BadInputError(f"--seeds is {seeds}, expected at least 1")
    if not 0 < share < 1:
        raise BadInputError(f"--share is {share}, expected between 0 and 1")
    judged_on = None
    if held_out is not None:
        judged_on = exchange.read_pairs(_read(held_out), held_out.name)
        exchange.whole_number_ids(judged_on, held_out.name)
    with _progress("reading") as report:
        tables = load(settings.source, data_folder=data_folder(), on_progress=report)
    if judged_on is None:
        assert seeds is not None  # noqa: S101 (one of the two was given)
        _evaluate_seeds(
            tables, names, cutoffs, json_file, splits=(range(seeds), share), seed=settings.seed
        )
    else:
        _evaluate_file(tables, names, cutoffs, json_file, judged_on=judged_on, seed=settings.seed)


def _evaluate_file(
    tables: "CleanTables",
    names: list[str],
    cutoffs: list[int],
    json_file: Path | None,
    *,
    judged_on: pd.DataFrame,
    seed: int,
) -> None:
    """Trains on all of a source."""
    from lastfm_assets.evaluation import exchange  # noqa: PLC0415
    from lastfm_assets.evaluation.judge import beyond_accuracy, judge  # noqa: PLC0415
    from lastfm_assets.evaluation.metrics import means  # noqa: PLC0415
    from lastfm_assets.listening.matrix import ListeningMatrix  # noqa: PLC0415
    from lastfm_assets.listening.side import SideTables  # noqa: PLC0415
    from lastfm_assets.models import fits  # noqa: PLC0415
    from lastfm_assets.models.trained import train  # noqa: PLC0415

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
        with _progress(name) as report:
            fits.forget()  # a blend's time is its own, whatever was fitted before it
            started = time.perf_counter()
            model = train(name, matrix, side=side, seed=seed, on_progress=report)
            fit_seconds = time.perf_counter() - started
            judgement = judge(model, matrix, judged_on, cutoffs=cutoffs)
        results[name] = exchange.as_json(
            means(judgement.per_user) | beyond_accuracy(judgement, matrix, side, cutoffs),
            users=len(judgement.per_user),
            fit_seconds=fit_seconds,
            rank_seconds=judgement.rank_seconds,
        )
    _print_results(results, cutoffs, json_file)


def _evaluate_seeds(
    tables: "CleanTables",
    names: list[str],
    cutoffs: list[int],
    json_file: Path | None,
    *,
    splits: tuple[range, float],
    seed: int,
) -> None:
    """Trains on what random splits leave, and says what can be said of the difference."""
    from lastfm_assets.evaluation import exchange  # noqa: PLC0415
    from lastfm_assets.evaluation.repeated import evaluate_repeatedly  # noqa: PLC0415

    seeds, share = splits
    with _progress("models and splits") as report:
        done = 0

        def progress_of(name: str, split_seed: int) -> OnProgress:
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


@app.command()
def score(
    *,
    lists: Annotated[Path, typer.Option(help="CSV with the header user_id,artist_id,score.")],
    held_out: Annotated[Path, typer.Option(help="CSV with the header user_id,artist_id.")],
    at: Cutoffs = "10",
    json_file: JsonFile = None,
) -> None:
    """Judge any lists, ours or others', against held-out pairs."""
    from lastfm_assets.evaluation import exchange  # noqa: PLC0415
    from lastfm_assets.evaluation.given_lists import match  # noqa: PLC0415
    from lastfm_assets.evaluation.metrics import means  # noqa: PLC0415

    cutoffs = _cutoffs(at)
    judged, judged_on = exchange.same_ids(
        exchange.read_lists(_read(lists), lists.name),
        exchange.read_pairs(_read(held_out), held_out.name),
    )
    matched = match(judged, judged_on)
    per_user = matched.per_user(cutoffs)
    result = exchange.as_json(
        means(per_user) | matched.beyond_accuracy(cutoffs),
        users=len(per_user),
        fit_seconds=None,
        rank_seconds=None,
    )
    _print_results({"lists": result}, cutoffs, json_file)


@app.command()
def tune(
    *,
    model: Annotated[str, typer.Option(help="Which model's parameters.")],
    trials: Annotated[
        int | None, typer.Option(help="Finished trials in all, earlier ones included; default 30.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which no further trial is begun.")
    ] = None,
    source: Source = None,
    store: StoreOption = None,
) -> None:
    """Search a model's parameters on validation pairs, or go on with a search."""
    from lastfm_assets.listening.load import load  # noqa: PLC0415
    from lastfm_assets.tuning import study  # noqa: PLC0415
    from lastfm_assets.tuning.space import tunable  # noqa: PLC0415
    from lastfm_assets.tuning.storage import study_folder  # noqa: PLC0415

    settings = _settings(source, store)
    tunable(model)
    budget = study.Budget(study.DEFAULT_TRIALS if trials is None else trials, timeout)
    folder = study_folder(settings.store)
    with _progress("reading") as report:
        tables = load(settings.source, data_folder=data_folder(), on_progress=report)
    known = study.Known.of_source(tables, seed=settings.seed)
    try:
        with _progress(f"tuning {model}") as report:
            search = study.tune(
                model,
                known,
                folder=folder,
                seed=settings.seed,
                budget=budget,
                on_progress=report,
            )
    except KeyboardInterrupt:
        _fail(f"interrupted; finished trials are kept in {folder}, the same command goes on", 130)
    terminal.show_search(search, budget.trials)


def main() -> None:
    """Runs the command; whatever the user can mend ends in one line on stderr."""
    for stream in (sys.stdout, sys.stderr):  # a terminal may not know every artist's letters
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = app(args=sys.argv[1:] or ["--help"], standalone_mode=False)
    except LastfmAssetsError as problem:
        _fail(str(problem), problem.exit_code)
    except typer.TyperException as problem:
        _fail(f"{problem.format_message()} (see lastfm-assets --help)", 2)
    except (typer.Abort, KeyboardInterrupt):
        _fail("interrupted; what was published before is unchanged", 130)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> None:
    terminal.error(message)
    sys.exit(code)


def _settings(source: str | None, store: str | None) -> Settings:
    given = {"source": source, "store": store}
    return Settings.from_environment().model_copy(
        update={name: value for name, value in given.items() if value}
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise BadInputError(
            f"{path}: cannot be read ({problem.strerror}); name a readable CSV file"
        ) from None


def _at_least_one(n: int) -> None:
    if n < 1:
        raise BadInputError(f"-n is {n}, expected at least 1")


def _number(option: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadInputError(f"{option} is {text!r}, expected a whole number") from None


@app.command()
def history(*, as_json: Json = False, store: StoreOption = None) -> None:
    """Print the published versions, the newest first."""
    from lastfm_assets.recommendations.published import PublishedLists  # noqa: PLC0415 (Delta)

    versions = PublishedLists(Store(_settings(None, store).store).root).history()
    if as_json:
        rows = [asdict(version) for version in versions]
        sys.stdout.write(json.dumps(rows, indent=2, default=str) + "\n")
    else:
        terminal.show_history(versions)


@app.command()
def rollback(
    *,
    to: Annotated[
        str | None, typer.Option(help="Number of a version; unset: the last other lists.")
    ] = None,
    store: StoreOption = None,
) -> None:
    """Let readers see an earlier version again, as a new one, until the lists change."""
    from lastfm_assets.recommendations.published import PublishedLists  # noqa: PLC0415 (Delta)
    from lastfm_assets.recommendations.serve import serve  # noqa: PLC0415 (DuckDB)

    settings = _settings(None, store)
    opened = Store(settings.store)
    version = PublishedLists(opened.root).rollback(None if to is None else _number("--to", to))
    terminal.note(f"readers see version {version.restored} again, as version {version.number}")
    serving = serve(opened, settings.publish_url)
    if serving is not None:
        terminal.note(f"so do those of {serving.database}")


def _cutoffs(text: str) -> list[int]:
    cutoffs = [_number("--at", part.strip()) for part in text.split(",") if part.strip()]
    if not cutoffs or min(cutoffs) < 1:
        raise BadInputError(f"--at is {text!r}, expected list lengths from 1 on, such as 10,20")
    return cutoffs


@contextmanager
def _progress(what: str) -> Iterator[OnProgress]:
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


def _print_lists(table: pd.DataFrame, source: str, *, as_json: bool) -> None:
    terminal.note_source(source)
    if as_json:
        rows = table[_SHOWN].to_dict("records")
        readable = sys.stdout.encoding.lower() in {"utf-8", "utf8"}  # else escaped
        sys.stdout.write(json.dumps(rows, ensure_ascii=not readable, indent=2) + "\n")
    else:
        terminal.show_table(table[_SHOWN])


def _print_results(
    results: dict[str, dict[str, Any]], cutoffs: list[int], json_file: Path | None
) -> None:
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


if __name__ == "__main__":
    main()
