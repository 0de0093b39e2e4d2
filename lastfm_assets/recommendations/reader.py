"""Reads the published lists, and asks the serving model for what they do not hold."""

import difflib
import re
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
import scipy.sparse as sps

from lastfm_assets.errors import BadInputError, StoreError
from lastfm_assets.evaluation.exchange import read_table
from lastfm_assets.io import Store
from lastfm_assets.listening.about import About
from lastfm_assets.listening.clean import MOST_PLAYS
from lastfm_assets.listening.keys import Kind, id_of, ids_of, key_column, keys_of
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.models.trained import TrainedModel
from lastfm_assets.recommendations.lists import (
    LENGTH,
    as_table,
    similar_artists,
    top_artists_of_listener,
)
from lastfm_assets.recommendations.names import about_in, keys_in
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.versions import Version
from lastfm_assets.vocabulary import Columns

_SIMILAR = ("recommendations", "similar_artists")
_SIMILAR_USERS = ("recommendations", "similar_users")


@dataclass(frozen=True, slots=True)
class Lists:
    """What a store's readers may see."""

    store: Store
    version: Version
    """Which lists they are: those that were published when this was opened."""
    about: About
    """What that source recommends, and what its ids are."""
    keys: pd.DataFrame
    """See `listening.keys`."""

    @classmethod
    def open(cls, location: str) -> Self:
        """Opens the store's published lists.

        Raises:
            StoreError: nothing has been published there.
        """
        store = Store(location)
        version = PublishedLists(store.root).version()
        return cls(store, version, about_in(store), keys_in(store))

    @property
    def source(self) -> str:
        """Name of the source that the published lists were made from."""
        return self.version.source

    def of_user(self, user: str, n: int) -> pd.DataFrame:
        """One user's best artists: as published, or ranked again where more are asked for.

        Args:
            user: the id that the source gives them.
            n: how many artists.

        Raises:
            BadInputError: no list is published for that user.
        """
        user_id = self._user_id(user)
        if user_id is None or abs(user_id) >= 2**63:
            raise self._no_list(user)
        rows = self._published.of_users([user_id], self.version)
        if rows.empty:
            raise self._no_list(user)
        if n <= LENGTH:
            return rows.head(n)
        model, matrix, names = self._serving()
        row = matrix.rows_of(np.array([user_id]))
        ranked = model.rank(row, n=n, leave_out=matrix.plays)
        return as_table(model, matrix.plays[row], ranked, np.array([user_id]), names)

    def of_plays(self, content: bytes, name: str, n: int) -> tuple[pd.DataFrame, int]:
        """The best artists for a listener who is not in the source.

        Args:
            content: CSV with the header `artist_id` or `artist_name`, and `plays` (else 1).
            name: its name, for messages.
            n: how many artists.

        Returns:
            The list, and how many rows could not be used.

        Raises:
            BadInputError: it is no such file, or names no artist of the catalogue.
        """
        model, _, names = self._serving()
        columns, counts, unused = _read_plays(content, name, names, self.keys)
        plays = sps.coo_array(
            (counts, (np.zeros(len(columns), dtype=np.int64), columns)), shape=(1, len(names))
        ).tocsr()
        return top_artists_of_listener(model, plays, names, n=n), unused

    def similar_users(self, user: str, n: int) -> pd.DataFrame:
        """The users who play most like one.

        Raises:
            BadInputError: no such user has neighbours.
            StoreError: nobody has made the table of similar users.
        """
        if not self.store.has(_SIMILAR_USERS, pd.DataFrame):
            raise StoreError(
                "similar users are a study, which no refresh makes; run `lastfm-assets refresh "
                "--select recommendations/similar_users`"
            )
        table = self.store.read(_SIMILAR_USERS, pd.DataFrame)
        rows = table[table[Columns.TO_USER] == self._user_id(user)]
        if rows.empty:
            raise self._no_list(user)
        if n > LENGTH:
            raise BadInputError(
                f"-n is {n}; {LENGTH} similar users are kept of each, ask for those"
            )
        return rows.head(n)

    def with_keys(self, table: pd.DataFrame) -> pd.DataFrame:
        """A table for people: beside each id of ours the source's own, where that is text."""
        kinds: dict[str, Kind] = {Columns.USER: "user", Columns.ARTIST: "artist"}
        for column, kind in kinds.items():
            ids = self.keys.loc[self.keys[Columns.KIND] == kind, Columns.ID]
            if column in table and table[column].isin(ids).any():
                own = keys_of(table[column].to_numpy(), self.keys, kind)
                table = table.assign(**{key_column(column): own.to_numpy()})
        return table

    def _user_id(self, user: str) -> int | None:
        """Number of a user by the id that the source gives; None where it has no such user."""
        known = id_of(user, self.keys, "user")
        if known is not None or self.about.ids == "text":
            return known
        # int() takes 1_0 and the digits of other scripts for numbers
        digits = re.fullmatch(r"\s*([+-]?[0-9]{1,30})\s*", user)
        if digits is None:
            raise BadInputError(f"--user is {user[:80]!r}, expected a whole number")
        return int(digits[1])

    def _no_list(self, user: str) -> BadInputError:
        users = self._published.user_ids(self.version)
        known = keys_of(users[[0, -1]], self.keys, "user")
        return BadInputError(
            f"user {user[:80]} has no list; expected one of {len(users):,} users with ids "
            f"such as {known.iloc[0]} and {known.iloc[1]}, or --plays FILE for somebody else"
        )

    def similar_to(self, artist: str, n: int) -> pd.DataFrame:
        """The artists nearest to one, named by id or by name.

        Raises:
            BadInputError: the catalogue has no such artist.
        """
        artists = self.store.read(("listening", "artists"), pd.DataFrame)
        artist_id = id_of(artist, self.keys, "artist")
        if artist_id is None:
            artist_id = _find(artist, artists, self.about.item)
        if n <= LENGTH:
            table = self.store.read(_SIMILAR, pd.DataFrame)
        else:
            _, matrix, names = self._serving()
            table = similar_artists(matrix, names, n=n)
        return table[table[Columns.TO_ARTIST] == artist_id].head(n)

    @property
    def _published(self) -> PublishedLists:
        return PublishedLists(self.store.root)

    def _serving(self) -> tuple[TrainedModel, ListeningMatrix, pd.Series]:
        """The model behind the lists with its plays and names."""
        model = self.store.read(("recommendations", "serving_model"), TrainedModel)
        interactions = self.store.read(("listening", "interactions"), pd.DataFrame)
        artists = self.store.read(("listening", "artists"), pd.DataFrame)
        matrix = ListeningMatrix.from_pairs(interactions, artists[Columns.ARTIST].to_numpy())
        if model.data != matrix.fingerprint:
            raise StoreError(
                "the serving model is of other plays than those in the store; run "
                "`lastfm-assets refresh`"
            )
        return model, matrix, artists.set_index(Columns.ARTIST)[Columns.NAME]


def _find(artist: str, artists: pd.DataFrame, item: str) -> int:
    """Id of an artist given by id or by name, capitals or not."""
    known = artists[Columns.ARTIST]
    if artist.isascii() and artist.isdigit() and known.astype("str").eq(artist).any():
        return int(artist)
    folded = artists[Columns.NAME].str.casefold()
    artist = artist.encode(errors="replace").decode()  # a terminal may hand in any bytes
    named = artists.loc[folded == artist.casefold(), Columns.ARTIST]
    if len(named):
        return int(named.iloc[0])
    near = difflib.get_close_matches(artist.casefold(), folded.tolist(), n=3)
    meant = artists.loc[folded.isin(near), Columns.NAME].tolist()
    hint = f"; did you mean {', '.join(meant)}?" if meant else "; name one as the source spells it"
    raise BadInputError(
        f"no {item} {artist[:80]!r} among the {len(artists):,} of the catalogue{hint}"
    )


def _read_plays(
    content: bytes, name: str, names: pd.Series, keys: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, int]:
    """Columns of the catalogue, plays, and how many rows were of no use, from a listener's CSV."""
    expected = "CSV with the header artist_id,plays or artist_name,plays"
    table = read_table(content, name, expected)
    place = pd.Series(np.arange(len(names)), index=names.index)
    if Columns.ARTIST in table.columns:
        if (keys[Columns.KIND] == "artist").any():
            ids = ids_of(table[Columns.ARTIST].str.strip(), keys, "artist")
        else:
            text = table[Columns.ARTIST].str.strip()
            ids = text.where(text.str.fullmatch(r"-?[0-9]{1,18}")).astype("Int64")
        column = ids.map(place)
    elif Columns.NAME in table.columns:
        folded = pd.Series(np.arange(len(names)), index=names.str.casefold())
        folded = folded[~folded.index.duplicated()]
        column = table[Columns.NAME].str.strip().str.casefold().map(folded)
    else:
        raise BadInputError(
            f"{name}: the header is {','.join(table.columns)[:80]!r}; expected {expected}"
        )
    if Columns.PLAYS in table.columns:
        counts = pd.to_numeric(table[Columns.PLAYS], errors="coerce")
    else:
        counts = pd.Series(1.0, index=table.index)
    usable = column.notna() & (counts > 0) & (counts <= MOST_PLAYS)
    if not usable.any():
        raise BadInputError(
            f"{name}: none of its {len(table)} rows names an artist of the catalogue with plays "
            f"above zero; expected {expected}"
        )
    summed = counts[usable].groupby(column[usable].astype("int64")).sum()
    return summed.index.to_numpy(), summed.to_numpy(np.float32), int((~usable).sum())
