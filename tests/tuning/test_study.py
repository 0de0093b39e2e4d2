"""A search can be killed, continued and repeated, and never sees what is held out."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from child_process import line_from, running
from tuning_world import held_out, interactions, known, nothing_beside, split_pairs, tables

from lastfm_assets.errors import BadInputError, StoreError
from lastfm_assets.listening.matrix import ListeningMatrix
from lastfm_assets.listening.split import pairs_of
from lastfm_assets.models.item_knn import ItemKnn
from lastfm_assets.tuning import study as study_module
from lastfm_assets.tuning.space import default_parameters
from lastfm_assets.tuning.storage import opened, study_folder
from lastfm_assets.tuning.study import SPLITS, Budget, Known, folds_of, study_name, tune
from lastfm_assets.tuning.trials import Search, finished, search_of

WHAT_IS_DRAWN = ["number", "state", "value", "splits", "parameters", "error"]
STALLS = """
import sys, time
from pathlib import Path
from tuning_world import known
from lastfm_assets.tuning.study import Budget, tune
def stall(done, total):
    if done == 4 * 3 + 1:
        print("within", flush=True)
        time.sleep(600)
tune("item_knn", known(), folder=Path(sys.argv[1]), seed=0, budget=Budget(9), on_progress=stall)
"""

KILLED_IN_A_COMMIT = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size = 1")
database.execute("BEGIN")
database.execute("CREATE TABLE filler (text)")
database.executemany("INSERT INTO filler VALUES (?)", [("x" * 4000,) for _ in range(200)])
print("half written", flush=True)
time.sleep(600)
"""


def searched(folder: Path, trials: int, *, model: str = "item_knn", seed: int = 0) -> Search:
    return tune(model, known(seed), folder=folder, seed=seed, budget=Budget(trials))


def drawn(search: Search) -> pd.DataFrame:
    return search.trials[WHAT_IS_DRAWN]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Search:
    """Nine trials in one go."""
    return searched(tmp_path_factory.mktemp("whole"), 9)


class TestASearchThatIsKilled:
    @pytest.fixture
    def killed(self, tmp_path: Path) -> Path:
        """A folder whose search was killed within its fifth trial."""
        folder = tmp_path
        process = subprocess.Popen(
            [sys.executable, "-c", STALLS, str(folder)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == b"within"
            with pytest.raises(BadInputError, match="another process is adding trials"):
                searched(folder, 9)
            os.kill(process.pid, signal.SIGKILL)
        return folder

    def test_goes_on_with_the_very_trials_of_one_that_was_not(
        self, killed: Path, whole: Search
    ) -> None:
        (file,) = killed.glob("*.db")
        with sqlite3.connect(file) as database:
            states = dict(database.execute("select state, count(*) from trials group by state"))
        database.close()
        assert states == {"COMPLETE": 4, "RUNNING": 1}
        resumed = searched(killed, 9)
        assert len(resumed.trials) == 9
        pd.testing.assert_frame_equal(drawn(resumed), drawn(whole))
        assert (resumed.best, resumed.best_value) == (whole.best, whole.best_value)
        assert resumed.file == file

    def test_interrupted_from_the_keyboard_makes_the_trial_again(
        self, tmp_path: Path, whole: Search
    ) -> None:
        def interrupt(done: int, _total: int) -> None:
            if done == 2 * SPLITS + 1:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            tune("item_knn", known(), folder=tmp_path, seed=0, on_progress=interrupt)
        pd.testing.assert_frame_equal(drawn(searched(tmp_path, 9)), drawn(whole))

    def test_interrupted_as_a_trial_has_just_been_told_keeps_it(
        self, tmp_path: Path, whole: Search, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One Ctrl-C in a hundred ended in "Cannot tell a COMPLETE trial"."""
        tell = optuna.Study.tell
        told = []

        def tell_and_be_interrupted(*args: Any, **kwargs: Any) -> object:
            told.append(tell(*args, **kwargs))
            if len(told) == 3:
                raise KeyboardInterrupt
            return told[-1]

        monkeypatch.setattr(optuna.Study, "tell", tell_and_be_interrupted)
        with pytest.raises(KeyboardInterrupt):
            searched(tmp_path, 9)
        monkeypatch.undo()
        assert told[2].state is optuna.trial.TrialState.COMPLETE
        pd.testing.assert_frame_equal(drawn(searched(tmp_path, 9)), drawn(whole))


class TestTheBudget:
    def test_is_the_total_of_finished_trials(self, tmp_path: Path) -> None:
        assert [len(searched(tmp_path, trials).trials) for trials in (2, 4, 3)] == [2, 4, 4]

    def test_ends_with_its_time(self, tmp_path: Path) -> None:
        budget = Budget(trials=100_000, timeout=1.5)
        found = tune("item_knn", known(), folder=tmp_path, seed=0, budget=budget)
        assert 1 <= len(found.trials) < 1000

    @pytest.mark.parametrize("trials", [0, -3])
    def test_of_no_trial_is_refused(self, trials: int) -> None:
        with pytest.raises(BadInputError, match=f"^{trials} trials, expected at least 1"):
            Budget(trials)

    @pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan")])
    def test_of_no_time_is_refused(self, timeout: float) -> None:
        with pytest.raises(BadInputError, match="expected more than 0"):
            Budget(timeout=timeout)

    def test_is_told_split_by_split(self, tmp_path: Path) -> None:
        told: list[tuple[int, int]] = []
        tune(
            "item_knn",
            known(),
            folder=tmp_path,
            seed=0,
            budget=Budget(2),
            on_progress=lambda done, total: told.append((done, total)),
        )
        assert told == [(n, 6) for n in (0, 1, 2, 3, 3, 4, 5, 6, 6)]


class TestTheTrials:
    def test_begin_with_the_shipped_defaults_which_the_best_is_not_below(
        self, whole: Search
    ) -> None:
        first = whole.trials.iloc[0]
        assert json.loads(first["parameters"]) == default_parameters(ItemKnn.Config)
        assert whole.default_value == first["value"]
        assert whole.best_value >= whole.default_value
        assert whole.best_value == whole.trials["value"][whole.trials["state"] == "complete"].max()

    def test_are_the_same_under_the_same_seed(self, whole: Search, tmp_path: Path) -> None:
        pd.testing.assert_frame_equal(drawn(searched(tmp_path, 9)), drawn(whole))

    def test_are_others_under_another_seed(self, whole: Search, tmp_path: Path) -> None:
        other = searched(tmp_path, 3, seed=1)
        assert list(other.trials["parameters"][1:]) != list(whole.trials["parameters"][1:3])
        assert other.file.name != whole.file.name

    def test_are_pruned_where_the_first_split_is_poor(self, tmp_path: Path) -> None:
        trials = searched(tmp_path, 20).trials
        pruned = trials[trials["state"] == "pruned"]
        assert 1 <= len(pruned) <= 15
        assert (pruned["splits"] < SPLITS).all()
        complete = trials[trials["state"] == "complete"]
        assert (complete["splits"] == SPLITS).all()
        assert pruned["value"].median() < complete["value"].median()

    def test_start_with_defaults_that_have_changed_since(
        self, whole: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A new default is one trial more, and what the best is compared with."""
        searched(tmp_path, 2)
        shipped = default_parameters(ItemKnn.Config) | {"neighbours": 17, "shrink": 3.0}
        monkeypatch.setattr(study_module, "default_parameters", lambda _config: shipped)
        found = searched(tmp_path, 2)
        assert len(found.trials) == 3
        assert found.default_value == found.trials["value"].iloc[-1] != whole.default_value
        assert len(searched(tmp_path, 2).trials) == 3


class TestAFitThatFails:
    @staticmethod
    def search(folder: Path, problem: BaseException | None) -> Search:
        """One trial whose second split ends in that problem."""

        def values() -> Iterator[float]:
            yield 0.5
            if problem is not None:
                raise problem
            yield 0.25

        def report(_done: int, _total: int) -> None:
            """Says nothing."""

        with opened(folder / "one.db", "one") as study:
            trial = study_module._next(study, seed=0, done=len(finished(study)), enqueued=None)
            trial.suggest_float("alpha", 0.0, 1.0)
            study_module._run(study, trial, values(), report, may_prune=True)
            return search_of("als", study, {}, folder / "one.db")

    def test_is_recorded_with_its_reason(self, tmp_path: Path) -> None:
        self.search(tmp_path, None)
        found = self.search(tmp_path, ValueError("not all parameters\nare finite"))
        assert list(found.trials["state"]) == ["complete", "failed"]
        assert np.isnan(found.trials["value"].iloc[1])
        said = found.trials["error"].iloc[1]
        assert said.startswith("ValueError: not all parameters")
        assert said.endswith("are finite")
        assert "\n" not in said
        assert found.remarks == [f"trial 1 failed: {said}"]
        assert found.best_value == 0.375

    def test_is_an_error_where_no_other_is_complete(self, tmp_path: Path) -> None:
        with pytest.raises(BadInputError, match=r"none of 1 trials of als .*: not enough"):
            self.search(tmp_path, BadInputError("not enough"))

    def test_unforeseen_ends_the_search_and_does_not_count(self, tmp_path: Path) -> None:
        self.search(tmp_path, None)
        with pytest.raises(RuntimeError, match="a defect"):
            self.search(tmp_path, RuntimeError("a defect"))
        assert list(self.search(tmp_path, None).trials["state"]) == ["complete"] * 2


class TestHeldOutPairs:
    @pytest.mark.parametrize("model", ["item_knn", "friends"])
    def test_do_not_change_a_search_whatever_they_say(self, tmp_path: Path, model: str) -> None:
        """Their plays, their tags and their artists are replaced by nonsense."""
        true = tables()
        mine = true.interactions.merge(
            held_out()[["user_id", "artist_id"]], how="left", indicator=True
        )
        hidden = (mine["_merge"] == "both").to_numpy()
        garbage = true.interactions.assign(
            plays=np.where(hidden, 999_999, true.interactions["plays"])
        )
        tags = held_out()[["user_id", "artist_id"]].assign(tag_id=7)
        planted = tables(garbage)
        planted = type(planted)(
            artists=planted.artists,
            interactions=planted.interactions,
            tag_assignments=pd.concat([planted.tag_assignments, tags], ignore_index=True),
            friendships=planted.friendships,
            rejected_rows=planted.rejected_rows,
        )
        one = tune(model, known(), folder=tmp_path / "true", seed=0, budget=Budget(3))
        other = tune(
            model,
            Known.of_source(planted, seed=0),
            folder=tmp_path / "planted",
            seed=0,
            budget=Budget(3),
        )
        pd.testing.assert_frame_equal(drawn(one), drawn(other))
        assert one.file.name == other.file.name

    def test_are_not_among_what_is_known(self) -> None:
        hidden = pd.MultiIndex.from_frame(held_out()[["user_id", "artist_id"]])
        mine = known()
        for table in (mine.pairs, mine.side.tag_assignments):
            assert not pd.MultiIndex.from_frame(table[["user_id", "artist_id"]]).isin(hidden).any()
        assert len(mine.pairs) + len(hidden) == len(interactions())


class TestFolds:
    def test_keep_validation_from_the_fit(self) -> None:
        for fold in folds_of(known(), seed=0):
            hidden = pd.MultiIndex.from_frame(fold.validation[["user_id", "artist_id"]])
            tags = pd.MultiIndex.from_frame(fold.side.tag_assignments[["user_id", "artist_id"]])
            assert not tags.isin(hidden).any()
            rows = fold.matrix.rows_of(fold.validation["user_id"].to_numpy())
            columns = fold.matrix.columns_of(fold.validation["artist_id"].to_numpy())
            assert not fold.matrix.plays.toarray()[rows, columns].any()

    def test_differ_and_the_first_is_the_pipelines_own(self) -> None:
        first, *others = folds_of(known(), seed=0)
        own = pairs_of(split_pairs(), "validation")
        pd.testing.assert_frame_equal(first.validation, own)
        assert all(not first.validation.equals(other.validation) for other in others)


class TestTheStudy:
    def test_is_another_for_other_data(self) -> None:
        pairs = known().pairs
        names = {
            study_name("als", nothing_beside(pairs), seed=0),
            study_name("als", nothing_beside(pairs.iloc[1:]), seed=0),
            study_name("als", nothing_beside(pairs), seed=1),
            study_name("item_knn", nothing_beside(pairs), seed=0),
        }
        assert len(names) == 4

    def test_looks_at_tags_and_friends_where_the_model_does(self) -> None:
        alone = nothing_beside(known().pairs)
        assert study_name("als", alone, seed=0) == study_name("als", known(), seed=0)
        assert study_name("friends", alone, seed=0) != study_name("friends", known(), seed=0)

    def test_lies_in_a_local_store_and_beside_the_data_of_another(self, tmp_path: Path) -> None:
        assert study_folder(str(tmp_path)) == tmp_path / "tuning" / "studies"
        assert study_folder("memory://far").parts[-3:] == ("data", "tuning", "studies")

    def test_that_is_damaged_is_told_in_a_line(self, tmp_path: Path) -> None:
        name = study_name("item_knn", known(), seed=0)
        (tmp_path / f"{name}.db").write_bytes(b"not a database, " * 100)
        with pytest.raises(StoreError, match="delete it to start over"):
            searched(tmp_path, 1)

    def test_that_a_search_was_killed_in_the_middle_of_is_gone_on_with(
        self, tmp_path: Path
    ) -> None:
        """It was called damaged, and deleting it was advised: a journal was to be rolled back."""
        searched(tmp_path, 1)
        (file,) = tmp_path.rglob("*.db")
        with running(KILLED_IN_A_COMMIT, file) as killed:
            assert line_from(killed.stdout) == "half written\n"
            killed.kill()
            killed.wait()
        assert file.with_name(f"{file.name}-journal").stat().st_size > 0
        assert len(searched(tmp_path, 2).trials) == 2

    def test_that_cannot_be_written_is_told_in_a_line(self, tmp_path: Path) -> None:
        (tmp_path / "taken").write_text("a file")
        with pytest.raises(StoreError, match="cannot be written"):
            searched(tmp_path / "taken", 1)

    def test_leaves_the_pairs_alone(self, tmp_path: Path) -> None:
        mine = known()
        before = ListeningMatrix.from_pairs(mine.pairs, mine.artist_ids).fingerprint
        tune("item_knn", mine, folder=tmp_path, seed=0, budget=Budget(1))
        assert ListeningMatrix.from_pairs(mine.pairs, mine.artist_ids).fingerprint == before
