"""The rules of the lists as blocking Dagster checks: a broken list is not published."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd
from pydantic import SecretStr

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.metadata import check_result, key, rules_as_checks
from lastfm_assets.io import Store
from lastfm_assets.recommendations import rules
from lastfm_assets.recommendations.acceptance import Acceptance
from lastfm_assets.recommendations.databases import open_database
from lastfm_assets.recommendations.drift import BLOCKS, WARNS
from lastfm_assets.recommendations.drift_verdict import (
    accepted_by,
    against_in_words,
    how_to_accept,
    lines_of,
)
from lastfm_assets.recommendations.published import PublishedLists, content_of
from lastfm_assets.recommendations.reference import drift_now, local_overlap
from lastfm_assets.settings import Settings

PUBLISHED = key("recommendations", "published")
SERVING_DATABASE = key("recommendations", "serving_database")
DRIFT = key("recommendations", "drift")
NOT_TOO_FAR = "moved_no_further_than_allowed"
HARDLY_MOVED = "moved_no_further_than_usual"
_ARTISTS = (key("listening", "artists"), pd.DataFrame)

top_artists_checks = rules_as_checks(
    key("recommendations", "top_artists"),
    rules.TOP_ARTISTS_RULES,
    kind=pd.DataFrame,
    others={
        "interactions": (key("listening", "interactions"), pd.DataFrame),
        "artists": _ARTISTS,
    },
)
_DRIFT_SPECS = [
    dg.AssetCheckSpec(
        name=NOT_TOO_FAR,
        asset=DRIFT,
        blocking=True,
        description="Data and lists have moved no further from what readers see than the blocking "
        "bounds, or an operator has accepted this one change (LASTFM_ACCEPT_DRIFT).",
    ),
    dg.AssetCheckSpec(
        name=HARDLY_MOVED,
        asset=DRIFT,
        description="Data and lists have moved no further from what readers see than the warning "
        "bounds.",
    ),
]
similar_artists_checks = rules_as_checks(
    key("recommendations", "similar_artists"),
    rules.SIMILAR_ARTISTS_RULES,
    kind=pd.DataFrame,
    others={"artists": _ARTISTS},
)


@dg.multi_asset_check(name="check_recommendations_drift", specs=_DRIFT_SPECS)
@fails_clearly
def drift_checks(
    store: dg.ResourceParam[Store], settings: dg.ResourceParam[Settings]
) -> Iterator[dg.AssetCheckResult]:
    """Holds data and lists against what readers see now, whichever version that is."""
    yield from drift_results(drift_now(store, local_overlap(store)), settings.accepted_drift)


def drift_results(
    table: pd.DataFrame, acceptance: Acceptance | None
) -> Iterator[dg.AssetCheckResult]:
    """What the checks of a table of `recommendations/drift` say; what blocks comes first."""
    accepted = accepted_by(table, acceptance)
    too_far, moved = lines_of(table, BLOCKS), lines_of(table, BLOCKS, WARNS)
    yield dg.AssetCheckResult(
        asset_key=DRIFT,
        check_name=NOT_TOO_FAR,
        passed=not too_far or bool(accepted),
        metadata={
            "found": "; ".join(too_far) or "nothing beyond a bound",
            "against": against_in_words(table),
            "accepted": accepted or "no",
            "accept_by": how_to_accept(table) if too_far else "not needed",
        },
    )
    yield dg.AssetCheckResult(
        asset_key=DRIFT,
        check_name=HARDLY_MOVED,
        passed=not moved,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "found": "; ".join(moved) or "nothing beyond a bound",
            "against": against_in_words(table),
        },
    )


@dg.multi_asset_check(
    name="check_recommendations_published",
    specs=[
        dg.AssetCheckSpec(
            name=rules.readers_see_what_was_checked.__name__,
            asset=PUBLISHED,
            blocking=True,
            description="Readers see the checked lists, row by row, or those that somebody rolled "
            "back to.",
            additional_deps=[key("recommendations", "top_artists")],
        )
    ],
    ins={"top_artists": dg.AssetIn(key("recommendations", "top_artists"))},
)
@fails_clearly
def published_checks(
    top_artists: pd.DataFrame, store: dg.ResourceParam[Store]
) -> Iterator[dg.AssetCheckResult]:
    """Reads the published version as a reader does."""
    rule = rules.readers_see_what_was_checked
    seen, version = PublishedLists(store.root).current()
    finding = rule(seen, top_artists, held=content_of(top_artists) in version.held)
    yield check_result(finding, asset=PUBLISHED, name=rule.__name__)


@dg.multi_asset_check(
    name="check_recommendations_serving_database",
    specs=[
        dg.AssetCheckSpec(
            name=rules.services_see_what_readers_see.__name__,
            asset=SERVING_DATABASE,
            blocking=True,
            description="The serving database, if there is one, holds the version that readers "
            "see.",
        )
    ],
)
@fails_clearly
def serving_checks(
    publish_url: dg.ResourceParam[SecretStr | None], store: dg.ResourceParam[Store]
) -> Iterator[dg.AssetCheckResult]:
    """Asks the database what it serves."""
    rule = rules.services_see_what_readers_see
    database = open_database(publish_url, store.root)
    version = PublishedLists(store.root).version()
    served = None if database is None else database.served()
    finding = rule(
        version.content,
        None if served is None else served.content,
        wanted=database is not None,
    )
    yield check_result(finding, asset=SERVING_DATABASE, name=rule.__name__)
