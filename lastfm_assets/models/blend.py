"""Several models' scores added up, with weights learnt on pairs put aside."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Self, cast

import numpy as np
import scipy.sparse as sps
from pydantic import BaseModel, Field

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.split import pairs_of, split
from lastfm_assets.models import fits
from lastfm_assets.models.als import Als
from lastfm_assets.models.ease_tags import EaseTags
from lastfm_assets.models.lightfm_tags import LightFmTags
from lastfm_assets.models.protocol import Recommender
from lastfm_assets.models.ranking import NOBODY, rank
from lastfm_assets.models.wire import Fit
from lastfm_assets.progress import Progress, no_progress
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    import pandas as pd

MEMBERS: Final[tuple[type[Recommender], ...]] = (Als, EaseTags, LightFmTags)
"""Models that are blended, each with its own shipped parameters."""
_CHUNK: Final = 128
"""Users whose candidates are scored at once."""
_WORKERS: Final = 2
"""Members fitted at once within a process; their results do not depend on it."""


class BlendConfig(BaseModel, frozen=True, extra="forbid"):
    """Parameters of `Blend`; those of its members are the members' own."""

    validation_share: float = Field(
        0.125, gt=0, lt=1, description="Share of each user's pairs that the weights are learnt on."
    )
    candidates: int = Field(
        100, ge=1, description="Artists of each member's list that the weights are learnt on."
    )
    shrink: float = Field(
        1.0, ge=0, description="L2 weight of the weights, which keeps them finite in small data."
    )


@dataclass(frozen=True, slots=True)
class Blend:
    r"""Linear pool of members' scores, :math:`s_{ua} = \sum_m \theta_m s^{(m)}_{ua}`.

    The weights are those of a multinomial logit (McFadden, 1974): members are fitted without the
    validation pairs, each user's candidates are the union of the members' lists, and

    .. math:: \max_{\theta \ge 0} \sum_{(u, a) \text{ validation}} \log
              \frac{e^{s_{ua}}}{\sum_{b \in C_u} e^{s_{ub}}} - \gamma \lVert\theta\rVert^2

    which is concave, so that there is one answer. The blend adds up members fitted on every pair;
    one whose weight is zero is left out. Scores are added up for a few users at a time, so no
    users x artists matrix is ever held.
    """

    name: ClassVar[str] = "blend"
    Config: ClassVar[type[BaseModel]] = BlendConfig
    needs_side: ClassVar[bool] = True

    members: tuple[Recommender, ...]
    theta: np.ndarray
    """(n_members,) float32, > 0."""
    spread: np.ndarray
    """(n_members,) float32, theta times the spread of a member's scores: what it has to say."""

    @classmethod
    def fit(
        cls,
        matrix: ListeningMatrix,
        config: BaseModel,
        *,
        side: SideTables,
        seed: int,
        on_progress: Progress = no_progress,
    ) -> Self:
        """Fits each member without the validation pairs and on every pair, and learns the weights.

        Both rounds run side by side, as the weights only say which members of the second count.
        """
        plan = cls.plan(matrix, config, side=side, seed=seed)
        total = len(plan.parts) + 1
        fitted = _fit_all(plan.parts, lambda done: on_progress(done, total))
        blend = plan.join(fitted)
        on_progress(total, total)
        return cls(blend.members, blend.theta, blend.spread)

    @classmethod
    def plan(
        cls, matrix: ListeningMatrix, config: BaseModel, *, side: SideTables, seed: int
    ) -> "BlendPlan":
        """Which fits a blend is made from, and how; see `wire.Composite`."""
        config = cast("BlendConfig", config)
        train, validation = put_aside(matrix, share=config.validation_share, seed=seed)
        known = ((train, side.without_tags_of(validation)), (matrix, side))
        parts = tuple(
            Fit(member, pairs, member.Config(), beside, seed)
            for pairs, beside in known
            for member in MEMBERS
        )
        return BlendPlan(parts, train, validation, config)

    def scores(self, user_rows: np.ndarray) -> np.ndarray:
        """See the protocol."""
        return self._pool([member.scores(user_rows) for member in self.members])

    def fold_in(self, plays: sps.csr_array) -> np.ndarray:
        """The members' folded-in scores with the same weights."""
        return self._pool([member.fold_in(plays) for member in self.members])

    def contributions(self, plays: sps.csr_array, artists: np.ndarray) -> Iterator[np.ndarray]:
        """Those of the strongest member, the one whose weighted scores spread most."""
        return self.members[int(np.argmax(self.spread))].contributions(plays, artists)

    def arrays(self) -> dict[str, np.ndarray]:
        """See the protocol."""
        held = {
            f"{member.name}.{name}": array
            for member in self.members
            for name, array in member.arrays().items()
        }
        return {**held, "theta": self.theta, "spread": self.spread}

    @classmethod
    def from_arrays(cls, _config: BaseModel, arrays: Mapping[str, np.ndarray]) -> Self:
        """See the protocol."""
        members = []
        for model in MEMBERS:
            prefix = f"{model.name}."
            own = {
                name.removeprefix(prefix): array
                for name, array in arrays.items()
                if name.startswith(prefix)
            }
            if own:
                members.append(model.from_arrays(model.Config(), own))
        return cls(tuple(members), arrays["theta"], arrays["spread"])

    def _pool(self, scores: Sequence[np.ndarray]) -> np.ndarray:
        pooled = scores[0] * self.theta[0]
        for theta, more in zip(self.theta[1:], scores[1:], strict=True):
            pooled += theta * more
        return np.asarray(pooled, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class BlendPlan:
    """A blend before its members are fitted."""

    parts: tuple[Fit, ...]
    """All members without the validation pairs, then all members on every pair."""
    train: ListeningMatrix
    """Every pair but those of validation."""
    validation: "pd.DataFrame"
    """`user_id, artist_id, plays`."""
    config: BlendConfig

    def join(self, fitted: Sequence[Recommender]) -> Blend:
        """Learns the weights on the first round and adds up the members of the second."""
        from threadpoolctl import threadpool_limits  # noqa: PLC0415

        first, final = fitted[: len(MEMBERS)], fitted[len(MEMBERS) :]
        with threadpool_limits(1, "blas"):  # sums of several threads round differently
            theta, spread = learn_weights(first, self.train, self.validation, self.config)
        used = np.flatnonzero(theta > 0)
        return Blend(tuple(final[int(place)] for place in used), theta[used], spread[used])


def put_aside(
    matrix: ListeningMatrix, *, share: float, seed: int
) -> "tuple[ListeningMatrix, pd.DataFrame]":
    """Puts a share of each user's pairs aside, as `listening.split` does.

    Returns:
        The matrix of the other pairs, over the same artists, and the pairs: `user_id, artist_id,
        plays`.
    """
    import pandas as pd  # noqa: PLC0415 (large, and not needed where no table is)

    listener = np.repeat(matrix.user_ids, np.diff(matrix.plays.indptr))
    pairs = pd.DataFrame(
        {
            Columns.USER: listener,
            Columns.ARTIST: matrix.artist_ids[matrix.plays.indices],
            Columns.PLAYS: matrix.plays.data,
        }
    )
    parts = split(pairs, seed=seed, held_out_share=0.0, validation_share=share)
    train = ListeningMatrix.from_pairs(
        pairs_of(parts, "train"), matrix.artist_ids, weighting=matrix.weighting
    )
    return train, pairs_of(parts, "validation")


def learn_weights(
    members: Sequence[Recommender],
    train: ListeningMatrix,
    validation: "pd.DataFrame",
    config: BlendConfig,
) -> tuple[np.ndarray, np.ndarray]:
    """The multinomial logit's weights.

    Args:
        members: fitted on `train`.
        train: whose pairs are no candidates.
        validation: `user_id, artist_id` to be found.
        config: how many candidates, and the shrinkage.

    Returns:
        theta (n_members,) float32 >= 0, and theta times the standard deviation of the member's
        scores over all candidates. Equal weights in units of that deviation where nothing can be
        learnt, as no validation pair is among the candidates.
    """
    user, scores, wanted = _candidates(members, train, validation, config.candidates)
    deviation = scores.std(axis=1) if scores.shape[1] else np.ones(len(members))
    deviation = np.where(deviation > 0, deviation, 1.0)
    if not wanted.any():
        theta = np.ones(len(members))
    else:
        theta = _logit(user, scores / deviation[:, None], wanted, config.shrink)
    if not theta.any():  # no member does better than chance: all of them, then, as they are
        theta = np.ones(len(members))
    return (theta / deviation).astype(np.float32), theta.astype(np.float32)


def _logit(user: np.ndarray, scores: np.ndarray, wanted: np.ndarray, shrink: float) -> np.ndarray:
    """(n_members,) maximum of the penalised likelihood, theta >= 0."""
    first = np.flatnonzero(np.diff(user, prepend=-1))
    place = np.repeat(np.arange(len(first)), np.diff(first, append=len(user)))
    found = np.add.reduceat(wanted.astype(np.float64), first)
    target = scores[:, wanted].sum(axis=1)

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        pooled = theta @ scores
        highest = np.maximum.reduceat(pooled, first)
        odds = np.exp(pooled - highest[place])
        total = np.add.reduceat(odds, first)
        likelihood = theta @ target - found @ (highest + np.log(total))
        expected = scores @ (odds * (found / total)[place])
        gradient = target - expected - 2.0 * shrink * theta
        return -(likelihood - shrink * theta @ theta), -gradient

    start = np.full(len(scores), 1.0 / len(scores))
    bounds = [(0.0, None)] * len(scores)
    from scipy.optimize import minimize  # noqa: PLC0415 (slow to import)

    found_at = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(found_at.x)


def _candidates(
    members: Sequence[Recommender], train: ListeningMatrix, validation: "pd.DataFrame", n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The union of the members' lists for every user with validation pairs.

    Returns:
        (c,) user row of each candidate, rising; (n_members, c) float64 scores; (c,) bool, whether
        the candidate is a validation pair.
    """
    n_artists = len(train.artist_ids)
    rows = train.rows_of(validation[Columns.USER].to_numpy(np.int64))
    columns = train.columns_of(validation[Columns.ARTIST].to_numpy(np.int64))
    users = np.unique(rows[rows >= 0])
    codes = []
    for member in members:
        lists = rank(member.scores, users, n=n, n_artists=n_artists, leave_out=train.plays)
        listed = lists.artists != NOBODY
        codes.append(np.repeat(users, listed.sum(axis=1)) * n_artists + lists.artists[listed])
    code = np.unique(np.concatenate(codes))
    user, artist = np.divmod(code, n_artists)
    scores = np.stack([_scores_at(member, user, artist) for member in members])
    return user, scores, np.isin(code, rows * n_artists + columns)


def _scores_at(member: Recommender, user: np.ndarray, artist: np.ndarray) -> np.ndarray:
    """(c,) float64 scores of single pairs, `user` rising, a few users at a time."""
    scores = np.empty(len(user))
    users = np.unique(user)
    for start in range(0, len(users), _CHUNK):
        chunk = users[start : start + _CHUNK]
        inside = slice(
            np.searchsorted(user, chunk[0]), np.searchsorted(user, chunk[-1], side="right")
        )
        block = member.scores(chunk)
        scores[inside] = block[np.searchsorted(chunk, user[inside]), artist[inside]]
    return scores


def _fit_all(parts: Sequence[Fit], on_progress: Callable[[int], None]) -> list[Recommender]:
    """All parts in their order; `on_progress` is told how many are done."""
    if not fits.side_by_side():
        return _fit_in_threads(parts, on_progress)
    fitted = {}
    for done, (part, made, _) in enumerate(fits.together(parts), start=1):
        fitted[part.key] = made
        on_progress(done)
    return [fitted[part.key] for part in parts]


def _fit_in_threads(parts: Sequence[Fit], on_progress: Callable[[int], None]) -> list[Recommender]:
    """All parts in their order, fitted in this process."""
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    # one BLAS thread each: the cores are busy, and sums of several threads round differently
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(_WORKERS) as pool:
        # members in reverse: the slowest last of all would leave a core idle
        begun = sorted(range(len(parts)), key=lambda place: -(place % len(MEMBERS)))
        running = {place: pool.submit(_fit, parts[place]) for place in begun}
        for done, _ in enumerate(as_completed(running.values()), start=1):
            on_progress(done)
    return [running[place].result() for place in range(len(parts))]


def _fit(part: Fit) -> Recommender:
    return fits.fit(part.model, part.matrix, part.config, side=part.side, seed=part.seed)
