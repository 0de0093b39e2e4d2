"""Pictures are PNGs of modest size, the same every time, and change with their figures."""

from collections.abc import Callable

import pandas as pd
import pytest

from lastfm_assets.studies import charts
from lastfm_assets.studies.lightfm_epochs import COLUMNS as EPOCHS
from lastfm_assets.studies.rating_error import COLUMNS as ERRORS
from lastfm_assets.studies.weighting_effect import COLUMNS as WEIGHTINGS


def errors(shift: float = 0.0) -> bytes:
    names = ("mean", "baseline", "knn_baseline", "svd")
    rows = [
        (
            *(name, 0.5 - n / 10, 0.45 - n / 10, 0.55 - n / 10, 0.3, 0.2, 0.4),
            *(0.1 + shift, 0.05, 0.3, 0.1, 5, 100),
        )
        for n, name in enumerate(names)
    ]
    return charts.error_and_lists(pd.DataFrame(rows, columns=list(ERRORS)), "als", 0.2)


def weightings(shift: float = 0.0) -> bytes:
    nan = float("nan")
    rows = [(name, nan, nan, 3.0, 0.1, 0.2, 0.1, 0.3, 0.2) for name in ("plays", "binary", "log")]
    rows += [
        (name, k1, b, 3.0, 0.1, 0.2 + k1 / 1000 + shift, 0.1, 0.9, 0.2)
        for name in ("bm25", "bm25_plays")
        for k1 in (1.0, 100.0)
        for b in (0.0, 1.0)
    ]
    return charts.weightings(pd.DataFrame(rows, columns=list(WEIGHTINGS)))


def epochs(shift: float = 0.0) -> bytes:
    rows = [
        (name, epoch, 0.3 + epoch / 100, 0.1, 0.1 + epoch / 200 + shift)
        for name in ("start", "shipped")
        for epoch in (1, 5, 20)
    ]
    return charts.epochs(pd.DataFrame(rows, columns=list(EPOCHS)))


@pytest.mark.parametrize("draw", [errors, weightings, epochs])
def test_is_a_small_png_that_follows_its_figures(draw: Callable[..., bytes]) -> None:
    picture = draw()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 60_000
    assert draw() == picture
    assert draw(0.05) != picture
