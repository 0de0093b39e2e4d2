"""What must be true of raw and cleaned tables, the split and the matrix."""

from typing import Final

import numpy as np
import pandas as pd

from lastfm_assets.findings import Finding, Rule, no_violations
from lastfm_assets.listening.about import About
from lastfm_assets.listening.blocks import ranked
from lastfm_assets.listening.clean import (
    FIRST_YEAR,
    LAST_YEAR,
    LONGEST_TEXT,
    MERGED,
    MOST_PLAYS,
)
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.profile import (
    ARTISTS_OF_A_USER,
    PLAYS_OF_A_PAIR,
    SAMPLED,
    SAMPLED_ARTIST,
    rows_of,
    total,
)
from lastfm_assets.listening.split import HELD_OUT_SHARE, VALIDATION_SHARE
from lastfm_assets.vocabulary import PARTS, Columns

MAX_REFUSED_SHARE: Final = 0.05
"""Share of a file's rows that cleaning may refuse; more means that the source is broken."""
_PAIR: Final = [Columns.USER, Columns.ARTIST]
_PLAIN: Final = [*_PAIR, Columns.PLAYS]
_TIMED: Final = [*_PLAIN, Columns.FIRST_PLAYED, Columns.LAST_PLAYED]


def _doubled(table: pd.DataFrame, *columns: str) -> int:
    """Rows alike in some columns to an earlier row; rows in their order need no looking up."""
    later = np.zeros(max(0, len(table) - 1), dtype=bool)
    for name in reversed(columns):
        values = table[name].to_numpy()
        later &= values[1:] == values[:-1]
        later |= values[1:] > values[:-1]
    return 0 if later.all() else int(table.duplicated(list(columns)).sum())


def lines_are_numbered(raw: pd.DataFrame) -> Finding:
    """Every row has a line of its own, and a reason where its text was kept."""
    unexplained = raw[Columns.TEXT].notna() != raw[Columns.REASON].notna()
    return no_violations(doubled_lines=_doubled(raw, Columns.LINE), unexplained=unexplained.sum())


def has_rows(raw: pd.DataFrame) -> Finding:
    """The file has rows."""
    return Finding(len(raw) > 0, {"rows": len(raw)})


def one_number_a_key(keys: pd.DataFrame) -> Finding:
    """Every number stands for one key of its kind, and every key has one number."""
    return no_violations(
        doubled_numbers=keys.duplicated([Columns.KIND, Columns.ID]).sum(),
        doubled_keys=keys.duplicated([Columns.KIND, Columns.KEY]).sum(),
        empty_keys=(keys[Columns.KEY].str.len() == 0).sum(),
    )


def says_what_it_recommends(about: pd.DataFrame) -> Finding:
    """One row, which names the source and what it recommends."""
    named = (about[["source", "item"]].astype("str") != "").to_numpy().all()
    return no_violations(other_rows=abs(len(about) - 1), nameless=int(not named))


def pairs_are_unique(interactions: pd.DataFrame, artists: pd.DataFrame) -> Finding:
    """One row a pair, no value missing, plays from 1 to the bound."""
    del artists
    outside = ~interactions[Columns.PLAYS].between(1, MOST_PLAYS)
    return no_violations(
        doubled=_doubled(interactions, *_PAIR),
        missing_values=interactions.isna().to_numpy().sum(),
        plays_outside=outside.sum(),
        wrong_columns=int(list(interactions.columns) not in (_PLAIN, _TIMED)),
    )


def played_artists_are_known(interactions: pd.DataFrame, artists: pd.DataFrame) -> Finding:
    """Every artist played is in the catalogue."""
    unknown = ~interactions[Columns.ARTIST].isin(artists[Columns.ARTIST])
    return no_violations(unknown_artists=unknown.sum())


def artists_are_unique(artists: pd.DataFrame) -> Finding:
    """One row an artist, each with a name of sensible length."""
    length = artists[Columns.NAME].str.len()
    return no_violations(
        doubled=artists[Columns.ARTIST].duplicated().sum(),
        nameless=(~length.between(1, LONGEST_TEXT)).sum(),
    )


def tags_refer_to_artists(assignments: pd.DataFrame, artists: pd.DataFrame) -> Finding:
    """Every tagged artist is known, every date possible, no assignment doubled."""
    unknown = ~assignments[Columns.ARTIST].isin(artists[Columns.ARTIST])
    year = assignments[Columns.DATE].dt.year
    return no_violations(
        unknown_artists=unknown.sum(),
        impossible_dates=(~year.between(FIRST_YEAR, LAST_YEAR)).sum(),
        doubled=assignments.duplicated([*_PAIR, Columns.TAG]).sum(),
    )


def friends_are_users(friendships: pd.DataFrame, interactions: pd.DataFrame) -> Finding:
    """Both friends have plays, nobody befriends themselves, no friendship is doubled."""
    users = interactions[Columns.USER].unique()
    pair = [Columns.USER, Columns.FRIEND]
    return no_violations(
        unknown_users=(~friendships[pair].isin(users)).to_numpy().sum(),
        themselves=(friendships[Columns.USER] == friendships[Columns.FRIEND]).sum(),
        doubled=friendships.duplicated(pair).sum(),
    )


def few_rows_refused(rejected: pd.DataFrame, **kept: pd.DataFrame) -> Finding:
    """Cleaning refused at most 5% of the rows of each file."""
    lost = rejected[rejected[Columns.REASON] != MERGED].groupby(Columns.FILE).size()
    shares = {
        stem: int(lost.get(stem, 0)) / max(1, int(lost.get(stem, 0)) + len(kept[table]))
        for stem, table in (
            ("artists", "artists"),
            ("user_taggedartists", "tag_assignments"),
            ("user_friends", "friendships"),
        )
    }
    # pairs may be of many rows: what was read counts
    read = About.from_table(kept["about"]).rows
    shares["user_artists"] = int(lost.get("user_artists", 0)) / max(1, read)
    passed = all(share <= MAX_REFUSED_SHARE for share in shares.values())
    facts = {f"{stem}_refused_share": share for stem, share in shares.items()}
    return Finding(passed, {**facts, "max_refused_share": MAX_REFUSED_SHARE})


def every_refusal_has_a_reason(rejected: pd.DataFrame, **kept: pd.DataFrame) -> Finding:
    """Each refused row names its file, its line and a reason."""
    del kept
    needed = [Columns.FILE, Columns.LINE, Columns.REASON]
    return no_violations(missing=rejected[needed].isna().to_numpy().sum())


def parts_are_disjoint_and_complete(
    split_pairs: pd.DataFrame, interactions: pd.DataFrame
) -> Finding:
    """Every pair is in exactly one part, and every user has something to train on."""
    columns = list(interactions.columns)
    counted = split_pairs[Columns.PLAYS]
    if Columns.FIRST_PLAYED in interactions:  # train counts no play after what is put aside
        columns.remove(Columns.PLAYS)
        odd = ~counted.between(1, interactions[Columns.PLAYS].reindex(counted.index))
    else:
        odd = pd.Series([False])
    same = split_pairs[columns].equals(interactions[columns])
    train = split_pairs.loc[split_pairs[Columns.PART] == "train", Columns.USER]
    return no_violations(
        doubled=_doubled(split_pairs, *_PAIR),
        without_part=(~split_pairs[Columns.PART].isin(PARTS)).sum(),
        differs_from_interactions=int(not same) + int(odd.sum()),
        users_without_train=split_pairs[Columns.USER].nunique() - train.nunique(),
    )


def shares_are_as_asked(split_pairs: pd.DataFrame, interactions: pd.DataFrame) -> Finding:
    """Each user's parts have the sizes asked for, to the nearest pair (train never empty)."""
    del interactions
    users, user_rows = ranked(split_pairs[Columns.USER].to_numpy(np.int64))
    total = np.bincount(user_rows, minlength=len(users))
    off = {}
    for part, share in (("held_out", HELD_OUT_SHARE), ("validation", VALIDATION_SHARE)):
        dealt = (split_pairs[Columns.PART] == part).to_numpy(dtype=bool)
        size = np.bincount(user_rows[dealt], minlength=len(users))
        off[part] = int((np.abs(size - share * total) > 1.0).sum())
    return no_violations(**off)


def held_out_is_last(split_pairs: pd.DataFrame, interactions: pd.DataFrame) -> Finding:
    """Where plays have a time: no user found a train pair after one that is put aside."""
    del interactions
    if Columns.FIRST_PLAYED not in split_pairs:
        return no_violations(users_with_later_train=0, users_with_later_validation=0)
    first, last = (
        split_pairs.pivot_table(
            index=Columns.USER,
            columns=Columns.PART,
            values=Columns.FIRST_PLAYED,
            aggfunc=which,
            observed=False,
            dropna=False,
        )
        for which in ("min", "max")
    )
    later = (last["train"] > first["validation"]) | (last["train"] > first["held_out"])
    return no_violations(
        users_with_later_train=later.sum(),
        users_with_later_validation=(last["validation"] > first["held_out"]).sum(),
    )


def held_out_pairs_are_not_seen(matrix: ListeningMatrix, split_pairs: pd.DataFrame) -> Finding:
    """The matrix holds every train and validation pair and no held-out one."""
    held_out = split_pairs[split_pairs[Columns.PART] == "held_out"]
    rows = matrix.rows_of(held_out[Columns.USER].to_numpy())
    columns = matrix.columns_of(held_out[Columns.ARTIST].to_numpy())
    known = (rows >= 0) & (columns >= 0)
    n_artists = len(matrix.artist_ids)
    firsts = np.arange(len(matrix.user_ids)) * n_artists
    stored = np.repeat(firsts, np.diff(matrix.plays.indptr)) + matrix.plays.indices
    stored.sort()
    wanted = rows[known] * n_artists + columns[known]
    before, upto = (np.searchsorted(stored, wanted, side) for side in ("left", "right"))
    leaked = int((upto > before).sum())
    missing = len(split_pairs) - len(held_out) - matrix.plays.nnz
    return no_violations(leaked=leaked, missing=abs(missing))


def no_tag_of_a_held_out_pair(training_tags: pd.DataFrame, split_pairs: pd.DataFrame) -> Finding:
    """No tag is left that a user gave an artist whose pair is held out."""
    pair = [Columns.USER, Columns.ARTIST]
    held_out = split_pairs.loc[split_pairs[Columns.PART] == "held_out", pair]
    return no_violations(leaked=len(training_tags[pair].merge(held_out, on=pair)))


def weights_are_finite(matrix: ListeningMatrix, split_pairs: pd.DataFrame) -> Finding:
    """Every weight is finite and not negative, and not all are zero."""
    del split_pairs
    usable = np.isfinite(matrix.weights) & (matrix.weights >= 0)
    return no_violations(unusable=(~usable).sum(), all_zero=int(not matrix.weights.any()))


def profile_counts_everything(profile: pd.DataFrame) -> Finding:
    """Histograms count every pair and every user, and as many artists are sampled as there are."""
    figures = ((PLAYS_OF_A_PAIR, "pairs"), (ARTISTS_OF_A_USER, "users"))
    missed = {
        what: total(profile, what) - int(rows_of(profile, of)[1].sum()) for of, what in figures
    }
    sampled = min(total(profile, "artists"), SAMPLED) - len(rows_of(profile, SAMPLED_ARTIST)[0])
    return no_violations(**missed, artists=sampled)


RAW_RULES: Final[list[Rule]] = [lines_are_numbered]
REQUIRED_RAW_RULES: Final[list[Rule]] = [lines_are_numbered, has_rows]
SOURCE_RULES: Final[list[Rule]] = [says_what_it_recommends]
KEY_RULES: Final[list[Rule]] = [one_number_a_key]
INTERACTIONS_RULES: Final[list[Rule]] = [pairs_are_unique, played_artists_are_known]
ARTISTS_RULES: Final[list[Rule]] = [artists_are_unique]
TAG_RULES: Final[list[Rule]] = [tags_refer_to_artists]
FRIEND_RULES: Final[list[Rule]] = [friends_are_users]
REJECTED_RULES: Final[list[Rule]] = [few_rows_refused, every_refusal_has_a_reason]
SPLIT_RULES: Final[list[Rule]] = [
    parts_are_disjoint_and_complete,
    shares_are_as_asked,
    held_out_is_last,
]
TRAINING_TAG_RULES: Final[list[Rule]] = [no_tag_of_a_held_out_pair]
PROFILE_RULES: Final[list[Rule]] = [profile_counts_everything]
MATRIX_RULES: Final[list[Rule]] = [held_out_pairs_are_not_seen, weights_are_finite]
