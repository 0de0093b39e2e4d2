"""Rating error, the effect of weighting, and LightFM over its epochs, as assets."""

import dagster as dg
import pandas as pd

from lastfm_assets.automation.failures import fails_clearly
from lastfm_assets.automation.jobs import STUDIES
from lastfm_assets.automation.lineage import columns_of, lineage_of
from lastfm_assets.automation.metadata import OWNERS, key, log_progress, table_metadata
from lastfm_assets.automation.pictures import picture
from lastfm_assets.evaluation.leaderboard import JUDGED
from lastfm_assets.provenance import code_version
from lastfm_assets.studies import charts
from lastfm_assets.studies import lightfm_epochs as over_epochs
from lastfm_assets.studies import rating_error as ratings
from lastfm_assets.studies import weighting_effect as weightings
from lastfm_assets.studies.lists import PRECISION
from lastfm_assets.vocabulary import Columns

RATING_ERROR = key("evaluation", "rating_error")
WEIGHTING_EFFECT = key("evaluation", "weighting_effect")
LIGHTFM_EPOCHS = key("evaluation", "lightfm_epochs")
_SPLIT = {
    "split_pairs": dg.AssetIn(key("listening", "split")),
    "artists": dg.AssetIn(key("listening", "artists")),
}
_JUDGING = (
    *("evaluation/metrics.py", "listening/matrix.py", "listening/split.py"),
    *("listening/weighting.py", "models/factors.py", "models/ranking.py", "studies/lists.py"),
)


@dg.asset(
    key=RATING_ERROR,
    ins={**_SPLIT, "board": dg.AssetIn(key("evaluation", "leaderboard"))},
    group_name=STUDIES,
    kinds={"pandas", "parquet"},
    owners=OWNERS,
    code_version=code_version(*_JUDGING, "studies/predictors.py", "studies/rating_error.py"),
    metadata=columns_of(RATING_ERROR),
)
@fails_clearly
def rating_error(
    context: dg.AssetExecutionContext,
    split_pairs: pd.DataFrame,
    artists: pd.DataFrame,
    board: pd.DataFrame,
    seed: dg.ResourceParam[int],
) -> dg.MaterializeResult[pd.DataFrame]:
    """How well models of ratings predict a rating, and how good their lists are.

    Plays become ratings of 1 to 5 by their logarithm. scikit-surprise's baseline, KNNBaseline and
    SVD, and the mean as a floor, are judged twice: by the error of five folds, and by precision@10
    of their lists on the same held-out pairs as all models. A low error does not make a list.
    KNNBaseline compares all users with all, and is left out above 10,000 of them.
    """
    table = ratings.rating_error(
        split_pairs,
        artists[Columns.ARTIST].to_numpy(),
        seed=seed,
        on_progress=log_progress(context, "fits of rating models"),
    )
    best = board.iloc[0]
    model, precision = str(best[Columns.MODEL]), float(best[JUDGED])
    return dg.MaterializeResult(
        value=table,
        metadata=table_metadata(
            table,
            in_words=ratings.in_words(table, model, precision),
            left_out=", ".join(ratings.left_out(table)) or "none",
            **{
                "error and lists": picture(
                    charts.error_and_lists(table, model, precision),
                    "Rating error of each model against precision@10 of its lists",
                ),
                **lineage_of(RATING_ERROR),
            },
        ),
    )


@dg.asset(
    key=WEIGHTING_EFFECT,
    ins=_SPLIT,
    group_name=STUDIES,
    kinds={"implicit", "parquet"},
    owners=OWNERS,
    code_version=code_version(*_JUDGING, "studies/weighting_effect.py"),
    metadata=columns_of(WEIGHTING_EFFECT),
)
@fails_clearly
def weighting_effect(
    context: dg.AssetExecutionContext,
    split_pairs: pd.DataFrame,
    artists: pd.DataFrame,
    seed: dg.ResourceParam[int],
) -> dg.MaterializeResult[pd.DataFrame]:
    """Held-out precision@10 of one small ALS under every weighting of the pairs.

    Play counts, presence, the logarithm of counts, and BM25 on counts and on presence over K1 and
    B. All are scaled to one mean confidence first, so that weightings are compared and not scales.
    """
    table = weightings.weighting_effect(
        split_pairs,
        artists[Columns.ARTIST].to_numpy(),
        seed=seed,
        on_progress=log_progress(context, "fits under some weighting"),
    )
    return dg.MaterializeResult(
        value=table,
        metadata=table_metadata(
            table,
            in_words=weightings.in_words(table),
            **{
                "weightings": picture(
                    charts.weightings(table), "Held-out precision@10 under each weighting"
                ),
                **lineage_of(WEIGHTING_EFFECT),
            },
        ),
    )


@dg.asset(
    key=LIGHTFM_EPOCHS,
    ins=_SPLIT,
    group_name=STUDIES,
    kinds={"lightfm", "parquet"},
    owners=OWNERS,
    code_version=code_version(
        *_JUDGING, "models/lightfm.py", "studies/lightfm_epochs.py", "tuning/lightfm_knobs.py"
    ),
    metadata=columns_of(LIGHTFM_EPOCHS),
)
@fails_clearly
def lightfm_epochs(
    context: dg.AssetExecutionContext,
    split_pairs: pd.DataFrame,
    artists: pd.DataFrame,
    seed: dg.ResourceParam[int],
) -> dg.MaterializeResult[pd.DataFrame]:
    """precision@10 of LightFM after each of some epochs, on the pairs of its fit and held out.

    From LightFM's own parameters and from ours: how much of a rising figure is learnt by heart.
    """
    table = over_epochs.lightfm_epochs(
        split_pairs,
        artists[Columns.ARTIST].to_numpy(),
        seed=seed,
        on_progress=log_progress(context, "epochs of LightFM"),
    )
    shipped = table[table["setting"] == "shipped"].iloc[-1]
    return dg.MaterializeResult(
        value=table,
        metadata=table_metadata(
            table,
            in_words=over_epochs.in_words(table),
            **{
                f"held_out_{PRECISION}": float(shipped[f"held_out_{PRECISION}"]),
                f"train_{PRECISION}": float(shipped[f"train_{PRECISION}"]),
                "epochs": picture(
                    charts.epochs(table), "precision@10 over epochs, pairs of the fit and held out"
                ),
                **lineage_of(LIGHTFM_EPOCHS),
            },
        ),
    )
