"""Writes what every peer reads: pairs to learn from, pairs to judge on, and a description.

    .venv/bin/python benchmarks/peers/prepared.py SOURCE FOLDER

A fifth of each user's pairs is held out, as the package's own split does it with seed 0; what the
package would put aside for validation is learnt from. `train.csv` has `user_id,artist_id,plays`,
`held_out.csv` has `user_id,artist_id`, and `train.toml` describes the first as a source. Users and
artists are numbered from 1 on, as Spark's ALS takes no number above 2^31.
"""

import json
import sys
from pathlib import Path

import numpy as np
from stages import HELD_OUT, TRAIN

from lastfm_assets.listening.load import load
from lastfm_assets.listening.split import pairs_of, split

DESCRIPTION = f"""
name = "pairs-to-learn-from"
path = "{TRAIN}"
delimiter = ","

[columns]
user = "user_id"
item = "artist_id"
plays = "plays"
"""


def write(source: str, folder: Path) -> dict[str, int]:
    """Writes the three files, and says how much is in them."""
    tables = load(source, data_folder=folder)
    pairs = split(tables.interactions, seed=0)
    for column in ("user_id", "artist_id"):
        pairs[column] = np.unique(pairs[column], return_inverse=True)[1] + 1
    known, held_out = pairs_of(pairs, "train", "validation"), pairs_of(pairs, "held_out")
    folder.mkdir(parents=True, exist_ok=True)
    known.to_csv(folder / TRAIN, index=False)
    held_out[["user_id", "artist_id"]].to_csv(folder / HELD_OUT, index=False)
    (folder / "train.toml").write_text(DESCRIPTION, encoding="utf-8")
    return {
        "users": int(known["user_id"].nunique()),
        "artists": int(known["artist_id"].nunique()),
        "pairs": len(known),
        "held_out": len(held_out),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(write(sys.argv[1], Path(sys.argv[2]))) + "\n")
