"""Keys of what the Spark engine's assets are made from."""

from typing import Final

import dagster as dg

from lastfm_assets.automation.metadata import key
from lastfm_assets.provenance import code_version

INTERACTIONS: Final = key("listening", "interactions")
ARTISTS: Final = key("listening", "artists")
SPLIT: Final = key("listening", "split")
MATRIX: Final = key("listening", "weighted_matrix")
TAGS: Final = key("listening", "training_tags")
TOP: Final = key("recommendations", "top_artists")
SIMILAR: Final = key("recommendations", "similar_artists")
READ: Final[dict[str, dg.AssetIn]] = {
    "interactions": dg.AssetIn(INTERACTIONS),
    "artists": dg.AssetIn(ARTISTS),
}
"""Inputs that lists of all pairs are made from."""
CODE: Final = code_version("engines/spark")
"""Of whatever is made from a model on."""
