"""Every table of a store by the name that SQL knows it by: its folder, a dot, its own name."""

from typing import Final

import pandas as pd
import pyarrow as pa

from lastfm_assets.errors import StoreError, store_failures
from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.formats import SUFFIX
from lastfm_assets.io import Store
from lastfm_assets.models.trained import MODELS
from lastfm_assets.parts import is_there
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.vocabulary import Columns, column_note

PUBLISHED: Final = "recommendations.published"
PER_USER: Final = "evaluation.per_user"
CHAMPION: Final = "evaluation.champion"
_SHOWN: Final = (
    Columns.MODEL,
    Columns.BECAUSE,
    "challenger",
    "serving",
    "pinned",
    "precision",
    "precision_low",
    "precision_high",
)
"""Of the champion: what is asked for; the rest determines how it is fitted."""
_CHAMPION_NOTES: Final = {
    Columns.MODEL: "Model that serves.",
    Columns.BECAUSE: "Why it serves, one sentence.",
    "challenger": "The model best on validation.",
    "serving": "The champion before this one.",
    "pinned": "Whether an operator chose it, by LASTFM_CHAMPION.",
    "precision": "Mean over users on the held-out pairs: precision@10 of the champion.",
    "precision_low": "Lower end of its 95% interval.",
    "precision_high": "Upper end of its 95% interval.",
}


class StoredTables:
    """What a store holds, as Arrow tables; nothing is read before it is asked for."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._made = {
            PUBLISHED: (self._has_published, self._published),
            PER_USER: (self._has_per_user, self._per_user),
            CHAMPION: (self._has_champion, self._champion),
        }
        """Tables that are no Parquet file: whether there is one, and its reader."""

    def has(self, name: str) -> bool:
        """Whether there is a table of that name, such as `listening.interactions`."""
        if name in self._made:
            return self._made[name][0]()
        return _is_a_name(name) and self.store.has(_key(name), pd.DataFrame)

    def names(self) -> list[str]:
        """Every table, in order.

        Raises:
            StoreError: the store holds none, or cannot be looked into.
        """
        try:
            found = {name for name in self._files() if name not in self._made}
        except store_failures() as problem:
            reason = one_line(getattr(problem, "strerror", None) or problem)
            raise StoreError(
                f"store {self.store.root} cannot be read ({reason}); name "
                "another by --store or LASTFM_STORE"
            ) from None
        found |= {name for name in self._made if self.has(name)}
        if not found:
            raise StoreError(
                f"the store {self.store.root} holds no table; run `lastfm-assets refresh`"
            )
        return sorted(found)

    def read(self, name: str) -> pa.Table:
        """A table: text as text, what is missing as null.

        Raises:
            StoreError: it is missing, damaged, or of a newer format.
        """
        if name in self._made:
            frame = self._made[name][1]()
        else:
            frame = self.store.read(_key(name), pd.DataFrame)
        return plain(pa.Table.from_pandas(frame, preserve_index=False))

    def _files(self) -> set[str]:
        root = self.store.root
        if not root.exists():
            return set()
        ending = SUFFIX[pd.DataFrame]
        return {
            f"{folder.name}.{file.name.removesuffix(ending)}"
            for folder in root.iterdir()
            if folder.is_dir()
            for file in folder.iterdir()
            if not file.name.startswith(".") and (file.name.endswith(ending) or is_there(file))
        }

    def _has_published(self) -> bool:
        return self.store.root.joinpath(*_key(PUBLISHED), "_delta_log").exists()

    def _published(self) -> pd.DataFrame:
        from lastfm_assets.recommendations.published import PublishedLists  # noqa: PLC0415 (Delta)

        return PublishedLists(self.store.root).current()[0]

    def _judged(self) -> list[str]:
        return [name for name in MODELS if self.store.has(("evaluation", name), pd.DataFrame)]

    def _has_per_user(self) -> bool:
        return bool(self._judged())

    def _per_user(self) -> pd.DataFrame:
        tables = []
        for name in self._judged():
            table = self.store.read(("evaluation", name), pd.DataFrame)
            tables.append(table.astype({Columns.PART: "str"}))
            tables[-1].insert(0, Columns.MODEL, pd.Series(name, index=table.index, dtype="str"))
        if not tables:
            raise StoreError("no model is judged in the store; run `lastfm-assets refresh`")
        return pd.concat(tables, ignore_index=True)

    def _has_champion(self) -> bool:
        return self.store.has(_key(CHAMPION), Champion)

    def _champion(self) -> pd.DataFrame:
        champion = self.store.read(_key(CHAMPION), Champion)
        row = champion.model_dump()
        return pd.DataFrame({name: [row[name]] for name in _SHOWN}).astype({"serving": "str"})


def plain(table: pa.Table) -> pa.Table:
    """The same with categories as text, so that they compare with any text."""
    fields = [
        field.with_type(pa.large_string()) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def note_of(table: str, column: str) -> str:
    """One sentence on what a column of a table holds, empty where nobody has written one."""
    if table == CHAMPION and column in _CHAMPION_NOTES:
        return _CHAMPION_NOTES[column]
    try:
        return column_note(column)
    except ValueError:
        return ""


def _key(name: str) -> tuple[str, ...]:
    return tuple(name.split("."))


def _is_a_name(name: str) -> bool:
    """A folder and a name, nothing that leads out of the store."""
    parts = name.split(".")
    return len(parts) == 2 and all(part.replace("_", "a").isalnum() for part in parts)  # noqa: PLR2004 (a folder and a name)
