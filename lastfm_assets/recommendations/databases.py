"""Which serving database a setting names."""

from pathlib import Path
from typing import Final
from urllib.parse import unquote

from pydantic import SecretStr
from upath import UPath

from lastfm_assets.errors import BadInputError
from lastfm_assets.recommendations.duckdb_file import DuckDBFile
from lastfm_assets.recommendations.postgresql import PostgreSQL
from lastfm_assets.recommendations.serving import SCHEMA, ServingDatabase

PLACE: Final = ("recommendations", "serving.duckdb")
"""Where the file lies in a store that is a folder, unless another database is named."""


def open_database(url: SecretStr | None, root: UPath) -> ServingDatabase | None:
    """The database that online services read; nothing is connected to yet.

    Args:
        url: `postgresql://user:password@host:port/database`, or `duckdb://` and the path of a
            file: `duckdb:///srv/lists.duckdb`, `duckdb://lists.duckdb` from where the command runs.
        root: of the store.

    Returns:
        None where no URL is given and the store is no folder on this machine.

    Raises:
        BadInputError: the URL cannot be used, or the driver is not installed.
    """
    if url is None:
        place = root.joinpath(*PLACE)
        return DuckDBFile(Path(place), is_ours=True) if isinstance(place, Path) else None
    scheme, _, rest = url.get_secret_value().partition("://")
    if scheme in ("postgresql", "postgres"):
        return PostgreSQL(url)
    if scheme == "duckdb" and rest.strip("/") and not rest.endswith("/"):
        path = unquote(rest)
        file = Path("/" + path.lstrip("/") if path.startswith("/") else path)
        if file.name.partition(".")[0].lower() == SCHEMA:  # DuckDB calls what is in it by its name
            raise BadInputError(
                f"LASTFM_PUBLISH_URL names {file.name}, but DuckDB cannot tell a file of that name "
                f"from the schema {SCHEMA} in it; name it otherwise, such as lists.duckdb"
            )
        return DuckDBFile(file)
    raise BadInputError(
        "LASTFM_PUBLISH_URL is set, but names no database; expected "
        "postgresql://user:password@host:port/database or duckdb:///path/of/a/file"
    )
