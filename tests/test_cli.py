"""The command as its users type it: what comes out, where, and with which exit code."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable
from held_out_world import Cut, cut_sample
from pipeline_world import Command, Ran, Refreshed, snapshot

from lastfm_assets.io import Store
from lastfm_assets.listening.load import load
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.side import SideTables
from lastfm_assets.models.trained import MODELS, TrainedModel, train
from lastfm_assets.recommendations.lists import top_artists_of_listener
from lastfm_assets.recommendations.published import PublishedLists

WARNING = "WARNING: made from the bundled, invented sample, not from real listening data."
SHOWN = ["rank", "artist_id", "artist_name", "score", "because"]
METRICS = ("precision", "recall", "ndcg", "map", "mrr", "hit_rate")


def keys_at(*cutoffs: int) -> set[str]:
    """The exact keys of one model's JSON."""
    metrics = {f"{metric}@{k}" for metric in METRICS for k in cutoffs}
    return metrics | {"auc", "users", "fit_seconds", "rank_seconds"}


def keys_beyond(*cutoffs: int) -> set[str]:
    """What `evaluate` says beside that of the lists of a model."""
    names = ("coverage", "gini", "users_served", "novelty", "diversity", "popularity_lift")
    return {f"{name}@{k}" for name in names for k in cutoffs}


def keys_of_lists(*cutoffs: int) -> set[str]:
    """What `score` says beside that of the lists themselves."""
    return {f"{name}@{k}" for name in ("coverage", "gini", "users_served") for k in cutoffs}


def done(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err
    assert "Traceback" not in ran.err
    assert re.findall(r"\w+Warning", ran.err) == []
    return ran


@pytest.fixture
def stored(refreshed: Refreshed) -> Store:
    return Store(str(refreshed.store))


@pytest.fixture
def published(stored: Store) -> pd.DataFrame:
    return PublishedLists(stored.root).current()[0]


class TestRefresh:
    def test_ends_with_the_leaderboard_ten_artists_and_where_the_tables_lie(
        self, refreshed: Refreshed, published: pd.DataFrame
    ) -> None:
        out = done(refreshed.ran).out
        board = out.index("precision@10      95% interval")
        champion = out.index("Champion: ")
        ten = out.index(f"User {published['user_id'].iloc[0]}'s ten artists, one of 300")
        tables = out.index(f"Tables: {refreshed.store}")
        assert board < champion < ten < tables
        assert all(re.search(rf"(?m)^{name} +0\.\d{{4}}", out[board:champion]) for name in MODELS)
        assert len(re.findall(r"(?m)^ +(\d+) +\d+ +\S", out[ten:tables])) == 10
        for name in published["artist_name"].head(10):
            assert name in out

    def test_warns_loudly_that_it_was_the_sample(self, refreshed: Refreshed) -> None:
        assert refreshed.ran.last_line.startswith(WARNING)

    def test_names_the_table_to_read(self, refreshed: Refreshed, published: pd.DataFrame) -> None:
        (named,) = re.findall(r"read (\S+), a Delta table", refreshed.ran.out)
        assert DeltaTable(refreshed.store / named).to_pyarrow_table().num_rows == len(published)

    def test_remembers_the_run_for_the_web_ui(self, refreshed: Refreshed) -> None:
        assert (refreshed.home / "dagster.yaml").exists()
        assert list((refreshed.home / "history").rglob("*.db"))

    def test_of_a_selection_makes_it_and_what_follows(self, command: Command, store: Path) -> None:
        before = snapshot(store)
        for name in ("models/als.npz", "evaluation/als.parquet", "evaluation/popularity.parquet"):
            (store / name).unlink()
        Store(str(store)).write(
            ("evaluation", "popularity"), pd.DataFrame({"kept": [1]}), source="sample"
        )
        ran = command("refresh", "--source", "sample", "--select", "models/als+", store=store)
        # the leaderboard after it needs popularity's evaluation, which is not one any more
        assert ran.code == 2
        assert "popularity.parquet: cannot be read" in ran.last_line
        after = snapshot(store)
        assert after["models/als.npz"] == before["models/als.npz"]
        assert after["evaluation/als.parquet"] == before["evaluation/als.parquet"]

    @pytest.mark.parametrize(
        ("select", "made"),
        [
            ("models/als,models/popularity", {"models/als.npz", "models/popularity.npz"}),
            ("raw/tags", {f"raw/{name}.parquet" for name in ("artists", "friends", "tags")}),
        ],
    )
    def test_of_a_selection_makes_nothing_else(
        self, command: Command, store: Path, select: str, made: set[str]
    ) -> None:
        """Tables that are read together, such as those of raw, are made together."""
        before = snapshot(store)
        for path in store.rglob("*"):
            if path.is_file():
                os.utime(path, (0, 0))
        done(command("refresh", "--source", "sample", "--select", select, store=store))
        assert snapshot(store) == before
        new = {str(p.relative_to(store)) for p in store.rglob("*.*") if p.stat().st_mtime > 0}
        assert made <= new
        assert {name.partition("/")[0] for name in new} == {select.partition("/")[0]}

    def test_takes_its_options_from_the_environment(self, command: Command, tmp_path: Path) -> None:
        new = tmp_path / "new store"
        ran = command("refresh", "--select", "raw", store=new, LASTFM_SOURCE="sample")
        assert "source: the bundled sample" in done(ran).err
        assert (new / "raw" / "artists.parquet").exists()

    def test_prefers_its_options_to_the_environment(self, command: Command, tmp_path: Path) -> None:
        ran = command(
            *("refresh", "--select", "raw", "--source", "sample", "--store", str(tmp_path / "s")),
            LASTFM_SOURCE="/no/such/folder",
            LASTFM_STORE="/proc/nowhere",
        )
        done(ran)
        assert (tmp_path / "s" / "raw" / "artists.parquet").exists()


class TestRecommend:
    def json_of(self, command: Command, *arguments: str) -> list[dict[str, Any]]:
        ran = done(command("recommend", *arguments, "--json"))
        assert WARNING in ran.err
        found = json.loads(ran.out)
        assert isinstance(found, list)
        return found

    def played(self, stored: Store, user: int) -> set[int]:
        plays = stored.read(("listening", "interactions"), pd.DataFrame)
        return set(plays.loc[plays["user_id"] == user, "artist_id"])

    def test_prints_a_users_ten_as_published(
        self, command: Command, published: pd.DataFrame, stored: Store
    ) -> None:
        rows = self.json_of(command, "--user", "2")
        assert [list(row) for row in rows] == [SHOWN] * 10
        assert [row["rank"] for row in rows] == list(range(1, 11))
        scores = [row["score"] for row in rows]
        assert (scores[0], scores[-1]) == (1.0, 0.0)
        assert scores == sorted(scores, reverse=True)
        assert self.played(stored, 2).isdisjoint(row["artist_id"] for row in rows)
        expected = published.loc[published["user_id"] == 2, SHOWN]
        assert rows == expected.to_dict("records")

    def test_prints_the_same_as_a_table(self, command: Command, published: pd.DataFrame) -> None:
        ran = done(command("recommend", "--user", "2"))
        header, *lines = ran.out.splitlines()
        assert header.split() == SHOWN
        expected = published[published["user_id"] == 2]
        assert len(lines) == 10
        for line, row in zip(lines, expected.to_dict("records"), strict=True):
            start = f"{row['rank']}  {row['artist_id']:>9}  {row['artist_name']}"
            assert line.strip().startswith(start)
            assert f"{row['score']:.4f}" in line
            assert line.rstrip().endswith(row["because"])

    def test_prints_fewer_where_fewer_are_asked_for(self, command: Command) -> None:
        assert (
            self.json_of(command, "--user", "2", "-n", "3")
            == (self.json_of(command, "--user", "2")[:3])
        )

    def test_prints_more_than_are_published(self, command: Command, stored: Store) -> None:
        rows = self.json_of(command, "--user", "2", "-n", "25")
        assert [row["rank"] for row in rows] == list(range(1, 26))
        assert (rows[0]["score"], rows[-1]["score"]) == (1.0, 0.0)
        artists = [row["artist_id"] for row in rows]
        assert artists[:10] == [row["artist_id"] for row in self.json_of(command, "--user", "2")]
        assert len(set(artists)) == 25
        assert self.played(stored, 2).isdisjoint(artists)

    def test_prints_all_that_are_left_where_more_are_asked_for(
        self, command: Command, stored: Store
    ) -> None:
        rows = self.json_of(command, "--user", "2", "-n", "100000")
        catalogue = set(stored.read(("listening", "artists"), pd.DataFrame)["artist_id"])
        assert {row["artist_id"] for row in rows} == catalogue - self.played(stored, 2)

    def test_serves_a_listener_by_ids(
        self, command: Command, stored: Store, tmp_path: Path
    ) -> None:
        """A user's own plays, handed in as a stranger's, lead to the user's own artists.

        Their scores are those of one exact step from there, which training has not quite reached.
        """
        interactions = stored.read(("listening", "interactions"), pd.DataFrame)
        own = interactions[interactions["user_id"] == 2]
        own[["artist_id", "plays"]].to_csv(tmp_path / "plays.csv", index=False)
        rows = self.json_of(command, "--plays", str(tmp_path / "plays.csv"))
        known = self.json_of(command, "--user", "2")
        assert [row["artist_id"] for row in rows] == [row["artist_id"] for row in known]
        model = stored.read(("recommendations", "serving_model"), TrainedModel)
        matrix = ListeningMatrix.from_pairs(own, model.artist_ids)
        names = stored.read(("listening", "artists"), pd.DataFrame).set_index("artist_id")
        expected = top_artists_of_listener(model, matrix.plays, names["artist_name"])
        assert [row["score"] for row in rows] == pytest.approx(expected["score"].tolist(), rel=1e-6)

    def test_serves_a_listener_by_names_in_any_capitals_and_without_plays(
        self, command: Command, stored: Store, tmp_path: Path
    ) -> None:
        artists = stored.read(("listening", "artists"), pd.DataFrame)
        chosen = artists[artists["artist_name"].str.casefold().duplicated(keep=False) == False]  # noqa: E712
        chosen = chosen.iloc[100:112]
        ids, names = tmp_path / "ids.csv", tmp_path / "names.csv"
        chosen[["artist_id"]].assign(plays=1).to_csv(ids, index=False)
        chosen[["artist_name"]].apply(lambda c: c.str.upper()).to_csv(names, index=False)
        by_name = self.json_of(command, "--plays", str(names))
        assert by_name == self.json_of(command, "--plays", str(ids))
        assert len(by_name) == 10
        assert set(chosen["artist_id"]).isdisjoint(row["artist_id"] for row in by_name)

    def test_passes_over_rows_of_strangers(self, command: Command, tmp_path: Path) -> None:
        text = "artist_id,plays\n136,30\n310,5\n"
        (tmp_path / "a.csv").write_text(text)
        (tmp_path / "b.csv").write_text(text + "99999999,5\nx,5\n473,0\n473,-2\n473,many\n")
        one, other = (
            self.json_of(command, "--plays", str(tmp_path / name)) for name in ("a.csv", "b.csv")
        )
        assert one == other

    def test_says_how_many_rows_were_of_no_use(self, command: Command, tmp_path: Path) -> None:
        (tmp_path / "plays.csv").write_text("artist_id,plays\n136,30\n99999999,5\n310,0\n")
        ran = done(command("recommend", "--plays", str(tmp_path / "plays.csv")))
        assert "2 rows of plays.csv name no artist that is known and played" in ran.err

    def test_of_nothing_is_explained(self, command: Command) -> None:
        ran = done(command("recommend", "--help"))
        for option in ("--user", "--plays", "-n", "--json", "--store"):
            assert option in ran.out
        assert ran.err == ""


class TestSimilar:
    def json_of(self, command: Command, *arguments: str) -> list[dict[str, Any]]:
        ran = done(command("similar", *arguments, "--json"))
        assert WARNING in ran.err
        found = json.loads(ran.out)
        assert isinstance(found, list)
        return found

    def test_by_id_prints_the_stored_relatives(self, command: Command, stored: Store) -> None:
        rows = self.json_of(command, "--artist", "473")
        table = stored.read(("recommendations", "similar_artists"), pd.DataFrame)
        assert rows == table.loc[table["to_artist_id"] == 473, SHOWN].to_dict("records")
        assert [list(row) for row in rows] == [SHOWN] * 10
        assert 473 not in [row["artist_id"] for row in rows]
        assert (rows[0]["score"], rows[-1]["score"]) == (1.0, 0.0)

    @pytest.mark.parametrize("other", [str.upper, str.lower, str.title])
    def test_by_name_in_any_capitals_prints_the_same(
        self, command: Command, stored: Store, other: Any
    ) -> None:
        artists = stored.read(("listening", "artists"), pd.DataFrame).set_index("artist_id")
        name = artists.loc[473, "artist_name"]
        assert self.json_of(command, "--artist", other(name)) == (
            self.json_of(command, "--artist", "473")
        )

    def test_prints_more_than_are_stored(self, command: Command) -> None:
        rows = self.json_of(command, "--artist", "473", "-n", "15")
        ten = self.json_of(command, "--artist", "473")
        assert [row["rank"] for row in rows] == list(range(1, 16))
        assert [row["artist_id"] for row in rows[:10]] == [row["artist_id"] for row in ten]

    def test_prints_fewer_where_fewer_are_asked_for(self, command: Command) -> None:
        ran = done(command("similar", "--artist", "473", "-n", "4"))
        assert len(ran.out.splitlines()) == 5

    def test_suggests_a_name_that_was_meant(self, command: Command, stored: Store) -> None:
        artists = stored.read(("listening", "artists"), pd.DataFrame).set_index("artist_id")
        name = str(artists.loc[473, "artist_name"])
        ran = command("similar", "--artist", name[:-1])
        assert ran.code == 2
        assert re.search(rf"did you mean .*{re.escape(name)}", ran.last_line)


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Cut:
    return cut_sample(tmp_path_factory.mktemp("cut"))


class TestEvaluate:
    def test_prints_the_agreed_figures_as_json(self, command: Command, cut: Cut) -> None:
        ran = done(
            command(
                *("evaluate", "--source", str(cut.source), "--held-out", str(cut.held_out)),
                *("--json", "-"),
            )
        )
        found = json.loads(ran.out)
        assert list(found) == list(MODELS)
        users = pd.read_csv(cut.held_out)["user_id"].nunique()
        for figures in found.values():
            assert set(figures) == keys_at(10) | keys_beyond(10)
            assert all(0 < figures[f"{metric}@10"] < 1 for metric in METRICS)
            assert figures["users"] == users
            assert figures["fit_seconds"] > 0
            assert figures["rank_seconds"] > 0
        best = max(found, key=lambda name: found[name]["precision@10"])
        assert found[best]["precision@10"] > 2 * found["popularity"]["precision@10"]

    def test_judges_some_models_at_several_lengths_and_writes_a_file(
        self, command: Command, cut: Cut, tmp_path: Path
    ) -> None:
        out = tmp_path / "figures.json"
        ran = done(
            command(
                *("evaluate", "--source", str(cut.source), "--held-out", str(cut.held_out)),
                *("--models", "popularity, item_knn", "--at", "10,20", "--json", str(out)),
            )
        )
        found = json.loads(out.read_text())
        assert list(found) == ["popularity", "item_knn"]
        assert all(
            set(figures) == keys_at(10, 20) | keys_beyond(10, 20) for figures in found.values()
        )
        lines = [line.split() for line in ran.out.splitlines()]
        assert lines[0][:3] == ["model", "at", "precision"]
        assert [line[:2] for line in lines[1:]] == [
            [name, at] for name in ("popularity", "item_knn") for at in ("10", "20")
        ]
        assert lines[1][2] == f"{found['popularity']['precision@10']:.4f}"

    def test_says_so_where_held_out_pairs_are_in_the_source(
        self, command: Command, cut: Cut, tmp_path: Path
    ) -> None:
        """Such pairs can never be hit: figures of zero once came without a word."""
        plays = load(str(cut.source), data_folder=tmp_path).interactions
        both = pd.concat([pd.read_csv(cut.held_out), plays[["user_id", "artist_id"]].head(7)])
        both.to_csv(tmp_path / "both.csv", index=False)
        ran = done(
            command(
                *("evaluate", "--source", str(cut.source), "--models", "popularity"),
                *("--held-out", str(tmp_path / "both.csv")),
            )
        )
        assert f"WARNING: 7 of {len(both):,} held-out pairs are plays of the source" in ran.err

    def test_writes_into_no_store(self, command: Command, cut: Cut, tmp_path: Path) -> None:
        done(
            command(
                *("evaluate", "--source", str(cut.source), "--held-out", str(cut.held_out)),
                *("--models", "popularity"),
                store=tmp_path / "untouched",
            )
        )
        assert not (tmp_path / "untouched").exists()


class TestScore:
    @pytest.mark.parametrize("name", ["popularity", "item_knn"])
    def test_agrees_with_evaluate_on_the_same_lists(
        self, command: Command, cut: Cut, tmp_path: Path, name: str
    ) -> None:
        """One judges models, the other files; both must mean the same by every metric."""
        tables = load(str(cut.source), data_folder=tmp_path)
        matrix = ListeningMatrix.from_pairs(
            tables.interactions, tables.artists["artist_id"].to_numpy()
        )
        users = np.unique(pd.read_csv(cut.held_out)["user_id"])
        model = train(name, matrix, side=SideTables.none(), seed=0)
        ranked = model.rank(matrix.rows_of(users), n=20, leave_out=matrix.plays)
        lists = pd.DataFrame(
            {
                "user_id": np.repeat(users, 20),
                "artist_id": matrix.artist_ids[ranked.artists.ravel()],
                "score": ranked.scores.ravel().astype(np.float64),
            }
        )
        lists.sample(frac=1, random_state=1).to_csv(tmp_path / "lists.csv", index=False)
        arguments = ("--held-out", str(cut.held_out), "--at", "10,20", "--json", "-")
        scored = done(command("score", "--lists", str(tmp_path / "lists.csv"), *arguments))
        evaluated = done(
            command("evaluate", "--source", str(cut.source), "--models", name, *arguments)
        )
        found = json.loads(scored.out)
        assert list(found) == ["lists"]
        assert set(found["lists"]) == keys_at(10, 20) | keys_of_lists(10, 20)
        assert found["lists"]["users_served@20"] == 1
        expected = json.loads(evaluated.out)[name]
        for key in keys_at(10, 20) - {"auc", "fit_seconds", "rank_seconds"}:
            assert found["lists"][key] == pytest.approx(expected[key], rel=1e-12), key
        assert found["lists"]["fit_seconds"] is None

    def test_takes_ids_that_are_text(self, command: Command, tmp_path: Path) -> None:
        """Ann's hit is second of two, bob has none, cem has no list."""
        lists, held_out = tmp_path / "lists.csv", tmp_path / "held_out.csv"
        lists.write_text("user_id,artist_id,score\nann,x,0.9\nann,7,0.5\nbob,x,1\n")
        held_out.write_text("user_id,artist_id\nann,7\nann,y\nbob,y\ncem,x\n")
        ran = done(
            command(
                *("score", "--lists", str(lists), "--held-out", str(held_out)),
                *("--at", "2", "--json", "-"),
            )
        )
        found = json.loads(ran.out)["lists"]
        assert found["users"] == 3
        assert found["precision@2"] == pytest.approx((1 / 2) / 3)
        assert found["recall@2"] == pytest.approx((1 / 2) / 3)
        assert found["ndcg@2"] == pytest.approx((1 / np.log2(3)) / (1 + 1 / np.log2(3)) / 3)
        assert found["map@2"] == pytest.approx((1 / 2) / 2 / 3)
        assert found["mrr@2"] == pytest.approx((1 / 2) / 3)
        assert found["hit_rate@2"] == pytest.approx(1 / 3)
        # of 7, x and y: ann's 7 is second and y last; bob's y is tied with 7; cem has no list
        assert found["auc"] == pytest.approx((0 + 1 / 4 + 1 / 2) / 3)
        assert found["coverage@2"] == pytest.approx(2 / 3)
        assert found["users_served@2"] == pytest.approx(1 / 3)

    def test_takes_further_columns_and_windows_line_ends(
        self, command: Command, tmp_path: Path
    ) -> None:
        lists, held_out = tmp_path / "lists.csv", tmp_path / "held_out.csv"
        lists.write_bytes(b"\xef\xbb\xbfrank,user_id,artist_id,score\r\n1,1,2,0.5\r\n")
        held_out.write_bytes(b"\xef\xbb\xbfartist_id,user_id,plays\r\n2,1,30\r\n")
        ran = done(
            command("score", "--lists", str(lists), "--held-out", str(held_out), "--at", "1")
        )
        (head, row) = (line.split() for line in ran.out.splitlines())
        figures = dict(zip(head[: len(METRICS) + 2], row, strict=False))
        assert figures == {"model": "lists", "at": "1", **dict.fromkeys(METRICS, "1.0000")}


class TestTheCommand:
    def test_is_installed_under_its_name(self) -> None:
        script = Path(sys.executable).with_name("lastfm-assets")
        told = subprocess.run([script, "--help"], capture_output=True, text=True, check=True)
        for name in ("refresh", "recommend", "similar", "evaluate", "score"):
            assert re.search(rf"(?m)^ +{name} ", told.stdout)

    def test_without_a_word_says_what_it_can_do(self, command: Command) -> None:
        ran = command()
        assert "refresh" in ran.out
        assert "\ufffd" not in ran.out + ran.err

    def test_answers_readers_without_dagster_and_model_trainers(self, refreshed: Refreshed) -> None:
        """Reading a list takes a second because nothing else is loaded."""
        probe = (
            "import sys; from lastfm_assets import cli; sys.argv = ['x', 'recommend', '--user', "
            f"'2', '--store', {str(refreshed.store)!r}]\n"
            "try:\n    cli.main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
            "assert not {'dagster', 'implicit', 'lightfm'} & set(sys.modules)"
        )
        ran = subprocess.run(
            [sys.executable, "-c", probe], capture_output=True, text=True, check=False
        )
        assert (ran.returncode, ran.stderr.splitlines()[1:]) == (0, [])

    @pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
    def test_works_on_terminals_that_know_few_characters(
        self, command: Command, encoding: str
    ) -> None:
        """A terminal shows ? for what it does not know; JSON never loses a letter."""
        shown = done(command("recommend", "--user", "2", PYTHONIOENCODING=encoding))
        assert shown.out.count("?") > 3
        told = done(command("recommend", "--user", "2", "--json", PYTHONIOENCODING=encoding))
        whole = done(command("recommend", "--user", "2", "--json"))
        assert json.loads(told.out) == json.loads(whole.out)
        assert not whole.out.isascii()
