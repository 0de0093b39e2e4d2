"""Pictures among the metadata of an asset, where people would rather look than read."""

import base64
from typing import Any

import dagster as dg


def picture(png: bytes, what: str) -> dg.MetadataValue[Any]:
    """A PNG within Dagster's metadata, as Markdown.

    It is kept in the event log with every run, so it should have a few tens of kB at most.

    Args:
        png: the picture.
        what: it shows, for whoever cannot see it: a plain sentence of ours, not text from the data.
    """
    return dg.MetadataValue.md(
        f"![{what}](data:image/png;base64,{base64.b64encode(png).decode('ascii')})"
    )
