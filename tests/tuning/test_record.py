"""The shipped defaults are the tuned ones, and the command that says which those are."""

import json
from pathlib import Path

import numpy as np
import pytest
from tuning_world import known

from lastfm_assets.models.trained import model_named
from lastfm_assets.tuning.record import Entry, entry_of, main, read_record, write_entry
from lastfm_assets.tuning.space import default_parameters, rounded, tunable
from lastfm_assets.tuning.study import DEFAULT_TRIALS, Budget, fold_values, folds_of, tune
from lastfm_assets.tuning.trials import Search

RECORDED = read_record()


@pytest.fixture
def search(tmp_path: Path) -> Search:
    return tune("item_knn", known(), folder=tmp_path, seed=0, budget=Budget(12))


class TestTheShippedRecord:
    @pytest.mark.parametrize("name", sorted(RECORDED))
    def test_holds_the_published_defaults(self, name: str) -> None:
        assert model_named(name).Config().model_dump(mode="json") == RECORDED[name].parameters

    @pytest.mark.parametrize("name", sorted(RECORDED))
    def test_gave_every_model_the_same_budget(self, name: str) -> None:
        assert RECORDED[name].trials == DEFAULT_TRIALS

    def test_names_tunable_models_of_one_source(self) -> None:
        assert all(tunable(name) for name in RECORDED)
        assert len({entry.source for entry in RECORDED.values()}) <= 1


class TestAnEntry:
    def test_says_what_the_rounded_parameters_reach(self, search: Search) -> None:
        entry = entry_of(search, known(), source="custom", seed=0)
        config = tunable("item_knn").model_validate(entry.parameters)
        assert config.model_dump(mode="json") == entry.parameters
        tuned = {name: entry.parameters[name] for name in search.best}
        assert tuned == rounded(tuned)
        values = list(fold_values("item_knn", config, folds_of(known(), seed=0), seed=0))
        assert entry.validation_ndcg == pytest.approx(float(np.mean(values)), abs=1e-6)
        assert entry.validation_ndcg >= round(search.default_value, 6)
        assert (entry.trials, entry.source, entry.seed) == (12, "custom", 0)

    def test_keeps_the_defaults_where_nothing_is_better(self, tmp_path: Path) -> None:
        found = tune("item_knn", known(), folder=tmp_path, seed=0, budget=Budget(1))
        entry = entry_of(found, known(), source="custom", seed=0)
        shipped = default_parameters(tunable("item_knn"))
        assert {name: entry.parameters[name] for name in shipped} == shipped

    def test_is_written_beside_the_others(self, tmp_path: Path) -> None:
        file = tmp_path / "tuned.json"
        file.write_text("{}")
        one = Entry(
            parameters={"factors": 3},
            validation_ndcg=0.25,
            trials=4,
            seconds=1.5,
            source="custom",
            seed=0,
        )
        write_entry("b", one, file)
        write_entry("a", one, file)
        write_entry("b", one.model_copy(update={"trials": 5}), file)
        assert read_record(file) == {"a": one, "b": one.model_copy(update={"trials": 5})}
        assert list(json.loads(file.read_text())["a"]) == [
            "parameters",
            "validation_ndcg@10",
            "trials",
            "seconds",
            "source",
            "seed",
        ]
        assert [path.name for path in tmp_path.iterdir()] == ["tuned.json"]


class TestTheCommand:
    def test_searches_and_writes_the_entry(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "tuned.json"
        file.write_text("{}")
        arguments = ["--model", "item_knn", "--source", "sample", "--trials", "1"]
        assert main([*arguments, "--store", str(tmp_path / "store"), "--file", str(file)]) == 0
        (written,) = json.loads(file.read_text()).values()
        assert json.loads(capsys.readouterr().out) == written
        assert (written["source"], written["trials"]) == ("sample", 1)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--model", "popularity"], "popularity has no parameter to tune"),
            (["--model", "als", "--trials", "0"], "0 trials, expected at least 1"),
        ],
    )
    def test_ends_in_a_line_where_it_cannot(
        self, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {said}")
