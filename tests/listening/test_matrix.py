"""A matrix never travels without its ids, and its fingerprint sees what matters."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sps

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.weighting import Weigher, Weighting

ARTIST_IDS = np.array([10, 20, 30, 40])
PAIRS = pd.DataFrame(
    {
        "user_id": [3, 3, 5, 9, 9, 9],
        "artist_id": [10, 30, 30, 10, 20, 30],
        "plays": [7, 1, 4, 2, 2, 350_000],
    }
)


@pytest.fixture
def matrix() -> ListeningMatrix:
    return ListeningMatrix.from_pairs(PAIRS, ARTIST_IDS)


class TestFromPairs:
    def test_every_count_stands_at_its_user_and_artist(self, matrix: ListeningMatrix) -> None:
        assert matrix.user_ids.tolist() == [3, 5, 9]
        assert matrix.artist_ids.tolist() == [10, 20, 30, 40]
        assert matrix.plays.toarray().tolist() == [
            [7, 0, 1, 0],
            [0, 0, 4, 0],
            [2, 2, 350_000, 0],
        ]

    def test_counts_and_weights_are_float32_and_columns_sorted(
        self, matrix: ListeningMatrix
    ) -> None:
        assert matrix.plays.dtype == matrix.weights.dtype == np.float32
        assert matrix.plays.has_sorted_indices

    def test_weights_are_bm25_on_presence_unless_told(self, matrix: ListeningMatrix) -> None:
        expected = Weigher.fit(matrix.plays, Weighting("bm25", 100.0, 0.8)).weights(matrix.plays)
        np.testing.assert_array_equal(matrix.weights, expected)
        logs = ListeningMatrix.from_pairs(PAIRS, ARTIST_IDS, weighting=Weighting("log"))
        np.testing.assert_allclose(logs.weights, np.log1p(matrix.plays.data), rtol=1e-6)

    def test_the_order_of_pairs_does_not_matter(self, matrix: ListeningMatrix) -> None:
        permuted = ListeningMatrix.from_pairs(PAIRS.iloc[[4, 2, 0, 5, 1, 3]], ARTIST_IDS)
        assert permuted.fingerprint == matrix.fingerprint
        np.testing.assert_array_equal(permuted.weights, matrix.weights)

    def test_the_pairs_stay_as_they_were(self) -> None:
        before = PAIRS.copy()
        ListeningMatrix.from_pairs(PAIRS, ARTIST_IDS)
        pd.testing.assert_frame_equal(PAIRS, before)


class TestFingerprint:
    def test_the_same_pairs_have_the_same(self, matrix: ListeningMatrix) -> None:
        again = ListeningMatrix.from_pairs(PAIRS.copy(), ARTIST_IDS.copy())
        assert again.fingerprint == matrix.fingerprint

    @pytest.mark.parametrize(
        "change",
        [
            {"plays": [7, 1, 4, 2, 2, 350_001]},
            {"plays": [8, 1, 4, 2, 2, 350_000]},
            {"artist_id": [10, 20, 30, 10, 20, 30]},
            {"user_id": [3, 3, 6, 9, 9, 9]},
        ],
        ids=["a play of many", "a play of few", "an artist", "a user"],
    )
    def test_one_change_of_a_pair_changes_it(
        self, matrix: ListeningMatrix, change: dict[str, list[int]]
    ) -> None:
        other = ListeningMatrix.from_pairs(PAIRS.assign(**change), ARTIST_IDS)
        assert other.fingerprint != matrix.fingerprint

    def test_another_catalogue_changes_it(self, matrix: ListeningMatrix) -> None:
        other = ListeningMatrix.from_pairs(PAIRS, np.array([10, 20, 30, 41]))
        assert other.fingerprint != matrix.fingerprint
        longer = ListeningMatrix.from_pairs(PAIRS, np.array([10, 20, 30, 40, 50]))
        assert longer.fingerprint != matrix.fingerprint

    def test_the_weighting_is_no_part_of_it(self, matrix: ListeningMatrix) -> None:
        logs = ListeningMatrix.from_pairs(PAIRS, ARTIST_IDS, weighting=Weighting("log"))
        assert logs.fingerprint == matrix.fingerprint


class TestConstructor:
    def test_shapes_that_do_not_fit_the_ids_are_refused(self) -> None:
        plays = sps.csr_array(np.ones((2, 3), dtype=np.float32))
        with pytest.raises(ValueError, match=r"plays is \(2, 3\), the ids say \(2, 2\)"):
            ListeningMatrix(plays, np.array([1, 2]), np.array([1, 2]))

    @pytest.mark.parametrize(
        ("users", "artists"), [([2, 1], [1, 2]), ([1, 2], [2, 1]), ([1, 1], [1, 2])]
    )
    def test_ids_that_do_not_rise_are_refused(self, users: list[int], artists: list[int]) -> None:
        plays = sps.csr_array(np.ones((2, 2), dtype=np.float32))
        with pytest.raises(ValueError, match="ids must rise strictly"):
            ListeningMatrix(plays, np.array(users), np.array(artists))

    def test_weights_handed_in_are_kept(self, matrix: ListeningMatrix) -> None:
        own = np.arange(6, dtype=np.float32)
        kept = ListeningMatrix(
            matrix.plays, matrix.user_ids, matrix.artist_ids, matrix.weighting, own
        )
        np.testing.assert_array_equal(kept.weights, own)
        np.testing.assert_array_equal(kept.weighted(matrix.weighting).data, own)


class TestWeighted:
    def test_another_weighting_is_made_from_the_plays(self, matrix: ListeningMatrix) -> None:
        np.testing.assert_array_equal(
            matrix.weighted(Weighting("plays")).toarray(), matrix.plays.toarray()
        )
        np.testing.assert_array_equal(
            matrix.weighted(Weighting("binary")).toarray(), matrix.plays.toarray() > 0
        )

    def test_k1_and_b_are_part_of_a_weighting(self, matrix: ListeningMatrix) -> None:
        for other in (Weighting("bm25", 1.0, 0.8), Weighting("bm25", 100.0, 0.0)):
            expected = Weigher.fit(matrix.plays, other).weights(matrix.plays)
            np.testing.assert_array_equal(matrix.weighted(other).data, expected)


class TestPositions:
    def test_known_ids_have_their_place_and_unknown_ones_minus_one(
        self, matrix: ListeningMatrix
    ) -> None:
        assert matrix.rows_of(np.array([9, 3, 4, 0, 100, 5, -1])).tolist() == [
            2,
            0,
            -1,
            -1,
            -1,
            1,
            -1,
        ]
        assert matrix.columns_of(np.array([40, 10, 15, 41])).tolist() == [3, 0, -1, -1]

    def test_no_ids_have_no_place(self, matrix: ListeningMatrix) -> None:
        assert matrix.rows_of(np.array([], dtype=np.int64)).shape == (0,)

    def test_an_empty_matrix_knows_nobody(self) -> None:
        nothing = ListeningMatrix.from_pairs(PAIRS.iloc[:0], ARTIST_IDS)
        assert nothing.rows_of(np.array([3, 5])).tolist() == [-1, -1]
        assert nothing.plays.shape == (0, 4)


def test_an_artist_outside_the_catalogue_is_refused_and_not_taken_for_its_neighbour() -> None:
    pairs = pd.DataFrame({"user_id": [1], "artist_id": [15], "plays": [3]})
    with pytest.raises(ValueError, match="1 pairs name artists outside the catalogue"):
        ListeningMatrix.from_pairs(pairs, np.array([10, 20]))


def test_weights_for_other_pairs_are_refused() -> None:
    pairs = pd.DataFrame({"user_id": [1, 2], "artist_id": [10, 20], "plays": [3, 4]})
    matrix = ListeningMatrix.from_pairs(pairs, np.array([10, 20]))
    with pytest.raises(ValueError, match="1 weights for 2 stored pairs"):
        replace(matrix, weights=np.ones(1, dtype=np.float32))
