"""Stored values as bytes and back, each with a header that says what it is; no code is run."""

import hashlib
import html
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import IO, Any, Final, TypeVar, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sps

from lastfm_assets import seals
from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.evaluation.leaderboard import Evaluation
from lastfm_assets.insight.report import Report
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.weighting import Weighting
from lastfm_assets.models import saved, trained
from lastfm_assets.models.trained import TrainedModel

Stored = TypeVar(
    "Stored", pd.DataFrame, ListeningMatrix, TrainedModel, Evaluation, Champion, Report
)
Header = dict[str, Any]
"""JSON values that a file keeps beside its value, the store's stamp among them."""

SUFFIX: Final[dict[type, str]] = {
    pd.DataFrame: ".parquet",
    Evaluation: ".parquet",
    ListeningMatrix: ".npz",
    TrainedModel: ".npz",
    Champion: ".json",
    Report: ".html",
}
_NAME: Final = "lastfm_assets"
"""Under which a parquet file or a page keeps its header."""
_CHUNK: Final = 1 << 14
"""Rows of a chunk of texts that are all missing."""
_SMALL: Final = 1 << 20
"""Bytes of a table, unpacked, up to which it does not matter that it is there twice."""
_META: Final = re.compile(rf'<head><meta name="{_NAME}" content="([^"]*)">')


class _Digest(io.RawIOBase):
    """A file that keeps nothing but the hash of what is written to it."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self.sha256.update(content)
        return memoryview(content).nbytes


def version_of(value: Any) -> str:
    """SHA-256 (hex) of a value, whatever its file says of it and however it is compressed."""
    digest = _Digest()
    if isinstance(value, Evaluation):
        digest.write(json.dumps(_about(value), sort_keys=True).encode())
        value = value.per_user
    if isinstance(value, pd.DataFrame):
        for name, column in value.items():
            values = pa.Array.from_pandas(column)
            if isinstance(values, pa.ChunkedArray):  # text that was put together from tables
                values = values.combine_chunks()
            if pa.types.is_timestamp(values.type):  # whatever unit it was written or read in
                values = values.cast(pa.timestamp("us", values.type.tz), safe=False)
            # what lies under a missing value is anybody's guess: only its place counts
            _digest_table(digest, {str(name): values.drop_null()})
            _digest_table(digest, {"missing": values.is_null()} if values.null_count else {})
    else:
        digest.write(encode(value, {}))
    return digest.sha256.hexdigest()


def _digest_table(digest: _Digest, columns: dict[str, pa.Array]) -> None:
    table = pa.table(columns)
    with pa.ipc.new_stream(pa.PythonFile(digest, mode="w"), table.schema) as stream:
        stream.write_table(table)


def encode(value: Any, header: Header) -> bytes:
    """The file that keeps a value and a header.

    Raises:
        TypeError: no format is known for such a value.
    """
    if isinstance(value, Evaluation):
        return _to_parquet(value.per_user, {**header, "evaluation": _about(value)})
    if isinstance(value, pd.DataFrame):
        return _to_parquet(value, header)
    if isinstance(value, ListeningMatrix):
        return _matrix_to_bytes(value, header)
    if isinstance(value, TrainedModel):
        return trained.to_bytes(value, header)
    if isinstance(value, Champion):
        return json.dumps({**header, "champion": value.model_dump()}, indent=2).encode()
    if isinstance(value, Report):
        said = html.escape(json.dumps(header))
        meta = f'<head><meta name="{_NAME}" content="{said}">'
        return value.html.replace("<head>", meta, 1).encode()
    raise TypeError(f"the store does not keep values of type {type(value).__name__}")


def decode(content: bytes, kind: type[Stored]) -> tuple[Stored, Header]:
    """The inverse of `encode`.

    Raises:
        OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, pa.ArrowException,
            zipfile.BadZipFile, zlib.error, LastfmAssetsError: it is no such file, or damaged.
    """
    value: Any
    if kind in (pd.DataFrame, Evaluation):
        value, header = _from_parquet(content)
        if kind is Evaluation:
            value = Evaluation(per_user=value, **header["evaluation"])
    elif kind is ListeningMatrix:
        value, header = _matrix_from_bytes(content)
    elif kind is TrainedModel:
        value, header = trained.from_bytes(content)
    elif kind is Report:
        page = seals.without(content, ".html").decode()
        if not page.rstrip().endswith("</html>"):
            raise ValueError("the page breaks off")
        value, header = Report(_META.sub("<head>", page, count=1)), _from_meta(page)
    else:
        header = json.loads(content)
        value = Champion.model_validate(header["champion"])
    return cast("Stored", value), header


def header_of(file: IO[bytes], kind: type) -> Header:
    """What `decode` gives as the header, without reading the value; raises as it does."""
    if kind in (pd.DataFrame, Evaluation):
        return _from_schema(pq.ParquetFile(file).schema_arrow)
    if kind in (ListeningMatrix, TrainedModel):
        with np.load(file, allow_pickle=False) as archive:
            return cast("Header", json.loads(archive["header"].tobytes()))
    if kind is Report:
        return _from_meta(file.read(2**16).decode(errors="ignore"))
    return cast("Header", json.loads(file.read()))


def rows_of(file: IO[bytes]) -> int:
    """How many rows a table's file has, without reading them; raises as `decode` does."""
    return int(pq.ParquetFile(file).metadata.num_rows)


def columns_in(file: IO[bytes], names: Sequence[str]) -> pd.DataFrame:
    """Some columns of a table's file, in that order; the others are not read. Raises as `decode`.

    Raises:
        KeyError: it has no such column.
    """
    table = pq.ParquetFile(file)
    missing = [name for name in names if name not in table.schema_arrow.names]
    if missing:
        raise KeyError(f"no column {missing[0]}")
    return _by_column(table, names)


def _about(evaluation: Evaluation) -> Header:
    """Which model an evaluation is of; its figures a user are the table."""
    return {
        "model": evaluation.model,
        "parameters": evaluation.parameters,
        "seed": evaluation.seed,
        "fingerprint": evaluation.fingerprint,
        "beyond_accuracy": evaluation.beyond_accuracy,
        "judged_users": evaluation.judged_users,
    }


def _from_meta(page: str) -> Header:
    found = _META.search(page)
    if found is None:
        raise ValueError(f"a page without <meta name={_NAME}>")
    return cast("Header", json.loads(html.unescape(found[1])))


def _to_parquet(table: pd.DataFrame, header: Header) -> bytes:
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    metadata = {**(arrow.schema.metadata or {}), _NAME: json.dumps(header)}
    sink = pa.BufferOutputStream()
    pq.write_table(arrow.replace_schema_metadata(metadata), sink, compression="zstd")
    return cast("bytes", sink.getvalue().to_pybytes())


def _from_parquet(content: bytes) -> tuple[pd.DataFrame, Header]:
    # read_table leaves the bytes to a thread of Arrow's; where that lets go of them last, it asks
    # for an interpreter which by then may be ending, and a short process aborts after its work
    file = pq.ParquetFile(pa.BufferReader(content))
    return _by_column(file, file.schema_arrow.names), _from_schema(file.schema_arrow)


def _by_column(file: pq.ParquetFile, names: Sequence[str]) -> pd.DataFrame:
    """A table column by column, so that only one is there in Arrow's and in pandas' shape.

    A small one is read at once: most of a column's time goes by before its first value.
    """
    groups = range(file.num_row_groups)
    if sum(file.metadata.row_group(n).total_byte_size for n in groups) <= _SMALL:
        table = file.read(columns=[*names], use_threads=False)
        return cast("pd.DataFrame", table.to_pandas(use_threads=False)[[*names]])
    columns = {}
    for name in names:
        at = file.schema_arrow.get_field_index(name)
        field = file.schema_arrow.field(at)
        if pa.types.is_large_string(field.type) and _is_all_missing(file, at):
            columns[field.name] = _missing_texts(file.metadata.num_rows)
            continue
        one = file.read(columns=[field.name], use_threads=False)
        columns[field.name] = one.to_pandas(use_threads=False)[field.name]
        del one
    pa.default_memory_pool().release_unused()
    return pd.DataFrame(columns, copy=False)


def _is_all_missing(file: pq.ParquetFile, at: int) -> bool:
    groups = [file.metadata.row_group(n).column(at) for n in range(file.num_row_groups)]
    said = [group.statistics for group in groups]
    return bool(said) and all(
        one is not None and one.has_null_count and one.null_count == group.num_values
        for one, group in zip(said, groups, strict=True)
    )


def _missing_texts(n: int) -> pd.Series:
    """(n,) missing texts in chunks that are one array: else each takes eight bytes."""
    none = pa.nulls(min(n, _CHUNK), pa.large_string())
    chunks = [none.slice(0, min(_CHUNK, n - start)) for start in range(0, n, _CHUNK)]
    texts = pa.chunked_array(chunks, pa.large_string())
    return pd.Series(pd.array(texts, dtype="str"), copy=False)


def _from_schema(schema: pa.Schema) -> Header:
    return cast("Header", json.loads((schema.metadata or {})[_NAME.encode()]))


def _matrix_to_bytes(matrix: ListeningMatrix, header: Header) -> bytes:
    header = {**header, "weighting": asdict(matrix.weighting), "shape": list(matrix.plays.shape)}
    buffer = io.BytesIO()
    np.savez(
        buffer,
        allow_pickle=False,
        header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
        data=matrix.plays.data,
        indices=matrix.plays.indices,
        indptr=matrix.plays.indptr,
        user_ids=matrix.user_ids,
        artist_ids=matrix.artist_ids,
        weights=matrix.weights,
    )
    return buffer.getvalue()


def _matrix_from_bytes(content: bytes) -> tuple[ListeningMatrix, Header]:
    arrays = saved.arrays_in(content)
    header = json.loads(arrays["header"].tobytes())
    parts = {f"plays_{name}": arrays[name] for name in ("data", "indices", "indptr")}
    shape = np.array(header["shape"])
    saved.check_numbers({**parts, "plays_shape": shape, "weights": arrays["weights"]})
    plays = sps.csr_array(
        (arrays["data"], arrays["indices"], arrays["indptr"]), shape=tuple(header["shape"])
    )
    matrix = ListeningMatrix(
        plays,
        arrays["user_ids"],
        arrays["artist_ids"],
        Weighting(**header["weighting"]),
        arrays["weights"],
    )
    return matrix, header
