"""A fit that is asked for, and all that goes to another process and back for it, as bytes."""

import io
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, Final, Protocol, runtime_checkable

import numpy as np
from pydantic import BaseModel

from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.listening.weighting import Weighting
from lastfm_assets.models.arrays import csr_from_arrays, csr_to_arrays
from lastfm_assets.models.protocol import Recommender
from lastfm_assets.vocabulary import Columns

_LENGTH: Final = struct.Struct(">Q")
_TAGS: Final = (Columns.USER, Columns.ARTIST, Columns.TAG)
_FRIENDS: Final = (Columns.USER, Columns.FRIEND)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A model that is asked for: all that determines what it learns."""

    model: type[Recommender]
    matrix: ListeningMatrix
    config: BaseModel
    side: SideTables
    """Tags and friends; count only for a model that looks at them."""
    seed: int
    data: str = field(init=False)
    """Fingerprint of the matrix."""
    beside: str = field(init=False)
    """Fingerprint of the side tables, empty where the model looks at none."""

    def __post_init__(self) -> None:
        """Reads the fingerprints once; each takes milliseconds."""
        object.__setattr__(self, "data", self.matrix.fingerprint)
        beside = self.side.fingerprint if self.model.needs_side else ""
        object.__setattr__(self, "beside", beside)

    @property
    def key(self) -> tuple[str, ...]:
        """Equal for fits that give the same model."""
        config = self.config.model_dump_json()
        return (self.model.name, config, str(self.seed), self.data, self.beside)

    @property
    def reads(self) -> frozenset[str]:
        """Fingerprints of what it is fitted on."""
        return frozenset({self.data, self.beside} - {""})


class Plan(Protocol):
    """A model that is made from others: which, and how."""

    parts: tuple[Fit, ...]
    """What it is made from; none of them is itself made from others."""

    def join(self, fitted: Sequence[Recommender]) -> Recommender:
        """The model, from what the parts gave, in their order."""
        ...


@runtime_checkable
class Composite(Protocol):
    """A kind of model that is made from others."""

    @classmethod
    def plan(
        cls, matrix: ListeningMatrix, config: BaseModel, *, side: SideTables, seed: int
    ) -> Plan:
        """What a fit with these arguments is made from."""
        ...


def pack(said: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """JSON values and numeric arrays as an uncompressed npz archive, without pickle."""
    buffer = io.BytesIO()
    header = np.frombuffer(json.dumps(dict(said)).encode(), dtype=np.uint8)
    np.savez(buffer, allow_pickle=False, header=header, **{f"a_{n}": a for n, a in arrays.items()})
    return buffer.getvalue()


def unpack(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The inverse of `pack`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    said = json.loads(arrays.pop("header").tobytes())
    return said, {name.removeprefix("a_"): array for name, array in arrays.items()}


def matrix_to_bytes(matrix: ListeningMatrix, said: Mapping[str, Any]) -> bytes:
    """A matrix with its ids and its weights; `said` comes back beside it from `unpack`."""
    return pack(
        {**said, "weighting": asdict(matrix.weighting)},
        {
            **csr_to_arrays("plays", matrix.plays),
            "user_ids": matrix.user_ids,
            "artist_ids": matrix.artist_ids,
            "weights": matrix.weights,
        },
    )


def matrix_from(said: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> ListeningMatrix:
    """The inverse of `matrix_to_bytes`, once unpacked."""
    return ListeningMatrix(
        csr_from_arrays("plays", arrays),
        arrays["user_ids"],
        arrays["artist_ids"],
        Weighting(**said["weighting"]),
        arrays["weights"],
    )


def side_to_bytes(side: SideTables, said: Mapping[str, Any]) -> bytes:
    """The columns that models read, in their order of rows."""
    columns = {f"tags_{name}": side.tag_assignments[name].to_numpy(np.int64) for name in _TAGS}
    friends = {f"friends_{name}": side.friendships[name].to_numpy(np.int64) for name in _FRIENDS}
    return pack(said, {**columns, **friends})


def side_from(arrays: Mapping[str, np.ndarray]) -> SideTables:
    """The inverse of `side_to_bytes`, once unpacked."""
    import pandas as pd  # noqa: PLC0415 (large, and not needed where no table is)

    return SideTables(
        pd.DataFrame({name: arrays[f"tags_{name}"] for name in _TAGS}),
        pd.DataFrame({name: arrays[f"friends_{name}"] for name in _FRIENDS}),
    )


def send(stream: BinaryIO, content: bytes) -> None:
    """Writes the length of some bytes and the bytes.

    Raises:
        OSError: nobody reads any more.
    """
    stream.write(_LENGTH.pack(len(content)))
    stream.write(content)
    stream.flush()


def receive(stream: BinaryIO) -> bytes:
    """What the other end sent at once.

    Raises:
        EOFError: the other end is gone.
    """
    (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
    return _exactly(stream, length)


def _exactly(stream: BinaryIO, n: int) -> bytes:
    content = stream.read(n)
    if len(content) < n:
        raise EOFError(f"{len(content)} of {n} bytes came")
    return content
