"""Sparse matrices and fitted weightings as plain numeric arrays, and back."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import scipy.sparse as sps
from pydantic import BaseModel, Field

from lastfm_assets.listening.weighting import Scheme, Weigher, Weighting
from lastfm_assets.models.search import Between, OneOf

PairWeighting = Annotated[
    Scheme,
    OneOf(("binary", "log", "bm25")),
    Field(description="How much one listened pair counts."),
]
Bm25K1 = Annotated[
    float,
    Between(1.0, 300.0, log=True),
    Field(gt=0, description="BM25 saturation; the larger, the later."),
]
Bm25B = Annotated[
    float,
    Between(0.0, 1.0),
    Field(ge=0, le=1, description="BM25 length normalisation, 0 none."),
]
Intensity = Annotated[
    float,
    Between(0.0, 3.0),
    Field(ge=0, description="How much relative loudness counts, 0 not at all."),
]


class WeightedConfig(BaseModel, frozen=True, extra="forbid"):
    """Parameters of a model that weighs its pairs; each model has its own defaults."""

    weighting: PairWeighting = "bm25"
    bm25_k1: Bm25K1 = 100.0
    bm25_b: Bm25B = 0.8
    intensity: Intensity = 0.0

    def as_weighting(self) -> Weighting:
        """The weighting that these parameters name."""
        return Weighting(self.weighting, self.bm25_k1, self.bm25_b, self.intensity)


def csr_to_arrays(prefix: str, matrix: sps.csr_array) -> dict[str, np.ndarray]:
    """A sparse matrix as four arrays named after `prefix`."""
    return {
        f"{prefix}_data": matrix.data,
        f"{prefix}_indices": matrix.indices,
        f"{prefix}_indptr": matrix.indptr,
        f"{prefix}_shape": np.asarray(matrix.shape, dtype=np.int64),
    }


def csr_from_arrays(prefix: str, arrays: Mapping[str, np.ndarray]) -> sps.csr_array:
    """The inverse of `csr_to_arrays`."""
    rows, columns = (int(size) for size in arrays[f"{prefix}_shape"])
    return sps.csr_array(
        (arrays[f"{prefix}_data"], arrays[f"{prefix}_indices"], arrays[f"{prefix}_indptr"]),
        shape=(rows, columns),
    )


def entries_of(matrix: sps.csr_array, row: int) -> tuple[np.ndarray, np.ndarray]:
    """(m,) columns of a row's stored entries, and (m,) the entries."""
    entries = slice(matrix.indptr[row], matrix.indptr[row + 1])
    return matrix.indices[entries], matrix.data[entries]


def weigher_to_arrays(weigher: Weigher) -> dict[str, np.ndarray]:
    """A weigher's statistics; its parameters are in the model's config."""
    return {
        "weigher_rarity": weigher.rarity,
        "weigher_mean_length": np.asarray(weigher.mean_length, dtype=np.float64),
    }


def weigher_from_arrays(config: WeightedConfig, arrays: Mapping[str, np.ndarray]) -> Weigher:
    """The inverse of `weigher_to_arrays`."""
    length = float(arrays["weigher_mean_length"])
    return Weigher(config.as_weighting(), arrays["weigher_rarity"], length)
