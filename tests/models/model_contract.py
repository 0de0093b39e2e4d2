"""What every model promises, tested on each by inheritance."""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import scipy.sparse as sps
from model_worlds import crowd, sample, two_scenes
from pydantic import ValidationError

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.ranking import NOBODY, rank
from lastfm_assets.models.search import Between, search_space
from lastfm_assets.models.trained import TrainedModel, from_bytes, model_named, to_bytes, train


def copied(matrix: ListeningMatrix) -> ListeningMatrix:
    return replace(
        matrix,
        plays=matrix.plays.copy(),
        user_ids=matrix.user_ids.copy(),
        artist_ids=matrix.artist_ids.copy(),
        weights=matrix.weights.copy(),
    )


class RecommenderContract:
    """Inherited by one test class a model."""

    name: ClassVar[str]
    changes: ClassVar[dict[str, Any]]
    "Another value of every parameter."
    bad: ClassVar[list[dict[str, Any]]]
    "Parameters that must be refused."
    draws_numbers: ClassVar[bool]
    "Whether another seed gives other scores."
    looks_at_plays: ClassVar[bool] = True
    folded_overlap: ClassVar[float]
    "Artists of ten that a known user's list and the same user's folded-in list share at least."
    scene_config: ClassVar[dict[str, Any]] = {}
    crowd_config: ClassVar[dict[str, Any]] = {}
    "Parameters for forty users where those for two thousand would leave nothing to see."

    @pytest.fixture(scope="class")
    @classmethod
    def crowded(cls) -> TrainedModel:
        config = model_named(cls.name).Config(**cls.crowd_config)
        return train(cls.name, crowd(), config, side=cls.side_of(crowd()), seed=3)

    @classmethod
    def side_of(cls, _matrix: ListeningMatrix) -> SideTables:
        """Tags and friends of a world, for the models that look at them."""
        return SideTables.none()

    def fitted(self, matrix: ListeningMatrix, *, seed: int = 3, **parameters: Any) -> TrainedModel:
        return train(
            self.name,
            matrix,
            model_named(self.name).Config(**parameters),
            side=self.side_of(matrix),
            seed=seed,
        )

    def test_the_same_seed_gives_the_same_scores_bit_for_bit(self) -> None:
        rows = np.arange(40)
        scores = [self.fitted(crowd(), seed=5).recommender.scores(rows) for _ in range(2)]
        np.testing.assert_array_equal(*scores)

    def test_another_seed_matters_where_numbers_are_drawn(self, crowded: TrainedModel) -> None:
        rows = np.arange(40)
        other = self.fitted(crowd(), seed=4).recommender.scores(rows)
        same = np.array_equal(other, crowded.recommender.scores(rows))
        assert same != self.draws_numbers

    @pytest.mark.parametrize("seed", [0, 2**31 - 1])
    def test_the_smallest_and_the_largest_seed_fit(self, seed: int) -> None:
        assert np.isfinite(self.fitted(two_scenes(6), seed=seed).recommender.scores([0])).all()

    def test_fitting_leaves_the_matrix_alone(self) -> None:
        matrix = copied(crowd())
        self.fitted(matrix)
        before = crowd()
        assert matrix.fingerprint == before.fingerprint
        np.testing.assert_array_equal(matrix.weights, before.weights)
        np.testing.assert_array_equal(matrix.plays.indices, before.plays.indices)
        np.testing.assert_array_equal(matrix.plays.data, before.plays.data)

    def test_scores_are_finite_float32_of_every_artist(self, crowded: TrainedModel) -> None:
        scores = crowded.recommender.scores(np.array([7, 0, 39]))
        assert scores.shape == (3, 60)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()

    def test_each_row_belongs_to_the_user_asked_for(self, crowded: TrainedModel) -> None:
        every = crowded.recommender.scores(np.arange(40))
        some = crowded.recommender.scores(np.array([7, 0, 39, 7]))
        np.testing.assert_allclose(some, every[[7, 0, 39, 7]], rtol=1e-5, atol=1e-6)
        assert crowded.recommender.scores(np.array([], dtype=np.int64)).shape == (0, 60)

    def test_scores_can_be_changed_by_the_caller_without_harm(self, crowded: TrainedModel) -> None:
        before = crowded.recommender.scores(np.arange(3)).copy()
        crowded.recommender.scores(np.arange(3))[:] = -1
        crowded.recommender.fold_in(crowd().plays[:3])[:] = -1
        np.testing.assert_array_equal(crowded.recommender.scores(np.arange(3)), before)

    def test_no_list_names_a_played_artist(self, crowded: TrainedModel) -> None:
        plays = crowd().plays
        lists = crowded.rank(np.arange(40), n=60, leave_out=plays).artists
        for row, listed in enumerate(lists):
            played = set(plays.indices[plays.indptr[row] : plays.indptr[row + 1]].tolist())
            assert set(listed[listed != NOBODY].tolist()) == set(range(60)) - played

    def test_fitting_reports_its_last_step(self) -> None:
        steps = []
        train(
            self.name,
            crowd(),
            side=self.side_of(crowd()),
            seed=0,
            on_progress=lambda *step: steps.append(step),
        )
        done, total = steps[-1]
        assert done == total >= 1
        assert [step for step, _ in steps] == sorted(step for step, _ in steps)

    def test_saved_and_loaded_it_is_the_same_model(self, crowded: TrainedModel) -> None:
        loaded, said = from_bytes(to_bytes(crowded, {"source": "crowd"}))
        assert said["source"] == "crowd"
        assert loaded.name == self.name
        assert loaded.config == crowded.config
        assert loaded.fingerprint == crowded.fingerprint
        np.testing.assert_array_equal(loaded.user_ids, crowded.user_ids)
        np.testing.assert_array_equal(loaded.artist_ids, crowded.artist_ids)
        plays = crowd().plays
        rows = np.arange(40)
        before, after = (
            model.rank(rows, n=10, leave_out=plays).artists for model in (crowded, loaded)
        )
        np.testing.assert_array_equal(after, before)
        np.testing.assert_array_equal(
            loaded.recommender.fold_in(plays), crowded.recommender.fold_in(plays)
        )
        for one, other in zip(
            loaded.recommender.contributions(plays, before),
            crowded.recommender.contributions(plays, before),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)

    def test_no_saved_array_needs_pickle(self, crowded: TrainedModel) -> None:
        with np.load(io.BytesIO(to_bytes(crowded, {})), allow_pickle=False) as archive:
            kinds = {name: archive[name].dtype.kind for name in archive.files}
        assert set(kinds.values()) <= {"f", "i", "u"}
        assert any(name.startswith("learnt_") for name in kinds)

    def test_in_two_scenes_everyone_is_shown_their_own_scene_first(self) -> None:
        matrix = two_scenes()
        rows = np.arange(20)
        lists = self.fitted(matrix, **self.scene_config).rank(rows, n=11, leave_out=matrix.plays)
        assert (lists.artists[:, 0] == rows).all()

    def test_a_known_user_is_folded_in_near_where_training_put_them(self) -> None:
        matrix = sample()
        model = train(self.name, matrix, side=self.side_of(matrix), seed=0)
        rows = np.arange(len(matrix.user_ids))
        folded_scores = model.recommender.fold_in(matrix.plays)
        assert folded_scores.dtype == np.float32
        size = len(matrix.artist_ids)
        assert folded_scores.shape == (len(rows), size)
        trained = model.rank(rows, n=10, leave_out=matrix.plays).artists
        folded = rank(
            folded_scores.__getitem__, rows, n=10, n_artists=size, leave_out=matrix.plays
        ).artists
        shared = [len(set(one) & set(other)) for one, other in zip(trained, folded, strict=True)]
        assert np.mean(shared) >= self.folded_overlap

    def test_listeners_are_folded_in_one_by_one(self, crowded: TrainedModel) -> None:
        plays = crowd().plays
        together = crowded.recommender.fold_in(plays)
        for row in (0, 20, 39):
            alone = crowded.recommender.fold_in(plays[[row]])
            np.testing.assert_allclose(alone[0], together[row], rtol=1e-4, atol=1e-6)

    def test_folding_in_leaves_the_plays_alone(self, crowded: TrainedModel) -> None:
        plays = crowd().plays.copy()
        crowded.recommender.fold_in(plays)
        list(crowded.recommender.contributions(plays, np.zeros((40, 2), dtype=np.int64)))
        np.testing.assert_array_equal(plays.toarray(), crowd().plays.toarray())

    def test_a_listener_without_plays_gets_finite_scores(self, crowded: TrainedModel) -> None:
        nobody = sps.csr_array((1, 60), dtype=np.float32)
        assert np.isfinite(crowded.recommender.fold_in(nobody)).all()
        (share,) = crowded.recommender.contributions(nobody, np.array([[1, 2, 3]]))
        assert share.shape == (0, 3)

    def contributed(self, model: TrainedModel) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Each user's row, ten best columns and the shares in their scores."""
        plays = crowd().plays
        best = model.rank(np.arange(40), n=10, leave_out=plays).artists
        shares = model.recommender.contributions(plays, best)
        yield from zip(range(40), best, shares, strict=True)

    def test_contributions_have_a_row_a_listened_artist(self, crowded: TrainedModel) -> None:
        sizes = np.diff(crowd().plays.indptr)
        for row, _, share in self.contributed(crowded):
            assert share.shape == (sizes[row], 10)
            assert np.isfinite(share).all()

    def test_contributions_are_zero_only_where_plays_do_not_matter(
        self, crowded: TrainedModel
    ) -> None:
        looked = [bool(share.any()) for _, _, share in self.contributed(crowded)]
        assert any(looked) == self.looks_at_plays

    def test_every_parameter_is_known_to_this_test(self) -> None:
        assert set(self.changes) == set(model_named(self.name).Config.model_fields)

    def test_every_parameter_says_what_it_does(self) -> None:
        for field in model_named(self.name).Config.model_fields.values():
            assert field.description.endswith(".")

    def test_defaults_lie_in_their_search_spaces(self) -> None:
        config = model_named(self.name).Config()
        for field, space in search_space(type(config)).items():
            value = getattr(config, field)
            if isinstance(space, Between):
                assert space.low <= value <= space.high
            else:
                assert value in space.values

    def test_every_parameter_changes_the_scores(self, crowded: TrainedModel) -> None:
        rows = np.arange(40)
        usual = crowded.recommender.scores(rows)
        for field, value in self.changes.items():
            other = self.fitted(crowd(), **{**self.crowd_config, field: value})
            assert not np.allclose(other.recommender.scores(rows), usual), f"{field} does nothing"
            assert other.fingerprint != crowded.fingerprint

    def test_parameters_that_cannot_be_are_refused(self) -> None:
        for parameters in [*self.bad, {"no_such_parameter": 1}]:
            (field,) = parameters
            with pytest.raises(ValidationError, match=field):
                model_named(self.name).Config(**parameters)

    def test_parameters_cannot_be_changed_afterwards(self) -> None:
        config = model_named(self.name).Config()
        for field in type(config).model_fields:
            with pytest.raises(ValidationError, match="frozen"):
                setattr(config, field, 1)
