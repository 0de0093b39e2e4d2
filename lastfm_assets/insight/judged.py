"""Chapters on what the models reach: the leaderboard, and the champion with its reasons."""

import math
from typing import Any, Final

import pandas as pd

from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.evaluation.leaderboard import BEST, CEILING, COMPARED, JUDGED, SELECTION
from lastfm_assets.insight import charts
from lastfm_assets.insight.chapters import (
    Chart,
    Drawing,
    Table,
    counted,
    decimal,
    interval,
    table_of,
)
from lastfm_assets.insight.charts import Series
from lastfm_assets.insight.nouns import ARTISTS, Noun
from lastfm_assets.vocabulary import Columns

TRAIN: Final = "train_precision@10"
NDCG: Final = "held_out_ndcg@10"
ENDS: Final = ("", "_low", "_high")
"""What a column of a figure and of its bounds end in."""
AXIS: Final = "held-out precision@10, 0 to 1"


def champion_row(leaderboard: pd.DataFrame, champion: Champion) -> "pd.Series[Any] | None":
    """The champion's row; None where it serves with other parameters than the leaderboard's."""
    rows = leaderboard[leaderboard["fingerprint"] == champion.fingerprint]
    return rows.iloc[0] if len(rows) else None


def leaderboard_chart(leaderboard: pd.DataFrame, champion: Champion, noun: Noun = ARTISTS) -> Chart:
    """Every model's held-out precision with its 95% interval, best on validation first."""
    served = leaderboard[leaderboard[Columns.MODEL] == champion.model]
    beaten = int((leaderboard["verdict"] == f"{champion.model} beats this one").sum())
    others = len(leaderboard) - len(served)
    title = (
        f"{champion.model} beats {beaten} of the {counted(others, 'other model')} for sure"
        if (served["verdict"] == BEST).any() and others
        else f"{champion.model} serves among {counted(len(leaderboard), 'model')}"
    )
    rows = leaderboard.sort_values(JUDGED, ascending=False, kind="stable")
    best = rows.iloc[0]
    said = (
        f"Dots with whiskers, a row a model. Highest is {best[Columns.MODEL]} with "
        f"{decimal(best[JUDGED])}, lowest {rows.iloc[-1][Columns.MODEL]} with "
        f"{decimal(rows.iloc[-1][JUDGED])}; the threshold is {decimal(champion.min_precision)}."
    )
    drawing = charts.dots(
        [str(name) for name in leaderboard[Columns.MODEL]],
        [Series("held out", *(leaderboard[f"{JUDGED}{end}"].tolist() for end in ENDS))],
        axis=AXIS,
        said=said,
        mark=(champion.min_precision, "least that may serve"),
    )
    return Chart(
        title,
        _leaderboard_table(leaderboard),
        [Drawing(drawing, said)],
        f"Of ten {noun.many} named to a user, the share that the user does play, though the model "
        "never saw it. Whiskers: 95% intervals over users. Order: ndcg@10 on validation, which "
        "chooses. A verdict looks at all pairs of models at once, so it is careful.",
        shown=True,
    )


def _leaderboard_table(leaderboard: pd.DataFrame) -> Table:
    return table_of(
        leaderboard,
        [
            ("model", lambda row: row[Columns.MODEL]),
            ("precision@10, held out", lambda row: decimal(row[JUDGED])),
            ("its 95% interval", lambda row: interval(row[f"{JUDGED}_low"], row[f"{JUDGED}_high"])),
            ("ndcg@10, held out", lambda row: decimal(row[NDCG])),
            ("its 95% interval", lambda row: interval(row[f"{NDCG}_low"], row[f"{NDCG}_high"])),
            ("ndcg@10, validation", lambda row: decimal(row[SELECTION])),
            ("verdict", lambda row: row["verdict"]),
        ],
        "All models, best on validation first",
    )


def train_chart(leaderboard: pd.DataFrame) -> Chart:
    """Precision where a model was fitted beside precision on what it never saw."""
    times = leaderboard[TRAIN] / leaderboard[JUDGED].where(leaderboard[JUDGED] > 0)
    if times.notna().any():
        worst = leaderboard.iloc[int(times.fillna(0).to_numpy().argmax())]
        title = (
            f"Judged on its own training data, {worst[Columns.MODEL]} looks "
            f"{decimal(times.max(), 1)} times as good as it is"
        )
    else:
        title = "Precision on training data says nothing of precision held out"
    said = "Two dots a model: " + "; ".join(
        f"{row[Columns.MODEL]} {decimal(row[JUDGED])} held out, {decimal(row[TRAIN])} on train"
        for row in leaderboard.to_dict("records")
    )
    drawing = charts.dots(
        [str(name) for name in leaderboard[Columns.MODEL]],
        [
            Series("held out", leaderboard[JUDGED].tolist()),
            Series("on train", leaderboard[TRAIN].tolist()),
        ],
        axis="precision@10, 0 to 1",
        said=said,
    )
    table = table_of(
        leaderboard.assign(times=times),
        [
            ("model", lambda row: row[Columns.MODEL]),
            ("precision@10, held out", lambda row: decimal(row[JUDGED])),
            ("precision@10, on train", lambda row: decimal(row[TRAIN])),
            ("times", lambda row: decimal(row["times"], 1)),
        ],
        "Each model on what it was fitted on and on what it never saw",
    )
    return Chart(
        title,
        table,
        [Drawing(drawing, said)],
        "A model that has learnt the answers by heart shines on train. Only the held-out figure "
        "tells what a listener would get, and only it is shown elsewhere on this page.",
    )


def champion_facts(
    champion: Champion, leaderboard: pd.DataFrame, noun: Noun = ARTISTS
) -> list[tuple[str, str]]:
    """What the champion was chosen by: heading and sentence."""
    ceiling = float(leaderboard[CEILING].iloc[0])
    ratio = (
        champion.precision / champion.popularity_precision
        if champion.popularity_precision > 0
        else math.nan
    )
    return [
        ("Why it serves", _sentence(champion.because)),
        ("Challenger", f"{champion.challenger}, best on validation."),
        ("Served before", f"{champion.serving}." if champion.serving else "None on record."),
        ("Contest", _contest(champion)),
        (
            "Threshold",
            (
                f"Held-out precision@10 must reach {decimal(champion.min_precision)}; it is "
                f"{decimal(champion.precision)}."
            ),
        ),
        (
            "Over popularity",
            (
                f"{decimal(ratio, 2)} times the {decimal(champion.popularity_precision)} that "
                f"naming the best known {noun.many} to everybody reaches."
            ),
        ),
        (
            "Ceiling",
            (
                f"{decimal(ceiling)}: lists that knew all answers would reach no more, as some "
                f"users have fewer than ten {noun.many} held out."
            ),
        ),
        ("Parameters", ", ".join(f"{k} {v}" for k, v in champion.parameters.items()) or "None."),
        ("Fingerprint", f"{champion.fingerprint[:12]}, code {champion.code}, seed {champion.seed}"),
    ]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _contest(champion: Champion) -> str:
    if champion.difference is None:
        return f"Nothing had to be compared; the margin would have been {champion.margin}."
    return (
        f"The challenger's held-out {COMPARED} differs by {champion.difference:+.4f}, 95% interval "
        f"{_signed(champion.low)} to {_signed(champion.high)}; to replace the model that serves, "
        f"its lower end must reach {-champion.margin:+.4f}."
    )


def _signed(value: float | None) -> str:
    return "unknown" if value is None else f"{value:+.4f}"


def contests_table(comparison: pd.DataFrame, champion: Champion) -> Table:
    """The champion against each other model, by held-out `COMPARED`, on the same users."""
    rows = []
    for row in comparison[comparison["metric"] == COMPARED].to_dict("records"):
        if champion.model not in (row["model_a"], row["model_b"]):
            continue
        first = row["model_a"] == champion.model
        low, high = (row["low"], row["high"]) if first else (-row["high"], -row["low"])
        rows.append(
            (
                str(row["model_b"] if first else row["model_a"]),
                f"{row['difference'] if first else -row['difference']:+.4f}",
                f"{low:+.4f} to {high:+.4f}",
                decimal(row["p_adjusted"]),
                str(row["verdict"]),
            )
        )
    head = ("against", "difference of ndcg@10", "95% interval", "p, all pairs at once", "verdict")
    return Table(head, rows, f"{champion.model} against each other model, on the same users")
