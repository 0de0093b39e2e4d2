"""What each asset from the models on does inside Spark: read by key, made by workers, kept by key.

Assets and commands call these; they add what is shown of a run and nothing to what is made.
"""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel

from lastfm_assets.durable import sync
from lastfm_assets.engines.spark import judging, publishing, ranking, rules, similar
from lastfm_assets.engines.spark.als import fit_als, fit_popularity
from lastfm_assets.engines.spark.failures import clear_spark_errors
from lastfm_assets.engines.spark.fitted import SparkModel
from lastfm_assets.engines.spark.folders import forget
from lastfm_assets.engines.spark.weights import weighted
from lastfm_assets.errors import BadInputError, StoreError
from lastfm_assets.evaluation.judged_users import JUDGED_USERS
from lastfm_assets.evaluation.leaderboard import Evaluation
from lastfm_assets.models.als import Als, AlsConfig
from lastfm_assets.models.item_knn import ItemKnnConfig
from lastfm_assets.models.popularity import Popularity
from lastfm_assets.parts import remove
from lastfm_assets.recommendations.delta import clear_errors
from lastfm_assets.recommendations.names import PUBLISHED_KEYS
from lastfm_assets.recommendations.publishing import require_sound
from lastfm_assets.recommendations.versions import About, Publication
from lastfm_assets.vocabulary import TOP_LIST, Columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from upath import UPath

    from lastfm_assets.engines.spark.tables import SparkTables

On = Literal["train", "judged", "all"]
"""What a model is fitted on: train alone (the second fit), train and validation, every pair."""
SPARK_MODELS: Final = (Popularity.name, Als.name)
"""Models that can be fitted inside Spark."""
TOP_ARTISTS: Final = ("recommendations", "top_artists")
SIMILAR_ARTISTS: Final = ("recommendations", "similar_artists")
_INTERACTIONS: Final = ("listening", "interactions")
_ARTISTS: Final = ("listening", "artists")
_SPLIT: Final = ("listening", "split")
_RAW_KEYS: Final = ("raw", "keys")
_TAGS: Final = ("listening", "training_tags")
_MODEL: Final = "model.json"
_PARTS: Final = {"train": ["train"], "judged": ["train", "validation"]}


def fit(tables: "SparkTables", name: str, config: BaseModel, *, seed: int, on: On) -> SparkModel:
    """Fits a model and keeps it in the store, beside where a local one would lie.

    Files go into a folder of their own, and one small file names it at the end: a fit that is
    killed leaves the model that was there before.

    Args:
        tables: with `listening/split` and `listening/artists`, or `listening/interactions`.
        name: one of `SPARK_MODELS`.
        config: the local model's parameters.
        seed: of the fit.
        on: which pairs.

    Raises:
        BadInputError: no such model can be fitted inside Spark.
        StoreError: a table is missing.
        EngineUnavailableError: Spark gave up.
    """
    if name not in SPARK_MODELS:
        raise BadInputError(
            f"{name} cannot be fitted inside Spark, expected one of {', '.join(SPARK_MODELS)}; "
            "set LASTFM_MODELS to these, or use the local engine"
        )
    place = _place(tables, name, on)
    folder = place / f"fit-{uuid.uuid4().hex}"
    pairs, artists = _pairs(tables, on), tables.read(_ARTISTS)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with clear_spark_errors(f"fitting {name}"):
            model = _fitted(pairs, artists, config, name=name, seed=seed, folder=tables.uri(folder))
    except BaseException:
        with contextlib.suppress(Exception):  # what stopped it is told, not this
            remove(folder)
        raise
    with clear_errors(place, "written"):
        _name(place, model)
        for other in list(place.iterdir()):
            if other.is_dir() and other.name != folder.name:
                remove(other)  # of the fit before, or of one that was killed
    return model


def _fitted(
    pairs: "DataFrame",
    artists: "DataFrame",
    config: BaseModel,
    *,
    name: str,
    seed: int,
    folder: str,
) -> SparkModel:
    if name == Popularity.name:
        return fit_popularity(pairs, artists, seed=seed, folder=folder)
    of_als = AlsConfig.model_validate(config.model_dump())
    weights = weighted(pairs, of_als.as_weighting())
    return fit_als(weights, artists, of_als, seed=seed, folder=folder)


def _name(place: "UPath", model: SparkModel) -> None:
    """Has `model.json` name a model, in one step."""
    if not isinstance(place, Path):
        (place / _MODEL).write_text(model.to_json(), encoding="utf-8")
        return
    new = place / f"{_MODEL}.partial"
    new.write_text(model.to_json(), encoding="utf-8")
    sync(new)
    new.replace(place / _MODEL)
    sync(place)


def fitted(tables: "SparkTables", name: str, on: On) -> SparkModel:
    """The model that `fit` has kept.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    path = _place(tables, name, on) / _MODEL
    try:
        return SparkModel.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError):
        raise StoreError(
            f"{path}: no model that Spark has fitted; run `lastfm-assets refresh --engine spark`"
        ) from None


def judged(
    tables: "SparkTables", model: SparkModel, probe: SparkModel, judged_users: int = JUDGED_USERS
) -> Evaluation:
    """What a model reaches on all three parts of the split, see `judging.evaluate`."""
    tags = tables.read(_TAGS) if tables.has(_TAGS) else None
    with clear_spark_errors(f"judging {model.name}"):
        return judging.evaluate(
            model, probe, tables.read(_SPLIT), tag_assignments=tags, judged_users=judged_users
        )


def listening_of(
    tables: "SparkTables", *, seed: int, n: int = JUDGED_USERS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How much and how common is what the judged users play in train and validation.

    Returns:
        (n_users,) ids, rising; (n_users,) plays; (n_users,) mean listeners of the artists played.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    pairs = _pairs(tables, "judged")
    listeners = pairs.groupBy(Columns.ARTIST).agg(f.count(f.lit(1)).alias("listeners"))
    of_users = (
        judging.of_judged_users(pairs, n, seed=seed)
        .join(listeners, Columns.ARTIST)
        .groupBy(Columns.USER)
        .agg(f.sum(Columns.PLAYS).alias("plays"), f.avg("listeners").alias("taste"))
        .orderBy(Columns.USER)
        .toArrow()
    )
    found = (of_users[name].to_numpy() for name in (Columns.USER, "plays", "taste"))
    ids, plays, taste = found
    return ids, plays, taste


def keep_names(tables: "SparkTables", source: str) -> None:
    """What the ids of published lists stand for, as `names.keep_names` keeps it."""
    keys = tables.read(_RAW_KEYS)
    if tables.has(PUBLISHED_KEYS):
        keys = tables.read(PUBLISHED_KEYS).unionByName(keys)
    pair = [Columns.KIND, Columns.ID]
    tables.write(PUBLISHED_KEYS, keys.dropDuplicates(pair).orderBy(*pair), source=source)


def held_out_sizes(tables: "SparkTables", *, seed: int, n: int = JUDGED_USERS) -> pd.Series:
    """Artists held out for each of the users judged, for the leaderboard's ceiling."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    pairs = judging.of_judged_users(tables.read(_SPLIT), n, seed=seed)
    counts = pairs.filter(f.col(Columns.PART) == "held_out").groupBy(Columns.USER).count()
    sizes: pd.DataFrame = counts.toArrow().to_pandas()
    return sizes.set_index(Columns.USER)["count"].sort_index()


@contextlib.contextmanager
def top_artists(tables: "SparkTables", model: SparkModel) -> Iterator["DataFrame"]:
    """Ten artists for every user, once every rule on them has passed; gone after the block.

    Raises:
        GateRefusedError: a rule does not hold.
    """
    made = ranking.top_artists(tables.spark, model)
    artists, pairs = tables.read(_ARTISTS), tables.read(_INTERACTIONS)
    with _kept(made, f"{model.folder}/_lists") as lists:
        with clear_spark_errors("ranking"):
            require_sound("/".join(TOP_ARTISTS), rules.check_top_artists(lists, pairs, artists))
        yield lists.sort(Columns.USER, Columns.RANK)


@contextlib.contextmanager
def similar_artists(tables: "SparkTables") -> Iterator["DataFrame"]:
    """Ten relatives for every artist, once every rule on them has passed; gone after the block.

    Raises:
        GateRefusedError: a rule does not hold.
    """
    artists, pairs = tables.read(_ARTISTS), tables.read(_INTERACTIONS)
    weights = weighted(pairs, ItemKnnConfig().as_weighting())
    place = tables.uri(tables.store.root / "models" / "_similar_artists")
    with _kept(similar.similar_artists(weights, artists), place) as found:
        with clear_spark_errors("comparing artists"):
            require_sound("/".join(SIMILAR_ARTISTS), rules.check_similar_artists(found, artists))
        yield found.sort(Columns.TO_ARTIST, Columns.RANK)


def publish(tables: "SparkTables", about: About) -> Publication:
    """Shows readers the lists as they are stored, see `publishing.publish`."""
    return publishing.publish(tables, tables.read(TOP_ARTISTS).select(*TOP_LIST), about)


def _place(tables: "SparkTables", name: str, on: On) -> "UPath":
    return tables.store.root / "models" / f"{name}.spark" / on


def _pairs(tables: "SparkTables", on: On) -> "DataFrame":
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    columns = [Columns.USER, Columns.ARTIST, Columns.PLAYS]
    if on == "all":
        return tables.read(_INTERACTIONS).select(*columns)
    parts = _PARTS[on]
    return tables.read(_SPLIT).filter(f.col(Columns.PART).isin(parts)).select(*columns)


@contextlib.contextmanager
def _kept(made: "DataFrame", place: str) -> Iterator["DataFrame"]:
    """A frame made once, as it is read several times."""
    spark = made.sparkSession
    try:
        with clear_spark_errors("making a table"):
            made.write.mode("overwrite").parquet(place)
        yield spark.read.parquet(place)
    finally:
        forget(spark, place)
