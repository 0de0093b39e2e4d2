"""The picture of the lists is drawn the same every time, whatever artists are called."""

import io

import pandas as pd
from PIL import Image

from lastfm_assets.drawing import written
from lastfm_assets.recommendations import charts

INTERACTIONS = pd.DataFrame(
    {"user_id": [1, 1, 2, 3], "artist_id": [7, 8, 7, 9], "plays": [1000, 1, 5, 40]}
)
NAMES = {7: "A$AP $\\frac{", 8: "ざもく\x07 <b>", 9: "", 10: "x" * 300}


def lists(*pairs: tuple[int, int]) -> pd.DataFrame:
    table = pd.DataFrame(pairs, columns=["user_id", "artist_id"])
    return table.assign(artist_name=table["artist_id"].map(NAMES).astype("str"))


def drawn(table: pd.DataFrame) -> Image.Image:
    png = charts.popularity(table, INTERACTIONS)
    assert png == charts.popularity(table, INTERACTIONS)
    assert len(png) < 60_000
    return Image.open(io.BytesIO(png))


def test_names_that_are_markup_or_cannot_be_drawn_do_no_harm() -> None:
    assert drawn(lists((1, 9), (2, 8), (3, 7), (3, 10))).width < 1200


def test_one_recommendation_is_drawn() -> None:
    assert drawn(lists((1, 9))).width > 300


def test_an_artist_whom_nobody_plays_is_drawn_last() -> None:
    assert drawn(lists((1, 10), (2, 10))).width > 300


class TestNames:
    def test_lose_what_the_font_does_not_know(self) -> None:
        assert written("Motörhead ざ") == "Motörhead ?"

    def test_are_one_line_without_control_characters(self) -> None:
        assert written("a\n\tb\x00c") == "a b?c"

    def test_are_cut_and_say_so(self) -> None:
        assert written("x" * 50, at_most=5) == "xxxx…"
        assert written("x" * 5, at_most=5) == "xxxxx"

    def test_keep_signs_of_mathematics(self) -> None:
        assert written("A$AP $x^2$") == "A$AP $x^2$"
