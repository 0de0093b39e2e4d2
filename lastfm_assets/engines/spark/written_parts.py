"""Files that workers have written, as a table's log names them; and those that nobody names."""

import json

import pyarrow.parquet as pq
from upath import UPath

from lastfm_assets.commits import LOG
from lastfm_assets.parts import opened


def counted(parts: UPath, rows: int) -> list[tuple[UPath, int]]:
    """The files that workers have written, each with its rows, by name; none without a row.

    Args:
        parts: folder that they wrote into.
        rows: what they say to have written.

    Raises:
        ValueError: they are not all there.
    """
    there = sorted(parts.iterdir(), key=lambda path: path.name) if parts.is_dir() else []
    files = [path for path in there if path.name.endswith(".parquet")]
    counts = [rows_in(path) for path in files]
    if sum(counts) != rows:
        raise ValueError(
            f"workers have written {rows} rows, {sum(counts)} of them are seen from here: the "
            "store must lie where every worker and this machine reach it"
        )
    return [(path, count) for path, count in zip(files, counts, strict=True) if count]


def rows_in(path: UPath) -> int:
    """Rows of a Parquet file, by what it says."""
    with path.open("rb") as file:
        return int(pq.ParquetFile(file).metadata.num_rows)


def replaced(place: UPath) -> set[str]:
    """Folders of the parts that the newest commit takes out of the table."""
    table = opened(place)
    content = (place / LOG / f"{table.version():020}.json").read_text("utf-8")
    actions = [json.loads(line) for line in content.splitlines()]
    return {action["remove"]["path"].split("/")[0] for action in actions if "remove" in action}


def newest_in(folder: UPath) -> float:
    """When a folder or a file in it was last changed, in seconds since 1970."""
    newest = float(folder.stat().st_mtime)
    for path in folder.rglob("*"):
        newest = max(newest, float(path.stat().st_mtime))
    return newest
