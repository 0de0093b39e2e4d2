"""Exact lists of models whose score is an inner product, without most of the products.

Users are taken in blocks, artists by falling length in blocks whose scores stay in a processor's
cache. Each user keeps the artists that may still be among the best n, and leaves when no artist
to come is long enough. Which they are is settled by `exact_scores`, so neither the sizes of blocks
nor the number of threads changes a list.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sps

from lastfm_assets.models.factors import Factors
from lastfm_assets.models.product_candidates import in_lists
from lastfm_assets.models.product_search import Block, search
from lastfm_assets.models.products import (
    LARGEST,
    Catalogue,
    exact_scores,
    just_below,
    largest_scores,
    row_lengths,
    slack_of,
)
from lastfm_assets.models.ranking import USUAL, Budget, RankedLists, best_columns, rank
from lastfm_assets.models.threads import cores, in_threads
from lastfm_assets.progress import Progress, no_progress

_FEW: Final = 32
"""So few users are ranked without laying the artists out, which takes as long as their products."""
_SCORES: Final = 2**18
"""Scores at once: 1 MB, which leaves room for both factors in a cache of 2 MB."""
_FEWEST: Final = 2**12
"""Scores at once, at least."""
_USERS: Final = 1024
"""Users at once, at most."""
_SCORE: Final = 5
"""Bytes: a float32, and whether it is enough."""
_CANDIDATE: Final = 24
"""Bytes: user, place and score, and while they are sorted the same again."""


def rank_products(  # noqa: PLR0913 (as `rank`, and how sure the lists are to be)
    factors: Factors,
    user_rows: np.ndarray,
    *,
    n: int,
    leave_out: sps.csr_array | None = None,
    cosine: float = 1.0,
    budget: Budget = USUAL,
    on_progress: Progress = no_progress,
) -> RankedLists:
    """Ranks the whole catalogue for each user by inner product plus the artist's bias.

    Args:
        factors: vectors and biases.
        user_rows: (n_users,) rows to rank for.
        n: length of a list, >= 1.
        leave_out: (rows, n_artists) whose stored entries never enter a list, its row r belonging
            to user row r; None leaves nothing out.
        cosine: below 1, artists whose vector would need a larger cosine with the user's are
            taken not to be among the best n, see `approximate`; 1 is exact.
        budget: memory for scores and candidates, of all threads together. The artists are laid
            out once beside it, in 4 (k + 16) bytes each.
        on_progress: told users done and users in all.

    Returns:
        Highest score first, equal scores by smaller column; scores as `exact_scores` gives them.

    Raises:
        ValueError: `n` is below 1, or a score is not finite.
    """
    lists = RankedLists.empty(len(user_rows), n)
    if not len(user_rows) or not len(factors.artists):
        return lists
    lengths = row_lengths(factors.users, user_rows)
    largest = largest_scores(factors, lengths)
    if not np.isfinite(largest).all():
        raise ValueError("a model gave a score that is not finite")
    if largest.max() > LARGEST:  # where they can overflow, each of them is looked at
        return rank(
            lambda rows: factors.scores(factors.users[rows]),
            user_rows,
            n=n,
            n_artists=len(factors.artists),
            leave_out=leave_out,
            budget=budget,
            on_progress=on_progress,
        )
    slack = slack_of(largest, factors.artists.shape[1])
    ranking = _Ranking(factors, user_rows, lengths, slack, leave_out, cosine, lists)
    if len(user_rows) <= _FEW and cosine >= 1:
        ranking.one_by_one()
        on_progress(len(user_rows), len(user_rows))
        return lists
    done = 0
    for ranked in ranking.in_blocks(budget):
        done += ranked
        on_progress(done, len(user_rows))
    return lists


@dataclass(frozen=True, slots=True)
class _Ranking:
    """What is asked for, and the lists that are to be filled."""

    factors: Factors
    user_rows: np.ndarray
    lengths: np.ndarray
    slack: np.ndarray
    leave_out: sps.csr_array | None
    cosine: float
    lists: RankedLists

    def in_blocks(self, budget: Budget) -> Iterator[int]:
        """Fills all lists, and says after each block how many those were."""
        threads = cores() if budget.threads is None else budget.threads
        ones = np.flatnonzero(self.lengths > 0)
        zeros = np.flatnonzero(self.lengths == 0)
        if len(zeros):
            self._by_bias(zeros)
            yield len(zeros)
        catalogue = Catalogue.of(self.factors, float(np.median(self.lengths)))
        users, scores = self._sizes(budget.memory // threads, -(-len(ones) // threads))
        blocks = [ones[start : start + users] for start in range(0, len(ones), users)]
        yield from in_threads(lambda block: self._block(catalogue, block, scores), blocks, threads)

    def one_by_one(self) -> None:
        """Fills all lists, each from the scores of the whole catalogue."""
        n = self.lists.artists.shape[1]
        for at, row in enumerate(self.user_rows):
            scores = self.factors.scores(self.factors.users[row : row + 1])[0]
            if self.leave_out is not None:
                scores[self.leave_out[[row]].indices] = -np.inf
            _, best = best_columns(scores[None, :], n)
            reached = scores >= just_below(best[:, -1:] - 2 * self.slack[at : at + 1])[0]
            columns = np.flatnonzero(reached & (scores > -np.inf))
            self._fill(np.full(len(columns), at), columns)

    def _block(self, catalogue: Catalogue, at: np.ndarray, scores: int) -> int:
        block = Block(
            self.factors,
            self.user_rows[at],
            self.lengths[at],
            self.slack[at],
            self.leave_out,
            self.cosine,
        )
        found = search(catalogue, block, self.lists.artists.shape[1], scores)
        self._fill(at[found.rows], catalogue.columns[found.places])
        return len(at)

    def _by_bias(self, at: np.ndarray) -> None:
        """Users whose vector is zero: to all of them, an artist's score is its bias."""
        order = np.argsort(-self.factors.artist_bias, kind="stable")
        for start in range(0, len(at), _USERS):
            block = at[start : start + _USERS]
            best = [self._first_left(order, row) for row in self.user_rows[block]]
            self._fill(np.repeat(block, [len(each) for each in best]), np.concatenate(best))

    def _first_left(self, order: np.ndarray, row: int) -> np.ndarray:
        """The first n of an order of all columns that a user does not leave out."""
        n = self.lists.artists.shape[1]
        if self.leave_out is None:
            return order[:n]
        indptr = self.leave_out.indptr
        played = self.leave_out.indices[indptr[row] : indptr[row + 1]]
        first = order[: n + len(played)]
        return np.asarray(first[~np.isin(first, played)][:n])

    def _fill(self, at: np.ndarray, columns: np.ndarray) -> None:
        """Writes the best n of some pairs of a position and a column into the lists."""
        scores = exact_scores(self.factors, self.user_rows[at], columns)
        order, place = in_lists(at, columns, scores)
        best = order[place < self.lists.artists.shape[1]]
        place = place[place < self.lists.artists.shape[1]]
        self.lists.artists[at[best], place] = columns[best]
        self.lists.scores[at[best], place] = scores[best]

    def _sizes(self, memory: int, most_users: int) -> tuple[int, int]:
        """Users and scores at once that fit into so many bytes."""
        n, k = self.lists.artists.shape[1], self.factors.artists.shape[1]
        users = min(_USERS, most_users, memory // (2 * (8 * (k + 2) + _CANDIDATE * 8 * n)))
        users = max(1, users)
        return users, max(_FEWEST, min(_SCORES, memory // (2 * _SCORE)))
