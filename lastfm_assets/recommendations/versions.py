"""What a version of the published lists is, and which of them a rollback may bring back."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from lastfm_assets.errors import BadInputError

RETENTION: Final = timedelta(days=30)
"""A version can be restored until this long after it was replaced; then its files go."""
DAMAGE: Final = "damage"
"""Key under which a commit that cannot be read says what is wrong with it."""
_ACTION: Final = "lastfm_action"
"""Key of a commit's metadata by which our publications are told from a table's upkeep."""
_AT: Final = "published_at"
"""Key of the moment, in milliseconds since 1970, as the log's own may be changed unseen."""
_LISTED: Final = 10
"""Versions that a message names at most."""

Action = Literal["published", "rolled back"]
Outcome = Literal["published", "unchanged", "held"]
"""`unchanged`: readers see these lists already; `held`: an operator has rolled them back."""


@dataclass(frozen=True, slots=True)
class About:
    """What lists were made by."""

    model: str
    source: str
    precision: float
    """Held-out precision@10 of the model, 0 to 1."""
    run_id: str


@dataclass(frozen=True, slots=True)
class Version:
    """One state of the published lists."""

    number: int
    """Version of the Delta table; numbers rise, and the table's upkeep uses some of them."""
    published_at: datetime
    """When readers began to see it, UTC."""
    action: Action
    model: str
    source: str
    precision: float
    users: int
    rows: int
    content: str
    """SHA-256 (hex) of the lists, equal for equal lists."""
    run_id: str
    """The run that made the lists."""
    restored: int | None = None
    """Number of the version that a rollback brought back."""
    restorable: bool = True
    """Whether its lists can still be read."""
    held: tuple[str, ...] = ()
    """Hashes of lists that were rolled back from, which no run may publish again."""
    damage: str = ""
    """What of it is not as it was written, empty where nothing is known to be."""

    @property
    def in_words(self) -> str:
        """What was done, and whether it can be gone back to."""
        said = self.action if self.restored is None else f"rolled back to {self.restored}"
        if self.damage:
            return f"{said}; it cannot be brought back: {self.damage}"
        return said if self.restorable else f"{said}; its files have expired"


@dataclass(frozen=True, slots=True)
class Publication:
    """How a publication ended, and the version that readers see now."""

    outcome: Outcome
    version: Version


def metadata_of_publication(
    about: About, *, at: datetime, users: int, rows: int, content: str
) -> dict[str, str | int]:
    """What a commit says of the lists that it publishes; see `versions_of` for the way back."""
    return {
        _ACTION: "published",
        _AT: int(at.timestamp() * 1000),
        **asdict(about),
        "precision": repr(about.precision),  # as a number it would lose its last digits
        "users": users,
        "rows": rows,
        "content": content,
    }


def metadata_of_rollback(target: Version, now: Version, at: datetime) -> dict[str, str | int]:
    """What a commit says that brings `target` back in the place of `now` at a moment.

    All lists that a chain of rollbacks has left are held, but not those that it came back to.
    """
    said = metadata_of_publication(
        About(target.model, target.source, target.precision, target.run_id),
        at=at,
        users=target.users,
        rows=target.rows,
        content=target.content,
    )
    held = {*now.held, now.content} - {target.content}
    return {
        **said,
        _ACTION: "rolled back",
        "restored": target.number,
        "held": " ".join(sorted(held)),
    }


def is_ours(commit: Mapping[str, Any]) -> bool:
    """Whether a commit is a publication or a rollback, not a table's upkeep."""
    return _ACTION in commit


def versions_of(commits: Iterable[Mapping[str, Any]]) -> Iterator[Version]:
    """The publications and rollbacks among a Delta table's commits, in their order.

    Args:
        commits: as `delta.commits` gives them.

    Raises:
        KeyError, ValueError, TypeError: a commit that says it is ours is none.
    """
    for commit in commits:
        if DAMAGE in commit:
            yield _damaged(commit)
        elif is_ours(commit):
            yield version_of_commit(commit)


def version_of_commit(commit: Mapping[str, Any]) -> Version:
    """What a commit of ours makes readers see; raises as `versions_of`."""
    restored = commit.get("restored")
    action: Action = "published" if commit[_ACTION] == "published" else "rolled back"
    return Version(
        number=int(commit["version"]),
        published_at=datetime.fromtimestamp(commit.get(_AT, commit["timestamp"]) / 1000, UTC),
        action=action,
        model=str(commit["model"]),
        source=str(commit["source"]),
        precision=float(commit["precision"]),
        users=int(commit["users"]),
        rows=int(commit["rows"]),
        content=str(commit["content"]),
        run_id=str(commit["run_id"]),
        restored=None if restored is None else int(restored),
        held=tuple(str(commit.get("held", "")).split()),
    )


def _damaged(commit: Mapping[str, Any]) -> Version:
    """A version of which nothing but its number is known."""
    return Version(
        number=int(commit["version"]),
        published_at=datetime.fromtimestamp(0, UTC),
        action="published",
        model="unknown",
        source="unknown",
        precision=0.0,
        users=0,
        rows=0,
        content="",
        run_id="",
        restorable=False,
        damage=str(commit[DAMAGE]),
    )


def numbered(number: int, versions: Sequence[Version]) -> Version:
    """The version of that number, if its lists can still be read.

    Raises:
        BadInputError: there is none, or its files have gone.
    """
    found = next((version for version in versions if version.number == number), None)
    if found is None:
        raise BadInputError(f"there is no version {number}; expected {_readable(versions)}")
    if found.damage:
        raise BadInputError(
            f"version {number} cannot be brought back: {found.damage}; expected "
            f"{_readable(versions)}"
        )
    if not found.restorable:
        raise BadInputError(
            f"version {number} can no longer be read: its files went {RETENTION.days} days after "
            f"it was replaced; expected {_readable(versions)}"
        )
    return found


def chosen_for_rollback(to: int | None, versions: Sequence[Version]) -> Version:
    """The version to bring back.

    Args:
        to: its number; None: the newest whose lists differ from the present ones.
        versions: newest first, the present one at the head.

    Raises:
        BadInputError: there is no such version, its files have gone, or readers see its lists.
    """
    now = versions[0]
    if to is not None:
        found = numbered(to, versions)
        if found.content == now.content:
            raise BadInputError(
                f"version {to} holds the lists that readers see already; expected one with "
                "others, see the history"
            )
        return found
    others = (v for v in versions if v.restorable and v.content != now.content)
    target = next(others, None)
    if target is None:
        raise BadInputError(
            f"there is nothing to go back to: version {now.number} is the only one whose lists "
            f"can still be read; they go {RETENTION.days} days after they are replaced"
        )
    return target


def _readable(versions: Iterable[Version]) -> str:
    numbers = [str(version.number) for version in versions if version.restorable]
    more = f" and {len(numbers) - _LISTED} older" if len(numbers) > _LISTED else ""
    return f"one of {', '.join(numbers[:_LISTED])}{more}"
