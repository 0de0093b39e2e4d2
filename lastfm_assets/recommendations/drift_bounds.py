"""How far data and lists may move from one published version to the next: every bound, once.

What the bounds were measured on is in ADR 29.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Bound:
    """How far one figure may move from one published version to the next."""

    measure: str
    says: str
    """A sentence with `{before}`, `{now}`, `{change}` and `{bound}`."""
    warning: float
    """Change above which the refresh says so."""
    blocking: float
    """Change above which nothing is published."""
    because: str


BOUNDS: Final = (
    Bound(
        "users_lost",
        "users {before} -> {now}, lost {change}, bound {bound}",
        0.10,
        0.20,
        "Whoever is lost has no list any more; no service loses a fifth of its users overnight.",
    ),
    Bound(
        "users_new",
        "users {before} -> {now}, new {change}, bound {bound}",
        0.25,
        0.50,
        "Growth is welcome, but twice as many users overnight are a file loaded twice or another "
        "numbering.",
    ),
    Bound(
        "artists_lost",
        "artists {before} -> {now}, lost {change}, bound {bound}",
        0.20,
        0.50,
        "Artists whom one user plays go with that user: of HetRec's, 15% fewer users are 10% fewer "
        "artists.",
    ),
    Bound(
        "artists_new",
        "artists {before} -> {now}, new {change}, bound {bound}",
        0.25,
        0.50,
        "As for users: twice the catalogue is another catalogue.",
    ),
    Bound(
        "pairs",
        "pairs {before} -> {now}, changed by {change}, bound {bound}",
        0.20,
        0.50,
        "Half of the pairs gone is half a file, twice as many one that was read twice.",
    ),
    Bound(
        "plays",
        "plays {before} -> {now}, changed by {change}, bound {bound}",
        0.20,
        0.50,
        "As for pairs; a few heavy listeners move it more, so it blocks no sooner.",
    ),
    Bound(
        "plays_psi",
        "plays of a pair: PSI {change}, bound {bound}",
        0.10,
        0.25,
        "The usual bounds of credit scoring, where PSI comes from: .1 a shift, .25 another "
        "population.",
    ),
    Bound(
        "artists_of_a_user_psi",
        "artists of a user: PSI {change}, bound {bound}",
        0.10,
        2.50,
        "Over octaves. Where a source lists 30 artists of each user, just above the edge of 28, 5% "
        "fewer pairs move it by 1.4, and half of the users with half of their artists by 4.6.",
    ),
    Bound(
        "lists_changed",
        "lists changed by {change} (1 - mean Jaccard), bound {bound}",
        0.60,
        0.90,
        "Another seed changes 7%, 10% fewer pairs 39%, another champion 54% at most, and may. "
        "Popularity changes 94%, lists of users who are mixed up 98%.",
    ),
    Bound(
        "lists_wholly_other",
        "lists that are wholly other {change}, bound {bound}",
        0.10,
        0.50,
        "With another seed, champion or 10% fewer pairs under 1%; popularity half, lists of users "
        "who are mixed up 82%.",
    ),
)
