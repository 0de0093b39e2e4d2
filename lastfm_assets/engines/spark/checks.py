"""The checks of tables that Spark makes: those of the local engine, run where the rows lie.

Keys, names, sentences, what blocks and what a check waits for are taken from the local checks;
nothing is loaded but by Spark's workers, and only counts come back.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.metadata import check_result
from lastfm_assets.engines.spark import listening_rules as rules
from lastfm_assets.engines.spark.content import content_of
from lastfm_assets.engines.spark.drift import seen_by_readers
from lastfm_assets.engines.spark.drift_assets import drift_checks
from lastfm_assets.engines.spark.engine import SparkEngine
from lastfm_assets.engines.spark.failures import clear_spark_errors
from lastfm_assets.engines.spark.rules import check_similar_artists, check_top_artists
from lastfm_assets.engines.spark.steps import TOP_ARTISTS
from lastfm_assets.findings import Finding, Rule
from lastfm_assets.listening import checks as of_listening
from lastfm_assets.listening.tables import RAW_TABLES
from lastfm_assets.recommendations import checks as of_lists
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.sources.files import REQUIRED
from lastfm_assets.vocabulary import TOP_LIST

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


Find = Callable[..., Iterable[tuple[str, Finding]]]
"""Given the names of the rules wanted, a frame and others by name: each rule's name and finding."""


def readers_see_what_was_checked(
    published: "DataFrame", top_artists: "DataFrame", *, held: Collection[str] = ()
) -> Finding:
    """The published table is the checked one, row by row, unless somebody rolled that one back.

    Args:
        published: `TOP_LIST` columns, as readers see them.
        top_artists: the same, as they were checked.
        held: hashes of lists that were rolled back from, see `Version.held`.
    """
    content = content_of(top_artists)
    rolled_back = content in held
    return Finding(
        rolled_back or content == content_of(published),
        {
            "published_rows": published.count(),
            "checked_rows": top_artists.count(),
            "held": "the checked lists were rolled back" if rolled_back else "no",
        },
    )


def _inside_spark(local: dg.AssetChecksDefinition, find: Find) -> dg.AssetChecksDefinition:
    """The checks of one table, made of those that the local engine has for it.

    Args:
        local: its inputs are `checked`, the table that the checks are of, and others by name.
        find: says what the rules found.
    """
    frames = dict(local.keys_by_input_name)
    checked = frames.pop("checked")

    @dg.multi_asset_check(name=local.node_def.name, specs=[*local.check_specs], can_subset=True)
    @fails_clearly
    def run_rules(
        context: dg.AssetCheckExecutionContext, spark: dg.ResourceParam[SparkEngine]
    ) -> Iterator[dg.AssetCheckResult]:
        wanted = [one.name for one in context.selected_asset_check_keys]
        tables = spark.tables
        with clear_spark_errors(f"checking {checked.to_user_string()}"):
            others = {name: tables.read(asset.path) for name, asset in frames.items()}
            for name, finding in find(wanted, tables.read(checked.path), **others):
                yield check_result(finding, asset=checked, name=name)

    return run_rules


def _one_by_one(of_table: Sequence[Rule]) -> Find:
    """Runs each rule that is wanted by itself."""

    def find(
        wanted: Sequence[str], checked: "DataFrame", **others: "DataFrame"
    ) -> Iterator[tuple[str, Finding]]:
        for rule in of_table:
            if rule.__name__ in wanted:
                yield rule.__name__, rule(checked, **others)

    return find


def _all_together(rules_of_lists: Callable[..., Mapping[str, Finding]]) -> Find:
    """Runs all rules in one pass, and says of those that are wanted."""

    def find(
        wanted: Sequence[str], checked: "DataFrame", **others: "DataFrame"
    ) -> list[tuple[str, Finding]]:
        found = rules_of_lists(checked, **others)
        return [(name, finding) for name, finding in found.items() if name in wanted]

    return find


def _of_published() -> dg.AssetChecksDefinition:
    local = of_lists.published_checks

    @dg.multi_asset_check(name=local.node_def.name, specs=[*local.check_specs])
    @fails_clearly
    def published_checks(
        spark: dg.ResourceParam[SparkEngine],
    ) -> Iterator[dg.AssetCheckResult]:
        """Has workers read the published version as a reader does."""
        tables = spark.tables
        published = PublishedLists(tables.store.root)
        with clear_spark_errors("checking recommendations/published"):
            lists = tables.read(TOP_ARTISTS).select(*TOP_LIST)
            seen = seen_by_readers(tables, lists.schema)
            finding = readers_see_what_was_checked(seen, lists, held=published.version().held)
        yield check_result(
            finding, asset=of_lists.PUBLISHED, name=readers_see_what_was_checked.__name__
        )

    return published_checks


spark_checks: list[dg.AssetChecksDefinition] = [
    *(
        _inside_spark(
            local,
            _one_by_one(rules.REQUIRED_RAW_RULES if table.stem in REQUIRED else rules.RAW_RULES),
        )
        for table, local in zip(RAW_TABLES, of_listening.raw_checks, strict=True)
    ),
    of_listening.source_checks,  # of one row
    of_listening.profile_checks,  # of figures
    *(
        _inside_spark(local, _one_by_one(of_table))
        for local, of_table in (
            (of_listening.key_checks, rules.KEY_RULES),
            (of_listening.interactions_checks, rules.INTERACTIONS_RULES),
            (of_listening.artists_checks, rules.ARTISTS_RULES),
            (of_listening.tag_checks, rules.TAG_RULES),
            (of_listening.friend_checks, rules.FRIEND_RULES),
            (of_listening.rejected_checks, rules.REJECTED_RULES),
            (of_listening.split_checks, rules.SPLIT_RULES),
            (of_listening.matrix_checks, rules.MATRIX_RULES),
            (of_listening.training_tag_checks, rules.TRAINING_TAG_RULES),
        )
    ),
    _inside_spark(of_lists.top_artists_checks, _all_together(check_top_artists)),
    _inside_spark(of_lists.similar_artists_checks, _all_together(check_similar_artists)),
    drift_checks,
    _of_published(),
]
