"""Every column name and every term, spelled once."""

import re
from typing import Final, Literal, get_args


class Columns:
    """The only place where a column name is spelled."""

    USER: Final = "user_id"
    ARTIST: Final = "artist_id"
    PLAYS: Final = "plays"
    PART: Final = "part"
    NAME: Final = "artist_name"
    URL: Final = "url"
    PICTURE: Final = "picture_url"
    TAG: Final = "tag_id"
    TAG_VALUE: Final = "tag"
    DAY: Final = "day"
    MONTH: Final = "month"
    YEAR: Final = "year"
    DATE: Final = "date"
    FRIEND: Final = "friend_id"
    PLAYED_AT: Final = "played_at"
    FIRST_PLAYED: Final = "first_played"
    LAST_PLAYED: Final = "last_played"
    KIND: Final = "kind"
    ID: Final = "id"
    KEY: Final = "key"
    """A source's own id, where that is text."""
    TO_USER: Final = "to_user_id"

    LINE: Final = "line"
    """Number of the line in its file, the header being line 1."""
    FILE: Final = "file"
    TEXT: Final = "text"
    """A refused line as it came."""
    REASON: Final = "reason"
    """Why a line was refused."""

    MODEL: Final = "model"
    RANK: Final = "rank"
    SCORE: Final = "score"
    BECAUSE: Final = "because"
    TO_ARTIST: Final = "to_artist_id"
    TO_NAME: Final = "to_artist_name"
    SIMILARITY: Final = "similarity"


TOP_LIST: Final = (
    Columns.USER,
    Columns.RANK,
    Columns.ARTIST,
    Columns.NAME,
    Columns.SCORE,
    Columns.BECAUSE,
    Columns.MODEL,
)
"""Columns of `recommendations/top_artists`, in order."""

SIMILAR_LIST: Final = (
    Columns.TO_ARTIST,
    Columns.TO_NAME,
    Columns.RANK,
    Columns.ARTIST,
    Columns.NAME,
    Columns.SCORE,
    Columns.SIMILARITY,
    Columns.BECAUSE,
)
"""Columns of `recommendations/similar_artists`, in order."""

SIMILAR_USERS: Final = (
    Columns.TO_USER,
    Columns.RANK,
    Columns.USER,
    Columns.SCORE,
    Columns.SIMILARITY,
    Columns.BECAUSE,
)
"""Columns of `recommendations/similar_users`, in order."""

Part = Literal["train", "validation", "held_out"]
"""Which share of a user's pairs: to fit on, to choose on, to judge on."""

PARTS: Final[tuple[Part, ...]] = get_args(Part)

_NOTES: Final = {
    Columns.USER: "Last.fm user, as the source numbers them.",
    Columns.ARTIST: "Artist, as the source numbers them.",
    Columns.PLAYS: "How often the user has played the artist.",
    Columns.PART: "train, validation or held_out.",
    Columns.NAME: "Name of the artist, as the source spells it.",
    Columns.URL: "The artist's page.",
    Columns.PICTURE: "The artist's picture.",
    Columns.TAG: "Tag, as the source numbers them.",
    Columns.TAG_VALUE: "What the tag says.",
    Columns.DAY: "Day of the month.",
    Columns.MONTH: "Month, 1 to 12.",
    Columns.YEAR: "Year.",
    Columns.DATE: "Day on which the tag was given.",
    Columns.FRIEND: "Another user, a friend of this one.",
    Columns.LINE: "Line in the file, the header being line 1.",
    Columns.FILE: "File that the row came from, without its ending; `user_artists` for a described "
    "table of plays.",
    Columns.TEXT: "A refused line as it came.",
    Columns.REASON: "Why the row was refused.",
    Columns.MODEL: "Model that the row is of.",
    Columns.RANK: "Place in the list, 1 the best.",
    Columns.SCORE: "The model's score, min-max scaled within the list: 1 the best, 0 the last.",
    Columns.BECAUSE: "What explains the choice, best first.",
    Columns.TO_ARTIST: "Artist whose relatives are listed.",
    Columns.TO_NAME: "Name of that artist.",
    Columns.TO_USER: "User whose nearest are listed.",
    Columns.SIMILARITY: "Shrunk cosine of what is compared, two artists' listeners or two users' "
    "artists; 0 to 1.",
    Columns.PLAYED_AT: "When it was played, UTC.",
    Columns.FIRST_PLAYED: "When the user first played the artist, UTC.",
    Columns.LAST_PLAYED: "When the user last played the artist, UTC.",
    Columns.KIND: "user or artist.",
    Columns.ID: "Number that stands for the key in every table.",
    Columns.KEY: "The source's own id, as text.",
    "item": "What is recommended, in the singular: artist, track, ...",
    "ids": "What the source's ids are: number or text.",
    "one_row_a_play": "Whether every row is one play.",
    "timed": "Whether plays have a time: then each user's last are held out.",
    "rows": "Rows of plays that were read.",
    "until": "Day from which on plays were left out.",
    "left_out": "Rows of plays that were left out, as they are of that day or later.",
    "min_precision": "Held-out precision@10 under which nothing is published, as the source asks.",
    "number": "Number of the trial, in the order in which they ended.",
    "state": "complete, pruned after a poor split, or failed.",
    "value": "Of a trial: mean validation ndcg@10 of its splits; of a knob: where it stands; "
    "of an audio feature: its mean over the songs of the year, duration in milliseconds, tempo in "
    "beats per minute, loudness in dB, popularity 0 to 100, all others 0 to 1.",
    "splits": "Inner splits on which the trial was judged.",
    "seconds": "Time that the trial took.",
    "error": "Why the trial failed.",
    "code": "Version of the sources that fitted the model.",
    "knob": "The parameter that is turned; start and shipped: all of them at once.",
    "users": "Users; in a table of figures, those with something held out.",
    "artists": "Artists: of the catalogue, or those that carry the tag.",
    "pairs": "Pairs of a user and an artist that the user plays.",
    "refreshed_at": "When the refresh began, UTC.",
    "run_id": "Run of the refresh, as the web UI numbers it.",
    "source": "Name of the source.",
    "published_version": "Version of the published lists that readers saw after the refresh.",
    "segment_kind": "By what users are told apart: how much they play, or how popular what they "
    "play is.",
    "segment": "Third of the users, lowest first: few, middle, many, or niche, middle, popular.",
    "metric": "Held-out metric that the models are compared by.",
    "model_a": "The one model.",
    "model_b": "The other.",
    "difference": "Mean over users of the first model's figure minus the second's.",
    "low": "Lower end of the 95% interval of the difference.",
    "high": "Upper end of the 95% interval of the difference.",
    "p_adjusted": "Chance of such a difference among all pairs, were none real.",
    "verdict": "What the comparison on the same held-out users says.",
    "rmse": "Root mean square error of predicted ratings; rating points, lower is better.",
    "rmse_low": "Lower end of the 95% interval of rmse.",
    "rmse_high": "Upper end of the 95% interval of rmse.",
    "mae": "Mean absolute error of predicted ratings; rating points, lower is better.",
    "mae_low": "Lower end of the 95% interval of mae.",
    "mae_high": "Upper end of the 95% interval of mae.",
    "folds": "Folds that the errors are over.",
    "weight": "How much the pair counts, dimensionless, from 0 upward; see `scheme`.",
    "scheme": "How listened pairs are weighted: plays, binary (presence), log, bm25_plays, bm25.",
    "k1": "BM25's K1, its saturation; missing where the scheme has none.",
    "b": "BM25's B, its length normalisation; missing where the scheme has none.",
    "confidence": "Mean confidence of a listened pair, to which all weights were scaled.",
    "setting": "start: LightFM's own parameters; shipped: ours.",
    "figure": "users, artists, pairs, plays, plays_of_a_pair, artists_of_a_user or sampled_artist.",
    "bin": "Of a histogram: where the bin begins; of a sampled artist: its id; of a total: 0.",
    "count": "How many there are; of a histogram, from this bin to the next one.",
    "measure": "What is compared with the lists that readers see, and the data behind those.",
    "before": "Figure of what readers see; missing where none is known.",
    "now": "Figure of the data and lists at hand.",
    "change": "Share lost, new or changed, 0 to 1, or a population stability index, 0 upward; "
    "missing where nothing is known to compare with.",
    "warning_bound": "Change above which a refresh says so.",
    "blocking_bound": "Change above which nothing is published, unless an operator accepts it.",
    "outcome": "fine, warns, blocks or not compared.",
    "against": "Version of the published lists that was compared with; missing for the first.",
    "accepted": "Why an operator has accepted a change beyond a bound; empty where none was.",
    "epoch": "Passes over all pairs so far.",
    "parameters": "The model's parameters, as JSON.",
    "seed": "Seed of the model.",
    "fingerprint": "Hash of data, model, parameters and seed.",
    "month_start": "First day of the month.",
    "assignments": "How often the tag was given in the month.",
    "of_all": "How often any tag was given in the month.",
    "share": "Share of the month's tags that are this one, 0 to 1; missing where none was given.",
    "share_low": "Lower end of the share's 95% interval (Wilson), each tag given for itself.",
    "share_high": "Upper end of the share's 95% interval (Wilson), each tag given for itself.",
    "listeners": "Median listeners of the artists that carry the tag.",
    "listeners_low": "Lower end of the 95% interval of listeners, over artists.",
    "listeners_high": "Upper end of the 95% interval of listeners, over artists.",
    "plays_per_listener": "Median over the artists that carry the tag of plays over listeners.",
    "plays_per_listener_low": "Lower end of the 95% interval of plays_per_listener, over artists.",
    "plays_per_listener_high": "Upper end of the 95% interval of plays_per_listener, over artists.",
    "lift": "Listeners over the median listeners of all tagged artists; 1 is as popular as those.",
    "feature": "Audio feature, as Spotify names it.",
    "of": "What is correlated over: years or genres.",
    "n": "How many years or genres.",
    "correlation": "Spearman's correlation of the feature with popularity, -1 to 1.",
    "correlation_low": "Lower end of the correlation's 95% interval.",
    "correlation_high": "Upper end of the correlation's 95% interval.",
    "of_changes": "Spearman's correlation of changes from one year to the next, -1 to 1; missing "
    "for genres.",
    "warning": "Why the correlation is no cause; empty where none is seen.",
}


_FIGURES: Final = {
    "precision": "Share of the first {k} places that hold an artist put aside; 0 to 1, higher is "
    "better.",
    "recall": "Share of the artists put aside that stand among the first {k}; 0 to 1, higher is "
    "better.",
    "ndcg": "Gain of the first {k}, a hit at rank i counting 1 / log2(i + 1), over the best "
    "possible gain; 0 to 1, higher is better.",
    "map": "Precision at each hit among the first {k}, summed, over the most hits there could be; "
    "0 to 1, higher is better.",
    "mrr": "One over the rank of the first hit, 0 where the first {k} have none; 0 to 1, higher is "
    "better.",
    "hit_rate": "1 where the first {k} have a hit, else 0; of several users the share who have "
    "one, higher is better.",
    "auc": "Chance that an artist put aside is ranked before another, over the whole ranking; 0 to "
    "1, by chance 0.5, higher is better.",
    "coverage": "Share of the catalogue that anybody's first {k} name; 0 to 1, higher is wider.",
    "gini": "Inequality of how often the artists of the catalogue stand among the first {k}; 0 all "
    "equally often, near 1 one alone, lower is more even.",
    "novelty": "Mean of -log2 of the share of users who play an artist of the first {k}; bits, 0 "
    "upward, higher is less known.",
    "diversity": "1 - mean cosine of the tags of two artists of the first {k}; 0 to 1, higher is "
    "more varied.",
    "popularity_lift": "How many more listeners the first {k} have than what their user plays, as "
    "a share of the latter; -1 upward, 0 is the user's own taste, above 0 what is popular.",
    "users_served": "Share of users whose list has {k} artists; 0 to 1, higher is better.",
    "precision_ceiling": "The best precision@{k} that any lists could reach, as some users have "
    "fewer artists put aside; 0 to 1.",
}
"""Of each figure that lists are judged by: what it is, its range, and what is good."""
_FIGURE: Final = re.compile(
    rf"(?:({'|'.join(PARTS)})_)?({'|'.join(_FIGURES)})(?:@(\d+))?(?:_(low|high))?"
)


def column_note(column: str) -> str:
    """One sentence on what a column holds.

    Raises:
        ValueError: nobody has written one.
    """
    if column in _NOTES:
        return _NOTES[column]
    named = _FIGURE.fullmatch(column)
    if named is None:
        raise ValueError(
            f"column {column!r} has no note, expected a sentence on what it holds; add it to "
            "lastfm_assets/vocabulary.py"
        )
    part, figure, cutoff, bound = named.groups()
    where = f" on the {part.replace('_', '-')} pairs" if part else ""
    if bound:
        end = {"low": "Lower", "high": "Upper"}[bound]
        name = column.removeprefix(f"{part}_").removesuffix(f"_{bound}")
        return f"{end} end of the 95% interval of {name}{where}."
    said = _FIGURES[figure].format(k=cutoff)
    return f"Mean over users{where}: {said[0].lower()}{said[1:]}" if part else said


_TYPES: Final = {
    **dict.fromkeys(
        (
            Columns.USER,
            Columns.ARTIST,
            Columns.PLAYS,
            Columns.TAG,
            Columns.DAY,
            Columns.MONTH,
            Columns.YEAR,
            Columns.FRIEND,
            Columns.LINE,
            Columns.TO_ARTIST,
            "number",
            "splits",
            "users",
            "artists",
            "pairs",
            "seed",
            Columns.TO_USER,
            Columns.ID,
            "left_out",
            "rows",
            "assignments",
            "of_all",
            "n",
            "folds",
            "epoch",
            "bin",
            "count",
        ),
        "int64",
    ),
    **dict.fromkeys(("published_version", "against"), "Int64"),
    Columns.RANK: "int32",
    "weight": "float32",
    Columns.PART: "category",
    **dict.fromkeys(
        (
            Columns.DATE,
            "refreshed_at",
            Columns.PLAYED_AT,
            Columns.FIRST_PLAYED,
            Columns.LAST_PLAYED,
            "until",
            "month_start",
        ),
        "datetime64",
    ),
    **dict.fromkeys(("one_row_a_play", "timed"), "bool"),
    **dict.fromkeys(
        (
            Columns.NAME,
            Columns.URL,
            Columns.PICTURE,
            Columns.TAG_VALUE,
            Columns.FILE,
            Columns.TEXT,
            Columns.REASON,
            Columns.MODEL,
            Columns.BECAUSE,
            Columns.TO_NAME,
            "run_id",
            "source",
            "state",
            "parameters",
            "error",
            "code",
            "knob",
            "segment_kind",
            "segment",
            "metric",
            "model_a",
            "model_b",
            "verdict",
            "fingerprint",
            Columns.KIND,
            Columns.KEY,
            "item",
            "ids",
            "feature",
            "of",
            "warning",
            "scheme",
            "setting",
            "figure",
            "measure",
            "outcome",
            "accepted",
        ),
        "str",
    ),
}
"""Columns that are not float64."""


def column_type(column: str) -> str:
    """What pandas keeps a column as, where every row has a value."""
    return _TYPES.get(column, "float64")
