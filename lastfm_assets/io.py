"""The store: the only module that knows paths and file formats.

Every stored file carries a stamp (format, source), is written under another name and renamed
when whole, and is read without running code.
"""

import io
import json
import os
import uuid
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sps
from pydantic import ValidationError
from upath import UPath

from lastfm_assets.errors import BadInputError, StoreError
from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.evaluation.leaderboard import Evaluation
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.weighting import Weighting
from lastfm_assets.models import trained
from lastfm_assets.models.trained import TrainedModel
from lastfm_assets.sources.hetrec import one_line

Key = Sequence[str]
"""An asset's key: `("recommendations", "top_artists")`."""
Stored = TypeVar("Stored", pd.DataFrame, ListeningMatrix, TrainedModel, Evaluation, Champion)

FORMAT: Final = 1
"""Layout of the store; a file of a newer one is refused."""
_STAMP: Final = "lastfm_assets"
_SUFFIX: Final[dict[type, str]] = {
    pd.DataFrame: ".parquet",
    Evaluation: ".parquet",
    ListeningMatrix: ".npz",
    TrainedModel: ".npz",
    Champion: ".json",
}


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a stored file says of itself."""

    source: str
    """Name of the source it was made from, see `sources.files.Source`."""
    format: int = FORMAT


class Store:
    """Typed values by asset key, in a folder or behind an fsspec URL such as `s3://bucket/x`."""

    def __init__(self, location: str) -> None:
        self.root = _open(location)

    def path(self, key: Key, kind: type) -> UPath:
        """Where a value of that type lies."""
        return self.root.joinpath(*key[:-1], key[-1] + _SUFFIX[kind])

    def has(self, key: Key, kind: type) -> bool:
        """Whether there is such a value."""
        return self.path(key, kind).exists()

    def write(self, key: Key, value: Stored, *, source: str) -> UPath:
        """Replaces a value in one step: a reader sees the old one or the new one.

        Raises:
            StoreError: the store cannot be written to.
        """
        path = self.path(key, type(value))
        content = _encode(value, Stamp(source))
        try:
            _replace(path, content)
        except OSError as problem:
            raise StoreError(f"{path}: cannot be written ({problem.strerror or problem})") from None
        return path

    def read(self, key: Key, kind: type[Stored]) -> Stored:
        """Reads a value.

        Raises:
            StoreError: it is missing, damaged, or of a newer format.
        """
        return self.read_with_stamp(key, kind)[0]

    def source_of(self, key: Key, kind: type[Stored]) -> str:
        """Name of the source that a value was made from; errors as in `read`."""
        return self.read_with_stamp(key, kind)[1].source

    def read_with_stamp(self, key: Key, kind: type[Stored]) -> tuple[Stored, Stamp]:
        """Reads a value and what its file says of itself; errors as in `read`."""
        path = self.path(key, kind)
        try:
            return _decode(path.read_bytes(), kind)
        except FileNotFoundError:
            raise StoreError(
                f"{'/'.join(key)} is not in the store {self.root}; run `lastfm-assets refresh`"
            ) from None
        except (
            OSError,
            EOFError,
            ValueError,
            KeyError,
            TypeError,
            RuntimeError,  # from zipfile: a method of compression or a flag that it does not know
            pa.ArrowException,
            zipfile.BadZipFile,
            zlib.error,
            ValidationError,
            StoreError,
        ) as problem:
            raise StoreError(
                f"{path}: cannot be read ({one_line(problem)}); run `lastfm-assets refresh`"
            ) from problem


def _open(location: str) -> UPath:
    protocol, separator, _ = location.partition("://")
    try:
        if not separator or protocol == "file":  # a plain path, which can be renamed in one step
            return UPath(location.removeprefix("file://")).absolute()
        fsspec.get_filesystem_class(protocol)  # UPath takes an unknown protocol for a folder's name
        return UPath(location)
    except (ValueError, ImportError) as problem:
        raise BadInputError(
            f"store {location!r} cannot be opened ({problem}); expected a folder or an fsspec URL "
            "whose driver is installed, such as s3://bucket/prefix with s3fs"
        ) from None


def _replace(path: UPath, content: bytes) -> None:
    """Writes whole or not at all: renamed locally; object stores swap an object in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(path, Path):
        path.write_bytes(content)
        return
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name itself must survive a power cut
    finally:
        os.close(folder)


def _encode(value: Any, stamp: Stamp) -> bytes:
    said = {"stamp": asdict(stamp)}
    if isinstance(value, Evaluation):
        said["evaluation"] = {
            "model": value.model,
            "parameters": value.parameters,
            "seed": value.seed,
            "fingerprint": value.fingerprint,
            "beyond_accuracy": value.beyond_accuracy,
        }
        return _to_parquet(value.per_user, said)
    if isinstance(value, pd.DataFrame):
        return _to_parquet(value, said)
    if isinstance(value, ListeningMatrix):
        return _matrix_to_bytes(value, said)
    if isinstance(value, TrainedModel):
        return trained.to_bytes(value, said)
    if isinstance(value, Champion):
        return json.dumps({**said, "champion": value.model_dump()}, indent=2).encode()
    raise TypeError(f"the store does not keep values of type {type(value).__name__}")


def _decode(content: bytes, kind: type[Stored]) -> tuple[Stored, Stamp]:
    value: Any
    if kind in (pd.DataFrame, Evaluation):
        value, said = _from_parquet(content)
        if kind is Evaluation:
            value = Evaluation(per_user=value, **said["evaluation"])
    elif kind is ListeningMatrix:
        value, said = _matrix_from_bytes(content)
    elif kind is TrainedModel:
        value, said = trained.from_bytes(content)
    else:
        said = json.loads(content)
        value = Champion.model_validate(said["champion"])
    stamp = Stamp(**said["stamp"])
    if stamp.format != FORMAT:
        raise StoreError(f"its format is {stamp.format}, this version reads {FORMAT}")
    return cast("Stored", value), stamp


def _to_parquet(table: pd.DataFrame, said: dict[str, Any]) -> bytes:
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    metadata = {**(arrow.schema.metadata or {}), _STAMP: json.dumps(said)}
    buffer = io.BytesIO()
    pq.write_table(arrow.replace_schema_metadata(metadata), buffer, compression="zstd")
    return buffer.getvalue()


def _from_parquet(content: bytes) -> tuple[pd.DataFrame, dict[str, Any]]:
    # read_table leaves the bytes to a thread of Arrow's; where that lets go of them last, it asks
    # for an interpreter which by then may be ending, and a short process aborts after its work
    arrow = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    said = json.loads((arrow.schema.metadata or {})[_STAMP.encode()])
    return arrow.to_pandas(use_threads=False), said


def _matrix_to_bytes(matrix: ListeningMatrix, said: dict[str, Any]) -> bytes:
    said = {**said, "weighting": asdict(matrix.weighting), "shape": list(matrix.plays.shape)}
    buffer = io.BytesIO()
    np.savez(
        buffer,
        allow_pickle=False,
        header=np.frombuffer(json.dumps(said).encode(), dtype=np.uint8),
        data=matrix.plays.data,
        indices=matrix.plays.indices,
        indptr=matrix.plays.indptr,
        user_ids=matrix.user_ids,
        artist_ids=matrix.artist_ids,
        weights=matrix.weights,
    )
    return buffer.getvalue()


def _matrix_from_bytes(content: bytes) -> tuple[ListeningMatrix, dict[str, Any]]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    said = json.loads(arrays["header"].tobytes())
    plays = sps.csr_array(
        (arrays["data"], arrays["indices"], arrays["indptr"]), shape=tuple(said["shape"])
    )
    matrix = ListeningMatrix(
        plays,
        arrays["user_ids"],
        arrays["artist_ids"],
        Weighting(**said["weighting"]),
        arrays["weights"],
    )
    return matrix, said
