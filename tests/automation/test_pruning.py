"""Old runs are forgotten, and what the UI shows of an asset is not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from lastfm_assets.automation.pruning import main, prune


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as ours:
        yield ours


@dg.asset
def lists() -> None:
    print("made")  # noqa: T201 (it is the output of a run)


@dg.asset
def models() -> None:
    """Made once."""


@dg.asset_check(asset=lists, name="there")
def lists_are_there() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@dg.asset_check(asset=lists, name="full")
def lists_are_full() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def checked(instance: dg.DagsterInstance, run_id: str) -> set[str]:
    """Names of the checks of a run that are still remembered."""
    names = set()
    for name in ("there", "full"):
        key = dg.AssetCheckKey(lists.key, name)
        said = instance.event_log_storage.get_asset_check_execution_history(key, limit=100)
        names |= {name for one in said if one.run_id == run_id}
    return names


def made(instance: dg.DagsterInstance, *assets: dg.AssetsDefinition) -> str:
    return dg.materialize(list(assets), instance=instance).run_id


def later() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=2)


class TestPruning:
    def test_keeps_the_latest_of_every_asset(self, instance: dg.DagsterInstance) -> None:
        both = made(instance, lists, models)
        first = made(instance, lists)
        second = made(instance, lists)
        assert prune(instance, before=later()) == [first]
        assert {run.run_id for run in instance.get_runs()} == {both, second}
        for key in ("lists", "models"):
            assert instance.get_latest_materialization_event(dg.AssetKey(key)) is not None

    def test_takes_events_and_output_along(
        self, instance: dg.DagsterInstance, tmp_path: Path
    ) -> None:
        old, _ = made(instance, lists), made(instance, lists)
        assert list(tmp_path.rglob(f"*{old}*"))
        prune(instance, before=later())
        assert list(tmp_path.rglob(f"*{old}*")) == []
        assert instance.get_run_by_id(old) is None

    def test_keeps_of_each_check_what_it_said_last(self, instance: dg.DagsterInstance) -> None:
        """Dagster's own files grew by 0.1 MB a night: it leaves these behind with deleted runs."""
        runs = [
            dg.materialize([lists, lists_are_there, lists_are_full], instance=instance).run_id
            for _ in range(3)
        ]
        assert [len(checked(instance, run)) for run in runs] == [2, 2, 2]
        prune(instance, before=datetime.now(UTC) - timedelta(days=1))
        assert [len(checked(instance, run)) for run in runs] == [2, 2, 2]
        prune(instance, before=later())
        assert [checked(instance, run) for run in runs] == [set(), set(), {"there", "full"}]

    def test_leaves_what_is_young_enough(self, instance: dg.DagsterInstance) -> None:
        made(instance, lists)
        made(instance, lists)
        assert prune(instance, before=datetime.now(UTC) - timedelta(days=1)) == []
        assert len(instance.get_runs()) == 2

    def test_leaves_what_has_not_ended(self, instance: dg.DagsterInstance) -> None:
        @dg.job
        def waiting() -> None:
            """Has nothing to do."""

        run = instance.create_run_for_job(waiting)
        assert prune(instance, before=later()) == []
        assert instance.get_run_by_id(run.run_id) is not None


def test_the_command_says_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert main(["--days", "30"]) == 0
    assert capsys.readouterr().out == "0 runs older than 30 days are forgotten\n"


def test_the_command_wants_a_day_at_least(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--days", "0"])
    assert "expected at least 1" in capsys.readouterr().err
