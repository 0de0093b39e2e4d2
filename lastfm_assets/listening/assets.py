"""Raw files, cleaned tables, the split and the weighted matrix, as assets."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.lineage import columns_of, lineage_of
from lastfm_assets.automation.metadata import (
    OWNERS,
    key,
    log_progress,
    table_metadata,
)
from lastfm_assets.automation.pictures import picture
from lastfm_assets.automation.resources import SIGNATURE, SOURCE, StoreIOManager, step_of
from lastfm_assets.errors import SourceUnavailableError
from lastfm_assets.io import Store
from lastfm_assets.listening import charts
from lastfm_assets.listening.about import About
from lastfm_assets.listening.clean import (
    MERGED,
    RawTables,
    clean,
    plays_in_time,
    refused_share,
)
from lastfm_assets.listening.load import read_tables
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.memory import bytes_to_clean, rows_expected
from lastfm_assets.listening.profile import TOTALS, profile, total
from lastfm_assets.listening.side import without_pairs
from lastfm_assets.listening.split import pairs_of, split
from lastfm_assets.listening.tables import RAW_TABLES
from lastfm_assets.listening.weighting import Scheme, Weighting
from lastfm_assets.listening.wording import plural
from lastfm_assets.memory import Memory
from lastfm_assets.provenance import code_version
from lastfm_assets.settings import data_folder
from lastfm_assets.sources.files import PlaysFile
from lastfm_assets.sources.resolve import open_source
from lastfm_assets.sources.signature import signature_of, signature_since
from lastfm_assets.vocabulary import Columns

_RAW = {
    "artists": "Every artist of the source, typed, a row a line.",
    "user_artists": "How often each user has played each artist, typed, a row a line.",
    "tags": "The words that users call artists, typed, a row a line.",
    "tagged_artists": "Which user called which artist what, and when, typed, a row a line.",
    "friends": "Which users are friends, typed, a row a line.",
}
_OF_SOURCE = {
    "source": "One row: what the source says of itself, and so what is recommended.",
    "keys": "The source's own ids where they are text, beside the numbers that stand for them.",
}
_RAW_NOTE = (
    "\n\nNothing is refused yet: a line that cannot be typed keeps its text, and the reason, for "
    "`listening/rejected_rows`."
)
_RAW_AND_NOTES = {name: said + _RAW_NOTE for name, said in _RAW.items()} | _OF_SOURCE
_CLEAN_NOTES = {
    "interactions": "\n\nA pair written twice is summed; a play count that is not above zero and "
    "an artist that is not in the catalogue are refused.",
    "artists": "\n\nModels rank the whole of it, also artists whom nobody plays.",
    "tag_assignments": "\n\nThey name held-out pairs too: models that are judged read "
    "`listening/training_tags` instead.",
    "friendships": "\n\nIn the directions that the source gives.",
    "rejected_rows": "\n\nNothing is dropped without a trace: `line` is the line of the file, the "
    "header being line 1. A run stops where too large a share is refused, see the checks.",
}
_CLEAN = {
    "interactions": "Plays of each user and artist, one row a pair, all above zero.",
    "artists": "The catalogue: every artist with its name.",
    "tag_assignments": "Who called which artist what, on a possible date.",
    "friendships": "Friends among the users who have plays.",
    "rejected_rows": "Every row that cleaning refused, with file, line, text and reason.",
}
SPLIT = key("listening", "split")
_PLAYS = key("raw", "user_artists")
TRAINING_TAGS = key("listening", "training_tags")
PROFILE = key("listening", "profile")
SOURCE_KEY = key("raw", "source")
_PARSING = code_version(
    *(f"listening/{name}.py" for name in ("about", "blocks", "keys", "load", "parse", "tables")),
    "listening/described",
    "sources/described_keys.py",
    "sources/description.py",
)
_CLEANING = code_version(
    *(f"listening/{name}.py" for name in ("about", "blocks", "clean", "pairs", "tables"))
)


def _scheduled(context: dg.AssetExecutionContext) -> bool:
    """Whether nobody is looking: such a run never falls back to the sample."""
    return any(f"dagster/{kind}_name" in context.run.tags for kind in ("schedule", "sensor"))


@dg.multi_asset(
    name="raw_files",
    outs={
        name: dg.AssetOut(
            key=key("raw", name),
            dagster_type=pd.DataFrame,
            description=description,
            group_name="raw",
            kinds={"source", "parquet"},
            owners=OWNERS,
            code_version=_PARSING,
            metadata=columns_of(key("raw", name)),
        )
        for name, description in _RAW_AND_NOTES.items()
    },
)
@fails_clearly
def raw_files(
    context: dg.AssetExecutionContext,
    source: dg.ResourceParam[str | None],
    store: dg.ResourceParam[Store],
    memory: dg.ResourceParam[Memory],
) -> Iterator[dg.MaterializeResult[pd.DataFrame]]:
    """Reads all files of the source before any table is replaced: one bad file replaces none."""
    before = signature_of(source, data_folder=data_folder())
    opened = open_source(
        source,
        data_folder=data_folder(),
        allow_sample=not _scheduled(context),
        on_progress=_log_download(context),
    )
    if opened.is_fallback:
        _keep_other_tables(store)
        context.log.warning(
            "The listening data could not be reached: everything below is made from the bundled, "
            "invented sample. Set LASTFM_SOURCE or put the files into data/raw."
        )
    context.log.info(f"source: {opened.location} ({opened.name})")
    if opened.plays is not None:
        _require_memory(memory, opened.plays)
    found = read_tables(opened, log_progress(context, "bytes read"))
    # the sample stands for no state of the source: the next refresh looks for the source again
    signature = (
        "unknown: the sample stands in"
        if opened.is_fallback
        else signature_since(before, source, data_folder=data_folder())
    )
    stamp = {SOURCE: opened.name, SIGNATURE: signature}
    tables = {table.asset: getattr(found.raw, table.asset) for table in RAW_TABLES}
    facts: dict[str, dict[str, Any]] = {
        name: {
            "file": found.files.get(name, "not in the source"),
            "untyped_rows": int(frame[Columns.REASON].notna().sum()),
        }
        for name, frame in tables.items()
    }
    facts["source"] = {"recommends": plural(found.about.item), "left_out": found.about.left_out}
    tables |= {"source": found.about.to_table(), "keys": found.keys}
    yield from [  # all at once, so that a bad file leaves every stored table as it was
        dg.MaterializeResult(
            asset_key=key("raw", name),
            value=frame,
            metadata=table_metadata(frame, **facts.get(name, {}), **stamp),
        )
        for name, frame in tables.items()
    ]


def _require_memory(memory: Memory, plays: PlaysFile) -> None:
    """Refuses a table of plays that could not be read and cleaned, before it is read."""
    try:
        rows = rows_expected(plays)
    except (OSError, UnicodeError, pa.ArrowException):
        return  # whoever reads it says what is wrong
    needed = bytes_to_clean(rows, timed=plays.description.columns.time is not None)
    memory.require(needed, f"reading and cleaning some {rows:,} rows", "use LASTFM_ENGINE=spark")


def _keep_other_tables(store: Store) -> None:
    """Lets the sample stand in for a source only where no real table would be replaced."""
    first = _PLAYS.path
    held = store.source_of(first, pd.DataFrame) if store.has(first, pd.DataFrame) else "sample"
    if held != "sample":
        raise SourceUnavailableError(
            f"the listening data could not be reached, and the store holds tables of {held}, which "
            "the sample must not replace; set LASTFM_SOURCE or put the files into data/raw"
        )


def _log_download(context: dg.AssetExecutionContext) -> Any:
    report = log_progress(context, "bytes downloaded")

    def on_progress(done: int, total: int | None) -> None:
        if total and done:
            report(done, total)

    return on_progress


@dg.multi_asset(
    name="cleaned",
    ins={
        name: dg.AssetIn(key("raw", name), dagster_type=pd.DataFrame) for name in (*_RAW, "source")
    },
    outs={
        name: dg.AssetOut(
            key=key("listening", name),
            dagster_type=pd.DataFrame,
            description=description + _CLEAN_NOTES[name],
            group_name="listening",
            kinds={"pandas", "parquet"},
            owners=OWNERS,
            code_version=_CLEANING,
            metadata=columns_of(key("listening", name)),
        )
        for name, description in _CLEAN.items()
    },
)
@fails_clearly
def cleaned(
    source: pd.DataFrame, **raw: pd.DataFrame
) -> Iterator[dg.MaterializeResult[pd.DataFrame]]:
    """Refuses what cannot be true, sums what was written twice, and keeps what it refused."""
    tables = clean(RawTables(**raw), About.from_table(source))
    rejected = tables.rejected_rows
    facts: dict[str, dict[str, Any]] = {
        "interactions": {
            "users": int(tables.interactions[Columns.USER].nunique()),
            "artists_played": int(tables.interactions[Columns.ARTIST].nunique()),
            "plays": int(tables.interactions[Columns.PLAYS].sum()),
            "duplicates_summed": int((rejected[Columns.REASON] == MERGED).sum()),
            "plays and listeners by rank": picture(
                charts.long_tail(tables.interactions),
                "Plays of each user and listeners of each artist, most first, logarithmic",
            ),
        },
        "rejected_rows": {
            "refused_share": refused_share(rejected, sum(len(table) for table in raw.values())),
            "by_reason": dg.MetadataValue.json(_by_reason(rejected)),
            "refused rows by reason": picture(
                charts.refused(rejected), "Refused rows by file and reason, as bars"
            ),
        },
    }
    for name in _CLEAN:
        table = getattr(tables, name)
        yield dg.MaterializeResult(
            asset_key=key("listening", name),
            value=table,
            metadata=table_metadata(
                table, **facts.get(name, {}), **lineage_of(key("listening", name))
            ),
        )


def _by_reason(rejected: pd.DataFrame) -> dict[str, int]:
    said = rejected[Columns.FILE] + ": " + rejected[Columns.REASON]
    return {str(reason): int(count) for reason, count in said.value_counts().items()}


@dg.asset(
    key=PROFILE,
    ins={"interactions": dg.AssetIn(key("listening", "interactions"))},
    group_name="listening",
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    code_version=code_version("listening/profile.py"),
    metadata=columns_of(PROFILE),
)
@fails_clearly
def profile_table(interactions: pd.DataFrame) -> dg.MaterializeResult[pd.DataFrame]:
    """What the plays look like in figures, so that the next refresh can be compared with them.

    Totals, histograms of plays and of artists a user, and a sample of the artists; it is kept
    beside every published version, and is small whatever the size of the data.
    """
    table = profile(interactions)
    figures = {figure: total(table, figure) for figure in TOTALS}
    return dg.MaterializeResult(
        value=table, metadata=table_metadata(table, **figures, **lineage_of(PROFILE))
    )


@dg.asset(
    key=SPLIT,
    ins={"interactions": dg.AssetIn(key("listening", "interactions"))},
    deps=[_PLAYS],  # read where plays have a time, and then only
    group_name="listening",
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    code_version=code_version(
        *(f"listening/{name}.py" for name in ("blocks", "clean", "pairs", "split"))
    ),
    metadata=columns_of(SPLIT),
)
@fails_clearly
def split_pairs(
    context: dg.AssetExecutionContext,
    interactions: pd.DataFrame,
    seed: dg.ResourceParam[int],
    io_manager: dg.ResourceParam[StoreIOManager],
) -> dg.MaterializeResult[pd.DataFrame]:
    """Each user's pairs dealt into 70% train, 10% validation and 20% held out.

    Where plays have a time, those that the user first played last are held out, and the others
    count no play after that; else they are dealt at random, seeded.

    - **train** is what models learn from,
    - **validation** is what parameters and the champion are chosen on,
    - **held_out** is what they are judged on, and chooses nothing.
    """
    plays = None
    if Columns.FIRST_PLAYED in interactions:
        plays = plays_in_time(io_manager.read(step_of(context), _PLAYS, pd.DataFrame))
    table = split(interactions, seed=seed, plays=plays)
    sizes = {f"{part}_pairs": int(n) for part, n in table[Columns.PART].value_counts().items()}
    how = "by time" if Columns.FIRST_PLAYED in table else "at random"
    return dg.MaterializeResult(
        value=table, metadata=table_metadata(table, held_out=how, **sizes, **lineage_of(SPLIT))
    )


@dg.asset(
    key=TRAINING_TAGS,
    ins={
        "tag_assignments": dg.AssetIn(key("listening", "tag_assignments")),
        "split_pairs": dg.AssetIn(SPLIT),
    },
    group_name="listening",
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    code_version=code_version("listening/side.py"),
    metadata=columns_of(TRAINING_TAGS),
)
@fails_clearly
def training_tags(
    tag_assignments: pd.DataFrame, split_pairs: pd.DataFrame
) -> dg.MaterializeResult[pd.DataFrame]:
    """Tag assignments that models may learn from: none of a held-out user and artist.

    Whoever tags an artist has heard it, so such a tag would give the answer away.
    """
    table = without_pairs(tag_assignments, pairs_of(split_pairs, "held_out"))
    left_out = len(tag_assignments) - len(table)
    return dg.MaterializeResult(
        value=table,
        metadata=table_metadata(table, left_out_as_held_out=left_out, **lineage_of(TRAINING_TAGS)),
    )


class WeightingConfig(dg.Config):
    """How the matrix's pairs are weighted; a model with another weighting makes its own."""

    scheme: Scheme = Weighting().scheme
    k1: float = Weighting().k1
    b: float = Weighting().b


@dg.asset(
    key=key("listening", "weighted_matrix"),
    ins={
        "split_pairs": dg.AssetIn(SPLIT),
        "artists": dg.AssetIn(key("listening", "artists")),
    },
    group_name="listening",
    kinds={"scipy"},
    owners=OWNERS,
    code_version=code_version(
        *(f"listening/{name}.py" for name in ("blocks", "matrix", "weighting"))
    ),
)
@fails_clearly
def weighted_matrix(
    split_pairs: pd.DataFrame, artists: pd.DataFrame, config: WeightingConfig
) -> dg.MaterializeResult[ListeningMatrix]:
    """Users x artists, weighted, of the train and validation pairs; held-out pairs are not seen.

    By default BM25 of presence, for an artist whom `n_a` of `n` users play, and a user who plays
    `l` artists where the mean user plays `m`:

    `weight = log(n / (1 + n_a)) * (k1 + 1) / (1 + k1 * (1 - b + b * l / m))`

    The ids of its rows and columns are kept with it.
    """
    matrix = ListeningMatrix.from_pairs(
        pairs_of(split_pairs, "train", "validation"),
        artists[Columns.ARTIST].to_numpy(),
        weighting=Weighting(config.scheme, config.k1, config.b),
    )
    return dg.MaterializeResult(
        value=matrix,
        metadata={
            "users": len(matrix.user_ids),
            "artists": len(matrix.artist_ids),
            "pairs": int(matrix.plays.nnz),
            "density": float(
                matrix.plays.nnz / max(1, matrix.plays.shape[0]) / max(1, matrix.plays.shape[1])
            ),
            "mean_weight": float(matrix.weights.mean()),
        },
    )
