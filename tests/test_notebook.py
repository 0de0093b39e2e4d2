"""The functions for notebooks: light to import, the chain's own figures, and no way to cheat."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lastfm_assets as la
from lastfm_assets.errors import BadInputError
from lastfm_assets.evaluation.judge import judge
from lastfm_assets.evaluation.metrics import means
from lastfm_assets.listening.load import Loaded
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.trained import train
from lastfm_assets.vocabulary import TOP_LIST

README = Path(__file__).parents[1] / "README.md"
LIGHT = """
import sys
import lastfm_assets
heavy = {"pandas", "numpy", "dagster", "implicit", "duckdb", "lastfm_assets.notebook"}
print(sorted(heavy & set(sys.modules)), "fit" in dir(lastfm_assets))
"""


@pytest.fixture(scope="module")
def data() -> Loaded:
    return la.load("sample")


@pytest.fixture(scope="module")
def parts(data: Loaded) -> la.Split:
    return la.split(data, seed=0)


def test_the_import_alone_is_light() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LIGHT], check=True, capture_output=True, text=True, timeout=60
    )
    assert ran.stdout == "[] True\n"


def test_every_public_name_is_there_and_no_other() -> None:
    assert all(callable(getattr(la, name)) for name in la.__all__)
    assert set(la.__all__) <= set(dir(la))
    with pytest.raises(AttributeError, match="has no attribute 'train_all'"):
        _ = la.train_all  # type: ignore[attr-defined]


def test_the_lines_of_the_readme_do_what_it_says(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8")
    found = re.search(
        r"^## In a notebook\n.*?```python\n(.*?)```.*?```text\n(.*?)```",
        text,
        re.DOTALL | re.MULTILINE,
    )
    assert found is not None
    code, shown = found.groups()
    (tmp_path / "lines.py").write_text(code, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-X", "utf8", "lines.py"],
        check=True,
        capture_output=True,
        encoding="utf-8",
        cwd=tmp_path,
        timeout=120,
    )
    assert (words(ran.stdout), ran.stderr) == (words(shown), "")
    # another processor rounds sums otherwise
    assert numbers(ran.stdout) == pytest.approx(numbers(shown), abs=0.02)


def words(text: str) -> list[str]:
    return [word for word in text.split() if not re.fullmatch(r"\d+\.\d+", word)]


def numbers(text: str) -> list[float]:
    return [float(word) for word in text.split() if re.fullmatch(r"\d+\.\d+", word)]


def test_parts_are_those_of_a_refresh_and_hold_every_pair_once(
    data: Loaded, parts: la.Split
) -> None:
    together = pd.concat([parts.train, parts.validation, parts.held_out])
    assert len(together) == len(data.interactions) == len(together.drop_duplicates())
    assert list(parts.held_out.columns) == ["user_id", "artist_id", "plays"]
    sizes = f"train: {len(parts.train):,} pairs, validation: {len(parts.validation):,} pairs"
    assert repr(parts) == f"Split({sizes}, held_out: {len(parts.held_out):,} pairs)"


def test_neither_held_out_pairs_nor_their_tags_are_learnt_from(
    data: Loaded, parts: la.Split
) -> None:
    pair = ["user_id", "artist_id"]
    held_out = pd.MultiIndex.from_frame(parts.held_out[pair])
    rows, columns = parts.matrix.plays.nonzero()
    learnt = pd.MultiIndex.from_arrays(
        [parts.matrix.user_ids[rows], parts.matrix.artist_ids[columns]]
    )
    tagged = pd.MultiIndex.from_frame(parts.side.tag_assignments[pair])
    assert not learnt.isin(held_out).any()
    assert not tagged.isin(held_out).any()
    assert len(learnt) == len(parts.train) + len(parts.validation)
    assert pd.MultiIndex.from_frame(data.tag_assignments[pair]).isin(held_out).any()


def test_figures_are_those_of_the_chain(parts: la.Split) -> None:
    model = la.fit("ease_tags", parts)
    chain = train("ease_tags", parts.matrix, side=parts.side, seed=0)
    assert model.fingerprint == chain.fingerprint
    figures = la.evaluate(model, parts, at=[10, 20])
    expected = means(judge(chain, parts.matrix, parts.held_out, cutoffs=[10, 20]).per_user)
    assert figures["mean"].to_dict() == pytest.approx(expected)
    assert ((figures["low"] < figures["mean"]) & (figures["mean"] < figures["high"])).all()
    per_user = la.per_user(model, parts, at=20)
    assert per_user["ndcg@20"].mean() == pytest.approx(figures["mean"]["ndcg@20"])
    assert len(per_user) == parts.held_out["user_id"].nunique() == figures["users"].max()


def test_lists_have_names_and_nothing_that_is_known_to_be_played(parts: la.Split) -> None:
    lists = la.rank(la.fit("item_knn", parts), parts, n=5)
    assert tuple(lists.columns) == TOP_LIST
    assert lists.groupby("user_id").size().eq(5).all()
    known = lists.merge(pd.concat([parts.train, parts.validation]), on=["user_id", "artist_id"])
    assert known.empty
    assert (lists["because"].str.len() > 0).all()


def test_parameters_and_seed_reach_the_model(parts: la.Split) -> None:
    model = la.fit("als", parts, seed=3, factors=8, fits=1)
    config = model.config.model_dump()
    assert (config["factors"], config["fits"], model.seed) == (8, 1, 3)


def test_all_of_a_source_can_be_fitted_and_ranked_with(data: Loaded) -> None:
    lists = la.rank(la.fit("popularity", data), data, n=3)
    assert len(lists) == 3 * data.interactions["user_id"].nunique()


def test_a_model_that_has_seen_what_it_is_judged_on_is_refused(
    data: Loaded, parts: la.Split
) -> None:
    with pytest.raises(BadInputError, match="fitted on all pairs, the held-out ones among them"):
        la.evaluate(la.fit("popularity", data), parts)
    with pytest.raises(BadInputError, match="fitted on other pairs or tags"):
        la.evaluate(la.fit("popularity", la.split(data, seed=1)), parts)
    leaky = replace(parts, side=SideTables(data.tag_assignments, data.friendships))
    with pytest.raises(BadInputError, match="fitted on other pairs or tags"):
        la.per_user(la.fit("ease_tags", leaky), parts)


@pytest.mark.parametrize(
    ("model", "parameters", "said"),
    [
        ("alz", {}, "unknown model 'alz'; expected one of popularity, item_knn"),
        ("als", {"factor": 64}, "als has no parameter 'factor'; it has .*factors, regularization"),
        ("als", {"factors": 0}, "factors of als is 0: .*greater than or equal to 1; correct it"),
        ("popularity", {"k": 1}, "popularity has no parameter 'k'"),
    ],
)
def test_wrong_names_and_values_are_told(
    parts: la.Split, model: str, parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInputError, match=said):
        la.fit(model, parts, **parameters)


def test_wrong_lengths_and_partners_are_told(data: Loaded, parts: la.Split) -> None:
    model = la.fit("popularity", parts)
    with pytest.raises(BadInputError, match="n is 0, expected at least 1"):
        la.rank(model, parts, n=0)
    with pytest.raises(BadInputError, match="at is 0, expected at least 1"):
        la.evaluate(model, parts, at=[10, 0])
    with pytest.raises(BadInputError, match="at is empty"):
        la.evaluate(model, parts, at=[])
    with pytest.raises(BadInputError, match="rank with what it was fitted on"):
        la.rank(model, data)
    nothing = la.split(data, held_out_share=0.0)
    with pytest.raises(BadInputError, match="nothing is held out"):
        la.evaluate(la.fit("popularity", nothing), nothing)


@pytest.mark.parametrize("at", [np.int64(5), np.array([5]), (np.int32(5),), range(5, 6)])
def test_lengths_of_numpy_are_whole_numbers_too(parts: la.Split, at: Any) -> None:
    model = la.fit("popularity", parts)
    pd.testing.assert_frame_equal(la.evaluate(model, parts, at=at), la.evaluate(model, parts, at=5))
    assert la.rank(model, parts, n=np.int64(2)).groupby("user_id").size().eq(2).all()


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("10", "'10'"),
        (10.0, r"10\.0"),
        (None, "None"),
        ([10, "20"], "'20'"),
        (np.eye(2), r"array\(\[1\., 0\.\]\)"),
    ],
)
def test_lengths_that_are_no_whole_numbers_are_told_in_one_line(
    parts: la.Split, at: Any, shown: str
) -> None:
    model = la.fit("popularity", parts)
    with pytest.raises(BadInputError, match=rf"^at is {shown}, expected a whole number, such as"):
        la.evaluate(model, parts, at=at)
    with pytest.raises(BadInputError, match=r"^n is '5', expected a whole number, such as 10$"):
        la.rank(model, parts, n="5")  # type: ignore[arg-type]


def test_a_store_is_asked_in_sql(tmp_path: Path) -> None:
    assert la.query("SELECT 6 * 7 AS n", store=str(tmp_path))["n"].tolist() == [42]
    with pytest.raises(BadInputError, match="expected one that only reads"):
        la.query("DROP TABLE users", store=str(tmp_path))
