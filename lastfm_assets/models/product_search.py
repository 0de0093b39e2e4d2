"""The search of a block of users through the artists, by falling length."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sps

from lastfm_assets.models.factors import Factors
from lastfm_assets.models.left_out import LeftOut
from lastfm_assets.models.product_candidates import Candidates, in_lists
from lastfm_assets.models.products import Catalogue, exact_scores, first_place, just_below

_MOST: Final = 4096
"""Artists at once, at most."""
SURE: Final = 4096
"""Longest artists, all of which even an approximate search looks at."""
_WORTH_LEAVING: Final = 0.9
"""Share of the users up to which it pays to go on without those whose search is over."""


class Products:
    """Scores of a block of users minus a threshold of each, in memory that is used again."""

    def __init__(self, catalogue: Catalogue, vectors: np.ndarray, scores: int) -> None:
        """Takes the users.

        Args:
            catalogue: the artists.
            vectors: (m, k) float32 of the users.
            scores: how many scores at once, at least m.
        """
        self.catalogue = catalogue
        self._queries = np.ones((len(vectors), vectors.shape[1] + 2), dtype=np.float32)
        self._queries[:, :-2] = vectors
        self._scores = np.empty(scores, dtype=np.float32)
        self._masks = np.empty((2, scores), dtype=bool)
        self.users = np.arange(len(vectors))
        self.position = self.users
        self._chosen = self._queries

    def choose(self, users: np.ndarray, thresholds: np.ndarray) -> None:
        """Goes on with some users, by position in the block, and (m,) thresholds of all."""
        self.users = users
        self.position = np.full(len(self._queries), -1)
        self.position[users] = np.arange(len(users))
        self._chosen = self._queries[users]
        self._chosen[:, -1] = -thresholds[users]

    def at_once(self, place: int) -> int:
        """How many artists from `place` on fit."""
        left = len(self.catalogue.columns) - place
        return min(left, _MOST, max(1, len(self._scores) // len(self.users)))

    def excess(self, place: int, n: int) -> np.ndarray:
        """(n, users) scores minus thresholds of n artists from `place` on; valid until the next."""
        out = self._scores[: n * len(self.users)].reshape(n, len(self.users))
        np.matmul(self.catalogue.vectors[place : place + n], self._chosen.T, out=out)
        return out

    def masks(self, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Two of bool beside the scores; valid until the next."""
        size = int(np.prod(shape))
        return self._masks[0, :size].reshape(shape), self._masks[1, :size].reshape(shape)


@dataclass(frozen=True, slots=True)
class Block:
    """Users that are searched for together."""

    factors: Factors
    user_rows: np.ndarray
    """(m,) rows of the model."""
    lengths: np.ndarray
    """(m,) of their vectors."""
    slack: np.ndarray
    """(m,) see `products.slack_of`."""
    leave_out: sps.csr_array | None
    cosine: float
    """The largest between a user and an artist that a search need not miss; 1 misses nobody."""


def search(catalogue: Catalogue, block: Block, n: int, scores: int) -> Candidates:
    """Every artist that may be among the best n of each user, and few others.

    With a cosine c below 1, only artists up to the first place p from `SURE` on where
    c |x| max |v| + max b over the artists from p on is below the n-th
    best of the first `SURE`: a rule of the user alone, so that the lists of others, blocks and
    threads change nothing.

    Args:
        catalogue: of the block's factors.
        block: the users.
        n: length of a list.
        scores: how many scores at once.
    """
    products = Products(catalogue, block.factors.users[block.user_rows], scores)
    left_out = LeftOut.of(block.leave_out, block.user_rows, catalogue.places)
    candidates = Candidates.none(n)
    thresholds = just_below(catalogue.floor(0, block.lengths) - block.slack)
    products.choose(products.users, thresholds)
    ends = np.full(len(thresholds), len(catalogue.columns))
    place = merged = 0
    while place < len(catalogue.columns) and len(products.users):
        step = products.at_once(place)
        excess = products.excess(place, min(step, SURE - place) if place < SURE else step)
        left_out.write(excess, place, products.position)
        cut = _nth_of_first(excess, n, block.slack) if place == 0 else np.float32(0.0)
        candidates.add(*_found(products, excess, cut, place, thresholds), ends)
        place += len(excess)
        if place >= 2 * merged or candidates.n_pending > max(scores, 4 * n * len(thresholds)):
            thresholds = candidates.keep_best(thresholds, block.slack)
            candidates.settle_crowds(block.factors, block.user_rows, catalogue.columns)
            merged = place
        if place == SURE and block.cosine < 1:
            thresholds = candidates.keep_best(thresholds, block.slack)
            ends = _likely_ends(catalogue, block, candidates)
        users = products.users
        reach = catalogue.ceiling(place, block.lengths[users]) + block.slack[users]
        left = users[(reach >= thresholds[users]) & (ends[users] > place)]
        if merged == place or len(left) <= _WORTH_LEAVING * len(users):
            products.choose(left, thresholds)
    candidates.keep_best(thresholds, block.slack)
    return candidates


def _likely_ends(catalogue: Catalogue, block: Block, candidates: Candidates) -> np.ndarray:
    """(m,) places from which on nobody is likely, judged by who was met before `SURE`."""
    columns = catalogue.columns[candidates.places]
    scores = exact_scores(block.factors, block.user_rows[candidates.rows], columns)
    order, place = in_lists(candidates.rows, columns, scores)
    nth = order[place == candidates.n - 1]
    best = np.full(len(block.lengths), -np.inf)
    best[candidates.rows[nth]] = scores[nth]

    def unlikely(users: np.ndarray, places: np.ndarray) -> np.ndarray:
        return np.asarray(
            catalogue.ceiling(places, block.cosine * block.lengths[users]) < best[users]
        )

    return np.asarray(np.maximum(first_place(unlikely, len(best), len(catalogue.columns)), SURE))


def _nth_of_first(excess: np.ndarray, n: int, slack: np.ndarray) -> np.ndarray:
    """(users,) float32 that the best n of each user reach, from (b, users) of the first artists."""
    if len(excess) < n:
        return np.full(excess.shape[1], np.finfo(np.float32).min)
    of_users = excess.T.copy(order="C")
    of_users.partition(len(excess) - n, axis=1)
    nth = np.maximum(of_users[:, len(excess) - n], np.finfo(np.float32).min / 2)
    return just_below(nth - 2 * slack)


def _found(
    products: Products,
    excess: np.ndarray,
    cut: np.ndarray | np.float32,
    place: int,
    thresholds: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users, places and scores of the entries that reach the cut."""
    reached, _ = products.masks(excess.shape)
    above = np.flatnonzero(np.greater_equal(excess, cut, out=reached))
    artist, user = np.divmod(above, excess.shape[1])
    rows = products.users[user]
    return rows, artist + place, excess.reshape(-1)[above] + thresholds[rows]
