"""Dagster's events in SQLite, by connections that are kept while one process makes one run.

Dagster opens a file, writes one event and closes it again, several hundred times a refresh, and
SQLite cleans up behind each last connection. For a server that is right: a connection must not go
through a fork, and runs are many. At a terminal there is one run, and nothing forks.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData

_SECONDS: Final = 60
"""How long to wait for somebody else who writes, the web UI's daemon perhaps."""


class KeptConnections(SqliteEventLogStorage):
    """One connection to each file, which is closed with the instance."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, sa.Engine] = {}
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> "KeptConnections":
        """Made by Dagster."""
        return cls(inst_data=inst_data, **config_value)

    @contextlib.contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            if shard not in self._engines:
                place = self.conn_string_for_shard(shard)
                engine = sa.create_engine(place, connect_args={"timeout": _SECONDS})
                if shard not in self._initialized_dbs:
                    self._initdb(engine)
                    self._initialized_dbs.add(shard)
                self._engines[shard] = engine
            with self._engines[shard].begin() as connection:
                yield connection

    def dispose(self) -> None:
        """Closes them."""
        with self._db_lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()
        super().dispose()


def with_kept_connections(home: Path, overrides: dict[str, Any]) -> InstanceRef:
    """What an instance is made of, its events in SQLite by `KeptConnections`.

    Args:
        home: with its `dagster.yaml`; where that sends them elsewhere, they go there.
        overrides: of what that file says.
    """
    plain = InstanceRef.from_dir(str(home), overrides=overrides)
    if plain.storage_data != InstanceRef.config_defaults(str(home))["storage"]:
        return plain
    kept = {
        "module": __name__,
        "class": KeptConnections.__name__,
        "config": {"base_dir": str(home / "history" / "runs")},
    }
    return InstanceRef.from_dir(str(home), overrides={**overrides, "event_log_storage": kept})
