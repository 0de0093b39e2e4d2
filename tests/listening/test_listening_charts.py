"""Pictures of listening data are drawn the same every time, from any table there can be."""

import io

import pandas as pd
import pytest
from PIL import Image

from lastfm_assets.listening import charts
from lastfm_assets.listening.clean import MERGED

INTERACTIONS = pd.DataFrame(
    {"user_id": [1, 1, 2, 3], "artist_id": [7, 8, 7, 9], "plays": [1000, 1, 5, 40]}
)
REJECTED = ["file", "line", "text", "reason"]


def opened(png: bytes) -> Image.Image:
    assert len(png) < 60_000
    return Image.open(io.BytesIO(png))


def refused(**reasons: int) -> pd.DataFrame:
    rows = [
        ("user_artists", line, "text", reason)
        for reason, count in reasons.items()
        for line in range(count)
    ]
    return pd.DataFrame(rows, columns=REJECTED).astype({"file": "str", "reason": "str"})


def test_refused_rows_are_drawn_the_same_every_time() -> None:
    table = refused(**{"unknown artist": 3, MERGED: 1})
    assert charts.refused(table) == charts.refused(table)


def test_no_refused_row_is_drawn_too() -> None:
    assert opened(charts.refused(refused())).width > 300


def test_many_reasons_are_cut_to_a_dozen() -> None:
    dozen = refused(**{f"reason {n}": 1 for n in range(12)})
    more = refused(**{f"reason {n}": 1 for n in range(40)})
    assert opened(charts.refused(more)).height == opened(charts.refused(dozen)).height


def test_reasons_that_look_like_mathematics_or_cannot_be_drawn_are_text() -> None:
    table = refused(**{"$\\frac{$ is \x00 not ざもく \U0001f3b5": 2, "x" * 500: 1})
    assert opened(charts.refused(table)).width < 1000


def test_counts_far_apart_are_drawn_on_a_logarithmic_axis() -> None:
    near, far = refused(a=5, b=4), refused(a=5000, b=4)
    assert charts.refused(near) != charts.refused(far)


def test_the_ground_is_white_and_opaque() -> None:
    picture = opened(charts.long_tail(INTERACTIONS))
    assert "transparency" not in picture.info
    assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("rows", [1, 4])
def test_the_long_tail_is_drawn_the_same_every_time(rows: int) -> None:
    table = INTERACTIONS.head(rows)
    assert charts.long_tail(table) == charts.long_tail(table)
