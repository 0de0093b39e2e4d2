"""Where data comes from and goes, and every environment variable, once."""

import os
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, Field, SecretStr, ValidationError, ValidationInfo, field_validator

from lastfm_assets.errors import BadInputError
from lastfm_assets.evaluation.judged_users import JUDGED_USERS
from lastfm_assets.models.trained import MODELS, PRODUCTS
from lastfm_assets.recommendations.acceptance import Acceptance

_PROJECT: Final = Path(__file__).parents[1]
PREFIX: Final = "LASTFM_"
_SCHEMES: Final = {
    "publish_url": ("postgresql", "postgres", "duckdb"),
    "dagster_url": ("postgresql", "postgres"),
    "ui_url": ("https", "http"),
    "alert_webhook": ("https", "http"),
    "smtp_url": ("smtp", "smtps"),
}
"""How each URL may begin."""


def data_folder() -> Path:
    """`data` of the checkout this package runs from, else `data` where the command was given."""
    project = _PROJECT if (_PROJECT / "pyproject.toml").is_file() else Path.cwd()
    return project / "data"


class Settings(BaseModel, frozen=True, extra="forbid"):
    """Everything that can be set from outside; each field is `LASTFM_` and its name."""

    source: str | None = Field(
        None,
        repr=False,  # a URL may hold a password
        description="Folder, archive, URL or `sample`; unset: data/raw, else GroupLens.",
    )
    audio_features: str | None = Field(
        None,
        description="Folder with data_by_year.csv and data_by_genres.csv of Spotify's audio "
        "features, for the studies; unset: the two tables of them are empty.",
    )
    store: str = Field(
        default_factory=lambda: str(data_folder() / "store"),
        description="Folder or fsspec URL where every table lies.",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Seed of the split and of every model.")
    min_precision: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Held-out precision@10 under which nothing is published; unset: the source's.",
    )
    champion: str | None = Field(
        None,
        description="Model that serves although another may be better; unset: the best one.",
    )
    accept_drift: str | None = Field(
        None,
        description="Mark and reason of one change beyond a bound that is right; another change "
        "is refused again.",
    )
    models: str | None = Field(
        None,
        description="Models that compete, with commas between, or a TOML file with a table of "
        "parameters for each; unset: all of them.",
    )
    judged_users: int = Field(
        JUDGED_USERS,
        ge=100,
        description="Users whom models are judged on where there are more; drawn by the seed.",
    )
    search: Literal["exact", "approximate"] = Field(
        "exact",
        description="How a user's artists are found: exact, or approximate, which may miss an "
        "artist and says how many it misses; als, bpr and lightfm only.",
    )
    processes: int = Field(
        1, ge=1, le=64, description="Processes that fit models side by side; 1: in this one."
    )
    memory_gb: float | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description="Memory that a step may take, in GB; unset: four fifths of the machine's. "
        "Scores that lists are ranked by take a hundredth of it at most.",
    )
    engine: Literal["local", "spark"] = Field(
        "local", description="Where the work is done: on this machine, or on a Spark cluster."
    )
    spark_master: str | None = Field(
        None,
        description="Spark cluster: spark://host:port, yarn, k8s://..., local[*]; unset: two "
        "workers on this machine.",
    )
    spark_conf: SecretStr | None = Field(
        None, description="Further Spark settings, key=value with commas between."
    )
    publish_url: SecretStr | None = Field(
        None,
        description="Serving database, postgresql://... or duckdb:///file; unset: a DuckDB file "
        "beside the published lists.",
    )
    dagster_url: SecretStr | None = Field(
        None, description="PostgreSQL where Dagster keeps its runs; unset: SQLite files."
    )
    ui_url: str = Field(
        "http://127.0.0.1:3000", description="Where the web UI is reached, for links in alerts."
    )
    alert_webhook: SecretStr | None = Field(
        None, description="URL that failures are posted to as JSON; unset: none are posted."
    )
    alert_email: str | None = Field(
        None, description="Who is told of failures, parted by commas; needs `smtp_url`."
    )
    smtp_url: SecretStr | None = Field(
        None, description="Mail server, smtp[s]://user:password@host:port."
    )

    @field_validator("champion")
    @classmethod
    def _champion_is_a_model(cls, name: str | None) -> str | None:
        if name is not None and name not in MODELS:
            raise ValueError(f"no such model, expected one of {', '.join(MODELS)}")
        return name

    @field_validator("accept_drift")
    @classmethod
    def _drift_is_named_with_a_reason(cls, said: str | None) -> str | None:
        if said is not None:
            Acceptance.parsed(said)
        return said

    @field_validator(*_SCHEMES)
    @classmethod
    def _url_is_of_a_known_kind(
        cls, url: SecretStr | str | None, said: ValidationInfo
    ) -> SecretStr | str | None:
        known = _SCHEMES[str(said.field_name)]
        plain = url.get_secret_value() if isinstance(url, SecretStr) else url
        if plain is not None and plain.partition("://")[0] not in known:
            raise ValueError(f"expected a URL that begins with {' or '.join(known)}://")
        return url

    @property
    def accepted_drift(self) -> Acceptance | None:
        """The change that an operator accepts.

        Raises:
            BadInputError: it is not named, or the reason is missing.
        """
        if self.accept_drift is None:
            return None
        try:
            return Acceptance.parsed(self.accept_drift)
        except ValueError as problem:
            raise BadInputError(f"--accept-drift is {self.accept_drift!r}: {problem}") from None

    def require_champion_among(self, models: Container[str]) -> None:
        """Refuses a champion that does not compete.

        Raises:
            BadInputError: it is not among `models`.
        """
        if self.champion is not None and self.champion not in models:
            raise BadInputError(
                f"LASTFM_CHAMPION is {self.champion}, which LASTFM_MODELS leaves out; name it "
                "there, or unset one of them"
            )

    def require_searchable_among(self, models: Iterable[str]) -> None:
        """Refuses an approximate search that could never take place.

        Where it can, and another model becomes the champion, lists are ranked exactly.

        Args:
            models: names of those that compete.

        Raises:
            BadInputError: no model that may serve can be searched approximately, or the engine
                ranks exactly only.
        """
        if self.search == "exact":
            return
        fitting = [model.name for model in PRODUCTS]
        if self.engine != "local":
            raise BadInputError(
                f"LASTFM_SEARCH is {self.search}, but the {self.engine} engine ranks exactly only; "
                "unset it"
            )
        if self.champion is not None and self.champion not in fitting:
            raise BadInputError(
                f"LASTFM_SEARCH is {self.search}, but LASTFM_CHAMPION is {self.champion}, which "
                f"can only be ranked exactly; pin one of {', '.join(fitting)}, or unset one of them"
            )
        if not set(fitting).intersection(models):
            raise BadInputError(
                f"LASTFM_SEARCH is {self.search}, but LASTFM_MODELS has none of "
                f"{', '.join(fitting)}, and all others can only be ranked exactly; name one of "
                "these there, or unset LASTFM_SEARCH"
            )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Reads the variables that are set and not empty.

        Raises:
            BadInputError: one of them has a value that cannot be used.
        """
        environment = os.environ if environment is None else environment
        given = {
            name: environment[PREFIX + name.upper()].strip()
            for name in cls.model_fields
            if environment.get(PREFIX + name.upper(), "").strip()
        }
        try:
            return cls.model_validate(given)
        except ValidationError as problem:
            first = problem.errors()[0]
            field = str(first["loc"][0])
            secret = cls.model_fields[field].annotation == (SecretStr | None)
            found = "set" if secret else repr(first["input"])  # what is secret is never repeated
            said = first["msg"].removeprefix("Value error, ")
            reason = said[0].lower() + said[1:]
            raise BadInputError(
                f"{PREFIX}{field.upper()} is {found}: {reason}; correct it or unset it"
            ) from None
