"""What readers see, as a refresh is compared with it: the last published version, its data too.

A version knows the run that made its lists, and a rollback keeps that; so profiles are kept by
run, and the one of whatever readers see is found, also after a rollback.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from lastfm_assets.errors import StoreError, may_be_read_later
from lastfm_assets.io import Store
from lastfm_assets.listening.profile import PROFILE
from lastfm_assets.parts import is_there
from lastfm_assets.recommendations.drift import compared_with, drift_table, first_drift
from lastfm_assets.recommendations.overlap import Overlap
from lastfm_assets.recommendations.published import PublishedLists
from lastfm_assets.recommendations.versions import About, Publication, Version
from lastfm_assets.sources.hetrec import SAMPLE_NAME
from lastfm_assets.vocabulary import Columns

PROFILES: Final = ("recommendations", "published_profiles")
_PROFILE: Final = ("listening", "profile")
_LISTS: Final = ("recommendations", "top_artists")
_DRIFT: Final = ("recommendations", "drift")
_RUN: Final = "run_id"
_ACCEPTED: Final = "accepted"
_KEPT: Final = (_RUN, _ACCEPTED, *PROFILE)
_PAIR: Final = [Columns.USER, Columns.ARTIST]
Compare = Callable[[Version], Overlap | None]
"""Compares the lists of a version with those at hand; None where they cannot be read."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What readers see."""

    version: Version
    profile: pd.DataFrame | None
    """Of the data that its lists were made from; None where nobody has kept it."""


def reference_in(store: Store, source: str) -> Reference | None:
    """What a refresh is compared with; None where lists of the source are something new.

    The sample only stands in for a source, so that nothing is compared with lists made from it but
    those of the sample. Any other source is compared, whatever it is called: a source is taken for
    another one more easily by mistake than on purpose.

    Args:
        store: whose readers.
        source: name of the source of the lists at hand.

    Raises:
        StoreError: something is published and cannot be read.
    """
    if not _is_published(store):
        return None
    version = PublishedLists(store.root).last_known()
    if version.source == SAMPLE_NAME != source:
        return None
    kept = profiles_in(store)
    rows = kept.loc[kept[_RUN] == version.run_id, list(PROFILE)]
    return Reference(version, rows.reset_index(drop=True) if len(rows) else None)


def profiles_in(store: Store) -> pd.DataFrame:
    """Profiles by the run whose lists they belong to; none where they are damaged or missing.

    They cannot be made again, and must not keep a store from being mended: what is not known is
    not compared, and the next version has a profile again.

    Raises:
        StoreError: the store does not give them now; they would be lost if others were written.
    """
    try:
        kept = store.read(PROFILES, pd.DataFrame)
    except StoreError as problem:
        if may_be_read_later(problem):
            raise
        kept = None
    if kept is None or not set(_KEPT) <= set(kept.columns):
        types = {_RUN: "str", _ACCEPTED: "str", "figure": "str", "bin": "int64", "count": "int64"}
        return pd.DataFrame({name: pd.Series(dtype=types[name]) for name in _KEPT})
    return kept


def with_profile(
    publish: Callable[[], Publication],
    store: Store,
    profile: pd.DataFrame,
    *,
    about: About,
    accepted: str,
) -> Publication:
    """Publishes, and keeps what the data of the lists looks like beside them.

    The profile is kept before: who is killed in between leaves one too many, which the next
    publication removes, and never lists without one. Where readers see these lists already, they
    are of this data from now on, too.

    Args:
        publish: shows readers the lists.
        store: where.
        profile: of the data that the lists were made from, see `listening.profile.profile`.
        about: what they were made by.
        accepted: why an operator has accepted them; empty: nobody had to.

    Raises:
        StoreError: the store cannot be written to; readers see what they saw before.
    """
    runs = _runs_published(store)

    def keep(run_id: str) -> None:
        """Keeps the profile beside those of the runs whose lists are in the history."""
        kept = profiles_in(store)
        own = kept[_RUN] == run_id
        said = accepted or next(iter(kept.loc[own, _ACCEPTED]), "")
        others = kept[~own & kept[_RUN].isin(runs)]
        rows = profile.assign(**{_RUN: run_id, _ACCEPTED: said})[list(_KEPT)]
        table = pd.concat([others, rows], ignore_index=True)
        table = table.astype({_RUN: "str", _ACCEPTED: "str"})
        table = table.sort_values(_RUN, kind="stable", ignore_index=True)
        store.write(PROFILES, table, source=about.source)

    keep(about.run_id)
    publication = publish()
    if publication.outcome == "unchanged":
        keep(publication.version.run_id)
    return publication


def _runs_published(store: Store) -> list[str]:
    """Runs whose lists readers have seen."""
    there = _is_published(store)
    return (
        [version.run_id for version in PublishedLists(store.root).history(thoroughly=False)]
        if there
        else []
    )


def _is_published(store: Store) -> bool:
    return is_there(PublishedLists(store.root).place)


def compared(store: Store, compare: Compare) -> pd.DataFrame:
    """Data and lists at hand against what readers see: `drift.DRIFT`.

    Args:
        store: with a profile of the data and lists.
        compare: compares lists.

    Raises:
        StoreError: one of them, or what is published, cannot be read.
    """
    profile = store.read(_PROFILE, pd.DataFrame)
    reference = reference_in(store, store.source_of(_LISTS, pd.DataFrame))
    if reference is None:
        return first_drift(profile)
    version = reference.version
    return drift_table(reference.profile, profile, compare(version), against=version.number)


def drift_now(store: Store, compare: Compare) -> pd.DataFrame:
    """As `compared`, taken from the store where the table there is of the same three.

    Readers may see another version since: one that was published, or rolled back to.
    """
    made_from = {
        "/".join(key): store.stamp(key, pd.DataFrame).version for key in (_PROFILE, _LISTS)
    }
    if store.has(_DRIFT, pd.DataFrame):
        table, stamp = store.read_with_stamp(_DRIFT, pd.DataFrame)
        reference = reference_in(store, store.source_of(_LISTS, pd.DataFrame))
        number = None if reference is None else reference.version.number
        if dict(stamp.origin.inputs) == made_from and compared_with(table) == number:
            return table
    return compared(store, compare)


def local_overlap(store: Store) -> Compare:
    """Compares lists on this machine, by users and artists alone."""

    def compare(version: Version) -> Overlap | None:
        try:
            before = PublishedLists(store.root).pairs_of(version)
        except StoreError as problem:
            if may_be_read_later(problem):  # uncompared, whatever they are would pass
                raise
            return None  # damaged: they are published again, if those at hand are fit to be
        now = store.columns(_LISTS, _PAIR)
        return Overlap.of_lists(before, (_ids(now, Columns.USER), _ids(now, Columns.ARTIST)))

    return compare


def _ids(table: pd.DataFrame, column: str) -> npt.NDArray[np.int64]:
    return table[column].to_numpy(np.int64)
