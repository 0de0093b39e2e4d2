"""Invented files in the form of Spotify's means by year and by genre."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

FEATURES = (
    *("acousticness", "danceability", "duration_ms", "energy", "instrumentalness", "liveness"),
    *("loudness", "speechiness", "tempo", "valence", "popularity"),
)


def invented(rows: int, seed: int, **given: np.ndarray) -> pd.DataFrame:
    """A row each of made-up means, but for the columns that are given."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({name: rng.random(rows).round(6) for name in FEATURES})
    table["duration_ms"] = (180_000 + 60_000 * table["duration_ms"]).round(1)
    table["loudness"] = (-30 * table["loudness"]).round(3)
    table["tempo"] = (90 + 50 * table["tempo"]).round(3)
    table["popularity"] = (100 * table["popularity"]).round(2)
    return table.assign(**given)


def write_files(folder: Path, years: int = 40, genres: int = 60) -> Path:
    """Both files: popularity and energy rise from year to year, acousticness falls."""
    folder.mkdir(parents=True, exist_ok=True)
    rising = np.linspace(0.1, 0.9, years)
    noise = np.random.default_rng(8).normal(scale=0.01, size=(3, years))
    by_year = invented(
        years,
        seed=1,
        popularity=100 * rising + 20 * noise[0],
        energy=rising + noise[1],
        acousticness=1 - rising + noise[2],
    )
    by_year.insert(0, "mode", 1)
    by_year.insert(1, "year", np.arange(1970, 1970 + years))
    by_year.to_csv(folder / "data_by_year.csv", index=False)
    by_genre = invented(genres, seed=2)
    by_genre["popularity"] = 100 * (0.7 * by_genre["danceability"] + 0.3 * by_genre["valence"])
    by_genre.insert(0, "genres", [f"invented, no. {n}" for n in range(genres)])
    by_genre.to_csv(folder / "data_by_genres.csv", index=False)
    return folder


def rewritten(file: Path, change: Callable[[str], str]) -> Path:
    """The file with its text changed."""
    file.write_bytes(change(file.read_text("utf-8")).encode())
    return file


def with_cell(file: Path, line: int, column: str, cell: str) -> Path:
    """The file with one cell, unquoted before, replaced as it is handed in."""
    lines = file.read_text("utf-8").splitlines()
    cells = lines[line - 1].split(",")
    # names of genres have a comma of their own, within quotes
    at = lines[0].split(",").index(column) + len(cells) - len(lines[0].split(","))
    cells[at] = cell
    lines[line - 1] = ",".join(cells)
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file
