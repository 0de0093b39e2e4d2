"""A fitted model with its ids and its fingerprint, saved and loaded without running code."""

import hashlib
import io
import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.sparse as sps
from pydantic import BaseModel

from lastfm_assets.errors import BadInputError, LastfmAssetsError, StoreError
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models import fits, saved
from lastfm_assets.models.als import Als
from lastfm_assets.models.approximate import COSINES, Search
from lastfm_assets.models.blend import Blend
from lastfm_assets.models.bpr import Bpr
from lastfm_assets.models.ease import Ease
from lastfm_assets.models.ease_tags import EaseTags
from lastfm_assets.models.factors import Factors
from lastfm_assets.models.friends import Friends
from lastfm_assets.models.item_knn import ItemKnn
from lastfm_assets.models.lightfm import LightFm
from lastfm_assets.models.lightfm_tags import LightFmTags
from lastfm_assets.models.popularity import Popularity
from lastfm_assets.models.product_ranking import rank_products
from lastfm_assets.models.protocol import Recommender
from lastfm_assets.models.ranking import USUAL, Budget, RankedLists, rank
from lastfm_assets.models.rp3beta import Rp3Beta
from lastfm_assets.models.user_knn import UserKnn
from lastfm_assets.models.wire import Fit
from lastfm_assets.progress import Progress, no_progress
from lastfm_assets.provenance import code_version
from lastfm_assets.sources.hetrec import one_line

MODELS: Final[Mapping[str, type[Recommender]]] = {
    model.name: model
    for model in (
        Popularity,
        ItemKnn,
        UserKnn,
        Rp3Beta,
        Als,
        Bpr,
        Ease,
        EaseTags,
        LightFm,
        LightFmTags,
        Friends,
        Blend,
    )
}
"""Every model by its name, in the order of the leaderboard's ties."""
PRODUCTS: Final = (Als, Bpr, LightFm)
"""Models that have learnt `factors`, whose product is the score."""
RANKED_BY: Final = tuple(
    f"models/{name}.py"
    for name in (
        "approximate",
        "left_out",
        "product_candidates",
        "product_counting",
        "product_placing",
        "product_ranking",
        "product_search",
        "products",
        "ranking",
        "threads",
    )
)
"""The files that make lists of what a model has learnt."""
_SHARED_SOURCES: Final = (
    "models/protocol.py",
    "models/arrays.py",
    "models/factors.py",
    "listening/weighting.py",
    "listening/matrix.py",
    "listening/side.py",
)
_ALSO: Final[Mapping[str, tuple[str, ...]]] = {
    "user_knn": ("models/ranking.py",),
    "item_knn": ("models/neighbours.py", "models/threads.py"),
    "rp3beta": ("models/neighbours.py", "models/threads.py"),
    "ease": ("models/ridge.py",),
    "ease_tags": ("models/ridge.py", "models/ease.py", "models/tag_counts.py"),
    "blend": (
        "models/als.py",
        "models/ease.py",
        "models/ease_tags.py",
        "models/lightfm.py",
        "models/lightfm_tags.py",
        "models/neighbours.py",
        "models/ranking.py",
        "models/ridge.py",
        "models/tag_counts.py",
        "listening/split.py",
    ),
    "lightfm_tags": ("models/lightfm.py", "models/neighbours.py", "models/tag_counts.py"),
}
"""Further files, beside its own, that a model is made from."""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A recommender that knows whom and what it was fitted on."""

    recommender: Recommender
    config: BaseModel
    seed: int
    data: str
    """Fingerprint of the matrix it was fitted on."""
    side: str
    """Fingerprint of the tags and friends it was fitted on, empty where it looks at none."""
    code: str
    """Version of the sources that fitted it, see `code_of`."""
    user_ids: np.ndarray
    """(n_users,) int64 ids behind the recommender's rows."""
    artist_ids: np.ndarray
    """(n_artists,) int64 ids behind its columns."""

    @property
    def name(self) -> str:
        """The recommender's name."""
        return self.recommender.name

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of data, model, code, parameters and seed."""
        return fingerprint(
            self.name, self.config, seed=self.seed, data=self.data, side=self.side, code=self.code
        )

    @property
    def factors(self) -> Factors | None:
        """Vectors whose product is the score, None where a score is not such a product."""
        if isinstance(self.recommender, Popularity):
            return self.recommender.factors_of(len(self.user_ids))
        return self.recommender.factors if isinstance(self.recommender, PRODUCTS) else None

    @property
    def may_be_approximate(self) -> bool:
        """Whether its lists can be searched approximately."""
        return isinstance(self.recommender, PRODUCTS)

    def rank(
        self,
        user_rows: np.ndarray,
        *,
        n: int,
        leave_out: sps.csr_array | None = None,
        search: Search = "exact",
        budget: Budget = USUAL,
        on_progress: Progress = no_progress,
    ) -> RankedLists:
        """The best `n` artists of each user; see `ranking.rank` and `rank_products`.

        Raises:
            BadInputError: `search` is approximate, and the score no product of factors.
            ValueError: `n` is below 1, or a score is not finite.
        """
        if search != "exact" and not self.may_be_approximate:
            fitting = ", ".join(model.name for model in PRODUCTS)
            raise BadInputError(
                f"{self.name} cannot be searched approximately, expected one of {fitting}; "
                "rank it exactly"
            )
        if self.factors is not None:
            return rank_products(
                self.factors,
                user_rows,
                n=n,
                leave_out=leave_out,
                cosine=COSINES[search],
                budget=budget,
                on_progress=on_progress,
            )
        return rank(
            self.recommender.scores,
            user_rows,
            n=n,
            n_artists=len(self.artist_ids),
            leave_out=leave_out,
            budget=budget,
            on_progress=on_progress,
        )


def fingerprint(name: str, config: BaseModel, *, seed: int, data: str, side: str, code: str) -> str:
    """SHA-256 (hex) of what determines a model's lists."""
    said = {
        "model": name,
        "config": config.model_dump(mode="json"),
        "seed": seed,
        "data": data,
        "side": side,
        "code": code,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def model_sources(*names: str) -> list[str]:
    """The files that decide what these models learn, as paths within the package."""
    own = {file for name in names for file in (f"models/{name}.py", *_ALSO.get(name, ()))}
    return sorted({*_SHARED_SOURCES, *own})


def code_of(name: str) -> str:
    """Version of the sources that fit a model."""
    return code_version(*model_sources(name))


def model_named(name: str) -> type[Recommender]:
    """The model of that name.

    Raises:
        BadInputError: there is none.
    """
    if name not in MODELS:
        raise BadInputError(
            f"unknown model {one_line(repr(name))}; expected one of {', '.join(MODELS)}"
        )
    return MODELS[name]


def train(
    name: str,
    matrix: ListeningMatrix,
    config: BaseModel | None = None,
    *,
    side: SideTables,
    seed: int,
    on_progress: Progress = no_progress,
) -> TrainedModel:
    """Fits a model, by its name, on every pair of a matrix.

    Args:
        name: a key of `MODELS`.
        matrix: the pairs to learn from.
        config: the model's parameters; its defaults when None.
        side: tags and friends, without the tags of pairs that it will be judged on.
        seed: of everything random in it.
        on_progress: told steps done and steps in all.

    Returns:
        The fitted model with the matrix's ids and fingerprint.

    Raises:
        BadInputError: no model has that name.
    """
    model = model_named(name)
    config = model.Config() if config is None else config
    recommender = fits.fit(model, matrix, config, side=side, seed=seed, on_progress=on_progress)
    return _trained(Fit(model, matrix, config, side, seed), recommender)


def train_together(
    asked: Mapping[str, BaseModel],
    matrix: ListeningMatrix,
    *,
    side: SideTables,
    seed: int,
    processes: int,
    progress_of: Callable[[str], Progress] = lambda _name: no_progress,
) -> Generator[tuple[TrainedModel, float], None, None]:
    """Fits several models on every pair of a matrix, as `train` does, in several processes.

    Args:
        asked: parameters by the name of the model.
        matrix: the pairs to learn from.
        side: as for `train`.
        seed: of everything random in them.
        processes: how many fit side by side; 1 fits in this one, each model when it is asked
            for. Processes of a block of as many around this are used, see `fits.workers`.
        progress_of: name -> who is told of its fit: every step in this process, that all is done
            where another fits.

    Yields:
        Each fitted model as soon as it is there, and the seconds of its fit, see
        `fits.together`. What the caller fits between two of them uses the same processes.

    Raises:
        BadInputError: no model has one of the names.
        LastfmAssetsError: a process ended in the middle of a fit.
    """
    fitted = [Fit(model_named(name), matrix, config, side, seed) for name, config in asked.items()]
    with fits.workers(processes):
        for one, recommender, seconds in fits.together(fitted, progress_of):
            yield _trained(one, recommender), seconds


def _trained(one: Fit, recommender: Recommender) -> TrainedModel:
    return TrainedModel(
        recommender,
        one.config,
        one.seed,
        data=one.data,
        side=one.beside,
        code=code_of(one.model.name),
        user_ids=one.matrix.user_ids,
        artist_ids=one.matrix.artist_ids,
    )


def to_bytes(model: TrainedModel, said: Mapping[str, Any]) -> bytes:
    """A model as an uncompressed npz archive: numeric arrays and one JSON text, no pickle.

    Args:
        model: what to save.
        said: JSON values to keep beside it.

    Returns:
        The archive.
    """
    header = {
        **said,
        "model": model.name,
        "config": model.config.model_dump(mode="json"),
        "seed": model.seed,
        "data": model.data,
        "side": model.side,
        "code": model.code,
    }
    buffer = io.BytesIO()
    np.savez(
        buffer,
        allow_pickle=False,
        header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        user_ids=model.user_ids,
        artist_ids=model.artist_ids,
        **{f"learnt_{name}": array for name, array in model.recommender.arrays().items()},
    )
    return buffer.getvalue()


def from_bytes(content: bytes) -> tuple[TrainedModel, dict[str, Any]]:
    """The inverse of `to_bytes`: the model and what was kept beside it.

    Raises:
        StoreError: not a saved model, or one whose parts do not fit together.
    """
    try:
        return _restored(saved.arrays_in(content))
    except LastfmAssetsError:
        raise
    except Exception as problem:  # bytes of anybody can fail in any way
        reason = one_line(problem) or type(problem).__name__
        raise StoreError(f"not a saved model ({type(problem).__name__}: {reason})") from problem


def _restored(arrays: Mapping[str, np.ndarray]) -> tuple[TrainedModel, dict[str, Any]]:
    header = json.loads(arrays["header"].tobytes())
    model = model_named(header["model"])
    config = model.Config.model_validate(header["config"])
    learnt = {
        name.removeprefix("learnt_"): array
        for name, array in arrays.items()
        if name.startswith("learnt_")
    }
    saved.check_numbers(learnt)
    restored = TrainedModel(
        model.from_arrays(config, learnt),
        config,
        int(header["seed"]),
        data=str(header["data"]),
        side=str(header["side"]),
        code=str(header["code"]),
        user_ids=arrays["user_ids"],
        artist_ids=arrays["artist_ids"],
    )
    _check_fit(restored)
    return restored, header


def _check_fit(model: TrainedModel) -> None:
    """Refuses a model whose scores, of its first and its last user, are not those of its ids."""
    saved.check_ids(model.user_ids)
    saved.check_ids(model.artist_ids)
    n_users, n_artists = len(model.user_ids), len(model.artist_ids)
    factors = model.factors
    if factors is not None:
        found = (factors.users.shape, factors.artists.shape, factors.artist_bias.shape)
        k = factors.users.shape[-1]
        if found != ((n_users, k), (n_artists, k), (n_artists,)):
            raise StoreError(f"its vectors are {found}, its ids {n_users} and {n_artists}")
    rows = np.unique([0, n_users - 1]) if n_users else np.empty(0, dtype=np.int64)
    scores = model.recommender.scores(rows) if n_users else np.empty((0, n_artists))
    if scores.shape != (len(rows), n_artists) or not np.isfinite(scores).all():
        raise StoreError(f"scores of {len(rows)} users are {scores.shape}, or not finite")
