"""Fits that were made before are handed out again, and only to those who ask for the same."""

from typing import Any

import numpy as np
import pytest
from model_worlds import crowd, matrix_of, two_scenes
from test_ease import tags_of_a_crowd

from lastfm_assets.listening.side import SideTables
from lastfm_assets.models import fits
from lastfm_assets.models.als import Als, AlsConfig
from lastfm_assets.models.ease_tags import EaseTags, EaseTagsConfig

NONE = SideTables.none()


def small(**changes: Any) -> dict[str, Any]:
    usual = {"model": Als, "matrix": crowd(), "config": AlsConfig(fits=1), "side": NONE, "seed": 9}
    return {**usual, **changes}


def test_the_same_question_has_the_same_answer() -> None:
    assert fits.fit(**small()) is fits.fit(**small())


@pytest.mark.parametrize(
    "change",
    [
        {"matrix": two_scenes()},
        {"config": AlsConfig(fits=1, factors=3)},
        {"seed": 10},
    ],
    ids=["matrix", "config", "seed"],
)
def test_another_question_has_another(change: dict[str, Any]) -> None:
    assert fits.fit(**small()) is not fits.fit(**small(**change))


def test_tags_count_only_for_a_model_that_reads_them() -> None:
    tagged = {"side": tags_of_a_crowd(crowd())}
    assert fits.fit(**small()) is fits.fit(**small(**tagged))
    reads = {"model": EaseTags, "config": EaseTagsConfig()}
    assert fits.fit(**small(**reads)) is not fits.fit(**small(**reads, **tagged))


def test_one_that_is_too_large_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fits, "_KEPT_BYTES", 10)
    one, other = (fits.fit(**small(seed=77)) for _ in range(2))
    assert one is not other
    rows = np.arange(40)
    np.testing.assert_array_equal(one.scores(rows), other.scores(rows))


def test_one_that_is_kept_reports_that_all_is_done() -> None:
    fits.fit(**small())
    steps: list[tuple[int, int]] = []
    fits.fit(**small(), on_progress=lambda *step: steps.append(step))
    assert steps == [(1, 1)]


def test_the_latest_used_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    matrices = [matrix_of(np.eye(5) + n) for n in range(3)]
    config = AlsConfig(fits=1, factors=2)
    first = fits.fit(**small(matrix=matrices[0], config=config))
    monkeypatch.setattr(fits, "_KEPT_BYTES", 2 * fits._size(first) + 1)
    fits.fit(**small(matrix=matrices[1], config=config))
    assert fits.fit(**small(matrix=matrices[0], config=config)) is first
    fits.fit(**small(matrix=matrices[2], config=config))
    assert fits.fit(**small(matrix=matrices[0], config=config)) is first


def test_what_is_forgotten_is_made_anew() -> None:
    before = fits.fit(**small())
    fits.forget()
    assert fits.fit(**small()) is not before
