"""Lists to publish, each known by its number, so that a mixture of two would show."""

import numpy as np
import pandas as pd

from lastfm_assets.recommendations.versions import About
from lastfm_assets.vocabulary import TOP_LIST, Columns

ODD_NAMES = ['Sigur "Rós"', "a\tb\\n", "\\N", "line\nbreak", "'; DROP TABLE x; --", "티아라 😀", ""]


def lists_of(number: int, *, users: int = 40) -> pd.DataFrame:
    """Ten artists for each user; the model's name and every score tell the number."""
    rows = users * 10
    user, rank = np.divmod(np.arange(rows), 10)
    table = pd.DataFrame(
        {
            Columns.USER: user + 1,
            Columns.RANK: (rank + 1).astype(np.int32),
            Columns.ARTIST: (user * 7 + rank * 13 + number) % 1000,
            Columns.NAME: [ODD_NAMES[n % len(ODD_NAMES)] for n in range(rows)],
            Columns.SCORE: 1.0 / (rank + 1.0 + number / 1000),
            Columns.BECAUSE: "x; y",
            Columns.MODEL: f"model {number}",
        }
    )
    texts = (Columns.NAME, Columns.BECAUSE, Columns.MODEL)
    return table.astype(dict.fromkeys(texts, "str"))[list(TOP_LIST)]


def number_of(lists: pd.DataFrame) -> int:
    """The number behind lists; fails where they are not exactly those."""
    number = int(lists[Columns.MODEL].iloc[0].removeprefix("model "))
    users = lists[Columns.USER].nunique()
    pd.testing.assert_frame_equal(lists, lists_of(number, users=users), check_exact=True)
    return number


def about(number: int) -> About:
    """What the lists of that number were made by."""
    return About(f"model {number}", "sample", 0.1 + number / 1000, f"run-{number}")
