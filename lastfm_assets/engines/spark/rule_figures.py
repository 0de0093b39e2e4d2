"""Figures that rules are worked out from: aggregates of rows that lie with the workers."""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from lastfm_assets.findings import Finding, no_violations

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


def figures_of(rows: "DataFrame", /, **figures: "Column") -> dict[str, int]:
    """Aggregates of all rows in one pass; 0 where there is none to aggregate."""
    found = rows.agg(*(figure.alias(name) for name, figure in figures.items())).first()
    return {name: int((found[name] if found else 0) or 0) for name in figures}


def violations_of(rows: "DataFrame", /, **counts: "Column") -> Finding:
    """What a rule finds whose every figure must be 0."""
    return no_violations(**figures_of(rows, **counts))


def doubled(*columns: str) -> "Column":
    """How many rows are alike in some columns to an earlier row."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    # as one value, a key with a gap counts too
    return f.count(f.lit(1)) - f.count_distinct(f.struct(*columns))


def count_unless(holds: "Column") -> "Column":
    """How many rows a condition does not hold for; it holds for no missing value."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    return f.count_if(~f.coalesce(holds, f.lit(False)))  # noqa: FBT003 (a value)


def missing_in(rows: "DataFrame", columns: Sequence[str]) -> "Column":
    """How many values are missing in some columns."""
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    types = dict(rows.dtypes)
    gaps = [
        f.isnull(name) | f.isnan(name) if types[name] in ("float", "double") else f.isnull(name)
        for name in columns
    ]
    return reduce(add, (f.count_if(gap) for gap in gaps))


def marked(rows: "DataFrame", column: str, ids: "DataFrame", mark: str) -> "DataFrame":
    """Rows with a mark that is missing where a column's value is not among the ids.

    Args:
        rows: of any columns.
        column: of `rows`.
        ids: one column, in which ids may come again.
        mark: name of the column that is added.
    """
    from pyspark.sql import functions as f  # noqa: PLC0415 (an extra)

    there = ids.toDF("_id").groupBy("_id").agg(f.count(f.lit(1)).alias(mark))
    return rows.join(there, f.col(column).eqNullSafe(f.col("_id")), "left").drop("_id")
