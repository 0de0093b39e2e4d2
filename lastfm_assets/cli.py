"""The console command `lastfm-assets`."""

import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import pandas as pd
import typer

from lastfm_assets import terminal
from lastfm_assets.errors import BadInputError, LastfmAssetsError
from lastfm_assets.io import Store
from lastfm_assets.listening.keys import key_column
from lastfm_assets.settings import Settings, data_folder
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    from lastfm_assets.recommendations.reader import Lists

app = typer.Typer(
    name="lastfm-assets",
    help="Raw Last.fm listening files in, checked top-10 artists for every user out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_SHOWN: Final = (Columns.RANK, Columns.ARTIST, Columns.NAME, Columns.SCORE, Columns.BECAUSE)
_SHOWN_USERS: Final = (Columns.RANK, Columns.USER, Columns.SCORE, Columns.BECAUSE)

Source = Annotated[
    str | None,
    typer.Option(help="Folder, archive, URL, description or `sample`; default LASTFM_SOURCE."),
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
        Literal["local", "spark"] | None,
        typer.Option(help="Where the work is done; default LASTFM_ENGINE or local."),
    ] = None,
    select: Annotated[
        str,
        typer.Option(help="Assets or groups, with commas between; + behind one: all that follows."),
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Make again what is current, too.")
    ] = False,
    accept_drift: Annotated[
        str | None,
        typer.Option(help="Mark, as a refusal gives it, and reason of a change that is right."),
    ] = None,
) -> None:
    """Run the chain: raw files, cleaning, models, evaluation, gate, published lists.

    What would come out as it is already is left alone.
    """
    given = {"engine": engine, "accept_drift": accept_drift}
    settings = _settings(source, store).model_copy(
        update={name: value for name, value in given.items() if value}
    )
    from lastfm_assets.automation.refresh import run_refresh  # noqa: PLC0415 (imports Dagster)
    from lastfm_assets.automation.stopping import run_until_stopped  # noqa: PLC0415 (likewise)

    started = time.perf_counter()
    names = [name.strip() for name in select.split(",") if name.strip()]
    outcome = run_until_stopped(
        lambda: run_refresh(settings, names, everything=everything, say=terminal.note)
    )
    if outcome.exit_code:
        _fail(outcome.message, outcome.exit_code)
    terminal.note(f"done in {time.perf_counter() - started:.0f} s")
    terminal.show_summary(settings)
    for warning in outcome.warnings:
        terminal.note(f"WARNING: {warning}")


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
        table = lists.of_user(user, n)
    else:
        assert plays is not None  # noqa: S101 (one of the two was given)
        table, unused = lists.of_plays(_read(plays), plays.name, n)
        if unused:
            item = lists.about.item
            terminal.note(f"{unused} rows of {plays.name} name no {item} that is known and played")
    _print_lists(table, lists, _SHOWN, as_json=as_json)


@app.command()
def similar(
    *,
    artist: Annotated[
        str | None, typer.Option("--artist", "--item", help="Id or name of an artist.")
    ] = None,
    user: Annotated[str | None, typer.Option(help="Id of a user: who plays alike.")] = None,
    n: Length = 10,
    as_json: Json = False,
    store: StoreOption = None,
) -> None:
    """Print the artists nearest to one, by who plays them; or the users, by what they play."""
    from lastfm_assets.recommendations import reader  # noqa: PLC0415

    _at_least_one(n)
    if (artist is None) == (user is None):
        raise BadInputError("expected either --artist NAME_OR_ID or --user ID")
    lists = reader.Lists.open(_settings(None, store).store)
    if artist is not None:
        _print_lists(lists.similar_to(artist, n), lists, _SHOWN, as_json=as_json)
    else:
        assert user is not None  # noqa: S101 (one of the two was given)
        _print_lists(lists.similar_users(user, n), lists, _SHOWN_USERS, as_json=as_json)


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
    models: Annotated[
        str | None,
        typer.Option(help="Models or a TOML file, as LASTFM_MODELS, which is the default."),
    ] = None,
    at: Cutoffs = "10",
    json_file: JsonFile = None,
) -> None:
    """Train on a source and judge on pairs that training never sees: a file's, or random ones."""
    from lastfm_assets.evaluation import command, exchange  # noqa: PLC0415
    from lastfm_assets.listening.load import load  # noqa: PLC0415
    from lastfm_assets.models.competing import models_named  # noqa: PLC0415

    settings = _settings(source, None)
    cutoffs = _cutoffs(at)
    configs = models_named(models or settings.models)
    names = list(configs)
    if (held_out is None) == (seeds is None):
        raise BadInputError("expected either --held-out FILE or --seeds N")
    if seeds is not None and seeds < 1:
        raise BadInputError(f"--seeds is {seeds}, expected at least 1")
    if not 0 < share < 1:
        raise BadInputError(f"--share is {share}, expected between 0 and 1")
    judged_on = None
    if held_out is not None:
        judged_on = exchange.read_pairs(_read(held_out), held_out.name)
    with terminal.progress("reading") as report:
        tables = load(settings.source, data_folder=data_folder(), on_progress=report)
    if judged_on is None:
        assert seeds is not None  # noqa: S101 (one of the two was given)
        splits, seed = (range(seeds), share), settings.seed
        command.on_seeds(
            tables, names, cutoffs, json_file, splits=splits, seed=seed, configs=configs
        )
    else:
        assert held_out is not None  # noqa: S101 (one of the two was given)
        judged_on = exchange.ids_as_in_source(judged_on, held_out.name, tables.keys)
        seed = settings.seed
        command.on_file(
            tables, names, cutoffs, json_file, judged_on=judged_on, seed=seed, configs=configs
        )


@app.command()
def score(
    *,
    lists: Annotated[Path, typer.Option(help="CSV with the header user_id,artist_id,score.")],
    held_out: Annotated[Path, typer.Option(help="CSV with the header user_id,artist_id.")],
    at: Cutoffs = "10",
    json_file: JsonFile = None,
) -> None:
    """Judge any lists, ours or others', against held-out pairs."""
    from lastfm_assets.evaluation import command, exchange  # noqa: PLC0415
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
    command.print_results({"lists": result}, cutoffs, json_file)


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
    with terminal.progress("reading") as report:
        tables = load(settings.source, data_folder=data_folder(), on_progress=report)
    known = study.Known.of_source(tables, seed=settings.seed)
    try:
        with terminal.progress(f"tuning {model}") as report:
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
    # int() takes 1_0 and the digits of other scripts for numbers
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise BadInputError(f"{option} is {text[:80]!r}, expected a whole number")
    return int(text)


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
    from lastfm_assets.writer import held  # noqa: PLC0415

    settings = _settings(None, store)
    opened = Store(settings.store)
    number = None if to is None else _number("--to", to)
    with held(opened.root, "a rollback", say=terminal.note):
        version = PublishedLists(opened.root).rollback(number)
        terminal.note(f"readers see version {version.restored} again, as version {version.number}")
        try:
            serving = serve(opened, settings.publish_url)
        except (LastfmAssetsError, KeyboardInterrupt) as problem:  # a second rollback would go on
            told = str(problem) or "interrupted"
            _fail(
                f"those of the serving database do not yet ({told}); once it can be served, run "
                "`lastfm-assets refresh`, and not another rollback",
                problem.exit_code if isinstance(problem, LastfmAssetsError) else 130,
            )
    if serving is not None:
        terminal.note(f"so do those of {serving.database}")


@app.command()
def sql(
    query: Annotated[
        str | None, typer.Argument(help="One statement that reads; - takes it from stdin.")
    ] = None,
    *,
    output: Annotated[
        Literal["table", "csv", "json"], typer.Option(help="How the answer is written.")
    ] = "table",
    tables: Annotated[bool, typer.Option("--tables", help="List all tables and columns.")] = False,
    store: StoreOption = None,
) -> None:
    """Ask the whole store in SQL; without a query, list its tables and columns."""
    from lastfm_assets.sql import command  # noqa: PLC0415 (DuckDB)
    from lastfm_assets.sql.stored import StoredTables  # noqa: PLC0415

    stored = StoredTables(Store(_settings(None, store).store))
    if tables and query is not None:
        raise BadInputError("expected either a query or --tables")
    try:
        if query is None:
            command.show_tables(stored, output)
        else:
            command.show_answer(stored, command.typed(query), output)
    except KeyboardInterrupt:
        _fail("interrupted; the store is as it was", 130)


@app.command()
def example(
    kind: Annotated[
        Literal["360k", "scrobbles", "playlists"], typer.Argument(help="Which table of plays.")
    ],
    folder: Annotated[Path, typer.Argument(help="Where to write it.")],
    *,
    pairs: Annotated[
        int | None, typer.Option(help="Rows, of a 360k of any size, such as 17500000.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another one writes other plays.")] = 0,
) -> None:
    """Write an invented table of plays with its description, to try or to copy from."""
    from lastfm_assets.sources.examples import write_example  # noqa: PLC0415

    description = write_example(kind, folder, seed=seed, pairs=pairs)
    terminal.note(
        f"try it: lastfm-assets refresh --source {description} --store {folder / 'store'}"
    )


def _cutoffs(text: str) -> list[int]:
    cutoffs = [_number("--at", part.strip()) for part in text.split(",") if part.strip()]
    if not cutoffs or min(cutoffs) < 1:
        raise BadInputError(f"--at is {text!r}, expected list lengths from 1 on, such as 10,20")
    return cutoffs


def _print_lists(
    table: pd.DataFrame, lists: "Lists", columns: Sequence[str], *, as_json: bool
) -> None:
    terminal.note_source(lists.source)
    keyed = lists.with_keys(table)
    if as_json:
        own = [name for name in map(key_column, columns) if name in keyed]
        rows = keyed[[*columns, *own]].to_dict("records")
        readable = sys.stdout.encoding.lower() in {"utf-8", "utf8"}  # else escaped
        written = json.dumps(rows, ensure_ascii=not readable, indent=2)
        sys.stdout.write(terminal.without_steering(written) + "\n")
    else:
        terminal.show_list(keyed, columns, lists.about.item)


if __name__ == "__main__":
    main()
