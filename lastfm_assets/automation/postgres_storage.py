"""Dagster's runs in PostgreSQL, by the driver that dagster-postgres brings along.

SQLAlchemy 2.1 takes `postgresql://` for psycopg 3, dagster-postgres still brings psycopg2. Drop
this module, and write `storage: postgres:` into dagster.yaml, once it brings psycopg 3.
"""

import re
from typing import Any

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage


class Psycopg2Storage(DagsterPostgresStorage):
    """Takes `postgresql://` and `postgres://` for psycopg2."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Any
    ) -> "Psycopg2Storage":
        """Made by Dagster from dagster.yaml; the URL is read from the environment there."""
        url = re.sub(r"^postgres(ql)?://", "postgresql+psycopg2://", config_value["postgres_url"])
        return cls(url, inst_data=inst_data)
