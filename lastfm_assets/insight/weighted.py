"""Chapters on the weight of a pair: presence, counts, their logarithm, and BM25 of either."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from lastfm_assets.insight import charts
from lastfm_assets.insight.chapters import Chart, Drawing, Table, decimal, interval, table_of
from lastfm_assets.insight.charts import Series
from lastfm_assets.insight.curves import small_steps
from lastfm_assets.insight.judged import AXIS, ENDS

if TYPE_CHECKING:
    from collections.abc import Mapping

_VALIDATION: Final = "validation_precision@10"
_HELD_OUT: Final = "held_out_precision@10"
_NAMES: Final = {
    "binary": "presence",
    "plays": "counts",
    "log": "log of counts",
    "bm25": "BM25 of presence",
    "bm25_plays": "BM25 of counts",
}
_BM25: Final = ("bm25", "bm25_plays")


def schemes_chart(table: pd.DataFrame) -> Chart | None:
    """What each scheme reaches held out, with the parameters that validation chooses.

    Args:
        table: `evaluation/weighting_effect`; None is returned where it has no known scheme.
    """
    known = table[table["scheme"].isin(list(_NAMES)) & table[_HELD_OUT].notna()]
    if known.empty:
        return None
    chosen = known.sort_values(_VALIDATION, ascending=False, kind="stable")
    chosen = chosen.drop_duplicates("scheme").reset_index(drop=True)
    title = _best_of(chosen)
    said = "A dot a scheme: " + "; ".join(
        f"{_named(row)} {decimal(row[_HELD_OUT])}" for row in chosen.to_dict("records")
    )
    drawing = charts.dots(
        [_NAMES[name] for name in chosen["scheme"]],
        [Series("held out", *(chosen[f"{_HELD_OUT}{end}"].tolist() for end in ENDS))],
        axis=AXIS,
        said=said,
    )
    note = (
        "One small ALS, its pairs weighted otherwise. Each scheme with the parameters that are "
        "best on validation, the best one on top. Whiskers: 95% intervals over users."
    )
    return Chart(
        title,
        _figures(chosen, "Each scheme with the parameters that are best on validation"),
        [Drawing(drawing, said)],
        note,
    )


def _best_of(chosen: pd.DataFrame) -> str:
    """What validation chooses, and whether it is any better than the best of the other kind."""
    best = chosen.iloc[0]
    title = f"Validation chooses {_named(best)}: {decimal(best[_HELD_OUT], 3)} held out"
    is_bm25 = chosen["scheme"].isin(_BM25)
    others = chosen[~is_bm25 if best["scheme"] in _BM25 else is_bm25]
    if others.empty:
        return title
    other = others.iloc[0]
    title += f", against {decimal(other[_HELD_OUT], 3)} by {_named(other)}"
    apart = (
        best[f"{_HELD_OUT}_low"] > other[f"{_HELD_OUT}_high"]
        or best[f"{_HELD_OUT}_high"] < other[f"{_HELD_OUT}_low"]
    )
    return title if apart else f"{title}, whose intervals overlap"


def grid_chart(table: pd.DataFrame) -> Chart | None:
    """BM25's precision over K1, a small drawing for each B.

    Args:
        table: as for `schemes_chart`; None is returned unless BM25 was tried with two K1 or more.
    """
    bm25 = table[table["scheme"].isin(_BM25) & table["k1"].gt(0) & table["b"].notna()]
    bm25 = bm25[bm25[_HELD_OUT].notna()]
    steps = np.unique(bm25["k1"].to_numpy(dtype=float))
    if len(steps) < 2:  # noqa: PLR2004 (a line needs two points)
        return None
    plain = table[table["scheme"].isin(["binary", "log", "plays"])][_HELD_OUT]
    level = None if plain.dropna().empty else float(plain.max())
    heights = [*bm25[_HELD_OUT], *([] if level is None else [level])]
    room = 0.08 * (max(heights) - min(heights)) or 0.01
    drawings = [
        _of_one_b(rows, rows["b"].iloc[0], steps, (min(heights) - room, max(heights) + room), level)
        for _, rows in bm25.groupby("b")
    ]
    best = bm25.iloc[int(bm25[_VALIDATION].fillna(-1).to_numpy().argmax())]
    title = (
        f"Of the parameters of BM25, K1 {best['k1']:g} and B {best['b']:g} are best on validation"
    )
    note = (
        "Held-out precision@10 over K1, which is how slowly a weight is sated, by itself for each "
        "B, which is how much is taken from users of much listening. Solid, with dots: BM25 of "
        "presence. Dashed, with squares: of counts."
        + ("" if level is None else f" Dotted: the best without BM25, {decimal(level, 3)}.")
    )
    return Chart(title, _by_parameters(bm25), drawings, note)


def _of_one_b(
    rows: pd.DataFrame,
    b: float,
    steps: np.ndarray,
    scale: tuple[float, float],
    level: float | None,
) -> Drawing:
    lines = [
        rows[rows["scheme"] == scheme].drop_duplicates("k1").set_index("k1")[_HELD_OUT]
        for scheme in _BM25
    ]
    said = f"B {b:g}: " + "; ".join(
        f"{_NAMES[scheme]} {decimal(line.iloc[0])} at K1 {line.index[0]:g} to "
        f"{decimal(line.iloc[-1])} at K1 {line.index[-1]:g}"
        for scheme, line in zip(_BM25, (line.sort_index() for line in lines), strict=True)
        if len(line)
    )
    series = [
        Series(scheme, line.reindex(steps).tolist())
        for scheme, line in zip(_BM25, lines, strict=True)
    ]
    svg = small_steps(steps.tolist(), series, scale=scale, level=level, said=said)
    return Drawing(svg, said, f"B {b:g}")


def _by_parameters(bm25: pd.DataFrame) -> Table:
    ordered = bm25.sort_values(["scheme", "b", "k1"], kind="stable")
    return _figures(ordered, "BM25 by its parameters")


def _figures(rows: pd.DataFrame, caption: str) -> Table:
    return table_of(
        rows,
        [
            ("weights", lambda row: _NAMES[row["scheme"]]),
            ("K1", lambda row: _parameter(row["k1"])),
            ("B", lambda row: _parameter(row["b"])),
            ("precision@10, validation", lambda row: decimal(row[_VALIDATION])),
            ("held out", lambda row: decimal(row[_HELD_OUT])),
            (
                "its 95% interval",
                lambda row: interval(row[f"{_HELD_OUT}_low"], row[f"{_HELD_OUT}_high"]),
            ),
            ("ndcg@10, held out", lambda row: decimal(row["held_out_ndcg@10"])),
        ],
        caption,
    )


def _named(row: "Mapping[Any, Any] | pd.Series[Any]") -> str:
    return _NAMES[row["scheme"]]


def _parameter(value: float) -> str:
    return f"{value:g}" if np.isfinite(value) else "none"
