"""The rules of the lists as blocking Dagster checks: a broken list is not published."""

import pandas as pd

from lastfm_assets.automation.metadata import key, rules_as_checks
from lastfm_assets.recommendations import rules

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
similar_artists_checks = rules_as_checks(
    key("recommendations", "similar_artists"),
    rules.SIMILAR_ARTISTS_RULES,
    kind=pd.DataFrame,
    others={"artists": _ARTISTS},
)
published_checks = rules_as_checks(
    key("recommendations", "published"),
    [rules.readers_see_what_was_checked],
    kind=pd.DataFrame,
    others={"top_artists": (key("recommendations", "top_artists"), pd.DataFrame)},
)
