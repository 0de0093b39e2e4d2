"""Raw tables to clean ones; every row that is refused is kept with its file, line and reason."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.about import About
from lastfm_assets.listening.blocks import positions_in, whole
from lastfm_assets.listening.pairs import Pairs
from lastfm_assets.listening.tables import (
    ARTISTS,
    FRIENDS,
    TAGGED_ARTISTS,
    TAGS,
    USER_ARTISTS,
    RawTable,
)
from lastfm_assets.vocabulary import Columns

LONGEST_TEXT: Final = 500
"""Characters of a name or a tag; Last.fm's own limit is 250, longer ones are noise."""
MOST_PLAYS: Final = 1_000_000_000
"""Plays of one artist by one user: a play a second for thirty years stays below it."""
FIRST_YEAR: Final = 2002
"""Audioscrobbler, which became Last.fm, opened in 2002; an earlier tag date is impossible."""
LAST_YEAR: Final = 2100
"""A bound against typing errors; the true end is unknown without reading the clock."""
MERGED: Final = "duplicate pair, plays added to its first line"
"""The one reason that loses nothing: the row's plays are kept."""
_GOOD: Final = np.int8(-1)
"""In the place of a reason: there is none."""
_AS_READ: Final = np.int8(-2)
"""In the place of a reason: the one that the row was read with."""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RawTables:
    """The five raw tables, as `parse` returns them."""

    artists: pd.DataFrame
    user_artists: pd.DataFrame
    tags: pd.DataFrame
    tagged_artists: pd.DataFrame
    friends: pd.DataFrame


@dataclass(frozen=True, slots=True)
class CleanTables:
    """What the rest of the chain works on; every id refers to a row that exists."""

    interactions: pd.DataFrame
    """`user_id, artist_id, plays` (int64): one row a pair, plays >= 1, ordered by pair; and, where
    plays have a time, `first_played, last_played` (UTC)."""
    artists: pd.DataFrame
    """`artist_id, artist_name, url, picture_url`, ordered by id: the catalogue."""
    tag_assignments: pd.DataFrame
    """`user_id, artist_id, tag_id, tag, date`: who called what how, and when."""
    friendships: pd.DataFrame
    """`user_id, friend_id`: each pair in the directions that the source gives."""
    rejected_rows: pd.DataFrame
    """`file, line, text, reason`: every row that is not in a table above."""
    plays: pd.DataFrame | None = None
    """See `plays_in_time`."""


_HETREC: Final = About("custom")
"""Counts without times, ids that are numbers."""


def clean(raw: RawTables, about: About = _HETREC) -> CleanTables:
    """Refuses what cannot be true, and sums what was written twice.

    Args:
        raw: the five tables as parsed.
        about: what their source says of itself.

    Returns:
        The clean tables and the rows refused, each with the first reason that held against it.

    Raises:
        BadInputError: no artist or no pair is left.
    """
    artists, bad_artists = _artists(raw.artists)
    interactions, bad_plays = _interactions(
        raw.user_artists, artists, comes_again=about.one_row_a_play or about.timed
    )
    if interactions.empty:
        reasons = pd.concat([bad_artists, bad_plays])[Columns.REASON].value_counts()
        raise BadInputError(
            f"{len(raw.user_artists)} lines of plays were found and all were refused (most often: "
            f"{reasons.index[0]}); expected user, artist and plays above zero; replace the files"
        )
    tags, bad_tags = _tags(raw.tags)
    assignments, bad_assignments = _tag_assignments(raw.tagged_artists, artists, tags)
    friendships, bad_friends = _friendships(raw.friends, interactions)
    refused = [bad_artists, bad_plays, bad_tags, bad_assignments, bad_friends]
    return CleanTables(
        interactions=interactions,
        artists=artists,
        tag_assignments=assignments,
        friendships=friendships,
        rejected_rows=pd.concat(refused, ignore_index=True),
        plays=plays_in_time(raw.user_artists),
    )


def plays_in_time(user_artists: pd.DataFrame) -> pd.DataFrame | None:
    """When what was played how often, a row a row that can be used.

    Args:
        user_artists: the raw table.

    Returns:
        `user_id, artist_id, plays` (int64) and `played_at`; None where plays have no time.
    """
    if Columns.PLAYED_AT not in user_artists:
        return None
    used = user_artists[Columns.REASON].isna() & user_artists[Columns.PLAYS].between(1, MOST_PLAYS)
    columns = [Columns.USER, Columns.ARTIST, Columns.PLAYS]
    plays = user_artists.loc[used, [*columns, Columns.PLAYED_AT]]
    return plays.astype(dict.fromkeys(columns, "int64")).reset_index(drop=True)


def refused_share(rejected_rows: pd.DataFrame, n_rows: int) -> float:
    """Share of `n_rows` raw rows that were lost; duplicates whose plays were kept do not count."""
    lost = int((rejected_rows[Columns.REASON] != MERGED).sum())
    return lost / n_rows if n_rows else 0.0


class _Rows:
    """The rows of one raw table on their way through the refusals."""

    def __init__(self, raw: pd.DataFrame, table: RawTable) -> None:
        self._raw = raw
        self._table = table
        self._reasons: list[str] = []
        self._why = np.where(raw[Columns.REASON].notna(), _AS_READ, _GOOD)
        for field in table.fields:
            if field.kind == "text" and field.required:
                length = raw[field.column].str.len()
                self.refuse(length == 0, f"{field.header} is empty")
                self.refuse(length > LONGEST_TEXT, f"{field.header} is overlong")

    def refuse(self, rows: "pd.Series[bool] | Flags", reason: str) -> None:
        """Notes a reason against those rows that have none yet."""
        if isinstance(rows, pd.Series):
            rows = rows.fillna(value=False).to_numpy(dtype=bool)
        self._why[rows & (self._why == _GOOD)] = len(self._reasons)
        self._reasons.append(reason)

    def good(self) -> Flags:
        """(n,) which rows have no reason against them."""
        return np.asarray(self._why == _GOOD)

    def kept(self) -> pd.DataFrame:
        """Rows without a reason against them, in file order."""
        return self._raw[self.good()]

    def rejected(self) -> pd.DataFrame:
        """Rows refused so far: file (without ending), line, text and reason."""
        at = np.flatnonzero(~self.good())
        rows = self._raw.iloc[at]
        fields = [field.column for field in self._table.fields]
        values = rows[fields].astype("string").fillna("").itertuples(index=False)
        written = pd.Series(["\t".join(row) for row in values], index=rows.index, dtype="str")
        # both constants are negative: a row that came with a reason takes None, and then its own
        said = np.array([*self._reasons, None, None], dtype=object)[self._why[at]]
        reasons = pd.Series(said, index=rows.index, dtype="str")
        return pd.DataFrame(
            {
                Columns.FILE: pd.Series(self._table.stem, index=rows.index, dtype="str"),
                Columns.LINE: rows[Columns.LINE],
                Columns.TEXT: rows[Columns.TEXT].where(rows[Columns.TEXT].notna(), written),
                Columns.REASON: reasons.where(reasons.notna(), rows[Columns.REASON]),
            }
        )


def _artists(raw: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = _Rows(raw, ARTISTS)
    repeated = rows.kept()[Columns.ARTIST].duplicated()
    rows.refuse(repeated.reindex(raw.index), "duplicate artist id")
    columns = [Columns.ARTIST, Columns.NAME, Columns.URL, Columns.PICTURE]
    artists = rows.kept()[columns].astype({Columns.ARTIST: "int64"})
    return artists.sort_values(Columns.ARTIST, ignore_index=True), rows.rejected()


def _interactions(
    raw: pd.DataFrame, artists: pd.DataFrame, *, comes_again: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = _Rows(raw, USER_ARTISTS)
    rows.refuse(raw[Columns.PLAYS] <= 0, "plays not above zero")
    rows.refuse(raw[Columns.PLAYS] > MOST_PLAYS, f"plays above {MOST_PLAYS}")
    catalogue = artists[Columns.ARTIST].to_numpy(np.int64)
    artist_rows = positions_in(catalogue, raw[Columns.ARTIST])
    rows.refuse(artist_rows < 0, "unknown artist")
    good = rows.good()
    pairs = Pairs.of(_only(whole(raw[Columns.USER]), good), _only(artist_rows, good), catalogue)
    del artist_rows
    if not comes_again:  # else it is no mistake
        again = np.zeros(len(raw), dtype=bool)
        again[np.flatnonzero(good)[pairs.repeated()] if pairs.comes_again else []] = True
        rows.refuse(again, MERGED)
    plays = pairs.reduced(_only(whole(raw[Columns.PLAYS]), good), np.add)
    taken: dict[str, Any] = {Columns.PLAYS: np.minimum(plays, MOST_PLAYS, out=plays)}
    if Columns.PLAYED_AT in raw:
        moments = _only(raw[Columns.PLAYED_AT].to_numpy(), good)
        taken[Columns.FIRST_PLAYED] = pairs.reduced(moments, np.minimum)
        taken[Columns.LAST_PLAYED] = pairs.reduced(moments, np.maximum)
    return pd.DataFrame(pairs.named() | taken, copy=False), rows.rejected()


def _only(values: npt.NDArray[Any], good: Flags) -> npt.NDArray[Any]:
    """The good ones of (n,) values; the array itself where all are."""
    return values if good.all() else values[good]


def _tags(raw: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = _Rows(raw, TAGS)
    repeated = rows.kept()[Columns.TAG].duplicated()
    rows.refuse(repeated.reindex(raw.index), "duplicate tag id")
    tags = rows.kept()[[Columns.TAG, Columns.TAG_VALUE]].astype({Columns.TAG: "int64"})
    return tags, rows.rejected()


def _tag_assignments(
    raw: pd.DataFrame, artists: pd.DataFrame, tags: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = _Rows(raw, TAGGED_ARTISTS)
    date = pd.to_datetime(
        raw[[Columns.YEAR, Columns.MONTH, Columns.DAY]].astype("float64"), errors="coerce"
    )
    year = raw[Columns.YEAR]
    impossible = date.isna() | (year < FIRST_YEAR) | (year > LAST_YEAR)
    rows.refuse(impossible, "impossible date")
    rows.refuse(~raw[Columns.ARTIST].isin(artists[Columns.ARTIST]), "unknown artist")
    rows.refuse(~raw[Columns.TAG].isin(tags[Columns.TAG]), "unknown tag")
    key = [Columns.USER, Columns.ARTIST, Columns.TAG]
    rows.refuse(rows.kept().duplicated(key).reindex(raw.index), "duplicate tag assignment")
    kept = rows.kept()[key].astype("int64")
    kept[Columns.DATE] = date[kept.index].astype("datetime64[s]")
    named = kept.merge(tags, on=Columns.TAG, how="left")
    ordered = named.sort_values([*key, Columns.DATE], ignore_index=True)
    return ordered[[*key, Columns.TAG_VALUE, Columns.DATE]], rows.rejected()


def _friendships(
    raw: pd.DataFrame, interactions: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = _Rows(raw, FRIENDS)
    pair = [Columns.USER, Columns.FRIEND]
    known = raw[pair].isin(interactions[Columns.USER].unique()).all(axis=1)
    rows.refuse(raw[Columns.USER] == raw[Columns.FRIEND], "a friend of oneself")
    rows.refuse(~known, "unknown user")
    rows.refuse(rows.kept().duplicated(pair).reindex(raw.index), "duplicate friendship")
    kept = rows.kept()[pair].astype("int64").sort_values(pair, ignore_index=True)
    return kept, rows.rejected()
