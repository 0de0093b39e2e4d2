"""Fits that were made before are handed out again, and only to those who ask for the same."""

from typing import Any

import numpy as np
import pytest
from model_worlds import crowd, matrix_of, two_scenes
from test_ease import tags_of_a_crowd

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models import fits
from lastfm_assets.models.als import Als, AlsConfig
from lastfm_assets.models.ease import EaseConfig
from lastfm_assets.models.ease_tags import EaseTags, EaseTagsConfig
from lastfm_assets.models.trained import MODELS, train, train_together
from lastfm_assets.models.wire import Fit
from lastfm_assets.models.workers import Workers

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


class TestTogether:
    """The same fits, one after the other or in processes."""

    @pytest.fixture(autouse=True)
    @staticmethod
    def _nothing_is_known() -> None:
        fits.forget()

    @staticmethod
    def asked(*names: str, seed: int = 3) -> list[Fit]:
        side = tags_of_a_crowd(crowd())
        return [Fit(MODELS[name], crowd(), MODELS[name].Config(), side, seed) for name in names]

    def test_in_this_process_each_is_fitted_when_it_is_asked_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun = []
        fit = fits.fit

        def watched(model: Any, *rest: Any, **more: Any) -> Any:
            begun.append(model.name)
            return fit(model, *rest, **more)

        monkeypatch.setattr(fits, "fit", watched)
        made = fits.together(self.asked("popularity", "ease"))
        one, model, _ = next(made)
        assert (one.model.name, model.name) == ("popularity", "popularity")
        assert begun == ["popularity"]
        assert [model.name for _, model, _ in made] == ["ease"]

    def test_processes_give_the_same_bits_a_blend_among_them(self) -> None:
        names = ("popularity", "ease", "blend", "lightfm_tags", "als")
        here = {one.model.name: model for one, model, _ in fits.together(self.asked(*names))}
        fits.forget()
        with fits.workers(2):
            there = {one.model.name: model for one, model, _ in fits.together(self.asked(*names))}
        assert here.keys() == there.keys() == set(names)
        for name in names:
            mine, its = here[name].arrays(), there[name].arrays()
            assert mine.keys() == its.keys()
            for array in mine:
                np.testing.assert_array_equal(its[array], mine[array], strict=True)

    def test_what_is_fitted_in_a_process_is_kept_like_any_other(self) -> None:
        (one,) = self.asked("ease")
        with fits.workers(2):
            ((_, made, first),) = fits.together([one])
            ((_, again, second),) = fits.together([one])
            assert fits.fit(one.model, one.matrix, one.config, side=one.side, seed=3) is made
        assert again is made
        assert (first > 0, second) == (True, 0.0)

    @pytest.mark.parametrize("processes", [1, 2])
    def test_with_the_outermost_block_what_was_kept_is_let_go(self, processes: int) -> None:
        (one,) = self.asked("ease")
        with fits.workers(processes):
            with fits.workers(processes):
                ((_, made, _),) = fits.together([one])
            assert fits.fit(one.model, one.matrix, one.config, side=one.side, seed=3) is made
        assert fits.fit(one.model, one.matrix, one.config, side=one.side, seed=3) is not made

    def test_a_blends_members_are_fitted_once_and_every_fit_is_handed_out(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent = []
        running = Workers.running

        def watched(self: Workers, asked: list[Fit]) -> Any:
            sent.append([one.model.name for one in asked])
            return running(self, asked)

        monkeypatch.setattr(Workers, "running", watched)
        with fits.workers(2):
            made = [one.model.name for one, _, _ in fits.together(self.asked("als", "blend"))]
        # the longest first; those of the blend on fewer pairs after those on all
        (order,) = sent
        assert order == ["lightfm_tags", "lightfm_tags", "als", "als", "ease_tags", "ease_tags"]
        assert sorted(made) == ["als", "blend"]

    @pytest.mark.parametrize("name", ["ease", "blend"])
    def test_the_same_asked_for_twice_is_handed_out_twice(self, name: str) -> None:
        one, other = self.asked(name, name)
        with fits.workers(2):
            made = [model.scores(np.arange(3)) for _, model, _ in fits.together([one, one, other])]
        assert len(made) == 3
        np.testing.assert_array_equal(made[0], made[1])
        np.testing.assert_array_equal(made[0], made[2])

    def test_a_blend_survives_members_too_large_to_keep(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fits, "_KEPT_BYTES", 10)
        with fits.workers(2):
            ((_, blend, _),) = fits.together(self.asked("blend"))
        assert np.isfinite(blend.scores(np.arange(3))).all()

    def test_progress_is_of_steps_here_and_of_fits_elsewhere(self) -> None:
        told: list[tuple[str, int, int]] = []

        def progress_of(name: str) -> Any:
            return lambda done, total: told.append((name, done, total))

        list(fits.together(self.asked("ease_tags"), progress_of))
        assert told == [("ease_tags", step, 3) for step in (1, 2, 3)]
        told.clear()
        fits.forget()
        with fits.workers(2):
            list(fits.together(self.asked("ease_tags"), progress_of))
        assert told == [("ease_tags", 1, 1)]


class TestWorkers:
    """How many processes a block fits in."""

    def test_one_process_is_this_one(self) -> None:
        assert not fits.side_by_side()
        with fits.workers(1):
            assert not fits.side_by_side()

    def test_a_block_within_uses_the_same_and_leaves_them_running(self) -> None:
        with fits.workers(2):
            outer = fits._pools[-1]
            with fits.workers(2):
                assert fits._pools[-1] is outer
            assert fits._pools[-1] is outer
            with fits.workers(1):
                assert not fits.side_by_side()
            assert fits.side_by_side()
        assert not fits.side_by_side()

    def test_they_end_with_the_block_also_by_an_error(self) -> None:
        def fail() -> None:
            with fits.workers(2):
                pool = fits._pools[-1]
                assert pool is not None
                side = SideTables.none()
                asked = [Fit(MODELS["ease"], crowd(), MODELS["ease"].Config(), side, 20)]
                list(fits.together(asked))
                running.extend(worker._process for worker in pool._started)
                raise KeyError("stop")

        running: list[Any] = []
        with pytest.raises(KeyError, match="stop"):
            fail()
        assert [process.returncode for process in running] == [-9]

    def test_none_is_refused(self) -> None:
        with pytest.raises(ValueError, match="0 processes to fit models, expected at least 1"):
            fits.workers(0).__enter__()


class TestTrainedTogether:
    """Trained models, as `train` makes them."""

    @pytest.mark.parametrize("processes", [1, 2])
    def test_each_is_what_train_gives(self, processes: int) -> None:
        side = tags_of_a_crowd(crowd())
        asked = {"ease_tags": EaseTagsConfig(tags=3), "als": AlsConfig(fits=1)}
        fits.forget()
        made = {
            model.name: (model, seconds)
            for model, seconds in train_together(
                asked, crowd(), side=side, seed=8, processes=processes
            )
        }
        assert made.keys() == asked.keys()
        fits.forget()
        for name, (model, seconds) in made.items():
            alone = train(name, crowd(), asked[name], side=side, seed=8)
            assert model.fingerprint == alone.fingerprint
            assert model.user_ids.tolist() == alone.user_ids.tolist()
            assert model.artist_ids.tolist() == alone.artist_ids.tolist()
            rows = np.arange(40)
            np.testing.assert_array_equal(
                model.recommender.scores(rows), alone.recommender.scores(rows)
            )
            assert seconds > 0

    def test_what_the_caller_fits_in_between_uses_the_same_processes(self) -> None:
        made = train_together({"ease": EaseConfig()}, crowd(), side=NONE, seed=8, processes=2)
        next(made)
        assert fits.side_by_side()
        made.close()
        assert not fits.side_by_side()

    def test_an_unknown_model_is_refused_before_anything_is_fitted(self) -> None:
        asked = {"ease": EaseConfig(), "svd": AlsConfig()}
        with pytest.raises(BadInputError, match="unknown model 'svd'; expected one of popularity"):
            next(train_together(asked, crowd(), side=NONE, seed=0, processes=1))
