"""A model that Spark has fitted: what determined it, and where its vectors lie."""

import functools
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import scipy.sparse as sps
from pydantic import BaseModel

from lastfm_assets.models.trained import code_of, fingerprint, model_named
from lastfm_assets.vocabulary import Columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

VECTOR: Final = "vector"
LISTENED: Final = "listened"
"""Positions of the artists that a user plays, rising."""
RATING: Final = "rating"
"""Confidence beside 1 of each of them, as MLlib takes it."""
LISTENERS: Final = "listeners"


@dataclass(frozen=True, slots=True)
class SparkModel:
    """What a fit has left: Parquet files that the executors wrote, and read again.

    `<folder>/artists` has `position, artist_id, artist_name, listeners[, vector]`, a row an artist
    of the catalogue; `<folder>/users` has `user_id, listened[, rating, vector]`, a row a user.
    """

    name: str
    """As of the local model that it stands for."""
    config: BaseModel
    """The local model's parameters."""
    seed: int
    data: str
    """Hash of the pairs that it was fitted on, see `content.content_of`."""
    folder: str
    n_users: int
    n_artists: int
    regularization: float = 0.0
    """MLlib's `regParam`."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of data, model, code, parameters and seed, as of a local model."""
        return fingerprint(
            self.name,
            self.config,
            seed=self.seed,
            data=self.data,
            side="",
            code=code_of(self.name),
        )

    def to_json(self) -> str:
        """All of it but the files."""
        return json.dumps({**asdict(self), "config": self.config.model_dump(mode="json")})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of `to_json`.

        Raises:
            ValueError, TypeError, KeyError, BadInputError: it is no such text.
        """
        said = json.loads(text)
        config = model_named(said["name"]).Config.model_validate(said["config"])
        return cls(**{**said, "config": config})

    def users(self, spark: "SparkSession") -> "DataFrame":
        """See the class."""
        return spark.read.parquet(f"{self.folder}/users")

    def artists(self, spark: "SparkSession") -> "DataFrame":
        """See the class."""
        return spark.read.parquet(f"{self.folder}/artists")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All artists, as a Python worker holds them while it ranks; rows are positions."""

    artist_ids: np.ndarray
    """(n_artists,) int64, rising."""
    names: pa.StringArray
    """n_artists texts; Arrow's, of which only those that are shown become Python's."""
    listeners: np.ndarray
    """(n_artists,) int64, users who play each artist."""
    vectors: np.ndarray | None
    """(n_artists, k) float32; None of a model that has none."""


def catalogue_in(folder: str) -> Catalogue:
    """Reads the artists of a model in a Python worker; their memory is 4 k + 20 bytes and a name.

    Args:
        folder: of the model, where every worker reaches it.
    """
    place = folder.replace("s3a://", "s3://", 1)  # Hadoop's name for what Arrow calls s3
    # Spark names no two files alike, so that a model fitted again is not taken for the last one
    names = tuple(sorted(ds.dataset(f"{place}/artists", format="parquet").files))
    return _catalogue(place, names)


@functools.lru_cache(maxsize=2)  # a worker serves many batches, of a model and its second fit
def _catalogue(place: str, _names: tuple[str, ...]) -> Catalogue:
    files = ds.dataset(f"{place}/artists", format="parquet")
    n = files.count_rows()
    ids, listeners = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    names: list[tuple[int, pa.StringArray]] = []
    vectors: np.ndarray | None = None
    # a piece at a time, as a table of all would lie beside its own sorted copy
    for piece in files.to_batches(use_threads=False, batch_readahead=1, fragment_readahead=1):
        if not piece.num_rows:
            continue
        at = piece["position"].to_numpy()
        ids[at] = piece[Columns.ARTIST].to_numpy()
        listeners[at] = piece[LISTENERS].to_numpy()
        names.append((int(at[0]), piece[Columns.NAME]))
        if VECTOR in piece.schema.names:
            own = rows_of(piece[VECTOR])
            if vectors is None:
                vectors = np.empty((n, own.shape[1]), dtype=np.float32)
            vectors[at] = own
    names.sort(key=lambda first: first[0])  # files are of ranges of positions, in order within
    together = (
        pa.concat_arrays([texts for _, texts in names]) if names else pa.array([], pa.string())
    )
    return Catalogue(ids, together, listeners, vectors)


def rows_of(lists: pa.Array) -> np.ndarray:
    """(n, k) float32 from n lists of k floats, none of them missing."""
    flat = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    return np.asarray(flat.reshape(len(lists), -1 if len(flat) else 0))


def csr_of(lists: pa.Array, n_columns: int, values: pa.Array | None = None) -> sps.csr_array:
    """(n, n_columns) with an entry for each number of n lists.

    Args:
        lists: columns of each row, rising; a missing list is an empty one.
        n_columns: of the result.
        values: lists of as many entries; None: 1 everywhere.
    """
    sizes = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    indptr = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    indices = lists.flatten().to_numpy(zero_copy_only=False)
    if values is None:
        data = np.ones(len(indices), dtype=np.float32)
    else:
        data = values.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
    return sps.csr_array((data, indices, indptr), shape=(len(lists), n_columns))
