"""The rules of `listening` as Dagster checks, blocking where broken data would go on."""

import pandas as pd

from lastfm_assets.automation.metadata import key, rules_as_checks
from lastfm_assets.listening import rules
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.tables import RAW_TABLES
from lastfm_assets.sources.files import REQUIRED

_INTERACTIONS = (key("listening", "interactions"), pd.DataFrame)
_ARTISTS = (key("listening", "artists"), pd.DataFrame)
_SPLIT = (key("listening", "split"), pd.DataFrame)

raw_checks = [
    rules_as_checks(
        key("raw", table.asset),
        rules.REQUIRED_RAW_RULES if table.stem in REQUIRED else rules.RAW_RULES,
        kind=pd.DataFrame,
    )
    for table in RAW_TABLES
]
source_checks = rules_as_checks(key("raw", "source"), rules.SOURCE_RULES, kind=pd.DataFrame)
key_checks = rules_as_checks(key("raw", "keys"), rules.KEY_RULES, kind=pd.DataFrame)
interactions_checks = rules_as_checks(
    key("listening", "interactions"),
    rules.INTERACTIONS_RULES,
    kind=pd.DataFrame,
    others={"artists": _ARTISTS},
)
artists_checks = rules_as_checks(
    key("listening", "artists"), rules.ARTISTS_RULES, kind=pd.DataFrame
)
tag_checks = rules_as_checks(
    key("listening", "tag_assignments"),
    rules.TAG_RULES,
    kind=pd.DataFrame,
    others={"artists": _ARTISTS},
)
friend_checks = rules_as_checks(
    key("listening", "friendships"),
    rules.FRIEND_RULES,
    kind=pd.DataFrame,
    others={"interactions": _INTERACTIONS},
)
rejected_checks = rules_as_checks(
    key("listening", "rejected_rows"),
    rules.REJECTED_RULES,
    kind=pd.DataFrame,
    others={
        "interactions": _INTERACTIONS,
        "about": (key("raw", "source"), pd.DataFrame),
        "artists": _ARTISTS,
        "tag_assignments": (key("listening", "tag_assignments"), pd.DataFrame),
        "friendships": (key("listening", "friendships"), pd.DataFrame),
    },
)
split_checks = rules_as_checks(
    key("listening", "split"),
    rules.SPLIT_RULES,
    kind=pd.DataFrame,
    others={"interactions": _INTERACTIONS},
)
profile_checks = rules_as_checks(
    key("listening", "profile"), rules.PROFILE_RULES, kind=pd.DataFrame
)
matrix_checks = rules_as_checks(
    key("listening", "weighted_matrix"),
    rules.MATRIX_RULES,
    kind=ListeningMatrix,
    others={"split_pairs": _SPLIT},
)
training_tag_checks = rules_as_checks(
    key("listening", "training_tags"),
    rules.TRAINING_TAG_RULES,
    kind=pd.DataFrame,
    others={"split_pairs": _SPLIT},
)
