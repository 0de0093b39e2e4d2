"""What the weighting of pairs does to lists: presence, plays, their logarithm, and both BM25s."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import pandas as pd
import scipy.sparse as sps

from lastfm_assets.evaluation.metrics import bootstrap_interval
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.split import pairs_of
from lastfm_assets.listening.weighting import SCHEMES, Scheme, Weighting
from lastfm_assets.models.factors import Factors
from lastfm_assets.progress import Progress, no_progress
from lastfm_assets.studies.lists import NDCG, PRECISION, judged
from lastfm_assets.vocabulary import Part

K1: Final = (1.0, 10.0, 100.0, 1000.0)
B: Final = (0.0, 0.5, 0.8, 1.0)
CONFIDENCES: Final = (3.0, 10.0)
"""Mean confidences of a listened pair that each scheme may choose from, on validation."""
BM25: Final = ("bm25_plays", "bm25")
_FACTORS: Final = 32
_ITERATIONS: Final = 8
_REGULARIZATION: Final = 1.0
COLUMNS: Final = (
    *("scheme", "k1", "b", "confidence", f"validation_{PRECISION}"),
    *(f"held_out_{PRECISION}", f"held_out_{PRECISION}_low", f"held_out_{PRECISION}_high"),
    f"held_out_{NDCG}",
)


def weighting_effect(
    split_pairs: pd.DataFrame,
    artist_ids: np.ndarray,
    *,
    seed: int,
    on_progress: Progress = no_progress,
) -> pd.DataFrame:
    """Fits one small ALS under every weighting, and judges its lists.

    Weightings differ in scale by orders of magnitude, and ALS reads a weight as confidence: the
    same alpha would mostly compare scales. So all weights are scaled to one mean over the listened
    pairs, of `CONFIDENCES` the one that is better on validation for the scheme (for BM25 in the
    middle of its grid). What is left is how a weighting tells pairs apart.

    Args:
        split_pairs: every pair with its `part`.
        artist_ids: (n_artists,) int64, rising: the whole catalogue.
        seed: of every fit, and of the intervals.
        on_progress: told fits done and fits in all.

    Returns:
        `COLUMNS`, a row a weighting; k1 and b are NaN where the scheme has none. Validation
        figures are of fits on train, held-out ones of fits on train and validation, with 95%
        intervals over users. Nothing is chosen on held out. Validation is half as large as held
        out: the same lists have about half the precision there.
    """
    weightings = list(_weightings())
    n_fits = len(SCHEMES) * len(CONFIDENCES) + 2 * len(weightings)
    fits = _Fits(split_pairs, artist_ids, seed, lambda done: on_progress(done, n_fits))
    confidence = {scheme: fits.best_confidence(Weighting(scheme, 100.0, 0.8)) for scheme in SCHEMES}
    rows = [fits.row(weighting, confidence[weighting.scheme]) for weighting in weightings]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"scheme": "str"})


def in_words(table: pd.DataFrame) -> str:
    """What the weighting was worth: the best of each scheme by validation, on held out."""
    best = table.loc[table.groupby("scheme", sort=False)[f"validation_{PRECISION}"].idxmax()]
    ranked = best.sort_values(f"held_out_{PRECISION}", ascending=False)
    said = ", ".join(
        f"{row['scheme']} {row[f'held_out_{PRECISION}']:.3f} "
        f"({row[f'held_out_{PRECISION}_low']:.3f} to {row[f'held_out_{PRECISION}_high']:.3f})"
        for row in ranked.to_dict("records")
    )
    spread = table[table["scheme"].isin(BM25)].groupby("scheme")[f"held_out_{PRECISION}"]
    ranges = "; ".join(
        f"over its grid {scheme} goes from {low:.3f} to {high:.3f}"
        for scheme, low, high in zip(spread.min().index, spread.min(), spread.max(), strict=True)
    )
    return f"Held-out {PRECISION} at each scheme's best by validation: {said}. And {ranges}."


def _weightings() -> Iterator[Weighting]:
    for scheme in SCHEMES:
        if scheme in BM25:
            yield from (Weighting(scheme, k1, b) for k1, b in itertools.product(K1, B))
        else:
            yield Weighting(scheme)


class _Fits:
    """Small ALS models of one split."""

    def __init__(
        self,
        split_pairs: pd.DataFrame,
        artist_ids: np.ndarray,
        seed: int,
        told: Callable[[int], None],
    ) -> None:
        self._pairs = split_pairs
        self._seed = seed
        self._told = told
        self._done = 0
        self._train = self._matrix(artist_ids, "train")
        self._known = self._matrix(artist_ids, "train", "validation")

    def best_confidence(self, weighting: Weighting) -> float:
        """Of `CONFIDENCES` the one with the higher validation precision, the smaller of equals."""
        return max(CONFIDENCES, key=lambda one: self._validation(weighting, one))

    def row(self, weighting: Weighting, confidence: float) -> dict[str, Any]:
        """Figures of one weighting."""
        reached = self._judged(self._known, weighting, confidence, "held_out")
        precision = reached[PRECISION].to_numpy()
        low, high = bootstrap_interval(precision, seed=self._seed)
        is_bm25 = _has_parameters(weighting.scheme)
        return {
            "scheme": weighting.scheme,
            "k1": weighting.k1 if is_bm25 else math.nan,
            "b": weighting.b if is_bm25 else math.nan,
            "confidence": confidence,
            f"validation_{PRECISION}": self._validation(weighting, confidence),
            f"held_out_{PRECISION}": float(precision.mean()),
            f"held_out_{PRECISION}_low": low,
            f"held_out_{PRECISION}_high": high,
            f"held_out_{NDCG}": float(reached[NDCG].mean()),
        }

    def _matrix(self, artist_ids: np.ndarray, *parts: Part) -> ListeningMatrix:
        return ListeningMatrix.from_pairs(pairs_of(self._pairs, *parts), artist_ids)

    def _validation(self, weighting: Weighting, confidence: float) -> float:
        return float(
            self._judged(self._train, weighting, confidence, "validation")[PRECISION].mean()
        )

    def _judged(
        self, matrix: ListeningMatrix, weighting: Weighting, confidence: float, part: Part
    ) -> pd.DataFrame:
        weights = matrix.weighted(weighting)
        scaled = weights * np.float32(confidence / max(float(weights.data.mean()), 1e-12))
        factors = _als(sps.csr_matrix(scaled), self._seed)
        self._done += 1
        self._told(self._done)
        return judged(
            lambda rows: factors.scores(factors.users[rows]), matrix, pairs_of(self._pairs, part)
        )


def _has_parameters(scheme: Scheme) -> bool:
    return scheme in BM25


def _als(confidence: sps.csr_matrix, seed: int) -> Factors:
    from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415 (slow to import)
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    with threadpool_limits(1, "blas"):  # implicit runs its own threads
        solver = AlternatingLeastSquares(
            factors=_FACTORS,
            regularization=_REGULARIZATION,
            alpha=1.0,
            iterations=_ITERATIONS,
            random_state=seed % 2**31,
        )
        solver.fit(confidence, show_progress=False)
    return Factors(
        np.asarray(solver.user_factors, dtype=np.float32),
        np.asarray(solver.item_factors, dtype=np.float32),
        np.zeros(confidence.shape[1], dtype=np.float32),
    )
