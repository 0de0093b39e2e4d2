"""Tables of all studies: small ones that can be worked out by hand, and some of HetRec's size."""

from functools import cache

import numpy as np
import pandas as pd

MONTHS = tuple(pd.Timestamp(day) for day in ("2008-01-01", "2008-02-01", "2008-03-01"))
WARNING = "Both follow time, whatever their sound: nothing certain is left (+0.07)."


def _bounded(column: str, values: list[float], reach: float) -> dict[str, list[float]]:
    return {
        column: values,
        f"{column}_low": [value - reach for value in values],
        f"{column}_high": [value + reach for value in values],
    }


def rating_error() -> pd.DataFrame:
    """The least error is svd's, the best lists are of the baseline."""
    return pd.DataFrame(
        {
            "model": ["mean", "baseline", "svd"],
            **_bounded("rmse", [2.0, 1.25, 1.0], 0.125),
            **_bounded("mae", [1.5, 1.0, 0.75], 0.0625),
            **_bounded("precision@10", [0.0, 0.03, 0.01], 0.002),
            "ndcg@10": [0.0, 0.04, 0.02],
            "folds": 5,
            "users": 1200,
        }
    )


def weighting_effect() -> pd.DataFrame:
    """BM25 of presence is best, at K1 100 and B 0.5; BM25 of counts is worse than no BM25."""
    rows = [
        ("binary", np.nan, np.nan, 0.10, 0.20),
        ("log", np.nan, np.nan, 0.11, 0.19),
        ("plays", np.nan, np.nan, 0.05, 0.10),
        ("bm25", 1.0, 0.0, 0.12, 0.21),
        ("bm25", 100.0, 0.0, 0.12, 0.21),
        ("bm25", 1.0, 0.5, 0.13, 0.22),
        ("bm25", 100.0, 0.5, 0.14, 0.23),
        ("bm25_plays", 1.0, 0.5, 0.08, 0.15),
        ("bm25_plays", 100.0, 0.5, 0.09, 0.16),
    ]
    columns = ["scheme", "k1", "b", "validation_precision@10", "held_out_precision@10"]
    table = pd.DataFrame(rows, columns=columns)
    reached = table["held_out_precision@10"].tolist()
    return table.assign(**_bounded("held_out_precision@10", reached, 0.005)).assign(
        **{"held_out_ndcg@10": [value + 0.1 for value in reached]}
    )


def lightfm_epochs() -> pd.DataFrame:
    """As shipped, three epochs: held out is best after the second, train goes on."""
    return pd.DataFrame(
        {
            "setting": ["start", "start", "shipped", "shipped", "shipped"],
            "epoch": [1, 2, 1, 2, 3],
            "train_precision@10": [0.1, 0.2, 0.2, 0.3, 0.4],
            "validation_precision@10": [0.02, 0.03, 0.05, 0.08, 0.07],
            "held_out_precision@10": [0.05, 0.06, 0.1, 0.15, 0.14],
        }
    )


def tag_trends(up: str = "up", down: str = "down") -> pd.DataFrame:
    """One tag goes from 1 of 100 to 30 of 100, another from half of all to a tenth."""
    rows = [
        (tag, month, given, 100)
        for tag, times in ((down, (50, 20, 10)), (up, (1, 20, 30)))
        for month, given in zip(MONTHS, times, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["tag", "month_start", "assignments", "of_all"])
    share = (table["assignments"] / table["of_all"]).tolist()
    return table.assign(**_bounded("share", share, 0.01))


def tag_popularity(first: str = "pop", second: str = "jazz") -> pd.DataFrame:
    """The first tag's artists have 12 listeners, thrice as many as all that are tagged."""
    return pd.DataFrame(
        {
            "tag": [second, first],
            "artists": [50, 40],
            **_bounded("listeners", [2.0, 12.0], 1.5),
            **_bounded("plays_per_listener", [300.25, 400.0], 50.0),
            "lift": [0.5, 3.0],
        }
    )


def audio_features() -> pd.DataFrame:
    """Two years of three features; none of liveness in the first."""
    return pd.DataFrame(
        {
            "year": [2000, 2000, 2001, 2001, 2001],
            "feature": ["tempo", "duration_ms", "tempo", "duration_ms", "liveness"],
            "value": [120.0, 240_000.0, 121.5, 180_000.0, 0.25],
        }
    )


def audio_correlations(warning: str = WARNING) -> pd.DataFrame:
    """Over years loudness goes with popularity, with a warning, and tempo hardly; one genre row."""
    return pd.DataFrame(
        {
            "of": ["years", "years", "genres"],
            "feature": ["tempo", "loudness", "energy"],
            "n": [100, 100, 2973],
            **_bounded("correlation", [0.25, 0.75, -0.5], 0.125),
            "of_changes": [-0.09, 0.07, np.nan],
            "warning": ["", warning, "Genres differ in more than their sound."],
        }
    )


def every_study() -> dict[str, pd.DataFrame]:
    """All seven, by the keys of their assets."""
    return {
        "evaluation/rating_error": rating_error(),
        "evaluation/weighting_effect": weighting_effect(),
        "evaluation/lightfm_epochs": lightfm_epochs(),
        "insight/tag_trends": tag_trends(),
        "insight/tag_popularity": tag_popularity(),
        "insight/audio_features": audio_features(),
        "insight/audio_correlations": audio_correlations(),
    }


@cache
def large_studies() -> dict[str, pd.DataFrame]:
    """Invented ones of HetRec's size: 30 tags over 70 months, 40 tags, 11 features, 60 epochs."""
    rng = np.random.default_rng(0)
    months = pd.date_range("2005-08-01", periods=70, freq="MS")
    trends = pd.DataFrame({"month_start": np.tile(months, 30), "of_all": 2000})
    trends.insert(0, "tag", np.repeat([f"tag number {n}" for n in range(30)], 70))
    trends["assignments"] = rng.integers(0, 200, len(trends))
    share = (trends["assignments"] / 2000).tolist()
    years = np.arange(1921, 2021)
    features = [f"feature{n}" for n in range(11)]
    epochs = np.arange(1, 61)
    grid = [(k1, b) for b in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0) for k1 in (1.0, 10.0, 100.0, 1000.0)]
    weights = pd.DataFrame(grid * 2, columns=["k1", "b"]).assign(scheme="bm25")
    weights.loc[: len(grid) - 1, "scheme"] = "bm25_plays"
    weights["validation_precision@10"] = rng.random(len(weights)) / 5
    reached = (rng.random(len(weights)) / 5).tolist()
    weights = weights.assign(**_bounded("held_out_precision@10", reached, 0.01))
    return every_study() | {
        "evaluation/weighting_effect": weights.assign(**{"held_out_ndcg@10": 0.2}),
        "evaluation/lightfm_epochs": pd.DataFrame(
            {
                "setting": np.repeat(["start", "shipped"], 60),
                "epoch": np.tile(epochs, 2),
                "train_precision@10": np.tile(epochs / 200, 2),
                "validation_precision@10": np.tile(epochs / 900, 2),
                "held_out_precision@10": np.tile(epochs / 600, 2),
            }
        ),
        "insight/tag_trends": trends.assign(**_bounded("share", share, 0.02)),
        "insight/tag_popularity": pd.DataFrame(
            {
                "tag": [f"tag number {n}" for n in range(40)],
                "artists": 100,
                **_bounded("listeners", [float(40 - n) for n in range(40)], 1.0),
                **_bounded("plays_per_listener", [300.0] * 40, 20.0),
                "lift": 2.0,
            }
        ),
        "insight/audio_features": pd.DataFrame(
            {
                "year": np.repeat(years, 11),
                "feature": np.tile(features, 100),
                "value": rng.random(1100),
            }
        ),
    }
