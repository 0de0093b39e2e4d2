"""Every column name and every term, spelled once."""

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
    Columns.FILE: "File that the row came from, without its ending.",
    Columns.TEXT: "A refused line as it came.",
    Columns.REASON: "Why the row was refused.",
    Columns.MODEL: "Model that made the row.",
    Columns.RANK: "Place in the list, 1 the best.",
    Columns.SCORE: "The model's score, min-max scaled within the list: 1 the best, 0 the last.",
    Columns.BECAUSE: "What explains the choice, best first.",
    Columns.TO_ARTIST: "Artist whose relatives are listed.",
    Columns.TO_NAME: "Name of that artist.",
    Columns.SIMILARITY: "Shrunk cosine of the two artists' listeners, 0 to 1.",
    "number": "Number of the trial, in the order in which they ended.",
    "state": "complete, pruned after a poor split, or failed.",
    "value": "Of a trial: mean validation ndcg@10 of its splits; of a knob: where it stands.",
    "splits": "Inner splits on which the trial was judged.",
    "seconds": "Time that the trial took.",
    "error": "Why the trial failed.",
    "code": "Version of the sources that fitted the model.",
    "knob": "The parameter that is turned; start and shipped: all of them at once.",
    "users": "Users with something held out.",
    "metric": "Held-out metric that the models are compared by.",
    "model_a": "The one model.",
    "model_b": "The other.",
    "difference": "Mean over users of the first model's figure minus the second's.",
    "low": "Lower end of the 95% interval of the difference.",
    "high": "Upper end of the 95% interval of the difference.",
    "p_adjusted": "Chance of such a difference among all pairs, were none real.",
    "verdict": "What the comparison on the same held-out users says.",
    "parameters": "The model's parameters, as JSON.",
    "seed": "Seed of the model.",
    "fingerprint": "Hash of data, model, parameters and seed.",
}


def column_note(column: str) -> str:
    """One sentence on what a column holds."""
    if column in _NOTES:
        return _NOTES[column]
    part = next((part for part in PARTS if column.startswith(f"{part}_")), None)
    if part is None:
        return f"{column} of the user."
    metric = column.removeprefix(f"{part}_").removesuffix("_low").removesuffix("_high")
    where = f"{metric} on the {part.replace('_', ' ')} pairs"
    if column.endswith("_low"):
        return f"Lower end of the 95% interval of {where}."
    if column.endswith("_high"):
        return f"Upper end of the 95% interval of {where}."
    if "ceiling" in metric:
        return "The best held-out precision@10 that any lists could reach."
    return f"{where}, mean over users."
