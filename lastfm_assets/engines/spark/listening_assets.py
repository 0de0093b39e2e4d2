"""Raw files, cleaned tables, the split and the weighted pairs, as assets made inside Spark.

Keys, groups and descriptions are those of the local assets, so that everything else in the graph
stands on either.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pandas as pd

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.metadata import OWNERS, key, table_metadata
from lastfm_assets.automation.resources import SIGNATURE, SOURCE
from lastfm_assets.engines.spark.clean import clean
from lastfm_assets.engines.spark.engine import TABLE, SparkEngine, SparkTable
from lastfm_assets.engines.spark.failures import clear_spark_errors
from lastfm_assets.engines.spark.read import RAW_TYPES, read_source, scratch
from lastfm_assets.engines.spark.split import pairs_of, split
from lastfm_assets.engines.spark.weights import weighted
from lastfm_assets.listening import assets as local
from lastfm_assets.listening.about import About
from lastfm_assets.listening.assets import SOURCE_KEY, SPLIT, TRAINING_TAGS, WeightingConfig
from lastfm_assets.listening.tables import RAW_TABLES
from lastfm_assets.listening.weighting import Weighting
from lastfm_assets.listening.wording import plural
from lastfm_assets.provenance import code_version
from lastfm_assets.settings import data_folder
from lastfm_assets.sources.resolve import open_source
from lastfm_assets.sources.signature import signature_of, signature_since
from lastfm_assets.vocabulary import Columns

KINDS = {"spark", "parquet"}
_CODE = code_version(
    *(
        f"engines/spark/{name}.py"
        for name in (
            *("clean", "hetrec_files", "lines", "plays_rows", "plays_tables"),
            *("read", "split", "weights"),
        )
    )
)


def spec_of(asset: dg.AssetKey, made: dg.AssetsDefinition, code: str = _CODE) -> dict[str, Any]:
    """Of one asset: what the local one says of itself, and that Spark makes it by this code."""
    spec = made.specs_by_key[asset]
    shown = {name: said for name, said in spec.metadata.items() if name.startswith("dagster/col")}
    return {
        "description": spec.description,
        "group_name": spec.group_name,
        "owners": OWNERS,
        "code_version": f"{spec.code_version}-spark-{code}",
        "metadata": shown,
    }


def _outs(made: dg.AssetsDefinition) -> dict[str, dg.AssetOut]:
    return {
        asset.path[-1]: dg.AssetOut(
            key=asset, dagster_type=TABLE, kinds=KINDS, **spec_of(asset, made)
        )
        for asset in sorted(made.keys)
    }


@dg.multi_asset(name="raw_files", outs=_outs(local.raw_files))
@fails_clearly
def raw_files(
    context: dg.AssetExecutionContext,
    source: dg.ResourceParam[str | None],
    spark: dg.ResourceParam[SparkEngine],
) -> Iterator[dg.MaterializeResult[Any]]:
    """Has workers read all files of the source before any table is replaced."""
    before = signature_of(source, data_folder=data_folder())
    # the sample never stands in unasked: who has a cluster has data for it
    opened = open_source(source, data_folder=data_folder(), allow_sample=False)
    context.log.info(f"source: {opened.location} ({opened.name})")
    with scratch(spark.tables) as folder, clear_spark_errors("reading the source"):
        found = read_source(spark.tables, opened, folder)
        signature = signature_since(before, source, data_folder=data_folder())
        stamp = {SOURCE: opened.name, SIGNATURE: signature}
        about = found.about.to_table()
        values: dict[str, tuple[Any, dict[str, Any]]] = {
            table.asset: (
                SparkTable(found.raw[table.asset], RAW_TYPES[table.asset]),
                {"file": found.files.get(table.asset, "not in the source")},
            )
            for table in RAW_TABLES
        }
        values["keys"] = (SparkTable(found.keys), {})
        facts = {"recommends": plural(found.about.item), "left_out": found.about.left_out}
        values["source"] = (about, table_metadata(about, **facts))
        for name, (value, said) in values.items():
            yield dg.MaterializeResult(
                asset_key=key("raw", name), value=value, metadata={**said, **stamp}
            )


@dg.multi_asset(
    name="cleaned",
    ins={
        **{table.asset: dg.AssetIn(key("raw", table.asset)) for table in RAW_TABLES},
        "source": dg.AssetIn(SOURCE_KEY),
    },
    outs=_outs(local.cleaned),
)
@fails_clearly
def cleaned(
    artists: SparkTable,
    user_artists: SparkTable,
    tags: SparkTable,
    tagged_artists: SparkTable,
    friends: SparkTable,
    source: pd.DataFrame,
) -> Iterator[dg.MaterializeResult[Any]]:
    """Refuses what cannot be true, sums what was written twice, and keeps what it refused."""
    raw = (artists, user_artists, tags, tagged_artists, friends)
    frames = {table.asset: one.frame for table, one in zip(RAW_TABLES, raw, strict=True)}
    with clear_spark_errors("cleaning"):
        tables = clean(frames, About.from_table(source))
        for asset in sorted(local.cleaned.keys):
            frame = getattr(tables, asset.path[-1])
            yield dg.MaterializeResult(asset_key=asset, value=SparkTable(frame))


@dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
    key=SPLIT,
    ins={"interactions": dg.AssetIn(key("listening", "interactions"))},
    dagster_type=TABLE,
    kinds=KINDS,
    **spec_of(SPLIT, local.split_pairs),
)
@fails_clearly
def split_pairs(interactions: SparkTable, seed: dg.ResourceParam[int]) -> dg.MaterializeResult[Any]:
    """See the local asset."""
    dealt = split(interactions.frame, seed=seed)
    return dg.MaterializeResult(value=SparkTable(dealt), metadata={"held_out": "at random"})


@dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
    key=TRAINING_TAGS,
    ins={
        "tag_assignments": dg.AssetIn(key("listening", "tag_assignments")),
        "split_pairs": dg.AssetIn(SPLIT),
    },
    dagster_type=TABLE,
    kinds=KINDS,
    **spec_of(TRAINING_TAGS, local.training_tags),
)
@fails_clearly
def training_tags(
    tag_assignments: SparkTable, split_pairs: SparkTable
) -> dg.MaterializeResult[Any]:
    """See the local asset."""
    pair = [Columns.USER, Columns.ARTIST]
    held_out = pairs_of(split_pairs.frame, "held_out").select(*pair)
    tags = tag_assignments.frame.join(held_out, pair, "left_anti")
    ordered = tags.select(*tag_assignments.frame.columns).orderBy(*pair, Columns.TAG)
    return dg.MaterializeResult(value=SparkTable(ordered))


@dg.asset(  # type: ignore[untyped-decorator] # keywords are worked out
    key=key("listening", "weighted_matrix"),
    ins={"split_pairs": dg.AssetIn(SPLIT)},
    dagster_type=TABLE,
    kinds=KINDS,
    **spec_of(key("listening", "weighted_matrix"), local.weighted_matrix),
)
@fails_clearly
def weighted_matrix(split_pairs: SparkTable, config: WeightingConfig) -> dg.MaterializeResult[Any]:
    """See the local asset; a row a pair, `user_id, artist_id, plays, weight`."""
    seen = pairs_of(split_pairs.frame, "train", "validation")
    pairs = weighted(seen, Weighting(config.scheme, config.k1, config.b))
    return dg.MaterializeResult(value=SparkTable(pairs.orderBy(Columns.USER, Columns.ARTIST)))
