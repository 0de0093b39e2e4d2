"""The chain's own functions as a data scientist calls them: plain tables in, plain tables out.

Nothing here is computed otherwise than in a refresh. What is held out, and the tags on it, never
reaches a model that `evaluate` accepts.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ValidationError

from lastfm_assets.errors import BadInputError
from lastfm_assets.evaluation.judge import judge
from lastfm_assets.evaluation.metrics import bootstrap_intervals
from lastfm_assets.io import Store
from lastfm_assets.listening import load as loading
from lastfm_assets.listening import split as splitting
from lastfm_assets.listening.clean import CleanTables
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.trained import TrainedModel, model_named, train
from lastfm_assets.models.wire import Fit
from lastfm_assets.recommendations.lists import LENGTH, top_artists
from lastfm_assets.settings import Settings, data_folder
from lastfm_assets.vocabulary import Columns


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A source's pairs, dealt into three parts, and what a model may learn from."""

    data: CleanTables
    """All of the source; models are given `matrix` and `side` alone."""
    pairs: pd.DataFrame
    """`user_id, artist_id, plays, part`: every pair, in exactly one part."""
    matrix: ListeningMatrix
    """Of train and validation: what models learn from."""
    side: SideTables
    """Tags and friends, without the tags of held-out pairs."""

    @property
    def train(self) -> pd.DataFrame:
        """`user_id, artist_id, plays`: the pairs to learn from."""
        return splitting.pairs_of(self.pairs, "train")

    @property
    def validation(self) -> pd.DataFrame:
        """`user_id, artist_id, plays`: the pairs to choose by; `fit` learns from them, too."""
        return splitting.pairs_of(self.pairs, "validation")

    @property
    def held_out(self) -> pd.DataFrame:
        """`user_id, artist_id, plays`: the pairs to judge on."""
        return splitting.pairs_of(self.pairs, "held_out")

    def __repr__(self) -> str:
        """How many pairs each part has."""
        sizes = self.pairs[Columns.PART].value_counts(sort=False)
        return f"Split({', '.join(f'{part}: {count:,} pairs' for part, count in sizes.items())})"


def load(source: str | None = None) -> loading.Loaded:
    """Opens a source, types its files and cleans them.

    Args:
        source: a folder, an archive, a URL or `sample`; None: LASTFM_SOURCE, else `data/raw`, else
            HetRec from GroupLens.

    Returns:
        Tables as attributes: `interactions` (`user_id, artist_id, plays`), `artists` (`artist_id,
        artist_name, url, picture_url`), `tag_assignments` (`user_id, artist_id, tag_id, tag,
        date`), `friendships` (`user_id, friend_id`), `rejected_rows` (`file, line, text,
        reason`) and `keys` (`kind, id, key`: the source's own ids, where those are text); `about`
        says what kind of source it is.

    Raises:
        BadInputError: the source or one of its files cannot be used.
        SourceUnavailableError: it cannot be reached.
    """
    chosen = Settings.from_environment().source if source is None else source
    return loading.load(chosen, data_folder=data_folder())


def split(
    data: CleanTables,
    *,
    seed: int = 0,
    held_out_share: float = splitting.HELD_OUT_SHARE,
    validation_share: float = splitting.VALIDATION_SHARE,
) -> Split:
    """Deals each user's pairs into train, validation and held out, as a refresh does.

    Args:
        data: of `load`.
        seed: any integer; the same seed gives the same split.
        held_out_share: share of each user's pairs to judge on, 0 to 1.
        validation_share: share of each user's pairs to choose by, 0 to 1.

    Returns:
        The parts; `train`, `validation` and `held_out` are tables.

    Raises:
        ValueError: the shares are negative or leave nothing to train on.
    """
    pairs = splitting.split(
        data.interactions,
        seed=seed,
        held_out_share=held_out_share,
        validation_share=validation_share,
        plays=data.plays,
    )
    learnt = splitting.pairs_of(pairs, "train", "validation")
    side = SideTables(data.tag_assignments, data.friendships)
    return Split(
        data,
        pairs,
        ListeningMatrix.from_pairs(learnt, data.artists[Columns.ARTIST].to_numpy()),
        side.without_tags_of(splitting.pairs_of(pairs, "held_out")),
    )


def fit(
    model: str, learnt_from: Split | CleanTables, *, seed: int = 0, **parameters: Any
) -> TrainedModel:
    """Fits a model by its name.

    Args:
        model: `popularity`, `als`, `ease`, `blend`, ...; a wrong name is answered by all of them.
        learnt_from: parts of `split`: their train and validation pairs, without the tags of held-
            out ones; or `data` of `load`: all of it, to recommend from and not to be judged.
        seed: of everything random in the model.
        **parameters: those of the model, such as `factors=64`; the tuned defaults for the rest.

    Returns:
        The fitted model, for `rank`, `evaluate` and `per_user`.

    Raises:
        BadInputError: no model has that name, or it has no such parameter or value.
    """
    config = _config(model, parameters)
    matrix, side = _known(learnt_from)
    return train(model, matrix, config, side=side, seed=seed)


def rank(model: TrainedModel, learnt_from: Split | CleanTables, *, n: int = LENGTH) -> pd.DataFrame:
    """The best artists of every user that the model does not know them to play.

    Args:
        model: of `fit`.
        learnt_from: what it was fitted on.
        n: artists a user.

    Returns:
        `user_id, rank, artist_id, artist_name, score, because, model`, ordered by user and rank;
        `score` is scaled to 0..1 within a list, `because` names up to three artists that the
        user plays and that add most to it.

    Raises:
        BadInputError: `n` is no whole number or below 1, or the model was fitted on something else.
    """
    n = _at_least_one("n", n)
    matrix, _ = _known(learnt_from)
    if model.data != matrix.fingerprint:
        raise BadInputError(
            f"{model.name} was fitted on other pairs than these; rank with what it was fitted on"
        )
    artists = _data_of(learnt_from).artists
    return top_artists(model, matrix, artists.set_index(Columns.ARTIST)[Columns.NAME], n=n)


def evaluate(
    model: TrainedModel, parts: Split, *, at: int | Sequence[int] = LENGTH, seed: int = 0
) -> pd.DataFrame:
    """Judges a model on the held-out pairs.

    Args:
        model: of `fit` on these parts.
        parts: of `split`.
        at: length of the lists, or several.
        seed: of the draws of users behind the intervals.

    Returns:
        A row a metric, `<metric>@<k>` and `auc`: `mean` over the users with something held out,
        `low` and `high`, its 95% interval (users drawn with replacement), and `users`.

    Raises:
        BadInputError: a length is no whole number or below 1, nothing is held out, or the model was
            fitted on other pairs, as on all of them, or on tags of held-out ones.
    """
    figures = per_user(model, parts, at=at).set_index(Columns.USER)
    bounds = bootstrap_intervals(figures.to_numpy(np.float64), seed=seed)
    return pd.DataFrame(
        {
            "mean": figures.mean(),
            "low": bounds[:, 0],
            "high": bounds[:, 1],
            "users": figures.notna().sum(),
        },
        index=pd.Index(figures.columns, name="metric"),
    )


def per_user(
    model: TrainedModel, parts: Split, *, at: int | Sequence[int] = LENGTH
) -> pd.DataFrame:
    """What `evaluate` averages: `user_id`, `<metric>@<k>` and `auc`, a row a user.

    Users with nothing held out are not in it. Arguments and errors as for `evaluate`.
    """
    cutoffs = _cutoffs(at)
    _refuse_what_has_seen(model, parts)
    if parts.held_out.empty:
        raise BadInputError("nothing is held out; split with a held_out_share above 0")
    return judge(model, parts.matrix, parts.held_out, cutoffs=cutoffs).per_user


def query(text: str, *, store: str | None = None) -> pd.DataFrame:
    """Asks a store in SQL, as `lastfm-assets sql` does.

    Args:
        text: one statement that reads, such as `FROM evaluation.leaderboard`.
        store: a folder or fsspec URL; None: LASTFM_STORE, else `data/store`.

    Returns:
        The answer.

    Raises:
        BadInputError: it is not one such statement, or DuckDB refuses it.
        StoreError: the store holds no table, or one that is damaged.
    """
    from lastfm_assets.sql.query import frame  # noqa: PLC0415 (DuckDB)
    from lastfm_assets.sql.stored import StoredTables  # noqa: PLC0415

    chosen = Settings.from_environment().store if store is None else store
    return frame(StoredTables(Store(chosen)), text)


def _config(model: str, parameters: dict[str, Any]) -> BaseModel:
    kind = model_named(model).Config
    unknown = [name for name in parameters if name not in kind.model_fields]
    if unknown:
        known = ", ".join(kind.model_fields) or "none"
        raise BadInputError(f"{model} has no parameter {unknown[0]!r}; it has {known}")
    try:
        return kind(**parameters)
    except ValidationError as problem:
        first = problem.errors()[0]
        name = ".".join(map(str, first["loc"])) or model
        given = json.dumps(first["input"], default=str)[:100]
        raise BadInputError(f"{name} of {model} is {given}: {first['msg']}; correct it") from None


def _data_of(learnt_from: Split | CleanTables) -> CleanTables:
    return learnt_from.data if isinstance(learnt_from, Split) else learnt_from


def _known(learnt_from: Split | CleanTables) -> tuple[ListeningMatrix, SideTables]:
    """What a model fitted on it learns from."""
    if isinstance(learnt_from, Split):
        return learnt_from.matrix, learnt_from.side
    artist_ids = learnt_from.artists[Columns.ARTIST].to_numpy()
    matrix = ListeningMatrix.from_pairs(learnt_from.interactions, artist_ids)
    return matrix, SideTables(learnt_from.tag_assignments, learnt_from.friendships)


def _refuse_what_has_seen(model: TrainedModel, parts: Split) -> None:
    """Refuses a model that is not of these parts: it may have learnt what it is to be judged on."""
    mend = f"fit it with la.fit({model.name!r}, parts)"
    if model.data == _known(parts.data)[0].fingerprint != parts.matrix.fingerprint:
        raise BadInputError(
            f"{model.name} was fitted on all pairs, the held-out ones among them, so its figures "
            f"would say nothing; {mend}"
        )
    fitted = Fit(model_named(model.name), parts.matrix, model.config, parts.side, model.seed)
    if (model.data, model.side) != (fitted.data, fitted.beside):
        raise BadInputError(
            f"{model.name} was fitted on other pairs or tags than those that these parts give to "
            f"learn from, perhaps held-out ones; {mend}"
        )


def _cutoffs(at: object) -> list[int]:
    """List lengths from one or several whole numbers, NumPy's among them."""
    lengths = list(at) if isinstance(at, Iterable) and not isinstance(at, str) else [at]
    if not lengths:
        raise BadInputError("at is empty, expected list lengths, such as [10, 20]")
    return [_at_least_one("at", length) for length in lengths]


def _at_least_one(name: str, value: object) -> int:
    if not isinstance(value, Integral):
        shown = " ".join(repr(value).split())[:100]
        raise BadInputError(f"{name} is {shown}, expected a whole number, such as 10")
    if value < 1:
        raise BadInputError(f"{name} is {value}, expected at least 1")
    return int(value)
