"""Chapters on the first system's models: predicted ratings, and LightFM over its epochs."""

from typing import Any, Final

import pandas as pd

from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.insight.chapters import (
    Chart,
    Drawing,
    decimal,
    interval,
    number,
    percent,
    quotient,
    table_of,
)
from lastfm_assets.insight.charts import Series
from lastfm_assets.insight.curves import Panel, beside, over_steps
from lastfm_assets.insight.judged import ENDS
from lastfm_assets.insight.nouns import ARTISTS, Noun
from lastfm_assets.vocabulary import Columns

_PRECISION: Final = "precision@10"
_HELD_OUT: Final = f"held_out_{_PRECISION}"
_ON_TRAIN: Final = f"train_{_PRECISION}"
_ON_VALIDATION: Final = f"validation_{_PRECISION}"
_SETTINGS: Final = {"start": "by default", "shipped": "as shipped"}


def rating_chart(table: pd.DataFrame, champion: Champion, noun: Noun = ARTISTS) -> Chart | None:
    """Errors of predicted ratings beside the lists that the same predictions make.

    Args:
        table: `evaluation/rating_error`; None is returned of an empty one.
        champion: whose lists they are held against.
        noun: what is recommended.
    """
    if table.empty:
        return None
    models = table.sort_values("rmse", kind="stable", ignore_index=True)
    surest = models.iloc[0]
    best = models.iloc[int(models[_PRECISION].fillna(-1).to_numpy().argmax())]
    found, served = (f"{10 * x:.2f}" for x in (surest[_PRECISION], champion.precision))
    title = (
        f"{surest[Columns.MODEL]} errs least on ratings, yet of ten {noun.many} that it names "
        f"{found} are played; {champion.model}, which predicts none, finds {served}"
        if champion.precision > surest[_PRECISION]
        else f"{surest[Columns.MODEL]} errs least on ratings, and finds {found} of ten"
    )
    said = "Two dots a model: " + "; ".join(
        f"{row[Columns.MODEL]} RMSE {decimal(row['rmse'], 3)}, precision@10 "
        f"{decimal(row[_PRECISION])}"
        for row in models.to_dict("records")
    )
    drawing = beside(
        [str(name) for name in models[Columns.MODEL]],
        [
            Panel(_series(models, "rmse"), "RMSE, lower is better"),
            Panel(
                _series(models, _PRECISION),
                "precision@10",
                (champion.precision, f"dashed: {champion.model}"),
            ),
        ],
        said=said,
    )
    figures = table_of(
        models,
        [
            ("model", lambda row: str(row[Columns.MODEL])),
            ("RMSE", lambda row: decimal(row["rmse"])),
            ("its 95% interval", lambda row: interval(row["rmse_low"], row["rmse_high"])),
            ("MAE", lambda row: decimal(row["mae"])),
            ("its 95% interval", lambda row: interval(row["mae_low"], row["mae_high"])),
            ("precision@10", lambda row: decimal(row[_PRECISION])),
            (
                "its 95% interval",
                lambda row: interval(row[f"{_PRECISION}_low"], row[f"{_PRECISION}_high"]),
            ),
            ("ndcg@10", lambda row: decimal(row["ndcg@10"])),
            ("users judged", lambda row: number(row["users"])),
        ],
        "Models that predict ratings, least error first",
    )
    return Chart(title, figures, [Drawing(drawing, said)], _why(models, best, noun))


def _why(models: pd.DataFrame, best: "pd.Series[Any]", noun: Noun) -> str:
    least, most = models["rmse"].iloc[0], models["rmse"].iloc[-1]
    spared = percent(quotient(most - least, most), 0)
    order = (
        "The best lists are of the model that errs least, but they are no good ones."
        if best[Columns.MODEL] == models[Columns.MODEL].iloc[0]
        else f"The best lists of these are of {best[Columns.MODEL]}, whose error is not the least."
    )
    return (
        "Ratings are plays by their logarithm, 1 to 5; lists are judged as those of all models. "
        f"From the worst to the best model RMSE falls by {spared}. {order} An error is taken over "
        f"{noun.many} that a listener does play; a list has to find those among all {noun.many}, "
        "on which an error says nothing. Whiskers: 95% intervals."
    )


def epochs_chart(table: pd.DataFrame) -> Chart | None:
    """LightFM's precision on train and held out, epoch by epoch.

    Args:
        table: `evaluation/lightfm_epochs`; None is returned where no known setting has two epochs.
    """
    known = {name: _of(table, name) for name in _SETTINGS}
    known = {name: rows for name, rows in known.items() if len(rows) > 1}
    if not known:
        return None
    last = list(known.values())[-1]
    peak = last.iloc[int(last[_HELD_OUT].fillna(-1).to_numpy().argmax())]
    end = last.iloc[-1]
    on_train = decimal(end[_ON_TRAIN], 3)
    title = (
        f"LightFM is best after {number(peak['epoch'])} of {number(end['epoch'])} epochs "
        f"({decimal(peak[_HELD_OUT], 3)} held out); on train it ends at {on_train}"
        if peak["epoch"] < end["epoch"]
        else f"LightFM still gains at its last epoch, {number(end['epoch'])}: "
        f"{decimal(peak[_HELD_OUT], 3)} held out, but {on_train} on train"
    )
    said = "Two lines a setting over epochs. " + "; ".join(
        f"{_SETTINGS[name]}: held out {decimal(rows[_HELD_OUT].iloc[0])} to "
        f"{decimal(rows[_HELD_OUT].iloc[-1])}, on train {decimal(rows[_ON_TRAIN].iloc[0])} to "
        f"{decimal(rows[_ON_TRAIN].iloc[-1])}"
        for name, rows in known.items()
    )
    drawing = over_steps(
        [rows["epoch"].tolist() for rows in known.values()],
        [
            [
                Series("held out", rows[_HELD_OUT].tolist()),
                Series("on train", rows[_ON_TRAIN].tolist()),
            ]
            for rows in known.values()
        ],
        [_SETTINGS[name] for name in known],
        axes_said=("epochs", "precision@10, 0 to 1"),
        said=said,
    )
    figures = table_of(
        pd.concat(known.values()),
        [
            ("setting", lambda row: _SETTINGS[row["setting"]]),
            ("epochs", lambda row: number(row["epoch"])),
            ("precision@10, train", lambda row: decimal(row[_ON_TRAIN])),
            ("validation", lambda row: decimal(row[_ON_VALIDATION])),
            ("held out", lambda row: decimal(row[_HELD_OUT])),
        ],
        "LightFM, epoch by epoch",
    )
    note = (
        "With the parameters that LightFM comes with, and with those that are shipped here. Where "
        "the line of train rises and that of held out does not, more is learnt by heart."
    )
    return Chart(title, figures, [Drawing(drawing, said)], note)


def _of(table: pd.DataFrame, setting: str) -> pd.DataFrame:
    rows = table[table["setting"] == setting]
    return rows.sort_values("epoch", kind="stable", ignore_index=True)


def _series(rows: pd.DataFrame, column: str) -> Series:
    return Series(column, *(rows[f"{column}{end}"].tolist() for end in ENDS))
