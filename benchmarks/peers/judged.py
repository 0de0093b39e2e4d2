"""One meaning for all: precision, recall and ndcg at 10 from the lists that a peer wrote.

    .venv/bin/python benchmarks/peers/judged.py PAIRS_FOLDER LISTS

Written to be read, and of nobody's library: sets and a loop over users.
"""

import csv
import json
import math
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from stages import CUTOFF, HELD_OUT, TRAIN


def lists_of(path: Path) -> dict[int, list[int]]:
    """Artists by user, best first, from an array of rows or from Spark's folder of CSV."""
    if path.is_file():
        return {
            int(user): [int(artist) for artist in row if artist >= 0]
            for user, *row in np.load(path, allow_pickle=False)
        }
    ranked = defaultdict(list)
    for part in sorted(path.glob("*.csv")):
        with part.open(newline="") as file:
            for user, artist, rank in csv.reader(file):
                ranked[int(user)].append((int(rank), int(artist)))
    return {user: [artist for _, artist in sorted(own)] for user, own in ranked.items()}


def pairs_of(path: Path) -> dict[int, set[int]]:
    """Artists by user."""
    found = defaultdict(set)
    with path.open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for user, artist, *_ in rows:
            found[int(user)].add(int(artist))
    return found


def judged(folder: Path, lists: Path) -> dict[str, float]:
    """Means over all users who have something held out, whether they have a list or not.

    `played` counts listed artists that the user plays already, and should be 0; `full` is the
    share of these users whose list has ten artists.
    """
    listed, wanted, known = (
        lists_of(lists),
        pairs_of(folder / HELD_OUT),
        pairs_of(folder / TRAIN),
    )
    precision = recall = ndcg = full = 0.0
    played = 0
    for user, held_out in wanted.items():
        own = listed.get(user, [])[:CUTOFF]
        hits = [artist in held_out for artist in own]
        gain = sum(1 / math.log2(place + 2) for place, hit in enumerate(hits) if hit)
        ideal = sum(1 / math.log2(place + 2) for place in range(min(CUTOFF, len(held_out))))
        precision += sum(hits) / CUTOFF
        recall += sum(hits) / len(held_out)
        ndcg += gain / ideal
        full += len(set(own)) == CUTOFF
        played += len(known[user].intersection(own))
    users = len(wanted)
    return {
        "precision@10": precision / users,
        "recall@10": recall / users,
        "ndcg@10": ndcg / users,
        "users": users,
        "full": full / users,
        "played": played,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(judged(Path(sys.argv[1]), Path(sys.argv[2]))) + "\n")
