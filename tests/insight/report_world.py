"""A tiny world whose report can be worked out by hand, a large one, and how to read a page."""

import base64
import gzip
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd

from lastfm_assets.evaluation.gate import Champion
from lastfm_assets.insight.history import Refresh, no_history, with_refresh
from lastfm_assets.insight.inputs import ReportInputs
from lastfm_assets.listening.clean import MERGED
from lastfm_assets.listening.profile import profile
from lastfm_assets.recommendations.drift import drift_table
from lastfm_assets.recommendations.overlap import Overlap

HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "\"><svg onload='alert(2)'>",
    "<!--<script>",
    "{{ 7 * 7 }}{% raw %}",
    "$\\frac{1}{2}$",
    "\u202eevil\u202c \u200f\u061c",
    "&lt;b&gt; &amp; 'q' `${1}`",
    "]]> \u2028 \u2029 \x00 \x07",
    "<head><base href=//x.test>",
    "; a; b; ",
)
"""Names that a careless page would take for markup."""
AT = datetime(2026, 11, 24, 3, 30, 5, tzinfo=UTC)
CHAMPION = Champion(
    model="als",
    parameters={"factors": 8},
    seed=3,
    fingerprint="a" * 64,
    pairs="b" * 64,
    code="c" * 12,
    validation_ndcg=0.25,
    precision=0.3,
    precision_low=0.28,
    precision_high=0.33,
    popularity_precision=0.1,
    min_precision=0.2,
    because="best of 2 models on validation",
    challenger="als",
    serving="popularity",
    difference=0.125,
    low=0.1,
    high=0.15,
    margin=0.002,
    pinned=False,
)
OVERLAP = ((2, 3, 3, 1), (1, 1, 1, 2), (0, 2, 0, 1))
"""One user's list with half of its artists, two with all of them, one user without a list now."""
NAMES = ("Ana", "Bob & Co", "Chlo\u00e9", "D<i>no</i>", "Eve")


def leaderboard() -> pd.DataFrame:
    """For als 0.3 of precision held out and 0.9 on train, for popularity 0.1 and 0.2."""
    return pd.DataFrame(
        {
            "model": ["als", "popularity"],
            "validation_ndcg@10": [0.25, 0.0625],
            "held_out_precision@10": [0.3, 0.1],
            "held_out_precision@10_low": [0.28, 0.08],
            "held_out_precision@10_high": [0.33, 0.12],
            "held_out_precision_ceiling@10": [0.95, 0.95],
            "train_precision@10": [0.9, 0.2],
            "held_out_ndcg@10": [0.4, 0.2],
            "held_out_ndcg@10_low": [0.375, 0.19],
            "held_out_ndcg@10_high": [0.425, 0.21],
            "verdict": ["best", "als beats this one"],
            "users": [2, 2],
            "fingerprint": ["a" * 64, "d" * 64],
        }
    )


def comparison() -> pd.DataFrame:
    """What popularity has more than als, on ndcg and on precision."""
    row = {"model_a": "popularity", "model_b": "als", "low": -0.25, "high": -0.125}
    said = {"p_adjusted": 0.0005, "verdict": "als beats popularity"}
    return pd.DataFrame(
        [
            {"metric": metric, **row, "difference": difference, **said}
            for metric, difference in (("ndcg@10", -0.2), ("precision@10", -0.1))
        ]
    )


def segments() -> pd.DataFrame:
    """For als 0.1 with few plays and 0.5 with many."""
    rows = [
        {"model": model, "segment_kind": "plays", "segment": segment, "users": 1}
        | {"precision@10": value, "precision@10_low": value / 2, "precision@10_high": 2 * value}
        | {"ndcg@10": value, "hit_rate@10": 1.0}
        for model, values in (("als", (0.1, 0.5)), ("popularity", (0.05, 0.06)))
        for segment, value in zip(("few", "many"), values, strict=True)
    ]
    return pd.DataFrame(rows)


def similar_of(pairs: list[tuple[int, int, float]], names: dict[int, str]) -> pd.DataFrame:
    """`SIMILAR_LIST` of (artist, relative, similarity), best first."""
    table = pd.DataFrame(pairs, columns=["to_artist_id", "artist_id", "similarity"])
    table["rank"] = table.groupby("to_artist_id").cumcount() + 1
    table["to_artist_name"] = table["to_artist_id"].map(names)
    table["artist_name"] = table["artist_id"].map(names)
    return table.assign(score=1.0, because="1 listener in common")


def world(names: tuple[str, ...] = NAMES, tag: str = "rock", **changes: Any) -> ReportInputs:
    """Users 1 to 3 and artists 10 to 50, of any names; whatever is handed in stands instead."""
    name = dict(zip((10, 20, 30, 40, 50), names, strict=True))
    interactions = pd.DataFrame(
        {
            "user_id": [1, 1, 1, 2, 2, 3],
            "artist_id": [10, 20, 30, 10, 40, 10],
            "plays": [5, 100, 5, 7, 1, 1000],
        }
    )
    lists = pd.DataFrame(
        {
            "user_id": [1, 1, 2, 3],
            "rank": [1, 2, 1, 1],
            "artist_id": [40, 50, 20, 40],
            "artist_name": [name[40], name[50], name[20], name[40]],
            "score": [1.0, 0.0, 1.0, 0.4567],
            "because": [f"{name[20]}; {name[10]}", "", name[10], "Somebody else"],
            "model": "als",
        }
    )
    quarters = pd.to_datetime(["2008-01-15", "2008-04-15", "2008-07-15"])
    tags = pd.DataFrame(
        {
            "user_id": 1,
            "artist_id": [10] * 200 + [20] * 100,
            "tag_id": [1] * 100 + [2] * 100 + [1] * 50 + [2] * 50,
            "tag": [tag] * 100 + ["pop"] * 100 + [tag] * 50 + ["pop"] * 50,
            "date": [quarters[0]] * 100 + [quarters[1]] * 100 + [quarters[2]] * 100,
        }
    )
    refused = pd.DataFrame(
        {
            "file": ["user_artists", "user_artists", "user_artists", "artists"],
            "line": [9, 4, 7, 1234],
            "text": [f"1\t{names[0]}", "1\t2\t-1", "1\t10\t3", names[1]],
            "reason": ["plays not above zero", "plays not above zero", MERGED, "name is empty"],
        }
    )
    split = interactions.assign(
        part=pd.Categorical(["train", "validation", "held_out", "train", "held_out", "train"])
    )
    known = Refresh(
        refreshed_at=AT,
        run_id="run-1",
        source="custom",
        champion=CHAMPION,
        leaderboard=leaderboard(),
        interactions=interactions,
        artists=pd.DataFrame({"artist_id": list(name)}),
        published_version=7,
    )
    inputs = ReportInputs(
        leaderboard=leaderboard(),
        champion=CHAMPION,
        comparison=comparison(),
        segments=segments(),
        interactions=interactions,
        artists=pd.DataFrame({"artist_id": list(name), "artist_name": list(names)}),
        tag_assignments=tags,
        rejected_rows=refused,
        split=split,
        lists=lists,
        similar_artists=similar_of([(10, 20, 0.5), (10, 30, 0.25), (20, 10, 0.5)], name),
        history=with_refresh(no_history(), known),
        drift=drift_table(None, profile(interactions), Overlap.of_counts(OVERLAP), against=4),
        rows_read={"artists": 6, "user_artists": 10},
        source="custom",
        refreshed_at=AT,
        run_id="run-1",
        ui_url="http://127.0.0.1:3000",
    )
    return replace(inputs, **changes)


def bare_world() -> ReportInputs:
    """One user, one artist, and nothing else at all."""
    pair = pd.DataFrame({"user_id": [1], "artist_id": [10], "plays": [3]})
    whole = world()
    return replace(
        whole,
        leaderboard=whole.leaderboard.head(1),
        comparison=whole.comparison.head(0),
        segments=whole.segments.head(0),
        interactions=pair,
        artists=whole.artists.head(1),
        tag_assignments=whole.tag_assignments.head(0),
        rejected_rows=whole.rejected_rows.head(0),
        split=pair.assign(part=pd.Categorical(["train"])),
        lists=whole.lists.head(0),
        similar_artists=whole.similar_artists.head(0),
        history=whole.history.head(0),
    )


@cache
def large_world(users: int = 1892, artists: int = 17632) -> ReportInputs:
    """An invented world of HetRec's size: its users, artists, plays, lists, relatives and tags."""
    rng = np.random.default_rng(0)
    ids = np.arange(1, artists + 1)
    words = ["".join(rng.choice(list("aeioubdgklmnprst"), 5)) for _ in range(4000)]
    names = [" ".join(words[place] for place in rng.integers(0, 4000, 3)) for _ in ids]
    share = np.cumsum(1 / ids) / np.sum(1 / ids)
    drawn = [np.unique(np.searchsorted(share, rng.random(90)) + 1)[:50] for _ in range(users)]
    sizes = [len(one) for one in drawn]
    interactions = pd.DataFrame(
        {"user_id": np.repeat(np.arange(2, users + 2), sizes), "artist_id": np.concatenate(drawn)}
    )
    interactions["plays"] = (1 + rng.pareto(0.7, len(interactions)) * 40).astype(int)
    name_of = dict(zip(ids.tolist(), names, strict=True))
    lists = pd.DataFrame({"user_id": np.repeat(np.arange(2, users + 2), 10)})
    lists["rank"] = np.tile(np.arange(1, 11), users)
    lists["artist_id"] = rng.choice(ids, len(lists))
    lists["artist_name"] = lists["artist_id"].map(name_of)
    lists["score"] = 1 / lists["rank"]
    favourites = interactions.groupby("user_id")["artist_id"].apply(lambda one: one.head(3))
    because = favourites.map(name_of).groupby("user_id").agg("; ".join)
    lists["because"] = lists["user_id"].map(because)
    to = np.repeat(ids, 10)
    pairs = zip(to.tolist(), rng.choice(ids, len(to)).tolist(), rng.random(len(to)), strict=True)
    tags = pd.DataFrame({"user_id": 2, "artist_id": rng.choice(ids, 180_000)})
    tags["tag"] = [words[place] for place in rng.geometric(0.01, len(tags)) % 4000]
    tags["date"] = pd.Timestamp("2005-08-01") + pd.to_timedelta(rng.integers(0, 2100, 180_000), "D")
    return replace(
        world(),
        interactions=interactions,
        artists=pd.DataFrame({"artist_id": ids, "artist_name": names}),
        tag_assignments=tags,
        split=interactions.assign(part="train"),
        lists=lists.assign(model="als"),
        similar_artists=similar_of(list(pairs), name_of),
    )


@dataclass
class Read(HTMLParser):
    """A page as a browser takes it apart."""

    shape: list[tuple[str, ...]] = field(default_factory=list)
    """Each element with the names of its attributes, in order."""
    texts: list[str] = field(default_factory=list)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    """Cells of each table by its caption, the headings first."""
    attributes: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    raw: dict[str, str] = field(default_factory=dict)
    """Content of the style and of each script, by tag or id."""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._rows: list[list[str]] = []
        self._at: str = ""

    @classmethod
    def page(cls, html: str) -> "Read":
        read = cls()
        read.feed(html)
        read.close()
        return read

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append((tag, *(name for name, _ in attrs)))
        found = {name: value or "" for name, value in attrs}
        self.attributes.append((tag, found))
        if tag in {"style", "script"}:
            self._at = found.get("id", tag)
        elif tag in {"caption", "th", "td"}:
            self._at = tag
            if tag == "caption":
                self._caption = ""
            else:
                self._rows[-1].append("")
        elif tag == "tr":
            self._rows.append([])
        elif tag == "table":
            self._rows = []

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self.tables[self._caption] = self._rows
        if tag in {"caption", "th", "td", "style", "script"}:
            self._at = ""

    def handle_data(self, data: str) -> None:
        if self._at == "caption":
            self._caption += data
        elif self._at in {"th", "td"}:
            self._rows[-1][-1] += data
        elif self._at:
            self.raw[self._at] = self.raw.get(self._at, "") + data
            return
        self.texts.append(data)


def searched(html: str) -> dict[str, Any]:
    """What the search box of a page knows."""
    packed = Read.page(html).raw["data-of-search"]
    return dict(json.loads(gzip.decompress(base64.b64decode(packed))))
