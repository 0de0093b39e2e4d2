"""Ten artists for every user against the floor of the bare product of the factors.

    .venv/bin/python benchmarks/ranking.py --users 40000 --artists 292000
    .venv/bin/python benchmarks/ranking.py --factors factors.npz

Factors are invented (seeded): artists in clusters, their vectors the longer the more listeners
they have; or read from an npz of `users`, `artists` and, where there are, `indptr` and `indices`
of what each user plays. Prints a JSON object: the seconds of the product alone (numpy, all cores,
into memory that is there already, users in chunks), of `implicit`'s own ranking, of ours, exact
and approximate, with the recall of the latter; each as a multiple of the floor, too. All of them
in this process, one after the other, the best of `--rounds`.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.sparse as sps

from lastfm_assets.models.approximate import LIKELY, recall_of
from lastfm_assets.models.factors import Factors
from lastfm_assets.models.product_ranking import rank_products

N = 10
CHUNK_BYTES = 256 * 2**20
PLAYED = 49
CLUSTERS = 150


def invented(n_users: int, n_artists: int, k: int, seed: int) -> tuple[Factors, sps.csr_array]:
    """Factors of such a shape as ALS gives, and what users play.

    An artist's length falls with its rank as in factors fitted to Last.fm-like data, from 4 to
    0.02; its direction is its cluster's, disturbed, and so is a user's.
    """
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(CLUSTERS, k)) / np.sqrt(k)
    lengths = np.maximum(4.0 * np.arange(1, n_artists + 1) ** -0.45, 0.02)
    artists = centres[rng.integers(CLUSTERS, size=n_artists)]
    artists = artists + rng.normal(size=(n_artists, k)) / np.sqrt(k)
    artists *= (lengths / np.linalg.norm(artists, axis=1))[:, None]
    users = np.empty((n_users, k), dtype=np.float32)
    for start in range(0, n_users, 10_000):
        size = min(10_000, n_users - start)
        mixed = centres[rng.integers(CLUSTERS, size=(size, 3))].sum(axis=1)
        users[start : start + size] = mixed + 0.5 * rng.normal(size=(size, k)) / np.sqrt(k)
    ranks = np.exp(rng.random((n_users, PLAYED)) * np.log(n_artists)).astype(np.int32) - 1
    ranks.sort(axis=1)
    again = np.zeros(ranks.shape, dtype=bool)
    again[:, 1:] = ranks[:, 1:] == ranks[:, :-1]
    indptr = np.append(0, np.cumsum((~again).sum(axis=1)))
    indices = ranks[~again]
    plays = sps.csr_array(
        (np.ones(len(indices), dtype=np.float32), indices, indptr), shape=(n_users, n_artists)
    )
    return Factors(users, artists.astype(np.float32), np.zeros(n_artists, np.float32)), plays


def saved(path: Path, n_users: int, seed: int) -> tuple[Factors, sps.csr_array]:
    """Factors from a file, of so many drawn users at most."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    users, artists = arrays["users"], arrays["artists"]
    rows = np.arange(len(users))
    if n_users < len(users):
        rows = np.sort(np.random.default_rng(seed).choice(len(users), n_users, replace=False))
    plays = sps.csr_array((len(users), len(artists)), dtype=np.float32)
    if "indptr" in arrays:
        ones = np.ones(len(arrays["indices"]), dtype=np.float32)
        plays = sps.csr_array((ones, arrays["indices"], arrays["indptr"]), shape=plays.shape)
    bias = arrays.get("artist_bias", np.zeros(len(artists), dtype=np.float32))
    return Factors(users[rows], artists, bias), plays[rows]


def floor(factors: Factors) -> None:
    """The bare product, chunk by chunk."""
    n_users, n_artists = len(factors.users), len(factors.artists)
    chunk = max(1, min(n_users, CHUNK_BYTES // (4 * n_artists)))
    out = np.empty((chunk, n_artists), dtype=np.float32)
    for start in range(0, n_users, chunk):
        users = factors.users[start : start + chunk]
        np.matmul(users, factors.artists.T, out=out[: len(users)])


def by_implicit(factors: Factors, plays: sps.csr_array) -> np.ndarray:
    """`implicit`'s ranking, which leaves the bias out."""
    from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415 (slow to import)
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    with threadpool_limits(1, "blas"):  # as it asks for: it runs threads of its own
        model = AlternatingLeastSquares(factors=factors.artists.shape[1])
        model.user_factors, model.item_factors = factors.users, factors.artists
        ids, _ = model.recommend(np.arange(len(factors.users)), sps.csr_matrix(plays), N=N)
    return np.asarray(ids)


def best_of(rounds: int, work: Callable[[], object]) -> tuple[float, object]:
    """Fewest seconds of some rounds, and what the last one gave."""
    seconds, made = [], None
    for _ in range(rounds):
        started = time.perf_counter()
        made = work()
        seconds.append(time.perf_counter() - started)
    return min(seconds), made


def measure(
    factors: Factors, plays: sps.csr_array, rounds: int, *, peer: bool
) -> dict[str, object]:
    """Everything, on the same factors."""
    rows = np.arange(len(factors.users))

    def ours(cosine: float) -> np.ndarray:
        return rank_products(factors, rows, n=N, leave_out=plays, cosine=cosine).artists

    bare, _ = best_of(rounds, lambda: floor(factors))
    exact, lists = best_of(rounds, lambda: ours(1.0))
    near, likely = best_of(rounds, lambda: ours(LIKELY))
    said: dict[str, object] = {
        "users": len(rows),
        "artists": len(factors.artists),
        "factors": factors.artists.shape[1],
        "cores": len(os.sched_getaffinity(0)),
        "floor_seconds": round(bare, 3),
        "exact_seconds": round(exact, 3),
        "exact_of_floor": round(exact / bare, 4),
        "approximate_seconds": round(near, 3),
        "approximate_of_floor": round(near / bare, 4),
        "approximate_recall": round(recall_of(likely, lists).mean, 4),
    }
    if peer:
        seconds, theirs = best_of(rounds, lambda: by_implicit(factors, plays))
        said["implicit_seconds"] = round(seconds, 3)
        said["implicit_of_floor"] = round(seconds / bare, 4)
        said["implicit_same_artists"] = round(recall_of(theirs, lists).mean, 6)
    return said


def main() -> None:
    """Reads the options, measures, and prints."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--users", type=int, default=40_000, help="at most, of a file's")
    options.add_argument("--artists", type=int, default=292_000)
    options.add_argument("--k", type=int, default=64, help="length of a vector")
    options.add_argument("--factors", type=Path, help="an npz instead of invented ones")
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--no-peer", action="store_true", help="without implicit's own ranking")
    chosen = options.parse_args()
    if chosen.factors:
        world = saved(chosen.factors, chosen.users, chosen.seed)
    else:
        world = invented(chosen.users, chosen.artists, chosen.k, chosen.seed)
    json.dump(measure(*world, chosen.rounds, peer=not chosen.no_peer), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
