"""The sample, cut into a source to train on and pairs to judge on."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lastfm_assets.sources.resolve import sample_folder

PLAYS = "user_artists.dat"


@dataclass(frozen=True)
class Cut:
    """A source and what was taken out of it."""

    source: Path
    held_out: Path
    """CSV with the header `user_id,artist_id`."""


def cut_sample(folder: Path) -> Cut:
    """Takes every seventh line of plays that has plain numbers out of the sample."""
    source = Path(shutil.copytree(sample_folder(), folder / "source"))
    header, *lines = (source / PLAYS).read_text().splitlines()
    seen: set[str] = set()
    kept, taken = [header], []
    for number, line in enumerate(lines):
        fields = line.split("\t")
        pair = "\t".join(fields[:2])
        whole = len(fields) == 3 and all(field.isdigit() for field in fields)
        if whole and number % 7 == 3 and pair not in seen and lines.count(line) == 1:
            taken.append(fields[:2])
        else:
            kept.append(line)
        seen.add(pair)
    (source / PLAYS).write_text("\n".join(kept) + "\n")
    held_out = folder / "held_out.csv"
    pd.DataFrame(taken, columns=["user_id", "artist_id"]).to_csv(held_out, index=False)
    return Cut(source, held_out)
